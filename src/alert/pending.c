/*-------------------------------------------------------------------------
 * pending.c
 *		Alerts that are to be told the first time, in the order of commits.
 *
 * The window lies between two snapshots, as that of the sealer. In it are
 * those that were running at the first and have ended, and those that began
 * later. Which of them committed first, no snapshot tells; each has the time
 * at which it was about to commit, and who commits after having seen
 * another's commit has a later one.
 *
 * All of it is looked up in the indexes, without the executor: it is done for each alert, on the
 * processors that those who raise them use too.
 *
 * A storm is read in parts, so that memory is bounded: within a part the
 * order is that of commits, and the parts follow one another by transaction
 * id. What has a delivery is left out when it is to be told, so that a window that was told in
 * part by a notifier that is gone is told to its end by the next one.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "alert/notifier.h"
#include "alert/pending.h"
#include "alert/tell.h"
#include "base/columns.h"
#include "base/debug_point.h"
#include "ledger/datum.h"
#include "ledger/scan.h"
#include "ledger/settled.h"

/* Alerts of a part: 40 bytes each. */
#define PART 100000

/* Of a part so many keep their rows; the others are looked up again to be told. */
#define KEPT_ROWS 1000

/* A place in the order of a part. */
typedef struct Place
{
	int64 xid;
	int64 alert_id;
} Place;

typedef struct Pending
{
	int64 alert_id;
	int64 action_id; /* the request to tell it again; 0: it is told the first time */
	int64 xid;
	TimestampTz committed_at;
	HeapTuple row; /* NULL: it was not kept */
} Pending;

/* What a part is read with. */
typedef struct Reader
{
	AtScan *alerts;
	AtScan *transactions;
	int count;                /* alerts that were read, those of other servers too */
	int64 tx_id;              /* whose commit was looked up last; 0: none */
	TimestampTz committed_at; /* of it; DT_NOBEGIN: it is not of this server and database */
} Reader;

static const char actions_query[] =
	"SELECT r.alert_id, r.action_id FROM (SELECT * FROM audit.alert_action b WHERE b.xid = ANY "
	"($1) "
	"UNION ALL SELECT * FROM audit.alert_action e WHERE e.xid >= $2 AND e.xid < $3 AND "
	"e.xid <> ALL ($4)) r WHERE r.kind = 'resend' AND r.system_identifier = $5 AND "
	"r.database_oid = $6 ORDER BY r.acted_at, r.action_id";

static const char item_query[] =
	"SELECT " AT_TELL_COLUMNS ", r.channel FROM audit.alert a CROSS JOIN audit.alert_action r "
	"WHERE a.alert_id = $1 AND r.action_id = $2 AND NOT EXISTS (SELECT FROM audit.alert_delivery d "
	"WHERE d.alert_id = $1 AND d.action_id = $2 OFFSET 0)";

/*
 * Right after an error: what has been read stays valid, and is taken off the
 * list only when it is committed. memory is NULL or whole.
 */
static struct
{
	MemoryContext memory; /* of what follows; NULL: no window */
	int64 pass_id;        /* the pass that will end it */
	AtSettled from;
	AtSettled until;
	char *until_text;
	int64 *ended; /* were running at from, and have ended at until */
	int nended;
	int64 count; /* alerts so far */

	/* a part of it */
	Place ended_after;
	Place began_after;
	bool is_last;
	Pending *items;
	MemoryContext rows; /* of items; in memory */
	int nitems;
	int room;
	int next;

	SPIPlanPtr actions_plan;
	SPIPlanPtr item_plan;
} pending;

static void begin_window(int64 pass_id, const char *since);
static void find_ended(void);
static void read_part(void);
static bool read_ended(Reader *reader);
static bool read_range(Reader *reader, int64 low, int64 high, Place *after);
static bool is_committed_here(Reader *reader, int64 tx_id);
static int compare_items(const void *a, const void *b);
static HeapTuple keep_row(TupleTableSlot *slot);
static void add_item(const Pending *item);
static bool has_actions(void);
static void read_actions(void);
static void tell_items(const Pending *items, int count);
static HeapTuple find_row(AtScan **alerts, int64 alert_id);
static void tell_again(const Pending *item);
static Datum int8_array(const int64 *numbers, int count);
static uint64 run(SPIPlanPtr *plan, const char *query, int nargs, Oid *types, Datum *values);

void
at_pending_read(int64 pass_id, const char *since)
{
	/* somebody else may have told it, and moved the cursor */
	if (pending.memory != NULL && pending.pass_id != pass_id)
	{
		MemoryContextDelete(pending.memory);
		pending.memory = NULL;
	}
	if (pending.memory == NULL)
		begin_window(pass_id, since);
	while (pending.next == pending.nitems && !pending.is_last)
		read_part();
}

static void
begin_window(int64 pass_id, const char *since)
{
	MemoryContext memory =
		AllocSetContextCreate(CurrentMemoryContext, "audit alerts pending", ALLOCSET_DEFAULT_SIZES);
	MemoryContext save = MemoryContextSwitchTo(memory);

	pending.pass_id = pass_id;
	pending.until_text = at_settled_now();
	if (!at_settled_parse(at_span_of(since == NULL ? "1:1:" : since), &pending.from) ||
		!at_settled_parse(at_span_of(pending.until_text), &pending.until))
		elog(ERROR, "unexpected snapshot: \"%s\" or \"%s\"", since, pending.until_text);
	find_ended();
	pending.ended_after = (Place){0};
	pending.began_after = (Place){.xid = pending.from.xmax - 1, .alert_id = PG_INT64_MAX};
	pending.count = 0;
	pending.items = NULL;
	pending.nitems = 0;
	pending.room = 0;
	pending.next = 0;
	pending.is_last = false;
	pending.rows = AllocSetContextCreate(memory, "audit alerts of a part", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(save);
	MemoryContextSetParent(memory, TopMemoryContext);
	pending.memory = memory;
}

static void
find_ended(void)
{
	pending.ended = palloc(sizeof(int64) * Max(pending.from.nrunning, 1));
	pending.nended = 0;
	for (int i = 0; i < pending.from.nrunning; i++)
		if (at_settled_has(&pending.until, pending.from.running[i]))
			pending.ended[pending.nended++] = pending.from.running[i];
}

static void
read_part(void)
{
	Reader reader = {
		.alerts = at_scan_open(AT_SCAN_ALERT_BY_XID, GetActiveSnapshot()),
	};

	pending.nitems = pending.next = 0;
	MemoryContextReset(pending.rows);
	pending.is_last =
		read_ended(&reader) &&
		read_range(&reader, pending.began_after.xid, pending.until.xmax - 1, &pending.began_after);
	at_scan_close(reader.alerts);
	if (reader.transactions != NULL)
		at_scan_close(reader.transactions);
	if (pending.nitems > 1)
		qsort(pending.items, pending.nitems, sizeof(Pending), compare_items);
	if (pending.is_last && has_actions())
		read_actions();
}

/* What was running at the begin of the window and has ended; false where the part is full. */
static bool
read_ended(Reader *reader)
{
	for (int i = 0; i < pending.nended; i++)
	{
		int64 xid = pending.ended[i];

		if (xid >= pending.ended_after.xid && !read_range(reader, xid, xid, &pending.ended_after))
			return false;
	}
	return true;
}

/* Tests have parts of a few alerts. */
static int
part_size(void)
{
	return at_debug_point_is_on("notifier-small-parts") ? 7 : PART;
}

/*
 * The alerts of transactions in a range, those behind a place, which moves; false where the part is
 * full. Alerts that were raised in another server or database, before a restore, are not told here.
 */
static bool
read_range(Reader *reader, int64 low, int64 high, Place *after)
{
	at_scan_start(reader->alerts, low, high);
	while (at_scan_next(reader->alerts))
	{
		TupleTableSlot *slot = reader->alerts->slot;
		Pending item = {.xid = reader->alerts->key, .alert_id = reader->alerts->place};
		bool isnull;

		CHECK_FOR_INTERRUPTS();
		if (item.xid < after->xid || (item.xid == after->xid && item.alert_id <= after->alert_id) ||
			!at_settled_has(&pending.until, item.xid))
			continue;
		if (reader->count == part_size())
			return false;
		reader->count++;
		*after = (Place){.xid = item.xid, .alert_id = item.alert_id};
		if (!is_committed_here(reader,
							   DatumGetInt64(slot_getattr(slot, Anum_alert_tx_id, &isnull))))
			continue;
		item.committed_at = reader->committed_at;
		item.row = keep_row(slot);
		add_item(&item);
	}
	return true;
}

/* Is the transaction recorded by this server and database? Those of a transaction follow. */
static bool
is_committed_here(Reader *reader, int64 tx_id)
{
	bool isnull;

	if (reader->transactions == NULL)
		reader->transactions = at_scan_open(AT_SCAN_TRANSACTION_BY_TX_ID, GetActiveSnapshot());
	if (tx_id != reader->tx_id)
	{
		reader->tx_id = tx_id;
		reader->committed_at = DT_NOBEGIN;
		at_scan_start(reader->transactions, tx_id, tx_id);
		while (reader->committed_at == DT_NOBEGIN && at_scan_next(reader->transactions))
		{
			TupleTableSlot *slot = reader->transactions->slot;

			if (DatumGetInt64(slot_getattr(slot, Anum_transaction_system_identifier, &isnull)) ==
					(int64) GetSystemIdentifier() &&
				DatumGetObjectId(slot_getattr(slot, Anum_transaction_database_oid, &isnull)) ==
					MyDatabaseId)
				reader->committed_at =
					DatumGetTimestampTz(slot_getattr(slot, Anum_transaction_committed_at, &isnull));
		}
	}
	return reader->committed_at != DT_NOBEGIN;
}

/* In the order of commits. */
static int
compare_items(const void *a, const void *b)
{
	const Pending *x = a;
	const Pending *y = b;

	if (x->committed_at != y->committed_at)
		return x->committed_at < y->committed_at ? -1 : 1;
	if (x->xid != y->xid)
		return x->xid < y->xid ? -1 : 1;
	return x->alert_id < y->alert_id ? -1 : x->alert_id > y->alert_id;
}

static HeapTuple
keep_row(TupleTableSlot *slot)
{
	MemoryContext save;
	HeapTuple row;

	if (pending.nitems >= KEPT_ROWS)
		return NULL;
	save = MemoryContextSwitchTo(pending.rows);
	row = ExecCopySlotHeapTuple(slot);
	MemoryContextSwitchTo(save);
	return row;
}

static void
add_item(const Pending *item)
{
	if (pending.nitems == pending.room)
	{
		int room = Max(2 * pending.room, 64);

		pending.items = pending.items == NULL
							? MemoryContextAlloc(pending.memory, sizeof(Pending) * room)
							: repalloc_huge(pending.items, sizeof(Pending) * room);
		pending.room = room;
	}
	pending.items[pending.nitems++] = *item;
}

/* May somebody have done something about an alert? To ask the executor takes longer than telling
 * one. */
static bool
has_actions(void)
{
	AtScan *actions = at_scan_open(AT_SCAN_ALERT_ACTION_BY_XID, GetActiveSnapshot());
	int64 first = pending.nended > 0 ? pending.ended[0] : pending.from.xmax;
	bool found;

	at_scan_start(actions, first, pending.until.xmax - 1);
	found = at_scan_next(actions);
	at_scan_close(actions);
	return found;
}

/* Behind the alerts: nobody asks for one that was not told yet. */
static void
read_actions(void)
{
	Oid types[] = {INT8ARRAYOID, INT8OID, INT8OID, INT8ARRAYOID, INT8OID, OIDOID};
	Datum values[] = {
		int8_array(pending.ended, pending.nended),
		Int64GetDatum(pending.from.xmax),
		Int64GetDatum(pending.until.xmax),
		int8_array(pending.until.running, pending.until.nrunning),
		Int64GetDatum(GetSystemIdentifier()),
		ObjectIdGetDatum(MyDatabaseId),
	};
	uint64 count = run(&pending.actions_plan, actions_query, lengthof(types), types, values);
	SPITupleTable *rows = SPI_tuptable;
	bool isnull;

	for (uint64 i = 0; i < count; i++)
		add_item(&(Pending){
			.alert_id = DatumGetInt64(SPI_getbinval(rows->vals[i], rows->tupdesc, 1, &isnull)),
			.action_id = DatumGetInt64(SPI_getbinval(rows->vals[i], rows->tupdesc, 2, &isnull)),
		});
}

int
at_pending_tell(int limit)
{
	int count = Min(limit, pending.nitems - pending.next);
	const Pending *items = pending.items + pending.next;
	int first = 0;

	/* requests are behind the alerts */
	while (first < count && items[first].action_id == 0)
		first++;
	if (first > 0)
		tell_items(items, first);
	for (int i = first; i < count; i++)
		tell_again(&items[i]);
	return count;
}

/* Tell alerts the first time, those that were not told yet. */
static void
tell_items(const Pending *items, int count)
{
	Relation table = table_open(at_ledger_relid(AT_LEDGER_ALERT), AccessShareLock);
	AtScan *deliveries = at_scan_open(AT_SCAN_ALERT_DELIVERY_BY_ALERT, GetActiveSnapshot());
	AtScan *alerts = NULL;
	Datum values[Natts_alert];
	bool nulls[Natts_alert];

	for (int i = 0; i < count; i++)
	{
		AtTelling telling;
		HeapTuple row = items[i].row;

		CHECK_FOR_INTERRUPTS();
		at_scan_start(deliveries, items[i].alert_id, items[i].alert_id);
		if (at_scan_next(deliveries))
			continue;
		if (row == NULL)
			row = find_row(&alerts, items[i].alert_id);
		if (row == NULL)
			continue;
		heap_deform_tuple(row, RelationGetDescr(table), values, nulls);
		at_tell_read(values, nulls, &telling);
		at_tell_first(&telling);
	}
	if (alerts != NULL)
		at_scan_close(alerts);
	at_scan_close(deliveries);
	table_close(table, NoLock);
}

/* Look an alert up; NULL if it is gone. Valid until the next one is. */
static HeapTuple
find_row(AtScan **alerts, int64 alert_id)
{
	bool copied;

	if (*alerts == NULL)
		*alerts = at_scan_open(AT_SCAN_ALERT_BY_ID, GetActiveSnapshot());
	at_scan_start(*alerts, alert_id, alert_id);
	if (!at_scan_next(*alerts))
		return NULL;
	return ExecFetchSlotHeapTuple((*alerts)->slot, false, &copied);
}

/* Tell one again as somebody wants it, if that was not done yet. */
static void
tell_again(const Pending *item)
{
	Oid types[] = {INT8OID, INT8OID};
	Datum arguments[] = {Int64GetDatum(item->alert_id), Int64GetDatum(item->action_id)};
	Datum values[Natts_alert + 1];
	bool nulls[Natts_alert + 1];
	AtTelling telling;

	CHECK_FOR_INTERRUPTS();
	if (run(&pending.item_plan, item_query, lengthof(types), types, arguments) == 0)
		return;
	heap_deform_tuple(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, values, nulls);
	at_tell_read(values, nulls, &telling);
	at_tell_again(&telling, nulls[Natts_alert] ? NULL : TextDatumGetCString(values[Natts_alert]),
				  item->action_id);
}

bool
at_pending_ends(int taken)
{
	return pending.is_last && pending.next + taken == pending.nitems;
}

void
at_pending_taken(int count)
{
	if (pending.memory == NULL || count < 0)
		return;
	pending.next += count;
	pending.count += count;
	if (at_pending_ends(0))
	{
		MemoryContextDelete(pending.memory);
		pending.memory = NULL;
	}
}

int64
at_pending_count(void)
{
	return pending.count;
}

const char *
at_pending_until(void)
{
	return pending.until_text;
}

static Datum
int8_array(const int64 *numbers, int count)
{
	Datum *elements = palloc(sizeof(Datum) * Max(count, 1));

	for (int i = 0; i < count; i++)
		elements[i] = Int64GetDatum(numbers[i]);
	return PointerGetDatum(
		construct_array(elements, count, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

static uint64
run(SPIPlanPtr *plan, const char *query, int nargs, Oid *types, Datum *values)
{
	if (SPI_execute_plan(at_notifier_plan(plan, query, nargs, types), values, NULL, true, 0) !=
		SPI_OK_SELECT)
		elog(ERROR, "could not run: %s", query);
	return SPI_processed;
}
