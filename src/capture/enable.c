/*-------------------------------------------------------------------------
 * enable.c
 *		audit.enable() and audit.disable(): the policy of a table, its version
 *		in the ledger, and its triggers, all in one transaction.
 *
 * The caller must own the table (or be a superuser or an admin) and have EXECUTE on the
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
#include "base/names.h"
#include "capture/baseline.h"
#include "capture/cover.h"
#include "capture/definition.h"
#include "capture/stored.h"
#include "ledger/init.h"
#include "ledger/owner.h"
#include "ledger/partition.h"
#include "ledger/shield.h"
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
static void write_policy(const AtDefinition *definition, int32 target_id);
static void check_disable(Oid relid, const char *reason);
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
	(void) at_ledger_create(AT_LEDGER_OWNER_DEFAULT);

	at_owner_enter(&state);
	SPI_connect();
	read_existing(&definition, &existing);
	if (existing.same && !at_is_covered(definition.relid, definition.operations))
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
		write_policy(&definition, append_version(&definition, &existing));
		CacheInvalidateRelcacheByRelid(definition.relid);
	}
	at_cover(definition.relid); /* or see to it that they are what they should be */
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

	bool was_enabled = at_stored_disable(relid, reason);

	if (was_enabled)
	{
		at_cover(relid);
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

/* NULLs are equal. */
static bool
same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* The same names in the same order. */
static bool
same_names(List *a, List *b)
{
	return strcmp(at_name_json(a), at_name_json(b)) == 0;
}

static bool
same_row_options(const AtRowOptions *a, const AtRowOptions *b)
{
	return a->limited == b->limited && same_names(a->only, b->only) &&
		   same_names(a->masked, b->masked) && same_names(a->hashed, b->hashed) &&
		   same_names(a->personal, b->personal) && same_text(a->subject, b->subject) &&
		   same_text(a->when, b->when);
}

static bool
same_read_options(const AtReadOptions *a, const AtReadOptions *b)
{
	return a->recorded == b->recorded && a->limited == b->limited &&
		   same_names(a->columns, b->columns);
}

static void
read_existing(const AtDefinition *definition, ExistingPolicy *existing)
{
	AtStoredPolicy stored;

	*existing = (ExistingPolicy){.found = at_stored_read_any(definition->relid, &stored)};
	if (!existing->found)
		return;
	existing->target_id = stored.target_id;
	existing->enabled = stored.enabled;
	existing->same = same_text(stored.context, definition->context) &&
					 same_text(stored.resource_type, definition->resource_type) &&
					 same_names(stored.operations, definition->operations) &&
					 same_names(stored.ignored, definition->ignored) &&
					 same_names(stored.keys, definition->keys) &&
					 same_text(stored.truncate, definition->truncate) &&
					 stored.query == definition->query &&
					 same_read_options(&stored.read, &definition->read) &&
					 same_row_options(&stored.row, &definition->row);
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
write_policy(const AtDefinition *definition, int32 target_id)
{
	AtStoredPolicy stored = {
		.root = definition->relid,
		.target_id = target_id,
		.context = definition->context,
		.resource_type = definition->resource_type,
		.operations = definition->operations,
		.ignored = definition->ignored,
		.keys = definition->keys,
		.key_given = definition->key_given,
		.row = definition->row,
		.truncate = definition->truncate,
		.query = definition->query,
		.read = definition->read,
	};

	at_stored_write(&stored);
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
	appendStringInfoString(&out, definition->row_described);
	if (strcmp(definition->truncate, AT_TRUNCATE_COUNT) == 0)
		appendStringInfoString(&out, "; truncate counts rows");
	if (definition->query)
		appendStringInfoString(&out, "; text of commands");
	if (definition->read.limited)
		appendStringInfo(&out, "; reads of %s", at_name_list(definition->read.columns));
	else if (definition->read.recorded)
		appendStringInfoString(&out, "; reads");
	appendStringInfoChar(&out, ')');
	return out.data;
}
