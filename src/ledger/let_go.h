/*-------------------------------------------------------------------------
 * let_go.h
 *		Rows that leave their partition or the ledger: the one place.
 *
 * A purge that was ordered, approved and sealed comes here, and what moves rows of default
 * partitions to others of the same table; nothing else does. The storage of a partition is replaced
 *by one with the rows that stay, byte for byte as they were; without any it stays empty. It happens
 *when the transaction commits, or not at all.
 *-------------------------------------------------------------------------
 */
#ifndef AT_LET_GO_H
#define AT_LET_GO_H

#include "executor/tuptable.h"
#include "storage/itemptr.h"
#include "utils/relcache.h"
#include "utils/tuplestore.h"

#include "base/catalog.h"

/* Does the row go? The ordinal is 0 for a row of audit.transaction. */
typedef bool (*AtLetGo)(uint64 tx_id, uint32 ordinal, void *arg);

/*
 * Let rows of a partition of audit.event or audit.transaction go; returns how many, and in *bytes,
 * unless it is NULL, by how much its storage shrinks. A partition of which none goes is only read.
 * Else it takes AccessExclusiveLock on the partition alone, which writers of the present need none
 * of: they write into another.
 */
extern uint64 at_let_go(Oid partition, AtLetGo goes, void *arg, int64 *bytes);

/*
 * Move those rows of a partition that are chosen to a new table, which the caller has made to be
 * attached in this transaction, and locked; returns how many. Takes AccessExclusiveLock on the
 * partition.
 */
typedef bool (*AtChosen)(TupleTableSlot *slot, void *arg);
extern uint64 at_let_go_to(Oid partition, Relation to, AtChosen is_chosen, void *arg);

/*
 * For at_let_go() of archived partitions: put these rows in the place of all that a table has,
 * under AccessExclusiveLock; then, when it is closed, build its indexes anew.
 */
extern void at_let_go_replace(Relation rel, Tuplestorestate *rows);
extern void at_let_go_reindex(Oid partition);

/*
 * Let a row of audit.alert_match or audit.alert_judgement go: these are notes of the notifier on
 * what it has yet to judge, and evidence of nothing. In the running transaction; VACUUM frees its
 * place.
 */
extern void at_let_go_note(AtLedgerTable table, ItemPointer tid);

/* Partitions of the lowest level of a table, in the current context; takes AccessShareLock. */
extern List *at_ledger_leaves(AtLedgerTable table);

#endif
