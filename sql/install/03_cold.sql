-- The foreign-data wrapper by which archived partitions of audit.event and audit.transaction are read.

CREATE FUNCTION audit.cold_handler() RETURNS fdw_handler
	LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'at_cold_handler';
COMMENT ON FUNCTION audit.cold_handler() IS 'internal: handler of the foreign-data wrapper audit_cold';
REVOKE ALL ON FUNCTION audit.cold_handler() FROM PUBLIC;

CREATE FUNCTION audit.cold_validator(options text[], catalog oid) RETURNS void
	LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'at_cold_validator';
COMMENT ON FUNCTION audit.cold_validator(text[], oid) IS
	'internal: validator of the foreign-data wrapper audit_cold';
REVOKE ALL ON FUNCTION audit.cold_validator(text[], oid) FROM PUBLIC;

CREATE FOREIGN DATA WRAPPER audit_cold HANDLER audit.cold_handler VALIDATOR audit.cold_validator;
COMMENT ON FOREIGN DATA WRAPPER audit_cold IS
	'reads partitions of the ledger that were archived, from the segments in audit.segment';
REVOKE ALL ON FOREIGN DATA WRAPPER audit_cold FROM PUBLIC;

CREATE SERVER audit_cold FOREIGN DATA WRAPPER audit_cold;
COMMENT ON SERVER audit_cold IS 'cold storage of the audit ledger: this database itself';
REVOKE ALL ON FOREIGN SERVER audit_cold FROM PUBLIC;
