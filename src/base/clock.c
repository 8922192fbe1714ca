/*-------------------------------------------------------------------------
 * clock.c
 *		The time of day that the trail records and retention goes by.
 *
 * A clock that could be set would let years of evidence expire in a minute.
 * So the setting has no effect but an error in a ledger that was not created
 * under it: whether it was stands in entry 0 of the log, and nothing changes
 * that.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "base/catalog.h"
#include "base/clock.h"
#include "base/errors.h"
#include "base/guc.h"

TimestampTz
at_clock_shift(TimestampTz at)
{
	if (likely(at_guc_debug_clock == 0))
		return at;
	if (at_ledger_exists() && !at_ledger_is_for_test())
		ereport(ERROR, (errcode(ERRCODE_AT_GUARDED),
						errmsg("audit_trail.debug_clock cannot be used with this ledger"),
						errdetail("Only a ledger that was created while it was set has a clock "
								  "that can be set."),
						errhint("RESET audit_trail.debug_clock;")));
	return at + at_guc_debug_clock * USECS_PER_SEC;
}

TimestampTz
at_clock_now(void)
{
	return at_clock_shift(GetCurrentTimestamp());
}
