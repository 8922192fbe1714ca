-- audit.try_alert(): how often a rule would have raised an alert.
\set SHOW_CONTEXT never
CREATE SCHEMA tried;
SET search_path = tried, public;
CREATE TABLE orders (id int PRIMARY KEY, status text, price numeric, qty int, email text);
SELECT audit.enable('orders', mask => '{email}');
INSERT INTO orders SELECT g, 'new', 100, g, 'x' FROM generate_series(1, 20) g;
SET audit_trail.actor = 'anna';
UPDATE orders SET price = 150 WHERE id <= 3;
UPDATE orders SET status = 'shipped' WHERE id = 2;
UPDATE orders SET price = 151 WHERE id <= 3;
UPDATE orders SET status = 'new' WHERE id = 2;
SET audit_trail.actor = 'berta';
DELETE FROM orders WHERE id > 10;

-- what would have matched is what matches: each rule is tried, made, and meets the same changes again
CREATE FUNCTION trial(VARIADIC text[]) RETURNS TABLE (alerts bigint, matches bigint, undecided bigint, complete boolean, sentences jsonb) LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format('SELECT t.alerts, t.matches, t.undecided, t.complete, jsonb_path_query_array(t.examples, ''$[*].sentence'') FROM audit.try_alert(%s) t', array_to_string($1, ', '));
END $$;
SELECT * FROM trial($$'t'$$, $$'orders'$$, $$'{price}'$$);
SELECT * FROM trial($$'t'$$, $$'orders'$$, $$'{price}'$$, $$kind => 'increased'$$, $$by => '10%'$$, $$max_examples => 1$$);
SELECT * FROM trial($$'t'$$, $$'orders'$$, $$'{status}'$$, $$kind => 'reverted'$$, $$states => '{new,shipped}'$$, $$message => '{old.status} -> {new.status} of {key}, {old.qty} pieces at {new.price}'$$);
-- values that did not change are those of the time
SELECT * FROM trial($$'t'$$, $$'orders'$$, $$'{price}'$$, $$'$.old.status == "shipped"'$$, $$message => '{key} {old.status} {old.price} {new.price} {new.qty}'$$);
SELECT * FROM trial($$'t'$$, $$'orders'$$, $$'{price}'$$, $$'$.new ? (@.qty == 3 && @.status == "new")'$$);
SELECT * FROM trial($$'t'$$, $$'orders'$$, $$kind => 'recorded'$$, $$events => '{delete}'$$, $$condition => '$.actor == "berta" && $.old.qty < 13'$$);
SELECT * FROM trial($$'t'$$, $$'orders'$$, $$kind => 'burst'$$, $$events => '{delete}'$$, $$more_than => 4$$, $$within => '1 minute'$$);
SELECT * FROM trial($$'t'$$, $$'orders'$$, $$kind => 'burst'$$, $$events => '{delete}'$$, $$more_than => 10$$, $$within => '1 minute'$$);
SELECT * FROM trial($$'t'$$, $$'orders'$$, $$'{status}'$$, $$'$.new.status == "shipped"'$$, $$kind => 'absent'$$, $$within => '1 second'$$, $$followed_by => '$.new.status == "new"'$$, $$until => now() + '1 minute'$$);
SELECT * FROM trial($$'t'$$, $$'orders'$$, $$'{price}'$$, $$'$.new.price == 150'$$, $$kind => 'absent'$$, $$within => '1 minute'$$, $$followed_by => '$.new.status == "new" && $.changed[*] == "status"'$$, $$until => now() + '2 minutes'$$);
-- bounds
SELECT * FROM trial($$'t'$$, $$'orders'$$, $$'{price}'$$, $$max_events => 22$$, $$max_examples => 0$$);
SELECT * FROM trial($$'t'$$, $$'orders'$$, $$'{price}'$$, $$until => now() - interval '1 day'$$);
SELECT alerts, first_at < last_at AS ordered, events >= 37 AS all_events, jsonb_array_length(examples) FROM audit.try_alert('t', 'orders', '{price}');
-- what makes no sense is refused, and no rule is made
SELECT * FROM audit.try_alert('t', 'orders', '{prize}');
SELECT * FROM audit.try_alert('t', 'orders', '{price}', kind => 'increased', by => 'x');
SELECT count(*) FROM audit.alert_rule WHERE name = 't';
-- it reads the trail with the caller's rights
CREATE ROLE tried_user;
GRANT USAGE ON SCHEMA tried TO tried_user;
ALTER TABLE orders OWNER TO tried_user;
SET ROLE tried_user;
SELECT alerts FROM audit.try_alert('t', 'orders', '{price}');
RESET ROLE;
GRANT EXECUTE ON FUNCTION audit.try_alert TO tried_user;
SET ROLE tried_user;
SELECT alerts FROM audit.try_alert('t', 'orders', '{price}');
RESET ROLE;
-- events of no table
SELECT alerts >= 0 AS tried FROM audit.try_alert('t', kind => 'recorded', events => '{audit.*}', max_examples => 0);
SELECT audit.disable('orders', 'end of the test');
DROP OWNED BY tried_user;
REASSIGN OWNED BY tried_user TO CURRENT_USER;
DROP ROLE tried_user;
