/*-------------------------------------------------------------------------
 * cold_change.h
 *		What becomes of archived partitions later: rows that leave them, and
 *		segments that are moved to files.
 *
 * Both put other rows in the place of those of a store, in the caller's
 * transaction and under AccessExclusiveLock on the foreign table and its store.
 *-------------------------------------------------------------------------
 */
#ifndef AT_COLD_CHANGE_H
#define AT_COLD_CHANGE_H

#include "ledger/let_go.h"

/* at_let_go() of an archived partition. */
extern uint64 at_cold_let_go(Oid partition, AtLetGo goes, void *arg, int64 *bytes);

#endif
