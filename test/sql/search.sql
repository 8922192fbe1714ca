-- audit.search(): the newest events by any combination of dimensions, and as the view has them.
CREATE SCHEMA searched;
SET search_path = searched;
CREATE TABLE items (id int PRIMARY KEY, name text, price numeric);
CREATE TABLE notes (id int PRIMARY KEY, text text);
SELECT audit.enable('items', context => 'warehouse', resource_type => 'searched_item');
SELECT audit.enable('notes', resource_type => 'searched_note');

-- a thousand transactions of two tables, four actors and a rare deletion
CREATE PROCEDURE work(n int) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. n LOOP
		PERFORM audit.set_context(actor => 'actor ' || i % 4, request_id => 'r-' || i / 3);
		INSERT INTO searched.items VALUES (i, 'item ' || i, i);
		IF i % 5 = 0 THEN
			PERFORM audit.set_context(actor => 'guest', request_id => 'r-' || i / 3);
			INSERT INTO searched.notes VALUES (i, 'note');
			UPDATE searched.items SET price = price + 1, name = 'changed' WHERE id = i - 1;
		END IF;
		IF i = 17 THEN
			DELETE FROM searched.items WHERE id = 11;
		END IF;
		COMMIT;
	END LOOP;
END $$;
CALL work(1000);

SELECT event_type, resource_id, actor, changed, new_values FROM audit.search('{"resource_type": "searched_item"}', max_rows => 3);
SELECT event_type, resource_id, actor FROM audit.search('{"resource_type": "searched_item", "action": "delete"}');
SELECT event_type, resource_id, actor FROM audit.search('{"actor": "guest", "action": ["insert", "update"]}', target => 'items', max_rows => 2);
SELECT event_type, resource_id FROM audit.search('{"request_id": "r-5", "context": "warehouse"}');
SELECT event_type, resource_id FROM audit.search('{"changed": "price"}', target => 'items', condition => '$ ? (@.new.price > 990 && @.old.price < 995)');
SELECT count(*) FROM audit.search('{"changed": ["price", "colour"], "resource_id": "4"}', target => 'items');
SELECT count(*) FROM audit.search(target => 'notes', max_rows => 1000);
SELECT count(*) FROM audit.search('{"resource_type": "searched_note", "reason": null}', max_rows => 1000);
SELECT count(*) FROM audit.search('{"resource_type": "searched_note", "reason": "none"}');
SELECT count(*) FROM audit.search('{"resource_type": []}');

-- as the view: each of these with and without limit, by pages, sealed and not
CREATE FUNCTION agrees(filter jsonb, condition text, since timestamptz = NULL, until timestamptz = NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	viewed text[];
	found text[];
	paged text[] = '{}';
	page text[];
BEGIN
	EXECUTE format('SELECT array_agg(event_id ORDER BY tx_at DESC, tx_id DESC, ordinal DESC) FROM audit.events WHERE %s AND tx_at >= %L AND tx_at < %L',
		condition, coalesce(since, '-infinity'), coalesce(until, 'infinity')) INTO viewed;
	SELECT array_agg(event_id) INTO found FROM audit.search(filter, since, until, max_rows => 10000);
	IF found IS DISTINCT FROM viewed THEN
		RETURN format('%s events, and the view has %s', cardinality(found), cardinality(viewed));
	END IF;
	LOOP
		SELECT array_agg(event_id) INTO page FROM audit.search(filter, since, until, max_rows => 97, before => paged[cardinality(paged)]);
		EXIT WHEN page IS NULL;
		paged = paged || page;
	END LOOP;
	RETURN CASE WHEN paged = viewed THEN 'agrees' WHEN viewed IS NULL THEN 'none' ELSE 'pages differ' END;
END $$;
CREATE VIEW asked AS
SELECT now() AS at, f::jsonb AS filter, c AS condition
FROM (VALUES
	('{"resource_type": "searched_item"}', 'resource_type = ''searched_item'''),
	('{"resource_type": "searched_item", "actor": "guest"}', 'resource_type = ''searched_item'' AND actor = ''guest'''),
	('{"resource_type": ["searched_item", "searched_note"], "actor": ["actor 1", "guest"]}', 'resource_type LIKE ''searched%'' AND actor IN (''actor 1'', ''guest'')'),
	('{"resource_type": "searched_item", "actor": "actor 2", "action": "insert"}', 'resource_type = ''searched_item'' AND actor = ''actor 2'' AND action = ''insert'''),
	('{"event_type": "searched_item.deleted"}', 'event_type = ''searched_item.deleted'''),
	('{"table_schema": "searched", "table_name": "notes", "statement": "CALL"}', 'table_schema = ''searched'' AND table_name = ''notes'' AND statement = ''CALL'''),
	('{"table_schema": "searched", "changed": "name", "trigger_depth": 0}', 'table_schema = ''searched'' AND ''name'' = ANY (changed) AND trigger_depth = 0'),
	('{"table_schema": "searched", "request_id": "r-77"}', 'table_schema = ''searched'' AND request_id = ''r-77'''),
	('{"actor": "nobody"}', 'actor = ''nobody''')
) v (f, c);
SELECT filter, agrees(filter, condition) FROM asked ORDER BY filter;
SELECT size > 0 FROM audit.seal_now();
SELECT agrees(filter, condition), count(*) FROM asked GROUP BY 1 ORDER BY 1;
SELECT min(tx_at) + (max(tx_at) - min(tx_at)) / 4 AS a, min(tx_at) + (max(tx_at) - min(tx_at)) / 2 AS b FROM audit.events WHERE table_schema = 'searched' \gset
SELECT agrees(filter, condition, :'a', :'b') IN ('agrees', 'none') AS agrees, agrees(filter, condition, :'b', :'a'), count(*) FROM asked GROUP BY 1, 2;
SELECT agrees(format('{"table_schema": "searched", "session_id": %s}', session_id)::jsonb, format('table_schema = ''searched'' AND session_id = %s', session_id))
FROM audit.search('{"table_schema": "searched"}', max_rows => 1);

-- the transaction that asks sees its own, as in the view
BEGIN;
INSERT INTO notes VALUES (2000, 'own');
SELECT event_type, resource_id, actor FROM audit.search('{"resource_type": "searched_note"}', max_rows => 1);
SAVEPOINT a;
DELETE FROM notes;
ROLLBACK TO a;
SELECT event_type, resource_id FROM audit.search('{"resource_type": "searched_note"}', max_rows => 1);
ROLLBACK;

-- a table that was renamed; hostile values and settings
ALTER TABLE notes RENAME TO remarks;
INSERT INTO remarks VALUES (3000, 'after');
SELECT count(*) FROM audit.search(target => 'remarks', max_rows => 1000);
SELECT count(*) FROM audit.search('{"table_name": "notes'' OR true --"}');
SELECT count(*) FROM audit.search('{"table_name": "remarks", "table_schema": "searched"}');
CREATE FUNCTION searched.jsonb_path_exists(jsonb, jsonpath, silent boolean) RETURNS boolean LANGUAGE sql AS 'SELECT 1 / 0 = 1';
SET search_path = searched, pg_catalog, public;
SELECT count(*) FROM audit.search('{"table_name": "remarks", "table_schema": "searched"}', condition => '$.new.text');
SET search_path = searched;

-- what is asked wrongly
SELECT * FROM audit.search('[]');
SELECT * FROM audit.search('{"colour": "red"}');
SELECT * FROM audit.search('{"actor": {"a": 1}}');
SELECT * FROM audit.search('{"actor": [null]}');
SELECT * FROM audit.search('{"actor": true}');
SELECT * FROM audit.search('{"session_id": "x"}');
SELECT * FROM audit.search(max_rows => 0);
SELECT * FROM audit.search(max_rows => NULL);
SELECT * FROM audit.search(before => '1');
SELECT * FROM audit.search(before => '0.1');
SELECT * FROM audit.search(target => 'pg_class');
SELECT count(*) FROM audit.search(NULL, target => 'items', max_rows => 5);
