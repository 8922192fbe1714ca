-- Who acted: claims, others' settings, comments, roles, triggers; and changes that nobody signs.
CREATE SCHEMA who;
SET search_path = who, public;
CREATE TABLE orders (id int PRIMARY KEY, v int);
SELECT audit.enable('orders');
CREATE VIEW seen AS
SELECT resource_id AS id, nullif(actor, session_user) AS actor, actor_source AS source, actor_type AS type, request_id,
	reason, claimed_session, claimed_client_ip, trace_parent, extra::text AS extra
FROM audit.events WHERE table_schema = 'who' AND table_name = 'orders' AND action <> 'delete' ORDER BY tx_id, ordinal;
\pset null '(null)'

-- every field, by function and by settings; what the server knows of the address stays apart
BEGIN;
SELECT audit.set_context(actor => 'alice', app_session => 'web-7', client_ip => '203.0.113.9', trace_parent => '00-4bf9-01');
INSERT INTO orders VALUES (1, 1);
COMMIT;
BEGIN;
SET LOCAL audit_trail.app_session = 'web-8';
SET LOCAL audit_trail.client_ip = 'not an address';
SET LOCAL audit_trail.trace_parent = '00-5b-01';
INSERT INTO orders VALUES (2, 1);
SELECT audit.set_context(app_session => 'web-9', client_ip => '::1', trace_parent => '');
INSERT INTO orders VALUES (3, 1);
COMMIT;
SELECT id, actor, source, claimed_session, claimed_client_ip, trace_parent FROM seen;
SELECT DISTINCT client_ip FROM audit.events WHERE table_schema = 'who';
SET audit_trail.client_ip = 'x';
SET audit_trail.trace_parent = '';
DO $$
BEGIN
	PERFORM set_config('audit_trail.app_session', repeat('x', 1001), true);
EXCEPTION WHEN invalid_parameter_value THEN
	RAISE NOTICE 'too long';
END $$;
RESET audit_trail.client_ip;

-- the role of each event
CREATE ROLE who_app;
CREATE ROLE who_definer;
GRANT USAGE ON SCHEMA who TO who_app, who_definer;
GRANT SELECT, INSERT, UPDATE, DELETE ON orders TO who_app, who_definer;
CREATE FUNCTION put(id int) RETURNS void LANGUAGE sql SECURITY DEFINER AS 'INSERT INTO who.orders VALUES (id, 1)';
ALTER FUNCTION put(int) OWNER TO who_definer;
BEGIN;
INSERT INTO orders VALUES (10, 1);
SET LOCAL ROLE who_app;
INSERT INTO orders VALUES (11, 1);
SELECT put(12);
INSERT INTO orders VALUES (13, 1);
RESET ROLE;
SET LOCAL SESSION AUTHORIZATION who_app;
INSERT INTO orders VALUES (14, 1);
SELECT put(15);
COMMIT;
BEGIN;
SET LOCAL ROLE who_app;
SELECT audit.set_context(actor => 'erin');
INSERT INTO orders VALUES (16, 1);
RESET ROLE;
INSERT INTO orders VALUES (17, 1);
COMMIT;
SELECT resource_id, nullif(actor, login_user) AS actor, nullif(db_user, login_user) AS db_user, nullif(db_role, login_user) AS db_role,
	replace(extra::text, login_user, 'LOGIN') AS extra
FROM audit.events WHERE table_schema = 'who' AND resource_id ~ '^1.$' ORDER BY tx_id, ordinal;

-- depth of triggers: the client's own statement, a trigger's, and that trigger's; foreign keys' actions
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent ON DELETE CASCADE);
CREATE TABLE notes (n int);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO who.notes VALUES (1); RETURN NULL; END';
CREATE TRIGGER note AFTER DELETE ON child FOR EACH ROW EXECUTE FUNCTION note();
SELECT count(audit.enable(t)) FROM unnest('{parent,child,notes}'::regclass[]) t;
INSERT INTO parent VALUES (1);
INSERT INTO child VALUES (1, 1);
DELETE FROM parent;
TRUNCATE notes;
CREATE FUNCTION empty() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN TRUNCATE who.notes; RETURN NULL; END';
CREATE TRIGGER empty AFTER INSERT ON parent EXECUTE FUNCTION empty();
INSERT INTO parent VALUES (2);
SELECT table_name, action, trigger_depth, extra FROM audit.events
WHERE table_schema = 'who' AND table_name <> 'orders' ORDER BY tx_id, ordinal;

-- a foreign key's action is done as the table's owner
INSERT INTO child VALUES (2, 2);
GRANT ALL ON ALL TABLES IN SCHEMA who TO who_app;
SET ROLE who_app;
DELETE FROM who.parent WHERE id = 2;
RESET ROLE;
SELECT table_name, action, replace(db_role, login_user, 'OWNER') AS db_role, trigger_depth FROM audit.events
WHERE table_schema = 'who' AND action = 'delete' AND resource_id = '2' ORDER BY tx_id, ordinal;

-- others' settings, by priority, ours first
INSERT INTO audit.context_source VALUES
	('actor', 1, 'request.jwt.claims', 'sub'),
	('actor', 2, 'request.jwt.claims', 'user.name'),
	('actor', 3, 'app.member', NULL),
	('actor_type', 1, 'request.jwt.claims', 'role'),
	('request_id', 1, 'app.request', NULL),
	('reason', 1, 'data_directory', NULL),
	('reason', 2, 'no_such.setting', NULL),
	('app_session', 1, 'request.jwt.claims', '/https:~1~1example.org~1~0claims/session'),
	('client_ip', 1, 'request.jwt.claims', 'addresses'),
	('extra', 1, 'pghistory.context_metadata', NULL);
INSERT INTO audit.context_source VALUES ('nonsense', 1, 'app.member', NULL);
CREATE PROCEDURE try(id int, claims text) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('request.jwt.claims', claims, true);
	INSERT INTO who.orders VALUES (id, 1);
	COMMIT;
END $$;
CALL try(30, '{"sub": "carol", "role": "customer", "user": {"name": "Carol C."}}');
CALL try(31, '{"user": {"name": "D\u00e9sir\u00e9e \"D\"", "sub": "x"}, "role": null}');
CALL try(32, '{"sub": 42, "role": true, "addresses": ["::1"], "https://example.org/~claims": {"session": "s1"}}');
CALL try(33, '{"sub": "first", "sub": "last"}');
CALL try(34, '{"sub": {"name": "an object"}}');
CALL try(35, '{"sub": ["an array"], "user": [{"name": "x"}]}');
-- what cannot be used is as if it were not there
CALL try(36, '{"sub": "cut off"');
CALL try(37, '');
CALL try(38, '"sub"');
CALL try(39, '{"sub": ""}');
CALL try(40, '{"sub": "\u0000"}');
CALL try(41, repeat('[', 100000));
CALL try(42, repeat('[', 65) || repeat(']', 65));
CALL try(43, '{"x": "' || repeat('[', 100) || '\"{", "sub": "deep in a string"}');
CALL try(44, '{"sub": "' || repeat('x', 999) || 'é"}');
CALL try(45, '{"sub": "' || repeat('x', 998) || 'é' || repeat('y', 100) || '"}');
SELECT id, left(actor, 30) AS actor, octet_length(actor) AS bytes, right(actor, 1) AS last, source, type, claimed_session, claimed_client_ip
FROM seen WHERE id ~ '^[3-4].$';
-- the next in order; ours before all; sources of the other fields; gone with the transaction
BEGIN;
SET LOCAL app.member = 'fred';
SET LOCAL app.request = 'req-7';
SET LOCAL request.jwt.claims = '{"role": "clerk"}';
SET LOCAL pghistory.context_metadata = '{"url": "/orders/7"}';
INSERT INTO orders VALUES (50, 1);
SET LOCAL app.member = 'not read again';
SELECT audit.set_context(actor => 'gina');
INSERT INTO orders VALUES (51, 1);
SET LOCAL audit_trail.actor = '';
INSERT INTO orders VALUES (52, 1);
COMMIT;
BEGIN;
SET LOCAL app.member = 'fred';
SELECT audit.set_context(actor => 'gina', request_id => 'req-8');
INSERT INTO orders VALUES (53, 1);
SET LOCAL audit_trail.actor = '';
INSERT INTO orders VALUES (54, 1);
COMMIT;
INSERT INTO orders VALUES (55, 1);
SELECT id, actor, source, type, request_id, extra FROM seen WHERE id ~ '^5.$';
SELECT actor, request_id, context_sources FROM audit.transaction WHERE request_id IN ('req-7', 'req-8') ORDER BY tx_id;
-- an extra that is no object, or too long, is none
BEGIN; SET LOCAL pghistory.context_metadata = '[1]'; INSERT INTO orders VALUES (60, 1); COMMIT;
BEGIN; SELECT set_config('pghistory.context_metadata', '{"x": "' || repeat('x', 1000) || '"}', true) <> '' AS set; INSERT INTO orders VALUES (61, 1); COMMIT;
SELECT id, extra FROM seen WHERE id IN ('60', '61');
-- changes of the configuration count at once, and are events
BEGIN;
UPDATE audit.context_source SET setting = 'app.other' WHERE setting = 'app.member';
SET LOCAL app.other = 'hugo';
COMMIT;
BEGIN; SET LOCAL app.other = 'hugo'; INSERT INTO orders VALUES (62, 1); COMMIT;
TRUNCATE audit.context_source;
BEGIN; SET LOCAL app.other = 'hugo'; INSERT INTO orders VALUES (63, 1); COMMIT;
SELECT id, actor, source FROM seen WHERE id IN ('62', '63');
SELECT action, count(*) FROM audit.events WHERE table_schema = 'audit' AND table_name = 'context_source' GROUP BY 1 ORDER BY 1;

-- a comment at the end of the statement, after all else
INSERT INTO orders VALUES (70, 1) /*actor='ida',application='Shop',request_id='req%2D9',route='%2Forders%3Fa%3D1',traceparent='00-5b-01'*/;
INSERT INTO orders VALUES (71, 1) /*user_id='jan'*/;
INSERT INTO orders VALUES (72, 1) /*actor='',user_id='kim',actor='second'*/;
INSERT INTO orders VALUES (73, 1) /* actor='prose' is not a hint */;
INSERT INTO orders VALUES (74, 1) /*actor='%ff%fe'*/;
INSERT INTO orders VALUES (75, 1) /*actor='\'); DROP TABLE orders; --'*/;
BEGIN /*actor='of the first command, which writes nothing'*/;
INSERT INTO orders VALUES (76, 1) /*actor='lea'*/;
INSERT INTO orders VALUES (77, 1) /*actor='too late'*/;
COMMIT;
BEGIN;
SELECT audit.set_context(actor => 'mia', extra => '{"x": 1}');
INSERT INTO orders VALUES (78, 1) /*actor='not mia',request_id='req-10',route='/x'*/;
COMMIT;
SELECT id, actor, source, request_id, trace_parent, extra FROM seen WHERE id ~ '^7.$';
SELECT actor, context_sources FROM audit.transaction WHERE context_sources::text ~ 'comment' ORDER BY tx_id;

-- nobody writes anonymously
CREATE TABLE plain (id int);
SET audit_trail.require_context = 'sometimes';
SET audit_trail.require_context = 'error';
INSERT INTO orders VALUES (80, 1);
\echo :LAST_ERROR_SQLSTATE
INSERT INTO plain VALUES (1);
BEGIN;
SELECT audit.set_context(actor_type => 'user', request_id => 'req-11');
INSERT INTO orders VALUES (81, 1);
ROLLBACK;
BEGIN;
SELECT audit.set_context(actor => 'nora');
INSERT INTO orders VALUES (82, 1);
COMMIT;
INSERT INTO orders VALUES (83, 1) /*actor='olaf'*/;
-- each savepoint's first event is asked if nothing before it stands
BEGIN;
SAVEPOINT a;
SET LOCAL audit_trail.actor = 'pia';
INSERT INTO orders VALUES (84, 1);
ROLLBACK TO a;
INSERT INTO orders VALUES (85, 1);
ROLLBACK;
SET ROLE who_app;
SET audit_trail.require_context = 'off';
RESET ROLE;
ALTER ROLE who_app SET audit_trail.require_context = 'error';
RESET audit_trail.require_context;
SELECT id, actor, source FROM seen WHERE id ~ '^8.$';

-- and all of that is bound by hashes
SELECT audit.seal_now() IS NOT NULL AS sealed;
SELECT finding, object, place FROM audit.verify() WHERE finding <> 'summary';

RESET search_path;
SET client_min_messages = warning;
DROP SCHEMA who CASCADE;
DROP ROLE who_app, who_definer;
