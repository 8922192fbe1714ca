/*-------------------------------------------------------------------------
 * clock.h
 *		The clocks: one for pauses and deadlines, which nobody can set, and the
 *		time of day that the trail records and retention goes by.
 *-------------------------------------------------------------------------
 */
#ifndef AT_CLOCK_H
#define AT_CLOCK_H

#include "datatype/timestamp.h"
#include "portability/instr_time.h"

/* Milliseconds since some point in the past; never 0, never goes back. */
static inline int64
at_clock_ms(void)
{
	instr_time now;

	INSTR_TIME_SET_CURRENT(now);
	return (int64) INSTR_TIME_GET_MILLISEC(now) + 1;
}

/*
 * What a time of this server is to the trail: itself, but in a ledger that was made for tests,
 * with audit_trail.debug_clock, as much later as that says. Raises ERRCODE_AT_GUARDED where the
 * setting is on and the ledger is no such. Needs a transaction.
 */
extern TimestampTz at_clock_shift(TimestampTz at);

/* Now, likewise. */
extern TimestampTz at_clock_now(void);

/* Why a ledger was made: told by its first incarnation and so by entry 0 of its log. */
#define AT_LEDGER_CREATED  "ledger created"
#define AT_LEDGER_FOR_TEST "ledger created for tests, whose clock is set"

#endif
