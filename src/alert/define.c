/*-------------------------------------------------------------------------
 * define.c
 *		audit.alert_when() and its like: changing the alert rules.
 *
 * The caller must own the table (or be a superuser or an admin; for rules of no table it takes
 * one of these) and have EXECUTE on the function; what is then done is done as the owner
 * of the extension. What a superuser or an admin has made or changed, the owner of the table can
 * neither change nor drop: it may be there because of him.
 *
 * Locks: ShareUpdateExclusiveLock on the table until the end of the
 * transaction, so that its columns stay what was checked.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "alert/audited.h"
#include "alert/rule_row.h"
#include "base/catalog.h"
#include "base/compat.h"
#include "base/config_row.h"
#include "base/errors.h"
#include "base/names.h"
#include "ledger/owner.h"
#include "ledger/reader.h"

/* A notification has to hold these, with escapes. */
#define MAX_SEVERITY_BYTES 60
#define MAX_MESSAGE_BYTES  2000

PG_FUNCTION_INFO_V1(at_alert_when);
PG_FUNCTION_INFO_V1(at_alert_alter);
PG_FUNCTION_INFO_V1(at_alert_switch);
PG_FUNCTION_INFO_V1(at_alert_drop);
PG_FUNCTION_INFO_V1(at_refuse_template);

static char *define(AtRuleRow *row, HeapTuple former, TupleDesc desc);
static bool is_same(const AtRuleRow *row, HeapTuple former, TupleDesc desc);
static char *describe(const AtRule *rule, const char *done);
static void check_there(const AtRuleRow *row);
static HeapTuple find_rule(const char *name, TupleDesc *desc);
static void clear_arguments(AtRuleRow *row, ArrayType *names);
static void check_labels(const AtRuleRow *row);
static void check_owner(Oid relid);
static void check_former(HeapTuple former, TupleDesc desc);
static bool acts_as_admin(void);
static void forget(Oid relid);

/* Arguments are columns of audit.alert_rule, in their order. */
Datum
at_alert_when(PG_FUNCTION_ARGS)
{
	AtRuleRow row;
	HeapTuple former;
	TupleDesc desc;

	at_rule_row_read(&row, fcinfo);
	check_labels(&row);
	former = at_rule_find(TextDatumGetCString(row.values[Anum_rule_name - 1]), &desc);
	PG_RETURN_TEXT_P(cstring_to_text(define(&row, former, desc)));
}

/* The same arguments, of which those that are null stay as they are, and those to be cleared. */
Datum
at_alert_alter(PG_FUNCTION_ARGS)
{
	AtRuleRow row;
	TupleDesc desc;
	HeapTuple former;

	if (PG_ARGISNULL(Anum_rule_name - 1))
		PG_RETURN_NULL();
	former = find_rule(TextDatumGetCString(PG_GETARG_DATUM(Anum_rule_name - 1)), &desc);
	heap_deform_tuple(former, desc, row.values, row.nulls);
	for (int i = 0; i < AT_RULE_ARGUMENTS; i++)
		if (!PG_ARGISNULL(i))
		{
			row.values[i] = PG_GETARG_DATUM(i);
			row.nulls[i] = false;
		}
	if (!PG_ARGISNULL(AT_RULE_ARGUMENTS))
		clear_arguments(&row, PG_GETARG_ARRAYTYPE_P(AT_RULE_ARGUMENTS));
	check_there(&row);
	at_rule_row_complete(&row);
	check_labels(&row);
	PG_RETURN_TEXT_P(cstring_to_text(define(&row, former, desc)));
}

/* audit.alert_enable() and audit.alert_disable(): (name, enabled). */
Datum
at_alert_switch(PG_FUNCTION_ARGS)
{
	AtRuleRow row;
	TupleDesc desc;
	HeapTuple former = find_rule(text_to_cstring(PG_GETARG_TEXT_PP(0)), &desc);

	heap_deform_tuple(former, desc, row.values, row.nulls);
	row.values[Anum_rule_enabled - 1] = BoolGetDatum(PG_GETARG_BOOL(1));
	PG_RETURN_TEXT_P(cstring_to_text(define(&row, former, desc)));
}

/* Store a rule, as its row is to be; says what was done. */
static char *
define(AtRuleRow *row, HeapTuple former, TupleDesc desc)
{
	AtOwnerState state;
	AtRule rule;
	const char *done = "created";
	Relation rel = NULL;

	if (row->nulls[Anum_rule_target - 1])
		check_owner(InvalidOid);
	else
	{
		Oid relid = DatumGetObjectId(row->values[Anum_rule_target - 1]);

		check_owner(relid);
		check_there(row);
		rel = table_open(relid, ShareUpdateExclusiveLock);
	}
	at_rule_row_compile(row, &rule);
	if (rel != NULL)
		at_audited_check(rel, &rule);

	row->values[Anum_rule_by_admin - 1] = BoolGetDatum(acts_as_admin());
	row->nulls[Anum_rule_by_admin - 1] = false;
	if (former != NULL)
	{
		bool isnull;
		Datum target = heap_getattr(former, Anum_rule_target, desc, &isnull);

		done = is_same(row, former, desc) ? "exists already" : "changed";
		check_former(former, desc);
		forget(isnull ? InvalidOid : DatumGetObjectId(target));
	}
	at_owner_enter(&state);
	if (former == NULL || !is_same(row, former, desc))
		at_rule_row_write(row);
	forget(rule.relid);
	at_owner_leave(&state);
	if (rel != NULL)
		table_close(rel, NoLock);
	return describe(&rule, done);
}

/* The table of a stored rule may be gone. */
static void
check_there(const AtRuleRow *row)
{
	char *name = TextDatumGetCString(row->values[Anum_rule_name - 1]);

	if (row->nulls[Anum_rule_target - 1] ||
		get_rel_name(DatumGetObjectId(row->values[Anum_rule_target - 1])) != NULL)
		return;
	ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
					errmsg("the table of alert rule \"%s\" is gone", name),
					errhint("SELECT audit.alert_drop(%s);", quote_literal_cstr(name))));
}

/* Let all sessions read the rules of a table, or of none, anew; of one that is gone too. */
static void
forget(Oid relid)
{
	bool there = OidIsValid(relid) && get_rel_name(relid) != NULL;

	CacheInvalidateRelcacheByRelid(there ? relid : at_audit_relid(AT_RULE_TABLE));
}

static bool
is_same(const AtRuleRow *row, HeapTuple former, TupleDesc desc)
{
	for (int i = 0; i < Natts_rule; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);
		bool isnull;
		Datum value = heap_getattr(former, i + 1, desc, &isnull);

		if (i == Anum_rule_changed_at - 1)
			continue;
		if (isnull != row->nulls[i] ||
			(!isnull &&
			 !datum_image_eq(value, row->values[i], attribute->attbyval, attribute->attlen)))
			return false;
	}
	return true;
}

static char *
describe(const AtRule *rule, const char *done)
{
	List *columns = NIL;
	StringInfoData text;

	for (int i = 0; i < rule->ncolumns; i++)
		columns = lappend(columns, rule->columns[i].name);
	initStringInfo(&text);
	appendStringInfo(&text, "alert rule \"%s\" %s:", rule->name, done);
	if (OidIsValid(rule->relid))
		appendStringInfo(&text, " %s", at_qualified_name(rule->relid));
	if (columns != NIL)
		appendStringInfo(&text, " (%s)", at_name_list(columns));
	if (rule->kind != AT_RULE_CHANGED)
		appendStringInfo(&text, " %s", at_rule_kinds[rule->kind]);
	appendStringInfo(&text, " to channel %s", rule->channel);
	if (rule->block)
		appendStringInfoString(&text, ", blocking");
	if (!rule->enabled)
		appendStringInfoString(&text, ", disabled");
	return text.data;
}

Datum
at_alert_drop(PG_FUNCTION_ARGS)
{
	char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	AtOwnerState state;
	TupleDesc desc;
	HeapTuple tuple = at_rule_find(name, &desc);
	bool exists = tuple != NULL;

	if (exists)
	{
		bool isnull;
		Datum value = heap_getattr(tuple, Anum_rule_target, desc, &isnull);
		Oid target = isnull ? InvalidOid : DatumGetObjectId(value);
		AtConfigRow row;

		check_former(tuple, desc);
		at_owner_enter(&state);
		at_config_begin(&row, AT_RULE_TABLE);
		at_config_set_text(&row, Anum_rule_name, name);
		exists = at_config_delete(&row);
		at_config_end(&row);
		forget(target);
		at_owner_leave(&state);
	}
	PG_RETURN_TEXT_P(cstring_to_text(
		psprintf("alert rule \"%s\" %s", name, exists ? "dropped" : "does not exist")));
}

Datum
at_refuse_template(PG_FUNCTION_ARGS)
{
	ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
					errmsg("there is no template \"%s\" of alert rules",
						   PG_ARGISNULL(0) ? "" : text_to_cstring(PG_GETARG_TEXT_PP(0))),
					errhint("SELECT * FROM audit.alert_templates;")));
	PG_RETURN_NULL();
}

static HeapTuple
find_rule(const char *name, TupleDesc *desc)
{
	HeapTuple tuple = at_rule_find(name, desc);

	if (tuple == NULL)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
						errmsg("alert rule \"%s\" does not exist", name),
						errhint("SELECT name FROM audit.alert_rule;")));
	return tuple;
}

/* Arguments that get their default again, by their names. */
static void
clear_arguments(AtRuleRow *row, ArrayType *names)
{
	Oid rules = at_audit_relid(AT_RULE_TABLE);
	Datum *elements;
	bool *nulls;
	int count;

	deconstruct_array(names, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		char *name = nulls[i] ? "NULL" : TextDatumGetCString(elements[i]);
		AttrNumber attnum = get_attnum(rules, name);

		if (attnum <= Anum_rule_name || attnum > AT_RULE_ARGUMENTS)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("an alert rule has no argument \"%s\"", name),
							errhint("See the arguments of audit.alert_when().")));
		row->nulls[attnum - 1] = true;
	}
}

static void
check_label(const AtRuleRow *row, int column, const char *what, int max_bytes)
{
	char *label;

	if (row->nulls[column - 1])
		return;
	label = TextDatumGetCString(row->values[column - 1]);
	if (label[0] == '\0')
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("%s of an alert rule must not be empty", what)));
	if (strlen(label) > max_bytes)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("%s of an alert rule is too long", what),
						errdetail("It has %zu bytes; at most %d are possible.", strlen(label),
								  max_bytes)));
}

static void
check_labels(const AtRuleRow *row)
{
	check_label(row, Anum_rule_name, "name", AT_RULE_NAME_BYTES);
	check_label(row, Anum_rule_severity, "severity", MAX_SEVERITY_BYTES);
	check_label(row, Anum_rule_channel, "channel", NAMEDATALEN - 1);
	check_label(row, Anum_rule_escalate_to, "second channel", NAMEDATALEN - 1);
	check_label(row, Anum_rule_message, "message", MAX_MESSAGE_BYTES);
	check_label(row, Anum_rule_description, "description", MAX_MESSAGE_BYTES);
}

static bool
acts_as_admin(void)
{
	return superuser() || at_reader_is_admin(GetUserId());
}

/* May the caller change or drop a rule that there is? */
static void
check_former(HeapTuple former, TupleDesc desc)
{
	bool isnull;
	Datum target = heap_getattr(former, Anum_rule_target, desc, &isnull);

	check_owner(isnull ? InvalidOid : DatumGetObjectId(target));
	if (acts_as_admin() || !DatumGetBool(heap_getattr(former, Anum_rule_by_admin, desc, &isnull)))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied for alert rule \"%s\"",
					TextDatumGetCString(heap_getattr(former, Anum_rule_name, desc, &isnull))),
			 errdetail("It was made or changed by an admin of the audit trail."),
			 errhint("Ask an admin of the audit trail.")));
}

/* A table that is gone, or none: then only who sees to all of them is left to do it. */
static void
check_owner(Oid relid)
{
	char *name = OidIsValid(relid) ? get_rel_name(relid) : NULL;

	if (acts_as_admin())
	{
		if (OidIsValid(relid) && name == NULL)
			ereport(DEBUG1, (errmsg_internal("relation %u is gone", relid)));
		return;
	}
	if (!OidIsValid(relid))
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("permission denied for an alert rule of no table"),
						errhint("Ask an admin of the audit trail, or name a table of yours.")));
	if (name == NULL)
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("permission denied for an alert rule whose table is gone")));
	if (!object_ownercheck(RelationRelationId, relid, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(get_rel_relkind(relid)), name);
}
