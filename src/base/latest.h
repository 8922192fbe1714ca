/*-------------------------------------------------------------------------
 * latest.h
 *		Rows of our own tables as they are now, read beside the executor.
 *
 * What is read are the rows that a snapshot of this moment sees, those of the
 * running transaction included, whatever snapshot the transaction has. It needs no
 * privilege, is possible in parallel queries too, and leaves no trace: no
 * predicate lock, no conflict with another serializable transaction, no snapshot of the
 * transaction that would not be there without it. A transaction that is audited
 * can therefore not fail to serialize where it would not without audit.
 *-------------------------------------------------------------------------
 */
#ifndef AT_LATEST_H
#define AT_LATEST_H

#include "access/htup.h"
#include "access/skey.h"
#include "utils/rel.h"

typedef struct AtLatest
{
	Relation rel;
	TupleDesc desc;
	struct SysScanDescData *scan;
	struct SnapshotData *snapshot;
} AtLatest;

/*
 * Begin to read a table of the schema audit; takes AccessShareLock until at_latest_end(). Keys
 * name columns of the table. With an index they are looked up in it, and so must
 * be its first columns; without one (NULL) the whole table is read.
 */
extern void at_latest_begin(AtLatest *latest, Oid relid, const char *index, int nkeys,
							ScanKey keys);

/* The next row; valid until the next call. NULL at the end. */
extern HeapTuple at_latest_next(AtLatest *latest);

extern void at_latest_end(AtLatest *latest);

#endif
