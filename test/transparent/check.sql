-- Prints what is wrong with the trail of the audited run; nothing if nothing is.

-- Has the suite been audited at all?
SELECT 'only ' || count(*) || ' tables were audited' FROM audit.policy HAVING count(*) < 1500;
SELECT 'only ' || count(*) || ' events were recorded' FROM audit.events HAVING count(*) < 500000;

SELECT finding, object, place, detail FROM audit.verify()
WHERE (finding, object) IS DISTINCT FROM ('summary', 'ok');

-- Not audit.policy: its key, the table, is told by its name as long as it is there, and then by its
-- number, so the trail and the rows have different keys when a table has been dropped.
SELECT p.target, r.finding, r.record_key, r.detail
FROM audit.policy p JOIN pg_class c ON c.oid = p.target,
	LATERAL (SELECT * FROM audit.reconcile(p.target) LIMIT 3) r
WHERE p.enabled AND p.target <> 'audit.policy'::regclass AND r.finding <> 'summary';
