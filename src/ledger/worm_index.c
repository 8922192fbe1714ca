/*-------------------------------------------------------------------------
 * worm_index.c
 *		Index builds on tables of the access method audit_worm.
 *
 * A row has one version only: there are no HOT chains to follow, and no row
 * was ever deleted. So a build is a plain scan, and a heap-only tuple is
 * the sign of a change from outside.
 *
 * Locks: the caller's on the table; buffers are share-locked while a
 * version is judged.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/xact.h"
#include "commands/progress.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "storage/procarray.h"
#include "utils/backend_progress.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/tuplesort.h"

#include "base/compat.h"
#include "ledger/deferred.h"
#include "ledger/deferred_fill.h"
#include "ledger/worm_index.h"

/* State of an index build, or of the second look of a concurrent one. */
typedef struct AtIndexing
{
	Relation table;
	Relation index;
	IndexInfo *info;
	EState *estate;
	ExprContext *econtext;
	ExprState *predicate;
	AtDeferredBuilder *deferred; /* of a deferred index; made at its first row */
	TupleTableSlot *slot;
	Datum values[INDEX_MAX_KEYS];
	bool isnull[INDEX_MAX_KEYS];
} AtIndexing;

/* Whether a version that no MVCC snapshot has filtered goes into an index. */
typedef struct AtVersion
{
	bool wanted;
	bool alive;     /* counts for uniqueness */
	bool countable; /* counts for the statistics */
} AtVersion;

static void
at_indexing_begin(AtIndexing *ix, Relation table, Relation index, IndexInfo *info)
{
	ix->table = table;
	ix->index = index;
	ix->info = info;
	ix->deferred = NULL;
	ix->estate = CreateExecutorState();
	ix->econtext = GetPerTupleExprContext(ix->estate);
	ix->slot = table_slot_create(table, NULL);
	ix->econtext->ecxt_scantuple = ix->slot;
	ix->predicate = ExecPrepareQual(info->ii_Predicate, ix->estate);
}

static void
at_indexing_end(AtIndexing *ix)
{
	ExecDropSingleTupleTableSlot(ix->slot);
	FreeExecutorState(ix->estate);
	/* these pointed into the state that is gone */
	ix->info->ii_ExpressionsState = NIL;
	ix->info->ii_PredicateState = NULL;
}

/* Next row of the scan, which stays in ix->slot; false at the end. */
static bool
at_indexing_next(AtIndexing *ix, TableScanDesc scan)
{
	CHECK_FOR_INTERRUPTS();
	if (!table_scan_getnextslot(scan, ForwardScanDirection, ix->slot))
		return false;
	if (HeapTupleIsHeapOnly(ExecFetchSlotHeapTuple(ix->slot, false, NULL)))
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("row (%u,%u) of \"%s\" has been updated",
							   ItemPointerGetBlockNumber(&ix->slot->tts_tid),
							   ItemPointerGetOffsetNumber(&ix->slot->tts_tid),
							   RelationGetRelationName(ix->table)),
						errdetail("The table is write-once, so it was changed from outside.")));
	return true;
}

/* Put the index columns of the row into ix->values; false if the index is not about it. */
static bool
at_indexing_form(AtIndexing *ix)
{
	MemoryContextReset(ix->econtext->ecxt_per_tuple_memory);
	if (at_is_deferred(ix->index) &&
		!at_deferred_build_takes(&ix->deferred, ix->table, ix->index, ix->slot))
		return false;
	if (ix->predicate != NULL && !ExecQual(ix->predicate, ix->econtext))
		return false;
	FormIndexDatum(ix->info, ix->slot, ix->estate, ix->values, ix->isnull);
	return true;
}

/*
 * Judge a version as found by SnapshotAny. Nothing is ever deleted here, so
 * what is dead was never committed, and what is in progress is being
 * inserted: by us or, where the caller's lock lets somebody write, by others.
 */
static AtVersion
at_indexing_judge(AtIndexing *ix, TransactionId oldest_xmin)
{
	Buffer buffer = ((BufferHeapTupleTableSlot *) ix->slot)->buffer;
	HeapTuple tuple = ExecFetchSlotHeapTuple(ix->slot, false, NULL);
	bool unique = ix->info->ii_Unique || ix->info->ii_ExclusionOps != NULL;

	for (;;)
	{
		TransactionId inserter;
		HTSV_Result state;
		bool ours;

		LockBuffer(buffer, BUFFER_LOCK_SHARE);
		state = HeapTupleSatisfiesVacuum(tuple, oldest_xmin, buffer);
		inserter = HeapTupleHeaderGetXmin(tuple->t_data);
		LockBuffer(buffer, BUFFER_LOCK_UNLOCK);

		if (state == HEAPTUPLE_DEAD)
			return (AtVersion){.wanted = false};
		if (state == HEAPTUPLE_RECENTLY_DEAD)
			return (AtVersion){.wanted = true};
		ours = TransactionIdIsCurrentTransactionId(inserter);
		if (state != HEAPTUPLE_INSERT_IN_PROGRESS || ours || !unique)
			return (AtVersion){.wanted = true,
							   .alive = true,
							   .countable = state != HEAPTUPLE_INSERT_IN_PROGRESS || ours};

		/* it may be a duplicate only if it commits */
		XactLockTableWait(inserter, ix->table, &tuple->t_self, XLTW_InsertIndexUnique);
	}
}

/* How many blocks the scan will read, all processes of a parallel one together. */
static BlockNumber
at_indexing_blocks(TableScanDesc scan)
{
	if (scan->rs_parallel != NULL)
		return ((ParallelBlockTableScanDesc) scan->rs_parallel)->phs_nblocks;
	return ((HeapScanDesc) scan)->rs_nblocks;
}

/* Hand all rows of the scan that belong into the index to callback; returns how many are live. */
static double
at_indexing_scan(AtIndexing *ix, TableScanDesc scan, TransactionId oldest_xmin, bool progress,
				 IndexBuildCallback callback, void *callback_state)
{
	double reltuples = 0;
	BlockNumber reported = InvalidBlockNumber;

	while (at_indexing_next(ix, scan))
	{
		BlockNumber block = ((HeapScanDesc) scan)->rs_cblock;
		AtVersion version = {.wanted = true, .alive = true, .countable = true};

		if (progress && block != reported)
			pgstat_progress_update_param(PROGRESS_SCAN_BLOCKS_DONE, block);
		reported = block;
		if (scan->rs_snapshot == SnapshotAny)
			version = at_indexing_judge(ix, oldest_xmin);
		reltuples += version.countable ? 1 : 0;
		if (version.wanted && at_indexing_form(ix))
			callback(ix->index, &ix->slot->tts_tid, ix->values, ix->isnull, version.alive,
					 callback_state);
	}
	return reltuples;
}

/*
 * Scan for an index build. A concurrent build indexes what a snapshot sees
 * and leaves the rest to at_worm_index_validate_scan(); any other sees all
 * versions, because it must also index our own uncommitted rows.
 */
double
at_worm_index_build_range_scan(Relation table, Relation index, IndexInfo *info, bool allow_sync,
							   bool anyvisible, bool progress, BlockNumber start_block,
							   BlockNumber nblocks, IndexBuildCallback callback,
							   void *callback_state, TableScanDesc scan)
{
	AtIndexing ix;
	Snapshot registered = NULL;
	TransactionId oldest_xmin = InvalidTransactionId;
	double reltuples;

	at_indexing_begin(&ix, table, index, info);
	if (!info->ii_Concurrent)
		oldest_xmin = GetOldestNonRemovableTransactionId(table);
	if (scan == NULL) /* else a parallel build, where the leader has taken the snapshot */
	{
		if (info->ii_Concurrent)
			registered = RegisterSnapshot(GetTransactionSnapshot());
		scan = table_beginscan_strat(table, registered != NULL ? registered : SnapshotAny, 0, NULL,
									 true, allow_sync);
	}
	if (!allow_sync)
		heap_setscanlimits(scan, start_block, nblocks);

	if (progress)
		pgstat_progress_update_param(PROGRESS_SCAN_BLOCKS_TOTAL, at_indexing_blocks(scan));
	reltuples = at_indexing_scan(&ix, scan, oldest_xmin, progress, callback, callback_state);
	if (progress)
		pgstat_progress_update_param(PROGRESS_SCAN_BLOCKS_DONE, at_indexing_blocks(scan));

	table_endscan(scan);
	if (registered != NULL)
		UnregisterSnapshot(registered);
	at_indexing_end(&ix);
	return reltuples;
}

/* Move on in the sorted TIDs of the index until tid is reached or passed: is it there? */
static bool
at_index_has(ValidateIndexState *state, ItemPointer cursor, bool *exhausted, ItemPointer tid)
{
	while (!*exhausted && ItemPointerCompare(cursor, tid) < 0)
	{
		Datum encoded;
		bool isnull;

		*exhausted = !tuplesort_getdatum(state->tuplesort, true, false, &encoded, &isnull, NULL);
		if (!*exhausted)
			itemptr_decode(cursor, DatumGetInt64(encoded));
	}
	return !*exhausted && ItemPointerEquals(cursor, tid);
}

/*
 * Second look of a concurrent index build: insert the rows of the snapshot
 * that are not in the index yet. Rows come in the order of their TIDs, so
 * the scan must start at the first block.
 */
void
at_worm_index_validate_scan(Relation table, Relation index, IndexInfo *info, Snapshot snapshot,
							ValidateIndexState *state)
{
	AtIndexing ix;
	ItemPointerData cursor;
	bool exhausted = false;
	TableScanDesc scan;

	ItemPointerSet(&cursor, 0, InvalidOffsetNumber); /* before any TID */
	at_indexing_begin(&ix, table, index, info);
	scan = table_beginscan_strat(table, snapshot, 0, NULL, true, false);
	while (at_indexing_next(&ix, scan))
	{
		state->htups += 1;
		if (at_index_has(state, &cursor, &exhausted, &ix.slot->tts_tid) || !at_indexing_form(&ix))
			continue;
		/* the sealer may have been here since the index was read */
		if (at_is_deferred(index) &&
			at_deferred_has(index, ix.values, ix.isnull, &ix.slot->tts_tid))
			continue;
		index_insert(index, ix.values, ix.isnull, &ix.slot->tts_tid, table,
					 info->ii_Unique ? UNIQUE_CHECK_YES : UNIQUE_CHECK_NO, false, info);
		state->tups_inserted += 1;
	}
	table_endscan(scan);
	at_indexing_end(&ix);
}
