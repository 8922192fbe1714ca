-- Databases in other encodings: bytes of any kind where the server knows of no encoding, and characters of one byte.
CREATE DATABASE audit_trail_ascii ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0;
CREATE DATABASE audit_trail_latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0;
\c audit_trail_ascii
\encoding SQL_ASCII
SET client_min_messages = warning;
CREATE EXTENSION audit_trail;
CREATE FUNCTION bytes(text) RETURNS text LANGUAGE sql AS $$ SELECT encode(convert_to($1, 'SQL_ASCII'), 'escape') $$;
CREATE FUNCTION raw(bytea) RETURNS text LANGUAGE sql AS $$ SELECT convert_from($1, 'SQL_ASCII') $$;
CREATE TABLE t (k text PRIMARY KEY, v text, c "char", j json, a text[], e bytea);
DO $$ BEGIN EXECUTE 'ALTER TABLE t ADD COLUMN ' || quote_ident(raw('\xe422ff')) || ' text'; END $$;
SELECT audit.enable('t', resource_type => raw('\x74ff'));
BEGIN;
SELECT audit.set_context(actor => raw('\x61ff62'), reason => raw('\xc3'), extra => raw('\x7b2261223a22ff227d')::jsonb);
INSERT INTO t VALUES (raw('\xff01'), raw('\x80c3285c22fe'), (-2)::"char", raw('\x7b22ff223a2022fe227d')::json, ARRAY[raw('\xfe22'), NULL], '\x00ff', raw('\xe4'));
UPDATE t SET v = raw('\x81');
COMMIT;
SET audit_trail.max_value_size = '1kB';
UPDATE t SET v = repeat(raw('\xe482'), 1000);
RESET audit_trail.max_value_size;
DO $$ BEGIN EXECUTE 'ALTER TABLE t RENAME COLUMN v TO ' || quote_ident(raw('\xfe')); END $$;
DELETE FROM t;
\x on
SELECT bytes(event_type) AS event_type, bytes(resource_id) AS key, left(bytes(old_values::text), 200) AS old, left(bytes(new_values::text), 200) AS new, bytes(actor) AS actor,
	bytes(reason) AS reason, (SELECT array_agg(bytes(c)) FROM unnest(changed) c) AS changed FROM audit.events WHERE table_name = 't' ORDER BY tx_id, ordinal;
\x off
-- escapes for characters stay what they are: no encoding can be named in which they could stand
INSERT INTO t (k, j) VALUES ('u', '"\u00e4\u0000"');
SELECT audit.to_jsonb(new_values)->'j' AS j FROM audit.events WHERE resource_id = 'u';
SELECT count(*) FROM audit.history('t', raw('\xff01'));
INSERT INTO t SELECT raw('\x61ff'), 'x';
SELECT bytes(resource_id) FROM audit.events WHERE resource_id = raw('\x61ff');
SELECT finding, detail FROM audit.reconcile('t');
SELECT finding, object FROM audit.verify();

\c audit_trail_latin
\encoding UTF8
SET client_min_messages = warning;
CREATE EXTENSION audit_trail;
CREATE TABLE t ("schlüssel" text PRIMARY KEY, v text, j json);
SELECT audit.enable('t');
INSERT INTO t VALUES ('ä', 'naïve "Straße"', '{"é": "\u20ac"}');
UPDATE t SET v = repeat('é', 5), j = '"\u00e9"';
SET audit_trail.max_value_size = '1kB';
UPDATE t SET v = repeat('é', 1025);
RESET audit_trail.max_value_size;
SELECT resource_id, old_values, new_values FROM audit.events WHERE table_name = 't' ORDER BY tx_id LIMIT 2;
SELECT new_values->'v'->>'bytes' AS bytes, length(new_values->'v'->>'prefix') AS prefix,
	new_values->'v'->>'sha256' = encode(sha256(convert_to(v, 'LATIN1')), 'hex') AS right FROM audit.events, t WHERE audit.events.extra->'shortened' IS NOT NULL;
SELECT audit.to_jsonb(new_values) FROM audit.events WHERE table_name = 't' AND action = 'insert';
SELECT finding, detail FROM audit.reconcile('t');
SELECT finding, object FROM audit.verify();

\c audit_trail_regress
SET client_min_messages = warning;
DROP DATABASE audit_trail_ascii;
DROP DATABASE audit_trail_latin;
