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
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "base/catalog.h"
#include "base/config_row.h"
#include "base/latest.h"
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
at_stored_read_any(Oid relid, AtStoredPolicy *stored)
{
	AtLatest latest;
	ScanKeyData key;
	HeapTuple tuple;

	ScanKeyInit(&key, Anum_policy_target, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
	at_latest_begin(&latest, at_audit_relid(AT_POLICY_TABLE), AT_POLICY_INDEX, 1, &key);
	tuple = at_latest_next(&latest);
	if (HeapTupleIsValid(tuple))
		fill(tuple, latest.desc, stored);
	at_latest_end(&latest);
	return HeapTupleIsValid(tuple);
}

bool
at_stored_read(Oid relid, AtStoredPolicy *stored)
{
	return at_stored_read_any(relid, stored) && stored->enabled;
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
		.enabled = DatumGetBool(heap_getattr(tuple, Anum_policy_enabled, desc, &isnull)),
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
		.read =
			{
				.recorded = DatumGetBool(heap_getattr(tuple, Anum_policy_reads, desc, &isnull)),
				.limited = !heap_attisnull(tuple, Anum_policy_read_columns, desc),
				.columns = get_names(tuple, Anum_policy_read_columns, desc),
			},
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

Oid
at_stored_root(Oid relid)
{
	AtStoredPolicy stored;

	return at_stored_ready() && at_stored_find(relid, &stored) ? stored.root : InvalidOid;
}

bool
at_stored_table(Oid relid, AtAuditedTable *table)
{
	AtStoredPolicy stored;

	if (!at_stored_ready() || !at_stored_find(relid, &stored))
		return false;
	*table = (AtAuditedTable){
		.root = stored.root,
		.target_id = stored.target_id,
		.resource_type = stored.resource_type,
		.reads = stored.read.recorded,
		.reads_limited = stored.read.limited,
		.read_columns = stored.read.columns,
		.query = stored.query,
	};
	return true;
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
	List *tables = NIL;
	AtLatest latest;
	HeapTuple tuple;
	bool isnull;

	at_latest_begin(&latest, at_audit_relid(AT_POLICY_TABLE), NULL, 0, NULL);
	while (HeapTupleIsValid(tuple = at_latest_next(&latest)))
		if (DatumGetBool(heap_getattr(tuple, Anum_policy_enabled, latest.desc, &isnull)))
			tables = lappend_oid(tables, DatumGetObjectId(heap_getattr(tuple, Anum_policy_target,
																	   latest.desc, &isnull)));
	at_latest_end(&latest);
	list_sort(tables, list_oid_cmp);
	return tables;
}

static void
set_row_options(AtConfigRow *row, const AtRowOptions *options)
{
	at_config_set_text(row, Anum_policy_only_columns, NULL);
	if (options->limited)
		at_config_set(row, Anum_policy_only_columns, at_name_array(options->only));
	at_config_set(row, Anum_policy_masked_columns, at_name_array(options->masked));
	at_config_set(row, Anum_policy_hashed_columns, at_name_array(options->hashed));
	at_config_set(row, Anum_policy_personal_columns, at_name_array(options->personal));
	at_config_set_text(row, Anum_policy_subject_column, options->subject);
	at_config_set_text(row, Anum_policy_recorded_when, NULL);
	if (options->when != NULL)
		at_config_set(row, Anum_policy_recorded_when,
					  DirectFunctionCall1(jsonpath_in, CStringGetDatum(options->when)));
}

/* Switched on or off, by this transaction. */
static void
set_state(AtConfigRow *row, Oid relid, bool enabled, const char *reason)
{
	at_config_set(row, Anum_policy_target, ObjectIdGetDatum(relid));
	at_config_set(row, Anum_policy_enabled, BoolGetDatum(enabled));
	at_config_set(row, Anum_policy_changed_at,
				  TimestampTzGetDatum(GetCurrentTransactionStartTimestamp()));
	at_config_set_text(row, Anum_policy_reason, reason);
}

void
at_stored_write(const AtStoredPolicy *stored)
{
	AtConfigRow row;

	at_config_begin(&row, AT_POLICY_TABLE);
	set_state(&row, stored->root, true, NULL);
	at_config_set(&row, Anum_policy_target_id, Int32GetDatum(stored->target_id));
	at_config_set_text(&row, Anum_policy_context, stored->context);
	at_config_set_text(&row, Anum_policy_resource_type, stored->resource_type);
	at_config_set(&row, Anum_policy_operations, at_name_array(stored->operations));
	at_config_set(&row, Anum_policy_ignored_columns, at_name_array(stored->ignored));
	at_config_set(&row, Anum_policy_key_columns, at_name_array(stored->keys));
	at_config_set(&row, Anum_policy_key_given, BoolGetDatum(stored->key_given));
	at_config_set_text(&row, Anum_policy_truncate, stored->truncate);
	at_config_set(&row, Anum_policy_query, BoolGetDatum(stored->query));
	at_config_set(&row, Anum_policy_reads, BoolGetDatum(stored->read.recorded));
	at_config_set_text(&row, Anum_policy_read_columns, NULL);
	if (stored->read.limited)
		at_config_set(&row, Anum_policy_read_columns, at_name_array(stored->read.columns));
	set_row_options(&row, &stored->row);
	if (!at_config_update(&row))
		at_config_insert(&row);
	at_config_end(&row);
}

bool
at_stored_disable(Oid relid, const char *reason)
{
	AtStoredPolicy stored;
	AtConfigRow row;
	bool disabled;

	if (!at_stored_read(relid, &stored))
		return false;
	at_config_begin(&row, AT_POLICY_TABLE);
	set_state(&row, relid, false, reason);
	disabled = at_config_update(&row);
	at_config_end(&row);
	return disabled;
}
