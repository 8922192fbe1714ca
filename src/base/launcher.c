/*-------------------------------------------------------------------------
 * launcher.c
 *		The process that starts the workers of all databases.
 *
 * The launcher is connected to no database. In each round it reads
 * pg_database and looks at every slot: it frees those of databases that
 * are gone or have no extension, claims one for a database that it does
 * not know yet, and starts the workers that are missing. A round follows
 * when somebody wakes the launcher, and every ten seconds.
 *
 * A database is probed by starting its first worker. What the launcher
 * remembers of the others ("no extension") is its own; a launcher that
 * starts anew probes again, and takes over the workers that it finds.
 *
 * A worker that ended otherwise than quietly is started again after a
 * pause of a second, which doubles up to a minute while workers live for
 * less than that.
 *
 * On a standby it starts what is wanted there, and looks every second whether the
 * standby was promoted.
 *
 * An error ends the launcher; the postmaster brings it back.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_database.h"
#include "libpq/pqsignal.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/clock.h"
#include "base/guc.h"
#include "base/launcher.h"
#include "base/ring.h"
#include "base/shmem.h"

#define AT_ROUND_MS       10000 /* from one round to the next */
#define AT_PROMOTION_MS   1000  /* from one look for a promotion to the next */
#define AT_RESTART_S      5     /* until a failed launcher is back */
#define AT_PROBES         4     /* databases probed at a time */
#define AT_PAUSE_FIRST_MS 1000  /* until a failed worker is back, doubling */
#define AT_PAUSE_LAST_MS  60000
#define AT_COMPLAINT_MS   60000 /* between two complaints of the same kind */

/* pg_database.datconnlimit of a database whose DROP was interrupted. */
#define AT_INVALID_DATABASE (-2)

/* What is remembered of a database. */
typedef struct AtKnownDatabase
{
	Oid database; /* key */
	uint32 round; /* last one that saw it in pg_database */
	bool open;    /* may have workers */
	bool absent;  /* was probed: no extension */
} AtKnownDatabase;

/* What is remembered of a worker. */
typedef struct AtWatch
{
	Oid database;                   /* the slot's, when the rest was written */
	BackgroundWorkerHandle *handle; /* NULL: none was started, or it has ended */
	int64 started_at;               /* this and what follows by at_clock_ms() */
	int64 not_before;               /* pause until then */
	long pause_ms;
} AtWatch;

/* The state of this process. */
static struct
{
	HTAB *known;
	uint32 round;
	AtWatch watch[AT_MAX_DATABASES][AT_WORKER_KINDS];
	int64 next_round; /* this and what follows by at_clock_ms(); 0: never */
	int64 complained_workers_at;
	int64 complained_slots_at;
	bool starved; /* in this round */
} at_launcher;

PGDLLEXPORT void at_launcher_main(Datum main_arg);

static void at_launcher_exit(int code, Datum arg);
static void at_launcher_round(void);
static void at_launcher_read_databases(void);
static void at_launcher_note_database(Form_pg_database row);
static void at_launcher_forget_dropped(void);
static void at_launcher_claim_slots(void);
static int at_launcher_count_probes(void);
static void at_launcher_tend_slot(int slot);
static void at_launcher_empty_slot(int slot, const AtSlotView *view);
static bool at_launcher_has_worker(int slot, const AtSlotView *view);
static void at_launcher_tend_worker(int slot, const AtSlotView *view, AtWorkerKind kind);
static bool at_launcher_is_due(const AtSlotView *view, AtWorkerKind kind);
static bool at_launcher_settle(AtWatch *watch, const AtSlotView *view, AtWorkerKind kind);
static void at_launcher_start(AtWatch *watch, const AtWorkerOrder *order);
static AtWorkerKind at_launcher_probe_kind(void);
static void at_launcher_sleep(void);
static bool at_launcher_may_complain(int64 *complained_at);

void
at_launcher_register(void)
{
	BackgroundWorker worker = {
		.bgw_name = "audit_trail launcher",
		.bgw_type = "audit_trail launcher",
		.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION,
		.bgw_start_time = BgWorkerStart_ConsistentState,
		.bgw_restart_time = AT_RESTART_S,
		.bgw_library_name = "audit_trail",
		.bgw_function_name = "at_launcher_main",
	};

	RegisterBackgroundWorker(&worker);
}

void
at_launcher_main(Datum main_arg)
{
	HASHCTL control = {.keysize = sizeof(Oid), .entrysize = sizeof(AtKnownDatabase)};

	pqsignal(SIGTERM, die);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	BackgroundWorkerUnblockSignals();

	on_shmem_exit(at_launcher_exit, 0);
	at_launcher_attach();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	SetConfigOption("application_name", "audit_trail launcher", PGC_USERSET, PGC_S_OVERRIDE);

	at_launcher.known = hash_create("audit_trail databases", 64, &control, HASH_ELEM | HASH_BLOBS);
	for (;;)
	{
		at_launcher_round();
		at_launcher_sleep();
	}
}

static void
at_launcher_exit(int code, Datum arg)
{
	at_launcher_detach();
}

static void
at_launcher_round(void)
{
	at_launcher.next_round = at_clock_ms() + AT_ROUND_MS;
	at_launcher.starved = false;
	if (RecoveryInProgress() && !at_worker_is_wanted(AT_WORKER_COLLECTOR))
		return;

	at_launcher_read_databases();
	at_launcher_claim_slots();
	for (int slot = 0; slot < AT_MAX_DATABASES; slot++)
		at_launcher_tend_slot(slot);

	if (!at_launcher.starved)
		at_launcher_set_starved(0);
	else if (at_launcher_starved() == 0)
		at_launcher_set_starved(GetCurrentTimestamp());
}

/* Bring what is known up to pg_database. */
static void
at_launcher_read_databases(void)
{
	Oid heard[AT_MAX_DATABASES]; /* looked up first: who comes after this is not missed below */
	int nheard;
	Relation relation;
	TableScanDesc scan;
	HeapTuple tuple;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	(void) GetTransactionSnapshot();
	pgstat_report_activity(STATE_RUNNING, "reading pg_database");

	at_launcher.round++;
	nheard = at_ring_databases(heard);
	relation = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(relation, 0, NULL);
	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
		at_launcher_note_database((Form_pg_database) GETSTRUCT(tuple));
	table_endscan(scan);
	table_close(relation, AccessShareLock);
	CommitTransactionCommand();

	at_launcher_forget_dropped();
	for (int i = 0; i < nheard; i++)
		if (hash_search(at_launcher.known, &heard[i], HASH_FIND, NULL) == NULL)
			at_ring_forget(heard[i]);
	pgstat_report_stat(true);
	pgstat_report_activity(STATE_IDLE, NULL);
}

static void
at_launcher_note_database(Form_pg_database row)
{
	bool found;
	AtKnownDatabase *known = hash_search(at_launcher.known, &row->oid, HASH_ENTER, &found);

	if (!found)
		known->absent = false;
	known->round = at_launcher.round;
	known->open =
		row->datallowconn && !row->datistemplate && row->datconnlimit != AT_INVALID_DATABASE;
}

static void
at_launcher_forget_dropped(void)
{
	HASH_SEQ_STATUS status;
	AtKnownDatabase *known;

	hash_seq_init(&status, at_launcher.known);
	while ((known = hash_seq_search(&status)) != NULL)
	{
		if (known->round == at_launcher.round)
			continue;
		hash_search(at_launcher.known, &known->database, HASH_REMOVE, NULL);
	}
}

/* Have databases probed that were never looked at; a few at a time, as each costs a process. */
static void
at_launcher_claim_slots(void)
{
	HASH_SEQ_STATUS status;
	AtKnownDatabase *known;
	bool full = false;
	int probes;

	if (at_launcher_probe_kind() == AT_WORKER_KINDS)
		return;
	probes = at_launcher_count_probes();
	hash_seq_init(&status, at_launcher.known);
	while ((known = hash_seq_search(&status)) != NULL)
	{
		if (full || probes >= AT_PROBES || !known->open || known->absent ||
			at_slot_find(known->database) >= 0)
			continue;
		full = at_slot_claim(known->database) < 0;
		probes++;
	}
	if (full && at_launcher_may_complain(&at_launcher.complained_slots_at))
		ereport(LOG, (errmsg("no free slot for another database with audit_trail"),
					  errdetail("At most %d databases can have workers.", AT_MAX_DATABASES)));
}

/* Those that have failed and pause are not counted, lest they keep the others from their turn. */
static int
at_launcher_count_probes(void)
{
	AtWorkerKind kind = at_launcher_probe_kind();
	int64 now = at_clock_ms();
	AtSlotView view;
	int count = 0;

	for (int slot = 0; slot < AT_MAX_DATABASES; slot++)
	{
		if (at_slot_view(slot, &view) && view.presence == AT_PRESENCE_UNKNOWN && view.holds == 0 &&
			at_launcher.watch[slot][kind].not_before <= now)
			count++;
	}
	return count;
}

static void
at_launcher_tend_slot(int slot)
{
	AtSlotView view;
	AtKnownDatabase *known;

	if (!at_slot_view(slot, &view))
		return;
	known = hash_search(at_launcher.known, &view.database, HASH_FIND, NULL);
	if (known == NULL || !known->open)
	{
		at_launcher_empty_slot(slot, &view);
		return;
	}
	if (view.closed)
		at_slot_close(slot, false);

	if (view.presence == AT_PRESENCE_NO)
	{
		if (!at_launcher_has_worker(slot, &view))
			known->absent = at_slot_free(slot, &view);
		if (known->absent)
			at_ring_forget(view.database);
		return;
	}
	if (view.presence == AT_PRESENCE_YES)
		known->absent = false;
	for (int kind = 0; kind < AT_WORKER_KINDS; kind++)
		at_launcher_tend_worker(slot, &view, kind);
}

/* The database is gone, or is to be left alone: so must be its workers. */
static void
at_launcher_empty_slot(int slot, const AtSlotView *view)
{
	at_slot_close(slot, true);
	if (at_slot_signal(slot, SIGINT) == 0)
		(void) at_slot_free(slot, view);
}

/* Is there a worker in the slot, or on its way? */
static bool
at_launcher_has_worker(int slot, const AtSlotView *view)
{
	bool any = false;

	for (int kind = 0; kind < AT_WORKER_KINDS; kind++)
	{
		AtWatch *watch = &at_launcher.watch[slot][kind];

		any |= view->worker[kind].pid != 0 || !at_launcher_settle(watch, view, kind);
	}
	return any;
}

static void
at_launcher_tend_worker(int slot, const AtSlotView *view, AtWorkerKind kind)
{
	AtWatch *watch = &at_launcher.watch[slot][kind];
	AtWorkerOrder order = {.database = view->database, .slot = slot, .kind = kind};

	if (at_worker_pass(kind) == NULL)
		return;
	if (!at_launcher_settle(watch, view, kind) || view->worker[kind].pid != 0 || view->holds > 0)
		return;
	if (view->presence != AT_PRESENCE_YES && kind != at_launcher_probe_kind())
		return;
	if (!at_worker_is_wanted(kind))
		return;
	if (at_worker_is_occasional(kind) && !at_launcher_is_due(view, kind))
		return;

	if (watch->not_before > at_clock_ms())
		at_launcher.next_round = Min(at_launcher.next_round, watch->not_before);
	else
		at_launcher_start(watch, &order);
}

/*
 * Is there something to do for an occasional worker? It said when; a setting
 * that was changed since then may say earlier. A round late is in time.
 */
static bool
at_launcher_is_due(const AtSlotView *view, AtWorkerKind kind)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz ended_at = view->worker[kind].pass_ended_at;
	int64 interval = at_guc_verify_interval * INT64CONST(1000);

	if (view->requested[kind])
		return true;
	if (interval == 0)
		return false;
	return now >= view->due_at[kind] ||
		   (ended_at != 0 && now >= TimestampTzPlusMilliseconds(ended_at, interval));
}

/*
 * Learn whether the worker that was started has ended, and if so when there
 * may be another. False while it is starting or running.
 */
static bool
at_launcher_settle(AtWatch *watch, const AtSlotView *view, AtWorkerKind kind)
{
	int64 now = at_clock_ms();
	pid_t pid;

	/* The slot was another database's: nothing of it counts. */
	if (watch->database != view->database)
	{
		if (watch->handle != NULL)
			pfree(watch->handle);
		*watch = (AtWatch){.database = view->database};
	}
	if (watch->handle == NULL)
		return true;

	/* A worker that ended after the view was taken waits for the next round. */
	if (GetBackgroundWorkerPid(watch->handle, &pid) != BGWH_STOPPED || view->worker[kind].pid != 0)
		return false;
	pfree(watch->handle);
	watch->handle = NULL;

	if (view->left_quietly[kind] || now >= watch->started_at + AT_PAUSE_LAST_MS)
		watch->pause_ms = 0;
	if (!view->left_quietly[kind])
	{
		watch->pause_ms = Min(Max(watch->pause_ms * 2, AT_PAUSE_FIRST_MS), AT_PAUSE_LAST_MS);
		watch->not_before = now + watch->pause_ms;
	}
	return true;
}

static void
at_launcher_start(AtWatch *watch, const AtWorkerOrder *order)
{
	BackgroundWorker worker = {
		.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION,
		.bgw_start_time = BgWorkerStart_ConsistentState,
		.bgw_restart_time = BGW_NEVER_RESTART,
		.bgw_library_name = "audit_trail",
		.bgw_function_name = "at_worker_main",
		.bgw_notify_pid = MyProcPid,
	};

	snprintf(worker.bgw_name, BGW_MAXLEN, "audit_trail %s of database %u",
			 at_worker_names[order->kind], order->database);
	snprintf(worker.bgw_type, BGW_MAXLEN, "audit_trail %s", at_worker_names[order->kind]);
	memcpy(worker.bgw_extra, order, sizeof(AtWorkerOrder));

	if (RegisterDynamicBackgroundWorker(&worker, &watch->handle))
	{
		watch->started_at = at_clock_ms();
		return;
	}
	watch->handle = NULL;
	at_launcher.starved = true;
	if (at_launcher_may_complain(&at_launcher.complained_workers_at))
		ereport(LOG, (errmsg("no free slot for the audit_trail %s of database %u",
							 at_worker_names[order->kind], order->database),
					  errhint("Raise max_worker_processes and restart the server.")));
}

/* The kind that finds out whether the database has the extension: the first that is wanted. */
static AtWorkerKind
at_launcher_probe_kind(void)
{
	for (int kind = 0; kind < AT_WORKER_KINDS; kind++)
	{
		if (at_worker_is_wanted(kind))
			return kind;
	}
	return AT_WORKER_KINDS;
}

static void
heed_signals(void)
{
	/* A cancel concerns a statement; there is none. */
	QueryCancelPending = false;
	CHECK_FOR_INTERRUPTS();
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
	}
}

/* Until a round is due, somebody wakes the launcher, or the standby is promoted. */
static void
at_launcher_sleep(void)
{
	bool on_standby = RecoveryInProgress();
	int events = WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH;
	int happened;

	do
	{
		long ms = Max(at_launcher.next_round - at_clock_ms(), 0);

		happened = WaitLatch(MyLatch, events, on_standby ? Min(ms, AT_PROMOTION_MS) : ms,
							 PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		heed_signals();
	} while ((happened & WL_LATCH_SET) == 0 && on_standby && RecoveryInProgress() &&
			 at_clock_ms() < at_launcher.next_round);
}

/* May a complaint be logged now? Then it counts as logged. */
static bool
at_launcher_may_complain(int64 *complained_at)
{
	int64 now = at_clock_ms();

	if (*complained_at != 0 && now < *complained_at + AT_COMPLAINT_MS)
		return false;
	*complained_at = now;
	return true;
}
