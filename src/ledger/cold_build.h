/*-------------------------------------------------------------------------
 * cold_build.h
 *		Making the segments of a store (cold.h) out of rows.
 *-------------------------------------------------------------------------
 */
#ifndef AT_COLD_BUILD_H
#define AT_COLD_BUILD_H

#include "executor/tuptable.h"
#include "utils/relcache.h"
#include "utils/tuplestore.h"

/* A segment ends behind so many rows, or bytes before they are compressed. */
#define AT_COLD_SEGMENT_ROWS  1000
#define AT_COLD_SEGMENT_BYTES (4 * 1024 * 1024)

typedef struct AtColdTotals
{
	int64 rows;
	int64 segments;
	int64 bytes; /* stored */
} AtColdTotals;

typedef struct AtColdBuild AtColdBuild;

/*
 * Begin the store with this name, which is a table of the columns of
 * audit.segment; its rows get this name of the partition. Memory does not depend on how many
 * rows come.
 */
extern AtColdBuild *at_cold_build_open(Relation store, int32 store_id, TupleDesc desc,
									   const char *partition_name, Tuplestorestate *into);

/* Add a row, in the order of tx_id and ordinal. */
extern void at_cold_build_add(AtColdBuild *build, TupleTableSlot *slot);

/* Write what is left, and tell what there is in all. */
extern AtColdTotals at_cold_build_close(AtColdBuild *build);

#endif
