-- What a standby observes becomes events of its primary server.

CREATE TABLE audit.standby_stream (
	stream uuid CONSTRAINT standby_stream_pkey PRIMARY KEY,
	standby text NOT NULL,
	first bigint NOT NULL,
	last bigint NOT NULL,
	records int NOT NULL,
	groups int NOT NULL,
	received_at timestamptz NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE audit.standby_stream IS
	'internal: how far records of each standby have come, so that none comes twice; written by audit.receive_records()';
COMMENT ON COLUMN audit.standby_stream.stream IS 'whose numbers they are: of a standby, from one loss of its shared memory to the next';
COMMENT ON COLUMN audit.standby_stream.standby IS 'cluster_name of the standby';
COMMENT ON COLUMN audit.standby_stream.first IS 'number of the first record of the last batch';
COMMENT ON COLUMN audit.standby_stream.last IS 'number of its last one';
COMMENT ON COLUMN audit.standby_stream.records IS 'how many it has';
COMMENT ON COLUMN audit.standby_stream.groups IS 'how many transactions of it are committed: one for each origin';
COMMENT ON COLUMN audit.standby_stream.received_at IS 'when the last of them was';
REVOKE ALL ON audit.standby_stream FROM PUBLIC;

CREATE PROCEDURE audit.receive_records(stream uuid, standby text, records bytea)
	LANGUAGE c AS 'MODULE_PATHNAME', 'at_receive_records';
COMMENT ON PROCEDURE audit.receive_records(uuid, text, bytea) IS
	'internal: what the collector of a standby sends, under audit_trail.primary_conninfo, is recorded, each record once';
REVOKE ALL ON PROCEDURE audit.receive_records(uuid, text, bytea) FROM PUBLIC;
