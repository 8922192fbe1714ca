-- Which tables are captured, and how.

CREATE TABLE audit.policy (
	target regclass CONSTRAINT policy_pkey PRIMARY KEY,
	target_id int NOT NULL,
	context text NOT NULL,
	resource_type text NOT NULL,
	operations text[] NOT NULL,
	ignored_columns text[] NOT NULL,
	key_columns text[] NOT NULL,
	enabled boolean NOT NULL,
	changed_at timestamptz NOT NULL,
	reason text,
	key_given boolean NOT NULL,
	only_columns text[],
	masked_columns text[] NOT NULL DEFAULT '{}',
	hashed_columns text[] NOT NULL DEFAULT '{}',
	personal_columns text[] NOT NULL DEFAULT '{}',
	subject_column text,
	recorded_when jsonpath,
	truncate text NOT NULL,
	query boolean NOT NULL,
	reads boolean NOT NULL,
	read_columns text[]
);
COMMENT ON TABLE audit.policy IS 'configuration: which tables are audited; changed by audit.enable() and audit.disable()';
COMMENT ON COLUMN audit.policy.target IS 'the table';
COMMENT ON COLUMN audit.policy.target_id IS 'its newest version in audit.target';
COMMENT ON COLUMN audit.policy.context IS 'business context of its events';
COMMENT ON COLUMN audit.policy.resource_type IS 'what a row of it is called in events';
COMMENT ON COLUMN audit.policy.operations IS 'insert, update, delete, truncate: which are recorded';
COMMENT ON COLUMN audit.policy.ignored_columns IS 'an update that changes only these is no event';
COMMENT ON COLUMN audit.policy.key_columns IS 'columns that identify a row; empty if nothing does';
COMMENT ON COLUMN audit.policy.enabled IS 'false after audit.disable(): the history stays readable';
COMMENT ON COLUMN audit.policy.changed_at IS 'when it was enabled or disabled last';
COMMENT ON COLUMN audit.policy.reason IS 'why it was disabled';
COMMENT ON COLUMN audit.policy.key_given IS 'key_columns were named by who enabled it; else they follow the primary key';
COMMENT ON COLUMN audit.policy.only_columns IS 'columns that are recorded, besides the key; null: all';
COMMENT ON COLUMN audit.policy.masked_columns IS 'columns of which only a change is recorded, and no value';
COMMENT ON COLUMN audit.policy.hashed_columns IS 'columns whose values are recorded as keyed hashes';
COMMENT ON COLUMN audit.policy.personal_columns IS 'columns whose values are recorded as commitments';
COMMENT ON COLUMN audit.policy.subject_column IS 'column that tells whose personal values a row has';
COMMENT ON COLUMN audit.policy.recorded_when IS 'changes for which this is false are not recorded; null: all are';
COMMENT ON COLUMN audit.policy.truncate IS 'rows: TRUNCATE tells each row that it takes; count: only how many';
COMMENT ON COLUMN audit.policy.query IS 'the text of each client''s statement is recorded, with its first event';
COMMENT ON COLUMN audit.policy.reads IS 'statements that read the table are recorded';
COMMENT ON COLUMN audit.policy.read_columns IS 'those alone that read one of these columns; null: all';
REVOKE ALL ON audit.policy FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('audit.policy', '');

-- The triggers of an audited table. Those for rows work in their WHEN condition, which is
-- evaluated right when a row has been changed, and is never true. PUBLIC keeps EXECUTE: whoever
-- changes a row evaluates the condition, and creating a partition clones the triggers with its
-- owner's rights. Called in any other way, or for a table without policy, they raise an error.
CREATE FUNCTION audit.capture() RETURNS trigger
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'at_capture';
COMMENT ON FUNCTION audit.capture() IS 'internal: the trigger function, called before and after TRUNCATE';
GRANT EXECUTE ON FUNCTION audit.capture() TO PUBLIC;

CREATE FUNCTION audit.capture_insert(tableoid oid, new_ctid tid) RETURNS boolean
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'at_capture_insert';
COMMENT ON FUNCTION audit.capture_insert(oid, tid) IS
	'internal: records an insert, as the condition of a trigger; returns false';
GRANT EXECUTE ON FUNCTION audit.capture_insert(oid, tid) TO PUBLIC;

CREATE FUNCTION audit.capture_update(tableoid oid, old_ctid tid, new_ctid tid) RETURNS boolean
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'at_capture_update';
COMMENT ON FUNCTION audit.capture_update(oid, tid, tid) IS
	'internal: records an update, as the condition of a trigger; returns false';
GRANT EXECUTE ON FUNCTION audit.capture_update(oid, tid, tid) TO PUBLIC;

CREATE FUNCTION audit.capture_delete(tableoid oid, old_ctid tid) RETURNS boolean
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'at_capture_delete';
COMMENT ON FUNCTION audit.capture_delete(oid, tid) IS
	'internal: records a delete, as the condition of a trigger; returns false';
GRANT EXECUTE ON FUNCTION audit.capture_delete(oid, tid) TO PUBLIC;

CREATE TRIGGER "00_audit_insert" AFTER INSERT ON audit.policy FOR EACH ROW
	WHEN (audit.capture_insert(NEW.tableoid, NEW.ctid)) EXECUTE FUNCTION audit.capture();
ALTER TABLE audit.policy ENABLE ALWAYS TRIGGER "00_audit_insert";
CREATE TRIGGER "00_audit_update" AFTER UPDATE ON audit.policy FOR EACH ROW
	WHEN (audit.capture_update(OLD.tableoid, OLD.ctid, NEW.ctid)) EXECUTE FUNCTION audit.capture();
ALTER TABLE audit.policy ENABLE ALWAYS TRIGGER "00_audit_update";
CREATE TRIGGER "00_audit_delete" AFTER DELETE ON audit.policy FOR EACH ROW
	WHEN (audit.capture_delete(OLD.tableoid, OLD.ctid)) EXECUTE FUNCTION audit.capture();
ALTER TABLE audit.policy ENABLE ALWAYS TRIGGER "00_audit_delete";
CREATE TRIGGER "00_audit_before_truncate" BEFORE TRUNCATE ON audit.policy
	EXECUTE FUNCTION audit.capture();
ALTER TABLE audit.policy ENABLE ALWAYS TRIGGER "00_audit_before_truncate";
CREATE TRIGGER "00_audit_truncate" AFTER TRUNCATE ON audit.policy
	EXECUTE FUNCTION audit.capture();
ALTER TABLE audit.policy ENABLE ALWAYS TRIGGER "00_audit_truncate";

CREATE FUNCTION audit.enable(
	target regclass,
	context text DEFAULT 'orders',
	resource_type text DEFAULT NULL,
	operations text[] DEFAULT '{insert,update,delete,truncate}',
	ignore text[] DEFAULT '{}',
	key text[] DEFAULT NULL,
	baseline boolean DEFAULT false,
	"only" text[] DEFAULT NULL,
	mask text[] DEFAULT '{}',
	hash text[] DEFAULT '{}',
	personal text[] DEFAULT '{}',
	subject text DEFAULT NULL,
	"when" jsonpath DEFAULT NULL,
	truncate text DEFAULT 'rows',
	query boolean DEFAULT false,
	reads boolean DEFAULT false,
	read_columns text[] DEFAULT NULL
) RETURNS text
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'at_enable';
COMMENT ON FUNCTION audit.enable(regclass, text, text, text[], text[], text[], boolean, text[], text[], text[], text[], text, jsonpath, text, boolean, boolean, text[]) IS
	'starts to record the changes of a table; says what is recorded; resource_type is the table''s name and key its primary key unless given; baseline => true has the rows recorded that are there already, in the background; of the columns in only, or all, those in mask, hash and personal are recorded as such, and of a personal one whose it is, by subject; when tells which changes are recorded, by {"old": row, "new": row}; truncate => ''count'' has TRUNCATE tell only how many rows it takes; query => true keeps the text of statements, with whatever secrets they contain, and so goes with no concealed columns; reads => true has statements recorded that read the table, read_columns those alone that read one of these columns';
REVOKE ALL ON FUNCTION audit.enable(regclass, text, text, text[], text[], text[], boolean, text[], text[], text[], text[], text, jsonpath, text, boolean, boolean, text[]) FROM PUBLIC;

CREATE FUNCTION audit.disable(target regclass, reason text) RETURNS text
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'at_disable';
COMMENT ON FUNCTION audit.disable(regclass, text) IS
	'stops to record the changes of a table; the reason is recorded';
REVOKE ALL ON FUNCTION audit.disable(regclass, text) FROM PUBLIC;
