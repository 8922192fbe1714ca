-- The shop's first rows: :customers customers, :products products, :orders orders of every status.

INSERT INTO shop.customers (email, full_name, kind, phone, birth_date, address, newsletter)
SELECT format('%s.%s%s@example.com', lower(f), lower(l), n), f || ' ' || l,
	CASE WHEN n % 7 = 0 THEN 'company' ELSE 'person' END,
	CASE WHEN n % 3 > 0 THEN format('+49 30 %s', 1000000 + n) END,
	CASE WHEN n % 7 > 0 THEN date '1950-01-01' + n * 37 % 20000 END,
	jsonb_build_object('street', format('%s %s', s, n % 90 + 1), 'zip', lpad((n * 13 % 99999)::text, 5, '0'),
		'city', c), n % 2 = 0
FROM generate_series(1, :customers) n,
	LATERAL (SELECT ('{Ada,Bruno,Chloé,Dilek,Emil,Fatima,Giulia,Hans,Ines,Jürgen,Kofi}'::text[])[n % 11 + 1] AS f,
		('{Adler,Brontë,Çelik,Diaz,Eriksen,Fischer,Große,Hoffmann,Ito,Jansen,Kowalski,Łukasz,Meier}'::text[])[n % 13 + 1] AS l,
		('{Hauptstraße,Rue de l''Église,Calle Mayor,Bakerstreet,Via Roma}'::text[])[n % 5 + 1] AS s,
		('{Berlin,Lyon,Sevilla,London,Roma,Gdańsk,Zürich}'::text[])[n % 7 + 1] AS c) w;

INSERT INTO shop.products (sku, name, price, stock, weight_kg, tags, attributes)
SELECT format('SKU-%s', lpad(n::text, 5, '0')), format('%s "%s"', k, n), (n * 7919 % 20000 + 99) / 100.0,
	10000000, (n % 50 + 1) / 8.0, CASE WHEN n % 4 = 0 THEN '{sale,"two words"}' ELSE '{new}' END::text[],
	CASE WHEN n % 5 > 0 THEN jsonb_build_object('colour', 'red', 'sizes', jsonb_build_array(38, 39.5, 41)) END
FROM generate_series(1, :products) n,
	LATERAL (SELECT ('{Lamp,Chair,Desk,Shelf,Rug,Vase}'::text[])[n % 6 + 1] AS k) w;

INSERT INTO shop.orders (customer_id, status, channel, shipping, shipping_address, notes)
SELECT n % :customers + 1, ('{placed,paid,shipped,delivered}'::text[])[n % 4 + 1],
	('{web,app,phone,marketplace}'::text[])[n % 3 + 1], 4.90, c.address,
	CASE WHEN n % 10 = 0 THEN E'leave with neighbour\nring twice' END
FROM generate_series(1, :orders) n JOIN shop.customers c ON c.id = n % :customers + 1;

INSERT INTO shop.order_items (order_id, line_no, product_id, quantity, unit_price)
SELECT o.id, l, p.id, l, p.price
FROM shop.orders o CROSS JOIN generate_series(1, 2) l JOIN shop.products p ON p.id = (o.id * 31 + l * 17) % :products + 1;

INSERT INTO shop.payments (order_id, method, status, amount, gateway_reference, gateway_answer)
SELECT id, 'card', 'captured', total, format('pi_%s', md5(id::text)), '{"code": "00",  "3ds": true}'
FROM shop.orders WHERE status <> 'placed';

INSERT INTO shop.shipments (order_id, carrier, tracking_number, status, weight_kg, parcel_cm, promised_on, delivered_at)
SELECT id, 'DHL', format('JD%s', 1000000000 + id), CASE status WHEN 'delivered' THEN status ELSE 'handed over' END,
	2.5, '{30,20,10}', current_date + 3, CASE status WHEN 'delivered' THEN now() END
FROM shop.orders WHERE status IN ('shipped', 'delivered');

ANALYZE shop.customers, shop.products, shop.orders, shop.order_items, shop.payments, shop.shipments;
