-- Types that users make: what can be written out is recorded as it is, by nothing but the type's own output function,
-- and what cannot is an error that names the column.
SELECT audit.init() IS NOT NULL AS ready;
CREATE SCHEMA ut;
SET search_path = ut, public;
CREATE VIEW told AS SELECT table_name, action, resource_id, old_values, new_values, extra FROM audit.events
WHERE table_schema = 'ut' ORDER BY tx_id, ordinal;

-- an output function that raises, also deep inside
SET client_min_messages = warning;
CREATE TYPE loud;
CREATE FUNCTION loud_in(cstring) RETURNS loud LANGUAGE internal STRICT IMMUTABLE AS 'textin';
CREATE FUNCTION loud_out(loud) RETURNS cstring LANGUAGE internal STRICT IMMUTABLE AS 'shell_out';
CREATE TYPE loud (INPUT = loud_in, OUTPUT = loud_out, STORAGE = extended);
RESET client_min_messages;
CREATE DOMAIN louder AS loud[];
CREATE TYPE loudest AS (a int, l louder);
CREATE TABLE shouts (id int PRIMARY KEY, "First ""one""" loud, second loudest);
SELECT audit.enable('shouts');
INSERT INTO shouts VALUES (1, 'x');
INSERT INTO shouts VALUES (1, NULL, ROW(1, ARRAY['x'::loud]));
INSERT INTO shouts VALUES (1, NULL, ROW(1, NULL));
UPDATE shouts SET "First ""one""" = 'x';
DO $$ BEGIN
	INSERT INTO ut.shouts VALUES (2, 'x');
EXCEPTION WHEN feature_not_supported THEN
	INSERT INTO ut.shouts VALUES (3, NULL);
END $$;
-- a row that is there already does not stop those who do not touch it
SELECT audit.disable('shouts', 'test');
UPDATE shouts SET "First ""one""" = 'x' WHERE id = 1;
SELECT audit.enable('shouts');
UPDATE shouts SET second = ROW(2, NULL) WHERE id = 1;
DELETE FROM shouts WHERE id = 1;
SELECT audit.reconcile('shouts');
SELECT id FROM shouts ORDER BY id;

-- casts, operators and functions of the one who owns the types are not called, with whatever rights
CREATE ROLE ut_owner;
GRANT ALL ON SCHEMA ut TO ut_owner;
SET ROLE ut_owner;
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TYPE pair AS (m mood, n int);
CREATE FUNCTION trap() RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE 'called as %', current_user; END $$;
CREATE FUNCTION to_json_of(mood) RETURNS json LANGUAGE sql AS $$ SELECT ut.trap(); SELECT NULL::json $$;
CREATE FUNCTION to_json_of(pair) RETURNS json LANGUAGE sql AS $$ SELECT ut.trap(); SELECT NULL::json $$;
CREATE FUNCTION to_text_of(mood) RETURNS text LANGUAGE sql AS $$ SELECT ut.trap(); SELECT NULL::text $$;
CREATE FUNCTION equal(mood, mood) RETURNS boolean LANGUAGE sql AS $$ SELECT ut.trap(); SELECT true $$;
CREATE FUNCTION equal(pair, pair) RETURNS boolean LANGUAGE sql AS $$ SELECT ut.trap(); SELECT true $$;
CREATE CAST (mood AS json) WITH FUNCTION to_json_of(mood) AS IMPLICIT;
CREATE CAST (pair AS json) WITH FUNCTION to_json_of(pair) AS IMPLICIT;
CREATE CAST (mood AS text) WITH FUNCTION to_text_of(mood) AS IMPLICIT;
CREATE OPERATOR = (LEFTARG = mood, RIGHTARG = mood, FUNCTION = equal);
CREATE OPERATOR = (LEFTARG = pair, RIGHTARG = pair, FUNCTION = equal);
CREATE TABLE moods (id int PRIMARY KEY, m mood, p pair, ms mood[]);
RESET ROLE;
SELECT audit.enable('moods', key => '{m}');
INSERT INTO moods VALUES (1, 'sad', '(sad,1)', '{sad,happy}');
UPDATE moods SET m = 'happy', p = '(happy,1)', ms = '{happy}';
SELECT * FROM told WHERE table_name = 'moods';
SELECT finding, detail FROM audit.reconcile('moods');
SELECT 'sad'::mood = 'sad'::mood;

SET client_min_messages = warning;
DROP SCHEMA ut CASCADE;
DROP ROLE ut_owner;
