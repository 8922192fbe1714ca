-- Storage refuses whatever would change, remove, lock or add a row of the ledger, superuser or not.
-- The guard is lifted: storage stands alone.
\set SHOW_CONTEXT never
CREATE SCHEMA worm;
SET search_path = worm, public;
CREATE TABLE orders (id int PRIMARY KEY, total numeric, notes text);
SELECT audit.enable('orders', context => 'worm');
INSERT INTO orders SELECT g, g, repeat('note ' || g, 1000) FROM generate_series(1, 200) g;
SELECT v.target_id FROM audit.policy p JOIN audit.target v USING (target_id)
	WHERE p.target = 'orders'::regclass \gset
SELECT tx_id FROM audit.event WHERE target_id = :target_id AND ordinal = 1 \gset

-- changing and removing
UPDATE audit.event SET record_key = 'x' WHERE target_id = :target_id;
\echo :LAST_ERROR_SQLSTATE
DELETE FROM audit.event WHERE target_id = :target_id;
UPDATE audit.transaction SET actor = 'nobody' WHERE tx_id = :tx_id;
DELETE FROM audit.transaction WHERE tx_id = :tx_id;
DELETE FROM audit.target;
UPDATE audit.incarnation SET system_identifier = 0;
MERGE INTO audit.target t USING (VALUES (:target_id)) v (id) ON t.target_id = v.id
	WHEN MATCHED THEN UPDATE SET table_name = 'x';
MERGE INTO audit.target t USING (VALUES (:target_id)) v (id) ON t.target_id = v.id
	WHEN MATCHED THEN DELETE;
WITH gone AS (DELETE FROM audit.target RETURNING 1) SELECT count(*) FROM gone;
PREPARE removal AS DELETE FROM audit.target;
EXECUTE removal;
DO $$ BEGIN DELETE FROM audit.target; EXCEPTION WHEN SQLSTATE 'TR001' THEN RAISE NOTICE '%', sqlerrm; END $$;

-- emptying
TRUNCATE audit.event;
TRUNCATE audit.target CASCADE;
BEGIN; SAVEPOINT s; TRUNCATE audit.session; ROLLBACK;

-- adding
INSERT INTO audit.target SELECT * FROM audit.target LIMIT 1;
INSERT INTO audit.target SELECT * FROM audit.target LIMIT 1 ON CONFLICT DO NOTHING;
INSERT INTO audit.event SELECT * FROM audit.event WHERE target_id = :target_id LIMIT 1;
INSERT INTO audit.anchor_receipt VALUES (1, 1, 1, now(), now(), 1, 'timestamp', 'forged', '', '');
INSERT INTO audit.alert_action VALUES (1, now(), 1, 1, 1, 1, 'acknowledged', NULL, 'forged', NULL, 'anna', NULL, 1, 1);
DELETE FROM audit.alert_delivery;
COPY audit.alert_pass FROM stdin;
1	2026-01-01 00:00:00Z	1	1	0	1:1:	\N	\N	\N
2	2026-01-01 00:00:00Z	1	1	0	1:1:	\N	\N	\N
\.

-- locking
SELECT count(*) FROM (SELECT FROM audit.target FOR UPDATE) x;
SELECT count(*) FROM (SELECT FROM audit.target FOR KEY SHARE) x;

-- rewriting
VACUUM FULL audit.target;
CLUSTER audit.target USING target_pkey;
ALTER TABLE audit.target ALTER tx_id TYPE int;
ALTER TABLE audit.target ADD extra timestamptz DEFAULT clock_timestamp();
ALTER TABLE audit.target SET UNLOGGED;

-- the access method is the ledger's
CREATE TABLE mine (id int) USING audit_worm;
CREATE TEMP TABLE mine (id int) USING audit_worm;
CREATE UNLOGGED TABLE audit.mine (id int) USING audit_worm;
CREATE MATERIALIZED VIEW mine USING audit_worm AS SELECT 1;
CREATE TABLE audit.mine USING audit_worm AS SELECT 1;
ALTER TABLE orders SET ACCESS METHOD audit_worm;

-- an index on an expression runs functions while it is built; they get no further
CREATE FUNCTION remove() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
	DELETE FROM audit.target;
EXCEPTION WHEN SQLSTATE 'TR001' THEN
	RAISE NOTICE 'refused: %', sqlerrm;
END $$;
CREATE FUNCTION forge(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	PERFORM worm.remove();
	RETURN $1;
END $$;
GRANT USAGE ON SCHEMA worm TO PUBLIC;
CREATE INDEX CONCURRENTLY worm_forge ON audit.target (forge(target_id)) WHERE target_id = 1;
DROP INDEX audit.worm_forge;

-- what must work: maintenance, and indexes that then agree with the table
SELECT tableoid::regclass AS leaf FROM audit.event WHERE tx_id = :tx_id LIMIT 1 \gset
VACUUM (FREEZE, ANALYZE) audit.event;
VACUUM (FREEZE) :leaf;
ANALYZE audit.transaction;
REINDEX TABLE :leaf;
REINDEX TABLE CONCURRENTLY :leaf;
CREATE INDEX CONCURRENTLY worm_once ON :leaf (occurred_at, ordinal) WHERE record_key IS NOT NULL;
CREATE UNIQUE INDEX worm_unique ON :leaf (tx_id, ordinal);
SELECT reltoastrelid::regclass AS toast FROM pg_class WHERE oid = :'leaf'::regclass \gset
REINDEX TABLE :toast;
SELECT a.amname FROM pg_class c JOIN pg_am a ON a.oid = c.relam WHERE c.oid = :'toast'::regclass;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SELECT count(*), sum(length(new_values::text)) FROM audit.event
	WHERE tx_id = :tx_id AND ordinal BETWEEN 1 AND 200;
SELECT count(*), sum(length(new_values::text)) FROM audit.event
	WHERE target_id = :target_id AND record_key = '77';
RESET enable_seqscan;
SET enable_indexscan = off;
SELECT count(*), sum(length(new_values::text)) FROM audit.event WHERE tx_id = :tx_id;
RESET ALL;
SET search_path = worm, public;
DROP INDEX audit.worm_once, audit.worm_unique;

-- the ledger is as it was
INSERT INTO orders VALUES (1000, 1, 'last');
SELECT count(*) FROM audit.event WHERE target_id = :target_id;
