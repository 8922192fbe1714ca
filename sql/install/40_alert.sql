-- Alerts: the rules.

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
