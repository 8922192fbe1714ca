/*-------------------------------------------------------------------------
 * control.c
 *		Facts that a session writes into the log.
 *
 * Locks: that of passes on audit.log_entry, taken before the snapshot and held
 * to the end of the transaction, as the sealer does. Sealing waits for the
 * session, writers do not.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/snapmgr.h"

#include "base/catalog.h"
#include "base/errors.h"
#include "ledger/control.h"
#include "ledger/log_read.h"

void
at_control_begin(AtControl *control)
{
	AtIncarnation last;

	at_ledger_lock_passes(AT_LEDGER_LOG_ENTRY);
	CommandCounterIncrement(); /* what this transaction has appended before */
	control->snapshot = GetLatestSnapshot();
	PushActiveSnapshot(control->snapshot);
	if (!at_incarnation_read_last(GetActiveSnapshot(), &last))
		ereport(ERROR, (errcode(ERRCODE_AT_NO_LEDGER),
						errmsg("the ledger was not begun in this server and database"),
						errdetail("It was restored, and nothing has been recorded here yet."),
						errhint("Change an audited table, then SELECT audit.seal_now();")));
	control->incarnation = last.incarnation;
	at_log_head_read(GetActiveSnapshot(), &control->head);
}

int64
at_control_append(AtControl *control, const char *kind, const char *payload)
{
	int64 log_index = control->head.tree.size;

	if (strlen(payload) > AT_MAX_PAYLOAD)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("what is to be sealed is too long"),
						errdetail("It has %zu bytes; a record of the log may have %d.",
								  strlen(payload), AT_MAX_PAYLOAD),
						errhint("Do it in several steps.")));
	at_log_append_control(&control->head, control->incarnation, kind, NULL, payload);
	return log_index;
}

void
at_control_end(AtControl *control)
{
	PopActiveSnapshot();
	CommandCounterIncrement();
}
