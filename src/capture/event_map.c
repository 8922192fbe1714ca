/*-------------------------------------------------------------------------
 * event_map.c
 *		Which changes of an audited table are which business events, and
 *		audit.map_event() and audit.unmap_event(), which say so.
 *
 * Values are compared as they are recorded, so a concealed column can only be asked
 * whether it changed. Of several rules that fit the most particular one counts: one that
 * knows the new value before one that knows the old value, this before one that knows the
 * column alone, and of equal ones the first by name.
 *
 * Locks: who changes the rules takes ShareUpdateExclusiveLock on the table, to the end
 * of the transaction, so that its columns stay what was checked.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "base/catalog.h"
#include "base/compat.h"
#include "base/config_row.h"
#include "base/errors.h"
#include "base/json_scan.h"
#include "base/latest.h"
#include "base/names.h"
#include "capture/event_map.h"
#include "capture/policy.h"
#include "ledger/event_type.h"
#include "ledger/owner.h"
#include "ledger/reader.h"

/* The configuration table and its columns (sql/install/45_catalogue.sql). */
#define MAP_TABLE "event_map"
#define MAP_INDEX "event_map_target_idx"

#define Anum_map_name        1
#define Anum_map_target      2
#define Anum_map_event_type  3
#define Anum_map_operation   4
#define Anum_map_column_name 5
#define Anum_map_from_value  6
#define Anum_map_to_value    7
#define Anum_map_changed_at  8

/* Longest name of a rule. */
#define MAX_NAME_BYTES 400

/* Parameters of audit.map_event(). */
enum
{
	ARG_TARGET,
	ARG_EVENT_TYPE,
	ARG_OPERATION,
	ARG_COLUMN,
	ARG_FROM,
	ARG_TO,
	ARG_NAME
};

/* A rule; NULL is any. */
typedef struct Rule
{
	char *name;
	Oid target;
	char op;
	char *event_type;
	struct varlena *type; /* the same as text */
	char *column;
	char *from;
	char *to;
} Rule;

struct AtEventMap
{
	int count;
	Rule rules[FLEXIBLE_ARRAY_MEMBER]; /* the most particular first */
};

PG_FUNCTION_INFO_V1(at_map_event);
PG_FUNCTION_INFO_V1(at_unmap_event);

static void warn_if_lost(Oid relid, const Rule *rule);
static List *read_rules(Oid relid);
static Rule *make_rule(HeapTuple tuple, TupleDesc desc);
static int compare_rules(const ListCell *a, const ListCell *b);
static bool fits(const Rule *rule, char op, AtJsonSlice old_values, AtJsonSlice new_values);
static void take_arguments(FunctionCallInfo fcinfo, Rule *rule);
static void check_rule(const Rule *rule);
static void check_owner(Oid relid);
static char *describe(const Rule *rule);
static Oid target_of(const char *name);

AtEventMap *
at_event_map_build(Oid root_relid)
{
	List *rules = read_rules(root_relid);
	AtEventMap *map;
	ListCell *cell;

	if (rules == NIL)
		return NULL;
	list_sort(rules, compare_rules);
	map = palloc(offsetof(AtEventMap, rules) + sizeof(Rule) * list_length(rules));
	map->count = 0;
	foreach (cell, rules)
	{
		const Rule *rule = lfirst(cell);

		warn_if_lost(root_relid, rule);
		map->rules[map->count++] = *rule;
	}
	return map;
}

/* Whoever renames or drops a column learns that the rule does not see it any more. */
static void
warn_if_lost(Oid relid, const Rule *rule)
{
	if (rule->column == NULL || get_attnum(relid, rule->column) != InvalidAttrNumber)
		return;
	ereport(WARNING,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg("rule \"%s\" is about column \"%s\", which table \"%s\" lacks", rule->name,
					rule->column, get_rel_name(relid)),
			 errhint("SELECT audit.unmap_event(%s); and give a new one with audit.map_event().",
					 quote_literal_cstr(rule->name))));
}

static List *
read_rules(Oid relid)
{
	Oid map = get_relname_relid(MAP_TABLE, at_audit_schema());
	List *rules = NIL;
	AtLatest latest;
	ScanKeyData key;
	HeapTuple tuple;

	if (!OidIsValid(map))
		return NIL; /* the extension is older than its library */
	ScanKeyInit(&key, Anum_map_target, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
	at_latest_begin(&latest, map, MAP_INDEX, 1, &key);
	while (HeapTupleIsValid(tuple = at_latest_next(&latest)))
		rules = lappend(rules, make_rule(tuple, latest.desc));
	at_latest_end(&latest);
	return rules;
}

static char *
get_string(HeapTuple tuple, int column, TupleDesc desc)
{
	bool isnull;
	Datum value = heap_getattr(tuple, column, desc, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

static Rule *
make_rule(HeapTuple tuple, TupleDesc desc)
{
	Rule *rule = palloc(sizeof(Rule));
	char *operation = get_string(tuple, Anum_map_operation, desc);
	bool isnull;

	*rule = (Rule){
		.name = get_string(tuple, Anum_map_name, desc),
		.target = DatumGetObjectId(heap_getattr(tuple, Anum_map_target, desc, &isnull)),
		.op = pg_toupper(operation[0]),
		.event_type = get_string(tuple, Anum_map_event_type, desc),
		.column = get_string(tuple, Anum_map_column_name, desc),
		.from = get_string(tuple, Anum_map_from_value, desc),
		.to = get_string(tuple, Anum_map_to_value, desc),
	};
	rule->type = (struct varlena *) cstring_to_text(rule->event_type);
	return rule;
}

static int
rank(const Rule *rule)
{
	return (rule->to != NULL ? 4 : 0) + (rule->from != NULL ? 2 : 0) +
		   (rule->column != NULL ? 1 : 0);
}

static int
compare_rules(const ListCell *a, const ListCell *b)
{
	const Rule *one = lfirst(a);
	const Rule *other = lfirst(b);

	if (rank(one) != rank(other))
		return rank(other) - rank(one);
	return strcmp(one->name, other->name);
}

static AtJsonSlice
slice_of(const struct varlena *values)
{
	if (values == NULL)
		return (AtJsonSlice){NULL, 0};
	return (AtJsonSlice){VARDATA_ANY(values), VARSIZE_ANY_EXHDR(values)};
}

struct varlena *
at_event_map_find(const AtEventMap *map, char op, const struct varlena *old_values,
				  const struct varlena *new_values)
{
	AtJsonSlice before = slice_of(old_values);
	AtJsonSlice after = slice_of(new_values);

	for (int i = 0; i < map->count; i++)
		if (fits(&map->rules[i], op, before, after))
			return map->rules[i].type;
	return NULL;
}

/* Is the recorded value the one wanted? Null is none. */
static bool
is_value(AtJsonSlice value, const char *wanted)
{
	AtJsonScan in;

	at_json_start(&in, value.data, value.len);
	if (!at_json_next(&in) || in.kind == 'n')
		return false;
	if (in.kind == '"')
		value = at_json_string(&in);
	return value.len == strlen(wanted) && memcmp(value.data, wanted, value.len) == 0;
}

static bool
fits(const Rule *rule, char op, AtJsonSlice old_values, AtJsonSlice new_values)
{
	AtJsonSlice column = {rule->column, rule->column != NULL ? strlen(rule->column) : 0};
	AtJsonSlice before = {NULL, 0};
	AtJsonSlice after = {NULL, 0};

	if (rule->op != op)
		return false;
	if (rule->column == NULL)
		return true;
	if (old_values.data != NULL)
		before = at_json_member(old_values, column);
	if (new_values.data != NULL)
		after = at_json_member(new_values, column);
	if (before.data == NULL && after.data == NULL)
		return false; /* of an update, values that changed are recorded, and no others */
	return (rule->from == NULL || (before.data != NULL && is_value(before, rule->from))) &&
		   (rule->to == NULL || (after.data != NULL && is_value(after, rule->to)));
}

/* ---- changing the rules ---- */

Datum
at_map_event(PG_FUNCTION_ARGS)
{
	AtOwnerState state;
	AtConfigRow row;
	Rule rule;
	bool exists;

	take_arguments(fcinfo, &rule);
	check_owner(rule.target);
	LockRelationOid(rule.target, ShareUpdateExclusiveLock);
	check_rule(&rule);

	Oid former = target_of(rule.name);

	if (OidIsValid(former) && former != rule.target)
		CacheInvalidateRelcacheByRelid(former);
	at_owner_enter(&state);
	at_config_begin(&row, MAP_TABLE);
	at_config_set_text(&row, Anum_map_name, rule.name);
	at_config_set(&row, Anum_map_target, ObjectIdGetDatum(rule.target));
	at_config_set_text(&row, Anum_map_event_type, rule.event_type);
	at_config_set(&row, Anum_map_operation,
				  PG_ARGISNULL(ARG_OPERATION) ? CStringGetTextDatum("update")
											  : PG_GETARG_DATUM(ARG_OPERATION));
	at_config_set_text(&row, Anum_map_column_name, rule.column);
	at_config_set_text(&row, Anum_map_from_value, rule.from);
	at_config_set_text(&row, Anum_map_to_value, rule.to);
	at_config_set(&row, Anum_map_changed_at,
				  TimestampTzGetDatum(GetCurrentTransactionStartTimestamp()));
	exists = at_config_update(&row);
	if (!exists)
		at_config_insert(&row);
	at_config_end(&row);
	CacheInvalidateRelcacheByRelid(rule.target);
	at_owner_leave(&state);
	if (PG_ARGISNULL(ARG_NAME))
		PG_RETURN_TEXT_P(
			cstring_to_text(psprintf("rule %s: %s", exists ? "changed" : "created", rule.name)));
	PG_RETURN_TEXT_P(cstring_to_text(psprintf("rule \"%s\" %s: %s", rule.name,
											  exists ? "changed" : "created", describe(&rule))));
}

Datum
at_unmap_event(PG_FUNCTION_ARGS)
{
	char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Oid target = target_of(name);
	AtOwnerState state;
	AtConfigRow row;

	if (!OidIsValid(target))
		PG_RETURN_TEXT_P(cstring_to_text(psprintf("rule \"%s\" does not exist", name)));
	if (get_rel_name(target) != NULL)
	{
		check_owner(target);
		CacheInvalidateRelcacheByRelid(target);
	}
	at_owner_enter(&state);
	at_config_begin(&row, MAP_TABLE);
	at_config_set_text(&row, Anum_map_name, name);
	(void) at_config_delete(&row);
	at_config_end(&row);
	at_owner_leave(&state);
	PG_RETURN_TEXT_P(cstring_to_text(psprintf("rule \"%s\" dropped", name)));
}

static char *
get_argument(FunctionCallInfo fcinfo, int arg)
{
	return PG_ARGISNULL(arg) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(arg));
}

static void
take_arguments(FunctionCallInfo fcinfo, Rule *rule)
{
	char *operation = get_argument(fcinfo, ARG_OPERATION);

	if (PG_ARGISNULL(ARG_TARGET) || PG_ARGISNULL(ARG_EVENT_TYPE))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("target and event_type must not be null")));
	if (operation == NULL)
		operation = "update";
	if (strcmp(operation, "insert") != 0 && strcmp(operation, "update") != 0 &&
		strcmp(operation, "delete") != 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("operation must be insert, update or delete")));
	*rule = (Rule){
		.target = PG_GETARG_OID(ARG_TARGET),
		.op = pg_toupper(operation[0]),
		.event_type = get_argument(fcinfo, ARG_EVENT_TYPE),
		.column = get_argument(fcinfo, ARG_COLUMN),
		.from = get_argument(fcinfo, ARG_FROM),
		.to = get_argument(fcinfo, ARG_TO),
		.name = get_argument(fcinfo, ARG_NAME),
	};
	if (get_rel_name(rule->target) != NULL && rule->name == NULL)
		rule->name = describe(rule);
}

static void
check_owner(Oid relid)
{
	char *name = get_rel_name(relid);

	if (name == NULL)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
						errmsg("relation with OID %u does not exist", relid)));
	if (!object_ownercheck(RelationRelationId, relid, GetUserId()) &&
		!at_reader_is_admin(GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(get_rel_relkind(relid)), name);
}

static const AtColumn *
find_column(const AtPolicy *policy, const char *name)
{
	for (int i = 0; i < policy->ncolumns; i++)
		if (strcmp(policy->columns[i].name, name) == 0)
			return &policy->columns[i];
	return NULL;
}

/* The table is audited and has the column, and nobody would have to see what is concealed. */
static void
check_rule(const Rule *rule)
{
	Relation rel = table_open(rule->target, NoLock);
	const AtPolicy *policy = at_policy_lookup(rel);
	const AtColumn *column = NULL;
	const AtEventType *type;

	if (policy == NULL || policy->root_relid != rule->target)
		ereport(ERROR,
				(errcode(ERRCODE_AT_BAD_TARGET),
				 errmsg("table \"%s\" is not audited by itself", RelationGetRelationName(rel)),
				 errhint("SELECT audit.enable(%s);",
						 quote_literal_cstr(at_qualified_name(rule->target)))));
	type = at_event_type_find(rule->event_type, strlen(rule->event_type));
	if (type == NULL)
		ereport(ERROR, (errcode(ERRCODE_AT_BAD_EVENT),
						errmsg("there is no event type \"%s\"", rule->event_type),
						errhint("See audit.event_types, or SELECT audit.add_event_type(%s, ...);",
								quote_literal_cstr(rule->event_type))));
	if (type->reserved)
		ereport(ERROR, (errcode(ERRCODE_AT_BAD_EVENT),
						errmsg("changes of rows cannot be events of type \"%s\"", type->name),
						errdetail("The server itself records them.")));
	if (rule->column == NULL && (rule->from != NULL || rule->to != NULL))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("values need a column: give column_name")));
	if (rule->column != NULL && (column = find_column(policy, rule->column)) == NULL)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
						errmsg("no column \"%s\" of table \"%s\" is recorded", rule->column,
							   RelationGetRelationName(rel))));
	if (column != NULL && column->treatment != AT_PLAIN && (rule->from != NULL || rule->to != NULL))
		ereport(ERROR, (errcode(ERRCODE_AT_BAD_EVENT),
						errmsg("values of column \"%s\" are concealed", rule->column),
						errhint("Leave from_value and to_value out.")));
	if ((rule->op == 'I' && rule->from != NULL) || (rule->op == 'D' && rule->to != NULL))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("an insert has no from_value, and a delete no to_value")));
	if (rule->name[0] == '\0' || strlen(rule->name) > MAX_NAME_BYTES)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the name of a rule has between 1 and %d bytes", MAX_NAME_BYTES)));
	table_close(rel, NoLock);
}

/* "order.cancelled when public.orders is updated, status from paid to cancelled" */
static char *
describe(const Rule *rule)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfo(&text, "%s when %s is %s", rule->event_type, at_qualified_name(rule->target),
					 rule->op == 'I'   ? "inserted into"
					 : rule->op == 'U' ? "updated"
									   : "deleted from");
	if (rule->column != NULL)
		appendStringInfo(&text, ", %s", rule->column);
	if (rule->from != NULL)
		appendStringInfo(&text, " from %s", rule->from);
	if (rule->to != NULL)
		appendStringInfo(&text, " to %s", rule->to);
	return text.data;
}

/* The table of a rule; InvalidOid if there is no such rule. */
static Oid
target_of(const char *name)
{
	AtLatest latest;
	ScanKeyData key;
	HeapTuple tuple;
	Oid target = InvalidOid;

	ScanKeyInit(&key, Anum_map_name, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(name));
	at_latest_begin(&latest, at_audit_relid(MAP_TABLE), "event_map_pkey", 1, &key);
	tuple = at_latest_next(&latest);
	if (HeapTupleIsValid(tuple))
		target = make_rule(tuple, latest.desc)->target;
	at_latest_end(&latest);
	return target;
}
