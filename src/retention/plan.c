/*-------------------------------------------------------------------------
 * plan.c
 *		audit.retention_plan(), and asking for what it says.
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

/* What goes, month by month; parameters as of AT_FATES. */
#define PLAN                                                                                       \
	"WITH " AT_FATES ", month AS (SELECT m.month, pg_catalog.sum(m.going)::int8 AS events, "       \
	"pg_catalog.count(*) FILTER (WHERE m.going = m.events) AS transactions, "                      \
	"pg_catalog.sum(m.held)::int8 AS held, pg_catalog.sum(m.events)::int8 AS all_events "          \
	"FROM tx AS m GROUP BY 1), size AS (SELECT pg_catalog.right(c.relname, 6) AS month, "          \
	"pg_catalog.sum(pg_catalog.pg_total_relation_size(c.oid))::float8 AS bytes "                   \
	"FROM pg_catalog.pg_class AS c WHERE c.relnamespace = 'audit'::regnamespace "                  \
	"AND c.relkind = 'r' AND c.relname ~ '^(event|transaction)_[0-9]+_[0-9]{6}$' GROUP BY 1) "

#define ROWS                                                                                       \
	"SELECT 'purge', m.month, " AT_MONTH_END(                                                      \
		"m.month") ", m.events, m.transactions, m.held, "                                          \
				   "m.all_events - m.events - m.held, coalesce(z.bytes * m.events / "              \
				   "m.all_events, 0)::int8 "                                                       \
				   "FROM month AS m LEFT JOIN size AS z "                                          \
				   "ON z.month = pg_catalog.to_char(m.month AT TIME ZONE 'UTC', 'YYYYMM') "        \
				   "WHERE m.events > 0 OR m.held > 0 ORDER BY m.month"

#define REQUEST                                                                                    \
	"SELECT pg_catalog.json_build_object('at', " AT_UTC_TEXT(                                      \
		"$3") ", "                                                                                 \
			  "'events', pg_catalog.sum(m.events), 'months', pg_catalog.json_agg("                 \
			  "pg_catalog.json_build_object('from', " AT_UTC_TEXT(                                 \
				  "m.month") ", "                                                                  \
							 "'until', " AT_UTC_TEXT(AT_MONTH_END(                                 \
								 "m.month")) ", 'events', m.events) ORDER BY m.month)) "           \
											 "FROM month AS m WHERE m.events > 0 HAVING "          \
											 "pg_catalog.count(*) > 0"

static void check_purge(const AtApproval *approval);

static const AtRequestKind purge_kind = {
	.name = AT_KIND_PURGE, .approver = "purge_approver", .run = check_purge};

PG_FUNCTION_INFO_V1(at_retention_plan);
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

/* retention_plan(): (action, from, until, events, transactions, held, kept, bytes) */
Datum
at_retention_plan(PG_FUNCTION_ARGS)
{
	Oid types[] = PLAN_TYPES;
	Datum values[lengthof(types)];

	plan_values(values);
	at_owner_query(
		fcinfo,
		PLAN "SELECT 'purge', m.month, " AT_MONTH_END(
			"m.month") ", m.events, "
					   "m.transactions, m.held, m.all_events - m.events - m.held, "
					   "coalesce(z.bytes * m.events / m.all_events, 0)::int8 FROM month AS m "
					   "LEFT JOIN size AS z ON z.month = pg_catalog.to_char(m.month AT TIME ZONE "
					   "'UTC', 'YYYYMM') WHERE m.events > 0 OR m.held > 0 ORDER BY m.month",
		lengthof(types), types, values);
	return (Datum) 0;
}

/* request_purge(reason): the request */
Datum
at_request_purge(PG_FUNCTION_ARGS)
{
	static const char query[] = PLAN "SELECT pg_catalog.json_build_object('at', " AT_UTC_TEXT(
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
