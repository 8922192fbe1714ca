-- The CPU of a row as a bar chart, in SVG: a group of bars for each kind of work, a bar each variant.

CREATE TEMP VIEW bar AS
	SELECT w.n AS work_place, w.work, row_number() OVER (PARTITION BY w.work ORDER BY v.place) AS place, v.title, v.name = 'audited' AS ours, d.value
	FROM unnest('{bulk UPDATE,bulk INSERT,bulk DELETE,one-row UPDATE}'::text[]) WITH ORDINALITY w (work, n)
		CROSS JOIN bench.variant v
		JOIN (SELECT variant, measure, percentile_cont(0.5) WITHIN GROUP (ORDER BY value) AS value FROM bench.sample GROUP BY 1, 2) d
			ON d.variant = v.name AND d.measure = w.work || ', CPU µs';
SELECT max(place) * 18 + 44 AS step, count(DISTINCT work) * (max(place) * 18 + 44) + 40 AS height, max(value) AS top FROM bar \gset

\echo '<svg xmlns="http://www.w3.org/2000/svg" width="760" height="':height'" font-family="sans-serif" font-size="12">'
\echo '<rect width="100%" height="100%" fill="white"/><text x="10" y="22" font-size="15">CPU of a row, µs: less is better</text>'
SELECT format('<text x="10" y="%s" font-weight="bold">%s</text>', 52 + (work_place - 1) * :step, work) FROM bar GROUP BY work_place, work ORDER BY work_place;
SELECT format('<text x="150" y="%s" text-anchor="end">%s</text><rect x="156" y="%s" width="%s" height="14" fill="%s"/><text x="%s" y="%s">%s</text>',
	y + 11, title, y, round((value / :top * 520)::numeric, 1), CASE WHEN ours THEN '#1b6ca8' WHEN place = 1 THEN '#b8b8b8' ELSE '#e0a458' END,
	round((162 + value / :top * 520)::numeric, 1), y + 11, round(value::numeric, 1))
FROM bar, LATERAL (SELECT 40 + (work_place - 1) * :step + place * 18 AS y) l ORDER BY work_place, place;
\echo '</svg>'
