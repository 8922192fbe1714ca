-- The catalogue of business events: its spread, and what every type owes to whoever reads it.
BEGIN;
SELECT no_plan();
SELECT audit.init();

SELECT is((SELECT count(*) FROM audit.context WHERE seeded), 16::bigint, 'there are sixteen contexts');
SELECT is((SELECT count(*) FROM audit.category WHERE seeded), 27::bigint, 'and twenty-seven categories');
SELECT cmp_ok((SELECT count(*) FROM audit.event_types WHERE seeded), '>=', 185::bigint, 'there are 185 types and more');
SELECT cmp_ok((SELECT min(n) FROM (SELECT count(t.event_type) AS n FROM audit.context c LEFT JOIN audit.event_types t USING (context) GROUP BY c.context) x),
	'>=', 10::bigint, 'every context has ten of them and more');
SELECT is_empty(
	$$SELECT c.category FROM audit.category c WHERE c.category <> 'data'
		AND NOT EXISTS (SELECT FROM audit.event_types t WHERE t.category = c.category)$$,
	'every category is one of some type; data is what nobody has given a type');
SELECT bag_eq(
	$$SELECT DISTINCT category FROM (SELECT audit.name_category(NULL, op::"char", context) AS category
		FROM regexp_split_to_table('IUDTBAMXRVESLPKH?', '') o (op) CROSS JOIN (VALUES ('orders'), ('system'), (NULL)) c (context)) x
		WHERE category NOT IN (SELECT category FROM audit.category)$$,
	$$SELECT 'x' WHERE false$$,
	'every event has a category that the catalogue knows');

-- texts
SELECT is_empty($$SELECT event_type, count(*) FROM audit.event_type WHERE seeded GROUP BY 1 HAVING count(*) > 1$$, 'a type ships in one version');
SELECT is_empty($$SELECT array_agg(event_type) FROM audit.event_types WHERE seeded GROUP BY sentence HAVING count(*) > 1$$, 'no two types have one sentence');
SELECT is_empty(
	$$SELECT array_agg(event_type) FROM audit.event_types WHERE seeded GROUP BY resource_type, description HAVING count(*) > 1$$,
	'nor two of a resource one description');
SELECT is_empty(
	$$SELECT event_type, description FROM audit.event_types WHERE seeded AND description !~ '^[A-Z][^.]+\.$'$$,
	'a description is a sentence that begins with a capital and ends with a full stop');
SELECT is_empty(
	$$SELECT event_type, sentence FROM audit.event_types WHERE seeded AND (sentence ~ '[.]$|^ | $|  ' OR sentence ~ '\[[^]]*\[' OR sentence ~ '^[A-Z]')$$,
	'a sentence has no full stop, no capital at its beginning, and no blank too many');
SELECT is_empty(
	$$SELECT event_type, sentence FROM audit.event_types WHERE seeded AND event_type !~ '^(audit|evidence|session|default_privileges|owner|access|privilege)\.'
		AND sentence !~ (replace(resource_type, '_', ' ') || '\]?( on)?(\[)? ?[^{]{0,12}\{resource_id\}')
		AND sentence !~ ('\m' || replace(resource_type, '_', ' ') || '\M')$$,
	'a sentence calls what it is about by its name');
SELECT is_empty(
	$$SELECT event_type, sentence FROM audit.event_types WHERE seeded AND sentence !~ '\{resource_id\}'
		AND event_type !~ '^(audit|evidence|session|access|maintenance)\.'$$,
	'and says which one');
SELECT is_empty(
	$$SELECT t.event_type, m.name FROM audit.event_types t, regexp_matches(t.sentence, '\{([^}]*)\}', 'g') m (name)
		WHERE m.name[1] !~ '^(actor|resource|resource_id|resource_type|reason|request_id|changes|(old|new|extra)\.[a-z][a-z0-9_]*)$'$$,
	'placeholders are those that there are');
SELECT is_empty(
	$$SELECT event_type, sentence FROM audit.event_types WHERE seeded AND sentence ~ '\{(reason|changes)\}' AND sentence !~ '\[[^]]*\{(reason|changes)\}[^]]*\]'$$,
	'what an event need not have is in brackets');
SELECT is_empty(
	$$SELECT event_type FROM audit.event_types WHERE seeded AND audit.make_sentence(event_type, 'E', resource_type, '7', 'anna', NULL, NULL,
		(payload_schema #> '{properties,old,properties}')::json, (payload_schema #> '{properties,new,properties}')::json, NULL) ~ '[][{}]\w|not given'$$,
	'with what its schema wants, nothing is missing in a sentence');
SELECT isnt_empty($$SELECT event_type FROM audit.event_types WHERE payload_schema -> 'required' = '["old", "new"]'$$, 'there are schemas');
SELECT is_empty($$SELECT event_type FROM audit.event_types WHERE replaced_by IS NOT NULL AND replaced_by NOT IN (SELECT event_type FROM audit.event_types)$$,
	'what replaces a type is one');

-- names
SELECT throws_ok(format('INSERT INTO audit.event_type (event_type, version, context, category, severity, description, sentence) VALUES (%L, 1, ''orders'', ''data'', ''info'', ''x'', ''x'')', n),
	'23514', NULL, n || ' is no name of a type')
FROM unnest(ARRAY['order', 'order.', '.created', 'order.create', 'order.open', 'Order.created', 'order.Created', 'order.created.x', 'order created',
	'order.creating', 'order.need', 'order.created_by', repeat('x', 100) || '.created', '1rder.created', 'order.überwiesen']) n;
SELECT lives_ok(format('INSERT INTO audit.event_type (event_type, version, context, category, severity, description, sentence) VALUES (%L, 1, ''orders'', ''data'', ''info'', ''x'', ''x'')', n),
	n || ' is one')
FROM unnest(ARRAY['thing.created', 'thing.sent', 'thing.resent', 'thing.written_off', 'thing.put_away', 'thing.status_set', 'thing.overpaid', 'thing.drawn', 'thing.bought',
	'thing.withheld', 'thing.checked_in', 'thing.given', 'a1_b.read']) n;

-- every type that our own code writes
CREATE TEMP TABLE written (event_type text);	-- test/lint/event_types finds them in the code
INSERT INTO written VALUES ('maintenance.counted'), ('audit.refused'), ('audit.read'), ('audit.lost'), ('evidence.exported'), ('trail_access.gained'), ('trail_access.lost'), ('role.granted'), ('role.revoked'),
	('session.started'), ('session.refused'), ('session.ended'), ('session.terminated'), ('role.assumed'), ('role.created'), ('role.altered'),
	('role.dropped'), ('privilege.granted'), ('privilege.revoked'), ('default_privileges.changed'), ('policy.created'), ('policy.altered'),
	('policy.dropped'), ('owner.changed'), ('setting.changed'), ('function.created'), ('function.altered'), ('function.dropped'), ('access.denied'), ('change.blocked'),
	('alert.acknowledged'), ('alert.resent'), ('alert.sealed');
SELECT is_empty('SELECT event_type FROM written EXCEPT SELECT event_type FROM audit.event_types', 'the catalogue knows what we write ourselves');
SELECT bag_eq('SELECT event_type FROM written', 'SELECT event_type FROM audit.event_types WHERE reserved', 'and nobody else can say it');

-- configuration: what users add is dumped, what ships is not; every change is an event
SELECT is((SELECT array_agg(c::regclass::text || ' ' || w ORDER BY c::regclass::text) FROM pg_extension, unnest(extconfig, extcondition) x (c, w)
		WHERE extname = 'audit_trail' AND c::regclass::text ~ 'context$|category|event'),
	ARRAY['audit.category WHERE NOT seeded', 'audit.context WHERE NOT seeded', 'audit.event_map ', 'audit.event_type WHERE NOT seeded'], 'what is dumped');
SELECT is_empty('SELECT event_type FROM audit.event_type WHERE NOT seeded AND event_type NOT LIKE ''thing.%'' AND event_type <> ''a1_b.read''', 'all that ships is seeded');
SELECT audit.change_event_type('order.created', description => 'Another text.');
SELECT is((SELECT count(*) FROM audit.events WHERE event_type = 'audit.event_type.created' AND tx_id = audit.current_tx_id() AND new_values::text ~ 'Another text'),
	1::bigint, 'a change of the catalogue is an event');

-- masked values stay masked in sentences
CREATE TABLE public.orders (id int PRIMARY KEY, price numeric);
SELECT audit.enable('public.orders', resource_type => 'order');
INSERT INTO public.orders VALUES (1, 4711);
UPDATE public.orders SET price = 4712;
SELECT audit.emit('order.price_changed', '1', '{"price": 4713}', '{"price": 4714, "x": 1}', extra => '{"y": 4715}');
SELECT audit.create_roles('ca_');
CREATE ROLE catalogue_scoped;
GRANT ca_scoped_auditor TO catalogue_scoped;
INSERT INTO audit.grant (name, grantee, contexts, expires_at, see_values) VALUES ('c', 'catalogue_scoped', '{orders,pricing}', 'infinity', false);
SET LOCAL ROLE catalogue_scoped;
SELECT cmp_ok((SELECT count(*) FROM audit.events WHERE sentence ~ 'order 1'), '>=', 3::bigint, 'who sees no values reads sentences');
SELECT is_empty($$SELECT sentence FROM audit.events WHERE sentence ~ '471'$$, 'that tell none');
SELECT isnt_empty($$SELECT 1 FROM audit.events WHERE sentence ~ 'the price of order 1 from \*\*\* to \*\*\*'$$, 'but that there were some');
SELECT is_empty($$SELECT 1 FROM audit.history('public.orders', '1') WHERE sentence ~ '471'$$, 'nor does the life of a row');
SELECT throws_ok($$SELECT audit.emit('order.created', '1')$$, '42501', NULL, 'an auditor does not emit');
RESET ROLE;
SELECT * FROM finish();
ROLLBACK;
