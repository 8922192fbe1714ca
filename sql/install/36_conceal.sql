-- What was a value that is recorded as a commitment or a hash? Whoever may call these can find
-- one by trying: they are for those who may know it.
CREATE FUNCTION audit.check_personal(event_id text, column_name text, value text,
	OUT old_matches boolean, OUT new_matches boolean)
	LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'at_check_personal';
COMMENT ON FUNCTION audit.check_personal(text, text, text) IS
	'is this the value that an event recorded as a commitment, before the change and after it? null where the event has none; a null value asks whether it was null';
REVOKE ALL ON FUNCTION audit.check_personal(text, text, text) FROM PUBLIC;

CREATE FUNCTION audit.hash_value(value text) RETURNS text
	LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'at_hash_value';
COMMENT ON FUNCTION audit.hash_value(text) IS
	'the hash that a hashed column has for this value with the present key, to look for it in the trail';
REVOKE ALL ON FUNCTION audit.hash_value(text) FROM PUBLIC;
