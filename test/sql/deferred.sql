-- Indexes that the sealer fills: a query finds the same whether a transaction is sealed or not.
CREATE TABLE deferred_orders (id int PRIMARY KEY, total int);
SELECT audit.enable('deferred_orders');
SELECT audit.seal_now() IS NOT NULL AS sealed;
SET enable_seqscan = off;
SET jit = off;

-- transactions of some actors, whose rows have no entries before they are sealed
CREATE PROCEDURE place(first int, last int) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN first..last LOOP
		PERFORM audit.set_context(actor => 'deferred-' || i % 3, request_id => 'deferred-r' || i);
		INSERT INTO deferred_orders VALUES (i, i);
		COMMIT;
	END LOOP;
END $$;
-- what the indexes give, and what is there
CREATE VIEW found AS
SELECT a.actor,
	(SELECT count(*) FROM audit.transaction t WHERE t.actor = a.actor) AS transactions,
	(SELECT count(*) FROM audit.transaction t WHERE t.actor || '' = a.actor) AS are_there,
	(SELECT count(*) FROM audit.transaction t WHERE t.actor = a.actor AND t.tx_at > now() - interval '1 day') AS today,
	(SELECT count(*) FROM audit.transaction t WHERE t.actor = a.actor AND t.tx_at < now() - interval '1 day') AS before,
	(SELECT count(*) FROM audit.events e WHERE e.actor = a.actor) AS events
FROM unnest('{deferred-0,deferred-1,deferred-2,deferred-3}'::text[]) a (actor);
CREATE FUNCTION uses_index(query text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
		IF line ~ 'Index (Only )?Scan .*(on|using) transaction_1_' THEN
			RETURN true;
		END IF;
	END LOOP;
	RETURN false;
END $$;
SELECT uses_index($$SELECT FROM audit.transaction WHERE actor = 'deferred-1'$$),
	uses_index($$SELECT FROM audit.transaction WHERE session_id = 1$$),
	uses_index($$SELECT FROM audit.transaction WHERE request_id = 'r'$$),
	uses_index($$SELECT FROM audit.events WHERE actor = 'deferred-1' AND tx_at > current_date$$);

CALL place(1, 10);
SELECT * FROM found;
SELECT audit.seal_now() IS NOT NULL AS sealed;
SELECT * FROM found;
-- some sealed, some not
CALL place(11, 16);
SELECT * FROM found;
SELECT count(*) FROM audit.transaction WHERE request_id IN ('deferred-r1', 'deferred-r12', 'deferred-r17');
SELECT count(*) FROM audit.transaction WHERE request_id >= 'deferred-r1' AND request_id < 'deferred-r2';
SELECT count(*) = 16 FROM audit.transaction
WHERE session_id = (SELECT t.session_id FROM audit.transaction t WHERE t.request_id = 'deferred-r12') AND request_id LIKE 'deferred-r%';

-- in order, forwards and backwards, with sealed and unsealed rows among each other
CREATE FUNCTION ordered(query text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	by_index text[];
	by_sort text[];
BEGIN
	PERFORM set_config('enable_sort', 'off', true);
	EXECUTE format('SELECT array_agg(q::text) FROM (%s) q', query) INTO by_index;
	PERFORM set_config('enable_sort', 'on', true);
	PERFORM set_config('enable_seqscan', 'on', true);
	PERFORM set_config('enable_indexscan', 'off', true);
	PERFORM set_config('enable_bitmapscan', 'off', true);
	EXECUTE format('SELECT array_agg(q::text) FROM (%s) q', query) INTO by_sort;
	PERFORM set_config('enable_seqscan', 'off', true);
	PERFORM set_config('enable_indexscan', 'on', true);
	PERFORM set_config('enable_bitmapscan', 'on', true);
	RETURN by_index = by_sort AND cardinality(by_index) > 1;
END $$;
SELECT ordered('SELECT tx_id, tx_at FROM audit.transaction ORDER BY tx_at, tx_id'),
	ordered('SELECT tx_id, tx_at FROM audit.transaction ORDER BY tx_at DESC, tx_id DESC LIMIT 12'),
	ordered($$SELECT actor, tx_at FROM audit.transaction WHERE actor = 'deferred-1' ORDER BY actor, tx_at DESC LIMIT 4$$),
	ordered($$SELECT actor, tx_at FROM audit.transaction WHERE actor > 'deferred' ORDER BY actor, tx_at$$),
	ordered($$SELECT actor, tx_at FROM audit.transaction WHERE actor IN ('deferred-0', 'deferred-2') ORDER BY actor, tx_at$$),
	ordered($$SELECT request_id FROM audit.transaction WHERE request_id LIKE 'deferred-r%' ORDER BY request_id DESC$$),
	ordered($$SELECT session_id FROM audit.transaction WHERE session_id > 0 ORDER BY session_id$$);
SELECT uses_index('SELECT FROM audit.transaction ORDER BY tx_at DESC LIMIT 10'),
	uses_index($$SELECT FROM audit.events WHERE tx_at > now() - interval '1 min' ORDER BY tx_at DESC LIMIT 10$$);
BEGIN;
DECLARE back SCROLL CURSOR FOR SELECT request_id FROM audit.transaction WHERE request_id BETWEEN 'deferred-r10' AND 'deferred-r15' ORDER BY request_id;
FETCH 4 FROM back;
FETCH BACKWARD 2 FROM back;
FETCH ALL FROM back;
COMMIT;
-- what is not there, and what cannot be; a join that starts the scan again and again
SELECT count(*) FROM audit.transaction WHERE request_id IS NULL AND actor = 'deferred-1';
SELECT count(*) FROM audit.transaction WHERE request_id = 'a' AND request_id = 'b';
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SELECT r, t.actor FROM generate_series(9, 18) r LEFT JOIN audit.transaction t ON t.request_id = 'deferred-r' || r ORDER BY r;
RESET enable_hashjoin;
RESET enable_mergejoin;
ANALYZE audit.transaction;
SELECT * FROM found;

-- in parallel: by the leader for all, and by each for itself
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SELECT set_config(name, 'on', false) AS forced FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query');
SET enable_indexscan = off;
SELECT count(*) FROM audit.transaction WHERE actor = 'deferred-1';
RESET enable_indexscan;
SET enable_bitmapscan = off;
SELECT count(*) FROM audit.transaction WHERE actor = 'deferred-1';
RESET enable_bitmapscan;
SELECT set_config(name, 'off', false) AS forced FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query');
RESET min_parallel_table_scan_size;
RESET parallel_tuple_cost;
RESET parallel_setup_cost;

-- rolled back transactions leave no entry
BEGIN;
SELECT audit.set_context(actor => 'deferred-3');
INSERT INTO deferred_orders VALUES (100, 1);
ROLLBACK;
SELECT transactions, are_there FROM found WHERE actor = 'deferred-3';

-- events by the name of their transaction: the first 16 of each get their entries from the sealer
CREATE PROCEDURE place_many(VARIADIC sizes int[]) LANGUAGE plpgsql AS $$
DECLARE size int;
BEGIN
	FOREACH size IN ARRAY sizes LOOP
		PERFORM audit.set_context(actor => 'deferred-of ' || size);
		INSERT INTO deferred_orders SELECT 1000 * size + i, i FROM generate_series(1, size) i;
		COMMIT;
	END LOOP;
END $$;
CREATE VIEW found_by_name AS
SELECT t.actor, t.event_count,
	(SELECT count(*) FROM audit.event e WHERE e.tx_id = t.tx_id) AS by_name,
	(SELECT count(*) FROM audit.event e WHERE e.tx_id + 0 = t.tx_id) AS are_there,
	(SELECT string_agg(e.record_key, ' ' ORDER BY e.ordinal) FROM audit.event e WHERE e.tx_id = t.tx_id AND e.ordinal BETWEEN 15 AND 18) AS some,
	(SELECT count(*) FROM audit.history('deferred_orders', 1000 * t.event_count || '') h) AS none,
	(SELECT count(*) FROM audit.history('deferred_orders', 1000 * t.event_count + 1 || '') h) AS first,
	(SELECT count(*) FROM audit.history('deferred_orders', 1001 * t.event_count || '') h) AS last
FROM audit.transaction t WHERE t.actor LIKE 'deferred-of%' ORDER BY t.event_count;
CALL place_many(1, 2, 16, 17, 40);
SELECT * FROM found_by_name;
SELECT octet_length(event_places) / 8 AS places, count(*) FROM audit.transaction WHERE actor LIKE 'deferred-of%' GROUP BY 1 ORDER BY 1;

-- of the running transaction, those that stand, for a process that helps it too
BEGIN;
INSERT INTO deferred_orders VALUES (101, 1);
SAVEPOINT a;
INSERT INTO deferred_orders VALUES (102, 2), (103, 3);
ROLLBACK TO a;
INSERT INTO deferred_orders VALUES (104, 4);
SAVEPOINT b;
INSERT INTO deferred_orders VALUES (105, 5);
RELEASE b;
SELECT ordinal, record_key FROM audit.event WHERE tx_id = audit.current_tx_id() ORDER BY ordinal;
SET LOCAL parallel_setup_cost = 0;
SELECT set_config(name, 'on', true) AS forced FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query');
SELECT audit.current_tx_id() AS own \gset
SELECT ordinal, record_key FROM audit.event WHERE tx_id = :own ORDER BY ordinal;
SELECT count(*) FROM audit.event WHERE tx_id = :own AND ordinal = 2;
DO $$ BEGIN EXECUTE (SELECT format('REINDEX TABLE %s', e.tableoid::regclass) FROM audit.event e WHERE e.tx_id = audit.current_tx_id() LIMIT 1); END $$;
SELECT set_config(name, 'off', true) AS forced FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query');
SELECT ordinal, record_key FROM audit.event WHERE tx_id = :own ORDER BY ordinal;
COMMIT;
SELECT ordinal, record_key FROM audit.event WHERE tx_id = :own ORDER BY ordinal;
SELECT * FROM found_by_name;
SELECT count(*) FROM audit.verify() WHERE finding <> 'summary';

-- an index that is built anew leaves out what is not sealed, whether or not others could help to build it
SET min_parallel_table_scan_size = 0;
REINDEX TABLE audit.transaction;
REINDEX TABLE audit.event;
RESET min_parallel_table_scan_size;
SELECT * FROM found;
SELECT * FROM found_by_name;
SELECT audit.seal_now() IS NOT NULL AS sealed;
SELECT * FROM found;
SELECT * FROM found_by_name;
SELECT ordinal, record_key FROM audit.event WHERE tx_id = :own ORDER BY ordinal;
REINDEX TABLE CONCURRENTLY audit.transaction;
REINDEX TABLE CONCURRENTLY audit.event;
VACUUM audit.transaction, audit.event;
SELECT * FROM found;
SELECT * FROM found_by_name;
SELECT count(*) FROM audit.verify() WHERE finding <> 'summary';

-- it is for the ledger alone
\set VERBOSITY terse
CREATE INDEX ON deferred_orders USING audit_deferred (total int8_ops);
CREATE TABLE deferred_others (total bigint);
CREATE INDEX ON deferred_others USING audit_deferred (total audit.int8_ops);
CREATE UNIQUE INDEX ON deferred_others USING audit_deferred (total audit.int8_ops);
DROP TABLE deferred_others;
DROP VIEW found, found_by_name;
DROP TABLE deferred_orders;
DROP PROCEDURE place, place_many;
DROP FUNCTION uses_index, ordered;
