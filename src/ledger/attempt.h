/*-------------------------------------------------------------------------
 * attempt.h
 *		Attempts that are refused, and reads of the trail: told when they are,
 *		recorded by the collector, whatever becomes of the transaction.
 *
 * Without shared_preload_libraries they are nowhere; on a standby they are sent to
 * the primary server, or in the server's log (dispatch.h).
 *-------------------------------------------------------------------------
 */
#ifndef AT_ATTEMPT_H
#define AT_ATTEMPT_H

#include "lib/stringinfo.h"

/* Type of the event of a change that a rule refuses. */
#define AT_CHANGE_BLOCKED "change.blocked"

/*
 * Tell that something is refused; call it right before the error is raised. The origin
 * is taken as it is now. Raises nothing of its own, but needs a transaction that
 * is not aborted.
 */
extern void at_attempt_tell(int sqlstate, const char *message, const char *object);

/*
 * The same of what was refused for want of privilege: access.denied. The object may be NULL;
 * target_id is that of an audited table, or 0. No literal of the client's command is told.
 */
extern void at_attempt_deny(const char *message, const char *object, int32 target_id);

/*
 * The same of a read of a table that is audited, of which the record is not where it must be. It
 * does not wait for room.
 */
extern void at_attempt_refuse_read(int sqlstate, const char *message, const char *object,
								   int32 target_id);

/*
 * The same of a change of a row that a rule refuses: an event of the version of the
 * table and of the row, with these members of a JSON object. The text of the command has no
 * literals.
 */
extern void at_attempt_block(int sqlstate, const char *message, int32 target_id,
							 const char *record_key, const char *details);

/*
 * Begin to tell that something is read: the record but for the number of rows, in the current
 * memory context. The rest is at_dispatch_end().
 */
extern void at_attempt_begin_read(StringInfo record, const char *object);

/*
 * Append members about the client's command to a JSON object: its kind, and its text if that is
 * wanted, bounded and without secrets, or without any literal.
 */
extern void at_attempt_append_command(StringInfo values, bool with_text, bool without_literals);

#endif
