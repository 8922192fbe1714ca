-- How long committed transactions waited until they were sealed.

CREATE FUNCTION shop.seal_lag() RETURNS TABLE (tx_id bigint, committed_at timestamptz, lag interval)
	LANGUAGE sql STABLE AS $$
	SELECT t.tx_id, t.committed_at, e.sealed_at - t.committed_at
	FROM audit.transaction t LEFT JOIN LATERAL (
		SELECT l.sealed_at FROM audit.log_entry l
		WHERE l.kind = 'events' AND l.sealed_at >= t.committed_at
			AND pg_visible_in_snapshot(t.xid::text::xid8, l.snapshot::pg_snapshot)
		ORDER BY l.log_index LIMIT 1) e ON true $$;
COMMENT ON FUNCTION shop.seal_lag() IS 'time from commit to seal of each recorded transaction; null: not sealed yet';
