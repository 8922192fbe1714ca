/*-------------------------------------------------------------------------
 * pace.h
 *		Whether the sealer is behind, and would get on if others left it the processor.
 *
 * Behind is what is late: a pass that is not over audit_trail.seal_interval and
 * audit_trail.seal_lag_limit after the last one that was committed took its snapshot. What it
 * could not have sealed, because its transaction was open, does not count.
 *
 * The sealer tells how it goes. Writers believe it for a second: so nobody waits for a sealer that
 * is stuck, pauses after an error or is gone, nor for one that has the processor as it is.
 *
 * None of these functions raises an error or waits; without shared memory they do nothing.
 *-------------------------------------------------------------------------
 */
#ifndef AT_PACE_H
#define AT_PACE_H

#include "datatype/timestamp.h"
#include "port/atomics.h"

/* So many rows or entries are done from one at_pace_go_on() to the next. */
#define AT_PACE_STEP 256

/* Of a database, in shared memory; both are a TimestampTz. */
typedef struct AtPace
{
	pg_atomic_uint64 late_at; /* when the sealer will be behind */
	pg_atomic_uint64 until;   /* how long it is believed to want the processor */
} AtPace;

/* When shared memory is made; then, and whenever the slot gets another database. */
extern void at_pace_init(AtPace *pace);
extern void at_pace_reset(AtPace *pace);

/*
 * For the sealer: just before a pass takes its snapshot, as it gets on, and when it was committed.
 * After a pass that failed, and at first, nothing is late until one was committed.
 */
extern void at_pace_begin(bool after_failure);
extern void at_pace_go_on(void);
extern void at_pace_end(void);

/* For a writer: how many milliseconds, a few, it should wait that has just committed; mostly 0. */
extern long at_pace_wait(TimestampTz committed_at);

#endif
