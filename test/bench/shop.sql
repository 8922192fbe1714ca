-- A trail like that of a shop, for what depends on the data: how small an archive is. Names, streets, texts, prices, actors and
-- requests vary as they do in life: names come by their frequency, prices are spread over orders of magnitude, texts are of words, requests
-- are UUIDs, most changes are of a few columns and some of many. The same seed gives the same trail but for times and UUIDs.

CREATE TABLE bench.words (id int PRIMARY KEY, word text);
INSERT INTO bench.words
SELECT row_number() OVER (), a || b || c
FROM unnest('{ver,be,an,ge,ent,un,auf,ab,zu,vor,nach,mit,aus,ein,hin,her}'::text[]) a,
	unnest('{stell,lief,kauf,send,pack,zahl,schick,trag,leg,ruf,schreib,komm}'::text[]) b,
	unnest('{en,ung,t,te,er,bar,los,e}'::text[]) c;
CREATE TABLE bench.names (id int PRIMARY KEY, name text);
INSERT INTO bench.names
SELECT row_number() OVER (ORDER BY md5(a || b)), a || ' ' || b
FROM unnest('{Anna,Ben,Clara,David,Emma,Finn,Greta,Hanna,Ida,Jonas,Klara,Leon,Marie,Noah,Olga,Paul,Rosa,Samir,Tom,Ute,Viktor,Wanda,Yusuf,Zoe}'::text[]) a,
	unnest('{Schmidt,Müller,Yilmaz,Weber,Nowak,Fischer,Kovács,Wagner,Rossi,Becker,Hoffmann,Petrov,Koch,Richter,Klein,Wolf,Schröder,Neumann,Braun,Zimmermann,Krüger,Hartmann,Lange,Werner,Krause,Meier,Lehmann,Schulze,Köhler,Huber}'::text[]) b;

-- Small numbers come more often: about as names and actors do.
CREATE FUNCTION bench.skewed(n int) RETURNS int LANGUAGE sql VOLATILE AS 'SELECT 1 + (power(random(), 3) * n)::int % n';
CREATE FUNCTION bench.text_of(shortest int, longest int) RETURNS text LANGUAGE sql VOLATILE AS $$
	SELECT string_agg(w.word, ' ') FROM generate_series(1, shortest + (random() * (longest - shortest))::int) i, LATERAL (SELECT bench.skewed(1536) + i * 0 AS pick) p
		JOIN bench.words w ON w.id = p.pick $$;
CREATE FUNCTION bench.name_of_somebody() RETURNS text LANGUAGE sql VOLATILE AS 'SELECT name FROM bench.names WHERE id = (SELECT bench.skewed(720))';
CREATE FUNCTION bench.price() RETURNS numeric LANGUAGE sql VOLATILE AS 'SELECT round(exp(1 + random() * 6)::numeric, 2)';

CREATE PROCEDURE bench.in_person() LANGUAGE plpgsql AS $$
DECLARE
	who int := bench.skewed(720);
BEGIN
	PERFORM audit.set_context(actor => (SELECT lower(replace(name, ' ', '.')) || '@shop.example' FROM bench.names WHERE id = who),
		request_id => gen_random_uuid()::text, reason => CASE WHEN random() < 0.1 THEN bench.text_of(3, 9) END);
END $$;

CREATE PROCEDURE bench.shop_place(first bigint, n bigint) LANGUAGE plpgsql AS $$
DECLARE
	at bigint := first;
	many int;
BEGIN
	WHILE at < first + n LOOP
		many := least(bench.skewed(8), first + n - at);
		CALL bench.in_person();
		INSERT INTO bench.audited
		SELECT at + i, bench.skewed(50000), 'placed', (ARRAY['web', 'app', 'shop', 'phone'])[bench.skewed(4)], (ARRAY['EUR', 'CHF', 'USD', 'GBP'])[bench.skewed(4)],
			p, round(p * (random() * 0.2)::numeric, 2), (ARRAY[4.90, 0, 6.90, 12.50])[bench.skewed(4)], round(p * 0.19, 2), round(p * 1.19, 2),
			json_build_object('name', bench.name_of_somebody(), 'street', initcap(bench.text_of(1, 1)) || 'straße ' || bench.skewed(180),
				'zip', lpad((random() * 99999)::int::text, 5, '0'), 'city', initcap(bench.text_of(1, 1)))::text,
			CASE WHEN random() < 0.3 THEN bench.text_of(3, 40) END, clock_timestamp(), clock_timestamp()
		FROM generate_series(0, many - 1) i, LATERAL (SELECT bench.price() + i * 0 AS p) x;
		COMMIT;
		at := at + many;
	END LOOP;
END $$;
COMMENT ON PROCEDURE bench.shop_place(bigint, bigint) IS 'places n orders, one to eight a transaction';

CREATE PROCEDURE bench.shop_change(n bigint, orders bigint) LANGUAGE plpgsql AS $$
DECLARE
	done bigint := 0;
	ids bigint[];
BEGIN
	WHILE done < n LOOP
		ids := ARRAY(SELECT 1 + (random() * (orders - 1))::bigint FROM generate_series(1, bench.skewed(8)));
		CALL bench.in_person();
		CASE bench.skewed(4)
			WHEN 1 THEN
				UPDATE bench.audited SET status = (ARRAY['paid', 'picked', 'packed', 'sent', 'delivered', 'returned'])[1 + (random() * 5)::int], updated_at = clock_timestamp() WHERE id = ANY (ids);
			WHEN 2 THEN
				UPDATE bench.audited SET notes = bench.text_of(3, 40), updated_at = clock_timestamp() WHERE id = ANY (ids);
			WHEN 3 THEN
				UPDATE bench.audited SET discount = round(subtotal * (random() * 0.3)::numeric, 2), total = round(subtotal * 1.19 - discount, 2), updated_at = clock_timestamp() WHERE id = ANY (ids);
			ELSE
				UPDATE bench.audited SET shipping_address = json_build_object('name', bench.name_of_somebody(), 'street', initcap(bench.text_of(1, 1)) || 'straße ' || bench.skewed(180),
					'zip', lpad((random() * 99999)::int::text, 5, '0'), 'city', initcap(bench.text_of(1, 1)))::text, updated_at = clock_timestamp() WHERE id = ANY (ids);
		END CASE;
		GET DIAGNOSTICS orders = ROW_COUNT;
		done := done + greatest(orders, 1);
		orders := (SELECT max(id) FROM bench.audited);
		COMMIT;
	END LOOP;
END $$;
COMMENT ON PROCEDURE bench.shop_change(bigint, bigint) IS 'changes n of the orders, one to eight a transaction';
