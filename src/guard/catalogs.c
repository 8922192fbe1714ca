/*-------------------------------------------------------------------------
 * catalogs.c
 *		System catalogs that are written as if they were tables.
 *
 * The hook runs at the start of every statement that changes rows; for all
 * tables but catalogs it compares one number.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/transam.h"
#include "catalog/pg_class.h"
#include "catalog/pg_database.h"
#include "catalog/pg_description.h"
#include "catalog/pg_largeobject.h"
#include "catalog/pg_largeobject_metadata.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_seclabel.h"
#include "catalog/pg_shdescription.h"
#include "catalog/pg_shseclabel.h"
#include "catalog/pg_statistic.h"
#include "catalog/pg_statistic_ext_data.h"
#include "executor/executor.h"
#include "parser/parsetree.h"
#include "utils/lsyscache.h"

#include "base/compat.h"
#include "guard/catalogs.h"
#include "guard/guard.h"
#include "guard/refuse.h"

static ExecutorStart_hook_type previous_start;

/* Nothing of the trail rests on these, and administrators do write some of them. */
static const Oid harmless[] = {
	DatabaseRelationId,  DescriptionRelationId,         SharedDescriptionRelationId,
	SecLabelRelationId,  SharedSecLabelRelationId,      LargeObjectRelationId,
	StatisticRelationId, LargeObjectMetadataRelationId, StatisticExtDataRelationId,
};

static void start(QueryDesc *query, int eflags);
static bool sets_estimates(const PlannedStmt *plan, RangeTblEntry *entry);
static bool is_harmless(Oid relid);

void
at_catalogs_init(void)
{
	previous_start = ExecutorStart_hook;
	ExecutorStart_hook = start;
}

static void
start(QueryDesc *query, int eflags)
{
	ListCell *cell;

	if ((eflags & EXEC_FLAG_EXPLAIN_ONLY) == 0)
		foreach (cell, query->plannedstmt->resultRelations)
		{
			RangeTblEntry *entry = rt_fetch(lfirst_int(cell), query->plannedstmt->rtable);

			if (!sets_estimates(query->plannedstmt, entry))
				at_catalogs_check_write(entry->relid);
		}
	if (previous_start)
		previous_start(query, eflags);
	else
		standard_ExecutorStart(query, eflags);
}

bool
at_in_pg_catalog(Oid relid)
{
	return get_rel_namespace(relid) == PG_CATALOG_NAMESPACE;
}

void
at_catalogs_check_write(Oid relid)
{
	if (relid < FirstUnpinnedObjectId && at_in_pg_catalog(relid) && !is_harmless(relid) &&
		at_guard_is_on() && !at_guard_in_script())
		at_refuse_catalog(relid);
}

/* An UPDATE of what the planner goes by, as to try plans of a table that is not there yet. */
static bool
sets_estimates(const PlannedStmt *plan, RangeTblEntry *entry)
{
	static const AttrNumber estimates[] = {Anum_pg_class_relpages, Anum_pg_class_reltuples,
										   Anum_pg_class_relallvisible};
	Bitmapset *others;

	if (entry->relid != RelationRelationId ||
		(at_required_perms(plan, entry) & (ACL_INSERT | ACL_UPDATE | ACL_DELETE)) != ACL_UPDATE)
		return false;
	others = bms_copy(at_updated_columns(plan, entry));
	for (int i = 0; i < lengthof(estimates); i++)
		others = bms_del_member(others, estimates[i] - FirstLowInvalidHeapAttributeNumber);
	return bms_is_empty(others);
}

static bool
is_harmless(Oid relid)
{
	for (int i = 0; i < lengthof(harmless); i++)
		if (harmless[i] == relid)
			return true;
	return false;
}
