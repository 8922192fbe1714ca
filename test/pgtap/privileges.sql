-- Properties of everything in the schema audit, derived from the catalogs: who may do what,
-- pinned search paths, comments. A new object is held to them without a line here.
BEGIN;
SELECT no_plan();
SELECT audit.init();
CREATE TABLE public.orders (id int PRIMARY KEY);
SELECT audit.enable('public.orders');

-- What PUBLIC may call: it reads nothing but its arguments and what the caller has set itself.
CREATE TEMP TABLE open_to_all (signature text);
INSERT INTO open_to_all VALUES
	('audit.capture()'),
	('audit.capture_delete(oid,tid)'),
	('audit.capture_insert(oid,tid)'),
	('audit.capture_update(oid,tid,tid)'),
	('audit.current_tx_id()'),
	('audit.former_key(text,json,json)'),
	('audit.has_context(json)'),
	('audit.is_preloaded()'),
	('audit.json_keys(json)'),
	('audit.set_context(text,text,text,text,jsonb,text,text,text)'),
	('audit.tag_maintenance(text)'),
	('audit.to_jsonb(json)');

CREATE TEMP VIEW routine AS
	SELECT p.oid::regprocedure::text AS signature, p.*
	FROM pg_proc p WHERE p.pronamespace = 'audit'::regnamespace;
CREATE TEMP VIEW relation AS
	SELECT c.oid::regclass::text AS name, c.*
	FROM pg_class c WHERE c.relnamespace = 'audit'::regnamespace;

SELECT cmp_ok((SELECT count(*) FROM routine), '>', 10::bigint, 'there are functions to look at');
SELECT cmp_ok((SELECT count(*) FROM relation WHERE relkind = 'r'), '>', 10::bigint, 'there are tables to look at');

-- functions
SELECT set_eq(
	$$SELECT signature FROM routine, aclexplode(coalesce(proacl, acldefault('f', proowner))) a
		WHERE a.grantee = 0$$,
	'SELECT signature FROM open_to_all',
	'PUBLIC may call exactly the functions that are meant for it');
SELECT is_empty(
	$$SELECT signature FROM routine, aclexplode(proacl) a WHERE a.grantee NOT IN (0, proowner)$$,
	'no other role may call a function from the beginning');
SELECT is_empty(
	$$SELECT signature FROM routine p JOIN pg_language l ON l.oid = p.prolang
		WHERE (l.lanname NOT IN ('c', 'internal') OR p.prosecdef)
		AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (p.proconfig), false)$$,
	'functions in SQL, and those that act with their owner''s rights, have a fixed search path');
SELECT is_empty(
	$$SELECT signature FROM routine p JOIN pg_language l ON l.oid = p.prolang
		WHERE l.lanname NOT IN ('c', 'sql')$$,
	'no procedural language is needed');
SELECT is_empty(
	$$SELECT signature FROM routine p JOIN pg_language l ON l.oid = p.prolang
		WHERE l.lanname = 'c' AND p.probin <> '$libdir/audit_trail'$$,
	'C functions come from our library');
SELECT is_empty(
	$$SELECT signature FROM routine WHERE obj_description(oid, 'pg_proc') IS NULL$$,
	'every function has a comment');
SELECT is_empty(
	$$SELECT signature FROM routine WHERE proretset AND provolatile = 'i'$$,
	'what reads the trail is not called immutable');
SELECT is_empty(
	$$SELECT signature FROM routine p
		WHERE NOT EXISTS (SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
			WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
			AND d.refclassid = 'pg_extension'::regclass AND e.extname = 'audit_trail')$$,
	'every function is a member of the extension');

-- tables, views, sequences
SELECT is_empty(
	$$SELECT name, a.privilege_type FROM relation,
			aclexplode(coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner))) a
		WHERE a.grantee <> relowner AND relkind <> 'i' AND relkind <> 'I'$$,
	'nobody but the owner has a right on a table, view or sequence from the beginning');
SELECT is_empty(
	$$SELECT c.name, a.attname FROM relation c JOIN pg_attribute a ON a.attrelid = c.oid WHERE a.attacl IS NOT NULL$$,
	'nor on a column');
SELECT is_empty(
	$$SELECT name FROM relation WHERE relkind IN ('r', 'p', 'v', 'm', 'S') AND NOT relispartition
		AND obj_description(oid, 'pg_class') IS NULL$$,
	'every table, view and sequence has a comment');
SELECT is_empty(
	$$SELECT c.name, a.attname FROM relation c JOIN pg_attribute a ON a.attrelid = c.oid
		WHERE c.relkind IN ('r', 'p', 'v', 'm') AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped
		AND col_description(a.attrelid, a.attnum) IS NULL$$,
	'every column of a table or view has a comment');
SELECT is_empty(
	$$SELECT name FROM relation WHERE relpersistence <> 'p'$$,
	'nothing vanishes in a crash');
SELECT is_empty(
	$$SELECT c.name, r.rolname FROM relation c JOIN pg_roles r ON r.oid = c.relowner
		WHERE c.relowner <> (SELECT extowner FROM pg_extension WHERE extname = 'audit_trail')$$,
	'the owner of the extension owns every table, view and sequence');

-- the ledger is write-once and no member; what is no ledger is a member and configuration
SELECT is_empty(
	$$SELECT c.name FROM relation c JOIN pg_am m ON m.oid = c.relam
		JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
		WHERE m.amname = 'audit_worm'$$,
	'no table of the ledger is a member of the extension');
SELECT is_empty(
	$$SELECT c.name FROM relation c JOIN pg_am m ON m.oid = c.relam
		WHERE c.relkind = 'r' AND m.amname <> 'audit_worm'
		AND NOT EXISTS (SELECT FROM pg_extension e WHERE e.extname = 'audit_trail' AND c.oid = ANY (e.extconfig))$$,
	'every other table is configuration that is dumped');
SELECT is_empty(
	$$SELECT c.name FROM relation c JOIN pg_am m ON m.oid = c.relam
		WHERE c.relkind = 'r' AND m.amname <> 'audit_worm'
		AND 5 <> (SELECT count(*) FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgenabled = 'A'
			AND t.tgname IN ('00_audit_insert', '00_audit_update', '00_audit_delete', '00_audit_before_truncate', '00_audit_truncate'))$$,
	'every change of configuration is captured');
SELECT is_empty(
	$$SELECT c.name FROM relation c JOIN pg_am m ON m.oid = c.relam
		JOIN pg_class t ON t.oid = c.reltoastrelid
		WHERE m.amname = 'audit_worm' AND t.relam <> c.relam$$,
	'long values of the ledger are write-once too');
SELECT is_empty(
	$$SELECT t.tgname FROM pg_trigger t JOIN relation c ON c.oid = t.tgrelid JOIN pg_am m ON m.oid = c.relam
		WHERE m.amname = 'audit_worm'$$,
	'no trigger hangs on the ledger');

-- the schema
SELECT results_eq(
	$$SELECT a.privilege_type FROM pg_namespace n, aclexplode(n.nspacl) a
		WHERE n.nspname = 'audit' AND a.grantee = 0$$,
	ARRAY['USAGE'],
	'PUBLIC may look names up in the schema, and create nothing there');
SELECT isnt(obj_description('audit'::regnamespace, 'pg_namespace'), NULL, 'the schema has a comment');

-- somebody without rights
CREATE ROLE privileges_nobody;
GRANT USAGE ON SCHEMA public TO privileges_nobody;
GRANT SELECT, INSERT ON public.orders TO privileges_nobody;
SET ROLE privileges_nobody;
SELECT throws_ok('SELECT * FROM audit.events', '42501', NULL, 'nobody reads the trail');
SELECT throws_ok('SELECT * FROM audit.event', '42501', NULL, 'nor the ledger');
SELECT throws_ok($$SELECT * FROM audit.history('public.orders', '1')$$, '42501', NULL, 'nor the life of a row');
SELECT throws_ok($$SELECT audit.enable('public.orders')$$, '42501', NULL, 'nobody switches capture on');
SELECT throws_ok($$SELECT audit.disable('public.orders', 'x')$$, '42501', NULL, 'nor off');
SELECT throws_ok($$SELECT nextval('audit.session_id_seq')$$, '42501', NULL, 'nor uses up names');
SELECT throws_ok($$CREATE TABLE audit.mine ()$$, '42501', NULL, 'nor creates anything beside the ledger');
SELECT lives_ok('INSERT INTO public.orders VALUES (1)', 'and yet nobody is recorded like everybody');
RESET ROLE;
SELECT is((SELECT db_role FROM audit.transaction LIMIT 1), NULL, 'its transaction is recorded when it commits');
SELECT is((SELECT action || ' ' || resource_id FROM audit.events WHERE table_name = 'orders'), 'insert 1', 'its event at once');

SELECT * FROM finish();
ROLLBACK;
