-- Which columns are recorded: only, and mask.
CREATE SCHEMA columns;
SET search_path = columns, public;
CREATE FUNCTION columns.findings(target regclass) RETURNS TABLE (finding text, record_key text, column_name text,
	live_value text, trail_value text, detail text)
LANGUAGE sql AS $$
	SELECT finding, record_key, column_name, live_value, trail_value, regexp_replace(detail, '\d+\.\d+', 'N.N', 'g')
	FROM audit.reconcile(target) r ORDER BY finding = 'summary', finding, record_key COLLATE "C", column_name COLLATE "C"
$$;

-- what is not named leaves no trace, an update of it alone is no event; the key is always there
CREATE TABLE orders (id int PRIMARY KEY, status text, total numeric, note text, seen int);
SELECT audit.enable('orders', "only" => '{status,total,seen}', ignore => '{seen}');
CREATE FUNCTION columns.trail(target text) RETURNS TABLE (op "char", record_key text, old_values json, new_values json, extra text)
LANGUAGE sql AS $$
	SELECT e.op, e.record_key, e.old_values, e.new_values, regexp_replace(e.extra::text, '\d+:\d+:[0-9,]*', 'S')
	FROM audit.event e JOIN audit.target t USING (target_id)
	WHERE t.table_schema = 'columns' AND t.table_name = target AND e.op IN ('I', 'U', 'D', 'B') ORDER BY e.tx_id, e.ordinal
$$;
SELECT audit.enable('orders', "only" => '{status,total,seen}', ignore => '{seen}');
SELECT audit.enable('orders', "only" => '{status,total}', ignore => '{seen}');
SELECT only_columns, masked_columns, subject_column, recorded_when FROM audit.policy WHERE target = 'orders'::regclass;
INSERT INTO orders VALUES (1, 'new', 10, 'a note', 0), (2, 'new', 20, NULL, 0);
UPDATE orders SET note = 'another', seen = 1;
UPDATE orders SET note = 'third', seen = 2, status = 'paid' WHERE id = 1;
UPDATE orders SET id = 3 WHERE id = 2;
DELETE FROM orders WHERE id = 3;
SELECT * FROM trail('orders');
SELECT * FROM findings('orders');
SELECT t.columns FROM audit.target t JOIN audit.policy p USING (target_id) WHERE p.target = 'orders'::regclass;

-- columns follow their names; a new one is not recorded
ALTER TABLE orders RENAME status TO state;
ALTER TABLE orders ADD COLUMN extra text DEFAULT 'x';
UPDATE orders SET extra = 'y';
UPDATE orders SET extra = 'z', state = 'sent';
ALTER TABLE orders DROP COLUMN seen, DROP COLUMN total;
SELECT only_columns, ignored_columns FROM audit.policy WHERE target = 'orders'::regclass;
ALTER TABLE orders DROP COLUMN state;
-- nothing is left of them, which does not mean all
SELECT only_columns FROM audit.policy WHERE target = 'orders'::regclass;
INSERT INTO orders VALUES (4, 'unseen');
SELECT * FROM trail('orders') WHERE record_key = '4';
SELECT * FROM findings('orders');
-- recorded again, without a baseline: what was not recorded meanwhile is not compared
SELECT audit.disable('orders', 'test');
SELECT audit.enable('orders');
UPDATE orders SET note = 'fourth' WHERE id = 4;
SELECT * FROM findings('orders');
SELECT audit.record_baseline('orders');
SELECT * FROM findings('orders');

-- masked: that it changed is told, and nothing of what it is
CREATE TYPE purse AS (kind text, n int);
CREATE TABLE cards (id int PRIMARY KEY, card_no text, purse purse, bin text GENERATED ALWAYS AS (left(card_no, 4)) STORED, limit_at date);
SELECT audit.enable('cards', mask => '{card_no,purse}');
INSERT INTO cards VALUES (1, '4111111111111111', '(gold,7)', DEFAULT, '2030-01-01'), (2, NULL, NULL, DEFAULT, NULL);
UPDATE cards SET card_no = '5555555555554444' WHERE id = 1;
UPDATE cards SET card_no = NULL, purse = '(tin,1)' WHERE id = 1;
UPDATE cards SET limit_at = '2031-01-01' WHERE id = 2;
SET audit_trail.max_value_size = '1kB';
UPDATE cards SET card_no = repeat('4111', 2000) WHERE id = 2;
RESET audit_trail.max_value_size;
DELETE FROM cards WHERE id = 2;
SELECT * FROM trail('cards');
SELECT changed FROM audit.events WHERE table_schema = 'columns' AND table_name = 'cards' AND action = 'update' ORDER BY tx_id, ordinal;
SELECT * FROM findings('cards');
-- null or not is compared, and told without the value
SELECT audit.disable('cards', 'test');
INSERT INTO cards VALUES (3, 'secret', NULL, DEFAULT, NULL);
UPDATE cards SET card_no = 'secret', purse = NULL WHERE id = 1;
SELECT audit.enable('cards', mask => '{card_no,purse}');
SELECT * FROM findings('cards');
SELECT audit.record_baseline('cards');
UPDATE cards SET card_no = 'another secret';
SELECT * FROM findings('cards');
-- renamed, and what is generated from it anew
ALTER TABLE cards RENAME card_no TO pan;
ALTER TABLE cards ADD COLUMN last4 text GENERATED ALWAYS AS (right(pan, 4)) STORED;
ALTER TABLE cards DROP COLUMN purse;
SELECT masked_columns FROM audit.policy WHERE target = 'cards'::regclass;
UPDATE cards SET pan = '4000000000000002' WHERE id = 1;
SELECT new_values FROM trail('cards') OFFSET 11;
-- what was generated from it keeps its values when it is so no more
ALTER TABLE cards ALTER last4 DROP EXPRESSION;
SELECT masked_columns FROM audit.policy WHERE target = 'cards'::regclass;
UPDATE cards SET last4 = '4444' WHERE id = 1;
-- a key that would tell it is none
ALTER TABLE cards DROP CONSTRAINT cards_pkey, ADD PRIMARY KEY (pan);
SELECT e.extra ->> 'lost_key' AS lost_key FROM audit.events e WHERE table_name = 'cards' AND action = 'alter' AND e.extra ->> 'lost_key' IS NOT NULL;
UPDATE cards SET limit_at = '2032-01-01' WHERE id = 1;
SELECT * FROM trail('cards') OFFSET 13;
SELECT count(*) AS told FROM audit.event e JOIN audit.target t USING (target_id)
WHERE t.table_schema = 'columns' AND concat(record_key, old_values, new_values, extra) ~ '4111|5555|4444|4000|secret|gold';
-- in a table without key the contents are told apart by the rest
SELECT audit.record_baseline('cards');
UPDATE cards SET limit_at = '2033-01-01' WHERE id = 3;
SELECT * FROM findings('cards');

-- what was masked once, and is recorded now, cannot be compared before it changes
SELECT audit.disable('cards', 'test');
ALTER TABLE cards DROP CONSTRAINT cards_pkey, ADD PRIMARY KEY (id);
SELECT audit.enable('cards');
SELECT audit.disable('cards', 'test');
SELECT audit.enable('cards', mask => '{pan}');
SELECT audit.record_baseline('cards');
SELECT audit.disable('cards', 'test');
SELECT audit.enable('cards');
SELECT * FROM findings('cards');
UPDATE cards SET pan = 'plain';
SELECT * FROM findings('cards');

-- partitions with other column numbers, and a child that generates more
CREATE TABLE parts (id int, region text, pan text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE parts_b (pan text, dropped int, region text NOT NULL, id int NOT NULL);
ALTER TABLE parts_b DROP COLUMN dropped;
ALTER TABLE parts ATTACH PARTITION parts_b FOR VALUES IN ('b');
SELECT audit.enable('parts', mask => '{pan}', "only" => '{pan}');
INSERT INTO parts VALUES (1, 'b', '4111');
UPDATE parts SET pan = '5555';
SELECT * FROM trail('parts');
ALTER TABLE parts DETACH PARTITION parts_b;
UPDATE parts_b SET pan = '4000';
SELECT * FROM trail('parts_b');
SELECT only_columns, masked_columns FROM audit.policy WHERE target = 'parts_b'::regclass;
CREATE TABLE people (id int PRIMARY KEY, pan text);
SELECT audit.enable('people', mask => '{pan}');
CREATE TABLE people_child (tail text GENERATED ALWAYS AS (right(pan, 1)) STORED) INHERITS (people);
INSERT INTO people_child VALUES (1, '4111');
SELECT * FROM trail('people');

-- what is refused
CREATE TABLE odd (id int PRIMARY KEY, a text, b text, dropped int, c text GENERATED ALWAYS AS (a || b) STORED UNIQUE);
ALTER TABLE odd DROP COLUMN dropped;
SELECT audit.enable('odd', "only" => '{}');
SELECT audit.enable('odd', "only" => '{a,nothing}');
SELECT audit.enable('odd', "only" => '{a,NULL}');
SELECT audit.enable('odd', "only" => '{a,b,a}');
SELECT audit.enable('odd', mask => '{dropped}');
SELECT audit.enable('odd', mask => '{"........pg.dropped.4........"}');
SELECT audit.enable('odd', mask => '{ctid}');
SELECT audit.enable('odd', mask => '{a,a}');
SELECT audit.enable('odd', mask => '{id}');
SELECT audit.enable('odd', mask => '{a}', key => '{a}');
SELECT audit.enable('odd', mask => '{a}', key => '{c}');
SELECT audit.enable('odd', mask => '{a}', "only" => '{b}');
SELECT audit.enable('odd', mask => '{a}', hash => '{b,a}');
SELECT audit.enable('odd', hash => '{b}', personal => '{b}', subject => 'id');
SELECT audit.enable('odd', personal => '{b}');
SELECT audit.enable('odd', subject => 'id');
SELECT audit.enable('odd', personal => '{b}', subject => 'nothing');
SELECT audit.enable('odd', personal => '{b}', subject => 'b');
SELECT audit.enable('odd', personal => '{b}', subject => 'c');
SELECT audit.enable('odd', personal => '{b}', mask => '{a}', subject => 'a');
SELECT audit.enable('odd', personal => '{b}', "only" => '{b}', subject => 'a');
-- the text of commands would tell what is concealed
SELECT audit.enable('odd', mask => '{a}', query => true);
SELECT audit.enable('odd', hash => '{a}', query => true);
SELECT audit.enable('odd', personal => '{a}', subject => 'id', query => true);
SELECT count(*) FROM audit.policy WHERE target = 'odd'::regclass;

RESET search_path;
SET client_min_messages = warning;
DROP SCHEMA columns CASCADE;
