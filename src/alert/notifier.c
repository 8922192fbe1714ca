/*-------------------------------------------------------------------------
 * notifier.c
 *		The worker that tells alerts to those who LISTEN.
 *
 * Invariant: a committed alert is told at least once. A pass takes those
 * whose transactions have settled since the pass before: the difference of
 * two snapshots, as in the sealer, with one REPEATABLE READ snapshot for the
 * pick and the new cursor. It sends, notes the deliveries, and moves the
 * cursor in one transaction: after a crash either all of it has happened or
 * nothing, except that listeners may have heard what is then told again.
 *
 * A storm is told in portions, each in a transaction of its own. Its window
 * stays the same until nothing is left of it; only then the cursor moves.
 * After a restart the window is told from its begin, but what has a
 * delivery is not told again.
 *
 * The ledger's writers never wait for any of this: NOTIFY serialises the
 * commits of those who use it, which is only this worker.
 *
 * Locks: that of passes on audit.alert_pass, taken before the
 * snapshot and held to the end of the transaction, so that two notifiers
 * follow one another.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "commands/async.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "alert/notice.h"
#include "alert/notifier.h"
#include "base/columns.h"
#include "base/debug_point.h"
#include "base/worker.h"
#include "ledger/append.h"
#include "ledger/datum.h"
#include "ledger/settled.h"

/* How soon to look without being woken: prepared transactions wake nobody. */
#define POLL_MS 1000

/* Alerts that are told in one transaction. */
#define PORTION 1000

/* A place in the order in which alerts are told. */
typedef struct Place
{
	int64 xid;
	int64 alert_id;
} Place;

/* The window of a pass: from the cursor to now, or to the end of the storm. */
typedef struct Window
{
	MemoryContext memory; /* outlives the transaction */
	bool has_cursor;
	int64 next_pass_id;
	AtSettled from;
	AtSettled until;
	char *until_text;
	Place after;   /* up to here it has been told */
	uint64 alerts; /* so many in all */
} Window;

/* Columns of the pick. */
enum
{
	PICK_ALERT_ID = 1,
	PICK_RAISED_AT,
	PICK_TX_ID,
	PICK_ORDINAL,
	PICK_RULE,
	PICK_SEVERITY,
	PICK_CHANNEL,
	PICK_RECORD_KEY,
	PICK_CHANGED,
	PICK_TABLE,
	PICK_XID
};

static const char cursor_query[] =
	"SELECT (SELECT coalesce(max(p.pass_id), 0) + 1 FROM audit.alert_pass p), "
	"(SELECT p.snapshot FROM audit.alert_pass p WHERE p.system_identifier = $1 "
	"AND p.database_oid = $2 ORDER BY p.pass_id DESC LIMIT 1)";

/*
 * Of the window, either what ended since the cursor and was running then, or
 * what began later. By the index on (xid, alert_id), and OFFSET 0 keeps the
 * planner from joining: what the window holds may be little, and what is
 * behind it much.
 */
#define PICK(condition)                                                                            \
	"SELECT a.alert_id, a.raised_at, a.tx_id, a.ordinal, a.rule_name, a.severity, a.channel, "     \
	"a.record_key, a.changed, (SELECT pg_catalog.quote_ident(g.table_schema) || '.' || "           \
	"pg_catalog.quote_ident(g.table_name) FROM audit.target g WHERE g.target_id = a.target_id), "  \
	"a.xid FROM audit.alert a WHERE " condition " AND (a.xid, a.alert_id) > ($3, $4) "             \
	"AND NOT EXISTS (SELECT FROM audit.alert_delivery d WHERE d.alert_id = a.alert_id OFFSET 0) "  \
	"AND EXISTS (SELECT FROM audit.transaction t WHERE t.tx_id = a.tx_id "                         \
	"AND t.system_identifier = $5 AND t.database_oid = $6 OFFSET 0) "                              \
	"ORDER BY a.xid, a.alert_id LIMIT $7"

static const char ended_query[] = PICK("a.xid < $1 AND a.xid = ANY ($2)");
static const char began_query[] = PICK("a.xid < $1 AND a.xid <> ALL ($2)");

/*
 * Right after an error: a plan is set only when whole, and the storm only
 * when a portion has been committed.
 */
static struct
{
	SPIPlanPtr cursor;
	SPIPlanPtr ended;
	SPIPlanPtr began;

	char *storm_until; /* the window's end while a storm is being told; else NULL */
	Place storm_after;
	uint64 storm_alerts;
} notifier;

static long run_pass(void);
static bool tell_settled(Window *window);
static void read_window(Window *window);
static uint64 tell_ended(Window *window);
static uint64 tell_began(Window *window, uint64 limit);
static uint64 tell_some(Window *window, SPIPlanPtr *plan, const char *query, const int64 *xids,
						int nxids, uint64 limit);
static Place tell_alert(HeapTuple row, TupleDesc desc);
static void append_delivery(int64 alert_id, const char *channel);
static void append_pass(const Window *window);
static void set_storm(const Window *window);
static SPIPlanPtr prepare(SPIPlanPtr *plan, const char *query, int nargs, Oid *types);

void
at_notifier_init(void)
{
	at_worker_register(AT_WORKER_NOTIFIER, run_pass);
}

static long
run_pass(void)
{
	Window window = {.memory = CurrentMemoryContext};
	bool was_storm = notifier.storm_until != NULL;
	bool more = false;

	if (RecoveryInProgress())
		return POLL_MS;

	StartTransactionCommand();
	XactIsoLevel = XACT_REPEATABLE_READ;

	/* while a dump is being restored, its rows are not ours to tell */
	if (at_ledger_exists() && at_incarnation_begun())
		more = tell_settled(&window);
	CommitTransactionCommand();
	set_storm(more ? &window : NULL);

	/* while a storm was told, others may have woken us in vain */
	return more || was_storm ? 0 : POLL_MS;
}

/* Tell a portion; returns whether there may be more. The snapshot comes after the lock. */
static bool
tell_settled(Window *window)
{
	uint64 told;

	at_ledger_lock_passes(AT_LEDGER_ALERT_PASS);
	PushActiveSnapshot(GetTransactionSnapshot());
	SPI_connect();
	read_window(window);
	at_debug_point("notifier-picked");
	told = tell_ended(window);
	if (told < PORTION)
		told += tell_began(window, PORTION - told);

	/* idle passes leave no trace, but the first one sets the cursor */
	window->alerts += told;
	if (told < PORTION && (window->alerts > 0 || !window->has_cursor))
		append_pass(window);
	at_debug_point("notifier-before-commit");
	SPI_finish();
	PopActiveSnapshot();
	return told == PORTION;
}

/* Remember where a storm was left, or with NULL that it is over. */
static void
set_storm(const Window *window)
{
	char *former = notifier.storm_until;

	notifier.storm_until = NULL;
	if (window != NULL)
	{
		notifier.storm_until = MemoryContextStrdup(TopMemoryContext, window->until_text);
		notifier.storm_after = window->after;
		notifier.storm_alerts = window->alerts;
	}
	if (former != NULL)
		pfree(former);
}

static void
read_window(Window *window)
{
	Oid types[] = {INT8OID, OIDOID};
	Datum values[] = {Int64GetDatum(GetSystemIdentifier()), ObjectIdGetDatum(MyDatabaseId)};
	const char *from = "1:1:";
	bool isnull;

	if (SPI_execute_plan(prepare(&notifier.cursor, cursor_query, lengthof(types), types), values,
						 NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read audit.alert_pass");

	HeapTuple row = SPI_tuptable->vals[0];
	TupleDesc desc = SPI_tuptable->tupdesc;
	char *cursor = SPI_getvalue(row, desc, 2);

	window->next_pass_id = DatumGetInt64(SPI_getbinval(row, desc, 1, &isnull));
	window->has_cursor = cursor != NULL;
	window->until_text = MemoryContextStrdup(
		window->memory, notifier.storm_until != NULL ? notifier.storm_until : at_settled_now());
	if (notifier.storm_until != NULL)
	{
		window->after = notifier.storm_after;
		window->alerts = notifier.storm_alerts;
	}
	if (cursor != NULL)
		from = cursor;
	if (!at_settled_parse(at_span_of(from), &window->from) ||
		!at_settled_parse(at_span_of(window->until_text), &window->until))
		elog(ERROR, "unexpected snapshot: \"%s\" or \"%s\"", from, window->until_text);
}

static Datum
xid_array(const int64 *xids, int count)
{
	Datum *elements = palloc(sizeof(Datum) * Max(count, 1));

	for (int i = 0; i < count; i++)
		elements[i] = Int64GetDatum(xids[i]);
	return PointerGetDatum(
		construct_array(elements, count, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

/* Those of the window that were running at the cursor. */
static uint64
tell_ended(Window *window)
{
	int64 *ended = palloc(sizeof(int64) * Max(window->from.nrunning, 1));
	int count = 0;

	for (int i = 0; i < window->from.nrunning; i++)
		if (at_settled_has(&window->until, window->from.running[i]))
			ended[count++] = window->from.running[i];
	if (count == 0)
		return 0;
	return tell_some(window, &notifier.ended, ended_query, ended, count, PORTION);
}

/* Those that began after the cursor. */
static uint64
tell_began(Window *window, uint64 limit)
{
	/* the lower bound: an index scan would not make use of a second one */
	if (window->after.xid < window->from.xmax)
		window->after = (Place){.xid = window->from.xmax - 1, .alert_id = PG_INT64_MAX};
	return tell_some(window, &notifier.began, began_query, window->until.running,
					 window->until.nrunning, limit);
}

/* Tell the next alerts of the window, at most so many; returns how many it were. */
static uint64
tell_some(Window *window, SPIPlanPtr *plan, const char *query, const int64 *xids, int nxids,
		  uint64 limit)
{
	Oid types[] = {INT8OID, INT8ARRAYOID, INT8OID, INT8OID, INT8OID, OIDOID, INT8OID};
	Datum values[] = {
		Int64GetDatum(window->until.xmax),
		xid_array(xids, nxids),
		Int64GetDatum(window->after.xid),
		Int64GetDatum(window->after.alert_id),
		Int64GetDatum(GetSystemIdentifier()),
		ObjectIdGetDatum(MyDatabaseId),
		Int64GetDatum(limit),
	};

	if (SPI_execute_plan(prepare(plan, query, lengthof(types), types), values, NULL, true, 0) !=
		SPI_OK_SELECT)
		elog(ERROR, "could not read audit.alert");

	SPITupleTable *rows = SPI_tuptable;
	uint64 count = SPI_processed;

	for (uint64 i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		window->after = tell_alert(rows->vals[i], rows->tupdesc);
	}
	return count;
}

static SPIPlanPtr
prepare(SPIPlanPtr *plan, const char *query, int nargs, Oid *types)
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

static void
read_notice(HeapTuple row, TupleDesc desc, AtNotice *notice)
{
	Datum *names;
	bool isnull;

	*notice = (AtNotice){
		.alert_id = DatumGetInt64(SPI_getbinval(row, desc, PICK_ALERT_ID, &isnull)),
		.raised_at = DatumGetTimestampTz(SPI_getbinval(row, desc, PICK_RAISED_AT, &isnull)),
		.tx_id = DatumGetInt64(SPI_getbinval(row, desc, PICK_TX_ID, &isnull)),
		.ordinal = DatumGetInt32(SPI_getbinval(row, desc, PICK_ORDINAL, &isnull)),
		.rule = SPI_getvalue(row, desc, PICK_RULE),
		.severity = SPI_getvalue(row, desc, PICK_SEVERITY),
		.table = SPI_getvalue(row, desc, PICK_TABLE),
		.resource_id = SPI_getvalue(row, desc, PICK_RECORD_KEY),
	};
	deconstruct_array(DatumGetArrayTypeP(SPI_getbinval(row, desc, PICK_CHANGED, &isnull)), TEXTOID,
					  -1, false, TYPALIGN_INT, &names, NULL, &notice->nchanged);
	notice->changed = palloc(sizeof(char *) * Max(notice->nchanged, 1));
	for (int i = 0; i < notice->nchanged; i++)
		notice->changed[i] = TextDatumGetCString(names[i]);
}

/* Send an alert on its two channels and note that it was sent; returns its place. */
static Place
tell_alert(HeapTuple row, TupleDesc desc)
{
	char *channel = SPI_getvalue(row, desc, PICK_CHANNEL);
	AtNotice notice;
	char *json;
	bool isnull;

	read_notice(row, desc, &notice);
	json = at_notice_json(&notice);
	Async_Notify(AT_ALERT_CHANNEL, json);
	append_delivery(notice.alert_id, AT_ALERT_CHANNEL);
	if (strcmp(channel, AT_ALERT_CHANNEL) != 0)
	{
		Async_Notify(channel, json);
		append_delivery(notice.alert_id, channel);
	}
	return (Place){.xid = DatumGetInt64(SPI_getbinval(row, desc, PICK_XID, &isnull)),
				   .alert_id = notice.alert_id};
}

static void
append_delivery(int64 alert_id, const char *channel)
{
	Datum values[Natts_alert_delivery];
	bool nulls[Natts_alert_delivery] = {false};

	values[Anum_alert_delivery_alert_id - 1] = Int64GetDatum(alert_id);
	values[Anum_alert_delivery_delivered_at - 1] = TimestampTzGetDatum(GetCurrentTimestamp());
	values[Anum_alert_delivery_attempt - 1] = Int32GetDatum(1);
	at_set_text(values, nulls, Anum_alert_delivery_channel, channel);
	at_set_text(values, nulls, Anum_alert_delivery_outcome, "notified");
	at_append(AT_LEDGER_ALERT_DELIVERY, values, nulls);
}

/* Move the cursor. */
static void
append_pass(const Window *window)
{
	Datum values[Natts_alert_pass];
	bool nulls[Natts_alert_pass] = {false};

	values[Anum_alert_pass_pass_id - 1] = Int64GetDatum(window->next_pass_id);
	values[Anum_alert_pass_passed_at - 1] = TimestampTzGetDatum(GetCurrentTimestamp());
	values[Anum_alert_pass_system_identifier - 1] = Int64GetDatum(GetSystemIdentifier());
	values[Anum_alert_pass_database_oid - 1] = ObjectIdGetDatum(MyDatabaseId);
	values[Anum_alert_pass_alerts - 1] = Int32GetDatum(Min(window->alerts, PG_INT32_MAX));
	at_set_text(values, nulls, Anum_alert_pass_snapshot, window->until_text);
	at_append(AT_LEDGER_ALERT_PASS, values, nulls);
}
