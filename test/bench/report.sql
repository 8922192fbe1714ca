-- The samples as Markdown: medians of the rounds, a column each variant; and what audit_trail is to no audit.

CREATE TEMP VIEW median AS
	SELECT variant, measure, percentile_cont(0.5) WITHIN GROUP (ORDER BY value) AS value
	FROM bench.sample GROUP BY 1, 2;

CREATE FUNCTION pg_temp.figure(value float8) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE WHEN value IS NULL THEN '–' WHEN value >= 100 THEN trim(to_char(value, '999G999G999')) ELSE round(value::numeric, 1)::text END $$;

-- One line a measure, with all variants in their order.
CREATE TEMP VIEW line AS
	SELECT m.measure, string_agg(pg_temp.figure(d.value), ' | ' ORDER BY v.place) AS figures,
		max(d.value) FILTER (WHERE v.name = 'plain') AS plain, max(d.value) FILTER (WHERE v.name = 'audited') AS audited
	FROM (SELECT DISTINCT measure FROM median) m CROSS JOIN bench.variant v LEFT JOIN median d ON d.measure = m.measure AND d.variant = v.name
	GROUP BY 1;

SELECT string_agg(title, ' | ' ORDER BY place) AS titles, repeat('---|', count(*)::int) AS rule FROM bench.variant \gset
\echo '| a row |' :titles '| audit_trail adds | to no audit |'
\echo '|---|' :rule '---|---|'
SELECT format('| %s | %s | %s | %s× |', measure, figures, pg_temp.figure(audited - plain), coalesce(round((audited / nullif(plain, 0))::numeric, 2)::text, '–'))
FROM line JOIN unnest('{bulk UPDATE,bulk INSERT,bulk DELETE,looped UPDATE,one-row UPDATE}'::text[]) WITH ORDINALITY w (work, n)
	ON measure LIKE work || ',%'
ORDER BY array_position('{CPU µs,µs,WAL bytes,trail bytes}', split_part(measure, ', ', 2)), n;

\echo
SELECT format('An update of ignored columns takes %s µs of CPU a row, %s more than without trigger.',
	pg_temp.figure(i.value), round((i.value - p.value)::numeric, 2))
FROM median i JOIN median p USING (measure)
WHERE measure = 'bulk UPDATE, CPU µs' AND i.variant = 'ignoring' AND p.variant = 'plain';

\echo
\echo '| transactions a second |' :titles '| kept of no audit |'
\echo '|---|' :rule '---|'
SELECT format('| one-row UPDATE, %s, %s client%s | %s | %s %% |',
	CASE m[2] WHEN 'slow' THEN 'flushes of 1 ms' ELSE 'synchronous_commit ' || m[2] END, m[3], CASE m[3] WHEN '1' THEN '' ELSE 's' END, figures, round((100 * audited / plain)::numeric))
FROM line, LATERAL regexp_match(measure, '^(tps) (\w+) (\d+)') m WHERE m IS NOT NULL ORDER BY m[2], m[3]::int;

\echo
\echo '| the ledger | events a second |'
\echo '|---|---|'
SELECT format('| %s | %s |', measure, pg_temp.figure(audited)) FROM line WHERE measure ~ '^(seal|verify)' ORDER BY measure;
