-- Which kind of command the client has sent, and its text where a table's policy wants that.
SELECT audit.init() IS NOT NULL AS ready;
CREATE SCHEMA st;
SET search_path = st, public;
CREATE TABLE orders (id int PRIMARY KEY, v text);
SELECT audit.enable('orders');

CREATE FUNCTION told() RETURNS TABLE (action text, key text, depth int, statement text, extra text)
LANGUAGE sql AS $$
	SELECT e.action, e.resource_id, e.trigger_depth, e.statement, e.extra::text
	FROM audit.events e
	WHERE e.table_schema = 'st' AND e.tx_id > coalesce(current_setting('st.since', true)::bigint, 0)
	ORDER BY e.tx_id, e.ordinal
$$;
-- what comes after this is told
CREATE PROCEDURE forget() LANGUAGE sql AS $$ SELECT set_config('st.since', max(tx_id)::text, false) FROM audit.event $$;
CREATE FUNCTION change(command text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE command;
	RETURN 'done';
END $$;

-- the usual case costs nothing
CALL forget();
INSERT INTO orders VALUES (1, 'a');
UPDATE orders SET v = 'b';
DELETE FROM orders;
TRUNCATE orders;
SELECT * FROM told();

-- other commands that change rows
CALL forget();
COPY orders FROM stdin;
1	a
\.
INSERT INTO orders VALUES (1, 'b') ON CONFLICT (id) DO UPDATE SET v = excluded.v;
MERGE INTO orders o USING (VALUES (1), (2)) s (id) ON o.id = s.id
	WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (1, 'm');
WITH gone AS (DELETE FROM orders RETURNING id) SELECT count(*) FROM gone;
\o /dev/null
EXPLAIN ANALYZE INSERT INTO orders VALUES (3, 'explained');
\o
SELECT * FROM told();

-- from inside of others: what the client has sent counts
CALL forget();
SELECT change('INSERT INTO st.orders VALUES (4, ''f'')');
DO $$ BEGIN UPDATE st.orders SET v = 'do' WHERE id = 4; END $$;
CREATE PROCEDURE steps() LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO st.orders VALUES (5, 'first');
	COMMIT;
	DELETE FROM st.orders WHERE id = 5;
	PERFORM st.change('UPDATE st.orders SET v = ''last'' WHERE id = 4');
END $$;
CALL steps();
PREPARE ins (int) AS INSERT INTO orders VALUES ($1, 'prepared');
EXECUTE ins (6);
DEALLOCATE ins;
BEGIN;
DECLARE c CURSOR FOR SELECT change('INSERT INTO st.orders VALUES (7, ''cursor'')');
FETCH c;
COMMIT;
-- a loop over a cursor that changes rows as it goes
DO $$
DECLARE
	r record;
BEGIN
	FOR r IN UPDATE st.orders SET v = 'loop' WHERE id > 5 RETURNING id LOOP
		DELETE FROM st.orders WHERE id = r.id;
	END LOOP;
END $$;
CREATE TABLE made AS SELECT change('INSERT INTO st.orders VALUES (8, ''ctas'')');
SELECT * FROM told();

-- rules, foreign keys, triggers
CREATE TABLE child (id int PRIMARY KEY, orders_id int REFERENCES orders ON DELETE CASCADE ON UPDATE SET NULL);
SELECT audit.enable('child');
CREATE VIEW shown AS SELECT * FROM orders;
CREATE RULE instead AS ON DELETE TO shown DO INSTEAD UPDATE orders SET v = 'hidden' WHERE id = OLD.id;
INSERT INTO child VALUES (1, 8), (2, 4);
CALL forget();
DELETE FROM shown WHERE id = 8;
UPDATE orders SET id = 9 WHERE id = 8;
DELETE FROM orders WHERE id = 4;
-- at the end of a transaction no command is running any more
CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE st.orders SET v = 'late'; RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER late AFTER DELETE ON child DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION late();
DELETE FROM child;
INSERT INTO child VALUES (1, NULL);
BEGIN;
DELETE FROM child;
UPDATE orders SET v = 'before' WHERE id = 9;
COMMIT;
SELECT * FROM told();
DROP TABLE child;

-- several commands in one string; altered tables
CALL forget();
INSERT INTO orders VALUES (10, 'a') \; SELECT change('DELETE FROM st.orders WHERE id = 10') \; UPDATE orders SET v = 'u' WHERE id = 9;
ALTER TABLE orders ADD w int;
DO $$ BEGIN ALTER TABLE st.orders DROP w; END $$;
SELECT * FROM told();

-- the text: once a command and table, of several in one string its own
CREATE TABLE texts (id int PRIMARY KEY, v text);
CREATE TABLE more (id int PRIMARY KEY);
SELECT audit.enable('texts', query => true);
SELECT audit.enable('more', query => true);
SELECT target, query FROM audit.policy WHERE target::text IN ('orders', 'texts') ORDER BY 1;
CALL forget();
INSERT INTO texts VALUES (1, 'a'), (2, 'b') /* actor='anna' */;
WITH x AS (INSERT INTO more VALUES (1) RETURNING 1) UPDATE texts SET v = 'c';
INSERT INTO texts VALUES (3, 'c') \; UPDATE /* what for */ texts SET v = 'd' WHERE id = 3 \; INSERT INTO orders VALUES (11) \;   DELETE FROM more   ;
TRUNCATE more;
TRUNCATE texts, more;
UPDATE texts SET v = 'e' WHERE false;
SELECT action, key, extra FROM told();
-- what is rolled back did not tell it; a procedure that commits tells it in each transaction
CALL forget();
DO $$
BEGIN
	BEGIN
		INSERT INTO st.texts VALUES (1);
		RAISE division_by_zero;
	EXCEPTION WHEN division_by_zero THEN
		INSERT INTO st.texts VALUES (2);
	END;
	INSERT INTO st.texts VALUES (3);
	BEGIN
		INSERT INTO st.texts VALUES (4);
		INSERT INTO st.more VALUES (1);
		RAISE division_by_zero;
	EXCEPTION WHEN division_by_zero THEN
		INSERT INTO st.more VALUES (2);
	END;
END $$;
CREATE PROCEDURE more_steps() LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO st.texts VALUES (5);
	INSERT INTO st.texts VALUES (6);
	COMMIT;
	INSERT INTO st.texts VALUES (7);
END $$;
CALL more_steps();
BEGIN;
SAVEPOINT a;
INSERT INTO more VALUES (8);
ROLLBACK TO a;
INSERT INTO more VALUES (9);
COMMIT;
SELECT key, extra::jsonb - 'statement' AS extra FROM told();
-- partitions are one table; prepared commands have the text of EXECUTE
CREATE TABLE part (id int PRIMARY KEY) PARTITION BY LIST (id);
CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1);
CREATE TABLE part_2 PARTITION OF part FOR VALUES IN (2);
SELECT audit.enable('part', query => true);
CALL forget();
INSERT INTO part VALUES (1), (2);
PREPARE del AS DELETE FROM part;
EXECUTE del;
SELECT key, extra FROM told();
-- long texts are cut between characters
CALL forget();
SELECT repeat('é', 6000) AS long \gset
INSERT INTO texts VALUES (100, :'long');
SELECT key, octet_length(extra::jsonb ->> 'query') AS bytes, right(extra::jsonb ->> 'query', 2) AS ends, extra::jsonb -> 'query_bytes' AS whole
FROM told();

SELECT finding, object FROM audit.verify() WHERE finding <> 'summary';
