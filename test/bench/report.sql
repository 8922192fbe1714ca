-- The samples as Markdown: medians of the rounds and what they are to no audit.

CREATE TEMP VIEW median AS
	SELECT variant, measure, percentile_cont(0.5) WITHIN GROUP (ORDER BY value) AS value
	FROM bench.sample GROUP BY 1, 2;

CREATE TEMP VIEW side_by_side AS
	SELECT measure, max(value) FILTER (WHERE variant = 'plain') AS plain,
		max(value) FILTER (WHERE variant = 'plpgsql') AS plpgsql, max(value) FILTER (WHERE variant = 'audited') AS audited
	FROM median GROUP BY 1;

CREATE FUNCTION pg_temp.figure(value float8) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE WHEN value >= 100 THEN trim(to_char(value, '999G999G999')) ELSE round(value::numeric, 1)::text END $$;

\echo '| a row | no audit | PL/pgSQL trigger | audit_trail | audit_trail adds | to no audit | to PL/pgSQL |'
\echo '|---|---|---|---|---|---|---|'
SELECT format('| %s | %s | %s | %s | %s | %s× | %s× |', measure, pg_temp.figure(plain), pg_temp.figure(plpgsql), pg_temp.figure(audited),
	pg_temp.figure(audited - plain), coalesce(round((audited / nullif(plain, 0))::numeric, 2)::text, '–'), round((audited / nullif(plpgsql, 0))::numeric, 2))
FROM side_by_side JOIN unnest('{bulk UPDATE,bulk INSERT,bulk DELETE,looped UPDATE,one-row UPDATE}'::text[]) WITH ORDINALITY w (work, n)
	ON measure LIKE work || ',%'
ORDER BY array_position('{CPU µs,µs,WAL bytes,trail bytes}', split_part(measure, ', ', 2)), n;

\echo
SELECT format('An update of ignored columns takes %s µs of CPU a row, %s more than without trigger.',
	pg_temp.figure(i.value), round((i.value - p.value)::numeric, 2))
FROM median i JOIN median p USING (measure)
WHERE measure = 'bulk UPDATE, CPU µs' AND i.variant = 'ignoring' AND p.variant = 'plain';

\echo
\echo '| transactions a second | no audit | PL/pgSQL trigger | audit_trail | kept of no audit | PL/pgSQL keeps |'
\echo '|---|---|---|---|---|---|'
SELECT format('| one-row UPDATE, synchronous_commit %s, %s client%s | %s | %s | %s | %s %% | %s %% |', m[2], m[3], CASE m[3] WHEN '1' THEN '' ELSE 's' END,
	pg_temp.figure(plain), pg_temp.figure(plpgsql), pg_temp.figure(audited),
	round((100 * audited / plain)::numeric), round((100 * plpgsql / plain)::numeric))
FROM side_by_side, LATERAL regexp_match(measure, '^(tps) (\w+) (\d)') m WHERE m IS NOT NULL ORDER BY m[2], m[3];

\echo
\echo '| the ledger | events a second |'
\echo '|---|---|'
SELECT format('| %s | %s |', measure, pg_temp.figure(audited)) FROM side_by_side WHERE measure IN ('seal', 'verify') ORDER BY measure;
