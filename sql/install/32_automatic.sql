-- Schemas whose tables are audited, those that are there and those that will come.

CREATE TABLE audit.automatic (
	schema text COLLATE "C",
	pattern text CONSTRAINT automatic_pattern_check CHECK (pattern ~ '^([^\\]|\\.)*$'),
	exceptions text[] NOT NULL,
	context text NOT NULL CONSTRAINT automatic_context_check CHECK (context <> ''),
	operations text[] NOT NULL CONSTRAINT automatic_operations_check CHECK (
		cardinality(operations) > 0 AND operations <@ '{insert,update,delete,truncate}'),
	ignored_columns text[] NOT NULL,
	masked_columns text[] NOT NULL,
	hashed_columns text[] NOT NULL CONSTRAINT automatic_concealed_check CHECK (NOT hashed_columns && masked_columns),
	truncate text NOT NULL CONSTRAINT automatic_truncate_check CHECK (truncate IN ('rows', 'count')),
	query boolean NOT NULL CONSTRAINT automatic_query_check CHECK (
		NOT query OR masked_columns = '{}' AND hashed_columns = '{}'),
	enabled boolean NOT NULL,
	changed_at timestamptz NOT NULL,
	reason text,
	reads boolean NOT NULL DEFAULT false,
	read_columns text[] CONSTRAINT automatic_reads_check CHECK (reads OR read_columns IS NULL),
	CONSTRAINT automatic_pkey PRIMARY KEY (schema, pattern)
);
COMMENT ON TABLE audit.automatic IS
	'configuration: rules by which new tables are audited as they come; changed by audit.enable_schema() and audit.disable_schema(). Of several that a table matches, the first pattern in the order of bytes counts';
COMMENT ON COLUMN audit.automatic.schema IS 'name of the schema';
COMMENT ON COLUMN audit.automatic.pattern IS 'of the tables'' names, as in LIKE';
COMMENT ON COLUMN audit.automatic.exceptions IS 'names of tables that are left out';
COMMENT ON COLUMN audit.automatic.context IS 'as of audit.enable()';
COMMENT ON COLUMN audit.automatic.operations IS 'as of audit.enable()';
COMMENT ON COLUMN audit.automatic.ignored_columns IS 'as of audit.enable(): those of them that a table has, and that are not in its primary key';
COMMENT ON COLUMN audit.automatic.masked_columns IS 'as of audit.enable(): those of them that a table has';
COMMENT ON COLUMN audit.automatic.hashed_columns IS 'as of audit.enable(): those of them that a table has';
COMMENT ON COLUMN audit.automatic.truncate IS 'as of audit.enable()';
COMMENT ON COLUMN audit.automatic.query IS 'as of audit.enable()';
COMMENT ON COLUMN audit.automatic.enabled IS 'false after audit.disable_schema()';
COMMENT ON COLUMN audit.automatic.changed_at IS 'when it was enabled or disabled last';
COMMENT ON COLUMN audit.automatic.reason IS 'why it was disabled';
COMMENT ON COLUMN audit.automatic.reads IS 'as of audit.enable()';
COMMENT ON COLUMN audit.automatic.read_columns IS 'as of audit.enable(): those of them that a table has; where it has none, reading it is not recorded';
REVOKE ALL ON audit.automatic FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('audit.automatic', '');

CREATE TRIGGER "00_audit_insert" AFTER INSERT ON audit.automatic FOR EACH ROW
	WHEN (audit.capture_insert(NEW.tableoid, NEW.ctid)) EXECUTE FUNCTION audit.capture();
ALTER TABLE audit.automatic ENABLE ALWAYS TRIGGER "00_audit_insert";
CREATE TRIGGER "00_audit_update" AFTER UPDATE ON audit.automatic FOR EACH ROW
	WHEN (audit.capture_update(OLD.tableoid, OLD.ctid, NEW.ctid)) EXECUTE FUNCTION audit.capture();
ALTER TABLE audit.automatic ENABLE ALWAYS TRIGGER "00_audit_update";
CREATE TRIGGER "00_audit_delete" AFTER DELETE ON audit.automatic FOR EACH ROW
	WHEN (audit.capture_delete(OLD.tableoid, OLD.ctid)) EXECUTE FUNCTION audit.capture();
ALTER TABLE audit.automatic ENABLE ALWAYS TRIGGER "00_audit_delete";
CREATE TRIGGER "00_audit_before_truncate" BEFORE TRUNCATE ON audit.automatic
	EXECUTE FUNCTION audit.capture();
ALTER TABLE audit.automatic ENABLE ALWAYS TRIGGER "00_audit_before_truncate";
CREATE TRIGGER "00_audit_truncate" AFTER TRUNCATE ON audit.automatic
	EXECUTE FUNCTION audit.capture();
ALTER TABLE audit.automatic ENABLE ALWAYS TRIGGER "00_audit_truncate";

CREATE FUNCTION audit.columns_to_ignore(target regclass, columns text[]) RETURNS text[]
	LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
SELECT coalesce(array_agg(a.attname::text ORDER BY a.attnum), '{}')
FROM pg_attribute a
WHERE a.attrelid = columns_to_ignore.target AND a.attnum > 0 AND NOT a.attisdropped
	AND a.attname::text = ANY (columns_to_ignore.columns)
	AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisprimary
		AND a.attnum = ANY (i.indkey))
$$;
COMMENT ON FUNCTION audit.columns_to_ignore(regclass, text[]) IS
	'internal: those of the columns that the table has and that are not in its primary key';
REVOKE ALL ON FUNCTION audit.columns_to_ignore(regclass, text[]) FROM PUBLIC;

CREATE FUNCTION audit.columns_there(target regclass, columns text[]) RETURNS text[]
	LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
SELECT coalesce(array_agg(a.attname::text ORDER BY a.attnum), '{}')
FROM pg_attribute a
WHERE a.attrelid = columns_there.target AND a.attnum > 0 AND NOT a.attisdropped
	AND a.attname::text = ANY (columns_there.columns)
$$;
COMMENT ON FUNCTION audit.columns_there(regclass, text[]) IS
	'internal: those of the columns that the table has, also of its primary key: what is to be concealed and cannot be must not be told';
REVOKE ALL ON FUNCTION audit.columns_there(regclass, text[]) FROM PUBLIC;

-- A table with a policy of its own is left alone: if that is disabled, somebody decided so.
CREATE VIEW audit.automatic_missing AS
SELECT c.oid::regclass AS target, c.relpersistence = 'u' AS unlogged, r.pattern, r.context, r.operations,
	audit.columns_to_ignore(c.oid, r.ignored_columns) AS ignored_columns,
	audit.columns_there(c.oid, r.masked_columns) AS masked_columns,
	audit.columns_there(c.oid, r.hashed_columns) AS hashed_columns, r.truncate, r.query,
	r.reads AND r.read_columns IS NULL AS reads, nullif(audit.columns_there(c.oid, r.read_columns), '{}') AS read_columns
FROM pg_catalog.pg_class c
	JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
	CROSS JOIN LATERAL (
		SELECT *
		FROM audit.automatic a
		WHERE a.enabled AND a.schema = n.nspname::text
			AND c.relname::text COLLATE "C" LIKE a.pattern AND c.relname <> ALL (a.exceptions)
		ORDER BY a.pattern COLLATE "C"
		LIMIT 1
	) r
WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND NOT c.relispartition
	AND NOT EXISTS (
		WITH RECURSIVE above (relation) AS (
			SELECT c.oid
			UNION
			SELECT i.inhparent
			FROM above u
				JOIN pg_catalog.pg_inherits i ON i.inhrelid = u.relation
		)
		SELECT
		FROM above u
			JOIN audit.policy p ON p.target = u.relation
		WHERE p.enabled OR u.relation = c.oid
	);
COMMENT ON VIEW audit.automatic_missing IS
	'tables that audit.automatic wants to be audited and that are not: unlogged ones, those that came while the library was not loaded, those that could not be';
COMMENT ON COLUMN audit.automatic_missing.target IS 'the table';
COMMENT ON COLUMN audit.automatic_missing.unlogged IS 'it cannot be audited: a crash would empty it';
COMMENT ON COLUMN audit.automatic_missing.pattern IS 'of the rule';
COMMENT ON COLUMN audit.automatic_missing.context IS 'as of audit.enable()';
COMMENT ON COLUMN audit.automatic_missing.operations IS 'as of audit.enable()';
COMMENT ON COLUMN audit.automatic_missing.ignored_columns IS 'as of audit.enable()';
COMMENT ON COLUMN audit.automatic_missing.masked_columns IS 'as of audit.enable()';
COMMENT ON COLUMN audit.automatic_missing.hashed_columns IS 'as of audit.enable()';
COMMENT ON COLUMN audit.automatic_missing.truncate IS 'as of audit.enable()';
COMMENT ON COLUMN audit.automatic_missing.query IS 'as of audit.enable()';
COMMENT ON COLUMN audit.automatic_missing.reads IS 'as of audit.enable()';
COMMENT ON COLUMN audit.automatic_missing.read_columns IS 'as of audit.enable()';
REVOKE ALL ON audit.automatic_missing FROM PUBLIC;

CREATE FUNCTION audit.enable_schema(
	schema regnamespace,
	"like" text DEFAULT '%',
	"except" text[] DEFAULT '{}',
	automatic boolean DEFAULT false,
	context text DEFAULT 'orders',
	operations text[] DEFAULT '{insert,update,delete,truncate}',
	ignore text[] DEFAULT '{}',
	baseline boolean DEFAULT false,
	mask text[] DEFAULT '{}',
	hash text[] DEFAULT '{}',
	truncate text DEFAULT 'rows',
	query boolean DEFAULT false,
	reads boolean DEFAULT false,
	read_columns text[] DEFAULT NULL
) RETURNS TABLE (target regclass, audited boolean, detail text)
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'at_enable_schema';
COMMENT ON FUNCTION audit.enable_schema(regnamespace, text, text[], boolean, text, text[], text[], boolean, text[], text[], text, boolean, boolean, text[]) IS
	'starts to record the changes of all tables of a schema whose names match, but for the exceptions; says of each what was done, or why not. automatic => true has tables that come later audited too. Else as audit.enable(); columns to be ignored, masked, hashed or watched are those of them that a table has';
REVOKE ALL ON FUNCTION audit.enable_schema(regnamespace, text, text[], boolean, text, text[], text[], boolean, text[], text[], text, boolean, boolean, text[]) FROM PUBLIC;

CREATE FUNCTION audit.disable_schema(schema regnamespace, reason text, "like" text DEFAULT NULL) RETURNS text
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'at_disable_schema';
COMMENT ON FUNCTION audit.disable_schema(regnamespace, text, text) IS
	'has tables that come to the schema no longer audited, by all rules or by that of one pattern; the reason is recorded. What is audited stays so, see audit.disable()';
REVOKE ALL ON FUNCTION audit.disable_schema(regnamespace, text, text) FROM PUBLIC;
