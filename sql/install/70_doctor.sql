-- Is everything in place?

CREATE FUNCTION audit.doctor(
	OUT "check" text,
	OUT status text,
	OUT detail text,
	OUT remedy text
) RETURNS SETOF record
	LANGUAGE c VOLATILE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'at_doctor';
COMMENT ON FUNCTION audit.doctor() IS
	'examines the audit trail of this database: one row a check, with status ok, warning or problem, and a remedy';
REVOKE ALL ON FUNCTION audit.doctor() FROM PUBLIC;
