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
#include "ledger/scan.h"
#include "ledger/transaction.h"
#include "ledger/unsealed.h"

/* A table that is open. */
typedef struct Table
{
	Oid relid; /* InvalidOid: none */
	Relation heap;
	int nindexes;
	AtIndexPlan plan[AT_MAX_INDEXES];
	Relation index[AT_MAX_INDEXES];
} Table;

struct AtDeferredFill
{
	bool careful;
	MemoryContext row_context;

	/* the partitions that the last event and the last transaction were in */
	Table events;
	Table transactions;
};

struct AtDeferredBuilder
{
	MemoryContext context;
	AtIndexPlan plan;
	bool known;
	AtUnsealed unsealed;
	HTAB *ours; /* for events: tx_id of transactions of ours that are not sealed; NULL: not read */
};

static void add_row(AtDeferredFill *fill, Table *table, Oid relid, ItemPointer tid,
					const Datum *values, const bool *nulls);
static void open_table(Table *table, Oid relid);
static void close_table(Table *table);
static bool has_entry(Relation index, const AtIndexPlan *plan, ItemPointer tid, const Datum *values,
					  const bool *nulls);
static AtDeferredBuilder *make_builder(Relation heap, Relation index);
static bool is_left_to_sealer(AtDeferredBuilder *builder, TupleTableSlot *slot);
static void collect_ours(AtDeferredBuilder *builder);
static void collect(TupleTableSlot *slot, void *arg);
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
at_deferred_fill_add_event(AtDeferredFill *fill, TupleTableSlot *slot)
{
	add_row(fill, &fill->events, slot->tts_tableOid, &slot->tts_tid, slot->tts_values,
			slot->tts_isnull);
}

void
at_deferred_fill_add_transaction(AtDeferredFill *fill, HeapTuple row, TupleDesc desc)
{
	Datum values[Natts_transaction];
	bool nulls[Natts_transaction];

	heap_deform_tuple(row, desc, values, nulls);
	add_row(fill, &fill->transactions, row->t_tableOid, &row->t_self, values, nulls);
}

static void
add_row(AtDeferredFill *fill, Table *table, Oid relid, ItemPointer tid, const Datum *values,
		const bool *nulls)
{
	MemoryContext save;

	if (table->relid != relid)
		open_table(table, relid);

	save = MemoryContextSwitchTo(fill->row_context);
	for (int i = 0; i < table->nindexes; i++)
	{
		if (!at_index_plan_defers(&table->plan[i], values, nulls))
			continue;
		if (fill->careful && has_entry(table->index[i], &table->plan[i], tid, values, nulls))
			continue;
		at_index_plan_insert(&table->plan[i], table->index[i], table->heap, tid, values, nulls);
	}
	MemoryContextSwitchTo(save);
	MemoryContextReset(fill->row_context);
}

static void
open_table(Table *table, Oid relid)
{
	close_table(table);
	table->heap = table_open(relid, NoLock);
	table->nindexes = at_index_plan_table(table->plan, table->heap, AT_FILLED_BY_SEALER);
	for (int i = 0; i < table->nindexes; i++)
		table->index[i] = index_open(table->plan[i].relid, RowExclusiveLock);
	table->relid = relid;
}

static void
close_table(Table *table)
{
	if (!OidIsValid(table->relid))
		return;
	for (int i = 0; i < table->nindexes; i++)
		index_close(table->index[i], NoLock);
	table_close(table->heap, NoLock);
	table->relid = InvalidOid;
}

void
at_deferred_fill_close(AtDeferredFill *fill)
{
	close_table(&fill->events);
	close_table(&fill->transactions);
	MemoryContextDelete(fill->row_context);
	pfree(fill);
}

static bool
has_entry(Relation index, const AtIndexPlan *plan, ItemPointer tid, const Datum *values,
		  const bool *nulls)
{
	Datum key[INDEX_MAX_KEYS];
	bool key_null[INDEX_MAX_KEYS];

	return at_index_plan_form(plan, values, nulls, key, key_null) &&
		   at_deferred_has(index, key, key_null, tid);
}

bool
at_deferred_build_takes(AtDeferredBuilder **builder, Relation heap, Relation index,
						TupleTableSlot *slot)
{
	if (*builder == NULL)
		*builder = make_builder(heap, index);
	slot_getallattrs(slot);
	return !(*builder)->known ||
		   !at_index_plan_defers(&(*builder)->plan, slot->tts_values, slot->tts_isnull) ||
		   !is_left_to_sealer(*builder, slot);
}

static AtDeferredBuilder *
make_builder(Relation heap, Relation index)
{
	AtDeferredBuilder *builder = palloc0(sizeof(AtDeferredBuilder));

	builder->context = CurrentMemoryContext;
	builder->known = at_unsealed_read_here(&builder->unsealed);
	at_index_plan(&builder->plan, heap, index);
	return builder;
}

static bool
is_left_to_sealer(AtDeferredBuilder *builder, TupleTableSlot *slot)
{
	bool is_event = builder->plan.ordinal != 0;
	int64 tx_id =
		DatumGetInt64(slot->tts_values[(is_event ? Anum_event_tx_id : Anum_transaction_tx_id) - 1]);

	if (!at_unsealed_has(&builder->unsealed, tx_id))
		return false;
	if (!is_event)
		return is_ours(slot);
	if (builder->ours == NULL)
		collect_ours(builder);
	return hash_search(builder->ours, &tx_id, HASH_FIND, NULL) != NULL;
}

/*
 * An event does not tell where it was recorded, but its transaction does, which in a restore
 * may have no index yet. The row of our own comes with the commit.
 */
static void
collect_ours(AtDeferredBuilder *builder)
{
	HASHCTL control = {
		.keysize = sizeof(int64), .entrysize = sizeof(int64), .hcxt = builder->context};
	Snapshot latest = at_snapshot_of_now();
	int64 own;

	builder->ours = hash_create("audit unsealed transactions", 64, &control,
								HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	at_scan_heap(AT_LEDGER_TRANSACTION, latest, collect, builder);
	UnregisterSnapshot(latest);
	if (at_transaction_has_events(&own))
		hash_search(builder->ours, &own, HASH_ENTER, NULL);
}

static void
collect(TupleTableSlot *slot, void *arg)
{
	AtDeferredBuilder *builder = arg;
	int64 tx_id;

	slot_getallattrs(slot);
	tx_id = DatumGetInt64(slot->tts_values[Anum_transaction_tx_id - 1]);
	if (at_unsealed_has(&builder->unsealed, tx_id) && is_ours(slot))
		hash_search(builder->ours, &tx_id, HASH_ENTER, NULL);
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
