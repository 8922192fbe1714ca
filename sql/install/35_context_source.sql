-- Settings of others that tell who acts, for applications that set those already. For example:
--   ('actor', 1, 'request.jwt.claims', 'sub')            PostgREST, Supabase
--   ('actor', 1, 'hasura.user', 'x-hasura-user-id')      Hasura
--   ('extra', 1, 'pghistory.context_metadata', NULL)     django-pghistory

CREATE TABLE audit.context_source (
	field text CONSTRAINT context_source_field_check CHECK (field IN ('actor', 'actor_type',
		'request_id', 'reason', 'extra', 'app_session', 'client_ip', 'trace_parent')),
	priority int,
	setting text NOT NULL,
	json_path text,
	CONSTRAINT context_source_pkey PRIMARY KEY (field, priority)
);
COMMENT ON TABLE audit.context_source IS
	'configuration: settings of others that say who acts, where audit_trail.* does not; read at the first event of a transaction';
COMMENT ON COLUMN audit.context_source.field IS 'what is learnt: a parameter of audit.set_context()';
COMMENT ON COLUMN audit.context_source.priority IS 'the lowest number is asked first';
COMMENT ON COLUMN audit.context_source.setting IS 'name of the setting; one that only superusers may see is not read';
COMMENT ON COLUMN audit.context_source.json_path IS
	'where the value is, if the setting holds JSON: keys with dots between them, or a JSON pointer; null: the setting is the value';
REVOKE ALL ON audit.context_source FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('audit.context_source', '');

CREATE TRIGGER "00_audit_insert" AFTER INSERT ON audit.context_source FOR EACH ROW
	WHEN (audit.capture_insert(NEW.tableoid, NEW.ctid)) EXECUTE FUNCTION audit.capture();
ALTER TABLE audit.context_source ENABLE ALWAYS TRIGGER "00_audit_insert";
CREATE TRIGGER "00_audit_update" AFTER UPDATE ON audit.context_source FOR EACH ROW
	WHEN (audit.capture_update(OLD.tableoid, OLD.ctid, NEW.ctid)) EXECUTE FUNCTION audit.capture();
ALTER TABLE audit.context_source ENABLE ALWAYS TRIGGER "00_audit_update";
CREATE TRIGGER "00_audit_delete" AFTER DELETE ON audit.context_source FOR EACH ROW
	WHEN (audit.capture_delete(OLD.tableoid, OLD.ctid)) EXECUTE FUNCTION audit.capture();
ALTER TABLE audit.context_source ENABLE ALWAYS TRIGGER "00_audit_delete";
CREATE TRIGGER "00_audit_before_truncate" BEFORE TRUNCATE ON audit.context_source
	EXECUTE FUNCTION audit.capture();
ALTER TABLE audit.context_source ENABLE ALWAYS TRIGGER "00_audit_before_truncate";
CREATE TRIGGER "00_audit_truncate" AFTER TRUNCATE ON audit.context_source
	EXECUTE FUNCTION audit.capture();
ALTER TABLE audit.context_source ENABLE ALWAYS TRIGGER "00_audit_truncate";

CREATE FUNCTION audit.context_source_changed() RETURNS trigger
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'at_context_source_changed';
COMMENT ON FUNCTION audit.context_source_changed() IS
	'internal: the trigger function that lets all sessions read audit.context_source anew';
REVOKE ALL ON FUNCTION audit.context_source_changed() FROM PUBLIC;

CREATE TRIGGER context_source_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE
	ON audit.context_source EXECUTE FUNCTION audit.context_source_changed();
ALTER TABLE audit.context_source ENABLE ALWAYS TRIGGER context_source_changed;
