-- Nothing that the extension runs is found on a search path: here each function, operator, type and relation of the
-- server that can be named has a namesake that stands before it, and raises when it is called.
CREATE DATABASE audit_trail_planted;
\c audit_trail_planted
CREATE SCHEMA planted;
CREATE FUNCTION planted.trap(what text) RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
	IF current_setting('planted.armed', true) = 'on' THEN
		RAISE 'planted % was called', what;
	END IF;
	RETURN NULL;
END $$;
DO $$
DECLARE
	f record;
	made int := 0;
BEGIN
	SET LOCAL search_path = pg_catalog;
	SET LOCAL check_function_bodies = off;
	FOR f IN
		SELECT DISTINCT ON (proname, oidvectortypes(proargtypes)) proname, prorettype::regtype, proretset, oidvectortypes(proargtypes) AS arguments
		FROM pg_proc p WHERE pronamespace = 'pg_catalog'::regnamespace AND prokind = 'f' AND provariadic = 0 AND prorettype <> 'trigger'::regtype
			AND NOT EXISTS (SELECT FROM pg_type t WHERE t.oid = ANY (proargtypes::oid[] || prorettype) AND typtype = 'p' AND typname <> 'void'
				AND typname !~ '^any(element|array|compatible)?$')
	LOOP
		BEGIN
			EXECUTE format('CREATE FUNCTION planted.%I(%s) RETURNS %s %s LANGUAGE sql AS $f$ SELECT planted.trap(%L); SELECT NULL::%s $f$',
				f.proname, f.arguments, CASE WHEN f.proretset THEN 'SETOF' END, f.prorettype, f.proname || '(' || f.arguments || ')',
				CASE WHEN f.prorettype::text LIKE 'any%' THEN 'text' WHEN f.prorettype = 'void'::regtype THEN 'text' ELSE f.prorettype::text END);
			made := made + 1;
		EXCEPTION WHEN invalid_function_definition OR datatype_mismatch THEN NULL;
		END;
	END LOOP;
	RAISE NOTICE 'functions: %', made > 2000;

	made := 0;
	FOR f IN
		SELECT oprname, p.proname, nullif(oprleft, 0)::regtype AS left, oprright::regtype AS right
		FROM pg_operator o JOIN pg_proc p ON p.oid = oprcode
		WHERE oprnamespace = 'pg_catalog'::regnamespace AND to_regprocedure(format('planted.%I(%s)', p.proname, oidvectortypes(p.proargtypes))) IS NOT NULL
	LOOP
		EXECUTE format('CREATE OPERATOR planted.%s (%s RIGHTARG = %s, FUNCTION = planted.%I)',
			f.oprname, CASE WHEN f.left IS NOT NULL THEN format('LEFTARG = %s,', f.left) END, f.right, f.proname);
		made := made + 1;
	END LOOP;
	RAISE NOTICE 'operators: %', made > 600;

	FOR f IN SELECT relname FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind IN ('r', 'v') LOOP
		EXECUTE format('CREATE VIEW planted.%I AS SELECT planted.trap(%L) AS nothing', f.relname, f.relname);
	END LOOP;
	FOR f IN SELECT typname FROM pg_type WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype = 'b' AND typcategory <> 'A'
		AND to_regtype(format('planted.%I', typname)) IS NULL
	LOOP
		EXECUTE format('CREATE DOMAIN planted.%I AS text CHECK (planted.trap(%L) IS NULL)', f.typname, f.typname);
	END LOOP;
END $$;

-- all of it is in the way, also of workers
ALTER DATABASE audit_trail_planted SET search_path = planted, pg_catalog, public;
ALTER DATABASE audit_trail_planted SET planted.armed = on;
\c -
SELECT lower('A'::pg_catalog.text);
SELECT 1 + 1;
SELECT * FROM pg_class;
SELECT 'x'::int4;

-- and of nothing that we do
CREATE EXTENSION audit_trail;
SELECT audit.init();
CREATE FUNCTION planted.bury_audit() RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
	f record;
BEGIN
	FOR f IN SELECT relname FROM pg_class WHERE relnamespace = 'audit'::regnamespace AND relkind IN ('r', 'v', 'p') LOOP
		EXECUTE format('CREATE VIEW planted.%I AS SELECT planted.trap(%L) AS nothing', f.relname, f.relname);
	END LOOP;
END $$;
SELECT planted.bury_audit();
SELECT * FROM event;
CREATE TABLE planted.t (id pg_catalog.int4 PRIMARY KEY, v pg_catalog.text, at pg_catalog.timestamptz DEFAULT '2026-11-22',
	j pg_catalog.jsonb, c pg_catalog.regclass DEFAULT 'pg_catalog.pg_class', e pg_catalog.regtype[] DEFAULT '{pg_catalog.int4}');
CREATE TABLE planted.part (id pg_catalog.int4, PRIMARY KEY (id)) PARTITION BY LIST (id);
SELECT audit.enable('planted.t');
SELECT audit.enable('planted.part');
CREATE TABLE planted.part_1 PARTITION OF planted.part FOR VALUES IN (1);
INSERT INTO planted.part VALUES (1);
TRUNCATE planted.part_1;
ALTER TABLE planted.part DETACH PARTITION planted.part_1;
DROP TABLE planted.part;
INSERT INTO planted.t VALUES (1, 'a'), (2, 'b');
BEGIN;
SELECT audit.set_context(actor => 'anna', reason => 'test', extra => '{}');
UPDATE planted.t SET v = 'c';
COMMIT;
UPDATE planted.t SET v = 'd' /* actor='bert' */;
INSERT INTO audit.context_source (field, priority, setting, json_path) VALUES ('actor', 1, 'planted.claims', 'sub');
SET planted.claims = '{"sub": "carl"}';
TRUNCATE planted.t;
INSERT INTO planted.t VALUES (3, 'd');
ALTER TABLE planted.t ADD COLUMN w pg_catalog.text;
ALTER TABLE planted.t RENAME v TO vv;
ALTER TABLE planted.t DROP COLUMN j;
DELETE FROM planted.t;
INSERT INTO planted.t VALUES (4, 'e');
SELECT audit.alert_when('planted', 'planted.t', '{vv}');
UPDATE planted.t SET vv = 'f';
SELECT audit.tag_maintenance('planted');
SELECT audit.record_baseline('planted.t');
CREATE TABLE planted.based (id pg_catalog.int4);
INSERT INTO planted.based VALUES (1);
CREATE FUNCTION planted.wait_for_baseline() RETURNS pg_catalog.bool LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
	FOR i IN 1..1000 LOOP
		IF EXISTS (SELECT FROM audit.events WHERE table_name = 'based' AND new_values IS NOT NULL) THEN
			RETURN true;
		END IF;
		PERFORM pg_sleep(0.01);
	END LOOP;
	RETURN false;
END $$;
SELECT audit.enable('planted.based', baseline => true);
SELECT planted.wait_for_baseline();
SELECT finding, detail FROM audit.reconcile('planted.t');
SELECT finding, object FROM audit.verify();
SELECT action, actor, new_values FROM audit.history('planted.t', '4');
SELECT (audit.seal_now()).log_index IS NOT NULL, (audit.seal_lag()).transactions IS NOT NULL;
SELECT true AS covered FROM audit.coverage('planted.t') LIMIT 1;
SELECT audit.create_partitions() IS NOT NULL, audit.to_jsonb('{"a": 1}'), audit.json_keys('{"a": 1}'), audit.current_tx_id() IS NULL;
SELECT "check" FROM audit.doctor() WHERE status IS NULL;
SELECT alert_id IS NOT NULL FROM audit.alerts_since(0) LIMIT 0;
SELECT audit.alert_drop('planted');
DELETE FROM audit.context_source WHERE setting OPERATOR(pg_catalog.=) 'planted.claims';
SELECT audit.disable('planted.t', 'test');

\c audit_trail_regress
SET client_min_messages = warning;
DROP DATABASE audit_trail_planted;
