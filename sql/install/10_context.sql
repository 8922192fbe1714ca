-- Who acts and why, as the application says it.

CREATE FUNCTION audit.set_context(
	actor text DEFAULT NULL,
	actor_type text DEFAULT NULL,
	request_id text DEFAULT NULL,
	reason text DEFAULT NULL,
	extra jsonb DEFAULT NULL
) RETURNS void
	LANGUAGE c VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'at_set_context';
COMMENT ON FUNCTION audit.set_context(text, text, text, text, jsonb) IS
	'says until the end of the transaction who acts and why; what is null stays as it is';
REVOKE ALL ON FUNCTION audit.set_context(text, text, text, text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.set_context(text, text, text, text, jsonb) TO PUBLIC;
