-- Parts of the ledger are verified by themselves, and what does not go together is refused.
CREATE SCHEMA verify_part_test;
SET search_path = verify_part_test, public;
CREATE TABLE one (id int PRIMARY KEY, t text);
CREATE TABLE two (id int PRIMARY KEY, t text);
SELECT audit.enable('one'), audit.enable('two');
CREATE FUNCTION checked(detail text) RETURNS bigint LANGUAGE sql AS
$$
	SELECT replace(substring($1, '^[\d ]+'), ' ', '')::bigint - (SELECT coalesce(sum(event_count), 0) FROM audit.log_entry
		WHERE kind = 'events' AND payload -> 'tables' IS NULL)
$$;
COMMENT ON FUNCTION checked(text) IS 'events that were looked at, but for those of batches that do not say which tables they are of';
SELECT size > 0 AS sealed FROM audit.seal_now();
SELECT now() AS between_them \gset
INSERT INTO one SELECT g, 'x' FROM generate_series(1, 300) AS g;
SELECT size > 0 AS sealed FROM audit.seal_now();
INSERT INTO two VALUES (1, 'y'), (2, 'y');
SELECT size > 0 AS sealed FROM audit.seal_now();
SELECT now() AS after_them \gset
SELECT (SELECT tx_id FROM audit.event WHERE target_id =
	(SELECT max(target_id) FROM audit.target WHERE table_schema = 'verify_part_test' AND table_name = 'two') LIMIT 1) AS sealed \gset

-- which tables a batch has is sealed with it
SELECT payload FROM audit.log_entry WHERE kind = 'events' ORDER BY log_index DESC LIMIT 2;

-- a table
SELECT finding, object, split_part(place, ',', 1) AS place, checked(detail), detail ~ 'not looked at' AS others_passed
FROM audit.verify(table_name => 'two');
SELECT a.detail = b.detail AS same FROM audit.verify(table_name => 'two') AS a, audit.verify(table_name => 'verify_part_test.two') AS b;
ALTER TABLE two RENAME TO three;
UPDATE three SET t = 'z' WHERE id = 1;
SELECT size > 0 AS sealed FROM audit.seal_now();
SELECT checked(detail) AS by_its_new_name FROM audit.verify(table_name => 'three');
SELECT checked(detail) AS by_its_old_name FROM audit.verify(table_name => 'verify_part_test.two');
SELECT finding FROM audit.verify(table_name => 'verify_part_test.four');
SELECT finding FROM audit.verify(table_name => 'two');
SELECT finding FROM audit.verify(table_name => 'a.b.c.d');

-- a time
SELECT finding, object, split_part(place, ',', 1) AS place, substring(detail, '^.*? sealed') AS checked
FROM audit.verify(since => :'between_them', until => :'after_them');
SELECT substring(detail, '^.*? sealed') AS checked FROM audit.verify(since => :'between_them', until => :'after_them', table_name => 'one');
SELECT finding, object FROM audit.verify(since => '-infinity', until => 'infinity');
SELECT substring(detail, '^.*? sealed') AS checked FROM audit.verify(since => 'infinity');

-- a transaction
SELECT finding, object, split_part(place, ' ', 1) AS place, detail FROM audit.verify(tx_id => :sealed);
INSERT INTO one VALUES (999);
SELECT finding, object, split_part(detail, ',', 1) AS detail FROM audit.verify(tx_id => (SELECT max(tx_id) FROM audit.transaction));
\set VERBOSITY terse
SELECT finding FROM audit.verify(tx_id => 999999999999);
\set VERBOSITY default

-- workers, as many as one likes
SELECT finding, object FROM audit.verify(workers => 0);
SELECT finding, object FROM audit.verify(workers => 2);
BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY;
SELECT finding, object FROM audit.verify(workers => 2);
COMMIT;
BEGIN;
INSERT INTO one VALUES (1000);
SAVEPOINT s;
SELECT finding, object FROM audit.verify(workers => 2);
ROLLBACK TO s;
SELECT finding, object FROM audit.verify(workers => 2);
INSERT INTO one VALUES (1001);
COMMIT;

-- what came since the last result
SELECT size > 0 AS sealed FROM audit.seal_now();
SELECT size > 0 AS verified, findings FROM audit.verify_now();
SELECT payload ->> 'mode' AS mode, payload ->> 'findings' AS findings,
	(payload ->> 'size')::bigint <= log_index AS before_it,
	payload ->> 'root' = (SELECT encode(root, 'base64') FROM audit.checkpoint WHERE size = (payload ->> 'size')::bigint) AS root
FROM audit.log_entry WHERE kind = 'verified' ORDER BY log_index DESC LIMIT 1;
DELETE FROM one WHERE id <= 2;
SELECT size > 0 AS sealed FROM audit.seal_now();
SELECT finding, object, split_part(detail, ',', 1) AS checked FROM audit.verify(since_last => true);
SELECT size > 0 AS verified, findings FROM audit.verify_now();
SELECT e.payload ->> 'from' = (SELECT payload ->> 'size' FROM audit.log_entry WHERE kind = 'verified' AND log_index < e.log_index ORDER BY log_index DESC LIMIT 1) AS goes_on
FROM audit.log_entry AS e WHERE kind = 'verified' ORDER BY log_index DESC LIMIT 1;
SELECT finding, object FROM audit.verify();

-- without a key there is nothing to resume
SELECT finding, object FROM audit.verify(resume => true);

-- nothing verifies now but verifications
SELECT count(*) FROM audit.verify_progress;

-- what does not go together
SELECT finding FROM audit.verify(public_key => 'x');
SELECT finding FROM audit.verify(tx_id => 1, table_name => 'one');
SELECT finding FROM audit.verify(tx_id => 1, until => now());
SELECT finding FROM audit.verify(tx_id => 0);
SELECT finding FROM audit.verify(since_last => true, table_name => 'one');
SELECT finding FROM audit.verify(since_last => true, tx_id => 1);
SELECT finding FROM audit.verify(since_last => true, checkpoint => 'x');
SELECT finding FROM audit.verify(since_last => true, resume => true);
SELECT finding FROM audit.verify(resume => true, since => now());
SELECT finding FROM audit.verify(since => now(), until => now() - interval '1 s');
SELECT finding FROM audit.verify(workers => -1);
SELECT finding FROM audit.verify(workers => 5000);
SELECT finding FROM audit.verify(checkpoint => '');
SELECT finding FROM audit.verify(checkpoint => 'no note');
SELECT finding FROM audit.verify(checkpoint => E'example.org/log\n1\nAAAA\n\n\u2014 example.org/log AAAAAAAA\n');
SELECT finding FROM audit.verify(checkpoint => 'x', public_key => 'y');

-- not for everybody
CREATE ROLE regress_verify_part_reader;
SET ROLE regress_verify_part_reader;
SELECT * FROM audit.verify(workers => 1);
SELECT * FROM audit.verify_now();
SELECT * FROM audit.verify_progress;
SELECT * FROM audit.read_verify_progress();
RESET ROLE;
DROP ROLE regress_verify_part_reader;

SET client_min_messages = warning;
SELECT audit.disable('one', 'end of the test'), audit.disable('three', 'end of the test');
DROP SCHEMA verify_part_test CASCADE;
