-- Personal columns. With a key in the configuration: test/run writes the file.
CREATE SCHEMA personal;
SET search_path = personal, public;
CREATE TABLE contacts (id int PRIMARY KEY, customer_id int, email text, name text, score numeric);
SELECT audit.enable('contacts', personal => '{email,score}', subject => 'customer_id');
CREATE FUNCTION personal.trail(target text) RETURNS TABLE (op "char", record_key text, old_values text, new_values text, extra text)
LANGUAGE sql AS $$
	SELECT e.op, e.record_key, regexp_replace(e.old_values::text, '[0-9a-f]{64}', 'HEX', 'g'),
		regexp_replace(e.new_values::text, '[0-9a-f]{64}', 'HEX', 'g'), regexp_replace(e.extra::text, '[0-9a-f]{32}', 'HEX', 'g')
	FROM audit.event e JOIN audit.target t USING (target_id)
	WHERE t.table_schema = 'personal' AND t.table_name = target AND e.op IN ('I', 'U', 'D', 'B') ORDER BY e.tx_id, e.ordinal
$$;
CREATE FUNCTION personal.findings(target regclass) RETURNS TABLE (finding text, record_key text, column_name text,
	live_value text, trail_value text, detail text)
LANGUAGE sql AS $$
	SELECT finding, record_key, column_name, live_value, trail_value, regexp_replace(detail, '\d+\.\d+', 'N.N', 'g')
	FROM audit.reconcile(target) r ORDER BY finding = 'summary', finding, record_key COLLATE "C", column_name COLLATE "C"
$$;
-- the events of the table with an answer for each claim
CREATE FUNCTION personal.check_all(target text, column_name text, value text) RETURNS TABLE (op "char", record_key text, old_matches bool, new_matches bool)
LANGUAGE sql AS $$
	SELECT e.op, e.record_key, c.* FROM audit.event e JOIN audit.target t USING (target_id),
		LATERAL audit.check_personal(e.tx_id || '.' || e.ordinal, column_name, value) c
	WHERE t.table_schema = 'personal' AND t.table_name = target AND e.op IN ('I', 'U', 'D') ORDER BY e.tx_id, e.ordinal
$$;
INSERT INTO contacts VALUES (1, 42, 'zoë@example.com', 'Zoë', 1.50), (2, 42, 'zoë@example.com', 'Zoë', NULL), (3, NULL, NULL, 'nobody', 1.50);
UPDATE contacts SET email = 'z@example.com' WHERE id = 1;
UPDATE contacts SET name = 'Z' WHERE id = 1;
UPDATE contacts SET customer_id = 43, email = 'zoë@example.com' WHERE id = 1;
UPDATE contacts SET customer_id = NULL WHERE id = 2;
DELETE FROM contacts WHERE id = 2;
SELECT * FROM trail('contacts');
-- equal values cannot be told from others
SELECT count(*), count(DISTINCT v) FROM (
	SELECT unnest(ARRAY[e.old_values ->> 'email', e.new_values ->> 'email', e.old_values ->> 'score', e.new_values ->> 'score']) AS v
	FROM audit.event e JOIN audit.target t USING (target_id) WHERE t.table_schema = 'personal') x WHERE v IS NOT NULL;
-- all of a person's events, by what was before too
SELECT action, resource_id, changed FROM audit.events
WHERE table_schema = 'personal' AND '42' IN (extra ->> 'subject', extra ->> 'former_subject') ORDER BY tx_id, ordinal;

-- who may know a value can have it confirmed, before the change and after it
SELECT * FROM check_all('contacts', 'email', 'zoë@example.com');
SELECT * FROM check_all('contacts', 'email', 'z@example.com');
SELECT * FROM check_all('contacts', 'email', NULL);
SELECT * FROM check_all('contacts', 'email', '');
SELECT * FROM check_all('contacts', 'score', '1.50') WHERE op = 'I';
SELECT * FROM check_all('contacts', 'score', '1.5') WHERE op = 'I';
SELECT * FROM check_all('contacts', 'nothing', 'x');
\set VERBOSITY sqlstate
SELECT * FROM check_all('contacts', 'name', 'Zoë');
\set VERBOSITY default
SELECT audit.check_personal('0.1', 'email', 'x');
SELECT audit.check_personal('1', 'email', 'x');
SELECT audit.check_personal('1.1x', 'email', 'x');
SELECT audit.check_personal(NULL, 'email', 'x');
CREATE ROLE personal_nobody;
SET ROLE personal_nobody;
SELECT audit.check_personal('1.1', 'email', 'x');
RESET ROLE;
-- the right to ask is enough
GRANT USAGE ON SCHEMA personal TO personal_nobody;
GRANT EXECUTE ON FUNCTION audit.check_personal(text, text, text) TO personal_nobody;
SELECT e.tx_id || '.' || e.ordinal AS event FROM audit.event e JOIN audit.target t USING (target_id)
WHERE t.table_schema = 'personal' AND e.op = 'I' ORDER BY e.tx_id, e.ordinal LIMIT 1 \gset
SET ROLE personal_nobody;
SELECT * FROM audit.check_personal(:'event', 'email', 'zoë@example.com');
RESET ROLE;
REVOKE EXECUTE ON FUNCTION audit.check_personal(text, text, text) FROM personal_nobody;

-- however long a value is, all of it counts; a long subject is shortened like a long key
CREATE TABLE letters (id int PRIMARY KEY, person text, body text);
SELECT audit.enable('letters', personal => '{body}', subject => 'person');
SET audit_trail.max_value_size = '1kB';
INSERT INTO letters VALUES (1, repeat('p', 2000), repeat('x', 99999) || 'y');
UPDATE letters SET person = repeat('p', 2000) || 'q', body = repeat('x', 100000);
RESET audit_trail.max_value_size;
SELECT op, new_values::json ->> 'body' AS body, extra FROM trail('letters');
SELECT * FROM check_all('letters', 'body', repeat('x', 99999) || 'y');
SELECT * FROM check_all('letters', 'body', repeat('x', 100000));

-- trail and table agree on where there are values
SELECT * FROM findings('contacts');
SELECT audit.disable('contacts', 'test');
UPDATE contacts SET email = NULL, score = 7 WHERE id = 1;
SELECT audit.enable('contacts', personal => '{email,score}', subject => 'customer_id');
SELECT * FROM findings('contacts');
SELECT audit.record_baseline('contacts');
SELECT * FROM trail('contacts') WHERE op = 'B' AND record_key IS NOT NULL;
SELECT * FROM findings('contacts');

-- columns follow their names; a check names them as the event does
ALTER TABLE contacts RENAME email TO mail;
ALTER TABLE contacts RENAME customer_id TO person_id;
ALTER TABLE contacts ADD COLUMN domain text GENERATED ALWAYS AS (split_part(mail, '@', 2)) STORED;
SELECT personal_columns, subject_column FROM audit.policy WHERE target = 'contacts'::regclass;
UPDATE contacts SET mail = 'new@example.com' WHERE id = 3;
SELECT * FROM trail('contacts') OFFSET 11;
SELECT e.tx_id || '.' || e.ordinal AS event FROM audit.event e JOIN audit.target t USING (target_id)
WHERE t.table_schema = 'personal' AND t.table_name = 'contacts' AND e.op = 'U' ORDER BY e.tx_id DESC LIMIT 1 \gset
SELECT * FROM audit.check_personal(:'event', 'mail', 'new@example.com');
-- without a subject nobody knows whose they are; values stay concealed
ALTER TABLE contacts DROP COLUMN person_id;
SELECT personal_columns, subject_column FROM audit.policy WHERE target = 'contacts'::regclass;
SELECT extra ->> 'lost_subject' AS lost_subject FROM audit.events WHERE table_schema = 'personal' AND action = 'alter' ORDER BY tx_id DESC LIMIT 1;
UPDATE contacts SET mail = 'newer@example.com' WHERE id = 3;
SELECT * FROM trail('contacts') OFFSET 12;
SELECT e.tx_id || '.' || e.ordinal AS event FROM audit.event e JOIN audit.target t USING (target_id)
WHERE t.table_schema = 'personal' AND t.table_name = 'contacts' AND e.op = 'U' ORDER BY e.tx_id DESC LIMIT 1 \gset
SELECT * FROM audit.check_personal(:'event', 'mail', 'newer@example.com');
SELECT count(*) AS told FROM audit.event e JOIN audit.target t USING (target_id)
WHERE t.table_schema = 'personal' AND concat(record_key, old_values, new_values, extra) ~ '@example|example.com|1[.]50?';

-- with partitions, and alerts
CREATE TABLE parts (id int, region text, email text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE parts_b (email text, dropped int, region text NOT NULL, id int NOT NULL);
ALTER TABLE parts_b DROP COLUMN dropped;
ALTER TABLE parts ATTACH PARTITION parts_b FOR VALUES IN ('b');
SELECT audit.enable('parts', personal => '{email}', subject => 'id');
SELECT audit.alert_when('email changed', 'parts', '{email}');
INSERT INTO parts VALUES (1, 'b', 'a@example.com');
UPDATE parts SET email = 'b@example.com';
SELECT * FROM trail('parts');
SELECT * FROM check_all('parts', 'email', 'b@example.com');
SELECT record_key, changed FROM audit.alert WHERE rule_name = 'email changed';
SELECT audit.alert_drop('email changed');
ALTER TABLE parts DETACH PARTITION parts_b;
UPDATE parts_b SET email = 'c@example.com';
SELECT * FROM trail('parts_b');
SELECT personal_columns, subject_column FROM audit.policy WHERE target = 'parts_b'::regclass;

SELECT finding, detail FROM audit.verify() WHERE finding <> 'summary';
RESET search_path;
SET client_min_messages = warning;
DROP SCHEMA personal CASCADE;
DROP ROLE personal_nobody;
