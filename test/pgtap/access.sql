-- Who sees what: each role, through every door that is open to it, and some that are not.
BEGIN;
SELECT no_plan();
CREATE TABLE public.orders (id int PRIMARY KEY, customer text, total numeric);
CREATE TABLE public.salaries (id int PRIMARY KEY, email text, amount numeric);
SELECT audit.enable('public.orders', query => true);
SELECT audit.enable('public.salaries', context => 'hr');
SELECT results_eq('SELECT kind, role, detail FROM audit.create_roles(''at_'')',
	$$VALUES ('admin', 'at_admin', 'created'), ('auditor', 'at_auditor', 'created'), ('scoped_auditor', 'at_scoped_auditor', 'created'),
		('writer', 'at_writer', 'created'), ('maintenance', 'at_maintenance', 'created'), ('purge_approver', 'at_purge_approver', 'created'),
		('responder', 'at_responder', 'created'), ('relay', 'at_relay', 'created'), ('standby', 'at_standby', 'created')$$,
	'roles are made');
SELECT results_eq('SELECT DISTINCT detail FROM audit.create_roles(''at_'')', ARRAY['exists already'], 'once');
SELECT throws_ok('SELECT audit.create_roles(''other_'')', '42710', NULL, 'not a second set in the same database');
SELECT throws_ok('SELECT audit.create_roles(NULL)', '22004', NULL, 'nor without a name');
SELECT is_empty($$SELECT rolname FROM pg_roles WHERE rolname LIKE 'at\_%' AND (rolcanlogin OR rolsuper OR rolcreaterole OR rolbypassrls)$$,
	'none can log in, nor has attributes');

CREATE FUNCTION pg_temp.executed() RETURNS text LANGUAGE plpgsql AS
	$$DECLARE found text; BEGIN EXECUTE 'EXECUTE everything' INTO found; RETURN found; END$$;
CREATE ROLE tap_anna;
CREATE ROLE tap_bob;
CREATE ROLE tap_carl;
CREATE ROLE tap_dora;
CREATE ROLE tap_dba;
GRANT at_auditor TO tap_anna;
GRANT at_scoped_auditor TO tap_bob, tap_dora;
GRANT at_admin TO tap_carl;
GRANT pg_read_all_data TO tap_dba, tap_bob;
GRANT SELECT ON public.orders TO PUBLIC;

-- What a reader is shown of the extra of an event that has personal columns.
CREATE FUNCTION pg_temp.subject() RETURNS text LANGUAGE sql AS
	$$SELECT audit.visible_extra('{"subject":"7","statement":"CALL"}', target_id, tx_at)::json ->> 'subject'
		FROM audit.events WHERE table_name = 'salaries' ORDER BY tx_id LIMIT 1$$;
SELECT lives_ok($$SET LOCAL ROLE tap_carl; INSERT INTO audit.grant (name, grantee, tables, expires_at, reason)
	VALUES ('q3', 'tap_bob', '{orders}', now() + interval '1 hour', 'review'); RESET ROLE$$, 'an admin lets a scoped auditor see a table');
SELECT is((SELECT lineages IS NOT NULL FROM audit.grant WHERE name = 'q3'), true, 'as what it is in the trail');
SELECT throws_ok($$INSERT INTO audit.grant (name, grantee, expires_at) VALUES ('x', 'tap_carl', 'infinity')$$, 'TR007', NULL, 'but no admin');
SELECT throws_ok($$INSERT INTO audit.grant (name, grantee, expires_at) VALUES ('x', 'tap_nobody', 'infinity')$$, '42704', NULL, 'nor nobody');
CREATE TABLE public.unaudited ();
SELECT throws_ok($$INSERT INTO audit.grant (name, grantee, tables, expires_at) VALUES ('x', 'tap_bob', '{orders,unaudited}', 'infinity')$$,
	'TR003', NULL, 'nor a table that is not audited');
SELECT throws_ok($$INSERT INTO audit.grant (name, grantee, from_at, until_at, expires_at) VALUES ('x', 'tap_bob', now(), now(), 'infinity')$$,
	'23514', NULL, 'nor a period without time');

INSERT INTO public.orders VALUES (1, 'Ann', 10);
UPDATE public.orders SET total = 4711 WHERE id = 1;
INSERT INTO public.salaries VALUES (7, 'x@example.org', 5000);

-- the auditor sees all of it
SET LOCAL ROLE tap_anna;
SELECT results_eq($$SELECT table_name, count(*)::int FROM audit.events WHERE table_schema = 'public' GROUP BY 1 ORDER BY 1$$,
	$$VALUES ('orders', 2), ('salaries', 1)$$, 'an auditor sees all events');
SELECT is((SELECT new_values::text FROM audit.events WHERE table_name = 'salaries'), '{"id":7,"email":"x@example.org","amount":5000}', 'with their values');
SELECT is(pg_temp.subject(), '7', 'and whose they are');
SELECT is((SELECT count(*)::int FROM audit.history('public.orders', '1')), 2, 'the life of a row');
SELECT is((SELECT count(*) > 3 FROM audit.event), true, 'and the ledger');
SELECT is((SELECT count(*)::int FROM audit.kpi), 3, 'its figures');
SELECT lives_ok('SELECT * FROM audit.volume_per_hour()', 'and how many events there were');
SELECT throws_ok($$SELECT audit.disable('public.orders', 'x')$$, '42501', NULL, 'but configures nothing');
SELECT throws_ok($$DELETE FROM audit.grant$$, '42501', NULL, 'nor decides who sees');
SELECT throws_ok($$SELECT * FROM audit.event_1_default$$, '42501', NULL, 'partitions are nobody''s to read');
RESET ROLE;

-- the scoped auditor, though pg_read_all_data is granted besides
SET LOCAL ROLE tap_bob;
SELECT results_eq('SELECT DISTINCT table_name FROM audit.events', ARRAY['orders'], 'a scoped auditor sees the events of the table');
SELECT is((SELECT count(*)::int FROM audit.history('public.orders', '1')), 2, 'and the life of its rows');
SELECT is((SELECT new_values::text FROM audit.history('public.orders', '1') ORDER BY event_id DESC LIMIT 1), '{"total":4711}', 'with values');
SELECT is_empty($$SELECT * FROM audit.history('public.salaries', '7')$$, 'of no other');
SELECT results_eq('SELECT DISTINCT table_name FROM audit.search()', ARRAY['orders'], 'a search finds no more');
SELECT is((SELECT count(*)::int FROM audit.search(condition => '$.new ? (@.total == 4711)')), 1, 'and by values');
SELECT is_empty($$SELECT * FROM audit.search('{"table_name": "salaries"}', condition => '$.new ? (@.amount == 5000)')$$, 'not those of others');
SELECT throws_ok('SELECT * FROM audit.volume_per_hour()', '42501', NULL, 'and no figures of all');
SELECT is_empty('SELECT * FROM audit.volume', 'by itself neither');
SELECT is_empty('SELECT * FROM audit.event', 'nothing in the ledger, where values are not masked, pg_read_all_data or not');
SELECT is_empty('SELECT * FROM audit.transaction', 'no transactions');
SELECT is_empty('SELECT * FROM audit.session', 'no sessions');
SELECT is_empty('SELECT * FROM audit.target', 'no tables');
SELECT is_empty('SELECT * FROM audit.log_entry', 'no log');
SELECT is_empty('SELECT * FROM audit.event_1_default', 'no partitions');
SELECT is_empty('SELECT * FROM ONLY audit.event', 'none at all');
SELECT throws_ok($$SELECT * FROM audit.verify()$$, '42501', NULL, 'verification names what it finds: it is not for everybody');
SELECT throws_ok($$SELECT audit.prove('1.1')$$, '42501', NULL, 'a proof holds the event');

-- a leaky function is not shown what its caller may not see
CREATE FUNCTION pg_temp.peek(text, json) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS
	$$BEGIN IF $1 <> 'orders' THEN RAISE EXCEPTION 'seen: % %', $1, $2; END IF; RETURN true; END$$;
SELECT lives_ok($$SELECT * FROM audit.events WHERE pg_temp.peek(table_name, new_values)$$, 'a cheap function is not asked about hidden rows');
SELECT lives_ok($$SELECT * FROM audit.events WHERE (new_values ->> 'amount')::numeric / 0 IS NULL$$, 'nor is an error made of them');
CREATE FUNCTION pg_temp.peek_row(audit.event) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS
	$$BEGIN IF $1.new_values::text LIKE '%5000%' THEN RAISE EXCEPTION 'seen'; END IF; RETURN true; END$$;
SELECT lives_ok($$SELECT * FROM audit.event e WHERE pg_temp.peek_row(e)$$, 'nor in the ledger');
RESET ROLE;
GRANT audit_ledger TO tap_bob;
SET LOCAL ROLE tap_bob;
SELECT is_empty('SELECT * FROM audit.event', 'to be the owner of the ledger besides is no way');
SELECT is_empty('SELECT * FROM audit.events', 'and takes the others');
RESET ROLE;
SELECT is((SELECT remedy FROM audit.doctor() WHERE "check" = 'access' AND detail LIKE '%owner of the ledger%'), 'REVOKE audit_ledger FROM tap_bob;', 'the doctor finds that');
REVOKE audit_ledger FROM tap_bob;
SET LOCAL ROLE tap_bob;
SET LOCAL row_security = off;
SELECT throws_ok('SELECT * FROM audit.event', '42501', NULL, 'row_security = off is an error, not a way');
SET LOCAL row_security = on;
RESET ROLE;

-- masks
SET LOCAL ROLE tap_carl;
SELECT is((SELECT new_values::text FROM audit.events WHERE table_name = 'salaries'), '{"id":"***","email":"***","amount":"***"}', 'an admin sees that, and not what');
SELECT is(pg_temp.subject(), '***', 'nor whose');
SELECT is((SELECT bool_and(extra ->> 'query' = '***') FROM audit.events WHERE table_name = 'orders' AND extra ->> 'query' IS NOT NULL), true, 'nor by which command');
SELECT is((SELECT changed FROM audit.history('public.orders', '1') ORDER BY event_id DESC LIMIT 1), '{total}', 'which columns changed');
SELECT is((SELECT new_values::text || old_values::text FROM audit.history('public.orders', '1') WHERE action = 'update'), '{"total":"***"}{"total":"***"}',
	'in the life of a row as well');
SELECT is((SELECT new_values ->> 'grantee' FROM audit.events WHERE table_name = 'grant'), 'tap_bob', 'values of the configuration are its business');
SELECT is((SELECT bool_or(covered) FROM audit.coverage('public.orders')), true, 'and so is what is covered');
SELECT throws_ok('SELECT * FROM audit.event', '42501', NULL, 'the ledger itself is not');
SELECT lives_ok($$SELECT audit.disable('public.salaries', 'tested')$$, 'it configures tables of others');
SELECT lives_ok($$SELECT audit.enable('public.salaries', context => 'system')$$, 'under any name');
RESET ROLE;
INSERT INTO public.salaries VALUES (8, 'y@example.org', 6000);
SET LOCAL ROLE tap_carl;
SELECT is((SELECT new_values ->> 'amount' FROM audit.events WHERE table_name = 'salaries' AND resource_id = '8'), '***', 'which opens no values');
RESET ROLE;

-- who has no role sees nothing, whatever privileges there are
SET LOCAL ROLE tap_dba;
SELECT is_empty('SELECT * FROM audit.events', 'pg_read_all_data sees no events');
SELECT is_empty('SELECT * FROM audit.event', 'nor in the ledger');
SELECT is_empty('SELECT * FROM audit.transaction', 'nor who acted');
SELECT is_empty('SELECT * FROM audit.record_event', 'nor that anything happened');
SELECT is_empty('SELECT * FROM audit.public_keys', 'nor anything of the log');
SELECT is_empty('SELECT * FROM audit.alert', 'nor alerts');
RESET ROLE;
INSERT INTO public.orders SELECT 100, string_agg(md5(g::text), ''), 1 FROM generate_series(1, 1000) AS g;
SELECT c.reltoastrelid::regclass AS chunks FROM pg_class c JOIN audit.event e ON e.tableoid = c.oid
	WHERE e.record_key = '100' AND e.tx_id = audit.current_tx_id() LIMIT 1 \gset
SET LOCAL ROLE tap_anna;
SELECT throws_ok($$SELECT chunk_data FROM $$ || :'chunks', '42501', NULL, 'an auditor has no right on stored pieces of long values');
RESET ROLE;
SELECT is((SELECT count(*) > 0 FROM :chunks), true, 'that are there');
SET LOCAL ROLE tap_dba;
SELECT throws_ok($$SELECT chunk_data FROM $$ || :'chunks', '42501', NULL, 'nor does pg_read_all_data see long values by them');
SELECT throws_ok($$COPY $$ || :'chunks' || $$ TO STDOUT$$, NULL, NULL, 'nor by COPY');
SELECT is(length((SELECT new_values ->> 'customer' FROM audit.events WHERE resource_id = '100')), NULL, 'nor by the view');
RESET ROLE;
SET LOCAL ROLE tap_anna;
SELECT is(length((SELECT new_values ->> 'customer' FROM audit.events WHERE resource_id = '100')), 32000, 'an auditor sees them as values');
RESET ROLE;
SET LOCAL ROLE audit_ledger;
SELECT is_empty('SELECT * FROM audit.event', 'row security binds the owner of the ledger');
SELECT is_empty('SELECT * FROM audit.transaction', 'in all of it');
SELECT is_empty('SELECT * FROM audit.events', 'and in its views');
RESET ROLE;
SET LOCAL ROLE tap_dora;
SELECT is_empty('SELECT * FROM audit.events', 'nor does a scoped auditor without a grant');
RESET ROLE;
SELECT is((SELECT count(*)::int FROM audit.events WHERE table_name = 'orders'), 3, 'a superuser sees all');

-- scopes: context, period, values, persons, until a date; a group's is its members'
CREATE FUNCTION pg_temp.seen() RETURNS text LANGUAGE sql AS
	$$SELECT string_agg(DISTINCT table_name || coalesce(':' || (new_values ->> 'amount'), ''), ',') FROM audit.events WHERE table_schema = 'public'$$;
CREATE FUNCTION pg_temp.seen_by_dora() RETURNS text LANGUAGE plpgsql AS
	$$DECLARE seen text; BEGIN SET LOCAL ROLE tap_dora; seen := pg_temp.seen(); RESET ROLE; RETURN seen; END$$;
INSERT INTO audit.grant (name, grantee, contexts, expires_at, see_values) VALUES ('d', 'tap_dora', '{hr}', 'infinity', false);
SELECT is(pg_temp.seen_by_dora(), 'salaries:***', 'a context, without values');
SET LOCAL ROLE tap_dora;
SELECT is_empty($$SELECT * FROM audit.search(condition => '$.new ? (@.amount == 5000)')$$, 'nor is one found by them');
RESET ROLE;
UPDATE audit.grant SET see_values = true WHERE name = 'd';
SELECT is(pg_temp.seen_by_dora(), 'salaries:5000', 'with values');
SET LOCAL ROLE tap_dora;
SELECT is(pg_temp.subject(), '***', 'not whose they are');
RESET ROLE;
UPDATE audit.grant SET see_personal = true WHERE name = 'd';
SET LOCAL ROLE tap_dora;
SELECT is(pg_temp.subject(), '7', 'unless that is granted');
RESET ROLE;
UPDATE audit.grant SET until_at = now() WHERE name = 'd';
SELECT is(pg_temp.seen_by_dora(), NULL, 'a period that ends before');
UPDATE audit.grant SET until_at = NULL, from_at = now() WHERE name = 'd';
SELECT is(pg_temp.seen_by_dora(), 'salaries:5000', 'one that begins with the event');
UPDATE audit.grant SET from_at = now() + interval '1 microsecond' WHERE name = 'd';
SELECT is(pg_temp.seen_by_dora(), NULL, 'one that begins later');
UPDATE audit.grant SET from_at = NULL, expires_at = statement_timestamp() WHERE name = 'd';
SELECT is(pg_temp.seen_by_dora(), NULL, 'a grant that has ended');
UPDATE audit.grant SET expires_at = 'infinity', contexts = '{orders}', tables = '{salaries}' WHERE name = 'd';
SELECT is(pg_temp.seen_by_dora(), NULL, 'all of its columns must hold');
UPDATE audit.grant SET contexts = NULL, grantee = 'at_scoped_auditor' WHERE name = 'd';
SELECT is(pg_temp.seen_by_dora(), 'salaries:5000,salaries:6000', 'the grant of a group');
ALTER TABLE public.salaries RENAME TO wages;
ALTER TABLE public.orders RENAME TO salaries;
INSERT INTO public.wages VALUES (9, 'z@example.org', 7000);
SELECT is(pg_temp.seen_by_dora(), 'salaries:5000,salaries:6000,wages,wages:7000', 'a table is followed under its names, and no other that takes one');
DELETE FROM audit.grant WHERE name = 'd';
SELECT is(pg_temp.seen_by_dora(), NULL, 'what is revoked is gone at once');
SELECT is((SELECT count(*)::int FROM audit.events WHERE table_name = 'grant' AND action = 'delete'), 1, 'every grant is an event');

-- who gets a role, and who loses it, is on record, through other roles too; a table of that type is not taken for it
CREATE TABLE public.impostor ();
SELECT audit.enable('public.impostor', resource_type => 'trail_access', context => 'theirs');
CREATE ROLE tap_team;
CREATE ROLE tap_member ROLE tap_dba IN ROLE tap_team;
GRANT at_auditor TO tap_team;
REVOKE tap_team FROM tap_member;
DROP ROLE tap_team;
SELECT results_eq($$SELECT event_type, resource_id COLLATE "default", new_values ->> 'kind', context, actor COLLATE "default" FROM audit.events
	WHERE resource_type = 'trail_access' AND tx_id = audit.current_tx_id() AND resource_id ~ '^tap_(team|member|dba)$' ORDER BY ordinal$$,
	$$VALUES ('trail_access.gained', 'tap_dba', 'auditor', 'system', NULL), ('trail_access.gained', 'tap_member', 'auditor', 'system', NULL),
		('trail_access.gained', 'tap_team', 'auditor', 'system', NULL), ('trail_access.lost', 'tap_dba', 'auditor', 'system', NULL),
		('trail_access.lost', 'tap_member', 'auditor', 'system', NULL), ('trail_access.lost', 'tap_team', 'auditor', 'system', NULL)$$,
	'roles of the trail that come and go are events');
SAVEPOINT undone;
GRANT at_auditor TO tap_dba;
ROLLBACK TO undone;
SELECT is((SELECT count(*)::int FROM audit.events WHERE resource_type = 'trail_access' AND resource_id = 'tap_dba'), 2, 'not those that are undone');

-- roles that exclude each other
SELECT throws_ok('GRANT at_auditor TO tap_carl', 'TR007', 'role "tap_carl" cannot be admin and auditor of the audit trail', 'an admin is no auditor');
CREATE ROLE tap_group;
GRANT at_auditor TO tap_group;
SELECT throws_ok('GRANT tap_group TO tap_carl', 'TR007', NULL, 'nor through another role');
SELECT throws_ok('GRANT at_admin TO tap_group', 'TR007', NULL, 'from either side');
SELECT throws_ok('ALTER GROUP tap_group ADD USER tap_carl', 'TR007', NULL, 'nor by another name of the command');
SELECT throws_ok('CREATE ROLE tap_both IN ROLE at_admin, at_auditor', 'TR007', NULL, 'nor from birth');
SELECT throws_ok('CREATE ROLE tap_both ROLE tap_carl IN ROLE at_auditor', 'TR007', NULL, 'nor by birth of another');
SELECT throws_ok('GRANT at_admin TO tap_bob', 'TR007', NULL, 'nor is who was granted events an admin');
SELECT throws_ok('GRANT at_purge_approver TO tap_carl', 'TR007', NULL, 'a purge takes two');
SELECT throws_ok('GRANT at_writer TO tap_anna', 'TR007', NULL, 'who examines does not write');
SELECT lives_ok('GRANT at_writer TO tap_bob', 'an application may show its users their own events');
SELECT is_empty('SELECT * FROM audit.role_conflicts', 'nobody has both');
SELECT is((SELECT status FROM audit.doctor() WHERE "check" = 'access' AND detail NOT LIKE '%may read all tables%'), 'ok', 'the doctor is content');

-- one that was made behind the guard's back is found, and wins nothing
CREATE ROLE tap_other;
UPDATE audit.role SET role = 'tap_other' WHERE kind = 'auditor';
GRANT at_auditor TO tap_carl;
UPDATE audit.role SET role = 'at_auditor' WHERE kind = 'auditor';
SELECT is((SELECT status || ': ' || remedy FROM audit.doctor() WHERE "check" = 'access'), 'problem: REVOKE at_admin FROM tap_carl;', 'the doctor finds it');
SET LOCAL ROLE tap_carl;
SELECT is((SELECT count(*) FROM audit.events WHERE new_values ->> 'amount' <> '***'), 0::bigint, 'who is an admin sees no values, auditor or not');
SELECT is_empty('SELECT * FROM audit.event', 'and no ledger');
RESET ROLE;
SELECT lives_ok('GRANT at_auditor TO tap_dba', 'a conflict that is there already hinders nobody else');
SET LOCAL ROLE tap_dba;
SELECT is((SELECT count(*) > 0 FROM audit.event), true, 'a role counts at once');
RESET ROLE;
REVOKE at_auditor FROM tap_dba;
SET LOCAL ROLE tap_dba;
SELECT is_empty('SELECT * FROM audit.event', 'and its end');
RESET ROLE;
DELETE FROM audit.role WHERE kind = 'admin';
SET LOCAL ROLE tap_anna;
SELECT is((SELECT count(*) > 0 FROM audit.event), true, 'roles do not depend on each other');
RESET ROLE;

-- a prepared statement is its executor's
PREPARE everything AS SELECT count(*) > 0 FROM audit.events WHERE table_name = 'wages';
SET LOCAL ROLE tap_anna;
SELECT is(pg_temp.executed(), 'true', 'a plan that an auditor made');
SET LOCAL ROLE tap_bob;
SELECT is(pg_temp.executed(), 'false', 'shows a scoped auditor what is its own');
RESET ROLE;
SELECT is(pg_temp.executed(), 'true', 'and a superuser all');

-- names that are taken, and adopted
CREATE ROLE tk_admin LOGIN;
DELETE FROM audit.role;
SELECT throws_ok('SELECT audit.create_roles(''tk_'')', '42710', 'role "tk_admin" exists already', 'a role of somebody else is not taken');
COMMENT ON ROLE tk_admin IS 'audit_trail: admin';
SELECT throws_ok('SELECT audit.create_roles(''tk_'')', '55000', NULL, 'nor one that may do more');
ALTER ROLE tk_admin NOLOGIN;
SELECT is((SELECT string_agg(detail, ',') FROM audit.create_roles('tk_') WHERE kind IN ('admin', 'auditor')), 'exists already,created', 'unless somebody says so');
SELECT throws_ok('SELECT audit.create_roles(repeat(''x'', 60))', '42710', NULL, 'a second set is none');
DELETE FROM audit.role;
SELECT throws_ok('SELECT audit.create_roles(repeat(''x'', 60))', '42602', NULL, 'names are not cut');
SELECT lives_ok($$SELECT audit.create_roles(E'it''s "100%\n')$$, 'and may be anything');
SELECT is((SELECT role FROM audit.role WHERE kind = 'auditor'), E'it''s "100%\nauditor', 'as they were given');
SELECT is(has_function_privilege(E'it''s "100%\nauditor', 'audit.history(regclass,text)', 'EXECUTE'), true, 'with their rights');

SELECT * FROM finish();
ROLLBACK;
