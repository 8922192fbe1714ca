-- Loading: the launcher learns of this database at commit; without preload a warning says
-- what is missing.

CREATE FUNCTION audit.announce() RETURNS void
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'at_announce';
COMMENT ON FUNCTION audit.announce() IS
	'internal: has background workers started here; warns if the library is not preloaded';
REVOKE ALL ON FUNCTION audit.announce() FROM PUBLIC;

SELECT audit.announce();
