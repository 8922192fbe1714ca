-- Maintenance: whom the setting exempts, what is counted in the place of recorded, and the tag.
CREATE SCHEMA mnt;
SET search_path = mnt, public;
CREATE TABLE orders (id int PRIMARY KEY, v int);
CREATE TABLE "Odd ""name" (id int PRIMARY KEY);
CREATE TABLE plain (id int);
SELECT count(audit.enable(t)) FROM unnest('{orders,"\"Odd \"\"name\""}'::regclass[]) t;
CREATE ROLE mnt_maintenance;
CREATE ROLE mnt_group IN ROLE mnt_maintenance;
CREATE ROLE mnt_worker LOGIN NOINHERIT IN ROLE mnt_group;
CREATE ROLE mnt_other LOGIN;
CREATE ROLE mnt_boss LOGIN SUPERUSER;
GRANT USAGE ON SCHEMA mnt TO PUBLIC;
GRANT ALL ON ALL TABLES IN SCHEMA mnt TO PUBLIC;
SELECT current_database() AS db, current_user AS me \gset

CREATE VIEW told AS
SELECT login_user, nullif(actor, login_user) AS actor, event_type, action, resource_id, new_values, extra
FROM audit.events WHERE table_schema = 'mnt' OR action = 'maintenance' ORDER BY tx_id, ordinal;

-- nobody is exempt unless the configuration file says so, and no session can
\c - mnt_worker
INSERT INTO mnt.orders VALUES (1, 1);
SET audit_trail.maintenance_role = 'mnt_maintenance';
\c - :me
SET audit_trail.maintenance_role = 'mnt_maintenance';
ALTER ROLE mnt_worker SET audit_trail.maintenance_role = 'mnt_maintenance';
ALTER SYSTEM SET audit_trail.maintenance_role = 'mnt_maintenance';
COPY (SELECT 'audit_trail.maintenance_role = mnt_maintenance') TO PROGRAM 'cat >>postgresql.conf';
SELECT pg_reload_conf();
\o /dev/null
SELECT 1 / (current_setting('audit_trail.maintenance_role') <> 'mnt_maintenance')::int \watch 0.1
\o

-- the authenticated user decides: a member through grants, whatever it has SET
\c - mnt_worker
INSERT INTO mnt.orders VALUES (2, 1), (3, 1);
BEGIN;
SELECT audit.set_context(actor => 'wendy', reason => 'nightly');
UPDATE mnt.orders SET v = 2;
DELETE FROM mnt.orders WHERE id = 2;
INSERT INTO mnt."Odd ""name" VALUES (1);
INSERT INTO mnt.plain VALUES (1);
COMMIT;
SET ROLE mnt_group;
INSERT INTO mnt.orders VALUES (4, 1);
-- what is rolled back is not counted
BEGIN;
INSERT INTO mnt.orders VALUES (5, 1);
SAVEPOINT a;
INSERT INTO mnt.orders VALUES (6, 1), (7, 1);
SAVEPOINT b;
DELETE FROM mnt.orders WHERE id = 7;
RELEASE b;
ROLLBACK TO a;
SAVEPOINT c;
INSERT INTO mnt.orders VALUES (8, 1);
SAVEPOINT d;
INSERT INTO mnt.orders VALUES (9, 1);
RELEASE d;
UPDATE mnt.orders SET v = 3 WHERE id = 8;
RELEASE c;
COMMIT;
BEGIN;
INSERT INTO mnt.orders VALUES (10, 1);
ROLLBACK;
BEGIN;
SAVEPOINT a;
INSERT INTO mnt.orders VALUES (11, 1);
ROLLBACK TO a;
COMMIT;
-- prepared
BEGIN;
INSERT INTO mnt.orders VALUES (12, 1);
PREPARE TRANSACTION 'mnt';
COMMIT PREPARED 'mnt';
-- tagged: recorded like any other, from then on
BEGIN;
INSERT INTO mnt.orders VALUES (20, 1);
SELECT audit.tag_maintenance('repair of ticket "12"');
INSERT INTO mnt.orders VALUES (21, 1);
SAVEPOINT a;
SET LOCAL audit_trail.actor = 'wendy';
UPDATE mnt.orders SET v = 2 WHERE id = 21;
COMMIT;
INSERT INTO mnt.orders VALUES (22, 1);
SELECT audit.tag_maintenance(' ');
SELECT audit.tag_maintenance(NULL);

-- nobody else: not by SET ROLE, not by being a superuser, not as the role itself; a tag is no harm
\c - mnt_other
INSERT INTO mnt.orders VALUES (30, 1);
BEGIN;
SELECT audit.tag_maintenance('no member');
INSERT INTO mnt.orders VALUES (31, 1);
COMMIT;
\c - mnt_boss
INSERT INTO mnt.orders VALUES (32, 1);
SET ROLE mnt_maintenance;
INSERT INTO mnt.orders VALUES (33, 1);
RESET ROLE;
SET SESSION AUTHORIZATION mnt_worker;
INSERT INTO mnt.orders VALUES (34, 1);
RESET SESSION AUTHORIZATION;
-- a superuser who was granted the role is, and on record
GRANT mnt_maintenance TO mnt_boss;
INSERT INTO mnt.orders VALUES (35, 1);
TRUNCATE mnt.orders;
-- configuration is recorded whoever changes it
BEGIN;
SELECT audit.disable('mnt."Odd ""name"', 'end of test');
COMMIT;
REVOKE mnt_maintenance FROM mnt_boss;
INSERT INTO mnt.orders VALUES (36, 1);

-- an exempt session must say who acts where that is demanded
ALTER ROLE mnt_worker SET audit_trail.require_context = 'error';
\c - mnt_worker
INSERT INTO mnt.orders VALUES (40, 1);
-- and is who it was at the first change that stands
BEGIN;
SAVEPOINT a;
INSERT INTO mnt.orders VALUES (41, 1) /*actor='xena'*/;
ROLLBACK TO a;
INSERT INTO mnt.orders VALUES (42, 1);
ROLLBACK;
BEGIN;
SAVEPOINT a;
SET LOCAL ROLE mnt_group;
INSERT INTO mnt.orders VALUES (43, 1) /*actor='yves'*/;
RELEASE a;
RESET ROLE;
COMMIT;

\c - :me
\pset null '(null)'
SELECT * FROM mnt.told;
SELECT table_schema, table_name, actor, actor_source, db_user, db_role, reason FROM audit.events WHERE action = 'maintenance' AND actor_source <> 'db_user' ORDER BY tx_id;
SELECT audit.to_jsonb(new_values) ->> 'reason' AS reason, login_user FROM audit.events
WHERE table_schema = 'audit' AND table_name = 'policy' AND audit.to_jsonb(new_values) ->> 'reason' = 'end of test';
SELECT audit.seal_now() IS NOT NULL AS sealed;
SELECT finding, object, place FROM audit.verify() WHERE finding <> 'summary';

COPY (SELECT 'audit_trail.maintenance_role = ''''') TO PROGRAM 'cat >>postgresql.conf';
SELECT pg_reload_conf();
\o /dev/null
SELECT 1 / (current_setting('audit_trail.maintenance_role') <> '')::int \watch 0.1
\o
SET client_min_messages = warning;
DROP SCHEMA mnt CASCADE;
DROP ROLE mnt_worker, mnt_group, mnt_maintenance, mnt_other, mnt_boss;
