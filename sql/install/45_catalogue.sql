-- The catalogue of business events: contexts, categories and types. What ships with the extension is
-- seeded, and comes with it; what users add is dumped. A type is never changed in place: the
-- row with its highest version counts, and those before it tell what was meant by earlier events.

CREATE TABLE audit.context (
	context text COLLATE "C" CONSTRAINT context_pkey PRIMARY KEY
		CONSTRAINT context_context_check CHECK (context ~ '^[a-z][a-z0-9_]*$' AND length(context) <= 63),
	title text NOT NULL,
	description text NOT NULL,
	seeded boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE audit.context IS
	'configuration: the business contexts that types of events belong to; audit.add_context() adds one';
COMMENT ON COLUMN audit.context.context IS 'its name, as in audit.events.context';
COMMENT ON COLUMN audit.context.title IS 'what people call it';
COMMENT ON COLUMN audit.context.description IS 'what it is about';
COMMENT ON COLUMN audit.context.seeded IS 'it comes with the extension';
REVOKE ALL ON audit.context FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('audit.context', 'WHERE NOT seeded');

CREATE TABLE audit.category (
	category text COLLATE "C" CONSTRAINT category_pkey PRIMARY KEY
		CONSTRAINT category_category_check CHECK (category ~ '^[a-z]+$'),
	description text NOT NULL,
	seeded boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE audit.category IS 'configuration: what kinds of action there are, whatever the business context';
COMMENT ON COLUMN audit.category.category IS 'its name, as in audit.events.category';
COMMENT ON COLUMN audit.category.description IS 'what belongs to it';
COMMENT ON COLUMN audit.category.seeded IS 'it comes with the extension';
REVOKE ALL ON audit.category FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('audit.category', 'WHERE NOT seeded');

-- In sentences, {name} is replaced by what the event has of that name, and what stands in square brackets is
-- left out where a name in it has nothing.
CREATE TABLE audit.event_type (
	event_type text COLLATE "C" NOT NULL
		CONSTRAINT event_type_name_check CHECK (event_type ~ '^[a-z][a-z0-9_]*[.][a-z][a-z0-9_]*$' AND length(event_type) <= 100)
		CONSTRAINT event_type_participle_check CHECK ((event_type ~ '(ed|en|wn|ought|aught)(_(away|back|down|in|off|on|out|over|up))?$'
			OR event_type ~ '[._](re|un|pre|over|mis|with|up|out)?(sent|paid|made|lost|won|met|held|kept|left|sold|told|begun|run|put|set|cut|let|read|built|split|spent|lent|bent|bound|found|spread|struck|swept|hidden|fed|led|bid|cast|laid|said|dealt|meant|felt|hung|wound|done|gone|stood|quit|shut)(_(away|back|down|in|off|on|out|over|up))?$')
			AND event_type !~ '[._](bed|bleed|breed|embed|even|exceed|feed|heed|need|open|proceed|red|reopen|seed|shed|speed|succeed|ten)$'),
	version int NOT NULL CONSTRAINT event_type_version_check CHECK (version > 0),
	context text COLLATE "C" NOT NULL CONSTRAINT event_type_context_fkey REFERENCES audit.context (context),
	category text COLLATE "C" NOT NULL CONSTRAINT event_type_category_fkey REFERENCES audit.category (category),
	severity text NOT NULL CONSTRAINT event_type_severity_check CHECK (severity IN ('info', 'notice', 'warning', 'critical')),
	description text NOT NULL CONSTRAINT event_type_description_check CHECK (description <> ''),
	sentence text NOT NULL
		CONSTRAINT event_type_sentence_check CHECK (sentence <> '' AND regexp_replace(regexp_replace(sentence,
			'[{](actor|resource|resource_id|resource_type|event_type|reason|request_id|changes|(old|new|extra)([.][a-z0-9_]+)+)[}]', '', 'g'),
			'\[[^][]*\]', '', 'g') !~ '[][{}]'),
	payload_schema jsonb CONSTRAINT event_type_payload_schema_check CHECK (jsonb_typeof(payload_schema) = 'object'),
	masked text[] NOT NULL DEFAULT '{}',
	changed_at timestamptz NOT NULL DEFAULT now(),
	deprecated_at timestamptz,
	replaced_by text COLLATE "C" CONSTRAINT event_type_replaced_by_check CHECK (replaced_by IS NULL OR deprecated_at IS NOT NULL),
	seeded boolean NOT NULL DEFAULT false,
	resource_type text COLLATE "C" GENERATED ALWAYS AS (split_part(event_type, '.', 1)) STORED,
	reserved boolean NOT NULL DEFAULT false,
	CONSTRAINT event_type_pkey PRIMARY KEY (event_type, version)
);
COMMENT ON TABLE audit.event_type IS
	'configuration: what happens in a business, as audit.emit() and audit.map_event() name it; changed by audit.add_event_type() and its kin';
COMMENT ON COLUMN audit.event_type.event_type IS 'its name: what it happens to, and a past participle';
COMMENT ON COLUMN audit.event_type.version IS 'from 1; the highest counts';
COMMENT ON COLUMN audit.event_type.context IS 'business context of its events, see audit.context';
COMMENT ON COLUMN audit.event_type.category IS 'kind of action, see audit.category';
COMMENT ON COLUMN audit.event_type.severity IS 'how much it matters: info, notice, warning or critical';
COMMENT ON COLUMN audit.event_type.description IS 'when it is emitted';
COMMENT ON COLUMN audit.event_type.sentence IS 'template of audit.events.sentence';
COMMENT ON COLUMN audit.event_type.payload_schema IS 'JSON Schema of {"old": ..., "new": ...} of its events, for who emits and reads them; it is not enforced';
COMMENT ON COLUMN audit.event_type.masked IS 'members of old, new and extra, at any depth, of which the values are not recorded';
COMMENT ON COLUMN audit.event_type.changed_at IS 'when this version was made';
COMMENT ON COLUMN audit.event_type.deprecated_at IS 'since when it should not be emitted any more';
COMMENT ON COLUMN audit.event_type.replaced_by IS 'what should be emitted instead';
COMMENT ON COLUMN audit.event_type.seeded IS 'it comes with the extension';
COMMENT ON COLUMN audit.event_type.resource_type IS 'what it happens to';
COMMENT ON COLUMN audit.event_type.reserved IS 'the server itself records it, and nobody can emit it';
REVOKE ALL ON audit.event_type FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('audit.event_type', 'WHERE NOT seeded');

CREATE VIEW audit.event_types AS
SELECT DISTINCT ON (t.event_type) t.event_type, t.version, t.context, c.title AS context_title, t.category, t.resource_type, t.severity,
	t.description, t.sentence, t.payload_schema, t.masked, t.changed_at, t.deprecated_at, t.replaced_by, t.seeded, t.reserved
FROM audit.event_type t
	JOIN audit.context c USING (context)
ORDER BY t.event_type, t.version DESC;
COMMENT ON VIEW audit.event_types IS 'the types of business events as they are now: of each the version that counts';
COMMENT ON COLUMN audit.event_types.event_type IS 'its name: what it happens to, and a past participle';
COMMENT ON COLUMN audit.event_types.version IS 'how often it was defined';
COMMENT ON COLUMN audit.event_types.context IS 'business context of its events';
COMMENT ON COLUMN audit.event_types.context_title IS 'what people call the context';
COMMENT ON COLUMN audit.event_types.category IS 'kind of action';
COMMENT ON COLUMN audit.event_types.resource_type IS 'what it happens to';
COMMENT ON COLUMN audit.event_types.severity IS 'how much it matters: info, notice, warning or critical';
COMMENT ON COLUMN audit.event_types.description IS 'when it is emitted';
COMMENT ON COLUMN audit.event_types.sentence IS 'template of audit.events.sentence';
COMMENT ON COLUMN audit.event_types.payload_schema IS 'JSON Schema of {"old": ..., "new": ...} of its events; it is not enforced';
COMMENT ON COLUMN audit.event_types.masked IS 'members of the payload of which the values are not recorded';
COMMENT ON COLUMN audit.event_types.changed_at IS 'when this version was made';
COMMENT ON COLUMN audit.event_types.deprecated_at IS 'since when it should not be emitted any more';
COMMENT ON COLUMN audit.event_types.replaced_by IS 'what should be emitted instead';
COMMENT ON COLUMN audit.event_types.seeded IS 'it comes with the extension';
COMMENT ON COLUMN audit.event_types.reserved IS 'the server itself records it, and nobody can emit it';
REVOKE ALL ON audit.event_types FROM PUBLIC;

CREATE TABLE audit.event_map (
	name text COLLATE "C" CONSTRAINT event_map_pkey PRIMARY KEY,
	target regclass NOT NULL,
	event_type text COLLATE "C" NOT NULL,
	operation text NOT NULL CONSTRAINT event_map_operation_check CHECK (operation IN ('insert', 'update', 'delete')),
	column_name text COLLATE "C",
	from_value text COLLATE "C",
	to_value text COLLATE "C",
	changed_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT event_map_column_check CHECK (column_name IS NOT NULL OR (from_value IS NULL AND to_value IS NULL)),
	CONSTRAINT event_map_from_check CHECK (from_value IS NULL OR operation <> 'insert'),
	CONSTRAINT event_map_to_check CHECK (to_value IS NULL OR operation <> 'delete')
);
CREATE INDEX event_map_target_idx ON audit.event_map (target);
COMMENT ON TABLE audit.event_map IS
	'configuration: which changes of audited tables are which business events; changed by audit.map_event() and audit.unmap_event()';
COMMENT ON COLUMN audit.event_map.name IS 'of the rule';
COMMENT ON COLUMN audit.event_map.target IS 'the table';
COMMENT ON COLUMN audit.event_map.event_type IS 'type that the events get, see audit.event_type';
COMMENT ON COLUMN audit.event_map.operation IS 'insert, update or delete of a row';
COMMENT ON COLUMN audit.event_map.column_name IS 'column that an update must change, or whose value counts; null: any';
COMMENT ON COLUMN audit.event_map.from_value IS 'value that it must have had; null: any';
COMMENT ON COLUMN audit.event_map.to_value IS 'value that it must get; null: any';
COMMENT ON COLUMN audit.event_map.changed_at IS 'when the rule was made or changed last';
REVOKE ALL ON audit.event_map FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('audit.event_map', '');

CREATE TRIGGER "00_audit_insert" AFTER INSERT ON audit.context FOR EACH ROW
	WHEN (audit.capture_insert(NEW.tableoid, NEW.ctid)) EXECUTE FUNCTION audit.capture();
ALTER TABLE audit.context ENABLE ALWAYS TRIGGER "00_audit_insert";
CREATE TRIGGER "00_audit_update" AFTER UPDATE ON audit.context FOR EACH ROW
	WHEN (audit.capture_update(OLD.tableoid, OLD.ctid, NEW.ctid)) EXECUTE FUNCTION audit.capture();
ALTER TABLE audit.context ENABLE ALWAYS TRIGGER "00_audit_update";
CREATE TRIGGER "00_audit_delete" AFTER DELETE ON audit.context FOR EACH ROW
	WHEN (audit.capture_delete(OLD.tableoid, OLD.ctid)) EXECUTE FUNCTION audit.capture();
ALTER TABLE audit.context ENABLE ALWAYS TRIGGER "00_audit_delete";
CREATE TRIGGER "00_audit_before_truncate" BEFORE TRUNCATE ON audit.context
	EXECUTE FUNCTION audit.capture();
ALTER TABLE audit.context ENABLE ALWAYS TRIGGER "00_audit_before_truncate";
CREATE TRIGGER "00_audit_truncate" AFTER TRUNCATE ON audit.context
	EXECUTE FUNCTION audit.capture();
ALTER TABLE audit.context ENABLE ALWAYS TRIGGER "00_audit_truncate";

CREATE TRIGGER "00_audit_insert" AFTER INSERT ON audit.category FOR EACH ROW
	WHEN (audit.capture_insert(NEW.tableoid, NEW.ctid)) EXECUTE FUNCTION audit.capture();
ALTER TABLE audit.category ENABLE ALWAYS TRIGGER "00_audit_insert";
CREATE TRIGGER "00_audit_update" AFTER UPDATE ON audit.category FOR EACH ROW
	WHEN (audit.capture_update(OLD.tableoid, OLD.ctid, NEW.ctid)) EXECUTE FUNCTION audit.capture();
ALTER TABLE audit.category ENABLE ALWAYS TRIGGER "00_audit_update";
CREATE TRIGGER "00_audit_delete" AFTER DELETE ON audit.category FOR EACH ROW
	WHEN (audit.capture_delete(OLD.tableoid, OLD.ctid)) EXECUTE FUNCTION audit.capture();
ALTER TABLE audit.category ENABLE ALWAYS TRIGGER "00_audit_delete";
CREATE TRIGGER "00_audit_before_truncate" BEFORE TRUNCATE ON audit.category
	EXECUTE FUNCTION audit.capture();
ALTER TABLE audit.category ENABLE ALWAYS TRIGGER "00_audit_before_truncate";
CREATE TRIGGER "00_audit_truncate" AFTER TRUNCATE ON audit.category
	EXECUTE FUNCTION audit.capture();
ALTER TABLE audit.category ENABLE ALWAYS TRIGGER "00_audit_truncate";

CREATE TRIGGER "00_audit_insert" AFTER INSERT ON audit.event_type FOR EACH ROW
	WHEN (audit.capture_insert(NEW.tableoid, NEW.ctid)) EXECUTE FUNCTION audit.capture();
ALTER TABLE audit.event_type ENABLE ALWAYS TRIGGER "00_audit_insert";
CREATE TRIGGER "00_audit_update" AFTER UPDATE ON audit.event_type FOR EACH ROW
	WHEN (audit.capture_update(OLD.tableoid, OLD.ctid, NEW.ctid)) EXECUTE FUNCTION audit.capture();
ALTER TABLE audit.event_type ENABLE ALWAYS TRIGGER "00_audit_update";
CREATE TRIGGER "00_audit_delete" AFTER DELETE ON audit.event_type FOR EACH ROW
	WHEN (audit.capture_delete(OLD.tableoid, OLD.ctid)) EXECUTE FUNCTION audit.capture();
ALTER TABLE audit.event_type ENABLE ALWAYS TRIGGER "00_audit_delete";
CREATE TRIGGER "00_audit_before_truncate" BEFORE TRUNCATE ON audit.event_type
	EXECUTE FUNCTION audit.capture();
ALTER TABLE audit.event_type ENABLE ALWAYS TRIGGER "00_audit_before_truncate";
CREATE TRIGGER "00_audit_truncate" AFTER TRUNCATE ON audit.event_type
	EXECUTE FUNCTION audit.capture();
ALTER TABLE audit.event_type ENABLE ALWAYS TRIGGER "00_audit_truncate";

CREATE TRIGGER "00_audit_insert" AFTER INSERT ON audit.event_map FOR EACH ROW
	WHEN (audit.capture_insert(NEW.tableoid, NEW.ctid)) EXECUTE FUNCTION audit.capture();
ALTER TABLE audit.event_map ENABLE ALWAYS TRIGGER "00_audit_insert";
CREATE TRIGGER "00_audit_update" AFTER UPDATE ON audit.event_map FOR EACH ROW
	WHEN (audit.capture_update(OLD.tableoid, OLD.ctid, NEW.ctid)) EXECUTE FUNCTION audit.capture();
ALTER TABLE audit.event_map ENABLE ALWAYS TRIGGER "00_audit_update";
CREATE TRIGGER "00_audit_delete" AFTER DELETE ON audit.event_map FOR EACH ROW
	WHEN (audit.capture_delete(OLD.tableoid, OLD.ctid)) EXECUTE FUNCTION audit.capture();
ALTER TABLE audit.event_map ENABLE ALWAYS TRIGGER "00_audit_delete";
CREATE TRIGGER "00_audit_before_truncate" BEFORE TRUNCATE ON audit.event_map
	EXECUTE FUNCTION audit.capture();
ALTER TABLE audit.event_map ENABLE ALWAYS TRIGGER "00_audit_before_truncate";
CREATE TRIGGER "00_audit_truncate" AFTER TRUNCATE ON audit.event_map
	EXECUTE FUNCTION audit.capture();
ALTER TABLE audit.event_map ENABLE ALWAYS TRIGGER "00_audit_truncate";

CREATE FUNCTION audit.catalogue_changed() RETURNS trigger
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'at_catalogue_changed';
COMMENT ON FUNCTION audit.catalogue_changed() IS
	'internal: the trigger function that lets all sessions read the catalogue of events anew';
REVOKE ALL ON FUNCTION audit.catalogue_changed() FROM PUBLIC;

CREATE TRIGGER catalogue_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE
	ON audit.event_type EXECUTE FUNCTION audit.catalogue_changed();
ALTER TABLE audit.event_type ENABLE ALWAYS TRIGGER catalogue_changed;

CREATE FUNCTION audit.add_context(context text, title text, description text) RETURNS text
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'at_add_context';
COMMENT ON FUNCTION audit.add_context(text, text, text) IS
	'adds a business context to those that types of events can belong to; says what was done';
REVOKE ALL ON FUNCTION audit.add_context(text, text, text) FROM PUBLIC;

CREATE FUNCTION audit.add_event_type(
	event_type text,
	context text,
	category text,
	sentence text,
	description text,
	severity text DEFAULT 'info',
	payload_schema jsonb DEFAULT NULL,
	masked text[] DEFAULT '{}'
) RETURNS text
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'at_add_event_type';
COMMENT ON FUNCTION audit.add_event_type(text, text, text, text, text, text, jsonb, text[]) IS
	'adds a type of business event to the catalogue; says what was done';
REVOKE ALL ON FUNCTION audit.add_event_type(text, text, text, text, text, text, jsonb, text[]) FROM PUBLIC;

CREATE FUNCTION audit.change_event_type(
	event_type text,
	category text DEFAULT NULL,
	sentence text DEFAULT NULL,
	description text DEFAULT NULL,
	severity text DEFAULT NULL,
	payload_schema jsonb DEFAULT NULL,
	masked text[] DEFAULT NULL
) RETURNS text
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'at_change_event_type';
COMMENT ON FUNCTION audit.change_event_type(text, text, text, text, text, jsonb, text[]) IS
	'gives a type of event a new version, also one that comes with the extension; what is null stays; says what was done';
REVOKE ALL ON FUNCTION audit.change_event_type(text, text, text, text, text, jsonb, text[]) FROM PUBLIC;

CREATE FUNCTION audit.deprecate_event_type(event_type text, replaced_by text DEFAULT NULL) RETURNS text
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'at_deprecate_event_type';
COMMENT ON FUNCTION audit.deprecate_event_type(text, text) IS
	'has who emits this type of event warned, and told what to emit instead; says what was done';
REVOKE ALL ON FUNCTION audit.deprecate_event_type(text, text) FROM PUBLIC;

CREATE FUNCTION audit.map_event(
	target regclass,
	event_type text,
	operation text DEFAULT 'update',
	column_name text DEFAULT NULL,
	from_value text DEFAULT NULL,
	to_value text DEFAULT NULL,
	name text DEFAULT NULL
) RETURNS text
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'at_map_event';
COMMENT ON FUNCTION audit.map_event(regclass, text, text, text, text, text, text) IS
	'has such changes of an audited table recorded as business events of a type; of several rules the most particular counts; says what was done';
REVOKE ALL ON FUNCTION audit.map_event(regclass, text, text, text, text, text, text) FROM PUBLIC;

CREATE FUNCTION audit.unmap_event(name text) RETURNS text
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'at_unmap_event';
COMMENT ON FUNCTION audit.unmap_event(text) IS 'removes such a rule; what was recorded stays; says what was done';
REVOKE ALL ON FUNCTION audit.unmap_event(text) FROM PUBLIC;

-- Whoever may call it adds to the trail; what it adds is of a kind of its own (op E), and no change of a row.
CREATE FUNCTION audit.emit(
	event_type text,
	resource_id text,
	old jsonb DEFAULT NULL,
	new jsonb DEFAULT NULL,
	resource_type text DEFAULT NULL,
	extra jsonb DEFAULT '{}'
) RETURNS text
	LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'at_emit';
COMMENT ON FUNCTION audit.emit(text, text, jsonb, jsonb, text, jsonb) IS
	'records a business event in the running transaction, and with it only; returns the event''s name';
REVOKE ALL ON FUNCTION audit.emit(text, text, jsonb, jsonb, text, jsonb) FROM PUBLIC;

CREATE FUNCTION audit.emit_now(
	event_type text,
	resource_id text,
	old jsonb DEFAULT NULL,
	new jsonb DEFAULT NULL,
	resource_type text DEFAULT NULL,
	extra jsonb DEFAULT '{}'
) RETURNS text
	LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'at_emit_now';
COMMENT ON FUNCTION audit.emit_now(text, text, jsonb, jsonb, text, jsonb) IS
	'records a business event in a transaction of its own: when this returns the event''s name it is committed, whatever becomes of the running transaction';
REVOKE ALL ON FUNCTION audit.emit_now(text, text, jsonb, jsonb, text, jsonb) FROM PUBLIC;
