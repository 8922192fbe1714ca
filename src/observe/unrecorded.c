/*-------------------------------------------------------------------------
 * unrecorded.c
 *		A read whose record is not on disk in time is refused.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"

#include "base/errors.h"
#include "base/guc.h"
#include "base/names.h"
#include "base/ring.h"
#include "ledger/attempt.h"
#include "observe/unrecorded.h"

static const char *why(AtDispatchFate fate);

void
at_unrecorded_refuse(AtDispatchFate fate, Oid relid, int32 target_id)
{
	const char *message = RecoveryInProgress()
							  ? "what is read cannot be recorded on the primary server"
							  : "what is read cannot be recorded";

	at_attempt_refuse_read(ERRCODE_AT_NOT_RECORDED, message, at_qualified_name(relid), target_id);
	ereport(ERROR, (errcode(ERRCODE_AT_NOT_RECORDED), errmsg_internal("%s", message),
					errdetail("%s, and audit_trail.read_durability is sync.", why(fate)),
					errhint("See SELECT * FROM audit.doctor();")));
}

static const char *
why(AtDispatchFate fate)
{
	switch (fate)
	{
		case AT_DISPATCH_NO_PRIMARY:
			return "It does not answer";
		case AT_DISPATCH_NO_ROOM:
			return psprintf("The shared memory for records has had no room for %d ms",
							at_guc_ring_timeout);
		case AT_DISPATCH_TOO_LONG:
			return psprintf("The record is longer than %d bytes", AT_RING_MAX_RECORD);
		case AT_DISPATCH_UNHEARD:
			return at_ring_ready() ? "No ledger takes the record"
								   : "The library is not in shared_preload_libraries";
		case AT_DISPATCH_SENT:
		case AT_DISPATCH_DURABLE:
			break;
	}
	return "The record is not on disk in time";
}
