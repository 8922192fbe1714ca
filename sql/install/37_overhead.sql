-- What audit costs on a table of the user's.

CREATE FUNCTION audit.overhead(target regclass, max_rows int DEFAULT 1000, columns name[] DEFAULT NULL)
	RETURNS TABLE (
		operation text,
		rows int,
		events int,
		microseconds float8,
		event_bytes float8,
		wal_bytes float8,
		left_behind bigint
	)
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'at_overhead';
COMMENT ON FUNCTION audit.overhead(regclass, int, name[]) IS
	'measures on rows of an audited table what it costs to record a change: microseconds a row, bytes stored and written to WAL an event; the table is only read, and the events are rolled back: their dead rows, left_behind bytes, stay in the ledger until VACUUM; an update changes the columns, or two that differ between rows';
REVOKE ALL ON FUNCTION audit.overhead(regclass, int, name[]) FROM PUBLIC;
