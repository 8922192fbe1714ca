-- What the shop does to be audited.

SELECT audit.enable('shop.customers');
SELECT audit.enable('shop.products');
SELECT audit.enable('shop.orders');
SELECT audit.enable('shop.order_items');
SELECT audit.enable('shop.payments');
SELECT audit.enable('shop.shipments');
SELECT audit.alert_when('price changed', 'shop.products', '{price}');
