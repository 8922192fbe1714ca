-- The index access method for time, actor, session and request of transactions, and the records of
-- events: the sealer fills it.

CREATE FUNCTION audit.deferred_handler(internal) RETURNS index_am_handler
	LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'at_deferred_handler';
COMMENT ON FUNCTION audit.deferred_handler(internal) IS
	'internal: handler of the access method audit_deferred';
REVOKE ALL ON FUNCTION audit.deferred_handler(internal) FROM PUBLIC;

CREATE ACCESS METHOD audit_deferred TYPE INDEX HANDLER audit.deferred_handler;
COMMENT ON ACCESS METHOD audit_deferred IS
	'btree of the audit ledger that the sealer fills; a scan finds what is not sealed yet too';

CREATE OPERATOR CLASS audit.text_ops DEFAULT FOR TYPE text USING audit_deferred AS
	OPERATOR 1 pg_catalog.<,
	OPERATOR 2 pg_catalog.<=,
	OPERATOR 3 pg_catalog.=,
	OPERATOR 4 pg_catalog.>=,
	OPERATOR 5 pg_catalog.>,
	FUNCTION 1 pg_catalog.bttextcmp(text, text),
	FUNCTION 2 pg_catalog.bttextsortsupport(internal),
	FUNCTION 4 pg_catalog.btvarstrequalimage(oid);
COMMENT ON OPERATOR CLASS audit.text_ops USING audit_deferred IS 'as that of btree';

CREATE OPERATOR CLASS audit.int4_ops DEFAULT FOR TYPE integer USING audit_deferred AS
	OPERATOR 1 pg_catalog.<,
	OPERATOR 2 pg_catalog.<=,
	OPERATOR 3 pg_catalog.=,
	OPERATOR 4 pg_catalog.>=,
	OPERATOR 5 pg_catalog.>,
	FUNCTION 1 pg_catalog.btint4cmp(integer, integer),
	FUNCTION 2 pg_catalog.btint4sortsupport(internal),
	FUNCTION 4 pg_catalog.btequalimage(oid);
COMMENT ON OPERATOR CLASS audit.int4_ops USING audit_deferred IS 'as that of btree';

CREATE OPERATOR CLASS audit.int8_ops DEFAULT FOR TYPE bigint USING audit_deferred AS
	OPERATOR 1 pg_catalog.<,
	OPERATOR 2 pg_catalog.<=,
	OPERATOR 3 pg_catalog.=,
	OPERATOR 4 pg_catalog.>=,
	OPERATOR 5 pg_catalog.>,
	FUNCTION 1 pg_catalog.btint8cmp(bigint, bigint),
	FUNCTION 2 pg_catalog.btint8sortsupport(internal),
	FUNCTION 4 pg_catalog.btequalimage(oid);
ALTER OPERATOR FAMILY audit.int8_ops USING audit_deferred ADD
	OPERATOR 1 pg_catalog.< (bigint, integer),
	OPERATOR 2 pg_catalog.<= (bigint, integer),
	OPERATOR 3 pg_catalog.= (bigint, integer),
	OPERATOR 4 pg_catalog.>= (bigint, integer),
	OPERATOR 5 pg_catalog.> (bigint, integer),
	FUNCTION 1 (bigint, integer) pg_catalog.btint84cmp(bigint, integer);
COMMENT ON OPERATOR CLASS audit.int8_ops USING audit_deferred IS 'as that of btree';

CREATE OPERATOR CLASS audit.timestamptz_ops DEFAULT FOR TYPE timestamptz USING audit_deferred AS
	OPERATOR 1 pg_catalog.<,
	OPERATOR 2 pg_catalog.<=,
	OPERATOR 3 pg_catalog.=,
	OPERATOR 4 pg_catalog.>=,
	OPERATOR 5 pg_catalog.>,
	FUNCTION 1 pg_catalog.timestamptz_cmp(timestamptz, timestamptz),
	FUNCTION 2 pg_catalog.timestamp_sortsupport(internal),
	FUNCTION 4 pg_catalog.btequalimage(oid);
ALTER OPERATOR FAMILY audit.timestamptz_ops USING audit_deferred ADD
	OPERATOR 1 pg_catalog.< (timestamptz, date),
	OPERATOR 2 pg_catalog.<= (timestamptz, date),
	OPERATOR 3 pg_catalog.= (timestamptz, date),
	OPERATOR 4 pg_catalog.>= (timestamptz, date),
	OPERATOR 5 pg_catalog.> (timestamptz, date),
	FUNCTION 1 (timestamptz, date) pg_catalog.timestamptz_cmp_date(timestamptz, date),
	OPERATOR 1 pg_catalog.< (timestamptz, timestamp),
	OPERATOR 2 pg_catalog.<= (timestamptz, timestamp),
	OPERATOR 3 pg_catalog.= (timestamptz, timestamp),
	OPERATOR 4 pg_catalog.>= (timestamptz, timestamp),
	OPERATOR 5 pg_catalog.> (timestamptz, timestamp),
	FUNCTION 1 (timestamptz, timestamp) pg_catalog.timestamptz_cmp_timestamp(timestamptz, timestamp);
COMMENT ON OPERATOR CLASS audit.timestamptz_ops USING audit_deferred IS 'as that of btree';
