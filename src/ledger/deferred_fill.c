/*-------------------------------------------------------------------------
 * deferred_fill.c
 *		The sealer's part of deferred indexes: making the entries.
 *
 * Invariant: an index has each entry once. The sealer makes the entries of a
 * transaction in the pass that seals it; if that is not committed they are
 * there all the same, so the pass after one that failed, and the first one of a
 * process, look before they insert. An index that is built leaves out what is
 * not sealed, and is not filled meanwhile: the build holds a lock against the
 * sealer's, or waits for the sealer and looks.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/nbtree.h"
#include "access/relscan.h"
#include "access/skey.h"
#include "access/table.h"
#include "access/xlog.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/columns.h"
#include "ledger/deferred_fill.h"
#include "ledger/index_plan.h"
#include "ledger/unsealed.h"

struct AtDeferredFill
{
	bool careful;
	MemoryContext row_context;

	/* the table that the last row was in; InvalidOid: none yet */
	Oid relid;
	Relation heap;
	int nindexes;
	AtIndexPlan plan[AT_MAX_INDEXES];
	Relation index[AT_MAX_INDEXES];
};

struct AtDeferredBuilder
{
	bool known;
	AtUnsealed unsealed;
};

static void open_table(AtDeferredFill *fill, Oid relid);
static void close_table(AtDeferredFill *fill);
static bool has_entry(Relation index, const AtIndexPlan *plan, HeapTuple row, const Datum *values,
					  const bool *nulls);
static bool is_ours(TupleTableSlot *slot);

AtDeferredFill *
at_deferred_fill_open(bool careful)
{
	AtDeferredFill *fill = palloc0(sizeof(AtDeferredFill));

	fill->careful = careful;
	fill->row_context =
		AllocSetContextCreate(CurrentMemoryContext, "audit deferred indexes", ALLOCSET_SMALL_SIZES);
	return fill;
}

void
at_deferred_fill_add(AtDeferredFill *fill, HeapTuple row, TupleDesc desc)
{
	Datum values[Natts_transaction];
	bool nulls[Natts_transaction];
	MemoryContext save;

	if (fill->relid != row->t_tableOid)
		open_table(fill, row->t_tableOid);

	save = MemoryContextSwitchTo(fill->row_context);
	heap_deform_tuple(row, desc, values, nulls);
	for (int i = 0; i < fill->nindexes; i++)
	{
		if (fill->careful && has_entry(fill->index[i], &fill->plan[i], row, values, nulls))
			continue;
		at_index_plan_insert(&fill->plan[i], fill->index[i], fill->heap, &row->t_self, values,
							 nulls);
	}
	MemoryContextSwitchTo(save);
	MemoryContextReset(fill->row_context);
}

static void
open_table(AtDeferredFill *fill, Oid relid)
{
	close_table(fill);
	fill->heap = table_open(relid, NoLock);
	fill->nindexes = at_index_plan_table(fill->plan, fill->heap, true);
	for (int i = 0; i < fill->nindexes; i++)
		fill->index[i] = index_open(fill->plan[i].relid, RowExclusiveLock);
	fill->relid = relid;
}

static void
close_table(AtDeferredFill *fill)
{
	if (!OidIsValid(fill->relid))
		return;
	for (int i = 0; i < fill->nindexes; i++)
		index_close(fill->index[i], NoLock);
	table_close(fill->heap, NoLock);
	fill->relid = InvalidOid;
}

void
at_deferred_fill_close(AtDeferredFill *fill)
{
	close_table(fill);
	MemoryContextDelete(fill->row_context);
	pfree(fill);
}

static bool
has_entry(Relation index, const AtIndexPlan *plan, HeapTuple row, const Datum *values,
		  const bool *nulls)
{
	Datum key[INDEX_MAX_KEYS];
	bool key_null[INDEX_MAX_KEYS];

	return at_index_plan_form(plan, values, nulls, key, key_null) &&
		   at_deferred_has(index, key, key_null, &row->t_self);
}

bool
at_deferred_build_takes(AtDeferredBuilder **builder, TupleTableSlot *slot)
{
	bool isnull;

	if (*builder == NULL)
	{
		*builder = palloc0(sizeof(AtDeferredBuilder));
		(*builder)->known = at_unsealed_read_here(&(*builder)->unsealed);
	}
	return !(*builder)->known || !is_ours(slot) ||
		   !at_unsealed_has(&(*builder)->unsealed,
							DatumGetInt64(slot_getattr(slot, Anum_transaction_tx_id, &isnull)));
}

/*
 * Was the row recorded in this server and database? Others come with a restore, and
 * their tx_id may be one that transactions of this database would have, if a copy
 * recorded them before it began its incarnation.
 */
static bool
is_ours(TupleTableSlot *slot)
{
	bool isnull;

	return (uint64) DatumGetInt64(slot_getattr(slot, Anum_transaction_system_identifier,
											   &isnull)) == GetSystemIdentifier() &&
		   DatumGetObjectId(slot_getattr(slot, Anum_transaction_database_oid, &isnull)) ==
			   MyDatabaseId;
}

/* What index_beginscan() would set besides. */
IndexScanDesc
at_deferred_begin_btree(Relation index, int nkeys)
{
	IndexScanDesc scan = btbeginscan(index, nkeys, 0);

	scan->parallel_scan = NULL;
	scan->xs_temp_snap = false;
	return scan;
}

void
at_deferred_end_btree(IndexScanDesc scan)
{
	btendscan(scan);
	IndexScanEnd(scan);
}

/*
 * By the btree underneath, which knows nothing of what is not sealed. It has entries
 * of one key in the order of their places, and who asks asks for late ones: a session
 * may have millions before.
 */
bool
at_deferred_has(Relation index, const Datum *key, const bool *nulls, ItemPointer tid)
{
	int nkeys = IndexRelationGetNumberOfKeyAttributes(index);
	ScanKeyData keys[INDEX_MAX_KEYS];
	IndexScanDesc scan = at_deferred_begin_btree(index, nkeys);
	bool found = false;

	for (int i = 0; i < nkeys; i++)
	{
		Oid type = index->rd_opcintype[i];
		Oid equal = get_opcode(
			get_opfamily_member(index->rd_opfamily[i], type, type, BTEqualStrategyNumber));
		int flags = nulls[i] ? SK_ISNULL | SK_SEARCHNULL : 0;

		ScanKeyEntryInitialize(&keys[i], flags, i + 1,
							   nulls[i] ? InvalidStrategy : BTEqualStrategyNumber, InvalidOid,
							   index->rd_indcollation[i], nulls[i] ? InvalidOid : equal,
							   nulls[i] ? (Datum) 0 : key[i]);
	}
	scan->xs_snapshot = SnapshotAny;
	btrescan(scan, keys, nkeys, NULL, 0);
	while (!found && btgettuple(scan, BackwardScanDirection) &&
		   ItemPointerCompare(&scan->xs_heaptid, tid) >= 0)
		found = ItemPointerEquals(&scan->xs_heaptid, tid);
	at_deferred_end_btree(scan);
	return found;
}
