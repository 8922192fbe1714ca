-- Partitions and children that come to an audited table, leave it and come back: no change is lost.
SELECT audit.init() IS NOT NULL AS ready;
CREATE SCHEMA pt;
SET search_path = pt, public;
CREATE FUNCTION told(which text, OUT tbl text, OUT event_type text, OUT key text, OUT old_values text, OUT new_values text, OUT extra text)
RETURNS SETOF record LANGUAGE sql AS $$
	SELECT table_name, event_type, resource_id, old_values::text, new_values::text, extra::text
	FROM audit.events WHERE resource_type = which AND table_schema = 'pt' ORDER BY tx_id, ordinal
$$;
CREATE VIEW triggers AS SELECT tgrelid::regclass::text AS relation, string_agg(substr(tgname, 10) || tgenabled::text, ' ' ORDER BY tgname) AS triggers
FROM pg_trigger WHERE tgname ~ '^00_audit_' GROUP BY 1 ORDER BY 1;

-- whoever owns the table makes partitions of it, at any level, without rights on the audit trail
CREATE ROLE pt_owner;
GRANT ALL ON SCHEMA pt TO pt_owner;
SET ROLE pt_owner;
CREATE TABLE part (id int, at date, v int, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM ('2026-01-01') TO ('2026-07-01');
RESET ROLE;
SELECT audit.enable('part');
SET ROLE pt_owner;
CREATE TABLE part_2 PARTITION OF part FOR VALUES FROM ('2026-07-01') TO ('2027-01-01') PARTITION BY HASH (id);
CREATE TABLE part_2a PARTITION OF part_2 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE part_2b PARTITION OF part_2 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE part_3 (v int, gone int, at date NOT NULL, id int NOT NULL);
ALTER TABLE part_3 DROP COLUMN gone;
INSERT INTO part_3 VALUES (1, '2027-02-02', 9);
ALTER TABLE part ATTACH PARTITION part_3 FOR VALUES FROM ('2027-01-01') TO ('2028-01-01');
SELECT * FROM triggers WHERE relation ~ '^part';

-- rows, also directly, and TRUNCATE of one partition
INSERT INTO part VALUES (1, '2026-02-02', 1), (2, '2026-08-08', 2), (3, '2026-08-08', 3);
INSERT INTO part_2b VALUES (3, '2026-09-09', 4);
TRUNCATE part_2a;
TRUNCATE part_2;

-- an update that moves a row: a delete and an insert, which say so
INSERT INTO part VALUES (3, '2026-08-08', 3);
UPDATE part SET at = '2026-08-01', v = 10 WHERE id = 1;
UPDATE part SET at = at + 365 WHERE id = 1 OR id = 3;
MERGE INTO part p USING (VALUES (9), (10)) s(id) ON p.id = s.id
WHEN MATCHED THEN UPDATE SET at = '2026-03-03' WHEN NOT MATCHED THEN INSERT VALUES (10, '2026-03-03', 1);

-- detached, it goes on by itself; attached again, it is again a part
ALTER TABLE part DETACH PARTITION part_3;
UPDATE part_3 SET v = 7 WHERE id = 1;
TRUNCATE part_3;
INSERT INTO part_3 (id, at, v) VALUES (9, '2027-02-02', 1);
ALTER TABLE part ATTACH PARTITION part_3 FOR VALUES FROM ('2027-01-01') TO ('2028-01-01');
UPDATE part SET v = 8 WHERE id = 9 AND at > '2027-01-01';
TRUNCATE part_3;
ALTER TABLE part DETACH PARTITION part_2 CONCURRENTLY;
INSERT INTO part_2 VALUES (5, '2026-08-08', 5);
DROP TABLE part_3;
RESET ROLE;
SELECT * FROM triggers WHERE relation ~ '^part';
SELECT * FROM told('part');
SELECT target, key_columns, enabled, reason FROM audit.policy WHERE target::text ~ '^part' ORDER BY target::text;
-- not audited any more, it leaves without a policy
SELECT audit.disable('part', 'test');
ALTER TABLE part DETACH PARTITION part_1;
SELECT * FROM triggers WHERE relation ~ '^part';

-- partitions cannot have triggers of their own beside those of their table, nor be unlogged
CREATE TABLE up (id int) PARTITION BY LIST (id);
CREATE TABLE up_1 (id int);
SELECT audit.enable('up_1');
ALTER TABLE up ATTACH PARTITION up_1 FOR VALUES IN (1);
INSERT INTO up VALUES (1);
SELECT audit.enable('up');
SELECT audit.disable('up_1', 'audited with its table');
SELECT audit.enable('up');
INSERT INTO up VALUES (1);
CREATE UNLOGGED TABLE up_2 PARTITION OF up FOR VALUES IN (2);
ALTER TABLE up_1 SET UNLOGGED;
CREATE UNLOGGED TABLE up_3 (id int);
ALTER TABLE up ATTACH PARTITION up_3 FOR VALUES IN (3);
SELECT * FROM told('up_1');
SELECT * FROM told('up');

-- children are captured by their parent's policy
CREATE TABLE par (id int PRIMARY KEY, v int);
CREATE TABLE ch (x text) INHERITS (par);
SELECT audit.enable('par');
CREATE TABLE ch2 (y text) INHERITS (par);
CREATE TABLE ch3 (z text) INHERITS (ch);
CREATE TEMP TABLE chtemp () INHERITS (par);
SELECT * FROM triggers WHERE relation ~ '^(par$|ch)';
INSERT INTO par VALUES (1, 0);
INSERT INTO ch VALUES (1, 1, 'a');
INSERT INTO ch2 VALUES (2, 2, 'b');
INSERT INTO ch3 VALUES (3, 3, 'a', 'b');
INSERT INTO chtemp VALUES (4, 4);
UPDATE par SET v = v + 1 WHERE id < 4;
DELETE FROM ch WHERE id = 3;
TRUNCATE par;
DROP TABLE chtemp;
-- a column that comes to all
ALTER TABLE par ADD COLUMN w int;
INSERT INTO ch (id, w) VALUES (5, 5);
ALTER TABLE ch NO INHERIT par;
INSERT INTO ch VALUES (1, 1, 'a');
INSERT INTO ch3 (id) VALUES (6);
CREATE TABLE late (w int, v int, id int NOT NULL);
ALTER TABLE late INHERIT par;
INSERT INTO late (id, v) VALUES (7, 7);
SELECT * FROM told('par');
-- a child's own policy goes before its parent's
SELECT audit.disable('ch', 'test');
INSERT INTO ch (id) VALUES (8);
SELECT * FROM triggers WHERE relation ~ '^(par$|ch|late)';
ALTER TABLE ch INHERIT par;
SELECT audit.enable('ch', resource_type => 'own', operations => '{insert}');
INSERT INTO ch (id) VALUES (9);
SELECT * FROM triggers WHERE relation ~ '^(par$|ch|late)';
SELECT "check", status FROM audit.doctor() WHERE "check" = 'capture';
SELECT audit.disable('ch', 'test');
SELECT * FROM triggers WHERE relation ~ '^(par$|ch|late)';
SELECT * FROM told('own');
SELECT event_type, extra FROM told('par') OFFSET 24;

SELECT finding, object FROM audit.verify();
RESET search_path;
SET client_min_messages = warning;
DROP SCHEMA pt CASCADE;
DROP ROLE pt_owner;
