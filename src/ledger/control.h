/*-------------------------------------------------------------------------
 * control.h
 *		Facts that a session writes into the log: control records, appended in
 *		the session's own transaction.
 *
 * What is decided about the trail itself (requests and approvals, policies,
 * holds, purges) is kept nowhere else. So it is write-once, in its order, in
 * every checkpoint, and tampering with it is what verification looks for.
 * audit.log_entry is read back by kind, see at_owner_query().
 *-------------------------------------------------------------------------
 */
#ifndef AT_CONTROL_H
#define AT_CONTROL_H

#include "utils/snapshot.h"

#include "ledger/log.h"

/* The end of the log, while the running transaction appends to it. */
typedef struct AtControl
{
	AtLogHead head;
	int32 incarnation;
	Snapshot snapshot; /* active until at_control_end() */
} AtControl;

/*
 * Begin: takes the lock of passes on audit.log_entry to the end of the transaction, then makes a
 * snapshot of now the active one, so that what is read next is all that others decided before.
 * ERRCODE_AT_NO_LEDGER if no ledger was begun in this server and database.
 */
extern void at_control_begin(AtControl *control);

/* Append a record; the payload is the text of a JSON object. Returns its log_index. */
extern int64 at_control_append(AtControl *control, const char *kind, const char *payload);

extern void at_control_end(AtControl *control);

#endif
