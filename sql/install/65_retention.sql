-- What two persons decide, and the worker that looks after the ledger's storage.

CREATE FUNCTION audit.read_requests(
	OUT request_id bigint,
	OUT kind text,
	OUT what jsonb,
	OUT reason text,
	OUT requested_by text,
	OUT requested_at timestamptz,
	OUT expires_at timestamptz,
	OUT state text,
	OUT decided_by text,
	OUT decided_at timestamptz,
	OUT note text
) RETURNS SETOF record
	LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'at_read_requests';
COMMENT ON FUNCTION audit.read_requests() IS 'internal: requests as the log has them; behind audit.request';
REVOKE ALL ON FUNCTION audit.read_requests() FROM PUBLIC;

CREATE VIEW audit.request AS SELECT r.* FROM audit.read_requests() AS r;
COMMENT ON VIEW audit.request IS
	'what somebody has asked for and another must approve; each row and each decision is a record of the log';
COMMENT ON COLUMN audit.request.request_id IS 'names the request: the log_index of its record';
COMMENT ON COLUMN audit.request.kind IS 'what is asked for: purge, shorten_retention, release_hold, erase';
COMMENT ON COLUMN audit.request.what IS 'what exactly';
COMMENT ON COLUMN audit.request.reason IS 'why, as who asked says';
COMMENT ON COLUMN audit.request.requested_by IS 'who had logged in';
COMMENT ON COLUMN audit.request.requested_at IS 'when';
COMMENT ON COLUMN audit.request.expires_at IS 'when it can be approved no longer, see audit_trail.request_expiry';
COMMENT ON COLUMN audit.request.state IS 'open, approved, refused or expired';
COMMENT ON COLUMN audit.request.decided_by IS 'who had logged in and has approved or refused it';
COMMENT ON COLUMN audit.request.decided_at IS 'when';
COMMENT ON COLUMN audit.request.note IS 'why, as that one says';
REVOKE ALL ON audit.request FROM PUBLIC;

CREATE FUNCTION audit.approve(request_id bigint, note text) RETURNS void
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'at_approve';
COMMENT ON FUNCTION audit.approve(bigint, text) IS
	'approves what another has asked for, and does it, or lets the keeper do it';
REVOKE ALL ON FUNCTION audit.approve(bigint, text) FROM PUBLIC;

CREATE FUNCTION audit.refuse_request(request_id bigint, note text) RETURNS void
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'at_refuse_request';
COMMENT ON FUNCTION audit.refuse_request(bigint, text) IS
	'refuses what another has asked for, or takes back what the caller has';
REVOKE ALL ON FUNCTION audit.refuse_request(bigint, text) FROM PUBLIC;

CREATE FUNCTION audit.keeper_now() RETURNS void
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'at_keeper_now';
COMMENT ON FUNCTION audit.keeper_now() IS
	'has the keeper run now, whatever the maintenance window is, and waits for the end of the run; see audit.keeper_run';
REVOKE ALL ON FUNCTION audit.keeper_now() FROM PUBLIC;

CREATE FUNCTION audit.read_keeper_progress(
	OUT step text,
	OUT started_at timestamptz,
	OUT what text,
	OUT done bigint,
	OUT total bigint
) RETURNS SETOF record
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'at_read_keeper_progress';
COMMENT ON FUNCTION audit.read_keeper_progress() IS
	'internal: what the keeper of this database has told of itself; behind audit.keeper_progress';
REVOKE ALL ON FUNCTION audit.read_keeper_progress() FROM PUBLIC;

CREATE VIEW audit.keeper_progress AS SELECT p.* FROM audit.read_keeper_progress() AS p;
COMMENT ON VIEW audit.keeper_progress IS 'what the keeper is at; no row while it rests';
COMMENT ON COLUMN audit.keeper_progress.step IS 'step of its run';
COMMENT ON COLUMN audit.keeper_progress.started_at IS 'when that began';
COMMENT ON COLUMN audit.keeper_progress.what IS 'what it works on';
COMMENT ON COLUMN audit.keeper_progress.done IS 'how much of it is done';
COMMENT ON COLUMN audit.keeper_progress.total IS 'of how much; 0 if that is not known';
REVOKE ALL ON audit.keeper_progress FROM PUBLIC;

-- How long events are kept.

CREATE VIEW audit.retention_template AS
SELECT t.name, t.hot::interval, t.keep::interval, t."then", t.basis
FROM (VALUES
		('gdpr', '1 year', '7 years', 'purge', 'GDPR, Article 5(1)(e): no longer than needed; 7 years where contracts and their disputes are the purpose'),
		('sox', '1 year', '7 years', 'archive', 'Sarbanes-Oxley Act, section 802 and 17 CFR 210.2-06: 7 years'),
		('pci', '3 months', '1 year', 'archive', 'PCI DSS 4.0, requirement 10.5.1: 12 months, 3 of them at once available'),
		('hipaa', '1 year', '6 years', 'archive', 'HIPAA, 45 CFR 164.316(b)(2): 6 years'),
		('tax', '1 year', '10 years', 'archive', 'records of accounts, as in German AO section 147: 10 years'),
		('forever', '1 year', NULL, 'archive', 'nothing is ever purged')
	) AS t (name, hot, keep, "then", basis);
COMMENT ON VIEW audit.retention_template IS
	'what audit.set_retention() takes by name; each sets a floor as its source does, and whether events may be purged behind it is for the user to say';
COMMENT ON COLUMN audit.retention_template.name IS 'of the template';
COMMENT ON COLUMN audit.retention_template.hot IS 'how long events stay in the ledger''s tables';
COMMENT ON COLUMN audit.retention_template.keep IS 'how long they are kept; null: for ever';
COMMENT ON COLUMN audit.retention_template."then" IS 'what happens then: archive, they stay in the archive; or purge';
COMMENT ON COLUMN audit.retention_template.basis IS 'which rule it is taken from';
REVOKE ALL ON audit.retention_template FROM PUBLIC;

CREATE FUNCTION audit.set_retention(
	context text DEFAULT NULL,
	hot interval DEFAULT NULL,
	keep interval DEFAULT NULL,
	"then" text DEFAULT NULL,
	"table" regclass DEFAULT NULL,
	event_type text DEFAULT NULL,
	template text DEFAULT NULL,
	reason text DEFAULT NULL
) RETURNS bigint
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'at_set_retention';
COMMENT ON FUNCTION audit.set_retention(text, interval, interval, text, regclass, text, text, text) IS
	'sets how long events of a context, a table or a type are kept; returns null if that is in force, or the request that another must approve, as events would go sooner than before';
REVOKE ALL ON FUNCTION audit.set_retention(text, interval, interval, text, regclass, text, text, text) FROM PUBLIC;

CREATE FUNCTION audit.read_retention(
	OUT context text,
	OUT "table" text,
	OUT event_type text,
	OUT hot interval,
	OUT keep interval,
	OUT "then" text,
	OUT retention_class smallint,
	OUT set_by text,
	OUT approved_by text,
	OUT set_at timestamptz,
	OUT reason text
) RETURNS SETOF record
	LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'at_read_retention';
COMMENT ON FUNCTION audit.read_retention() IS 'internal: policies as the log has them; behind audit.retention';
REVOKE ALL ON FUNCTION audit.read_retention() FROM PUBLIC;

CREATE VIEW audit.retention AS SELECT r.* FROM audit.read_retention() AS r;
COMMENT ON VIEW audit.retention IS
	'policies of retention in force: that of an event''s type goes before that of its table, and that before the one of its context; what none is for is kept for ever';
COMMENT ON COLUMN audit.retention.context IS 'business context that it is for';
COMMENT ON COLUMN audit.retention."table" IS 'or table, as that is called now';
COMMENT ON COLUMN audit.retention.event_type IS 'or type of event';
COMMENT ON COLUMN audit.retention.hot IS 'how long events stay in the ledger''s tables; null: as long as they are kept';
COMMENT ON COLUMN audit.retention.keep IS 'how long they are kept; null: for ever';
COMMENT ON COLUMN audit.retention."then" IS 'what happens then: archive, they stay in the archive; or purge';
COMMENT ON COLUMN audit.retention.retention_class IS 'partitions that new events of it go to';
COMMENT ON COLUMN audit.retention.set_by IS 'who had logged in and has set it';
COMMENT ON COLUMN audit.retention.approved_by IS 'and who has approved it; null where that was not needed';
COMMENT ON COLUMN audit.retention.set_at IS 'since when it is in force';
COMMENT ON COLUMN audit.retention.reason IS 'why';
REVOKE ALL ON audit.retention FROM PUBLIC;

-- Legal holds.

CREATE FUNCTION audit.hold(
	name text,
	reason text,
	contexts text[] DEFAULT NULL,
	tables regclass[] DEFAULT NULL,
	records text[] DEFAULT NULL,
	actors text[] DEFAULT NULL,
	since timestamptz DEFAULT NULL,
	before timestamptz DEFAULT NULL,
	until timestamptz DEFAULT 'infinity'
) RETURNS bigint
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'at_hold';
COMMENT ON FUNCTION audit.hold(text, text, text[], regclass[], text[], text[], timestamptz, timestamptz, timestamptz) IS
	'keeps events from being purged, whatever the policies say: those for which all is so that is given; until it is released, or until a time; returns its place in the log';
REVOKE ALL ON FUNCTION audit.hold(text, text, text[], regclass[], text[], text[], timestamptz, timestamptz, timestamptz) FROM PUBLIC;

CREATE FUNCTION audit.release_hold(name text, reason text) RETURNS bigint
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'at_release_hold';
COMMENT ON FUNCTION audit.release_hold(text, text) IS
	'asks for a hold to be released; returns the request, which another must approve';
REVOKE ALL ON FUNCTION audit.release_hold(text, text) FROM PUBLIC;

CREATE FUNCTION audit.read_holds(
	OUT name text,
	OUT reason text,
	OUT contexts text[],
	OUT tables text[],
	OUT records text[],
	OUT actors text[],
	OUT since timestamptz,
	OUT before timestamptz,
	OUT until timestamptz,
	OUT placed_by text,
	OUT placed_at timestamptz
) RETURNS SETOF record
	LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'at_read_holds';
COMMENT ON FUNCTION audit.read_holds() IS 'internal: holds as the log has them; behind audit.holds';
REVOKE ALL ON FUNCTION audit.read_holds() FROM PUBLIC;

CREATE VIEW audit.holds AS SELECT h.* FROM audit.read_holds() AS h;
COMMENT ON VIEW audit.holds IS 'legal holds in force';
COMMENT ON COLUMN audit.holds.name IS 'of the hold';
COMMENT ON COLUMN audit.holds.reason IS 'why it was placed';
COMMENT ON COLUMN audit.holds.contexts IS 'business contexts whose events it keeps; null: all, here and below';
COMMENT ON COLUMN audit.holds.tables IS 'tables';
COMMENT ON COLUMN audit.holds.records IS 'keys of rows';
COMMENT ON COLUMN audit.holds.actors IS 'actors, or database users';
COMMENT ON COLUMN audit.holds.since IS 'events of transactions that began at this time or later';
COMMENT ON COLUMN audit.holds.before IS 'and before this one';
COMMENT ON COLUMN audit.holds.until IS 'when it ends by itself; infinity: never';
COMMENT ON COLUMN audit.holds.placed_by IS 'who had logged in and has placed it';
COMMENT ON COLUMN audit.holds.placed_at IS 'when';
REVOKE ALL ON audit.holds FROM PUBLIC;

-- What goes, and on whose authority.

CREATE FUNCTION audit.retention_plan(
	ahead interval DEFAULT '0',
	OUT action text,
	OUT retention_class smallint,
	OUT since timestamptz,
	OUT before timestamptz,
	OUT objects bigint,
	OUT events bigint,
	OUT transactions bigint,
	OUT held bigint,
	OUT kept bigint,
	OUT bytes bigint,
	OUT holds text[],
	OUT reason text,
	OUT needs text,
	OUT not_before timestamptz
) RETURNS SETOF record
	LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'at_retention_plan';
COMMENT ON FUNCTION audit.retention_plan(interval) IS
	'what the next run of the keeper will do, or all of them until so much later, without doing it: partitions to be made, months to be archived, moved to files or purged, empty partitions to be dropped, keys of persons to be destroyed; with counts, about how many bytes become free, why, what holds keep, what it needs, and from when on';
REVOKE ALL ON FUNCTION audit.retention_plan(interval) FROM PUBLIC;

CREATE FUNCTION audit.request_purge(reason text) RETURNS bigint
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'at_request_purge';
COMMENT ON FUNCTION audit.request_purge(text) IS
	'asks for what audit.retention_plan() says may be purged now; returns the request, which another must approve';
REVOKE ALL ON FUNCTION audit.request_purge(text) FROM PUBLIC;

CREATE FUNCTION audit.export_deletion(deletion_id bigint) RETURNS text
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'at_export_deletion';
COMMENT ON FUNCTION audit.export_deletion(bigint) IS
	'the certificate of a purge or an erasure that was carried out: request, approval, order and completion with proofs, what has gone, and the signed checkpoint; contrib/audit_verify checks it without a server';
REVOKE ALL ON FUNCTION audit.export_deletion(bigint) FROM PUBLIC;

CREATE FUNCTION audit.export_deletion_bytes(deletion_id bigint) RETURNS bytea
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'at_export_deletion_bytes';
COMMENT ON FUNCTION audit.export_deletion_bytes(bigint) IS
	'the same as export_deletion(), for databases whose encoding cannot represent it as a text';
REVOKE ALL ON FUNCTION audit.export_deletion_bytes(bigint) FROM PUBLIC;
