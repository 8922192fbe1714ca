/*-------------------------------------------------------------------------
 * statement.h
 *		The client's command that is running: its kind and its text.
 *
 * What functions, triggers, cursors and prepared statements do within it
 * belongs to it: EXECUTE stays EXECUTE, a loop in a function is the SELECT or
 * CALL that the client has sent. Of several commands in one string it is the
 * one that runs. None is known while changes are applied by logical
 * replication or a background worker, when deferred triggers run at the end
 * of a transaction, and within a cursor or EXECUTE that runs in a portal to
 * which the client has given a name.
 *-------------------------------------------------------------------------
 */
#ifndef AT_STATEMENT_H
#define AT_STATEMENT_H

#include "postgres_ext.h"
#include "tcop/cmdtag.h"

/* Longest text of a command that is kept, in bytes. */
#define AT_MAX_QUERY_LENGTH 10000

/*
 * Is the command of the kind that an event of this op makes one think of: is
 * it INSERT for 'I', UPDATE for 'U', DELETE for 'D', TRUNCATE for 'T'? True
 * for the other ops.
 */
extern bool at_statement_implied(char op);

/* The tag of the command; NULL if none is known. */
extern const char *at_statement_tag(void);

/*
 * The text of the command as members of an event's extra: "query", and if it
 * was cut "query_bytes", its whole length. NULL if none is known, or if it
 * was given for this table before, in an event that stands, since the
 * command or the transaction began. In the current memory context.
 */
extern char *at_statement_query(Oid relid);

/*
 * For a measurement, whose events are to be rolled back: let the command be
 * one of this kind, until the running subtransaction ends.
 */
extern void at_statement_presume(CommandTag tag);

/* The text of the command, as it was sent; *len gets its length. NULL if none is known. */
extern const char *at_statement_text(int *len);

/*
 * A text of a command as the trail may have it: without literals if the caller wants that, or if it
 * mentions a secret; and where personal values are kept under keys of persons, without any value,
 * since an erasure could not reach it. In the current context, or the text itself.
 */
extern const char *at_statement_shown(const char *text, int *len, bool without_literals);

/* Memory that lives as long as the command, its rollback included. NULL if none is known. */
extern MemoryContext at_statement_memory(void);

/* Register the callbacks. */
extern void at_statement_init(void);

#endif
