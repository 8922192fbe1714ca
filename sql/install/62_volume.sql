-- Figures of the trail: how many events an hour, how fast queries are, whether all was intact.

-- Open to all: they tell nothing but how far sealing has come, and the functions below call them as their reader.
CREATE FUNCTION audit.first_unsealed() RETURNS bigint
	LANGUAGE c STABLE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'at_first_unsealed';
COMMENT ON FUNCTION audit.first_unsealed() IS 'internal: all transactions before this tx_id are sealed';
GRANT EXECUTE ON FUNCTION audit.first_unsealed() TO PUBLIC;

CREATE FUNCTION audit.is_unsealed(tx_id bigint) RETURNS boolean
	LANGUAGE c STABLE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'at_is_unsealed';
COMMENT ON FUNCTION audit.is_unsealed(bigint) IS 'internal: the transaction is not sealed, if there is one';
GRANT EXECUTE ON FUNCTION audit.is_unsealed(bigint) TO PUBLIC;

CREATE FUNCTION audit.count_sealed()
	RETURNS TABLE (hour timestamptz, target_id int, op "char", event_type text, actor text, events bigint)
	LANGUAGE sql STABLE STRICT PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp AS $$
SELECT date_trunc('hour', e.occurred_at, 'UTC'), e.target_id, e.op, coalesce(e.event_type, '') COLLATE "C",
	(CASE WHEN c.now ? 'actor' THEN coalesce(c.now ->> 'actor', t.db_user) ELSE t.actor END) COLLATE "C", count(*)
FROM audit.event e
	JOIN audit.transaction t USING (tx_at, tx_id)
	LEFT JOIN LATERAL (SELECT audit.to_jsonb(e.extra) -> 'context' AS now) c ON audit.has_context(e.extra)
WHERE NOT audit.is_unsealed(e.tx_id)
GROUP BY 1, 2, 3, 4, 5
$$;
COMMENT ON FUNCTION audit.count_sealed() IS 'internal: what audit.volume should have, counted in the trail';
REVOKE ALL ON FUNCTION audit.count_sealed() FROM PUBLIC;

CREATE FUNCTION audit.rebuild_volume() RETURNS bigint
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'at_rebuild_volume';
COMMENT ON FUNCTION audit.rebuild_volume() IS
	'counts all sealed events anew; returns how many rows of audit.volume were not as they should be. Nothing is sealed meanwhile';
REVOKE ALL ON FUNCTION audit.rebuild_volume() FROM PUBLIC;

-- What is sealed comes from audit.volume, the live tail from the trail itself.
CREATE FUNCTION audit.volume_per_hour(since timestamptz DEFAULT now() - interval '24 hours', until timestamptz DEFAULT 'infinity')
	RETURNS TABLE (
		hour timestamptz,
		context text,
		resource_type text,
		event_type text,
		actor text,
		action text,
		events bigint
	)
	LANGUAGE sql STABLE STRICT PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp SET jit = off AS $$
WITH tail AS (
	SELECT date_trunc('hour', e.occurred_at, 'UTC') AS hour, e.target_id, e.op, coalesce(e.event_type, '') AS event_type,
		CASE WHEN c.now ? 'actor' THEN coalesce(c.now ->> 'actor', t.db_user) ELSE t.actor END AS actor, 1::bigint AS events
	FROM audit.transaction t
		CROSS JOIN LATERAL (SELECT * FROM audit.event x WHERE x.tx_id = t.tx_id AND x.tx_at = t.tx_at OFFSET 0) e
		LEFT JOIN LATERAL (SELECT audit.to_jsonb(e.extra) -> 'context' AS now) c ON audit.has_context(e.extra)
	WHERE t.tx_id >= (SELECT audit.first_unsealed()) AND audit.is_unsealed(t.tx_id)
), counted AS (
	SELECT v.hour, v.target_id, v.op, v.event_type, v.actor, v.events
	FROM audit.volume v
	WHERE v.hour >= date_trunc('hour', volume_per_hour.since, 'UTC') AND v.hour < volume_per_hour.until
	UNION ALL
	SELECT *
	FROM tail a
	WHERE a.hour >= date_trunc('hour', volume_per_hour.since, 'UTC') AND a.hour < volume_per_hour.until
)
SELECT c.hour, g.context, g.resource_type,
	audit.name_event_type(nullif(c.event_type, ''), c.op, g.resource_type),
	c.actor,
	audit.name_action(c.op),
	sum(c.events)::bigint
FROM counted c
	LEFT JOIN audit.target g ON g.target_id = c.target_id
GROUP BY 1, 2, 3, 4, 5, 6
ORDER BY 1, 2, 3, 4, 5, 6
$$;
COMMENT ON FUNCTION audit.volume_per_hour(timestamptz, timestamptz) IS
	'how many events there were in each hour (in UTC) that begins in the time, by context, type, actor and action; exact, with what is not sealed yet';
REVOKE ALL ON FUNCTION audit.volume_per_hour(timestamptz, timestamptz) FROM PUBLIC;

CREATE FUNCTION audit.query_latency(
	OUT queries bigint, OUT p50_ms float8, OUT p95_ms float8, OUT p99_ms float8, OUT max_ms float8, OUT since timestamptz)
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'at_query_latency';
COMMENT ON FUNCTION audit.query_latency() IS
	'how long queries of the trail took in this database since the server started, planning included: percentiles, up to 9 % too high';
REVOKE ALL ON FUNCTION audit.query_latency() FROM PUBLIC;

-- Each result of the background verifier begins where the last one ended that found nothing.
CREATE FUNCTION audit.integrity(
	OUT verified_events bigint, OUT failures bigint, OUT failure_rate numeric, OUT verified_size bigint, OUT verified_at timestamptz)
	LANGUAGE sql STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
WITH result AS (
	SELECT l.log_index, l.sealed_at, (l.payload ->> 'size')::bigint AS size,
		(l.payload ->> 'events')::bigint AS events, (l.payload ->> 'findings')::bigint AS findings
	FROM audit.log_entry l
	WHERE l.kind = 'verified'
), last AS (
	SELECT * FROM result ORDER BY log_index DESC LIMIT 1
), total AS (
	SELECT coalesce(sum(r.events), 0)::bigint AS events
	FROM result r
	WHERE r.findings = 0 OR r.log_index = (SELECT log_index FROM last)
)
SELECT t.events, coalesce(l.findings, 0), coalesce(l.findings, 0) / nullif(t.events, 0)::numeric, l.size, l.sealed_at
FROM total t LEFT JOIN last l ON true
$$;
COMMENT ON FUNCTION audit.integrity() IS
	'what the sealed results of verification say: how many events were verified, how many failures the last result has, the rate of these, how much of the log that was, and when; verify_now() makes a new result';
REVOKE ALL ON FUNCTION audit.integrity() FROM PUBLIC;

-- The figures of the whole; called by audit.init().
CREATE FUNCTION audit.create_figures() RETURNS void
	LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $views$

CREATE VIEW audit.kpi AS
SELECT 'events per hour' AS figure, round(coalesce(sum(v.events), 0) / 24, 1) AS value, NULL::numeric AS goal, NULL::boolean AS reached,
	concat(coalesce(sum(v.events), 0), ' events in the last 24 full hours, ',
		coalesce(sum(v.events) FILTER (WHERE v.hour >= date_trunc('hour', now(), 'UTC') - interval '1 hour'), 0), ' in the last one') AS detail
FROM audit.volume_per_hour(date_trunc('hour', now(), 'UTC') - interval '24 hours', date_trunc('hour', now(), 'UTC')) v
WHERE audit.is_shielded()
UNION ALL
SELECT 'query latency P95, ms', round(q.p95_ms::numeric, 3), 200, q.p95_ms < 200,
	concat(q.queries, ' queries since ', q.since)
FROM audit.query_latency() q
WHERE audit.is_shielded()
UNION ALL
SELECT 'integrity failures, %', round(100 * i.failure_rate, 6), 0, i.failure_rate = 0,
	concat(i.verified_events, ' events verified, ', i.failures, ' failures, ',
		coalesce('last at ' || i.verified_at, 'none yet: SELECT * FROM audit.verify_now()'))
FROM audit.integrity() i
WHERE audit.is_shielded();
COMMENT ON VIEW audit.kpi IS 'the figures of the audit trail: its volume, how fast it answers, whether it is intact';
COMMENT ON COLUMN audit.kpi.figure IS 'what is measured, and in what';
COMMENT ON COLUMN audit.kpi.value IS 'the figure; null if nothing was measured yet';
COMMENT ON COLUMN audit.kpi.goal IS 'what it should not exceed; null where there is no such';
COMMENT ON COLUMN audit.kpi.reached IS 'whether it does not';
COMMENT ON COLUMN audit.kpi.detail IS 'what it was measured on';
REVOKE ALL ON audit.kpi FROM PUBLIC;
$views$;
COMMENT ON FUNCTION audit.create_figures() IS 'internal: the view audit.kpi; called by audit.init()';
REVOKE ALL ON FUNCTION audit.create_figures() FROM PUBLIC;
