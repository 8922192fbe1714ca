/*-------------------------------------------------------------------------
 * unrecorded.h
 *		A read whose record is not on disk in time is refused.
 *
 * With audit_trail.read_durability = sync. The refusal is an event, audit.refused, or a line of
 * the server's log where there is no room for that either, besides the record of the read.
 *-------------------------------------------------------------------------
 */
#ifndef AT_UNRECORDED_H
#define AT_UNRECORDED_H

#include "base/compat.h"
#include "ledger/dispatch.h"

/*
 * Refuse to show what was read of a table, of which this has become of the record: raises
 * ERRCODE_AT_NOT_RECORDED. Needs a transaction.
 */
pg_noreturn extern void at_unrecorded_refuse(AtDispatchFate fate, Oid relid, int32 target_id);

#endif
