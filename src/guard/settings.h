/*-------------------------------------------------------------------------
 * settings.h
 *		Commands that set what only the configuration file may.
 *
 * PostgreSQL itself lets nobody set these in a session. Here the attempt is
 * on record, by SET, ALTER ROLE, ALTER DATABASE, of a function, and ALTER SYSTEM; and
 * ALTER SYSTEM does not take the library out of shared_preload_libraries either.
 * What set_config() and the options of a session that begins try is refused by PostgreSQL
 * alone, and on record by what watches its errors.
 *-------------------------------------------------------------------------
 */
#ifndef AT_SETTINGS_H
#define AT_SETTINGS_H

#include "nodes/parsenodes.h"

/* Does a SET concern one of them? It is too frequent a command to look at all of them. */
extern bool at_settings_concern(const VariableSetStmt *set);

/* Raise ERRCODE_AT_GUARDED if the command does that; other commands than those above pass. */
extern void at_settings_check(Node *statement);

#endif
