-- Alert rules and what becomes of their tables: other names, partitions, wide rows, hostile owners. And templates.
\set SHOW_CONTEXT never
CREATE SCHEMA follow;
SET search_path = follow, public;
CREATE TABLE orders (id int PRIMARY KEY, status text, price numeric, "the } note" text, gone int);
SELECT audit.enable('orders');
CREATE FUNCTION news() RETURNS TABLE (rule text, key text, changed text[], sentence text) LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY SELECT a.rule_name, a.record_key, a.changed, a.sentence FROM audit.alert a JOIN audit.target g USING (target_id)
		WHERE g.table_schema = 'follow' AND a.event_type IS DISTINCT FROM 'change.blocked' ORDER BY a.alert_id OFFSET coalesce(nullif(current_setting('follow.seen', true), ''), '0')::int;
	PERFORM set_config('follow.seen', (SELECT count(*) FROM audit.alert a JOIN audit.target g USING (target_id)
		WHERE g.table_schema = 'follow' AND a.event_type IS DISTINCT FROM 'change.blocked')::text, false);
END $$;
SET audit_trail.actor = 'anna';

-- renamed columns are followed, by disabled rules too; each is an event
SELECT audit.alert_when('r', 'orders', '{price}', '$.old.price < 1000 && $."new"."price" >= 1000 && $.actor != "price"', message => 'price {old.price} -> {new.price}');
SELECT audit.alert_when('off', 'orders', '{price,status}', kind => 'absent', followed_by => '$.new.price == 0', within => '1 day');
SELECT audit.alert_disable('off');
INSERT INTO orders VALUES (1, 'new', 1, 'x', 0);
ALTER TABLE orders RENAME price TO "new price";
ALTER TABLE orders RENAME TO sales;
UPDATE sales SET "new price" = 1000;
SELECT * FROM news();
SELECT name, target, columns, condition, followed_by, message FROM audit.alert_rule WHERE target = 'sales'::regclass ORDER BY name;
BEGIN;
ALTER TABLE sales RENAME "new price" TO rolled_back;
ROLLBACK;
SELECT columns FROM audit.alert_rule WHERE name = 'r';
SELECT count(*) FROM audit.events WHERE table_schema = 'audit' AND table_name = 'alert_rule' AND resource_id = 'r';
-- a dropped column is nothing any more
SELECT audit.alert_when('r', 'sales', '{status,gone}', '$.new.gone > 1 || $.new.status == "odd"', message => '{new.gone} {new.status}');
ALTER TABLE sales DROP gone;
SELECT audit.alert_when('whole', 'sales', '{status}', '$.new.* == "x"', kind => 'absent', followed_by => '$.new.* == "y"', within => '1 day', mute_until => 'infinity') \g /dev/null
UPDATE sales SET status = 'odd';
SELECT * FROM news();
-- nor does a dropped table hurt
SELECT audit.disable('sales', 'end');
DROP TABLE sales;
SELECT audit.alert_disable('r');
SELECT audit.alert_drop('r');
SELECT audit.alert_alter('whole', severity => 'high');
SELECT audit.alert_drop('whole');
SELECT audit.alert_drop('off');

-- a configuration table can be watched, and not be closed
SELECT audit.alert_when('rules', 'audit.alert_rule', kind => 'recorded', block => true);
-- a row that moves to another partition has been updated
CREATE TABLE parts (id int, region text, price numeric, secret text) PARTITION BY LIST (region);
CREATE TABLE parts_n (secret text, gone int, price numeric, region text, id int);
ALTER TABLE parts_n DROP gone;
ALTER TABLE parts ATTACH PARTITION parts_n FOR VALUES IN ('north');
CREATE TABLE parts_s PARTITION OF parts FOR VALUES IN ('south');
SELECT audit.enable('parts', key => '{id}', mask => '{secret}');
SELECT audit.alert_when('p', 'parts', '{price}', '$.old.price < $.new.price && $.op == "update"', kind => 'increased', by => '10%', message => '{old.region} {old.price} -> {new.region} {new.price}');
SELECT audit.alert_when('region', 'parts', '{region}');
SELECT audit.alert_when('in', 'parts', kind => 'recorded', events => '{insert}');
INSERT INTO parts VALUES (1, 'north', 100, 's'), (2, 'south', 100, 's');
UPDATE parts SET region = 'south', price = 200, secret = 't' WHERE id = 1;
UPDATE parts SET region = 'north' WHERE id = 2;
UPDATE parts SET price = 300;
SELECT * FROM news();
-- and may be refused
SELECT audit.alert_alter('p', block => true);
UPDATE parts SET region = 'north', price = 900 WHERE id = 1;
SELECT * FROM parts ORDER BY id;
SELECT audit.alert_drop(name) FROM audit.alert_rule WHERE target = 'parts'::regclass \g /dev/null
SELECT audit.disable('parts', 'end');

-- every way to change a row meets the rules
CREATE TABLE ways (id int PRIMARY KEY, v int, up int REFERENCES ways ON UPDATE CASCADE ON DELETE SET NULL);
SELECT audit.enable('ways');
SELECT audit.alert_when('ways v', 'ways', '{v,up}', message => '{key} {old.v}->{new.v} {old.up}->{new.up}');
SELECT audit.alert_when('ways big', 'ways', condition => '$.new.v > 100', kind => 'recorded', events => '{insert,update}', block => true);
COPY ways FROM stdin;
1	1	\N
2	2	1
\.
COPY ways FROM stdin;
3	3	\N
4	101	\N
\.
INSERT INTO ways VALUES (1, 5) ON CONFLICT (id) DO UPDATE SET v = excluded.v;
MERGE INTO ways w USING (VALUES (2, 7)) n (id, v) ON w.id = n.id WHEN MATCHED THEN UPDATE SET v = n.v;
UPDATE ways SET id = 11 WHERE id = 1;
WITH x AS (UPDATE ways SET v = 8 WHERE id = 2 RETURNING *) SELECT v FROM x;
DELETE FROM ways WHERE id = 11;
INSERT INTO ways VALUES (5, 1000);
BEGIN;
SAVEPOINT s;
UPDATE ways SET v = 9;
ROLLBACK TO s;
UPDATE ways SET v = 10;
COMMIT;
SELECT * FROM ways;
SELECT * FROM news();
SELECT audit.alert_drop(name) FROM audit.alert_rule WHERE target = 'ways'::regclass \g /dev/null
SELECT audit.disable('ways', 'end');

-- a type whose output function changes the rules, and the table, while they are looked at
CREATE TABLE nasty (id int PRIMARY KEY, v int, n int);
SELECT audit.enable('nasty');
CREATE FUNCTION nasty_out(v int) RETURNS text LANGUAGE plpgsql AS $$ BEGIN
	PERFORM audit.alert_when('nasty ' || v, 'nasty', '{v}', '$.new.n > 5');
	PERFORM audit.alert_drop('nasty a');
	RETURN v; END $$;
SELECT audit.alert_when('nasty a', 'nasty', '{v}', '$.** ? (@ == 3)');
SELECT audit.alert_when('nasty b', 'nasty', '{v}', '$.new.v == 2');
CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM nasty_out(NEW.v); RETURN NULL; END $$;
CREATE TRIGGER again AFTER UPDATE ON nasty FOR EACH ROW EXECUTE FUNCTION again();
INSERT INTO nasty SELECT g, 1, g FROM generate_series(1, 3) g;
UPDATE nasty SET v = 2;
SELECT * FROM news();
SELECT audit.alert_drop(name) FROM audit.alert_rule WHERE target = 'nasty'::regclass \g /dev/null
SELECT audit.disable('nasty', 'end');
-- nor does an output function that fails in a transaction of its own kind: its error is the statement's
CREATE TYPE fussy;
SET client_min_messages = warning; -- that the type is only a shell; PostgreSQL 18 says where
CREATE FUNCTION fussy_in(cstring) RETURNS fussy LANGUAGE internal IMMUTABLE STRICT AS 'int4in';
CREATE FUNCTION fussy_out(fussy) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int4out';
RESET client_min_messages;
CREATE TYPE fussy (INPUT = fussy_in, OUTPUT = fussy_out, INTERNALLENGTH = 4, PASSEDBYVALUE, ALIGNMENT = int4);
CREATE TABLE fussy_orders (id int PRIMARY KEY, v int, f fussy, t timestamp);
SELECT audit.enable('fussy_orders');
SELECT audit.alert_when('fussy', 'fussy_orders', '{v}', '$.new.f.double() > 1 && $.new.t.datetime() < "2020-01-01 00:00:00+00".datetime()');
INSERT INTO fussy_orders VALUES (1, 1, '3', '2019-01-01 10:00');
BEGIN;
UPDATE fussy_orders SET v = 2;
SAVEPOINT s;
UPDATE fussy_orders SET v = 3;
ROLLBACK TO s;
UPDATE fussy_orders SET v = 4;
COMMIT;
SELECT * FROM news();
SELECT audit.alert_drop('fussy');
SELECT audit.disable('fussy_orders', 'end');
-- objects planted in the search path change nothing
CREATE TABLE planted (id int PRIMARY KEY, v numeric);
SELECT audit.enable('planted');
CREATE FUNCTION follow.jsonb_path_match(jsonb, jsonpath, jsonb, boolean) RETURNS boolean LANGUAGE sql AS 'SELECT false';
CREATE FUNCTION follow.numeric_sub(numeric, numeric) RETURNS numeric LANGUAGE sql AS 'SELECT 0::numeric';
CREATE OPERATOR follow.- (FUNCTION = follow.numeric_sub, LEFTARG = numeric, RIGHTARG = numeric);
SET search_path = follow, pg_catalog, public;
SELECT audit.alert_when('planted', 'planted', '{v}', '$.new.v > 1', kind => 'increased', by => '1');
INSERT INTO planted VALUES (1, 1);
UPDATE planted SET v = 3;
SELECT * FROM news();
SELECT alerts FROM audit.try_alert('planted', 'planted', '{v}', '$.new.v > 1', kind => 'increased', by => '1');
SET search_path = follow, public;
SELECT audit.alert_drop('planted');
SELECT audit.disable('planted', 'end');

-- a wide row, of which rules ask for one column, or all
DO $$ BEGIN EXECUTE 'CREATE TABLE wide (id int PRIMARY KEY, ' || (SELECT string_agg('c' || g || ' int DEFAULT ' || g, ', ') FROM generate_series(1, 500) g) || ')'; END $$;
SELECT audit.enable('wide');
SELECT audit.alert_when('one', 'wide', '{c500}', '$.new.c499 == 499');
SELECT audit.alert_when('all', 'wide', '{c500}', '$.new.* == 77');
INSERT INTO wide (id) VALUES (1);
UPDATE wide SET c500 = 77;
SELECT * FROM news();
SELECT audit.alert_drop(name) FROM audit.alert_rule WHERE target = 'wide'::regclass \g /dev/null
SELECT audit.disable('wide', 'end');

-- templates
CREATE TABLE carts (id int PRIMARY KEY, status text, price numeric, quantity int, discount numeric);
SELECT audit.enable('carts');
SELECT audit.alert_template('free beer', 'carts');
SELECT audit.alert_template('price change', 'carts', watched => 'cost');
SELECT audit.alert_template('status reverted', 'carts');
SELECT audit.alert_template(template, 'carts', states => '{new,paid,shipped}', above => 30, hours => '00:00-24:00') FROM audit.alert_templates;
SELECT audit.alert_template('discount above', 'carts', above => 50, block => true, severity => 'high', name => 'no discount above 50');
INSERT INTO carts VALUES (1, 'new', 10, 1, 0), (2, 'shipped', 10, 1, 40);
UPDATE carts SET price = 11, quantity = 2 WHERE id = 1;
UPDATE carts SET status = 'paid' WHERE id = 2;
UPDATE carts SET discount = 60 WHERE id = 1;
SELECT rule, key, changed, sentence FROM news() ORDER BY rule, key, sentence;
SELECT audit.alert_drop(name) FROM audit.alert_rule WHERE target = 'carts'::regclass \g /dev/null
SELECT audit.disable('carts', 'end');
