/*-------------------------------------------------------------------------
 * policy.c
 *		How long events are kept: audit.set_retention(), audit.retention.
 *
 * Locks: that of at_control_begin(), so that policies follow one another.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/timestamp.h"

#include "base/catalog.h"
#include "base/errors.h"
#include "base/names.h"
#include "base/worker.h"
#include "ledger/control.h"
#include "ledger/owner_query.h"
#include "ledger/request.h"
#include "ledger/retention_class.h"
#include "retention/policy.h"

#define SHORTEN "shorten_retention"

/* Arguments of audit.set_retention(). */
enum
{
	ARG_CONTEXT,
	ARG_HOT,
	ARG_KEEP,
	ARG_THEN,
	ARG_TABLE,
	ARG_EVENT_TYPE,
	ARG_TEMPLATE,
	ARG_REASON
};

typedef struct Policy
{
	const char *scope; /* a member of a JSON object: "context":"orders" */
	const char *hot;   /* text of an interval; NULL: as long as it is kept */
	const char *keep;  /* likewise; NULL: for ever */
	const char *then;
	const char *reason;
} Policy;

PG_FUNCTION_INFO_V1(at_set_retention);
PG_FUNCTION_INFO_V1(at_read_retention);

static void read_arguments(FunctionCallInfo fcinfo, Policy *policy);
static char *read_scope(FunctionCallInfo fcinfo);
static void take_template(FunctionCallInfo fcinfo, Policy *policy);
static void check_policy(const Policy *policy);
static char *policy_text(const Policy *policy);
static bool is_shorter(const char *what);
static void put_in_force(AtControl *control, const char *what, const char *by,
						 const char *approved_by, int64 request_id);
static void run_request(const AtApproval *approval);

static const AtRequestKind shorten_kind = {
	.name = SHORTEN, .approver = "purge_approver", .run = run_request};

void
at_retention_policy_init(void)
{
	at_request_register(&shorten_kind);
}

/* set_retention(context, hot, keep, then, table, event_type, template, reason) */
Datum
at_set_retention(PG_FUNCTION_ARGS)
{
	Policy policy = {0};
	AtControl control;
	int64 request_id = 0;

	(void) at_ledger_relid(AT_LEDGER_LOG_ENTRY);
	read_arguments(fcinfo, &policy);

	char *what = policy_text(&policy);

	at_control_begin(&control);
	if (is_shorter(what))
		request_id = at_request_make(&control, SHORTEN, what, policy.reason);
	else
		put_in_force(&control, what, at_request_login(), NULL, 0);
	at_control_end(&control);
	if (request_id == 0)
		PG_RETURN_NULL();
	PG_RETURN_INT64(request_id);
}

static char *
text_argument(FunctionCallInfo fcinfo, int number)
{
	return PG_ARGISNULL(number) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(number));
}

static char *
interval_argument(FunctionCallInfo fcinfo, int number)
{
	return PG_ARGISNULL(number)
			   ? NULL
			   : DatumGetCString(DirectFunctionCall1(interval_out, PG_GETARG_DATUM(number)));
}

static void
read_arguments(FunctionCallInfo fcinfo, Policy *policy)
{
	policy->scope = read_scope(fcinfo);
	policy->hot = interval_argument(fcinfo, ARG_HOT);
	policy->keep = interval_argument(fcinfo, ARG_KEEP);
	policy->then = text_argument(fcinfo, ARG_THEN);
	policy->reason = text_argument(fcinfo, ARG_REASON);
	if (!PG_ARGISNULL(ARG_TEMPLATE))
		take_template(fcinfo, policy);
	if (policy->then == NULL)
		policy->then = "archive";
	at_request_check_text("reason", policy->reason ? policy->reason : "");
	check_policy(policy);
}

/* What the policy is for: one of the three. */
static char *
read_scope(FunctionCallInfo fcinfo)
{
	static const char lineage_query[] =
		"SELECT n.lineage FROM audit.policy AS p JOIN audit.target AS n "
		"ON n.target_id = p.target_id WHERE p.target = $1";
	int given =
		!PG_ARGISNULL(ARG_CONTEXT) + !PG_ARGISNULL(ARG_TABLE) + !PG_ARGISNULL(ARG_EVENT_TYPE);
	StringInfoData json;

	if (given != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a policy is for a context, a table or a type of event"),
				 errdetail("%d of the three are given.", given),
				 errhint("SELECT audit.set_retention(context => 'orders', keep => '7 years', "
						 "reason => 'why');")));
	initStringInfo(&json);
	if (!PG_ARGISNULL(ARG_TABLE))
	{
		Oid types[] = {REGCLASSOID};
		Datum values[] = {PG_GETARG_DATUM(ARG_TABLE)};
		char *lineage = at_owner_value(lineage_query, 1, types, values);

		if (lineage == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_AT_BAD_TARGET),
					 errmsg("table %s is not audited", at_qualified_name(PG_GETARG_OID(ARG_TABLE))),
					 errhint("SELECT audit.enable(%s);",
							 quote_literal_cstr(at_qualified_name(PG_GETARG_OID(ARG_TABLE))))));
		appendStringInfo(&json, "\"lineage\":%s,\"table\":", lineage);
		escape_json(&json, at_qualified_name(PG_GETARG_OID(ARG_TABLE)));
		return json.data;
	}

	bool by_context = !PG_ARGISNULL(ARG_CONTEXT);
	char *name = text_argument(fcinfo, by_context ? ARG_CONTEXT : ARG_EVENT_TYPE);

	at_request_check_text(by_context ? "context" : "type of event", name);
	appendStringInfo(&json, "\"%s\":", by_context ? "context" : "event_type");
	escape_json(&json, name);
	return json.data;
}

/* What the template says counts where the call says nothing. */
static void
take_template(FunctionCallInfo fcinfo, Policy *policy)
{
	static const char *const columns[] = {"hot", "keep", "\"then\""};
	const char **fields[] = {&policy->hot, &policy->keep, &policy->then};
	Oid types[] = {TEXTOID};
	Datum values[] = {PG_GETARG_DATUM(ARG_TEMPLATE)};

	if (at_owner_value("SELECT t.name FROM audit.retention_template AS t WHERE t.name = $1", 1,
					   types, values) == NULL)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
						errmsg("there is no template \"%s\"", text_argument(fcinfo, ARG_TEMPLATE)),
						errhint("SELECT * FROM audit.retention_template;")));
	for (int i = 0; i < lengthof(columns); i++)
		if (*fields[i] == NULL)
			*fields[i] = at_owner_value(
				psprintf("SELECT t.%s FROM audit.retention_template AS t WHERE t.name = $1",
						 columns[i]),
				1, types, values);
}

static int
compare_intervals(const char *one, const char *other)
{
	return DatumGetInt32(
		DirectFunctionCall2(interval_cmp,
							DirectFunctionCall3(interval_in, CStringGetDatum(one),
												ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)),
							DirectFunctionCall3(interval_in, CStringGetDatum(other),
												ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1))));
}

static void
check_policy(const Policy *policy)
{
	if (strcmp(policy->then, "archive") != 0 && strcmp(policy->then, "purge") != 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("\"%s\" is not what can happen to events", policy->then),
						errdetail("\"then\" is archive or purge.")));
	if (strcmp(policy->then, "purge") == 0 && policy->keep == NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("events that are kept for ever are not purged"),
						errhint("Say how long they are kept, or leave \"then\" out.")));
	if (policy->keep != NULL && compare_intervals(policy->keep, "1 day") < 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("events are kept for a day at least"),
						errdetail("What is not sealed and anchored yet cannot be purged.")));
	if (policy->hot != NULL &&
		(compare_intervals(policy->hot, "0") < 0 ||
		 (policy->keep != NULL && compare_intervals(policy->hot, policy->keep) > 0)))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("events cannot be hot for longer than they are kept"),
						errdetail("Hot is %s, and keep is %s.", policy->hot,
								  policy->keep ? policy->keep : "for ever")));
}

/* The text of a JSON object: what is asked for, and what is sealed. */
static char *
policy_text(const Policy *policy)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfo(&json, "{%s,\"hot\":", policy->scope);
	if (policy->hot != NULL)
		escape_json(&json, policy->hot);
	else
		appendStringInfoString(&json, "null");
	appendStringInfoString(&json, ",\"keep\":");
	if (policy->keep != NULL)
		escape_json(&json, policy->keep);
	else
		appendStringInfoString(&json, "null");
	appendStringInfoString(&json, ",\"then\":");
	escape_json(&json, policy->then);
	appendStringInfoString(&json, ",\"reason\":");
	escape_json(&json, policy->reason);
	appendStringInfoChar(&json, '}');
	return json.data;
}

/*
 * Would events go sooner than by what is in force for them? For a table without a policy that is
 * the policy of its context; what is for ever has no end. A type of event may be
 * of any context.
 */
static bool
is_shorter(const char *what)
{
	static const char query[] =
		"WITH policy AS (" AT_POLICIES "), asked AS (SELECT $1::json AS a), "
		"own AS (SELECT p.* FROM policy AS p, asked WHERE p.context = a ->> 'context' "
		"OR p.lineage = (a ->> 'lineage')::int4 OR p.event_type = a ->> 'event_type'), "
		"wider AS (SELECT p.* FROM policy AS p, asked WHERE p.context = (SELECT g.context "
		"FROM audit.target AS g WHERE g.lineage = (a ->> 'lineage')::int4 "
		"ORDER BY g.target_id DESC LIMIT 1)), "
		"former AS (SELECT * FROM own UNION ALL SELECT * FROM wider "
		"WHERE NOT EXISTS (SELECT FROM own)) "
		"SELECT a ->> 'then' = 'purge' AND NOT EXISTS (SELECT FROM former AS f "
		"WHERE f.\"then\" = 'purge' AND f.keep <= (a ->> 'keep')::interval) FROM asked";
	Oid types[] = {TEXTOID};
	Datum values[] = {CStringGetTextDatum(what)};

	return strcmp(at_owner_value(query, lengthof(types), types, values), "t") == 0;
}

/* Seal it, with its class: that of an earlier policy for the scope, or a new one. */
static void
put_in_force(AtControl *control, const char *what, const char *by, const char *approved_by,
			 int64 request_id)
{
	static const char class_query[] =
		"WITH policy AS (" AT_POLICIES ") SELECT coalesce((SELECT p.class FROM policy AS p "
		"WHERE p.context = a.a ->> 'context' OR p.lineage = (a.a ->> 'lineage')::int4 "
		"OR p.event_type = a.a ->> 'event_type'), (SELECT coalesce(max(p.class), 1) + 1 "
		"FROM policy AS p)) FROM (SELECT $1::json) AS a (a)";
	Oid types[] = {TEXTOID};
	Datum values[] = {CStringGetTextDatum(what)};
	char *class = at_owner_value(class_query, lengthof(types), types, values);
	StringInfoData json;

	initStringInfo(&json);
	appendBinaryStringInfo(&json, what, strlen(what) - 1); /* without the brace */
	appendStringInfo(&json, ",\"class\":%s,\"by\":", class);
	escape_json(&json, by);
	if (approved_by != NULL)
	{
		appendStringInfoString(&json, ",\"approved_by\":");
		escape_json(&json, approved_by);
		appendStringInfo(&json, ",\"request\":" INT64_FORMAT, request_id);
	}
	appendStringInfoChar(&json, '}');
	(void) at_control_append(control, AT_KIND_RETENTION, json.data);
	at_retention_classes_changed();
	at_worker_wake(AT_WORKER_KEEPER);
}

/* It is approved. */
static void
run_request(const AtApproval *approval)
{
	put_in_force(approval->control, approval->what, approval->requested_by, approval->approved_by,
				 approval->request_id);
}

/* read_retention(): the policies in force */
Datum
at_read_retention(PG_FUNCTION_ARGS)
{
	at_owner_query(fcinfo,
				   "WITH policy AS (" AT_POLICIES ") SELECT p.context, "
				   "(SELECT pg_catalog.format('%I.%I', g.table_schema, g.table_name) "
				   "FROM audit.target AS g WHERE g.lineage = p.lineage ORDER BY g.target_id DESC "
				   "LIMIT 1), p.event_type, p.hot, p.keep, p.\"then\", p.class, p.set_by, "
				   "p.approved_by, p.sealed_at, p.reason FROM policy AS p ORDER BY 1, 2, 3",
				   0, NULL, NULL);
	return (Datum) 0;
}
