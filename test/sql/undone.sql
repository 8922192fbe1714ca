-- A ledger that is made in a subtransaction and rolled back with it, and made again.
CREATE DATABASE audit_trail_undone;
\c audit_trail_undone
SET client_min_messages = warning;
CREATE EXTENSION audit_trail;
CREATE TABLE a (id int PRIMARY KEY);
BEGIN;
SAVEPOINT s;
SELECT audit.enable('a');
SAVEPOINT inner_one;
INSERT INTO a VALUES (1);
RELEASE inner_one;
ROLLBACK TO s;
SELECT to_regclass('audit.event');
SELECT audit.enable('a');
INSERT INTO a VALUES (2);
COMMIT;
SELECT finding, object FROM audit.verify();
SELECT t.table_name, e.ordinal, e.new_values->>'id' AS id
FROM audit.event e JOIN audit.target t USING (target_id) ORDER BY e.tx_id, e.ordinal;
-- the same of a transaction that had begun before
BEGIN;
INSERT INTO a VALUES (3);
DO $$
BEGIN
	FOR i IN 1..3 LOOP
		BEGIN
			CREATE TABLE b (id int);
			PERFORM audit.enable('b');
			INSERT INTO b VALUES (i);
			RAISE division_by_zero;
		EXCEPTION WHEN division_by_zero THEN NULL;
		END;
	END LOOP;
END $$;
INSERT INTO a VALUES (4);
COMMIT;
SELECT finding, object FROM audit.verify();
SELECT e.ordinal, e.new_values->>'id' AS id FROM audit.event e WHERE tx_id = (SELECT max(tx_id) FROM audit.event)
ORDER BY e.ordinal;

-- a procedure that commits keeps nothing of its transactions
CREATE PROCEDURE many() LANGUAGE plpgsql AS $$
DECLARE
	before bigint := (SELECT sum(total_bytes) FROM pg_backend_memory_contexts);
BEGIN
	FOR i IN 1..4000 LOOP
		UPDATE a SET id = -id WHERE id IN (2, -2);
		COMMIT;
	END LOOP;
	RAISE WARNING 'grown: %', (SELECT sum(total_bytes) - before > 400000 FROM pg_backend_memory_contexts);
END $$;
CALL many();

-- who acts is who called, not the owner that audit.enable() works as
CREATE ROLE regress_undone;
CREATE TABLE c (id int PRIMARY KEY);
ALTER TABLE c OWNER TO regress_undone;
GRANT EXECUTE ON FUNCTION audit.enable TO regress_undone;
BEGIN;
SET LOCAL ROLE regress_undone;
SELECT audit.enable('c');
INSERT INTO c VALUES (1);
COMMIT;
SELECT db_role, event_count FROM audit.transaction ORDER BY tx_id DESC LIMIT 1;
REVOKE EXECUTE ON FUNCTION audit.enable FROM regress_undone;
DROP TABLE c;
DROP ROLE regress_undone;
\c audit_trail_regress
SET client_min_messages = warning;
DROP DATABASE audit_trail_undone;
