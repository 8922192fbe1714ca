-- Alert rules: what is refused, what raises an alert, and what is told to a client that was away.
\set SHOW_CONTEXT never
CREATE SCHEMA alerts;
SET search_path = alerts, public;
CREATE TABLE orders (id int PRIMARY KEY, price numeric, qty int, "Old Status" text, touched int);

-- a rule needs an audited table and columns whose changes are events
SELECT audit.alert_when('price', 'orders', '{price}');
SELECT audit.enable('orders', ignore => '{touched}', context => 'alerts');
SELECT audit.alert_when('price', 'orders', '{prize}');
SELECT audit.alert_when('price', 'orders', '{price,NULL}');
SELECT audit.alert_when('price', 'orders', '{ctid}');
SELECT audit.alert_when('price', 'orders', '{touched}');
SELECT audit.alert_when('price', 'orders', '{}');
SELECT audit.alert_when('', 'orders', '{price}');
SELECT audit.alert_when('price', 'orders', '{price}', severity => '');
SELECT audit.alert_when('price', 'orders', '{price}', channel => '');
SELECT audit.alert_when('price', 'orders', '{price}', channel => repeat('c', 64));
SELECT audit.alert_when(repeat('n', 201), 'orders', '{price}');
SELECT audit.alert_when('price', 4294967295::oid::regclass, '{price}');
CREATE TABLE deletes (id int PRIMARY KEY, v int);
SELECT audit.enable('deletes', operations => '{delete}');
SELECT audit.alert_when('v', 'deletes', '{v}');
CREATE TABLE parts (id int PRIMARY KEY, v int, w int) PARTITION BY RANGE (id);
CREATE TABLE parts_1 (w int, gone int, v int, id int PRIMARY KEY);
ALTER TABLE parts_1 DROP gone;
ALTER TABLE parts ATTACH PARTITION parts_1 FOR VALUES FROM (0) TO (10);
SELECT audit.enable('parts');
SELECT audit.alert_when('v', 'parts_1', '{v}');
CREATE ROLE alerts_user;
GRANT USAGE ON SCHEMA alerts TO alerts_user;
GRANT SELECT, UPDATE ON orders TO alerts_user;
SET ROLE alerts_user;
SELECT audit.alert_when('price', 'orders', '{price}');
SELECT audit.alert_drop('price');
RESET ROLE;
GRANT EXECUTE ON FUNCTION audit.alert_when, audit.alert_drop TO alerts_user;
SET ROLE alerts_user;
SELECT audit.alert_when('price', 'orders', '{price}');
RESET ROLE;
SELECT count(*) FROM audit.alert_rule WHERE target::text LIKE 'alerts.%';

-- making, repeating, changing and dropping one; every step is an event
SELECT audit.alert_when('price', 'orders', '{price}');
SELECT audit.alert_when('price', 'orders', '{price}');
SELECT audit.alert_when('price', 'orders', '{price,qty}', severity => 'warning', channel => 'Pricing');
SELECT audit.alert_when('Status ''s', 'orders', '{Old Status}');
SELECT audit.alert_when('v', 'parts', '{v}');
SELECT audit.alert_when('dropped', 'orders', '{qty}');
SET ROLE alerts_user;
SELECT audit.alert_drop('dropped');
RESET ROLE;
SELECT audit.alert_drop('dropped');
SELECT audit.alert_drop('dropped');
SELECT name, target, columns, severity, channel, enabled FROM audit.alert_rule WHERE target::text ~ '^(alerts\.|orders|parts)' ORDER BY name;
SELECT action, resource_id, changed FROM audit.events
	WHERE table_schema = 'audit' AND table_name = 'alert_rule' AND resource_id IN ('price', 'dropped') ORDER BY tx_id, ordinal;
REVOKE ALL ON FUNCTION audit.alert_when, audit.alert_drop FROM alerts_user;

-- what raises an alert
CREATE VIEW raised AS SELECT a.rule_name, a.severity, a.channel, a.record_key, a.changed, e.action, e.changed AS all_changed,
	e.actor, a.xid = e.xid AS same_xid
	FROM audit.alert a CROSS JOIN LATERAL (SELECT * FROM audit.events e WHERE e.tx_id = a.tx_id AND e.ordinal = a.ordinal OFFSET 0) e
	WHERE e.table_schema = 'alerts' ORDER BY a.alert_id;
INSERT INTO orders SELECT g, g, g, 'new', 0 FROM generate_series(1, 5) g;
UPDATE orders SET price = price, qty = qty;
UPDATE orders SET touched = 1;
DELETE FROM orders WHERE id = 5;
SELECT count(*) FROM raised;
UPDATE orders SET price = 100 WHERE id = 1;
UPDATE orders SET price = 100.0, qty = 7, "Old Status" = 'sent', touched = 9 WHERE id = 1;
BEGIN;
UPDATE orders SET qty = 0 WHERE id = 2;
ROLLBACK;
BEGIN;
SAVEPOINT s;
UPDATE orders SET qty = 0 WHERE id = 2;
ROLLBACK TO s;
SAVEPOINT s;
UPDATE orders SET qty = 3 WHERE id = 3;
RELEASE s;
COMMIT;
SET ROLE alerts_user;
UPDATE orders SET qty = 4000 WHERE id = 4;
RESET ROLE;
INSERT INTO parts VALUES (1, 1, 1);
UPDATE parts SET w = 2;
UPDATE parts SET v = 2;
SELECT * FROM raised;

-- rules follow the table: other columns, other names, later partitions
ALTER TABLE orders RENAME TO sales;
ALTER TABLE sales DROP touched, ADD extra int;
UPDATE sales SET qty = 11 WHERE id = 1;
SELECT audit.alert_when('price', 'sales', '{extra}');
UPDATE sales SET qty = 12, extra = 1 WHERE id = 1;
ALTER TABLE sales RENAME extra TO more;
UPDATE sales SET more = 2 WHERE id = 1;
UPDATE sales SET more = 3 WHERE id = 1;
SELECT audit.alert_drop('price');
UPDATE sales SET qty = 13 WHERE id = 1;
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (10) TO (20);
INSERT INTO parts VALUES (11, 1, 1);
UPDATE parts SET v = 3 WHERE id = 11;
SELECT rule_name, record_key, changed FROM raised OFFSET 6;
-- a rule that is rolled back never was
BEGIN;
SELECT audit.alert_when('undone', 'sales', '{price}');
UPDATE sales SET price = 7 WHERE id = 2;
ROLLBACK;
UPDATE sales SET price = 7 WHERE id = 2;
SELECT count(*) FROM raised WHERE rule_name = 'undone';
-- nor does one outlive its audit
SELECT audit.disable('sales', 'test of alerts');
UPDATE sales SET "Old Status" = 'x';
SELECT audit.enable('sales');
UPDATE sales SET "Old Status" = 'y' WHERE id = 2;
SELECT rule_name, record_key, changed FROM raised OFFSET 10;

-- catching up, when they are told
SELECT audit.notify_now();
SELECT rule, severity, channel, table_schema, table_name, resource_id, changed, actor = session_user AS me FROM audit.alerts_since()
	WHERE table_schema = 'alerts' LIMIT 2;
SELECT count(*) = (SELECT count(*) FROM raised) AS complete FROM audit.alerts_since() WHERE table_schema = 'alerts';
SELECT alert_id FROM audit.alerts_since() ORDER BY alert_id DESC OFFSET 2 LIMIT 1 \gset
SELECT rule, resource_id FROM audit.alerts_since(:alert_id);
SELECT rule, resource_id FROM audit.alerts_since(:alert_id, max_rows => 1);
SELECT count(*) FROM audit.alerts_since((SELECT max(a.alert_id) FROM audit.alert a));
SELECT rule, resource_id FROM audit.alerts_since(channel => 'Pricing');
SELECT count(*) FROM audit.alerts_since(channel => 'nobody listens');

-- telling again, and acknowledging
SELECT alert_id FROM audit.alerts WHERE table_schema = 'alerts' ORDER BY alert_id LIMIT 1 \gset
SELECT rule, severity, channel, resource_id, changed, times_told, due_at, acknowledged_at FROM audit.alerts WHERE alert_id = :alert_id;
SELECT audit.resend_alert(:alert_id, channel => 'Spare "Pricing"') = format('alert %s will be told again', :alert_id) AS said;
SELECT audit.resend_alert(:alert_id) = format('alert %s will be told again', :alert_id) AS said;
SELECT audit.notify_now();
SELECT told_on, attempt FROM audit.alert_feed WHERE alert_id = :alert_id ORDER BY delivery_id;
SELECT rule FROM audit.alerts_since(channel => 'Spare "Pricing"');
SELECT count(*) FROM audit.alerts_since() WHERE alert_id = :alert_id;
BEGIN;
SELECT audit.set_context(actor => 'anna');
SELECT audit.acknowledge(:alert_id, 'called the customer') = format('alert %s acknowledged', :alert_id) AS said;
COMMIT;
SELECT audit.acknowledge(:alert_id) ~ format('^alert %s was acknowledged already by anna at ', :alert_id) AS said;
SELECT acknowledged_by, note FROM audit.alerts WHERE alert_id = :alert_id;
SELECT count(*) FROM audit.alert_action WHERE alert_id = :alert_id AND kind = 'acknowledged' AND login_user = session_user;
SELECT count(*) FROM audit.open_alerts WHERE alert_id = :alert_id;
SELECT audit.acknowledge(0);
SELECT audit.acknowledge(NULL);
SELECT audit.resend_alert(0);
SELECT audit.resend_alert(:alert_id, '');
SELECT audit.resend_alert(:alert_id, repeat('c', 64));
BEGIN READ ONLY;
SELECT audit.acknowledge(:alert_id);
ROLLBACK;

-- what audit_relay reports
SELECT alert_id FROM audit.alerts WHERE table_schema = 'alerts' ORDER BY alert_id OFFSET 1 LIMIT 1 \gset
SELECT audit.report_delivery(:alert_id, 'hook', false, 8, 'HTTP 500');
SELECT channel, outcome, detail, attempt, rule FROM audit.dead_letters WHERE alert_id = :alert_id;
SELECT audit.report_delivery(:alert_id, 'hook', true);
SELECT count(*) FROM audit.dead_letters WHERE alert_id = :alert_id;
SELECT audit.report_delivery(:alert_id, '', true);
SELECT audit.report_delivery(:alert_id, 'hook', NULL);
DROP OWNED BY alerts_user;
DROP ROLE alerts_user;
