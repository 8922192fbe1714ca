-- The ledger: tables that are made by audit.init(), not by CREATE EXTENSION, so that they
-- are dumped with their rows and a DROP EXTENSION without CASCADE cannot take the evidence along.

CREATE FUNCTION audit.init(owner text DEFAULT 'audit_ledger') RETURNS text
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'at_init';
COMMENT ON FUNCTION audit.init(text) IS
	'creates the ledger of this database if it is not there yet, and the role that will own it; says what was done';
REVOKE ALL ON FUNCTION audit.init(text) FROM PUBLIC;

CREATE FUNCTION audit.shield(owner text DEFAULT 'audit_ledger') RETURNS void
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'at_shield_sql';
COMMENT ON FUNCTION audit.shield(text) IS
	'gives the ledger to a role that cannot log in, and puts its row security in force, where a restore left that out';
REVOKE ALL ON FUNCTION audit.shield(text) FROM PUBLIC;

CREATE FUNCTION audit.create_partitions(months_ahead int DEFAULT 3) RETURNS int
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'at_create_partitions';
COMMENT ON FUNCTION audit.create_partitions(int) IS
	'makes the ledger''s monthly partitions from this month on; returns how many were new';
REVOKE ALL ON FUNCTION audit.create_partitions(int) FROM PUBLIC;

CREATE FUNCTION audit.has_context_support(internal) RETURNS internal
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'at_has_context_support';
COMMENT ON FUNCTION audit.has_context_support(internal) IS
	'internal: tells the planner that few events have a context of their own; it would presume a third';
REVOKE ALL ON FUNCTION audit.has_context_support(internal) FROM PUBLIC;

-- Open to all: it reads its argument alone, and views call it as their reader.
CREATE FUNCTION audit.has_context(extra json) RETURNS boolean
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE SUPPORT audit.has_context_support
	AS 'MODULE_PATHNAME', 'at_has_context';
COMMENT ON FUNCTION audit.has_context(json) IS
	'internal: whether the extra of an event tells a context of its own, other than that of its transaction';
GRANT EXECUTE ON FUNCTION audit.has_context(json) TO PUBLIC;

-- Utility commands only: a function in SQL can then create tables that its later
-- commands use, and needs no procedural language.
CREATE FUNCTION audit.create_ledger() RETURNS void
	LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $ledger$

CREATE SEQUENCE audit.session_id_seq AS bigint CYCLE;
COMMENT ON SEQUENCE audit.session_id_seq IS 'names sessions that wrote (audit.session.session_id)';
CREATE SEQUENCE audit.target_id_seq AS int CYCLE;
COMMENT ON SEQUENCE audit.target_id_seq IS 'names versions of audited tables (audit.target.target_id)';
-- a block for each session: src/ledger/number.h
CREATE SEQUENCE audit.alert_id_seq AS bigint INCREMENT 64 CYCLE;
COMMENT ON SEQUENCE audit.alert_id_seq IS 'names alerts (audit.alert.alert_id), 64 at once';
CREATE SEQUENCE audit.alert_action_id_seq AS bigint CYCLE;
COMMENT ON SEQUENCE audit.alert_action_id_seq IS 'numbers what is done about alerts (audit.alert_action.action_id)';
CREATE SEQUENCE audit.alert_delivery_id_seq AS bigint;
COMMENT ON SEQUENCE audit.alert_delivery_id_seq IS 'numbers deliveries of alerts (audit.alert_delivery.delivery_id)';
CREATE SEQUENCE audit.store_id_seq AS int;
COMMENT ON SEQUENCE audit.store_id_seq IS 'names cold stores (audit.segment.store_id)';

CREATE SEQUENCE audit.keeper_run_id_seq AS bigint CYCLE;
COMMENT ON SEQUENCE audit.keeper_run_id_seq IS 'names rows of audit.keeper_run';

CREATE TABLE audit.incarnation (
	incarnation int NOT NULL,
	began_at timestamptz NOT NULL,
	system_identifier bigint NOT NULL,
	database_oid oid NOT NULL,
	log_id uuid NOT NULL,
	reason text NOT NULL
) USING audit_worm;
CREATE UNIQUE INDEX incarnation_pkey ON audit.incarnation (incarnation);
COMMENT ON TABLE audit.incarnation IS
	'a life of this ledger: the server and database that it was written in from then on';
COMMENT ON COLUMN audit.incarnation.incarnation IS 'its number, from 1';
COMMENT ON COLUMN audit.incarnation.began_at IS 'when it began';
COMMENT ON COLUMN audit.incarnation.system_identifier IS 'of the server, as pg_control_system() tells';
COMMENT ON COLUMN audit.incarnation.database_oid IS 'oid of the database in that server';
COMMENT ON COLUMN audit.incarnation.log_id IS 'of the ledger, drawn at random once; the same in every incarnation';
COMMENT ON COLUMN audit.incarnation.reason IS 'why it began';

CREATE TABLE audit.session (
	session_id bigint NOT NULL,
	started_at timestamptz NOT NULL,
	backend_pid int NOT NULL,
	client_port int NOT NULL,
	login_user text,
	client_addr text,
	application_name text,
	tls text
) USING audit_worm;
CREATE UNIQUE INDEX session_pkey ON audit.session (session_id);
CREATE INDEX session_backend_idx ON audit.session (started_at, backend_pid);
COMMENT ON TABLE audit.session IS 'a backend session that wrote: what the server knows of its origin';
COMMENT ON COLUMN audit.session.session_id IS 'names the session; a backend may have two';
COMMENT ON COLUMN audit.session.started_at IS 'when the backend was started';
COMMENT ON COLUMN audit.session.backend_pid IS 'process id of the backend';
COMMENT ON COLUMN audit.session.client_port IS 'TCP port of the client; 0 without TCP/IP';
COMMENT ON COLUMN audit.session.login_user IS 'the role that was authenticated; no SET changes it';
COMMENT ON COLUMN audit.session.client_addr IS 'address that the session came from; null without TCP/IP';
COMMENT ON COLUMN audit.session.application_name IS 'application_name when the row was written';
COMMENT ON COLUMN audit.session.tls IS 'TLS version, cipher and client certificate name; null without TLS';

CREATE TABLE audit.transaction (
	tx_id bigint NOT NULL,
	tx_at timestamptz NOT NULL,
	committed_at timestamptz NOT NULL,
	xid bigint NOT NULL,
	session_id bigint NOT NULL,
	system_identifier bigint NOT NULL,
	database_oid oid NOT NULL,
	event_count int NOT NULL,
	retention_class smallint NOT NULL,
	digest bytea NOT NULL,
	actor text COLLATE "C" NOT NULL,
	actor_type text,
	actor_source text NOT NULL,
	db_user text NOT NULL,
	db_role text NOT NULL,
	application_name text,
	request_id text COLLATE "C",
	reason text,
	claimed_session text,
	claimed_client_ip text,
	trace_parent text,
	extra json,
	context_sources json,
	session_digest bytea,
	event_places bytea
) PARTITION BY LIST (retention_class);
CREATE INDEX transaction_tx_id_idx ON audit.transaction (tx_id)
	WITH (deduplicate_items = off);
CREATE INDEX transaction_tx_at_idx ON audit.transaction USING audit_deferred (tx_at);
CREATE INDEX transaction_actor_idx ON audit.transaction USING audit_deferred (actor, tx_at);
CREATE INDEX transaction_session_idx ON audit.transaction USING audit_deferred (session_id, tx_at);
CREATE INDEX transaction_request_idx ON audit.transaction USING audit_deferred (request_id)
	WHERE request_id IS NOT NULL;
COMMENT ON TABLE audit.transaction IS 'a recorded transaction: who, whence, why, how many events, digest of their chain';
COMMENT ON COLUMN audit.transaction.tx_id IS 'names the transaction: its xid, and in a ledger that was restored elsewhere besides 10^15 for each incarnation after the first';
COMMENT ON COLUMN audit.transaction.tx_at IS 'when the transaction began';
COMMENT ON COLUMN audit.transaction.committed_at IS 'when it was about to commit (for two-phase commit: to prepare)';
COMMENT ON COLUMN audit.transaction.xid IS 'full 64-bit transaction id in the server named by system_identifier';
COMMENT ON COLUMN audit.transaction.session_id IS 'session, see audit.session';
COMMENT ON COLUMN audit.transaction.system_identifier IS 'server in which it ran';
COMMENT ON COLUMN audit.transaction.database_oid IS 'oid of the database in which it ran';
COMMENT ON COLUMN audit.transaction.event_count IS 'how many events it has';
COMMENT ON COLUMN audit.transaction.retention_class IS 'how long it is kept; where its row is stored, and not hashed';
COMMENT ON COLUMN audit.transaction.digest IS 'end of the hash chain over the transaction''s events';
COMMENT ON COLUMN audit.transaction.actor IS 'who acted, as the application says; without that, db_user';
COMMENT ON COLUMN audit.transaction.actor_type IS 'user, service, ...: what the application says';
COMMENT ON COLUMN audit.transaction.actor_source IS 'where actor was learnt: setting, source:NAME (a setting that audit.context_source names), comment or db_user';
COMMENT ON COLUMN audit.transaction.db_user IS 'session_user at the first event';
COMMENT ON COLUMN audit.transaction.db_role IS 'current_user at the first event';
COMMENT ON COLUMN audit.transaction.application_name IS 'application_name at the end of the transaction';
COMMENT ON COLUMN audit.transaction.request_id IS 'request that it belongs to, as the application says';
COMMENT ON COLUMN audit.transaction.reason IS 'why, as the application says';
COMMENT ON COLUMN audit.transaction.claimed_session IS 'session of the application, as it says';
COMMENT ON COLUMN audit.transaction.claimed_client_ip IS 'address that the application''s client came from, as it says; what the server knows is in audit.session';
COMMENT ON COLUMN audit.transaction.trace_parent IS 'W3C trace context of the request, as the application says';
COMMENT ON COLUMN audit.transaction.extra IS 'further context, as the application says: a JSON object';
COMMENT ON COLUMN audit.transaction.context_sources IS 'where fields other than actor were learnt, by name, if not from settings audit_trail.*';
COMMENT ON COLUMN audit.transaction.session_digest IS 'hash of the audit.session row, if this transaction wrote it';
COMMENT ON COLUMN audit.transaction.event_places IS 'where the rows of its first 16 events were stored, for as long as it is not sealed; not hashed, and of use in this server alone';

CREATE TABLE audit.event (
	tx_id bigint NOT NULL,
	tx_at timestamptz NOT NULL,
	occurred_at timestamptz NOT NULL,
	ordinal int NOT NULL,
	target_id int NOT NULL,
	retention_class smallint NOT NULL,
	op "char" NOT NULL,
	record_key text COLLATE "C",
	event_type text,
	old_values json,
	new_values json,
	extra json
) PARTITION BY LIST (retention_class);
CREATE INDEX event_tx_id_idx ON audit.event USING audit_deferred (tx_id, ordinal)
	WITH (deduplicate_items = off);
CREATE INDEX event_record_idx ON audit.event USING audit_deferred (target_id, record_key, tx_at)
	WITH (deduplicate_items = off);
CREATE INDEX event_context_idx ON audit.event (tx_at) WHERE audit.has_context(extra);
COMMENT ON TABLE audit.event IS 'a recorded event; named tx_id.ordinal';
COMMENT ON COLUMN audit.event.tx_id IS 'recorded transaction, see audit.transaction';
COMMENT ON COLUMN audit.event.tx_at IS 'when the transaction began';
COMMENT ON COLUMN audit.event.occurred_at IS 'when it happened';
COMMENT ON COLUMN audit.event.ordinal IS 'place in the transaction, from 1 without gaps';
COMMENT ON COLUMN audit.event.op IS 'I insert, U update, D delete, T truncate (a row that it took; without values the table itself), B baseline (a row that was there already), A altered: the table itself, M changes that were counted as maintenance, X evidence was exported, R an attempt that was refused, V the trail was read, E an event that the application told, S a table was read, L a session, P rights and settings, K an alert was acknowledged, or is to be told again, H alerts were sealed';
COMMENT ON COLUMN audit.event.record_key IS 'key of the row (after the change); a JSON array where the key has several columns';
COMMENT ON COLUMN audit.event.event_type IS 'null: the resource type with created, updated, deleted, truncated or baseline';
COMMENT ON COLUMN audit.event.old_values IS 'the exact text that was hashed; for an update the changed columns only';
COMMENT ON COLUMN audit.event.new_values IS 'the exact text that was hashed; for an update the changed columns only';
COMMENT ON COLUMN audit.event.target_id IS 'version of the table, see audit.target';
COMMENT ON COLUMN audit.event.retention_class IS 'how long it is kept; where its row is stored, and not hashed';
COMMENT ON COLUMN audit.event.extra IS 'what else is known: trigger_depth, statement (where it is not INSERT for I and so on), maintenance, partition, rows that a TRUNCATE took, what was shortened, and context where it is not that of the transaction';

CREATE TABLE audit.target (
	target_id int NOT NULL,
	lineage int NOT NULL,
	tx_id bigint NOT NULL,
	defined_at timestamptz NOT NULL,
	retention_class smallint NOT NULL,
	table_schema text NOT NULL,
	table_name text NOT NULL,
	resource_type text NOT NULL,
	context text NOT NULL,
	key_columns json NOT NULL,
	columns json NOT NULL
) USING audit_worm;
CREATE UNIQUE INDEX target_pkey ON audit.target (target_id);
COMMENT ON TABLE audit.target IS 'one version of an audited table: its names, key and columns';
COMMENT ON COLUMN audit.target.target_id IS 'names the version';
COMMENT ON COLUMN audit.target.lineage IS 'target_id of the first version of the same table';
COMMENT ON COLUMN audit.target.tx_id IS 'recorded transaction that defined it';
COMMENT ON COLUMN audit.target.defined_at IS 'when it was defined';
COMMENT ON COLUMN audit.target.retention_class IS 'how long its events are kept';
COMMENT ON COLUMN audit.target.table_schema IS 'schema of the table';
COMMENT ON COLUMN audit.target.table_name IS 'name of the table';
COMMENT ON COLUMN audit.target.resource_type IS 'what a row is called in events';
COMMENT ON COLUMN audit.target.context IS 'business context of its events';
COMMENT ON COLUMN audit.target.key_columns IS 'JSON array of the names of the columns that identify a row';
COMMENT ON COLUMN audit.target.columns IS 'JSON array: name and type of each column';

CREATE TABLE audit.log_entry (
	log_index bigint NOT NULL,
	sealed_at timestamptz NOT NULL,
	incarnation int NOT NULL,
	kind text NOT NULL,
	previous bytea NOT NULL,
	root bytea NOT NULL,
	leaf_count bigint NOT NULL,
	tx_count bigint NOT NULL,
	event_count bigint NOT NULL,
	first_tx_at timestamptz,
	last_tx_at timestamptz,
	snapshot text,
	payload json
) USING audit_worm;
CREATE UNIQUE INDEX log_entry_pkey ON audit.log_entry (log_index);
CREATE INDEX log_entry_kind_idx ON audit.log_entry (kind, log_index);
CREATE INDEX log_entry_time_idx ON audit.log_entry (last_tx_at, first_tx_at);
COMMENT ON TABLE audit.log_entry IS 'an entry of the global log: a batch of events, or a control record';
COMMENT ON COLUMN audit.log_entry.log_index IS 'its place in the log, from 0';
COMMENT ON COLUMN audit.log_entry.sealed_at IS 'when it was made';
COMMENT ON COLUMN audit.log_entry.incarnation IS 'life of the ledger, see audit.incarnation';
COMMENT ON COLUMN audit.log_entry.kind IS 'events, or of a control record boot, incarnation, declared, guard, start, timeline, key, verified, heartbeat, request, approve, refuse, retention, hold, release, purge, purged, purge_cancelled, erase, erased or settings';
COMMENT ON COLUMN audit.log_entry.previous IS 'SHA-256 of the entry before; 32 zero bytes in the first';
COMMENT ON COLUMN audit.log_entry.root IS 'RFC 6962 root of the batch''s leaves';
COMMENT ON COLUMN audit.log_entry.leaf_count IS 'leaves of the batch: its events and transactions';
COMMENT ON COLUMN audit.log_entry.tx_count IS 'transactions of the batch';
COMMENT ON COLUMN audit.log_entry.event_count IS 'events of the batch';
COMMENT ON COLUMN audit.log_entry.first_tx_at IS 'earliest tx_at in the batch';
COMMENT ON COLUMN audit.log_entry.last_tx_at IS 'latest tx_at in the batch';
COMMENT ON COLUMN audit.log_entry.snapshot IS 'all that was settled in this snapshot is sealed by this entry or an earlier one';
COMMENT ON COLUMN audit.log_entry.payload IS 'of a control record what it says; of a batch the tables of its events, or the transactions that were broken when it was sealed';

CREATE TABLE audit.leaf_tile (
	log_index bigint NOT NULL,
	tile int NOT NULL,
	hashes bytea NOT NULL,
	owners bytea NOT NULL,
	root bytea NOT NULL
) USING audit_worm;
ALTER TABLE audit.leaf_tile ALTER COLUMN hashes SET STORAGE EXTERNAL;
CREATE UNIQUE INDEX leaf_tile_pkey ON audit.leaf_tile (log_index, tile);
COMMENT ON TABLE audit.leaf_tile IS '256 leaf hashes of a batch and whose they are';
COMMENT ON COLUMN audit.leaf_tile.log_index IS 'entry of the log that the batch has';
COMMENT ON COLUMN audit.leaf_tile.tile IS 'its place in the batch, from 0';
COMMENT ON COLUMN audit.leaf_tile.hashes IS 'up to 256 SHA-256 leaf hashes, one behind the other';
COMMENT ON COLUMN audit.leaf_tile.owners IS 'runs of 16 bytes: tx_id, first ordinal, and how many; the highest bit of that: the transaction''s own leaf follows';
COMMENT ON COLUMN audit.leaf_tile.root IS 'RFC 6962 root of the hashes: proofs in large batches read this instead of them';

CREATE TABLE audit.log_tile (
	level int NOT NULL,
	tile bigint NOT NULL,
	hashes bytea NOT NULL
) USING audit_worm;
ALTER TABLE audit.log_tile ALTER COLUMN hashes SET STORAGE EXTERNAL;
CREATE UNIQUE INDEX log_tile_pkey ON audit.log_tile (tile, level);
COMMENT ON TABLE audit.log_tile IS '256 hashes of the global log''s tree: a tile of C2SP tlog-tiles, stored when it was full';
COMMENT ON COLUMN audit.log_tile.level IS 'level of the tile; its hashes are roots of 256^level entries each, on level 0 the entries'' leaves';
COMMENT ON COLUMN audit.log_tile.tile IS 'its place in the level, from 0';
COMMENT ON COLUMN audit.log_tile.hashes IS '256 SHA-256 hashes, one behind the other';

CREATE TABLE audit.checkpoint (
	size bigint NOT NULL,
	made_at timestamptz NOT NULL,
	root bytea NOT NULL,
	frontier bytea NOT NULL
) USING audit_worm;
CREATE UNIQUE INDEX checkpoint_pkey ON audit.checkpoint (size);
COMMENT ON TABLE audit.checkpoint IS 'the head of the global log after each entry: its size and RFC 6962 root';
COMMENT ON COLUMN audit.checkpoint.size IS 'how many entries the log had';
COMMENT ON COLUMN audit.checkpoint.made_at IS 'when';
COMMENT ON COLUMN audit.checkpoint.root IS 'RFC 6962 root over these entries';
COMMENT ON COLUMN audit.checkpoint.frontier IS 'roots of the perfect subtrees, largest first: what the next entry is added to';

CREATE TABLE audit.anchor_receipt (
	receipt_id bigint NOT NULL,
	size bigint NOT NULL,
	incarnation int NOT NULL,
	requested_at timestamptz NOT NULL,
	received_at timestamptz NOT NULL,
	attempt int NOT NULL,
	kind text NOT NULL,
	command text NOT NULL,
	checkpoint bytea NOT NULL,
	receipt bytea NOT NULL
) USING audit_worm;
CREATE UNIQUE INDEX anchor_receipt_pkey ON audit.anchor_receipt (receipt_id);
CREATE INDEX anchor_receipt_size_idx ON audit.anchor_receipt (size);
COMMENT ON TABLE audit.anchor_receipt IS
	'what somebody outside has given for a signed checkpoint: what audit_trail.anchor_command printed';
COMMENT ON COLUMN audit.anchor_receipt.receipt_id IS 'its number, from 1, in the order of arrival';
COMMENT ON COLUMN audit.anchor_receipt.size IS 'of the checkpoint that it is for, see audit.checkpoint';
COMMENT ON COLUMN audit.anchor_receipt.incarnation IS 'life of the ledger that asked for it, see audit.incarnation';
COMMENT ON COLUMN audit.anchor_receipt.requested_at IS 'when the command was started';
COMMENT ON COLUMN audit.anchor_receipt.received_at IS 'when it had ended, by the clock of this server';
COMMENT ON COLUMN audit.anchor_receipt.attempt IS 'number of the attempt, from 1, since the receipt before';
COMMENT ON COLUMN audit.anchor_receipt.kind IS 'cosignature: signature lines of witnesses; timestamp: an RFC 3161 response; other';
COMMENT ON COLUMN audit.anchor_receipt.command IS 'name of the program, without its arguments';
COMMENT ON COLUMN audit.anchor_receipt.checkpoint IS 'the signed note that the command was given, byte for byte';
COMMENT ON COLUMN audit.anchor_receipt.receipt IS 'what it printed, byte for byte; where that had several receipts, one of them';

CREATE TABLE audit.volume (
	hour timestamptz NOT NULL,
	target_id int NOT NULL,
	op "char" NOT NULL,
	event_type text COLLATE "C" NOT NULL,
	actor text COLLATE "C" NOT NULL,
	events bigint NOT NULL
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX volume_pkey ON audit.volume (hour, target_id, op, event_type, actor);
COMMENT ON TABLE audit.volume IS
	'how many events are sealed, by hour: a sum of the trail, which the sealer keeps and audit.rebuild_volume() makes anew';
COMMENT ON COLUMN audit.volume.hour IS 'the hour, in UTC, in which they happened';
COMMENT ON COLUMN audit.volume.target_id IS 'version of the table, see audit.target';
COMMENT ON COLUMN audit.volume.op IS 'as in audit.event';
COMMENT ON COLUMN audit.volume.event_type IS 'as in audit.event; empty where that is null';
COMMENT ON COLUMN audit.volume.actor IS 'who acted, as in audit.events';
COMMENT ON COLUMN audit.volume.events IS 'how many';

CREATE TABLE audit.segment (
	store_id int NOT NULL,
	number int NOT NULL,
	archived_at timestamptz NOT NULL,
	partition_name text NOT NULL,
	row_count int NOT NULL,
	first_tx_id bigint NOT NULL,
	last_tx_id bigint NOT NULL,
	first_tx_at timestamptz NOT NULL,
	last_tx_at timestamptz NOT NULL,
	first_target int NOT NULL,
	last_target int NOT NULL,
	stored_bytes int NOT NULL,
	checksum bytea NOT NULL,
	bloom bytea NOT NULL,
	file_offset bigint,
	file text,
	content bytea
) PARTITION BY LIST (store_id);
ALTER TABLE audit.segment ALTER COLUMN partition_name SET STORAGE PLAIN, ALTER COLUMN checksum SET STORAGE PLAIN,
	ALTER COLUMN bloom SET STORAGE PLAIN, ALTER COLUMN file SET STORAGE PLAIN;
ALTER TABLE audit.segment ALTER COLUMN content SET STORAGE EXTERNAL;
CREATE INDEX segment_last_idx ON audit.segment (last_tx_id, number);
COMMENT ON TABLE audit.segment IS 'about a thousand rows of a partition of audit.event or audit.transaction that was archived';
COMMENT ON COLUMN audit.segment.store_id IS 'store that it is in: the option of the foreign table that reads it';
COMMENT ON COLUMN audit.segment.number IS 'its place in the store, from 1';
COMMENT ON COLUMN audit.segment.archived_at IS 'when it was made';
COMMENT ON COLUMN audit.segment.partition_name IS 'partition whose rows it has';
COMMENT ON COLUMN audit.segment.row_count IS 'how many they are';
COMMENT ON COLUMN audit.segment.first_tx_id IS 'tx_id of the first row; rows are in the order of tx_id, then ordinal';
COMMENT ON COLUMN audit.segment.last_tx_id IS 'tx_id of the last row';
COMMENT ON COLUMN audit.segment.first_tx_at IS 'least tx_at';
COMMENT ON COLUMN audit.segment.last_tx_at IS 'greatest tx_at';
COMMENT ON COLUMN audit.segment.first_target IS 'least target_id; 0 for transactions';
COMMENT ON COLUMN audit.segment.last_target IS 'greatest target_id; 0 for transactions';
COMMENT ON COLUMN audit.segment.stored_bytes IS 'how long the content is';
COMMENT ON COLUMN audit.segment.checksum IS 'SHA-256 with which the content ends';
COMMENT ON COLUMN audit.segment.bloom IS 'Bloom filter: of events their keys and tables, of transactions their actors, requests and sessions';
COMMENT ON COLUMN audit.segment.file_offset IS 'where in the file the content begins; null if it is here';
COMMENT ON COLUMN audit.segment.file IS 'file below audit_trail.archive_directory that has the content; null if it is here';
COMMENT ON COLUMN audit.segment.content IS 'the rows, ATQ1 of doc/format.md; null if a file has them';
REVOKE ALL ON audit.segment FROM PUBLIC;
REVOKE ALL ON SEQUENCE audit.store_id_seq FROM PUBLIC;

CREATE TABLE audit.alert (
	alert_id bigint NOT NULL,
	raised_at timestamptz NOT NULL,
	xid bigint NOT NULL,
	tx_id bigint NOT NULL,
	ordinal int NOT NULL,
	target_id int NOT NULL,
	rule_name text NOT NULL,
	severity text NOT NULL,
	channel text NOT NULL,
	record_key text,
	changed text[] NOT NULL,
	event_type text,
	sentence text,
	escalate_to text
) USING audit_worm;
CREATE UNIQUE INDEX alert_pkey ON audit.alert (alert_id);
CREATE INDEX alert_xid_idx ON audit.alert (xid, alert_id);
COMMENT ON TABLE audit.alert IS 'a raised alert, written in the transaction of the event that raised it';
COMMENT ON COLUMN audit.alert.alert_id IS 'names the alert';
COMMENT ON COLUMN audit.alert.raised_at IS 'when it was raised';
COMMENT ON COLUMN audit.alert.xid IS 'full 64-bit transaction id in the server that raised it';
COMMENT ON COLUMN audit.alert.tx_id IS 'recorded transaction of the event';
COMMENT ON COLUMN audit.alert.ordinal IS 'ordinal of the event';
COMMENT ON COLUMN audit.alert.target_id IS 'version of the table, see audit.target';
COMMENT ON COLUMN audit.alert.rule_name IS 'rule that raised it, see audit.alert_rule';
COMMENT ON COLUMN audit.alert.severity IS 'severity of the rule then';
COMMENT ON COLUMN audit.alert.channel IS 'channel of the rule then';
COMMENT ON COLUMN audit.alert.record_key IS 'key of the row';
COMMENT ON COLUMN audit.alert.changed IS 'columns that the rule watches and that changed';
COMMENT ON COLUMN audit.alert.event_type IS 'type of the event, where it has one';
COMMENT ON COLUMN audit.alert.sentence IS 'what happened, for people; without values of personal and concealed columns';
COMMENT ON COLUMN audit.alert.escalate_to IS 'second channel of the rule then, where alerts go that nobody acknowledges';

CREATE TABLE audit.alert_action (
	action_id bigint NOT NULL,
	acted_at timestamptz NOT NULL,
	xid bigint NOT NULL,
	system_identifier bigint NOT NULL,
	database_oid oid NOT NULL,
	alert_id bigint NOT NULL,
	kind text NOT NULL,
	channel text COLLATE "C",
	note text,
	actor text,
	db_user text NOT NULL,
	login_user text,
	tx_id bigint NOT NULL,
	ordinal int NOT NULL
) USING audit_worm;
CREATE UNIQUE INDEX alert_action_pkey ON audit.alert_action (action_id);
CREATE INDEX alert_action_alert_idx ON audit.alert_action (alert_id);
CREATE INDEX alert_action_xid_idx ON audit.alert_action (xid, action_id);
COMMENT ON TABLE audit.alert_action IS
	'what somebody did about an alert: audit.acknowledge(), audit.resend_alert()';
COMMENT ON COLUMN audit.alert_action.action_id IS 'its number';
COMMENT ON COLUMN audit.alert_action.acted_at IS 'when';
COMMENT ON COLUMN audit.alert_action.xid IS 'full 64-bit transaction id in the server';
COMMENT ON COLUMN audit.alert_action.system_identifier IS 'the server';
COMMENT ON COLUMN audit.alert_action.database_oid IS 'oid of the database in that server';
COMMENT ON COLUMN audit.alert_action.alert_id IS 'the alert';
COMMENT ON COLUMN audit.alert_action.kind IS 'acknowledged: somebody has seen to it; resend: it is to be told again';
COMMENT ON COLUMN audit.alert_action.channel IS 'of resend, the channel; null: all channels of the alert';
COMMENT ON COLUMN audit.alert_action.note IS 'what they say of it';
COMMENT ON COLUMN audit.alert_action.actor IS 'who, as the application says; null: it says nothing';
COMMENT ON COLUMN audit.alert_action.db_user IS 'who, as session_user';
COMMENT ON COLUMN audit.alert_action.login_user IS 'the role that was authenticated; no SET changes it';
COMMENT ON COLUMN audit.alert_action.tx_id IS 'recorded transaction of the event that says the same, and is sealed';
COMMENT ON COLUMN audit.alert_action.ordinal IS 'its place in the transaction';

CREATE TABLE audit.alert_delivery (
	delivery_id bigint NOT NULL,
	alert_id bigint NOT NULL,
	delivered_at timestamptz NOT NULL,
	attempt int NOT NULL,
	channel text COLLATE "C" NOT NULL,
	outcome text NOT NULL,
	detail text,
	due_at timestamptz,
	action_id bigint
) USING audit_worm;
CREATE UNIQUE INDEX alert_delivery_channel_idx ON audit.alert_delivery (channel, delivery_id);
CREATE INDEX alert_delivery_alert_idx ON audit.alert_delivery (alert_id);
CREATE INDEX alert_delivery_due_idx ON audit.alert_delivery (due_at, delivery_id) WHERE due_at IS NOT NULL;
CREATE INDEX alert_delivery_detail_idx ON audit.alert_delivery (delivery_id) WHERE detail IS NOT NULL;
COMMENT ON TABLE audit.alert_delivery IS 'an attempt to deliver an alert';
COMMENT ON COLUMN audit.alert_delivery.delivery_id IS 'its number; alerts are told in this order';
COMMENT ON COLUMN audit.alert_delivery.alert_id IS 'alert that was delivered';
COMMENT ON COLUMN audit.alert_delivery.delivered_at IS 'when';
COMMENT ON COLUMN audit.alert_delivery.attempt IS 'number of the attempt on this channel, from 1';
COMMENT ON COLUMN audit.alert_delivery.channel IS 'channel that it was told on; sink:NAME of what audit_relay reports';
COMMENT ON COLUMN audit.alert_delivery.outcome IS
	'notified: those who LISTEN were told; unheard: the queue of NOTIFY was full, those who catch up see it, the others are told later; undeliverable: the channel cannot be; muted, limited: the rule wants it not to be told, and later ones tell how many; unanswered: told as often as it is, and nobody has acknowledged it; delivered, failed: as audit_relay reports';
COMMENT ON COLUMN audit.alert_delivery.detail IS 'why it was not delivered; null: it was';
COMMENT ON COLUMN audit.alert_delivery.due_at IS 'when it is told again, unless it is acknowledged by then; null: it is not';
COMMENT ON COLUMN audit.alert_delivery.action_id IS 'the audit.alert_action that asked for it';

CREATE TABLE audit.alert_pass (
	pass_id bigint NOT NULL,
	passed_at timestamptz NOT NULL,
	system_identifier bigint NOT NULL,
	database_oid oid NOT NULL,
	alerts bigint NOT NULL,
	snapshot text NOT NULL,
	due_at timestamptz,
	due_id bigint,
	sealed text
) USING audit_worm;
COMMENT ON TABLE audit.alert_pass IS
	'the last pass of the notifier that told something: all alerts settled in its snapshot were delivered; one row for each database that the ledger has been in';
COMMENT ON COLUMN audit.alert_pass.pass_id IS 'its number, from 1';
COMMENT ON COLUMN audit.alert_pass.passed_at IS 'when';
COMMENT ON COLUMN audit.alert_pass.system_identifier IS 'server of the pass';
COMMENT ON COLUMN audit.alert_pass.database_oid IS 'oid of the database in that server';
COMMENT ON COLUMN audit.alert_pass.alerts IS 'how many alerts were delivered, by it and those before it';
COMMENT ON COLUMN audit.alert_pass.snapshot IS 'snapshot of the pass';
COMMENT ON COLUMN audit.alert_pass.due_at IS 'what was due up to here (audit.alert_delivery.due_at) was seen to; null: nothing yet';
COMMENT ON COLUMN audit.alert_pass.due_id IS 'of what was due at that time, up to this delivery_id';
COMMENT ON COLUMN audit.alert_pass.sealed IS 'snapshot in which all alerts that were settled have an event that names them, of type alert.sealed; null: there were none yet';

CREATE TABLE audit.keeper_run (
	run_id bigint NOT NULL,
	step text NOT NULL,
	started_at timestamptz NOT NULL,
	ended_at timestamptz NOT NULL,
	done bigint NOT NULL,
	detail text,
	error text
) USING audit_worm;
CREATE UNIQUE INDEX keeper_run_pkey ON audit.keeper_run (run_id);
COMMENT ON TABLE audit.keeper_run IS 'a step of a run of the keeper that did something, or failed';
COMMENT ON COLUMN audit.keeper_run.run_id IS 'its number, ascending';
COMMENT ON COLUMN audit.keeper_run.step IS 'which step: partitions, ...';
COMMENT ON COLUMN audit.keeper_run.started_at IS 'when it began';
COMMENT ON COLUMN audit.keeper_run.ended_at IS 'when it ended';
COMMENT ON COLUMN audit.keeper_run.done IS 'how much was done: partitions made, events purged';
COMMENT ON COLUMN audit.keeper_run.detail IS 'what was done';
COMMENT ON COLUMN audit.keeper_run.error IS 'why it failed; null if it did not';

CREATE TABLE audit.deletion (
	deletion_id bigint NOT NULL,
	phase text NOT NULL,
	log_index bigint NOT NULL,
	made_at timestamptz NOT NULL,
	certificate json NOT NULL,
	gaps bytea,
	sessions bytea
) USING audit_worm;
CREATE UNIQUE INDEX deletion_pkey ON audit.deletion (log_index);
COMMENT ON TABLE audit.deletion IS
	'what was purged, on whose authority: an order, and that it was carried out or given up; the log vouches for each row';
COMMENT ON COLUMN audit.deletion.deletion_id IS 'names the deletion: the log_index of its order';
COMMENT ON COLUMN audit.deletion.phase IS 'ordered: these events are to go; done: they are gone; cancelled: they stay';
COMMENT ON COLUMN audit.deletion.log_index IS 'record of the log that has this certificate as its payload';
COMMENT ON COLUMN audit.deletion.made_at IS 'when';
COMMENT ON COLUMN audit.deletion.certificate IS 'who asked, who approved, what of which time, how many, by which policies; byte for byte what was sealed';
COMMENT ON COLUMN audit.deletion.gaps IS 'of an order: runs of 16 bytes, leaves of batches that go: log_index, first leaf, how many; its SHA-256 is in the certificate';
COMMENT ON COLUMN audit.deletion.sessions IS 'of an order: runs of 40 bytes, sessions whose first transaction goes: session_id, SHA-256 of its body; likewise';

CREATE TABLE audit.alert_match (
	xid bigint NOT NULL,
	tx_id bigint NOT NULL,
	ordinal int NOT NULL,
	rule_name text COLLATE "C" NOT NULL,
	actor text COLLATE "C",
	matched_at timestamptz NOT NULL,
	due_at timestamptz,
	alerted boolean NOT NULL
) USING audit_worm;
CREATE INDEX alert_match_xid_idx ON audit.alert_match (xid);
CREATE INDEX alert_match_actor_idx ON audit.alert_match (rule_name, actor, matched_at);
CREATE INDEX alert_match_due_idx ON audit.alert_match (due_at) WHERE due_at IS NOT NULL;
COMMENT ON TABLE audit.alert_match IS
	'an event that matches a rule that is judged later, written in the transaction of the event: of a burst, or one that something is to follow; removed when no judgement needs it any more';
COMMENT ON COLUMN audit.alert_match.xid IS 'full 64-bit transaction id in the server';
COMMENT ON COLUMN audit.alert_match.tx_id IS 'recorded transaction of the event';
COMMENT ON COLUMN audit.alert_match.ordinal IS 'ordinal of the event';
COMMENT ON COLUMN audit.alert_match.rule_name IS 'the rule, see audit.alert_rule';
COMMENT ON COLUMN audit.alert_match.actor IS 'who acted';
COMMENT ON COLUMN audit.alert_match.matched_at IS 'when it happened';
COMMENT ON COLUMN audit.alert_match.due_at IS 'until when something is to follow; null: it is of a burst';
COMMENT ON COLUMN audit.alert_match.alerted IS 'true: no match, but tells that a burst has raised an alert for this event';

CREATE TABLE audit.alert_judgement (
	pass_id bigint NOT NULL,
	judged_at timestamptz NOT NULL,
	system_identifier bigint NOT NULL,
	database_oid oid NOT NULL,
	snapshot text NOT NULL
) USING audit_worm;
CREATE UNIQUE INDEX alert_judgement_pkey ON audit.alert_judgement (pass_id);
COMMENT ON TABLE audit.alert_judgement IS
	'a pass over audit.alert_match: all matches settled in its snapshot were judged; the last one is kept, and one before it';
COMMENT ON COLUMN audit.alert_judgement.pass_id IS 'its number, from 1';
COMMENT ON COLUMN audit.alert_judgement.judged_at IS 'when';
COMMENT ON COLUMN audit.alert_judgement.system_identifier IS 'server of the pass';
COMMENT ON COLUMN audit.alert_judgement.database_oid IS 'oid of the database in that server';
COMMENT ON COLUMN audit.alert_judgement.snapshot IS 'snapshot of the pass';

REVOKE ALL ON audit.alert_match, audit.alert_judgement FROM PUBLIC;
REVOKE ALL ON audit.incarnation, audit.session, audit.transaction, audit.event, audit.target,
	audit.log_entry, audit.leaf_tile, audit.log_tile, audit.checkpoint, audit.anchor_receipt, audit.volume,
	audit.alert, audit.alert_action, audit.alert_delivery, audit.alert_pass, audit.keeper_run, audit.deletion FROM PUBLIC;
REVOKE ALL ON SEQUENCE audit.session_id_seq, audit.target_id_seq,
	audit.alert_id_seq, audit.alert_action_id_seq, audit.alert_delivery_id_seq, audit.keeper_run_id_seq FROM PUBLIC;
$ledger$;
COMMENT ON FUNCTION audit.create_ledger() IS 'internal: the tables of the ledger; called by audit.init()';
REVOKE ALL ON FUNCTION audit.create_ledger() FROM PUBLIC;
