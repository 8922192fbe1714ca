-- A person: what is held about them, and how that is erased.

CREATE FUNCTION audit.subject_key_state(subject text) RETURNS text
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'at_subject_key_state';
COMMENT ON FUNCTION audit.subject_key_state(text) IS
	'whether personal values of a person can be read: held; erased; none, nothing is recorded under a key';
REVOKE ALL ON FUNCTION audit.subject_key_state(text) FROM PUBLIC;

CREATE FUNCTION audit.erase_subject(subject text, legal_basis text) RETURNS bigint
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'at_erase_subject';
COMMENT ON FUNCTION audit.erase_subject(text, text) IS
	'asks that the key of a person be destroyed, and with it all that was recorded under it; returns the request that another must approve';
REVOKE ALL ON FUNCTION audit.erase_subject(text, text) FROM PUBLIC;

-- The values before a change are the former person's, where the person changed.
CREATE FUNCTION audit.subject_report(subject text)
	RETURNS TABLE (
		event_id text,
		occurred_at timestamptz,
		context text,
		table_schema text,
		table_name text,
		resource_id text,
		action text,
		old_values json,
		new_values json,
		actor text,
		reason text
	)
	LANGUAGE sql STABLE STRICT PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp SET jit = off AS $$
SELECT e.event_id, e.occurred_at, e.context, e.table_schema, e.table_name, e.resource_id, e.action,
	CASE WHEN coalesce(p.former_subject, p.subject) = subject_report.subject THEN e.old_values END,
	CASE WHEN p.subject = subject_report.subject THEN e.new_values END,
	e.actor, e.reason
FROM audit.personal_event p
	CROSS JOIN LATERAL (
		SELECT *
		FROM audit.events x
		WHERE x.tx_id = p.tx_id AND x.ordinal = p.ordinal AND x.tx_at = p.tx_at
		OFFSET 0
	) e
WHERE subject_report.subject IN (p.subject, p.former_subject)
ORDER BY p.tx_at, p.tx_id, p.ordinal
$$;
COMMENT ON FUNCTION audit.subject_report(text) IS
	'what is held about a person: the events of tables with personal columns that are theirs, oldest first, with the values that are theirs; reads the whole trail';
REVOKE ALL ON FUNCTION audit.subject_report(text) FROM PUBLIC;

CREATE FUNCTION audit.export_subject(subject text) RETURNS jsonb
	LANGUAGE sql STABLE STRICT PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp SET jit = off AS $$
SELECT jsonb_build_object('subject', export_subject.subject, 'made_at', now(), 'key', audit.subject_key_state(export_subject.subject),
	'events', coalesce((
		SELECT jsonb_agg(jsonb_build_object('event_id', r.event_id, 'occurred_at', r.occurred_at, 'context', r.context, 'table_schema', r.table_schema,
			'table_name', r.table_name, 'resource_id', r.resource_id, 'action', r.action, 'old_values', audit.to_jsonb(r.old_values),
			'new_values', audit.to_jsonb(r.new_values), 'actor', r.actor, 'reason', r.reason))
		FROM audit.subject_report(export_subject.subject) r), '[]'))
$$;
COMMENT ON FUNCTION audit.export_subject(text) IS
	'audit.subject_report() as one JSON document, to be handed to the person';
REVOKE ALL ON FUNCTION audit.export_subject(text) FROM PUBLIC;

-- Called by audit.init().
CREATE FUNCTION audit.create_person_views() RETURNS void
	LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $views$

CREATE VIEW audit.personal_event AS
SELECT e.tx_at, e.tx_id, e.ordinal, v.extra ->> 'subject' AS subject, v.extra ->> 'former_subject' AS former_subject
FROM audit.event e
	CROSS JOIN LATERAL (SELECT audit.to_jsonb(audit.visible_extra(e.extra, e.target_id, e.tx_at)) AS extra) v
WHERE e.extra IS NOT NULL AND v.extra ? 'subject' AND audit.is_shielded();
COMMENT ON VIEW audit.personal_event IS
	'internal: events that tell whose personal values they are about, for those who may see that';
COMMENT ON COLUMN audit.personal_event.tx_at IS 'as of audit.event';
COMMENT ON COLUMN audit.personal_event.tx_id IS 'as of audit.event';
COMMENT ON COLUMN audit.personal_event.ordinal IS 'as of audit.event';
COMMENT ON COLUMN audit.personal_event.subject IS 'whose the row is, after the change';
COMMENT ON COLUMN audit.personal_event.former_subject IS 'whose it was before, where that changed';
REVOKE ALL ON audit.personal_event FROM PUBLIC;

CREATE VIEW audit.erasure AS
SELECT o.log_index, (o.payload ->> 'request')::bigint AS request_id, o.sealed_at AS ordered_at,
	d.sealed_at AS erased_at, o.payload ->> 'subject' AS subject, (o.payload ->> 'keys')::jsonb AS keys,
	o.payload ->> 'legal_basis' AS legal_basis, o.payload ->> 'by' AS requested_by, o.payload ->> 'approved_by' AS approved_by
FROM audit.log_entry o
	LEFT JOIN LATERAL (
		SELECT x.sealed_at
		FROM audit.log_entry x
		WHERE x.kind = 'erased' AND x.log_index > o.log_index AND (x.payload ->> 'erase')::bigint = o.log_index
		ORDER BY x.log_index
		LIMIT 1
	) d ON true
WHERE o.kind = 'erase' AND audit.is_shielded();
COMMENT ON VIEW audit.erasure IS 'persons that were erased, on whose authority, as the log has it';
COMMENT ON COLUMN audit.erasure.log_index IS 'record of the log that orders it';
COMMENT ON COLUMN audit.erasure.request_id IS 'request, see audit.request';
COMMENT ON COLUMN audit.erasure.ordered_at IS 'when it was approved';
COMMENT ON COLUMN audit.erasure.erased_at IS 'when the key was destroyed; null: not yet';
COMMENT ON COLUMN audit.erasure.subject IS 'the person, as the column that audit.enable() has as subject';
COMMENT ON COLUMN audit.erasure.keys IS 'names of the keys, as recorded values have them';
COMMENT ON COLUMN audit.erasure.legal_basis IS 'why, as who asked says';
COMMENT ON COLUMN audit.erasure.requested_by IS 'who had logged in and has asked';
COMMENT ON COLUMN audit.erasure.approved_by IS 'who had logged in and has approved';
REVOKE ALL ON audit.erasure FROM PUBLIC;
$views$;
COMMENT ON FUNCTION audit.create_person_views() IS 'internal: the views about persons; called by audit.init()';
REVOKE ALL ON FUNCTION audit.create_person_views() FROM PUBLIC;
