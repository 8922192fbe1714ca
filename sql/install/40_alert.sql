-- Alerts: rules, what they raised, and catching up after a client was away.

CREATE TABLE audit.alert_rule (
	name text CONSTRAINT alert_rule_pkey PRIMARY KEY,
	target regclass NOT NULL,
	columns text[] NOT NULL,
	severity text NOT NULL,
	channel text NOT NULL,
	enabled boolean NOT NULL,
	changed_at timestamptz NOT NULL
);
CREATE INDEX alert_rule_target_idx ON audit.alert_rule (target);
COMMENT ON TABLE audit.alert_rule IS
	'configuration: which changes raise an alert; changed by audit.alert_when() and audit.alert_drop()';
COMMENT ON COLUMN audit.alert_rule.name IS 'of the rule, as alerts have it';
COMMENT ON COLUMN audit.alert_rule.target IS 'the table';
COMMENT ON COLUMN audit.alert_rule.columns IS 'a change of one of these raises the alert';
COMMENT ON COLUMN audit.alert_rule.severity IS 'what alerts say of their weight: notice, warning, ...';
COMMENT ON COLUMN audit.alert_rule.channel IS 'LISTEN here; every alert is also told on audit_alert';
COMMENT ON COLUMN audit.alert_rule.enabled IS 'false: raises nothing';
COMMENT ON COLUMN audit.alert_rule.changed_at IS 'when the rule was made or changed last';
REVOKE ALL ON audit.alert_rule FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('audit.alert_rule', '');

CREATE TRIGGER "00_audit_insert" AFTER INSERT ON audit.alert_rule FOR EACH ROW
	WHEN (audit.capture_insert(NEW.tableoid, NEW.ctid)) EXECUTE FUNCTION audit.capture();
ALTER TABLE audit.alert_rule ENABLE ALWAYS TRIGGER "00_audit_insert";
CREATE TRIGGER "00_audit_update" AFTER UPDATE ON audit.alert_rule FOR EACH ROW
	WHEN (audit.capture_update(OLD.tableoid, OLD.ctid, NEW.ctid)) EXECUTE FUNCTION audit.capture();
ALTER TABLE audit.alert_rule ENABLE ALWAYS TRIGGER "00_audit_update";
CREATE TRIGGER "00_audit_delete" AFTER DELETE ON audit.alert_rule FOR EACH ROW
	WHEN (audit.capture_delete(OLD.tableoid, OLD.ctid)) EXECUTE FUNCTION audit.capture();
ALTER TABLE audit.alert_rule ENABLE ALWAYS TRIGGER "00_audit_delete";
CREATE TRIGGER "00_audit_before_truncate" BEFORE TRUNCATE ON audit.alert_rule
	EXECUTE FUNCTION audit.capture();
ALTER TABLE audit.alert_rule ENABLE ALWAYS TRIGGER "00_audit_before_truncate";
CREATE TRIGGER "00_audit_truncate" AFTER TRUNCATE ON audit.alert_rule
	EXECUTE FUNCTION audit.capture();
ALTER TABLE audit.alert_rule ENABLE ALWAYS TRIGGER "00_audit_truncate";

CREATE FUNCTION audit.alert_when(
	name text,
	target regclass,
	columns text[],
	severity text DEFAULT 'notice',
	channel text DEFAULT 'audit_alert'
) RETURNS text
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'at_alert_when';
COMMENT ON FUNCTION audit.alert_when(text, regclass, text[], text, text) IS
	'raises an alert whenever one of these columns of an audited table changes; replaces the rule of this name; says what was done';
REVOKE ALL ON FUNCTION audit.alert_when(text, regclass, text[], text, text) FROM PUBLIC;

CREATE FUNCTION audit.alert_drop(name text) RETURNS text
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'at_alert_drop';
COMMENT ON FUNCTION audit.alert_drop(text) IS
	'removes an alert rule; what it raised stays; says what was done';
REVOKE ALL ON FUNCTION audit.alert_drop(text) FROM PUBLIC;

-- Ids are drawn when alerts are raised, but alerts appear when their transactions commit, so a
-- lower id may appear after a higher one. They are told in passes. What a client has that heard
-- the given alert last: all that the pass before had seen, and of the pass that told the alert
-- what was told earlier. Where clocks or crashes leave that in doubt, it gets an alert again.
CREATE FUNCTION audit.alerts_since(alert_id bigint DEFAULT 0, max_rows bigint DEFAULT NULL)
	RETURNS TABLE (
		alert_id bigint,
		raised_at timestamptz,
		rule text,
		severity text,
		channel text,
		event_id text,
		table_schema text,
		table_name text,
		resource_id text,
		changed text[],
		actor text,
		request_id text,
		reason text
	)
	LANGUAGE sql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp SET jit = off AS $$
WITH last AS MATERIALIZED (
	SELECT a.xid, a.alert_id, t.system_identifier, t.database_oid,
		(SELECT min(d.delivered_at) FROM audit.alert_delivery d WHERE d.alert_id = a.alert_id) AS told_at
	FROM audit.alert a
		JOIN audit.transaction t ON t.tx_id = a.tx_id
	WHERE a.alert_id = alerts_since.alert_id
), before AS MATERIALIZED (
	SELECT p.pass_id, p.snapshot::pg_snapshot AS snapshot
	FROM audit.alert_pass p
		JOIN last USING (system_identifier, database_oid)
	WHERE NOT pg_visible_in_snapshot(last.xid::text::xid8, p.snapshot::pg_snapshot)
	ORDER BY p.pass_id DESC
	LIMIT 1
), told AS MATERIALIZED (
	SELECT p.snapshot::pg_snapshot AS snapshot
	FROM audit.alert_pass p
		JOIN last USING (system_identifier, database_oid)
	WHERE p.pass_id > coalesce((SELECT b.pass_id FROM before b), 0)
	ORDER BY p.pass_id
	LIMIT 1
), candidate AS (
	SELECT a.*, true AS is_new
	FROM audit.alert a
	WHERE NOT EXISTS (SELECT FROM last) AND a.alert_id > coalesce(alerts_since.alert_id, 0)
	UNION ALL
	SELECT a.*, (a.xid, a.alert_id) > (last.xid, last.alert_id)
		OR pg_visible_in_snapshot(a.xid::text::xid8, (SELECT s.snapshot FROM told s)) IS NOT TRUE
	FROM audit.alert a
		JOIN audit.transaction t ON t.tx_id = a.tx_id
		JOIN last USING (system_identifier, database_oid)
	WHERE a.xid >= coalesce((SELECT pg_snapshot_xmin(b.snapshot)::text::bigint FROM before b), 0)
		AND a.alert_id <> last.alert_id
		AND pg_visible_in_snapshot(a.xid::text::xid8, (SELECT b.snapshot FROM before b)) IS NOT TRUE
	UNION ALL
	SELECT a.*, true
	FROM last
		JOIN audit.alert a ON a.alert_id > last.alert_id
		JOIN audit.transaction t ON t.tx_id = a.tx_id
	WHERE (t.system_identifier, t.database_oid) <> (last.system_identifier, last.database_oid)
)
SELECT c.alert_id, c.raised_at, c.rule_name, c.severity, c.channel, c.tx_id || '.' || c.ordinal,
	e.table_schema, e.table_name, c.record_key, c.changed, e.actor, e.request_id, e.reason
FROM candidate c
	CROSS JOIN LATERAL (
		SELECT min(d.delivered_at) AS told_at FROM audit.alert_delivery d WHERE d.alert_id = c.alert_id
	) d
	LEFT JOIN LATERAL (
		SELECT *
		FROM audit.events x
		WHERE x.tx_id = c.tx_id AND x.ordinal = c.ordinal
		OFFSET 0
	) e ON true
WHERE c.is_new OR d.told_at IS NULL OR d.told_at >= (SELECT l.told_at FROM last l)
ORDER BY d.told_at, c.xid, c.alert_id
LIMIT max_rows
$$;
COMMENT ON FUNCTION audit.alerts_since(bigint, bigint) IS
	'alerts that are told after the given one, in this order; for a client that was away: give the last alert_id that it heard';
REVOKE ALL ON FUNCTION audit.alerts_since(bigint, bigint) FROM PUBLIC;
