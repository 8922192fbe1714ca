-- Who acts and why, as the application says it.

CREATE FUNCTION audit.set_context(
	actor text DEFAULT NULL,
	actor_type text DEFAULT NULL,
	request_id text DEFAULT NULL,
	reason text DEFAULT NULL,
	extra jsonb DEFAULT NULL,
	app_session text DEFAULT NULL,
	client_ip text DEFAULT NULL,
	trace_parent text DEFAULT NULL
) RETURNS void
	LANGUAGE c VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'at_set_context';
COMMENT ON FUNCTION audit.set_context(text, text, text, text, jsonb, text, text, text) IS
	'says until the end of the transaction who acts and why; what is null stays as it is';
REVOKE ALL ON FUNCTION audit.set_context(text, text, text, text, jsonb, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.set_context(text, text, text, text, jsonb, text, text, text) TO PUBLIC;

-- Open to all: it can only lead to more being recorded.
CREATE FUNCTION audit.tag_maintenance(reason text) RETURNS void
	LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'at_tag_maintenance';
COMMENT ON FUNCTION audit.tag_maintenance(text) IS
	'records the changes of this transaction even if the session is exempt as maintenance; the reason stands with each';
REVOKE ALL ON FUNCTION audit.tag_maintenance(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.tag_maintenance(text) TO PUBLIC;
