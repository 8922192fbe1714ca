-- What else audits a table: our trigger in PL/pgSQL once a statement, and where their packages are installed, table_log and
-- periods. (pgaudit writes texts of statements to the server's log, not rows: it does something else.)

CREATE TABLE bench.variant (name text PRIMARY KEY, place int NOT NULL, title text NOT NULL, trail text[] NOT NULL DEFAULT '{}');
INSERT INTO bench.variant VALUES
	('plain', 1, 'no audit', '{}'),
	('plpgsql', 4, 'PL/pgSQL, row', '{bench.trail}'),
	('statement', 5, 'PL/pgSQL, statement', '{bench.statement_trail}'),
	('audited', 9, 'audit_trail', '{}');

CREATE TABLE bench.statement (LIKE bench.plain INCLUDING ALL);
CREATE TABLE bench.statement_trail (LIKE bench.trail INCLUDING ALL);
CREATE FUNCTION bench.record_statement() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	who text := nullif(current_setting('bench.actor', true), '');
	request text := nullif(current_setting('bench.request_id', true), '');
	tx bigint := pg_current_xact_id()::text::bigint;
BEGIN
	IF TG_OP = 'UPDATE' THEN
		INSERT INTO bench.statement_trail (tx_id, tx_at, occurred_at, table_name, record_key, op, db_user, actor, request_id, old_values, new_values)
		SELECT tx, now(), clock_timestamp(), TG_TABLE_NAME, n.id, 'U', session_user, who, request, d.old_values, d.new_values
		FROM old_rows o JOIN new_rows n USING (id), LATERAL (
			SELECT jsonb_object_agg(a.key, b.value) AS old_values, jsonb_object_agg(a.key, a.value) AS new_values
			FROM jsonb_each(to_jsonb(n)) a JOIN jsonb_each(to_jsonb(o)) b USING (key) WHERE a.value <> b.value) d
		WHERE d.new_values IS NOT NULL;
	ELSIF TG_OP = 'INSERT' THEN
		INSERT INTO bench.statement_trail (tx_id, tx_at, occurred_at, table_name, record_key, op, db_user, actor, request_id, new_values)
		SELECT tx, now(), clock_timestamp(), TG_TABLE_NAME, n.id, 'I', session_user, who, request, to_jsonb(n) FROM new_rows n;
	ELSE
		INSERT INTO bench.statement_trail (tx_id, tx_at, occurred_at, table_name, record_key, op, db_user, actor, request_id, old_values)
		SELECT tx, now(), clock_timestamp(), TG_TABLE_NAME, o.id, 'D', session_user, who, request, to_jsonb(o) FROM old_rows o;
	END IF;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION bench.record_statement() IS 'the PL/pgSQL peer, once a statement';
CREATE TRIGGER record_insert AFTER INSERT ON bench.statement REFERENCING NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION bench.record_statement();
CREATE TRIGGER record_update AFTER UPDATE ON bench.statement REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION bench.record_statement();
CREATE TRIGGER record_delete AFTER DELETE ON bench.statement REFERENCING OLD TABLE AS old_rows
	FOR EACH STATEMENT EXECUTE FUNCTION bench.record_statement();

SELECT count(*) FILTER (WHERE name = 'table_log') > 0 AS has_tablelog, count(*) FILTER (WHERE name = 'periods') > 0 AS has_periods
FROM pg_available_extensions \gset
\if :has_tablelog
CREATE EXTENSION table_log;
CREATE TABLE bench.tablelog (LIKE bench.plain INCLUDING ALL);
SELECT table_log_init(5, 'bench', 'tablelog', 'bench', 'tablelog_log');
INSERT INTO bench.variant SELECT 'tablelog', 2, 'table_log ' || extversion, '{bench.tablelog_log}' FROM pg_extension WHERE extname = 'table_log';
\endif
\if :has_periods
CREATE EXTENSION periods CASCADE;
CREATE TABLE bench.periods (LIKE bench.plain INCLUDING ALL);
SELECT periods.add_system_time_period('bench.periods', 'row_start', 'row_end');
SELECT periods.add_system_versioning('bench.periods');
INSERT INTO bench.variant SELECT 'periods', 3, 'periods ' || extversion, '{bench.periods_history}' FROM pg_extension WHERE extname = 'periods';
\endif
