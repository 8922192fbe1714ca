-- What audit.enable() and audit.disable() do, and what they refuse.
CREATE SCHEMA en;
SET search_path = en, public;
CREATE TABLE orders (id int PRIMARY KEY, status text, total numeric);

SELECT audit.enable('orders');
-- again: nothing to do
SELECT audit.enable('orders');
-- with other settings: refused
SELECT audit.enable('orders', ignore => '{status}');
SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid = 'orders'::regclass ORDER BY 1;
SELECT context, resource_type, operations, ignored_columns, key_columns, enabled
FROM audit.policy WHERE target = 'orders'::regclass;

-- disabling wants a reason, and says what it did
SELECT audit.disable('orders', ' ');
SELECT audit.disable('orders', 'moved to another system');
SELECT audit.disable('orders', 'moved to another system');
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'orders'::regclass;
INSERT INTO orders VALUES (1, 'new', 1);
SELECT count(*) FROM audit.event WHERE target_id = (SELECT target_id FROM audit.policy WHERE target = 'orders'::regclass);

-- enabling anew makes a new version of the same lineage; the policy's changes are events
SELECT audit.enable('orders', resource_type => 'order', operations => '{delete,update}', ignore => '{status}');
SELECT count(*), count(DISTINCT lineage) FROM audit.target WHERE table_schema = 'en' AND table_name = 'orders';
SELECT e.op, e.record_key, e.new_values->>'enabled' AS enabled, e.new_values->>'reason' AS reason
FROM audit.event e JOIN audit.target t USING (target_id)
WHERE t.table_name = 'policy' AND e.record_key = 'en.orders' ORDER BY e.tx_id, e.ordinal;
SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = 'orders'::regclass ORDER BY 1;

-- names that need quotes
CREATE SCHEMA "Odd ""schema""";
CREATE TABLE "Odd ""schema"""."Ta ble'" ("K 1" int, "k""2" text, v int, PRIMARY KEY ("k""2", "K 1"));
SELECT audit.enable('"Odd ""schema"""."Ta ble''"');
INSERT INTO "Odd ""schema"""."Ta ble'" VALUES (1, 'a"b', 5);
SELECT e.record_key, e.new_values FROM audit.event e JOIN audit.target t USING (target_id) WHERE t.table_name = 'Ta ble''';
SELECT audit.disable('"Odd ""schema"""."Ta ble''"', 'test');

-- what cannot be audited
CREATE VIEW v AS SELECT 1 AS one;
CREATE MATERIALIZED VIEW mv AS SELECT 1 AS one;
CREATE SEQUENCE s;
CREATE TEMP TABLE tt (id int PRIMARY KEY);
CREATE UNLOGGED TABLE ut (id int PRIMARY KEY);
CREATE FOREIGN DATA WRAPPER en_fdw;
CREATE SERVER en_server FOREIGN DATA WRAPPER en_fdw;
CREATE FOREIGN TABLE ft (id int) SERVER en_server;
CREATE TABLE parts (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM ('2026-01-01') TO ('2026-07-01');
CREATE TABLE wide (a int, b int, dropped int);
ALTER TABLE wide DROP COLUMN dropped;
SELECT audit.enable(NULL);
SELECT audit.enable('v');
SELECT audit.enable('mv');
SELECT audit.enable('s');
SELECT audit.enable('tt');
SELECT audit.enable('ut');
SELECT audit.enable('ft');
SELECT audit.enable('pg_class');
SELECT audit.enable('information_schema.sql_features');
SELECT audit.enable('audit.event');
SELECT audit.enable('audit.session');
SELECT audit.enable('parts_1');
SELECT audit.enable('wide', key => '{dropped}');
SELECT audit.enable('wide', key => '{a,nothing}');
SELECT audit.enable('wide', key => '{ctid}');
SELECT audit.enable('wide', ignore => '{c}');
SELECT audit.enable('wide', key => '{a}', ignore => '{a}');
SELECT audit.enable('wide', operations => '{insert,upsert}');
SELECT audit.enable('wide', operations => '{}');
SELECT audit.enable('wide', operations => '{insert,NULL}');
SELECT audit.enable('wide', context => '');
SELECT audit.enable('wide', context => NULL);
SELECT audit.enable('nowhere');
SELECT audit.disable('wide', 'never was');
-- nothing of this was half done
SELECT target FROM audit.policy WHERE target::text ~ '^(v|mv|s|tt|ut|ft|wide|parts.*)$';
SELECT tgname FROM pg_trigger WHERE tgrelid = 'wide'::regclass;

-- who may: the owner who was granted the function, nobody else
CREATE ROLE en_owner;
CREATE ROLE en_other;
GRANT USAGE, CREATE ON SCHEMA en TO en_owner, en_other;
SET ROLE en_owner;
CREATE TABLE en.mine (id int PRIMARY KEY, v text);
SELECT audit.enable('en.mine');
RESET ROLE;
GRANT EXECUTE ON FUNCTION audit.enable(regclass, text, text, text[], text[], text[], boolean, text[], text[], text[], text[], text, jsonpath, text, boolean, boolean, text[]) TO en_owner, en_other;
SET ROLE en_other;
SELECT audit.enable('en.mine');
SET ROLE en_owner;
SELECT audit.enable('en.mine');
INSERT INTO en.mine VALUES (1, 'x');
SELECT current_user, current_setting('search_path');
-- the ledger itself is not theirs to read
SELECT count(*) FROM audit.event;
RESET ROLE;
SELECT e.op, e.record_key, t.db_user = session_user AS login, t.db_role
FROM audit.event e JOIN audit.transaction t USING (tx_id) JOIN audit.target g USING (target_id)
WHERE g.table_schema = 'en' AND g.table_name = 'mine';

-- events cannot be forged through the trigger functions
SELECT audit.capture();
SELECT audit.capture_insert('orders'::regclass, '(0,1)');
SELECT audit.capture_insert(tableoid, ctid) FROM orders;
SELECT audit.capture_update(a.tableoid, a.ctid, b.ctid) FROM orders a JOIN orders b USING (id);
INSERT INTO orders VALUES (1, 'x', 1) ON CONFLICT (id) DO UPDATE SET total = audit.capture_insert(excluded.tableoid, excluded.ctid)::int;
MERGE INTO orders o USING (SELECT ctid AS c, tableoid AS t, id FROM orders) s ON o.id = s.id
WHEN MATCHED THEN UPDATE SET total = audit.capture_insert(s.t, s.c)::int;
UPDATE orders o SET total = audit.capture_insert(p.tableoid, p.ctid)::int FROM orders p WHERE p.id = o.id RETURNING audit.capture_insert(p.tableoid, p.ctid);
CREATE TABLE forger (id int);
CREATE TRIGGER forge AFTER INSERT ON forger FOR EACH ROW WHEN (audit.capture_insert(NEW.tableoid, NEW.ctid)) EXECUTE FUNCTION audit.capture();
INSERT INTO forger VALUES (1);
DROP TRIGGER forge ON forger;
CREATE TRIGGER forge AFTER INSERT ON forger FOR EACH ROW WHEN (audit.capture_insert('en.orders'::regclass, NEW.ctid)) EXECUTE FUNCTION audit.capture();
INSERT INTO forger VALUES (1);
DROP TRIGGER forge ON forger;
CREATE TRIGGER forge AFTER INSERT ON forger FOR EACH ROW EXECUTE FUNCTION audit.capture();
INSERT INTO forger VALUES (1);
DROP TRIGGER forge ON forger;
CREATE TRIGGER forge AFTER INSERT ON forger EXECUTE FUNCTION audit.capture();
INSERT INTO forger VALUES (1);
-- nor through a second trigger on an audited table
CREATE TRIGGER forge AFTER UPDATE ON en.mine FOR EACH ROW WHEN (audit.capture_insert(NEW.tableoid, NEW.ctid)) EXECUTE FUNCTION audit.capture();
UPDATE en.mine SET v = 'y';
DROP TRIGGER forge ON en.mine;
UPDATE en.mine SET v = 'y';

REVOKE EXECUTE ON FUNCTION audit.enable(regclass, text, text, text[], text[], text[], boolean, text[], text[], text[], text[], text, jsonpath, text, boolean, boolean, text[]) FROM en_owner, en_other;
RESET search_path;
SET client_min_messages = warning;
DROP SCHEMA en CASCADE;
DROP SCHEMA "Odd ""schema""" CASCADE;
DROP FOREIGN DATA WRAPPER en_fdw CASCADE;
DROP ROLE en_owner, en_other;
