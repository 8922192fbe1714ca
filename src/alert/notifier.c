/*-------------------------------------------------------------------------
 * notifier.c
 *		The worker that tells alerts to those who LISTEN.
 *
 * Invariant: a committed alert is told at least once. A pass takes those
 * whose transactions have settled since the pass before (pending.h), with one
 * REPEATABLE READ snapshot for the pick and the new cursor, and those that
 * are due again (due.h). It sends, notes the deliveries, and moves the
 * cursor in one transaction: after a crash either all of it has happened or
 * nothing, except that listeners may have heard what is then told again.
 *
 * It commits with a flush, so that what is heard has been flushed too: a
 * change whose own commit was asynchronous is not told and then lost, and its
 * alert_id not given to another one. It would not do to flush before it tells, and to commit
 * without: a crash would undo deliveries, and others would get the numbers up to which somebody has
 * read audit.alert_feed.
 *
 * A storm is told in portions, each in a transaction of its own. Its window
 * stays the same until nothing is left of it; only then the cursor moves.
 *
 * The ledger's writers never wait for any of this: NOTIFY serialises the
 * commits of those who use it, which is only this worker.
 *
 * Locks: that of passes on audit.alert_pass, taken before the
 * snapshot and held to the end of the transaction, so that two notifiers
 * follow one another. It also makes delivery_id ascend in the order of commits.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "alert/due.h"
#include "alert/judge.h"
#include "alert/notifier.h"
#include "alert/pending.h"
#include "alert/sealing.h"
#include "alert/tell.h"
#include "base/clock.h"
#include "base/columns.h"
#include "base/debug_point.h"
#include "base/worker.h"
#include "ledger/append.h"
#include "ledger/datum.h"

/*
 * How soon to look without being woken - prepared transactions wake nobody -, and how often at
 * least for what is due again.
 */
#define POLL_MS 1000

/*
 * After alerts were told, the notifier rests: those who raise one after the other share a pass, and
 * do not even wake it. Without it hundreds of passes a second take the processors from them. Where
 * others were raised in each of its last rests, it rests longer: a pass costs as much as telling
 * several alerts, whatever it tells, and commits with a flush. Longest it rests where a pass took
 * long by the clock, as others want the processors. Nobody waits for longer than that and a pass.
 */
#define REST_MS         5
#define LONG_REST_MS    10
#define LONGEST_REST_MS 50
#define RESTS_OF_PASS   4 /* so many times as long as the pass took */
#define BUSY_RESTS      3

/* How often alerts are sealed, at most. */
#define SEAL_MS 1000

/* Where the passes have come to. */
typedef struct Cursor
{
	ItemPointerData place; /* of its row; not valid: there was no pass yet */
	int64 next_pass_id;
	int64 alerts;   /* so far */
	char *snapshot; /* NULL: there was no pass yet */
	char *sealed;   /* see sealing.c; NULL: nothing was */
	AtDuePlace due;
} Cursor;

/* What a pass has done, in a transaction that is yet to commit. */
typedef struct Done
{
	int repeated; /* alerts that were due again */
	int taken;    /* of the window */
	bool ended;   /* nothing is left of it */
	bool looked;  /* whether anything is due again */
	AtDuePlace due;
} Done;

static const char cursor_query[] =
	"SELECT p.ctid, p.pass_id, p.alerts, p.snapshot, p.due_at, p.due_id, p.sealed "
	"FROM audit.alert_pass p "
	"WHERE p.system_identifier = $1 AND p.database_oid = $2";

/* Right after an error: a plan is set only when whole, and the place when it is committed. */
static struct
{
	SPIPlanPtr cursor;
	AtDuePlace due;  /* seen to up to here; the row of a pass may say less */
	int64 looked_ms; /* when it was looked last whether anything is */
	bool look_again; /* then there was something, or nobody could be told */
	bool was_storm;  /* the pass before left something */
	int busy_rests;  /* so many in a row in which alerts were raised */
	bool is_sealed;  /* nothing was told since alerts were sealed, by this process */
	int64 sealed_ms; /* when that was */
} notifier;

PG_FUNCTION_INFO_V1(at_notify_now);

static long run_pass(void);
static bool rest(int64 pass_ms);
static void try_pass(Done *done);
static void tell(Done *done);
static void seal_alerts(void);
static bool is_due_likely(void);
static void read_cursor(Cursor *cursor);
static void read_cursor_row(Cursor *cursor, HeapTuple row, TupleDesc desc);
static void see_due(Cursor *cursor, TimestampTz due_at, int64 delivery_id);
static void move_cursor(const Cursor *cursor, const Done *done);

void
at_notifier_init(void)
{
	at_worker_register(AT_WORKER_NOTIFIER, run_pass);
}

/* audit.notify_now(): has a pass made that starts after this call. */
Datum
at_notify_now(PG_FUNCTION_ARGS)
{
	(void) at_ledger_relid(AT_LEDGER_ALERT_PASS);
	at_worker_run(AT_WORKER_NOTIFIER);
	PG_RETURN_VOID();
}

static long
run_pass(void)
{
	bool was_storm = notifier.was_storm;
	int64 began_ms = at_clock_ms();
	bool told = false;
	long judge_ms;

	if (RecoveryInProgress())
		return POLL_MS;

	/* who waits for a pass wants all to be told, not a portion */
	do
	{
		Done done = {.ended = true};

		CHECK_FOR_INTERRUPTS();
		try_pass(&done);
		at_tell_end(0);
		at_pending_taken(done.taken);
		notifier.due = done.due;
		if (done.looked)
			notifier.looked_ms = at_clock_ms();
		notifier.look_again = done.repeated > 0 || at_tell_is_unheard();
		notifier.was_storm = !done.ended;
		told = told || done.taken > 0;
		notifier.is_sealed = notifier.is_sealed && done.taken == 0;
	} while (notifier.was_storm && at_worker_is_asked());

	/* what is told does not depend on these; what is raised by the second wakes us again */
	seal_alerts();
	judge_ms = at_judge_pass();

	/* while a storm was told, others may have woken us in vain */
	if (notifier.was_storm || was_storm)
		return 0;
	if (told && !at_worker_is_asked() && rest(at_clock_ms() - began_ms))
		return 0;
	return Min(POLL_MS, judge_ms);
}

/* Returns whether others were raised meanwhile. */
static bool
rest(int64 pass_ms)
{
	int64 rest_ms = REST_MS;

	if (notifier.busy_rests >= BUSY_RESTS)
		rest_ms = Min(Max(pass_ms * RESTS_OF_PASS, LONG_REST_MS), LONGEST_REST_MS);
	pg_usleep(rest_ms * 1000L);
	notifier.busy_rests = at_worker_take_wake() ? notifier.busy_rests + 1 : 0;
	return notifier.busy_rests > 0;
}

/* At most once a second, so that an event has the alerts of many passes; but where somebody waits.
 */
static void
seal_alerts(void)
{
	if (notifier.is_sealed ||
		(at_clock_ms() - notifier.sealed_ms < SEAL_MS && !at_worker_is_asked()))
		return;
	notifier.sealed_ms = at_clock_ms();
	at_sealing_pass();
	notifier.is_sealed = true;
}

static void
try_pass(Done *done)
{
	PG_TRY();
	{
		StartTransactionCommand();
		XactIsoLevel = XACT_REPEATABLE_READ;

		/* while a dump is being restored, its rows are not ours to tell */
		if (at_ledger_exists() && at_incarnation_begun())
			tell(done);
		CommitTransactionCommand();
	}
	PG_CATCH();
	{
		at_tell_end(geterrcode());
		at_pending_taken(-1);
		PG_RE_THROW();
	}
	PG_END_TRY();
}

/* Tell a portion. The snapshot comes after the locks. */
static void
tell(Done *done)
{
	static const AtLedgerTable written[] = {AT_LEDGER_ALERT_DELIVERY, AT_LEDGER_ALERT_PASS};
	Cursor cursor;
	int limit = at_tell_limit();

	at_ledger_lock_passes(AT_LEDGER_ALERT_PASS);
	at_ledger_lock_to_write(written, lengthof(written));
	at_notifier_use_indexes();
	PushActiveSnapshot(GetTransactionSnapshot());
	SPI_connect();
	read_cursor(&cursor);
	done->due = cursor.due;
	at_tell_begin(cursor.due.due_at);
	at_debug_point("notifier-picked");

	/* what is due was told or raised earlier, so it comes first */
	done->looked = !at_tell_is_unheard() && is_due_likely();
	if (done->looked)
		done->repeated = at_due_tell(&done->due, limit);
	at_pending_read(cursor.next_pass_id, cursor.snapshot);
	done->taken = at_pending_tell(limit - done->repeated);
	done->ended = done->repeated < limit && at_pending_ends(done->taken);
	at_tell_write();

	/* idle passes leave no trace, but the first one sets the cursor */
	if (at_pending_ends(done->taken) &&
		(done->repeated + done->taken + at_pending_count() > 0 || cursor.snapshot == NULL))
		move_cursor(&cursor, done);
	at_debug_point("notifier-before-commit");
	SPI_finish();
	PopActiveSnapshot();
}

/* Asking costs as much as telling an alert, and what is due can wait a moment. */
static bool
is_due_likely(void)
{
	return notifier.look_again || at_worker_is_asked() ||
		   at_clock_ms() - notifier.looked_ms >= POLL_MS;
}

void
at_notifier_use_indexes(void)
{
	(void) set_config_option("enable_seqscan", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_LOCAL,
							 true, 0, false);
}

static void
read_cursor(Cursor *cursor)
{
	Oid types[] = {INT8OID, OIDOID};
	Datum values[] = {Int64GetDatum(GetSystemIdentifier()), ObjectIdGetDatum(MyDatabaseId)};

	if (SPI_execute_plan(at_notifier_plan(&notifier.cursor, cursor_query, lengthof(types), types),
						 values, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read audit.alert_pass");

	*cursor = (Cursor){.next_pass_id = 1, .due = notifier.due};

	/* what was due before the ledger came here is nobody's business here */
	if (SPI_processed == 0)
		see_due(cursor, GetCurrentTimestamp(), 0);
	else
		read_cursor_row(cursor, SPI_tuptable->vals[0], SPI_tuptable->tupdesc);
}

static void
read_cursor_row(Cursor *cursor, HeapTuple row, TupleDesc desc)
{
	bool isnull;
	Datum due_at = SPI_getbinval(row, desc, 5, &isnull);

	if (!isnull)
		see_due(cursor, DatumGetTimestampTz(due_at),
				DatumGetInt64(SPI_getbinval(row, desc, 6, &isnull)));
	cursor->place = *(ItemPointer) DatumGetPointer(SPI_getbinval(row, desc, 1, &isnull));
	cursor->next_pass_id = DatumGetInt64(SPI_getbinval(row, desc, 2, &isnull)) + 1;
	cursor->alerts = DatumGetInt64(SPI_getbinval(row, desc, 3, &isnull));
	cursor->snapshot = SPI_getvalue(row, desc, 4);
	cursor->sealed = SPI_getvalue(row, desc, 7);
}

/* What was seen to in this process counts where it is further. */
static void
see_due(Cursor *cursor, TimestampTz due_at, int64 delivery_id)
{
	if (due_at > cursor->due.due_at)
		cursor->due = (AtDuePlace){.due_at = due_at, .delivery_id = delivery_id};
}

SPIPlanPtr
at_notifier_plan(SPIPlanPtr *plan, const char *query, int nargs, Oid *types)
{
	if (*plan == NULL)
	{
		SPIPlanPtr made = SPI_prepare_cursor(query, nargs, types, CURSOR_OPT_GENERIC_PLAN);

		if (made == NULL || SPI_keepplan(made) != 0)
			elog(ERROR, "could not prepare: %s", query);
		*plan = made;
	}
	return *plan;
}

/* The row is the same one for ever, so that it takes no room that grows. */
static void
move_cursor(const Cursor *cursor, const Done *done)
{
	Datum values[Natts_alert_pass];
	bool nulls[Natts_alert_pass] = {false};
	int64 alerts = cursor->alerts + at_pending_count() + done->taken + done->repeated;
	ItemPointerData place = cursor->place;

	values[Anum_alert_pass_pass_id - 1] = Int64GetDatum(cursor->next_pass_id);
	values[Anum_alert_pass_passed_at - 1] = TimestampTzGetDatum(GetCurrentTimestamp());
	values[Anum_alert_pass_system_identifier - 1] = Int64GetDatum(GetSystemIdentifier());
	values[Anum_alert_pass_database_oid - 1] = ObjectIdGetDatum(MyDatabaseId);
	values[Anum_alert_pass_alerts - 1] = Int64GetDatum(alerts);
	at_set_text(values, nulls, Anum_alert_pass_snapshot, at_pending_until());
	values[Anum_alert_pass_due_at - 1] = TimestampTzGetDatum(done->due.due_at);
	nulls[Anum_alert_pass_due_at - 1] = done->due.due_at == 0;
	values[Anum_alert_pass_due_id - 1] = Int64GetDatum(done->due.delivery_id);
	nulls[Anum_alert_pass_due_id - 1] = done->due.due_at == 0;
	at_set_text(values, nulls, Anum_alert_pass_sealed, cursor->sealed);
	if (ItemPointerIsValid(&place))
		at_append_over(AT_LEDGER_ALERT_PASS, &place, values, nulls);
	else
		at_append(AT_LEDGER_ALERT_PASS, values, nulls);
}
