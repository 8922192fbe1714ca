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
 * are AT_DEFERRED_ROWS at most, and a scan that asks for one transaction after the other reads
 * only the first few by themselves.
 *
 * Locks: a scan takes AccessShareLock on the log's tables.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/amapi.h"
#include "access/genam.h"
#include "access/nbtree.h"
#include "access/relscan.h"
#include "catalog/pg_am.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/tidbitmap.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/columns.h"
#include "base/compat.h"
#include "base/errors.h"
#include "ledger/deferred.h"
#include "ledger/deferred_fill.h"
#include "ledger/deferred_rows.h"
#include "ledger/unsealed.h"
#include "ledger/worm.h"

/* What a scan cannot see from a row's key alone: rechecked by whoever gets the row. */
#define NOT_SIMPLE (SK_ISNULL | SK_SEARCHARRAY | SK_SEARCHNULL | SK_SEARCHNOTNULL | SK_ROW_HEADER)

/* So many transactions are looked up one by one; a scan that asks for more reads all of them. */
#define ONE_BY_ONE 8

typedef struct DeferredScan
{
	IndexScanDesc btree;
	bool filled_only; /* no unsealed rows are wanted */

	MemoryContext context;
	bool asked; /* which transactions are not sealed */
	AtUnsealed unsealed;
	AtDeferredRows rows; /* of them, all or of one transaction; read at need */
	bool loaded;         /* all of them */
	int one_by_one;      /* how often those of one transaction */
	IndexTuple entry;    /* of the one that was given last, where it was asked for; else NULL */

	/* where the scan is; in its direction */
	bool started;
	int low;     /* of the rows, those that can be wanted: from this one */
	int high;    /* to before this one */
	int next;    /* of them */
	bool ahead;  /* the btree stands on an entry that was not given yet */
	bool at_end; /* the btree has no more */
} DeferredScan;

PG_FUNCTION_INFO_V1(at_deferred_handler);

static IndexBuildResult *build(Relation heap, Relation index, IndexInfo *info);
static bool can_return(Relation index, int column);
static bool validate(Oid opclass);
static IndexScanDesc begin_scan(Relation index, int nkeys, int norderbys);
static void rescan(IndexScanDesc desc, ScanKey keys, int nkeys, ScanKey orderbys, int norderbys);
static bool get_filled(IndexScanDesc desc, ScanDirection direction);
static IndexTuple form_entry(IndexScanDesc desc, const AtDeferredRow *row);
static bool get_tuple(IndexScanDesc desc, ScanDirection direction);
static int64 get_bitmap(IndexScanDesc desc, TIDBitmap *bitmap);
static void end_scan(IndexScanDesc desc);
static bool needs_rows(IndexScanDesc desc);
static bool asks_for_transaction(IndexScanDesc desc, int64 *tx_id);
static const ScanKeyData *first_equal(IndexScanDesc desc);
static void load(IndexScanDesc desc);
static void narrow(IndexScanDesc desc);
static int compare_first(IndexScanDesc desc, int row, const ScanKeyData *key);
static bool matches(IndexScanDesc desc, const AtDeferredRow *row);
static const AtDeferredRow *next_row(IndexScanDesc desc, ScanDirection direction);
static bool step(IndexScanDesc desc, ScanDirection direction);
static bool row_comes_first(IndexScanDesc desc, const AtDeferredRow *row, ScanDirection direction);

Datum
at_deferred_handler(PG_FUNCTION_ARGS)
{
	IndexAmRoutine *routine = GetIndexAmRoutine(F_BTHANDLER);

	routine->amcanbackward = false; /* to turn round in the middle of a scan */
	routine->amcanunique = false;
	routine->amclusterable = false;
	routine->amcanparallel = false;
	routine->amcaninclude = false;
	at_forbid_parallel_build(routine); /* build() deceives its own process alone */
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
	const AtDeferredRow *row;

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
form_entry(IndexScanDesc desc, const AtDeferredRow *row)
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
		if (!matches(desc, &scan->rows.row[i]))
			continue;
		tbm_add_tuples(bitmap, &scan->rows.row[i].tid, 1, true);
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
	int64 tx_id;

	if (scan->loaded)
		return false;
	if (!scan->asked)
	{
		MemoryContext save = MemoryContextSwitchTo(scan->context);

		scan->unsealed = at_unsealed_read();
		scan->asked = true;
		MemoryContextSwitchTo(save);
	}
	return !asks_for_transaction(desc, &tx_id) || at_unsealed_has(&scan->unsealed, tx_id);
}

/* Does the scan ask for one transaction? */
static bool
asks_for_transaction(IndexScanDesc desc, int64 *tx_id)
{
	const ScanKeyData *key = first_equal(desc);

	/* it is the first column of both tables */
	if (key == NULL || desc->indexRelation->rd_index->indkey.values[0] != Anum_event_tx_id)
		return false;
	switch (OidIsValid(key->sk_subtype) ? key->sk_subtype : INT8OID)
	{
		case INT8OID:
			*tx_id = DatumGetInt64(key->sk_argument);
			return true;
		case INT4OID:
			*tx_id = DatumGetInt32(key->sk_argument);
			return true;
		default:
			return false;
	}
}

/*
 * Read what the log has not come to: of the transaction that is asked for, if there were few such
 * questions, else of all, once a scan.
 */
static void
load(IndexScanDesc desc)
{
	DeferredScan *scan = desc->opaque;
	MemoryContext save = MemoryContextSwitchTo(scan->context);
	int64 tx_id;
	bool one = scan->one_by_one < ONE_BY_ONE && asks_for_transaction(desc, &tx_id);

	at_deferred_rows_read(&scan->rows, desc, &scan->unsealed, one ? tx_id : PG_INT64_MIN,
						  one ? tx_id : PG_INT64_MAX);
	scan->loaded = !one;
	scan->one_by_one++;
	MemoryContextSwitchTo(save);
}

/* The condition that the first column has one value; or NULL. */
static const ScanKeyData *
first_equal(IndexScanDesc desc)
{
	const ScanKeyData *key = desc->keyData;

	return desc->numberOfKeys == 0 || key->sk_attno != 1 ||
				   key->sk_strategy != BTEqualStrategyNumber || (key->sk_flags & NOT_SIMPLE) != 0
			   ? NULL
			   : key;
}

/* Find the rows that can be wanted: where the first column has one value, those with it. */
static void
narrow(IndexScanDesc desc)
{
	DeferredScan *scan = desc->opaque;
	const ScanKeyData *key = first_equal(desc);
	int end = scan->rows.count;

	scan->low = 0;
	scan->high = scan->rows.count;
	if (key == NULL ||
		(OidIsValid(key->sk_subtype) && key->sk_subtype != desc->indexRelation->rd_opcintype[0]))
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
	while (scan->high < scan->rows.count && compare_first(desc, scan->high, key) == 0)
		scan->high++;
}

/* Nulls come last. */
static int
compare_first(IndexScanDesc desc, int row, const ScanKeyData *key)
{
	const AtDeferredRow *of = &((DeferredScan *) desc->opaque)->rows.row[row];
	Relation index = desc->indexRelation;

	if (of->nulls[0])
		return 1;
	return DatumGetInt32(FunctionCall2Coll(index_getprocinfo(index, 1, BTORDER_PROC),
										   index->rd_indcollation[0], of->key[0],
										   key->sk_argument));
}

/* Can the row be wanted? Where that takes more than its key it can. */
static bool
matches(IndexScanDesc desc, const AtDeferredRow *row)
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
static const AtDeferredRow *
next_row(IndexScanDesc desc, ScanDirection direction)
{
	DeferredScan *scan = desc->opaque;

	while (scan->next >= scan->low && scan->next < scan->high)
	{
		if (matches(desc, &scan->rows.row[scan->next]))
			return &scan->rows.row[scan->next];
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
		if (!at_deferred_rows_have(&scan->rows, &scan->btree->xs_heaptid))
			return true;
		CHECK_FOR_INTERRUPTS();
	}
	scan->at_end = true;
	return false;
}

static bool
row_comes_first(IndexScanDesc desc, const AtDeferredRow *row, ScanDirection direction)
{
	IndexScanDesc btree = ((DeferredScan *) desc->opaque)->btree;
	Datum key[INDEX_MAX_KEYS];
	bool nulls[INDEX_MAX_KEYS];
	int result;

	index_deform_tuple(btree->xs_itup, btree->xs_itupdesc, key, nulls);
	result = at_deferred_compare(desc->indexRelation, row->key, row->nulls, key, nulls);
	return ScanDirectionIsForward(direction) ? result <= 0 : result >= 0;
}
