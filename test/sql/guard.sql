-- What the guard refuses, of whoever asks; as superuser first.
SELECT audit.init() IS NOT NULL AS ready;
CREATE SCHEMA gd;
SET search_path = gd, public;
CREATE TABLE orders (id int PRIMARY KEY, note text);
CREATE TABLE part (id int, k int) PARTITION BY LIST (k);
CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1);
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
SELECT audit.enable('orders');
SELECT audit.enable('part');
INSERT INTO orders VALUES (1, 'one');

-- the message
\set SHOW_CONTEXT never
DROP TABLE audit.event;
\echo :LAST_ERROR_SQLSTATE
DROP TRIGGER "00_audit_insert" ON orders;
CREATE TABLE audit.planted ();
ALTER SYSTEM SET audit_trail.guard = off;
\set VERBOSITY terse

-- dropped
DROP TABLE audit.event;
DROP TABLE audit.event_1 CASCADE;
DROP TABLE audit.event_1_default;
DROP TABLE audit.log_entry, audit.checkpoint;
DROP TABLE audit.policy;
DROP INDEX audit.event_tx_id_idx;
DROP INDEX CONCURRENTLY audit.log_entry_pkey;
DROP SEQUENCE audit.alert_id_seq;
DROP VIEW audit.events;
DROP FUNCTION audit.seal_lag;
DROP FUNCTION audit.capture() CASCADE;
DROP ACCESS METHOD audit_worm;
DROP ACCESS METHOD audit_worm CASCADE;
DROP SCHEMA audit;
DROP SCHEMA IF EXISTS nobody, audit CASCADE;
DROP EXTENSION audit_trail;
DROP EXTENSION audit_trail CASCADE;
DROP TYPE audit.target CASCADE;
DROP TRIGGER "00_audit_insert" ON audit.policy;

-- altered
ALTER TABLE audit.event ADD COLUMN planted text;
ALTER TABLE audit.event_1 DETACH PARTITION audit.event_1_default;
ALTER TABLE audit.target ALTER lineage SET DEFAULT 0;
ALTER TABLE audit.target ALTER lineage SET STATISTICS 10;
ALTER TABLE audit.target ADD CHECK (lineage > 0);
ALTER TABLE audit.target DROP COLUMN lineage;
ALTER TABLE audit.target SET ACCESS METHOD heap;
ALTER TABLE audit.target SET (autovacuum_enabled = off);
ALTER TABLE audit.target SET UNLOGGED;
ALTER TABLE audit.target ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit.target CLUSTER ON target_pkey;
ALTER TABLE audit.target OWNER TO CURRENT_USER;
ALTER TABLE audit.target RENAME TO goal;
ALTER TABLE audit.target RENAME lineage TO line;
ALTER TABLE audit.target SET SCHEMA gd;
ALTER TABLE audit.policy DISABLE TRIGGER ALL;
SET allow_in_place_tablespaces = on;
CREATE TABLESPACE gd LOCATION '';
DO $$ BEGIN
	ALTER TABLE ALL IN TABLESPACE pg_default OWNED BY CURRENT_USER SET TABLESPACE gd;
EXCEPTION WHEN SQLSTATE 'TR007' THEN RAISE NOTICE 'refused';
END $$;
ALTER INDEX audit.event_tx_id_idx RENAME TO idx;
ALTER INDEX audit.event_tx_id_idx SET (fillfactor = 50);
ALTER SEQUENCE audit.alert_id_seq RESTART;
ALTER VIEW audit.events SET (security_barrier);
ALTER FUNCTION audit.seal_lag RESET ALL;
ALTER FUNCTION audit.capture() DEPENDS ON EXTENSION plpgsql;
ALTER FUNCTION audit.capture() RENAME TO captured;
ALTER SCHEMA audit RENAME TO audited;
ALTER SCHEMA audit OWNER TO CURRENT_ROLE;
ALTER EXTENSION audit_trail DROP FUNCTION audit.seal_lag();
ALTER EXTENSION audit_trail ADD TABLE gd.orders;
ALTER EXTENSION audit_trail SET SCHEMA gd;
CLUSTER audit.policy USING policy_pkey;

-- added to
CREATE TRIGGER planted BEFORE INSERT ON audit.event FOR EACH ROW EXECUTE FUNCTION nothing();
CREATE TRIGGER planted BEFORE INSERT ON audit.policy FOR EACH ROW EXECUTE FUNCTION nothing();
CREATE RULE planted AS ON INSERT TO audit.policy DO INSTEAD NOTHING;
CREATE POLICY planted ON audit.event USING (false);
CREATE INDEX planted ON audit.target (lineage);
CREATE INDEX CONCURRENTLY planted ON audit.target (lineage);
CREATE STATISTICS gd.planted ON lineage, tx_id FROM audit.target;
CREATE TABLE planted () INHERITS (audit.target);
CREATE TABLE planted PARTITION OF audit.event FOR VALUES IN (9);
CREATE TABLE planted (id int REFERENCES audit.target (target_id));
CREATE TABLE planted (LIKE audit.target);
ALTER TABLE planted INHERIT audit.target;
ALTER TABLE audit.event ATTACH PARTITION planted FOR VALUES IN (9);
DROP TABLE planted;
CREATE TABLE audit.planted ();
CREATE VIEW audit.planted AS SELECT;
CREATE SEQUENCE audit.planted;
CREATE TYPE audit.planted AS (id int);
CREATE FUNCTION audit.planted() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE COLLATION audit.planted (locale = 'C');
CREATE OPERATOR audit.=== (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq);
ALTER FUNCTION nothing() SET SCHEMA audit;
ALTER TABLE orders SET SCHEMA audit;

-- replaced
DO $$ BEGIN
	EXECUTE 'CREATE OR REPLACE VIEW audit.events AS ' || pg_get_viewdef('audit.events'::regclass);
END $$;
CREATE OR REPLACE FUNCTION audit.capture() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE OR REPLACE TRIGGER "00_audit_insert" AFTER INSERT ON audit.policy FOR EACH ROW EXECUTE FUNCTION nothing();
CREATE OR REPLACE TRIGGER "00_audit_insert" AFTER INSERT ON orders FOR EACH ROW WHEN (false) EXECUTE FUNCTION nothing();

-- the triggers of audited tables
ALTER TABLE orders DISABLE TRIGGER "00_audit_update";
ALTER TABLE orders DISABLE TRIGGER ALL, DISABLE TRIGGER "00_audit_update";
ALTER TABLE orders ENABLE REPLICA TRIGGER "00_audit_update";
ALTER TABLE part_1 DISABLE TRIGGER "00_audit_update";
ALTER TRIGGER "00_audit_update" ON orders RENAME TO gone;
ALTER TRIGGER "00_audit_update" ON orders DEPENDS ON EXTENSION plpgsql;
DROP TRIGGER "00_audit_update" ON orders;
DROP TRIGGER "00_audit_truncate" ON part_1;
DROP TRIGGER "00_audit_before_truncate" ON part_1;
DO $$ BEGIN EXECUTE 'DROP TRIGGER "00_audit_update" ON gd.orders'; END $$;
BEGIN;
SAVEPOINT s;
DROP TRIGGER "00_audit_update" ON orders;
ROLLBACK TO s;
UPDATE orders SET note = 'uno';
COMMIT;

-- those of others are enabled and disabled without ours
CREATE TRIGGER theirs BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION nothing();
CREATE TABLE gd.lines (order_id int REFERENCES orders);
CREATE VIEW firing AS
	SELECT regexp_replace(tgname, '\d{3,}', 'N') AS trigger, tgenabled FROM pg_trigger
	WHERE tgrelid = 'gd.orders'::regclass ORDER BY 1, tgfoid;
ALTER TABLE orders DISABLE TRIGGER USER, ENABLE ALWAYS TRIGGER theirs, DISABLE TRIGGER USER;
SELECT * FROM firing;
ALTER TABLE orders DISABLE TRIGGER ALL;
SELECT * FROM firing;
ALTER TABLE orders ENABLE TRIGGER USER;
SELECT * FROM firing;
ALTER TABLE orders ENABLE TRIGGER ALL;
SELECT * FROM firing;
DROP TRIGGER theirs ON orders;
ALTER TABLE orders DISABLE TRIGGER USER;
ALTER TABLE IF EXISTS gd.nowhere DISABLE TRIGGER USER;
ALTER TABLE firing DISABLE TRIGGER USER;
ALTER TABLE gd.lines DISABLE TRIGGER ALL;
SELECT DISTINCT tgenabled FROM pg_trigger WHERE tgrelid = 'gd.lines'::regclass;
DROP TABLE gd.lines;
DROP VIEW firing;
ALTER TABLE part DISABLE TRIGGER ALL;
SELECT tgrelid::regclass, tgname, tgenabled FROM pg_trigger
WHERE tgrelid IN ('part'::regclass, 'part_1'::regclass) AND tgenabled <> 'A';

-- nor by way of something else: what event triggers do while one of our commands runs is theirs
CREATE FUNCTION meddle() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
	IF current_setting('gd.meddle', true) = 'on' THEN
		PERFORM set_config('gd.meddle', 'off', true);
		DROP TRIGGER IF EXISTS "00_audit_delete" ON gd.orders;
	END IF;
END $$;
CREATE EVENT TRIGGER meddle ON ddl_command_end EXECUTE FUNCTION meddle();
CREATE TABLE other (id int);
BEGIN;
SET LOCAL gd.meddle = 'on';
SELECT audit.enable('other');
ROLLBACK;
DROP EVENT TRIGGER meddle;
SET audit_trail.guard = off;
ALTER SYSTEM RESET "Audit_trail.guard";
ALTER ROLE CURRENT_USER SET audit_trail.guard = off;
CREATE FUNCTION lifted() RETURNS void LANGUAGE sql SET audit_trail.guard = off AS 'SELECT';

-- by the owner of an audited table, and of the ledger
CREATE ROLE gd_owner;
GRANT ALL ON SCHEMA gd, audit TO gd_owner;
ALTER TABLE orders OWNER TO gd_owner;
SET ROLE gd_owner;
DROP TRIGGER "00_audit_insert" ON gd.orders;
ALTER TABLE gd.orders DISABLE TRIGGER ALL;
DROP TABLE audit.event;
DROP FUNCTION audit.capture() CASCADE;
CREATE TABLE audit.mine (id int);
RESET ROLE;
CREATE FUNCTION gd.theirs() RETURNS int LANGUAGE sql AS 'SELECT 1';
ALTER FUNCTION gd.theirs() OWNER TO gd_owner;
REASSIGN OWNED BY gd_owner TO CURRENT_USER;
ALTER TABLE orders OWNER TO gd_owner;

-- privileges: what everybody has stays, and on the ledger there is nothing but SELECT
GRANT SELECT ON audit.event TO PUBLIC;
GRANT EXECUTE ON FUNCTION audit.doctor() TO PUBLIC;
REVOKE EXECUTE ON FUNCTION audit.capture_insert(oid, tid) FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA audit FROM PUBLIC;
GRANT ALL ON audit.event TO gd_owner;
GRANT SELECT, INSERT ON audit.target, orders TO gd_owner;
GRANT UPDATE (reason) ON audit.transaction TO gd_owner;
GRANT ALL ON ALL TABLES IN SCHEMA audit TO gd_owner;
DO $$ BEGIN GRANT TRUNCATE ON audit.session TO gd_owner; END $$;
SELECT grantee::regrole, privilege_type FROM pg_class c, aclexplode(c.relacl) WHERE c.relnamespace = 'audit'::regnamespace AND grantee <> c.relowner;

-- what is allowed
GRANT SELECT ON ALL TABLES IN SCHEMA audit TO gd_owner;
REVOKE ALL ON ALL TABLES IN SCHEMA audit FROM gd_owner;
GRANT INSERT ON audit.context_source TO gd_owner;
REVOKE ALL ON audit.context_source FROM gd_owner;
GRANT EXECUTE ON FUNCTION audit.doctor() TO gd_owner;
REVOKE EXECUTE ON FUNCTION audit.doctor() FROM gd_owner;
GRANT SELECT ON audit.event TO gd_owner;
REVOKE SELECT ON audit.event FROM gd_owner;
COMMENT ON TABLE audit.alert IS 'a raised alert, written in the transaction of the event that raised it';
ALTER TABLE audit.target REPLICA IDENTITY FULL;
ALTER TABLE audit.target REPLICA IDENTITY USING INDEX target_pkey;
ALTER TABLE audit.target REPLICA IDENTITY DEFAULT;
VACUUM audit.target;
VACUUM FULL audit.policy;
ANALYZE audit.target;
REINDEX TABLE audit.target;
REINDEX TABLE CONCURRENTLY audit.target;
REINDEX SCHEMA audit;
BEGIN; LOCK audit.target IN ACCESS SHARE MODE; COMMIT;
SET client_min_messages = error;
CREATE PUBLICATION gd FOR TABLE audit.event, audit.target;
RESET client_min_messages;
DROP PUBLICATION gd;
CREATE VIEW seen AS SELECT * FROM audit.events;
SELECT audit.create_partitions(5) > 0 AS made;
ALTER TABLE part DETACH PARTITION part_1;
ALTER TABLE part ATTACH PARTITION part_1 FOR VALUES IN (1);
CREATE TABLE part_2 PARTITION OF part FOR VALUES IN (2);
DROP TABLE part_2;
CREATE TRIGGER mine AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION nothing();
ALTER TABLE orders DISABLE TRIGGER mine;
DROP TRIGGER mine ON orders;
SELECT audit.disable('orders', 'test');
SELECT audit.enable('orders');
DROP OWNED BY gd_owner;
VACUUM FULL;
SELECT "check", status FROM audit.doctor() WHERE "check" IN ('guard', 'capture');
SELECT finding, object FROM audit.verify();
RESET search_path;
SET client_min_messages = warning;
DROP SCHEMA gd CASCADE;
DROP ROLE gd_owner;
DROP TABLESPACE gd;
