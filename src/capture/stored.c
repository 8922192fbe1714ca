/*-------------------------------------------------------------------------
 * stored.c
 *		Rows of audit.policy: which tables are captured, and how.
 *
 * The tables above a table are read from pg_inherits and not with
 * get_partition_ancestors(), which leaves out a partition that is being
 * detached concurrently: until that is done its triggers are still there.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/catalog.h"
#include "base/names.h"
#include "capture/stored.h"

static void fill(HeapTuple tuple, TupleDesc desc, AtStoredPolicy *stored);
static List *parents_of(Oid relid);

bool
at_stored_ready(void)
{
	Oid schema = at_audit_schema();

	return OidIsValid(schema) && OidIsValid(get_relname_relid(AT_POLICY_TABLE, schema)) &&
		   OidIsValid(get_relname_relid(AT_POLICY_INDEX, schema)) &&
		   OidIsValid(get_relname_relid("target_pkey", schema)) && at_incarnation_begun();
}

bool
at_stored_read(Oid relid, AtStoredPolicy *stored)
{
	Relation rel = table_open(at_audit_relid(AT_POLICY_TABLE), AccessShareLock);
	Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
	ScanKeyData key;
	bool found = false;
	bool isnull;

	ScanKeyInit(&key, Anum_policy_target, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));

	SysScanDesc scan =
		systable_beginscan(rel, at_audit_relid(AT_POLICY_INDEX), true, snapshot, 1, &key);
	HeapTuple tuple = systable_getnext(scan);

	if (HeapTupleIsValid(tuple) &&
		DatumGetBool(heap_getattr(tuple, Anum_policy_enabled, RelationGetDescr(rel), &isnull)))
	{
		fill(tuple, RelationGetDescr(rel), stored);
		found = true;
	}
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(rel, AccessShareLock);
	return found;
}

/* A list of names; a null is an empty one. */
static List *
get_names(HeapTuple tuple, int column, TupleDesc desc)
{
	bool isnull;
	Datum value = heap_getattr(tuple, column, desc, &isnull);
	Datum *elements;
	bool *nulls;
	int count;
	List *list = NIL;

	if (isnull)
		return NIL;
	deconstruct_array(DatumGetArrayTypeP(value), TEXTOID, -1, false, TYPALIGN_INT, &elements,
					  &nulls, &count);
	for (int i = 0; i < count; i++)
		list = lappend(list, TextDatumGetCString(elements[i]));
	return list;
}

static char *
get_text(HeapTuple tuple, int column, TupleDesc desc)
{
	bool isnull;
	Datum value = heap_getattr(tuple, column, desc, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

static char *
get_jsonpath(HeapTuple tuple, int column, TupleDesc desc)
{
	bool isnull;
	Datum value = heap_getattr(tuple, column, desc, &isnull);

	return isnull ? NULL : DatumGetCString(DirectFunctionCall1(jsonpath_out, value));
}

static void
fill(HeapTuple tuple, TupleDesc desc, AtStoredPolicy *stored)
{
	bool isnull;

	*stored = (AtStoredPolicy){
		.root = DatumGetObjectId(heap_getattr(tuple, Anum_policy_target, desc, &isnull)),
		.target_id = DatumGetInt32(heap_getattr(tuple, Anum_policy_target_id, desc, &isnull)),
		.context = get_text(tuple, Anum_policy_context, desc),
		.resource_type = get_text(tuple, Anum_policy_resource_type, desc),
		.operations = get_names(tuple, Anum_policy_operations, desc),
		.ignored = get_names(tuple, Anum_policy_ignored_columns, desc),
		.keys = get_names(tuple, Anum_policy_key_columns, desc),
		.key_given = DatumGetBool(heap_getattr(tuple, Anum_policy_key_given, desc, &isnull)),
		.row =
			{
				.limited = !heap_attisnull(tuple, Anum_policy_only_columns, desc),
				.only = get_names(tuple, Anum_policy_only_columns, desc),
				.masked = get_names(tuple, Anum_policy_masked_columns, desc),
				.hashed = get_names(tuple, Anum_policy_hashed_columns, desc),
				.personal = get_names(tuple, Anum_policy_personal_columns, desc),
				.subject = get_text(tuple, Anum_policy_subject_column, desc),
				.when = get_jsonpath(tuple, Anum_policy_recorded_when, desc),
			},
		.truncate = get_text(tuple, Anum_policy_truncate, desc),
		.query = DatumGetBool(heap_getattr(tuple, Anum_policy_query, desc, &isnull)),
	};
}

bool
at_stored_find(Oid relid, AtStoredPolicy *stored)
{
	List *above = list_make1_oid(relid);

	/* grows while it is walked: first the parents, then theirs */
	for (int i = 0; i < list_length(above); i++)
	{
		if (at_stored_read(list_nth_oid(above, i), stored))
			return true;
		above = list_concat_unique_oid(above, parents_of(list_nth_oid(above, i)));
	}
	return false;
}

/* The tables that this one is a partition or a child of, in their order. */
static List *
parents_of(Oid relid)
{
	Relation rel = table_open(InheritsRelationId, AccessShareLock);
	List *parents = NIL;
	ScanKeyData key;
	HeapTuple tuple;

	ScanKeyInit(&key, Anum_pg_inherits_inhrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relid));

	SysScanDesc scan = systable_beginscan(rel, InheritsRelidSeqnoIndexId, true, NULL, 1, &key);

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		parents = lappend_oid(parents, ((Form_pg_inherits) GETSTRUCT(tuple))->inhparent);
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return parents;
}

List *
at_stored_tables(void)
{
	Relation rel = table_open(at_audit_relid(AT_POLICY_TABLE), AccessShareLock);
	Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, snapshot, 0, NULL);
	TupleDesc desc = RelationGetDescr(rel);
	List *tables = NIL;
	HeapTuple tuple;
	bool isnull;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		if (DatumGetBool(heap_getattr(tuple, Anum_policy_enabled, desc, &isnull)))
			tables = lappend_oid(
				tables, DatumGetObjectId(heap_getattr(tuple, Anum_policy_target, desc, &isnull)));
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(rel, AccessShareLock);
	list_sort(tables, list_oid_cmp);
	return tables;
}

/* Run a command that sees the newest rows; returns how many it changed. */
static uint64
execute(const char *command, int count, Oid *types, Datum *values, const char *nulls)
{
	SPIPlanPtr plan = SPI_prepare(command, count, types);

	if (plan == NULL || SPI_execute_snapshot(plan, values, nulls, GetLatestSnapshot(),
											 InvalidSnapshot, false, true, 0) < 0)
		elog(ERROR, "could not write audit.policy");
	return SPI_processed;
}

void
at_stored_row_params(const AtRowOptions *row, Oid *types, Datum *values, char *nulls)
{
	const char *const texts[] = {row->subject, row->when};
	List *const lists[] = {row->only, row->masked, row->hashed, row->personal};

	for (int i = 0; i < lengthof(lists); i++)
	{
		types[i] = TEXTARRAYOID;
		values[i] = at_name_array(lists[i]);
		nulls[i] = i == 0 && !row->limited ? 'n' : ' ';
	}
	for (int i = 0; i < lengthof(texts); i++)
	{
		int param = lengthof(lists) + i;

		types[param] = TEXTOID;
		values[param] = texts[i] ? CStringGetTextDatum(texts[i]) : (Datum) 0;
		nulls[param] = texts[i] ? ' ' : 'n';
	}
}

void
at_stored_write(const AtStoredPolicy *stored)
{
	static const char update[] =
		"UPDATE audit.policy SET target_id = $2, context = $3, resource_type = $4, "
		"operations = $5, ignored_columns = $6, key_columns = $7, key_given = $8, "
		"truncate = $9, query = $10, only_columns = $11, masked_columns = $12, "
		"hashed_columns = $13, personal_columns = $14, subject_column = $15, "
		"recorded_when = $16::jsonpath, "
		"enabled = true, changed_at = pg_catalog.now(), reason = NULL WHERE target = $1";
	static const char insert[] =
		"INSERT INTO audit.policy (target, target_id, context, resource_type, operations, "
		"ignored_columns, key_columns, key_given, truncate, query, only_columns, masked_columns, "
		"hashed_columns, personal_columns, subject_column, recorded_when, enabled, changed_at) "
		"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16::jsonpath, "
		"true, pg_catalog.now())";
	Oid types[10 + AT_ROW_PARAMS] = {REGCLASSOID,  INT4OID,      TEXTOID, TEXTOID, TEXTARRAYOID,
									 TEXTARRAYOID, TEXTARRAYOID, BOOLOID, TEXTOID, BOOLOID};
	Datum values[10 + AT_ROW_PARAMS] = {
		ObjectIdGetDatum(stored->root),        Int32GetDatum(stored->target_id),
		CStringGetTextDatum(stored->context),  CStringGetTextDatum(stored->resource_type),
		at_name_array(stored->operations),     at_name_array(stored->ignored),
		at_name_array(stored->keys),           BoolGetDatum(stored->key_given),
		CStringGetTextDatum(stored->truncate), BoolGetDatum(stored->query),
	};
	char nulls[10 + AT_ROW_PARAMS] = "          ";

	at_stored_row_params(&stored->row, types + 10, values + 10, nulls + 10);
	if (execute(update, lengthof(types), types, values, nulls) == 0 &&
		execute(insert, lengthof(types), types, values, nulls) != 1)
		elog(ERROR, "could not write audit.policy");
}

bool
at_stored_disable(Oid relid, const char *reason)
{
	Oid types[] = {REGCLASSOID, TEXTOID};
	Datum values[] = {ObjectIdGetDatum(relid), CStringGetTextDatum(reason)};

	return execute("UPDATE audit.policy SET enabled = false, reason = $2, "
				   "changed_at = pg_catalog.now() WHERE target = $1 AND enabled",
				   lengthof(types), types, values, NULL) > 0;
}
