-- A trail of many transactions of ten events: orders are placed, and then change again and again. Each transaction
-- has an actor of 500 and a request of its own.

CREATE PROCEDURE bench.place(first bigint, n bigint) LANGUAGE plpgsql AS $$
BEGIN
	FOR start IN first .. first + n - 1 BY 10 LOOP
		PERFORM audit.set_context(actor => 'user ' || start / 10 % 100000 * 7919 % 500, request_id => 'place ' || start);
		INSERT INTO bench.audited SELECT start + i, (start + i) * 48271::bigint % 50000, 'placed', 'web', 'EUR', 100 + i, 0, 4.90, 20.10, 125 + i,
			'{"street": "Hauptstraße ' || start % 90 || '", "zip": "10115", "city": "Berlin"}', NULL, now(), now()
		FROM generate_series(0, 9) i;
		COMMIT;
	END LOOP;
END $$;
COMMENT ON PROCEDURE bench.place(bigint, bigint) IS 'places n orders, ten a transaction';

CREATE PROCEDURE bench.change(first bigint, n bigint, orders bigint) LANGUAGE plpgsql AS $$
DECLARE
	statuses constant text[] := '{paid,picked,packed,sent,delivered,returned}';
	ids bigint[];
BEGIN
	FOR start IN first .. first + n - 1 BY 10 LOOP
		ids := ARRAY(SELECT (start + i) * 48271::bigint % orders FROM generate_series(0, 9) i);
		PERFORM audit.set_context(actor => 'user ' || start / 10 % 100000 * 7919 % 500, request_id => 'change ' || start);
		UPDATE bench.audited SET status = statuses[1 + (start / 1000003 + id) % 6], updated_at = clock_timestamp() WHERE id = ANY (ids);
		COMMIT;
	END LOOP;
END $$;
COMMENT ON PROCEDURE bench.change(bigint, bigint, bigint) IS 'changes n of the orders, ten a transaction';
