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

/* Name of the configuration table and its columns (sql/install/32_automatic.sql). */
#define AT_AUTOMATIC_TABLE "automatic"

#define Anum_automatic_schema          1
#define Anum_automatic_pattern         2
#define Anum_automatic_exceptions      3
#define Anum_automatic_context         4
#define Anum_automatic_operations      5
#define Anum_automatic_ignored_columns 6
#define Anum_automatic_masked_columns  7
#define Anum_automatic_hashed_columns  8
#define Anum_automatic_truncate        9
#define Anum_automatic_query           10
#define Anum_automatic_enabled         11
#define Anum_automatic_changed_at      12
#define Anum_automatic_reason          13
#define Anum_automatic_reads           14
#define Anum_automatic_read_columns    15
#define Natts_automatic                15

/*
 * A command has created or touched these relations, or more than it could note if
 * `all`: audit those that a rule wants. An error fails the command.
 */
extern void at_automatic_settle(List *touched, bool all);

/* A schema of this name is dropped: its rules end. */
extern void at_automatic_forget(const char *schema, const char *command);

/* A schema has another name: its rules follow it. */
extern void at_automatic_rename(const char *old_name, const char *new_name);

/* End the rules of a schema, or the one of this pattern; returns how many there were. */
extern int at_automatic_disable(const char *schema, const char *pattern, const char *reason);

#endif
