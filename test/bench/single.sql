-- One-row UPDATE transactions of 2 columns; @variant@ is put in by test/bench/run.
-- The first hundred warm the caches up; then the backend reads its own meters, and again at the end.
\set n :n + 1
\set id random(1, :rows)
\if :n = 101 and :meter = 1
CALL bench.start('@variant@', 'one-row UPDATE');
\endif
UPDATE bench.@variant@ SET status = CASE status WHEN 'placed' THEN 'paid' ELSE 'placed' END, updated_at = clock_timestamp() WHERE id = :id;
\if :n = :last and :meter = 1
CALL bench.stop('@variant@', 'one-row UPDATE', :last - 100);
\endif
