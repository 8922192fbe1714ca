/*-------------------------------------------------------------------------
 * latest.c
 *		Rows of our own tables as they are now, read beside the executor.
 *
 * A scan under an MVCC snapshot takes predicate locks in a serializable
 * transaction, one under any other snapshot does not. But those others do not
 * show one state: of a row that is updated meanwhile both versions may be
 * met, or neither. So all versions are scanned, and the MVCC snapshot decides
 * for each. It is the one that is taken for a catalog: that is a new one for
 * any table that is none, and is to be had in parallel mode.
 *
 * Locks: AccessShareLock on the table.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relscan.h"
#include "access/table.h"
#include "access/tableam.h"
#include "utils/snapmgr.h"

#include "base/catalog.h"
#include "base/latest.h"

void
at_latest_begin(AtLatest *latest, Oid relid, const char *index, int nkeys, ScanKey keys)
{
	latest->rel = table_open(relid, AccessShareLock);
	latest->desc = RelationGetDescr(latest->rel);
	latest->snapshot = RegisterSnapshot(GetCatalogSnapshot(relid));
	latest->scan =
		systable_beginscan(latest->rel, index != NULL ? at_audit_relid(index) : InvalidOid,
						   index != NULL, SnapshotAny, nkeys, keys);
}

HeapTuple
at_latest_next(AtLatest *latest)
{
	HeapTuple tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(latest->scan)))
		if (table_tuple_satisfies_snapshot(latest->rel, latest->scan->slot, latest->snapshot))
			return tuple;
	return NULL;
}

void
at_latest_end(AtLatest *latest)
{
	systable_endscan(latest->scan);
	UnregisterSnapshot(latest->snapshot);
	table_close(latest->rel, AccessShareLock);
}
