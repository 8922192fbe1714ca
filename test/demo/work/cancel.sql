-- An order is cancelled and its goods go back on the shelf; test orders are deleted with all that hangs on them.
\set pick random(1, :orders + :orders / 2)
\set request random(1, 1000000000000)
\set test random(1, 4)
BEGIN;
SELECT audit.set_context(actor => 'agent-tom', actor_type => 'user', request_id => 'cancel-' || :request, reason => 'customer called');
SELECT coalesce((SELECT id FROM shop.orders WHERE status = 'paid' AND id >= :pick ORDER BY id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED), 0) AS order_id \gset
\if :order_id > 0
\if :test = 1
DELETE FROM shop.orders WHERE id = :order_id;
\else
UPDATE shop.orders SET status = 'cancelled', notes = concat_ws(E'\n', notes, 'cancelled by phone') WHERE id = :order_id;
UPDATE shop.payments SET status = 'refunded' WHERE order_id = :order_id AND status = 'captured';
WITH locked AS MATERIALIZED (SELECT p.id, i.quantity FROM shop.products p JOIN shop.order_items i ON i.product_id = p.id
	WHERE i.order_id = :order_id ORDER BY p.id FOR NO KEY UPDATE OF p)
UPDATE shop.products p SET stock = stock + locked.quantity FROM locked WHERE p.id = locked.id;
\endif
\endif
COMMIT;
