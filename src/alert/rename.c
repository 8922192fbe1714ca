/*-------------------------------------------------------------------------
 * rename.c
 *		Alert rules follow columns that get another name.
 *
 * A rule has names, since a dump, and pg_upgrade, know no numbers of columns. So
 * when a column gets another name its rules are rewritten, each an event.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/inval.h"

#include "alert/rename.h"
#include "alert/rule_row.h"
#include "base/catalog.h"
#include "base/json_path.h"
#include "base/latest.h"
#include "base/names.h"
#include "ledger/hooks.h"
#include "ledger/owner.h"

/* A column that has another name. */
typedef struct Renamed
{
	Oid relid;
	const char *old_name;
	const char *new_name;
} Renamed;

static AtColumnRenamedHook next_hook = NULL;

static void follow_rename(Oid relid, const char *old_name, const char *new_name);
static List *read_rows(Oid relid);
static bool rename_in(AtRuleRow *row, const Renamed *renamed);
static bool rename_columns(AtRuleRow *row, const Renamed *renamed);
static bool rename_path(AtRuleRow *row, int column, const Renamed *renamed);
static bool rename_message(AtRuleRow *row, const Renamed *renamed);

void
at_rename_init(void)
{
	next_hook = at_column_renamed_hook;
	at_column_renamed_hook = follow_rename;
}

static void
follow_rename(Oid relid, const char *old_name, const char *new_name)
{
	Renamed renamed = {.relid = relid, .old_name = old_name, .new_name = new_name};
	AtOwnerState state;
	ListCell *cell;

	foreach (cell, read_rows(relid))
		if (rename_in(lfirst(cell), &renamed))
		{
			at_owner_enter(&state);
			at_rule_row_write(lfirst(cell));
			CacheInvalidateRelcacheByRelid(relid);
			at_owner_leave(&state);
		}
	if (next_hook != NULL)
		next_hook(relid, old_name, new_name);
}

/* The rows of a table's rules, also of those that are disabled. */
static List *
read_rows(Oid relid)
{
	List *rows = NIL;
	AtLatest latest;
	ScanKeyData key;
	HeapTuple tuple;

	ScanKeyInit(&key, Anum_rule_target, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
	at_latest_begin(&latest, at_audit_relid(AT_RULE_TABLE), AT_RULE_INDEX, 1, &key);
	while (HeapTupleIsValid(tuple = at_latest_next(&latest)))
	{
		AtRuleRow *row = palloc(sizeof(AtRuleRow));

		heap_deform_tuple(heap_copytuple(tuple), latest.desc, row->values, row->nulls);
		rows = lappend(rows, row);
	}
	at_latest_end(&latest);
	return rows;
}

/* Returns whether the rule has the column. */
static bool
rename_in(AtRuleRow *row, const Renamed *renamed)
{
	bool columns = rename_columns(row, renamed);
	bool condition = rename_path(row, Anum_rule_condition, renamed);
	bool followed_by = rename_path(row, Anum_rule_followed_by, renamed);
	bool message = rename_message(row, renamed);

	return columns || condition || followed_by || message;
}

static bool
rename_columns(AtRuleRow *row, const Renamed *renamed)
{
	List *names = NIL;
	bool found = false;
	Datum *elements;
	int count;

	deconstruct_array(DatumGetArrayTypeP(row->values[Anum_rule_columns - 1]), TEXTOID, -1, false,
					  TYPALIGN_INT, &elements, NULL, &count);
	for (int i = 0; i < count; i++)
	{
		char *name = TextDatumGetCString(elements[i]);
		bool same = strcmp(name, renamed->old_name) == 0;

		names = lappend(names, same ? pstrdup(renamed->new_name) : name);
		found = found || same;
	}
	if (found)
		row->values[Anum_rule_columns - 1] = at_name_array(names);
	return found;
}

static bool
rename_path(AtRuleRow *row, int column, const Renamed *renamed)
{
	char *path;
	char *changed;

	if (row->nulls[column - 1])
		return false;
	path = DatumGetCString(DirectFunctionCall1(jsonpath_out, row->values[column - 1]));
	changed = at_path_rename(path, renamed->old_name, renamed->new_name);
	if (strcmp(path, changed) == 0)
		return false;
	row->values[column - 1] = PointerGetDatum(at_path_compile(changed));
	return true;
}

/* The places of its values. */
static bool
rename_message(AtRuleRow *row, const Renamed *renamed)
{
	static const char *const sides[] = {"{old.%s}", "{new.%s}"};
	bool found = false;

	if (row->nulls[Anum_rule_message - 1])
		return false;
	for (int i = 0; i < lengthof(sides); i++)
	{
		Datum old_place = CStringGetTextDatum(psprintf(sides[i], renamed->old_name));
		Datum new_place = CStringGetTextDatum(psprintf(sides[i], renamed->new_name));
		Datum message = row->values[Anum_rule_message - 1];

		if (strstr(TextDatumGetCString(message), TextDatumGetCString(old_place)) == NULL)
			continue;
		row->values[Anum_rule_message - 1] =
			DirectFunctionCall3Coll(replace_text, C_COLLATION_OID, message, old_place, new_place);
		found = true;
	}
	return found;
}
