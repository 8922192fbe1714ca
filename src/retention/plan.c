/*-------------------------------------------------------------------------
 * plan.c
 *		Asking for what may go to be purged.
 *
 * A request for a purge names months and how many events of each went by the
 * plan. What is carried out may be less, if holds were placed or policies made
 * longer since, and never more.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "base/catalog.h"
#include "base/clock.h"
#include "base/worker.h"
#include "ledger/control.h"
#include "ledger/gap.h"
#include "ledger/owner_query.h"
#include "ledger/request.h"
#include "retention/plan.h"

static void check_purge(const AtApproval *approval);

static const AtRequestKind purge_kind = {
	.name = AT_KIND_PURGE, .approver = "purge_approver", .run = check_purge};

PG_FUNCTION_INFO_V1(at_request_purge);

void
at_plan_init(void)
{
	at_request_register(&purge_kind);
}

#define PLAN_TYPES                                                                                 \
	{                                                                                              \
		TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT8OID                                    \
	}

/* All of the past, as of now. */
static void
plan_values(Datum *values)
{
	TimestampTz now = at_clock_now();

	values[0] = TimestampTzGetDatum(DT_NOBEGIN);
	values[1] = TimestampTzGetDatum(now);
	values[2] = TimestampTzGetDatum(now);
	values[3] = Int64GetDatum(PG_INT64_MAX);
}

/* request_purge(reason): the request */
Datum
at_request_purge(PG_FUNCTION_ARGS)
{
	static const char query[] =
		AT_PURGE_PLAN "SELECT pg_catalog.json_build_object('at', " AT_UTC_TEXT(
			"$3") ", 'events', pg_catalog.sum(m.events), "
				  "'months', pg_catalog.json_agg(pg_catalog.json_build_object('from', " AT_UTC_TEXT(
					  "m.month") ", 'until', " AT_UTC_TEXT(AT_MONTH_END("m.month")) ", 'events', "
																					"m.events) "
																					"ORDER BY "
																					"m.month)) "
																					"FROM month AS "
																					"m WHERE "
																					"m.events > 0 "
																					"HAVING "
																					"pg_catalog."
																					"count(*) > 0";
	Oid types[] = PLAN_TYPES;
	Datum values[lengthof(types)];
	AtControl control;
	int64 request_id;
	char *what;

	(void) at_ledger_relid(AT_LEDGER_LOG_ENTRY);
	plan_values(values);
	what = at_owner_value(query, lengthof(types), types, values);
	if (what == NULL)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("there is nothing to purge"),
						errdetail("No events have expired that no hold keeps."),
						errhint("SELECT * FROM audit.retention_plan();")));
	at_control_begin(&control);
	request_id =
		at_request_make(&control, AT_KIND_PURGE, what, text_to_cstring(PG_GETARG_TEXT_PP(0)));
	at_control_end(&control);
	PG_RETURN_INT64(request_id);
}

/* The keeper reads of the approval in the log. */
static void
check_purge(const AtApproval *approval)
{
	at_worker_wake(AT_WORKER_KEEPER);
}
