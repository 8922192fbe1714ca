-- Write-once tables before an incarnation has begun, as during pg_restore: rows get in, and
-- still cannot be changed, removed or emptied. Then the ledger is made, and nothing gets in.
SELECT no_plan();
SELECT audit.create_ledger(); -- as a dump does: tables, and no rows yet

CREATE TABLE audit.restored (id int, v text) USING audit_worm;
CREATE UNIQUE INDEX restored_pkey ON audit.restored (id);
SELECT lives_ok($$INSERT INTO audit.restored SELECT g, repeat('v', g * 100) FROM generate_series(1, 100) g$$,
	'rows are restored');
SELECT throws_ok('UPDATE audit.restored SET v = NULL', 'TR001', 'cannot update "restored": it is write-once', 'but not changed');
SELECT throws_ok('DELETE FROM audit.restored', 'TR001', 'cannot delete from "restored": it is write-once', 'nor removed');
SELECT throws_ok('TRUNCATE audit.restored', 'TR001', 'cannot truncate "restored": it is write-once', 'nor emptied');
SELECT throws_ok('INSERT INTO audit.restored VALUES (1000, NULL) ON CONFLICT DO NOTHING', 'TR001',
	'cannot insert into "restored": it is write-once', 'a restore needs no ON CONFLICT');
SELECT throws_ok('INSERT INTO audit.restored VALUES (1, NULL)', '23505', NULL, 'unique is unique');
SELECT throws_ok('ALTER TABLE audit.restored ALTER id TYPE bigint', 'TR001', 'cannot rewrite "restored": it is write-once',
	'a rewrite is refused');
SELECT lives_ok('ALTER TABLE audit.restored ADD w int DEFAULT 7', 'a column is added without a rewrite');
SELECT is((SELECT count(*) FROM audit.restored), 100::bigint, 'all rows are there');

-- pg_restore --jobs creates or truncates a table in the transaction that loads it
BEGIN;
CREATE TABLE audit.loaded (id int) USING audit_worm;
SELECT lives_ok('TRUNCATE audit.loaded', 'a table of this transaction is emptied while it is empty');
INSERT INTO audit.loaded VALUES (1);
SELECT throws_ok('TRUNCATE audit.loaded', 'TR001', NULL, 'and not once it has rows');
COMMIT;
CREATE TABLE audit.aborted (id int, v text) USING audit_worm;
BEGIN;
INSERT INTO audit.aborted SELECT g, repeat('v', 10000) FROM generate_series(1, 100) g;
ROLLBACK;
SELECT lives_ok('TRUNCATE audit.aborted', 'rows that never were do not count');
SELECT is(pg_relation_size('audit.aborted'), 0::bigint, 'and it is empty');

-- an index sees the rows of its own transaction and leaves out what was rolled back
BEGIN;
SAVEPOINT s;
INSERT INTO audit.restored SELECT g, 'gone' FROM generate_series(1001, 1100) g;
ROLLBACK TO s;
INSERT INTO audit.restored SELECT g, 'own' FROM generate_series(2001, 2100) g;
CREATE UNIQUE INDEX restored_own ON audit.restored (id, v) WHERE id > 1000;
SET LOCAL enable_seqscan = off;
SELECT is((SELECT count(*) FROM audit.restored WHERE id > 1000), 100::bigint, 'an index is right in its transaction');
COMMIT;
SELECT throws_ok('CREATE UNIQUE INDEX ON audit.restored (w)', '23505', NULL, 'what is not unique is noticed');
SET max_parallel_maintenance_workers = 2;
SET min_parallel_table_scan_size = 0;
CREATE INDEX restored_parallel ON audit.restored (v);
SET enable_seqscan = off;
SELECT is((SELECT count(*) FROM audit.restored WHERE v = 'own'), 100::bigint, 'a parallel build finds every row');
RESET enable_seqscan;

INSERT INTO audit.incarnation
SELECT 1, now(), system_identifier, (SELECT oid FROM pg_database WHERE datname = current_database()), gen_random_uuid(), 'test'
FROM pg_control_system();
SELECT throws_ok($$INSERT INTO audit.restored VALUES (3000, 'forged')$$, 'TR001',
	'cannot insert into "restored": it is write-once', 'once the ledger has begun, nothing gets in');
SELECT throws_ok('INSERT INTO audit.loaded VALUES (2)', 'TR001', NULL, 'nowhere');
SELECT * FROM finish();
