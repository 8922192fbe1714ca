-- The samples as figures of bar.tsv: name and value. Medians of the rounds.
WITH median AS (
	SELECT variant, measure, percentile_cont(0.5) WITHIN GROUP (ORDER BY value) AS value
	FROM bench.sample GROUP BY 1, 2
), pair AS (
	SELECT a.measure, a.value AS audited, p.value AS plain
	FROM median a LEFT JOIN median p ON p.measure = a.measure AND p.variant = 'plain' WHERE a.variant = 'audited'
)
SELECT figure, round(value::numeric, 2)
FROM pair, LATERAL (VALUES
	('cpu update', 'bulk UPDATE, CPU µs', audited),
	('cpu insert', 'bulk INSERT, CPU µs', audited),
	('cpu delete', 'bulk DELETE, CPU µs', audited),
	('cpu one-row', 'looped UPDATE, CPU µs', audited),
	('trail bytes', 'bulk UPDATE, trail bytes', audited),
	('WAL bytes', 'bulk UPDATE, WAL bytes', audited),
	('kept off 1', 'tps off 1', 100 * audited / nullif(plain, 0)),
	('kept off 4', 'tps off 4', 100 * audited / nullif(plain, 0)),
	('kept on 1', 'tps on 1', 100 * audited / nullif(plain, 0)),
	('kept on 4', 'tps on 4', 100 * audited / nullif(plain, 0)),
	('kept slow 32', 'tps slow 32', 100 * audited / nullif(plain, 0)),
	('seal', 'seal', audited),
	('verify', 'verify', audited)) f (figure, of_measure, value)
WHERE measure = of_measure
UNION ALL
SELECT 'verify speed-up', round((b.audited / nullif(a.audited, 0))::numeric, 2)
FROM pair a, pair b WHERE a.measure = 'verify' AND b.measure = 'verify, a worker beside';
