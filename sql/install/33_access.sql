-- Who may configure, read, write and keep the audit trail. Roles are the cluster's, so that which
-- role is which is said in each database, by audit.role; rows of audit.grant narrow what a
-- scoped auditor sees.

CREATE TABLE audit.role (
	kind text CONSTRAINT role_pkey PRIMARY KEY CONSTRAINT role_kind_check CHECK (kind IN ('admin',
		'auditor', 'scoped_auditor', 'writer', 'maintenance', 'purge_approver', 'responder', 'relay', 'standby')),
	role text COLLATE "C" NOT NULL CONSTRAINT role_role_key UNIQUE
);
COMMENT ON TABLE audit.role IS
	'configuration: the roles of the audit trail in this database; made by audit.create_roles()';
COMMENT ON COLUMN audit.role.kind IS 'what it may do: admin, auditor, scoped_auditor, writer, maintenance, purge_approver, responder, relay or standby';
COMMENT ON COLUMN audit.role.role IS 'its name';
REVOKE ALL ON audit.role FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('audit.role', '');

CREATE TABLE audit.grant (
	name text COLLATE "C" CONSTRAINT grant_pkey PRIMARY KEY CONSTRAINT grant_name_check CHECK (name <> ''),
	grantee text COLLATE "C" NOT NULL,
	contexts text[],
	tables regclass[],
	from_at timestamptz,
	until_at timestamptz,
	expires_at timestamptz NOT NULL,
	see_values boolean NOT NULL DEFAULT true,
	see_personal boolean NOT NULL DEFAULT false,
	reason text,
	lineages int[],
	resource_types text[] CONSTRAINT grant_resource_types_check CHECK (array_position(resource_types, NULL) IS NULL),
	CONSTRAINT grant_period_check CHECK (from_at < until_at),
	CONSTRAINT grant_personal_check CHECK (see_values OR NOT see_personal)
);
COMMENT ON TABLE audit.grant IS
	'configuration: what scoped auditors see. A row lets a role, and its members, see the events for which all of its columns hold; of several rows each adds to what the others let it see';
COMMENT ON COLUMN audit.grant.name IS 'of the grant';
COMMENT ON COLUMN audit.grant.grantee IS 'role that sees the events; no member of the admin role';
COMMENT ON COLUMN audit.grant.contexts IS 'business contexts, as in audit.events.context; null: all';
COMMENT ON COLUMN audit.grant.tables IS 'audited tables, whatever they are called in the course of time, and what applications tell of their resource types; null: all, unless resource_types names some';
COMMENT ON COLUMN audit.grant.from_at IS 'events of transactions that began at this time or later; null: from the beginning';
COMMENT ON COLUMN audit.grant.until_at IS 'and before this one; null: without end';
COMMENT ON COLUMN audit.grant.expires_at IS 'when the grant ends; infinity: never';
COMMENT ON COLUMN audit.grant.see_values IS 'false: that events happened, with all values masked';
COMMENT ON COLUMN audit.grant.see_personal IS 'also whose personal values a row has';
COMMENT ON COLUMN audit.grant.reason IS 'why it was given';
COMMENT ON COLUMN audit.grant.lineages IS 'the tables, as audit.target.lineage has them; set by the server';
COMMENT ON COLUMN audit.grant.resource_types IS 'also events of no table that are of these resource types, as in audit.events.resource_type; null: of none but those of the tables';
REVOKE ALL ON audit.grant FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('audit.grant', '');

CREATE TRIGGER "00_audit_insert" AFTER INSERT ON audit.role FOR EACH ROW
	WHEN (audit.capture_insert(NEW.tableoid, NEW.ctid)) EXECUTE FUNCTION audit.capture();
ALTER TABLE audit.role ENABLE ALWAYS TRIGGER "00_audit_insert";
CREATE TRIGGER "00_audit_update" AFTER UPDATE ON audit.role FOR EACH ROW
	WHEN (audit.capture_update(OLD.tableoid, OLD.ctid, NEW.ctid)) EXECUTE FUNCTION audit.capture();
ALTER TABLE audit.role ENABLE ALWAYS TRIGGER "00_audit_update";
CREATE TRIGGER "00_audit_delete" AFTER DELETE ON audit.role FOR EACH ROW
	WHEN (audit.capture_delete(OLD.tableoid, OLD.ctid)) EXECUTE FUNCTION audit.capture();
ALTER TABLE audit.role ENABLE ALWAYS TRIGGER "00_audit_delete";
CREATE TRIGGER "00_audit_before_truncate" BEFORE TRUNCATE ON audit.role
	EXECUTE FUNCTION audit.capture();
ALTER TABLE audit.role ENABLE ALWAYS TRIGGER "00_audit_before_truncate";
CREATE TRIGGER "00_audit_truncate" AFTER TRUNCATE ON audit.role
	EXECUTE FUNCTION audit.capture();
ALTER TABLE audit.role ENABLE ALWAYS TRIGGER "00_audit_truncate";

CREATE TRIGGER "00_audit_insert" AFTER INSERT ON audit.grant FOR EACH ROW
	WHEN (audit.capture_insert(NEW.tableoid, NEW.ctid)) EXECUTE FUNCTION audit.capture();
ALTER TABLE audit.grant ENABLE ALWAYS TRIGGER "00_audit_insert";
CREATE TRIGGER "00_audit_update" AFTER UPDATE ON audit.grant FOR EACH ROW
	WHEN (audit.capture_update(OLD.tableoid, OLD.ctid, NEW.ctid)) EXECUTE FUNCTION audit.capture();
ALTER TABLE audit.grant ENABLE ALWAYS TRIGGER "00_audit_update";
CREATE TRIGGER "00_audit_delete" AFTER DELETE ON audit.grant FOR EACH ROW
	WHEN (audit.capture_delete(OLD.tableoid, OLD.ctid)) EXECUTE FUNCTION audit.capture();
ALTER TABLE audit.grant ENABLE ALWAYS TRIGGER "00_audit_delete";
CREATE TRIGGER "00_audit_before_truncate" BEFORE TRUNCATE ON audit.grant
	EXECUTE FUNCTION audit.capture();
ALTER TABLE audit.grant ENABLE ALWAYS TRIGGER "00_audit_before_truncate";
CREATE TRIGGER "00_audit_truncate" AFTER TRUNCATE ON audit.grant
	EXECUTE FUNCTION audit.capture();
ALTER TABLE audit.grant ENABLE ALWAYS TRIGGER "00_audit_truncate";

CREATE FUNCTION audit.check_grant() RETURNS trigger
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'at_check_grant';
COMMENT ON FUNCTION audit.check_grant() IS
	'internal: the trigger function that checks rows of audit.grant, and finds the lineages of their tables';
REVOKE ALL ON FUNCTION audit.check_grant() FROM PUBLIC;

CREATE TRIGGER check_grant BEFORE INSERT OR UPDATE ON audit.grant
	FOR EACH ROW EXECUTE FUNCTION audit.check_grant();
ALTER TABLE audit.grant ENABLE ALWAYS TRIGGER check_grant;

CREATE FUNCTION audit.access_changed() RETURNS trigger
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'at_access_changed';
COMMENT ON FUNCTION audit.access_changed() IS
	'internal: the trigger function that lets all sessions read audit.role and audit.grant anew';
REVOKE ALL ON FUNCTION audit.access_changed() FROM PUBLIC;

CREATE TRIGGER access_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE
	ON audit.role EXECUTE FUNCTION audit.access_changed();
ALTER TABLE audit.role ENABLE ALWAYS TRIGGER access_changed;
CREATE TRIGGER access_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE
	ON audit.grant EXECUTE FUNCTION audit.access_changed();
ALTER TABLE audit.grant ENABLE ALWAYS TRIGGER access_changed;

-- What each kind of role may do. A function that is not here and not for all is for superusers.
CREATE FUNCTION audit.role_rights() RETURNS TABLE (kind text, command text)
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
SELECT 'auditor', format('GRANT SELECT ON %s', c.oid::regclass)
FROM pg_class c
WHERE c.relnamespace = 'audit'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition
UNION ALL
SELECT t.kind, format('GRANT %s ON %s', t.privileges, c.oid::regclass)
FROM (VALUES
		('admin', 'SELECT', '{policy,automatic,automatic_missing,alert_rule,role,role_holders,role_reach,role_conflicts,baseline_progress,events,record_event,public_keys,request,retention,retention_template,holds}'::text[]),
		('admin', 'SELECT', '{alert_templates}'),
		('admin', 'SELECT, INSERT, UPDATE, DELETE', '{context_source,grant}'),
		('scoped_auditor', 'SELECT', '{events,record_event,public_keys,alerts,open_alerts,alert_feed}'),
		('responder', 'SELECT', '{alerts,open_alerts,dead_letters,alert_feed,events}'),
		('relay', 'SELECT', '{alert_feed,events}'),
		('maintenance', 'SELECT', '{baseline_progress,keeper_progress,keeper_run,verify_progress,anchor_status,public_keys,request,retention,retention_template,holds}'),
		('purge_approver', 'SELECT', '{request,retention,holds,erasure}'),
		('scoped_auditor', 'SELECT', '{personal_event}'),
		('admin', 'SELECT', '{context,category,event_type,event_types,event_map}'),
		('scoped_auditor', 'SELECT', '{context,category,event_type,event_types}'),
		('writer', 'SELECT', '{context,category,event_type,event_types}')
	) t (kind, privileges, names)
	JOIN pg_class c ON c.relname = ANY (t.names)
WHERE c.relnamespace = 'audit'::regnamespace
UNION ALL
SELECT f.kind, format('GRANT EXECUTE ON %s %s', CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END, p.oid::regprocedure)
FROM (VALUES
		('admin', '{enable,disable,enable_schema,disable_schema,columns_to_ignore,columns_there,alert_when,alert_drop,record_baseline,overhead,read_baseline_progress,history,search,target_versions,record_targets,session_parts,session_flow,request_flow,coverage,seal_lag,doctor,check_proof,check_consistency}'::text[]),
		('auditor', '{history,search,target_versions,record_targets,session_parts,session_flow,request_flow,coverage,alerts_since,verify,verify_now,read_verify_progress,anchored_checkpoint,anchored_checkpoint_bytes,read_anchor_status,reconcile,read_baseline_progress,seal_lag,doctor,checkpoint,checkpoint_bytes,prove,prove_bytes,prove_consistency,check_proof,check_consistency,export_tlog,export_archive,export_segments,export_evidence,columns_to_ignore,columns_there}'),
		('auditor', '{volume_per_hour,query_latency,integrity}'),
		('admin', '{alert_alter,alert_switch,alert_enable,alert_disable,alert_template,refuse_template,try_alert}'),
		('auditor', '{try_alert}'),
		('scoped_auditor', '{history,search,target_versions,record_targets,session_parts,session_flow,request_flow,checkpoint,checkpoint_bytes,anchored_checkpoint,anchored_checkpoint_bytes,prove_consistency,check_proof,check_consistency}'),
		('maintenance', '{query_latency,rebuild_volume}'),
		('auditor', '{export_deletion,export_deletion_bytes,hold,release_hold,retention_plan,read_holds,read_keeper_progress,read_requests,read_retention,refuse_request}'),
		('admin', '{export_deletion,export_deletion_bytes,hold,release_hold,retention_plan,read_holds,read_requests,read_retention,refuse_request,set_retention}'),
		('maintenance', '{keeper_now,read_holds,read_keeper_progress,read_requests,read_retention,refuse_request,request_purge,retention_plan}'),
		('purge_approver', '{approve,export_deletion,export_deletion_bytes,read_holds,retention_plan,read_requests,read_retention,refuse_request}'),
		('auditor', '{subject_report,export_subject,subject_key_state}'),
		('admin', '{erase_subject,subject_key_state}'),
		('maintenance', '{erase_subject,subject_key_state}'),
		('scoped_auditor', '{subject_report}'),
		('scoped_auditor', '{alerts_since}'),
		('responder', '{alerts_since,acknowledge,resend_alert}'),
		('relay', '{alerts_since,report_delivery}'),
		('admin', '{add_context,add_event_type,change_event_type,deprecate_event_type,map_event,unmap_event}'),
		('writer', '{emit,emit_now}'),
		('standby', '{receive_records}'),
		('maintenance', '{archive_now,archive_to_file}'),
		('auditor', '{attach_archive,detach_archive,verify_attached,read_attached,attached_events,search_attached}'),
		('maintenance', '{create_partitions,seal_now,notify_now,anchor_now,read_anchor_status,verify_now,read_verify_progress,seal_lag,doctor,read_baseline_progress,checkpoint,checkpoint_bytes,check_proof,check_consistency}')
	) f (kind, names)
	JOIN pg_proc p ON p.proname = ANY (f.names)
WHERE p.pronamespace = 'audit'::regnamespace
$$;
COMMENT ON FUNCTION audit.role_rights() IS
	'internal: commands, but for the role, that give each kind of role its rights; audit.create_roles() runs them';
REVOKE ALL ON FUNCTION audit.role_rights() FROM PUBLIC;

CREATE FUNCTION audit.create_roles(prefix text DEFAULT 'audit_')
	RETURNS TABLE (kind text, role text, detail text)
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'at_create_roles';
COMMENT ON FUNCTION audit.create_roles(text) IS
	'makes the roles of the audit trail, where they are not there yet, and gives them their rights in this database; names are the prefix and the kind';
REVOKE ALL ON FUNCTION audit.create_roles(text) FROM PUBLIC;

CREATE VIEW audit.role_holders AS
WITH RECURSIVE holder (kind, role) AS (
	SELECT r.kind, a.oid
	FROM audit.role r
		JOIN pg_catalog.pg_roles a ON a.rolname = r.role
	UNION
	SELECT 'scoped_auditor', a.oid
	FROM audit.grant g
		JOIN pg_catalog.pg_roles a ON a.rolname = g.grantee
	UNION
	SELECT h.kind, m.member
	FROM holder h
		JOIN pg_catalog.pg_auth_members m ON m.roleid = h.role
)
SELECT h.kind, a.rolname::text AS holder, a.rolsuper AS is_superuser
FROM holder h
	JOIN pg_catalog.pg_roles a ON a.oid = h.role;
COMMENT ON VIEW audit.role_holders IS
	'who holds the roles of the audit trail, directly or through other roles, the roles themselves included';
COMMENT ON COLUMN audit.role_holders.kind IS 'of the role, see audit.role';
COMMENT ON COLUMN audit.role_holders.holder IS 'a role that has it';
COMMENT ON COLUMN audit.role_holders.is_superuser IS 'it holds all of them anyway';
REVOKE ALL ON audit.role_holders FROM PUBLIC;

-- Who gets at the trail, its keys or its checkpoints by another way than its roles: not what they
-- do with it, which is recorded as everybody's, but that they could.
CREATE VIEW audit.role_reach AS
WITH RECURSIVE way (kind, role) AS (
	SELECT w.kind, w.role
	FROM (
		SELECT 'owner of the ledger' AS kind, c.relowner AS role
		FROM pg_catalog.pg_class c
		WHERE c.oid = pg_catalog.to_regclass('audit.event')
		UNION ALL
		SELECT k.kind, a.oid
		FROM pg_catalog.pg_roles a
			CROSS JOIN LATERAL (VALUES
				(CASE WHEN a.rolsuper THEN 'superuser' END),
				(CASE WHEN a.rolcreaterole THEN 'createrole' END),
				(CASE WHEN a.rolbypassrls THEN 'bypassrls' END),
				(CASE WHEN a.rolcanlogin AND a.oid = (SELECT c.relowner FROM pg_catalog.pg_class c WHERE c.oid = pg_catalog.to_regclass('audit.event'))
					THEN 'login of the owner' END),
				(CASE WHEN a.rolname IN ('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files')
					THEN a.rolname::text END)
			) k (kind)
		WHERE k.kind IS NOT NULL
	) w
	UNION
	SELECT w.kind, m.member
	FROM way w
		JOIN pg_catalog.pg_auth_members m ON m.roleid = w.role
)
SELECT w.kind, a.rolname::text AS holder
FROM way w
	JOIN pg_catalog.pg_roles a ON a.oid = w.role;
COMMENT ON VIEW audit.role_reach IS
	'who could get at the audit trail, its keys or its checkpoints by another way than its roles, directly or through other roles; who comes to it or leaves is an event';
COMMENT ON COLUMN audit.role_reach.kind IS 'superuser, createrole, bypassrls, owner of the ledger, login of the owner if it has become able to, or a role of PostgreSQL that reads or writes files or runs programs';
COMMENT ON COLUMN audit.role_reach.holder IS 'a role that has it';
REVOKE ALL ON audit.role_reach FROM PUBLIC;

-- Who holds both of two roles that exclude each other. Superusers hold all anyway.
CREATE VIEW audit.role_conflicts AS
SELECT h.holder, p.one, p.other, p.why
FROM (VALUES
		('admin', 'auditor', 'who decides what is recorded does not see what was'),
		('admin', 'scoped_auditor', 'who decides what is recorded does not see what was'),
		('admin', 'writer', 'who decides what is recorded does not add to it'),
		('admin', 'purge_approver', 'a purge takes two'),
		('auditor', 'writer', 'who examines the trail does not add to it'),
		('admin', 'standby', 'who decides what is recorded does not add to it'),
		('auditor', 'standby', 'who examines the trail does not add to it'),
		('auditor', 'maintenance', 'who examines the trail does not run it'),
		('maintenance', 'purge_approver', 'a purge takes two')
	) p (one, other, why)
	JOIN audit.role_holders h ON h.kind = p.one
	JOIN audit.role_holders i ON i.kind = p.other AND i.holder = h.holder
WHERE NOT h.is_superuser;
COMMENT ON VIEW audit.role_conflicts IS
	'who holds two roles of the audit trail that exclude each other: GRANT refuses that in databases that have the trail, not in others';
COMMENT ON COLUMN audit.role_conflicts.holder IS 'role that is a member of both, directly or through others';
COMMENT ON COLUMN audit.role_conflicts.one IS 'kind of one of the two, see audit.role';
COMMENT ON COLUMN audit.role_conflicts.other IS 'kind of the other';
COMMENT ON COLUMN audit.role_conflicts.why IS 'why they exclude each other';
REVOKE ALL ON audit.role_conflicts FROM PUBLIC;

-- Open to all: they tell what their caller may see, and the views and policies over the ledger
-- call them as their reader.
CREATE FUNCTION audit.may_read(target_id int, tx_at timestamptz) RETURNS boolean
	LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'at_may_read';
COMMENT ON FUNCTION audit.may_read(int, timestamptz) IS
	'internal: may the current user see that events of this version of a table and of this time happened?';
GRANT EXECUTE ON FUNCTION audit.may_read(int, timestamptz) TO PUBLIC;

CREATE FUNCTION audit.may_read_alert(target_id int, raised_at timestamptz) RETURNS boolean
	LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'at_may_read_alert';
COMMENT ON FUNCTION audit.may_read_alert(int, timestamptz) IS
	'internal: may the current user see that an alert about this version of a table was raised at this time?';
GRANT EXECUTE ON FUNCTION audit.may_read_alert(int, timestamptz) TO PUBLIC;

CREATE FUNCTION audit.may_read_some() RETURNS boolean
	LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'at_may_read_some';
COMMENT ON FUNCTION audit.may_read_some() IS 'internal: may the current user see any events?';
GRANT EXECUTE ON FUNCTION audit.may_read_some() TO PUBLIC;

CREATE FUNCTION audit.may_read_all() RETURNS boolean
	LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'at_may_read_all';
COMMENT ON FUNCTION audit.may_read_all() IS 'internal: may the current user see all of the ledger?';
GRANT EXECUTE ON FUNCTION audit.may_read_all() TO PUBLIC;

CREATE FUNCTION audit.is_shielded() RETURNS boolean
	LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'at_is_shielded';
COMMENT ON FUNCTION audit.is_shielded() IS
	'internal: raises an error if the row security of the ledger is not in force and the current user may not see all';
GRANT EXECUTE ON FUNCTION audit.is_shielded() TO PUBLIC;

CREATE FUNCTION audit.visible_values(value json, target_id int, tx_at timestamptz) RETURNS json
	LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'at_visible_values';
COMMENT ON FUNCTION audit.visible_values(json, int, timestamptz) IS
	'internal: recorded values, masked if the current user may not see those of this version of a table and of this time';
GRANT EXECUTE ON FUNCTION audit.visible_values(json, int, timestamptz) TO PUBLIC;

CREATE FUNCTION audit.visible_extra(extra json, target_id int, tx_at timestamptz) RETURNS json
	LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'at_visible_extra';
COMMENT ON FUNCTION audit.visible_extra(json, int, timestamptz) IS
	'internal: what else is known of an event, where the current user may not see that masked: whose values they are, texts of commands and values';
GRANT EXECUTE ON FUNCTION audit.visible_extra(json, int, timestamptz) TO PUBLIC;

CREATE FUNCTION audit.visible_sentence(sentence text, target_id int, raised_at timestamptz) RETURNS text
	LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'at_visible_sentence';
COMMENT ON FUNCTION audit.visible_sentence(text, int, timestamptz) IS
	'internal: what an alert says, masked if the current user may not see values of this version of a table and of this time';
GRANT EXECUTE ON FUNCTION audit.visible_sentence(text, int, timestamptz) TO PUBLIC;

-- What is wrong with roles and row security, and the statement that mends it.
CREATE FUNCTION audit.access_findings() RETURNS TABLE (detail text, remedy text)
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
SELECT format('Role "%s" is %s and %s: %s.', c.holder, c.one, c.other, c.why),
	coalesce(
		(SELECT format('REVOKE %I FROM %I;', r.role, c.holder)
			FROM audit.role r
			WHERE r.kind IN (c.one, c.other) AND EXISTS (
				SELECT FROM pg_auth_members m
				WHERE m.roleid::regrole = to_regrole(quote_ident(r.role)) AND m.member = to_regrole(quote_ident(c.holder)))
			ORDER BY r.kind
			LIMIT 1),
		(SELECT format('DELETE FROM audit.grant WHERE name = %L;', g.name)
			FROM audit.grant g
			WHERE g.grantee = c.holder AND c.other = 'scoped_auditor'
			ORDER BY g.name
			LIMIT 1),
		'Revoke one of the two from a role that it is a member of.')
FROM audit.role_conflicts c
UNION ALL
SELECT format('Role "%s" of audit.role does not exist.', r.role), 'SELECT audit.create_roles();'
FROM audit.role r
WHERE to_regrole(quote_ident(r.role)) IS NULL
UNION ALL
SELECT format('Grant "%s" is for role "%s", which does not exist: whoever makes a role of that name has it.', g.name, g.grantee),
	format('DELETE FROM audit.grant WHERE name = %L;', g.name)
FROM audit.grant g
WHERE to_regrole(quote_ident(g.grantee)) IS NULL
UNION ALL
SELECT format('Table %s is not write-once any more: its access method was exchanged.', c.oid::regclass),
	'Find out who lifted the guard, and verify what was exported before, with contrib/audit_verify.'
FROM pg_class c
	JOIN pg_am m ON m.oid = c.relam
WHERE c.relnamespace = 'audit'::regnamespace AND m.amname <> 'audit_worm' AND c.relkind = 'r'
	AND (c.relispartition OR c.relname IN (
		SELECT made[1]
		FROM pg_proc p, regexp_matches(p.prosrc, 'CREATE TABLE audit\.(\w+) \([^;]*\) USING audit_worm', 'g') made
		WHERE p.oid = 'audit.create_ledger()'::regprocedure))
UNION ALL
SELECT format('Row security of %s is not in force.', c.oid::regclass), 'SELECT audit.shield();'
FROM pg_class c
	LEFT JOIN pg_am m ON m.oid = c.relam
WHERE c.relnamespace = 'audit'::regnamespace AND (m.amname = 'audit_worm' AND c.relkind = 'r' OR c.relkind = 'p')
	AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
UNION ALL
SELECT format('The owner of the ledger, "%s", may log in, or no row security binds it.', o.rolname),
	CASE WHEN o.rolsuper THEN 'SELECT audit.shield();' ELSE format('ALTER ROLE %I NOLOGIN NOBYPASSRLS;', o.rolname) END
FROM pg_roles o
WHERE (o.rolcanlogin OR o.rolsuper OR o.rolbypassrls) AND o.oid IN (
	SELECT c.relowner FROM pg_class c WHERE c.oid IN (to_regclass('audit.event'), to_regclass('audit.events')))
UNION ALL
SELECT format('Role "%s" is a member of the owner of the ledger.', m.member::regrole),
	format('REVOKE %s FROM %s;', m.roleid::regrole, m.member::regrole)
FROM pg_auth_members m
	JOIN pg_class c ON c.relowner = m.roleid
	JOIN pg_roles o ON o.oid = m.roleid
WHERE c.oid = to_regclass('audit.event') AND NOT o.rolsuper
UNION ALL
SELECT format('Role "%s" may read all tables, and no row security binds it.', a.rolname),
	format('ALTER ROLE %I NOBYPASSRLS;', a.rolname)
FROM pg_roles a
WHERE a.rolbypassrls AND NOT a.rolsuper AND pg_has_role(a.oid, 'pg_read_all_data', 'USAGE')
$$;
COMMENT ON FUNCTION audit.access_findings() IS 'internal: what audit.doctor() finds wrong with roles and row security';
REVOKE ALL ON FUNCTION audit.access_findings() FROM PUBLIC;
