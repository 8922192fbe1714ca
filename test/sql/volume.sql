-- The figures: events an hour, latency of queries, integrity, and audit.kpi.
CREATE SCHEMA volume;
SET search_path = volume;
CREATE TABLE items (id int PRIMARY KEY, name text);
SELECT audit.enable('items', context => 'warehouse', resource_type => 'volume_item');
CREATE VIEW found AS SELECT context, event_type, actor, action, sum(events)::bigint AS events
	FROM audit.volume_per_hour() WHERE resource_type = 'volume_item' GROUP BY 1, 2, 3, 4;

-- exact before it is sealed and after; what was rolled back is not there
BEGIN;
SELECT audit.set_context(actor => 'anna');
INSERT INTO items SELECT i, 'item ' || i FROM generate_series(1, 100) i;
SAVEPOINT a;
DELETE FROM items;
ROLLBACK TO a;
SELECT * FROM found;
COMMIT;
SELECT * FROM found;
SELECT size > 0 FROM audit.seal_now();
SELECT * FROM found;

-- an actor of its own, one that is taken back, and strange names
BEGIN;
SELECT audit.set_context(actor => 'bert');
UPDATE items SET name = 'b' WHERE id <= 3;
SELECT audit.set_context(actor => E'ca"rl\\ \u00e4');
UPDATE items SET name = 'c' WHERE id <= 2;
SET LOCAL audit_trail.actor = '';
UPDATE items SET name = 'd' WHERE id = 1;
TRUNCATE items;
COMMIT;
SELECT size > 0 FROM audit.seal_now();
SELECT * FROM found ORDER BY event_type, actor COLLATE "C";

-- of the whole trail: as the events themselves, and as the log
CREATE VIEW counted AS SELECT date_trunc('hour', occurred_at, 'UTC') AS hour, context, resource_type, event_type, actor, action, count(*) AS events
	FROM audit.events WHERE committed_at IS NOT NULL GROUP BY 1, 2, 3, 4, 5, 6;
SELECT count(*) FROM (SELECT * FROM counted EXCEPT ALL SELECT * FROM audit.volume_per_hour('-infinity')) d;
SELECT count(*) FROM (SELECT * FROM audit.volume_per_hour('-infinity') EXCEPT ALL SELECT * FROM counted) d;
SELECT (SELECT sum(events) FROM audit.volume) = (SELECT sum(event_count) FROM audit.log_entry) AS as_sealed;
SELECT count(*) FROM audit.volume_per_hour('-infinity', now() - interval '1 year');
SELECT count(*) FROM audit.volume_per_hour(now() + interval '1 hour');

-- one snapshot: a seal that comes between changes nothing
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT sum(events) AS before FROM audit.volume_per_hour('-infinity') \gset
SELECT size > 0 FROM audit.seal_now();
SELECT sum(events) = :before AS same FROM audit.volume_per_hour('-infinity');
COMMIT;

-- what somebody changed is found and mended
SELECT audit.rebuild_volume();
CREATE VIEW own AS SELECT * FROM audit.volume WHERE target_id IN (SELECT target_id FROM audit.target WHERE resource_type = 'volume_item');
UPDATE own SET events = events + 1 WHERE actor = 'anna';
DELETE FROM own WHERE actor = 'bert';
INSERT INTO audit.volume VALUES (now(), 1, 'D', '', 'nobody', 5);
SELECT audit.rebuild_volume();
SELECT audit.rebuild_volume();
SELECT * FROM found WHERE action = 'insert';

-- queries of the trail are counted, and no others
SELECT queries AS before FROM audit.query_latency() \gset
SELECT count(*) >= 0 FROM audit.events WHERE tx_id = 1;
SELECT count(*) FROM items;
SELECT count(*) FROM pg_class WHERE relname = 'items' AND relnamespace = 'volume'::regnamespace;
EXPLAIN (COSTS off) SELECT 1;
SELECT queries - :before AS counted, p50_ms <= p95_ms AND p95_ms <= p99_ms AND p99_ms <= max_ms AS ordered, since < now() FROM audit.query_latency();
SELECT queries AS before FROM audit.query_latency() \gset
PREPARE of_row AS SELECT count(*) FROM audit.history('items', '1');
EXECUTE of_row;
BEGIN;
DECLARE c CURSOR FOR SELECT tx_id FROM audit.event WHERE tx_id = 1;
FETCH c;
SELECT queries - :before AS counted FROM audit.query_latency();
SAVEPOINT a;
SELECT 1 / (tx_id - tx_id) FROM audit.event LIMIT 1;
ROLLBACK TO a;
CLOSE c;
COMMIT;
SELECT queries - :before AS counted FROM audit.query_latency();

-- integrity is what was sealed of it
SELECT verified_events AS before FROM audit.integrity() \gset
SELECT findings FROM audit.verify_now();
SELECT verified_events > :before AS more, verified_events <= (SELECT sum(event_count) FROM audit.log_entry) AS not_twice, failures, failure_rate = 0 AS rate,
	verified_size > 0, verified_at > now() - interval '1 minute'
FROM audit.integrity();
SELECT figure, value IS NOT NULL AS has_value, goal, reached IS NOT NULL AS is_judged FROM audit.kpi;

-- for who may read all, and nobody else
CREATE ROLE regress_volume;
GRANT USAGE ON SCHEMA audit TO regress_volume;
SET ROLE regress_volume;
SELECT count(*) FROM audit.volume_per_hour();
SELECT audit.rebuild_volume();
RESET ROLE;
GRANT SELECT ON ALL TABLES IN SCHEMA audit TO regress_volume;
GRANT EXECUTE ON FUNCTION audit.volume_per_hour TO regress_volume;
SET ROLE regress_volume;
SELECT count(*) FROM audit.volume_per_hour();
SELECT count(*) FROM audit.volume;
DELETE FROM audit.volume;
RESET ROLE;
DROP OWNED BY regress_volume;
DROP ROLE regress_volume;

-- by the index, whatever is there
SET enable_seqscan = off;
SET enable_bitmapscan = off;
EXPLAIN (COSTS off) SELECT sum(events) FROM audit.volume WHERE hour = '2026-01-01 00:00+00';
RESET enable_bitmapscan;
RESET enable_seqscan;

-- the planner does not presume that a third of all events has a context of its own
CREATE FUNCTION estimate(condition text) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT json) SELECT FROM audit.event WHERE ' || condition INTO plan;
	RETURN (plan -> 0 -> 'Plan' ->> 'Plan Rows')::float8;
END $$;
SELECT estimate('audit.has_context(extra)') < estimate('true') / 20 AS few, estimate('audit.has_context(extra) IS NOT TRUE') > estimate('true') * 0.9 AS most;

SELECT audit.disable('items', 'test over');
DROP SCHEMA volume CASCADE;
