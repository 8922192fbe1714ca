/*-------------------------------------------------------------------------
 * sealing.c
 *		Alerts come under the seal.
 *
 * A window lies between two snapshots, as that in which alerts are told
 * (pending.c): no alert is left out whose transaction is long or prepared, and
 * none is in two of them. Its events and the place where it ends are written in
 * one transaction, so that a notifier that is killed leaves nothing that the
 * next one does not take up.
 *
 * An alert belongs to the transaction of its event. One that does not is that of
 * a judgement, which has sealed it; or somebody has forged it, and it gets no seal.
 *
 * Locks: that of passes on audit.alert_pass, as a pass has it.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "alert/notifier.h"
#include "alert/sealing.h"
#include "base/columns.h"
#include "base/debug_point.h"
#include "ledger/alert_seal.h"
#include "ledger/append.h"
#include "ledger/datum.h"
#include "ledger/scan.h"
#include "ledger/settled.h"

typedef struct Window
{
	AtSettled from;
	AtSettled until;
	AtScan *alerts;
	AtScan *transactions;
	AtAlertSeal seal;
	MemoryContext row_context;
	uint64 count;
} Window;

static const char place_query[] = "SELECT p.ctid, p.* FROM audit.alert_pass p "
								  "WHERE p.system_identifier = $1 AND p.database_oid = $2";

/* Right after an error: it is set only when whole. */
static SPIPlanPtr place_plan;

static void seal_since(ItemPointer place, Datum *values, bool *nulls);
static bool read_place(ItemPointer place, Datum *values, bool *nulls);
static void seal_window(Window *window);
static void seal_range(Window *window, int64 low, int64 high);
static bool is_of_event(Window *window, int64 xid, int64 tx_id);

void
at_sealing_pass(void)
{
	static const AtLedgerTable written[] = {AT_LEDGER_ALERT_PASS, AT_LEDGER_EVENT,
											AT_LEDGER_TRANSACTION, AT_LEDGER_SESSION};
	Datum values[Natts_alert_pass];
	bool nulls[Natts_alert_pass];
	ItemPointerData place;

	StartTransactionCommand();
	XactIsoLevel = XACT_REPEATABLE_READ;
	if (at_ledger_exists() && at_incarnation_begun())
	{
		at_ledger_lock_passes(AT_LEDGER_ALERT_PASS);
		at_ledger_lock_to_write(written, lengthof(written));
		at_notifier_use_indexes();
		PushActiveSnapshot(GetTransactionSnapshot());
		SPI_connect();
		if (read_place(&place, values, nulls))
			seal_since(&place, values, nulls);
		at_debug_point("notifier-sealed");
		SPI_finish();
		PopActiveSnapshot();
	}
	CommitTransactionCommand();
}

/* Where it was done last; false before the first pass. */
static bool
read_place(ItemPointer place, Datum *values, bool *nulls)
{
	Oid types[] = {INT8OID, OIDOID};
	Datum arguments[] = {Int64GetDatum(GetSystemIdentifier()), ObjectIdGetDatum(MyDatabaseId)};
	bool isnull;

	if (SPI_execute_plan(at_notifier_plan(&place_plan, place_query, lengthof(types), types),
						 arguments, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read audit.alert_pass");
	if (SPI_processed == 0)
		return false;

	HeapTuple row = SPI_tuptable->vals[0];
	TupleDesc desc = SPI_tuptable->tupdesc;

	*place = *(ItemPointer) DatumGetPointer(SPI_getbinval(row, desc, 1, &isnull));
	for (int i = 0; i < Natts_alert_pass; i++)
		values[i] = SPI_getbinval(row, desc, i + 2, &nulls[i]);
	return true;
}

/* A place that lies ahead is none: somebody has set it, or the server back. */
static void
seal_since(ItemPointer place, Datum *values, bool *nulls)
{
	const char *since = nulls[Anum_alert_pass_sealed - 1]
							? NULL
							: TextDatumGetCString(values[Anum_alert_pass_sealed - 1]);
	const char *until = at_settled_now();
	Window window = {0};

	if (!at_settled_parse(at_span_of(until), &window.until))
		elog(ERROR, "unexpected snapshot: \"%s\"", until);
	if (since == NULL || !at_settled_parse(at_span_of(since), &window.from) ||
		window.from.xmax > window.until.xmax)
	{
		since = NULL;
		window.from = (AtSettled){.xmax = 1};
	}
	at_alert_seal_begin(&window.seal, since, until);
	seal_window(&window);
	if (window.count == 0)
		return;
	at_set_text(values, nulls, Anum_alert_pass_sealed, until);
	at_append_over(AT_LEDGER_ALERT_PASS, place, values, nulls);
}

static void
begin_reading(Window *window)
{
	window->alerts = at_scan_open(AT_SCAN_ALERT_BY_XID, GetActiveSnapshot());
	window->transactions = at_scan_open(AT_SCAN_TRANSACTION_BY_TX_ID, GetActiveSnapshot());
	window->row_context =
		AllocSetContextCreate(CurrentMemoryContext, "audit alert", ALLOCSET_DEFAULT_SIZES);
}

static void
end_reading(Window *window)
{
	at_alert_seal_end(&window->seal);
	at_scan_close(window->transactions);
	at_scan_close(window->alerts);
}

static void
seal_window(Window *window)
{
	begin_reading(window);
	for (int i = 0; i < window->from.nrunning; i++)
		seal_range(window, window->from.running[i], window->from.running[i]);
	seal_range(window, window->from.xmax, window->until.xmax - 1);
	end_reading(window);
}

/* The alerts of transactions in a range that have settled. */
static void
seal_range(Window *window, int64 low, int64 high)
{
	at_scan_start(window->alerts, low, high);
	while (at_scan_next(window->alerts))
	{
		TupleTableSlot *slot = window->alerts->slot;
		MemoryContext save;

		CHECK_FOR_INTERRUPTS();
		slot_getallattrs(slot);
		if (!at_settled_has(&window->until, window->alerts->key) ||
			!is_of_event(window, window->alerts->key,
						 DatumGetInt64(slot->tts_values[Anum_alert_tx_id - 1])))
			continue;
		save = MemoryContextSwitchTo(window->row_context);
		at_alert_seal_add(&window->seal, slot->tts_values, slot->tts_isnull);
		MemoryContextSwitchTo(save);
		MemoryContextReset(window->row_context);
		window->count++;
	}
}

/* Is the transaction recorded, by this server and database, and the alert its own? */
static bool
is_of_event(Window *window, int64 xid, int64 tx_id)
{
	bool isnull;

	at_scan_start(window->transactions, tx_id, tx_id);
	while (at_scan_next(window->transactions))
	{
		TupleTableSlot *slot = window->transactions->slot;

		if (DatumGetInt64(slot_getattr(slot, Anum_transaction_xid, &isnull)) == xid &&
			DatumGetInt64(slot_getattr(slot, Anum_transaction_system_identifier, &isnull)) ==
				(int64) GetSystemIdentifier() &&
			DatumGetObjectId(slot_getattr(slot, Anum_transaction_database_oid, &isnull)) ==
				MyDatabaseId)
			return true;
	}
	return false;
}

void
at_sealing_own(void)
{
	FullTransactionId xid = GetTopFullTransactionIdIfAny();
	AtAlertSeal seal;
	AtScan *alerts;

	if (!FullTransactionIdIsValid(xid))
		return;
	CommandCounterIncrement();
	PushCopiedSnapshot(GetActiveSnapshot());
	UpdateActiveSnapshotCommandId();
	at_alert_seal_begin(&seal, NULL, NULL);
	alerts = at_scan_open(AT_SCAN_ALERT_BY_XID, GetActiveSnapshot());
	at_scan_start(alerts, U64FromFullTransactionId(xid), U64FromFullTransactionId(xid));
	while (at_scan_next(alerts))
	{
		CHECK_FOR_INTERRUPTS();
		slot_getallattrs(alerts->slot);
		at_alert_seal_add(&seal, alerts->slot->tts_values, alerts->slot->tts_isnull);
	}
	at_scan_close(alerts);
	at_alert_seal_end(&seal);
	PopActiveSnapshot();
}
