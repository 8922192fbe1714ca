/*-------------------------------------------------------------------------
 * forecast.c
 *		audit.retention_plan(): what the keeper's next runs will do, and free.
 *
 * Nothing is done, and nothing is kept: it is made out anew from what the steps
 * themselves go by. Where that is a query they share it; for months to be
 * archived and partitions to be made a test compares what was told with what
 * a run then did.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "base/clock.h"
#include "base/guc.h"
#include "ledger/owner_query.h"
#include "ledger/partition.h"
#include "retention/drop_empty.h"
#include "retention/plan.h"

/*
 * Parameters behind those of AT_FATES, of which $3 is the end of the time looked at: $5 the next
 * time in a maintenance window, $6 now, $7 how many months ahead there are partitions, $8 the time
 * before which months ended that go to files.
 */

/* Partitions by their names: of which table, class and month. */
#define PARTS                                                                                      \
	", part AS MATERIALIZED (SELECT c.oid, c.relname, c.relkind, "                                 \
	"pg_catalog.split_part(c.relname, '_', 1) AS tab, "                                            \
	"pg_catalog.split_part(c.relname, '_', 2)::int2 AS class, "                                    \
	"pg_catalog.to_date(pg_catalog.right(c.relname, 6), 'YYYYMM')::timestamp "                     \
	"AT TIME ZONE 'UTC' AS month "                                                                 \
	"FROM pg_catalog.pg_class AS c WHERE c.relnamespace = 'audit'::regnamespace "                  \
	"AND c.relispartition AND c.relname ~ '^(event|transaction)_[0-9]+_[0-9]{6}$') "

/* Months of which partitions are to be made. */
#define NEW                                                                                        \
	", new AS (SELECT k.class, m.month, t.tab FROM (SELECT 1::int2 AS class UNION "                \
	"SELECT p.class FROM policy AS p WHERE p.class IS NOT NULL) AS k CROSS JOIN "                  \
	"(VALUES ('event'), ('transaction')) AS t (tab) CROSS JOIN (SELECT (" AT_MONTH(                \
		"$3") " AT TIME ZONE 'UTC' + pg_catalog.make_interval(months => i)) AT TIME ZONE 'UTC' "   \
			  "AS month "                                                                          \
			  "FROM pg_catalog.generate_series(0, $7) AS i) AS m WHERE NOT EXISTS (SELECT FROM "   \
			  "part AS p "                                                                         \
			  "WHERE p.tab = t.tab AND p.class = k.class AND p.month = m.month)) "

/*
 * Months to be archived, class by class: as of archive_month.c and due.c. How small they become is
 * told by those that are archived; without any, by what the archive is known to reach.
 */
#define DUE                                                                                        \
	", cold AS (SELECT pg_catalog.split_part(s.name, '_', 1) AS tab, "                             \
	"pg_catalog.sum(pg_catalog.pg_total_relation_size(c.oid))::float8 / "                          \
	"nullif(pg_catalog.sum(s.rows), 0) AS row_bytes FROM (SELECT g.store_id, "                     \
	"pg_catalog.min(g.partition_name) AS name, pg_catalog.sum(g.row_count) AS rows "               \
	"FROM audit.segment AS g GROUP BY 1) AS s JOIN pg_catalog.pg_class AS c "                      \
	"ON c.relnamespace = 'audit'::regnamespace AND c.relname = 'segment_' || s.store_id "          \
	"GROUP BY 1), "                                                                                \
	"hot AS (SELECT p.class, pg_catalog.max(p.hot) AS hot, pg_catalog.string_agg("                 \
	"coalesce('context ' || p.context, 'type ' || p.event_type, 'lineage ' || p.lineage), "        \
	"', ' ORDER BY p.log_index) AS scopes FROM policy AS p WHERE p.class IS NOT NULL "             \
	"GROUP BY p.class HAVING pg_catalog.bool_and(p.hot IS NOT NULL)), "                            \
	"due AS (SELECT p.class, p.month, h.hot, h.scopes, pg_catalog.count(*) AS parts, "             \
	"pg_catalog.sum(n.rows) FILTER (WHERE p.tab = 'event') AS events, "                            \
	"pg_catalog.sum(n.rows) FILTER (WHERE p.tab = 'transaction') AS transactions, "                \
	"pg_catalog.sum(n.bytes - coalesce(n.rows * c.row_bytes, n.bytes * 0.2)) AS bytes "            \
	"FROM part AS p JOIN hot AS h ON h.class = p.class LEFT JOIN cold AS c ON c.tab = p.tab "      \
	"CROSS JOIN LATERAL (SELECT pg_catalog.pg_total_relation_size(p.oid)::float8 AS bytes, "       \
	"CASE p.tab WHEN 'event' THEN (SELECT pg_catalog.count(*) FROM audit.event AS e "              \
	"WHERE e.retention_class = p.class AND e.tx_at >= p.month "                                    \
	"AND e.tx_at < " AT_MONTH_END(                                                                 \
		"p.month") ") "                                                                            \
				   "ELSE (SELECT pg_catalog.count(*) FROM audit.transaction AS t "                 \
				   "WHERE t.retention_class = p.class AND t.tx_at >= p.month "                     \
				   "AND t.tx_at < " AT_MONTH_END(                                                  \
					   "p.month") ") END AS rows) AS n "                                           \
								  "WHERE p.relkind = 'r' AND pg_catalog.pg_relation_size(p.oid) "  \
								  "> 0 "                                                           \
								  "AND " AT_MONTH_END(                                             \
									  "p.month") " <= $3 - h.hot GROUP BY 1, 2, 3, 4) "

/* Requests to purge a month that are not done: what they wait for. */
#define ASKED                                                                                      \
	", asked AS (SELECT x.m ->> 'from' AS month, pg_catalog.max(r.request_id) FILTER "             \
	"(WHERE r.state = 'open') AS open, pg_catalog.max(r.request_id) FILTER "                       \
	"(WHERE r.state = 'approved' AND NOT EXISTS (SELECT FROM audit.deletion AS d "                 \
	"WHERE (d.phase = 'done' OR (d.phase = 'cancelled' AND (d.certificate ->> 'nothing')::bool)) " \
	"AND (d.certificate ->> 'request')::int8 = r.request_id "                                      \
	"AND d.certificate ->> 'from' = x.m ->> 'from')) AS approved FROM audit.read_requests() AS r " \
	"CROSS JOIN LATERAL pg_catalog.jsonb_array_elements(r.what -> 'months') AS x (m) "             \
	"WHERE r.kind = 'purge' AND r.state IN ('open', 'approved') GROUP BY 1) "

/* Holds that keep expired events of the month m. */
#define HOLDERS                                                                                    \
	"(SELECT pg_catalog.array_agg(DISTINCT h.name ORDER BY h.name) FROM fate AS f "                \
	"JOIN audit.event AS e ON e.tx_at = f.tx_at AND e.tx_id = f.tx_id AND e.ordinal = f.ordinal "  \
	"JOIN audit.target AS g ON g.target_id = e.target_id "                                         \
	"JOIN audit.transaction AS t ON t.tx_at = e.tx_at AND t.tx_id = e.tx_id "                      \
	"JOIN hold AS h ON " AT_HOLD_FITS " WHERE f.month = m.month AND f.expired AND f.held)"

/* Policies by which events of the month m have expired, and the last time at which they did. */
#define EXPIRY                                                                                     \
	"CROSS JOIN LATERAL (SELECT pg_catalog.string_agg(coalesce('context ' || p.context, "          \
	"'type ' || p.event_type, 'lineage ' || p.lineage) || ' is kept for ' || p.keep, ', ' "        \
	"ORDER BY p.log_index) AS why, pg_catalog.max(" AT_KEPT_UNTIL(                                 \
		"m.month", "p.keep") ") AS at FROM policy AS p WHERE p.\"then\" = 'purge' "                \
							 "AND " AT_KEPT_UNTIL("m.month", "p.keep") " <= $3) AS x "

/*
 * Archived partitions that go to files, as of archive_files.c, with the holds that keep them; what
 * this run archives before goes too.
 */
#define MOVED                                                                                      \
	", moved AS (SELECT p.class, p.month, pg_catalog.count(*) AS parts, "                          \
	"pg_catalog.sum(s.bytes) AS bytes, k.holds FROM part AS p "                                    \
	"LEFT JOIN (SELECT g.partition_name AS name, pg_catalog.sum(g.stored_bytes) AS bytes "         \
	"FROM audit.segment AS g WHERE g.file IS NULL GROUP BY 1) AS s "                               \
	"ON s.name = p.relname AND p.relkind = 'f' "                                                   \
	"LEFT JOIN due AS d ON d.class = p.class AND d.month = p.month AND p.relkind = 'r' "           \
	"AND pg_catalog.pg_relation_size(p.oid) > 0 "                                                  \
	"CROSS JOIN LATERAL (SELECT pg_catalog.array_agg(DISTINCT h.name ORDER BY h.name) AS holds "   \
	"FROM audit.event AS e LEFT JOIN audit.target AS g ON g.target_id = e.target_id "              \
	"LEFT JOIN audit.transaction AS t ON t.tx_at = e.tx_at AND t.tx_id = e.tx_id "                 \
	"JOIN hold AS h ON " AT_HOLD_FITS " WHERE EXISTS (SELECT FROM hold) AND e.tx_at >= p.month "   \
	"AND e.tx_at < " AT_MONTH_END(                                                                 \
		"p.month") " AND (e.tableoid = p.oid OR t.tableoid = p.oid)"                               \
				   ") AS k WHERE (s.name IS NOT NULL OR d.class IS NOT NULL) AND " AT_MONTH_END(   \
					   "p.month") " <= $8 GROUP BY p.class, p.month, k.holds) "

/* One branch a step of the keeper; columns as of the function. */
#define STEPS                                                                                                                                                                                                    \
	"SELECT 1 AS place, 'partitions' AS action, n.class, pg_catalog.min(n.month) AS since, "                                                                                                                     \
	"pg_catalog.max(" AT_MONTH_END(                                                                                                                                                                              \
		"n.month") ") AS before, pg_catalog.count(*) AS objects, "                                                                                                                                               \
				   "NULL::int8 AS events, NULL::int8 AS transactions, NULL::int8 AS held, "                                                                                                                      \
				   "NULL::int8 AS kept, "                                                                                                                                                                        \
				   "0::int8 AS bytes, NULL::text[] AS holds, 'there are partitions for ' || $7 "                                                                                                                 \
				   "|| "                                                                                                                                                                                         \
				   "' months ahead' AS reason, NULL AS needs, greatest($6, "                                                                                                                                     \
				   "pg_catalog.min((n.month AT TIME ZONE "                                                                                                                                                       \
				   "'UTC' - pg_catalog.make_interval(months => $7)) AT TIME ZONE 'UTC')) AS "                                                                                                                    \
				   "not_before "                                                                                                                                                                                 \
				   "FROM new AS n GROUP BY n.class "                                                                                                                                                             \
				   "UNION ALL SELECT 2, 'archive', d.class, d.month, " AT_MONTH_END(                                                                                                                             \
					   "d.month") ", d.parts, "                                                                                                                                                                  \
								  "coalesce(d.events, 0)::int8, coalesce(d.transactions, "                                                                                                                       \
								  "0)::int8, NULL, NULL, "                                                                                                                                                       \
								  "greatest(d.bytes, 0)::int8, NULL, d.scopes || ': hot for ' || "                                                                                                               \
								  "d.hot, NULL, "                                                                                                                                                                \
								  "greatest($5, " AT_MONTH_END(                                                                                                                                                  \
									  "d.month") " + d.hot) FROM due AS d "                                                                                                                                      \
												 "UNION ALL SELECT 3, 'files', v.class, "                                                                                                                        \
												 "v.month, " AT_MONTH_END(                                                                                                                                       \
													 "v.month") ", v.parts, NULL, NULL, NULL, "                                                                                                                  \
																"NULL, v.bytes::int8, v.holds, "                                                                                                                 \
																"'archived months go to files', "                                                                                                                \
																"CASE WHEN v.holds IS NOT NULL "                                                                                                                 \
																"THEN 'the release of what holds "                                                                                                               \
																"it' END, $5 FROM moved AS v "                                                                                                                   \
																"UNION ALL SELECT 4, 'purge', "                                                                                                                  \
																"NULL, "                                                                                                                                         \
																"m.month, " AT_MONTH_END(                                                                                                                        \
																	"m.month") ", NULL, "                                                                                                                        \
																			   "m.events, "                                                                                                                      \
																			   "m.transactions, "                                                                                                                \
																			   "m.held, "                                                                                                                        \
																			   "m.all_events - "                                                                                                                 \
																			   "m.events - "                                                                                                                     \
																			   "m.held, "                                                                                                                        \
																			   "coalesce(z.bytes "                                                                                                               \
																			   "* m.events / "                                                                                                                   \
																			   "m.all_events, "                                                                                                                  \
																			   "0)::int8, "                                                                                                                      \
																			   "CASE WHEN m.held "                                                                                                               \
																			   "> 0 "                                                                                                                            \
																			   "THEN " HOLDERS                                                                                                                   \
																			   " END, x.why, "                                                                                                                   \
																			   "CASE WHEN "                                                                                                                      \
																			   "m.events = 0 "                                                                                                                   \
																			   "THEN "                                                                                                                           \
																			   "'the release of "                                                                                                                \
																			   "what holds it' "                                                                                                                 \
																			   "WHEN a.approved "                                                                                                                \
																			   "IS NOT NULL "                                                                                                                    \
																			   "THEN NULL "                                                                                                                      \
																			   "WHEN a.open IS "                                                                                                                 \
																			   "NOT NULL THEN "                                                                                                                  \
																			   "'the approval of "                                                                                                               \
																			   "request ' || "                                                                                                                   \
																			   "a.open "                                                                                                                         \
																			   "ELSE "                                                                                                                           \
																			   "'audit.request_"                                                                                                                 \
																			   "purge(), "                                                                                                                       \
																			   "and its "                                                                                                                        \
																			   "approval' END, "                                                                                                                 \
																			   "greatest($5, "                                                                                                                   \
																			   "x.at) "                                                                                                                          \
																			   "FROM month AS m "                                                                                                                \
																			   "LEFT JOIN size "                                                                                                                 \
																			   "AS z ON z.month "                                                                                                                \
																			   "= "                                                                                                                              \
																			   "pg_catalog.to_"                                                                                                                  \
																			   "char(m.month AT "                                                                                                                \
																			   "TIME ZONE 'UTC', "                                                                                                               \
																			   "'YYYYMM') "                                                                                                                      \
																			   "LEFT JOIN asked "                                                                                                                \
																			   "AS a ON a.month "                                                                                                                \
																			   "= " AT_UTC_TEXT(                                                                                                                 \
																				   "m.month") " " EXPIRY                                                                                                         \
																							  "WH"                                                                                                               \
																							  "ER"                                                                                                               \
																							  "E "                                                                                                               \
																							  "m."                                                                                                               \
																							  "ev"                                                                                                               \
																							  "en"                                                                                                               \
																							  "ts"                                                                                                               \
																							  " >"                                                                                                               \
																							  " "                                                                                                                \
																							  "0 "                                                                                                               \
																							  "OR"                                                                                                               \
																							  " m"                                                                                                               \
																							  ".h"                                                                                                               \
																							  "el"                                                                                                               \
																							  "d "                                                                                                               \
																							  "> "                                                                                                               \
																							  "0 "                                                                                                               \
																							  "UN"                                                                                                               \
																							  "IO"                                                                                                               \
																							  "N "                                                                                                               \
																							  "AL"                                                                                                               \
																							  "L "                                                                                                               \
																							  "SE"                                                                                                               \
																							  "LE"                                                                                                               \
																							  "CT"                                                                                                               \
																							  " "                                                                                                                \
																							  "5,"                                                                                                               \
																							  " '"                                                                                                               \
																							  "dr"                                                                                                               \
																							  "op"                                                                                                               \
																							  "',"                                                                                                               \
																							  " "                                                                                                                \
																							  "p."                                                                                                               \
																							  "cl"                                                                                                               \
																							  "as"                                                                                                               \
																							  "s,"                                                                                                               \
																							  " "                                                                                                                \
																							  "p."                                                                                                               \
																							  "mo"                                                                                                               \
																							  "nt"                                                                                                               \
																							  "h,"                                                                                                               \
																							  " " AT_MONTH_END(                                                                                                  \
																								  "p.month") ", "                                                                                                \
																											 "pg"                                                                                                \
																											 "_c"                                                                                                \
																											 "at"                                                                                                \
																											 "al"                                                                                                \
																											 "og"                                                                                                \
																											 ".c"                                                                                                \
																											 "ou"                                                                                                \
																											 "nt"                                                                                                \
																											 "(*"                                                                                                \
																											 "),"                                                                                                \
																											 " N"                                                                                                \
																											 "UL"                                                                                                \
																											 "L,"                                                                                                \
																											 " N"                                                                                                \
																											 "UL"                                                                                                \
																											 "L,"                                                                                                \
																											 " N"                                                                                                \
																											 "UL"                                                                                                \
																											 "L,"                                                                                                \
																											 " N"                                                                                                \
																											 "UL"                                                                                                \
																											 "L,"                                                                                                \
																											 " "                                                                                                 \
																											 "pg"                                                                                                \
																											 "_c"                                                                                                \
																											 "at"                                                                                                \
																											 "al"                                                                                                \
																											 "og"                                                                                                \
																											 ".s"                                                                                                \
																											 "um"                                                                                                \
																											 "(p"                                                                                                \
																											 "g_"                                                                                                \
																											 "ca"                                                                                                \
																											 "ta"                                                                                                \
																											 "lo"                                                                                                \
																											 "g."                                                                                                \
																											 "pg"                                                                                                \
																											 "_t"                                                                                                \
																											 "ot"                                                                                                \
																											 "al"                                                                                                \
																											 "_r"                                                                                                \
																											 "el"                                                                                                \
																											 "at"                                                                                                \
																											 "io"                                                                                                \
																											 "n_"                                                                                                \
																											 "si"                                                                                                \
																											 "ze"                                                                                                \
																											 "(c"                                                                                                \
																											 ".o"                                                                                                \
																											 "id"                                                                                                \
																											 "))"                                                                                                \
																											 "::"                                                                                                \
																											 "in"                                                                                                \
																											 "t8"                                                                                                \
																											 ", "                                                                                                \
																											 "NU"                                                                                                \
																											 "LL"                                                                                                \
																											 ", "                                                                                                \
																											 "'n"                                                                                                \
																											 "ot"                                                                                                \
																											 "hi"                                                                                                \
																											 "ng"                                                                                                \
																											 " i"                                                                                                \
																											 "s "                                                                                                \
																											 "le"                                                                                                \
																											 "ft"                                                                                                \
																											 " o"                                                                                                \
																											 "f "                                                                                                \
																											 "it"                                                                                                \
																											 "',"                                                                                                \
																											 " N"                                                                                                \
																											 "UL"                                                                                                \
																											 "L,"                                                                                                \
																											 " $"                                                                                                \
																											 "5 "                                                                                                \
																											 "FR"                                                                                                \
																											 "OM"                                                                                                \
																											 " "                                                                                                 \
																											 "(" AT_DROP_CANDIDATES(                                                                             \
																												 "$3") ") AS c "                                                                                 \
																													   "JOIN part AS p ON p.oid = c.oid GROUP BY p.class, p.month "                              \
																													   "UNION ALL SELECT 6, 'erase', NULL, o.sealed_at, NULL, "                                  \
																													   "pg_catalog.json_array_length(o.payload -> 'keys'), NULL, NULL, NULL, NULL, 0, NULL, "    \
																													   "o.payload ->> 'legal_basis', NULL, $6 FROM audit.log_entry AS o WHERE o.kind = 'erase' " \
																													   "AND NOT EXISTS (SELECT FROM audit.log_entry AS d WHERE d.kind = 'erased' "               \
																													   "AND (d.payload ->> 'erase')::int8 = o.log_index)"

static TimestampTz next_window(TimestampTz now);
static TimestampTz files_before(TimestampTz now);

PG_FUNCTION_INFO_V1(at_retention_plan);

/*
 * retention_plan(ahead interval): (action, retention_class, since, before, objects, events,
 * transactions, held, kept, bytes, holds, reason, needs, not_before)
 */
Datum
at_retention_plan(PG_FUNCTION_ARGS)
{
	static const char query[] = AT_PURGE_PLAN PARTS NEW DUE MOVED ASKED
		"SELECT s.action, s.class, s.since, s.before, s.objects, s.events, s.transactions, s.held, "
		"s.kept, s.bytes, s.holds, s.reason, s.needs, s.not_before FROM (" STEPS
		") AS s ORDER BY s.place, s.since, s.class";
	Oid types[] = {TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT8OID,
				   TIMESTAMPTZOID, TIMESTAMPTZOID, INT4OID,        TIMESTAMPTZOID};
	TimestampTz now = at_clock_now();
	Datum until =
		DirectFunctionCall2(timestamptz_pl_interval, TimestampTzGetDatum(now), PG_GETARG_DATUM(0));
	Datum values[] = {TimestampTzGetDatum(DT_NOBEGIN),
					  until,
					  until,
					  Int64GetDatum(PG_INT64_MAX),
					  TimestampTzGetDatum(next_window(now)),
					  TimestampTzGetDatum(now),
					  Int32GetDatum(AT_PARTITION_MONTHS_AHEAD),
					  TimestampTzGetDatum(files_before(DatumGetTimestampTz(until)))};

	if (DatumGetTimestampTz(until) < now)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("there is no plan for the past"), errdetail("ahead is negative."),
						errhint("SELECT * FROM audit.keeper_run tells what was done.")));
	at_owner_query(fcinfo, query, lengthof(types), types, values);
	return (Datum) 0;
}

/* Now, if that is in a maintenance window, or when the next one begins. */
static TimestampTz
next_window(TimestampTz now)
{
	TimestampTz day = now - ((now % USECS_PER_DAY) + USECS_PER_DAY) % USECS_PER_DAY;
	int minute = (now - day) / USECS_PER_MINUTE;
	int from;
	int until;

	at_guc_maintenance_window_bounds(&from, &until);
	if (from < 0 ||
		(from < until ? minute >= from && minute < until : minute >= from || minute < until))
		return now;
	return day + from * USECS_PER_MINUTE + (minute < from ? 0 : USECS_PER_DAY);
}

/* Months that ended before this time go to files; none, if nothing says where. */
static TimestampTz
files_before(TimestampTz now)
{
	if (at_guc_archive_directory[0] == '\0' || at_guc_archive_file_age < 0)
		return DT_NOBEGIN;
	return now - at_guc_archive_file_age * USECS_PER_SEC;
}
