-- Every type of PostgreSQL and of its contrib modules: what is recorded is the type's own text under pinned settings,
-- whatever the session's are. The list of types comes from the catalog, so that none can be forgotten.
CREATE SCHEMA types;
SET search_path = types;
SET client_min_messages = warning;
SELECT format('CREATE EXTENSION %I CASCADE', name) FROM unnest(
	'{btree_gist,citext,cube,earthdistance,hstore,intarray,isn,lo,ltree,pg_trgm,seg}'::text[]) name \gexec
RESET client_min_messages;
CREATE TYPE mood AS ENUM ('sad', 'it''s "ok"');
CREATE TYPE pair AS (a int, gone text, at timestamptz, d float8);
ALTER TYPE pair DROP ATTRIBUTE gone;
CREATE DOMAIN pairs AS pair[];

-- what has a name and is no pseudo-type, array or row of a table
CREATE VIEW known AS SELECT oid::regtype AS type, format_type(oid, NULL) AS name FROM pg_type t
WHERE typcategory <> 'A' AND typtype IN ('b', 'd', 'e', 'm', 'r') AND (typnamespace IN ('pg_catalog'::regnamespace, 'types'::regnamespace));
CREATE TABLE sample (type regtype, value text);
COPY sample FROM stdin;
bigint	-9223372036854775808
bigint	9223372036854775807
bit	1
bit varying	\N
bit varying	
bit varying	10100000000001
boolean	t
boolean	f
box	(0.1,1e-7),(-1e300,-0)
bytea	\\x00ff5c22
bytea	
"char"	c
"char"	\\351
"char"	"
"char"	
character	x
cid	4294967295
cidr	10.0.0.0/8
cidr	::ffff:1.2.3.0/120
circle	<(0.1,1e-7),3>
date	2026-11-22
date	0044-03-15 BC
date	5874897-12-31
date	-infinity
double precision	0.1
double precision	-0
double precision	NaN
double precision	-Infinity
double precision	5e-324
double precision	1.7976931348623157e308
inet	10.0.0.1/8
inet	::1
integer	-2147483648
int2vector	1 2 3
int4range	[1,3)
int4range	empty
int4range	(,)
int4multirange	{[1,3),[7,)}
int4multirange	{}
int8range	[1,3)
int8multirange	{[1,3)}
numrange	[1.0,1.00]
nummultirange	{[1.0,1.00],(NaN,)}
daterange	[2026-11-22,infinity)
datemultirange	{[2026-11-22,2027-01-01)}
tsrange	["2026-11-22 01:02:03.4","infinity"]
tsmultirange	{["2026-11-22 01:02:03.4",)}
tstzrange	["2026-11-22 01:02:03.4+05:45",)
tstzmultirange	{["-infinity","0044-03-15 01:02:03+05 BC"],("2026-11-22 01:02:03.4+05:45",infinity)}
interval	1 year -2 days 03:04:05.6
interval	-178000000 years -1 month 1 day -00:00:00.000001
interval	0
json	{"k" : [1.0, 1.00],  "k": null}
json	1e999999
json	"s"
jsonb	{"k": [1.00, -0.0, 1e3], "a": "\\u00e4"}
jsonb	"s"
jsonb	3
jsonpath	$."a b"?(@ > 1.5)
line	{1,-2,1e-7}
lseg	[(0.1,0),(1,-0)]
macaddr	08:00:2b:01:02:03
macaddr8	08:00:2b:01:02:03:04:05
money	-1234.56
money	92233720368547758.07
mood	it's "ok"
name	na"m\\e
numeric	12345678901234567890.1234500
numeric	-0.00
numeric	NaN
numeric	Infinity
numeric	-Infinity
numeric	1e-100
oid	4294967295
oidvector	1 2 3
path	((0.1,0),(1,1))
path	[(0.1,0),(1,1)]
pg_lsn	FFFFFFFF/12345678
pg_snapshot	10:20:10,14,15
point	(0.1,1e-7)
point	(NaN,-Infinity)
polygon	((0.1,0),(1,1),(2,0))
real	1.1
real	-0
real	NaN
real	Infinity
real	1e-45
refcursor	<unnamed "portal" 1>
regclass	types.sample
regclass	pg_class
regclass	4294967295
regcollation	pg_catalog."C"
regconfig	pg_catalog.english
regdictionary	pg_catalog.simple
regnamespace	types
regoper	pg_catalog.||/
regoperator	pg_catalog.+(integer,integer)
regoperator	types.@>(hstore,hstore)
regproc	pg_catalog.int4in
regprocedure	types.avals(hstore)
regprocedure	-
regrole	pg_monitor
regtype	types.mood
regtype	double precision
smallint	-32768
text	tab\ttext "quote" back\\slash nl\nend ä€\x01\x7f
text	
tid	(4294967295,65535)
time without time zone	24:00:00
time without time zone	01:02:03.000004
time with time zone	01:02:03.4+15:59:59
time with time zone	24:00:00-05:45
timestamp without time zone	1999-12-31 23:59:59.999999
timestamp without time zone	0044-03-15 01:02:03 BC
timestamp without time zone	infinity
timestamp with time zone	1999-12-31 23:59:59.999999-05
timestamp with time zone	4713-01-01 00:00:00+00 BC
timestamp with time zone	294276-12-31 23:59:59.999999+00
timestamp with time zone	-infinity
tsquery	'fat' & ( 'ra''t':AB | !'it\\s' <-> 'x':* )
tsvector	'a b':1A,2 'it''s':16383 'c\\d'
txid_snapshot	10:20:10,14,15
uuid	00000000-0000-0000-0000-00000000000a
character varying	v
xid	4294967295
xid8	18446744073709551615
xml	<a b="c">&amp;</a>
xml	text <!-- and more -->
xml	<?xml version="1.0" encoding="UTF-8" standalone="yes"?><ä/>
types.citext	MiXed
types.cube	(0.1, 1e-7),(1, NaN)
types.cube	(1,2)
types.earth	(6378168,0,0)
types.hstore	"a b"=>"1", "c"=>NULL, "it's \\"q\\""=>"\\\\"
types.ean13	4007630000116
types.isbn	0-306-40615-2
types.isbn	0-306-40615-3!
types.isbn13	978-0-306-40615-7
types.ismn	M-3452-4680-5
types.ismn13	979-0-3452-4680-5
types.issn	1436-4522
types.issn13	977-1436-452-00-8
types.upc	1-23456-78901-2
types.lo	16384
types.lquery	a.*{1,2}.!b@|c*%
types.ltree	Top.Science_1
types.ltxtquery	a & !b@*
types.pairs	{"(1,\\"2026-11-22 01:02:03.4+05:45\\",0.1)",NULL,"(,,-Infinity)"}
types.pairs	[0:0][3:4]={{NULL,"(2,infinity,)"}}
types.query_int	1&(2|!3)
types.seg	~1.50 .. <2.0
types.seg	1e-7
\.
INSERT INTO sample VALUES ('aclitem', '=UC/' || quote_ident(current_user)), ('aclitem', 'pg_monitor=ar*/pg_monitor');

-- a type without a sample is one whose input function takes nothing: its values are made by the server itself, or in indexes
CREATE FUNCTION takes_nothing(type regtype) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('SELECT %L::%s', '', type);
	RETURN false;
EXCEPTION WHEN feature_not_supported OR internal_error THEN
	RETURN true;
END $$;
SELECT type, takes_nothing(type) FROM known WHERE type NOT IN (SELECT type FROM sample) ORDER BY name COLLATE "C";

-- a column for each type and one for its array
DO $$ BEGIN
	EXECUTE (SELECT format('CREATE TABLE every (id int PRIMARY KEY, %s)',
		string_agg(format('%1$I %2$s, %3$I %2$s[]', name, type, name || '[]'), ', ' ORDER BY name COLLATE "C"))
	FROM known WHERE type IN (SELECT type FROM sample));
END $$;
SELECT audit.enable('every');
DO $$ BEGIN
	FOR i IN 1..(SELECT max(n) FROM (SELECT count(*) AS n FROM sample GROUP BY type) x) LOOP
		EXECUTE (SELECT format('INSERT INTO every SELECT %s, %s', i,
			string_agg(format('%L::%s, array_prepend(NULL, ARRAY[%s])', value[1 + i % array_length(value, 1)], type,
				(SELECT string_agg(format('%L::%s', v, type), ',') FROM unnest(value) v)), ', ' ORDER BY name COLLATE "C"))
		FROM known JOIN (SELECT type, array_agg(value) AS value FROM sample GROUP BY 1) s USING (type));
	END LOOP;
END $$;
-- rows of it as values, alone, in arrays and in ranges of a type of one's own
CREATE TYPE spans AS RANGE (subtype = timestamptz, multirange_type_name = many_spans);
CREATE DOMAIN span AS spans[];
CREATE TABLE nested (id int PRIMARY KEY, one every, "all" every[], s spans, m many_spans, d span);
SELECT audit.enable('nested');
INSERT INTO nested SELECT id, e, ARRAY[NULL, e], s, many_spans(s), ARRAY[s]
FROM every e, spans('2026-11-22 01:02:03.4+05:45', NULL) s;
-- and what the server makes itself
CREATE TABLE internal (id int PRIMARY KEY, node pg_node_tree, nd pg_ndistinct, dep pg_dependencies, mcv pg_mcv_list);
SELECT audit.enable('internal');
CREATE TABLE correlated AS SELECT i % 3 AS a, i % 3 + 1 AS b, now() - i * interval '1 h' AS c FROM generate_series(1, 100) i;
CREATE STATISTICS correlation ON a, b FROM correlated;
ANALYZE correlated;
INSERT INTO internal SELECT 1, ev_action, stxdndistinct, stxddependencies, stxdmcv
FROM pg_rewrite, pg_statistic_ext_data WHERE ev_class = 'known'::regclass;

-- the same rows again in sessions that write, read and look up everything in another way
CREATE TABLE setting (name text, value text);
INSERT INTO setting VALUES ('DateStyle', 'German, DMY'), ('DateStyle', 'SQL, MDY'), ('DateStyle', 'Postgres, DMY'),
	('TimeZone', 'Asia/Kathmandu'), ('TimeZone', 'America/St_Johns'), ('TimeZone', '-15:59'),
	('IntervalStyle', 'sql_standard'), ('IntervalStyle', 'iso_8601'), ('IntervalStyle', 'postgres_verbose'),
	('extra_float_digits', '-15'), ('extra_float_digits', '0'), ('extra_float_digits', '3'), ('bytea_output', 'escape'),
	('xmlbinary', 'hex'), ('xmloption', 'document'), ('search_path', ''), ('search_path', 'pg_catalog'),
	('search_path', 'types, pg_catalog'), ('search_path', 'pg_temp, types'), ('quote_all_identifiers', 'on'),
	('lc_monetary', 'C.UTF-8'), ('client_encoding', 'LATIN1'), ('default_text_search_config', 'simple'), ('array_nulls', 'off'),
	('standard_conforming_strings', 'off'), ('backslash_quote', 'off'), ('isn.weak', 'on'), ('role', 'pg_monitor');
-- objects of this session that hide those of others
CREATE TEMP TABLE sample (id int);
CREATE TYPE pg_temp.mood AS ENUM ('x');
GRANT ALL ON SCHEMA types TO pg_monitor;
GRANT ALL ON ALL TABLES IN SCHEMA types TO pg_monitor;
DO $$
DECLARE
	columns text := (SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute
		WHERE attrelid = 'types.every'::regclass AND attnum > 1);
	again text[] := ARRAY['INSERT INTO types.every SELECT id + 100 * $1, ' || columns || ' FROM types.every WHERE id < 100',
		'INSERT INTO types.nested SELECT id + 100 * $1, one, "all", s, m, d FROM types.nested WHERE id < 100',
		'INSERT INTO types.internal SELECT id + 100 * $1, node, nd, dep, mcv FROM types.internal WHERE id < 100'];
	statement text;
	n int := 0;
	s record;
BEGIN
	FOR s IN SELECT * FROM types.setting LOOP
		n := n + 1;
		PERFORM set_config(s.name, s.value, false);
		FOREACH statement IN ARRAY again LOOP
			EXECUTE statement USING n;
		END LOOP;
		EXECUTE 'RESET ' || s.name;
	END LOOP;
	RAISE NOTICE '% settings', n;
END $$;
SET search_path = types;
-- a json column's value is itself JSON
CREATE TABLE recorded AS SELECT table_name, resource_id::int AS id, key AS "column",
	CASE WHEN key NOT IN ('json', 'jsonb') AND json_typeof(value) = 'string' THEN value #>> '{}' ELSE value::text END AS value
FROM audit.events, LATERAL json_each(new_values) WHERE table_schema = 'types' AND key <> 'id';
SELECT table_name, r.column, min(value), max(value) FROM recorded r GROUP BY table_name, r.column, id % 100 HAVING count(DISTINCT value) > 1;
SELECT table_name, count(*) AS rows, count(DISTINCT id % 100) AS different
FROM recorded r WHERE r.column IN ('text', 'one', 'node') GROUP BY 1 ORDER BY 1;

-- the recorded text is that of the type's output function; dates and times are ISO 8601, and relations have their schema
SET DateStyle = ISO; SET TimeZone = 'UTC'; SET IntervalStyle = postgres; SET extra_float_digits = 1; SET bytea_output = hex;
SET lc_monetary = 'C'; SET search_path = pg_catalog; SET quote_all_identifiers = off;
CREATE TABLE types.live (table_name text, id int, "column" text, type regtype, value text, back text);
DO $$
DECLARE
	c record;
BEGIN
	FOR c IN SELECT attrelid::regclass AS t, relname, attname, atttypid::regtype AS type, atttypid = ANY('{
			boolean,date,time,timetz,timestamp,timestamptz}'::regtype[]) AS other
		FROM pg_attribute JOIN pg_class k ON k.oid = attrelid WHERE attnum > 1 AND attrelid IN
			('types.every'::regclass, 'types.nested'::regclass, 'types.internal'::regclass)
	LOOP
		EXECUTE format('INSERT INTO types.live SELECT %L, t.id, %L, %L, concat(t.%I), '
			'coalesce(' || CASE WHEN c.other THEN 'concat(r.value::%6$s)' WHEN c.type = 'regclass'::regtype THEN 'replace(r.value, ''pg_catalog.'', '''')'
				ELSE 'r.value' END || ', ''missing'')'
			' FROM %5$s t LEFT JOIN types.recorded r ON r.table_name = %1$L AND r.id = t.id AND r.column = %2$L WHERE t.id < 100',
			c.relname, c.attname, c.type, c.attname, c.t, c.type);
	END LOOP;
END $$;
SELECT table_name, "column", value, back FROM types.live WHERE value <> back AND (value <> '' OR back <> 'null');
SELECT table_name, count(*) > 0 AS compared, count(*) FILTER (WHERE back = 'null') AS nulls FROM types.live GROUP BY 1 ORDER BY 1;
RESET ALL;
SELECT target, r.finding, r.detail FROM unnest('{types.every,types.nested,types.internal}'::regclass[]) target, audit.reconcile(target) r;

SET client_min_messages = warning;
DROP SCHEMA types CASCADE;
DROP TABLE pg_temp.sample;
DROP TYPE pg_temp.mood;
