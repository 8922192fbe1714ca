/*-------------------------------------------------------------------------
 * definition.c
 *		What somebody asks to be audited, checked against the table.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/sysattr.h"
#include "catalog/catalog.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/catalog.h"
#include "base/compat.h"
#include "base/errors.h"
#include "base/json_path.h"
#include "base/json_scan.h"
#include "base/names.h"
#include "capture/definition.h"
#include "capture/stored.h"
#include "capture/trigger.h"
#include "ledger/reader.h"

/* Arguments of audit.enable(). */
enum
{
	ARG_TARGET,
	ARG_CONTEXT,
	ARG_RESOURCE_TYPE,
	ARG_OPERATIONS,
	ARG_IGNORE,
	ARG_KEY,
	ARG_BASELINE,
	ARG_ONLY,
	ARG_MASK,
	ARG_HASH,
	ARG_PERSONAL,
	ARG_SUBJECT,
	ARG_WHEN,
	ARG_TRUNCATE,
	ARG_QUERY,
	ARG_READS,
	ARG_READ_COLUMNS
};

static void check_relation(Relation rel);
static void check_kind(Relation rel);
static void check_ancestors(Relation rel);
static void check_below(Relation rel);
static char *get_name(FunctionCallInfo fcinfo, int arg, const char *what, const char *otherwise);
static List *get_names(FunctionCallInfo fcinfo, int arg, const char *what);
static List *get_columns(FunctionCallInfo fcinfo, int arg, const char *what, Relation rel);
static void read_row_options(FunctionCallInfo fcinfo, Relation rel, AtRowOptions *row);
static void read_read_options(FunctionCallInfo fcinfo, Relation rel, AtReadOptions *read);
static char *get_truncate(FunctionCallInfo fcinfo, int arg);
static List *check_operations(List *given);
static void check_columns(Relation rel, List *names, const char *what);
static void check_ignored(const AtDefinition *definition);
static void check_query(bool query, const AtRowOptions *row);
static List *column_names(Relation rel);

void
at_definition_read(FunctionCallInfo fcinfo, Relation rel, AtDefinition *definition)
{
	char *table = pstrdup(RelationGetRelationName(rel));

	check_relation(rel);
	*definition = (AtDefinition){
		.relid = RelationGetRelid(rel),
		.schema = get_namespace_name(RelationGetNamespace(rel)),
		.table = table,
		.qualified_name = at_qualified_name(RelationGetRelid(rel)),
		.context = get_name(fcinfo, ARG_CONTEXT, "context", NULL),
		.resource_type = get_name(fcinfo, ARG_RESOURCE_TYPE, "resource_type", table),
		.operations = check_operations(get_names(fcinfo, ARG_OPERATIONS, "operations")),
		.ignored = get_names(fcinfo, ARG_IGNORE, "ignore"),
		.baseline = !PG_ARGISNULL(ARG_BASELINE) && PG_GETARG_BOOL(ARG_BASELINE),
		.key_given = !PG_ARGISNULL(ARG_KEY),
		.truncate = get_truncate(fcinfo, ARG_TRUNCATE),
		.query = !PG_ARGISNULL(ARG_QUERY) && PG_GETARG_BOOL(ARG_QUERY),
	};
	definition->keys =
		PG_ARGISNULL(ARG_KEY) ? at_primary_key(rel) : get_names(fcinfo, ARG_KEY, "key");
	check_columns(rel, definition->ignored, "ignore");
	check_columns(rel, definition->keys, "key");
	check_ignored(definition);
	read_row_options(fcinfo, rel, &definition->row);
	at_row_options_check(rel, &definition->row, definition->keys);
	check_query(definition->query, &definition->row);
	read_read_options(fcinfo, rel, &definition->read);

	StringInfoData described;

	initStringInfo(&described);
	at_row_options_describe(rel, &definition->row, definition->keys, &described);
	definition->row_described = described.data;
	definition->columns_json = at_describe_columns(rel, &definition->row, definition->keys);
}

static void
read_row_options(FunctionCallInfo fcinfo, Relation rel, AtRowOptions *row)
{
	*row = (AtRowOptions){
		.limited = !PG_ARGISNULL(ARG_ONLY),
		.only = get_columns(fcinfo, ARG_ONLY, "only", rel),
		.masked = get_columns(fcinfo, ARG_MASK, "mask", rel),
		.hashed = get_columns(fcinfo, ARG_HASH, "hash", rel),
		.personal = get_columns(fcinfo, ARG_PERSONAL, "personal", rel),
	};
	if (!PG_ARGISNULL(ARG_SUBJECT))
	{
		row->subject = text_to_cstring(PG_GETARG_TEXT_PP(ARG_SUBJECT));
		check_columns(rel, list_make1(row->subject), "subject");
	}
	if (!PG_ARGISNULL(ARG_WHEN))
		row->when = at_path_text(PG_GETARG_JSONPATH_P(ARG_WHEN), "\"when\"");
}

/* Naming columns says that reading them is recorded. */
static void
read_read_options(FunctionCallInfo fcinfo, Relation rel, AtReadOptions *read)
{
	*read = (AtReadOptions){
		.recorded = !PG_ARGISNULL(ARG_READ_COLUMNS) ||
					(!PG_ARGISNULL(ARG_READS) && PG_GETARG_BOOL(ARG_READS)),
		.limited = !PG_ARGISNULL(ARG_READ_COLUMNS),
		.columns = get_columns(fcinfo, ARG_READ_COLUMNS, "read_columns", rel),
	};
}

void
at_definition_check_options(FunctionCallInfo fcinfo, const AtOptionArgs *args)
{
	AtRowOptions row = {
		.masked = get_names(fcinfo, args->mask, "mask"),
		.hashed = get_names(fcinfo, args->hash, "hash"),
	};

	(void) get_name(fcinfo, args->context, "context", NULL);
	(void) check_operations(get_names(fcinfo, args->operations, "operations"));
	(void) get_truncate(fcinfo, args->truncate);
	(void) get_names(fcinfo, args->read_columns, "read_columns");
	at_row_options_check_alone(&row);
	check_query(PG_GETARG_BOOL(args->query), &row);
}

pg_noreturn static void
bad_target(Relation rel, const char *what, const char *hint)
{
	ereport(ERROR, (errcode(ERRCODE_AT_BAD_TARGET),
					errmsg("cannot audit \"%s\": it is %s", RelationGetRelationName(rel), what),
					errhint("%s", hint)));
}

static void
check_relation(Relation rel)
{
	check_kind(rel);
	if (IsCatalogRelation(rel) || IsCatalogNamespace(RelationGetNamespace(rel)) ||
		strcmp(get_namespace_name(RelationGetNamespace(rel)), "information_schema") == 0)
		bad_target(rel, "a system catalog", "Audit the tables of the business.");
	if (at_is_ledger_relation(rel))
		bad_target(rel, "part of the audit trail", "The ledger is write-once by itself.");
	if (rel->rd_rel->relpersistence == RELPERSISTENCE_TEMP)
		bad_target(rel, "a temporary table", "Audit the table that its rows go to.");
	if (rel->rd_rel->relpersistence == RELPERSISTENCE_UNLOGGED)
		bad_target(
			rel, "unlogged, so a crash would empty it without an event",
			psprintf("ALTER TABLE %s SET LOGGED;", at_qualified_name(RelationGetRelid(rel))));
	check_ancestors(rel);
	at_definition_check_owner(rel);
	check_below(rel);
}

static void
check_kind(Relation rel)
{
	switch (rel->rd_rel->relkind)
	{
		case RELKIND_RELATION:
		case RELKIND_PARTITIONED_TABLE:
			return;
		case RELKIND_VIEW:
		case RELKIND_MATVIEW:
			bad_target(rel, "a view", "Audit the tables that it selects from.");
		case RELKIND_FOREIGN_TABLE:
			bad_target(rel, "a foreign table",
					   "Audit it where it is stored: changes made there never pass here.");
		default:
			bad_target(rel, "not a table", "Give the name of a table.");
	}
}

/* A partition is captured with its table; to do it twice would tell everything twice. */
static void
check_ancestors(Relation rel)
{
	if (!rel->rd_rel->relispartition)
		return;

	Oid root = llast_oid(get_partition_ancestors(RelationGetRelid(rel)));

	bad_target(rel, psprintf("a partition of \"%s\"", get_rel_name(root)),
			   psprintf("SELECT audit.enable(%s);", quote_literal_cstr(at_qualified_name(root))));
}

/* Partitions share the table's triggers; what is below it must be fit to be audited too. */
static void
check_below(Relation rel)
{
	AtStoredPolicy stored;
	ListCell *cell;

	foreach (cell, find_all_inheritors(RelationGetRelid(rel), AccessShareLock, NULL))
	{
		Oid relid = lfirst_oid(cell);
		char *name = at_qualified_name(relid);

		if (get_rel_relkind(relid) == RELKIND_FOREIGN_TABLE)
			bad_target(
				rel,
				psprintf("partly stored elsewhere, in foreign table \"%s\"", get_rel_name(relid)),
				"Detach that one, and audit it where it is stored.");
		if (get_rel_persistence(relid) == RELPERSISTENCE_UNLOGGED)
			bad_target(rel,
					   psprintf("unlogged in %s, so a crash would empty it without an event", name),
					   psprintf("ALTER TABLE %s SET LOGGED;", name));
		if (relid != RelationGetRelid(rel) && get_rel_relispartition(relid) && at_stored_ready() &&
			at_stored_read(relid, &stored))
			bad_target(rel, psprintf("audited already in its partition %s", name),
					   psprintf("SELECT audit.disable(%s, 'audited with its table');",
								quote_literal_cstr(name)));
	}
}

void
at_definition_check_owner(Relation rel)
{
	if (!object_ownercheck(RelationRelationId, RelationGetRelid(rel), GetUserId()) &&
		!at_reader_is_admin(GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(rel->rd_rel->relkind),
					   RelationGetRelationName(rel));
}

/* A name that must not be empty. */
static char *
get_name(FunctionCallInfo fcinfo, int arg, const char *what, const char *otherwise)
{
	char *name = PG_ARGISNULL(arg) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(arg));

	if (name == NULL && otherwise != NULL)
		return pstrdup(otherwise);
	if (name == NULL || name[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s must not be empty", what),
				 errhint("Leave it out to take the default.")));
	return name;
}

/* A list of names without doubles and nulls; a null array is an empty one. */
static List *
get_names(FunctionCallInfo fcinfo, int arg, const char *what)
{
	Datum *elements;
	bool *nulls;
	int count;
	List *names = NIL;

	if (PG_ARGISNULL(arg))
		return NIL;
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(arg), TEXTOID, -1, false, TYPALIGN_INT, &elements,
					  &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		char *name = nulls[i] ? NULL : TextDatumGetCString(elements[i]);

		if (name == NULL)
			ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
							errmsg("%s must not contain nulls", what)));
		if (!at_names_contain(names, name))
			names = lappend(names, name);
	}
	return names;
}

static int
elements_of(ArrayType *array)
{
	return ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
}

/* Names of columns that are there, each once: a second one is meant for another column. */
static List *
get_columns(FunctionCallInfo fcinfo, int arg, const char *what, Relation rel)
{
	List *names = get_names(fcinfo, arg, what);

	check_columns(rel, names, what);
	if (!PG_ARGISNULL(arg) && list_length(names) < elements_of(PG_GETARG_ARRAYTYPE_P(arg)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" names a column twice", what), errhint("Name each column once.")));
	return names;
}

static char *
get_truncate(FunctionCallInfo fcinfo, int arg)
{
	char *mode = get_name(fcinfo, arg, "truncate", AT_TRUNCATE_ROWS);

	if (strcmp(mode, AT_TRUNCATE_ROWS) != 0 && strcmp(mode, AT_TRUNCATE_COUNT) != 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("unknown value \"%s\" of \"truncate\"", mode),
						errhint("It is either rows or count.")));
	return mode;
}

/* Known ones only, at least one, in a fixed order. */
static List *
check_operations(List *given)
{
	List *known = NIL;
	ListCell *cell;

	for (int i = 0; i < AT_TRIGGERS; i++)
		if (at_names_contain(given, at_triggers[i].operation) &&
			!at_names_contain(known, at_triggers[i].operation))
			known = lappend(known, pstrdup(at_triggers[i].operation));

	foreach (cell, given)
		if (!at_names_contain(known, lfirst(cell)))
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("unknown operation \"%s\"", (char *) lfirst(cell)),
							errhint("Operations are insert, update, delete and truncate.")));
	if (known == NIL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("no operation to audit"),
						errhint("Operations are insert, update, delete and truncate.")));
	return known;
}

static void
check_columns(Relation rel, List *names, const char *what)
{
	ListCell *cell;

	foreach (cell, names)
	{
		const char *name = lfirst(cell);

		if (get_attnum(RelationGetRelid(rel), name) <= 0)
			ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
							errmsg("table \"%s\" has no column \"%s\"",
								   RelationGetRelationName(rel), name),
							errdetail("It is named in the argument \"%s\".", what),
							errhint("Columns are %s.", at_name_list(column_names(rel)))));
	}
}

/* Not the key, and not everything. */
static void
check_ignored(const AtDefinition *definition)
{
	ListCell *cell;

	foreach (cell, definition->ignored)
		if (at_names_contain(definition->keys, lfirst(cell)))
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("key column \"%s\" cannot be ignored", (char *) lfirst(cell)),
							errdetail("A change of the key changes which row an event is about."),
							errhint("Take it out of \"ignore\", or give another \"key\".")));
}

/* The text of a command has its values in it. */
static void
check_query(bool query, const AtRowOptions *row)
{
	if (query && (row->masked != NIL || row->hashed != NIL || row->personal != NIL))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the text of commands cannot be kept where columns are concealed"),
				 errdetail("It has the values in it that \"mask\", \"hash\" and \"personal\" "
						   "conceal."),
				 errhint("Leave out \"query\", or conceal no columns.")));
}

List *
at_primary_key(Relation rel)
{
	List *names = NIL;

	RelationGetIndexList(rel); /* sets rd_pkindex */
	if (!OidIsValid(rel->rd_pkindex))
		return NIL;

	Relation index = index_open(rel->rd_pkindex, AccessShareLock);

	for (int i = 0; i < IndexRelationGetNumberOfKeyAttributes(index); i++)
		names = lappend(
			names, get_attname(RelationGetRelid(rel), index->rd_index->indkey.values[i], false));
	index_close(index, AccessShareLock);
	return names;
}

/* Column names of a table, dropped ones left out. */
static List *
column_names(Relation rel)
{
	TupleDesc desc = RelationGetDescr(rel);
	List *names = NIL;

	for (int i = 0; i < desc->natts; i++)
		if (!TupleDescAttr(desc, i)->attisdropped)
			names = lappend(names, pstrdup(NameStr(TupleDescAttr(desc, i)->attname)));
	return names;
}

char *
at_describe_columns(Relation rel, const AtRowOptions *options, List *keys)
{
	TupleDesc desc = RelationGetDescr(rel);
	StringInfoData json;

	initStringInfo(&json);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);
		AtTreatment treatment;

		if (attribute->attisdropped)
			continue;
		treatment = at_row_treatment(rel, i + 1, options, keys);
		appendStringInfoString(&json, json.len == 0 ? "[{\"name\":" : ",{\"name\":");
		escape_json(&json, NameStr(attribute->attname));
		appendStringInfoString(&json, ",\"type\":");
		escape_json(&json, at_type_name(attribute->atttypid, attribute->atttypmod));
		if (treatment != AT_PLAIN)
			appendStringInfo(&json, ",\"recorded\":\"%s\"", at_treatment_words[treatment]);
		appendStringInfoChar(&json, '}');
	}
	appendStringInfoString(&json, json.len == 0 ? "[]" : "]");
	return json.data;
}

/* A member of an object, its string; the scan stands on its name, and then behind its value. */
static char *
read_string(AtJsonScan *in)
{
	AtJsonSlice string = {0};

	(void) at_json_next(in); /* the colon */
	if (at_json_next(in) && in->kind == '"')
		string = at_json_string(in);
	return pnstrdup(string.data ? string.data : "", string.len);
}

List *
at_described_columns(const char *columns, const char *recorded)
{
	List *names = NIL;
	char *name = NULL;
	char *word = NULL;
	AtJsonScan in;

	at_json_start(&in, columns, strlen(columns));
	while (at_json_next(&in))
	{
		if (in.kind == '{')
			name = word = NULL;
		else if (in.kind == '"')
		{
			AtJsonSlice member = at_json_string(&in);
			char *value = read_string(&in);

			if (member.len == strlen("name") && memcmp(member.data, "name", member.len) == 0)
				name = value;
			if (member.len == strlen("recorded") &&
				memcmp(member.data, "recorded", member.len) == 0)
				word = value;
		}
		else if (in.kind == '}' && name != NULL &&
				 (recorded == NULL || (word != NULL && strcmp(word, recorded) == 0)))
			names = lappend(names, name);
	}
	return names;
}
