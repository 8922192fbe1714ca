-- Audits every permanent table when it is created, whoever creates it, and wherever. A partition is
-- audited with its table. What CREATE TABLE AS has put into a table no trigger has seen.
SELECT audit.init();

CREATE SCHEMA auditing;

CREATE FUNCTION auditing.begin_audit() RETURNS event_trigger
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	created regclass;
BEGIN
	FOR created IN
		SELECT c.oid FROM pg_event_trigger_ddl_commands() d JOIN pg_class c ON c.oid = d.objid
		WHERE d.classid = 'pg_class'::regclass AND c.relkind IN ('r', 'p') AND c.relpersistence = 'p'
			AND NOT c.relispartition AND d.schema_name NOT IN ('audit', 'pg_catalog', 'information_schema')
	LOOP
		PERFORM audit.enable(created);
		IF tg_tag IN ('CREATE TABLE AS', 'SELECT INTO') THEN
			PERFORM audit.record_baseline(created);
		END IF;
	END LOOP;
END $$;

CREATE EVENT TRIGGER begin_audit ON ddl_command_end
	WHEN tag IN ('CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO', 'CREATE SCHEMA')
	EXECUTE FUNCTION auditing.begin_audit();
