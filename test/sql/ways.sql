-- Each way in which a row can change, and what is told of it; the trail of each table leads to its rows.
SELECT audit.init() IS NOT NULL AS ready;
CREATE SCHEMA ways;
SET search_path = ways;
CREATE FUNCTION told(which regclass, OUT tx int, OUT ordinal int, OUT op "char", OUT record_key text,
	OUT old_values text, OUT new_values text, OUT extra text) RETURNS SETOF record
LANGUAGE sql AS $$
	SELECT dense_rank() OVER (ORDER BY e.tx_id)::int, e.ordinal, e.op, e.record_key, e.old_values::text, e.new_values::text, e.extra::text
	FROM audit.event e JOIN audit.policy p USING (target_id) WHERE p.target = which ORDER BY e.tx_id, e.ordinal
$$;

-- MERGE: every arm, with and without condition, inserted and matched in one statement
CREATE TABLE stock (item text PRIMARY KEY, n int, doubled int GENERATED ALWAYS AS (n * 2) STORED);
SELECT audit.enable('stock');
INSERT INTO stock VALUES ('add', 1), ('drop', 1), ('keep', 1), ('same', 1);
MERGE INTO stock s USING (VALUES ('add', 5), ('drop', 0), ('keep', 7), ('same', 1), ('new', 3), ('none', 0)) d(item, n) ON s.item = d.item
WHEN MATCHED AND d.n = 0 THEN DELETE
WHEN MATCHED AND d.n = 7 THEN DO NOTHING
WHEN MATCHED THEN UPDATE SET n = d.n
WHEN NOT MATCHED AND d.n = 0 THEN DO NOTHING
WHEN NOT MATCHED THEN INSERT VALUES (d.item, d.n);
SELECT * FROM told('stock') WHERE tx > 1;

-- COPY, also into a table that is made in the same transaction, whose rows are frozen
CREATE VIEW stock_in AS SELECT item, n FROM stock;
COPY stock (item, n) FROM stdin WHERE n > 1;
copied	2
left out	1
\.
CREATE FUNCTION through_view() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO ways.stock VALUES (NEW.item || '!', NEW.n); RETURN NEW; END $$;
CREATE TRIGGER through INSTEAD OF INSERT ON stock_in FOR EACH ROW EXECUTE FUNCTION through_view();
COPY stock_in FROM stdin (FORMAT csv);
view,4
\.
SELECT record_key, new_values, extra FROM told('stock') WHERE tx > 2;
BEGIN;
CREATE TABLE frozen (id int PRIMARY KEY, v text);
SELECT audit.enable('frozen');
COPY frozen FROM stdin (FREEZE);
1	one
2	two
\.
COMMIT;
BEGIN;
TRUNCATE frozen;
COPY frozen FROM stdin (FREEZE);
3	three
\.
COMMIT;
SELECT * FROM told('frozen');

-- ON CONFLICT: both arms, none, and an update that no row passes
CREATE TABLE upsert (id int PRIMARY KEY, u int UNIQUE, v text DEFAULT 'default');
SELECT audit.enable('upsert');
INSERT INTO upsert VALUES (1, 10), (2, 20);
INSERT INTO upsert VALUES (1, 11, 'x'), (3, 30, 'x') ON CONFLICT (id) DO UPDATE SET v = excluded.v || upsert.v, u = DEFAULT;
INSERT INTO upsert VALUES (4, 20, 'y') ON CONFLICT DO NOTHING;
INSERT INTO upsert VALUES (2, 20, 'z') ON CONFLICT (id) DO UPDATE SET v = 'z' WHERE upsert.v = 'nobody';
INSERT INTO upsert VALUES (9, 20, 'moved') ON CONFLICT (u) DO UPDATE SET id = excluded.id;
SELECT * FROM told('upsert');

-- the row that a cursor stands on
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM upsert ORDER BY id FOR UPDATE;
MOVE 2 FROM c;
UPDATE upsert SET v = 'current' WHERE CURRENT OF c;
FETCH 1 FROM c;
DELETE FROM upsert WHERE CURRENT OF c;
COMMIT;
SELECT * FROM told('upsert') WHERE tx = 4;

-- views: simple ones, with a check, with rules, with INSTEAD OF triggers
CREATE TABLE goods (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text, price numeric, seen int DEFAULT 0);
SELECT audit.enable('goods');
CREATE VIEW cheap AS SELECT id, name, price FROM goods WHERE price < 10 WITH CHECK OPTION;
INSERT INTO cheap (name, price) VALUES ('pen', 1), ('ink', 9);
UPDATE cheap SET price = price + 1;
UPDATE cheap SET price = price + 0.5 WHERE id = 1;
DELETE FROM cheap WHERE id = 2;
CREATE VIEW ruled AS SELECT * FROM goods;
CREATE RULE i AS ON INSERT TO ruled DO INSTEAD INSERT INTO goods (name, price) VALUES (NEW.name, NEW.price), (NEW.name || '''', NEW.price) RETURNING *;
CREATE RULE u AS ON UPDATE TO ruled DO INSTEAD (UPDATE goods SET seen = seen + 1 WHERE id = OLD.id; UPDATE goods SET name = NEW.name WHERE id = OLD.id);
CREATE RULE d AS ON DELETE TO ruled DO INSTEAD UPDATE goods SET price = NULL WHERE id = OLD.id;
INSERT INTO ruled (name, price) VALUES ('cup', 3) RETURNING id, name;
UPDATE ruled SET name = 'mug' WHERE id = 1;
DELETE FROM ruled WHERE id = 1;
CREATE RULE also AS ON UPDATE TO stock WHERE NEW.n > 100 DO ALSO INSERT INTO goods (name, price) VALUES (NEW.item, NEW.n);
CREATE RULE nothing AS ON DELETE TO stock WHERE OLD.item = 'add' DO INSTEAD NOTHING;
UPDATE stock SET n = 101 WHERE item = 'new';
DELETE FROM stock WHERE item IN ('add', 'new');
SELECT * FROM told('goods');
SELECT op, record_key FROM told('stock') WHERE tx > 4;
DROP RULE also ON stock;
DROP RULE nothing ON stock;

-- identity columns, given and overridden; generated ones follow; SELECT INTO and CREATE TABLE AS are none of ours
INSERT INTO goods OVERRIDING SYSTEM VALUE VALUES (100, 'given', 1);
INSERT INTO goods OVERRIDING USER VALUE VALUES (200, 'overridden', 1) RETURNING id;
UPDATE goods SET id = DEFAULT WHERE id = 100;
SELECT op, record_key, old_values, new_values FROM told('goods') WHERE tx > (SELECT max(tx) - 3 FROM told('goods'));

-- foreign keys: actions that lead to actions, in columns of the same table too
CREATE TABLE land (code text PRIMARY KEY);
CREATE TABLE town (land text REFERENCES land ON UPDATE CASCADE ON DELETE CASCADE, name text, twin_land text, twin text, PRIMARY KEY (land, name),
	FOREIGN KEY (twin_land, twin) REFERENCES town ON UPDATE CASCADE ON DELETE SET NULL (twin));
CREATE TABLE street (id int PRIMARY KEY, land text DEFAULT 'XX', town text DEFAULT 'nowhere',
	FOREIGN KEY (land, town) REFERENCES town ON UPDATE CASCADE ON DELETE SET DEFAULT);
CREATE TABLE house (id int PRIMARY KEY, land text, town text, street int REFERENCES street ON DELETE CASCADE,
	FOREIGN KEY (land, town) REFERENCES town ON DELETE SET DEFAULT (town) ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED);
ALTER TABLE house ALTER town SET DEFAULT 'nowhere';
SELECT audit.enable(t) FROM unnest('{land,town,street,house}'::regclass[]) t;
INSERT INTO land VALUES ('XX'), ('A'), ('B');
INSERT INTO town VALUES ('XX', 'nowhere', NULL, NULL), ('B', 'nowhere', NULL, NULL), ('A', 'a', 'XX', 'nowhere'), ('B', 'b', 'A', 'a'), ('B', 'c', 'B', 'b');
INSERT INTO street VALUES (1, 'A', 'a'), (2, 'B', 'b');
INSERT INTO house VALUES (1, 'B', 'b', 2), (2, 'B', 'c', 2), (3, 'A', 'a', 1), (4, 'B', 'b', NULL);
UPDATE land SET code = 'Q' WHERE code = 'A';
DELETE FROM town WHERE name = 'b';
DELETE FROM street WHERE id = 1;
DELETE FROM house WHERE land = 'Q';
DELETE FROM land WHERE code = 'Q';
SELECT dense_rank() OVER (ORDER BY e.tx_id) AS tx, e.ordinal, t.table_name, e.op, e.record_key, e.old_values, e.new_values,
	e.extra->'trigger_depth' AS depth
FROM audit.event e JOIN audit.target t USING (target_id)
WHERE t.table_schema = 'ways' AND t.table_name IN ('land', 'town', 'street', 'house') AND (e.op <> 'I') ORDER BY e.tx_id, e.ordinal;

-- TRUNCATE that spreads, also taken back
BEGIN;
TRUNCATE land CASCADE;
ROLLBACK;
TRUNCATE street RESTART IDENTITY CASCADE;
TRUNCATE land CASCADE;
SELECT dense_rank() OVER (ORDER BY e.tx_id) AS tx, e.ordinal, t.table_name, e.extra FROM audit.event e JOIN audit.target t USING (target_id)
WHERE t.table_schema = 'ways' AND t.table_name IN ('land', 'town', 'street', 'house') AND e.op = 'T' ORDER BY e.tx_id, e.ordinal;

-- triggers: before ones that change or suppress, after ones that change the same row and others, deferred ones at the commit
CREATE TABLE job (id int PRIMARY KEY, v int, note text);
SELECT audit.enable('job');
CREATE TABLE job_log (n int GENERATED ALWAYS AS IDENTITY, id int, v int);
SELECT audit.enable('job_log');
CREATE FUNCTION job_before() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_OP = 'DELETE' THEN
		RETURN CASE WHEN OLD.note = 'stays' THEN NULL ELSE OLD END;
	END IF;
	IF NEW.v < 0 THEN
		RETURN NULL;
	END IF;
	NEW.note := coalesce(NEW.note, 'noted');
	RETURN NEW;
END $$;
CREATE TRIGGER job_before BEFORE INSERT OR UPDATE OR DELETE ON job FOR EACH ROW EXECUTE FUNCTION job_before();
CREATE FUNCTION job_after() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.v % 10 <> 0 THEN
		UPDATE ways.job SET v = v + 1 WHERE id = NEW.id;
	END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER job_after AFTER INSERT OR UPDATE ON job FOR EACH ROW EXECUTE FUNCTION job_after();
CREATE FUNCTION job_end() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO ways.job_log (id, v) VALUES (NEW.id, NEW.v);
	DELETE FROM ways.job WHERE id = NEW.id AND v = 20;
	RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER job_end AFTER INSERT OR UPDATE ON job DEFERRABLE INITIALLY DEFERRED
	FOR EACH ROW WHEN (NEW.v % 10 = 0) EXECUTE FUNCTION job_end();
CREATE FUNCTION job_statement() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE ways.job_log SET v = v + (SELECT count(*) FROM gone);
	RETURN NULL;
END $$;
CREATE TRIGGER job_statement AFTER DELETE ON job REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION job_statement();
BEGIN;
INSERT INTO job VALUES (1, 8, NULL), (2, -1, NULL), (3, 10, 'stays');
UPDATE job SET v = -5 WHERE id = 3;
UPDATE job SET v = 20, note = NULL WHERE id = 1;
DELETE FROM job WHERE id = 3;
COMMIT;
SELECT e.ordinal, t.table_name, e.op, e.record_key, e.old_values, e.new_values, e.extra->'trigger_depth' AS depth
FROM audit.event e JOIN audit.target t USING (target_id)
WHERE t.table_schema = 'ways' AND t.table_name ~ '^job' ORDER BY e.tx_id, e.ordinal;

-- row security: who writes a row that may not be read back, and who sees only some of the rows
CREATE ROLE ways_clerk;
GRANT USAGE ON SCHEMA ways TO ways_clerk;
CREATE TABLE secret (id int PRIMARY KEY, owner text, v int);
SELECT audit.enable('secret');
ALTER TABLE secret ENABLE ROW LEVEL SECURITY;
CREATE POLICY writes ON secret FOR INSERT TO ways_clerk WITH CHECK (true);
CREATE POLICY changes ON secret FOR UPDATE TO ways_clerk USING (owner = 'clerk') WITH CHECK (true);
CREATE POLICY sees ON secret FOR SELECT TO ways_clerk USING (owner = 'clerk');
GRANT INSERT, UPDATE (v), SELECT (v) ON secret TO ways_clerk;
SET ROLE ways_clerk;
INSERT INTO ways.secret VALUES (1, 'boss', 1), (2, 'clerk', 1);
UPDATE ways.secret SET v = v + 1;
RESET ROLE;
ALTER TABLE secret FORCE ROW LEVEL SECURITY;
UPDATE secret SET v = v + 1;
SELECT * FROM told('secret');

-- partitions at two levels, some with a trigger that tells something between the two halves of a move, with other places of the columns, some of which were dropped; directly too
CREATE FUNCTION part_before() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE ways.part SET a = 'between' WHERE id = 5;
	RETURN NEW;
END $$;
CREATE TABLE part (id int, a text, region int, v int, PRIMARY KEY (id, region)) PARTITION BY RANGE (region);
CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (10);
CREATE TABLE part_2 (v int, x int, region int NOT NULL, a text, id int NOT NULL) PARTITION BY LIST (region);
ALTER TABLE part_2 DROP COLUMN x;
CREATE TABLE part_2a (y int, a text, region int NOT NULL, id int NOT NULL, z int, v int);
ALTER TABLE part_2a DROP COLUMN y, DROP COLUMN z;
ALTER TABLE part_2 ATTACH PARTITION part_2a FOR VALUES IN (15);
CREATE TABLE part_2b PARTITION OF part_2 DEFAULT;
ALTER TABLE part ATTACH PARTITION part_2 FOR VALUES FROM (10) TO (30);
SELECT audit.enable('part');
CREATE TRIGGER part_before BEFORE INSERT ON part_2b FOR EACH ROW WHEN (NEW.v > 100) EXECUTE FUNCTION part_before();
INSERT INTO part VALUES (1, 'x', 5, 1), (2, 'y', 15, 2);
INSERT INTO part_2 (id, a, region, v) VALUES (3, 'z', 15, 3);
INSERT INTO part_2a (id, a, region, v) VALUES (4, 'z', 15, 4);
COPY part_2b (id, a, region, v) FROM stdin;
5	c	20	5
\.
UPDATE part_2 SET v = v * 10;
UPDATE part SET region = 15, v = v + 1 WHERE id = 1;
UPDATE part_2 SET region = 20 WHERE id = 2;
UPDATE part SET region = 22, v = 101 WHERE id = 4;
DELETE FROM part_2a WHERE id = 3;
SELECT * FROM told('part');

-- no key and equal rows; names that system columns have elsewhere, and names that need care in JSON
CREATE TABLE heap (a int, b text);
SELECT audit.enable('heap');
INSERT INTO heap VALUES (1, 'x'), (1, 'x'), (NULL, NULL), (NULL, NULL);
UPDATE heap SET b = 'y' WHERE ctid = '(0,2)';
DELETE FROM heap WHERE ctid = '(0,1)' OR a IS NULL;
SELECT * FROM told('heap');
CREATE TABLE odd ("oid" int, "OLD" text, "new" int, "a""b" int, " " text, "ünï" int, "values" int, "select" int, "{}\" text, PRIMARY KEY ("OLD", " "));
SELECT audit.enable('odd');
INSERT INTO odd VALUES (1, 'k', 2, 3, ' ', 4, 5, 6, '\');
UPDATE odd SET "new" = 9, "OLD" = '"', "{}\" = NULL;
DELETE FROM odd;
SELECT * FROM told('odd');
CREATE TABLE none ();
SELECT audit.enable('none');
INSERT INTO none DEFAULT VALUES;
DELETE FROM none;
SELECT * FROM told('none');

-- a table of the widest kind
DO $$ BEGIN
	EXECUTE 'CREATE TABLE wide (c1 int PRIMARY KEY, ' || (SELECT string_agg('c' || i || ' bool', ', ') FROM generate_series(2, 1600) i) || ')';
END $$;
SELECT audit.enable('wide');
INSERT INTO wide (c1, c1600) VALUES (1, true);
UPDATE wide SET c2 = false, c1599 = true;
DELETE FROM wide;
SELECT op, record_key, length(old_values) AS old, length(new_values) AS new, right(coalesce(new_values, old_values), 30) AS ending FROM told('wide');

-- from this database to itself as a client
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS postgres_fdw;
RESET client_min_messages;
SELECT current_setting('unix_socket_directories') AS host, current_setting('port') AS port,
	current_database() AS dbname, current_user AS me \gset
CREATE SERVER loop FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host :'host', port :'port', dbname :'dbname');
CREATE USER MAPPING FOR CURRENT_USER SERVER loop OPTIONS (user :'me');
CREATE FOREIGN TABLE far (id int, b text OPTIONS (column_name 'v')) SERVER loop OPTIONS (schema_name 'ways', table_name 'frozen');
INSERT INTO far VALUES (10, 'far'), (11, 'far');
UPDATE far SET b = 'farther' WHERE id = 10;
DELETE FROM far WHERE id = 11 AND random() < 2;
TRUNCATE far;
SELECT * FROM told('frozen') WHERE tx > 2;
SET client_min_messages = warning;
DROP EXTENSION postgres_fdw CASCADE;
RESET client_min_messages;

-- every trail leads to its table
ALTER TABLE secret NO FORCE ROW LEVEL SECURITY;
SELECT c.relname, r.finding, r.detail FROM audit.policy p JOIN pg_class c ON c.oid = p.target, audit.reconcile(p.target) r
WHERE c.relnamespace = 'ways'::regnamespace ORDER BY c.relname;
SELECT finding, object FROM audit.verify();
SET client_min_messages = warning;
DROP SCHEMA ways CASCADE;
DROP ROLE ways_clerk;
