/*-------------------------------------------------------------------------
 * baseline_worker.c
 *		Recording a baseline in the background, after the transaction that
 *		enabled the audit has committed.
 *
 * The worker takes the identity of who enabled it, so that it may do no more,
 * and is named in the trail as a session of its own. It has one try: if it
 * fails the log says why, and audit.record_baseline() can be called.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "capture/baseline.h"

#define BATCH 1000

/* What the worker is told. */
typedef struct Order
{
	Oid database;
	Oid user;
	Oid relid;
	int level; /* of nesting, at which it stands or falls */
} Order;

/* Right after an error: emptied at the end of every transaction, by level of every subtransaction.
 */
static struct
{
	List *orders; /* in TopTransactionContext */
} requests;

PGDLLEXPORT void at_baseline_worker_main(Datum main_arg);

static void end_transaction(XactEvent event, void *arg);
static void end_subtransaction(SubXactEvent event, SubTransactionId id, SubTransactionId parent,
							   void *arg);
static void start_worker(const Order *order);

void
at_baseline_init(void)
{
	RegisterXactCallback(end_transaction, NULL);
	RegisterSubXactCallback(end_subtransaction, NULL);
}

void
at_baseline_request(Oid relid)
{
	MemoryContext save = MemoryContextSwitchTo(TopTransactionContext);
	Order *order = palloc(sizeof(Order));

	*order = (Order){.database = MyDatabaseId,
					 .user = GetUserId(),
					 .relid = relid,
					 .level = GetCurrentTransactionNestLevel()};
	requests.orders = lappend(requests.orders, order);
	MemoryContextSwitchTo(save);
}

static void
end_transaction(XactEvent event, void *arg)
{
	ListCell *cell;

	if (requests.orders == NIL)
		return;
	switch (event)
	{
		case XACT_EVENT_PRE_PREPARE:
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("cannot PREPARE a transaction that has asked for a baseline"),
					 errhint("Leave baseline out, and call audit.record_baseline() afterwards.")));
			break;
		case XACT_EVENT_COMMIT:
			foreach (cell, requests.orders)
				start_worker(lfirst(cell));
			requests.orders = NIL;
			break;
		case XACT_EVENT_ABORT:
			requests.orders = NIL;
			break;
		default:
			break;
	}
}

/* What was asked for in a subtransaction goes with it, or is the business of the level above. */
static void
end_subtransaction(SubXactEvent event, SubTransactionId id, SubTransactionId parent, void *arg)
{
	int level = GetCurrentTransactionNestLevel();
	ListCell *cell;

	if (event != SUBXACT_EVENT_ABORT_SUB && event != SUBXACT_EVENT_COMMIT_SUB)
		return;
	foreach (cell, requests.orders)
	{
		Order *order = lfirst(cell);

		if (order->level != level)
			continue;
		if (event == SUBXACT_EVENT_COMMIT_SUB)
			order->level--;
		else
			requests.orders = foreach_delete_current(requests.orders, cell);
	}
}

/* Nothing here may raise an error: the transaction is committed. */
static void
start_worker(const Order *order)
{
	BackgroundWorker worker = {
		.bgw_name = "audit_trail baseline",
		.bgw_type = "audit_trail baseline",
		.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION,
		.bgw_start_time = BgWorkerStart_RecoveryFinished,
		.bgw_restart_time = BGW_NEVER_RESTART,
		.bgw_library_name = "audit_trail",
		.bgw_function_name = "at_baseline_worker_main",
	};

	memcpy(worker.bgw_extra, order, sizeof(Order));
	if (!RegisterDynamicBackgroundWorker(&worker, NULL))
		ereport(WARNING, (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
						  errmsg("no background worker is free to record the baseline"),
						  errhint("Call audit.record_baseline(), or raise max_worker_processes.")));
}

void
at_baseline_worker_main(Datum main_arg)
{
	Order order;

	memcpy(&order, MyBgworkerEntry->bgw_extra, sizeof(Order));
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnectionByOid(order.database, InvalidOid, 0);
	SetConfigOption("application_name", "audit_trail baseline", PGC_USERSET, PGC_S_OVERRIDE);

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	pgstat_report_activity(STATE_RUNNING, "audit_trail baseline");
	SetSessionAuthorization(order.user, superuser_arg(order.user));
	PushActiveSnapshot(GetTransactionSnapshot());
	if (get_rel_name(order.relid) != NULL)
		(void) at_baseline_record(order.relid, BATCH);
	PopActiveSnapshot();
	CommitTransactionCommand();
	pgstat_report_stat(true);
	pgstat_report_activity(STATE_IDLE, NULL);
}
