-- An order is paid; one payment in ten is declined first, one in twenty never succeeds.
\set pick random(1, :orders + :orders / 2)
\set request random(1, 1000000000000)
\set luck random(1, 20)
BEGIN;
SELECT audit.set_context(actor => 'payment-gateway', actor_type => 'service', request_id => 'pay-' || :request, reason => 'payment');
SELECT coalesce((SELECT id FROM shop.orders WHERE status = 'placed' AND id >= :pick ORDER BY id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED), 0) AS order_id \gset
\if :order_id > 0
SAVEPOINT attempt;
INSERT INTO shop.payments (order_id, method, status, amount, gateway_reference, gateway_answer)
	SELECT id, 'card', 'captured', total, 'pi_' || :request, '{"code": "00",  "3ds": true}' FROM shop.orders WHERE id = :order_id;
\if :luck <= 2
ROLLBACK TO SAVEPOINT attempt;
INSERT INTO shop.payments (order_id, method, status, amount, gateway_reference, gateway_answer)
	SELECT id, 'card', 'declined', total, 'pi_' || :request, '{"code": "51", "text": "insufficient funds"}' FROM shop.orders WHERE id = :order_id;
\endif
\if :luck = 2
INSERT INTO shop.payments (order_id, method, status, amount) SELECT id, 'invoice', 'captured', total FROM shop.orders WHERE id = :order_id;
\endif
\if :luck > 1
UPDATE shop.orders SET status = 'paid' WHERE id = :order_id;
UPDATE shop.customers c SET loyalty = loyalty + o.total::float8 / 97 FROM shop.orders o WHERE o.id = :order_id AND c.id = o.customer_id;
\endif
\endif
COMMIT;
