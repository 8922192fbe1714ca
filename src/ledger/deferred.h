/*-------------------------------------------------------------------------
 * deferred.h
 *		Index access method audit_deferred: a btree that the sealer fills.
 *
 * Who, session and request are one row a transaction, and an index entry for
 * each of them would cost a short transaction more than to write its event. So
 * whoever records a transaction leaves them out, and the sealer, which reads
 * every transaction once, adds them with the seal. A scan takes what is not
 * sealed yet besides: all of it, to be compared with the condition row by row.
 * So what a query finds does not depend on how far the sealer has come.
 *
 * A row may have two entries (the sealer was stopped between two tries, or
 * the index was rebuilt meanwhile), and the unsealed come in no order; hence
 * the access method offers bitmap scans alone, in which both are harmless.
 *-------------------------------------------------------------------------
 */
#ifndef AT_DEFERRED_H
#define AT_DEFERRED_H

#include "access/htup.h"
#include "access/tupdesc.h"
#include "utils/relcache.h"

/* Is it an index of this access method? */
extern bool at_is_deferred(Relation index);

/*
 * Adds entries; lives in the context in which it was opened. Takes RowExclusiveLock on
 * all partitions of audit.transaction until the end of the transaction.
 */
typedef struct AtDeferred AtDeferred;
extern AtDeferred *at_deferred_open(void);

/* Add the entries of a stored row; t_tableOid and t_self say where it is. */
extern void at_deferred_add(AtDeferred *deferred, HeapTuple row, TupleDesc desc);

extern void at_deferred_close(AtDeferred *deferred);

#endif
