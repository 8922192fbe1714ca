/*-------------------------------------------------------------------------
 * target.c
 *		Rows of audit.target: the versions of audited tables.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "base/columns.h"
#include "base/latest.h"
#include "base/names.h"
#include "ledger/append.h"
#include "ledger/datum.h"
#include "ledger/number.h"
#include "ledger/partition.h"
#include "ledger/target.h"
#include "ledger/transaction.h"

void
at_target_append(AtTarget *target)
{
	Datum values[Natts_target];
	bool nulls[Natts_target] = {false};

	target->target_id = at_number_draw("target_id_seq");
	if (target->lineage == 0)
		target->lineage = target->target_id;

	values[Anum_target_target_id - 1] = Int32GetDatum(target->target_id);
	values[Anum_target_lineage - 1] = Int32GetDatum(target->lineage);
	values[Anum_target_tx_id - 1] = Int64GetDatum(at_transaction_join()->tx_id);
	values[Anum_target_defined_at - 1] = TimestampTzGetDatum(GetCurrentTimestamp());
	values[Anum_target_retention_class - 1] = Int16GetDatum(target->retention_class);
	at_set_text(values, nulls, Anum_target_table_schema, target->table_schema);
	at_set_text(values, nulls, Anum_target_table_name, target->table_name);
	at_set_text(values, nulls, Anum_target_resource_type, target->resource_type);
	at_set_text(values, nulls, Anum_target_context, target->context);
	at_set_text(values, nulls, Anum_target_key_columns, target->key_columns);
	at_set_text(values, nulls, Anum_target_columns, target->columns);
	at_append(AT_LEDGER_TARGET, values, nulls);

	/* who may see what is told by what the versions of a table are called */
	if (target->table_name[0] != '\0')
		CacheInvalidateRelcacheByRelid(at_ledger_relid(AT_LEDGER_TARGET));
}

static char *
get_text(HeapTuple tuple, int column, TupleDesc desc)
{
	bool isnull;

	return TextDatumGetCString(heap_getattr(tuple, column, desc, &isnull));
}

static AtTarget
make_target(HeapTuple tuple, TupleDesc desc)
{
	bool isnull;

	return (AtTarget){
		.target_id = DatumGetInt32(heap_getattr(tuple, Anum_target_target_id, desc, &isnull)),
		.lineage = DatumGetInt32(heap_getattr(tuple, Anum_target_lineage, desc, &isnull)),
		.retention_class =
			DatumGetInt16(heap_getattr(tuple, Anum_target_retention_class, desc, &isnull)),
		.table_schema = get_text(tuple, Anum_target_table_schema, desc),
		.table_name = get_text(tuple, Anum_target_table_name, desc),
		.resource_type = get_text(tuple, Anum_target_resource_type, desc),
		.context = get_text(tuple, Anum_target_context, desc),
		.key_columns = get_text(tuple, Anum_target_key_columns, desc),
		.columns = get_text(tuple, Anum_target_columns, desc),
	};
}

bool
at_target_read(int32 target_id, AtTarget *target)
{
	AtLatest latest;
	ScanKeyData key;
	HeapTuple tuple;

	ScanKeyInit(&key, Anum_target_target_id, BTEqualStrategyNumber, F_INT4EQ,
				Int32GetDatum(target_id));
	at_latest_begin(&latest, at_ledger_relid(AT_LEDGER_TARGET), "target_pkey", 1, &key);
	tuple = at_latest_next(&latest);
	if (HeapTupleIsValid(tuple))
		*target = make_target(tuple, latest.desc);
	at_latest_end(&latest);
	return HeapTupleIsValid(tuple);
}

List *
at_target_resource_types(List *lineages)
{
	AtLatest latest;
	HeapTuple tuple;
	List *types = NIL;

	at_latest_begin(&latest, at_ledger_relid(AT_LEDGER_TARGET), NULL, 0, NULL);
	while (HeapTupleIsValid(tuple = at_latest_next(&latest)))
	{
		AtTarget target = make_target(tuple, latest.desc);

		if (list_member_int(lineages, target.lineage) &&
			!at_names_contain(types, target.resource_type))
			types = lappend(types, target.resource_type);
	}
	at_latest_end(&latest);
	return types;
}

/* See at_target_find(). */
static bool
find_in(const char *context, const char *resource_type, AtTarget *target)
{
	AtLatest latest;
	HeapTuple tuple;
	bool found = false;

	at_latest_begin(&latest, at_ledger_relid(AT_LEDGER_TARGET), NULL, 0, NULL);
	while (HeapTupleIsValid(tuple = at_latest_next(&latest)))
	{
		AtTarget candidate;

		if (strcmp(get_text(tuple, Anum_target_resource_type, latest.desc), resource_type) != 0)
			continue;
		candidate = make_target(tuple, latest.desc);
		/* a table of the user's may have no columns and any resource type, but not that schema */
		if (strcmp(candidate.columns, "[]") == 0 && candidate.table_name[0] == '\0' &&
			strcmp(candidate.table_schema, AT_SCHEMA) == 0 &&
			strcmp(candidate.context, context) == 0 &&
			(!found || candidate.target_id > target->target_id))
		{
			*target = candidate;
			found = true;
		}
	}
	at_latest_end(&latest);
	return found;
}

bool
at_target_find(const char *resource_type, AtTarget *target)
{
	return find_in("system", resource_type, target);
}

bool
at_target_obtain(const char *context, const char *resource_type, AtTarget *target)
{
	if (find_in(context, resource_type, target))
		return false;
	*target = (AtTarget){
		.retention_class = AT_RETENTION_CLASS_DEFAULT,
		.table_schema = AT_SCHEMA,
		.table_name = "",
		.resource_type = pstrdup(resource_type),
		.context = pstrdup(context),
		.key_columns = "[]",
		.columns = "[]",
	};
	at_target_append(target);
	CommandCounterIncrement();
	return true;
}

bool
at_target_read_own(AtTarget *target)
{
	Oid relid = at_audit_relid("policy");
	int32 target_id = 0;
	AtLatest latest;
	ScanKeyData key;
	HeapTuple tuple;
	bool isnull;

	ScanKeyInit(&key, get_attnum(relid, "target"), BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relid));
	at_latest_begin(&latest, relid, "policy_pkey", 1, &key);
	tuple = at_latest_next(&latest);
	if (HeapTupleIsValid(tuple))
		target_id = DatumGetInt32(
			heap_getattr(tuple, get_attnum(relid, "target_id"), latest.desc, &isnull));
	at_latest_end(&latest);
	return at_target_read(target_id, target);
}
