-- Kinds of alert rules: what is refused when they are made, and what raises an alert.
\set SHOW_CONTEXT never
CREATE SCHEMA kinds;
SET search_path = kinds, public;
CREATE DOMAIN money_of_ours AS numeric(20,2);
CREATE TABLE orders (id int PRIMARY KEY, status text, price numeric, qty int, weight float8, total money_of_ours,
	email text, note json, shipped_at timestamptz);
SELECT audit.enable('orders', mask => '{email}', context => 'kinds');

-- what makes no sense is refused
SELECT audit.alert_when('k', 'orders', '{price}', kind => 'grown');
SELECT audit.alert_when('k', 'orders', '{status}', kind => 'increased');
SELECT audit.alert_when('k', 'orders', '{price}', kind => 'increased', by => 'much');
SELECT audit.alert_when('k', 'orders', '{price}', kind => 'increased', by => '-3');
SELECT audit.alert_when('k', 'orders', '{price}', by => '3');
SELECT audit.alert_when('k', 'orders', '{status}', kind => 'reverted');
SELECT audit.alert_when('k', 'orders', '{status}', kind => 'reverted', states => '{new}');
SELECT audit.alert_when('k', 'orders', '{status}', kind => 'reverted', transitions => '["new"]');
SELECT audit.alert_when('k', 'orders', '{status}', kind => 'reverted', transitions => '{"new": "paid"}');
SELECT audit.alert_when('k', 'orders', '{status,price}', kind => 'reverted', states => '{new,paid}');
SELECT audit.alert_when('k', 'orders', '{price}', events => '{delete}');
SELECT audit.alert_when('k', 'orders', kind => 'recorded', events => '{deletes}');
SELECT audit.alert_when('k', kind => 'recorded');
SELECT audit.alert_when('k', kind => 'recorded', events => '{delete}');
SELECT audit.alert_when('k');
SELECT audit.alert_when(NULL, 'orders', '{price}');
SELECT audit.alert_when('k', 'orders', '{price}', '$.new.prize > 1');
SELECT audit.alert_when('k', 'orders', '{price}', '$.newer.price > 1');
SELECT audit.alert_when('k', 'orders', '{price}', '$.new.price > $limit');
SELECT audit.alert_when('k', 'orders', '{price}', '$.new.email == "x"');
SELECT audit.alert_when('k', 'orders', '{price}', message => 'price is {new.prize}');
SELECT audit.alert_when('k', 'orders', '{price}', message => 'price is {new.price');
SELECT audit.alert_when('k', 'orders', '{price}', message => 'of {new.email}');
SELECT audit.alert_when('k', 'orders', '{price}', hours => 'at night');
SELECT audit.alert_when('k', 'orders', '{price}', hours => '22:00-06:00 Atlantis/Poseidonis');
SELECT audit.alert_when('k', 'orders', '{price}', quiet_hours => '25:00-26:00');
SELECT audit.alert_when('k', 'orders', '{price}', max_alerts => 0);
SELECT audit.alert_when('k', 'orders', '{price}', message => '');
SELECT audit.alert_when('k', 'orders', kind => 'burst', more_than => 0, within => '1 minute');
SELECT audit.alert_when('k', 'orders', kind => 'burst', more_than => 5);
SELECT audit.alert_when('k', 'orders', kind => 'burst', more_than => 5, within => '1 minute', block => true);
SELECT audit.alert_when('k', 'orders', kind => 'absent', within => '1 day');
SELECT audit.alert_when('k', kind => 'recorded', events => '{session.*}', block => true);
SELECT count(*) FROM audit.alert_rule WHERE target = 'orders'::regclass;

CREATE VIEW raised AS SELECT a.rule_name AS rule, a.record_key AS key, a.changed, a.sentence
	FROM audit.alert a JOIN audit.target g USING (target_id) WHERE g.table_schema = 'kinds' ORDER BY a.alert_id;
CREATE FUNCTION news() RETURNS TABLE (rule text, key text, changed text[], sentence text) LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY SELECT r.rule, r.key, r.changed, r.sentence FROM kinds.raised r
		OFFSET coalesce(nullif(current_setting('kinds.seen', true), ''), '0')::int;
	PERFORM set_config('kinds.seen', (SELECT count(*) FROM kinds.raised)::text, false);
END $$;
SELECT audit.set_context(actor => 'anna') \g /dev/null
SET audit_trail.actor = 'anna';

-- increased and decreased: by anything, by so much, by so many percent
SELECT audit.alert_when('up', 'orders', '{price,qty}', kind => 'increased');
SELECT audit.alert_when('up 10', 'orders', '{price,total}', kind => 'increased', by => '10', message => '{actor}: {changed} {found} to {new.price}');
SELECT audit.alert_when('up 10%', 'orders', '{price,weight}', kind => 'increased', by => '10%');
SELECT audit.alert_when('down', 'orders', '{price,weight}', kind => 'decreased', by => '50 %');
SELECT audit.alert_when('down', 'orders', '{price,weight}', kind => 'decreased', by => '50%');
INSERT INTO orders VALUES (1, 'new', 100, 1, 1, 1), (2, 'new', 0, 1, 'NaN', 1), (3, 'new', NULL, 1, 1, 1);
UPDATE orders SET price = 101, qty = 1 WHERE id = 1;
UPDATE orders SET price = 110.99, weight = 1.1 WHERE id = 1;
UPDATE orders SET price = 122.09, weight = 1.21 WHERE id = 1;
UPDATE orders SET price = 61.05 WHERE id = 1;
UPDATE orders SET price = 30.525, total = 11 WHERE id = 1;
UPDATE orders SET price = 0.0001 WHERE id = 2;
UPDATE orders SET weight = 1 WHERE id = 2;
UPDATE orders SET weight = 'NaN' WHERE id = 2;
UPDATE orders SET weight = '-Infinity' WHERE id = 2;
UPDATE orders SET price = 10 WHERE id = 3;
UPDATE orders SET price = NULL WHERE id = 3;
UPDATE orders SET price = -100 WHERE id = 2;
UPDATE orders SET price = -90 WHERE id = 2;
SELECT * FROM news();
-- as far as numbers go
UPDATE orders SET price = ('1e131071')::numeric WHERE id = 1;
UPDATE orders SET price = ('2e131071')::numeric WHERE id = 1;
SELECT rule, key, changed, left(sentence, 60) || '...' || right(sentence, 30) AS sentence FROM news();
SELECT audit.alert_drop(name) FROM audit.alert_rule WHERE target = 'orders'::regclass \g /dev/null

-- reverted: backwards in an order, or by a transition that is not allowed
SELECT audit.alert_when('back', 'orders', '{status}', kind => 'reverted', states => '{new,paid,shipped,"on hold"}');
SELECT audit.alert_when('odd', 'orders', '{status}', kind => 'reverted', message => '{old.status} -> {new.status}',
	transitions => '{"new": ["paid", "cancelled"], "paid": ["shipped", "cancelled"], "shipped": []}');
UPDATE orders SET status = 'paid' WHERE id = 1;
UPDATE orders SET status = 'shipped' WHERE id = 1;
UPDATE orders SET status = 'paid' WHERE id = 1;
UPDATE orders SET status = 'on hold' WHERE id = 1;
UPDATE orders SET status = 'gone' WHERE id = 1;
UPDATE orders SET status = 'new' WHERE id = 1;
UPDATE orders SET status = NULL WHERE id = 1;
UPDATE orders SET status = 'paid' WHERE id = 1;
SELECT * FROM news();
SELECT audit.alert_drop(name) FROM audit.alert_rule WHERE target = 'orders'::regclass \g /dev/null

-- conditions: over both rows, whole, and who acted
SELECT audit.alert_when('dear', 'orders', '{price}', '$.new.price > 1000 && $.old.price <= 1000');
SELECT audit.alert_when('late', 'orders', '{qty}', '$.old.shipped_at != null', message => '{{{actor}}} changed {old.qty} to {new.qty} of {table} {key}, shipped {old.shipped_at}');
SELECT audit.alert_when('filter', 'orders', '{note}', '$.new ? (@.note.urgent == true && @.status == "paid")');
SELECT audit.alert_when('any', 'orders', '{note}', '$.** ? (@ == "needle")');
SELECT audit.alert_when('who', 'orders', '{qty}', '$.actor starts with "b" && $.op == "update" && $.event_type == "orders.updated" && $.key == "2" && $.table == "kinds.orders" && $.changed[*] == "qty"');
SELECT audit.alert_when('email', 'orders', '{email}', '$.new.* == "x@y.z"');
SELECT audit.alert_when('time', 'orders', '{shipped_at}', '$.new.shipped_at.datetime() > "2020-01-01".datetime()');
UPDATE orders SET price = 1000 WHERE id = 1;
UPDATE orders SET price = 1001 WHERE id = 1;
UPDATE orders SET price = 1002 WHERE id = 1;
UPDATE orders SET qty = 2 WHERE id = 1;
UPDATE orders SET shipped_at = '2021-02-03 04:05:06+00' WHERE id = 1;
UPDATE orders SET qty = 3 WHERE id = 1;
UPDATE orders SET note = '{"urgent": true}';
UPDATE orders SET note = '["needle", "\u0000", 1e400000]' WHERE id = 2;
SET audit_trail.actor = 'berta';
UPDATE orders SET qty = 4;
UPDATE orders SET email = 'x@y.z' WHERE id = 1;
SELECT * FROM news();
SELECT audit.alert_drop(name) FROM audit.alert_rule WHERE target = 'orders'::regclass \g /dev/null

-- recorded: any event of a table, of a type, and in certain hours only
SELECT audit.alert_when('gone', 'orders', kind => 'recorded', events => '{delete,truncate}', message => '{op} {old.price}');
SELECT audit.alert_when('made', 'orders', '{}', '$.new.qty > 100', kind => 'recorded', events => '{insert}');
SELECT audit.alert_when('always', 'orders', '{qty}', hours => '00:00-24:00');
SELECT audit.alert_when('never', 'orders', '{qty}', hours => to_char(now() AT TIME ZONE 'UTC' + interval '3 hours', 'HH24:MI') || '-' || to_char(now() AT TIME ZONE 'UTC' + interval '4 hours', 'HH24:MI'));
SELECT audit.alert_when('here', 'orders', '{qty}', hours => to_char(now() AT TIME ZONE 'Asia/Kathmandu' - interval '1 hour', 'HH24:MI') || '-' || to_char(now() AT TIME ZONE 'Asia/Kathmandu' + interval '1 hour', 'HH24:MI') || ' Asia/Kathmandu') \g /dev/null
INSERT INTO orders VALUES (4, 'new', 1, 101), (5, 'new', 1, 100);
UPDATE orders SET qty = 5 WHERE id = 1;
DELETE FROM orders WHERE id = 4;
TRUNCATE orders;
SELECT * FROM news();
SELECT audit.alert_drop(name) FROM audit.alert_rule WHERE target = 'orders'::regclass \g /dev/null

-- altering, disabling and enabling; every step is an event
SELECT audit.alert_when('a', 'orders', '{qty}', '$.new.qty > 5', message => 'first');
SELECT audit.alert_alter('a', severity => 'high', escalate_to => 'boss', message => 'second');
SELECT audit.alert_alter('a', severity => 'high');
SELECT audit.alert_alter('a', clear => '{condition,message}');
SELECT audit.alert_alter('a', clear => '{name}');
SELECT audit.alert_alter('a', clear => '{enabled}');
SELECT audit.alert_alter('a', kind => 'increased', columns => '{price}', by => '5%');
SELECT audit.alert_alter('nobody', severity => 'high');
SELECT audit.alert_alter(NULL);
INSERT INTO orders VALUES (1, 'new', 100, 1);
SELECT audit.alert_disable('a');
UPDATE orders SET price = 200;
SELECT audit.alert_enable('a');
UPDATE orders SET price = 300;
SELECT a.rule_name, a.severity, a.escalate_to, a.sentence FROM audit.alert a JOIN audit.target g USING (target_id)
	WHERE g.table_schema = 'kinds' AND a.rule_name = 'a' ORDER BY a.alert_id;
SELECT action, changed FROM audit.events WHERE table_schema = 'audit' AND table_name = 'alert_rule' AND resource_id = 'a' ORDER BY tx_id, ordinal;

-- blocked
SELECT audit.alert_when('frozen', 'orders', '{price}', '$.old.status == "shipped"', block => true, description => 'Ask the office.');
UPDATE orders SET price = 301;
UPDATE orders SET status = 'shipped', price = 302;
UPDATE orders SET price = 303;
UPDATE orders SET qty = 303;
SELECT status, price, qty FROM orders;
SELECT audit.alert_drop(name) FROM audit.alert_rule WHERE target = 'orders'::regclass \g /dev/null
SELECT audit.disable('orders', 'end of the test');
