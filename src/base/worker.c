/*-------------------------------------------------------------------------
 * worker.c
 *		Background workers as a session sees them: wake one, wait for a
 *		pass, announce a database.
 *
 * The processes themselves are in worker_main.c and launcher.c.
 *
 * A worker counts the requests that it finds when it begins a pass. A
 * session takes the next number and waits until a pass has ended that
 * began with that number or a later one. So it never mistakes a pass that
 * was under way for its own.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "utils/array.h"
#include "utils/fmgrprotos.h"

#include "base/aside.h"
#include "base/clock.h"
#include "base/errors.h"
#include "base/launcher.h"
#include "base/shmem.h"
#include "base/worker.h"

/* How long at_worker_run() does without a worker, and how often it looks. */
#define AT_NO_WORKER_MS 5000
#define AT_RUN_POLL_MS  500

/* How many processes may stand between the worker and the session in a deadlock. */
#define AT_DEADLOCK_STEPS 3

const char *const at_worker_names[AT_WORKER_KINDS] = {"sealer",   "notifier",  "verifier",
													  "anchorer", "collector", "keeper"};

static struct
{
	/* set at load, then constant */
	AtWorkerPass pass[AT_WORKER_KINDS];
	bool (*is_wanted[AT_WORKER_KINDS])(void); /* NULL: always */

	/* this database's slot (-1: none), right while the generation has not changed */
	int slot;
	uint64 generation;
	bool announced; /* a missing slot was reported to the launcher, once a session */

	/* database to announce at commit; cleared at the end of each transaction */
	Oid pending;
	bool callback_registered;
} at_worker;

/* A request for a pass: valid while the slots stay as they are. */
typedef struct AtRequest
{
	int slot;
	uint64 generation;
	uint64 ticket;
} AtRequest;

static void at_worker_renew_request(AtRequest *request, AtWorkerKind kind);
static void at_worker_check_patience(AtWorkerKind kind, int64 alone_since);
static void at_worker_check_deadlock(AtWorkerKind kind);
static bool at_worker_waits_for_us(int pid, int steps);
static void at_worker_raise_failure(AtWorkerKind kind);
static void at_worker_raise_none(AtWorkerKind kind);
static void at_worker_at_end(XactEvent event, void *arg);

PG_FUNCTION_INFO_V1(at_announce);

void
at_worker_init(void)
{
	/* pg_upgrade wants nobody else to write. */
	if (IsBinaryUpgrade)
		return;
	at_launcher_register();
	at_aside_init();
}

void
at_worker_register(AtWorkerKind kind, AtWorkerPass pass)
{
	at_worker.pass[kind] = pass;
}

AtWorkerPass
at_worker_pass(AtWorkerKind kind)
{
	return at_worker.pass[kind];
}

bool
at_worker_is_occasional(AtWorkerKind kind)
{
	return kind == AT_WORKER_VERIFIER || kind == AT_WORKER_KEEPER;
}

void
at_worker_register_wanted(AtWorkerKind kind, bool (*is_wanted)(void))
{
	at_worker.is_wanted[kind] = is_wanted;
}

bool
at_worker_is_wanted(AtWorkerKind kind)
{
	if (RecoveryInProgress() && kind != AT_WORKER_COLLECTOR)
		return false;
	return at_worker.pass[kind] != NULL &&
		   (at_worker.is_wanted[kind] == NULL || at_worker.is_wanted[kind]());
}

/*
 * Whoever wakes a worker has the extension. If the launcher does not know
 * that (it came by COMMIT PREPARED, say), it learns it here.
 */
void
at_worker_wake(AtWorkerKind kind)
{
	int slot;

	if (!at_shmem_ready() || !OidIsValid(MyDatabaseId))
		return;
	slot = at_worker_slot();
	if (slot >= 0)
		at_slot_wake(slot, kind);
	else if (!at_worker.announced)
	{
		at_worker.announced = true;
		at_slot_announce(MyDatabaseId);
	}
}

void
at_worker_wake_in(Oid database, AtWorkerKind kind)
{
	int slot;

	if (database == MyDatabaseId)
		at_worker_wake(kind);
	else if (at_shmem_ready() && (slot = at_slot_find(database)) >= 0)
		at_slot_wake(slot, kind);
}

/* The generation is read first: a change in between only makes the next call look again. */
int
at_worker_slot(void)
{
	uint64 generation = at_slot_generation();

	if (at_worker.generation != generation)
	{
		at_worker.slot = at_slot_find(MyDatabaseId);
		at_worker.generation = generation;
	}
	return at_worker.slot;
}

void
at_worker_run(AtWorkerKind kind)
{
	AtRequest request = {.slot = -1};
	int64 alone_since = at_clock_ms();
	AtRequestState state;

	if (!at_shmem_ready() || RecoveryInProgress())
		at_worker_raise_none(kind);
	if (at_worker_slot() < 0)
		at_slot_announce(MyDatabaseId);

	for (;;)
	{
		at_worker_renew_request(&request, kind);
		if (request.slot < 0)
			at_worker_raise_none(kind);
		/* Prepared before the look, so that no broadcast is missed after it. */
		ConditionVariablePrepareToSleep(at_slot_changed(request.slot));
		state = at_slot_request_state(request.slot, kind, request.ticket);
		if (state == AT_REQUEST_DONE || state == AT_REQUEST_FAILED)
			break;
		if (state == AT_REQUEST_PENDING)
			alone_since = at_clock_ms();
		at_worker_check_patience(kind, alone_since);
		if (ConditionVariableTimedSleep(at_slot_changed(request.slot), AT_RUN_POLL_MS,
										PG_WAIT_EXTENSION))
			at_worker_check_deadlock(kind);
	}
	ConditionVariableCancelSleep();

	if (state == AT_REQUEST_FAILED)
		at_worker_raise_failure(kind);
}

/* Make the request, again if the slot may have changed hands. */
static void
at_worker_renew_request(AtRequest *request, AtWorkerKind kind)
{
	uint64 generation = at_slot_generation();

	if (request->generation == generation)
		return;
	request->generation = generation;
	request->slot = at_slot_find(MyDatabaseId);
	if (request->slot >= 0)
		request->ticket = at_slot_request(request->slot, kind);
}

static void
at_worker_check_patience(AtWorkerKind kind, int64 alone_since)
{
	if (at_clock_ms() < alone_since + AT_NO_WORKER_MS)
		return;
	ConditionVariableCancelSleep();
	at_worker_raise_none(kind);
}

/* The server looks for cycles of locks only, and waiting for a worker is none. */
static void
at_worker_check_deadlock(AtWorkerKind kind)
{
	AtWorkerStatus status;

	if (!at_worker_status(kind, &status) || status.pid == 0 ||
		!at_worker_waits_for_us(status.pid, AT_DEADLOCK_STEPS))
		return;
	ConditionVariableCancelSleep();
	ereport(ERROR, (errcode(ERRCODE_T_R_DEADLOCK_DETECTED),
					errmsg("the audit_trail %s waits for this transaction", at_worker_names[kind]),
					errdetail("It cannot have a lock that this transaction holds, while this "
							  "transaction waits for it."),
					errhint("Commit first.")));
}

/* Does a process wait for a lock of this one, itself or by way of a few others? */
static bool
at_worker_waits_for_us(int pid, int steps)
{
	ArrayType *blockers =
		DatumGetArrayTypeP(DirectFunctionCall1(pg_blocking_pids, Int32GetDatum(pid)));
	int count = ArrayGetNItems(ARR_NDIM(blockers), ARR_DIMS(blockers));
	const int32 *blocker = (const int32 *) ARR_DATA_PTR(blockers);
	bool found = false;

	for (int i = 0; i < count && !found; i++)
		found = blocker[i] == MyProcPid ||
				(steps > 1 && blocker[i] != 0 && at_worker_waits_for_us(blocker[i], steps - 1));
	pfree(blockers);
	return found;
}

static void
at_worker_raise_failure(AtWorkerKind kind)
{
	AtWorkerStatus status;

	/* A success since then makes the text stale, but not the fact. */
	(void) at_worker_status(kind, &status);
	ereport(ERROR, (errcode(status.sqlstate ? status.sqlstate : ERRCODE_INTERNAL_ERROR),
					errmsg("the audit_trail %s failed: %s", at_worker_names[kind], status.message),
					errhint("The server log has the whole error.")));
}

static void
at_worker_raise_none(AtWorkerKind kind)
{
	if (!at_shmem_ready())
		ereport(ERROR, (errcode(ERRCODE_AT_NO_WORKER),
						errmsg("the audit_trail %s is not running", at_worker_names[kind]),
						errdetail("The library was not loaded when the server started."),
						errhint("Add audit_trail to shared_preload_libraries and restart the "
								"server.")));
	if (RecoveryInProgress())
		ereport(ERROR,
				(errcode(ERRCODE_AT_NO_WORKER),
				 errmsg("the audit_trail %s is not running", at_worker_names[kind]),
				 errdetail("The server is in recovery."), errhint("Ask the primary server.")));
	ereport(ERROR, (errcode(ERRCODE_AT_NO_WORKER),
					errmsg("the audit_trail %s is not running", at_worker_names[kind]),
					errhint("See SELECT * FROM audit.doctor().")));
}

bool
at_worker_status(AtWorkerKind kind, AtWorkerStatus *status)
{
	AtSlotView view;
	int slot;

	memset(status, 0, sizeof(AtWorkerStatus));
	if (!at_shmem_ready())
		return false;
	slot = at_slot_find(MyDatabaseId);
	if (slot < 0 || !at_slot_view(slot, &view) || view.database != MyDatabaseId)
		return false;
	*status = view.worker[kind];
	return true;
}

/*
 * One database is enough: CREATE DATABASE is alone in its transaction, and
 * CREATE EXTENSION concerns the current database.
 */
void
at_worker_announce_database(Oid database)
{
	if (!at_shmem_ready())
		return;
	if (!at_worker.callback_registered)
		RegisterXactCallback(at_worker_at_end, NULL);
	at_worker.callback_registered = true;
	at_worker.pending = database;
}

/* At commit rather than now: the launcher could not see the change before. */
static void
at_worker_at_end(XactEvent event, void *arg)
{
	Oid database = at_worker.pending;

	if (!OidIsValid(database) ||
		(event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT && event != XACT_EVENT_PREPARE))
		return;
	at_worker.pending = InvalidOid;
	if (event == XACT_EVENT_COMMIT)
		at_slot_announce(database);
}

/* audit.announce(): called by the install script. */
Datum
at_announce(PG_FUNCTION_ARGS)
{
	if (!at_shmem_ready())
		ereport(WARNING,
				(errcode(ERRCODE_WARNING),
				 errmsg("audit_trail is not loaded by shared_preload_libraries"),
				 errdetail("Changes are captured, but sealing and the delivery of alerts are "
						   "inactive."),
				 errhint("Add audit_trail to shared_preload_libraries and restart the server.")));
	at_worker_announce_database(MyDatabaseId);
	PG_RETURN_VOID();
}
