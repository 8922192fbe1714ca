/*-------------------------------------------------------------------------
 * cold_sample.c
 *		ANALYZE of archived partitions.
 *
 * Of a large one only each n-th segment is read, and of these a random sample of rows is taken.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "common/pg_prng.h"
#include "executor/tuptable.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "ledger/cold.h"
#include "ledger/cold_sample.h"

/* So many segments are read, about. */
#define SAMPLED_SEGMENTS 200

static int sample_rows(Relation rel, int level, HeapTuple *rows, int wanted, double *live,
					   double *dead);

bool
at_cold_analyze(Relation rel, AcquireSampleRowsFunc *sample, BlockNumber *pages)
{
	Relation store = at_cold_open_store(at_cold_store(RelationGetRelid(rel)), AccessShareLock);

	*pages = Max(1, RelationGetNumberOfBlocks(store));
	table_close(store, NoLock);
	*sample = sample_rows;
	return true;
}

static int
sample_rows(Relation rel, int level, HeapTuple *rows, int wanted, double *live, double *dead)
{
	Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
	AtColdScan *scan = at_cold_open(rel, snapshot);
	TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(rel), &TTSOpsVirtual);
	AtColdWanted sampled = at_cold_all;
	int64 total = at_cold_rows(scan, &sampled.each);
	int64 seen = 0;
	int kept = 0;

	sampled.each = Max(1, sampled.each / SAMPLED_SEGMENTS);
	at_cold_start(scan, &sampled);
	while (at_cold_next(scan, slot))
	{
		int64 place =
			kept < wanted ? kept : (int64) pg_prng_uint64_range(&pg_global_prng_state, 0, seen);

		seen++;
		if (place >= wanted)
			continue;
		if (kept < wanted)
			kept++;
		else
			heap_freetuple(rows[place]);
		rows[place] = ExecCopySlotHeapTuple(slot);
	}
	ExecDropSingleTupleTableSlot(slot);
	at_cold_close(scan);
	UnregisterSnapshot(snapshot);
	*live = total;
	*dead = 0;
	return kept;
}
