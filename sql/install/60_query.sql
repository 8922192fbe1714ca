-- Reading the trail: recorded values as jsonb, the view audit.events, the life of one row.

-- Open to all: they read nothing but their arguments, and the view and functions below call them
-- as their reader.
CREATE FUNCTION audit.to_jsonb(value json) RETURNS jsonb
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'at_to_jsonb';
COMMENT ON FUNCTION audit.to_jsonb(json) IS
	'converts a recorded value and never fails: what jsonb cannot hold becomes a readable string';
GRANT EXECUTE ON FUNCTION audit.to_jsonb(json) TO PUBLIC;

CREATE FUNCTION audit.json_keys(value json) RETURNS text[]
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'at_json_keys';
COMMENT ON FUNCTION audit.json_keys(json) IS 'keys of a json object in their order; of other values, none';
GRANT EXECUTE ON FUNCTION audit.json_keys(json) TO PUBLIC;

CREATE FUNCTION audit.current_tx_id() RETURNS bigint
	LANGUAGE c STABLE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'at_current_tx_id';
COMMENT ON FUNCTION audit.current_tx_id() IS
	'tx_id of the running transaction; null until it has recorded an event';
GRANT EXECUTE ON FUNCTION audit.current_tx_id() TO PUBLIC;

CREATE FUNCTION audit.former_key(record_key text, key_columns json, old_values json) RETURNS text
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'at_former_key';
COMMENT ON FUNCTION audit.former_key(text, json, json) IS
	'internal: key of a row before a recorded update; null if the update did not change it';
GRANT EXECUTE ON FUNCTION audit.former_key(text, json, json) TO PUBLIC;

CREATE FUNCTION audit.name_action(op "char") RETURNS text
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'at_name_action';
COMMENT ON FUNCTION audit.name_action("char") IS
	'internal: what was done in an event of this kind, as audit.events.action has it';
GRANT EXECUTE ON FUNCTION audit.name_action("char") TO PUBLIC;

CREATE FUNCTION audit.name_event_type(event_type text, op "char", resource_type text) RETURNS text
	LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'at_name_event_type';
COMMENT ON FUNCTION audit.name_event_type(text, "char", text) IS
	'internal: the type of an event: its own, or else what happened to the resource';
GRANT EXECUTE ON FUNCTION audit.name_event_type(text, "char", text) TO PUBLIC;

CREATE FUNCTION audit.name_category(event_type text, op "char", context text) RETURNS text
	LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'at_name_category';
COMMENT ON FUNCTION audit.name_category(text, "char", text) IS
	'internal: the category of an event: that of its type in the catalogue, or else of its kind and context';
GRANT EXECUTE ON FUNCTION audit.name_category(text, "char", text) TO PUBLIC;

CREATE FUNCTION audit.make_sentence(event_type text, op "char", resource_type text, resource_id text, actor text, reason text,
		request_id text, old_values json, new_values json, extra json) RETURNS text
	LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'at_make_sentence';
COMMENT ON FUNCTION audit.make_sentence(text, "char", text, text, text, text, text, json, json, json) IS
	'internal: what has happened, in plain English, of what the reader may see of the event';
GRANT EXECUTE ON FUNCTION audit.make_sentence(text, "char", text, text, text, text, text, json, json, json) TO PUBLIC;

-- Two branches, because a filter by actor must find an index: nearly all events have the
-- actor of their transaction, and in the first branch it is just that column. The second has
-- the few events with a context of their own, which was changed in the middle of the
-- transaction, and those of the transaction that is reading, whose row of
-- audit.transaction does not exist yet. It reads them by an index that holds no others.
-- For the same reason tx_at is that of the transaction: there it is indexed.
CREATE FUNCTION audit.create_views() RETURNS void
	LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $views$

CREATE VIEW audit.events AS
SELECT
	e.tx_id || '.' || e.ordinal AS event_id,
	e.occurred_at,
	g.context,
	audit.name_category(e.event_type, e.op, g.context) AS category,
	audit.name_event_type(e.event_type, e.op, g.resource_type) AS event_type,
	audit.name_action(e.op) AS action,
	g.resource_type,
	e.record_key AS resource_id,
	g.table_schema,
	g.table_name,
	t.actor,
	t.actor_type,
	t.actor_source,
	t.db_user,
	t.db_role,
	s.login_user,
	s.client_addr AS client_ip,
	s.client_port,
	s.backend_pid,
	t.application_name,
	t.session_id,
	t.request_id,
	t.reason,
	t.claimed_session,
	t.claimed_client_ip,
	t.trace_parent,
	audit.visible_values(e.old_values, e.target_id, e.tx_at) AS old_values,
	audit.visible_values(e.new_values, e.target_id, e.tx_at) AS new_values,
	CASE e.op WHEN 'U' THEN audit.json_keys(e.new_values) END AS changed,
	coalesce(audit.visible_extra(e.extra, e.target_id, e.tx_at), audit.visible_values(t.extra, e.target_id, e.tx_at)) AS extra,
	CASE WHEN e.extra IS NULL THEN 0
		ELSE coalesce((audit.to_jsonb(e.extra) ->> 'trigger_depth')::int, 0) END AS trigger_depth,
	CASE WHEN audit.to_jsonb(e.extra) ? 'statement' THEN audit.to_jsonb(e.extra) ->> 'statement'
		ELSE CASE e.op WHEN 'I' THEN 'INSERT' WHEN 'U' THEN 'UPDATE' WHEN 'D' THEN 'DELETE'
			WHEN 'T' THEN 'TRUNCATE TABLE' WHEN 'A' THEN audit.to_jsonb(e.extra) ->> 'command' END END AS statement,
	e.tx_id,
	e.ordinal,
	t.tx_at,
	t.committed_at,
	t.xid,
	e.target_id,
	e.retention_class,
	audit.make_sentence(e.event_type, e.op, g.resource_type, e.record_key, t.actor,
		t.reason, t.request_id, audit.visible_values(e.old_values, e.target_id, e.tx_at),
		audit.visible_values(e.new_values, e.target_id, e.tx_at), audit.visible_extra(e.extra, e.target_id, e.tx_at)) AS sentence
FROM audit.event e
	JOIN audit.transaction t USING (tx_at, tx_id)
	LEFT JOIN audit.target g ON g.target_id = e.target_id
	LEFT JOIN audit.session s ON s.session_id = t.session_id
WHERE audit.has_context(e.extra) IS NOT TRUE AND audit.is_shielded()
UNION ALL
SELECT
	e.tx_id || '.' || e.ordinal,
	e.occurred_at,
	g.context,
	audit.name_category(e.event_type, e.op, g.context),
	audit.name_event_type(e.event_type, e.op, g.resource_type),
	audit.name_action(e.op),
	g.resource_type,
	e.record_key,
	g.table_schema,
	g.table_name,
	CASE WHEN e.now ? 'actor' THEN coalesce(e.now ->> 'actor', t.db_user) ELSE t.actor END,
	CASE WHEN e.now ? 'actor_type' THEN e.now ->> 'actor_type' ELSE t.actor_type END,
	CASE WHEN NOT e.now ? 'actor' THEN t.actor_source
		WHEN e.now ->> 'actor' IS NULL THEN 'db_user'
		ELSE coalesce(e.now ->> 'actor_source', 'setting') END,
	CASE WHEN e.now ? 'db_user' THEN e.now ->> 'db_user' ELSE t.db_user END,
	CASE WHEN e.now ? 'db_role' THEN e.now ->> 'db_role' ELSE t.db_role END,
	s.login_user,
	s.client_addr,
	s.client_port,
	s.backend_pid,
	t.application_name,
	t.session_id,
	CASE WHEN e.now ? 'request_id' THEN e.now ->> 'request_id' ELSE t.request_id END,
	CASE WHEN e.now ? 'reason' THEN e.now ->> 'reason' ELSE t.reason END,
	CASE WHEN e.now ? 'app_session' THEN e.now ->> 'app_session' ELSE t.claimed_session END,
	CASE WHEN e.now ? 'client_ip' THEN e.now ->> 'client_ip' ELSE t.claimed_client_ip END,
	CASE WHEN e.now ? 'trace_parent' THEN e.now ->> 'trace_parent' ELSE t.trace_parent END,
	audit.visible_values(e.old_values, e.target_id, e.tx_at),
	audit.visible_values(e.new_values, e.target_id, e.tx_at),
	CASE e.op WHEN 'U' THEN audit.json_keys(e.new_values) END,
	coalesce(audit.visible_extra(e.extra, e.target_id, e.tx_at), audit.visible_values(t.extra, e.target_id, e.tx_at)),
	coalesce((e.more ->> 'trigger_depth')::int, 0),
	CASE WHEN e.more ? 'statement' THEN e.more ->> 'statement' ELSE CASE e.op
		WHEN 'I' THEN 'INSERT' WHEN 'U' THEN 'UPDATE' WHEN 'D' THEN 'DELETE'
		WHEN 'T' THEN 'TRUNCATE TABLE' WHEN 'A' THEN e.more ->> 'command' END END,
	e.tx_id,
	e.ordinal,
	e.tx_at,
	t.committed_at,
	t.xid,
	e.target_id,
	e.retention_class,
	audit.make_sentence(e.event_type, e.op, g.resource_type, e.record_key,
		CASE WHEN e.now ? 'actor' THEN coalesce(e.now ->> 'actor', t.db_user) ELSE t.actor END,
		CASE WHEN e.now ? 'reason' THEN e.now ->> 'reason' ELSE t.reason END,
		CASE WHEN e.now ? 'request_id' THEN e.now ->> 'request_id' ELSE t.request_id END,
		audit.visible_values(e.old_values, e.target_id, e.tx_at),
		audit.visible_values(e.new_values, e.target_id, e.tx_at), audit.visible_extra(e.extra, e.target_id, e.tx_at))
FROM (
		SELECT x.*, audit.to_jsonb(x.extra) AS more,
			coalesce(audit.to_jsonb(x.extra) -> 'context', '{}') AS now
		FROM audit.event x
		WHERE audit.has_context(x.extra)
		UNION ALL
		SELECT x.*, coalesce(audit.to_jsonb(x.extra), '{}'), '{}'
		FROM audit.event x
		WHERE audit.has_context(x.extra) IS NOT TRUE AND x.tx_id = (SELECT audit.current_tx_id())
	) e
	LEFT JOIN audit.transaction t USING (tx_at, tx_id)
	LEFT JOIN audit.target g ON g.target_id = e.target_id
	LEFT JOIN audit.session s ON s.session_id = t.session_id
WHERE audit.is_shielded();
COMMENT ON VIEW audit.events IS
	'the trail, one row an event. Events of others appear when their transaction commits; those of the transaction that is reading appear at once, with nulls where only its end will tell (actor, db_user, session, ...). To join it with other tables, use LATERAL (SELECT * FROM audit.events WHERE ... OFFSET 0), so that indexes serve';
COMMENT ON COLUMN audit.events.event_id IS 'name of the event, tx_id.ordinal; to find one, filter by tx_id and ordinal';
COMMENT ON COLUMN audit.events.occurred_at IS 'when it happened; to filter by time, filter by tx_at too';
COMMENT ON COLUMN audit.events.context IS 'business context of the table: orders, finance, ...; system for the audit trail itself';
COMMENT ON COLUMN audit.events.category IS 'kind of action, see audit.category: as the catalogue says of the type; of other events data, schema for changes of tables, configuration for changes of what is audited, security, access, ...';
COMMENT ON COLUMN audit.events.event_type IS 'what it happened to, and what happened: order.cancelled, as the application or a rule (audit.map_event) says; else the resource type of the table and what was done: orders.updated';
COMMENT ON COLUMN audit.events.action IS 'emit: the application told of a business event, and nobody has seen to it that it is true; else insert, update, delete, truncate (of a row that went with it, or of the table: without resource_id), or alter for the table itself; baseline: a row that was there before; maintenance: changes that were only counted; export: evidence was exported; refuse: a command against the audit trail that was refused, though its transaction may be rolled back; read: a command that has read the trail; of these see new_values';
COMMENT ON COLUMN audit.events.resource_type IS 'what the row is called: the table''s name unless audit.enable() was told otherwise';
COMMENT ON COLUMN audit.events.resource_id IS 'key of the row (after the change); a JSON array where the key has several columns';
COMMENT ON COLUMN audit.events.table_schema IS 'schema of the table when the event was recorded';
COMMENT ON COLUMN audit.events.table_name IS 'name of the table when the event was recorded';
COMMENT ON COLUMN audit.events.actor IS 'who acted, as the application says; without that, the database user';
COMMENT ON COLUMN audit.events.actor_type IS 'user, service, ...: what the application says';
COMMENT ON COLUMN audit.events.actor_source IS 'where actor was learnt: setting, source:NAME (a setting that audit.context_source names), comment or db_user';
COMMENT ON COLUMN audit.events.db_user IS 'session_user at the event';
COMMENT ON COLUMN audit.events.db_role IS 'current_user at the event: that of SET ROLE or of a SECURITY DEFINER function too';
COMMENT ON COLUMN audit.events.login_user IS 'the role that was authenticated; no SET changes it';
COMMENT ON COLUMN audit.events.client_ip IS 'address that the session came from; null for a Unix socket';
COMMENT ON COLUMN audit.events.client_port IS 'TCP port that the session came from; 0 for a Unix socket';
COMMENT ON COLUMN audit.events.backend_pid IS 'process id of the session''s backend';
COMMENT ON COLUMN audit.events.application_name IS 'application_name at the transaction''s end';
COMMENT ON COLUMN audit.events.session_id IS 'session, see audit.session';
COMMENT ON COLUMN audit.events.request_id IS 'request that it belongs to, as the application says';
COMMENT ON COLUMN audit.events.reason IS 'why, as the application says';
COMMENT ON COLUMN audit.events.claimed_session IS 'session of the application, as it says';
COMMENT ON COLUMN audit.events.claimed_client_ip IS 'address of the application''s client, as the application says';
COMMENT ON COLUMN audit.events.trace_parent IS 'W3C trace context, as the application says';
COMMENT ON COLUMN audit.events.old_values IS 'the row before: of an update the changed columns, else all; use audit.to_jsonb(). Masked for whoever may not see values';
COMMENT ON COLUMN audit.events.new_values IS 'the row after: of an update the changed columns, else all; use audit.to_jsonb(). Masked for whoever may not see values';
COMMENT ON COLUMN audit.events.changed IS 'of an update, the columns that changed';
COMMENT ON COLUMN audit.events.extra IS 'what else is known of the event, else of its transaction';
COMMENT ON COLUMN audit.events.trigger_depth IS 'how many triggers, those of foreign keys too, it happened within; 0: the client''s own statement';
COMMENT ON COLUMN audit.events.statement IS 'kind of the client''s command that it came from: INSERT, MERGE, COPY, CALL, SELECT (of a function), ...; null if none is known, as in logical replication, and of baselines';
COMMENT ON COLUMN audit.events.tx_id IS 'recorded transaction, see audit.transaction';
COMMENT ON COLUMN audit.events.ordinal IS 'place in the transaction, from 1 without gaps';
COMMENT ON COLUMN audit.events.tx_at IS 'when the transaction began; indexed: the column to filter by time';
COMMENT ON COLUMN audit.events.committed_at IS 'when the transaction was about to commit';
COMMENT ON COLUMN audit.events.xid IS 'full 64-bit transaction id of the server';
COMMENT ON COLUMN audit.events.target_id IS 'version of the table, see audit.target';
COMMENT ON COLUMN audit.events.retention_class IS 'how long the event is kept';
COMMENT ON COLUMN audit.events.sentence IS 'what has happened, in plain English; masked as the values are';
REVOKE ALL ON audit.events FROM PUBLIC;

CREATE VIEW audit.record_event AS
SELECT
	e.target_id,
	e.record_key,
	e.tx_at,
	e.tx_id,
	e.ordinal,
	e.occurred_at,
	e.op,
	CASE e.op WHEN 'U' THEN audit.former_key(e.record_key, (
		SELECT g.key_columns FROM audit.target g WHERE g.target_id = e.target_id), e.old_values) END AS former_key,
	e.op = 'T' AND e.record_key IS NULL AND audit.to_jsonb(e.extra) ? 'only_counted' AS only_counted
FROM audit.event e
WHERE audit.is_shielded();
COMMENT ON VIEW audit.record_event IS 'internal: what audit.history() needs to know of events, without their values';
COMMENT ON COLUMN audit.record_event.target_id IS 'as of audit.event';
COMMENT ON COLUMN audit.record_event.record_key IS 'as of audit.event';
COMMENT ON COLUMN audit.record_event.tx_at IS 'as of audit.event';
COMMENT ON COLUMN audit.record_event.tx_id IS 'as of audit.event';
COMMENT ON COLUMN audit.record_event.ordinal IS 'as of audit.event';
COMMENT ON COLUMN audit.record_event.occurred_at IS 'as of audit.event';
COMMENT ON COLUMN audit.record_event.op IS 'as of audit.event';
COMMENT ON COLUMN audit.record_event.former_key IS 'of an update that changed the key, the one before';
COMMENT ON COLUMN audit.record_event.only_counted IS 'a TRUNCATE that did not tell the rows it took';
REVOKE ALL ON audit.record_event FROM PUBLIC;

-- The lives of the ledger. Only a restore of rows into another server or database has a row in audit.incarnation:
-- that is about whose transaction ids count. The rest is in the log alone.
CREATE VIEW audit.incarnations AS
SELECT log_index, sealed_at, incarnation,
	CASE kind WHEN 'boot' THEN 'created' WHEN 'incarnation' THEN 'restored' WHEN 'declared' THEN 'declared'
		WHEN 'timeline' THEN 'promoted' ELSE 'copied' END AS what,
	(payload ->> 'system_identifier')::numeric AS system_identifier,
	(payload ->> 'database_oid')::oid AS database_oid,
	(payload ->> 'timeline')::int AS timeline,
	payload ->> 'after' AS not_continued,
	payload ->> 'by' AS declared_by,
	payload ->> 'reason' AS reason
FROM audit.log_entry
WHERE (kind IN ('boot', 'incarnation', 'declared', 'timeline') OR (kind = 'start' AND payload ->> 'before' = 'copy'))
	AND audit.is_shielded();
COMMENT ON VIEW audit.incarnations IS
	'the lives of the ledger: where it was created, restored, set back or copied, or its server was promoted or recovered';
COMMENT ON COLUMN audit.incarnations.log_index IS 'entry of the log that says so';
COMMENT ON COLUMN audit.incarnations.sealed_at IS 'when that was made';
COMMENT ON COLUMN audit.incarnations.incarnation IS 'see audit.incarnation';
COMMENT ON COLUMN audit.incarnations.what IS 'created; restored into another server or database; declared not to continue the last signed checkpoint; promoted, or recovered to a point in time; copied: started from a base backup';
COMMENT ON COLUMN audit.incarnations.system_identifier IS 'server, where it was created or restored';
COMMENT ON COLUMN audit.incarnations.database_oid IS 'database, likewise';
COMMENT ON COLUMN audit.incarnations.timeline IS 'timeline of the server from then on, where it was promoted or recovered';
COMMENT ON COLUMN audit.incarnations.not_continued IS 'size and root of the checkpoint that was declared not to be continued; none if it was lost';
COMMENT ON COLUMN audit.incarnations.declared_by IS 'who declared it';
COMMENT ON COLUMN audit.incarnations.reason IS 'why';
REVOKE ALL ON audit.incarnations FROM PUBLIC;

CREATE VIEW audit.public_keys AS
SELECT
	payload ->> 'vkey' AS vkey,
	split_part(payload ->> 'vkey', '+', 2) AS key_id,
	log_index + 1 AS since_size,
	sealed_at AS since,
	payload ->> 'endorsed_by' AS endorsed_by
FROM audit.log_entry
WHERE kind = 'key';
COMMENT ON VIEW audit.public_keys IS
	'the keys that sign checkpoints, as the log has them; compare them with what you were given elsewhere';
COMMENT ON COLUMN audit.public_keys.vkey IS 'the key, in the form name+id+base64';
COMMENT ON COLUMN audit.public_keys.key_id IS 'its id, as signatures have it';
COMMENT ON COLUMN audit.public_keys.since_size IS 'checkpoints of this size and larger ones are signed by it, until the next key';
COMMENT ON COLUMN audit.public_keys.since IS 'when it came into the log';
COMMENT ON COLUMN audit.public_keys.endorsed_by IS 'id of the key before it, if that signed this one; null if nothing vouches for it';
REVOKE ALL ON audit.public_keys FROM PUBLIC;
$views$;
COMMENT ON FUNCTION audit.create_views() IS 'internal: the views over the ledger; called by audit.init()';
REVOKE ALL ON FUNCTION audit.create_views() FROM PUBLIC;

CREATE FUNCTION audit.target_versions(target regclass) RETURNS SETOF int
	LANGUAGE sql STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
SELECT v.target_id
FROM audit.policy p
	JOIN audit.target n ON n.target_id = p.target_id
	JOIN audit.target v ON v.lineage = n.lineage
WHERE p.target IN (target_versions.target, pg_partition_root(target_versions.target))
$$;
COMMENT ON FUNCTION audit.target_versions(regclass) IS
	'internal: the versions of an audited table, as audit.target.target_id has them';
REVOKE ALL ON FUNCTION audit.target_versions(regclass) FROM PUBLIC;

-- Business events about a row: what the application says of a resource whose type is that of the table, or of one that
-- audit.map_event() gives its changes, and that has the row's key.
CREATE FUNCTION audit.record_targets(target regclass) RETURNS SETOF int
	LANGUAGE sql STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
WITH version AS (
	SELECT v.target_id, g.resource_type
	FROM audit.target_versions(record_targets.target) v (target_id)
		JOIN audit.target g ON g.target_id = v.target_id
)
SELECT v.target_id
FROM version v
UNION
SELECT g.target_id
FROM audit.target g
WHERE g.table_schema = 'audit' AND g.table_name = '' AND g.resource_type IN (
	SELECT v.resource_type
	FROM version v
	UNION
	SELECT split_part(m.event_type, '.', 1)
	FROM audit.event_map m
	WHERE m.target = record_targets.target)
$$;
COMMENT ON FUNCTION audit.record_targets(regclass) IS
	'internal: the versions of an audited table and of the resource types that business events about its rows have';
REVOKE ALL ON FUNCTION audit.record_targets(regclass) FROM PUBLIC;

-- A span is a stretch of time in which the row had one key. It is followed backwards: where an
-- update gave the row this key, the former key's span ends there; and it begins where the row
-- with the former key was born, since another row may have had that key before. The same
-- event is found twice where a key went and came back. A TRUNCATE that only counted the rows it
-- took belongs to the life of each that was there. Without JIT, as in audit.alerts_since(): a plan over many partitions takes
-- seconds to compile and milliseconds to run.
CREATE FUNCTION audit.history(target regclass, key text)
	RETURNS TABLE (
		event_id text,
		occurred_at timestamptz,
		action text,
		resource_id text,
		changed text[],
		old_values json,
		new_values json,
		actor text,
		actor_type text,
		db_user text,
		client_ip text,
		application_name text,
		request_id text,
		reason text,
		tx_id bigint,
		committed_at timestamptz,
		event_type text,
		sentence text
	)
	LANGUAGE sql STABLE STRICT PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp SET jit = off AS $$
WITH RECURSIVE version AS MATERIALIZED (
	SELECT v.target_id
	FROM audit.target_versions(history.target) v (target_id)
), told AS MATERIALIZED (
	SELECT v.target_id
	FROM audit.record_targets(history.target) v (target_id)
), span AS (
	SELECT history.key COLLATE "C" AS key,
		'-infinity'::timestamptz AS from_at, 0::bigint AS from_tx, 0 AS from_ordinal,
		'infinity'::timestamptz AS until_at, 0::bigint AS until_tx, 0 AS until_ordinal
	UNION
	SELECT r.former_key,
		coalesce(b.occurred_at, '-infinity'), coalesce(b.tx_id, 0), coalesce(b.ordinal, 0),
		r.occurred_at, r.tx_id, r.ordinal
	FROM span s
		CROSS JOIN LATERAL (
			SELECT u.occurred_at, u.tx_id, u.ordinal, u.former_key
			FROM audit.record_event u
			WHERE u.target_id = ANY (ARRAY(SELECT w.target_id FROM version w))
				AND u.record_key = s.key AND u.op = 'U'
				AND (u.occurred_at, u.tx_id, u.ordinal) >= (s.from_at, s.from_tx, s.from_ordinal)
				AND (u.occurred_at, u.tx_id, u.ordinal) < (s.until_at, s.until_tx, s.until_ordinal)
			OFFSET 0
		) r
		LEFT JOIN LATERAL (
			SELECT p.occurred_at, p.tx_id, p.ordinal
			FROM audit.record_event p
			WHERE p.target_id = ANY (ARRAY(SELECT w.target_id FROM version w))
				AND p.record_key = r.former_key
				AND (p.op = 'I' OR p.former_key IS NOT NULL)
				AND (p.occurred_at, p.tx_id, p.ordinal) < (r.occurred_at, r.tx_id, r.ordinal)
			ORDER BY p.occurred_at DESC, p.tx_id DESC, p.ordinal DESC
			LIMIT 1
		) b ON true
	WHERE r.former_key IS NOT NULL
), found AS (
	SELECT DISTINCT e.tx_at, e.tx_id, e.ordinal, e.op, e.occurred_at
	FROM span s
		CROSS JOIN LATERAL (
			SELECT x.*
			FROM audit.record_event x
			WHERE x.target_id = ANY (ARRAY(SELECT w.target_id FROM told w))
				AND x.record_key = s.key
				AND (x.occurred_at, x.tx_id, x.ordinal) >= (s.from_at, s.from_tx, s.from_ordinal)
				AND (x.occurred_at, x.tx_id, x.ordinal) < (s.until_at, s.until_tx, s.until_ordinal)
		) e
), own AS MATERIALIZED (
	SELECT f.tx_at, f.tx_id, f.ordinal, f.op, f.occurred_at AS from_at,
		lead(f.occurred_at, 1, 'infinity') OVER (ORDER BY f.occurred_at, f.tx_id, f.ordinal) AS until_at
	FROM found f
	WHERE f.op <> 'E'
), emptied AS MATERIALIZED (
	SELECT e.tx_at, e.tx_id, e.ordinal, e.occurred_at
	FROM audit.record_event e
	WHERE e.target_id = ANY (ARRAY(SELECT w.target_id FROM version w))
		AND e.record_key IS NULL AND e.op = 'T' AND e.only_counted
		AND EXISTS (SELECT FROM own)
), named AS (
	SELECT o.tx_at, o.tx_id, o.ordinal
	FROM own o
	UNION ALL
	SELECT f.tx_at, f.tx_id, f.ordinal
	FROM found f
	WHERE f.op = 'E'
	UNION ALL
	SELECT t.tx_at, t.tx_id, t.ordinal
	FROM own o
		CROSS JOIN LATERAL (
			SELECT *
			FROM emptied e
			WHERE e.occurred_at >= o.from_at AND e.occurred_at < o.until_at
			ORDER BY e.occurred_at
			LIMIT 1
		) t
	WHERE o.op NOT IN ('D', 'T')
)
SELECT v.event_id, v.occurred_at, v.action, v.resource_id, v.changed, v.old_values, v.new_values,
	v.actor, v.actor_type, v.db_user, v.client_ip, v.application_name, v.request_id, v.reason,
	v.tx_id, v.committed_at, v.event_type, v.sentence
FROM named n
	CROSS JOIN LATERAL (
		SELECT *
		FROM audit.events x
		WHERE x.tx_id = n.tx_id AND x.ordinal = n.ordinal AND x.tx_at = n.tx_at
		OFFSET 0
	) v
ORDER BY v.occurred_at, v.tx_id, v.ordinal
$$;
COMMENT ON FUNCTION audit.history(regclass, text) IS
	'the life of one row, oldest first, through changes of its key and of the table, with the business events that were told of it; key as in audit.events.resource_id';
REVOKE ALL ON FUNCTION audit.history(regclass, text) FROM PUBLIC;

-- A session is one row, but may have another where its first event went into a prepared transaction (ledger/session.c).
CREATE FUNCTION audit.session_parts(session_id bigint) RETURNS SETOF bigint
	LANGUAGE sql STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
SELECT o.session_id
FROM audit.session s
	JOIN audit.session o ON o.started_at = s.started_at AND o.backend_pid = s.backend_pid AND o.login_user IS NOT DISTINCT FROM s.login_user
WHERE s.session_id = session_parts.session_id
$$;
COMMENT ON FUNCTION audit.session_parts(bigint) IS 'internal: all names that a session has in audit.session';
REVOKE ALL ON FUNCTION audit.session_parts(bigint) FROM PUBLIC;

-- Everything that belongs together, whatever tables and contexts it is of. Without JIT, as above; and from the transactions by their
-- index to the events by theirs: one session that has most of all events must not make the planner read all of them for any.
CREATE FUNCTION audit.session_flow(session_id bigint)
	RETURNS TABLE (
		event_id text,
		occurred_at timestamptz,
		sentence text,
		context text,
		category text,
		event_type text,
		action text,
		resource_type text,
		resource_id text,
		actor text,
		request_id text,
		reason text,
		old_values json,
		new_values json
	)
	LANGUAGE sql STABLE STRICT PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp SET jit = off
	SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
SELECT e.event_id, e.occurred_at, e.sentence, e.context, e.category, e.event_type, e.action, e.resource_type, e.resource_id, e.actor,
	e.request_id, e.reason, e.old_values, e.new_values
FROM audit.events e
WHERE e.session_id = ANY (ARRAY(SELECT audit.session_parts(session_flow.session_id)))
ORDER BY e.occurred_at, e.tx_id, e.ordinal
$$;
COMMENT ON FUNCTION audit.session_flow(bigint) IS
	'everything that was recorded of a session, across contexts, in order, each event in a sentence';
REVOKE ALL ON FUNCTION audit.session_flow(bigint) FROM PUBLIC;

CREATE FUNCTION audit.request_flow(request_id text)
	RETURNS TABLE (
		event_id text,
		occurred_at timestamptz,
		sentence text,
		context text,
		category text,
		event_type text,
		action text,
		resource_type text,
		resource_id text,
		actor text,
		session_id bigint,
		reason text,
		old_values json,
		new_values json
	)
	LANGUAGE sql STABLE STRICT PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp SET jit = off
	SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
SELECT e.event_id, e.occurred_at, e.sentence, e.context, e.category, e.event_type, e.action, e.resource_type, e.resource_id, e.actor,
	e.session_id, e.reason, e.old_values, e.new_values
FROM audit.events e
WHERE e.request_id = request_flow.request_id
ORDER BY e.occurred_at, e.tx_id, e.ordinal
$$;
COMMENT ON FUNCTION audit.request_flow(text) IS
	'everything that was recorded of a request of the application, across sessions and contexts, in order, each event in a sentence';
REVOKE ALL ON FUNCTION audit.request_flow(text) FROM PUBLIC;
