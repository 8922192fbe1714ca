-- Is the trail whole? Recording the rows that are there already, and comparing trail and table.

CREATE FUNCTION audit.reconcile(target regclass)
	RETURNS TABLE (
		finding text,
		record_key text,
		column_name text,
		live_value text,
		trail_value text,
		detail text
	)
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'at_reconcile';
COMMENT ON FUNCTION audit.reconcile(regclass) IS
	'replays the trail of a table and compares it with its rows, while writers go on: a row for each difference, then a summary';
REVOKE ALL ON FUNCTION audit.reconcile(regclass) FROM PUBLIC;

CREATE FUNCTION audit.record_baseline(target regclass, batch_size int DEFAULT 1000) RETURNS bigint
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'at_record_baseline';
COMMENT ON FUNCTION audit.record_baseline(regclass, int) IS
	'records the rows that an audited table has now as events of their own, while writers go on; returns how many. Progress is told every batch_size rows';
REVOKE ALL ON FUNCTION audit.record_baseline(regclass, int) FROM PUBLIC;

CREATE FUNCTION audit.read_baseline_progress()
	RETURNS TABLE (pid int, target regclass, began_at timestamptz, rows_done bigint, rows_expected bigint)
	LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'at_baseline_progress';
COMMENT ON FUNCTION audit.read_baseline_progress() IS 'internal: what audit.baseline_progress shows';
REVOKE ALL ON FUNCTION audit.read_baseline_progress() FROM PUBLIC;

CREATE VIEW audit.baseline_progress AS
	SELECT pid, target, began_at, rows_done, rows_expected FROM audit.read_baseline_progress();
COMMENT ON VIEW audit.baseline_progress IS
	'baselines that are being recorded now; rows_expected is what the last VACUUM or ANALYZE knew';
COMMENT ON COLUMN audit.baseline_progress.pid IS 'process that records';
COMMENT ON COLUMN audit.baseline_progress.target IS 'the table';
COMMENT ON COLUMN audit.baseline_progress.began_at IS 'when it was begun';
COMMENT ON COLUMN audit.baseline_progress.rows_done IS 'rows recorded so far';
COMMENT ON COLUMN audit.baseline_progress.rows_expected IS 'rows that the last VACUUM or ANALYZE counted';
REVOKE ALL ON audit.baseline_progress FROM PUBLIC;

-- Open to all: it reads nothing, and audit.coverage() calls it as its caller.
CREATE FUNCTION audit.is_preloaded() RETURNS boolean
	LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'at_is_preloaded';
COMMENT ON FUNCTION audit.is_preloaded() IS
	'internal: was the library loaded when the server started?';
GRANT EXECUTE ON FUNCTION audit.is_preloaded() TO PUBLIC;

-- What the policy's own events tell. They name the table as it was called then, and another one
-- may have had that name before: the version that was last set under the name decides. Where they
-- say that the table was recorded, control records of the log may cast doubt on it.
CREATE FUNCTION audit.coverage(target regclass)
	RETURNS TABLE (covered boolean, from_at timestamptz, until_at timestamptz, why text)
	LANGUAGE sql STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
WITH version AS MATERIALIZED (
	SELECT v.target_id, format('%I.%I', v.table_schema, v.table_name) AS name
	FROM audit.target v
	WHERE v.lineage IN (
		SELECT n.lineage
		FROM audit.policy p
			JOIN audit.target n USING (target_id)
		WHERE p.target IN (coverage.target, pg_partition_root(coverage.target)))
), change AS (
	SELECT e.occurred_at, e.tx_id, e.ordinal, e.op, v.new_values,
		max((v.new_values ->> 'target_id')::int) OVER w AS target_id,
		(array_agg(v.new_values ->> 'operations') FILTER (WHERE v.new_values ? 'operations') OVER w)
			[count(*) FILTER (WHERE v.new_values ? 'operations') OVER w] AS operations,
		(array_agg(v.new_values ->> 'only_columns') FILTER (WHERE v.new_values ? 'only_columns') OVER w)
			[count(*) FILTER (WHERE v.new_values ? 'only_columns') OVER w] AS only_columns,
		(array_agg(v.new_values ->> 'recorded_when') FILTER (WHERE v.new_values ? 'recorded_when') OVER w)
			[count(*) FILTER (WHERE v.new_values ? 'recorded_when') OVER w] AS recorded_when,
		(array_agg(v.new_values -> 'enabled') FILTER (WHERE v.new_values ? 'enabled') OVER w)
			[count(*) FILTER (WHERE v.new_values ? 'enabled') OVER w] = 'true' AND e.op <> 'D' AS enabled
	FROM audit.event e
		CROSS JOIN LATERAL (SELECT audit.to_jsonb(e.new_values) AS new_values OFFSET 0) v
	WHERE e.target_id IN (
			SELECT s.target_id FROM audit.target s WHERE s.table_schema = 'audit' AND s.table_name = 'policy')
		AND e.record_key IN (SELECT name FROM version)
	WINDOW w AS (PARTITION BY e.record_key ORDER BY e.occurred_at, e.tx_id, e.ordinal)
), switch AS (
	SELECT c.*, lead(c.occurred_at, 1, 'infinity') OVER (ORDER BY c.occurred_at, c.tx_id, c.ordinal) AS until_at
	FROM change c
	WHERE c.target_id IN (SELECT target_id FROM version)
		AND (c.op = 'D' OR c.new_values ?| '{enabled,operations,only_columns,recorded_when}')
), setting AS (
	SELECT s.enabled AS covered, s.occurred_at AS from_at, s.until_at,
		CASE WHEN s.op = 'D' THEN 'its policy was deleted' WHEN s.enabled THEN 'enabled' ELSE 'disabled' END
			|| coalesce(' by ' || v.actor, '')
			|| CASE WHEN NOT s.enabled THEN coalesce(': ' || (s.new_values ->> 'reason'), '')
				ELSE CASE WHEN s.operations::text[] @> '{insert,update,delete,truncate}' THEN ''
					ELSE ', only ' || array_to_string(s.operations::text[], ', ') END
				|| coalesce(', only columns ' || array_to_string(s.only_columns::text[], ', '), '')
				|| coalesce(', when ' || s.recorded_when, '') END AS why
	FROM switch s
		CROSS JOIN LATERAL (
			SELECT max(x.actor) AS actor
			FROM audit.events x
			WHERE x.tx_id = s.tx_id AND x.ordinal = s.ordinal
		) v
	UNION ALL
	SELECT false, '-infinity', coalesce(min(s.occurred_at), 'infinity'), 'not enabled yet'
	FROM switch s
), guard AS (
	SELECT e.payload, (e.payload ->> 'at')::timestamptz AS from_at,
		lead((e.payload ->> 'at')::timestamptz, 1, 'infinity') OVER (ORDER BY e.log_index) AS until_at
	FROM audit.log_entry e
	WHERE e.kind = 'guard'
), doubt AS MATERIALIZED (
	SELECT g.from_at, g.until_at,
		'the guard was lifted' || coalesce(' (' || (g.payload ->> 'file') || ', line ' || (g.payload ->> 'line') || ')', '') AS why
	FROM guard g
	WHERE g.payload ->> 'guard' = 'off'
	UNION ALL
	SELECT (u.value ->> 'since')::timestamptz, (u.value ->> 'until')::timestamptz,
		format('perhaps the library was not loaded (%s)', u.value ->> 'found')
	FROM audit.log_entry e
		CROSS JOIN LATERAL json_array_elements(e.payload -> 'unseen') u
	WHERE e.kind = 'start'
	UNION ALL
	SELECT max(e.sealed_at), 'infinity', 'the library is not loaded'
	FROM audit.log_entry e
	WHERE NOT audit.is_preloaded()
	HAVING count(*) > 0
)
SELECT CASE WHEN d.why IS NULL THEN s.covered END, p.from_at, p.until_at, concat_ws('; ', d.why, s.why)
FROM setting s
	CROSS JOIN LATERAL (
		SELECT c.at AS from_at, lead(c.at, 1, s.until_at) OVER (ORDER BY c.at) AS until_at
		FROM (
			SELECT s.from_at AS at
			UNION
			SELECT b.at
			FROM doubt x CROSS JOIN LATERAL (VALUES (x.from_at), (x.until_at)) b(at)
			WHERE s.covered AND b.at > s.from_at AND b.at < s.until_at
		) c
	) p
	CROSS JOIN LATERAL (
		SELECT string_agg(x.why, '; ' ORDER BY x.from_at, x.why) AS why
		FROM doubt x
		WHERE s.covered AND x.from_at < p.until_at AND x.until_at > p.from_at
	) d
ORDER BY 2, 3
$$;
COMMENT ON FUNCTION audit.coverage(regclass) IS
	'when the changes of a table were recorded and when not, and why, by the recorded changes of audit.policy; covered is null where nobody can vouch for it, because the guard was lifted or the library may not have been loaded';
REVOKE ALL ON FUNCTION audit.coverage(regclass) FROM PUBLIC;
