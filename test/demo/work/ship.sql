-- A paid order leaves the house, then the carrier reports another one as delivered.
\set pick random(1, :orders + :orders / 2)
\set request random(1, 1000000000000)
BEGIN;
SELECT audit.set_context(actor => 'warehouse', actor_type => 'service', request_id => 'ship-' || :request, reason => 'dispatch');
SELECT coalesce((SELECT id FROM shop.orders WHERE status = 'paid' AND id >= :pick ORDER BY id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED), 0) AS order_id \gset
\if :order_id > 0
INSERT INTO shop.shipments (order_id, carrier, tracking_number, weight_kg, parcel_cm, promised_on)
	VALUES (:order_id, 'DHL', 'JD-' || :request, 0.1::real * :order_id::bigint, '{30,20,10}', current_date + 3);
UPDATE shop.orders SET status = 'shipped' WHERE id = :order_id;
\endif
COMMIT;
BEGIN;
SELECT audit.set_context(actor => 'carrier-dhl', actor_type => 'partner', request_id => 'deliver-' || :request, reason => 'carrier webhook');
SELECT coalesce((SELECT id FROM shop.orders WHERE status = 'shipped' AND id >= :pick ORDER BY id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED), 0) AS order_id \gset
\if :order_id > 0
UPDATE shop.shipments SET status = 'delivered', delivered_at = now() WHERE order_id = :order_id;
UPDATE shop.orders SET status = 'delivered' WHERE id = :order_id;
\endif
COMMIT;
