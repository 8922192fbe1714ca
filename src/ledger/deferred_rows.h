/*-------------------------------------------------------------------------
 * deferred_rows.h
 *		The rows that a scan of a deferred index has to give besides its entries:
 *		those of transactions that the log has not come to.
 *
 * Events are found by the places that their transaction's row has (place.h).
 *-------------------------------------------------------------------------
 */
#ifndef AT_DEFERRED_ROWS_H
#define AT_DEFERRED_ROWS_H

#include "access/relscan.h"
#include "storage/itemptr.h"
#include "utils/relcache.h"

#include "ledger/unsealed.h"

typedef struct AtDeferredRow
{
	ItemPointerData tid;
	Datum *key; /* of the index, and which of its columns are null */
	bool *nulls;
} AtDeferredRow;

/* All zero: none. */
typedef struct AtDeferredRows
{
	int count;
	int capacity;
	AtDeferredRow *row;   /* by key, and then by place */
	ItemPointerData *tid; /* of all of them, sorted */
} AtDeferredRows;

/*
 * Read those of transactions with these tx_id, both included, in place of what was read before.
 * Keys are copied into the current context, which must be the same each time and outlive the rows;
 * nothing is freed. AccessShareLock stays on what is read.
 */
extern void at_deferred_rows_read(AtDeferredRows *rows, IndexScanDesc desc,
								  const AtUnsealed *unsealed, int64 low, int64 high);

/* Is the row at this place among them? */
extern bool at_deferred_rows_have(const AtDeferredRows *rows, const ItemPointerData *tid);

/* Below 0, 0 or above: two keys in the order of the index; nulls are last. */
extern int at_deferred_compare(Relation index, const Datum *key, const bool *nulls,
							   const Datum *other, const bool *other_nulls);

#endif
