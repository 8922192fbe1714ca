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
#include "access/table.h"
#include "catalog/pg_am.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "nodes/tidbitmap.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/errors.h"
#include "ledger/deferred.h"
#include "ledger/deferred_fill.h"
#include "ledger/index_plan.h"
#include "ledger/scan.h"
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

	/* the unsealed rows, by key and then by place; read at the first need */
	MemoryContext context;
	bool loaded;
	int nrows;
	int capacity;
	Row *row;
	ItemPointerData *tid; /* of all of them, sorted */

	/* where the scan is; in its direction */
	bool started;
	int next;    /* of the rows */
	bool ahead;  /* the btree stands on an entry that was not given yet */
	bool at_end; /* the btree has no more */
} DeferredScan;

PG_FUNCTION_INFO_V1(at_deferred_handler);

static IndexBuildResult *build(Relation heap, Relation index, IndexInfo *info);
static bool validate(Oid opclass);
static IndexScanDesc begin_scan(Relation index, int nkeys, int norderbys);
static void rescan(IndexScanDesc desc, ScanKey keys, int nkeys, ScanKey orderbys, int norderbys);
static bool get_tuple(IndexScanDesc desc, ScanDirection direction);
static int64 get_bitmap(IndexScanDesc desc, TIDBitmap *bitmap);
static void end_scan(IndexScanDesc desc);
static void load(IndexScanDesc desc);
static void load_stretch(IndexScanDesc desc, const AtIndexPlan *plan, AtScan *rows, int64 low,
						 int64 high);
static void add_row(IndexScanDesc desc, const AtIndexPlan *plan, TupleTableSlot *slot);
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
	routine->amcanreturn = NULL;
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

/* In this order: see the head of this file. */
static bool
get_tuple(IndexScanDesc desc, ScanDirection direction)
{
	DeferredScan *scan = desc->opaque;
	const Row *row;

	load(desc);
	if (!scan->started)
		scan->next = ScanDirectionIsForward(direction) ? 0 : scan->nrows - 1;
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
		scan->next += ScanDirectionIsForward(direction) ? 1 : -1;
	}
	else
	{
		desc->xs_heaptid = scan->btree->xs_heaptid;
		desc->xs_recheck = scan->btree->xs_recheck;
		scan->ahead = false;
	}
	return true;
}

/* In a bitmap each place counts once anyway. */
static int64
get_bitmap(IndexScanDesc desc, TIDBitmap *bitmap)
{
	DeferredScan *scan = desc->opaque;
	int64 count = 0;

	load(desc);
	for (int i = 0; i < scan->nrows; i++)
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

/* Read what the log has not come to, once a scan. */
static void
load(IndexScanDesc desc)
{
	DeferredScan *scan = desc->opaque;
	Relation index = desc->indexRelation;
	MemoryContext save;
	Relation heap;
	AtIndexPlan plan;
	AtUnsealed unsealed;
	AtScan *rows;

	if (scan->loaded)
		return;
	save = MemoryContextSwitchTo(scan->context);
	unsealed = at_unsealed_read();
	heap = table_open(index->rd_index->indrelid, AccessShareLock);
	at_index_plan(&plan, heap, index);
	rows =
		at_scan_open_leaf(plan.ordinal != 0 ? AT_SCAN_EVENT_BY_TX_ID : AT_SCAN_TRANSACTION_BY_TX_ID,
						  desc->xs_snapshot, RelationGetRelid(heap));
	for (int i = 0; unsealed.sealed != NULL && i < unsealed.sealed->nrunning; i++)
		load_stretch(desc, &plan, rows, unsealed.base + unsealed.sealed->running[i],
					 unsealed.base + unsealed.sealed->running[i]);
	load_stretch(desc, &plan, rows, unsealed.base + (unsealed.sealed ? unsealed.sealed->xmax : 0),
				 PG_INT64_MAX);
	at_scan_close(rows);
	table_close(heap, NoLock);

	scan->tid = palloc(sizeof(ItemPointerData) * Max(scan->nrows, 1));
	for (int i = 0; i < scan->nrows; i++)
		scan->tid[i] = scan->row[i].tid;
	qsort(scan->tid, scan->nrows, sizeof(ItemPointerData), compare_tids);
	if (scan->nrows > 1)
		qsort_arg(scan->row, scan->nrows, sizeof(Row), compare_rows, index);
	scan->loaded = true;
	MemoryContextSwitchTo(save);
}

static void
load_stretch(IndexScanDesc desc, const AtIndexPlan *plan, AtScan *rows, int64 low, int64 high)
{
	if (plan->ordinal != 0)
		at_scan_start_first(rows, low, high, AT_DEFERRED_ROWS);
	else
		at_scan_start(rows, low, high);
	while (at_scan_next(rows))
		add_row(desc, plan, rows->slot);
}

static void
add_row(IndexScanDesc desc, const AtIndexPlan *plan, TupleTableSlot *slot)
{
	DeferredScan *scan = desc->opaque;
	TupleDesc tupdesc = RelationGetDescr(desc->indexRelation);
	Datum key[INDEX_MAX_KEYS];
	bool nulls[INDEX_MAX_KEYS];
	Row *row;

	slot_getallattrs(slot);
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

	while (scan->next >= 0 && scan->next < scan->nrows)
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
