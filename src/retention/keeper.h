/*-------------------------------------------------------------------------
 * keeper.h
 *		The worker that looks after the ledger's storage: a list of steps that
 *		modules of this room register.
 *
 * A run goes through the steps in their order. A step works in portions: it
 * returns true while there is more, and is called again after a pause
 * (audit_trail.keeper_pause), unless its time is over. Each portion starts
 * and commits its own transactions; what it has committed stands, and what is
 * left the next run finds again. So a step keeps no state of its own that a
 * crash could take.
 *
 * A step that fails does not keep the others from their work. What was done,
 * and what failed, is a row of audit.keeper_run.
 *-------------------------------------------------------------------------
 */
#ifndef AT_KEEPER_H
#define AT_KEEPER_H

#include "datatype/timestamp.h"

typedef struct AtKeeperStep
{
	const char *name;
	bool in_window; /* only in audit_trail.maintenance_window, or when a session asks */

	/*
	 * Do a portion, outside of a transaction, before the deadline if it can be known; true if
	 * there may be more. The memory context is reset after it.
	 */
	bool (*run)(TimestampTz deadline);
} AtKeeperStep;

/* Register a step behind those that are there, from a module's init function; it must stay. */
extern void at_keeper_register(const AtKeeperStep *step);

/* For a step: what it has done, for audit.keeper_run; format and arguments as of psprintf(). */
extern void at_keeper_did(uint64 count, const char *format, ...) pg_attribute_printf(2, 3);

/* For a step: what it is at, for audit.keeper_progress. */
extern void at_keeper_progress(const char *what, uint64 done, uint64 total);

/*
 * For a step, in a transaction: wait for locks no longer than those who wait behind it can bear,
 * AT_KEEPER_LOCK_MS, from here to the end of the transaction.
 */
#define AT_KEEPER_LOCK_MS 30
extern void at_keeper_limit_locks(void);

/* Register the worker and its first step. */
extern void at_keeper_init(void);

#endif
