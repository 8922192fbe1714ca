-- Savepoints hundreds deep, and exception blocks by the hundred thousand in one transaction.
SELECT audit.init() IS NOT NULL AS ready;
CREATE SCHEMA savepoint;
SET search_path = savepoint;
CREATE TABLE deep (id int PRIMARY KEY, level int);
SELECT audit.enable('deep');

-- levels 1 to 300, a row in each; then back and forth among them
BEGIN;
SELECT format('SAVEPOINT s%s; INSERT INTO deep VALUES (%1$s, %1$s);', i) AS command FROM generate_series(1, 300) i
\set ECHO none
\gexec
\set ECHO all
ROLLBACK TO s250;
INSERT INTO deep VALUES (1000, 250);
RELEASE s200;
UPDATE deep SET level = -level WHERE id = 200;
ROLLBACK TO s150;
INSERT INTO deep VALUES (1001, 150);
SAVEPOINT s151;
DELETE FROM deep WHERE id <= 10;
ROLLBACK TO s151;
RELEASE s1;
SAVEPOINT s1;
INSERT INTO deep VALUES (1002, 1);
COMMIT;
SELECT count(*), min(e.ordinal), max(e.ordinal), max(t.event_count) FROM audit.event e JOIN audit.transaction t USING (tx_id)
JOIN audit.policy p USING (target_id) WHERE p.target = 'deep'::regclass;
SELECT finding, live_value, trail_value, detail FROM audit.reconcile('deep');

-- functions that call themselves, each level with a block of its own, of which every third fails
CREATE FUNCTION descend(n int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO savepoint.deep VALUES (2000 + n, n);
	IF n < 150 THEN
		PERFORM savepoint.descend(n + 1);
	END IF;
	IF n % 3 = 0 THEN
		RAISE division_by_zero;
	END IF;
EXCEPTION WHEN division_by_zero THEN
	INSERT INTO savepoint.deep VALUES (3000 + n, n);
END $$;
SELECT descend(1);
SELECT finding, live_value, trail_value, detail FROM audit.reconcile('deep');

-- memory does not grow with the number of blocks: more than the server needs for itself
CREATE TABLE plain (id int PRIMARY KEY, level int);
CREATE TABLE many (id int PRIMARY KEY, level int);
SELECT audit.enable('many');
CREATE FUNCTION blocks(which regclass, n int) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	insertion text := format('INSERT INTO %s VALUES ($1, $1)', which);
	before bigint;
BEGIN
	FOR i IN 1..n LOOP
		IF i = 1000 THEN
			before := (SELECT sum(total_bytes) FROM pg_backend_memory_contexts);
		END IF;
		BEGIN
			EXECUTE insertion USING i;
			IF i % 100 <> 0 THEN
				RAISE division_by_zero;
			END IF;
		EXCEPTION WHEN division_by_zero THEN NULL;
		END;
	END LOOP;
	RETURN (SELECT sum(total_bytes) FROM pg_backend_memory_contexts) - before;
END $$;
BEGIN;
SELECT blocks('plain', 100000) AS of_server \gset
SELECT blocks('many', 100000) AS with_audit \gset
SELECT :with_audit < :of_server + 100000 AS constant;
COMMIT;
SELECT finding, live_value, trail_value, detail FROM audit.reconcile('many');
SELECT finding, object FROM audit.verify();

SET client_min_messages = warning;
DROP SCHEMA savepoint CASCADE;
