/*-------------------------------------------------------------------------
 * retype.c
 *		Commands on types that change values of audited tables.
 *
 * The columns are named in "rewritten", as where a table's own definition
 * changes values: what was recorded of them before tells what they were then.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/parsenodes.h"
#include "parser/parse_type.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "base/names.h"
#include "capture/retype.h"
#include "capture/stored.h"

static AtRetype retype_of_alter(const AlterTableStmt *statement);
static bool is_used(Oid type);
static List *columns_of_type(Oid relid, Oid type);
static bool holds(Oid type, Oid searched);
static char *json_label(const char *label);

AtRetype
at_retype_of(Node *statement)
{
	AtRetype retype = {.type = InvalidOid};

	if (IsA(statement, AlterTableStmt))
		return retype_of_alter(castNode(AlterTableStmt, statement));
	if (IsA(statement, AlterEnumStmt) && castNode(AlterEnumStmt, statement)->oldVal != NULL)
	{
		AlterEnumStmt *alter = castNode(AlterEnumStmt, statement);
		TypeName *name = makeTypeNameFromNameList(alter->typeName);
		Type tuple = LookupTypeName(NULL, name, NULL, true);

		if (tuple == NULL)
			return retype; /* the command will say so */
		retype.type = typeTypeId(tuple);
		retype.old_label = alter->oldVal;
		retype.new_label = alter->newVal;
		ReleaseSysCache(tuple);
	}
	return retype;
}

static AtRetype
retype_of_alter(const AlterTableStmt *statement)
{
	AtRetype retype = {.type = InvalidOid};
	bool reshapes = false;
	ListCell *cell;

	foreach (cell, statement->cmds)
	{
		AlterTableType subtype = lfirst_node(AlterTableCmd, cell)->subtype;

		reshapes = reshapes || subtype == AT_AddColumn || subtype == AT_DropColumn;
	}

	Oid relid = reshapes ? RangeVarGetRelid(statement->relation, NoLock, true) : InvalidOid;
	Oid type = OidIsValid(relid) ? get_rel_type_id(relid) : InvalidOid;

	if (OidIsValid(type) && (is_used(type) || is_used(get_array_type(type))))
		retype.type = type;
	return retype;
}

/* Does anything use the type? So that most commands need not look at all audited tables. */
static bool
is_used(Oid type)
{
	Relation rel = table_open(DependRelationId, AccessShareLock);
	ScanKeyData keys[2];
	HeapTuple tuple;
	bool used = false;

	ScanKeyInit(&keys[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(TypeRelationId));
	ScanKeyInit(&keys[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(type));

	SysScanDesc scan =
		systable_beginscan(rel, DependReferenceIndexId, true, NULL, lengthof(keys), keys);

	while (!used && HeapTupleIsValid(tuple = systable_getnext(scan)))
		used = ((Form_pg_depend) GETSTRUCT(tuple))->deptype != DEPENDENCY_INTERNAL;
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return used;
}

void
at_retype_tell(const AtRetype *retype, const AtSchemaChange *change)
{
	ListCell *cell;

	if (!OidIsValid(retype->type))
		return;
	foreach (cell, at_stored_tables())
	{
		List *columns = columns_of_type(lfirst_oid(cell), retype->type);
		AtStoredPolicy stored;
		StringInfo extra;

		if (columns == NIL || !at_stored_read(lfirst_oid(cell), &stored))
			continue;
		extra = at_version_extra(change->command, "type", at_type_name(retype->type, -1));
		appendStringInfo(extra, ",\"rewritten\":%s", at_name_json(columns));
		at_version_tell(stored.target_id, "altered", json_label(retype->old_label),
						json_label(retype->new_label), extra);
	}
}

/* Names of the columns that have values of the type. */
static List *
columns_of_type(Oid relid, Oid type)
{
	List *names = NIL;
	HeapTuple tuple;

	for (AttrNumber attnum = 1;
		 (tuple = SearchSysCache2(ATTNUM, ObjectIdGetDatum(relid), Int16GetDatum(attnum))) != NULL;
		 attnum++)
	{
		Form_pg_attribute attribute = (Form_pg_attribute) GETSTRUCT(tuple);

		if (!attribute->attisdropped && holds(attribute->atttypid, type))
			names = lappend(names, pstrdup(NameStr(attribute->attname)));
		ReleaseSysCache(tuple);
	}
	return names;
}

/* Do values of the type have, or are they, values of the searched one? */
static bool
holds(Oid type, Oid searched)
{
	check_stack_depth();
	type = getBaseType(type);
	if (type == searched)
		return true;
	if (OidIsValid(get_element_type(type)))
		return holds(get_element_type(type), searched);
	if (OidIsValid(get_range_subtype(type)))
		return holds(get_range_subtype(type), searched);
	if (OidIsValid(get_multirange_range(type)))
		return holds(get_multirange_range(type), searched);
	return OidIsValid(get_typ_typrelid(type)) &&
		   columns_of_type(get_typ_typrelid(type), searched) != NIL;
}

/* A JSON object of one string; NULL of none. */
static char *
json_label(const char *label)
{
	StringInfoData json;

	if (label == NULL)
		return NULL;
	initStringInfo(&json);
	appendStringInfoString(&json, "{\"label\":");
	escape_json(&json, label);
	appendStringInfoChar(&json, '}');
	return json.data;
}
