-- Hostile names, keys, settings, paths and reasons go through every function as what they are: no part of
-- a command, a format or a pattern. What hints and remedies say to run runs, and does what it says.
BEGIN;
SELECT no_plan();
SELECT audit.create_roles('inj_');
CREATE TABLE public.canary (sings boolean);
CREATE TEMP TABLE name (number serial, value text);
INSERT INTO name (value) VALUES
	('a''; DROP TABLE public.canary; --'),
	('a"; DROP TABLE public.canary; --'),
	('%s%n%1$I%%'),
	('$$;DROP TABLE public.canary;$$'),
	(E'line\nbreak\r\ttab'),
	(E'back\\slash\\'),
	('audit."event"'),
	('null'),
	(' leading and trailing '),
	('{"json": [1, "two"]}'),
	('''; SELECT 1/0; '''),
	('*/ DROP TABLE public.canary; /*'),
	(U&'right\202E to left \00FC'),
	(repeat('"', 62)),
	(repeat('''', 63)),
	(repeat('ü', 31) || 'x'),
	('$.new."a" == "b"'),
	('_%\%');

-- The hint of the error that a command ends in.
CREATE FUNCTION pg_temp.hint(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE hint text;
BEGIN
	EXECUTE command;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
	RETURN hint;
END $$;

CREATE FUNCTION pg_temp.value_of(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE value text;
BEGIN
	EXECUTE command INTO value;
	RETURN value;
EXCEPTION WHEN OTHERS THEN
	RETURN 'error: ' || SQLERRM;
END $$;

CREATE FUNCTION pg_temp.check_name(n text, number int) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	target text := format('%I.%I', n, n);
	label text := ' (' || quote_literal(n) || ')';
	other text := 'other ' || number;
BEGIN
	EXECUTE format('CREATE SCHEMA %I', n);
	EXECUTE format('CREATE TABLE %s (%I text PRIMARY KEY, value int, ignored int)', target, n);
	EXECUTE format('CREATE TABLE %I.%I (%I int)', n, other, n);

	-- enabling and its kin
	RETURN NEXT is(pg_temp.value_of(format('SELECT audit.enable(%L, context => %L, resource_type => %L, ignore => ''{ignored}'', "when" => %L)', target, n, n,
		'$.new.value != 13')) LIKE 'audited: %', true, 'enable()' || label);
	RETURN NEXT is(pg_temp.hint(format('SELECT audit.enable(%L, context => ''another'')', target)),
		format('SELECT audit.disable(%L, ''change of settings'');', target), 'the hint of an error names it' || label);
	EXECUTE pg_temp.hint(format('SELECT audit.enable(%L, context => ''another'')', target));
	RETURN NEXT is(pg_temp.value_of(format('SELECT enabled FROM audit.policy WHERE target = %L::regclass', target)), 'false', 'and runs' || label);
	PERFORM pg_temp.value_of(format('SELECT audit.enable(%L, context => %L, resource_type => %L, key => %L)', target, n, n, ARRAY[n]));
	RETURN NEXT is(pg_temp.value_of(format('SELECT audit.disable(%L, reason => %L)', target, n)) LIKE 'no longer%', true, 'disable() with a reason' || label);
	PERFORM pg_temp.value_of(format('SELECT audit.enable(%L, context => %L, resource_type => %L)', target, n, n));
	RETURN NEXT is(pg_temp.value_of(format('SELECT audit.enable_schema(%L, "like" => %L, "except" => %L, context => %L)', quote_ident(n),
		replace(replace(replace(other, '\', '\\'), '_', '\_'), '%', '\%'), ARRAY[n], n)) LIKE '(%', true, 'enable_schema()' || label);

	-- what the application says
	PERFORM audit.set_context(actor => n, actor_type => n, request_id => n, reason => n, extra => jsonb_build_object(n, n), app_session => n, client_ip => n);
	EXECUTE format('INSERT INTO %s VALUES (%L, 1, 1)', target, n);
	EXECUTE format('UPDATE %s SET value = 2', target);
	RETURN NEXT is(pg_temp.value_of(format('SELECT (table_schema, table_name, context, resource_type, resource_id)::text FROM audit.events
		WHERE tx_id = audit.current_tx_id() ORDER BY ordinal DESC LIMIT 1')), ROW(n, n, n, n, n)::text, 'the event tells it as it is' || label);
	RETURN NEXT is(pg_temp.value_of(format('SELECT count(*) FROM audit.history(%L, %L)', target, n)), '2', 'history()' || label);
	RETURN NEXT is(pg_temp.value_of(format('SELECT new_values ->> %L FROM audit.history(%L, %L) WHERE action = ''insert''', n, target, n)), n, 'and its column' || label);
	RETURN NEXT is(pg_temp.value_of(format('SELECT detail FROM audit.reconcile(%L) WHERE finding = ''summary''', target)), 'ok', 'reconcile()' || label);
	RETURN NEXT is(pg_temp.value_of(format('SELECT bool_or(covered) FROM audit.coverage(%L)', target)), 'true', 'coverage()' || label);
	RETURN NEXT is(pg_temp.value_of(format('SELECT object FROM audit.verify(table_name => %L) WHERE finding = ''summary''', target)) ~ '^error: .*(syntax|division)',
		false, 'verify()' || label);

	-- alerts: names that are too long for a notification are refused, by what they are
	RETURN NEXT is(pg_temp.value_of(format('SELECT audit.alert_when(%L, %L, %L, severity => left(%L, 10), channel => ''c'')', n, target, '{value}', n)) LIKE 'alert rule%created%', true,
		'alert_when()' || label);
	EXECUTE format('UPDATE %s SET value = 3', target);
	RETURN NEXT is(pg_temp.value_of(format('SELECT count(*) FROM audit.alerts WHERE rule = %L AND resource_id = %L', n, n)), '1', 'alerts' || label);
	RETURN NEXT is(pg_temp.value_of(format('SELECT audit.alert_drop(%L)', n)) LIKE '%dropped', true, 'alert_drop()' || label);

	-- sources of context: nothing is found there, and nothing is run
	INSERT INTO audit.context_source (field, priority, setting, json_path) VALUES ('actor', number, n, n);

	-- roles, grants, and what the doctor says of them
	EXECUTE format('CREATE ROLE %I', n);
	RETURN NEXT is(pg_temp.value_of(format('INSERT INTO audit.grant (name, grantee, contexts, tables, expires_at) VALUES (%L, %L, %L, %L, ''infinity'') RETURNING grantee',
		n, n, ARRAY[n], ARRAY[target])), n, 'a grant' || label);
	EXECUTE format('GRANT inj_scoped_auditor TO %I', n);
	PERFORM set_config('role', n, true);
	RETURN NEXT is(pg_temp.value_of('SELECT string_agg(DISTINCT table_name, '','') FROM audit.events'), n, 'lets it see the table' || label);
	RESET ROLE;
	RETURN NEXT is(pg_temp.hint(format('GRANT inj_admin TO %I', n)), 'See SELECT * FROM audit.role;', 'and be no admin' || label);
	EXECUTE format('ALTER ROLE %I RENAME TO %I', n, 'gone ' || number);
	RETURN NEXT is(pg_temp.value_of('SELECT count(*) FROM audit.doctor() WHERE "check" = ''access'' AND status = ''problem'''), '1', 'the doctor finds the grant of a role that is gone' || label);
	EXECUTE pg_temp.value_of('SELECT remedy FROM audit.doctor() WHERE "check" = ''access''');
	RETURN NEXT is(pg_temp.value_of('SELECT count(*) FROM audit.grant'), '0', 'and its remedy works' || label);
	EXECUTE format('ALTER ROLE %I RENAME TO %I', 'gone ' || number, n);
	UPDATE audit.role SET role = 'inj_other ' || kind WHERE kind IN ('admin', 'auditor');
	EXECUTE format('GRANT inj_admin, inj_auditor TO %I', n);
	UPDATE audit.role SET role = 'inj_' || kind WHERE kind IN ('admin', 'auditor');
	EXECUTE pg_temp.value_of('SELECT string_agg(remedy, '''') FROM audit.doctor() WHERE "check" = ''access'' AND detail LIKE ''%is admin and auditor%''');
	RETURN NEXT is(pg_temp.value_of('SELECT count(*) FROM audit.role_conflicts WHERE other = ''auditor'''), '0', 'so does that for a conflict' || label);
	EXECUTE format('REVOKE inj_admin, inj_auditor, inj_scoped_auditor FROM %I', n);
	DELETE FROM audit.grant;

	-- what is renamed is followed
	EXECUTE format('ALTER TABLE %s RENAME COLUMN value TO %I', target, left(n, 20) || number);
	EXECUTE format('UPDATE %s SET %I = 4', target, left(n, 20) || number);
	RETURN NEXT is(pg_temp.value_of(format('SELECT changed[1] FROM audit.history(%L, %L) ORDER BY tx_id DESC, event_id DESC LIMIT 1', target, n)) IS NOT NULL, true, 'a renamed column' || label);
	EXECUTE format('ALTER SCHEMA %I RENAME TO %I', n, 'moved ' || number);
	RETURN NEXT is(pg_temp.value_of(format('SELECT count(*) > 3 FROM audit.history(%L, %L)', format('%I.%I', 'moved ' || number, n), n)), 'true', 'a renamed schema' || label);
	EXECUTE format('DROP SCHEMA %I CASCADE', 'moved ' || number);
	RETURN NEXT is(pg_temp.value_of(format('SELECT reason FROM audit.policy WHERE context = %L AND NOT enabled LIMIT 1', n)), 'dropped by DROP SCHEMA', 'a dropped one' || label);
END $$;
SET client_min_messages = error;
SELECT t.* FROM name n CROSS JOIN LATERAL pg_temp.check_name(n.value, n.number) t;

-- settings of others that are no names of settings, read at the first event of a transaction; roles by hostile names
SELECT is((SELECT count(*) > 15 FROM audit.context_source), true, 'the sources of context are there');
SELECT lives_ok(format('DELETE FROM audit.role; SELECT audit.create_roles(%L)', left(n.value, 20)), 'create_roles() ' || quote_literal(n.value))
FROM name n WHERE n.value !~ '^.{0,3}$';
SELECT is((SELECT count(*)::int FROM audit.role WHERE to_regrole(quote_ident(role)) IS NULL), 0, 'the roles are those');

-- paths that are no predicates, have errors or reach for what is not there
SELECT throws_ok(format('SELECT audit.enable(''public.canary'', "when" => %L)', p), NULL, NULL, 'a path is refused: ' || p)
FROM unnest(ARRAY['$.new', '$', '"DROP TABLE canary"', '$.new.nothing == 1', '$.other.sings == true', '$x == 1', '$.new.sings == "a" || drop()']) p;

SELECT has_table('public', 'canary', 'the canary lives');
SELECT * FROM finish();
ROLLBACK;
