-- Archives of other servers: attached, read by the columns of audit.events, searched and verified here, and always told apart from the
-- trail of this database: by name and origin.

CREATE TABLE audit.attached_archive (
	name text CONSTRAINT attached_archive_pkey PRIMARY KEY CONSTRAINT attached_archive_name_check CHECK (name <> ''),
	directory text NOT NULL,
	public_key text NOT NULL,
	origin text NOT NULL,
	log_id bytea NOT NULL,
	size bigint NOT NULL,
	root bytea NOT NULL,
	segments bigint NOT NULL,
	events bigint NOT NULL,
	transactions bigint NOT NULL,
	first_tx_at timestamptz NOT NULL,
	last_tx_at timestamptz NOT NULL,
	digest bytea NOT NULL,
	attached_by text NOT NULL,
	attached_at timestamptz NOT NULL
);
COMMENT ON TABLE audit.attached_archive IS
	'archives and files of cold segments of other servers that audit.attached_events() and audit.search_attached() read; see audit.attach_archive()';
COMMENT ON COLUMN audit.attached_archive.name IS 'name of the archive here';
COMMENT ON COLUMN audit.attached_archive.directory IS 'directory of this server that has its files';
COMMENT ON COLUMN audit.attached_archive.public_key IS 'key against which it was verified, as whoever attached it has given it';
COMMENT ON COLUMN audit.attached_archive.origin IS 'whose log it is: the name of that key';
COMMENT ON COLUMN audit.attached_archive.log_id IS 'id of that log';
COMMENT ON COLUMN audit.attached_archive.size IS 'size of the log that it was verified against: how many entries it has';
COMMENT ON COLUMN audit.attached_archive.root IS 'root of the log at that size, which was signed';
COMMENT ON COLUMN audit.attached_archive.segments IS 'how many segments: rows of audit.attached_segment';
COMMENT ON COLUMN audit.attached_archive.events IS 'how many events';
COMMENT ON COLUMN audit.attached_archive.transactions IS 'how many transactions';
COMMENT ON COLUMN audit.attached_archive.first_tx_at IS 'least tx_at of them';
COMMENT ON COLUMN audit.attached_archive.last_tx_at IS 'greatest tx_at';
COMMENT ON COLUMN audit.attached_archive.digest IS 'of the checksums of its files: audit.verify_attached() tells by it whether they are those that were verified';
COMMENT ON COLUMN audit.attached_archive.attached_by IS 'who had logged in and has attached it';
COMMENT ON COLUMN audit.attached_archive.attached_at IS 'when';
REVOKE ALL ON audit.attached_archive FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('audit.attached_archive', '');

CREATE TRIGGER "00_audit_insert" AFTER INSERT ON audit.attached_archive FOR EACH ROW
	WHEN (audit.capture_insert(NEW.tableoid, NEW.ctid)) EXECUTE FUNCTION audit.capture();
ALTER TABLE audit.attached_archive ENABLE ALWAYS TRIGGER "00_audit_insert";
CREATE TRIGGER "00_audit_update" AFTER UPDATE ON audit.attached_archive FOR EACH ROW
	WHEN (audit.capture_update(OLD.tableoid, OLD.ctid, NEW.ctid)) EXECUTE FUNCTION audit.capture();
ALTER TABLE audit.attached_archive ENABLE ALWAYS TRIGGER "00_audit_update";
CREATE TRIGGER "00_audit_delete" AFTER DELETE ON audit.attached_archive FOR EACH ROW
	WHEN (audit.capture_delete(OLD.tableoid, OLD.ctid)) EXECUTE FUNCTION audit.capture();
ALTER TABLE audit.attached_archive ENABLE ALWAYS TRIGGER "00_audit_delete";
CREATE TRIGGER "00_audit_before_truncate" BEFORE TRUNCATE ON audit.attached_archive
	EXECUTE FUNCTION audit.capture();
ALTER TABLE audit.attached_archive ENABLE ALWAYS TRIGGER "00_audit_before_truncate";
CREATE TRIGGER "00_audit_truncate" AFTER TRUNCATE ON audit.attached_archive
	EXECUTE FUNCTION audit.capture();
ALTER TABLE audit.attached_archive ENABLE ALWAYS TRIGGER "00_audit_truncate";

CREATE TABLE audit.attached_segment (
	archive text NOT NULL,
	number int NOT NULL,
	kind "char" NOT NULL,
	file text NOT NULL,
	file_offset bigint NOT NULL,
	bytes bigint NOT NULL,
	ends_in int NOT NULL,
	events int NOT NULL,
	transactions int NOT NULL,
	first_tx_id bigint NOT NULL,
	last_tx_id bigint NOT NULL,
	first_tx_at timestamptz NOT NULL,
	last_tx_at timestamptz NOT NULL,
	checksum bytea NOT NULL,
	bloom bytea NOT NULL,
	CONSTRAINT attached_segment_pkey PRIMARY KEY (archive, number)
);
COMMENT ON TABLE audit.attached_segment IS
	'segments of attached archives: where they are, and what leads to them. Made when an archive is attached, out of its files';
COMMENT ON COLUMN audit.attached_segment.archive IS 'name in audit.attached_archive';
COMMENT ON COLUMN audit.attached_segment.number IS 'place in the archive, from 0';
COMMENT ON COLUMN audit.attached_segment.kind IS 'A: events and transactions of an archive; E, T: events, or transactions, of a file of cold segments';
COMMENT ON COLUMN audit.attached_segment.file IS 'file below the directory of the archive';
COMMENT ON COLUMN audit.attached_segment.file_offset IS 'where the segment begins in it';
COMMENT ON COLUMN audit.attached_segment.bytes IS 'how long it is';
COMMENT ON COLUMN audit.attached_segment.ends_in IS 'number of the segment that has the transaction of its last event';
COMMENT ON COLUMN audit.attached_segment.events IS 'how many events it has';
COMMENT ON COLUMN audit.attached_segment.transactions IS 'how many transactions';
COMMENT ON COLUMN audit.attached_segment.first_tx_id IS 'least tx_id of these';
COMMENT ON COLUMN audit.attached_segment.last_tx_id IS 'greatest tx_id';
COMMENT ON COLUMN audit.attached_segment.first_tx_at IS 'least tx_at of these; 1970 without any';
COMMENT ON COLUMN audit.attached_segment.last_tx_at IS 'greatest tx_at';
COMMENT ON COLUMN audit.attached_segment.checksum IS 'SHA-256 with which it ends: whoever reads it sees by it that it is what was verified';
COMMENT ON COLUMN audit.attached_segment.bloom IS 'Bloom filter of record keys, tables, actors and requests of its events';
REVOKE ALL ON audit.attached_segment FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('audit.attached_segment', '');

CREATE TABLE audit.attached_target (
	archive text NOT NULL,
	target_id int NOT NULL,
	defined_at timestamptz NOT NULL,
	table_schema text NOT NULL,
	table_name text NOT NULL,
	resource_type text NOT NULL,
	context text NOT NULL,
	CONSTRAINT attached_target_pkey PRIMARY KEY (archive, target_id)
);
COMMENT ON TABLE audit.attached_target IS
	'versions of tables that attached archives have events of. Made when an archive is attached, out of its files';
COMMENT ON COLUMN audit.attached_target.archive IS 'name in audit.attached_archive';
COMMENT ON COLUMN audit.attached_target.target_id IS 'number of the version there';
COMMENT ON COLUMN audit.attached_target.defined_at IS 'when it was defined there; 1970 where that is not known';
COMMENT ON COLUMN audit.attached_target.table_schema IS 'schema of the table';
COMMENT ON COLUMN audit.attached_target.table_name IS 'name of the table';
COMMENT ON COLUMN audit.attached_target.resource_type IS 'what a row is called in events';
COMMENT ON COLUMN audit.attached_target.context IS 'business context of its events, as that server says: it is under no hash';
REVOKE ALL ON audit.attached_target FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('audit.attached_target', '');

CREATE FUNCTION audit.attach_archive(name text, directory text, key text,
	OUT origin text, OUT size bigint, OUT segments bigint, OUT events bigint, OUT transactions bigint)
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'at_attach_archive';
COMMENT ON FUNCTION audit.attach_archive(text, text, text) IS
	'verifies an archive that audit.export_archive() of another server wrote, or a file of cold segments beside the proof that audit.export_segments() wrote, or a directory of such files, whole, against the public key of its log, and has it read here by a name. The files stay where they are';
REVOKE ALL ON FUNCTION audit.attach_archive(text, text, text) FROM PUBLIC;

CREATE FUNCTION audit.detach_archive(name text) RETURNS void
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'at_detach_archive';
COMMENT ON FUNCTION audit.detach_archive(text) IS 'forgets an attached archive; its files stay';
REVOKE ALL ON FUNCTION audit.detach_archive(text) FROM PUBLIC;

CREATE FUNCTION audit.verify_attached(name text) RETURNS text
	LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'at_verify_attached';
COMMENT ON FUNCTION audit.verify_attached(text) IS
	'verifies an attached archive again, whole; returns what is wrong with it, or null';
REVOKE ALL ON FUNCTION audit.verify_attached(text) FROM PUBLIC;

CREATE FUNCTION audit.read_attached(archive text, since timestamptz, until timestamptz, resource_id text, of_actor text,
	of_request text, of_table text, of_tx_id bigint, OUT tx_id bigint, OUT ordinal int, OUT tx_at timestamptz, OUT occurred_at timestamptz, OUT op "char", OUT table_schema text,
	OUT table_name text, OUT resource_type text, OUT record_key text, OUT event_type text, OUT old_values json, OUT new_values json,
	OUT extra json, OUT committed_at timestamptz, OUT xid bigint, OUT session_id bigint, OUT actor text, OUT actor_type text,
	OUT actor_source text, OUT db_user text, OUT db_role text, OUT application_name text, OUT request_id text, OUT reason text,
	OUT claimed_session text, OUT claimed_client_ip text, OUT trace_parent text, OUT tx_extra json, OUT context text)
	RETURNS SETOF record
	LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 1000000 AS 'MODULE_PATHNAME', 'at_read_attached';
COMMENT ON FUNCTION audit.read_attached(text, timestamptz, timestamptz, text, text, text, text, bigint) IS
	'internal: events of an attached archive, with their transactions; behind audit.attached_events()';
REVOKE ALL ON FUNCTION audit.read_attached(text, timestamptz, timestamptz, text, text, text, text, bigint) FROM PUBLIC;

CREATE FUNCTION audit.attached_events(
	archive text,
	since timestamptz DEFAULT NULL,
	until timestamptz DEFAULT NULL,
	resource_id text DEFAULT NULL,
	of_actor text DEFAULT NULL,
	of_request text DEFAULT NULL,
	of_table text DEFAULT NULL,
	of_tx_id bigint DEFAULT NULL)
	RETURNS TABLE (
		archive_name text,
		origin text,
		event_id text,
		occurred_at timestamptz,
		context text,
		category text,
		event_type text,
		action text,
		resource_type text,
		resource_id text,
		table_schema text,
		table_name text,
		actor text,
		actor_type text,
		actor_source text,
		db_user text,
		db_role text,
		login_user text,
		client_ip text,
		client_port int,
		backend_pid int,
		application_name text,
		session_id bigint,
		request_id text,
		reason text,
		claimed_session text,
		claimed_client_ip text,
		trace_parent text,
		old_values json,
		new_values json,
		changed text[],
		extra json,
		trigger_depth int,
		statement text,
		tx_id bigint,
		ordinal int,
		tx_at timestamptz,
		committed_at timestamptz,
		xid bigint,
		sentence text
	)
	LANGUAGE sql STABLE PARALLEL RESTRICTED ROWS 1000000
	SET search_path = pg_catalog, pg_temp SET jit = off AS $$
SELECT r.* FROM (SELECT
	a.name,
	a.origin,
	e.tx_id || '.' || e.ordinal,
	e.occurred_at,
	e.context,
	audit.name_category(e.event_type, e.op, e.context),
	audit.name_event_type(e.event_type, e.op, e.resource_type),
	audit.name_action(e.op),
	e.resource_type,
	e.record_key,
	e.table_schema,
	e.table_name,
	CASE WHEN c.now ? 'actor' THEN coalesce(c.now ->> 'actor', e.db_user) ELSE e.actor END AS actor,
	CASE WHEN c.now ? 'actor_type' THEN c.now ->> 'actor_type' ELSE e.actor_type END,
	CASE WHEN NOT c.now ? 'actor' THEN e.actor_source
		WHEN c.now ->> 'actor' IS NULL THEN 'db_user'
		ELSE coalesce(c.now ->> 'actor_source', 'setting') END,
	CASE WHEN c.now ? 'db_user' THEN c.now ->> 'db_user' ELSE e.db_user END,
	CASE WHEN c.now ? 'db_role' THEN c.now ->> 'db_role' ELSE e.db_role END,
	NULL::text,
	NULL::text,
	NULL::int,
	NULL::int,
	e.application_name,
	e.session_id,
	CASE WHEN c.now ? 'request_id' THEN c.now ->> 'request_id' ELSE e.request_id END AS request_id,
	CASE WHEN c.now ? 'reason' THEN c.now ->> 'reason' ELSE e.reason END,
	CASE WHEN c.now ? 'app_session' THEN c.now ->> 'app_session' ELSE e.claimed_session END,
	CASE WHEN c.now ? 'client_ip' THEN c.now ->> 'client_ip' ELSE e.claimed_client_ip END,
	CASE WHEN c.now ? 'trace_parent' THEN c.now ->> 'trace_parent' ELSE e.trace_parent END,
	e.old_values,
	e.new_values,
	CASE e.op WHEN 'U' THEN audit.json_keys(e.new_values) END,
	coalesce(e.extra, e.tx_extra),
	coalesce((c.more ->> 'trigger_depth')::int, 0),
	CASE WHEN c.more ? 'statement' THEN c.more ->> 'statement' ELSE CASE e.op
		WHEN 'I' THEN 'INSERT' WHEN 'U' THEN 'UPDATE' WHEN 'D' THEN 'DELETE'
		WHEN 'T' THEN 'TRUNCATE TABLE' WHEN 'A' THEN c.more ->> 'command' END END,
	e.tx_id,
	e.ordinal,
	e.tx_at,
	e.committed_at,
	e.xid,
	audit.make_sentence(e.event_type, e.op, e.resource_type, e.record_key,
		CASE WHEN c.now ? 'actor' THEN coalesce(c.now ->> 'actor', e.db_user) ELSE e.actor END,
		CASE WHEN c.now ? 'reason' THEN c.now ->> 'reason' ELSE e.reason END,
		CASE WHEN c.now ? 'request_id' THEN c.now ->> 'request_id' ELSE e.request_id END,
		e.old_values, e.new_values, e.extra)
FROM audit.read_attached($1, $2, $3, $4, $5, $6, $7, $8) AS e
	LEFT JOIN audit.attached_archive AS a ON a.name = $1
	CROSS JOIN LATERAL (SELECT coalesce(audit.to_jsonb(e.extra), '{}') AS more,
		coalesce(audit.to_jsonb(e.extra) -> 'context', '{}') AS now) AS c) AS r
WHERE ($5 IS NULL OR r.actor = $5) AND ($6 IS NULL OR r.request_id = $6) AND ($7 IS NULL OR r.table_name = $7)
$$;
COMMENT ON FUNCTION audit.attached_events(text, timestamptz, timestamptz, text, text, text, text, bigint) IS
	'events of an attached archive, in the columns of audit.events behind the name and the origin of the archive, of transactions that began in a time, of a record, an actor, a request, a table, a transaction: only segments that may have them are read. Null is what the archive does not have (login_user, client_ip, client_port, backend_pid)';
REVOKE ALL ON FUNCTION audit.attached_events(text, timestamptz, timestamptz, text, text, text, text, bigint) FROM PUBLIC;

CREATE FUNCTION audit.search_attached(
	archive text,
	filter jsonb DEFAULT '{}',
	since timestamptz DEFAULT NULL,
	until timestamptz DEFAULT NULL,
	condition jsonpath DEFAULT NULL,
	max_rows int DEFAULT 100,
	before text DEFAULT NULL)
	RETURNS TABLE (
		event_id text,
		occurred_at timestamptz,
		context text,
		category text,
		event_type text,
		action text,
		resource_type text,
		resource_id text,
		table_schema text,
		table_name text,
		changed text[],
		old_values json,
		new_values json,
		actor text,
		actor_type text,
		db_user text,
		client_ip text,
		application_name text,
		session_id bigint,
		request_id text,
		reason text,
		tx_at timestamptz
	)
	LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 100
	SET search_path = pg_catalog, pg_temp SET jit = off AS 'MODULE_PATHNAME', 'at_search_attached';
COMMENT ON FUNCTION audit.search_attached(text, jsonb, timestamptz, timestamptz, jsonpath, int, text) IS
	'the newest events of an attached archive for which all of the filter holds, as audit.search() finds those of the trail. To go on, give the last event_id as before';
REVOKE ALL ON FUNCTION audit.search_attached(text, jsonb, timestamptz, timestamptz, jsonpath, int, text) FROM PUBLIC;
