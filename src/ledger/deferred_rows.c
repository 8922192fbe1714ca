/*-------------------------------------------------------------------------
 * deferred_rows.c
 *		The rows that a scan of a deferred index has to give besides its entries.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/nbtree.h"
#include "access/parallel.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "utils/datum.h"
#include "utils/rel.h"

#include "base/columns.h"
#include "ledger/datum.h"
#include "ledger/deferred_rows.h"
#include "ledger/index_plan.h"
#include "ledger/log_read.h"
#include "ledger/partition.h"
#include "ledger/place.h"
#include "ledger/scan.h"
#include "ledger/transaction.h"

/* What it takes to read them. */
typedef struct Load
{
	AtDeferredRows *rows;
	IndexScanDesc desc;
	const AtUnsealed *unsealed;
	int64 low;
	int64 high;
	MemoryContext context;
	Relation heap;
	AtIndexPlan plan;
	AtPlaceReader *follower;
} Load;

static void load_transactions(Load *load, List *partitions);
static void load_stretch(Load *load, AtScan *rows, int64 low, int64 high);
static void load_places(Load *load, const AtPlaces *places, int64 tx_id, TimestampTz tx_at);
static void load_own(Load *load);
static void load_heap(Load *load);
static void add_row(Load *load, TupleTableSlot *slot);
static int compare_rows(const void *a, const void *b, void *arg);
static int compare_tids(const void *a, const void *b);

void
at_deferred_rows_read(AtDeferredRows *rows, IndexScanDesc desc, const AtUnsealed *unsealed,
					  int64 low, int64 high)
{
	Relation index = desc->indexRelation;
	Load load = {.rows = rows,
				 .desc = desc,
				 .unsealed = unsealed,
				 .low = low,
				 .high = high,
				 .context = CurrentMemoryContext,
				 .heap = table_open(index->rd_index->indrelid, AccessShareLock),
				 .follower = at_place_reader_open(desc->xs_snapshot)};

	rows->count = 0;
	at_index_plan(&load.plan, load.heap, index);
	if (load.plan.ordinal != 0)
	{
		load_transactions(&load, at_partition_transactions_of(RelationGetRelid(load.heap)));
		load_own(&load);
	}
	else
		load_transactions(&load, list_make1_oid(RelationGetRelid(load.heap)));
	at_place_reader_close(load.follower);
	table_close(load.heap, NoLock);

	rows->tid = palloc(sizeof(ItemPointerData) * Max(rows->count, 1));
	for (int i = 0; i < rows->count; i++)
		rows->tid[i] = rows->row[i].tid;
	qsort(rows->tid, rows->count, sizeof(ItemPointerData), compare_tids);
	if (rows->count > 1)
		qsort_arg(rows->row, rows->count, sizeof(AtDeferredRow), compare_rows, index);
}

/* The unsealed rows of locked partitions of audit.transaction, or the events that they lead to. */
static void
load_transactions(Load *load, List *partitions)
{
	const AtUnsealed *unsealed = load->unsealed;
	const AtSettled *sealed = unsealed->sealed;
	AtScan *rows =
		at_scan_open_leaves(AT_SCAN_TRANSACTION_BY_TX_ID, load->desc->xs_snapshot, partitions);

	for (int i = 0; sealed != NULL && i < sealed->nrunning; i++)
		load_stretch(load, rows, unsealed->base + sealed->running[i],
					 unsealed->base + sealed->running[i]);
	load_stretch(load, rows, unsealed->base + (sealed ? sealed->xmax : 0), PG_INT64_MAX);
	at_scan_close(rows);
}

static void
load_stretch(Load *load, AtScan *rows, int64 low, int64 high)
{
	low = Max(low, load->low);
	high = Min(high, load->high);
	if (low > high)
		return;
	at_scan_start(rows, low, high);
	while (at_scan_next(rows))
	{
		const Datum *value = rows->slot->tts_values;
		AtPlaces places;

		slot_getallattrs(rows->slot);
		if (load->plan.ordinal == 0)
			add_row(load, rows->slot);
		else if (!rows->slot->tts_isnull[Anum_transaction_event_places - 1])
		{
			struct varlena *stored =
				PG_DETOAST_DATUM_PACKED(value[Anum_transaction_event_places - 1]);

			at_places_read(&places, at_span_of_varlena(stored));
			load_places(load, &places, DatumGetInt64(value[Anum_transaction_tx_id - 1]),
						DatumGetTimestampTz(value[Anum_transaction_tx_at - 1]));
		}
	}
}

/* Those of the places that lead to rows of this partition. */
static void
load_places(Load *load, const AtPlaces *places, int64 tx_id, TimestampTz tx_at)
{
	for (int i = 0; i < places->count; i++)
	{
		const AtPlace *place = &places->place[i];
		TupleTableSlot *slot = NULL;

		if (at_place_partition(load->follower, place, tx_at) == RelationGetRelid(load->heap))
			slot = at_place_fetch(load->follower, place, tx_at, tx_id, i + 1);
		if (slot != NULL)
			add_row(load, slot);
	}
}

/*
 * The running transaction has no row yet. In a process that helps it with a query nothing is known
 * of its events, but that it may have some.
 */
static void
load_own(Load *load)
{
	AtPlaces places;
	int64 tx_id;
	TimestampTz tx_at;

	if (IsParallelWorker() && TransactionIdIsValid(GetTopTransactionIdIfAny()))
	{
		load_heap(load);
		return;
	}
	at_transaction_places(&places, &tx_id, &tx_at);
	load_places(load, &places, tx_id, tx_at);
}

/* Look at all rows for those of the running transaction. */
static void
load_heap(Load *load)
{
	int64 own = at_tx_id_base(at_incarnation_here()) +
				U64FromFullTransactionId(GetTopFullTransactionIdIfAny());
	bool isnull;

	if (own < load->low || own > load->high)
		return;

	TableScanDesc scan = table_beginscan(load->heap, load->desc->xs_snapshot, 0, NULL);
	TupleTableSlot *slot = table_slot_create(load->heap, NULL);

	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		CHECK_FOR_INTERRUPTS();
		if (DatumGetInt64(slot_getattr(slot, Anum_event_tx_id, &isnull)) != own)
			continue;
		slot_getallattrs(slot);
		add_row(load, slot);
	}
	ExecDropSingleTupleTableSlot(slot);
	table_endscan(scan);
}

/* Deformed. */
static void
add_row(Load *load, TupleTableSlot *slot)
{
	AtDeferredRows *rows = load->rows;
	const AtIndexPlan *plan = &load->plan;
	TupleDesc tupdesc = RelationGetDescr(load->desc->indexRelation);
	Datum key[INDEX_MAX_KEYS];
	bool nulls[INDEX_MAX_KEYS];
	AtDeferredRow *row;

	if (!at_index_plan_defers(plan, slot->tts_values, slot->tts_isnull) ||
		!at_index_plan_form(plan, slot->tts_values, slot->tts_isnull, key, nulls))
		return;
	if (rows->count == rows->capacity)
	{
		rows->capacity = Max(64, rows->capacity * 2);
		rows->row = rows->row ? repalloc_huge(rows->row, sizeof(AtDeferredRow) * rows->capacity)
							  : MemoryContextAllocHuge(load->context,
													   sizeof(AtDeferredRow) * rows->capacity);
	}
	row = &rows->row[rows->count++];
	row->tid = slot->tts_tid;
	row->key = palloc(sizeof(Datum) * plan->nkeys);
	row->nulls = palloc(sizeof(bool) * plan->nkeys);
	for (int i = 0; i < plan->nkeys; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(tupdesc, i);

		row->nulls[i] = nulls[i];
		row->key[i] =
			nulls[i] ? (Datum) 0 : datumCopy(key[i], attribute->attbyval, attribute->attlen);
	}
}

static int
compare_rows(const void *a, const void *b, void *arg)
{
	const AtDeferredRow *left = a;
	const AtDeferredRow *right = b;
	int result = at_deferred_compare(arg, left->key, left->nulls, right->key, right->nulls);

	CHECK_FOR_INTERRUPTS();
	return result != 0 ? result : compare_tids(&left->tid, &right->tid);
}

int
at_deferred_compare(Relation index, const Datum *key, const bool *nulls, const Datum *other,
					const bool *other_nulls)
{
	int nkeys = IndexRelationGetNumberOfKeyAttributes(index);
	int result = 0;

	for (int i = 0; i < nkeys && result == 0; i++)
	{
		if (nulls[i] || other_nulls[i])
			result = (int) nulls[i] - (int) other_nulls[i];
		else
			result = DatumGetInt32(FunctionCall2Coll(index_getprocinfo(index, i + 1, BTORDER_PROC),
													 index->rd_indcollation[i], key[i], other[i]));
	}
	return result;
}

static int
compare_tids(const void *a, const void *b)
{
	return ItemPointerCompare(unconstify(void *, a), unconstify(void *, b));
}

bool
at_deferred_rows_have(const AtDeferredRows *rows, const ItemPointerData *tid)
{
	return rows->count > 0 &&
		   bsearch(tid, rows->tid, rows->count, sizeof(ItemPointerData), compare_tids) != NULL;
}
