/*-------------------------------------------------------------------------
 * rule_row.c
 *		An alert rule as it is given.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "alert/rule_row.h"
#include "alert/notifier.h"
#include "base/catalog.h"
#include "base/config_row.h"
#include "base/names.h"

static void set_default(AtRuleRow *row, int column, Datum value);
static void check_columns(Oid relid, Datum columns);

void
at_rule_row_read(AtRuleRow *row, FunctionCallInfo fcinfo)
{
	memset(row->nulls, true, sizeof(row->nulls));
	for (int i = 0; i < AT_RULE_ARGUMENTS; i++)
		if (!PG_ARGISNULL(i))
			set_default(row, i + 1, PG_GETARG_DATUM(i));
	at_rule_row_complete(row);
}

void
at_rule_row_complete(AtRuleRow *row)
{
	Interval *hour = palloc0(sizeof(Interval));
	Oid relid = row->nulls[Anum_rule_target - 1]
					? InvalidOid
					: DatumGetObjectId(row->values[Anum_rule_target - 1]);

	hour->time = USECS_PER_HOUR;
	if (OidIsValid(relid) && get_rel_name(relid) == NULL)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
						errmsg("relation with OID %u does not exist", relid)));
	if (row->nulls[Anum_rule_name - 1])
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("name of an alert rule must not be null")));
	set_default(row, Anum_rule_columns, PointerGetDatum(construct_empty_array(TEXTOID)));
	set_default(row, Anum_rule_events, PointerGetDatum(construct_empty_array(TEXTOID)));
	set_default(row, Anum_rule_kind, CStringGetTextDatum(at_rule_kinds[AT_RULE_CHANGED]));
	set_default(row, Anum_rule_severity, CStringGetTextDatum("notice"));
	set_default(row, Anum_rule_channel, CStringGetTextDatum(AT_ALERT_CHANNEL));
	set_default(row, Anum_rule_block, BoolGetDatum(false));
	set_default(row, Anum_rule_enabled, BoolGetDatum(true));
	if (!row->nulls[Anum_rule_max_alerts - 1])
		set_default(row, Anum_rule_per, IntervalPGetDatum(hour));
}

static void
set_default(AtRuleRow *row, int column, Datum value)
{
	if (!row->nulls[column - 1])
		return;
	row->values[column - 1] = value;
	row->nulls[column - 1] = false;
}

void
at_rule_row_compile(AtRuleRow *row, AtRule *rule)
{
	Relation rules = table_open(at_audit_relid(AT_RULE_TABLE), AccessShareLock);
	TupleDesc desc = CreateTupleDescCopy(RelationGetDescr(rules));
	HeapTuple tuple;

	table_close(rules, AccessShareLock);
	if (!row->nulls[Anum_rule_target - 1])
		check_columns(DatumGetObjectId(row->values[Anum_rule_target - 1]),
					  row->values[Anum_rule_columns - 1]);
	tuple = heap_form_tuple(desc, row->values, row->nulls);
	at_rule_compile(rule, tuple, desc, false);
}

static void
check_columns(Oid relid, Datum columns)
{
	Datum *elements;
	bool *nulls;
	int count;

	deconstruct_array(DatumGetArrayTypeP(columns), TEXTOID, -1, false, TYPALIGN_INT, &elements,
					  &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		char *name = nulls[i] ? "NULL" : TextDatumGetCString(elements[i]);

		if (nulls[i] || at_stored_column(relid, name) <= 0)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("table \"%s\" has no stored column \"%s\"", get_rel_name(relid), name),
					 errhint("See \\d %s, and write names as they are stored.",
							 at_qualified_name(relid))));
	}
}

void
at_rule_row_write(const AtRuleRow *row)
{
	AtConfigRow stored;

	at_config_begin(&stored, AT_RULE_TABLE);
	for (int i = 0; i < Natts_rule; i++)
	{
		stored.values[i] = row->values[i];
		stored.nulls[i] = row->nulls[i];
		stored.given[i] = true;
	}
	at_config_set(&stored, Anum_rule_changed_at,
				  TimestampTzGetDatum(GetCurrentTransactionStartTimestamp()));
	if (!at_config_update(&stored))
		at_config_insert(&stored);
	at_config_end(&stored);
}
