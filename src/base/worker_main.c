/*-------------------------------------------------------------------------
 * worker_main.c
 *		The skeleton of a database's background worker.
 *
 * A worker first looks whether its database has the extension, and leaves
 * quietly if not: the launcher uses it as a probe. Then it calls its pass
 * until it is told to go, the extension is dropped, or a session wants the
 * database to itself.
 *
 * Leaving: whoever wants the worker to go marks the slot and sends SIGINT,
 * which cancels what the worker is doing. It then finds the mark and exits
 * with code 0, without an error in the log. SIGTERM ends it as it ends any
 * background worker; the launcher brings it back.
 *
 * The slot is given back by an on_shmem_exit callback that is registered
 * before the worker connects, so it runs after the process has left the
 * list of those in the database, and before its PGPROC is gone.
 *
 * Caveat: synchronous_commit of the configuration is looked at when the
 * worker starts; a stricter one set later counts from its next start.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/extension.h"
#include "libpq/pqsignal.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/bufmgr.h"
#include "storage/condition_variable.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

#include "base/catalog.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/launcher.h"
#include "base/shmem.h"

/* The pause after an error, doubling. */
#define AT_PAUSE_FIRST_MS 1000
#define AT_PAUSE_LAST_MS  60000

/* Occasional workers do not wait longer than this, but leave. */
#define AT_WAIT_MS 5000

/* How often a sleeping worker looks whether it still has an extension to serve. */
#define AT_PRESENCE_MS 5000

/* What was set for the database, or for all, must not change what a worker does. */
static const struct
{
	const char *name;
	const char *value;
} at_worker_settings[] = {
	{"search_path", "pg_catalog, pg_temp"},
	{"statement_timeout", "0"},
	{"lock_timeout", "0"},
	{"idle_in_transaction_session_timeout", "0"},
	{"default_transaction_isolation", "read committed"},
	{"default_transaction_read_only", "off"},
	{"default_transaction_deferrable", "off"},
	{"row_security", "off"},
	{"transaction_timeout", "0"},
};

/* The state of this process. */
static struct
{
	AtWorkerOrder order;
	AtWorkerPass pass;
	MemoryContext context;  /* reset after each pass */
	bool leaving_quietly;   /* read by the exit callback */
	int64 presence_seen_at; /* when the extension was last found, by at_clock_ms() */
	long pause_ms;          /* 0: the last pass went well */
} at_self;

PGDLLEXPORT void at_worker_main(Datum main_arg);

static void at_worker_connect(void);
static void at_worker_harden(void);
static void at_worker_exit(int code, Datum arg);
pg_noreturn static void at_worker_leave(void);
static void at_worker_leave_until(long ms);
static long at_worker_try(AtWorkerPass pass);
static long at_worker_call(AtWorkerPass pass);
static void at_worker_recover(MemoryContext context);
static void at_worker_check_presence(void);
static void at_worker_sleep(long ms);
static bool at_worker_heed_signals(void);

void
at_worker_main(Datum main_arg)
{
	memcpy(&at_self.order, MyBgworkerEntry->bgw_extra, sizeof(AtWorkerOrder));
	at_self.pass = at_worker_pass(at_self.order.kind);
	at_self.leaving_quietly = false;

	/* Being asked to leave while it connects must not be an error: it is seen to afterwards. */
	pqsignal(SIGINT, SIG_IGN);
	pqsignal(SIGTERM, die);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	BackgroundWorkerUnblockSignals();

	if (!at_worker_is_wanted(at_self.order.kind) ||
		!at_slot_attach(at_self.order.slot, at_self.order.database, at_self.order.kind))
		proc_exit(0);
	on_shmem_exit(at_worker_exit, 0);
	at_worker_connect();
	pqsignal(SIGINT, StatementCancelHandler);

	for (;;)
	{
		long due;

		(void) at_worker_heed_signals();
		(void) at_slot_take_wake(at_self.order.slot, at_self.order.kind);
		due = at_worker_try(at_self.pass);
		at_worker_leave_until(due);
		at_worker_sleep(due);
	}
}

static void
at_worker_connect(void)
{
	char name[NAMEDATALEN];

	BackgroundWorkerInitializeConnectionByOid(at_self.order.database, InvalidOid, 0);

	snprintf(name, sizeof(name), "audit_trail %s", at_worker_names[at_self.order.kind]);
	SetConfigOption("application_name", name, PGC_USERSET, PGC_S_OVERRIDE);
	at_worker_harden();

	at_self.context =
		AllocSetContextCreate(TopMemoryContext, "audit_trail pass", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(at_self.context);
}

/* What a worker has done must be on disk before anyone relies on it. */
static void
at_worker_harden(void)
{
	for (int i = 0; i < lengthof(at_worker_settings); i++)
	{
		/* Some came with a later release of PostgreSQL. */
		if (GetConfigOption(at_worker_settings[i].name, true, false) != NULL)
			SetConfigOption(at_worker_settings[i].name, at_worker_settings[i].value, PGC_SUSET,
							PGC_S_OVERRIDE);
	}
	/* sooner than others: in a deadlock it is a worker that gives way, and tries again */
	if (DeadlockTimeout > 200)
		SetConfigOption("deadlock_timeout", "200ms", PGC_SUSET, PGC_S_OVERRIDE);
	SetConfigOption("synchronous_commit",
					synchronous_commit > SYNCHRONOUS_COMMIT_ON ? "remote_apply" : "on", PGC_SUSET,
					PGC_S_OVERRIDE);
}

static void
at_worker_exit(int code, Datum arg)
{
	at_slot_detach(at_self.order.slot, at_self.order.kind, at_self.leaving_quietly);
}

static void
at_worker_leave(void)
{
	at_self.leaving_quietly = true;
	proc_exit(0);
}

/* An occasional worker whose next pass is far away leaves, unless the last one failed. */
static void
at_worker_leave_until(long ms)
{
	if (!at_worker_is_occasional(at_self.order.kind) || ms <= AT_WAIT_MS || at_self.pause_ms > 0 ||
		at_worker_is_asked())
		return;
	at_slot_set_due(at_self.order.slot, at_self.order.kind,
					TimestampTzPlusMilliseconds(GetCurrentTimestamp(), (int64) ms));
	at_worker_leave();
}

bool
at_worker_is_asked(void)
{
	return at_slot_is_requested(at_self.order.slot, at_self.order.kind);
}

bool
at_worker_take_wake(void)
{
	return at_slot_take_wake(at_self.order.slot, at_self.order.kind);
}

/*
 * Run one pass, or with NULL only look after the extension. An error is
 * reported and survived. Returns when the next pass is due, in ms.
 */
static long
at_worker_try(AtWorkerPass pass)
{
	volatile long due = 0;

	if (pass != NULL)
		at_slot_pass_begin(at_self.order.slot, at_self.order.kind);
	PG_TRY();
	{
		at_worker_check_presence();
		if (pass != NULL)
			due = at_worker_call(pass);
	}
	PG_CATCH();
	{
		at_worker_recover(at_self.context);
		due = at_self.pause_ms;
	}
	PG_END_TRY();

	MemoryContextSwitchTo(at_self.context);
	MemoryContextReset(at_self.context);
	return due;
}

static long
at_worker_call(AtWorkerPass pass)
{
	long due;

	pgstat_report_activity(STATE_RUNNING, MyBgworkerEntry->bgw_type);
	SetCurrentStatementStartTimestamp();
	due = pass();
	if (IsTransactionState())
		elog(ERROR, "the pass left a transaction open");
	at_slot_pass_end(at_self.order.slot, at_self.order.kind, NULL);
	at_self.pause_ms = 0;

	pgstat_report_stat(true);
	pgstat_report_activity(STATE_IDLE, NULL);
	return due;
}

/* After an error: report it to the log and to those who wait, clean up, lengthen the pause. */
static void
at_worker_recover(MemoryContext context)
{
	ErrorData *edata;
	bool must_leave = at_slot_must_leave(at_self.order.slot);

	HOLD_INTERRUPTS();
	disable_all_timeouts(false);
	QueryCancelPending = false;

	MemoryContextSwitchTo(context);
	edata = CopyErrorData();
	/* Cancelled because it is to leave: that is no error. */
	if (!must_leave || edata->sqlerrcode != ERRCODE_QUERY_CANCELED)
		EmitErrorReport();
	AbortCurrentTransaction();
	LWLockReleaseAll();
	ConditionVariableCancelSleep();
	pgstat_report_wait_end();
	UnlockBuffers();
	FlushErrorState();
	if (!must_leave)
		at_slot_pass_end(at_self.order.slot, at_self.order.kind, edata);
	pgstat_report_stat(true);
	pgstat_report_activity(STATE_IDLE, NULL);
	RESUME_INTERRUPTS();

	at_self.pause_ms = Min(Max(at_self.pause_ms * 2, AT_PAUSE_FIRST_MS), AT_PAUSE_LAST_MS);
}

/* Leave if the database has no extension; asked at most every few seconds. */
static void
at_worker_check_presence(void)
{
	uint32 announcements;
	bool present;

	if (at_self.presence_seen_at != 0 && at_clock_ms() < at_self.presence_seen_at + AT_PRESENCE_MS)
		return;

	announcements = at_slot_announcements(at_self.order.slot);
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	present = OidIsValid(get_extension_oid(AT_EXTENSION, true));
	CommitTransactionCommand();

	at_slot_found(at_self.order.slot, present, announcements);
	if (!present)
		at_worker_leave();
	at_self.presence_seen_at = at_clock_ms();
	MemoryContextSwitchTo(at_self.context);
}

/*
 * Wait until the next pass is due or the worker is woken; after an error
 * only somebody who waits for a pass cuts the pause short. The latch alone
 * says nothing, as a pass that waits for a lock resets it too.
 */
static void
at_worker_sleep(long ms)
{
	int64 due = at_clock_ms() + ms;

	for (;;)
	{
		long left;
		long pause;

		if (at_worker_heed_signals())
			return;
		left = due - at_clock_ms();
		if (left <= 0 || at_slot_is_requested(at_self.order.slot, at_self.order.kind))
			return;
		if (at_self.pause_ms == 0 && at_slot_take_wake(at_self.order.slot, at_self.order.kind))
			return;

		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 Min(left, AT_PRESENCE_MS), PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		pause = at_worker_try(NULL);
		if (pause > 0)
			due = at_clock_ms() + pause;
	}
}

/* Leave if that is wanted. True if the configuration was read again: the pause may be another. */
static bool
at_worker_heed_signals(void)
{
	if (at_slot_must_leave(at_self.order.slot) || !at_worker_is_wanted(at_self.order.kind))
		at_worker_leave();

	/* A cancel concerns a pass; there is none. */
	QueryCancelPending = false;
	CHECK_FOR_INTERRUPTS();
	if (!ConfigReloadPending)
		return false;
	ConfigReloadPending = false;
	ProcessConfigFile(PGC_SIGHUP);
	return true;
}
