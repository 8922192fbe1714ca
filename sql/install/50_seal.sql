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

-- Not strict: what is not given is not asked for.
CREATE FUNCTION audit.verify(
	checkpoint text DEFAULT NULL,
	public_key text DEFAULT NULL,
	tx_id bigint DEFAULT NULL,
	table_name text DEFAULT NULL,
	since timestamptz DEFAULT NULL,
	until timestamptz DEFAULT NULL,
	since_last boolean DEFAULT false,
	resume boolean DEFAULT false,
	workers int DEFAULT NULL)
	RETURNS TABLE (
		finding text, object text, place text, expected text, found text, detail text,
		before text, after text, cause text, advice text)
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'at_verify';
COMMENT ON FUNCTION audit.verify(text, text, bigint, text, timestamptz, timestamptz, boolean, boolean, int) IS
	'recomputes the hashes of the ledger: all, of one transaction, one table, a time, or what came since the last sealed result; compares with checkpoints that were kept outside; a row for each finding, then a summary';
REVOKE ALL ON FUNCTION audit.verify(text, text, bigint, text, timestamptz, timestamptz, boolean, boolean, int) FROM PUBLIC;

CREATE FUNCTION audit.verify_now(OUT log_index bigint, OUT size bigint, OUT findings bigint)
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'at_verify_now';
COMMENT ON FUNCTION audit.verify_now() IS
	'has the background worker verify what came since the last result, and seal that of it; returns its entry of the log, how many entries were verified, and how many findings there are';
REVOKE ALL ON FUNCTION audit.verify_now() FROM PUBLIC;

CREATE FUNCTION audit.read_verify_progress()
	RETURNS TABLE (
		pid int, started_at timestamptz, mode text, phase text, workers int, entries_done bigint,
		batches_total bigint, batches_done bigint, events_total bigint, events_done bigint, findings bigint)
	LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'at_verify_progress';
COMMENT ON FUNCTION audit.read_verify_progress() IS 'internal: what audit.verify_progress shows';
REVOKE ALL ON FUNCTION audit.read_verify_progress() FROM PUBLIC;

CREATE VIEW audit.verify_progress AS
	SELECT pid, started_at, mode, phase, workers, entries_done, batches_total, batches_done, events_total,
		events_done, findings
	FROM audit.read_verify_progress();
COMMENT ON VIEW audit.verify_progress IS 'verifications of this database that are running now';
COMMENT ON COLUMN audit.verify_progress.pid IS 'process that verifies; its parallel workers have no row of their own';
COMMENT ON COLUMN audit.verify_progress.started_at IS 'when it was begun; anew where something could not be read';
COMMENT ON COLUMN audit.verify_progress.mode IS 'full, resumed, since last, transaction, table or time';
COMMENT ON COLUMN audit.verify_progress.phase IS 'reading the log, checking batches, naming what is wrong, checking what is not sealed, or counting rows';
COMMENT ON COLUMN audit.verify_progress.workers IS 'parallel workers that help now';
COMMENT ON COLUMN audit.verify_progress.entries_done IS 'entries of the log that were read';
COMMENT ON COLUMN audit.verify_progress.batches_total IS 'batches to be checked; known once the log is read';
COMMENT ON COLUMN audit.verify_progress.batches_done IS 'batches checked, also by an earlier verification that this one resumes';
COMMENT ON COLUMN audit.verify_progress.events_total IS 'events in the batches to be checked';
COMMENT ON COLUMN audit.verify_progress.events_done IS 'events in the batches that were checked';
COMMENT ON COLUMN audit.verify_progress.findings IS 'what was found wrong so far; one cause may count more than once until the end';
REVOKE ALL ON audit.verify_progress FROM PUBLIC;

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

CREATE FUNCTION audit.checkpoint_bytes() RETURNS bytea
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'at_checkpoint_bytes';
COMMENT ON FUNCTION audit.checkpoint_bytes() IS
	'the same as checkpoint(), for databases whose encoding cannot represent it as a text';
REVOKE ALL ON FUNCTION audit.checkpoint_bytes() FROM PUBLIC;

CREATE FUNCTION audit.new_incarnation(reason text) RETURNS text
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'at_new_incarnation';
COMMENT ON FUNCTION audit.new_incarnation(text) IS
	'declares, in the log, that this database lawfully does not continue the last signed checkpoint; says which that is';
REVOKE ALL ON FUNCTION audit.new_incarnation(text) FROM PUBLIC;

-- Proofs, which can be checked by whoever has the public key: here, or without this server.

CREATE FUNCTION audit.prove(event_id text) RETURNS text
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'at_prove';
COMMENT ON FUNCTION audit.prove(text) IS
	'a proof that the event is in the log of the newest signed checkpoint; it holds event and checkpoint';
REVOKE ALL ON FUNCTION audit.prove(text) FROM PUBLIC;

CREATE FUNCTION audit.prove_bytes(event_id text) RETURNS bytea
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'at_prove_bytes';
COMMENT ON FUNCTION audit.prove_bytes(text) IS
	'the same as prove(), for databases whose encoding cannot represent it as a text';
REVOKE ALL ON FUNCTION audit.prove_bytes(text) FROM PUBLIC;

CREATE FUNCTION audit.prove_consistency(old_size bigint, new_size bigint) RETURNS text
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'at_prove_consistency';
COMMENT ON FUNCTION audit.prove_consistency(bigint, bigint) IS
	'a proof that the log of the old size is the beginning of that of the new size: hashes, one a line';
REVOKE ALL ON FUNCTION audit.prove_consistency(bigint, bigint) FROM PUBLIC;

CREATE FUNCTION audit.check_proof(proof text, public_key text,
	OUT valid boolean, OUT reason text, OUT size bigint, OUT event_id text)
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'at_check_proof';
COMMENT ON FUNCTION audit.check_proof(text, text) IS
	'does a proof of prove() hold? It says why not, else for which event, and for which size of the log';
REVOKE ALL ON FUNCTION audit.check_proof(text, text) FROM PUBLIC;

CREATE FUNCTION audit.check_proof(proof bytea, public_key text,
	OUT valid boolean, OUT reason text, OUT size bigint, OUT event_id text)
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'at_check_proof_bytes';
COMMENT ON FUNCTION audit.check_proof(bytea, text) IS
	'the same for a proof of prove_bytes()';
REVOKE ALL ON FUNCTION audit.check_proof(bytea, text) FROM PUBLIC;

CREATE FUNCTION audit.check_consistency(old_checkpoint text, new_checkpoint text, proof text,
	public_key text, old_public_key text DEFAULT '',
	OUT valid boolean, OUT reason text, OUT size bigint)
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'at_check_consistency';
COMMENT ON FUNCTION audit.check_consistency(text, text, text, text, text) IS
	'does a log go on from one signed checkpoint to another, by a proof of prove_consistency()? It says why not; old_public_key is for a log whose key was replaced between';
REVOKE ALL ON FUNCTION audit.check_consistency(text, text, text, text, text) FROM PUBLIC;

CREATE FUNCTION audit.check_consistency(old_checkpoint bytea, new_checkpoint bytea, proof text,
	public_key text, old_public_key text DEFAULT '',
	OUT valid boolean, OUT reason text, OUT size bigint)
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'at_check_consistency_bytes';
COMMENT ON FUNCTION audit.check_consistency(bytea, bytea, text, text, text) IS
	'the same for checkpoints of checkpoint_bytes()';
REVOKE ALL ON FUNCTION audit.check_consistency(bytea, bytea, text, text, text) FROM PUBLIC;

CREATE FUNCTION audit.export_tlog(directory text, OUT size bigint, OUT files bigint)
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'at_export_tlog';
COMMENT ON FUNCTION audit.export_tlog(text) IS
	'writes the log of the newest signed checkpoint to a directory of the server, as C2SP tlog-tiles has it; adds to an earlier export; returns the size of the log and how many files were written';
REVOKE ALL ON FUNCTION audit.export_tlog(text) FROM PUBLIC;

CREATE FUNCTION audit.export_evidence(event_ids text[] DEFAULT NULL, query text DEFAULT NULL,
	directory text DEFAULT NULL,
	OUT events bigint, OUT size bigint, OUT manifest text, OUT recorded_as text, OUT archive bytea)
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'at_export_evidence';
COMMENT ON FUNCTION audit.export_evidence(text[], text, text) IS
	'makes a bundle that proves events to others: of these names, or of those that a query of the caller returns; to a directory of the server, or else as a tar archive. Tells how many events, the size of the log that they are proved against, the SHA-256 of the manifest, and the event that records this';
REVOKE ALL ON FUNCTION audit.export_evidence(text[], text, text) FROM PUBLIC;

CREATE FUNCTION audit.export_archive(directory text, OUT size bigint, OUT segments bigint, OUT events bigint)
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'at_export_archive';
COMMENT ON FUNCTION audit.export_archive(text) IS
	'writes all that is sealed up to the newest signed checkpoint, with all values, to a directory of the server, in compressed segments that audit_verify reads; adds to an earlier export; returns the size of the log, and how many segments and events were written';
REVOKE ALL ON FUNCTION audit.export_archive(text) FROM PUBLIC;

CREATE FUNCTION audit.export_segments(partition regclass, directory text,
	OUT file text, OUT rows bigint, OUT segments bigint, OUT proof_bytes bigint)
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'at_export_segments';
COMMENT ON FUNCTION audit.export_segments(regclass, text) IS
	'writes the segments of an archived partition to a file in a directory of the server, and beside it the proof that its rows were sealed, for the newest signed checkpoint: audit.attach_archive() of another server and audit_verify read them. Returns the name of the file, how many rows and segments it has, and how long the proof is';
REVOKE ALL ON FUNCTION audit.export_segments(regclass, text) FROM PUBLIC;
