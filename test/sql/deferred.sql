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
		IF line LIKE '%Bitmap Index Scan on transaction_1_%' THEN
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

-- rolled back transactions leave no entry
BEGIN;
SELECT audit.set_context(actor => 'deferred-3');
INSERT INTO deferred_orders VALUES (100, 1);
ROLLBACK;
SELECT transactions, are_there FROM found WHERE actor = 'deferred-3';

-- a rebuilt index has entries of what is not sealed, which then come again
REINDEX TABLE audit.transaction;
SELECT * FROM found;
SELECT audit.seal_now() IS NOT NULL AS sealed;
SELECT * FROM found;
REINDEX TABLE CONCURRENTLY audit.transaction;
VACUUM audit.transaction;
SELECT * FROM found;
SELECT count(*) FROM audit.verify() WHERE finding <> 'summary';

-- it is for the ledger alone, and offers no order
\set VERBOSITY terse
CREATE INDEX ON deferred_orders USING audit_deferred (total int8_ops);
CREATE TABLE deferred_others (total bigint);
CREATE INDEX ON deferred_others USING audit_deferred (total audit.int8_ops);
CREATE UNIQUE INDEX ON deferred_others USING audit_deferred (total audit.int8_ops);
DROP TABLE deferred_others;
DROP VIEW found;
DROP TABLE deferred_orders;
DROP PROCEDURE place;
DROP FUNCTION uses_index;
