-- Replays the trail from empty and compares the outcome with the live tables.
--
-- SELECT * FROM replay.differences() returns one row for each record on which trail and table
-- disagree, none when they agree. The fold is strict: an UPDATE must find the values that it
-- says it replaced, a DELETE the whole row. Values are compared as the exact JSON text, strings
-- without their escapes. A record's key must not change in its life. Only tables that were
-- audited before their first row can agree: audit.policy, which has a row for itself, cannot.

CREATE SCHEMA replay;

CREATE FUNCTION replay.texts(row_values json) RETURNS jsonb
	LANGUAGE sql IMMUTABLE STRICT AS $$
	SELECT jsonb_object_agg(key, CASE json_typeof(value) WHEN 'string' THEN '"' || (value #>> '{}') ELSE value::text END)
	FROM json_each(row_values) $$;
COMMENT ON FUNCTION replay.texts(json) IS 'column -> text of its JSON value, a string as " and what it means';

CREATE FUNCTION replay.step(state jsonb, op "char", old_texts jsonb, new_texts jsonb) RETURNS jsonb
	LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	IF state ? '!' THEN
		RETURN state;
	ELSIF op = 'I' THEN
		IF state IS NOT NULL THEN
			RETURN '{"!": "inserted while it existed"}';
		END IF;
		RETURN new_texts;
	ELSIF state IS NULL THEN
		RETURN jsonb_build_object('!', format('%s of a record that did not exist', op));
	ELSIF op = 'U' THEN
		IF NOT state @> old_texts THEN
			RETURN jsonb_build_object('!', format('update from %s found %s', old_texts, state));
		END IF;
		RETURN state || new_texts;
	ELSIF state <> old_texts THEN
		RETURN jsonb_build_object('!', format('delete of %s found %s', old_texts, state));
	END IF;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION replay.step(jsonb, "char", jsonb, jsonb) IS
	'one event applied to a record; a contradiction becomes {"!": what} and stays';

CREATE AGGREGATE replay.fold("char", jsonb, jsonb) (SFUNC = replay.step, STYPE = jsonb);
COMMENT ON AGGREGATE replay.fold("char", jsonb, jsonb) IS 'a record''s events, in order, to its row';

CREATE FUNCTION replay.value_expression(attribute pg_attribute) RETURNS text
	LANGUAGE sql STABLE AS $$
	SELECT CASE WHEN attribute.atttypid = ANY ('{bool,int2,int4,int8,float4,float8,numeric,json,jsonb,date,timestamp,timestamptz}'::regtype[])
		THEN format('to_json(t.%1$I)', attribute.attname)
		ELSE format($f$to_json(format('%%s', t.%1$I))$f$, attribute.attname) END $$;
COMMENT ON FUNCTION replay.value_expression(pg_attribute) IS 'SQL for the JSON that the trail must hold of a column t.x that is not null';

CREATE FUNCTION replay.live_query(target regclass, key_columns text[]) RETURNS text
	LANGUAGE sql STABLE AS $$
	SELECT format('SELECT %s AS record_key, replay.texts(json_build_object(%s)) AS row FROM ONLY %s t',
		CASE WHEN cardinality(key_columns) = 1 THEN format('t.%I::text', key_columns[1])
			ELSE $q$'[' || concat_ws(',', $q$ || string_agg(replay.value_expression(a), ', ' ORDER BY array_position(key_columns, a.attname::text))
				FILTER (WHERE a.attname::text = ANY (key_columns)) || $q$) || ']'$q$ END,
		string_agg(format($f$%1$L, CASE WHEN t.%1$I IS NULL THEN 'null'::json ELSE %2$s END$f$, a.attname, replay.value_expression(a)), ', '),
		target)
	FROM pg_attribute a WHERE a.attrelid = target AND a.attnum > 0 AND NOT a.attisdropped $$;
COMMENT ON FUNCTION replay.live_query(regclass, text[]) IS 'SQL that renders a live table as the trail must: record_key, row';

CREATE FUNCTION replay.differences() RETURNS TABLE (table_name text, record_key text, problem text)
	LANGUAGE plpgsql VOLATILE SET timezone = 'UTC' AS $$
DECLARE
	policy record;
BEGIN
	CREATE TEMP TABLE replayed ON COMMIT DROP AS
		WITH cleared AS (	-- the last TRUNCATE of each table
			SELECT DISTINCT ON (t.lineage) t.lineage, e.occurred_at, e.tx_id, e.ordinal
			FROM audit.event e JOIN audit.target t USING (target_id) WHERE e.op = 'T'
			ORDER BY t.lineage, e.occurred_at DESC, e.tx_id DESC, e.ordinal DESC)
		SELECT t.table_schema, t.table_name AS relation, e.record_key AS key,
			replay.fold(e.op, replay.texts(e.old_values), replay.texts(e.new_values) ORDER BY e.occurred_at, e.tx_id, e.ordinal) AS row
		FROM audit.event e JOIN audit.target t USING (target_id) LEFT JOIN cleared c USING (lineage)
		WHERE e.op IN ('I', 'U', 'D')
			AND (c.lineage IS NULL OR (e.occurred_at, e.tx_id, e.ordinal) > (c.occurred_at, c.tx_id, c.ordinal))
		GROUP BY 1, 2, 3;
	-- Rows that are seeded came with the extension, before any trail.
	FOR policy IN SELECT p.target, p.key_columns FROM audit.policy p WHERE p.enabled AND p.target <> ALL (
			'{audit.policy,audit.alert_rule}'::regclass[]) ORDER BY p.target::text LOOP
		RETURN QUERY EXECUTE format($q$
			SELECT %1$L::text, coalesce(live.record_key, trail.key),
				CASE WHEN trail.row ? '!' THEN trail.row ->> '!' WHEN trail.row IS NULL THEN 'not in the trail: ' || live.row::text
					WHEN live.row IS NULL THEN 'not in the table: ' || trail.row::text
					ELSE format('trail %%s, table %%s', trail.row, live.row) END
			FROM (SELECT r.key, r.row FROM replayed r JOIN pg_class c ON c.relname = r.relation AND c.oid = %1$L::regclass
					JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = r.table_schema
				WHERE r.row IS NOT NULL) trail
			FULL JOIN (%2$s) live ON live.record_key = trail.key
			WHERE live.row IS DISTINCT FROM trail.row
				AND (trail.row IS NOT NULL OR live.row ->> 'seeded' IS DISTINCT FROM 'true')$q$, policy.target, replay.live_query(policy.target, policy.key_columns));
	END LOOP;
	DROP TABLE replayed;
END $$;
COMMENT ON FUNCTION replay.differences() IS 'where trail and live tables disagree';
