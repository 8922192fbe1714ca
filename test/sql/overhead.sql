-- audit.overhead(): measures on the rows of a table, and leaves neither event nor change.
CREATE SCHEMA overhead;
SET search_path = overhead;

CREATE TABLE items (id int PRIMARY KEY, kind text NOT NULL DEFAULT 'same', name text NOT NULL CHECK (name ~ '^item'), price numeric UNIQUE, gone int);
ALTER TABLE items DROP gone, ADD stock int DEFAULT 7;
SELECT audit.overhead('items');
SELECT audit.enable('items');
SELECT operation, rows, events, microseconds IS NULL, event_bytes IS NULL, wal_bytes IS NULL, left_behind FROM audit.overhead('items');
INSERT INTO items SELECT i, 'same', 'item ' || i, i + 0.5 FROM generate_series(1, 100) i;

CREATE VIEW counted AS SELECT count(*) AS events FROM audit.events WHERE table_schema = 'overhead' AND action <> 'alter';

-- none of the table's own triggers and constraints is met
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''called''; END';
CREATE TRIGGER refuse BEFORE INSERT OR UPDATE OR DELETE ON items FOR EACH ROW EXECUTE FUNCTION refuse();
SELECT audit.alert_when('price changed', 'items', '{price}');
SELECT pg_relation_size('items') AS size_before, txid_current() AS alone \gset
SELECT operation, rows, events, microseconds BETWEEN 0.01 AND 100000 AS took, wal_bytes > event_bytes AS logged,
	left_behind = 5 * events * event_bytes AS behind
FROM audit.overhead('items');
SELECT pg_relation_size('items') = :size_before AS untouched, n_dead_tup FROM pg_stat_user_tables WHERE relid = 'items'::regclass;
SELECT * FROM counted;
SELECT count(*) FROM audit.alert WHERE rule_name = 'price changed';
SELECT operation, rows, events FROM audit.overhead('items', 10);
SELECT operation, rows, events FROM audit.overhead('items', columns => '{kind}');
DROP TRIGGER refuse ON items;

-- bytes are those of real events
CREATE FUNCTION real_bytes(first int) RETURNS float8 LANGUAGE sql AS $$
	SELECT avg(pg_column_size(e.*) + 4)::float8 FROM audit.event e WHERE e.tx_id = audit.current_tx_id() AND e.ordinal > first $$;
SELECT event_bytes AS update_bytes FROM audit.overhead('items', columns => '{name}') WHERE operation = 'update' \gset
BEGIN;
UPDATE items SET name = 'item ' || id % 100 + 1;
SELECT abs(real_bytes(0) - :update_bytes) < 0.01 AS as_updated;
SELECT event_bytes AS delete_bytes FROM audit.overhead('items') WHERE operation = 'delete' \gset
DELETE FROM items;
SELECT abs(real_bytes(100) - :delete_bytes) < 0.01 AS as_deleted;
SELECT ordinal FROM audit.event WHERE tx_id = audit.current_tx_id() ORDER BY ordinal DESC LIMIT 1;
ROLLBACK;

-- in a transaction with events, whose chain it leaves alone
BEGIN;
UPDATE items SET price = -1 WHERE id = 1;
SAVEPOINT a;
SELECT count(*) FROM audit.overhead('items');
UPDATE items SET price = -2 WHERE id = 2;
SELECT count(*) FROM audit.overhead('items', 0);
ROLLBACK TO a;
SELECT count(*) FROM audit.overhead('items');
UPDATE items SET price = -3 WHERE id = 3;
COMMIT;
SELECT ordinal, resource_id, statement, new_values FROM audit.events WHERE table_schema = 'overhead' AND action = 'update' ORDER BY tx_id, ordinal;

-- changes that the policy leaves out cost no event
CREATE TABLE few (id int PRIMARY KEY, price numeric, note text);
INSERT INTO few SELECT i, i, 'n' || i FROM generate_series(1, 10) i;
SELECT audit.enable('few', ignore => '{note}', "when" => '$.new.price > 5');
SELECT operation, rows, events FROM audit.overhead('few');
SELECT operation, rows, events FROM audit.overhead('few', columns => '{note}') WHERE operation = 'update';

CREATE TABLE parts (id int, name text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
CREATE TABLE parts_2 (name text, id int NOT NULL);
ALTER TABLE parts ATTACH PARTITION parts_2 FOR VALUES FROM (10) TO (1000000);
INSERT INTO parts SELECT i, 'part ' || i FROM generate_series(1, 2000) i;
SELECT audit.enable('parts');
SELECT operation, rows, events FROM audit.overhead('parts', 2000);
SELECT audit.overhead('parts_1');

-- refused
SELECT audit.overhead('items', max_rows => NULL);
SELECT audit.overhead('items', 100001);
SELECT audit.overhead('items', columns => '{price,no}');
SELECT audit.overhead('items', columns => '{gone}');
BEGIN READ ONLY;
SELECT audit.overhead('items');
ROLLBACK;
CREATE ROLE regress_overhead;
GRANT USAGE ON SCHEMA audit, overhead TO regress_overhead;
GRANT SELECT ON items TO regress_overhead;
SET ROLE regress_overhead;
SELECT audit.overhead('items');
RESET ROLE;
GRANT EXECUTE ON FUNCTION audit.overhead TO regress_overhead;
SET ROLE regress_overhead;
SELECT audit.overhead('items');
RESET ROLE;

SELECT finding, object FROM audit.verify();
DROP OWNED BY regress_overhead;
DROP ROLE regress_overhead;
SELECT count(audit.disable(t, 'test over')) FROM unnest('{items,few,parts}'::regclass[]) t;
SELECT audit.alert_drop('price changed');
DROP SCHEMA overhead CASCADE;
