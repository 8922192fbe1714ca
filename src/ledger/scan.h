/*-------------------------------------------------------------------------
 * scan.h
 *		Rows of a ledger table by one of its indexes, straight from the access
 *		methods: no planner, no executor, no privileges.
 *
 * A partitioned table is read through all of its partitions that hold
 * anything, merged into one order. The partitions are listed once, at
 * open: rows that the snapshot sees cannot come into others later.
 *
 * A scan stays open for as long as its owner wants and can be started again
 * and again. It holds AccessShareLock on what it reads until the end of the
 * transaction.
 *-------------------------------------------------------------------------
 */
#ifndef AT_SCAN_H
#define AT_SCAN_H

#include "executor/tuptable.h"
#include "nodes/pg_list.h"
#include "utils/snapshot.h"

#include "base/catalog.h"

/* The indexes that scans can use; all of them start with a bigint. */
typedef enum AtScanBy
{
	AT_SCAN_ALERT_BY_ID,
	AT_SCAN_ALERT_BY_XID,        /* then alert_id */
	AT_SCAN_ALERT_ACTION_BY_XID, /* then action_id */
	AT_SCAN_ALERT_DELIVERY_BY_ALERT,
	AT_SCAN_ANCHOR_RECEIPT_BY_ID,
	AT_SCAN_ANCHOR_RECEIPT_BY_SIZE,
	AT_SCAN_CHECKPOINT_BY_SIZE,
	AT_SCAN_DELETION_BY_LOG_INDEX,
	AT_SCAN_EVENT_BY_TX_ID,         /* then ordinal; without what is left to the sealer */
	AT_SCAN_LEAF_TILE_BY_LOG_INDEX, /* then tile */
	AT_SCAN_LOG_ENTRY_BY_LOG_INDEX,
	AT_SCAN_LOG_TILE_BY_TILE,   /* then level */
	AT_SCAN_SESSION_BY_BACKEND, /* started_at, which is eight bytes too; then backend_pid */
	AT_SCAN_SESSION_BY_SESSION_ID,
	AT_SCAN_TRANSACTION_BY_TX_ID
} AtScanBy;

typedef struct AtScan
{
	/* the row that at_scan_next() or at_scan_last() found; valid until the next call */
	TupleTableSlot *slot;
	int64 key;   /* its first key column as the index has it, whatever the row says */
	int64 place; /* its last key column, likewise */

	struct AtScanState *state;
} AtScan;

/* Open; ERRCODE_AT_NO_LEDGER without a ledger, ERRCODE_AT_INTEGRITY without the index. */
extern AtScan *at_scan_open(AtScanBy by, Snapshot snapshot);

/* Open for one partition of the table, or for several, a list of oids that is freed; those are
 * locked. */
extern AtScan *at_scan_open_leaf(AtScanBy by, Snapshot snapshot, Oid relid);
extern AtScan *at_scan_open_leaves(AtScanBy by, Snapshot snapshot, List *oids);

/* Start (again): rows whose first key column is from `low` to `high`, both included. */
extern void at_scan_start(AtScan *scan, int64 low, int64 high);

/* The same for one first key column, and a last one, an int, from `first` on. */
extern void at_scan_start_within(AtScan *scan, int64 key, int32 first);

/* Go to the next row in the order of the last key column; false at the end. */
extern bool at_scan_next(AtScan *scan);

/* Go to the row with the largest first key column; false if there is none. */
extern bool at_scan_last(AtScan *scan);

extern void at_scan_close(AtScan *scan);

/*
 * Call back for every row of a table that the snapshot sees, in no order and
 * without an index; returns their number. Without a callback it only counts,
 * as at_scan_heap_leaf() does in one partition, which is locked.
 */
typedef void (*AtHeapRow)(TupleTableSlot *slot, void *arg);
extern uint64 at_scan_heap_leaf(Oid relid, Snapshot snapshot, AtHeapRow row, void *arg);
extern uint64 at_scan_heap(AtLedgerTable table, Snapshot snapshot, AtHeapRow row, void *arg);

#endif
