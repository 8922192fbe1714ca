-- Verification finds nothing where nothing is wrong, whatever was recorded and whoever looks.
-- What it finds where something is wrong: test/tap/tamper.pl.
CREATE SCHEMA verify_test;
SET search_path = verify_test, public;
CREATE FUNCTION verify(OUT finding text, OUT object text, OUT place text, OUT detail text) RETURNS SETOF record LANGUAGE sql AS
$$
	SELECT finding, object, regexp_replace(place, '\d[\d ]*$', 'N'),
		regexp_replace(regexp_replace(detail, '\mbatch\M', 'batches'), '\d[\d ]* ', 'N ', 'g')
	FROM audit.verify()
$$;
CREATE TABLE things (id int PRIMARY KEY, t text, j jsonb, n numeric, b bytea, a int[]);
CREATE TABLE pairs (a int, b text, c text, PRIMARY KEY (a, b));
CREATE TABLE heaps (x text);
SELECT audit.enable('things'), audit.enable('pairs'), audit.enable('heaps');

-- values of all sizes and kinds, keys of all kinds
INSERT INTO things VALUES (1, NULL, NULL, 'NaN', '\x00ff', '{}'), (2, '', '{"a":"\u00e9"}', 1e30, '', '{1,NULL}'),
	(3, repeat('squeezed ', 1000), NULL, 0.10, NULL, NULL),
	(4, (SELECT string_agg(md5(g::text), '') FROM generate_series(1, 3000) AS g), NULL, NULL, NULL, NULL);
UPDATE things SET t = t || '!' WHERE id IN (3, 4);
INSERT INTO pairs VALUES (1, 'x,"y"', 'z'), (1, E'\t', NULL);
UPDATE pairs SET b = 'moved' WHERE c = 'z';
INSERT INTO heaps VALUES ('one'), ('two'), ('two');
UPDATE heaps SET x = 'three' WHERE x = 'two';
TRUNCATE heaps;
SELECT * FROM verify();
SELECT size > 0 AS sealed FROM audit.seal_now();
SELECT * FROM verify();

-- in the middle of a transaction, its own changes are not looked at
BEGIN;
DELETE FROM things WHERE id = 1;
SAVEPOINT s;
DELETE FROM things WHERE id = 2;
SELECT * FROM verify();
ROLLBACK TO s;
SELECT * FROM verify();
COMMIT;

-- nor those that are prepared
BEGIN;
DELETE FROM pairs;
PREPARE TRANSACTION 'verify_test';
SELECT * FROM verify();
COMMIT PREPARED 'verify_test';
SELECT * FROM verify();

-- in every kind of transaction
BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY;
SELECT * FROM verify();
COMMIT;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM things;
INSERT INTO heaps VALUES ('mine');
SELECT * FROM verify();
ROLLBACK;

-- whatever the session's settings
SET TimeZone = 'Asia/Kathmandu';
SET DateStyle = 'SQL, DMY';
SET extra_float_digits = -10;
SET bytea_output = 'escape';
SET enable_indexscan = off;
SET search_path = pg_temp;
SELECT finding, object FROM audit.verify();
RESET ALL;

-- the transactions that enabled, changed names and disabled are as good as others
SET search_path = verify_test, public;
ALTER TABLE things RENAME TO things_of_old;
UPDATE things_of_old SET n = 7;
SELECT size > 0 AS sealed FROM audit.seal_now();
SELECT * FROM verify();

SET client_min_messages = warning;
SELECT audit.disable('things_of_old', 'end of the test'), audit.disable('pairs', 'end of the test'),
	audit.disable('heaps', 'end of the test');
DROP SCHEMA verify_test CASCADE;
SELECT finding, object FROM audit.verify();
