-- What a seal is made of: batches, tiles, entries and checkpoints.
CREATE SCHEMA seal_test;
SET search_path = seal_test, public;
CREATE TABLE orders (id int PRIMARY KEY, status text);
SELECT audit.enable('orders');

-- in which batches a transaction's own leaf stands, and how many leaves of its events
CREATE FUNCTION sealed(which bigint, OUT batches bigint, OUT events bigint) LANGUAGE sql AS
$$
	SELECT count(*) FILTER (WHERE get_byte(owners, i * 16 + 12) >= 128),
		sum(('x' || encode(substr(owners, i * 16 + 13, 4), 'hex'))::bit(32)::bigint & 2147483647)
	FROM audit.leaf_tile, generate_series(0, length(owners) / 16 - 1) AS i
	WHERE substr(owners, i * 16 + 1, 8) = int8send($1)
$$;
CREATE FUNCTION last_tx() RETURNS bigint LANGUAGE sql AS
	'SELECT max(e.tx_id) FROM audit.event e JOIN audit.target t USING (target_id) WHERE t.table_schema = ''seal_test''';

-- what is asked for is there when the answer comes
INSERT INTO orders VALUES (1, 'new'), (2, 'new');
SELECT log_index + 1 = size AS last, sealed_at <= clock_timestamp() AS by_now, length(root) FROM audit.seal_now();
SELECT * FROM sealed(last_tx());
SELECT transactions, oldest FROM audit.seal_lag();

-- a pass over nothing leaves no trace
SELECT size AS before FROM audit.seal_now() \gset
SELECT size = :before AS unchanged FROM audit.seal_now();

-- what is not committed is not sealed, not even for the one who asks
BEGIN;
UPDATE orders SET status = 'paid' WHERE id = 1;
SELECT size = :before AS unchanged FROM audit.seal_now();
SELECT transactions FROM audit.seal_lag();
COMMIT;
SELECT size = :before + 1 AS one_more FROM audit.seal_now();
SELECT * FROM sealed(last_tx());

-- what is rolled back is never sealed
BEGIN;
DELETE FROM orders;
ROLLBACK;
SELECT size = :before + 1 AS unchanged FROM audit.seal_now();

-- prepared: not until it is committed
BEGIN;
UPDATE orders SET status = 'sent' WHERE id = 2;
PREPARE TRANSACTION 'seal_test';
SELECT size = :before + 1 AS unchanged FROM audit.seal_now();
COMMIT PREPARED 'seal_test';
SELECT size = :before + 2 AS one_more FROM audit.seal_now();
SELECT * FROM sealed(last_tx());

-- a transaction that fills tiles: 600 events and itself in tiles of 256
INSERT INTO orders SELECT g, 'many' FROM generate_series(100, 699) AS g;
SELECT log_index AS big FROM audit.seal_now() \gset
SELECT * FROM sealed(last_tx());
SELECT tile, length(hashes) / 32 AS leaves, length(owners) / 16 AS runs FROM audit.leaf_tile
WHERE log_index = :big ORDER BY tile;
SELECT kind, leaf_count, tx_count, event_count, first_tx_at = last_tx_at AS one_time, payload FROM audit.log_entry
WHERE log_index = :big;

-- entries are chained, and each has its checkpoint
SELECT count(*) = max(log_index) + 1 AS whole, count(DISTINCT previous) = count(*) AS chained FROM audit.log_entry;
SELECT count(*) AS without FROM audit.log_entry e LEFT JOIN audit.checkpoint c ON c.size = e.log_index + 1
WHERE c.made_at IS DISTINCT FROM e.sealed_at;
SELECT log_index, kind, incarnation, snapshot, encode(previous, 'hex') ~ '^0{64}$' AS first,
	encode(root, 'hex') = encode(sha256(''), 'hex') AS empty, payload ->> 'reason' AS reason
FROM audit.log_entry WHERE log_index = 0;

-- windows do not overlap and leave nothing out
SELECT count(*) AS overlapping FROM (
	SELECT snapshot::pg_snapshot AS this, lag(snapshot::pg_snapshot) OVER (ORDER BY log_index) AS before FROM audit.log_entry
) AS w WHERE pg_snapshot_xmax(this) < pg_snapshot_xmax(before);

-- one tile of the log's tree for each 256 entries
SELECT count(*) = (SELECT count(*) / 256 FROM audit.log_entry) AS all_tiles FROM audit.log_tile;

-- what was not signed is not exported
SELECT * FROM audit.export_tlog('log');
SELECT * FROM audit.export_tlog('/tmp/log');

-- not for everybody
CREATE ROLE regress_seal_reader;
SET ROLE regress_seal_reader;
SELECT * FROM audit.seal_now();
SELECT * FROM audit.seal_lag();
SELECT * FROM audit.verify();
SELECT * FROM audit.export_tlog('/tmp/log');
RESET ROLE;
GRANT USAGE ON SCHEMA audit TO regress_seal_reader;
GRANT EXECUTE ON FUNCTION audit.export_tlog(text) TO regress_seal_reader;
SET ROLE regress_seal_reader;
SELECT * FROM audit.export_tlog('/tmp/log');
RESET ROLE;
REVOKE ALL ON FUNCTION audit.export_tlog(text) FROM regress_seal_reader;
REVOKE ALL ON SCHEMA audit FROM regress_seal_reader;
DROP ROLE regress_seal_reader;

SET client_min_messages = warning;
SELECT audit.disable('orders', 'end of the test');
DROP SCHEMA seal_test CASCADE;
