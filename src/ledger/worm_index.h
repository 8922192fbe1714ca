/*-------------------------------------------------------------------------
 * worm_index.h
 *		Index builds on tables of the access method audit_worm.
 *
 * Two callbacks of TableAmRoutine. Heap's own cannot serve: they insist on
 * heap's routine pointer in the relation, and to lend it to them would open
 * the table to the functions of an index on an expression, which run
 * meanwhile.
 *-------------------------------------------------------------------------
 */
#ifndef AT_WORM_INDEX_H
#define AT_WORM_INDEX_H

#include "access/tableam.h"
#include "catalog/index.h"

/* See table_index_build_range_scan(). */
extern double at_worm_index_build_range_scan(Relation table, Relation index, IndexInfo *info,
											 bool allow_sync, bool anyvisible, bool progress,
											 BlockNumber start_block, BlockNumber nblocks,
											 IndexBuildCallback callback, void *callback_state,
											 TableScanDesc scan);

/* See table_index_validate_scan(). */
extern void at_worm_index_validate_scan(Relation table, Relation index, IndexInfo *info,
										Snapshot snapshot, ValidateIndexState *state);

#endif
