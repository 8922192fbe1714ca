/*-------------------------------------------------------------------------
 * let_go.c
 *		Rows that leave their partition or the ledger: the one place.
 *
 * Of events and transactions, rows that stay are written anew as frozen: whoever has an older
 * snapshot and comes to read them after the commit finds them as before, and does not take them for
 * missing. Who reads the partition meanwhile holds a lock that this waits for.
 *
 * Locks: AccessExclusiveLock on the partition, its TOAST table and indexes, to
 * the end of the transaction; for notes RowExclusiveLock on their table.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/heaptoast.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "catalog/partition.h"
#include "catalog/pg_class_d.h"
#include "catalog/pg_inherits.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/tuplestore.h"

#include "base/columns.h"
#include "base/compat.h"
#include "ledger/cold_change.h"
#include "ledger/let_go.h"
#include "ledger/worm.h"

/* A partition being looked through. */
typedef struct Sieve
{
	Relation rel;
	AttrNumber ordinal; /* its column; 0: it is of audit.transaction */
	AtLetGo goes;
	void *arg;
	Tuplestorestate *stay; /* NULL: rows are only counted */
} Sieve;

static void open_partition(Sieve *sieve, Oid partition, LOCKMODE mode);
static uint64 sift(Sieve *sieve);
static void keep(Relation rel, Tuplestorestate *into, TupleTableSlot *slot);
static void write_back(Relation rel, Tuplestorestate *rows);

uint64
at_let_go(Oid partition, AtLetGo goes, void *arg, int64 *bytes)
{
	Sieve sieve = {.goes = goes, .arg = arg};
	int64 before;
	uint64 count;

	if (bytes != NULL)
		*bytes = 0;
	if (get_rel_relkind(partition) == RELKIND_FOREIGN_TABLE)
		return at_cold_let_go(partition, goes, arg, bytes);
	open_partition(&sieve, partition, AccessShareLock);
	count = sift(&sieve);
	table_close(sieve.rel, AccessShareLock);
	if (count == 0)
		return 0;

	open_partition(&sieve, partition, AccessExclusiveLock);
	before = RelationGetNumberOfBlocks(sieve.rel);
	sieve.stay = tuplestore_begin_heap(false, false, maintenance_work_mem);
	count = sift(&sieve);
	at_let_go_replace(sieve.rel, sieve.stay);
	if (bytes != NULL)
		*bytes = (before - (int64) RelationGetNumberOfBlocks(sieve.rel)) * BLCKSZ;
	tuplestore_end(sieve.stay);
	table_close(sieve.rel, NoLock);
	at_let_go_reindex(partition);
	return count;
}

uint64
at_let_go_to(Oid partition, Relation to, AtChosen is_chosen, void *arg)
{
	Sieve sieve = {0};
	Tuplestorestate *stay = tuplestore_begin_heap(false, false, maintenance_work_mem);
	Tuplestorestate *go = tuplestore_begin_heap(false, false, maintenance_work_mem);
	Snapshot snapshot;
	TupleTableSlot *slot;
	TableScanDesc scan;
	uint64 count = 0;

	open_partition(&sieve, partition, AccessExclusiveLock);
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	slot = table_slot_create(sieve.rel, NULL);
	scan = table_beginscan(sieve.rel, snapshot, 0, NULL);
	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		bool chosen = is_chosen(slot, arg);

		CHECK_FOR_INTERRUPTS();
		keep(sieve.rel, chosen ? go : stay, slot);
		count += chosen;
	}
	table_endscan(scan);
	UnregisterSnapshot(snapshot);
	ExecDropSingleTupleTableSlot(slot);
	at_let_go_replace(sieve.rel, stay);
	write_back(to, go);
	tuplestore_end(stay);
	tuplestore_end(go);
	table_close(sieve.rel, NoLock);
	at_let_go_reindex(partition);
	return count;
}

void
at_let_go_replace(Relation rel, Tuplestorestate *rows)
{
	at_worm_empty(rel);
	write_back(rel, rows);
}

static void
open_partition(Sieve *sieve, Oid partition, LOCKMODE mode)
{
	Oid root;

	sieve->rel = table_open(partition, mode);
	root = get_partition_parent(partition, true);
	while (get_rel_relispartition(root))
		root = get_partition_parent(root, true);
	if (!at_is_worm(sieve->rel) || (root != at_ledger_relid(AT_LEDGER_EVENT) &&
									root != at_ledger_relid(AT_LEDGER_TRANSACTION)))
		elog(ERROR, "\"%s\" is no partition of the ledger", RelationGetRelationName(sieve->rel));
	sieve->ordinal = root == at_ledger_relid(AT_LEDGER_EVENT) ? Anum_event_ordinal : 0;
}

/* Count what goes, and keep what stays. */
static uint64
sift(Sieve *sieve)
{
	TupleTableSlot *slot = table_slot_create(sieve->rel, NULL);
	Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
	TableScanDesc scan = table_beginscan(sieve->rel, snapshot, 0, NULL);
	uint64 count = 0;

	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		bool isnull;
		uint64 tx_id = DatumGetInt64(slot_getattr(slot, Anum_transaction_tx_id, &isnull));
		uint32 ordinal =
			sieve->ordinal == 0 ? 0 : DatumGetInt32(slot_getattr(slot, sieve->ordinal, &isnull));

		CHECK_FOR_INTERRUPTS();
		if (sieve->goes(tx_id, ordinal, sieve->arg))
			count++;
		else if (sieve->stay != NULL)
			keep(sieve->rel, sieve->stay, slot);
	}
	table_endscan(scan);
	UnregisterSnapshot(snapshot);
	ExecDropSingleTupleTableSlot(slot);
	return count;
}

/* A copy that does not lead into storage that will be gone. */
static void
keep(Relation rel, Tuplestorestate *into, TupleTableSlot *slot)
{
	bool should_free;
	HeapTuple tuple = ExecFetchSlotHeapTuple(slot, false, &should_free);
	HeapTuple flat =
		HeapTupleHasExternal(tuple) ? toast_flatten_tuple(tuple, RelationGetDescr(rel)) : tuple;

	tuplestore_puttuple(into, flat);
	if (flat != tuple)
		heap_freetuple(flat);
	if (should_free)
		heap_freetuple(tuple);
}

static void
write_back(Relation rel, Tuplestorestate *rows)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(rel), &TTSOpsMinimalTuple);
	BulkInsertState bulk = GetBulkInsertState();
	CommandId command = GetCurrentCommandId(true);

	while (tuplestore_gettupleslot(rows, true, false, slot))
	{
		HeapTuple tuple = ExecCopySlotHeapTuple(slot);

		CHECK_FOR_INTERRUPTS();
		heap_insert(rel, tuple, command, HEAP_INSERT_SKIP_FSM | HEAP_INSERT_FROZEN, bulk);
		heap_freetuple(tuple);
	}
	FreeBulkInsertState(bulk);
	ExecDropSingleTupleTableSlot(slot);
}

void
at_let_go_reindex(Oid partition)
{
	ReindexParams params = {0};

	CommandCounterIncrement();
	at_reindex_relation(partition, REINDEX_REL_PROCESS_TOAST, &params);
	CommandCounterIncrement();
}

/* As heap does it: the access method refuses whoever asks it. */
void
at_let_go_note(AtLedgerTable table, ItemPointer tid)
{
	Relation rel;

	if (table != AT_LEDGER_ALERT_MATCH && table != AT_LEDGER_ALERT_JUDGEMENT)
		elog(ERROR, "rows of ledger table %d do not leave one by one", table);
	rel = table_open(at_ledger_relid(table), RowExclusiveLock);
	simple_heap_delete(rel, tid);
	table_close(rel, NoLock);
}

List *
at_ledger_leaves(AtLedgerTable table)
{
	List *all = find_all_inheritors(at_ledger_relid(table), AccessShareLock, NULL);
	List *leaves = NIL;
	ListCell *cell;

	foreach (cell, all)
		if (get_rel_relkind(lfirst_oid(cell)) != RELKIND_PARTITIONED_TABLE)
			leaves = lappend_oid(leaves, lfirst_oid(cell));
	return leaves;
}
