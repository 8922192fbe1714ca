/*-------------------------------------------------------------------------
 * cold_change.c
 *		What becomes of archived partitions later.
 *
 * Where rows leave, what stays is packed into segments anew: a segment tells
 * how many it has, and has no room for gaps. A file that is of no use any more is
 * removed when that is committed.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/tuplestore.h"

#include "base/columns.h"
#include "ledger/cold.h"
#include "ledger/cold_build.h"
#include "ledger/cold_change.h"
#include "ledger/cold_leftover.h"
#include "ledger/cold_segment.h"
#include "ledger/own_command.h"
#include "ledger/owner.h"

static uint64 sift(Relation cold, AtLetGo goes, void *arg, AtColdBuild *stay);
static void set_segments(const char *name, int64 segments);
static void remove_files(int32 store_id);

static int64
size_of(Relation store)
{
	return DatumGetInt64(
		DirectFunctionCall1(pg_total_relation_size, ObjectIdGetDatum(RelationGetRelid(store))));
}

uint64
at_cold_let_go(Oid partition, AtLetGo goes, void *arg, int64 *bytes)
{
	Relation cold = table_open(partition, AccessShareLock);
	int32 store_id = at_cold_store(partition);
	uint64 count = sift(cold, goes, arg, NULL);
	Tuplestorestate *rows;
	Relation store;
	Oid store_relid;
	AtColdBuild *build;
	AtColdTotals totals;
	int64 before;

	table_close(cold, AccessShareLock);
	if (count == 0)
		return 0;
	cold = table_open(partition, AccessExclusiveLock);
	store = at_cold_open_store(store_id, AccessExclusiveLock);
	store_relid = RelationGetRelid(store);
	before = size_of(store);
	rows = tuplestore_begin_heap(false, false, maintenance_work_mem);
	build = at_cold_build_open(store, store_id, RelationGetDescr(cold),
							   RelationGetRelationName(cold), rows);
	count = sift(cold, goes, arg, build);
	remove_files(store_id);
	totals = at_cold_build_close(build);
	at_let_go_replace(store, rows);
	tuplestore_end(rows);
	table_close(store, NoLock);
	table_close(cold, NoLock);
	at_let_go_reindex(store_relid);
	set_segments(get_rel_name(partition), totals.segments);
	if (bytes != NULL)
	{
		store = table_open(store_relid, NoLock);
		*bytes = before - size_of(store);
		table_close(store, NoLock);
	}
	return count;
}

/* Count what goes, and have what stays packed. */
static uint64
sift(Relation cold, AtLetGo goes, void *arg, AtColdBuild *stay)
{
	bool is_event = at_cold_kind(RelationGetDescr(cold)) == AT_COLD_EVENTS;
	Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
	AtColdScan *scan = at_cold_open(cold, snapshot);
	TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(cold), &TTSOpsVirtual);
	uint64 count = 0;

	at_cold_start(scan, &at_cold_all);
	while (at_cold_next(scan, slot))
	{
		uint64 tx_id = DatumGetInt64(slot->tts_values[Anum_event_tx_id - 1]);
		uint32 ordinal = is_event ? DatumGetInt32(slot->tts_values[Anum_event_ordinal - 1]) : 0;

		if (goes(tx_id, ordinal, arg))
			count++;
		else if (stay != NULL)
			at_cold_build_add(stay, slot);
	}
	ExecDropSingleTupleTableSlot(slot);
	at_cold_close(scan);
	UnregisterSnapshot(snapshot);
	return count;
}

/* The foreign table knows how many segments there are. */
static void
set_segments(const char *name, int64 segments)
{
	AtOwnerState state;

	at_owner_enter(&state);
	SPI_connect();
	at_own_command(psprintf(
		"ALTER FOREIGN TABLE audit.%s OPTIONS (SET segments '" INT64_FORMAT "')", name, segments));
	SPI_finish();
	at_owner_leave(&state);
}

/* What was in files is in the store again, and no file may keep what has left. */
static void
remove_files(int32 store_id)
{
	Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
	AtSegmentScan *scan = at_segment_scan_open(store_id, snapshot);
	const AtSegmentRow *row;
	char *last = NULL;

	while ((row = at_segment_scan_next(scan)) != NULL)
	{
		if (row->file == NULL || (last != NULL && strcmp(last, row->file) == 0))
			continue;
		last = pstrdup(row->file);
		at_cold_leftover_going(last);
	}
	at_segment_scan_close(scan);
	UnregisterSnapshot(snapshot);
}
