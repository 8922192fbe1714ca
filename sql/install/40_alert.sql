-- Alerts: the rules.

CREATE TABLE audit.alert_rule (
	name text CONSTRAINT alert_rule_pkey PRIMARY KEY,
	target regclass,
	columns text[] NOT NULL,
	condition jsonpath,
	kind text NOT NULL,
	events text[] NOT NULL,
	by text,
	states text[],
	transitions jsonb,
	more_than int,
	within interval,
	followed_by jsonpath,
	hours text,
	severity text NOT NULL,
	channel text NOT NULL,
	escalate_to text,
	message text,
	description text,
	block boolean NOT NULL,
	mute_until timestamptz,
	quiet_hours text,
	max_alerts int,
	per interval,
	enabled boolean NOT NULL,
	changed_at timestamptz NOT NULL,
	by_admin boolean NOT NULL
);
CREATE INDEX alert_rule_target_idx ON audit.alert_rule (target);
COMMENT ON TABLE audit.alert_rule IS
	'configuration: which events raise an alert; changed by audit.alert_when() and its like';
COMMENT ON COLUMN audit.alert_rule.name IS 'of the rule, as alerts have it';
COMMENT ON COLUMN audit.alert_rule.target IS 'the table; null: events of no table, or of any';
COMMENT ON COLUMN audit.alert_rule.columns IS 'of an update one of these must have changed; empty: any';
COMMENT ON COLUMN audit.alert_rule.condition IS
	'what must hold, over {"old": row, "new": row, "actor": ..., ...}; null: nothing';
COMMENT ON COLUMN audit.alert_rule.kind IS
	'changed, increased, decreased, reverted, recorded, burst or absent';
COMMENT ON COLUMN audit.alert_rule.events IS
	'insert, update, delete, truncate, read, or types of events, with one * for anything; empty: as the kind has it';
COMMENT ON COLUMN audit.alert_rule.by IS 'least distance of a number: 10 or 10%; null: any';
COMMENT ON COLUMN audit.alert_rule.states IS 'the order in which states follow each other';
COMMENT ON COLUMN audit.alert_rule.transitions IS 'of each state those that may follow it';
COMMENT ON COLUMN audit.alert_rule.more_than IS 'of a burst: more events than these';
COMMENT ON COLUMN audit.alert_rule.within IS 'of a burst: in so much time; of what is absent: not after so much time';
COMMENT ON COLUMN audit.alert_rule.followed_by IS 'which event of the same record is expected';
COMMENT ON COLUMN audit.alert_rule.hours IS 'only in these hours of the day, such as 22:00-06:00 Europe/Berlin; null: always';
COMMENT ON COLUMN audit.alert_rule.severity IS 'what alerts say of their weight: notice, warning, ...';
COMMENT ON COLUMN audit.alert_rule.channel IS 'LISTEN here; every alert is also told on audit_alert';
COMMENT ON COLUMN audit.alert_rule.escalate_to IS 'second channel, where alerts go that nobody acknowledges; null: none';
COMMENT ON COLUMN audit.alert_rule.message IS 'what alerts say, with places such as {actor} and {new.price}; null: a sentence without values';
COMMENT ON COLUMN audit.alert_rule.description IS 'why there is this rule, and what to do';
COMMENT ON COLUMN audit.alert_rule.block IS 'true: what matches is refused, and recorded as an attempt';
COMMENT ON COLUMN audit.alert_rule.mute_until IS 'until then alerts are raised but not told; null: they are told';
COMMENT ON COLUMN audit.alert_rule.quiet_hours IS 'hours of the day in which alerts are raised but not told';
COMMENT ON COLUMN audit.alert_rule.max_alerts IS 'more alerts than these are raised but not told; null: all are told';
COMMENT ON COLUMN audit.alert_rule.per IS 'in so much time';
COMMENT ON COLUMN audit.alert_rule.enabled IS 'false: raises nothing';
COMMENT ON COLUMN audit.alert_rule.changed_at IS 'when the rule was made or changed last';
COMMENT ON COLUMN audit.alert_rule.by_admin IS
	'true: made or changed by a superuser or an admin of the audit trail; the owner of the table cannot change it';
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
	target regclass DEFAULT NULL,
	columns text[] DEFAULT '{}',
	condition jsonpath DEFAULT NULL,
	kind text DEFAULT 'changed',
	events text[] DEFAULT '{}',
	by text DEFAULT NULL,
	states text[] DEFAULT NULL,
	transitions jsonb DEFAULT NULL,
	more_than int DEFAULT NULL,
	within interval DEFAULT NULL,
	followed_by jsonpath DEFAULT NULL,
	hours text DEFAULT NULL,
	severity text DEFAULT 'notice',
	channel text DEFAULT 'audit_alert',
	escalate_to text DEFAULT NULL,
	message text DEFAULT NULL,
	description text DEFAULT NULL,
	block boolean DEFAULT false,
	mute_until timestamptz DEFAULT NULL,
	quiet_hours text DEFAULT NULL,
	max_alerts int DEFAULT NULL,
	per interval DEFAULT NULL
) RETURNS text
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'at_alert_when';
COMMENT ON FUNCTION audit.alert_when(text, regclass, text[], jsonpath, text, text[], text, text[], jsonb, int, interval, jsonpath, text, text, text, text, text, text, boolean, timestamptz, text, int, interval) IS
	'raises an alert whenever an event matches; replaces the rule of this name; says what was done';
REVOKE ALL ON FUNCTION audit.alert_when(text, regclass, text[], jsonpath, text, text[], text, text[], jsonb, int, interval, jsonpath, text, text, text, text, text, text, boolean, timestamptz, text, int, interval) FROM PUBLIC;

CREATE FUNCTION audit.alert_alter(
	name text,
	target regclass DEFAULT NULL,
	columns text[] DEFAULT NULL,
	condition jsonpath DEFAULT NULL,
	kind text DEFAULT NULL,
	events text[] DEFAULT NULL,
	by text DEFAULT NULL,
	states text[] DEFAULT NULL,
	transitions jsonb DEFAULT NULL,
	more_than int DEFAULT NULL,
	within interval DEFAULT NULL,
	followed_by jsonpath DEFAULT NULL,
	hours text DEFAULT NULL,
	severity text DEFAULT NULL,
	channel text DEFAULT NULL,
	escalate_to text DEFAULT NULL,
	message text DEFAULT NULL,
	description text DEFAULT NULL,
	block boolean DEFAULT NULL,
	mute_until timestamptz DEFAULT NULL,
	quiet_hours text DEFAULT NULL,
	max_alerts int DEFAULT NULL,
	per interval DEFAULT NULL,
	clear text[] DEFAULT '{}'
) RETURNS text
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'at_alert_alter';
COMMENT ON FUNCTION audit.alert_alter(text, regclass, text[], jsonpath, text, text[], text, text[], jsonb, int, interval, jsonpath, text, text, text, text, text, text, boolean, timestamptz, text, int, interval, text[]) IS
	'changes what is given of an alert rule; of arguments that are to be cleared the names; says what was done';
REVOKE ALL ON FUNCTION audit.alert_alter(text, regclass, text[], jsonpath, text, text[], text, text[], jsonb, int, interval, jsonpath, text, text, text, text, text, text, boolean, timestamptz, text, int, interval, text[]) FROM PUBLIC;

CREATE FUNCTION audit.alert_switch(name text, enabled boolean) RETURNS text
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'at_alert_switch';
COMMENT ON FUNCTION audit.alert_switch(text, boolean) IS
	'internal: what audit.alert_enable() and audit.alert_disable() do';
REVOKE ALL ON FUNCTION audit.alert_switch(text, boolean) FROM PUBLIC;

CREATE FUNCTION audit.alert_enable(name text) RETURNS text
	LANGUAGE sql VOLATILE STRICT SET search_path = pg_catalog, pg_temp AS
	'SELECT audit.alert_switch(name, true)';
COMMENT ON FUNCTION audit.alert_enable(text) IS 'lets an alert rule raise alerts again; says what was done';
REVOKE ALL ON FUNCTION audit.alert_enable(text) FROM PUBLIC;

CREATE FUNCTION audit.alert_disable(name text) RETURNS text
	LANGUAGE sql VOLATILE STRICT SET search_path = pg_catalog, pg_temp AS
	'SELECT audit.alert_switch(name, false)';
COMMENT ON FUNCTION audit.alert_disable(text) IS 'lets an alert rule raise nothing, and keeps it; says what was done';
REVOKE ALL ON FUNCTION audit.alert_disable(text) FROM PUBLIC;

CREATE FUNCTION audit.alert_drop(name text) RETURNS text
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'at_alert_drop';
COMMENT ON FUNCTION audit.alert_drop(text) IS
	'removes an alert rule; what it raised stays; says what was done';
REVOKE ALL ON FUNCTION audit.alert_drop(text) FROM PUBLIC;

CREATE FUNCTION audit.try_alert(
	name text,
	target regclass DEFAULT NULL,
	columns text[] DEFAULT '{}',
	condition jsonpath DEFAULT NULL,
	kind text DEFAULT 'changed',
	events text[] DEFAULT '{}',
	by text DEFAULT NULL,
	states text[] DEFAULT NULL,
	transitions jsonb DEFAULT NULL,
	more_than int DEFAULT NULL,
	within interval DEFAULT NULL,
	followed_by jsonpath DEFAULT NULL,
	hours text DEFAULT NULL,
	severity text DEFAULT 'notice',
	channel text DEFAULT 'audit_alert',
	escalate_to text DEFAULT NULL,
	message text DEFAULT NULL,
	description text DEFAULT NULL,
	block boolean DEFAULT false,
	mute_until timestamptz DEFAULT NULL,
	quiet_hours text DEFAULT NULL,
	max_alerts int DEFAULT NULL,
	per interval DEFAULT NULL,
	since timestamptz DEFAULT NULL,
	until timestamptz DEFAULT NULL,
	max_examples int DEFAULT 5,
	max_events bigint DEFAULT 1000000
) RETURNS TABLE (
		alerts bigint,
		first_at timestamptz,
		last_at timestamptz,
		matches bigint,
		undecided bigint,
		events bigint,
		complete boolean,
		examples jsonb
	)
	LANGUAGE c STABLE ROWS 1 AS 'MODULE_PATHNAME', 'at_try_alert';
COMMENT ON FUNCTION audit.try_alert(text, regclass, text[], jsonpath, text, text[], text, text[], jsonb, int, interval, jsonpath, text, text, text, text, text, text, boolean, timestamptz, text, int, interval, timestamptz, timestamptz, int, bigint) IS
	'how often a rule would have raised an alert on the recorded history, of the last 30 days unless told, with examples; makes no rule';
REVOKE ALL ON FUNCTION audit.try_alert(text, regclass, text[], jsonpath, text, text[], text, text[], jsonb, int, interval, jsonpath, text, text, text, text, text, text, boolean, timestamptz, text, int, interval, timestamptz, timestamptz, int, bigint) FROM PUBLIC;

CREATE FUNCTION audit.refuse_template(template text) RETURNS text
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'at_refuse_template';
COMMENT ON FUNCTION audit.refuse_template(text) IS 'internal: raises an error: there is no such template of alert rules';
REVOKE ALL ON FUNCTION audit.refuse_template(text) FROM PUBLIC;

CREATE VIEW audit.alert_templates AS
SELECT *
FROM (VALUES
	('price change', '{watched}'::text[], 'price', 'the price changes'),
	('quantity change', '{watched}', 'quantity', 'the quantity changes'),
	('status reverted', '{watched,states}', 'status', 'the status goes back in the order of its states'),
	('discount above', '{watched,above}', 'discount', 'a discount above a limit is given'),
	('bulk cancellation', '{watched,state,more_than,within}', 'status', 'one actor sets too many rows to a state in a short time'),
	('change after shipment', '{watched,state}', 'status', 'a row that has reached a state is changed or deleted'),
	('night-time change', '{hours}', NULL, 'rows are changed in certain hours')
) t (template, arguments, watched, description);
COMMENT ON VIEW audit.alert_templates IS 'templates for audit.alert_template(): the arguments that each looks at, and the column that it watches unless told';
COMMENT ON COLUMN audit.alert_templates.template IS 'its name';
COMMENT ON COLUMN audit.alert_templates.arguments IS 'arguments of audit.alert_template() that it looks at';
COMMENT ON COLUMN audit.alert_templates.watched IS 'the column that it watches unless told';
COMMENT ON COLUMN audit.alert_templates.description IS 'when its rule raises an alert';
REVOKE ALL ON audit.alert_templates FROM PUBLIC;

CREATE FUNCTION audit.alert_template(
	template text,
	target regclass,
	watched text DEFAULT NULL,
	states text[] DEFAULT NULL,
	state text DEFAULT NULL,
	above numeric DEFAULT NULL,
	more_than int DEFAULT 10,
	within interval DEFAULT '10 minutes',
	hours text DEFAULT '22:00-06:00',
	severity text DEFAULT 'warning',
	channel text DEFAULT 'audit_alert',
	block boolean DEFAULT false,
	name text DEFAULT NULL
) RETURNS text
	LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
SELECT coalesce((
	SELECT audit.alert_when(coalesce(alert_template.name, t.template), alert_template.target,
		columns => CASE WHEN t.all_columns THEN '{}' ELSE ARRAY[t.watched] END,
		condition => (CASE t.template
			WHEN 'discount above' THEN format('$.new.%s > %s', to_json(t.watched), coalesce(alert_template.above, 0))
			WHEN 'bulk cancellation' THEN format('$.new.%s == %s', to_json(t.watched), to_json(coalesce(alert_template.state, 'cancelled')))
			WHEN 'change after shipment' THEN format('$.old.%s == %s', to_json(t.watched), to_json(coalesce(alert_template.state, 'shipped')))
			END)::jsonpath,
		kind => CASE t.template WHEN 'status reverted' THEN 'reverted' WHEN 'bulk cancellation' THEN 'burst'
			WHEN 'price change' THEN 'changed' WHEN 'quantity change' THEN 'changed' ELSE 'recorded' END,
		events => CASE t.template WHEN 'discount above' THEN '{insert,update}' WHEN 'change after shipment' THEN '{update,delete}'
			WHEN 'bulk cancellation' THEN '{update}' WHEN 'night-time change' THEN '{insert,update,delete}' ELSE '{}' END::text[],
		states => CASE t.template WHEN 'status reverted' THEN alert_template.states END,
		more_than => CASE t.template WHEN 'bulk cancellation' THEN alert_template.more_than END,
		within => CASE t.template WHEN 'bulk cancellation' THEN alert_template.within END,
		hours => CASE t.template WHEN 'night-time change' THEN alert_template.hours END,
		severity => alert_template.severity, channel => alert_template.channel, block => alert_template.block,
		message => CASE WHEN t.template IN ('price change', 'quantity change', 'status reverted')
			THEN format('{actor} changed %s of {table} {key} from {old.%1$s} to {new.%1$s}', t.watched)
			WHEN t.template = 'discount above' THEN format('{actor} gave {new.%s} as %1$s of {table} {key}', t.watched) END,
		description => t.description)
	FROM (
		SELECT x.template, coalesce(alert_template.watched, x.watched) AS watched, x.description,
			x.template IN ('change after shipment', 'night-time change') AS all_columns
		FROM audit.alert_templates x
	) t
	WHERE t.template = alert_template.template
), audit.refuse_template(alert_template.template))
$$;
COMMENT ON FUNCTION audit.alert_template(text, regclass, text, text[], text, numeric, int, interval, text, text, text, boolean, text) IS
	'makes an alert rule of a template, see audit.alert_templates; its name is the template''s unless told; says what was done';
REVOKE ALL ON FUNCTION audit.alert_template(text, regclass, text, text[], text, numeric, int, interval, text, text, text, boolean, text) FROM PUBLIC;
