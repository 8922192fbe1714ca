/*-------------------------------------------------------------------------
 * scope.c
 *		How much of the ledger audit.verify() is to look at.
 *
 * A batch is looked at as a whole or not at all, since its rows must give its
 * root. Which batches have events of a table is sealed in their entries; one
 * that does not tell is looked at.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "nodes/makefuncs.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

#include "base/compat.h"
#include "base/errors.h"
#include "ledger/datum.h"
#include "ledger/tables_list.h"
#include "seal/scope.h"

/* As the server's own settings for parallel workers have it. */
#define MAX_WORKERS 1024

/* Arguments of audit.verify(), in their order. */
enum
{
	ARG_CHECKPOINT,
	ARG_PUBLIC_KEY,
	ARG_TX_ID,
	ARG_TABLE_NAME,
	ARG_SINCE,
	ARG_UNTIL,
	ARG_SINCE_LAST,
	ARG_RESUME,
	ARG_WORKERS
};

static void refuse_mixtures(const AtScope *scope);

static char *
text_argument(FunctionCallInfo fcinfo, int number)
{
	return PG_ARGISNULL(number) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(number));
}

static int64
time_argument(FunctionCallInfo fcinfo, int number, int64 otherwise)
{
	TimestampTz time;

	if (PG_ARGISNULL(number))
		return otherwise;
	time = PG_GETARG_TIMESTAMPTZ(number);
	if (TIMESTAMP_IS_NOBEGIN(time))
		return PG_INT64_MIN;
	if (TIMESTAMP_IS_NOEND(time))
		return PG_INT64_MAX;
	return at_unix_microseconds(time);
}

pg_noreturn static void
refuse(const char *detail, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("cannot verify what was asked for"),
			 errdetail("%s", detail), errhint("%s", hint)));
}

void
at_scope_read(AtScope *scope, FunctionCallInfo fcinfo)
{
	*scope = (AtScope){
		.checkpoints = text_argument(fcinfo, ARG_CHECKPOINT),
		.public_key = text_argument(fcinfo, ARG_PUBLIC_KEY),
		.since_last = !PG_ARGISNULL(ARG_SINCE_LAST) && PG_GETARG_BOOL(ARG_SINCE_LAST),
		.resume = !PG_ARGISNULL(ARG_RESUME) && PG_GETARG_BOOL(ARG_RESUME),
		.workers = PG_ARGISNULL(ARG_WORKERS) ? -1 : PG_GETARG_INT32(ARG_WORKERS),
		.one_transaction = !PG_ARGISNULL(ARG_TX_ID),
		.tx_id = PG_ARGISNULL(ARG_TX_ID) ? 0 : PG_GETARG_INT64(ARG_TX_ID),
		.table_name = text_argument(fcinfo, ARG_TABLE_NAME),
		.in_time = !PG_ARGISNULL(ARG_SINCE) || !PG_ARGISNULL(ARG_UNTIL),
		.since = time_argument(fcinfo, ARG_SINCE, PG_INT64_MIN),
		.until = time_argument(fcinfo, ARG_UNTIL, PG_INT64_MAX),
	};
	if (!PG_ARGISNULL(ARG_WORKERS) && (scope->workers < 0 || scope->workers > MAX_WORKERS))
		refuse(psprintf("The number of workers is not from 0 to %d.", MAX_WORKERS),
			   "Leave it out to have as many as max_parallel_maintenance_workers says.");
	refuse_mixtures(scope);
}

/* What would be ambiguous, or would seem to say more than it does. */
static void
refuse_mixtures(const AtScope *scope)
{
	bool is_part = scope->table_name != NULL || scope->in_time;

	if (scope->public_key != NULL && scope->checkpoints == NULL)
		refuse("A public key was given, and no checkpoint that it could have signed.",
			   "Give the checkpoint too: audit.verify(checkpoint => ..., public_key => ...).");
	if (scope->one_transaction && (is_part || scope->since_last))
		refuse("One transaction was named, and other bounds too.",
			   "Give tx_id alone, perhaps with a checkpoint.");
	if (scope->since_last && is_part)
		refuse("What came since the last result is looked at whole.",
			   "Give a table or a time without since_last.");
	if (scope->since_last && scope->checkpoints != NULL)
		refuse("A checkpoint can be compared only if the log is read from its beginning.",
			   "Give the checkpoint without since_last.");
	if (scope->resume && (is_part || scope->one_transaction || scope->since_last))
		refuse("Only the verification of everything is remembered.",
			   "Give resume alone, perhaps with a checkpoint and workers.");
	if (scope->in_time && scope->since > scope->until)
		refuse("The time ends before it begins.", "Give since the earlier, until the later one.");
	if (scope->one_transaction && (int64) scope->tx_id < 1)
		refuse("No transaction has a number below 1.",
			   "See tx_id in audit.events or audit.transaction.");
}

/* The given name, and those that the same table had before or got later. */
static const char names_query[] =
	"SELECT t.table_schema, t.table_name FROM audit.target AS t WHERE t.lineage IN ("
	"SELECT n.lineage FROM audit.target AS n WHERE n.table_schema = $1 AND n.table_name = $2)";

static void
split_name(const AtScope *scope, char **schema, char **table)
{
	List *names = textToQualifiedNameList(cstring_to_text(scope->table_name));
	RangeVar *name = makeRangeVarFromNameList(names);
	Oid relid;

	*schema = name->schemaname;
	*table = name->relname;
	if (name->schemaname != NULL)
		return;
	relid = RangeVarGetRelid(name, NoLock, true);
	if (!OidIsValid(relid))
		ereport(ERROR,
				(errcode(ERRCODE_AT_BAD_TARGET),
				 errmsg("there is no table \"%s\" in the search path", scope->table_name),
				 errhint("Name its schema too: a table that was dropped or moved is known by the "
						 "name that it had.")));
	*schema = get_namespace_name(get_rel_namespace(relid));
}

void
at_scope_find_table(AtScope *scope)
{
	MemoryContext context = CurrentMemoryContext;
	Oid types[] = {TEXTOID, TEXTOID};
	char *schema;
	char *table;

	if (scope->table_name == NULL)
		return;
	split_name(scope, &schema, &table);

	Datum values[] = {CStringGetTextDatum(schema), CStringGetTextDatum(table)};

	SPI_connect();
	if (SPI_execute_with_args(names_query, 2, types, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the names of the table");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		MemoryContext save = MemoryContextSwitchTo(context);
		HeapTuple row = SPI_tuptable->vals[i];
		AtScopeTable *item = palloc(sizeof(AtScopeTable));

		item->schema = pstrdup(SPI_getvalue(row, SPI_tuptable->tupdesc, 1));
		item->table = pstrdup(SPI_getvalue(row, SPI_tuptable->tupdesc, 2));
		scope->tables = lappend(scope->tables, item);
		MemoryContextSwitchTo(save);
	}
	SPI_finish();
	if (scope->tables == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_AT_BAD_TARGET),
				 errmsg("table %s was never audited", quote_qualified_identifier(schema, table)),
				 errdetail("No version of an audited table has that name."),
				 errhint("SELECT DISTINCT table_schema, table_name FROM audit.target;")));
}

bool
at_scope_is_whole(const AtScope *scope)
{
	return !scope->since_last && !scope->one_transaction && scope->table_name == NULL &&
		   !scope->in_time;
}

/* Of the table? What cannot be read may be. */
static bool
is_of_table(AtJsonSlice kind, void *arg)
{
	const AtScopeTable *name = arg;
	AtListedKind listed;

	return !at_listed_kind_read(kind, &listed) || (at_json_slice_is(listed.schema, name->schema) &&
												   at_json_slice_is(listed.table, name->table));
}

bool
at_scope_wants(const AtScope *scope, const AtEntryBody *entry)
{
	ListCell *cell;

	if (scope->in_time && (entry->last_tx_at < scope->since || entry->first_tx_at > scope->until))
		return false;
	if (scope->table_name == NULL)
		return true;
	foreach (cell, scope->tables)
	{
		if (at_tables_list_may_have(entry->payload, is_of_table, lfirst(cell)))
			return true;
	}
	return false;
}

const char *
at_scope_mode(const AtScope *scope)
{
	return scope->since_last        ? "since last"
		   : scope->one_transaction ? "transaction"
		   : scope->table_name      ? "table"
		   : scope->in_time         ? "time"
		   : scope->resume          ? "resumed"
									: "full";
}
