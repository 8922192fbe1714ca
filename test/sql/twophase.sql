-- Two-phase commit: the transaction is whole when it is prepared.
CREATE SCHEMA tp;
CREATE TABLE tp.orders (id int PRIMARY KEY, v int);
SELECT audit.enable('tp.orders');
CREATE VIEW tp.trail AS
SELECT e.record_key, t.event_count, t.session_id IS NOT NULL AND s.session_id IS NOT NULL AS has_session
FROM audit.event e JOIN audit.target g ON g.target_id = e.target_id
LEFT JOIN audit.transaction t ON t.tx_id = e.tx_id JOIN audit.session s ON s.session_id = t.session_id
WHERE g.table_schema = 'tp' ORDER BY e.tx_id, e.ordinal;
-- a fresh session, whose row goes into the prepared transaction
\c -
BEGIN;
INSERT INTO tp.orders VALUES (1, 1);
UPDATE tp.orders SET v = 2;
PREPARE TRANSACTION 'tp 1';
BEGIN;
INSERT INTO tp.orders VALUES (2, 1);
PREPARE TRANSACTION 'tp 2';
INSERT INTO tp.orders VALUES (3, 1);
SELECT * FROM tp.trail;
ROLLBACK PREPARED 'tp 1';
SELECT * FROM tp.trail;
COMMIT PREPARED 'tp 2';
SELECT * FROM tp.trail;
SELECT count(*) AS sessions_named_twice FROM (SELECT session_id FROM audit.session GROUP BY 1 HAVING count(*) > 1) x;
SET client_min_messages = warning;
DROP SCHEMA tp CASCADE;
