/*-------------------------------------------------------------------------
 * feed.c
 *		The database: alerts as they are told, in their order.
 *
 * A NOTIFY only says that there may be something; what there is is read from
 * audit.alert_feed, by place. So one that is missed costs time and nothing
 * else, and forged ones, which everybody can send, cost a query.
 *-------------------------------------------------------------------------
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>

#include "feed.h"

#define NUMBER_MAX 24

struct AtFeed
{
	PGconn *connection;
	const char *channel;
	const char *source;
	PGresult *rows; /* what was read last */
};

/* Columns of the query. */
enum
{
	FEED_DELIVERY_ID,
	FEED_ID,
	FEED_ALERT_ID,
	FEED_ATTEMPT,
	FEED_TOLD_SECONDS,
	FEED_TOLD_AT,
	FEED_RAISED_AT,
	FEED_SEVERITY,
	FEED_RULE,
	FEED_SENTENCE,
	FEED_TABLE,
	FEED_RESOURCE_ID,
	FEED_EVENT_ID,
	FEED_JSON
};

#define RFC3339(column)                                                                            \
	"pg_catalog.to_char(" column " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"

/*
 * The name of a delivery for receivers. Numbers begin anew in another database, and come again in
 * one that was set back; a receiver that leaves out what it has had must not take one for the
 * other.
 */
#define FEED_KEY                                                                                   \
	"f.delivery_id || '.' || pg_catalog.to_hex(pg_catalog.hashtextextended("                       \
	"pg_catalog.concat_ws('/', $3::text, pg_catalog.current_database(), f.told_at), 0))"

/* Who acts is there for who may see the event. */
static const char feed_query[] =
	"SELECT f.delivery_id, " FEED_KEY
	", f.alert_id, f.attempt, floor(extract(epoch FROM f.told_at))::bigint, "
	"f.told_at, " RFC3339(
		"f.raised_at") ", f.severity, f.rule, coalesce(f.sentence, ''), "
					   "coalesce(f.table_schema || '.' || f.table_name, ''), "
					   "coalesce(f.resource_id, ''), f.event_id, "
					   "pg_catalog.json_build_object('specversion', '1.0', 'id', "
					   "" FEED_KEY ", 'source', $3::text, "
					   "'type', CASE WHEN f.attempt = 1 THEN 'audit_trail.alert.raised' "
					   "ELSE 'audit_trail.alert.repeated' END, 'time', " RFC3339(
						   "f.raised_at") ", "
										  "'subject', f.event_id, 'datacontenttype', "
										  "'application/json', 'data', "
										  "pg_catalog.json_build_object('alert_id', f.alert_id, "
										  "'attempt', f.attempt, 'rule', f.rule, "
										  "'severity', f.severity, 'channel', f.channel, "
										  "'told_on', f.told_on, 'event_id', f.event_id, "
										  "'event_type', f.event_type, 'resource_type', "
										  "f.resource_type, 'table_schema', f.table_schema, "
										  "'table_name', f.table_name, 'resource_id', "
										  "f.resource_id, 'changed', f.changed, "
										  "'sentence', f.sentence, 'actor', e.actor, 'request_id', "
										  "e.request_id, 'reason', e.reason)) "
										  "FROM audit.alert_feed f LEFT JOIN LATERAL (SELECT * "
										  "FROM audit.events x "
										  "WHERE x.tx_id = f.tx_id AND x.ordinal = f.ordinal "
										  "OFFSET 0) e ON true "
										  "WHERE f.told_on = $1 AND f.delivery_id > $2 ORDER BY "
										  "f.delivery_id LIMIT 64";

static const char find_query[] =
	"SELECT coalesce((SELECT f.delivery_id FROM audit.alert_feed f WHERE f.told_on = $1 "
	"AND f.delivery_id = $2 AND f.told_at = $3::timestamptz), (SELECT -max(f.delivery_id) "
	"FROM audit.alert_feed f WHERE f.told_on = $1 AND f.told_at <= $3::timestamptz), 0)";

static const char end_query[] =
	"SELECT f.delivery_id, f.told_at FROM audit.alert_feed f WHERE f.told_on = $1 "
	"ORDER BY f.delivery_id DESC LIMIT 1";

static const char report_query[] = "SELECT audit.report_delivery($1, $2, $3::boolean, $4::int, $5)";

static PGresult *run(const AtFeed *feed, const char *query, int nvalues, const char *const *values,
					 char reason[AT_REASON_MAX]);
static bool listen_on(const AtFeed *feed, char reason[AT_REASON_MAX]);
static const char *value_of(const AtFeed *feed, int row, int column);
static bool drain(AtFeed *feed);

AtFeed *
at_feed_open(const char *conninfo, const char *channel, const char *source,
			 char reason[AT_REASON_MAX])
{
	static const char *const names[] = {"dbname",           "application_name",
										"client_encoding",  "connect_timeout",
										"keepalives_idle",  "keepalives_interval",
										"keepalives_count", "tcp_user_timeout",
										"options",          NULL};
	const char *values[] = {conninfo,
							"audit_relay",
							"UTF8",
							"10",
							"30",
							"10",
							"3",
							"30000",
							"-c search_path=pg_catalog,pg_temp -c datestyle=ISO -c timezone=UTC",
							NULL};
	AtFeed *feed = calloc(1, sizeof(AtFeed));

	if (feed == NULL)
		return NULL;
	feed->channel = channel;
	feed->source = source;
	feed->connection = PQconnectdbParams(names, values, 1);
	if (PQstatus(feed->connection) == CONNECTION_OK && listen_on(feed, reason))
		return feed;
	if (PQstatus(feed->connection) != CONNECTION_OK)
		(void) snprintf(reason, AT_REASON_MAX, "%s", PQerrorMessage(feed->connection));
	at_feed_close(feed);
	return NULL;
}

static bool
listen_on(const AtFeed *feed, char reason[AT_REASON_MAX])
{
	char *name = PQescapeIdentifier(feed->connection, feed->channel, strlen(feed->channel));
	char command[400];
	PGresult *result;

	if (name == NULL)
		return false;
	(void) snprintf(command, sizeof(command), "LISTEN %s", name);
	PQfreemem(name);
	result = run(feed, command, 0, NULL, reason);
	PQclear(result);
	return result != NULL;
}

/* NULL, and a reason, if it failed. */
static PGresult *
run(const AtFeed *feed, const char *query, int nvalues, const char *const *values,
	char reason[AT_REASON_MAX])
{
	PGresult *result = PQexecParams(feed->connection, query, nvalues, NULL, values, NULL, NULL, 0);
	ExecStatusType status = PQresultStatus(result);

	if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
		return result;
	(void) snprintf(reason, AT_REASON_MAX, "%s", PQerrorMessage(feed->connection));
	PQclear(result);
	return NULL;
}

bool
at_feed_find(AtFeed *feed, AtPlace *place, bool *was_set_back, char reason[AT_REASON_MAX])
{
	char number[NUMBER_MAX];
	const char *values[] = {feed->channel, number, place->told_at};
	PGresult *result;
	long long found;

	*was_set_back = false;
	if (place->delivery_id == 0)
		return true;
	(void) snprintf(number, sizeof(number), "%lld", (long long) place->delivery_id);
	result = run(feed, find_query, 3, values, reason);
	if (result == NULL)
		return false;
	found = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
	PQclear(result);
	*was_set_back = found != place->delivery_id;
	place->delivery_id = found < 0 ? -found : found;
	return true;
}

bool
at_feed_end(AtFeed *feed, AtPlace *place, char reason[AT_REASON_MAX])
{
	const char *values[] = {feed->channel};
	PGresult *result = run(feed, end_query, 1, values, reason);

	if (result == NULL)
		return false;
	*place = (AtPlace){0};
	if (PQntuples(result) == 1)
	{
		place->delivery_id = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
		(void) snprintf(place->told_at, sizeof(place->told_at), "%s", PQgetvalue(result, 0, 1));
	}
	PQclear(result);
	return true;
}

int
at_feed_read(AtFeed *feed, const AtPlace *place, char reason[AT_REASON_MAX])
{
	char number[NUMBER_MAX];
	const char *values[] = {feed->channel, number, feed->source};

	(void) snprintf(number, sizeof(number), "%lld", (long long) place->delivery_id);
	PQclear(feed->rows);
	feed->rows = run(feed, feed_query, 3, values, reason);
	return feed->rows == NULL ? -1 : PQntuples(feed->rows);
}

static const char *
value_of(const AtFeed *feed, int row, int column)
{
	return PQgetvalue(feed->rows, row, column);
}

void
at_feed_get(const AtFeed *feed, int number, AtAlert *alert)
{
	*alert = (AtAlert){
		.delivery_id = strtoll(value_of(feed, number, FEED_DELIVERY_ID), NULL, 10),
		.id = value_of(feed, number, FEED_ID),
		.alert_id = strtoll(value_of(feed, number, FEED_ALERT_ID), NULL, 10),
		.attempt = (int) strtol(value_of(feed, number, FEED_ATTEMPT), NULL, 10),
		.told_at = strtoll(value_of(feed, number, FEED_TOLD_SECONDS), NULL, 10),
		.told_time = value_of(feed, number, FEED_TOLD_AT),
		.raised_at = value_of(feed, number, FEED_RAISED_AT),
		.severity = value_of(feed, number, FEED_SEVERITY),
		.rule = value_of(feed, number, FEED_RULE),
		.sentence = value_of(feed, number, FEED_SENTENCE),
		.table = value_of(feed, number, FEED_TABLE),
		.resource_id = value_of(feed, number, FEED_RESOURCE_ID),
		.event_id = value_of(feed, number, FEED_EVENT_ID),
		.json = value_of(feed, number, FEED_JSON),
	};
}

bool
at_feed_report(AtFeed *feed, const AtAlert *alert, const char *sink, bool delivered, int attempts,
			   const char *detail, char reason[AT_REASON_MAX])
{
	char alert_id[NUMBER_MAX];
	char attempt[NUMBER_MAX];
	const char *values[] = {alert_id, sink, delivered ? "t" : "f", attempt, detail};
	PGresult *result;

	(void) snprintf(alert_id, sizeof(alert_id), "%lld", (long long) alert->alert_id);
	(void) snprintf(attempt, sizeof(attempt), "%d", attempts);
	result = run(feed, report_query, 5, values, reason);
	PQclear(result);
	return result != NULL;
}

bool
at_feed_wait(AtFeed *feed, int stop_fd, int timeout_ms, char reason[AT_REASON_MAX])
{
	struct pollfd wait[] = {{.fd = PQsocket(feed->connection), .events = POLLIN},
							{.fd = stop_fd, .events = POLLIN}};

	/* one that came with the answer of a query is not in the socket any more */
	if (!drain(feed))
		(void) poll(wait, 2, timeout_ms);
	if (PQconsumeInput(feed->connection) != 1 || PQstatus(feed->connection) != CONNECTION_OK)
	{
		(void) snprintf(reason, AT_REASON_MAX, "%s", PQerrorMessage(feed->connection));
		return false;
	}
	(void) drain(feed);
	return true;
}

/* Were there notifications? What they say is not looked at. */
static bool
drain(AtFeed *feed)
{
	bool any = false;
	PGnotify *notify;

	while ((notify = PQnotifies(feed->connection)) != NULL)
	{
		any = true;
		PQfreemem(notify);
	}
	return any;
}

void
at_feed_close(AtFeed *feed)
{
	PQclear(feed->rows);
	PQfinish(feed->connection);
	free(feed);
}
