-- Conditions of alert rules are judged as the jsonpath engine judges them, whichever way they go:
-- plain comparisons do without it.
\set ON_ERROR_STOP on
SELECT count(*) FROM audit.init() \g /dev/null
SET client_min_messages = warning;
CREATE TABLE judged (id int PRIMARY KEY, n numeric, f float8, s text, b boolean, j jsonb, t json);
SELECT audit.enable('judged') \g /dev/null

-- Comparisons of each with each; and some of them negated and joined, with what only the engine can judge, and in
-- strict mode.
CREATE TEMP TABLE operand AS
SELECT row_number() OVER () AS i, o FROM string_to_table('$.new.n|$.old.n|$.new.f|$.new.s|$.old.s|$.new.b|$.new.j|$.new.t|$.op|$.actor|$.changed|100|-0.50|1e2|"x"|"10"|true|null', '|') o;
CREATE TEMP TABLE condition AS
WITH compared AS (
	SELECT row_number() OVER (ORDER BY a.i, b.i, op) AS i, format('%s %s %s', a.o, op, b.o) AS c
	FROM operand a, operand b, unnest('{==,!=,<,<=,>,>=}'::text[]) op
	WHERE a.o LIKE '$%' OR b.o LIKE '$%'
), part AS (
	SELECT i, c FROM compared
	UNION ALL SELECT 100000 + 40 * row_number() OVER (), c FROM unnest('{"$.new.n + 1 > $.old.n","exists($.new.s)","$.new.s starts with \"x\"","$.new.j[*] == 1"}'::text[]) c
)
SELECT row_number() OVER (ORDER BY c) AS i, c
FROM (
	SELECT c FROM compared WHERE i % 3 = 0
	UNION SELECT format('!(%s)', c) FROM compared WHERE i % 17 = 0
	UNION SELECT format('strict %s', c) FROM compared WHERE i % 29 = 0
	UNION SELECT format('(%s) %s (%s)', a.c, CASE WHEN (a.i + b.i) % 2 = 0 THEN '&&' ELSE '||' END, b.c) FROM part a, part b WHERE (a.i * 31 + b.i * 17) % 9973 = 5
	UNION SELECT format('!(%s && !(%s || %s))', a.c, b.c, a.c) FROM part a, part b WHERE (a.i * 13 + b.i * 7) % 9973 = 11
	UNION SELECT format('(%s) is unknown', c) FROM compared WHERE i % 41 = 0
) t;
SELECT count(*) > 1000 AS enough FROM condition;
SELECT audit.alert_when('c' || i, 'judged', condition => c::jsonpath, kind => 'recorded', events => '{insert,update}', channel => 'c')
FROM condition \g /dev/null

-- Rows of all kinds, as they were and as they become. What they are is also noted without audit.
CREATE TABLE seen (xid bigint, id int, document jsonb);
CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO seen VALUES (pg_current_xact_id()::text::bigint, NEW.id, jsonb_build_object('op', lower(TG_OP), 'actor', current_user,
		'old', coalesce(to_jsonb(OLD), '{}'), 'new', to_jsonb(NEW), 'changed', (SELECT coalesce(jsonb_agg(o.key), '[]') FROM jsonb_each(to_jsonb(OLD)) o
			JOIN jsonb_each(to_jsonb(NEW)) n USING (key) WHERE o.value::text <> n.value::text)));
	RETURN NULL;
END $$;
CREATE TRIGGER see AFTER INSERT OR UPDATE ON judged FOR EACH ROW EXECUTE FUNCTION see();
INSERT INTO judged SELECT g, 100, 100, 'x', true, '1', '1' FROM generate_series(1, 14) g;
UPDATE judged SET (n, f, s, b, j, t) = (SELECT v.n, v.f, v.s, v.b, v.j, v.t FROM (VALUES
	(1, 100.00, 1e2, 'x', true, '100'::jsonb, '100'::json), (2, -0.5, -0.5, '', false, '-0.5', ' -0.50 '),
	(3, NULL, NULL, NULL, NULL, NULL, NULL), (4, 'NaN', 'NaN', 'NaN', true, '"x"', ' "x"'),
	(5, 'Infinity', '-Infinity', '10', false, '"10"', '"10" '), (6, 0, -0.0, '-0', NULL, 'true', ' true'),
	(7, 100.000000000000000000000000000001, 1e300, E'x\n', true, 'null', ' null '), (8, -1e40, 1e-300, E'"x"', true, '[100]', '[100]'),
	(9, 99.99999999, 99.9999999, E'\\', false, '{"x": 100}', '{"x": 100}'), (10, 10, 10, 'ä', true, '[]', ' []'),
	(11, 1e2, 100.5, repeat('x', 500), true, '"\u00e4"', '"\u0078"'), (12, -0.50, -0.51, 'null', false, '[1, "x", null]', '1e2'),
	(13, 100.1, 3, 'true', true, '0', '0.0'), (14, 5e-5, 5e-5, 'y', NULL, 'false', 'false')) v (id, n, f, s, b, j, t)
	WHERE v.id = judged.id);
UPDATE judged SET n = 100, f = 100, s = 'x', b = true, j = '1', t = '"x"' WHERE id <= 7;
UPDATE judged SET n = 12, s = 'w', t = '"\u0078"' WHERE id > 7;

-- What should have been raised: by the engine, over the same rows. What it refuses to judge is a match.
CREATE FUNCTION holds(document jsonb, condition jsonpath) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	RETURN coalesce(jsonb_path_match(document, condition, silent => true), false);
EXCEPTION WHEN OTHERS THEN RETURN true;
END $$;
CREATE TEMP TABLE verdict AS
SELECT c.c, s.document, holds(s.document, c.c::jsonpath) AS wanted, a.alert_id IS NOT NULL AS raised
FROM condition c CROSS JOIN seen s LEFT JOIN audit.alert a ON a.rule_name = 'c' || c.i AND a.xid = s.xid AND a.record_key = s.id::text;
SELECT count(*) > 20000 AS enough, count(*) FILTER (WHERE wanted) > 5000 AS some_hold, count(*) FILTER (WHERE NOT wanted) > 5000 AS some_do_not,
	bool_or(wanted) FILTER (WHERE c LIKE 'strict%') AS some_strict
FROM verdict;
SELECT c, document, wanted, raised FROM verdict WHERE wanted <> raised ORDER BY c, document LIMIT 10;

SELECT count(audit.alert_drop('c' || i)) > 0 AS dropped FROM condition;
SELECT audit.disable('judged', 'test over') \g /dev/null
DROP TABLE judged, seen;
DROP FUNCTION see(), holds(jsonb, jsonpath);
