-- audit.search(): what is rare is found by the log, which knows the kinds of events of each batch; and as the view has it.
CREATE SCHEMA sought;
SET search_path = sought;
CREATE TABLE things (id int PRIMARY KEY, n int);
CREATE TABLE notes (id int PRIMARY KEY, text text);
SELECT audit.enable('things', resource_type => 'sought_thing', context => 'sought');
SELECT audit.enable('notes', resource_type => 'sought_note', context => 'sought');

SELECT audit.add_event_type('sought_case.found', context => 'orders', category => 'operation', sentence => 'found', description => 'found');
SELECT count(audit.add_event_type(format('sought_case.%sized', chr(96 + g / 11) || chr(97 + g % 11)), context => 'orders', category => 'operation', sentence => 'kind', description => 'kind')) FROM generate_series(11, 131) g;

-- thirty thousand events, three hundred a transaction: so many in all that no plan reads all of a table for a thousand
CREATE PROCEDURE fill(part int) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 0 .. 99 LOOP
		INSERT INTO sought.things SELECT g, 0 FROM generate_series(part * 30000 + i * 300, part * 30000 + i * 300 + 299) g;
		COMMIT;
	END LOOP;
END $$;

CREATE TABLE began AS SELECT clock_timestamp() AS at;

-- events are many, and a few others lie between; a transaction ends long after it began
CALL fill(1);
SELECT size > 0 FROM audit.seal_now();
INSERT INTO notes VALUES (1, 'early');
DELETE FROM things WHERE id = 30001;
SELECT size > 0 FROM audit.seal_now();
BEGIN;
DELETE FROM things WHERE id = 30002;
PREPARE TRANSACTION 'sought';
CALL fill(2);
SELECT size > 0 FROM audit.seal_now();
CALL fill(3);
SELECT size > 0 FROM audit.seal_now();
SELECT length(audit.emit('sought_case.found', 'a')) > 0;
SELECT size > 0 FROM audit.seal_now();
SELECT clock_timestamp() AS half \gset
CALL fill(4);
SELECT size > 0 FROM audit.seal_now();
CALL fill(5);
SELECT size > 0 FROM audit.seal_now();

SELECT DISTINCT k.value::text COLLATE "C" AS kind
FROM audit.log_entry l, json_array_elements(l.payload -> 'tables') k (value)
WHERE k.value ->> 0 = 'sought' OR k.value ->> 3 = 'sought_case.found'
ORDER BY 1;

ANALYZE audit.event;
ANALYZE audit.transaction;

-- how many rows of events this transaction has read
CREATE VIEW events_read AS
SELECT coalesce(sum(s.seq_tup_read + coalesce(s.idx_tup_fetch, 0)), 0) AS n
FROM pg_partition_tree('audit.event') p JOIN pg_stat_xact_all_tables s USING (relid);

-- what a search finds, that the view has the same, and whether it has read less than a fifth of them all
CREATE FUNCTION sought(filter jsonb, target regclass = NULL, since timestamptz = NULL, until timestamptz = NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	before bigint = (SELECT n FROM events_read);
	from_at timestamptz = coalesce(since, (SELECT at FROM began)); -- batches of other tests may have more kinds than are listed
	found text[] = (SELECT array_agg(s.event_id) FROM audit.search(filter, from_at, until, target) s);
	seen bigint = (SELECT n FROM events_read) - before;
	viewed text[];
	condition text = 'true';
BEGIN
	SELECT coalesce(string_agg(CASE jsonb_typeof(value) WHEN 'null' THEN format('%I IS NULL', key)
		WHEN 'array' THEN format('%I = ANY (%L::text[])', key, translate(value::text, '[]', '{}')) ELSE format('%I = %L', key, value #>> '{}') END, ' AND '), 'true')
	INTO condition FROM jsonb_each(filter);
	EXECUTE format('SELECT array_agg(event_id) FROM (SELECT event_id FROM audit.events WHERE %s AND tx_at >= %L AND tx_at < %L%s
		ORDER BY tx_at DESC, tx_id DESC, ordinal DESC LIMIT 100) e', condition, from_at, coalesce(until, 'infinity'),
		' AND target_id IN (SELECT audit.target_versions(' || quote_literal(target::oid) || '))') INTO viewed;
	IF found IS DISTINCT FROM viewed THEN
		RETURN format('finds %s, and the view has %s', cardinality(found), cardinality(viewed));
	END IF;
	RETURN format('%s %s', coalesce(cardinality(found), 0), CASE WHEN seen * 5 < (SELECT sum(event_count) FROM audit.transaction t, began b WHERE t.tx_at >= b.at) THEN 'read few' ELSE 'read ' || seen END);
END $$;

SELECT sought('{"action": "truncate", "context": "sought"}');
SELECT sought('{"action": "delete", "context": "sought"}');
SELECT split_part(sought('{"action": "delete", "resource_type": "sought_thing"}', 'things'), ' ', 1) AS found;
SELECT sought('{"action": ["delete", "truncate"], "table_schema": "sought"}');
SELECT sought('{"event_type": "sought_case.found"}');
SELECT sought('{"event_type": "sought_note.created"}');
SELECT sought('{"event_type": "sought_note.created"}', until => :'half');
SELECT sought('{"event_type": "sought_note.created"}', since => :'half');
SELECT sought('{"table_name": "notes", "action": "update"}', 'notes');
SELECT sought('{}', 'notes');
SELECT sought('{"resource_type": "nothing of that name"}');
SELECT sought('{"category": "data", "action": "update", "table_schema": "sought"}');
SELECT sought('{"action": "delete", "context": "sought", "reason": "none"}');
SELECT sought(format('{"actor": "%s", "action": "delete", "context": "sought"}', current_user)::jsonb);
SELECT sought('{"action": "insert", "context": "sought"}');

-- committed, and not sealed: it began before most of the others, which are looked at from then on
COMMIT PREPARED 'sought';
SELECT split_part(sought('{"action": "delete", "context": "sought"}'), ' ', 1) AS found;
SELECT size > 0 FROM audit.seal_now();
SELECT sought('{"action": "delete", "context": "sought"}');
SELECT sought('{"action": "delete", "context": "sought"}', since => :'half');
SELECT string_agg(event_id, ' ') IS NOT DISTINCT FROM (SELECT string_agg(s.event_id, ' ') FROM audit.search('{"action": "delete", "context": "sought"}', max_rows => 1) f,
	audit.search('{"action": "delete", "context": "sought"}', before => f.event_id) s) AS pages, count(*)
FROM (SELECT event_id FROM audit.search('{"action": "delete", "context": "sought"}') OFFSET 1) e;

-- our own transaction; a table that was renamed; a row that is gone again
BEGIN;
DELETE FROM notes WHERE id = 1;
SELECT split_part(sought('{"action": "delete", "context": "sought"}'), ' ', 1) AS found;
ROLLBACK;
ALTER TABLE notes RENAME TO remarks;
INSERT INTO remarks VALUES (2, 'late');
SELECT size > 0 FROM audit.seal_now();
CALL fill(6);
SELECT size > 0 FROM audit.seal_now();
SELECT sought('{"action": "insert"}', 'remarks');
SELECT sought('{"table_name": "notes"}');
SELECT sought('{"table_name": "remarks"}');

-- a batch of more kinds than are listed may have any
SELECT count(audit.emit(format('sought_case.%sized', chr(96 + g / 11) || chr(97 + g % 11)), 'a')) FROM generate_series(11, 130) g;
SELECT size > 0 FROM audit.seal_now();
CALL fill(7);
CALL fill(8);
SELECT size > 0 FROM audit.seal_now();
SELECT sought('{"event_type": "sought_case.caized"}');
SELECT sought('{"event_type": "sought_case.kkized"}');

-- who reads is refused, or recorded, though nothing is there
CREATE ROLE sought_nobody;
GRANT USAGE ON SCHEMA audit, sought TO sought_nobody;
GRANT EXECUTE ON FUNCTION audit.search(jsonb, timestamptz, timestamptz, regclass, jsonpath, int, text) TO sought_nobody;
\set SHOW_CONTEXT never
SET ROLE sought_nobody;
SELECT * FROM audit.search('{"event_type": "sought_case.kkized"}', max_rows => 100000);
RESET ROLE;
DROP OWNED BY sought_nobody;
DROP ROLE sought_nobody;
