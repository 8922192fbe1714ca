-- Row security leaves the indexes what they are: record, actor, request and period are looked up by index, for
-- auditors and scoped auditors. A condition whose operator is not leakproof could not be.
BEGIN;
SELECT no_plan();
CREATE TABLE public.orders (id int PRIMARY KEY, total numeric);
SELECT audit.enable('public.orders');
SELECT audit.create_roles('pl_');
CREATE ROLE plan_auditor;
CREATE ROLE plan_scoped;
GRANT pl_auditor TO plan_auditor;
GRANT pl_scoped_auditor TO plan_scoped;
INSERT INTO audit.grant (name, grantee, tables, from_at, expires_at) VALUES ('p', 'plan_scoped', '{orders}', '2000-01-01', 'infinity');

-- The plan of a query by a role, on one line.
CREATE FUNCTION pg_temp.plan(role text, query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	line text;
	plan text := '';
BEGIN
	SET LOCAL enable_seqscan = off;
	SET LOCAL enable_bitmapscan = off;
	PERFORM set_config('role', role, true);
	FOR line IN EXECUTE 'EXPLAIN (COSTS off) ' || query LOOP
		plan := plan || ' ' || trim(line);
	END LOOP;
	RESET ROLE;
	RETURN plan;
END $$;
CREATE TEMP TABLE question (name text, query text, condition text);
GRANT SELECT ON question TO PUBLIC;
INSERT INTO question VALUES
	('a record', $$SELECT * FROM audit.record_event WHERE target_id = ANY (ARRAY(SELECT audit.target_versions('public.orders'))) AND record_key = '1'$$,
		$$Index Cond: \(\(target_id = ANY \((\$\d+|\(InitPlan \d+\)\.col1)\)\) AND \(record_key = '1'::text\)\)$$),
	('an event', $$SELECT * FROM audit.events WHERE tx_id = 1 AND ordinal = 2$$, 'Index Cond: \(\(tx_id = 1\) AND \(ordinal = 2\)\)'),
	('an actor', $$SELECT * FROM audit.events WHERE actor = 'anna'$$, $$Index Cond: \(actor = 'anna'::text\)$$),
	('an actor in a period', $$SELECT * FROM audit.events WHERE actor = 'anna' AND tx_at >= '2020-01-01'$$,
		$$Index Cond: \(\(actor = 'anna'::text\) AND \(tx_at >= '2020-01-01$$),
	('a session', $$SELECT * FROM audit.events WHERE session_id = ANY (ARRAY(SELECT audit.session_parts(1)))$$, 'Index Cond: \(session_id = ANY \((\$\d+|\(InitPlan \d+\)\.col1)\)\)'),
	('a request', $$SELECT * FROM audit.events WHERE request_id = 'r1'$$, $$Index Cond: \(request_id = 'r1'::text\)$$),
	('a period', $$SELECT * FROM audit.events WHERE tx_at >= '2020-01-01' AND tx_at < '2020-02-01'$$,
		$$Index Cond: \(\(tx_at >= '2020-01-01[^)]*\) AND \(tx_at < '2020-02-01$$);
SELECT matches(pg_temp.plan(r.role, q.query), q.condition, r.role || ' finds ' || q.name || ' by an index')
FROM question q CROSS JOIN (VALUES ('plan_auditor'), ('plan_scoped')) r (role);
SELECT matches(pg_temp.plan(r.role, q.query), 'Filter: [^>]*audit\.may_read\(target_id, tx_at\)', r.role || ' is asked about: ' || q.name)
FROM question q CROSS JOIN (VALUES ('plan_auditor'), ('plan_scoped')) r (role);

SELECT * FROM finish();
ROLLBACK;
