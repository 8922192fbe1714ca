/*-------------------------------------------------------------------------
 * yield.c
 *		Writers leave a sealer that is behind the processor.
 *
 * Many sessions that write without pause leave the sealer one share of the processors of many,
 * while each of them gives it more to do. PostgreSQL tells of a commit while the locks are still
 * held, so the wait is when its resource owner has let go of them. Nobody else knows
 * of the transaction as running by then.
 *
 * Interrupts are held there, as in all of a commit; so the wait ends at a signal, as any of them
 * sends one. The latch does not tell: it may be set since long ago.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "utils/resowner.h"

#include "base/pace.h"
#include "ledger/transaction.h"
#include "seal/yield.h"

/* Right after an error: 0, as there is none between a commit and its wait. */
static struct
{
	long wait_ms; /* after the commit that is under way; 0: not at all */
} yield;

static void end_transaction(XactEvent event, void *arg);
static void release(ResourceReleasePhase phase, bool commits, bool is_top, void *arg);
static bool may_wait(void);

void
at_yield_init(void)
{
	RegisterXactCallback(end_transaction, NULL);
	RegisterResourceReleaseCallback(release, NULL);
}

static void
end_transaction(XactEvent event, void *arg)
{
	int64 tx_id;

	if (event == XACT_EVENT_COMMIT && at_transaction_has_events(&tx_id) && may_wait())
		yield.wait_ms = at_pace_wait(GetCurrentTransactionStopTimestamp());
}

/* Called for each resource owner, so mostly there is nothing to do. */
static void
release(ResourceReleasePhase phase, bool commits, bool is_top, void *arg)
{
	long wait_ms = yield.wait_ms;

	if (likely(wait_ms == 0) || phase != RESOURCE_RELEASE_AFTER_LOCKS || !is_top)
		return;
	yield.wait_ms = 0;
	if (InterruptPending)
		return;
	elog(DEBUG2, "waiting %ld ms for the audit_trail sealer", wait_ms);
	pgstat_report_wait_start(PG_WAIT_EXTENSION);
	pg_usleep(wait_ms * 1000);
	pgstat_report_wait_end();
}

/* Is this the session of a client that goes on? Interrupts are held by the commit, and no more. */
static bool
may_wait(void)
{
	return IsUnderPostmaster && MyBackendType == B_BACKEND && !proc_exit_inprogress &&
		   InterruptHoldoffCount == 1;
}
