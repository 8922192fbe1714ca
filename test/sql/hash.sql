-- Hashed columns. With a key in the configuration: test/run writes the file.
CREATE SCHEMA hash;
SET search_path = hash, public;
CREATE TABLE accounts (id int PRIMARY KEY, iban text, balance numeric, doc jsonb);
SELECT audit.enable('accounts', hash => '{iban,balance,doc}');
CREATE FUNCTION hash.trail(target text) RETURNS TABLE (op "char", record_key text, old_values json, new_values json, extra text)
LANGUAGE sql AS $$
	SELECT e.op, e.record_key, e.old_values, e.new_values, regexp_replace(e.extra::text, '\d+:\d+:[0-9,]*', 'S')
	FROM audit.event e JOIN audit.target t USING (target_id)
	WHERE t.table_schema = 'hash' AND t.table_name = target AND e.op IN ('I', 'U', 'D', 'B') ORDER BY e.tx_id, e.ordinal
$$;
CREATE FUNCTION hash.findings(target regclass) RETURNS TABLE (finding text, record_key text, column_name text,
	live_value text, trail_value text, detail text)
LANGUAGE sql AS $$
	SELECT finding, record_key, column_name, live_value, trail_value, regexp_replace(detail, '\d+\.\d+', 'N.N', 'g')
	FROM audit.reconcile(target) r ORDER BY finding = 'summary', finding, record_key COLLATE "C", column_name COLLATE "C"
$$;
INSERT INTO accounts VALUES (1, 'DE89370400440532013000', 1.0, '{"a": 1}'), (2, NULL, 1.00, 'null');
UPDATE accounts SET iban = 'GB82WEST12345698765432' WHERE id = 1;
UPDATE accounts SET iban = 'DE89370400440532013000', balance = 1.0 WHERE id = 2;
SELECT * FROM trail('accounts');

-- equal values are equal in all tables, whatever the type and the session's settings; which they are can be asked
CREATE TABLE payments (id int PRIMARY KEY, "from" varchar(34), at timestamptz);
SELECT audit.enable('payments', hash => '{from,at}', "only" => '{from,at}');
SET TimeZone = 'Asia/Tokyo';
SET DateStyle = 'German';
INSERT INTO payments VALUES (1, 'DE89370400440532013000', '2026-01-01 00:00+00');
RESET TimeZone;
RESET DateStyle;
INSERT INTO payments VALUES (2, 'DE89370400440532013000', '2026-01-01 00:00+00');
SELECT new_values ->> 'at' AS at FROM trail('payments');
SELECT t.table_name, e.record_key
FROM audit.event e JOIN audit.target t USING (target_id), audit.hash_value('DE89370400440532013000') h
WHERE t.table_schema = 'hash' AND h IN (e.new_values ->> 'iban', e.new_values ->> 'from') ORDER BY e.tx_id, e.ordinal;
-- computed elsewhere: HMAC-SHA256 of 'ATH1' and the value, behind the first bytes of that of 'ATK1'
SELECT audit.hash_value('DE89370400440532013000') = 'hmac-sha256:fbb302bb:ae85e0d9242827ad0c3b2543cbe190cc2b8ab9894fab526eaab3deefbe969c55' AS same;

-- however long a value is, all of it counts
SET audit_trail.max_value_size = '1kB';
UPDATE accounts SET iban = repeat('x', 100000) WHERE id = 1;
UPDATE accounts SET iban = repeat('x', 99999) || 'y' WHERE id = 1;
SELECT count(DISTINCT v ->> 'iban'), max(length(v ->> 'iban')) FROM trail('accounts'), LATERAL (VALUES (old_values), (new_values)) x (v) WHERE record_key = '1';
SELECT extra FROM trail('accounts') WHERE extra IS NOT NULL;
SELECT * FROM findings('accounts');
CREATE TABLE pictures (id int PRIMARY KEY, bits bytea);
SELECT audit.enable('pictures', hash => '{bits}');
INSERT INTO pictures SELECT n, decode(repeat('5c', n), 'hex') FROM unnest('{0,1,511,4097}'::int[]) n;
SELECT p.id, e.new_values ->> 'bits' = audit.hash_value(p.bits::text) AS same
FROM trail('pictures') e JOIN pictures p ON p.id::text = e.record_key ORDER BY p.id;
RESET audit_trail.max_value_size;

-- the trail is compared with the table by hashes, and none of its values is told
SELECT * FROM findings('accounts');
SELECT audit.disable('accounts', 'test');
UPDATE accounts SET iban = 'unseen' WHERE id = 2;
SELECT audit.enable('accounts', hash => '{iban,balance,doc}');
SELECT * FROM findings('accounts');
SELECT audit.record_baseline('accounts');
SELECT new_values FROM trail('accounts') WHERE op = 'B';
SELECT * FROM findings('accounts');

-- what was recorded in another form cannot be compared before it changes
SELECT audit.disable('accounts', 'test');
SELECT audit.enable('accounts', hash => '{balance}', mask => '{doc}');
SELECT * FROM findings('accounts');
UPDATE accounts SET iban = 'known' WHERE id = 2;
SELECT * FROM findings('accounts');

-- columns follow their names; no key that would tell them
ALTER TABLE accounts RENAME balance TO amount;
UPDATE accounts SET amount = 2;
ALTER TABLE accounts DROP CONSTRAINT accounts_pkey, ADD PRIMARY KEY (amount, id);
SELECT hashed_columns, key_columns FROM audit.policy WHERE target = 'accounts'::regclass;
SELECT audit.enable('payments', hash => '{id}');
SELECT audit.enable('payments', hash => '{from}', key => '{from,id}');

-- without a key in the table, contents are told apart by the rest
CREATE TABLE notes (who text, note text);
SELECT audit.enable('notes', hash => '{note}');
INSERT INTO notes VALUES ('a', 'x'), ('a', 'y'), ('b', NULL);
UPDATE notes SET note = 'z' WHERE who = 'a';
DELETE FROM notes WHERE who = 'b';
SELECT * FROM findings('notes');

-- who may ask
CREATE ROLE hash_nobody;
SET ROLE hash_nobody;
SELECT audit.hash_value('x');
RESET ROLE;
DROP ROLE hash_nobody;
ALTER SYSTEM SET audit_trail.hash_key_file = '/tmp/mine';
SET audit_trail.hash_key_file = '/tmp/mine';

RESET search_path;
SET client_min_messages = warning;
DROP SCHEMA hash CASCADE;
