-- What auditors ask, n times each with other values: the statements, with constants as clients send them. A line is
-- the name of the question, a tab, and the statement.
WITH span AS MATERIALIZED (
	SELECT min(tx_at) AS since, max(tx_at) - min(tx_at) AS length FROM audit.transaction
), session AS MATERIALIZED (
	SELECT array_agg(session_id) AS ids FROM audit.session
), drawn AS (
	SELECT i, (i * 48271::bigint) % :orders AS id, 'user ' || i * 7919 % 500 AS actor,
		since + length * ((i * 37 % 90) / 100.0) AS from_at, since + length * ((i * 37 % 90 + 10) / 100.0) AS until_at,
		'change ' || (i * 7919::bigint * 10 % :changes) / 10 * 10 AS request, ids[1 + i % array_length(ids, 1)] AS session_id
	FROM generate_series(1, :n) i, span, session
), told AS (
	SELECT 'event_id, occurred_at, event_type, actor, resource_id, changed, old_values, new_values' AS columns
), asked AS (
	SELECT 'SELECT ' || columns || ' FROM audit.events WHERE ' AS view,
		'SELECT v.* FROM audit.transaction t CROSS JOIN LATERAL (SELECT ' || columns ||
			' FROM audit.events e WHERE e.tx_id = t.tx_id AND e.tx_at = t.tx_at AND %s OFFSET 0) v WHERE %s ORDER BY t.tx_at DESC LIMIT %s' AS newest
	FROM told
)
SELECT q.name || E'\t' || q.statement
FROM drawn d, asked, LATERAL (VALUES
	('history of a record', format('SELECT * FROM audit.history(''bench.audited'', %L)', d.id::text)),
	('by request', view || format('request_id = %L', request)),
	('by actor and period', view || format('actor = %L AND tx_at >= %L AND tx_at < %L ORDER BY tx_at DESC LIMIT 100', actor, from_at, until_at)),
	('by actor and period (transactions first)', format(newest, 'true', format('t.actor = %L AND t.tx_at >= %L AND t.tx_at < %L', actor, from_at, until_at), 100)),
	('by table, action and period', view || format('table_schema = ''bench'' AND table_name = ''audited'' AND action = ''update'' AND tx_at >= %L AND tx_at < %L ORDER BY tx_at DESC LIMIT 100', from_at, until_at)),
	('by table, action and period (transactions first)', format(newest, 'table_schema = ''bench'' AND table_name = ''audited'' AND action = ''update''', format('t.tx_at >= %L AND t.tx_at < %L', from_at, until_at), 100)),
	('by actor and period (search)', format('SELECT * FROM audit.search(''{"actor": "%s"}'', %L, %L)', actor, from_at, until_at)),
	('by table, action and period (search)', format('SELECT * FROM audit.search(''{"action": "update"}'', %L, %L, ''bench.audited'')', from_at, until_at)),
	('by table, action and period, of which there are none (search)', format('SELECT * FROM audit.search(''{"action": "delete"}'', %L, %L, ''bench.audited'')', from_at, until_at)),
	('by request (search)', format('SELECT * FROM audit.search(''{"request_id": "%s"}'')', request)),
	('by session (search)', format('SELECT * FROM audit.search(''{"session_id": %s}'')', session_id)),
	('three dimensions, newest 50 (search)', format('SELECT * FROM audit.search(''{"actor": "%s", "table_name": "audited", "event_type": "audited.updated"}'', max_rows => 50)', actor)),
	('by session', view || format('session_id = %s ORDER BY tx_at DESC LIMIT 100', session_id)),
	('by session (transactions first)', format(newest, 'true', format('t.session_id = %s', session_id), 100)),
	('three dimensions, newest 50', view || format('actor = %L AND table_name = ''audited'' AND event_type = ''audited.updated'' ORDER BY tx_at DESC LIMIT 50', actor)),
	('three dimensions, newest 50 (transactions first)', format(newest, 'e.table_name = ''audited'' AND e.event_type = ''audited.updated''', format('t.actor = %L', actor), 50)),
	('count per hour', 'SELECT hour, sum(events) FROM audit.volume_per_hour(now() - interval ''7 days'') GROUP BY 1 ORDER BY 1'),
	('count per hour and actor', 'SELECT * FROM audit.volume_per_hour(now() - interval ''7 days'')')
) q (name, statement)
ORDER BY q.name, d.i;
