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
	('audit.first_unsealed()'),
	('audit.has_context(json)'),
	('audit.is_preloaded()'),
	('audit.is_shielded()'),
	('audit.is_unsealed(bigint)'),
	('audit.json_keys(json)'),
	('audit.make_sentence(text,"char",text,text,text,text,text,json,json,json)'),
	('audit.may_read(integer,timestamp with time zone)'),
	('audit.may_read_alert(integer,timestamp with time zone)'),
	('audit.may_read_all()'),
	('audit.may_read_some()'),
	('audit.name_action("char")'),
	('audit.name_category(text,"char",text)'),
	('audit.name_event_type(text,"char",text)'),
	('audit.set_context(text,text,text,text,jsonb,text,text,text)'),
	('audit.tag_maintenance(text)'),
	('audit.to_jsonb(json)'),
	('audit.visible_extra(json,integer,timestamp with time zone)'),
	('audit.visible_sentence(text,integer,timestamp with time zone)'),
	('audit.visible_values(json,integer,timestamp with time zone)');

-- What only superusers are to call: it is given to nobody by audit.create_roles().
CREATE TEMP TABLE for_superusers (name text);
INSERT INTO for_superusers VALUES
	('check_personal'), ('hash_value'),	-- for those who may know the values
	('create_roles'), ('create_signing_key'), ('init'), ('new_incarnation'), ('shield');

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
	$$SELECT signature FROM routine p
		WHERE signature NOT IN (SELECT signature FROM open_to_all)
		AND proname NOT IN (SELECT name FROM for_superusers)
		AND obj_description(p.oid, 'pg_proc') NOT LIKE 'internal: %'
		AND NOT EXISTS (SELECT FROM audit.role_rights() r WHERE r.command = 'GRANT EXECUTE ON FUNCTION ' || signature)$$,
	'every function is for PUBLIC, for a kind of role (audit.role_rights()), internal, or for superusers by the list above');
SELECT is_empty(
	$$SELECT r.command FROM audit.role_rights() r
		WHERE r.command !~ '^GRANT (SELECT|SELECT, INSERT, UPDATE, DELETE|EXECUTE) ON (FUNCTION |PROCEDURE )?audit\.'
		OR r.kind NOT IN ('admin', 'auditor', 'scoped_auditor', 'writer', 'maintenance', 'purge_approver', 'responder', 'relay', 'standby')$$,
	'roles get rights on what is ours, and no others');
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
		WHERE CASE WHEN EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = coalesce(
				(SELECT i.indrelid FROM pg_index i WHERE i.indexrelid = c.oid), c.oid) AND d.deptype = 'e')
			THEN c.relowner <> (SELECT extowner FROM pg_extension WHERE extname = 'audit_trail')
			ELSE r.rolname <> 'audit_ledger' END AND c.relkind <> 'c'$$,
	'the owner of the extension owns what is a member, and a role of its own the ledger');
SELECT is(
	(SELECT row(rolcanlogin, rolsuper, rolbypassrls, rolcreaterole)::text FROM pg_roles WHERE rolname = 'audit_ledger'),
	'(f,f,f,f)', 'which can do nothing else');
SELECT is_empty(
	$$SELECT name FROM relation c LEFT JOIN pg_am m ON m.oid = c.relam
		WHERE (m.amname = 'audit_worm' AND relkind = 'r' OR relkind = 'p' OR relname = 'volume') AND NOT (relrowsecurity AND relforcerowsecurity)$$,
	'every table of the ledger, and every partition, has forced row security');
SELECT is_empty(
	$$SELECT c.name, p.polname FROM relation c JOIN pg_policy p ON p.polrelid = c.oid
		WHERE p.polcmd <> 'r' OR NOT p.polpermissive OR pg_get_expr(p.polqual, p.polrelid) !~ '^audit\.may_read(_all|_some)?\(.*\)$'
		OR relispartition$$,
	'policies are for reading, ask about the reader alone, and partitions have none');
SELECT is_empty(
	$$SELECT name FROM relation c WHERE c.relkind = 'v' AND c.relowner = 'audit_ledger'::regrole
		AND name <> 'audit.public_keys' AND pg_get_viewdef(c.oid) !~ 'audit\.is_shielded\(\)'$$,
	'a view over the ledger that names no other reader refuses to work without row security');

SELECT is_empty(
	$$SELECT c.name, a.attname, a.atttypid::regtype FROM relation c JOIN pg_attribute a ON a.attrelid = c.oid
		LEFT JOIN pg_type t ON t.oid = a.atttypid
		WHERE c.relkind IN ('r', 'p', 'i', 'I') AND a.attnum > 0 AND coalesce(nullif(t.typelem, 0), t.oid) IN ('regcollation'::regtype,
			'regconfig'::regtype, 'regdictionary'::regtype, 'regnamespace'::regtype, 'regoper'::regtype, 'regoperator'::regtype,
			'regproc'::regtype, 'regprocedure'::regtype)$$,
	'no column holds oids that pg_upgrade does not keep: it would refuse the database');

-- the ledger is write-once and no member; what is no ledger is a member and configuration, but for
-- audit.volume, which is a sum of the ledger and can be made anew, and audit.standby_stream: a standby
-- of another server begins a stream of its own. What leads to the segments of attached archives is made
-- of their files, and those are under a digest in audit.attached_archive
SELECT is_empty(
	$$SELECT c.name FROM relation c JOIN pg_am m ON m.oid = c.relam
		JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
		WHERE m.amname = 'audit_worm'$$,
	'no table of the ledger is a member of the extension');
SELECT is_empty(
	$$SELECT c.name FROM relation c JOIN pg_am m ON m.oid = c.relam
		WHERE c.relkind = 'r' AND m.amname <> 'audit_worm' AND c.relname NOT IN ('volume', 'standby_stream')
		AND NOT EXISTS (SELECT FROM pg_extension e WHERE e.extname = 'audit_trail' AND c.oid = ANY (e.extconfig))$$,
	'every other table is configuration that is dumped');
SELECT is_empty(
	$$SELECT c.name FROM relation c JOIN pg_am m ON m.oid = c.relam
		WHERE c.relkind = 'r' AND m.amname <> 'audit_worm' AND c.relname NOT IN ('volume', 'standby_stream', 'attached_segment', 'attached_target')
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

-- nothing of others is called: what an object of ours depends on is ours or the server's
SELECT is_empty(
	$$SELECT pg_describe_object(d.classid, d.objid, d.objsubid), pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid)
		FROM pg_depend d, pg_identify_object(d.classid, d.objid, d.objsubid) o, pg_identify_object(d.refclassid, d.refobjid, d.refobjsubid) r
		WHERE d.deptype IN ('n', 'a') AND o.type NOT IN ('extension', 'schema') AND (o.schema = 'audit' OR o.identity ~ ' on audit\.| (in|of) .*audit\.')
		AND r.type NOT IN ('schema', 'role', 'access method') AND coalesce(r.schema, 'audit') NOT IN ('audit', 'pg_catalog')
		AND r.identity !~ '^(language|access method)|audit_trail$|^(c|sql|internal)$'$$,
	'no view, policy, trigger, index, operator or default of ours uses an object of another schema');
SELECT is_empty(
	$$SELECT signature FROM routine p WHERE prosrc ~ 'format\(''(GRANT|REVOKE|DELETE|ALTER|SELECT|DROP|CREATE|INSERT|UPDATE)[^'']*%(\d+\$)?s'
		AND signature NOT IN ('audit.role_rights()', 'audit.access_findings()')$$,
	'no function in SQL makes commands of names without %I or %L, but two, of regclass and its like');
SELECT is_empty(
	$$SELECT signature FROM routine p WHERE prosecdef AND signature NOT IN ('audit.coverage(regclass)', 'audit.doctor()', 'audit.record_targets(regclass)', 'audit.session_parts(bigint)', 'audit.target_versions(regclass)')$$,
	'functions that act with their owner''s rights are few, and known');

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
