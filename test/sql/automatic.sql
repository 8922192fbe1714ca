-- All tables of a schema: those that are there, and those that come, however they do.
SELECT audit.init() IS NOT NULL AS ready;
CREATE SCHEMA shop;
CREATE SCHEMA other;
SET search_path = shop, public;
CREATE ROLE au_user;
CREATE ROLE au_owner;
GRANT USAGE, CREATE ON SCHEMA shop, other TO au_user, au_owner;

CREATE FUNCTION told(which text) RETURNS TABLE (action text, key text, new text, extra text) LANGUAGE sql AS $$
	SELECT e.action, e.resource_id, e.new_values::text,
		regexp_replace(e.extra::text, '"snapshot":"[^"]*"', '"snapshot":"..."')
	FROM audit.events e
	WHERE e.table_schema IN ('shop', 'other', 'third') AND e.table_name = which
	ORDER BY e.tx_id, e.ordinal
$$;
CREATE VIEW audited AS
	SELECT p.target::text, p.context, p.operations, p.ignored_columns, p.key_columns, p.truncate, p.query
	FROM audit.policy p JOIN pg_class c ON c.oid = p.target JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE p.enabled AND n.nspname IN ('shop', 'other', 'third') ORDER BY p.target::text COLLATE "C";

-- what is there
CREATE TABLE orders (id int PRIMARY KEY, touched int, v text);
CREATE TABLE "Or'ders\%" (id int, "order" text);
CREATE TABLE orders_log (id int);
CREATE TABLE part (id int, touched int, PRIMARY KEY (id)) PARTITION BY LIST (id);
CREATE TABLE a_part PARTITION OF part FOR VALUES IN (1);
CREATE UNLOGGED TABLE quick (id int);
CREATE TABLE taken (id int);
CREATE TRIGGER "00_audit_insert" AFTER INSERT ON taken EXECUTE FUNCTION suppress_redundant_updates_trigger();
CREATE VIEW shown AS SELECT 1 AS id;
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS file_fdw SCHEMA public;
RESET client_min_messages;
CREATE SERVER au_files FOREIGN DATA WRAPPER file_fdw;
CREATE FOREIGN TABLE far (id int) SERVER au_files OPTIONS (filename '/dev/null');
SELECT * FROM audit.enable_schema('shop', "except" => '{orders_log}', context => 'sales', ignore => '{touched,nothing}', truncate => 'count');
SELECT * FROM audited;
SELECT * FROM audit.enable_schema('shop', "like" => 'Or%', "except" => '{}');
CREATE TABLE later (id int);
SELECT count(*) FROM audited WHERE target = 'later';

-- what cannot be asked for
SELECT * FROM audit.enable_schema('shop', "like" => 'a\');
SELECT * FROM audit.enable_schema('shop', "like" => NULL);
SELECT * FROM audit.enable_schema('shop', "like" => 'nothing', automatic => true, operations => '{select}');
SELECT * FROM audit.enable_schema('shop', "like" => 'nothing', automatic => true, context => '');
SELECT * FROM audit.enable_schema('shop', "like" => 'nothing', automatic => true, truncate => 'some');
SELECT * FROM audit.enable_schema('audit');
SELECT * FROM audit.enable_schema('pg_catalog', automatic => true);
SELECT * FROM audit.enable_schema('pg_toast');
SELECT * FROM audit.enable_schema('nowhere');
SELECT * FROM audit.enable_schema(1::oid::regnamespace);
\set VERBOSITY terse
INSERT INTO audit.automatic VALUES ('shop', 'a\\\', '{}', 'c', '{insert}', '{}', '{}', '{}', 'rows', false, true, now());
INSERT INTO audit.automatic VALUES ('shop', 'a', '{}', 'c', '{select}', '{}', '{}', '{}', 'rows', false, true, now());
\set VERBOSITY default

-- what comes, created by somebody who has no right on the schema audit
SELECT * FROM audit.enable_schema('shop', "like" => 'new\_%', "except" => '{new_not}', automatic => true, context => 'fresh',
	operations => '{insert,update,delete}', ignore => '{touched,id}', query => true);
SELECT schema, pattern, exceptions, context, operations, ignored_columns, truncate, query, enabled, reason FROM audit.automatic;
SELECT action, resource_id, context FROM audit.events WHERE resource_type = 'audit.automatic' ORDER BY tx_id, ordinal;
REVOKE USAGE ON SCHEMA audit FROM PUBLIC;
SET ROLE au_user;
CREATE TABLE new_plain (id int PRIMARY KEY, touched int);
CREATE TABLE new_not (id int);
CREATE TABLE newer (id int);
CREATE TEMP TABLE new_temp (id int);
CREATE UNLOGGED TABLE new_unlogged (id int);
CREATE TABLE other.new_elsewhere (id int);
CREATE TABLE "new_ ""Quoted"" 'one'; é" ("a "" b" int);
CREATE TABLE new_as AS SELECT g AS id, 0 AS touched FROM generate_series(1, 3) g;
CREATE TABLE new_empty_as AS SELECT 1 AS id WITH NO DATA;
SELECT 7 AS id INTO new_into;
CREATE TABLE new_like (LIKE new_plain INCLUDING ALL);
CREATE TABLE new_child (v int) INHERITS (new_plain);
CREATE TABLE new_part (id int, k int) PARTITION BY LIST (k);
CREATE TABLE new_part_1 PARTITION OF new_part FOR VALUES IN (1);
CREATE TABLE new_part_2 PARTITION OF new_part FOR VALUES IN (2) PARTITION BY LIST (id);
CREATE TABLE other.new_part_3 PARTITION OF new_part_2 FOR VALUES IN (3);
CREATE TYPE new_type AS (id int, v text);
CREATE TABLE new_typed OF new_type;
CREATE TABLE new_none ();
CREATE TABLE new_generated (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v int GENERATED ALWAYS AS (1 + 1) STORED);
DO $$ BEGIN EXECUTE 'CREATE TABLE shop.new_do (id int)'; INSERT INTO shop.new_do VALUES (1); END $$;
CREATE FUNCTION make(name text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE format('CREATE TABLE shop.%I AS SELECT 1 AS id', name); END $$;
SELECT make('new_function');
INSERT INTO new_plain VALUES (1, 0);
INSERT INTO new_as VALUES (4, 0);
INSERT INTO new_child VALUES (2, 0, 2);
INSERT INTO new_part VALUES (1, 1), (3, 2);
INSERT INTO new_generated DEFAULT VALUES;
RESET ROLE;
GRANT USAGE ON SCHEMA audit TO PUBLIC;
SELECT * FROM audited WHERE context = 'fresh';
SELECT * FROM told('new_as');
SELECT * FROM told('new_into');
SELECT * FROM told('new_do');
SELECT * FROM told('new_function');
SELECT * FROM told('new_plain');
SELECT * FROM told('new_part');
SELECT finding, detail FROM audit.reconcile('new_as');
SELECT "check", status, detail, remedy FROM audit.doctor() WHERE "check" = 'automatic';
SELECT DISTINCT e.actor = 'au_user' AS role, e.db_role FROM audit.events e WHERE e.table_name = 'new_as';

-- columns are masked and hashed where a table has them
CREATE TABLE secret_before (id int PRIMARY KEY, pin text, phone text, doubled text GENERATED ALWAYS AS (pin || pin) STORED);
CREATE TABLE secret_other (id int PRIMARY KEY, v text);
CREATE TABLE secret_key (pin text PRIMARY KEY);
SELECT * FROM audit.enable_schema('shop', "like" => 'secret%', automatic => true, context => 'secret', mask => '{pin,pan}', hash => '{phone}');
SELECT pattern, masked_columns, hashed_columns FROM audit.automatic WHERE masked_columns <> '{}';
CREATE TABLE secret_after (phone text, pan int, pin text, v int);
CREATE TABLE secret_as AS SELECT 'secret!'::text AS pin, 1 AS v;
CREATE TABLE secret_key_after (pin text, phone text PRIMARY KEY);
ALTER TABLE secret_key RENAME TO secret_key_too;
INSERT INTO secret_after VALUES ('secret!', 7, 'secret!', 7);
INSERT INTO secret_before VALUES (1, 'secret!', 'secret!');
TRUNCATE secret_before;
SELECT p.target, p.masked_columns, p.hashed_columns FROM audit.policy p WHERE p.enabled AND p.context = 'secret' ORDER BY p.target::text;
SELECT count(*) FROM audit.event e WHERE e::text ~ 'secret!';
SELECT action, new::jsonb - 'phone' AS new FROM told('secret_after');
SELECT * FROM told('secret_as');
SELECT status, detail FROM audit.doctor() WHERE "check" = 'automatic';
DROP TABLE secret_key;
SELECT * FROM audit.enable_schema('shop', "like" => 's%', automatic => true, mask => '{a}', hash => '{b,a}');
SELECT * FROM audit.enable_schema('shop', "like" => 's%', automatic => true, mask => '{a}', query => true);
SELECT * FROM audit.enable_schema('shop', "like" => 's%', mask => '{NULL}');
SELECT * FROM audit.enable_schema('shop', "like" => 's%', mask => NULL);
\set VERBOSITY terse
INSERT INTO audit.automatic VALUES ('shop', 'a', '{}', 'c', '{insert}', '{}', '{a,b}', '{b}', 'rows', false, true, now());
INSERT INTO audit.automatic VALUES ('shop', 'a', '{}', 'c', '{insert}', '{}', '{}', '{b}', 'rows', true, true, now());
\set VERBOSITY default

-- reads are recorded, of all tables or of those that have one of the columns
CREATE TABLE read_before (id int PRIMARY KEY, iban text, v int);
CREATE TABLE read_without (id int PRIMARY KEY, v int);
SELECT * FROM audit.enable_schema('shop', "like" => 'read%', automatic => true, context => 'people', read_columns => '{iban,email}');
CREATE TABLE read_after (email text, iban text, v int);
CREATE TABLE read_after_without (v int);
SELECT * FROM audit.enable_schema('shop', "like" => 'all%', automatic => true, context => 'people', reads => true);
CREATE TABLE all_read AS SELECT 1 AS v;
SELECT pattern, reads, read_columns FROM audit.automatic WHERE reads ORDER BY pattern;
SELECT target, reads, read_columns FROM audit.policy WHERE enabled AND context = 'people' ORDER BY target::text COLLATE "C";
SELECT count(*) FROM audit.enable_schema('shop', "like" => 'all%', automatic => true, context => 'people');
SELECT pattern, reads, read_columns FROM audit.automatic WHERE pattern = 'all%';
SELECT * FROM audit.enable_schema('shop', "like" => 'read%', read_columns => '{NULL}');
SELECT * FROM audit.enable_schema('shop', "like" => 'read%', reads => NULL);

-- renamed, moved, made logged, detached; by all ways once
CREATE TABLE other.moved (id int PRIMARY KEY);
INSERT INTO other.moved VALUES (1);
ALTER TABLE other.moved SET SCHEMA shop;
SELECT count(*) FROM audited WHERE target ~ 'moved';
ALTER TABLE moved RENAME TO new_moved;
INSERT INTO new_moved VALUES (2);
SELECT * FROM told('new_moved');
ALTER TABLE new_moved RENAME TO old_moved;
INSERT INTO old_moved VALUES (3);
SELECT * FROM told('old_moved');
ALTER TABLE new_unlogged SET LOGGED;
CREATE TABLE other.root (id int) PARTITION BY LIST (id);
CREATE TABLE new_leaf PARTITION OF other.root FOR VALUES IN (1);
INSERT INTO other.root VALUES (1);
SELECT target FROM audited WHERE target ~ 'new_(leaf|unlogged)';
ALTER TABLE other.root DETACH PARTITION new_leaf;
SELECT * FROM told('new_leaf');
ALTER SCHEMA shop RENAME TO third;
CREATE TABLE third.new_third (id int);
ALTER SCHEMA third RENAME TO shop;
SELECT target FROM audited WHERE target ~ 'third';

-- who switches one off has decided so
SELECT audit.disable('new_like', 'of no interest');
ALTER TABLE new_like ADD w int;
ALTER TABLE new_like RENAME TO new_liked;
SELECT count(*) FROM audited WHERE target ~ 'new_like';

-- what is undone, dropped or filled before the command ends
SELECT * FROM audit.enable_schema('other', "like" => 'm%', automatic => true);
BEGIN;
SAVEPOINT s;
CREATE TABLE other.m_undone (id int);
ROLLBACK TO s;
CREATE TABLE other.m_stays (id int);
DROP TABLE other.m_stays;
COMMIT;
CREATE FUNCTION drop_it() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_TAG = 'CREATE TABLE' THEN
		DROP TABLE IF EXISTS other.m_gone;
		INSERT INTO other.m_filled VALUES (1);
	END IF;
EXCEPTION WHEN undefined_table THEN
	NULL;
END $$;
CREATE EVENT TRIGGER au_drop ON ddl_command_end EXECUTE FUNCTION drop_it();
CREATE TABLE other.m_gone (id int);
CREATE TABLE other.m_filled (id int);
DROP EVENT TRIGGER au_drop;
SELECT target FROM audited WHERE target ~ '^other';
SELECT * FROM told('m_filled');
SELECT format('CREATE TABLE other.m_wide (%s)', string_agg('c' || g || ' int', ', ')) AS wide FROM generate_series(1, 1600) g \gset
SET client_min_messages = error;
:wide;
RESET client_min_messages;
INSERT INTO other.m_wide (c1600) VALUES (1);
SELECT action, length(new) > 1600 AS whole FROM told('m_wide');
-- one that cannot be audited fails its command, and says why
CREATE TABLE other.x (id int);
CREATE TRIGGER "00_audit_insert" AFTER INSERT ON other.x EXECUTE FUNCTION suppress_redundant_updates_trigger();
ALTER TABLE other.x RENAME TO m_x;
DROP TABLE other.x;

-- the rules are of those who own the schema
GRANT USAGE ON SCHEMA audit TO au_user;
GRANT EXECUTE ON FUNCTION audit.enable_schema, audit.disable_schema, audit.enable TO au_user, au_owner;
SET ROLE au_user;
SELECT * FROM audit.enable_schema('other', "like" => 'm_filled');
SELECT * FROM audit.enable_schema('other', automatic => true);
SELECT audit.disable_schema('other', 'mine');
CREATE TABLE other.theirs (id int);
SELECT target, audited, detail FROM audit.enable_schema('other', "like" => 't%');
RESET ROLE;
SELECT audit.disable_schema('other', ' ');
SELECT audit.disable_schema('other', 'enough', "like" => 'n%');
SELECT audit.disable_schema('other', 'enough');
SELECT audit.disable_schema('other', 'enough');
SELECT audit.disable_schema(NULL, 'enough');
CREATE TABLE other.m_after (id int);
SELECT count(*) FROM audited WHERE target = 'other.m_after';
SELECT count(*) FROM audit.enable_schema('other', "like" => 'm%', automatic => true, context => 'again');
DROP SCHEMA other CASCADE;
SELECT pattern, context, enabled, reason FROM audit.automatic WHERE pattern = 'm%';
SELECT action, changed, audit.to_jsonb(new_values) ->> 'reason' AS reason FROM audit.events
	WHERE resource_type = 'audit.automatic' AND resource_id ~ '"m%"' ORDER BY tx_id, ordinal;

-- rules go with the name of their schema, and take the place of what was left under it
CREATE SCHEMA first;
SELECT count(*) FROM audit.enable_schema('first', automatic => true, context => 'old');
DROP SCHEMA first;
CREATE SCHEMA "It's 2nd";
SELECT count(*) FROM audit.enable_schema('"It''s 2nd"', automatic => true, context => 'new');
ALTER SCHEMA "It's 2nd" RENAME TO first;
CREATE TABLE first.a ();
SELECT schema, context, enabled, reason FROM audit.automatic WHERE schema ~ '^(first|It.*)$' ORDER BY schema;
BEGIN;
ALTER SCHEMA first RENAME TO third;
ROLLBACK;
SELECT schema, context FROM audit.automatic WHERE schema IN ('first', 'third');
SELECT context FROM audit.policy WHERE target = 'first.a'::regclass;
DROP SCHEMA first CASCADE;

SELECT audit.disable_schema('shop', 'end of the test');
SELECT finding, object FROM audit.verify() WHERE finding <> 'summary';
SELECT status FROM audit.doctor() WHERE "check" IN ('capture', 'automatic');
REVOKE EXECUTE ON FUNCTION audit.enable_schema, audit.disable_schema, audit.enable FROM au_user, au_owner;
SET client_min_messages = warning;
DROP SCHEMA shop CASCADE;
DROP OWNED BY au_user, au_owner;
DROP ROLE au_user, au_owner;
DROP SERVER au_files;
DROP EXTENSION file_fdw;
