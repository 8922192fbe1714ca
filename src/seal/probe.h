/*-------------------------------------------------------------------------
 * probe.h
 *		All batches that are to be checked, by this process and parallel
 *		workers: which of them are fine, and which are to be looked at again.
 *
 * A probe only says yes or no. What is wrong with a batch is found out
 * afterwards, by one process, which alone may open subtransactions.
 *-------------------------------------------------------------------------
 */
#ifndef AT_PROBE_H
#define AT_PROBE_H

#include "seal/verify.h"

/* What is known of the batch of an entry. */
typedef enum AtProbeState
{
	AT_PROBE_NONE, /* it has none, or none that is wanted */
	AT_PROBE_TODO,
	AT_PROBE_FINE,
	AT_PROBE_AGAIN, /* it is not fine */
	AT_PROBE_BEFORE /* it was, when an earlier verification looked */
} AtProbeState;

/* One state an entry, from verify->first on. */
typedef struct AtProbePlan
{
	uint64 first;
	uint64 size;   /* of the log */
	uint8 *state;  /* AtProbeState */
	uint64 events; /* to do */
	uint64 batches;
	uint64 events_before; /* that an earlier verification has done */
	uint64 batches_before;
} AtProbePlan;

/*
 * Turn every TODO of the plan into FINE or AGAIN, and count what is fine in
 * `verify`. Errors that reading raises pass through, from workers too.
 */
extern void at_probe_run(AtVerify *verify, AtProbePlan *plan);

#endif
