-- A guest orders, then asks to be forgotten: the customer is deleted, and the orders with it.
\set product random(1, :products - 1)
\set request random(1, 1000000000000)
BEGIN;
SELECT audit.set_context(actor => 'guest', actor_type => 'customer', request_id => 'guest-' || :request, reason => 'guest checkout');
INSERT INTO shop.customers (email, full_name, kind, address) VALUES ('guest-' || :request || '@example.com', 'Guest', 'guest', '{"city": "Berlin"}') RETURNING id AS guest \gset
INSERT INTO shop.orders (customer_id, channel, shipping_address) VALUES (:guest, 'web', '{"city": "Berlin"}') RETURNING id AS order_id \gset
INSERT INTO shop.order_items (order_id, line_no, product_id, quantity, unit_price)
	SELECT :order_id, row_number() OVER (ORDER BY id), id, 1, price FROM shop.products WHERE id IN (:product, :product::bigint + 1);
COMMIT;
BEGIN;
SELECT audit.set_context(actor => 'privacy-desk', actor_type => 'user', request_id => 'forget-' || :request, reason => 'GDPR article 17');
SELECT count(*) FROM (SELECT 1 FROM shop.orders WHERE customer_id = :guest ORDER BY id FOR UPDATE) s;
DELETE FROM shop.customers WHERE id = :guest;
COMMIT;
