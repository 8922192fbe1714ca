-- The entries of events by record, of which the sealer makes those of short transactions: a query
-- finds the same whether a transaction is sealed or not, and however many events it has.
CREATE TABLE record_orders (id text PRIMARY KEY, total int);
SELECT audit.enable('record_orders');
SELECT audit.seal_now() IS NOT NULL AS sealed;
SET enable_seqscan = off;
SET jit = off;

CREATE FUNCTION by_record(first text, last text) RETURNS bigint LANGUAGE sql AS $$
	SELECT count(*) FROM audit.event
	WHERE target_id = (SELECT max(target_id) FROM audit.target WHERE table_name = 'record_orders') AND record_key BETWEEN first AND last
$$;
CREATE FUNCTION uses_index(query text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
		IF line ~ 'record_key_tx_at_idx' THEN
			RETURN true;
		END IF;
	END LOOP;
	RETURN false;
END $$;
-- by the index, and by the table
CREATE VIEW found AS
SELECT by_record('a', 'z') AS by_index,
	(SELECT count(*) FROM audit.event e JOIN audit.target t USING (target_id)
	WHERE t.table_name = 'record_orders' AND e.record_key || '' BETWEEN 'a' AND 'z') AS by_table;
SELECT uses_index($$SELECT FROM audit.event WHERE target_id = 1 AND record_key = 'a1'$$),
	uses_index($$SELECT FROM audit.event WHERE target_id = 1 AND record_key = 'a1' ORDER BY tx_at DESC LIMIT 1$$);

-- one event, as many as are left to the sealer, and more; our own are found before the commit
INSERT INTO record_orders VALUES ('a1', 1);
INSERT INTO record_orders SELECT 'b' || i, i FROM generate_series(1, 16) i;
INSERT INTO record_orders SELECT 'c' || i, i FROM generate_series(1, 40) i;
SELECT * FROM found;
BEGIN;
INSERT INTO record_orders SELECT 'd' || i, i FROM generate_series(1, 20) i;
SELECT by_record('d', 'e');
SAVEPOINT s;
UPDATE record_orders SET total = total + 1 WHERE id LIKE 'd%';
SELECT by_record('d', 'e');
ROLLBACK TO s;
SELECT by_record('d', 'e');
UPDATE record_orders SET total = 0 WHERE id = 'd1';
SELECT by_record('d1', 'd1');
COMMIT;
SELECT * FROM found;
SELECT audit.seal_now() IS NOT NULL AS sealed;
SELECT * FROM found;
-- some sealed, some not
UPDATE record_orders SET total = total + 100 WHERE id < 'b2';
DELETE FROM record_orders WHERE id = 'a1';
SELECT * FROM found;
SELECT array_agg(action ORDER BY n) FROM audit.history('record_orders', 'a1') WITH ORDINALITY h (n);

-- in order, forwards and backwards
SELECT array_agg(record_key) = array_agg(record_key ORDER BY record_key, tx_at) AS forwards FROM (SELECT record_key, tx_at FROM audit.event
	WHERE target_id = (SELECT max(target_id) FROM audit.target WHERE table_name = 'record_orders') ORDER BY record_key, tx_at) e;
SELECT array_agg(tx_at) = array_agg(tx_at ORDER BY tx_at DESC) AS backwards, count(*) FROM (SELECT record_key, tx_at FROM audit.event
	WHERE target_id = (SELECT max(target_id) FROM audit.target WHERE table_name = 'record_orders') AND record_key = 'a1' ORDER BY tx_at DESC) e;

-- long keys
INSERT INTO record_orders SELECT 'k' || string_agg(md5(i::text), '') || repeat('k', 31), 1 FROM generate_series(1, 31) i;
SELECT by_record('k', 'l');
SELECT audit.seal_now() IS NOT NULL AS sealed;
SELECT * FROM found;

-- an index that is built anew leaves out what is not sealed, our own events too
UPDATE record_orders SET total = 7 WHERE id = 'b1';
REINDEX TABLE audit.event;
SELECT * FROM found;
CREATE VIEW record_index AS SELECT c.relname AS index FROM pg_class c
WHERE c.relname = to_char(now() AT TIME ZONE 'UTC', '"event_1_"YYYYMM"_target_id_record_key_tx_at_idx"');
BEGIN;
UPDATE record_orders SET total = 8 WHERE id < 'b15';
DO $$ BEGIN
	EXECUTE format('REINDEX INDEX audit.%I', index) FROM record_index;
END $$;
SELECT * FROM found;
UPDATE record_orders SET total = 9 WHERE id = 'b1';
SELECT * FROM found;
COMMIT;
SELECT * FROM found;
SELECT audit.seal_now() IS NOT NULL AS sealed;
SELECT * FROM found;
UPDATE record_orders SET total = 10 WHERE id = 'b1';
REINDEX TABLE CONCURRENTLY audit.event;
VACUUM audit.event;
SELECT * FROM found;
SELECT audit.seal_now() IS NOT NULL AS sealed;
SELECT * FROM found;
SELECT count(*) FROM audit.verify() WHERE finding <> 'summary';

-- what is inserted counts for autovacuum
SELECT pg_stat_force_next_flush();
SELECT sum(n_tup_ins) > 100 AS counted FROM pg_stat_all_tables WHERE schemaname = 'audit' AND relname LIKE 'event_1_%';

DROP VIEW found, record_index;
DROP TABLE record_orders;
DROP FUNCTION by_record, uses_index;
