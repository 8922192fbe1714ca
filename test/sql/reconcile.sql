-- audit.reconcile(): the trail leads to the rows, or it is said where it does not.
CREATE SCHEMA reconcile;
SET search_path = reconcile;

CREATE FUNCTION findings(target regclass) RETURNS TABLE (finding text, record_key text, column_name text,
	live_value text, trail_value text, detail text)
LANGUAGE sql AS $$
	SELECT finding, record_key, column_name, live_value, trail_value, regexp_replace(detail, '\d+\.\d+', 'N.N', 'g')
	FROM audit.reconcile(target) r ORDER BY finding = 'summary', finding, record_key COLLATE "C", column_name COLLATE "C"
$$;

-- keys that change, come back and are given to others; equal numbers that are not the same
CREATE TABLE items (id int PRIMARY KEY, name text, price numeric, doc jsonb, at timestamptz DEFAULT '2026-01-01 00:00+00');
SELECT audit.enable('items');
SELECT * FROM findings('items');
INSERT INTO items SELECT i, 'item ' || i, i * 1.10, '{"a": 1}' FROM generate_series(1, 10) i;
UPDATE items SET id = id + 100 WHERE id <= 3;
UPDATE items SET price = 1.100 WHERE id = 101;
UPDATE items SET id = 5000 WHERE id = 102;
UPDATE items SET id = 102 WHERE id = 103;
INSERT INTO items VALUES (1, 'another', 'NaN', 'null', 'infinity');
DELETE FROM items WHERE id IN (5, 102);
BEGIN;
UPDATE items SET name = 'kept' WHERE id = 6;
SAVEPOINT s;
DELETE FROM items;
ROLLBACK TO SAVEPOINT s;
SELECT * FROM findings('items');
COMMIT;
SELECT * FROM findings('items');

-- each kind of difference, made while nothing is recorded
SELECT audit.disable('items', 'test');
UPDATE items SET price = 7.7 WHERE id = 7;
UPDATE items SET name = NULL, doc = '{"a": 1.0}' WHERE id = 8;
DELETE FROM items WHERE id = 9;
INSERT INTO items VALUES (11, 'unseen', 1, '[]');
UPDATE items SET id = 4000 WHERE id = 4;
SELECT audit.reconcile('items');
SELECT audit.enable('items');
SELECT * FROM findings('items');
-- what was changed meanwhile is also seen by the next event of the row
UPDATE items SET price = 7.8 WHERE id = 7;
DELETE FROM items WHERE id = 8;
UPDATE items SET price = 2 WHERE id = 11;
SELECT * FROM findings('items');
TRUNCATE items;
SELECT * FROM findings('items');

-- without a key contents are counted
CREATE TABLE notes (author text, note text);
SELECT audit.enable('notes');
INSERT INTO notes SELECT 'a' || i % 3, 'x' FROM generate_series(1, 10) i;
UPDATE notes SET note = 'y' WHERE author = 'a1';
DELETE FROM notes WHERE ctid = '(0,2)';
DELETE FROM notes WHERE author = 'a0';
SELECT * FROM findings('notes');
SELECT audit.disable('notes', 'test');
INSERT INTO notes VALUES ('a2', 'x');
DELETE FROM notes WHERE author = 'a1';
SELECT audit.enable('notes');
SELECT * FROM findings('notes');

-- a key of several columns; uniqueness that is checked at the end
CREATE TABLE pairs (a int, b text, v int, PRIMARY KEY (a, b) DEFERRABLE);
SELECT audit.enable('pairs', key => '{a,b}');
INSERT INTO pairs SELECT i, 'b' || i % 2, i FROM generate_series(1, 5) i;
UPDATE pairs SET a = a + 1;
UPDATE pairs SET b = 'b"\' || a;
BEGIN;
SET CONSTRAINTS ALL DEFERRED;
INSERT INTO pairs VALUES (4, 'b"\4', 0);
DELETE FROM pairs WHERE v = 3;
UPDATE pairs SET v = v + 10 WHERE a = 4;
COMMIT;
SELECT * FROM findings('pairs');

-- long values: recorded under one limit, compared under another
CREATE TABLE papers (id int PRIMARY KEY, body text, doc json);
SELECT audit.enable('papers');
SET audit_trail.max_value_size = '1kB';
INSERT INTO papers SELECT i, repeat('é"\' || chr(7), i * 200), to_json(repeat('"', i * 200)) FROM generate_series(1, 8) i;
RESET audit_trail.max_value_size;
SELECT * FROM findings('papers');
UPDATE papers SET body = body || '!';
SET audit_trail.max_value_size = '1kB';
SELECT * FROM findings('papers');
SELECT audit.disable('papers', 'test');
UPDATE papers SET body = body || '?' WHERE id = 8;
SELECT audit.enable('papers');
RESET audit_trail.max_value_size;
SELECT * FROM findings('papers');

-- what is not recorded cannot be compared
CREATE TABLE visits (id int PRIMARY KEY, name text, seen int);
SELECT audit.enable('visits', ignore => '{seen}', operations => '{insert,update}');
INSERT INTO visits VALUES (1, 'a', 0), (2, 'b', 0);
UPDATE visits SET seen = 1;
UPDATE visits SET name = 'c', seen = 2 WHERE id = 1;
DELETE FROM visits WHERE id = 2;
SELECT * FROM findings('visits');

-- partitions, with rows that move and columns in another order
CREATE TABLE parts (id int, region text, v int, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE parts_a PARTITION OF parts FOR VALUES IN ('a');
CREATE TABLE parts_b (v int, dropped int, region text NOT NULL, id int NOT NULL);
ALTER TABLE parts_b DROP COLUMN dropped;
ALTER TABLE parts ATTACH PARTITION parts_b FOR VALUES IN ('b');
SELECT audit.enable('parts');
INSERT INTO parts SELECT i, CASE WHEN i % 2 = 0 THEN 'a' ELSE 'b' END, i FROM generate_series(1, 6) i;
UPDATE parts SET region = 'b' WHERE id = 2;
UPDATE parts SET v = v + 1;
DELETE FROM parts_b WHERE id = 1;
SELECT * FROM findings('parts');
SELECT audit.reconcile('parts_a');

-- schema changes: values keep their meaning under new names, and have none where they were computed anew
CREATE TABLE moved (id int PRIMARY KEY, status text, total int, other int);
SELECT audit.enable('moved');
INSERT INTO moved SELECT i, 'new', i, 0 FROM generate_series(1, 5) i;
ALTER TABLE moved ADD COLUMN note text DEFAULT 'x';
UPDATE moved SET status = 'seen' WHERE id < 3;
ALTER TABLE moved RENAME COLUMN id TO order_id;
ALTER TABLE moved RENAME COLUMN other TO status_before;
ALTER TABLE moved RENAME COLUMN status TO other;
ALTER TABLE moved RENAME TO renamed;
UPDATE renamed SET other = 'paid' WHERE order_id > 3;
SELECT * FROM findings('renamed');
ALTER TABLE renamed ALTER total TYPE bigint USING total * 2;
ALTER TABLE renamed ALTER status_before TYPE int USING status_before + 2;
UPDATE renamed SET total = 1, status_before = 1 WHERE order_id = 2;
ALTER TABLE renamed DROP COLUMN note;
ALTER TABLE renamed ADD COLUMN note text DEFAULT md5(random()::text);
SELECT * FROM findings('renamed');
SELECT audit.disable('renamed', 'test');
UPDATE renamed SET other = 'unseen' WHERE order_id = 1;
SELECT audit.enable('renamed');
SELECT * FROM findings('renamed');
-- another key: what was recorded under the former one tells nothing, until there is a baseline
ALTER TABLE renamed DROP CONSTRAINT moved_pkey, ADD PRIMARY KEY (order_id, total);
UPDATE renamed SET other = 'x' WHERE order_id = 3;
DELETE FROM renamed WHERE order_id = 4;
SELECT * FROM findings('renamed');
SELECT audit.record_baseline('renamed');
UPDATE renamed SET total = 3;
SELECT * FROM findings('renamed');
-- rows that come and go with children
CREATE TABLE child (LIKE renamed);
INSERT INTO child VALUES (30, 'child', 1, 1, ''), (31, 'child', 2, 2, '');
ALTER TABLE child INHERIT renamed;
UPDATE child SET other = 'changed' WHERE order_id = 30;
SELECT * FROM findings('renamed');
SELECT audit.record_baseline('renamed');
SELECT * FROM findings('renamed');
ALTER TABLE child NO INHERIT renamed;
SELECT * FROM findings('renamed');
SELECT * FROM findings('child');
-- without a key: of two rows alike one leaves with its child, and the other is deleted later
CREATE TABLE alike (v int);
CREATE TABLE alike_child () INHERITS (alike);
SELECT audit.enable('alike');
INSERT INTO alike VALUES (1);
INSERT INTO alike_child VALUES (1);
DROP TABLE alike_child;
DELETE FROM alike;
SELECT * FROM audit.reconcile('alike');

-- who may
CREATE ROLE reconcile_auditor;
GRANT USAGE ON SCHEMA reconcile TO reconcile_auditor;
GRANT EXECUTE ON FUNCTION audit.reconcile(regclass) TO reconcile_auditor;
SET ROLE reconcile_auditor;
SELECT audit.reconcile('items');
RESET ROLE;
GRANT SELECT ON items TO reconcile_auditor;
SET ROLE reconcile_auditor;
SELECT finding, detail FROM audit.reconcile('items');
RESET ROLE;
ALTER TABLE items ENABLE ROW LEVEL SECURITY;
SET ROLE reconcile_auditor;
SELECT audit.reconcile('items');
RESET ROLE;

SET client_min_messages = warning;
DROP OWNED BY reconcile_auditor;
DROP ROLE reconcile_auditor;
DROP SCHEMA reconcile CASCADE;

-- Rows of the configuration that came with the extension are older than the trail; those that users made are in it.
SELECT r.finding, r.record_key, regexp_replace(r.detail, '[0-9]+', 'N') AS detail
FROM unnest('{audit.context,audit.category,audit.event_type,audit.event_map}'::regclass[]) WITH ORDINALITY AS t(target, n), audit.reconcile(t.target) r ORDER BY t.n, r.record_key;
BEGIN;
-- With a baseline they are compared too.
SELECT audit.record_baseline('audit.category') = count(*) AS all_of_them FROM audit.category;
SELECT finding, detail FROM audit.reconcile('audit.category');
ROLLBACK;
