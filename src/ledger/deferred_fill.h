/*-------------------------------------------------------------------------
 * deferred_fill.h
 *		The sealer's part of deferred indexes: making the entries.
 *-------------------------------------------------------------------------
 */
#ifndef AT_DEFERRED_FILL_H
#define AT_DEFERRED_FILL_H

#include "access/genam.h"
#include "access/htup.h"
#include "access/tupdesc.h"
#include "nodes/execnodes.h"

/*
 * Fills the indexes of audit.event and audit.transaction; lives in the context in which it was
 * opened. The caller holds RowExclusiveLock on the tables and their partitions. `careful`: some
 * entries may be there already.
 */
typedef struct AtDeferredFill AtDeferredFill;
extern AtDeferredFill *at_deferred_fill_open(bool careful);

/*
 * Add the entries of a stored event that are left to the sealer, to which its place has led; the
 * slot is deformed.
 */
extern void at_deferred_fill_add_event(AtDeferredFill *fill, TupleTableSlot *slot);

/* Add those of a stored transaction; t_tableOid and t_self say where it is. */
extern void at_deferred_fill_add_transaction(AtDeferredFill *fill, HeapTuple row, TupleDesc desc);

/* What was added is in the indexes only after this. */
extern void at_deferred_fill_close(AtDeferredFill *fill);

/*
 * While an index is built: does it get an entry for this row now? Not if the
 * sealer will make it. `builder` is made at the first call, in the current context.
 */
typedef struct AtDeferredBuilder AtDeferredBuilder;
extern bool at_deferred_build_takes(AtDeferredBuilder **builder, Relation heap, Relation index,
									TupleTableSlot *slot);

/* A scan of the btree underneath alone; end it with at_deferred_end_btree(). */
extern IndexScanDesc at_deferred_begin_btree(Relation index, int nkeys);
extern void at_deferred_end_btree(IndexScanDesc scan);

/* Has the index the entry already? Key and nulls are those of its columns. */
extern bool at_deferred_has(Relation index, const Datum *key, const bool *nulls, ItemPointer tid);

#endif
