/*-------------------------------------------------------------------------
 * automatic.h
 *		Tables that are audited as they come, by rules of audit.automatic.
 *
 * A table comes by CREATE TABLE in any form, and by being renamed, moved,
 * made a logged one or detached from its parent: at the end of the command
 * it is audited, in the same transaction. Rows that it has by then, which no
 * trigger saw, are recorded as its baseline.
 *
 * Locks: a command that may have brought a table takes RowShareLock on
 * audit.automatic to the end of the transaction, and who writes a rule
 * ExclusiveLock. So either the command sees the rule, or who writes it the
 * table. Changes of rows do not take part, nor do dumps.
 *-------------------------------------------------------------------------
 */
#ifndef AT_AUTOMATIC_H
#define AT_AUTOMATIC_H

#include "nodes/pg_list.h"

/* Name of the configuration table. */
#define AT_AUTOMATIC_TABLE "automatic"

/*
 * A command has created or touched these relations, or more than it could note if
 * `all`: audit those that a rule wants. An error fails the command.
 */
extern void at_automatic_settle(List *touched, bool all);

/* A schema is dropped: its rules end. */
extern void at_automatic_forget(Oid schema, const char *command);

#endif
