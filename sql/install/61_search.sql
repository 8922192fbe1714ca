-- Events by any combination of dimensions, newest first. Without JIT, as audit.history().

CREATE FUNCTION audit.search(
	filter jsonb DEFAULT '{}',
	since timestamptz DEFAULT NULL,
	until timestamptz DEFAULT NULL,
	target regclass DEFAULT NULL,
	condition jsonpath DEFAULT NULL,
	max_rows int DEFAULT 100,
	before text DEFAULT NULL)
	RETURNS TABLE (
		event_id text,
		occurred_at timestamptz,
		context text,
		category text,
		event_type text,
		action text,
		resource_type text,
		resource_id text,
		table_schema text,
		table_name text,
		changed text[],
		old_values json,
		new_values json,
		actor text,
		actor_type text,
		db_user text,
		client_ip text,
		application_name text,
		session_id bigint,
		request_id text,
		reason text,
		tx_at timestamptz
	)
	LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 100
	SET search_path = pg_catalog, pg_temp SET jit = off AS 'MODULE_PATHNAME', 'at_search';
COMMENT ON FUNCTION audit.search(jsonb, timestamptz, timestamptz, regclass, jsonpath, int, text) IS
	'the newest events for which all of the filter holds: names of columns of audit.events with a value, null or an array of values; of transactions that began in a time; of a table; where a jsonpath finds something in {"old": ..., "new": ...}. To go on, give the last event_id as before';
REVOKE ALL ON FUNCTION audit.search(jsonb, timestamptz, timestamptz, regclass, jsonpath, int, text) FROM PUBLIC;
