-- What became of alerts: views of it, catching up after a client was away, acknowledging, telling again.

CREATE FUNCTION audit.create_alert_views() RETURNS void
	LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $views$

CREATE VIEW audit.alert_feed AS
SELECT
	d.delivery_id,
	d.delivered_at AS told_at,
	d.channel AS told_on,
	d.attempt,
	a.alert_id,
	a.raised_at,
	a.rule_name AS rule,
	a.severity,
	a.channel,
	a.tx_id || '.' || a.ordinal AS event_id,
	a.event_type,
	g.resource_type,
	g.table_schema,
	g.table_name,
	a.record_key AS resource_id,
	a.changed,
	audit.visible_sentence(a.sentence, a.target_id, a.raised_at) AS sentence,
	a.tx_id,
	a.ordinal
FROM audit.alert_delivery d
	JOIN audit.alert a ON a.alert_id = d.alert_id
	LEFT JOIN audit.target g ON g.target_id = a.target_id
WHERE d.outcome IN ('notified', 'unheard') AND audit.may_read_alert(a.target_id, a.raised_at)
	AND audit.is_shielded();
COMMENT ON VIEW audit.alert_feed IS
	'alerts as they are told: a row each time and channel, repetitions too. New rows have a greater delivery_id than all that were there before, so that who reads it goes on where it was: WHERE told_on = ... AND delivery_id > ... ORDER BY delivery_id';
COMMENT ON COLUMN audit.alert_feed.delivery_id IS 'place in the order in which alerts are told';
COMMENT ON COLUMN audit.alert_feed.told_at IS 'when it was told';
COMMENT ON COLUMN audit.alert_feed.told_on IS 'channel that it was told on: audit_alert for all, and that of the rule; others where nobody acknowledged it';
COMMENT ON COLUMN audit.alert_feed.attempt IS 'how often it was told on this channel, with this time';
COMMENT ON COLUMN audit.alert_feed.alert_id IS 'names the alert';
COMMENT ON COLUMN audit.alert_feed.raised_at IS 'when it was raised';
COMMENT ON COLUMN audit.alert_feed.rule IS 'rule that raised it, see audit.alert_rule';
COMMENT ON COLUMN audit.alert_feed.severity IS 'severity of the rule then';
COMMENT ON COLUMN audit.alert_feed.channel IS 'channel of the rule then';
COMMENT ON COLUMN audit.alert_feed.event_id IS 'event that it is about, see audit.events';
COMMENT ON COLUMN audit.alert_feed.event_type IS 'type of the event, where it has one of its own';
COMMENT ON COLUMN audit.alert_feed.resource_type IS 'what the row is called';
COMMENT ON COLUMN audit.alert_feed.table_schema IS 'schema of the table';
COMMENT ON COLUMN audit.alert_feed.table_name IS 'name of the table';
COMMENT ON COLUMN audit.alert_feed.resource_id IS 'key of the row';
COMMENT ON COLUMN audit.alert_feed.changed IS 'columns that the rule watches and that changed';
COMMENT ON COLUMN audit.alert_feed.sentence IS 'what happened, for people; masked for whoever may not see values';
COMMENT ON COLUMN audit.alert_feed.tx_id IS 'recorded transaction of the event';
COMMENT ON COLUMN audit.alert_feed.ordinal IS 'place of the event in it';
REVOKE ALL ON audit.alert_feed FROM PUBLIC;

CREATE VIEW audit.alerts AS
SELECT
	a.alert_id,
	a.raised_at,
	a.rule_name AS rule,
	a.severity,
	a.channel,
	a.escalate_to,
	a.tx_id || '.' || a.ordinal AS event_id,
	a.event_type,
	g.resource_type,
	g.table_schema,
	g.table_name,
	a.record_key AS resource_id,
	a.changed,
	audit.visible_sentence(a.sentence, a.target_id, a.raised_at) AS sentence,
	d.told_at,
	d.last_told_at,
	d.times_told,
	d.due_at,
	k.acted_at AS acknowledged_at,
	coalesce(k.actor, k.db_user) AS acknowledged_by,
	k.note,
	k.tx_id || '.' || k.ordinal AS acknowledgement
FROM audit.alert a
	LEFT JOIN audit.target g ON g.target_id = a.target_id
	LEFT JOIN LATERAL (
		SELECT x.acted_at, x.actor, x.db_user, x.note, x.tx_id, x.ordinal
		FROM audit.alert_action x
		WHERE x.alert_id = a.alert_id AND x.kind = 'acknowledged'
		ORDER BY x.action_id
		LIMIT 1
	) k ON true
	LEFT JOIN LATERAL (
		SELECT min(y.delivered_at) AS told_at, max(y.delivered_at) AS last_told_at,
			count(*) FILTER (WHERE y.channel = 'audit_alert') AS times_told,
			CASE WHEN k.acted_at IS NULL THEN max(y.due_at) FILTER (WHERE y.due_at > now()) END AS due_at
		FROM audit.alert_delivery y
		WHERE y.alert_id = a.alert_id AND y.outcome IN ('notified', 'unheard')
	) d ON true
WHERE audit.may_read_alert(a.target_id, a.raised_at) AND audit.is_shielded();
COMMENT ON VIEW audit.alerts IS 'alerts, and what became of them';
COMMENT ON COLUMN audit.alerts.alert_id IS 'names the alert';
COMMENT ON COLUMN audit.alerts.raised_at IS 'when it was raised';
COMMENT ON COLUMN audit.alerts.rule IS 'rule that raised it, see audit.alert_rule';
COMMENT ON COLUMN audit.alerts.severity IS 'severity of the rule then; high and critical ones are told again until somebody acknowledges them';
COMMENT ON COLUMN audit.alerts.channel IS 'channel of the rule then';
COMMENT ON COLUMN audit.alerts.escalate_to IS 'second channel of the rule then; null: that of the settings';
COMMENT ON COLUMN audit.alerts.event_id IS 'event that it is about, see audit.events';
COMMENT ON COLUMN audit.alerts.event_type IS 'type of the event, where it has one of its own';
COMMENT ON COLUMN audit.alerts.resource_type IS 'what the row is called';
COMMENT ON COLUMN audit.alerts.table_schema IS 'schema of the table';
COMMENT ON COLUMN audit.alerts.table_name IS 'name of the table';
COMMENT ON COLUMN audit.alerts.resource_id IS 'key of the row';
COMMENT ON COLUMN audit.alerts.changed IS 'columns that the rule watches and that changed';
COMMENT ON COLUMN audit.alerts.sentence IS 'what happened, for people; masked for whoever may not see values';
COMMENT ON COLUMN audit.alerts.told_at IS 'when it was told first; null: not yet';
COMMENT ON COLUMN audit.alerts.last_told_at IS 'when it was told last';
COMMENT ON COLUMN audit.alerts.times_told IS 'how often';
COMMENT ON COLUMN audit.alerts.due_at IS 'when it is told again, unless it is acknowledged by then; null: it is not';
COMMENT ON COLUMN audit.alerts.acknowledged_at IS 'when somebody acknowledged it first; null: nobody has';
COMMENT ON COLUMN audit.alerts.acknowledged_by IS 'who: the actor that the application said, else the database user';
COMMENT ON COLUMN audit.alerts.note IS 'what they said of it';
COMMENT ON COLUMN audit.alerts.acknowledgement IS 'event that says so, see audit.events and audit.prove()';
REVOKE ALL ON audit.alerts FROM PUBLIC;

CREATE VIEW audit.open_alerts AS
SELECT alert_id, raised_at, rule, severity, channel, escalate_to, event_id, event_type, resource_type, table_schema, table_name,
	resource_id, changed, sentence, told_at, last_told_at, times_told, due_at
FROM audit.alerts
WHERE acknowledged_at IS NULL AND audit.is_shielded();
COMMENT ON VIEW audit.open_alerts IS 'alerts that nobody has acknowledged';
COMMENT ON COLUMN audit.open_alerts.alert_id IS 'as of audit.alerts';
COMMENT ON COLUMN audit.open_alerts.raised_at IS 'as of audit.alerts';
COMMENT ON COLUMN audit.open_alerts.rule IS 'as of audit.alerts';
COMMENT ON COLUMN audit.open_alerts.severity IS 'as of audit.alerts';
COMMENT ON COLUMN audit.open_alerts.channel IS 'as of audit.alerts';
COMMENT ON COLUMN audit.open_alerts.escalate_to IS 'as of audit.alerts';
COMMENT ON COLUMN audit.open_alerts.event_id IS 'as of audit.alerts';
COMMENT ON COLUMN audit.open_alerts.event_type IS 'as of audit.alerts';
COMMENT ON COLUMN audit.open_alerts.resource_type IS 'as of audit.alerts';
COMMENT ON COLUMN audit.open_alerts.table_schema IS 'as of audit.alerts';
COMMENT ON COLUMN audit.open_alerts.table_name IS 'as of audit.alerts';
COMMENT ON COLUMN audit.open_alerts.resource_id IS 'as of audit.alerts';
COMMENT ON COLUMN audit.open_alerts.changed IS 'as of audit.alerts';
COMMENT ON COLUMN audit.open_alerts.sentence IS 'as of audit.alerts';
COMMENT ON COLUMN audit.open_alerts.told_at IS 'as of audit.alerts';
COMMENT ON COLUMN audit.open_alerts.last_told_at IS 'as of audit.alerts';
COMMENT ON COLUMN audit.open_alerts.times_told IS 'as of audit.alerts';
COMMENT ON COLUMN audit.open_alerts.due_at IS 'as of audit.alerts';
REVOKE ALL ON audit.open_alerts FROM PUBLIC;

CREATE VIEW audit.dead_letters AS
SELECT
	d.alert_id,
	d.channel,
	d.outcome,
	d.detail,
	d.attempt,
	d.delivered_at AS failed_at,
	a.raised_at,
	a.rule_name AS rule,
	a.severity,
	g.table_schema,
	g.table_name,
	a.record_key AS resource_id
FROM audit.alert_delivery d
	JOIN audit.alert a ON a.alert_id = d.alert_id
	LEFT JOIN audit.target g ON g.target_id = a.target_id
WHERE d.detail IS NOT NULL AND d.outcome IN ('undeliverable', 'unanswered', 'failed')
	AND NOT EXISTS (
		SELECT FROM audit.alert_delivery l
		WHERE l.alert_id = d.alert_id AND l.channel = d.channel AND l.delivery_id > d.delivery_id)
	AND NOT EXISTS (
		SELECT FROM audit.alert_action k
		WHERE k.alert_id = d.alert_id AND k.kind = 'acknowledged')
	AND audit.may_read_alert(a.target_id, a.raised_at) AND audit.is_shielded();
COMMENT ON VIEW audit.dead_letters IS
	'alerts that are not delivered, and not tried again, until audit.resend_alert() wants it; those that somebody has acknowledged are left out';
COMMENT ON COLUMN audit.dead_letters.alert_id IS 'names the alert';
COMMENT ON COLUMN audit.dead_letters.channel IS 'channel that it did not get through on; sink:NAME of audit_relay';
COMMENT ON COLUMN audit.dead_letters.outcome IS
	'undeliverable: the channel cannot be; unanswered: told as often as it is, and nobody has acknowledged it; failed: audit_relay has given up';
COMMENT ON COLUMN audit.dead_letters.detail IS 'why';
COMMENT ON COLUMN audit.dead_letters.attempt IS 'number of the last attempt';
COMMENT ON COLUMN audit.dead_letters.failed_at IS 'when that was';
COMMENT ON COLUMN audit.dead_letters.raised_at IS 'when the alert was raised';
COMMENT ON COLUMN audit.dead_letters.rule IS 'rule that raised it, see audit.alert_rule';
COMMENT ON COLUMN audit.dead_letters.severity IS 'severity of the rule then';
COMMENT ON COLUMN audit.dead_letters.table_schema IS 'schema of the table';
COMMENT ON COLUMN audit.dead_letters.table_name IS 'name of the table';
COMMENT ON COLUMN audit.dead_letters.resource_id IS 'key of the row';
REVOKE ALL ON audit.dead_letters FROM PUBLIC;
$views$;
COMMENT ON FUNCTION audit.create_alert_views() IS 'internal: the views of alerts; called by audit.init()';
REVOKE ALL ON FUNCTION audit.create_alert_views() FROM PUBLIC;

-- Told is what has a delivery. An alert that is not told yet is not here: it comes later, behind
-- all that are. So the last alert that a client has is a place in one order, in which nothing
-- is ever added before it.
CREATE FUNCTION audit.alerts_since(alert_id bigint DEFAULT 0, max_rows bigint DEFAULT NULL, channel text DEFAULT NULL)
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
		reason text,
		event_type text,
		sentence text,
		delivery_id bigint
	)
	LANGUAGE sql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp SET jit = off AS $$
WITH last AS MATERIALIZED (
	SELECT f.delivery_id
	FROM audit.alert_feed f
	WHERE f.alert_id = alerts_since.alert_id AND f.told_on = coalesce(alerts_since.channel, 'audit_alert')
	ORDER BY f.delivery_id
	LIMIT 1
)
SELECT f.alert_id, f.raised_at, f.rule, f.severity, f.channel, f.event_id, f.table_schema, f.table_name, f.resource_id,
	f.changed, e.actor, e.request_id, e.reason, f.event_type, f.sentence, f.delivery_id
FROM audit.alert_feed f
	LEFT JOIN LATERAL (
		SELECT *
		FROM audit.events x
		WHERE x.tx_id = f.tx_id AND x.ordinal = f.ordinal
		OFFSET 0
	) e ON true
WHERE f.told_on = coalesce(alerts_since.channel, 'audit_alert') AND f.attempt = 1
	AND f.delivery_id > coalesce((SELECT l.delivery_id FROM last l), 0)
	AND (EXISTS (SELECT FROM last) OR f.alert_id > coalesce(alerts_since.alert_id, 0))
ORDER BY f.delivery_id
LIMIT max_rows
$$;
COMMENT ON FUNCTION audit.alerts_since(bigint, bigint, text) IS
	'alerts that were told after the given one, on all channels or a single one, in this order; for a client that was away: give the last alert_id that it heard';
REVOKE ALL ON FUNCTION audit.alerts_since(bigint, bigint, text) FROM PUBLIC;

CREATE FUNCTION audit.acknowledge(alert_id bigint, note text DEFAULT NULL) RETURNS text
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'at_acknowledge';
COMMENT ON FUNCTION audit.acknowledge(bigint, text) IS
	'notes that somebody sees to an alert, so that it is not told again; once: who acknowledges it later is told who has; says what was done';
REVOKE ALL ON FUNCTION audit.acknowledge(bigint, text) FROM PUBLIC;

CREATE FUNCTION audit.resend_alert(alert_id bigint, channel text DEFAULT NULL) RETURNS text
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'at_resend_alert';
COMMENT ON FUNCTION audit.resend_alert(bigint, text) IS
	'has an alert told again when this transaction has committed, on its channels or a single one; says what was done';
REVOKE ALL ON FUNCTION audit.resend_alert(bigint, text) FROM PUBLIC;

CREATE FUNCTION audit.report_delivery(alert_id bigint, sink text, delivered boolean, attempts int DEFAULT 1, detail text DEFAULT NULL)
	RETURNS void
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'at_report_delivery';
COMMENT ON FUNCTION audit.report_delivery(bigint, text, boolean, int, text) IS
	'for audit_relay: notes that an alert was delivered elsewhere, or why not, after so many attempts';
REVOKE ALL ON FUNCTION audit.report_delivery(bigint, text, boolean, int, text) FROM PUBLIC;

CREATE FUNCTION audit.notify_now() RETURNS void
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'at_notify_now';
COMMENT ON FUNCTION audit.notify_now() IS
	'has the background worker tell all alerts that are committed, and waits for it';
REVOKE ALL ON FUNCTION audit.notify_now() FROM PUBLIC;
