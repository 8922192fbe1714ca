-- Who acts, and why: for the transaction, and never beyond it.
CREATE SCHEMA ctx;
SET search_path = ctx, public;
CREATE TABLE orders (id int PRIMARY KEY, v int);
SELECT audit.enable('orders');
CREATE VIEW who AS
SELECT e.record_key, t.actor, t.actor_type, t.actor_source, t.request_id, t.reason, t.extra::text AS tx_extra,
	e.extra::text AS event_extra
FROM audit.event e JOIN audit.transaction t USING (tx_id) JOIN audit.target g USING (target_id)
WHERE g.table_schema = 'ctx' AND g.table_name = 'orders'
ORDER BY e.tx_id, e.ordinal;

-- nobody said anything: the database user
INSERT INTO orders VALUES (1, 1);
SELECT actor = session_user AS is_user, actor_source FROM who;

-- by the function, and gone with the transaction
BEGIN;
SELECT audit.set_context(actor => 'alice', actor_type => 'user', request_id => 'req-1', reason => 'customer called', extra => '{"ticket": 7}');
INSERT INTO orders VALUES (2, 1);
COMMIT;
SHOW audit_trail.actor;
INSERT INTO orders VALUES (3, 1);
-- by settings
BEGIN;
SET LOCAL audit_trail.actor = 'bob';
INSERT INTO orders VALUES (4, 1);
COMMIT;
SET audit_trail.actor = 'batch';
INSERT INTO orders VALUES (5, 1);
RESET audit_trail.actor;
-- a rolled back savepoint takes its context along
BEGIN;
SAVEPOINT a;
SELECT audit.set_context(actor => 'mallory');
INSERT INTO orders VALUES (6, 1);
ROLLBACK TO a;
INSERT INTO orders VALUES (7, 1);
COMMIT;
-- what is said late completes what was not said; what is said otherwise stands with its event
BEGIN;
INSERT INTO orders VALUES (8, 1);
SELECT audit.set_context(reason => 'said late');
COMMIT;
BEGIN;
SELECT audit.set_context(actor => 'carol', reason => 'first');
INSERT INTO orders VALUES (9, 1);
SELECT audit.set_context(actor => 'dave "the second"', extra => '{"a":"\u0000"}');
SELECT audit.set_context(actor => 'dave "the second"', extra => '{"a": [1]}');
INSERT INTO orders VALUES (10, 1);
COMMIT;
BEGIN;
SELECT audit.set_context(actor => 'carol', reason => 'first');
INSERT INTO orders VALUES (11, 1);
SELECT audit.set_context(actor => 'dave "the second"', extra => '{"a": [1]}');
INSERT INTO orders VALUES (12, 1);
SET LOCAL audit_trail.reason = '';
INSERT INTO orders VALUES (13, 1);
COMMIT;
\pset null '(null)'
SELECT record_key, nullif(actor, session_user) AS actor, actor_type, actor_source, request_id, reason, tx_extra, event_extra FROM who;

-- the application's session, its client's address and the trace go the same ways
BEGIN;
SELECT audit.set_context(app_session => 's-1', client_ip => '203.0.113.9');
INSERT INTO orders VALUES (14, 1);
SAVEPOINT a;
SELECT audit.set_context(app_session => 's-2', client_ip => '203.0.113.10', trace_parent => '00-rolled-back-01');
INSERT INTO orders VALUES (15, 1);
ROLLBACK TO a;
SELECT audit.set_context(client_ip => '::1', trace_parent => '00-said-late-01');
INSERT INTO orders VALUES (16, 1);
SET LOCAL audit_trail.app_session = '';
INSERT INTO orders VALUES (17, 1);
COMMIT;
SELECT e.resource_id, e.claimed_session, e.claimed_client_ip, e.trace_parent, e.extra
FROM audit.events e WHERE e.table_schema = 'ctx' AND e.resource_id IN ('14', '15', '16', '17') ORDER BY e.ordinal;
SELECT claimed_session, claimed_client_ip, trace_parent FROM audit.transaction WHERE claimed_session = 's-1';

-- hostile values are data, or refused
SELECT audit.set_context(actor => repeat('x', 1001));
SET audit_trail.extra = 'no json';
SET audit_trail.extra = '[1]';
SET audit_trail.nonsense = 1;
BEGIN;
SELECT audit.set_context(actor => $$'); DROP TABLE orders; --$$, reason => E'line\nbreak\t\\');
INSERT INTO orders VALUES (20, 1);
COMMIT;
SELECT actor, reason FROM who WHERE record_key = '20';
-- an application name is data too
SET application_name = '"}); DROP';
INSERT INTO orders VALUES (21, 1);
SELECT t.application_name FROM audit.transaction t JOIN audit.event e USING (tx_id) WHERE e.record_key = '21' AND t.application_name ~ 'DROP';
RESET application_name;
-- an ordinary role may say who acts, and its login stays what it is
CREATE ROLE ctx_app;
GRANT USAGE ON SCHEMA ctx TO ctx_app;
GRANT INSERT ON orders TO ctx_app;
SET ROLE ctx_app;
BEGIN;
SELECT audit.set_context(actor => 'erin');
INSERT INTO ctx.orders VALUES (22, 1);
COMMIT;
RESET ROLE;
SELECT t.actor, t.db_role, t.db_user = session_user AS session, s.login_user = session_user AS login
FROM audit.transaction t JOIN audit.session s USING (session_id) WHERE t.actor = 'erin';
-- what ALTER ROLE has stored in another encoding is no text here
CREATE DATABASE ctx_latin ENCODING latin1 TEMPLATE template0;
ALTER ROLE ctx_app LOGIN;
ALTER ROLE ctx_app SET client_min_messages = error;
SELECT current_user AS me, current_database() AS here \gset
\c ctx_latin
ALTER ROLE ctx_app SET audit_trail.actor = E'\351';
\c :here ctx_app
SHOW audit_trail.actor;
\c :here :me
DROP DATABASE ctx_latin;

RESET search_path;
SET client_min_messages = warning;
DROP SCHEMA ctx CASCADE;
DROP ROLE ctx_app;
