-- Default privileges that somebody has given away do not reach the ledger, nor its partitions to come.
BEGIN;
SELECT no_plan();
CREATE ROLE defaults_reader;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC, defaults_reader;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO PUBLIC;
SELECT audit.init();
CREATE TABLE public.orders (id int PRIMARY KEY);
SELECT audit.enable('public.orders');
INSERT INTO public.orders VALUES (1);
SELECT cmp_ok(audit.create_partitions(6), '>', 0, 'there are new partitions');
SELECT is_empty(
	$$SELECT c.oid::regclass, a.privilege_type FROM pg_class c, aclexplode(c.relacl) a
		WHERE c.relnamespace = 'audit'::regnamespace AND a.grantee = 0$$,
	'PUBLIC has a right on nothing');
-- whoever makes them: the owner of the ledger, by name or in its schema
ALTER DEFAULT PRIVILEGES FOR ROLE audit_ledger GRANT ALL ON TABLES TO PUBLIC, defaults_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE audit_ledger IN SCHEMA audit GRANT ALL ON TABLES TO PUBLIC, defaults_reader;
ALTER DEFAULT PRIVILEGES IN SCHEMA audit GRANT ALL ON TABLES TO PUBLIC, defaults_reader;
SELECT cmp_ok(audit.create_partitions(9), '>', 0, 'and more, with the privileges of the owner given away');
SELECT is_empty(
	$$SELECT c.oid::regclass, a.grantee::regrole, a.privilege_type FROM pg_class c, aclexplode(c.relacl) a
		WHERE c.relnamespace = 'audit'::regnamespace AND c.relispartition AND a.grantee <> c.relowner
			AND (a.grantee = 0 OR a.privilege_type <> 'SELECT')$$,
	'nobody has more than SELECT on a partition, and PUBLIC nothing');
SET LOCAL ROLE defaults_reader;
SELECT throws_ok('SELECT * FROM audit.session_id_seq', '42501', NULL, 'names of sessions are not for others to see');
SELECT is_empty('SELECT * FROM audit.event', 'who has them by name sees no events');
SELECT is_empty('SELECT * FROM audit.events', 'nor by the view');
SELECT is_empty('SELECT * FROM audit.transaction', 'nor who acted');
SELECT is_empty('SELECT * FROM audit.event_1_default', 'nor partitions');
SELECT throws_ok($$INSERT INTO audit.session (session_id) VALUES (1)$$, NULL, NULL, 'and adds nothing');
RESET ROLE;
SELECT is_empty(
	$$SELECT c.relname FROM pg_class c JOIN pg_am m ON m.oid = c.relam
		WHERE m.amname = 'audit_worm' AND c.relkind = 'r' AND NOT (c.relrowsecurity AND c.relforcerowsecurity AND c.relowner = 'audit_ledger'::regrole)$$,
	'partitions to come are shielded too');
SELECT * FROM finish();
ROLLBACK;
