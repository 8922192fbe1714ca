/*-------------------------------------------------------------------------
 * hold.c
 *		Legal holds: audit.hold(), audit.release_hold(), audit.holds.
 *
 * Arrays stand in the record as PostgreSQL writes them, as strings of JSON.
 *
 * Locks: that of at_control_begin(). Whoever purges holds it too: a hold that is
 * placed before is heeded, and one that comes after comes too late for what
 * is gone by then.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/timestamp.h"

#include "base/catalog.h"
#include "base/clock.h"
#include "base/errors.h"
#include "ledger/control.h"
#include "ledger/owner_query.h"
#include "ledger/request.h"
#include "retention/hold.h"

#define RELEASE "release_hold"

/* Arguments of audit.hold(). */
enum
{
	ARG_NAME,
	ARG_REASON,
	ARG_CONTEXTS,
	ARG_TABLES,
	ARG_RECORDS,
	ARG_ACTORS,
	ARG_SINCE,
	ARG_BEFORE,
	ARG_UNTIL,
	ARGS
};

PG_FUNCTION_INFO_V1(at_hold);
PG_FUNCTION_INFO_V1(at_release_hold);
PG_FUNCTION_INFO_V1(at_read_holds);

static void check_scope(FunctionCallInfo fcinfo);
static void check_name(const char *name, bool must_exist);
static char *make_payload(FunctionCallInfo fcinfo);
static void run_release(const AtApproval *approval);

static const AtRequestKind release_kind = {
	.name = RELEASE, .approver = "purge_approver", .run = run_release};

void
at_hold_init(void)
{
	at_request_register(&release_kind);
}

/* hold(name, reason, contexts, tables, records, actors, since, before, until): its log_index */
Datum
at_hold(PG_FUNCTION_ARGS)
{
	AtControl control;
	int64 log_index;

	(void) at_ledger_relid(AT_LEDGER_LOG_ENTRY);
	for (int i = ARG_NAME; i <= ARG_REASON; i++)
		at_request_check_text(i == ARG_NAME ? "name" : "reason",
							  PG_ARGISNULL(i) ? "" : text_to_cstring(PG_GETARG_TEXT_PP(i)));
	check_scope(fcinfo);
	at_control_begin(&control);
	check_name(text_to_cstring(PG_GETARG_TEXT_PP(ARG_NAME)), false);
	log_index = at_control_append(&control, AT_KIND_HOLD, make_payload(fcinfo));
	at_control_end(&control);
	PG_RETURN_INT64(log_index);
}

static void
check_scope(FunctionCallInfo fcinfo)
{
	bool any = false;

	for (int i = ARG_CONTEXTS; i <= ARG_BEFORE; i++)
		any |= !PG_ARGISNULL(i);
	if (!any)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("a hold must say which events it keeps"),
						errdetail("None of tables, records, actors, contexts and time is given."),
						errhint("To keep all of them, say since => '-infinity'.")));
	if (PG_ARGISNULL(ARG_UNTIL) || PG_GETARG_TIMESTAMPTZ(ARG_UNTIL) <= at_clock_now())
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("a hold must end in the future, or never"),
						errhint("until => 'infinity' has no end but its release.")));
	if (!PG_ARGISNULL(ARG_RECORDS) && PG_ARGISNULL(ARG_TABLES) && PG_ARGISNULL(ARG_CONTEXTS))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("records are those of a table, or of a context"),
						errhint("Say tables or contexts besides.")));
}

/* Names of holds in force are different, so that a release means one. */
static void
check_name(const char *name, bool must_exist)
{
	Oid types[] = {TIMESTAMPTZOID, TEXTOID};
	Datum values[] = {TimestampTzGetDatum(at_clock_now()), CStringGetTextDatum(name)};
	char *found = at_owner_value("WITH hold AS (" AT_HOLDS("$1") ") SELECT h.log_index FROM hold "
																 "AS h WHERE h.name = $2",
								 lengthof(types), types, values);

	if (must_exist && found == NULL)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
						errmsg("there is no hold \"%s\" in force", name),
						errhint("SELECT name FROM audit.holds;")));
	if (!must_exist && found != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT), errmsg("there is a hold \"%s\" already", name),
				 errhint("Place another one, by another name, to keep more.")));
}

static char *
make_payload(FunctionCallInfo fcinfo)
{
	static const char query[] =
		"SELECT pg_catalog.json_build_object('name', $1, 'reason', $2, 'contexts', $3::text, "
		"'tables', $4::text, 'lineages', CASE WHEN $4 IS NOT NULL THEN (SELECT "
		"pg_catalog.array_agg(n.lineage ORDER BY n.lineage) FROM pg_catalog.unnest($4) AS t "
		"(relid) "
		"LEFT JOIN audit.policy AS p ON p.target = t.relid "
		"LEFT JOIN audit.target AS n ON n.target_id = p.target_id)::text END, "
		"'records', $5::text, 'actors', $6::text, 'since', $7, 'before', $8, "
		"'until', $9, 'by', $10)";
	Oid types[ARGS + 1] = {TEXTOID,        TEXTOID,      TEXTARRAYOID,   REGCLASSARRAYOID,
						   TEXTARRAYOID,   TEXTARRAYOID, TIMESTAMPTZOID, TIMESTAMPTZOID,
						   TIMESTAMPTZOID, TEXTOID};
	Datum values[ARGS + 1];
	char nulls[ARGS + 2] = {0};
	char *payload;

	for (int i = 0; i < ARGS; i++)
	{
		nulls[i] = PG_ARGISNULL(i) ? 'n' : ' ';
		values[i] = PG_GETARG_DATUM(i);
	}
	nulls[ARGS] = ' ';
	values[ARGS] = CStringGetTextDatum(at_request_login());
	payload = at_owner_value_nulls(query, lengthof(types), types, values, nulls);

	Oid payload_types[] = {TEXTOID};
	Datum payload_values[] = {CStringGetTextDatum(payload)};

	if (strcmp(at_owner_value("SELECT coalesce(($1::json ->> 'lineages') LIKE '%NULL%', false)", 1,
							  payload_types, payload_values),
			   "t") == 0)
		ereport(ERROR, (errcode(ERRCODE_AT_BAD_TARGET), errmsg("a table is not audited"),
						errdetail("Of the tables that the hold names, not all are."),
						errhint("SELECT target FROM audit.policy;")));
	return payload;
}

/* release_hold(name, reason): the request */
Datum
at_release_hold(PG_FUNCTION_ARGS)
{
	char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	StringInfoData json;
	AtControl control;
	int64 request_id;

	(void) at_ledger_relid(AT_LEDGER_LOG_ENTRY);
	initStringInfo(&json);
	appendStringInfoString(&json, "{\"name\":");
	escape_json(&json, name);
	appendStringInfoChar(&json, '}');
	at_control_begin(&control);
	check_name(name, true);
	request_id =
		at_request_make(&control, RELEASE, json.data, text_to_cstring(PG_GETARG_TEXT_PP(1)));
	at_control_end(&control);
	PG_RETURN_INT64(request_id);
}

/* It is approved: the hold that has the name now, if it had it when that was asked for. */
static void
run_release(const AtApproval *approval)
{
	static const char query[] =
		"WITH hold AS (" AT_HOLDS("$1") ") SELECT pg_catalog.json_build_object('hold', "
										"h.log_index, 'name', h.name, 'request', $3, 'by', $4, "
										"'approved_by', $5) FROM hold AS h "
										"WHERE h.name = $2::json ->> 'name' AND h.log_index < $3";
	Oid types[] = {TIMESTAMPTZOID, TEXTOID, INT8OID, TEXTOID, TEXTOID};
	Datum values[] = {TimestampTzGetDatum(at_clock_now()), CStringGetTextDatum(approval->what),
					  Int64GetDatum(approval->request_id),
					  CStringGetTextDatum(approval->requested_by),
					  CStringGetTextDatum(approval->approved_by)};
	char *payload = at_owner_value(query, lengthof(types), types, values);

	if (payload == NULL)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("the hold is not in force any more"),
						errhint("SELECT name, until FROM audit.holds;")));
	(void) at_control_append(approval->control, AT_KIND_RELEASE, payload);
}

/* read_holds(): those in force */
Datum
at_read_holds(PG_FUNCTION_ARGS)
{
	Oid types[] = {TIMESTAMPTZOID};
	Datum values[] = {TimestampTzGetDatum(at_clock_now())};

	at_owner_query(
		fcinfo,
		"WITH hold AS (" AT_HOLDS(
			"$1") ") SELECT h.name, h.reason, h.contexts, "
				  "(SELECT pg_catalog.array_agg(DISTINCT pg_catalog.format('%I.%I', "
				  "g.table_schema, g.table_name)) FROM audit.target AS g "
				  "WHERE g.lineage = ANY (h.lineages)), h.records, h.actors, h.since, h.before, "
				  "h.until, h.placed_by, h.sealed_at FROM hold AS h ORDER BY h.log_index",
		lengthof(types), types, values);
	return (Datum) 0;
}
