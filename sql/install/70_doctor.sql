-- Is everything in place?

CREATE FUNCTION audit.doctor(
	OUT "check" text,
	OUT status text,
	OUT detail text,
	OUT why text,
	OUT remedy text
) RETURNS SETOF record
	LANGUAGE c VOLATILE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'at_doctor';
COMMENT ON FUNCTION audit.doctor() IS
	'examines the audit trail of this database, a row or more for each check: status is ok, warning or problem, detail what was found, why what it matters for, remedy what mends it; one that begins with SQL can be executed as it stands';
REVOKE ALL ON FUNCTION audit.doctor() FROM PUBLIC;
