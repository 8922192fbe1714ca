-- Evidence: what is refused, with which message, and who may ask. test/tap/evidence.pl makes bundles.
\set SHOW_CONTEXT never
CREATE TABLE evidence_orders (id int PRIMARY KEY);
SELECT audit.enable('evidence_orders');
INSERT INTO evidence_orders VALUES (1);
SELECT event_id AS event FROM audit.events WHERE table_name = 'evidence_orders' AND action = 'insert' \gset

-- either names or a query, and something selected
SELECT * FROM audit.export_evidence();
SELECT * FROM audit.export_evidence('{1.1}', 'SELECT event_id FROM audit.events');
SELECT * FROM audit.export_evidence(event_ids => '{}');
SELECT * FROM audit.export_evidence(event_ids => '{NULL}');
SELECT * FROM audit.export_evidence(event_ids => '{1042}');
SELECT * FROM audit.export_evidence(event_ids => '{999999999999.1}');
SELECT * FROM audit.export_evidence(query => 'SELECT event_id FROM audit.events WHERE false');

-- one query that reads
SELECT * FROM audit.export_evidence(query => 'SELECT');
SELECT * FROM audit.export_evidence(query => '');
SELECT * FROM audit.export_evidence(query => 'SELECT 1; SELECT 2');
SELECT * FROM audit.export_evidence(query => 'SELECT 1');
SELECT * FROM audit.export_evidence(query => $$SELECT 'a', 'b'$$);
SELECT * FROM audit.export_evidence(query => 'SELECT NULL::text');
SELECT * FROM audit.export_evidence(query => $$SELECT 'x'::text$$);
SELECT * FROM audit.export_evidence(query => 'SELEC');
SELECT * FROM audit.export_evidence(query => 'CREATE TABLE evidence_other ()');
SELECT * FROM audit.export_evidence(query => 'INSERT INTO evidence_orders VALUES (2)');
SELECT * FROM audit.export_evidence(query => $$WITH w AS (INSERT INTO evidence_orders VALUES (2) RETURNING id) SELECT id || '.1' FROM w$$);
SELECT * FROM audit.export_evidence(query => 'SELECT id::text FROM evidence_orders FOR UPDATE');
CREATE FUNCTION evidence_writes() RETURNS text LANGUAGE sql AS $$INSERT INTO evidence_orders VALUES (3) RETURNING '1.1'$$;
SELECT * FROM audit.export_evidence(query => 'SELECT evidence_writes()');
CREATE FUNCTION evidence_frees() RETURNS text LANGUAGE plpgsql AS $$BEGIN SET transaction_read_only = off; RETURN evidence_writes(); END$$;
SELECT * FROM audit.export_evidence(query => 'SELECT evidence_frees()');
SELECT id FROM evidence_orders ORDER BY id;
SHOW transaction_read_only;

-- directories
SELECT * FROM audit.export_evidence(event_ids => '{1.1}', directory => 'relative');
\set VERBOSITY sqlstate
SELECT * FROM audit.export_evidence(event_ids => '{1.1}', directory => current_setting('data_directory') || '/evidence');
SELECT * FROM audit.export_evidence(event_ids => '{1.1}', directory => '/' || repeat('x', 1000));
\set VERBOSITY default
SELECT * FROM audit.export_evidence(event_ids => '{1.1}', directory => '/tmp');
SELECT * FROM audit.export_evidence(event_ids => '{1.1}', directory => '/nowhere/at/all');

-- without a key nothing is signed, and nothing is proved
SELECT * FROM audit.export_evidence(event_ids => ARRAY[:'event']);

-- who may
CREATE ROLE evidence_auditor;
SET ROLE evidence_auditor;
SELECT * FROM audit.export_evidence(event_ids => '{1.1}');
RESET ROLE;
GRANT EXECUTE ON FUNCTION audit.export_evidence(text[], text, text) TO evidence_auditor;
SET ROLE evidence_auditor;
SELECT * FROM audit.export_evidence(event_ids => ARRAY[:'event']);
SELECT * FROM audit.export_evidence(query => 'SELECT event_id FROM audit.events');
SELECT * FROM audit.export_evidence(query => 'SELECT evidence_orders.id::text FROM evidence_orders');
SELECT * FROM audit.export_evidence(event_ids => ARRAY[:'event'], directory => '/tmp/evidence');
RESET ROLE;
SELECT count(*) FROM audit.events WHERE event_type = 'evidence.exported';

REVOKE EXECUTE ON FUNCTION audit.export_evidence(text[], text, text) FROM evidence_auditor;
DROP ROLE evidence_auditor;
DROP FUNCTION evidence_frees(), evidence_writes();
DROP TABLE evidence_orders;
