# The business's tables and the trail agree: replaying the trail from empty gives every audited
# table exactly, after a run of the whole demo business with savepoints and rollbacks in the mix.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../demo";
use PostgreSQL::Test::Utils;
use Shop;
use Test::More;

my $seconds = $ENV{AUDIT_TRAIL_SLOW} ? 60 : 8;
my $node = open_shop('replay', "max_connections = 40\n");

# What the business itself says was placed: written by its own trigger, not audited.
$node->safe_psql('postgres', q{
	CREATE TABLE shop.placed AS SELECT id AS order_id FROM shop.orders;
	CREATE FUNCTION shop.note_placed() RETURNS trigger LANGUAGE plpgsql AS
		'BEGIN INSERT INTO shop.placed VALUES (NEW.id); RETURN NULL; END';
	CREATE TRIGGER note_placed AFTER INSERT ON shop.orders
		FOR EACH ROW EXECUTE FUNCTION shop.note_placed();
});

trail_is_right($node, 'after the first load');

my $load = start_load($node, 8, $seconds);
ok(end_load($load), 'no client failed') or diag($load->{said});
my ($done) = $load->{said} =~ /actually processed: (\d+)/;
cmp_ok($done, '>', 100 * $seconds / 8, 'the business was busy');

trail_is_right($node, 'after the run');

is($node->safe_psql('postgres', q{
	SELECT count(*) FROM shop.placed p FULL JOIN (
		SELECT record_key::bigint AS order_id FROM audit.event JOIN audit.target USING (target_id)
		WHERE table_name = 'orders' AND op = 'I') e USING (order_id)
	WHERE p.order_id IS NULL OR e.order_id IS NULL}), '0',
	'every order that was ever committed is in the trail, and no other');
is($node->safe_psql('postgres',
		q{SELECT count(*) FROM audit.transaction WHERE request_id LIKE 'abandoned-%'}),
	'0', 'what was rolled back is not');
is($node->safe_psql('postgres', q{
	SELECT string_agg(DISTINCT op::text, '' ORDER BY op::text) FROM audit.event WHERE op <> 'H'}), 'DIU',
	'all kinds of changes took part');
is($node->safe_psql('postgres', q{
	SELECT count(*) FROM (SELECT substring(request_id FROM '^[a-z]+') AS work, count(*)
		FROM audit.transaction WHERE request_id IS NOT NULL GROUP BY 1) w}), '9',
	'all kinds of work took part');

# TRUNCATE, rolled back and not, with rows before and after.
$node->safe_psql('postgres', q{
	BEGIN;
	SAVEPOINT s;
	TRUNCATE shop.shipments;
	ROLLBACK TO SAVEPOINT s;
	UPDATE shop.shipments SET carrier = 'UPS' WHERE order_id % 7 = 0;
	COMMIT;
});
trail_is_right($node, 'after a TRUNCATE that was rolled back');
$node->safe_psql('postgres', q{
	BEGIN;
	TRUNCATE shop.shipments;
	INSERT INTO shop.shipments (order_id, carrier, weight_kg, parcel_cm, promised_on)
		SELECT id, 'GLS', 'NaN', NULL, 'infinity' FROM shop.orders WHERE false;
	INSERT INTO shop.shipments (order_id, carrier, weight_kg, parcel_cm, promised_on)
		SELECT id, 'GLS', 'infinity', '{}', 'infinity' FROM shop.orders LIMIT 10;
	COMMIT;
});
trail_is_right($node, 'after a TRUNCATE');

$node->stop;
done_testing();
