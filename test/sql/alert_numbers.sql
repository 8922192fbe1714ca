-- Numbers of all types that rules see in columns, without their texts being written, are what the jsonpath engine reads in the
-- texts: compared and calculated with, and how far they go.
\set ON_ERROR_STOP on
SELECT count(*) FROM audit.init() \g /dev/null
SET client_min_messages = warning;
CREATE DOMAIN amount AS numeric(30, 6);
CREATE TABLE counted (id int PRIMARY KEY, i2 int2, i4 int4, i8 int8, f4 float4, f8 float8, n numeric, d amount, rough numeric(9, -3), fine numeric(300, 250), t text);
SELECT audit.enable('counted') \g /dev/null

CREATE TEMP TABLE number (place int GENERATED ALWAYS AS IDENTITY, i2 int2, i4 int4, i8 int8, f4 float4, f8 float8, n numeric, d amount, rough numeric(9, -3), fine numeric(300, 250), t text);
INSERT INTO number (i2, i4, i8, f4, f8, n, d, rough, fine, t) VALUES
	(0, 0, 0, 0, 0, 0, 0, 0, 0, '0'),
	(1, 1, 1, 1, 1, 1.0, 1, 1000, 1, '1'),
	(-1, -1, -1, -1, -1, -1.0000, -1, -1000, -1, '-1'),
	(32767, 2147483647, 9223372036854775807, 3e38, 1.7976931348623157e308, 9223372036854775807, 999999999999999999999999.999999, 123456789000, 1e-250, '9223372036854775807'),
	(-32768, -2147483648, -9223372036854775808, 1e-38, 5e-324, -9223372036854775808, -999999999999999999999999.999999, -123456789000, -1e-250, '-0.0'),
	(9999, 9999, 9999, 0.1, 0.1, 9999.9999, 9999.9999, 9000, 9999.9999, '9999.9999'),
	(10000, 10000, 10000, 10000, 10000, 10000.0001, 10000.0001, 10000, 10000.0001, '1e4'),
	(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(2, 3, 4, 'NaN', 'NaN', 'NaN', 'NaN', 'NaN', 'NaN', 'NaN'),
	(2, 3, 4, 'Infinity', '-Infinity', 'Infinity', 5, 6000, 7, 'Infinity'),
	(2, 3, 4, '-Infinity', 'Infinity', '-Infinity', 5, 6000, 7, '-Infinity'),
	(100, 100000, 1000000000000, -0.0, -0.0, 999999999999999999999999999999999999, 0.000001, 1000, 0.5, ''),
	(100, 100000, 1000000000000, 0.5, 1e15, 1000000000000000000000000000000000000, -0.000001, 2000, -0.5, 'x'),
	(101, 100001, 1000000000001, 1.5, 1e14, 0.000000000000000000000000000000000001, 0.5, 0, repeat('9', 50)::numeric, '0.5'),
	(101, 100001, 1000000000001, 1.5, 2.5, 0.0000000000000000000000000000000000001, 0.50, 0, 1e-200, '0.50'),
	(7, 7, 7, 7.25, 7.25, 1234567890123456789012345678.12345678, 7.25, 7000, 7.25, '7'),
	(7, 7, 7, 7.25, 7.25, 12345678901234567890123456789012.0000, 7.250000, 7000, 7.25, '7.25'),
	(8, 8, 8, 16777216, 9007199254740993, 1234.5678901234567, 1234.5678, 8000, 1e40, '1234.5678'),
	(8, 8, 8, 1e6, 1e6, -0.00010000, 1e20, 8000, 1e-20, '1e6'),
	(8, 8, 8, 1e6, 1e6, 1e-70, 0, 8000, 0, '1e6'),
	(8, 8, 8, 1, 1, 1e70, 0, 8000, 0, '1'),
	(3, 3, 3, 3, 3, repeat('123456789', 3000)::numeric, 3, 3000, 3, '3'),
	(3, 3, 3, 3, 3, ('-0.' || repeat('0123456789', 1000))::numeric, 3, 3000, 3, '3');

-- Each column with each, and with its former value; with numbers as they are written; and what is calculated of it.
CREATE TEMP TABLE kind AS SELECT ordinality AS i, name FROM unnest('{i2,i4,i8,f4,f8,n,d,rough,fine,t}'::text[]) WITH ORDINALITY AS k (name);
CREATE TEMP TABLE condition AS
SELECT row_number() OVER (ORDER BY c) AS i, c FROM (
	SELECT format('$.new.%s %s $.new.%s', a.name, op, b.name) AS c FROM kind a, kind b, unnest('{==,<,>=}'::text[]) op WHERE a.i < b.i
	UNION SELECT format('$.new.%s %s $.old.%1$s', name, op) FROM kind, unnest('{==,!=,<,<=,>,>=}'::text[]) op
	UNION SELECT format('$.new.%s == %s', a.name, c.n) FROM kind a, number c WHERE length(c.n::text) < 100 AND c.n::text !~ '[a-z]'
	UNION SELECT format('$.new.%s %s $.old.%s %s 0', a.name, op, b.name, op2)
		FROM kind a, kind b, unnest('{+,-,*,/,%}'::text[]) op, unnest('{>,==}'::text[]) op2 WHERE (a.i + 3 * b.i + length(op)) % 4 = 0
	UNION SELECT format('$.new.%s.%s() %s $.new.%1$s', name, f, op) FROM kind, unnest('{abs,floor,ceiling}'::text[]) f, unnest('{==,<}'::text[]) op
	UNION SELECT format('($.new.%s - $.old.%1$s) / $.old.%1$s * 100 > 10', name) FROM kind
	UNION SELECT format('(-$.new.%s + 0 == 0) is unknown', name) FROM kind) t;
SELECT count(*) > 500 AS enough FROM condition;
SELECT audit.alert_when('c' || i, 'counted', condition => c::jsonpath, kind => 'recorded', events => '{insert,update}', channel => 'c') FROM condition \g /dev/null
SELECT audit.alert_when(kind || ' ' || by || ' ' || k.name, 'counted', ARRAY[k.name], kind => kind, by => nullif(by, 'any'))
FROM kind k, unnest('{increased,decreased}'::text[]) kind, unnest('{any,10%,0.5,10000,1000%}'::text[]) by WHERE name <> 't' \g /dev/null

-- What they should say, told without audit.
CREATE TABLE seen (xid bigint, id int, document jsonb);
CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO seen VALUES (pg_current_xact_id()::text::bigint, NEW.id, jsonb_build_object('old', coalesce(to_jsonb(OLD), '{}'), 'new', to_jsonb(NEW)));
	RETURN NULL;
END $$;
CREATE TRIGGER see AFTER INSERT OR UPDATE ON counted FOR EACH ROW EXECUTE FUNCTION see();
INSERT INTO counted SELECT place, i2, i4, i8, f4, f8, n, d, rough, fine, t FROM number;
UPDATE counted SET (i2, i4, i8, f4, f8, n, d, rough, fine, t) =
	(SELECT i2, i4, i8, f4, f8, n, d, rough, fine, t FROM number WHERE place = id % (SELECT count(*) FROM number) + 1);
UPDATE counted SET (i2, i4, i8, f4, f8, n, d, rough, fine, t) =
	(SELECT i2, i4, i8, f4, f8, n, d, rough, fine, t FROM number WHERE place = (id + 5) % (SELECT count(*) FROM number) + 1);
CREATE FUNCTION holds(document jsonb, condition jsonpath) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	RETURN coalesce(jsonb_path_match(document, condition, silent => true), false);
EXCEPTION WHEN OTHERS THEN RETURN true;
END $$;
CREATE TEMP TABLE verdict AS
SELECT c.c, s.document, holds(s.document, c.c::jsonpath) AS wanted, a.alert_id IS NOT NULL AS raised
FROM condition c CROSS JOIN seen s LEFT JOIN audit.alert a ON a.rule_name = 'c' || c.i AND a.xid = s.xid AND a.record_key = s.id::text;
SELECT count(*) > 30000 AS enough, count(*) FILTER (WHERE wanted) > 5000 AS some_hold FROM verdict;
SELECT c, left(document::text, 500), wanted, raised FROM verdict WHERE wanted <> raised ORDER BY c, document LIMIT 10;

-- How far: in numeric's own words. NaN is more than all, and from or to it any distance.
CREATE TEMP TABLE far AS
SELECT name, kind, by, old.v AS before, new.v AS after, coalesce(CASE kind WHEN 'increased' THEN new.v > old.v ELSE new.v < old.v END
	AND (by = 'any' OR CASE kind WHEN 'increased' THEN new.v - old.v ELSE old.v - new.v END * CASE WHEN by LIKE '%\%' THEN 100 ELSE 1 END
		>= CASE WHEN by = 'any' THEN '0' ELSE rtrim(by, '%') END::numeric * CASE WHEN by LIKE '%\%' THEN abs(old.v) ELSE 1 END), false) AS wanted,
	EXISTS (SELECT FROM audit.alert a WHERE a.rule_name = kind || ' ' || by || ' ' || name AND a.xid = s.xid AND a.record_key = s.id::text) AS raised
FROM seen s, kind k, unnest('{increased,decreased}'::text[]) kind, unnest('{any,10%,0.5,10000,1000%}'::text[]) by,
	LATERAL (SELECT (s.document -> 'old' ->> name)::numeric AS v) old, LATERAL (SELECT (s.document -> 'new' ->> name)::numeric AS v) new
WHERE name <> 't' AND s.document -> 'old' <> '{}';
SELECT count(*) > 4000 AS enough, count(*) FILTER (WHERE wanted) > 800 AS some_are FROM far;
SELECT name, kind, by, left(before::text, 50), left(after::text, 50), wanted, raised FROM far WHERE wanted <> raised ORDER BY 1, 2, 3, 4, 5 LIMIT 10;

SELECT count(audit.alert_drop(name)) > 0 AS dropped FROM audit.alert_rule WHERE target = 'counted'::regclass;
SELECT audit.disable('counted', 'test over') \g /dev/null
DROP TABLE counted, seen, number;
DROP DOMAIN amount;
DROP FUNCTION see(), holds(jsonb, jsonpath);
