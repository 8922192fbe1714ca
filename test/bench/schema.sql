-- Equal order tables: without audit, with a generic trigger in PL/pgSQL, with audit_trail, and with
-- audit_trail that ignores what is updated.

CREATE SCHEMA bench;

CREATE TABLE bench.plain (
	id bigint PRIMARY KEY,
	customer_id bigint NOT NULL,
	status text NOT NULL,
	channel text NOT NULL,
	currency char(3) NOT NULL,
	subtotal numeric(12,2) NOT NULL,
	discount numeric(12,2) NOT NULL,
	shipping numeric(12,2) NOT NULL,
	tax numeric(12,2) NOT NULL,
	total numeric(12,2) NOT NULL,
	shipping_address text NOT NULL,
	notes text,
	created_at timestamptz NOT NULL,
	updated_at timestamptz NOT NULL
);
CREATE TABLE bench.plpgsql (LIKE bench.plain INCLUDING ALL);
CREATE TABLE bench.audited (LIKE bench.plain INCLUDING ALL);
CREATE TABLE bench.ignoring (LIKE bench.plain INCLUDING ALL);

CREATE FUNCTION bench.orders(n bigint) RETURNS SETOF bench.plain LANGUAGE sql AS $$
	SELECT i, i % 5000 + 1, 'placed', 'web', 'EUR', 100 + i % 900 + 0.50, 0.00, 4.90, 20.10, 125.50 + i % 900,
		'{"street": "Hauptstraße ' || i % 90 || '", "zip": "10115", "city": "Berlin"}',
		CASE WHEN i % 4 = 0 THEN 'leave with neighbour' END, timestamptz '2026-01-01 00:00+00' + i * interval '1 s',
		timestamptz '2026-01-01 00:00+00' + i * interval '1 s'
	FROM generate_series(1, n) i $$;
COMMENT ON FUNCTION bench.orders(bigint) IS 'n orders, the same ones always';

-- The peer, as a careful author writes it: one trigger for every table, the delta of an
-- UPDATE only, nothing where nothing changed, context from settings, two indexes like ours.
CREATE TABLE bench.trail (
	event_id bigint GENERATED ALWAYS AS IDENTITY,
	tx_id bigint NOT NULL,
	tx_at timestamptz NOT NULL,
	occurred_at timestamptz NOT NULL,
	table_name text NOT NULL,
	record_key text NOT NULL,
	op "char" NOT NULL,
	db_user text NOT NULL,
	actor text,
	request_id text,
	old_values jsonb,
	new_values jsonb
);
CREATE INDEX ON bench.trail (tx_id, event_id);
CREATE INDEX ON bench.trail (table_name, record_key, tx_at);

CREATE FUNCTION bench.record() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	key text;
	old_values jsonb;
	new_values jsonb;
BEGIN
	IF TG_OP = 'UPDATE' THEN
		old_values := to_jsonb(OLD);
		SELECT jsonb_object_agg(n.key, old_values -> n.key), jsonb_object_agg(n.key, n.value)
			INTO old_values, new_values
			FROM jsonb_each(to_jsonb(NEW)) n WHERE n.value <> old_values -> n.key;
		IF new_values IS NULL THEN
			RETURN NULL;
		END IF;
		key := NEW.id;
	ELSIF TG_OP = 'INSERT' THEN
		new_values := to_jsonb(NEW);
		key := NEW.id;
	ELSE
		old_values := to_jsonb(OLD);
		key := OLD.id;
	END IF;
	INSERT INTO bench.trail (tx_id, tx_at, occurred_at, table_name, record_key, op, db_user, actor, request_id, old_values, new_values)
	VALUES (pg_current_xact_id()::text::bigint, now(), clock_timestamp(), TG_TABLE_NAME, key, left(TG_OP, 1)::"char", session_user,
		nullif(current_setting('bench.actor', true), ''), nullif(current_setting('bench.request_id', true), ''),
		old_values, new_values);
	RETURN NULL;
END $$;
COMMENT ON FUNCTION bench.record() IS 'the PL/pgSQL peer';
CREATE TRIGGER record AFTER INSERT OR UPDATE OR DELETE ON bench.plpgsql
	FOR EACH ROW EXECUTE FUNCTION bench.record();
