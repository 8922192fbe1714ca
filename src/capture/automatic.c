/*-------------------------------------------------------------------------
 * automatic.c
 *		Tables that are audited as they come.
 *
 * Tables are enabled as the ledger's owner: who creates a table need not have
 * any right on the audit trail. Rules and policies are read beside the executor
 * (base/latest.h), so that who creates tables in serializable transactions does
 * not meet others who do. The view audit.automatic_missing says the same in SQL, for
 * audit.doctor(): what it shows after a command is what went wrong here.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/catalog.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "base/catalog.h"
#include "base/config_row.h"
#include "base/latest.h"
#include "base/names.h"
#include "capture/automatic.h"
#include "capture/baseline.h"
#include "capture/definition.h"
#include "capture/stored.h"
#include "ledger/owner.h"

#define BATCH 1000

/* A row of audit.automatic; lists are of C strings. */
typedef struct Rule
{
	char *schema;
	char *pattern;
	List *exceptions;
	char *context;
	List *operations;
	List *ignored;
	List *masked;
	List *hashed;
	char *truncate;
	bool query;
	AtReadOptions read;
} Rule;

static bool may_be_new(Oid relid);
static List *read_rules(const char *schema);
static Rule *make_rule(const Datum *values, const bool *nulls);
static List *tables_of_rules(List *rules);
static void enable_missing(List *relids);
static void enable(Oid relid, const Rule *rule);
static List *columns_there(Relation rel, List *names, List *others);
static void call_enable(Oid relid, const Rule *rule);
static bool has_rows(Oid relid);
static void add_context(void *arg);

void
at_automatic_settle(List *touched, bool all)
{
	List *wanted = NIL;
	bool locked = all;
	ListCell *cell;

	if (all)
	{
		LockRelationOid(at_audit_relid(AT_AUTOMATIC_TABLE), RowShareLock);
		touched = NIL;
		wanted = tables_of_rules(read_rules(NULL));
	}
	foreach (cell, touched)
	{
		Oid relid = lfirst_oid(cell);

		if (!may_be_new(relid))
			continue;
		if (!locked)
			LockRelationOid(at_audit_relid(AT_AUTOMATIC_TABLE), RowShareLock);
		locked = true;
		if (read_rules(get_namespace_name(get_rel_namespace(relid))) != NIL)
			wanted = lappend_oid(wanted, relid);
	}
	if (wanted != NIL)
		enable_missing(wanted);
}

/* Is it a table that nobody audits? */
static bool
may_be_new(Oid relid)
{
	char kind = get_rel_relkind(relid);
	Oid schema = get_rel_namespace(relid);
	AtStoredPolicy stored;

	return (kind == RELKIND_RELATION || kind == RELKIND_PARTITIONED_TABLE) &&
		   get_rel_persistence(relid) == RELPERSISTENCE_PERMANENT &&
		   !get_rel_relispartition(relid) && !IsCatalogNamespace(schema) &&
		   !IsToastNamespace(schema) && schema != at_audit_schema() &&
		   !at_stored_find(relid, &stored);
}

/* The rules that are enabled, of one schema or, if it is NULL, of all. */
static List *
read_rules(const char *schema)
{
	List *rules = NIL;
	AtLatest latest;
	HeapTuple tuple;

	at_latest_begin(&latest, at_audit_relid(AT_AUTOMATIC_TABLE), NULL, 0, NULL);
	while (HeapTupleIsValid(tuple = at_latest_next(&latest)))
	{
		Datum values[Natts_automatic];
		bool nulls[Natts_automatic];

		heap_deform_tuple(tuple, latest.desc, values, nulls);
		if (!DatumGetBool(values[Anum_automatic_enabled - 1]))
			continue;

		Rule *rule = make_rule(values, nulls);

		if (schema == NULL || strcmp(rule->schema, schema) == 0)
			rules = lappend(rules, rule);
	}
	at_latest_end(&latest);
	return rules;
}

/* The names in a text[]. */
static List *
names_in(Datum array)
{
	List *names = NIL;
	Datum *elements;
	int count;

	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT, &elements, NULL,
					  &count);
	for (int i = 0; i < count; i++)
		names = lappend(names, TextDatumGetCString(elements[i]));
	return names;
}

static Rule *
make_rule(const Datum *values, const bool *nulls)
{
	Rule *rule = palloc(sizeof(Rule));

	rule->schema = TextDatumGetCString(values[Anum_automatic_schema - 1]);
	rule->pattern = TextDatumGetCString(values[Anum_automatic_pattern - 1]);
	rule->exceptions = names_in(values[Anum_automatic_exceptions - 1]);
	rule->context = TextDatumGetCString(values[Anum_automatic_context - 1]);
	rule->operations = names_in(values[Anum_automatic_operations - 1]);
	rule->ignored = names_in(values[Anum_automatic_ignored_columns - 1]);
	rule->masked = names_in(values[Anum_automatic_masked_columns - 1]);
	rule->hashed = names_in(values[Anum_automatic_hashed_columns - 1]);
	rule->truncate = TextDatumGetCString(values[Anum_automatic_truncate - 1]);
	rule->query = DatumGetBool(values[Anum_automatic_query - 1]);
	rule->read = (AtReadOptions){
		.recorded = DatumGetBool(values[Anum_automatic_reads - 1]),
		.limited = !nulls[Anum_automatic_read_columns - 1],
	};
	if (rule->read.limited)
		rule->read.columns = names_in(values[Anum_automatic_read_columns - 1]);
	return rule;
}

static int
compare_rules(const ListCell *a, const ListCell *b)
{
	return strcmp(((Rule *) lfirst(a))->pattern, ((Rule *) lfirst(b))->pattern);
}

/* The rule that wants the table to be audited; NULL if none does, or somebody saw to it. */
static const Rule *
rule_for(Oid relid)
{
	char *name = get_rel_name(relid);
	AtStoredPolicy stored;
	List *rules;
	ListCell *cell;

	/* a policy of its own that is disabled: somebody decided so */
	if (name == NULL || !may_be_new(relid) || at_stored_read_any(relid, &stored))
		return NULL;
	rules = read_rules(get_namespace_name(get_rel_namespace(relid)));
	list_sort(rules, compare_rules);
	foreach (cell, rules)
	{
		const Rule *rule = lfirst(cell);

		if (DatumGetBool(DirectFunctionCall2Coll(textlike, C_COLLATION_OID,
												 CStringGetTextDatum(name),
												 CStringGetTextDatum(rule->pattern))) &&
			!at_names_contain(rule->exceptions, name))
			return rule;
	}
	return NULL;
}

/* All tables of schemas that have rules. */
static List *
tables_of_rules(List *rules)
{
	Relation catalog = table_open(RelationRelationId, AccessShareLock);
	SysScanDesc scan = systable_beginscan(catalog, InvalidOid, false, NULL, 0, NULL);
	List *schemas = NIL;
	List *relids = NIL;
	HeapTuple tuple;
	ListCell *cell;

	foreach (cell, rules)
		schemas = list_append_unique_oid(schemas,
										 get_namespace_oid(((Rule *) lfirst(cell))->schema, true));
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_class form = (Form_pg_class) GETSTRUCT(tuple);

		if (list_member_oid(schemas, form->relnamespace))
			relids = lappend_oid(relids, form->oid);
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return relids;
}

/* In the order of their oids; each is asked about anew, since it may be served by one before it. */
static void
enable_missing(List *relids)
{
	AtOwnerState state;
	ListCell *cell;

	at_owner_enter(&state);
	list_sort(relids, list_oid_cmp);
	foreach (cell, relids)
	{
		const Rule *rule = rule_for(lfirst_oid(cell));

		if (rule != NULL)
			enable(lfirst_oid(cell), rule);
	}
	at_owner_leave(&state);
}

static void
enable(Oid relid, const Rule *rule)
{
	Relation rel = try_relation_open(relid, ShareRowExclusiveLock); /* as audit.enable() has it */
	ErrorContextCallback context = {.callback = add_context, .previous = error_context_stack};
	Rule fitting = *rule;

	if (rel == NULL)
		return;
	fitting.ignored = columns_there(rel, rule->ignored, at_primary_key(rel));
	fitting.masked = columns_there(rel, rule->masked, NIL);
	fitting.hashed = columns_there(rel, rule->hashed, NIL);
	fitting.read.columns = columns_there(rel, rule->read.columns, NIL);
	relation_close(rel, NoLock); /* ALTER TABLE wants it closed */

	context.arg = at_qualified_name(relid);
	error_context_stack = &context;
	call_enable(relid, &fitting);
	if (has_rows(relid))
		(void) at_baseline_record(relid, BATCH);
	error_context_stack = context.previous;
}

/* Those of the names that the table has as columns, in their order, and that others do not have. */
static List *
columns_there(Relation rel, List *names, List *others)
{
	TupleDesc desc = RelationGetDescr(rel);
	List *there = NIL;

	for (int i = 0; i < desc->natts; i++)
	{
		char *name = NameStr(TupleDescAttr(desc, i)->attname);

		if (!TupleDescAttr(desc, i)->attisdropped && at_names_contain(names, name) &&
			!at_names_contain(others, name))
			there = lappend(there, pstrdup(name));
	}
	return there;
}

static void
call_enable(Oid relid, const Rule *rule)
{
	Oid types[] = {REGCLASSOID,  TEXTOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID,
				   TEXTARRAYOID, TEXTOID, BOOLOID,      BOOLOID,      TEXTARRAYOID};
	Datum values[] = {
		ObjectIdGetDatum(relid),
		CStringGetTextDatum(rule->context),
		at_name_array(rule->operations),
		at_name_array(rule->ignored),
		at_name_array(rule->masked),
		at_name_array(rule->hashed),
		CStringGetTextDatum(rule->truncate),
		BoolGetDatum(rule->query),
		BoolGetDatum(rule->read.recorded && !rule->read.limited),
		at_name_array(rule->read.columns),
	};
	char nulls[lengthof(types) + 1] = "          ";

	/* a table that has none of the columns is not watched */
	if (rule->read.columns == NIL)
		nulls[lengthof(types) - 1] = 'n';

	SPI_connect();
	if (SPI_execute_with_args("SELECT audit.enable($1, context => $2, operations => $3, "
							  "ignore => $4, mask => $5, hash => $6, truncate => $7, query => $8, "
							  "reads => $9, read_columns => $10)",
							  lengthof(types), types, values, nulls, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "audit.enable() was not called");
	SPI_finish();
}

static void
add_context(void *arg)
{
	errcontext("auditing table %s, as audit.automatic wants it", (char *) arg);
}

/* May there be rows in it, or below it? */
static bool
has_rows(Oid relid)
{
	bool found = false;
	ListCell *cell;

	foreach (cell, find_all_inheritors(relid, AccessShareLock, NULL))
	{
		Relation rel = table_open(lfirst_oid(cell), NoLock);

		if (rel->rd_rel->relkind == RELKIND_RELATION && RelationGetNumberOfBlocks(rel) > 0)
			found = true;
		table_close(rel, NoLock);
	}
	return found;
}

void
at_automatic_forget(const char *schema, const char *command)
{
	(void) at_automatic_disable(schema, NULL, psprintf("dropped by %s", command));
}

int
at_automatic_disable(const char *schema, const char *pattern, const char *reason)
{
	List *rules = read_rules(schema);
	int disabled = 0;
	AtOwnerState state;
	AtConfigRow row;
	ListCell *cell;

	if (rules == NIL)
		return 0;
	at_owner_enter(&state);
	at_config_begin(&row, AT_AUTOMATIC_TABLE);
	at_config_set_text(&row, Anum_automatic_schema, schema);
	at_config_set(&row, Anum_automatic_enabled, BoolGetDatum(false));
	at_config_set(&row, Anum_automatic_changed_at,
				  TimestampTzGetDatum(GetCurrentTransactionStartTimestamp()));
	at_config_set_text(&row, Anum_automatic_reason, reason);
	foreach (cell, rules)
	{
		const Rule *rule = lfirst(cell);

		if (pattern != NULL && strcmp(rule->pattern, pattern) != 0)
			continue;
		at_config_set_text(&row, Anum_automatic_pattern, rule->pattern);
		disabled += at_config_update(&row) ? 1 : 0;
	}
	at_config_end(&row);
	at_owner_leave(&state);
	return disabled;
}

/* A rule under another name of its schema; one that is there already gives way. */
static void
rename_rule(AtConfigRow *row, HeapTuple tuple, TupleDesc desc, const char *new_name)
{
	Datum values[Natts_automatic];
	bool nulls[Natts_automatic];

	heap_deform_tuple(tuple, desc, values, nulls);
	for (int i = 0; i < Natts_automatic; i++)
	{
		row->values[i] = values[i];
		row->nulls[i] = nulls[i];
		row->given[i] = true;
	}
	(void) at_config_delete(row);
	at_config_set_text(row, Anum_automatic_schema, new_name);
	if (!at_config_update(row))
		at_config_insert(row);
}

void
at_automatic_rename(const char *old_name, const char *new_name)
{
	List *tuples = NIL;
	AtOwnerState state;
	AtConfigRow row;
	AtLatest latest;
	HeapTuple tuple;
	ListCell *cell;
	bool isnull;

	at_latest_begin(&latest, at_audit_relid(AT_AUTOMATIC_TABLE), NULL, 0, NULL);
	while (HeapTupleIsValid(tuple = at_latest_next(&latest)))
		if (strcmp(TextDatumGetCString(
					   heap_getattr(tuple, Anum_automatic_schema, latest.desc, &isnull)),
				   old_name) == 0)
			tuples = lappend(tuples, heap_copytuple(tuple));
	at_latest_end(&latest);
	if (tuples == NIL)
		return;

	at_owner_enter(&state);
	at_config_begin(&row, AT_AUTOMATIC_TABLE);
	foreach (cell, tuples)
		rename_rule(&row, lfirst(cell), RelationGetDescr(row.rel), new_name);
	at_config_end(&row);
	at_owner_leave(&state);
}
