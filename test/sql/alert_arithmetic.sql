-- What conditions of alert rules calculate is what the jsonpath engine and numeric calculate: generated conditions over
-- rows with numbers of all kinds, and results that PostgreSQL has calculated itself.
\set ON_ERROR_STOP on
SELECT count(*) FROM audit.init() \g /dev/null
SET client_min_messages = warning;
CREATE TABLE judged (id int PRIMARY KEY, a numeric, b numeric, i int, f float8, s text, j jsonb);
SELECT audit.enable('judged') \g /dev/null

-- Conditions: trees of what may be written, drawn at random, but the same ones each time.
CREATE FUNCTION one_of(list text[]) RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT list[1 + floor(random() * cardinality(list))] $$;
CREATE FUNCTION term(depth int) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	IF depth = 0 OR random() < 0.2 THEN
		RETURN CASE WHEN random() < 0.5 THEN one_of('{$.new.a,$.new.b,$.old.a,$.old.b,$.new.i,$.old.i,$.new.f}')
			WHEN random() < 0.85 THEN one_of('{0,1,2,3,-7,1.5,0.10,100,1.00,10000,9999,0.0001,0.00003,123456789.123456,99999999999999999999,1e10,1e-30,0.000}')
			ELSE one_of('{"\"x\"","null","true","$.new.s","$.new.j","$.old.j","$.actor","$.new.j.x"}') END;
	END IF;
	RETURN CASE WHEN random() < 0.15 THEN format('(%s(%s))', one_of('{-,+}'), term(depth - 1))
		WHEN random() < 0.1 THEN format('%s.%s()', one_of('{$.new.a,$.old.b,$.new.j,$.new.s}'), one_of('{abs,floor,ceiling,abs().floor,double}'))
		WHEN random() < 0.15 THEN format('(0 + (%s - %s).%s())', term(depth - 1), term(depth - 1), one_of('{abs,floor,ceiling,floor().abs}'))
		ELSE format('(%s %s %s)', term(depth - 1), one_of('{+,-,*,/,%}'), term(depth - 1)) END;
END $$;
CREATE FUNCTION predicate(depth int) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	IF depth = 0 OR random() < 0.5 THEN
		RETURN CASE WHEN random() < 0.05 THEN format('exists(%s)', one_of('{$.new.a,$.old.a,$.new.j,$.new.j.x,$.actor}'))
			WHEN random() < 0.05 THEN format('%s starts with %s', one_of('{$.new.s,$.new.j,$.new.a,$.actor,$.old.s}'), one_of('{"\"x\"","\"\"","\"1\"","\"xyz\""}'))
			ELSE format('%s %s %s', term(1 + (random() * 2)::int), one_of('{==,!=,<,<=,>,>=}'), term((random() * 2)::int)) END;
	END IF;
	RETURN CASE WHEN random() < 0.3 THEN format('!(%s)', predicate(depth - 1)) WHEN random() < 0.3 THEN format('(%s) is unknown', predicate(depth - 1))
		ELSE format('(%s) %s (%s)', predicate(depth - 1), one_of('{&&,||}'), predicate(depth - 1)) END;
END $$;
SELECT setseed(0.6) \g /dev/null
CREATE TEMP TABLE condition AS
SELECT row_number() OVER () AS i, c FROM (SELECT DISTINCT predicate(2) AS c FROM generate_series(1, 1000) UNION SELECT format('strict %s', predicate(1)) FROM generate_series(1, 20)) t;
SELECT count(*) > 900 AS enough, count(*) FILTER (WHERE c LIKE '% / %') > 300 AS quotients, count(*) FILTER (WHERE c LIKE '%is unknown%') > 50 AS unknowns FROM condition;
SELECT audit.alert_when('c' || i, 'judged', condition => c::jsonpath, kind => 'recorded', events => '{insert,update}', channel => 'c')
FROM condition \g /dev/null

-- PostgreSQL writes a path like this one without its parentheses; stored, and dumped, it would be another.
SELECT '($.new.a - $.old.a).abs() > 10'::jsonpath AS written;
\set ON_ERROR_STOP off
SELECT audit.alert_when('lost', 'judged', condition => '($.new.a - $.old.a).abs() > 10', kind => 'recorded');
\set ON_ERROR_STOP on
SELECT audit.alert_when('kept', 'judged', condition => '0 + ($.new.a - $.old.a).abs() > 10', kind => 'recorded') \g /dev/null
SELECT audit.alert_drop('kept') \g /dev/null

-- Rows, as they were and as they become. What they are is also noted without audit.
CREATE TABLE seen (xid bigint, id int, document jsonb);
CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO seen VALUES (pg_current_xact_id()::text::bigint, NEW.id,
		jsonb_build_object('op', lower(TG_OP), 'actor', current_user, 'old', coalesce(to_jsonb(OLD), '{}'), 'new', to_jsonb(NEW)));
	RETURN NULL;
END $$;
CREATE TRIGGER see AFTER INSERT OR UPDATE ON judged FOR EACH ROW EXECUTE FUNCTION see();
CREATE FUNCTION value() RETURNS numeric LANGUAGE sql VOLATILE AS $$
	SELECT CASE WHEN random() < 0.4 THEN round((random() * 20000 - 5000)::numeric, (random() * 4)::int)
		ELSE one_of('{0,0.00,1,-1,100.00,-0.5,0.0001,9999,10000,10000.0001,99999999,NaN,Infinity,-Infinity,NULL,1e30,-1e40,1e-30,3,7.000,123456789012345678901234567890123456,999999999999999999.999999999999999999,0.000000000000000000000000000000000001,1e-40}')::numeric END
$$;
INSERT INTO judged SELECT g, value(), value(), (random() * 10)::int, 1.5, 'x', '1' FROM generate_series(1, 40) g;
UPDATE judged SET a = value(), b = value(), i = nullif((random() * 10)::int, 3), s = one_of('{x,xyz,1,"",NULL}'), f = one_of('{0,-0,NaN,Infinity,1e300,0.1,1e-5,2.5}')::float8,
	j = one_of('{"5","-2.50","[3]","[]","[1,2]","\"x\"","null","{\"x\": 2.0}","true","1e3"}')::jsonb;
UPDATE judged SET a = value(), b = value(), i = (random() * 1000)::int - 500;

-- What should have been raised: by the engine, over the same rows. What it refuses to judge is a match.
CREATE FUNCTION holds(document jsonb, condition jsonpath) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	RETURN coalesce(jsonb_path_match(document, condition, silent => true), false);
EXCEPTION WHEN OTHERS THEN RETURN true;
END $$;
CREATE TEMP TABLE verdict AS
SELECT c.c, s.document, holds(s.document, c.c::jsonpath) AS wanted, a.alert_id IS NOT NULL AS raised
FROM condition c CROSS JOIN seen s LEFT JOIN audit.alert a ON a.rule_name = 'c' || c.i AND a.xid = s.xid AND a.record_key = s.id::text;
SELECT count(*) > 100000 AS enough, count(*) FILTER (WHERE wanted) > 20000 AS some_hold, count(*) FILTER (WHERE NOT wanted) > 20000 AS some_do_not FROM verdict;
SELECT c, document, wanted, raised FROM verdict WHERE wanted <> raised ORDER BY c, document LIMIT 10;
SELECT count(audit.alert_drop('c' || i)) > 0 AS dropped FROM condition;

-- Results of numeric itself, to the last digit: of each row all of them must be found equal, or unknown where by zero.
CREATE TABLE result (id int PRIMARY KEY, a numeric, b numeric, c numeric, sum numeric, difference numeric, product numeric, quotient numeric, rest numeric,
	chain numeric, floor numeric, ceiling numeric);
SELECT audit.enable('result') \g /dev/null
SELECT audit.alert_when('wrong', 'result', kind => 'recorded', events => '{insert}', condition => $$!($.new.a + $.new.b == $.new.sum && $.new.a - $.new.b == $.new.difference
	&& $.new.a * $.new.b == $.new.product && $.new.a / $.new.b == $.new.quotient && $.new.a % $.new.b == $.new.rest && $.new.a / $.new.b / $.new.c == $.new.chain
	&& 0 + ($.new.a - $.new.b).floor() == $.new.floor && 0 + ($.new.a - $.new.b).ceiling() == $.new.ceiling)$$) \g /dev/null
SELECT audit.alert_when('close', 'result', kind => 'recorded', events => '{insert}', condition => '$.new.a / $.new.b / $.new.c == $.new.chain') \g /dev/null
CREATE FUNCTION digits() RETURNS numeric LANGUAGE sql VOLATILE AS $$
	SELECT CASE WHEN random() < 0.5 THEN -1 ELSE 1 END * round(random()::numeric * 10::numeric ^ (random() * 12)::int, (random() * 6)::int)
$$;
INSERT INTO result SELECT g, a, b, c, a + b, a - b, a * b, a / nullif(b, 0), a % nullif(b, 0), a / nullif(b, 0) / nullif(c, 0), floor(a - b), ceil(a - b)
FROM (SELECT g, digits() AS a, digits() AS b, digits() AS c FROM generate_series(1, 10000) g) t;
SELECT count(*) AS wrong FROM audit.alert WHERE rule_name = 'wrong';
SELECT count(*) = (SELECT count(*) FROM result WHERE b <> 0 AND c <> 0) AS all_right, count(*) > 8000 AS many FROM audit.alert WHERE rule_name = 'close';


-- So it is with how far a number has gone: at the limit, beside it, and anywhere.
CREATE TABLE moved (id int PRIMARY KEY, n numeric);
SELECT audit.enable('moved') \g /dev/null
SELECT audit.alert_when(kind || ' ' || by, 'moved', '{n}', kind => kind, by => by) FROM unnest('{increased,decreased}'::text[]) kind, unnest('{10%,12.5%,0.5,100,33.333%,1000%}'::text[]) by \g /dev/null
CREATE TEMP TABLE step AS
SELECT g AS id, n AS before, CASE g % 6 WHEN 0 THEN n * 1.1 WHEN 1 THEN n + 0.5 WHEN 2 THEN n * 0.875 WHEN 3 THEN n - 100 WHEN 4 THEN n * 1.0999999 ELSE other END AS after
FROM (SELECT g, CASE WHEN g % 10 = 0 THEN value() ELSE digits() END AS n, CASE WHEN g % 7 = 0 THEN value() ELSE digits() END AS other FROM generate_series(1, 3000) g) t;
INSERT INTO moved SELECT id, before FROM step;
UPDATE moved SET n = after FROM step WHERE step.id = moved.id;
CREATE TEMP TABLE far AS
SELECT s.*, kind, by, coalesce(CASE kind WHEN 'increased' THEN after > before ELSE after < before END
	AND (CASE kind WHEN 'increased' THEN after - before ELSE before - after END) * CASE WHEN by LIKE '%\%' THEN 100 ELSE 1 END >= rtrim(by, '%')::numeric * CASE WHEN by LIKE '%\%' THEN abs(before) ELSE 1 END, false) AS wanted,
	EXISTS (SELECT FROM audit.alert WHERE rule_name = kind || ' ' || by AND record_key = s.id::text) AS raised
FROM step s, unnest('{increased,decreased}'::text[]) kind, unnest('{10%,12.5%,0.5,100,33.333%,1000%}'::text[]) by;
SELECT count(*) AS judged, count(*) FILTER (WHERE wanted) > 5000 AS some_are FROM far;
SELECT * FROM far WHERE wanted <> raised AND before::text <> 'NaN' AND after::text <> 'NaN' ORDER BY id LIMIT 5;

SELECT audit.alert_drop(name) FROM audit.alert_rule WHERE name IN ('wrong', 'close') OR target = 'moved'::regclass \g /dev/null
SELECT audit.disable('judged', 'test over'), audit.disable('result', 'test over'), audit.disable('moved', 'test over') \g /dev/null
DROP TABLE judged, seen, result, moved;
DROP FUNCTION see(), holds(jsonb, jsonpath), one_of(text[]), term(int), predicate(int), value(), digits();
