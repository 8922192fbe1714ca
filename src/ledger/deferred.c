/*-------------------------------------------------------------------------
 * deferred.c
 *		Index access method audit_deferred: a btree that the sealer fills.
 *
 * The routine is that of btree, with scans that have a second source: the rows
 * of transactions that the log has not come to, sorted as the index is. Both
 * are merged.
 *
 * Invariant: a transaction that the last entry of the log has sealed, in a
 * snapshot taken now, has its entries: they were made before that entry was
 * committed. So a scan first takes all that is beyond that entry, and then
 * reads the btree. What is sealed meanwhile is in both, and is given once.
 *
 * Memory: the unsealed rows' keys, for as long as the scan is open. Of a transaction they
 * are AT_DEFERRED_ROWS at most.
 *
 * Locks: a scan takes AccessShareLock on the log's tables.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/amapi.h"
#include "access/genam.h"
#include "access/nbtree.h"
#include "access/relscan.h"
#include "access/parallel.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_am.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "nodes/tidbitmap.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/columns.h"
#include "base/errors.h"
#include "ledger/datum.h"
#include "ledger/deferred.h"
#include "ledger/deferred_fill.h"
#include "ledger/index_plan.h"
#include "ledger/log_read.h"
#include "ledger/partition.h"
#include "ledger/place.h"
#include "ledger/scan.h"
#include "ledger/transaction.h"
#include "ledger/unsealed.h"
#include "ledger/worm.h"

/* What a scan cannot see from a row's key alone: rechecked by whoever gets the row. */
#define NOT_SIMPLE (SK_ISNULL | SK_SEARCHARRAY | SK_SEARCHNULL | SK_SEARCHNOTNULL | SK_ROW_HEADER)

/* An unsealed row. */
typedef struct Row
{
	ItemPointerData tid;
	Datum *key;
	bool *nulls;
} Row;

typedef struct DeferredScan
{
	IndexScanDesc btree;
	bool filled_only; /* no unsealed rows are wanted */

	/* the unsealed rows, by key and then by place; read at the first need */
	MemoryContext context;
	bool asked; /* which transactions are not sealed */
	AtUnsealed unsealed;
	bool loaded;
	int nrows;
	int capacity;
	Row *row;
	ItemPointerData *tid; /* of all of them, sorted */
	IndexTuple entry;     /* of the one that was given last, where it was asked for; else NULL */

	/* where the scan is; in its direction */
	bool started;
	int low;     /* of the rows, those that can be wanted: from this one */
	int high;    /* to before this one */
	int next;    /* of them */
	bool ahead;  /* the btree stands on an entry that was not given yet */
	bool at_end; /* the btree has no more */
} DeferredScan;

/* What it takes to read them. */
typedef struct Load
{
	IndexScanDesc desc;
	Relation heap;
	AtIndexPlan plan;
	AtPlaceReader *follower;
} Load;

PG_FUNCTION_INFO_V1(at_deferred_handler);

static IndexBuildResult *build(Relation heap, Relation index, IndexInfo *info);
static bool can_return(Relation index, int column);
static bool validate(Oid opclass);
static IndexScanDesc begin_scan(Relation index, int nkeys, int norderbys);
static void rescan(IndexScanDesc desc, ScanKey keys, int nkeys, ScanKey orderbys, int norderbys);
static bool get_filled(IndexScanDesc desc, ScanDirection direction);
static IndexTuple form_entry(IndexScanDesc desc, const Row *row);
static bool get_tuple(IndexScanDesc desc, ScanDirection direction);
static int64 get_bitmap(IndexScanDesc desc, TIDBitmap *bitmap);
static void end_scan(IndexScanDesc desc);
static bool needs_rows(IndexScanDesc desc);
static const ScanKeyData *first_key(IndexScanDesc desc);
static void load(IndexScanDesc desc);
static void load_transactions(Load *load, List *partitions);
static void load_stretch(Load *load, AtScan *rows, int64 low, int64 high);
static void load_places(Load *load, const AtPlaces *places, int64 tx_id, TimestampTz tx_at);
static void load_own(Load *load);
static void load_heap(Load *load);
static void add_row(Load *load, TupleTableSlot *slot);
static void narrow(IndexScanDesc desc);
static int compare_first(IndexScanDesc desc, int row, const ScanKeyData *key);
static int compare_rows(const void *a, const void *b, void *arg);
static int compare_keys(Relation index, const Datum *key, const bool *nulls, const Datum *other,
						const bool *other_nulls);
static int compare_tids(const void *a, const void *b);
static bool matches(IndexScanDesc desc, const Row *row);
static const Row *next_row(IndexScanDesc desc, ScanDirection direction);
static bool step(IndexScanDesc desc, ScanDirection direction);
static bool row_comes_first(IndexScanDesc desc, const Row *row, ScanDirection direction);

Datum
at_deferred_handler(PG_FUNCTION_ARGS)
{
	IndexAmRoutine *routine = GetIndexAmRoutine(F_BTHANDLER);

	routine->amcanbackward = false; /* to turn round in the middle of a scan */
	routine->amcanunique = false;
	routine->amclusterable = false;
	routine->amcanparallel = false;
	routine->amcaninclude = false;
	routine->ampredlocks = false;
	routine->amcanreturn = can_return;
	routine->amproperty = NULL;
	routine->amadjustmembers = NULL;
	routine->ammarkpos = NULL;
	routine->amrestrpos = NULL;
	routine->amestimateparallelscan = NULL;
	routine->aminitparallelscan = NULL;
	routine->amparallelrescan = NULL;
	routine->ambuild = build;
	routine->amvalidate = validate;
	routine->ambeginscan = begin_scan;
	routine->amrescan = rescan;
	routine->amgettuple = get_tuple;
	routine->amgetbitmap = get_bitmap;
	routine->amendscan = end_scan;
	PG_RETURN_POINTER(routine);
}

bool
at_is_deferred(Relation index)
{
	return index->rd_indam != NULL && index->rd_indam->amgetbitmap == get_bitmap;
}

void
at_deferred_scan_filled(IndexScanDesc desc)
{
	((DeferredScan *) desc->opaque)->filled_only = true;
}

/*
 * The sort behind a build works for btrees alone, and looks at the catalog's word
 * for it. Which rows get an entry is the table's decision, see worm_index.h.
 */
static IndexBuildResult *
build(Relation heap, Relation index, IndexInfo *info)
{
	Oid access_method = index->rd_rel->relam;
	IndexBuildResult *result = NULL;

	if (!at_is_worm(heap))
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("index \"%s\" cannot use the access method audit_deferred",
							   RelationGetRelationName(index)),
						errdetail("It serves the audit ledger, whose sealer fills it."),
						errhint("Use btree.")));
	PG_TRY();
	{
		index->rd_rel->relam = BTREE_AM_OID;
		result = btbuild(heap, index, info);
	}
	PG_FINALLY();
	{
		index->rd_rel->relam = access_method;
	}
	PG_END_TRY();
	return result;
}

/* All columns; the planner takes it for granted that an index can tell how many rows there are. */
static bool
can_return(Relation index, int column)
{
	return true;
}

/* The operator classes are ours; nobody else can use the access method. */
static bool
validate(Oid opclass)
{
	return true;
}

static IndexScanDesc
begin_scan(Relation index, int nkeys, int norderbys)
{
	IndexScanDesc desc = RelationGetIndexScan(index, nkeys, norderbys);
	DeferredScan *scan = palloc0(sizeof(DeferredScan));

	scan->btree = at_deferred_begin_btree(index, nkeys);
	scan->context =
		AllocSetContextCreate(CurrentMemoryContext, "audit unsealed rows", ALLOCSET_SMALL_SIZES);
	desc->opaque = scan;
	desc->xs_itupdesc = RelationGetDescr(index);
	return desc;
}

static void
rescan(IndexScanDesc desc, ScanKey keys, int nkeys, ScanKey orderbys, int norderbys)
{
	DeferredScan *scan = desc->opaque;

	if (keys != NULL && desc->numberOfKeys > 0)
		memmove(desc->keyData, keys, sizeof(ScanKeyData) * desc->numberOfKeys);
	scan->btree->heapRelation = desc->heapRelation;
	scan->btree->xs_snapshot = desc->xs_snapshot;
	scan->btree->xs_want_itup = true; /* to merge by */
	btrescan(scan->btree, keys, nkeys, NULL, 0);
	scan->started = false;
	scan->ahead = false;
	scan->at_end = false;
}

/* As a btree, with the entry. */
static bool
get_filled(IndexScanDesc desc, ScanDirection direction)
{
	IndexScanDesc btree = ((DeferredScan *) desc->opaque)->btree;

	if (!btgettuple(btree, direction))
		return false;
	desc->xs_heaptid = btree->xs_heaptid;
	desc->xs_recheck = btree->xs_recheck;
	desc->xs_itup = btree->xs_itup;
	return true;
}

/* In this order: see the head of this file. */
static bool
get_tuple(IndexScanDesc desc, ScanDirection direction)
{
	DeferredScan *scan = desc->opaque;
	const Row *row;

	if (scan->filled_only)
		return get_filled(desc, direction);
	if (!scan->started)
	{
		if (needs_rows(desc))
			load(desc);
		narrow(desc);
		scan->next = ScanDirectionIsForward(direction) ? scan->low : scan->high - 1;
	}
	scan->started = true;

	row = next_row(desc, direction);
	if (!scan->ahead && !scan->at_end)
		scan->ahead = step(desc, direction);
	if (row == NULL && !scan->ahead)
		return false;

	if (row != NULL && (!scan->ahead || row_comes_first(desc, row, direction)))
	{
		desc->xs_heaptid = row->tid;
		desc->xs_recheck = true;
		if (desc->xs_want_itup)
			desc->xs_itup = form_entry(desc, row);
		scan->next += ScanDirectionIsForward(direction) ? 1 : -1;
	}
	else
	{
		desc->xs_heaptid = scan->btree->xs_heaptid;
		desc->xs_recheck = scan->btree->xs_recheck;
		desc->xs_itup = scan->btree->xs_itup;
		scan->ahead = false;
	}
	return true;
}

/* The entry that the row will have; valid until the next one. */
static IndexTuple
form_entry(IndexScanDesc desc, const Row *row)
{
	DeferredScan *scan = desc->opaque;
	MemoryContext save = MemoryContextSwitchTo(scan->context);

	if (scan->entry != NULL)
		pfree(scan->entry);
	scan->entry = index_form_tuple(RelationGetDescr(desc->indexRelation), row->key, row->nulls);
	MemoryContextSwitchTo(save);
	return scan->entry;
}

/* In a bitmap each place counts once anyway. */
static int64
get_bitmap(IndexScanDesc desc, TIDBitmap *bitmap)
{
	DeferredScan *scan = desc->opaque;
	int64 count = 0;

	if (needs_rows(desc))
		load(desc);
	narrow(desc);
	for (int i = scan->low; i < scan->high; i++)
	{
		if (!matches(desc, &scan->row[i]))
			continue;
		tbm_add_tuples(bitmap, &scan->row[i].tid, 1, true);
		count++;
	}
	return count + btgetbitmap(scan->btree, bitmap);
}

static void
end_scan(IndexScanDesc desc)
{
	DeferredScan *scan = desc->opaque;

	at_deferred_end_btree(scan->btree);
	MemoryContextDelete(scan->context);
	pfree(scan);
}

/*
 * Does the scan need the unsealed rows? Not if it asks for one transaction, which is sealed. What
 * is sealed is told as it was before the scan looked at the btree for the first time.
 */
static bool
needs_rows(IndexScanDesc desc)
{
	DeferredScan *scan = desc->opaque;
	const ScanKeyData *key = first_key(desc);

	if (scan->loaded)
		return false;
	if (!scan->asked)
	{
		MemoryContext save = MemoryContextSwitchTo(scan->context);

		scan->unsealed = at_unsealed_read();
		scan->asked = true;
		MemoryContextSwitchTo(save);
	}
	/* it is the first column of both tables */
	return key == NULL || desc->indexRelation->rd_index->indkey.values[0] != Anum_event_tx_id ||
		   at_unsealed_has(&scan->unsealed, DatumGetInt64(key->sk_argument));
}

/* The condition that the first column has one value, of the type of the column; or NULL. */
static const ScanKeyData *
first_key(IndexScanDesc desc)
{
	const ScanKeyData *key = desc->keyData;

	if (desc->numberOfKeys == 0 || key->sk_attno != 1 ||
		key->sk_strategy != BTEqualStrategyNumber || (key->sk_flags & NOT_SIMPLE) != 0)
		return NULL;
	return !OidIsValid(key->sk_subtype) || key->sk_subtype == desc->indexRelation->rd_opcintype[0]
			   ? key
			   : NULL;
}

/* Read what the log has not come to, once a scan. */
static void
load(IndexScanDesc desc)
{
	DeferredScan *scan = desc->opaque;
	Relation index = desc->indexRelation;
	MemoryContext save = MemoryContextSwitchTo(scan->context);
	Load load = {.desc = desc,
				 .heap = table_open(index->rd_index->indrelid, AccessShareLock),
				 .follower = at_place_reader_open(desc->xs_snapshot)};

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

	scan->tid = palloc(sizeof(ItemPointerData) * Max(scan->nrows, 1));
	for (int i = 0; i < scan->nrows; i++)
		scan->tid[i] = scan->row[i].tid;
	qsort(scan->tid, scan->nrows, sizeof(ItemPointerData), compare_tids);
	if (scan->nrows > 1)
		qsort_arg(scan->row, scan->nrows, sizeof(Row), compare_rows, index);
	scan->loaded = true;
	MemoryContextSwitchTo(save);
}

/* The unsealed rows of locked partitions of audit.transaction, or the events that they lead to. */
static void
load_transactions(Load *load, List *partitions)
{
	const AtUnsealed *unsealed = &((DeferredScan *) load->desc->opaque)->unsealed;
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
	TableScanDesc scan = table_beginscan(load->heap, load->desc->xs_snapshot, 0, NULL);
	TupleTableSlot *slot = table_slot_create(load->heap, NULL);
	bool isnull;

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
	DeferredScan *scan = load->desc->opaque;
	const AtIndexPlan *plan = &load->plan;
	TupleDesc tupdesc = RelationGetDescr(load->desc->indexRelation);
	Datum key[INDEX_MAX_KEYS];
	bool nulls[INDEX_MAX_KEYS];
	Row *row;

	if (!at_index_plan_defers(plan, slot->tts_values, slot->tts_isnull) ||
		!at_index_plan_form(plan, slot->tts_values, slot->tts_isnull, key, nulls))
		return;
	if (scan->nrows == scan->capacity)
	{
		scan->capacity = Max(64, scan->capacity * 2);
		scan->row = scan->row ? repalloc_huge(scan->row, sizeof(Row) * scan->capacity)
							  : MemoryContextAllocHuge(scan->context, sizeof(Row) * scan->capacity);
	}
	row = &scan->row[scan->nrows++];
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
	const Row *left = a;
	const Row *right = b;
	int result = compare_keys(arg, left->key, left->nulls, right->key, right->nulls);

	CHECK_FOR_INTERRUPTS();
	return result != 0 ? result : compare_tids(&left->tid, &right->tid);
}

/* In the order of the index; nulls last. */
static int
compare_keys(Relation index, const Datum *key, const bool *nulls, const Datum *other,
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

/* Find the rows that can be wanted: where the first column has one value, those with it. */
static void
narrow(IndexScanDesc desc)
{
	DeferredScan *scan = desc->opaque;
	const ScanKeyData *key = first_key(desc);
	int end = scan->nrows;

	scan->low = 0;
	scan->high = scan->nrows;
	if (key == NULL)
		return;
	while (scan->low < end)
	{
		int middle = (scan->low + end) / 2;

		if (compare_first(desc, middle, key) < 0)
			scan->low = middle + 1;
		else
			end = middle;
	}
	scan->high = scan->low;
	while (scan->high < scan->nrows && compare_first(desc, scan->high, key) == 0)
		scan->high++;
}

/* Nulls come last. */
static int
compare_first(IndexScanDesc desc, int row, const ScanKeyData *key)
{
	const Row *of = &((DeferredScan *) desc->opaque)->row[row];
	Relation index = desc->indexRelation;

	if (of->nulls[0])
		return 1;
	return DatumGetInt32(FunctionCall2Coll(index_getprocinfo(index, 1, BTORDER_PROC),
										   index->rd_indcollation[0], of->key[0],
										   key->sk_argument));
}

/* Can the row be wanted? Where that takes more than its key it can. */
static bool
matches(IndexScanDesc desc, const Row *row)
{
	for (int i = 0; i < desc->numberOfKeys; i++)
	{
		ScanKey key = &desc->keyData[i];
		int at = key->sk_attno - 1;

		if ((key->sk_flags & NOT_SIMPLE) != 0)
			continue;
		if (row->nulls[at] || !DatumGetBool(FunctionCall2Coll(&key->sk_func, key->sk_collation,
															  row->key[at], key->sk_argument)))
			return false;
	}
	return true;
}

/* The next unsealed row that can be wanted. */
static const Row *
next_row(IndexScanDesc desc, ScanDirection direction)
{
	DeferredScan *scan = desc->opaque;

	while (scan->next >= scan->low && scan->next < scan->high)
	{
		if (matches(desc, &scan->row[scan->next]))
			return &scan->row[scan->next];
		scan->next += ScanDirectionIsForward(direction) ? 1 : -1;
	}
	return NULL;
}

/* Step to the btree's next entry of a row that is not among the unsealed ones. */
static bool
step(IndexScanDesc desc, ScanDirection direction)
{
	DeferredScan *scan = desc->opaque;

	while (btgettuple(scan->btree, direction))
	{
		if (scan->nrows == 0 || bsearch(&scan->btree->xs_heaptid, scan->tid, scan->nrows,
										sizeof(ItemPointerData), compare_tids) == NULL)
			return true;
		CHECK_FOR_INTERRUPTS();
	}
	scan->at_end = true;
	return false;
}

static bool
row_comes_first(IndexScanDesc desc, const Row *row, ScanDirection direction)
{
	IndexScanDesc btree = ((DeferredScan *) desc->opaque)->btree;
	Datum key[INDEX_MAX_KEYS];
	bool nulls[INDEX_MAX_KEYS];
	int result;

	index_deform_tuple(btree->xs_itup, btree->xs_itupdesc, key, nulls);
	result = compare_keys(desc->indexRelation, row->key, row->nulls, key, nulls);
	return ScanDirectionIsForward(direction) ? result <= 0 : result >= 0;
}
