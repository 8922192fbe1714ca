-- The meters: what a stretch of work in one backend has cost. Needs a superuser, who may read /proc.
-- (bench.stored names the ledger's tables and bench.variant, so audit.init() and peers.sql come first.)

CREATE TABLE bench.sample (variant text, measure text, value float8);
CREATE TABLE bench.mark (variant text, measure text, cpu_ns bigint, wal pg_lsn, stored bigint, made timestamptz DEFAULT clock_timestamp());

CREATE FUNCTION bench.cpu_ns() RETURNS bigint LANGUAGE sql VOLATILE AS $$
	SELECT split_part(pg_read_file('/proc/self/schedstat'), ' ', 1)::bigint $$;
COMMENT ON FUNCTION bench.cpu_ns() IS 'CPU that this backend has used, user and system, by the kernel''s scheduler';

CREATE FUNCTION bench.stored(variant text) RETURNS bigint LANGUAGE sql VOLATILE AS $$
	SELECT CASE $1
		WHEN 'audited' THEN (SELECT sum(pg_total_relation_size(relid))::bigint FROM (
			SELECT relid FROM pg_partition_tree('audit.event') UNION ALL
			SELECT relid FROM pg_partition_tree('audit.transaction')) t)
		ELSE (SELECT coalesce(sum(pg_total_relation_size(r)), 0)::bigint
			FROM bench.variant v, unnest(v.trail::regclass[]) r WHERE v.name = $1) END $$;
COMMENT ON FUNCTION bench.stored(text) IS 'bytes of a variant''s trail with its indexes, without what sealing adds';

CREATE PROCEDURE bench.start(variant text, measure text) LANGUAGE sql AS $$
	DELETE FROM bench.mark m WHERE m.variant = $1 AND m.measure = $2;
	INSERT INTO bench.mark VALUES ($1, $2, bench.cpu_ns(), pg_current_wal_insert_lsn(), bench.stored($1)) $$;
COMMENT ON PROCEDURE bench.start(text, text) IS 'notes where the meters stand';

CREATE PROCEDURE bench.stop(variant text, measure text, n bigint) LANGUAGE sql AS $$
	INSERT INTO bench.sample
	SELECT $1, $2 || m.name, m.value / n FROM bench.mark b, LATERAL (VALUES
		(', CPU µs', (bench.cpu_ns() - cpu_ns) / 1000.0),
		(', µs', extract(epoch FROM clock_timestamp() - made)::numeric * 1e6),
		(', WAL bytes', pg_current_wal_insert_lsn() - wal),
		(', trail bytes', bench.stored($1) - stored)) m (name, value)
	WHERE b.variant = $1 AND b.measure = $2 $$;
COMMENT ON PROCEDURE bench.stop(text, text, bigint) IS 'samples what the meters have counted since start, a row';
