-- A buyer changes a price; a few orders that are not paid yet get the new one.
\set product random(1, :products)
\set percent random(90, 110)
\set request random(1, 1000000000000)
BEGIN;
SELECT audit.set_context(actor => 'buyer-anna', actor_type => 'user', request_id => 'reprice-' || :request, reason => 'price list');
SELECT coalesce(array_agg(id)::text, '{}') AS order_ids FROM (SELECT o.id FROM shop.orders o WHERE o.status = 'placed'
	AND o.id IN (SELECT order_id FROM shop.order_items WHERE product_id = :product ORDER BY order_id DESC LIMIT 5)
	ORDER BY o.id FOR NO KEY UPDATE SKIP LOCKED) s \gset
UPDATE shop.order_items SET unit_price = greatest(0.01, round(unit_price * :percent / 100, 2))
	WHERE order_id = ANY (:order_ids::bigint[]) AND product_id = :product;
UPDATE shop.products SET price = greatest(0.01, round(price * :percent / 100, 2)) WHERE id = :product;
COMMIT;
