/*-------------------------------------------------------------------------
 * keeper.c
 *		The worker that looks after the ledger's storage.
 *
 * It runs every audit_trail.keeper_interval, or when a session asks. Steps
 * that move or remove data wait for the maintenance window; asking for a run
 * opens it.
 *
 * Writers do not wait for the keeper: it asks for a lock that somebody may
 * queue behind for AT_KEEPER_LOCK_MS at most, and comes back later if it did
 * not get it.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/catalog.h"
#include "base/clock.h"
#include "base/columns.h"
#include "base/debug_point.h"
#include "base/guc.h"
#include "base/shmem.h"
#include "base/worker.h"
#include "ledger/append.h"
#include "ledger/datum.h"
#include "ledger/number.h"
#include "ledger/partition.h"
#include "retention/keeper.h"

#define MAX_STEPS 16

/* Until the next look where nothing is to be done. */
#define IDLE_MS (60 * 60 * 1000L)

/* A failed step is tried again then, if not before. */
#define RETRY_MS (60 * 1000L)

/* How often a portion is tried again that did not get a lock, and how long the pauses are. */
#define MAX_BUSY      10
#define BUSY_PAUSE_MS 200

/* How long a step may go on outside of a window. */
#define MAX_STEP_S (60 * 60)

/* What a step of this run has done. */
typedef struct Deed
{
	TimestampTz started_at;
	uint64 count;
	char *detail; /* in the context of the step; NULL: nothing worth telling */
	char *error;  /* likewise */
} Deed;

/* Right after an error: the steps are constant after load, and a run sets the rest anew. */
static struct
{
	const AtKeeperStep *step[MAX_STEPS];
	int count;

	MemoryContext context; /* of the running step */
	int busy;              /* portions of it in a row that did not get a lock */
	Deed deed;
	AtKeeperStatus status;
} keeper;

static long run_pass(void);
static bool is_ours(void);
static bool window_is_open(TimestampTz now, TimestampTz *end);
static bool run_step(const AtKeeperStep *step, TimestampTz deadline);
static bool run_portion(const AtKeeperStep *step, TimestampTz deadline);
static void report_failure(const AtKeeperStep *step, const ErrorData *error);
static void record(const AtKeeperStep *step);
static void rest(void);
static bool make_partitions(TimestampTz deadline);
static bool sort_default(TimestampTz deadline);

static const AtKeeperStep partitions_step = {.name = "partitions", .run = make_partitions};
static const AtKeeperStep default_step = {
	.name = "default", .in_window = true, .run = sort_default};

PG_FUNCTION_INFO_V1(at_keeper_now);
PG_FUNCTION_INFO_V1(at_read_keeper_progress);

void
at_keeper_init(void)
{
	at_worker_register(AT_WORKER_KEEPER, run_pass);
	at_keeper_register(&partitions_step);
	at_keeper_register(&default_step);
}

void
at_keeper_register(const AtKeeperStep *step)
{
	if (keeper.count == MAX_STEPS)
		elog(ERROR, "too many steps of the keeper");
	keeper.step[keeper.count++] = step;
}

static long
run_pass(void)
{
	bool asked = at_worker_is_asked();
	long next = at_guc_keeper_interval > 0 ? at_guc_keeper_interval * 1000L : IDLE_MS;
	bool failed = false;

	if (RecoveryInProgress() || (at_guc_keeper_interval == 0 && !asked) || !is_ours())
		return IDLE_MS;
	for (int i = 0; i < keeper.count; i++)
	{
		TimestampTz now = GetCurrentTimestamp();
		TimestampTz end = now + MAX_STEP_S * USECS_PER_SEC;

		if (keeper.step[i]->in_window && !window_is_open(now, &end) && !asked)
			continue;
		failed |= !run_step(keeper.step[i], end);
	}
	memset(&keeper.status, 0, sizeof(keeper.status));
	at_slot_set_keeper(at_slot_find(MyDatabaseId), &keeper.status);
	return failed ? Min(next, RETRY_MS) : next;
}

/* Is there a ledger that was begun here? What is being restored is left alone. */
static bool
is_ours(void)
{
	bool ours;

	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	ours = at_ledger_exists() && at_incarnation_begun();
	PopActiveSnapshot();
	CommitTransactionCommand();
	return ours;
}

/* Is it? *end is then when it ends, if it does. */
static bool
window_is_open(TimestampTz now, TimestampTz *end)
{
	int from;
	int until;
	int64 day = USECS_PER_DAY;
	int minute = (now % day + day) % day / USECS_PER_MINUTE;
	int left;

	at_guc_maintenance_window_bounds(&from, &until);
	if (from < 0)
		return true;
	if (from < until ? minute < from || minute >= until : minute < from && minute >= until)
		return false;
	left = (until - minute + 24 * 60) % (24 * 60);
	*end = now + left * USECS_PER_MINUTE;
	return true;
}

/* All portions of a step; false if it failed. */
static bool
run_step(const AtKeeperStep *step, TimestampTz deadline)
{
	MemoryContext save = CurrentMemoryContext;
	bool more = true;

	keeper.context =
		AllocSetContextCreate(CurrentMemoryContext, "audit keeper step", ALLOCSET_DEFAULT_SIZES);
	keeper.deed = (Deed){.started_at = GetCurrentTimestamp()};
	keeper.busy = 0;
	while (more && GetCurrentTimestamp() < deadline)
	{
		at_keeper_progress("", 0, 0);
		strlcpy(keeper.status.step, step->name, sizeof(keeper.status.step));
		more = run_portion(step, deadline);
		if (more)
			rest();
	}

	bool failed = keeper.deed.error != NULL;

	if (failed || keeper.deed.detail != NULL)
		record(step);
	MemoryContextSwitchTo(save);
	MemoryContextDelete(keeper.context);
	return !failed;
}

/*
 * Cancelled, or told to go: that ends the pass. A lock that was not to be had in time is tried
 * for again. What else goes wrong ends the step.
 */
static bool
run_portion(const AtKeeperStep *step, TimestampTz deadline)
{
	MemoryContext context =
		AllocSetContextCreate(keeper.context, "audit keeper portion", ALLOCSET_DEFAULT_SIZES);
	volatile bool more = false;

	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		more = step->run(deadline);
		keeper.busy = 0;
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(keeper.context);

		ErrorData *error = CopyErrorData();

		if (ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_OPERATOR_INTERVENTION)
			PG_RE_THROW();
		FlushErrorState();
		AbortCurrentTransaction();
		more = error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE && ++keeper.busy < MAX_BUSY;
		if (!more)
			report_failure(step, error);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(keeper.context);
	MemoryContextDelete(context);
	return more;
}

static void
report_failure(const AtKeeperStep *step, const ErrorData *error)
{
	keeper.deed.error = error->message;
	ereport(LOG,
			(errmsg("step \"%s\" of the audit_trail keeper failed: %s", step->name, error->message),
			 error->detail ? errdetail_internal("%s", error->detail) : 0,
			 errhint("It is tried again in a minute.")));
}

/* A row of audit.keeper_run. */
static void
record(const AtKeeperStep *step)
{
	Datum values[Natts_keeper_run];
	bool nulls[Natts_keeper_run] = {false};

	StartTransactionCommand();
	MemoryContextSwitchTo(keeper.context);
	PushActiveSnapshot(GetTransactionSnapshot());
	values[Anum_keeper_run_run_id - 1] = Int64GetDatum(at_number_draw("keeper_run_id_seq"));
	at_set_text(values, nulls, Anum_keeper_run_step, step->name);
	values[Anum_keeper_run_started_at - 1] = TimestampTzGetDatum(keeper.deed.started_at);
	values[Anum_keeper_run_ended_at - 1] = TimestampTzGetDatum(GetCurrentTimestamp());
	values[Anum_keeper_run_done - 1] = Int64GetDatum(keeper.deed.count);
	at_set_text(values, nulls, Anum_keeper_run_detail, keeper.deed.detail);
	at_set_text(values, nulls, Anum_keeper_run_error, keeper.deed.error);
	at_append(AT_LEDGER_KEEPER_RUN, values, nulls);
	PopActiveSnapshot();
	CommitTransactionCommand();
}

/* The throttle. */
static void
rest(void)
{
	int pause = keeper.busy > 0 ? keeper.busy * BUSY_PAUSE_MS : at_guc_keeper_pause;

	if (pause > 0)
		(void) WaitLatch(MyLatch, WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, pause, PG_WAIT_EXTENSION);
	CHECK_FOR_INTERRUPTS();
}

void
at_keeper_did(uint64 count, const char *format, ...)
{
	MemoryContext save = MemoryContextSwitchTo(keeper.context);
	StringInfoData text;
	int needed;

	keeper.deed.count += count;
	initStringInfo(&text);
	if (keeper.deed.detail != NULL)
		appendStringInfo(&text, "%s; ", keeper.deed.detail);
	do
	{
		va_list args;

		va_start(args, format);
		needed = appendStringInfoVA(&text, format, args);
		va_end(args);
		if (needed > 0)
			enlargeStringInfo(&text, needed);
	} while (needed > 0);
	keeper.deed.detail = text.data;
	MemoryContextSwitchTo(save);
}

void
at_keeper_progress(const char *what, uint64 done, uint64 total)
{
	keeper.status.started_at = keeper.deed.started_at;
	strlcpy(keeper.status.what, what, sizeof(keeper.status.what));
	keeper.status.done = done;
	keeper.status.total = total;
	at_slot_set_keeper(at_slot_find(MyDatabaseId), &keeper.status);
}

void
at_keeper_limit_locks(void)
{
	char text[32];

	snprintf(text, sizeof(text), "%dms", AT_KEEPER_LOCK_MS);
	(void) set_config_option("lock_timeout", text, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_LOCAL,
							 true, 0, false);
}

/*
 * The first step. Attaching a partition waits for who reads the default one, and others wait
 * behind.
 */
static bool
make_partitions(TimestampTz deadline)
{
	int made;

	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	at_keeper_limit_locks();
	at_partitions_promise();
	PopActiveSnapshot();
	CommitTransactionCommand();

	StartTransactionCommand();
	at_debug_point("partitions-promised");
	PushActiveSnapshot(GetTransactionSnapshot());
	at_keeper_limit_locks();
	made = at_partitions_upkeep();
	PopActiveSnapshot();
	CommitTransactionCommand();
	if (made > 0)
		at_keeper_did(made, "%d partitions made", made);
	return false;
}

/*
 * The second step: what default partitions have of months that are over gets partitions, one a
 * portion, so that it can be archived. Who reads all waits for it; while others write into the
 * default one it is left.
 */
static bool
sort_default(TimestampTz deadline)
{
	char *partition;
	uint64 rows;
	bool made;

	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	at_keeper_limit_locks();
	made = at_partitions_make_for_rows(&partition, &rows);
	at_debug_point("default-before-commit");
	PopActiveSnapshot();
	if (made)
		at_keeper_did(rows, UINT64_FORMAT " rows of the default partition are in %s", rows,
					  partition);
	CommitTransactionCommand();
	return made;
}

/* keeper_now(): a run that starts after the call */
Datum
at_keeper_now(PG_FUNCTION_ARGS)
{
	(void) at_ledger_relid(AT_LEDGER_KEEPER_RUN);
	at_worker_run(AT_WORKER_KEEPER);
	PG_RETURN_VOID();
}

/* read_keeper_progress(): what the keeper of this database is at; no row if it is at nothing */
Datum
at_read_keeper_progress(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	AtKeeperStatus status = {0};
	Datum values[5];
	bool nulls[5] = {false};

	InitMaterializedSRF(fcinfo, 0);
	if (at_shmem_ready())
		at_slot_get_keeper(at_slot_find(MyDatabaseId), &status);
	if (status.step[0] == '\0')
		return (Datum) 0;
	values[0] = CStringGetTextDatum(status.step);
	values[1] = TimestampTzGetDatum(status.started_at);
	values[2] = CStringGetTextDatum(status.what);
	values[3] = Int64GetDatum(status.done);
	values[4] = Int64GetDatum(status.total);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	return (Datum) 0;
}
