/*-------------------------------------------------------------------------
 * plan.h
 *		Which events may go, and which of them are held.
 *
 * An event may go when the month that it is of (UTC) has ended for as long as
 * the policy in force for it keeps it, if that says purge. So what is of one
 * month and one policy goes together, up to a month late and never early. A
 * transaction goes with the last of its events. One that brought a version of
 * a table into the trail stays: without it, other events could not be read.
 *-------------------------------------------------------------------------
 */
#ifndef AT_PLAN_H
#define AT_PLAN_H

#include "retention/hold.h"
#include "retention/policy.h"

/* The month (UTC) of a time. */
#define AT_MONTH(at) "(pg_catalog.date_trunc('month', " at ", 'UTC'))"

/* The end of a month that begins at a time, and of what a policy keeps of it. */
#define AT_MONTH_END(month)                                                                        \
	"((" month " AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC')"
#define AT_KEPT_UNTIL(month, keep)                                                                 \
	"((" month " AT TIME ZONE 'UTC' + interval '1 month' + " keep ") AT TIME ZONE 'UTC')"

/* Nothing that is younger than the shortest policy needs be looked at; without a policy, nothing.
 */
#define AT_OLD_ENOUGH                                                                              \
	"e.tx_at < $3 + interval '4 days' - (SELECT pg_catalog.min(o.keep) FROM policy AS o WHERE "    \
	"o.\"then\" = 'purge')"

/*
 * Common table expressions, with $1 the beginning of the time looked at, $2 its end, $3 now, and $4
 * a log_index: policies after it are not gone by, and what they are for stays. "fate" has one row
 * an event: tx_id, ordinal, month, keep_until (null: for ever), expired, held, goes.
 */
#define AT_FATES                                                                                   \
	"policy AS (" AT_POLICIES "), hold AS (" AT_HOLDS(                                             \
		"$3") "), "                                                                                \
			  "sort AS MATERIALIZED (SELECT k.target_id, k.op, k.event_type, p.keep, p.log_index " \
			  "<= $4 "                                                                             \
			  "AND p.\"then\" = 'purge' AS purges, EXISTS (SELECT FROM hold) AS any_hold "         \
			  "FROM (SELECT DISTINCT e.target_id, e.op, coalesce(e.event_type, '') AS event_type " \
			  "FROM audit.event AS e WHERE e.tx_at >= $1 AND e.tx_at < $2 AND " AT_OLD_ENOUGH      \
			  ") AS k "                                                                            \
			  "JOIN audit.target AS g ON g.target_id = k.target_id "                               \
			  "JOIN LATERAL (SELECT * FROM policy AS p WHERE p.event_type = "                      \
			  "audit.name_event_type("                                                             \
			  "nullif(k.event_type, ''), k.op, g.resource_type) OR p.lineage = g.lineage "         \
			  "OR p.context = g.context ORDER BY p.event_type IS NULL, p.lineage IS NULL LIMIT "   \
			  "1) AS p "                                                                           \
			  "ON true), "                                                                         \
			  "fate AS (SELECT e.tx_at, e.tx_id, e.ordinal, " AT_MONTH(                            \
				  "e.tx_at") " AS month, "                                                         \
							 "coalesce(s.purges AND " AT_KEPT_UNTIL(                               \
								 AT_MONTH("e.tx_at"),                                              \
								 "s.keep") " <= $3 AND NOT EXISTS "                                \
										   "(SELECT FROM audit.target AS d WHERE d.tx_id = "       \
										   "e.tx_id), false) AS expired, "                         \
										   "coalesce(s.any_hold, false) AND " AT_IS_HELD           \
										   " AS held "                                             \
										   "FROM audit.event AS e JOIN audit.target AS g ON "      \
										   "g.target_id = e.target_id "                            \
										   "JOIN audit.transaction AS t ON t.tx_at = e.tx_at AND " \
										   "t.tx_id = e.tx_id "                                    \
										   "LEFT JOIN sort AS s ON s.target_id = e.target_id AND " \
										   "s.op = e.op "                                          \
										   "AND s.event_type = coalesce(e.event_type, '') "        \
										   "WHERE e.tx_at >= $1 AND e.tx_at < $2 AND NOT "         \
										   "audit.is_unsealed(e.tx_id)), "                         \
										   "tx AS (SELECT f.month, f.tx_at, f.tx_id, "             \
										   "pg_catalog.count(*) AS events, "                       \
										   "pg_catalog.count(*) FILTER (WHERE f.expired AND NOT "  \
										   "f.held) AS going, "                                    \
										   "pg_catalog.count(*) FILTER (WHERE f.expired AND "      \
										   "f.held) AS held, "                                     \
										   "pg_catalog.array_agg(f.ordinal ORDER BY f.ordinal) "   \
										   "FILTER (WHERE f.expired AND NOT f.held) "              \
										   "AS ordinals FROM fate AS f GROUP BY 1, 2, 3)"

/*
 * What goes, month by month; parameters as of AT_FATES: "month" (month, events, transactions,
 * held, all_events), and "size" (month as YYYYMM, bytes of its hot partitions).
 */
#define AT_PURGE_PLAN                                                                              \
	"WITH " AT_FATES ", month AS (SELECT m.month, pg_catalog.sum(m.going)::int8 AS events, "       \
	"pg_catalog.count(*) FILTER (WHERE m.going = m.events) AS transactions, "                      \
	"pg_catalog.sum(m.held)::int8 AS held, pg_catalog.sum(m.events)::int8 AS all_events "          \
	"FROM tx AS m GROUP BY 1), size AS (SELECT pg_catalog.right(c.relname, 6) AS month, "          \
	"pg_catalog.sum(pg_catalog.pg_total_relation_size(c.oid))::float8 AS bytes "                   \
	"FROM pg_catalog.pg_class AS c WHERE c.relnamespace = 'audit'::regnamespace "                  \
	"AND c.relkind = 'r' AND c.relname ~ '^(event|transaction)_[0-9]+_[0-9]{6}$' GROUP BY 1) "

/* The text of a time in certificates and requests: UTC, whatever the session has set. */
#define AT_UTC_TEXT(at)                                                                            \
	"pg_catalog.to_char(" at " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"

/* Register the kind of request. */
extern void at_plan_init(void);

#endif
