-- What the owner of an audited table tries with its triggers. The guard is lifted: capture stands alone.
SELECT audit.init() IS NOT NULL AS ready;
CREATE SCHEMA hostile;
SET search_path = hostile, public;
CREATE FUNCTION trail(which regclass, OUT ordinal int, OUT op "char", OUT old_values text, OUT new_values text)
RETURNS SETOF record LANGUAGE sql AS $$
	SELECT e.ordinal, e.op, e.old_values::text, e.new_values::text
	FROM audit.event e JOIN audit.policy p USING (target_id)
	WHERE p.target = which
	ORDER BY e.tx_id, e.ordinal
$$;

-- a function that is inlined into a condition calls ours as ours are called
CREATE TABLE forged (id int PRIMARY KEY);
SELECT audit.enable('forged');
CREATE FUNCTION forge(oid, tid) RETURNS boolean LANGUAGE sql AS 'SELECT audit.capture_delete($1, $2)';
CREATE TRIGGER forge AFTER INSERT ON forged FOR EACH ROW
	WHEN (forge(NEW.tableoid, NEW.ctid)) EXECUTE FUNCTION audit.capture();
INSERT INTO forged VALUES (1);
DROP TRIGGER forge ON forged;
INSERT INTO forged VALUES (1);
CREATE TRIGGER twice AFTER INSERT ON forged FOR EACH ROW
	WHEN (audit.capture_insert(NEW.tableoid, NEW.ctid)) EXECUTE FUNCTION audit.capture();
INSERT INTO forged VALUES (2);
DROP TRIGGER twice ON forged;
-- a trigger by the name of ours that says something else, or nothing
CREATE OR REPLACE TRIGGER "00_audit_insert" AFTER INSERT ON forged FOR EACH ROW
	WHEN (audit.capture_delete(NEW.tableoid, NEW.ctid)) EXECUTE FUNCTION audit.capture();
INSERT INTO forged VALUES (3);
CREATE OR REPLACE TRIGGER "00_audit_insert" AFTER INSERT ON forged FOR EACH ROW
	WHEN (false) EXECUTE FUNCTION audit.capture();
DELETE FROM forged;
SELECT audit.disable('forged', 'its trigger was replaced');
SELECT audit.enable('forged');
DELETE FROM forged;
-- TRUNCATE told twice
CREATE TRIGGER "again" AFTER TRUNCATE ON forged EXECUTE FUNCTION audit.capture();
TRUNCATE forged;
DROP TRIGGER "again" ON forged;
TRUNCATE forged;
CREATE TRIGGER "again" BEFORE TRUNCATE ON forged EXECUTE FUNCTION audit.capture();
TRUNCATE forged;
DROP TRIGGER "again" ON forged;
-- without the trigger that has the rows told, nothing is emptied
INSERT INTO forged VALUES (4);
DROP TRIGGER "00_audit_before_truncate" ON forged;
TRUNCATE forged;
SELECT "check", status, detail FROM audit.doctor() WHERE "check" = 'capture';
SELECT audit.disable('forged', 'its trigger was dropped');
SELECT audit.enable('forged');
TRUNCATE forged;
SELECT * FROM trail('forged');
-- what the doctor says to do gives back the policy that was
CREATE TABLE lost (id int PRIMARY KEY);
SELECT audit.enable('lost', truncate => 'count', query => true);
DROP TRIGGER "00_audit_truncate" ON lost;
SELECT remedy FROM audit.doctor() WHERE "check" = 'capture' \gexec
SELECT truncate, query, enabled FROM audit.policy WHERE target = 'lost'::regclass;
SELECT status FROM audit.doctor() WHERE "check" = 'capture';

-- the name of a trigger is taken before the audit begins
CREATE TABLE planted (id int PRIMARY KEY);
CREATE TRIGGER "00_audit_insert" AFTER INSERT ON planted FOR EACH ROW
	WHEN (false) EXECUTE FUNCTION audit.capture();
SELECT audit.enable('planted');
DROP TRIGGER "00_audit_insert" ON planted;
SELECT audit.enable('planted');
INSERT INTO planted VALUES (1);
SELECT * FROM trail('planted');

-- a condition that changes rows, evaluated before ours, and after
CREATE TABLE early (id int PRIMARY KEY, v int);
SELECT audit.enable('early');
CREATE FUNCTION meddle(int) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	UPDATE hostile.early SET v = v + 100 WHERE id = $1;
	RETURN false;
END $$;
CREATE TRIGGER " early" AFTER INSERT ON early FOR EACH ROW WHEN (meddle(NEW.id)) EXECUTE FUNCTION audit.capture();
INSERT INTO early VALUES (1, 1);
ALTER TRIGGER " early" ON early RENAME TO late;
INSERT INTO early VALUES (1, 1);
SELECT * FROM trail('early');

-- the ledger does not become writable because a part of it is not found
BEGIN;
ALTER TABLE audit.alert_pass RENAME TO elsewhere;
INSERT INTO audit.session VALUES (0, now(), 1, 1, 'forged');
ROLLBACK;
BEGIN;
ALTER TABLE audit.incarnation RENAME TO elsewhere;
INSERT INTO audit.session VALUES (0, now(), 1, 1, 'forged');
ROLLBACK;

-- a trigger was dropped: enabling again is no empty promise
DROP TRIGGER "00_audit_insert" ON planted;
SELECT audit.enable('planted');
INSERT INTO planted VALUES (2);
SELECT audit.enable('planted');
ALTER TABLE planted DISABLE TRIGGER "00_audit_insert";
SELECT audit.enable('planted');
SELECT * FROM trail('planted');

-- a partition that is stored elsewhere
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS postgres_fdw SCHEMA public;
RESET client_min_messages;
SELECT current_setting('unix_socket_directories') AS host, current_setting('port') AS port,
	current_database() AS dbname, current_user AS me \gset
CREATE SERVER loop FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host :'host', port :'port', dbname :'dbname');
CREATE USER MAPPING FOR CURRENT_USER SERVER loop OPTIONS (user :'me');
CREATE TABLE far_away (id int, k int);
CREATE TABLE spread (id int, k int) PARTITION BY LIST (k);
CREATE TABLE spread_1 PARTITION OF spread FOR VALUES IN (1);
CREATE FOREIGN TABLE spread_2 PARTITION OF spread FOR VALUES IN (2) SERVER loop
	OPTIONS (schema_name 'hostile', table_name 'far_away');
SELECT audit.enable('spread');
ALTER TABLE spread DETACH PARTITION spread_2;
SELECT audit.enable('spread');
ALTER TABLE spread ATTACH PARTITION spread_2 FOR VALUES IN (2);
INSERT INTO spread VALUES (1, 1);
INSERT INTO spread VALUES (2, 2);
INSERT INTO far_away VALUES (3, 2);
UPDATE spread SET id = id + 1 WHERE k = 2;
DELETE FROM spread WHERE k = 2;
SELECT * FROM trail('spread');

-- a row that moves, of a table that others refer to
CREATE TABLE moving (id int, k int, PRIMARY KEY (id, k)) PARTITION BY LIST (k);
CREATE TABLE moving_1 PARTITION OF moving FOR VALUES IN (1);
CREATE TABLE moving_2 (k int NOT NULL, id int NOT NULL);
ALTER TABLE moving ATTACH PARTITION moving_2 FOR VALUES IN (2);
CREATE TABLE following (id int, k int, FOREIGN KEY (id, k) REFERENCES moving ON UPDATE CASCADE);
INSERT INTO moving VALUES (1, 1), (2, 2), (3, 1);
INSERT INTO following SELECT * FROM moving;
SELECT audit.enable('moving');
SELECT audit.enable('following');
UPDATE moving SET k = 3 - k;
SELECT * FROM trail('moving');
SELECT * FROM trail('following');

-- a change of the table of policies, which is audited itself, is told once
BEGIN;
ALTER TABLE audit.policy ADD COLUMN whim int;
SELECT e.event_type, e.resource_id, e.new_values::text LIKE '%"name":"whim"%' AS told FROM audit.events e WHERE e.tx_id = audit.current_tx_id() ORDER BY ordinal;
ROLLBACK;

-- a change that no hook saw is followed when the next row is captured
CREATE TABLE unseen (id int PRIMARY KEY, v int);
SELECT audit.enable('unseen');
INSERT INTO unseen VALUES (1, 1);
UPDATE pg_attribute SET attname = 'w' WHERE attrelid = 'unseen'::regclass AND attname = 'v';
UPDATE unseen SET w = 2;
SELECT event_type, resource_id, old_values::text, new_values::text, extra::text FROM audit.events WHERE resource_type = 'unseen' ORDER BY tx_id, ordinal;

RESET search_path;
SET client_min_messages = warning;
DROP SCHEMA hostile CASCADE;
DROP EXTENSION postgres_fdw CASCADE;
