-- Sealing and verifying.

CREATE FUNCTION audit.seal_now(OUT log_index bigint, OUT sealed_at timestamptz, OUT size bigint, OUT root text)
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'at_seal_now';
COMMENT ON FUNCTION audit.seal_now() IS
	'seals all that is committed; returns the last entry of the log, its size and its root';
REVOKE ALL ON FUNCTION audit.seal_now() FROM PUBLIC;

CREATE FUNCTION audit.seal_lag(OUT transactions bigint, OUT oldest interval)
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'at_seal_lag';
COMMENT ON FUNCTION audit.seal_lag() IS
	'how many committed transactions are not sealed yet, and how long ago the oldest was committed';
REVOKE ALL ON FUNCTION audit.seal_lag() FROM PUBLIC;

CREATE FUNCTION audit.verify()
	RETURNS TABLE (finding text, object text, place text, expected text, found text, detail text)
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'at_verify';
COMMENT ON FUNCTION audit.verify() IS
	'recomputes every hash of the ledger; a row for each finding, then a summary';
REVOKE ALL ON FUNCTION audit.verify() FROM PUBLIC;

CREATE FUNCTION audit.create_signing_key(path text, name text) RETURNS text
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'at_create_signing_key';
COMMENT ON FUNCTION audit.create_signing_key(text, text) IS
	'makes a new key file, endorsed by the configured key if that has the same name; returns the public key';
REVOKE ALL ON FUNCTION audit.create_signing_key(text, text) FROM PUBLIC;

CREATE FUNCTION audit.checkpoint() RETURNS text
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'at_checkpoint';
COMMENT ON FUNCTION audit.checkpoint() IS
	'the newest signed checkpoint of the log, a signed note; null if there is none';
REVOKE ALL ON FUNCTION audit.checkpoint() FROM PUBLIC;

CREATE FUNCTION audit.new_incarnation(reason text) RETURNS text
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'at_new_incarnation';
COMMENT ON FUNCTION audit.new_incarnation(text) IS
	'declares, in the log, that this database lawfully does not continue the last signed checkpoint; says which that is';
REVOKE ALL ON FUNCTION audit.new_incarnation(text) FROM PUBLIC;
