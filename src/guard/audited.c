/*-------------------------------------------------------------------------
 * audited.c
 *		Audited tables that are dropped.
 *
 * Called from the object-access hook, so it does not matter which command
 * it is: DROP TABLE, SCHEMA, OWNED, EXTENSION or TYPE, or CASCADE of anything.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_class.h"
#include "executor/tuptable.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/guc.h"
#include "guard/audited.h"
#include "guard/refuse.h"
#include "ledger/hooks.h"

static bool holds_rows_for_good(Oid relid);
static bool has_rows(Oid relid);

void
at_audited_check_drop(Oid relid)
{
	if (at_guc_drop_audited != AT_DROP_AUDITED_REFUSE || !holds_rows_for_good(relid) ||
		at_audited_by_hook == NULL)
		return;

	Oid root = at_audited_by_hook(relid);

	if (root == relid)
		at_refuse_drop(relid);
	if (OidIsValid(root) && has_rows(relid))
		at_refuse_drop_below(relid, root);
}

/* Can it be audited? A partitioned table is looked at for its policy, and has no rows itself. */
static bool
holds_rows_for_good(Oid relid)
{
	char kind = get_rel_relkind(relid);

	return (kind == RELKIND_RELATION || kind == RELKIND_PARTITIONED_TABLE) &&
		   get_rel_persistence(relid) != RELPERSISTENCE_TEMP;
}

/* What is committed, and what this transaction has left of it; whatever its snapshot is. */
static bool
has_rows(Oid relid)
{
	Relation rel = table_open(relid, AccessShareLock);
	bool found = false;

	if (RELKIND_HAS_TABLE_AM(rel->rd_rel->relkind))
	{
		TupleTableSlot *slot = table_slot_create(rel, NULL);
		TableScanDesc scan = table_beginscan(rel, SnapshotSelf, 0, NULL);

		found = table_scan_getnextslot(scan, ForwardScanDirection, slot);
		table_endscan(scan);
		ExecDropSingleTupleTableSlot(slot);
	}
	table_close(rel, NoLock);
	return found;
}
