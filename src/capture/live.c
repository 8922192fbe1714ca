/*-------------------------------------------------------------------------
 * live.c
 *		The rows of an audited table under one snapshot, as capture would
 *		record them.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"

#include "base/errors.h"
#include "base/names.h"
#include "capture/filter.h"
#include "capture/live.h"

static void check_audited(const AtLive *live);
static void check_readable(Relation rel);
static List *storage_of(const AtLive *live);
static void scan_one(const AtLive *live, Relation rel, AtLiveRow callback, void *arg);

void
at_live_open(Oid relid, AtLive *live)
{
	live->rel = table_open(relid, AccessShareLock);
	check_readable(live->rel);
	live->policy = at_policy_lookup(live->rel);
	check_audited(live);
	live->relids = storage_of(live);
	live->snapshot = RegisterSnapshot(GetLatestSnapshot());
	PushActiveSnapshot(live->snapshot);
}

static void
check_audited(const AtLive *live)
{
	const char *name = at_qualified_name(RelationGetRelid(live->rel));

	if (live->policy == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_AT_BAD_TARGET),
				 errmsg("table \"%s\" is not audited", RelationGetRelationName(live->rel)),
				 errdetail("There is no enabled row for it in audit.policy."),
				 errhint("SELECT audit.enable(%s, baseline => true);", quote_literal_cstr(name))));
	if (live->policy->root_relid != RelationGetRelid(live->rel))
		ereport(ERROR, (errcode(ERRCODE_AT_BAD_TARGET),
						errmsg("\"%s\" is a partition", RelationGetRelationName(live->rel)),
						errdetail("Its rows are audited as those of \"%s\".",
								  get_rel_name(live->policy->root_relid)),
						errhint("Name the whole table, %s.",
								quote_literal_cstr(at_qualified_name(live->policy->root_relid)))));
}

/* All rows must be visible to the current user: what is left out would look like a finding. */
static void
check_readable(Relation rel)
{
	Oid relid = RelationGetRelid(rel);

	if (pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, get_relkind_objtype(rel->rd_rel->relkind),
					   RelationGetRelationName(rel));
	if (check_enable_rls(relid, InvalidOid, true) == RLS_ENABLED)
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("row-level security hides rows of table \"%s\"",
							   RelationGetRelationName(rel)),
						errhint("Use a role that its policies do not apply to.")));
}

/* The table and all below it that its policy serves, as far as rows are stored there. */
static List *
storage_of(const AtLive *live)
{
	List *relids = NIL;
	ListCell *cell;

	foreach (cell, find_all_inheritors(RelationGetRelid(live->rel), AccessShareLock, NULL))
	{
		Relation rel = table_open(lfirst_oid(cell), NoLock);
		const AtPolicy *policy =
			rel->rd_rel->relkind == RELKIND_RELATION ? at_policy_lookup(rel) : NULL;

		if (policy != NULL && policy->root_relid == RelationGetRelid(live->rel))
			relids = lappend_oid(relids, RelationGetRelid(rel));
		table_close(rel, NoLock);
	}
	return relids;
}

void
at_live_scan(const AtLive *live, AtLiveRow callback, void *arg)
{
	int guc_level = NewGUCNestLevel();
	ListCell *cell;

	foreach (cell, live->relids)
	{
		Relation rel = table_open(lfirst_oid(cell), NoLock);

		scan_one(live, rel, callback, arg);
		table_close(rel, NoLock);
	}
	AtEOXact_GUC(false, guc_level);
}

/*
 * Render a row with the rights of the table's owner; false if it is one that
 * capture would leave out. An error restores the user by itself.
 */
static bool
render(const AtPolicy *policy, Oid owner, TupleTableSlot *slot, AtDelta *row)
{
	bool recorded;
	Oid user;
	int security;

	GetUserIdAndSecContext(&user, &security);
	SetUserIdAndSecContext(owner, security | SECURITY_RESTRICTED_OPERATION);
	recorded = policy->filter == NULL || at_filter_accepts(policy->filter, NULL, slot);
	if (recorded)
		at_delta_row(policy, slot, true, row);
	SetUserIdAndSecContext(user, security);
	return recorded;
}

/* Where a scan would take predicate locks, all versions are scanned, as in base/latest.c. */
static void
scan_one(const AtLive *live, Relation rel, AtLiveRow callback, void *arg)
{
	const AtPolicy *policy = at_policy_lookup(rel);
	MemoryContext per_row =
		AllocSetContextCreate(CurrentMemoryContext, "audit_trail live row", ALLOCSET_DEFAULT_SIZES);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	bool filtered = IsolationIsSerializable();
	TableScanDesc scan = table_beginscan(rel, filtered ? SnapshotAny : live->snapshot, 0, NULL);

	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		MemoryContext save;
		AtDelta row;

		CHECK_FOR_INTERRUPTS();
		if (filtered && !table_tuple_satisfies_snapshot(rel, slot, live->snapshot))
			continue;
		save = MemoryContextSwitchTo(per_row);
		if (render(policy, live->rel->rd_rel->relowner, slot, &row))
			callback(&row, arg);
		MemoryContextSwitchTo(save);
		MemoryContextReset(per_row);
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	MemoryContextDelete(per_row);
}

void
at_live_close(AtLive *live)
{
	PopActiveSnapshot();
	UnregisterSnapshot(live->snapshot);
	table_close(live->rel, NoLock);
}
