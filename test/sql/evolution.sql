-- What is recorded of rows whose table has changed since they were written.
SELECT audit.init() IS NOT NULL AS ready;
CREATE SCHEMA evo;
SET search_path = evo, public;
CREATE FUNCTION trail(which regclass, OUT ordinal int, OUT op "char", OUT old_values text, OUT new_values text)
RETURNS SETOF record LANGUAGE sql AS $$
	SELECT e.ordinal, e.op, e.old_values::text, e.new_values::text
	FROM audit.event e JOIN audit.target v USING (target_id)
	WHERE e.op <> 'A' AND v.lineage = (SELECT n.lineage FROM audit.policy p JOIN audit.target n USING (target_id) WHERE p.target = which)
	ORDER BY e.tx_id, e.ordinal
$$;

-- a column that was added with a default is not stored in the rows that were there before
CREATE TABLE grown (id int PRIMARY KEY, a text);
INSERT INTO grown VALUES (1, 'x'), (2, 'y');
SELECT audit.enable('grown');
ALTER TABLE grown ADD COLUMN c int DEFAULT 5, ADD COLUMN d text DEFAULT 'dee';
UPDATE grown SET a = 'z' WHERE id = 1;
UPDATE grown SET c = 6 WHERE id = 2;
ALTER TABLE grown ADD COLUMN e date DEFAULT '2026-11-22';
DELETE FROM grown;
SELECT * FROM trail('grown');

RESET search_path;
SET client_min_messages = warning;
DROP SCHEMA evo CASCADE;
