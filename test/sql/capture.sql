-- What is recorded of changes: images, deltas, keys, order, and what a rollback leaves.
SELECT audit.init() IS NOT NULL AS ready;
CREATE SCHEMA cap;
SET search_path = cap, public;
CREATE FUNCTION trail(which regclass, OUT tx int, OUT ordinal int, OUT op "char", OUT record_key text,
	OUT old_values text, OUT new_values text, OUT extra text) RETURNS SETOF record
LANGUAGE sql AS $$
	SELECT dense_rank() OVER (ORDER BY e.tx_id)::int, e.ordinal, e.op, e.record_key,
		e.old_values::text, e.new_values::text, e.extra::text
	FROM audit.event e JOIN audit.target t USING (target_id)
	WHERE t.lineage = (SELECT t2.lineage FROM audit.target t2 JOIN audit.policy p USING (target_id)
		WHERE p.target = which)
	ORDER BY e.tx_id, e.ordinal
$$;

-- the three operations, and an update that changes nothing
CREATE TABLE orders (id int PRIMARY KEY, status text NOT NULL, total numeric(10,2), touched int);
SELECT audit.enable('orders', ignore => '{touched}');
INSERT INTO orders VALUES (1, 'new', 10.5, 0), (2, 'new', NULL, 0);
UPDATE orders SET status = 'paid', total = 11 WHERE id = 1;
UPDATE orders SET status = status;
UPDATE orders SET touched = touched + 1;
UPDATE orders SET touched = touched + 1, status = 'sent' WHERE id = 1;
UPDATE orders SET id = 3 WHERE id = 2;
DELETE FROM orders WHERE id = 1;
TRUNCATE orders;
SELECT * FROM trail('orders');

-- what is equal to its type, but not the same, is a change
CREATE TABLE same (id int PRIMARY KEY, n numeric, f float8, a int[]);
SELECT audit.enable('same');
INSERT INTO same VALUES (1, 1.0, 0, '{1,2}');
UPDATE same SET n = 1.00;
UPDATE same SET f = '-0';
UPDATE same SET a = '[0:1]={1,2}';
UPDATE same SET n = 1.00, f = '-0', a = '[0:1]={1,2}';
SELECT * FROM trail('same');

-- composite keys, keys with nulls, no key, a long key
CREATE TABLE composite (a text, b int, v int, PRIMARY KEY (b, a));
SELECT audit.enable('composite');
INSERT INTO composite VALUES ('x"y', 7, 1);
UPDATE composite SET v = 2;
CREATE TABLE nokey (a int, b text);
SELECT audit.enable('nokey');
INSERT INTO nokey VALUES (1, 'one'), (1, 'one');
UPDATE nokey SET b = 'two' WHERE ctid = '(0,1)';
DELETE FROM nokey;
CREATE TABLE ownkey (a int, b text);
SELECT audit.enable('ownkey', key => '{b}');
INSERT INTO ownkey VALUES (1, NULL), (2, ''), (3, repeat('k', 1025));
SELECT * FROM trail('composite');
SELECT * FROM trail('nokey');
SELECT op, record_key, length(new_values) AS length, left(extra, 20) AS extra FROM trail('ownkey');

-- savepoints and blocks with exceptions: what is rolled back never was
CREATE TABLE sp (id int PRIMARY KEY, v int);
SELECT audit.enable('sp');
BEGIN;
SAVEPOINT a;
INSERT INTO sp VALUES (1, 1);
ROLLBACK TO a;
INSERT INTO sp VALUES (2, 2);
SAVEPOINT b;
INSERT INTO sp VALUES (3, 3);
SAVEPOINT c;
INSERT INTO sp VALUES (4, 4);
RELEASE c;
SAVEPOINT d;
UPDATE sp SET v = 0;
ROLLBACK TO d;
RELEASE b;
DO $$
BEGIN
	FOR i IN 5..8 LOOP
		BEGIN
			INSERT INTO cap.sp VALUES (i, i);
			IF i % 2 = 0 THEN RAISE division_by_zero; END IF;
		EXCEPTION WHEN division_by_zero THEN NULL;
		END;
	END LOOP;
END $$;
COMMIT;
BEGIN;
INSERT INTO sp VALUES (100, 1);
ROLLBACK;
SELECT ordinal, op, record_key FROM trail('sp');
SELECT t.event_count FROM audit.transaction t JOIN audit.event e USING (tx_id)
JOIN audit.target g USING (target_id) WHERE g.table_name = 'sp' AND e.ordinal = 1;
BEGIN;
SAVEPOINT a;
INSERT INTO sp VALUES (200, 1);
ROLLBACK TO a;
COMMIT;
SELECT count(*) FROM trail('sp');

-- cascades and triggers: the cause stands before its effects, images are the stored ones
CREATE TABLE parent (id int PRIMARY KEY, n int DEFAULT 0, doubled int GENERATED ALWAYS AS (n * 2) STORED);
CREATE TABLE child (id int PRIMARY KEY, parent_id int REFERENCES parent ON DELETE CASCADE);
CREATE FUNCTION bump() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.n := NEW.n + 100; RETURN NEW; END $$;
CREATE TRIGGER bump BEFORE INSERT ON parent FOR EACH ROW EXECUTE FUNCTION bump();
CREATE FUNCTION count_child() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN UPDATE cap.parent SET n = n + 1 WHERE id = NEW.parent_id; RETURN NULL; END $$;
CREATE TRIGGER count_child AFTER INSERT ON child FOR EACH ROW EXECUTE FUNCTION count_child();
SELECT audit.enable('parent');
SELECT audit.enable('child');
BEGIN;
INSERT INTO parent VALUES (1, 5);
INSERT INTO child VALUES (1, 1), (2, 1);
DELETE FROM parent;
COMMIT;
SELECT t.table_name, e.ordinal, e.op, e.record_key, e.old_values, e.new_values
FROM audit.event e JOIN audit.target t USING (target_id)
WHERE t.table_schema = 'cap' AND t.table_name IN ('parent', 'child') ORDER BY e.tx_id, e.ordinal;

-- a trigger that sorts before ours and changes other rows of the same statement: rows are told
-- in the order in which they were changed
CREATE TABLE inner_change (id int PRIMARY KEY, v int);
SELECT audit.enable('inner_change');
CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF pg_trigger_depth() = 1 THEN UPDATE cap.inner_change SET v = v + 100 WHERE id <> NEW.id; END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER " !first" AFTER INSERT OR UPDATE ON inner_change FOR EACH ROW EXECUTE FUNCTION meddle();
INSERT INTO inner_change VALUES (1, 0), (2, 0);
UPDATE inner_change SET v = v + 1;
SELECT tx, ordinal, op, record_key, old_values, new_values FROM trail('inner_change');

-- COPY, upserts, MERGE, data-modifying CTEs, every level of replication role
CREATE TABLE ways (id int PRIMARY KEY, v text);
SELECT audit.enable('ways');
COPY ways FROM stdin;
1	copied
2	copied
\.
INSERT INTO ways VALUES (1, 'upsert'), (3, 'upsert') ON CONFLICT (id) DO UPDATE SET v = excluded.v;
INSERT INTO ways VALUES (1, 'nothing') ON CONFLICT DO NOTHING;
MERGE INTO ways w USING (VALUES (2), (3), (4)) s(id) ON w.id = s.id
WHEN MATCHED AND s.id = 3 THEN DELETE WHEN MATCHED THEN UPDATE SET v = 'merged'
WHEN NOT MATCHED THEN INSERT VALUES (s.id, 'merged');
WITH gone AS (DELETE FROM ways WHERE id = 4 RETURNING id) INSERT INTO ways SELECT id + 1, 'cte' FROM gone;
SET session_replication_role = replica;
INSERT INTO ways VALUES (9, 'replica');
RESET session_replication_role;
BEGIN ISOLATION LEVEL SERIALIZABLE;
UPDATE ways SET v = 'serializable' WHERE id = 9;
COMMIT;
SELECT tx, ordinal, op, record_key, old_values, new_values FROM trail('ways');

-- partitions: rows are told by the table's name, TRUNCATE for each relation emptied
CREATE TABLE part (id int, at date, v int, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM ('2026-01-01') TO ('2026-07-01');
CREATE TABLE part_2 (v int, at date NOT NULL, filler int, id int NOT NULL);
ALTER TABLE part_2 DROP COLUMN filler;
ALTER TABLE part ATTACH PARTITION part_2 FOR VALUES FROM ('2026-07-01') TO ('2027-01-01');
SELECT audit.enable('part');
CREATE TABLE part_3 PARTITION OF part DEFAULT;
INSERT INTO part VALUES (1, '2026-02-03', 1), (2, '2026-08-09', 2), (3, '2030-01-01', 3);
INSERT INTO part_2 (id, at, v) VALUES (4, '2026-09-01', 4);
UPDATE part SET v = v + 1 WHERE id <= 2;
TRUNCATE part_2;
SELECT ordinal, op, record_key, old_values, new_values, extra FROM trail('part');

-- large values are represented by prefix, length and digest
SET audit_trail.max_value_size = '1kB';
CREATE TABLE large (id int PRIMARY KEY, v text);
SELECT audit.enable('large');
INSERT INTO large VALUES (1, repeat('x', 1024)), (2, repeat('x', 1025));
SELECT op, record_key, length(new_values) AS length, right(new_values, 96) AS ending, extra FROM trail('large');
RESET audit_trail.max_value_size;

-- json stands verbatim, whatever it holds
CREATE TABLE nested (id int PRIMARY KEY, j json);
SELECT audit.enable('nested');
INSERT INTO nested VALUES (1, '{"a": 1, "a":  2, "z": "\u0000"}');
SELECT new_values FROM trail('nested');

RESET search_path;
SET client_min_messages = warning;
DROP SCHEMA cap CASCADE;
