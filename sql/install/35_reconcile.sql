-- Is the trail whole? Recording the rows that are there already, and comparing trail and table.

CREATE FUNCTION audit.reconcile(target regclass)
	RETURNS TABLE (
		finding text,
		record_key text,
		column_name text,
		live_value text,
		trail_value text,
		detail text
	)
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'at_reconcile';
COMMENT ON FUNCTION audit.reconcile(regclass) IS
	'replays the trail of a table and compares it with its rows, while writers go on: a row for each difference, then a summary';
REVOKE ALL ON FUNCTION audit.reconcile(regclass) FROM PUBLIC;
