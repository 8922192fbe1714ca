/*-------------------------------------------------------------------------
 * audited.c
 *		Is what a rule watches recorded?
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/partition.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

#include "alert/audited.h"
#include "base/catalog.h"
#include "base/compat.h"
#include "base/errors.h"
#include "base/latest.h"
#include "base/names.h"

/* What the policy of a table says. */
typedef struct Policy
{
	List *operations;
	List *ignored;
	List *concealed;
} Policy;

pg_noreturn static void not_audited(Relation rel);
static bool read_policy(Oid relid, Policy *policy);
static void check_operations(Relation rel, const AtRule *rule, List *operations);
static void check_ignored(Relation rel, const AtRule *rule, List *ignored);
static void check_concealed(Relation rel, const AtRule *rule, List *concealed);

void
at_audited_check(Relation rel, const AtRule *rule)
{
	Policy policy;

	if (!read_policy(RelationGetRelid(rel), &policy))
		not_audited(rel);
	if (rule->block && RelationGetNamespace(rel) == at_audit_schema())
		ereport(ERROR, (errcode(ERRCODE_AT_BAD_TARGET),
						errmsg("an alert rule cannot refuse changes of \"%s\"",
							   RelationGetRelationName(rel)),
						errdetail("Nobody could drop the rule, or configure the audit trail."),
						errhint("Leave out \"block\".")));
	check_operations(rel, rule, policy.operations);
	check_ignored(rel, rule, policy.ignored);
	check_concealed(rel, rule, policy.concealed);
}

static void
not_audited(Relation rel)
{
	Oid table = RelationGetRelid(rel);

	if (rel->rd_rel->relispartition)
		table = llast_oid(get_partition_ancestors(table));
	ereport(ERROR,
			(errcode(ERRCODE_AT_BAD_TARGET),
			 errmsg("table \"%s\" is not audited", RelationGetRelationName(rel)),
			 table == RelationGetRelid(rel)
				 ? errdetail("Alerts are raised by recorded changes.")
				 : errdetail("It is a partition of \"%s\", which rules have to name.",
							 get_rel_name(table)),
			 errhint("SELECT audit.enable(%s);", quote_literal_cstr(at_qualified_name(table)))));
}

/* The names in a text[] of a row. */
static List *
names_in(const AtLatest *latest, HeapTuple tuple, const char *column)
{
	AttrNumber attnum = get_attnum(RelationGetRelid(latest->rel), column);
	List *names = NIL;
	Datum *elements;
	bool isnull;
	int count;

	deconstruct_array(DatumGetArrayTypeP(heap_getattr(tuple, attnum, latest->desc, &isnull)),
					  TEXTOID, -1, false, TYPALIGN_INT, &elements, NULL, &count);
	for (int i = 0; i < count; i++)
		names = lappend(names, TextDatumGetCString(elements[i]));
	return names;
}

/* False if the table is not audited. */
static bool
read_policy(Oid relid, Policy *policy)
{
	Oid table = at_audit_relid("policy");
	AtLatest latest;
	ScanKeyData key;
	HeapTuple tuple;
	bool enabled;
	bool isnull;

	ScanKeyInit(&key, get_attnum(table, "target"), BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relid));
	at_latest_begin(&latest, table, "policy_pkey", 1, &key);
	tuple = at_latest_next(&latest);
	enabled = HeapTupleIsValid(tuple) &&
			  DatumGetBool(heap_getattr(tuple, get_attnum(table, "enabled"), latest.desc, &isnull));
	if (enabled)
	{
		policy->operations = names_in(&latest, tuple, "operations");
		policy->ignored = names_in(&latest, tuple, "ignored_columns");
		policy->concealed = list_concat(names_in(&latest, tuple, "masked_columns"),
										names_in(&latest, tuple, "hashed_columns"));
		policy->concealed =
			list_concat(policy->concealed, names_in(&latest, tuple, "personal_columns"));
	}
	at_latest_end(&latest);
	return enabled;
}

static void
check_operations(Relation rel, const AtRule *rule, List *operations)
{
	static const struct
	{
		char op;
		const char *name;
	} known[] = {{'I', "insert"}, {'U', "update"}, {'D', "delete"}, {'T', "truncate"}};

	for (int i = 0; i < lengthof(known); i++)
		if ((rule->ops & at_op_bit(known[i].op)) && !at_names_contain(operations, known[i].name))
			ereport(ERROR, (errcode(ERRCODE_AT_BAD_TARGET),
							errmsg("%ss of table \"%s\" are not audited", known[i].name,
								   RelationGetRelationName(rel)),
							errdetail("Alerts are raised by recorded changes."),
							errhint("Disable its audit, and enable it with the operation \"%s\".",
									known[i].name)));
}

static void
check_ignored(Relation rel, const AtRule *rule, List *ignored)
{
	if ((rule->ops & at_op_bit('U')) == 0)
		return;
	for (int i = 0; i < rule->ncolumns; i++)
		if (at_names_contain(ignored, rule->columns[i].name))
			ereport(ERROR, (errcode(ERRCODE_AT_BAD_TARGET),
							errmsg("column \"%s\" of table \"%s\" is ignored by its audit",
								   rule->columns[i].name, RelationGetRelationName(rel)),
							errdetail("A change of this column alone is no event."),
							errhint("Disable the audit, and enable it without ignoring it.")));
}

/* That a concealed column has changed can raise an alert, but nothing can be said of its values. */
static void
check_concealed(Relation rel, const AtRule *rule, List *concealed)
{
	ListCell *cell;

	foreach (cell, concealed)
		if (at_rule_reads(rule, get_attnum(RelationGetRelid(rel), lfirst(cell))))
			ereport(ERROR, (errcode(ERRCODE_AT_BAD_TARGET),
							errmsg("values of column \"%s\" of table \"%s\" are concealed",
								   (char *) lfirst(cell), RelationGetRelationName(rel)),
							errdetail("An alert rule cannot compare or tell them."),
							errhint("That it changes can raise an alert, with a rule of kind "
									"\"changed\".")));
}
