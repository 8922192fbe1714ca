-- The rows that a table has already: audit.record_baseline(), and enable() with baseline.
CREATE SCHEMA baseline;
SET search_path = baseline;

CREATE TABLE items (id int PRIMARY KEY, name text);
INSERT INTO items SELECT i, 'item ' || i FROM generate_series(1, 4) i;
SELECT audit.record_baseline('items');
SELECT audit.enable('items');
SELECT finding, record_key, live_value, detail FROM audit.reconcile('items');
SELECT audit.record_baseline('items', 0);
SELECT audit.record_baseline('items', 2);
SELECT event_type, action, resource_id, old_values, new_values
FROM audit.events WHERE table_schema = 'baseline' ORDER BY tx_id, ordinal;
SELECT extra ? 'baseline', (extra #>> '{baseline,snapshot}')::pg_snapshot IS NOT NULL
FROM (SELECT audit.to_jsonb(extra) AS extra FROM audit.events WHERE table_schema = 'baseline' AND resource_id IS NULL) e;
SELECT action, resource_id, new_values FROM audit.history('items', '2');
UPDATE items SET name = 'changed' WHERE id = 1;
DELETE FROM items WHERE id = 2;
SELECT finding, record_key, trail_value, detail FROM audit.reconcile('items');

-- in the middle of a transaction: what came before is in it, what comes after is not
BEGIN;
INSERT INTO items VALUES (5, 'before');
UPDATE items SET id = 33 WHERE id = 3;
SELECT audit.record_baseline('items');
DELETE FROM items WHERE id = 5;
INSERT INTO items VALUES (6, 'after'), (3, 'new');
SELECT finding, record_key, trail_value, detail FROM audit.reconcile('items');
COMMIT;
SELECT finding, record_key, trail_value, detail FROM audit.reconcile('items');

-- it ends a gap
SELECT audit.disable('items', 'test');
UPDATE items SET name = 'unseen' WHERE id = 6;
SELECT audit.enable('items');
SELECT finding, record_key, column_name, live_value, trail_value FROM audit.reconcile('items');
SELECT audit.record_baseline('items');
SELECT finding, trail_value, detail FROM audit.reconcile('items');

-- rolled back, it was not
BEGIN;
SELECT audit.record_baseline('items');
ROLLBACK;
SELECT finding, trail_value, detail FROM audit.reconcile('items');

-- without a key, with rows that are equal
CREATE TABLE notes (note text);
INSERT INTO notes VALUES ('a'), ('a'), (NULL);
SELECT audit.enable('notes');
SELECT audit.record_baseline('notes');
DELETE FROM notes WHERE ctid = '(0,1)';
UPDATE notes SET note = 'b' WHERE note IS NULL;
SELECT finding, trail_value, detail FROM audit.reconcile('notes');

-- with enable(): in the background, as who enabled it
CREATE TABLE stock (id int PRIMARY KEY);
INSERT INTO stock SELECT generate_series(1, 100);
BEGIN;
SELECT audit.enable('stock', baseline => true);
PREPARE TRANSACTION 'baseline';
-- what is rolled back has asked for nothing, what is released has
BEGIN;
SAVEPOINT a;
SAVEPOINT b;
SELECT audit.enable('stock', baseline => true);
RELEASE b;
ROLLBACK TO a;
PREPARE TRANSACTION 'baseline';
ROLLBACK PREPARED 'baseline';
BEGIN;
SAVEPOINT a;
SELECT audit.enable('stock', baseline => true);
RELEASE a;
PREPARE TRANSACTION 'baseline';
SELECT audit.enable('stock', baseline => true);
DO $$
BEGIN
	FOR i IN 1 .. 600 LOOP
		EXIT WHEN EXISTS (SELECT FROM audit.events WHERE table_name = 'stock' AND action = 'baseline');
		PERFORM pg_sleep(0.1);
	END LOOP;
END $$;
SELECT finding, trail_value, detail FROM audit.reconcile('stock');
SELECT DISTINCT actor = current_user AS own, application_name FROM audit.events WHERE table_name = 'stock';
SELECT * FROM audit.baseline_progress;

-- who may
CREATE ROLE baseline_somebody;
GRANT USAGE ON SCHEMA baseline TO baseline_somebody;
GRANT SELECT ON items TO baseline_somebody;
GRANT EXECUTE ON FUNCTION audit.record_baseline(regclass, int) TO baseline_somebody;
SET ROLE baseline_somebody;
SELECT audit.record_baseline('items');
RESET ROLE;

SET client_min_messages = warning;
DROP OWNED BY baseline_somebody;
DROP ROLE baseline_somebody;
DROP SCHEMA baseline CASCADE;
