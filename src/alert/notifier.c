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
 * A storm is told in portions: the cursor stays until nothing is left of
 * the window, and what has a delivery is not taken again.
 *
 * The ledger's writers never wait for any of this: NOTIFY serialises the
 * commits of those who use it, which is only this worker.
 *
 * Locks: ShareUpdateExclusiveLock on audit.alert_pass, taken before the
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
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
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

/* The window of a pass: from the cursor to now. */
typedef struct Window
{
	bool has_cursor;
	int64 next_pass_id;
	AtSettled from;
	AtSettled until;
	char *until_text;
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
	PICK_TABLE
};

static const char cursor_query[] =
	"SELECT (SELECT coalesce(max(p.pass_id), 0) + 1 FROM audit.alert_pass p), "
	"(SELECT p.snapshot FROM audit.alert_pass p WHERE p.system_identifier = $1 "
	"AND p.database_oid = $2 ORDER BY p.pass_id DESC LIMIT 1)";

static const char pick_query[] =
	"SELECT a.alert_id, a.raised_at, a.tx_id, a.ordinal, a.rule_name, a.severity, a.channel, "
	"a.record_key, a.changed, "
	"pg_catalog.quote_ident(g.table_schema) || '.' || pg_catalog.quote_ident(g.table_name) "
	"FROM audit.alert a LEFT JOIN audit.target g ON g.target_id = a.target_id "
	"WHERE (a.xid >= $1 AND a.xid < $2 OR a.xid = ANY ($3)) AND a.xid <> ALL ($4) "
	"AND NOT EXISTS (SELECT FROM audit.alert_delivery d WHERE d.alert_id = a.alert_id) "
	"AND EXISTS (SELECT FROM audit.transaction t WHERE t.tx_id = a.tx_id "
	"AND t.system_identifier = $5 AND t.database_oid = $6) "
	"ORDER BY a.xid, a.alert_id LIMIT $7";

/* Plans are made once; right after an error: set only when whole. */
static struct
{
	SPIPlanPtr cursor;
	SPIPlanPtr pick;
} plans;

static long run_pass(void);
static bool tell_settled(void);
static void read_window(Window *window);
static uint64 pick_alerts(const Window *window);
static void tell_alert(HeapTuple row, TupleDesc desc);
static void append_delivery(int64 alert_id, const char *channel);
static void append_pass(const Window *window, uint64 alerts);
static SPIPlanPtr prepare(SPIPlanPtr *plan, const char *query, int nargs, Oid *types);

void
at_notifier_init(void)
{
	at_worker_register(AT_WORKER_NOTIFIER, run_pass);
}

static long
run_pass(void)
{
	bool more = false;

	if (RecoveryInProgress())
		return POLL_MS;

	StartTransactionCommand();
	XactIsoLevel = XACT_REPEATABLE_READ;

	/* while a dump is being restored, its rows are not ours to tell */
	if (at_ledger_exists() && at_incarnation_begun())
		more = tell_settled();
	CommitTransactionCommand();
	return more ? 0 : POLL_MS;
}

/* Tell a portion; returns whether there may be more. The snapshot comes after the lock. */
static bool
tell_settled(void)
{
	Window window;
	uint64 picked;

	LockRelationOid(at_ledger_relid(AT_LEDGER_ALERT_PASS), ShareUpdateExclusiveLock);
	PushActiveSnapshot(GetTransactionSnapshot());
	SPI_connect();
	read_window(&window);
	at_debug_point("notifier-picked");
	picked = pick_alerts(&window);

	SPITupleTable *rows = SPI_tuptable;

	for (uint64 i = 0; i < picked; i++)
	{
		CHECK_FOR_INTERRUPTS();
		tell_alert(rows->vals[i], rows->tupdesc);
	}

	/* idle passes leave no trace, but the first one sets the cursor */
	if (picked < PORTION && (picked > 0 || !window.has_cursor))
		append_pass(&window, picked);
	at_debug_point("notifier-before-commit");
	SPI_finish();
	PopActiveSnapshot();
	return picked == PORTION;
}

static void
read_window(Window *window)
{
	Oid types[] = {INT8OID, OIDOID};
	Datum values[] = {Int64GetDatum(GetSystemIdentifier()), ObjectIdGetDatum(MyDatabaseId)};
	const char *from = "1:1:";
	bool isnull;

	if (SPI_execute_plan(prepare(&plans.cursor, cursor_query, lengthof(types), types), values, NULL,
						 true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read audit.alert_pass");

	HeapTuple row = SPI_tuptable->vals[0];
	TupleDesc desc = SPI_tuptable->tupdesc;
	char *cursor = SPI_getvalue(row, desc, 2);

	window->next_pass_id = DatumGetInt64(SPI_getbinval(row, desc, 1, &isnull));
	window->has_cursor = cursor != NULL;
	window->until_text = at_settled_now();
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

/* The alerts of the window that have not been told; they are in SPI_tuptable. */
static uint64
pick_alerts(const Window *window)
{
	Oid types[] = {INT8OID, INT8OID, INT8ARRAYOID, INT8ARRAYOID, INT8OID, OIDOID, INT8OID};
	Datum values[] = {
		Int64GetDatum(window->from.xmax),
		Int64GetDatum(window->until.xmax),
		xid_array(window->from.running, window->from.nrunning),
		xid_array(window->until.running, window->until.nrunning),
		Int64GetDatum(GetSystemIdentifier()),
		ObjectIdGetDatum(MyDatabaseId),
		Int64GetDatum(PORTION),
	};

	if (SPI_execute_plan(prepare(&plans.pick, pick_query, lengthof(types), types), values, NULL,
						 true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read audit.alert");
	return SPI_processed;
}

static SPIPlanPtr
prepare(SPIPlanPtr *plan, const char *query, int nargs, Oid *types)
{
	if (*plan == NULL)
	{
		SPIPlanPtr made = SPI_prepare(query, nargs, types);

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

/* Send an alert on its two channels and note that it was sent. */
static void
tell_alert(HeapTuple row, TupleDesc desc)
{
	char *channel = SPI_getvalue(row, desc, PICK_CHANNEL);
	AtNotice notice;
	char *json;

	read_notice(row, desc, &notice);
	json = at_notice_json(&notice);
	Async_Notify(AT_ALERT_CHANNEL, json);
	append_delivery(notice.alert_id, AT_ALERT_CHANNEL);
	if (strcmp(channel, AT_ALERT_CHANNEL) != 0)
	{
		Async_Notify(channel, json);
		append_delivery(notice.alert_id, channel);
	}
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
append_pass(const Window *window, uint64 alerts)
{
	Datum values[Natts_alert_pass];
	bool nulls[Natts_alert_pass] = {false};

	values[Anum_alert_pass_pass_id - 1] = Int64GetDatum(window->next_pass_id);
	values[Anum_alert_pass_passed_at - 1] = TimestampTzGetDatum(GetCurrentTimestamp());
	values[Anum_alert_pass_system_identifier - 1] = Int64GetDatum(GetSystemIdentifier());
	values[Anum_alert_pass_database_oid - 1] = ObjectIdGetDatum(MyDatabaseId);
	values[Anum_alert_pass_alerts - 1] = Int32GetDatum(alerts);
	at_set_text(values, nulls, Anum_alert_pass_snapshot, window->until_text);
	at_append(AT_LEDGER_ALERT_PASS, values, nulls);
}
