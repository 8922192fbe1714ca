-- Audited tables that are altered, renamed, moved, rewritten and dropped: each time a new version
-- in the same transaction, and an event of its own.
SELECT audit.init() IS NOT NULL AS ready;
CREATE SCHEMA ev;
SET search_path = ev, public;
-- all that is told of a table whatever its name was
CREATE FUNCTION told(which text, OUT tbl text, OUT event_type text, OUT key text, OUT old_values text, OUT new_values text, OUT extra text)
RETURNS SETOF record LANGUAGE sql AS $$
	SELECT table_schema || '.' || table_name, event_type, resource_id, old_values::text, new_values::text, extra::text
	FROM audit.events WHERE resource_type = which AND table_schema ~ '^ev[23]?$' ORDER BY tx_id, ordinal
$$;

-- columns: added, renamed, retyped, dropped; values of rows are told by the names of their time
CREATE TABLE orders (id int PRIMARY KEY, status text, total int, touched int);
SELECT audit.enable('orders', ignore => '{touched}');
INSERT INTO orders VALUES (1, 'new', 1, 0);
ALTER TABLE orders ADD COLUMN note text DEFAULT 'x', ADD COLUMN plain int;
UPDATE orders SET status = 'seen';
ALTER TABLE orders RENAME COLUMN id TO order_id;
ALTER TABLE orders RENAME COLUMN touched TO visited;
UPDATE orders SET visited = 1;
UPDATE orders SET status = 'paid', visited = 2;
ALTER TABLE orders ALTER total TYPE bigint USING total * 2;
ALTER TABLE orders ALTER total TYPE bigint USING total * 2;
ALTER TABLE orders ALTER note TYPE varchar(20);
ALTER TABLE orders ALTER note TYPE varchar(30);
ALTER TABLE orders DROP COLUMN visited, DROP COLUMN plain;
UPDATE orders SET note = 'y';
SELECT * FROM told('orders');
SELECT target, key_columns, ignored_columns, enabled FROM audit.policy WHERE target = 'orders'::regclass;

-- what changes no definition is no event
CREATE INDEX ON orders (status);
ALTER TABLE orders ALTER status SET DEFAULT 'new', ADD CHECK (total < 1000), SET (fillfactor = 90);
ALTER TABLE orders CLUSTER ON orders_pkey;
CLUSTER orders;
VACUUM FULL orders;
ANALYZE orders;
COMMENT ON TABLE orders IS 'orders';
GRANT SELECT ON orders TO PUBLIC;
SELECT count(*) FROM told('orders');

-- rename and move; the history of a row goes through all of it
CREATE SCHEMA ev2;
ALTER TABLE orders RENAME TO purchases;
ALTER TABLE purchases SET SCHEMA ev2;
ALTER SCHEMA ev2 RENAME TO ev3;
UPDATE ev3.purchases SET status = 'sent';
SELECT tbl, event_type, key, old_values, new_values, extra FROM told('orders') OFFSET 11;
SELECT action, resource_id, old_values, new_values FROM audit.history('ev3.purchases', '1');

-- a type that is renamed is a change of all tables that use it
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE TABLE moody (id int PRIMARY KEY, m mood);
SELECT audit.enable('moody');
ALTER TYPE mood RENAME TO humour;
SELECT event_type, new_values, extra FROM told('moody');

-- a label that is renamed changes values without touching a row
CREATE DOMAIN moods AS humour[];
CREATE TABLE moodier (id int PRIMARY KEY, a humour[], d moods, t text);
SELECT audit.enable('moodier');
ALTER TYPE humour ADD VALUE 'so so';
ALTER TYPE humour RENAME VALUE 'bad' TO 'sad';
SELECT event_type, old_values, new_values, extra FROM told('moody') WHERE new_values LIKE '%label%';
SELECT event_type, old_values, new_values, extra FROM told('moodier');

-- so does an attribute of a composite type, or of rows that are values, that comes or goes
CREATE TYPE spot AS (x int, y int);
CREATE TYPE spots AS (name text, at spot[]);
CREATE TABLE area (id int, corner spots);
CREATE TABLE located (id int PRIMARY KEY, s spot, a spots, r area, m humour);
SELECT audit.enable('located');
INSERT INTO located VALUES (1, '(1,2)', '(a,"{""(1,2)""}")', '(3,"(a,""{""""(1,2)""""}"")")', 'sad');
ALTER TYPE humour RENAME VALUE 'sad' TO 'low';
ALTER TYPE spot ADD ATTRIBUTE z int;
ALTER TYPE spot DROP ATTRIBUTE x, ADD ATTRIBUTE name text;
ALTER TYPE spot RENAME ATTRIBUTE y TO height;
ALTER TABLE area ADD COLUMN note text;
ALTER TABLE located ADD COLUMN t text;
SELECT event_type, old_values, extra FROM told('located') OFFSET 1;
SELECT * FROM audit.reconcile('located');
ALTER TYPE nothing RENAME VALUE 'a' TO 'b';
ALTER TYPE nothing ADD ATTRIBUTE a int;

-- the key follows the primary key, unless it was given; without it, recording goes on
CREATE TABLE keyed (a int, b int, c int, v int, CONSTRAINT keyed_pkey PRIMARY KEY (a));
SELECT audit.enable('keyed', ignore => '{c}');
INSERT INTO keyed VALUES (1, 2, 3, 4);
ALTER TABLE keyed DROP CONSTRAINT keyed_pkey;
UPDATE keyed SET v = 5;
ALTER TABLE keyed ADD PRIMARY KEY (b, c);
UPDATE keyed SET v = 6;
UPDATE keyed SET c = 4;
ALTER TABLE keyed DROP COLUMN b;
UPDATE keyed SET v = 7;
SELECT event_type, key, old_values, new_values, extra FROM told('keyed');
CREATE TABLE given (a int PRIMARY KEY, b int, v int);
SELECT audit.enable('given', key => '{b}');
ALTER TABLE given DROP CONSTRAINT given_pkey;
INSERT INTO given VALUES (1, 2, 3);
ALTER TABLE given RENAME b TO bb;
UPDATE given SET v = 4;
ALTER TABLE given DROP COLUMN bb;
UPDATE given SET v = 5;
SELECT event_type, key, old_values, new_values, extra FROM told('given');

-- an unlogged table would be emptied by a crash
ALTER TABLE given SET UNLOGGED;
SELECT relpersistence FROM pg_class WHERE oid = 'given'::regclass;

-- DDL in functions, in a transaction that writes, and rolled back
CREATE TABLE inner_ddl (id int PRIMARY KEY, v int);
SELECT audit.enable('inner_ddl');
BEGIN;
INSERT INTO inner_ddl VALUES (1, 1);
SAVEPOINT s;
ALTER TABLE inner_ddl ADD COLUMN gone int DEFAULT 1;
UPDATE inner_ddl SET v = 2;
ROLLBACK TO s;
UPDATE inner_ddl SET v = 3;
DO $$
BEGIN
	ALTER TABLE ev.inner_ddl RENAME v TO w;
	UPDATE ev.inner_ddl SET w = 4;
	BEGIN
		ALTER TABLE ev.inner_ddl DROP COLUMN w;
		RAISE division_by_zero;
	EXCEPTION WHEN division_by_zero THEN NULL;
	END;
	UPDATE ev.inner_ddl SET w = 5;
END $$;
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT count(*) FROM inner_ddl;
ALTER TABLE inner_ddl ADD COLUMN x int;
UPDATE inner_ddl SET x = 6;
COMMIT;
SELECT event_type, key, old_values, new_values, extra FROM told('inner_ddl');

-- the owner needs no rights on the audit trail, and the event has the owner's role
CREATE TABLE owned (id int PRIMARY KEY, w int);
SELECT audit.enable('owned');
CREATE ROLE ev_owner;
GRANT ALL ON SCHEMA ev TO ev_owner;
ALTER TABLE owned OWNER TO ev_owner;
SET ROLE ev_owner;
ALTER TABLE owned ADD COLUMN x int;
RESET ROLE;
SELECT event_type, db_role, new_values FROM audit.events WHERE resource_type = 'owned' ORDER BY tx_id DESC, ordinal DESC LIMIT 1;

-- dropped: by itself, with its schema, with what its owner has; and a new one of the name is another
CREATE TABLE again (id int PRIMARY KEY);
SELECT audit.enable('again');
INSERT INTO again VALUES (1);
DROP TABLE again;
CREATE TABLE again (id int PRIMARY KEY);
SELECT audit.enable('again');
INSERT INTO again VALUES (2);
SELECT count(*) FROM audit.history('again', '1');
SET client_min_messages = warning;
DROP SCHEMA ev3 CASCADE;
DROP OWNED BY ev_owner;
BEGIN;
DROP TABLE moody;
ROLLBACK;
INSERT INTO moody VALUES (1, 'good');
SELECT tbl, event_type, extra FROM told('again');
SELECT resource_type, event_type, action, category, extra FROM audit.events
WHERE action = 'alter' AND event_type LIKE '%.dropped' AND table_schema ~ '^ev[23]?$' ORDER BY tx_id, ordinal;
SELECT p.reason, t.table_schema, t.table_name FROM audit.policy p JOIN audit.target t USING (target_id)
WHERE NOT p.enabled AND t.table_schema ~ '^ev[23]?$' ORDER BY t.target_id;
SELECT event_type FROM told('moody');

-- other tables are nobody's business
SELECT count(*) AS before FROM audit.event \gset
CREATE TABLE other (id int);
ALTER TABLE other ADD COLUMN v int;
ALTER TABLE other RENAME TO another;
DROP TABLE another;
SELECT count(*) - :before AS new_events FROM audit.event;

SELECT finding, object FROM audit.verify();
RESET search_path;
DROP SCHEMA ev CASCADE;
DROP ROLE ev_owner;
