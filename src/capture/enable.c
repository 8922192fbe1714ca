/*-------------------------------------------------------------------------
 * enable.c
 *		audit.enable() and audit.disable(): the policy of a table, its version
 *		in the ledger, and its triggers, all in one transaction.
 *
 * The caller must own the table (or be a superuser) and have EXECUTE on the
 * function; what is then done is done as the owner of the extension.
 *
 * Locks: ShareRowExclusiveLock on the table, as CREATE TRIGGER takes it.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/catalog.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/catalog.h"
#include "base/errors.h"
#include "capture/baseline.h"
#include "capture/definition.h"
#include "capture/policy.h"
#include "capture/trigger.h"
#include "ledger/init.h"
#include "ledger/owner.h"
#include "ledger/partition.h"
#include "ledger/target.h"

/* What audit.policy holds about the table already. */
typedef struct ExistingPolicy
{
	bool found;
	bool enabled;
	bool same; /* as what is asked for now */
	int32 target_id;
} ExistingPolicy;

PG_FUNCTION_INFO_V1(at_enable);
PG_FUNCTION_INFO_V1(at_disable);

static void read_existing(const AtDefinition *definition, ExistingPolicy *existing);
static int32 append_version(const AtDefinition *definition, const ExistingPolicy *existing);
static void write_policy(const AtDefinition *definition, int32 target_id, bool exists);
static void create_triggers(const AtDefinition *definition);
static bool has_triggers(const AtDefinition *definition);
static void drop_triggers(Oid relid);
static void check_disable(Oid relid, const char *reason);
static bool disable_policy(Oid relid, const char *reason);
static char *describe(const AtDefinition *definition);

Datum
at_enable(PG_FUNCTION_ARGS)
{
	AtDefinition definition;
	ExistingPolicy existing;
	AtOwnerState state;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("target must not be null")));

	Relation rel = table_open(PG_GETARG_OID(0), ShareRowExclusiveLock);

	at_definition_read(fcinfo, rel, &definition);
	table_close(rel, NoLock); /* ALTER TABLE wants it closed */
	(void) at_ledger_create();

	at_owner_enter(&state);
	SPI_connect();
	read_existing(&definition, &existing);
	if (existing.same && !has_triggers(&definition))
		existing.enabled = false; /* they were dropped, or the policy was another table's */
	if (existing.enabled && !existing.same)
		ereport(ERROR,
				(errcode(ERRCODE_AT_BAD_TARGET),
				 errmsg("table \"%s\" is audited already, with other settings", definition.table),
				 errdetail("See SELECT * FROM audit.policy WHERE target = %s::regclass.",
						   quote_literal_cstr(definition.qualified_name)),
				 errhint("SELECT audit.disable(%s, 'change of settings');",
						 quote_literal_cstr(definition.qualified_name))));
	if (!existing.enabled)
	{
		write_policy(&definition, append_version(&definition, &existing), existing.found);
		CacheInvalidateRelcacheByRelid(definition.relid);
	}
	create_triggers(&definition); /* or see to it that they are what they should be */
	SPI_finish();
	at_owner_leave(&state);
	if (!existing.enabled && definition.baseline)
		at_baseline_request(definition.relid);

	PG_RETURN_TEXT_P(cstring_to_text(psprintf(
		"%s %s", existing.enabled ? "audited already:" : "audited:", describe(&definition))));
}

Datum
at_disable(PG_FUNCTION_ARGS)
{
	Oid relid = PG_GETARG_OID(0);
	char *reason = text_to_cstring(PG_GETARG_TEXT_PP(1));
	AtOwnerState state;

	check_disable(relid, reason);
	at_owner_enter(&state);
	SPI_connect();

	bool was_enabled = disable_policy(relid, reason);

	if (was_enabled)
	{
		drop_triggers(relid);
		CacheInvalidateRelcacheByRelid(relid);
	}
	SPI_finish();
	at_owner_leave(&state);

	PG_RETURN_TEXT_P(
		cstring_to_text(psprintf("%s: %s", was_enabled ? "no longer audited" : "was not audited",
								 at_qualified_name(relid))));
}

/* May it be disabled, and is there a reason? Locks the table. */
static void
check_disable(Oid relid, const char *reason)
{
	Relation rel = table_open(relid, ShareRowExclusiveLock);

	at_definition_check_owner(rel);
	table_close(rel, NoLock);
	(void) at_ledger_relid(AT_LEDGER_EVENT);
	if (reason[strspn(reason, " \t\r\n")] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("a reason is required"),
				 errdetail("The end of an audit is itself an event, and the reason part of it."),
				 errhint("SELECT audit.disable(%s, 'why');",
						 quote_literal_cstr(at_qualified_name(relid)))));
}

/* Switch the stored policy off; returns whether it was on. */
static bool
disable_policy(Oid relid, const char *reason)
{
	Oid types[] = {REGCLASSOID, TEXTOID};
	Datum values[] = {ObjectIdGetDatum(relid), CStringGetTextDatum(reason)};

	if (SPI_execute_with_args("UPDATE audit.policy SET enabled = false, reason = $2, "
							  "changed_at = pg_catalog.now() WHERE target = $1 AND enabled",
							  2, types, values, NULL, false, 0) != SPI_OK_UPDATE)
		elog(ERROR, "could not update audit.policy");
	return SPI_processed > 0;
}

static void
read_existing(const AtDefinition *definition, ExistingPolicy *existing)
{
	Oid types[] = {REGCLASSOID, TEXTOID, TEXTOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID};
	Datum values[] = {
		ObjectIdGetDatum(definition->relid),
		CStringGetTextDatum(definition->context),
		CStringGetTextDatum(definition->resource_type),
		at_name_array(definition->operations),
		at_name_array(definition->ignored),
		at_name_array(definition->keys),
	};
	bool isnull;

	memset(existing, 0, sizeof(*existing));
	if (SPI_execute_with_args("SELECT target_id, enabled, "
							  "context = $2 AND resource_type = $3 AND operations = $4 "
							  "AND ignored_columns = $5 AND key_columns = $6 "
							  "FROM audit.policy WHERE target = $1",
							  lengthof(types), types, values, NULL, false, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read audit.policy");
	if (SPI_processed == 0)
		return;

	HeapTuple row = SPI_tuptable->vals[0];
	TupleDesc desc = SPI_tuptable->tupdesc;

	existing->found = true;
	existing->target_id = DatumGetInt32(SPI_getbinval(row, desc, 1, &isnull));
	existing->enabled = DatumGetBool(SPI_getbinval(row, desc, 2, &isnull));
	existing->same = DatumGetBool(SPI_getbinval(row, desc, 3, &isnull));
}

/* A new version of the table in the ledger. */
static int32
append_version(const AtDefinition *definition, const ExistingPolicy *existing)
{
	AtTarget former;
	AtTarget target = {
		.retention_class = AT_RETENTION_CLASS_DEFAULT,
		.table_schema = definition->schema,
		.table_name = definition->table,
		.resource_type = definition->resource_type,
		.context = definition->context,
		.key_columns = at_name_json(definition->keys),
		.columns = definition->columns_json,
	};

	if (existing->found && at_target_read(existing->target_id, &former))
		target.lineage = former.lineage;
	at_target_append(&target);
	CommandCounterIncrement();
	return target.target_id;
}

static void
write_policy(const AtDefinition *definition, int32 target_id, bool exists)
{
	static const char insert[] =
		"INSERT INTO audit.policy (target, target_id, context, resource_type, operations, "
		"ignored_columns, key_columns, enabled, changed_at) "
		"VALUES ($1, $2, $3, $4, $5, $6, $7, true, pg_catalog.now())";
	static const char update[] =
		"UPDATE audit.policy SET target_id = $2, context = $3, resource_type = $4, "
		"operations = $5, ignored_columns = $6, key_columns = $7, enabled = true, "
		"changed_at = pg_catalog.now(), reason = NULL WHERE target = $1";
	Oid types[] = {REGCLASSOID,  INT4OID,      TEXTOID,     TEXTOID,
				   TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID};
	Datum values[] = {
		ObjectIdGetDatum(definition->relid),      Int32GetDatum(target_id),
		CStringGetTextDatum(definition->context), CStringGetTextDatum(definition->resource_type),
		at_name_array(definition->operations),    at_name_array(definition->ignored),
		at_name_array(definition->keys),
	};

	if (SPI_execute_with_args(exists ? update : insert, lengthof(types), types, values, NULL, false,
							  0) < 0 ||
		SPI_processed != 1)
		elog(ERROR, "could not write audit.policy");
}

/* Does the table have a trigger of this name? Our configuration tables are born with theirs. */
static bool
has_trigger(Oid relid, const char *name)
{
	return OidIsValid(get_trigger_oid(relid, name, true));
}

static void
run(const char *command)
{
	if (SPI_execute(command, false, 0) != SPI_OK_UTILITY)
		elog(ERROR, "unexpected result of: %s", command);
}

/* Its name may be taken: by the trigger itself on our own tables, else by somebody who was here
 * before us. */
static void
check_present(const AtTrigger *trigger, Oid relid)
{
	Relation rel = table_open(relid, NoLock);

	for (int i = 0; i < rel->trigdesc->numtriggers; i++)
	{
		const Trigger *present = &rel->trigdesc->triggers[i];

		if (strcmp(present->tgname, trigger->name) == 0 &&
			(present->tgenabled != TRIGGER_FIRES_ALWAYS || !at_trigger_is_ours(present, trigger)))
			ereport(
				ERROR,
				(errcode(ERRCODE_AT_BAD_TARGET),
				 errmsg("cannot audit \"%s\": it has a trigger \"%s\" already",
						RelationGetRelationName(rel), trigger->name),
				 errdetail("It is not the audit trigger of this name, or not enabled as that is."),
				 errhint("DROP TRIGGER \"%s\" ON %s;", trigger->name, at_qualified_name(relid))));
	}
	table_close(rel, NoLock);
}

/* Create one trigger and make it fire whatever session_replication_role says. */
static void
create_trigger(const AtTrigger *trigger, Oid relid)
{
	char *table = at_qualified_name(relid);
	char *when = "";

	if (has_trigger(relid, trigger->name))
	{
		check_present(trigger, relid);
		return;
	}
	if (trigger->when != NULL)
		when = psprintf("FOR EACH ROW WHEN (%s)", trigger->when);
	run(psprintf("CREATE TRIGGER \"%s\" AFTER %s ON %s %s EXECUTE FUNCTION audit.capture()",
				 trigger->name, trigger->operation, table, when));
	run(psprintf("ALTER TABLE %s ENABLE ALWAYS TRIGGER \"%s\"", table, trigger->name));
}

/* The relations that need a trigger: PostgreSQL clones those for rows to partitions, no others. */
static List *
trigger_relations(const AtTrigger *trigger, Oid relid)
{
	List *relations = list_make1_oid(relid);
	ListCell *cell;

	if (trigger->when != NULL)
		return relations;
	foreach (cell, find_all_inheritors(relid, ShareRowExclusiveLock, NULL))
		if (get_rel_relispartition(lfirst_oid(cell)))
			relations = list_append_unique_oid(relations, lfirst_oid(cell));
	return relations;
}

static void
create_triggers(const AtDefinition *definition)
{
	for (int i = 0; i < AT_TRIGGERS; i++)
	{
		ListCell *cell;

		if (!at_definition_wants(definition, at_triggers[i].operation))
			continue;
		foreach (cell, trigger_relations(&at_triggers[i], definition->relid))
			create_trigger(&at_triggers[i], lfirst_oid(cell));
	}
}

/* Is every trigger there that the definition asks for? */
static bool
has_triggers(const AtDefinition *definition)
{
	for (int i = 0; i < AT_TRIGGERS; i++)
	{
		ListCell *cell;

		if (!at_definition_wants(definition, at_triggers[i].operation))
			continue;
		foreach (cell, trigger_relations(&at_triggers[i], definition->relid))
			if (!has_trigger(lfirst_oid(cell), at_triggers[i].name))
				return false;
	}
	return true;
}

static void
drop_triggers(Oid relid)
{
	for (int i = 0; i < AT_TRIGGERS; i++)
	{
		ListCell *cell;

		foreach (cell, trigger_relations(&at_triggers[i], relid))
			if (has_trigger(lfirst_oid(cell), at_triggers[i].name))
				run(psprintf("DROP TRIGGER \"%s\" ON %s", at_triggers[i].name,
							 at_qualified_name(lfirst_oid(cell))));
	}
}

/* What is audited, in one line. */
static char *
describe(const AtDefinition *definition)
{
	StringInfoData out;

	initStringInfo(&out);
	appendStringInfo(&out, "%s (", definition->qualified_name);
	if (definition->keys == NIL)
		appendStringInfoString(&out, "no key; ");
	else
		appendStringInfo(&out, "key %s; ", at_name_list(definition->keys));
	appendStringInfoString(&out, at_name_list(definition->operations));
	if (definition->ignored != NIL)
		appendStringInfo(&out, "; ignoring %s", at_name_list(definition->ignored));
	appendStringInfoChar(&out, ')');
	return out.data;
}
