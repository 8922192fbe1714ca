-- audit.coverage(): when a table was recorded and when not, and why.
CREATE SCHEMA coverage;
SET search_path = coverage;

CREATE FUNCTION intervals(target regclass) RETURNS TABLE (covered boolean, joined boolean, until text, why text)
LANGUAGE sql AS $$
	SELECT covered, from_at = lag(until_at, 1, '-infinity') OVER (ORDER BY from_at, until_at),
		CASE WHEN until_at = 'infinity' THEN 'infinity' WHEN until_at <= now() THEN 'past' ELSE 'future' END,
		replace(why, current_user, 'me')
	FROM audit.coverage(target)
$$;

CREATE TABLE items (id int PRIMARY KEY, name text);
SELECT * FROM intervals('items');
SELECT audit.enable('items');
SELECT * FROM intervals('items');
BEGIN;
SELECT audit.set_context(actor => 'alice', reason => 'not this one');
SELECT audit.disable('items', 'maintenance: <"window">');
COMMIT;
SELECT * FROM intervals('items');
SELECT audit.enable('items', operations => '{insert,delete}');
SELECT audit.disable('items', 'again');
SELECT audit.enable('items', operations => '{insert,delete}');
BEGIN;
SELECT audit.disable('items', 'rolled back');
ROLLBACK;
SELECT * FROM intervals('items');

-- another table of the same name has its own times
DROP TABLE items;
CREATE TABLE items (id int PRIMARY KEY);
SELECT * FROM intervals('items');
SELECT audit.enable('items');
SELECT * FROM intervals('items');

-- a partition is covered with its table
CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (1) TO (10);
SELECT audit.enable('parts');
SELECT * FROM intervals('parts_1');

-- what is left out is no evidence of absence
CREATE TABLE filtered (id int PRIMARY KEY, a int, b int);
SELECT audit.enable('filtered', operations => '{insert,update}', "only" => '{a,b}', "when" => '$.new.a > 1');
ALTER TABLE filtered RENAME a TO c;
ALTER TABLE filtered DROP COLUMN c;
SELECT audit.disable('filtered', 'test');
SELECT audit.enable('filtered');
SELECT * FROM intervals('filtered');

SET client_min_messages = warning;
DROP SCHEMA coverage CASCADE;
