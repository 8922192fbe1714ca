-- The schema, and the access method that every ledger table uses.

\echo Use "CREATE EXTENSION audit_trail" to load this file. \quit

COMMENT ON SCHEMA audit IS 'audit_trail: the ledger, its configuration and the functions to use them';
GRANT USAGE ON SCHEMA audit TO PUBLIC;

CREATE FUNCTION audit.worm_handler(internal) RETURNS table_am_handler
	LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'at_worm_handler';
COMMENT ON FUNCTION audit.worm_handler(internal) IS 'internal: handler of the access method audit_worm';
REVOKE ALL ON FUNCTION audit.worm_handler(internal) FROM PUBLIC;

CREATE ACCESS METHOD audit_worm TYPE TABLE HANDLER audit.worm_handler;
COMMENT ON ACCESS METHOD audit_worm IS
	'write-once storage: rows can be inserted by the ledger and read, nothing else';
