-- A customer orders two or three things; some vouchers are refused, some baskets abandoned.
\set customer random(1, :customers)
\set product random(1, :products - 2)
\set quantity random(1, 3)
\set request random(1, 1000000000000)
\set voucher random(1, 3)
\set abandon random(1, 20)
BEGIN;
SELECT audit.set_context(actor => 'customer-' || :customer, actor_type => 'customer', request_id => CASE WHEN :abandon::int = 1 THEN 'abandoned-' ELSE 'place-' END || :request, reason => 'checkout');
INSERT INTO shop.orders (customer_id, channel, shipping, shipping_address)
	SELECT id, (ARRAY['web', 'app', 'marketplace'])[:quantity::int], 4.90, address FROM shop.customers WHERE id = :customer
	RETURNING id AS order_id \gset
INSERT INTO shop.order_items (order_id, line_no, product_id, quantity, unit_price, gift_message)
	SELECT :order_id, row_number() OVER (ORDER BY id), id, :quantity, price, CASE WHEN :voucher::int = 1 THEN 'Für Dich ♥ "Ada" \ co' END
	FROM shop.products WHERE id BETWEEN :product AND :product::bigint + :quantity::int - 1;
SAVEPOINT voucher;
UPDATE shop.orders SET discount = round(subtotal * 0.10, 2), notes = 'voucher WELCOME10' WHERE id = :order_id;
\if :voucher > 1
ROLLBACK TO SAVEPOINT voucher;
\else
RELEASE SAVEPOINT voucher;
\endif
WITH locked AS MATERIALIZED (SELECT id FROM shop.products
	WHERE id BETWEEN :product AND :product::bigint + :quantity::int - 1 ORDER BY id FOR NO KEY UPDATE)
UPDATE shop.products p SET stock = stock - :quantity FROM locked WHERE p.id = locked.id;
\if :abandon = 1
ROLLBACK;
\else
COMMIT;
\endif
