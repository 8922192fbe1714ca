-- Delivered goods come back and are refunded; one parcel in five turns out to be another customer's.
\set pick random(1, :orders + :orders / 2)
\set request random(1, 1000000000000)
\set mistake random(1, 5)
BEGIN;
SELECT audit.set_context(actor => 'agent-lea', actor_type => 'user', request_id => CASE WHEN :mistake::int = 1 THEN 'abandoned-' ELSE 'return-' END || :request, reason => 'goods returned');
SELECT coalesce((SELECT id FROM shop.orders WHERE status = 'delivered' AND id >= :pick ORDER BY id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED), 0) AS order_id \gset
\if :order_id > 0
UPDATE shop.orders SET status = 'returned' WHERE id = :order_id;
SAVEPOINT refund;
UPDATE shop.payments SET status = 'refunded' WHERE order_id = :order_id AND status = 'captured';
RELEASE SAVEPOINT refund;
WITH locked AS MATERIALIZED (SELECT p.id, i.quantity FROM shop.products p JOIN shop.order_items i ON i.product_id = p.id
	WHERE i.order_id = :order_id ORDER BY p.id FOR NO KEY UPDATE OF p)
UPDATE shop.products p SET stock = stock + locked.quantity FROM locked WHERE p.id = locked.id;
\endif
\if :mistake = 1
ROLLBACK;
\else
COMMIT;
\endif
