-- Anchors: what others, outside of this machine, say of the log's checkpoints.

CREATE FUNCTION audit.anchor_now(OUT size bigint, OUT received_at timestamptz)
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'at_anchor_now';
COMMENT ON FUNCTION audit.anchor_now() IS
	'has the newest signed checkpoint anchored, if it is not, without waiting for its time; returns the newest receipt''s size and time';
REVOKE ALL ON FUNCTION audit.anchor_now() FROM PUBLIC;

CREATE FUNCTION audit.anchored_checkpoint(size bigint DEFAULT 0) RETURNS text
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'at_anchored_checkpoint';
COMMENT ON FUNCTION audit.anchored_checkpoint(bigint) IS
	'the newest checkpoint that has a receipt, or that of this size, with the cosignatures of witnesses; null if there is none';
REVOKE ALL ON FUNCTION audit.anchored_checkpoint(bigint) FROM PUBLIC;

CREATE FUNCTION audit.anchored_checkpoint_bytes(size bigint DEFAULT 0) RETURNS bytea
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'at_anchored_checkpoint_bytes';
COMMENT ON FUNCTION audit.anchored_checkpoint_bytes(bigint) IS
	'the same as anchored_checkpoint(), in UTF-8, for databases whose encoding has no em dash';
REVOKE ALL ON FUNCTION audit.anchored_checkpoint_bytes(bigint) FROM PUBLIC;

CREATE FUNCTION audit.read_anchor_status(
	OUT signed_size bigint,
	OUT anchored_size bigint,
	OUT anchored_at timestamptz,
	OUT attempted_at timestamptz,
	OUT next_attempt timestamptz,
	OUT failures int,
	OUT last_error text,
	OUT overdue_since timestamptz
)
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'at_read_anchor_status';
COMMENT ON FUNCTION audit.read_anchor_status() IS
	'internal: what the anchorer of this database has told of itself; behind audit.anchor_status';
REVOKE ALL ON FUNCTION audit.read_anchor_status() FROM PUBLIC;

CREATE VIEW audit.anchor_status AS
	SELECT s.signed_size, s.anchored_size, s.signed_size - s.anchored_size AS lag, s.anchored_at,
		s.attempted_at, s.next_attempt, s.failures, s.last_error, s.overdue_since
	FROM audit.read_anchor_status() AS s;
COMMENT ON VIEW audit.anchor_status IS 'how the anchoring of checkpoints goes, as the anchorer has told last';
COMMENT ON COLUMN audit.anchor_status.signed_size IS 'size of the newest signed checkpoint';
COMMENT ON COLUMN audit.anchor_status.anchored_size IS 'size of the newest checkpoint that has a receipt; 0 if there is none';
COMMENT ON COLUMN audit.anchor_status.lag IS 'how many entries of the log are not anchored';
COMMENT ON COLUMN audit.anchor_status.anchored_at IS 'when the newest receipt came';
COMMENT ON COLUMN audit.anchor_status.attempted_at IS 'when the command was started last';
COMMENT ON COLUMN audit.anchor_status.next_attempt IS 'when it will be; null if there is nothing to anchor';
COMMENT ON COLUMN audit.anchor_status.failures IS 'failed attempts in a row';
COMMENT ON COLUMN audit.anchor_status.last_error IS 'of the last attempt, if it failed';
COMMENT ON COLUMN audit.anchor_status.overdue_since IS 'since when the newest receipt is older than audit_trail.anchor_max_age';
REVOKE ALL ON audit.anchor_status FROM PUBLIC;
