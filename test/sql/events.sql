-- Reading the trail: values that jsonb refuses, the view audit.events, the life of a row.
CREATE SCHEMA events;
SET search_path = events, public;

-- audit.to_jsonb: what jsonb can hold comes out as jsonb has it
SELECT bool_and(audit.to_jsonb(x::json) = x::jsonb) AS same FROM unnest(ARRAY[
	'1', '-0', '-1.50e3', '0.00', '1E+2', '123456789012345678901234567890.123', '"s"', 'null', 'true',
	'false', '  {} ', '[]', '[[],{}]', '{"a":1,"b":[true,false,null,"x\n\"\\\/\b\f\r\t"],"a":{"c":2}}',
	'"\u00e9\ud83d\ude00\u0001"', '[1,[2,[3,{"d":[4]}]]]', '""', '{"":""}']) x;
-- and what it cannot, readably
SELECT x, audit.to_jsonb(x::json) FROM unnest(ARRAY[
	'"\u0000x"', '{"\u0000":1}', '"\ud83d"', '"\ud83dx\ude00"', '"\ude00\ud83d"', '"\ud83d\ud83d\ude00"',
	'"\\u0000"', '1e999999', '[-1e-99999]', '0e99999999999', '10e-16384', '{"a":1e131072}']) x;
SELECT x, jsonb_typeof(audit.to_jsonb(x::json)) FROM unnest(ARRAY[
	'1e131071', '1e131072', '0.1e131072', '0.01e131073', '1e-16383', '1e-16384']) x;
SELECT jsonb_typeof(audit.to_jsonb(repeat('9', 131072)::json)), jsonb_typeof(audit.to_jsonb(repeat('9', 131073)::json));
-- nested deeper than the stack bears: the rest is its text
SELECT depth, length(audit.to_jsonb(x)::text) >= 2 * depth AS complete
FROM unnest(ARRAY[100, 5000]) depth, LATERAL (SELECT (repeat('[', depth) || repeat(']', depth))::json) d (x);
SET max_stack_depth = '100kB';
SELECT audit.to_jsonb(x)::text LIKE '[[[[%' AS begins FROM (SELECT (repeat('[', 200) || repeat(']', 200))::json) d (x);
RESET max_stack_depth;
SELECT audit.to_jsonb(NULL) IS NULL AS strict;

SELECT audit.json_keys('{"b":{"z":1},"a\u0000":[{"q":1}],"c\"":"}","b":1}'), audit.json_keys('[{"a":1}]'),
	audit.json_keys('{}'), audit.json_keys('1');

-- the view
CREATE TABLE orders (id int PRIMARY KEY, total numeric, status text, payload json);
SELECT audit.enable('orders', context => 'shop', resource_type => 'order');
BEGIN;
SELECT audit.set_context(actor => 'anna', actor_type => 'user', request_id => 'r-1', reason => 'call', extra => '{"a":1}');
INSERT INTO orders VALUES (1, 10, 'new', '{"z":"\u0000"}'), (2, 20, 'new', '1e999999');
COMMIT;
UPDATE orders SET total = 11, payload = '"\ud800"' WHERE id = 1;
BEGIN;
SET LOCAL audit_trail.actor = 'bert';
UPDATE orders SET status = 'paid' WHERE id = 1;
SET LOCAL audit_trail.actor = 'carl';
SET LOCAL audit_trail.reason = 'takes over';
UPDATE orders SET status = 'sent' WHERE id = 1;
SET LOCAL audit_trail.actor = '';
UPDATE orders SET status = 'back' WHERE id = 1;
COMMIT;
DELETE FROM orders WHERE id = 2;
TRUNCATE orders;

CREATE VIEW mine AS SELECT dense_rank() OVER (ORDER BY tx_id) || '.' || ordinal AS event, *
	FROM audit.events WHERE table_schema = 'events';
SELECT event, event_id = tx_id || '.' || ordinal AS named, context, category, event_type, action, resource_type, resource_id
	FROM mine ORDER BY tx_id, ordinal;
SELECT event, actor, actor_type, actor_source, request_id, reason, extra FROM mine ORDER BY tx_id, ordinal;
SELECT event, changed, audit.to_jsonb(old_values) AS old, audit.to_jsonb(new_values) AS new FROM mine ORDER BY tx_id, ordinal;
SELECT bool_and(db_user = session_user AND db_role = current_user AND login_user IS NOT NULL AND xid > 0
	AND committed_at >= tx_at AND occurred_at BETWEEN tx_at AND committed_at AND session_id > 0
	AND table_name = 'orders' AND retention_class = 1) AS known FROM mine;
-- filters find what was overridden, and nothing twice
SELECT event FROM mine WHERE actor = 'bert';
SELECT event FROM mine WHERE actor = 'carl';
SELECT event FROM mine WHERE reason = 'takes over' ORDER BY ordinal;
SELECT count(*), count(DISTINCT event_id) FROM mine;
-- configuration is on record as well
SELECT category, event_type, resource_id FROM audit.events
	WHERE table_name = 'policy' AND resource_id = 'events.orders';

-- own events at once, those of others at their commit
BEGIN;
SELECT audit.current_tx_id() IS NULL AS none;
INSERT INTO orders VALUES (3, 30, 'new', NULL);
SAVEPOINT s;
SET LOCAL audit_trail.actor = 'dora';
INSERT INTO orders VALUES (4, 40, 'new', NULL);
SELECT ordinal, action, resource_id, actor, db_user, committed_at, tx_id = audit.current_tx_id() AS own, tx_at = now() AS now
	FROM audit.events WHERE table_schema = 'events' AND committed_at IS NULL ORDER BY ordinal;
ROLLBACK TO s;
SELECT count(*) FROM audit.events WHERE tx_id = audit.current_tx_id();
COMMIT;
SELECT resource_id, actor = session_user AS own FROM mine WHERE resource_id IN ('3', '4');

-- indexes serve
CREATE FUNCTION plan_of(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
		line := substring(line FROM 'Index Scan (?:using|on) (?:event|transaction)_1_[0-9]{6}_([a-z_]+)_idx');
		CONTINUE WHEN line IS NULL;
		RETURN NEXT line;
	END LOOP;
END $$;
SET enable_seqscan = off;
SELECT 'actor_tx_at' = ANY (ARRAY(SELECT plan_of($$SELECT * FROM audit.events WHERE actor = 'anna' AND tx_at > now() - interval '1 min'$$))) AS serves;
SELECT 'request_id' = ANY (ARRAY(SELECT plan_of($$SELECT * FROM audit.events WHERE request_id = 'r-1' AND tx_at > now() - interval '1 min'$$))) AS serves;
SELECT 'target_id_record_key_tx_at' = ANY (ARRAY(SELECT plan_of($$SELECT * FROM audit.events WHERE table_name = 'orders' AND resource_id = '1'$$))) AS serves;
RESET enable_seqscan;

-- what an event carries besides is no context of its own
SELECT audit.has_context('{"statement":"CALL","context":{"actor":null}}') AS own, audit.has_context('{"statement":"CALL"}') AS other,
	audit.has_context('{"a":{"context":1},"contexts":2,"b":"context"}') AS within, audit.has_context('["context"]') AS list, audit.has_context(NULL) AS none;

-- the life of a row
CREATE TABLE never (id int PRIMARY KEY);
CREATE FUNCTION life(target regclass, key text) RETURNS TABLE (action text, id text, changed text[], old text, new text, actor text)
LANGUAGE sql AS $$ SELECT action, resource_id, changed, old_values::text, new_values::text, actor FROM audit.history(target, key) $$;
SELECT action, resource_id, changed, actor, reason FROM audit.history('orders', '1');
SELECT action, resource_id FROM audit.history('orders', '2');
SELECT count(*) FROM audit.history('orders', 'none');
SELECT count(*) FROM audit.history('never', '1');
-- through changes of the key; other rows that had the key before or after are other rows
CREATE TABLE keys (id int PRIMARY KEY, v text);
SELECT audit.enable('keys');
INSERT INTO keys VALUES (1, 'other');
UPDATE keys SET id = 9 WHERE id = 1;
INSERT INTO keys VALUES (1, 'first');
UPDATE keys SET v = 'second' WHERE id = 1;
UPDATE keys SET id = 2 WHERE id = 1;
INSERT INTO keys VALUES (1, 'later');
UPDATE keys SET id = 3, v = 'third' WHERE id = 2;
UPDATE keys SET v = 'fourth' WHERE id = 3;
DELETE FROM keys WHERE id = 3;
SELECT * FROM life('keys', '3');
SELECT * FROM life('keys', '9');
-- back and forth within one transaction
BEGIN;
UPDATE keys SET id = 100 WHERE id = 9;
UPDATE keys SET id = 9 WHERE id = 100;
UPDATE keys SET id = 100 WHERE id = 9;
UPDATE keys SET id = 9 WHERE id = 100;
COMMIT;
SELECT * FROM life('keys', '9');
-- keys of several columns, and of odd types
CREATE TABLE lines (a int, b text, v int, PRIMARY KEY (b, a));
SELECT audit.enable('lines');
INSERT INTO lines VALUES (1, 'x"é', 1);
UPDATE lines SET a = 2;
UPDATE lines SET b = 'y', v = 2;
SELECT * FROM life('lines', '["y",2]');
CREATE TABLE odd (at timestamptz PRIMARY KEY, v int);
SELECT audit.enable('odd');
INSERT INTO odd VALUES ('2026-01-01 00:00:00Z', 1);
UPDATE odd SET at = '2026-02-01 00:00:00Z';
SELECT action, id, old FROM life('odd', (SELECT resource_id FROM audit.events WHERE table_schema = 'events' AND table_name = 'odd' AND action = 'update'));
-- over versions of the table, after it is no longer audited, and in a partition
SELECT audit.disable('keys', 'test of history');
SELECT audit.enable('keys', context => 'again');
UPDATE keys SET v = 'again' WHERE id = 9;
SELECT audit.disable('keys', 'test of history');
ALTER TABLE keys RENAME TO keyring;
SELECT action, id, new FROM life('keyring', '9');
CREATE TABLE parts (id int PRIMARY KEY, v int) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (10) TO (20);
SELECT audit.enable('parts');
INSERT INTO parts VALUES (1, 1);
UPDATE parts SET v = 2;
SELECT action, id, new FROM life('parts', '1');
SELECT count(*) FROM life('parts_1', '1');
-- without a key there is no row to follow
CREATE TABLE nokey (v int);
SELECT audit.enable('nokey');
INSERT INTO nokey VALUES (1);
TRUNCATE nokey;
SELECT count(*) FROM life('nokey', '1');
