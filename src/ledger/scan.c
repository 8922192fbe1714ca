/*-------------------------------------------------------------------------
 * scan.c
 *		Rows of a ledger table by one of its indexes.
 *
 * Each partition has an index scan of its own that stays open; starting
 * again is a rescan. For equality a partition is skipped if the value is
 * outside of what its index spans, so that years of partitions cost next to
 * nothing when one transaction after the other is looked up. What it spans
 * is learned after some look-ups: whoever has few is done before.
 *
 * The order of merging is that of the last key column alone: whoever reads a
 * range by two columns reads a table without partitions.
 *
 * Invariant: parts in `active` stand on a row that was not given out yet,
 * except `given`, whose row is the one that the caller holds.
 *
 * A serializable transaction would take predicate locks, and so could make
 * writers fail that it has nothing to do with. There all versions of rows are
 * scanned, and the snapshot is asked about each (as in base/latest.c).
 *
 * Locks: AccessShareLock on partitions and indexes.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relscan.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/columns.h"
#include "base/compat.h"
#include "base/errors.h"
#include "ledger/cold.h"
#include "ledger/deferred.h"
#include "ledger/scan.h"

/* All scans have this number of keys, so that a scan can be used for anything. */
#define SCAN_KEYS 2

/* To learn what an index spans takes about as long: two of its pages are read from end to end. */
#define STARTS_BEFORE_SPAN 24

typedef struct IndexSpec
{
	AtLedgerTable table;
	int nkeys;
	AttrNumber key[2];
} IndexSpec;

static const IndexSpec index_specs[] = {
	[AT_SCAN_ALERT_BY_ID] = {AT_LEDGER_ALERT, 1, {Anum_alert_alert_id}},
	[AT_SCAN_ALERT_BY_XID] = {AT_LEDGER_ALERT, 2, {Anum_alert_xid, Anum_alert_alert_id}},
	[AT_SCAN_ALERT_ACTION_BY_XID] = {AT_LEDGER_ALERT_ACTION,
									 2,
									 {Anum_alert_action_xid, Anum_alert_action_action_id}},
	[AT_SCAN_ALERT_DELIVERY_BY_ALERT] = {AT_LEDGER_ALERT_DELIVERY,
										 1,
										 {Anum_alert_delivery_alert_id}},
	[AT_SCAN_ANCHOR_RECEIPT_BY_ID] = {AT_LEDGER_ANCHOR_RECEIPT,
									  1,
									  {Anum_anchor_receipt_receipt_id}},
	[AT_SCAN_ANCHOR_RECEIPT_BY_SIZE] = {AT_LEDGER_ANCHOR_RECEIPT, 1, {Anum_anchor_receipt_size}},
	[AT_SCAN_CHECKPOINT_BY_SIZE] = {AT_LEDGER_CHECKPOINT, 1, {Anum_checkpoint_size}},
	[AT_SCAN_DELETION_BY_LOG_INDEX] = {AT_LEDGER_DELETION, 1, {Anum_deletion_log_index}},
	[AT_SCAN_EVENT_BY_TX_ID] = {AT_LEDGER_EVENT, 2, {Anum_event_tx_id, Anum_event_ordinal}},
	[AT_SCAN_LEAF_TILE_BY_LOG_INDEX] = {AT_LEDGER_LEAF_TILE,
										2,
										{Anum_leaf_tile_log_index, Anum_leaf_tile_tile}},
	[AT_SCAN_LOG_ENTRY_BY_LOG_INDEX] = {AT_LEDGER_LOG_ENTRY, 1, {Anum_log_entry_log_index}},
	[AT_SCAN_LOG_TILE_BY_TILE] = {AT_LEDGER_LOG_TILE, 2, {Anum_log_tile_tile, Anum_log_tile_level}},
	[AT_SCAN_SESSION_BY_BACKEND] = {AT_LEDGER_SESSION,
									2,
									{Anum_session_started_at, Anum_session_backend_pid}},
	[AT_SCAN_SESSION_BY_SESSION_ID] = {AT_LEDGER_SESSION, 1, {Anum_session_session_id}},
	[AT_SCAN_TRANSACTION_BY_TX_ID] = {AT_LEDGER_TRANSACTION, 1, {Anum_transaction_tx_id}},
};

/* A partition, or the table itself where it has none. */
typedef struct Part
{
	Relation heap;
	AtColdScan *cold; /* of an archived one, which has no index; else NULL */
	Relation index;
	IndexScanDesc desc;
	TupleTableSlot *slot;
	int64 key; /* of the row in slot, first and last column */
	int64 place;

	/* first key columns that the index spans */
	int starts; /* while that is not known */
	bool span_known;
	int64 low;
	int64 high;
} Part;

typedef struct AtScanState
{
	const IndexSpec *spec;
	Snapshot snapshot;
	bool filtered;         /* all versions are scanned; see the head of this file */
	MemoryContext context; /* of the scans, which allocate as they go */
	int nparts;
	Part *part;
	int nactive;
	Part **active;
	Part *given;
} AtScanState;

static AtScan *open_parts(AtScanBy by, Snapshot snapshot, List *oids);
static void open_part(AtScanState *state, Relation heap);
static void open_cold(AtScanState *state, Relation cold);
static Relation open_index(Relation heap, const IndexSpec *spec);
static bool may_have(Part *part, int64 low, int64 high);
static void learn_span(Part *part);
static void make_range(ScanKey keys, int64 low, int64 high);
static void start(AtScanState *state, ScanKey keys, int64 low, int64 high, int32 first);
static void rescan_all(Part *part);
static bool fetch(AtScanState *state, Part *part);
static bool advance(AtScanState *state, Part *part);
static bool advance_cold(AtScanState *state, Part *part);
static int64 index_column(IndexScanDesc desc, int column);

AtScan *
at_scan_open(AtScanBy by, Snapshot snapshot)
{
	return open_parts(
		by, snapshot,
		find_all_inheritors(at_ledger_relid(index_specs[by].table), AccessShareLock, NULL));
}

AtScan *
at_scan_open_leaves(AtScanBy by, Snapshot snapshot, List *oids)
{
	return open_parts(by, snapshot, oids);
}

AtScan *
at_scan_open_leaf(AtScanBy by, Snapshot snapshot, Oid relid)
{
	LockRelationOid(relid, AccessShareLock);
	return open_parts(by, snapshot, list_make1_oid(relid));
}

/* Open the partitions, which are locked. */
static AtScan *
open_parts(AtScanBy by, Snapshot snapshot, List *oids)
{
	AtScan *scan = palloc0(sizeof(AtScan));
	AtScanState *state = palloc0(sizeof(AtScanState));
	ListCell *cell;

	state->spec = &index_specs[by];
	state->context = CurrentMemoryContext;
	state->snapshot = snapshot;
	state->filtered = IsolationIsSerializable();
	state->part = palloc0(sizeof(Part) * list_length(oids));
	state->active = palloc(sizeof(Part *) * list_length(oids));
	foreach (cell, oids)
		open_part(state, table_open(lfirst_oid(cell), NoLock));
	list_free(oids);
	scan->state = state;
	return scan;
}

/* Add a partition that has rows. */
static void
open_part(AtScanState *state, Relation heap)
{
	Part *part = &state->part[state->nparts];

	if (at_is_cold(heap))
	{
		open_cold(state, heap);
		return;
	}
	if (heap->rd_rel->relkind != RELKIND_RELATION || RelationGetNumberOfBlocks(heap) == 0)
	{
		table_close(heap, NoLock);
		return;
	}
	part->heap = heap;
	part->index = open_index(heap, state->spec);
	part->slot = table_slot_create(heap, NULL);
	part->desc = index_beginscan(heap, part->index, state->filtered ? SnapshotAny : state->snapshot,
								 NULL, SCAN_KEYS, 0);
	part->desc->xs_want_itup = true;
	if (at_is_deferred(part->index))
		at_deferred_scan_filled(part->desc);
	state->nparts++;
}

/* Add a partition that was archived. */
static void
open_cold(AtScanState *state, Relation cold)
{
	Part *part = &state->part[state->nparts++];

	part->heap = cold;
	part->cold = at_cold_open(cold, state->snapshot);
	part->slot = MakeSingleTupleTableSlot(RelationGetDescr(cold), &TTSOpsVirtual);
}

/* Does the index start with the columns wanted, and serve all rows? */
static bool
index_fits(Relation index, const IndexSpec *spec)
{
	Form_pg_index form = index->rd_index;

	if (!form->indisvalid || (index->rd_rel->relam != BTREE_AM_OID && !at_is_deferred(index)) ||
		form->indnkeyatts != spec->nkeys || RelationGetIndexPredicate(index) != NIL)
		return false;
	for (int i = 0; i < spec->nkeys; i++)
		if (form->indkey.values[i] != spec->key[i])
			return false;
	return true;
}

static Relation
open_index(Relation heap, const IndexSpec *spec)
{
	List *oids = RelationGetIndexList(heap);
	ListCell *cell;

	foreach (cell, oids)
	{
		Relation index = index_open(lfirst_oid(cell), AccessShareLock);

		if (index_fits(index, spec))
		{
			list_free(oids);
			return index;
		}
		index_close(index, NoLock);
	}
	ereport(ERROR, (errcode(ERRCODE_AT_INTEGRITY),
					errmsg("ledger table \"%s\" lacks an index", RelationGetRelationName(heap)),
					errdetail("There is no valid one on \"%s\".",
							  get_attname(RelationGetRelid(heap), spec->key[0], false)),
					errhint("SELECT * FROM audit.doctor();")));
}

void
at_scan_start(AtScan *scan, int64 low, int64 high)
{
	ScanKeyData keys[SCAN_KEYS];

	make_range(keys, low, high);
	start(scan->state, keys, low, high, 0);
}

void
at_scan_start_within(AtScan *scan, int64 key, int32 first)
{
	ScanKeyData keys[SCAN_KEYS];

	ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(key));
	ScanKeyInit(&keys[1], 2, BTGreaterEqualStrategyNumber, F_INT4GE, Int32GetDatum(first));
	start(scan->state, keys, key, key, first);
}

static void
make_range(ScanKey keys, int64 low, int64 high)
{
	ScanKeyInit(&keys[0], 1, BTGreaterEqualStrategyNumber, F_INT8GE, Int64GetDatum(low));
	ScanKeyInit(&keys[1], 1, BTLessEqualStrategyNumber, F_INT8LE, Int64GetDatum(high));
}

/* Start every partition that spans something of what is wanted. */
static void
start(AtScanState *state, ScanKey keys, int64 low, int64 high, int32 first)
{
	AtColdWanted wanted = at_cold_all;
	MemoryContext save = MemoryContextSwitchTo(state->context);

	wanted.low = low;
	wanted.high = high;
	wanted.first_ordinal = first;
	state->given = NULL;
	state->nactive = 0;
	for (int i = 0; i < state->nparts; i++)
	{
		Part *part = &state->part[i];

		if (!may_have(part, low, high))
			continue;
		if (part->cold != NULL)
			at_cold_start(part->cold, &wanted);
		else
			index_rescan(part->desc, keys, SCAN_KEYS, NULL, 0);
		if (advance(state, part))
			state->active[state->nactive++] = part;
	}
	MemoryContextSwitchTo(save);
}

/* Can the partition have something in a range, as far as is known? An archived one knows its span.
 */
static bool
may_have(Part *part, int64 low, int64 high)
{
	if (!part->span_known && (part->cold != NULL || ++part->starts > STARTS_BEFORE_SPAN))
		learn_span(part);
	return !part->span_known || (part->low <= high && part->high >= low);
}

/* Start a partition's scan over all that it has. */
static void
rescan_all(Part *part)
{
	ScanKeyData keys[SCAN_KEYS];

	make_range(keys, PG_INT64_MIN, PG_INT64_MAX);
	index_rescan(part->desc, keys, SCAN_KEYS, NULL, 0);
}

/*
 * Ask the index for its ends. Entries that come later belong to rows which
 * the snapshot does not see.
 */
static void
learn_span(Part *part)
{
	part->low = PG_INT64_MAX;
	part->high = PG_INT64_MIN;
	part->span_known = true;
	if (part->cold != NULL)
	{
		(void) at_cold_span(part->cold, &part->low, &part->high);
		return;
	}
	rescan_all(part);
	if (index_getnext_tid(part->desc, ForwardScanDirection) != NULL)
		part->low = index_column(part->desc, 1);
	rescan_all(part);
	if (index_getnext_tid(part->desc, BackwardScanDirection) != NULL)
		part->high = index_column(part->desc, 1);
}

/* A column of the index entry that the scan stands on; bigint or int. */
static int64
index_column(IndexScanDesc desc, int column)
{
	bool isnull;
	Datum value = index_getattr(desc->xs_itup, column, desc->xs_itupdesc, &isnull);

	if (TupleDescAttr(desc->xs_itupdesc, column - 1)->attlen == sizeof(int32))
		return DatumGetInt32(value);
	return DatumGetInt64(value);
}

static void
read_key(AtScanState *state, Part *part)
{
	part->key = index_column(part->desc, 1);
	part->place =
		state->spec->nkeys == 1 ? part->key : index_column(part->desc, state->spec->nkeys);
}

/* Get the row of the entry that the scan stands on; false if the snapshot does not see it. */
static bool
fetch(AtScanState *state, Part *part)
{
	return index_fetch_heap(part->desc, part->slot) &&
		   (!state->filtered ||
			table_tuple_satisfies_snapshot(part->heap, part->slot, state->snapshot));
}

/* Step to the partition's next row. */
static bool
advance(AtScanState *state, Part *part)
{
	MemoryContext save = MemoryContextSwitchTo(state->context);
	bool found = part->cold != NULL && advance_cold(state, part);

	while (!found && part->cold == NULL &&
		   index_getnext_tid(part->desc, ForwardScanDirection) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		read_key(state, part);
		found = fetch(state, part);
	}
	MemoryContextSwitchTo(save);
	return found;
}

/* The same in an archived partition. */
static bool
advance_cold(AtScanState *state, Part *part)
{
	if (!at_cold_next(part->cold, part->slot))
		return false;
	part->key = DatumGetInt64(part->slot->tts_values[state->spec->key[0] - 1]);
	part->place = part->key;
	if (state->spec->nkeys > 1)
		part->place = DatumGetInt32(part->slot->tts_values[state->spec->key[1] - 1]);
	return true;
}

/* Go to the last row of an archived partition: how many have the last tx_id is counted first. */
static bool
last_of_cold(AtScanState *state, Part *part)
{
	AtColdWanted wanted = at_cold_all;
	int count = 0;

	if (!at_cold_span(part->cold, &wanted.low, &wanted.high))
		return false;
	wanted.low = wanted.high;
	at_cold_start(part->cold, &wanted);
	while (advance_cold(state, part))
		count++;
	at_cold_start(part->cold, &wanted);
	for (int i = 0; i < count; i++)
		(void) advance_cold(state, part);
	return count > 0;
}

bool
at_scan_next(AtScan *scan)
{
	AtScanState *state = scan->state;

	CHECK_FOR_INTERRUPTS();
	if (state->given != NULL && !advance(state, state->given))
	{
		for (int i = 0; i < state->nactive; i++)
			if (state->active[i] == state->given)
				state->active[i] = state->active[state->nactive - 1];
		state->nactive--;
	}
	state->given = NULL;
	for (int i = 0; i < state->nactive; i++)
		if (state->given == NULL || state->active[i]->place < state->given->place)
			state->given = state->active[i];
	if (state->given == NULL)
		return false;
	scan->slot = state->given->slot;
	scan->key = state->given->key;
	scan->place = state->given->place;
	return true;
}

bool
at_scan_last(AtScan *scan)
{
	AtScanState *state = scan->state;
	MemoryContext save = MemoryContextSwitchTo(state->context);
	Part *found = NULL;

	state->given = NULL;
	state->nactive = 0;
	for (int i = 0; i < state->nparts; i++)
	{
		Part *part = &state->part[i];

		if (part->cold != NULL)
		{
			if (last_of_cold(state, part) && (found == NULL || part->key > found->key))
				found = part;
			continue;
		}
		rescan_all(part);
		while (index_getnext_tid(part->desc, BackwardScanDirection) != NULL)
		{
			if (!fetch(state, part))
				continue;
			read_key(state, part);
			if (found == NULL || part->key > found->key)
				found = part;
			break;
		}
	}
	MemoryContextSwitchTo(save);
	if (found == NULL)
		return false;
	scan->slot = found->slot;
	scan->key = found->key;
	scan->place = found->place;
	return true;
}

void
at_scan_close(AtScan *scan)
{
	AtScanState *state = scan->state;

	for (int i = 0; i < state->nparts; i++)
	{
		Part *part = &state->part[i];

		ExecDropSingleTupleTableSlot(part->slot);
		if (part->cold != NULL)
			at_cold_close(part->cold);
		else
		{
			index_endscan(part->desc);
			index_close(part->index, NoLock);
		}
		table_close(part->heap, NoLock);
	}
	pfree(state->part);
	pfree(state->active);
	pfree(state);
	pfree(scan);
}

/* All rows of one partition. */
static uint64
scan_heap_part(Relation heap, Snapshot snapshot, AtHeapRow row, void *arg)
{
	bool filtered = IsolationIsSerializable();
	TableScanDesc scan = table_beginscan(heap, filtered ? SnapshotAny : snapshot, 0, NULL);
	TupleTableSlot *slot = table_slot_create(heap, NULL);
	uint64 count = 0;

	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		CHECK_FOR_INTERRUPTS();
		if (filtered && !table_tuple_satisfies_snapshot(heap, slot, snapshot))
			continue;
		count++;
		if (row != NULL)
			row(slot, arg);
	}
	ExecDropSingleTupleTableSlot(slot);
	table_endscan(scan);
	return count;
}

/* The same of an archived one. */
static uint64
scan_cold_part(Relation cold, Snapshot snapshot, AtHeapRow row, void *arg)
{
	AtColdScan *scan = at_cold_open(cold, snapshot);
	TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(cold), &TTSOpsVirtual);
	uint64 count = 0;

	at_cold_start(scan, &at_cold_all);
	while (at_cold_next(scan, slot))
	{
		count++;
		if (row != NULL)
			row(slot, arg);
	}
	ExecDropSingleTupleTableSlot(slot);
	at_cold_close(scan);
	return count;
}

uint64
at_scan_heap_leaf(Oid relid, Snapshot snapshot, AtHeapRow row, void *arg)
{
	Relation heap = table_open(relid, NoLock);
	uint64 count = scan_heap_part(heap, snapshot, row, arg);

	table_close(heap, NoLock);
	return count;
}

uint64
at_scan_heap(AtLedgerTable table, Snapshot snapshot, AtHeapRow row, void *arg)
{
	List *oids = find_all_inheritors(at_ledger_relid(table), AccessShareLock, NULL);
	ListCell *cell;
	uint64 count = 0;

	foreach (cell, oids)
	{
		Relation heap = table_open(lfirst_oid(cell), NoLock);

		if (heap->rd_rel->relkind == RELKIND_RELATION)
			count += scan_heap_part(heap, snapshot, row, arg);
		else if (at_is_cold(heap))
			count += scan_cold_part(heap, snapshot, row, arg);
		table_close(heap, NoLock);
	}
	list_free(oids);
	return count;
}
