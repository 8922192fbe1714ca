-- Cold storage: months that nobody writes any more become segments in audit.segment, read by the same views.

CREATE FUNCTION audit.archive_now(
	older_than interval DEFAULT '3 months',
	OUT retention_class int,
	OUT month date,
	OUT events bigint,
	OUT transactions bigint,
	OUT segments bigint,
	OUT hot_bytes bigint,
	OUT cold_bytes bigint)
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'at_archive_now';
COMMENT ON FUNCTION audit.archive_now(interval) IS
	'archives the oldest month that ended so long ago and is not archived yet, and tells what that was; nulls if there is none. Call it in a transaction of its own';
REVOKE ALL ON FUNCTION audit.archive_now(interval) FROM PUBLIC;

CREATE FUNCTION audit.archive_to_file(OUT partition_name text, OUT file text, OUT bytes bigint)
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'at_archive_to_file';
COMMENT ON FUNCTION audit.archive_to_file() IS
	'moves the segments of the oldest archived partition that is still in the database to a file below audit_trail.archive_directory, unless a legal hold is about it; nulls if there is none';
REVOKE ALL ON FUNCTION audit.archive_to_file() FROM PUBLIC;
