-- Who sees what applications tell: events of no table, by the resource types that a grant covers.
BEGIN;
SELECT no_plan();
CREATE TABLE public.orders (id int PRIMARY KEY, total numeric);
CREATE TABLE public.invoices (id int PRIMARY KEY, total numeric);
CREATE TABLE public.role (id int PRIMARY KEY);
SELECT audit.enable('public.orders', resource_type => 'order');
SELECT audit.enable('public.invoices', resource_type => 'invoice', context => 'finance');
SELECT audit.enable('public.role');
SELECT is((SELECT count(*)::int FROM audit.create_roles('at_')), 9, 'there are nine roles');
DO $$
DECLARE kind text;
BEGIN
	FOREACH kind IN ARRAY '{admin,auditor,scoped_auditor,writer,maintenance,purge_approver,responder,relay,standby}'::text[] LOOP
		EXECUTE format('CREATE ROLE tap_%s; GRANT at_%1$s TO tap_%1$s', kind);
	END LOOP;
END $$;
SELECT audit.map_event('public.orders', 'order.approved');
SELECT audit.alert_when('told', kind => 'recorded', events => '{order.cancelled}');
INSERT INTO public.orders VALUES (1, 10);
UPDATE public.orders SET total = 11;
INSERT INTO public.invoices VALUES (1, 10);
SELECT audit.emit('order.cancelled', '1', new => '{"why": "told"}');
SELECT audit.emit('invoice.issued', '1', new => '{"why": "told"}');
SELECT audit.emit('customer.registered', '1', new => '{"why": "told"}');

CREATE FUNCTION pg_temp.seen_by(role text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE seen text;
BEGIN
	EXECUTE format('SET LOCAL ROLE %I', role);
	BEGIN
		SELECT string_agg(DISTINCT event_type || coalesce(':' || (new_values ->> 'why'), ''), ' ' ORDER BY event_type || coalesce(':' || (new_values ->> 'why'), ''))
			INTO seen FROM audit.events WHERE event_type ~ '^(order|invoice|customer)[.]';
	EXCEPTION WHEN insufficient_privilege THEN seen := 'refused';
	END;
	RESET ROLE;
	RETURN seen;
END $$;
CREATE FUNCTION pg_temp.may(tables regclass[], resource_types text[] DEFAULT NULL, contexts text[] DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
	DELETE FROM audit.grant;
	INSERT INTO audit.grant (name, grantee, tables, resource_types, contexts, expires_at)
		VALUES ('g', 'tap_scoped_auditor', may.tables, may.resource_types, may.contexts, 'infinity');
	SELECT pg_temp.seen_by('tap_scoped_auditor');
$$;

-- each role
SELECT is(pg_temp.seen_by('tap_auditor'), 'customer.registered:told invoice.created invoice.issued:told order.approved order.cancelled:told order.created',
	'an auditor sees all');
SELECT is(pg_temp.seen_by('tap_admin'), 'customer.registered:*** invoice.created invoice.issued:*** order.approved order.cancelled:*** order.created',
	'an admin that it happened');
SELECT is(pg_temp.seen_by('tap_scoped_auditor'), NULL, 'a scoped auditor without a grant nothing');
SELECT is(pg_temp.seen_by('tap_responder'), NULL, 'nor does a responder');
SELECT is(pg_temp.seen_by('tap_relay'), NULL, 'nor a relay');
SELECT is(pg_temp.seen_by('tap_writer'), 'refused', 'nor a writer, what it has told');
SELECT is(pg_temp.seen_by('tap_standby'), 'refused', 'nor a standby');
SELECT is(pg_temp.seen_by('tap_maintenance'), 'refused', 'nor maintenance');
SELECT is(pg_temp.seen_by('tap_purge_approver'), 'refused', 'nor who approves of purges');

-- by table, resource type and context
SELECT is(pg_temp.may('{orders}'), 'order.approved order.cancelled:told order.created', 'a table, and what is told of its resource type');
SET LOCAL ROLE tap_scoped_auditor;
SELECT is((SELECT count(*)::int FROM audit.alerts WHERE rule = 'told'), 1, 'so with an alert about it');
SELECT is((SELECT count(*)::int FROM audit.search() WHERE event_type = 'order.cancelled'), 1, 'and the search');
RESET ROLE;
SELECT is(pg_temp.may('{invoices}'), 'invoice.created invoice.issued:told', 'another table');
SELECT is(pg_temp.may('{orders}', contexts => '{finance}'), NULL, 'the context must be it too');
SELECT is(pg_temp.may('{invoices}', contexts => '{finance}'), 'invoice.created invoice.issued:told', 'as here');
SELECT is(pg_temp.may('{invoices}', '{customer}'), 'customer.registered:told invoice.created invoice.issued:told', 'a resource type besides');
SELECT is(pg_temp.may(NULL, '{customer}'), 'customer.registered:told', 'a resource type alone');
SELECT is(pg_temp.may(NULL, '{order}'), 'order.cancelled:told', 'which is no table');
SELECT is(pg_temp.may(NULL, '{}'), NULL, 'none');
SELECT is(pg_temp.may(NULL), 'customer.registered:told invoice.created invoice.issued:told order.approved order.cancelled:told order.created', 'all');
SELECT throws_ok($$SELECT pg_temp.may(NULL, '{NULL}')$$, '23514', NULL, 'no type is no type');
SELECT is(pg_temp.may('{orders}'), 'order.approved order.cancelled:told order.created', 'a table again');
UPDATE audit.grant SET see_values = false;
SELECT is(pg_temp.seen_by('tap_scoped_auditor'), 'order.approved order.cancelled:*** order.created', 'without values');

-- a table that is called as the server's own events are
SET LOCAL client_min_messages = error;
SET LOCAL audit_trail.unknown_event_type = warning;
SELECT audit.emit('role.observed', '1'); -- recorded as what the server observes is
SELECT pg_temp.may('{role}');
SET LOCAL ROLE tap_scoped_auditor;
SELECT is_empty($$SELECT * FROM audit.events WHERE event_type = 'role.observed'$$, 'nothing of the server''s by a table''s name');
RESET ROLE;
SELECT pg_temp.may(NULL, '{role}');
SET LOCAL ROLE tap_scoped_auditor;
SELECT isnt_empty($$SELECT * FROM audit.events WHERE event_type = 'role.observed'$$, 'unless that is granted');
RESET ROLE;

-- the table's resource type is another from now on
SELECT pg_temp.may('{orders}');
SELECT audit.disable('public.orders', 'it gets another name');
SELECT audit.enable('public.orders', resource_type => 'customer');
SELECT is(pg_temp.seen_by('tap_scoped_auditor'), 'customer.registered:told order.approved order.cancelled:told order.created', 'it is followed under all its names');

SELECT * FROM finish();
ROLLBACK;
