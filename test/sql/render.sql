-- Values are recorded exactly, and alike whatever the session's settings are.
CREATE SCHEMA rd;
SET search_path = rd, public;
CREATE TYPE mood AS ENUM ('sad', 'it''s "ok"');
CREATE TYPE pair AS (a int, at timestamptz, d float8);
CREATE DOMAIN price AS numeric(8,3) CHECK (value >= 0);
CREATE TABLE vals (
	id int PRIMARY KEY,
	b boolean, i2 smallint, i8 bigint, f4 float4, f8 float8, n numeric, pr price, m money,
	t text, vc varchar(20), bc char(5), nm name, ch "char", by bytea,
	d date, tm time, ttz timetz, ts timestamp, tstz timestamptz, iv interval,
	u uuid, ip inet, bt bit(4), vb varbit, o oid, rc regclass, x xml,
	j json, jb jsonb, en mood, arr timestamptz[], floats float8[], comp pair, rng tstzrange, mr int4multirange,
	ba bytea[], pt point, tsv tsvector
);
SELECT audit.enable('vals');
CREATE FUNCTION put(int) RETURNS void LANGUAGE sql AS $$
INSERT INTO rd.vals VALUES ($1,
	true, -32768, 9223372036854775807, '1.1', '0.1', '12345678901234567890.1234500', '1.5', '-1234.56',
	E'tab\t"quote" back\\slash nl\n\u00e4\u20ac' || chr(1), 'v', 'ab', 'na"me', 'c', '\x00ff5c22',
	'2026-11-22', '01:02:03.000004', '01:02:03+05:30', '1999-12-31 23:59:59.999999', '2026-06-01 12:00:00+02', '1 year -2 days 03:04:05.6',
	'00000000-0000-0000-0000-00000000000a', '10.0.0.1/8', '1010', '101', 4294967295, 'pg_class', '<a b="c">&amp;</a>',
	'{"k" : [1.0, 1.00],  "k": null}', '{"k": [1.00], "a": "\u00e4"}', 'it''s "ok"', '{"2026-06-01 12:00:00+02",NULL,infinity}', '{0.1,NaN,-Infinity,1e300}',
	ROW(1, '2026-06-01 12:00:00+02', 0.1), '["2026-06-01 12:00:00+02",)', '{[1,3),[7,9)}',
	'{"\\xdead"}', '(0.1,1e-7)', 'a:1 b:2A')
$$;
SELECT put(1);
SET DateStyle = 'German, DMY'; SET TimeZone = 'Asia/Kathmandu'; SET IntervalStyle = 'sql_standard';
SET extra_float_digits = -15; SET bytea_output = 'escape'; SET lc_monetary = 'C.UTF-8'; SET search_path = pg_catalog; SET xmloption = 'content';
SELECT rd.put(2);
RESET ALL;
\x on
SELECT (json_each_text(e.new_values)).* FROM audit.event e JOIN audit.target t USING (target_id)
WHERE t.table_schema = 'rd' AND e.record_key = '1';
\x off
SELECT count(DISTINCT replace(e.new_values::text, '"id":2,', '"id":1,')) AS different_texts, count(*)
FROM audit.event e JOIN audit.target t USING (target_id) WHERE t.table_schema = 'rd';
-- the settings are the session's own again, also after an error in the middle
SHOW DateStyle;
SET DateStyle = 'German, DMY';
DO $$ BEGIN PERFORM rd.put(1); EXCEPTION WHEN unique_violation THEN NULL; END $$;
SHOW DateStyle;
RESET DateStyle;

-- values that are no JSON literals
INSERT INTO rd.vals (id, f4, f8, n, d, ts, tstz, iv) VALUES
	(10, 'NaN', 'Infinity', 'NaN', 'infinity', '-infinity', 'infinity', '178000000 years'),
	(11, '-Infinity', '-0', '-Infinity', '0044-03-15 BC', '0001-01-01 00:00:00 BC', '294276-12-31 23:59:59.999999+00', '-178000000 years'),
	(12, '1e-45', '5e-324', '1e-20', '5874897-12-31', NULL, NULL, NULL);
SELECT e.record_key, e.new_values->>'f4' AS f4, e.new_values->>'f8' AS f8, e.new_values->>'n' AS n, e.new_values->>'d' AS d,
	e.new_values->>'ts' AS ts, e.new_values->>'tstz' AS tstz, e.new_values->>'iv' AS iv
FROM audit.event e JOIN audit.target t USING (target_id) WHERE t.table_schema = 'rd' AND length(e.record_key) = 2 ORDER BY 1;

-- every recorded value is read back by its type as it was
SELECT count(*) AS rows, count(*) FILTER (WHERE v::text = r::text) AS same
FROM rd.vals v JOIN (
	SELECT (json_populate_record(NULL::rd.vals, e.new_values)).*
	FROM audit.event e JOIN audit.target t USING (target_id) WHERE t.table_schema = 'rd') r ON v.id = r.id;
SELECT count(*) AS rows, count(*) FILTER (WHERE v IS NOT DISTINCT FROM r) AS same
FROM (SELECT to_jsonb(v) - 'rc' AS v, id FROM rd.vals v) v JOIN (
	SELECT to_jsonb(r) - 'rc' AS r, id FROM audit.event e JOIN audit.target t USING (target_id),
		json_populate_record(NULL::rd.vals, e.new_values) r WHERE t.table_schema = 'rd') r USING (id);

-- names of objects, also deep inside, whatever the search path is and however names are quoted
CREATE TABLE rd.names (id int PRIMARY KEY, c regclass, p regproc, pp regprocedure, t regtype, n regnamespace,
	cs regclass[], tt rd.pair[], ms money[]);
CREATE TYPE rd.deep AS (t regtype, inner_ones regproc[]);
ALTER TABLE rd.names ADD COLUMN d rd.deep;
SELECT audit.enable('rd.names');
INSERT INTO rd.names VALUES (1, 'rd.names', 'rd.put', 'rd.put(int)', 'rd.pair', 'rd', '{rd.names}', NULL, '{1.5}', '(rd.mood,{rd.put})');
SET search_path = rd; SET quote_all_identifiers = on; SET lc_monetary = 'C.UTF-8';
INSERT INTO rd.names VALUES (2, 'names', 'put', 'put(int)', 'pair', 'rd', '{names}', NULL, '{1.5}', '(mood,{put})');
SHOW quote_all_identifiers; SHOW search_path;
RESET ALL;
SELECT e.new_values FROM audit.event e JOIN audit.target t USING (target_id) WHERE t.table_name = 'names' ORDER BY e.record_key;

-- what is shortened has the length and digest of its text, also of one that is made in pieces
CREATE TABLE rd.long (id int PRIMARY KEY, by bytea, t text, j json);
SELECT audit.enable('rd.long');
SET audit_trail.max_value_size = '1kB';
INSERT INTO rd.long SELECT n, decode(repeat('5c', n), 'hex'), repeat('ä"', n / 3), to_json(repeat('"', n / 2 - 1))
FROM unnest('{511,512,4095,4096,4097,8192,100000}'::int[]) n;
INSERT INTO rd.long VALUES (0, '', '', '""');
RESET audit_trail.max_value_size;
SELECT id, m.key, e.extra->'shortened' AS shortened, m.value->>'bytes' AS bytes,
	m.value->>'bytes' = octet_length(v)::text AND m.value->>'sha256' = encode(sha256(convert_to(v, 'UTF8')), 'hex')
		AND starts_with(v, m.value->>'prefix') AND length(m.value->>'prefix') > 250 * 2 / 3 AS right
FROM audit.event e JOIN audit.target t USING (target_id) JOIN rd.long l ON l.id::text = e.record_key, json_each(e.new_values) m,
	LATERAL (SELECT CASE m.key WHEN 'by' THEN '\x' || encode(by, 'hex') WHEN 't' THEN l.t ELSE j::text END) x(v)
WHERE t.table_name = 'long' AND m.key <> 'id' ORDER BY id, m.key;

-- as deep, as long and as small as they can be
CREATE DOMAIN rd.bits AS bytea;
CREATE TABLE rd.extreme (id int PRIMARY KEY, j json, jb jsonb, n numeric, b rd.bits);
SELECT audit.enable('rd.extreme');
INSERT INTO rd.extreme VALUES
	(1, (repeat('[', 5000) || repeat(']', 5000))::json, (repeat('[', 5000) || repeat(']', 5000))::jsonb, '9e131071', '\x00'),
	(2, (repeat('{"a":', 3000) || '"\u0000"' || repeat('}', 3000))::json, '1e-16383', '-1e-16383', ''),
	(3, ' null ', 'null', '0.000', NULL);
UPDATE rd.extreme SET n = n * 10 WHERE id > 1;
SELECT e.op, e.record_key, length(e.new_values::text) AS length, right(e.new_values::text, 30) AS ending,
	CASE e.op WHEN 'I' THEN position(concat('"j":', j, ',"jb":', jb, ',"n":') IN e.new_values::text) > 0 END AS right
FROM audit.event e JOIN audit.target t USING (target_id) JOIN rd.extreme x ON x.id::text = e.record_key
WHERE t.table_name = 'extreme' ORDER BY e.tx_id, e.ordinal;
SELECT finding, detail FROM audit.reconcile('rd.extreme');

SET client_min_messages = warning;
DROP SCHEMA rd CASCADE;
