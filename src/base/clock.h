/*-------------------------------------------------------------------------
 * clock.h
 *		A clock for pauses and deadlines, which nobody can set.
 *-------------------------------------------------------------------------
 */
#ifndef AT_CLOCK_H
#define AT_CLOCK_H

#include "portability/instr_time.h"

/* Milliseconds since some point in the past; never 0, never goes back. */
static inline int64
at_clock_ms(void)
{
	instr_time now;

	INSTR_TIME_SET_CURRENT(now);
	return (int64) INSTR_TIME_GET_MILLISEC(now) + 1;
}

#endif
