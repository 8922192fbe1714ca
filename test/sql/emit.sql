-- Business events: audit.emit(), what is recorded and what is refused, sentences, rules for changes of tables.
CREATE SCHEMA emit;
SET search_path = emit, public;
CREATE TABLE emit.orders (id int PRIMARY KEY, status text, total numeric, secret_code text);
SELECT audit.enable('orders', context => 'orders', resource_type => 'order', mask => '{secret_code}');

-- an event has the name that is returned, and belongs to the transaction
BEGIN;
SELECT audit.set_context(actor => 'anna', request_id => 'r-1', reason => 'customer called');
SELECT audit.emit('order.price_changed', '42', '{"price": 10.50}', '{"price": 12.00}') ~ '^\d+\.1$' AS named;
SELECT audit.emit('payment.attempted', 'p-9', new => '{"amount": "12.00", "currency": "EUR"}') ~ '\.2$' AS named;
SAVEPOINT s;
SELECT audit.emit('order.cancelled', '42') ~ '\.3$' AS named;
ROLLBACK TO s;
SELECT audit.emit('order.cancelled', '42', '{"status": "paid"}', extra => '{"channel": "phone"}') ~ '\.3$' AS named;
COMMIT;
BEGIN;
SELECT audit.emit('order.completed', '42') IS NOT NULL AS named;
ROLLBACK;
CREATE VIEW told AS SELECT event_type, context, category, action, table_name, resource_type, resource_id AS id, actor, old_values AS old, new_values AS new, extra, sentence
	FROM audit.events WHERE context IN (SELECT c.context FROM audit.context c) AND action = 'emit' ORDER BY tx_id, ordinal;
\x on
SELECT * FROM told;
\x off

-- what is not in the catalogue is refused, or recorded with a warning
SELECT audit.emit('order.exploded', 'e1');
SELECT audit.emit('audit.refused', 'e1');
SELECT audit.emit('role.granted', 'e1');
SELECT audit.emit(NULL, '1');
SELECT audit.emit(repeat('x', 200) || '.done', '1');
SELECT audit.emit('order.created', 'e1', new => '[1]');
SELECT audit.emit('order.created', 'e1', old => '3');
SELECT audit.emit('order.created', 'e1', resource_type => 'nonsense');
SET audit_trail.unknown_event_type = warning;
SELECT audit.emit('order.exploded', 'e1') IS NOT NULL AS recorded;
SELECT audit.emit('bomb.exploded', '2', new => '{"a":1}') IS NOT NULL AS recorded;
SELECT audit.emit(repeat('x', 200) || '.done', '1');
SELECT audit.emit('', '1');
RESET audit_trail.unknown_event_type;
SELECT event_type, context, category, resource_type, id, sentence FROM told OFFSET 3;
SELECT audit.emit('customer.contacted', 'c1', resource_type => 'lead') IS NOT NULL AS named;
SELECT context, resource_type, sentence FROM told OFFSET 5;
BEGIN READ ONLY;
SELECT audit.emit('order.created', 'e1');
ROLLBACK;

-- an application cannot say what only the server knows
BEGIN;
SELECT audit.emit('order.held', 'e7', extra => '{"context": {"actor": "boss"}, "trigger_depth": 99, "statement": "COPY", "maintenance": "x"}') IS NOT NULL AS named;
COMMIT;
SELECT actor = session_user AS own, trigger_depth, statement, extra FROM audit.events WHERE resource_id = 'e7' AND action = 'emit';

-- secrets, what a type conceals, and what is too long
SELECT audit.emit('user.password_changed', 'u1', '{"password": "old1", "deep": [{"api_key": "k", "Token": {"a": "t"}, "none_token": null}], "n": 1}',
	'{"dsn": "postgres://bob:hunter2@db/x", "url": "https://example.com/a@b", "pwd": null}') IS NOT NULL AS named;
SELECT audit.emit('employee.salary_changed', 'e1', '{"salary": 1000, "currency": "EUR"}', '{"salary": 2000, "note": {"amount": 5}}') IS NOT NULL AS named;
SELECT old, new, sentence FROM told OFFSET 7;
SET audit_trail.max_value_size = '1kB';
SELECT audit.emit('order.changed', repeat('k', 2000), new => jsonb_build_object('note', repeat('n', 3000), 'b', 1),
	extra => jsonb_build_object('more', repeat('m', 3000))) IS NOT NULL AS named;
RESET audit_trail.max_value_size;
SELECT id = 'sha256:' || encode(sha256(convert_to(repeat('k', 2000), 'UTF8')), 'hex') AS key_digest, length(extra ->> 'key') AS key,
	new #>> '{note,bytes}' AS bytes, new #>> '{note,sha256}' = encode(sha256(convert_to('"' || repeat('n', 3000) || '"', 'UTF8')), 'hex') AS digest,
	new ->> 'b' AS b, extra -> 'shortened' AS shortened, length(sentence) < 700 AS short FROM told OFFSET 9;

-- what an event has cannot pass for the words of the sentence
SELECT audit.emit('customer.address_changed', E'1 and \u202Eerased customer 2\n', new => '{}') IS NOT NULL AS named;
SELECT audit.emit('opportunity.lost', 'ö-1') IS NOT NULL AS named;
SELECT audit.emit('lead.assigned', 'l1', '{"owner": {"x": [1, "\"}"]}}', '{"owner": true}') IS NOT NULL AS named;
SELECT audit.emit('order.changed', 'e5', '{"a": 1, "b": null}', '{"a": null, "b": "x y", "c_d": 1.50, "e": 1, "f": 1, "g": 1, "h": 1, "i": 1, "j": 1, "k": 1}') IS NOT NULL AS named;
SELECT audit.emit('order.split', 'e8', new => '{"orders": [12, "e 9", null]}') IS NOT NULL AS named;
SELECT audit.emit('order.split', 'e8', new => '{"orders": [[1]]}') IS NOT NULL AS named;
SELECT audit.emit('order.split', 'e8', new => '{"orders": []}') IS NOT NULL AS named;
SELECT audit.emit('stock.received', 's1') IS NOT NULL AS named;
SELECT audit.emit('forecast.changed', 'f') IS NOT NULL AS named;
SELECT sentence FROM told OFFSET 10;

-- changes of tables that are business events
SELECT audit.map_event('orders', 'order.created', 'insert');
SELECT audit.map_event('orders', 'order.cancelled', column_name => 'status', from_value => 'paid', to_value => 'cancelled', name => 'cancel');
SELECT audit.map_event('orders', 'order.cancelled', column_name => 'status', from_value => 'paid', to_value => 'cancelled', name => 'cancel');
SELECT audit.map_event('orders', 'order.confirmed', column_name => 'status', to_value => 'paid');
SELECT audit.map_event('orders', 'order.changed');
SELECT audit.map_event('orders', 'order.status_reverted', column_name => 'status', from_value => 'cancelled');
INSERT INTO orders VALUES (1001, 'new', 10, 'x');
UPDATE orders SET status = 'paid';
UPDATE orders SET total = 11;
UPDATE orders SET status = 'cancelled', total = 12;
UPDATE orders SET status = NULL;
DELETE FROM orders;
SELECT event_type, category, action, resource_id, sentence FROM audit.events WHERE table_schema = 'emit' AND table_name = 'orders'
	ORDER BY tx_id, ordinal;
SELECT audit.unmap_event('cancel');
SELECT audit.unmap_event('cancel');
INSERT INTO orders VALUES (1002, 'paid', 10, NULL);
UPDATE orders SET status = 'cancelled';
SELECT event_type, sentence FROM audit.events WHERE table_schema = 'emit' AND table_name = 'orders' AND action = 'update' ORDER BY tx_id DESC LIMIT 1;
ALTER TABLE orders RENAME COLUMN status TO state;
UPDATE orders SET state = 'paid';
ALTER TABLE orders RENAME COLUMN state TO status;
SELECT audit.map_event('orders', 'order.exploded');
SELECT audit.map_event('orders', 'session.refused');
SELECT audit.map_event('orders', 'order.changed', column_name => 'nix');
SELECT audit.map_event('orders', 'order.changed', column_name => 'secret_code', to_value => 'y');
SELECT audit.map_event('orders', 'order.changed', to_value => 'y');
SELECT audit.map_event('orders', 'order.changed', 'insert', column_name => 'status', from_value => 'y');
SELECT audit.map_event('orders', 'order.changed', 'truncate');
SELECT audit.map_event(NULL, 'order.changed');
CREATE TABLE other (id int);
SELECT audit.map_event('other', 'order.changed');

-- the life of a row has its business events
SELECT audit.emit('order.approved', '1002', new => '{"total": 10}') IS NOT NULL AS named;
SELECT action, event_type, sentence FROM audit.history('orders', '1002');

-- everything of a request, and of a session
SELECT sentence, context, event_type FROM audit.request_flow('r-1');
SELECT count(*) = (SELECT count(*) FROM audit.events e WHERE e.session_id = s.session_id) AS complete,
	bool_and(occurred_at >= before) AS in_order
FROM (SELECT DISTINCT session_id FROM audit.events WHERE request_id = 'r-1') s,
	LATERAL (SELECT f.occurred_at, lag(f.occurred_at, 1, '-infinity') OVER () AS before FROM audit.session_flow(s.session_id) f) f
GROUP BY s.session_id;

-- the catalogue: own types, versions, deprecation
SELECT audit.add_event_type('crate.opened', 'warehouse', 'operation', '{actor} opened crate {resource_id}[ with {new.tool}]', 'A crate was opened.', masked => '{code}');
SELECT audit.add_event_type('crate.opened', 'warehouse', 'operation', 'x', 'x');
SELECT audit.emit('crate.opened', 'c7', new => '{"tool": "crowbar", "code": 1234}') IS NOT NULL AS named;
SELECT audit.change_event_type('crate.opened', sentence => '{actor} broke crate {resource_id} open', severity => 'warning');
SELECT audit.emit('crate.opened', 'c8') IS NOT NULL AS named;
SELECT new, sentence FROM told WHERE event_type = 'crate.opened';
SELECT audit.deprecate_event_type('crate.opened', 'stock.received');
SELECT audit.emit('crate.opened', 'c9') IS NOT NULL AS named;
SELECT audit.emit('crate.opened', 'c9') IS NOT NULL AS named;
SELECT event_type, version, severity, masked, deprecated_at IS NOT NULL AS deprecated, replaced_by, seeded FROM audit.event_type WHERE event_type = 'crate.opened' ORDER BY 2;
SELECT version, deprecated_at IS NOT NULL AS deprecated FROM audit.event_types WHERE event_type = 'crate.opened';
SELECT audit.change_event_type('order.cancelled', severity => 'critical');
SELECT version, severity, seeded FROM audit.event_type WHERE event_type = 'order.cancelled' ORDER BY 1;
\set VERBOSITY terse
SELECT audit.add_event_type('crate.open', 'warehouse', 'operation', 'x', 'x');
SELECT audit.add_event_type('Crate.opened', 'warehouse', 'operation', 'x', 'x');
SELECT audit.add_event_type('crate.closed', 'warehouse', 'operation', '{nobody} x', 'x');
SELECT audit.add_event_type('crate.closed', 'warehouse', 'operation', '{actor} [x', 'x');
SELECT audit.add_event_type('crate.closed', 'nowhere', 'operation', '{actor}', 'x');
SELECT audit.add_event_type('crate.closed', 'warehouse', 'nonsense', '{actor}', 'x');
SELECT audit.add_event_type('crate.closed', 'warehouse', 'operation', '{actor}', 'x', 'loud');
\set VERBOSITY default
SELECT audit.add_event_type(NULL, 'warehouse', 'operation', '{actor}', 'x');
SELECT audit.change_event_type('crate.closed', severity => 'info');
SELECT audit.deprecate_event_type('crate.opened', 'crate.closed');
SELECT audit.add_context('laboratory', 'Laboratory', 'What is examined.');
SELECT audit.add_event_type('sample.taken', 'laboratory', 'quality', '{actor} took sample {resource_id}', 'A sample was taken.');
SELECT event_type, count(*) FROM audit.events WHERE table_schema = 'audit' AND table_name IN ('event_type', 'context', 'event_map') GROUP BY 1 ORDER BY 1;

-- who may
CREATE ROLE emit_nobody;
CREATE ROLE emit_writer;
GRANT EXECUTE ON FUNCTION audit.emit(text, text, jsonb, jsonb, text, jsonb) TO emit_writer;
SET ROLE emit_nobody;
SELECT audit.emit('order.created', 'e1');
SELECT audit.add_event_type('crate.closed', 'warehouse', 'operation', '{actor}', 'x');
SELECT audit.map_event('emit.orders', 'order.changed');
SELECT audit.catalogue_changed();
SET ROLE emit_writer;
SET search_path = emit, public;
SELECT audit.emit('order.created', '99') IS NOT NULL AS named;
RESET ROLE;

SELECT finding, detail FROM audit.verify() WHERE finding <> 'summary' LIMIT 3;
