-- TRUNCATE: each row that a table loses is told, as it was when it was lost, and then the table.
SELECT audit.init() IS NOT NULL AS ready;
CREATE SCHEMA tr;
SET search_path = tr, public;

CREATE FUNCTION told() RETURNS TABLE (tx bigint, n int, relation text, op "char", key text, old text, extra text)
LANGUAGE sql AS $$
	SELECT dense_rank() OVER (ORDER BY e.tx_id), e.ordinal, g.table_name, e.op, e.record_key, e.old_values::text, e.extra::text
	FROM audit.event e JOIN audit.target g USING (target_id)
	WHERE g.table_schema = 'tr' AND e.tx_id > coalesce(current_setting('tr.since', true)::bigint, 0)
	ORDER BY e.tx_id, e.ordinal
$$;
-- what comes after this is told
CREATE PROCEDURE forget() LANGUAGE sql AS $$ SELECT set_config('tr.since', max(tx_id)::text, false) FROM audit.event $$;

CREATE TABLE orders (id int PRIMARY KEY, v text);
CREATE TABLE heap (v text);
CREATE TABLE counted (id int PRIMARY KEY, v text);
CREATE TABLE kept (id int PRIMARY KEY);
SELECT audit.enable('orders');
SELECT audit.enable('heap');
SELECT audit.enable('counted', truncate => 'count');
SELECT audit.enable('kept', operations => '{insert,update,delete}');
SELECT audit.enable('kept', truncate => 'none');
SELECT target, truncate FROM audit.policy WHERE target::text ~ '^(orders|counted)$' ORDER BY 1;
SELECT audit.enable('counted');

-- rows with and without key, counted rows, and a table whose TRUNCATE is not recorded
INSERT INTO orders VALUES (1, 'a'), (2, repeat('b', 3));
INSERT INTO heap VALUES ('x'), ('x'), (NULL);
INSERT INTO counted VALUES (1, 'a'), (2, 'b');
INSERT INTO kept VALUES (1);
CALL forget();
TRUNCATE orders, heap;
TRUNCATE counted, kept;
TRUNCATE orders;
SELECT * FROM told();
SELECT action, resource_id, old_values FROM audit.history('orders', '1');
SELECT action, resource_id, old_values FROM audit.history('counted', '1');
SELECT event_type, action, resource_id FROM audit.events WHERE table_schema = 'tr' AND action = 'truncate'
	AND table_name = 'orders' ORDER BY tx_id, ordinal;

-- rows that triggers change before the table is emptied: its own, by names before and after ours,
-- and those of tables that are emptied with it
CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE TG_ARGV[0];
	RETURN NULL;
END $$;
INSERT INTO orders VALUES (1, 'a'), (2, 'b'), (3, 'c');
INSERT INTO heap VALUES ('x');
CREATE TRIGGER "!first" BEFORE TRUNCATE ON orders EXECUTE FUNCTION meddle('INSERT INTO tr.orders VALUES (4, ''d'')');
CREATE TRIGGER "zzz" BEFORE TRUNCATE ON orders EXECUTE FUNCTION meddle('UPDATE tr.orders SET v = ''new'' WHERE id = 1');
CREATE TRIGGER "meddle" BEFORE TRUNCATE ON heap EXECUTE FUNCTION meddle('DELETE FROM tr.orders WHERE id = 2; INSERT INTO tr.orders VALUES (5, ''e'')');
CREATE TRIGGER "after" AFTER TRUNCATE ON heap EXECUTE FUNCTION meddle('INSERT INTO tr.orders VALUES (6, ''f'')');
CALL forget();
TRUNCATE orders, heap;
SELECT * FROM told();
SELECT action, resource_id FROM audit.history('orders', '5');
SELECT * FROM audit.reconcile('orders');
DROP TRIGGER "!first" ON orders;
DROP TRIGGER "meddle" ON heap;
DROP TRIGGER "after" ON heap;

-- what they do to the table's entry in the relcache makes no difference
DROP TRIGGER "zzz" ON orders;
CREATE TRIGGER "zzz" BEFORE TRUNCATE ON orders EXECUTE FUNCTION meddle('GRANT SELECT ON tr.orders TO PUBLIC; ANALYZE tr.heap');
CALL forget();
TRUNCATE orders;
SELECT * FROM told();
DROP TRIGGER "zzz" ON orders;

-- commands that fail leave nothing behind, whatever is done with the table then
CREATE TRIGGER "zzz" BEFORE TRUNCATE ON orders EXECUTE FUNCTION meddle('SELECT 1 / 0');
INSERT INTO orders VALUES (1, 'a');
CALL forget();
DO $$
BEGIN
	TRUNCATE tr.heap, tr.orders;
EXCEPTION WHEN division_by_zero THEN
	INSERT INTO tr.orders VALUES (2, 'b');
END $$;
TRUNCATE heap, orders;
DROP TRIGGER "zzz" ON orders;
CREATE INDEX by_v ON orders (v);
BEGIN;
TRUNCATE orders;
ROLLBACK;
BEGIN;
SAVEPOINT s;
TRUNCATE orders;
ROLLBACK TO s;
TRUNCATE orders;
INSERT INTO orders VALUES (3, 'c');
COMMIT;
SELECT * FROM told();
SELECT * FROM audit.reconcile('orders');

-- tables that were made, or emptied before, in the same transaction lose their rows at once
CALL forget();
BEGIN;
TRUNCATE orders;
INSERT INTO orders VALUES (4, 'd');
TRUNCATE orders;
CREATE TABLE young (id int PRIMARY KEY, v text);
INSERT INTO young VALUES (0, 'before');
SELECT audit.enable('young');
INSERT INTO young VALUES (1, 'a');
SAVEPOINT s;
INSERT INTO young VALUES (2, 'b');
ROLLBACK TO s;
TRUNCATE young;
INSERT INTO young VALUES (3, 'c');
COMMIT;
SELECT * FROM told();
SELECT * FROM audit.reconcile('young');

-- values that are stored out of line
DROP INDEX by_v;
ALTER TABLE orders ALTER v SET STORAGE EXTERNAL;
INSERT INTO orders VALUES (1, repeat('a', 10000));
CALL forget();
TRUNCATE orders;
SELECT n, op, key, length(old), extra FROM told();

-- referencing tables, several levels; one TRUNCATE within another; the depth is that of each
CREATE TABLE child (id int PRIMARY KEY, orders_id int REFERENCES orders);
CREATE TABLE grandchild (id int PRIMARY KEY, child_id int REFERENCES child);
SELECT audit.enable('child');
SELECT audit.enable('grandchild', resource_type => 'leaf');
CREATE TRIGGER "nested" BEFORE TRUNCATE ON child EXECUTE FUNCTION meddle('TRUNCATE tr.heap');
INSERT INTO orders VALUES (1, 'a');
INSERT INTO child VALUES (10, 1);
INSERT INTO grandchild VALUES (100, 10), (101, 10);
INSERT INTO heap VALUES ('x');
CALL forget();
TRUNCATE orders CASCADE;
SELECT * FROM told();
SELECT finding, live_value, trail_value, detail FROM audit.reconcile('grandchild');

-- partitions: each relation that is emptied has its event, which counts what is below it
CREATE TABLE part (id int, at int, PRIMARY KEY (id, at)) PARTITION BY LIST (at);
CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1);
CREATE TABLE part_2 PARTITION OF part FOR VALUES IN (2, 3) PARTITION BY LIST (at);
CREATE TABLE part_2a PARTITION OF part_2 FOR VALUES IN (2);
CREATE TABLE part_2b PARTITION OF part_2 FOR VALUES IN (3);
SELECT audit.enable('part');
INSERT INTO part VALUES (1, 1), (2, 2), (3, 3);
CALL forget();
TRUNCATE part_2;
SELECT * FROM told();
SELECT * FROM audit.reconcile('part');
INSERT INTO part VALUES (2, 2), (3, 3);
CALL forget();
TRUNCATE part_2a, part;
SELECT n, op, key, extra FROM told();
SELECT * FROM audit.reconcile('part');

-- children
CREATE TABLE par (id int PRIMARY KEY);
CREATE TABLE ch (v int) INHERITS (par);
SELECT audit.enable('par', truncate => 'count');
INSERT INTO par VALUES (1);
INSERT INTO ch VALUES (1, 1), (2, 2);
CALL forget();
TRUNCATE ONLY par;
TRUNCATE par;
SELECT * FROM told();

-- a row tells what its delete would tell: nothing that is concealed or left out
CREATE TABLE person (id int PRIMARY KEY, mail text, card text, phone text, twice text GENERATED ALWAYS AS (card || card) STORED,
	note text, customer int);
SELECT audit.enable('person', "only" => '{mail,card,phone,twice,customer}', personal => '{mail}', subject => 'customer',
	mask => '{card}', hash => '{phone}');
INSERT INTO person VALUES (1, 'secret-mail', 'secret-card', 'secret-phone', DEFAULT, 'secret-note', 42), (2, NULL, NULL, NULL, DEFAULT, NULL, NULL);
CALL forget();
TRUNCATE person;
SELECT n, op, key, regexp_replace(old, '[0-9a-f]{64}', 'HEX', 'g') AS old, regexp_replace(extra, '[0-9a-f]{32}', 'HEX', 'g') AS extra FROM told();
SELECT count(*) FROM told() t WHERE t::text ~ 'secret-';
SELECT c.* FROM audit.events e, LATERAL audit.check_personal(e.event_id, 'mail', 'secret-mail') c
WHERE e.table_name = 'person' AND e.action = 'truncate' AND e.resource_id = '1';
SELECT finding, live_value, trail_value, detail FROM audit.reconcile('person');
-- and only if "when" has its delete recorded; the number is that of all
CREATE TABLE dear (id int PRIMARY KEY, total int, fresh int) PARTITION BY LIST (id);
CREATE TABLE dear_1 PARTITION OF dear FOR VALUES IN (1, 2, 3);
SELECT audit.enable('dear', "when" => '$.old.total > 10 || $.new.fresh > 0', mask => '{total}');
INSERT INTO dear VALUES (1, 1, 1), (2, 11, 1), (3, NULL, 1);
CALL forget();
TRUNCATE dear;
INSERT INTO dear VALUES (1, 1, 0), (2, 11, 0), (3, NULL, 0);
DELETE FROM dear;
SELECT * FROM told();
SELECT audit.disable('dear', 'to count');
SELECT audit.enable('dear', "when" => '$.old.total > 10', truncate => 'count');
INSERT INTO dear VALUES (1, 1, 0), (2, 11, 0);
CALL forget();
TRUNCATE dear_1;
SELECT * FROM told();

-- counting many takes no events
INSERT INTO counted SELECT g, 'c' FROM generate_series(1, 1000) g;
CALL forget();
TRUNCATE counted;
SELECT * FROM told();

SELECT finding, object FROM audit.verify() WHERE finding <> 'summary';
SELECT status FROM audit.doctor() WHERE "check" = 'capture';
