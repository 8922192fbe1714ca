# A transaction is left open under load: the others are sealed within two seconds all the same,
# a pass of the sealer does not get slower, and the open one's events are sealed after its end,
# each once.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../demo";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Shop;
use Test::More;

my $seconds = $ENV{AUDIT_TRAIL_SLOW} ? 60 : 15;
my $node = open_shop('long_transaction', "max_connections = 40\n");

seal_all($node);
my $began = $node->safe_psql('postgres', 'SELECT clock_timestamp()');

my $open = $node->background_psql('postgres');
$open->query_safe(q{
	BEGIN;
	SELECT audit.set_context(actor => 'slow-clerk', request_id => 'left-open');
	INSERT INTO shop.customers (email, full_name, address)
		SELECT 'slow-' || n || '@example.com', 'Slow', '{}' FROM generate_series(1, 1000) n;
	SAVEPOINT s;
	UPDATE shop.customers SET phone = '1' WHERE email LIKE 'slow-%';
	ROLLBACK TO SAVEPOINT s;
	UPDATE shop.customers SET phone = '2' WHERE email LIKE 'slow-%';
});

my $load = start_load($node, 4, $seconds);
ok(end_load($load), 'no client failed') or diag($load->{said});
my $ended = $node->safe_psql('postgres', 'SELECT clock_timestamp()');

# All that the load committed is sealed, while the open one still is open.
ok($node->poll_query_until('postgres', 'SELECT count(*) = 0 FROM shop.seal_lag() WHERE lag IS NULL'),
	'the others are sealed while it is open');
my ($count, $longest, $early, $late) = split /\|/, $node->safe_psql('postgres', qq{
	WITH run AS (SELECT lag, ntile(4) OVER (ORDER BY committed_at) AS quarter
		FROM shop.seal_lag() WHERE committed_at BETWEEN '$began' AND '$ended')
	SELECT count(*), extract(epoch FROM max(lag)),
		extract(epoch FROM percentile_disc(0.5) WITHIN GROUP (ORDER BY lag) FILTER (WHERE quarter = 1)),
		extract(epoch FROM percentile_disc(0.5) WITHIN GROUP (ORDER BY lag) FILTER (WHERE quarter = 4))
	FROM run});
note("$count transactions, longest lag $longest s, median of the first quarter $early s, of the last $late s");
cmp_ok($count, '>', 100 * $seconds / 15, 'the load recorded transactions');
cmp_ok($longest, '<', 2, 'each was sealed within two seconds');
cmp_ok($late, '<', 2 * $early + 0.25, 'and the last ones as soon as the first ones');

# A pass with little to do takes as long as that little, however much is sealed already.
cmp_ok(pass_ms($node), '<', 250, 'a pass is quick while the transaction is open');
is($node->safe_psql('postgres', q{SELECT count(*) FROM audit.transaction WHERE request_id = 'left-open'}),
	'0', 'the open transaction is not visible');

$open->query_safe('COMMIT');
$open->quit;
trail_is_right($node, 'after its end');
is($node->safe_psql('postgres', q{
	SELECT t.event_count, count(*), (SELECT count(*) FROM audit.log_entry l JOIN audit.log_entry p ON p.log_index = l.log_index - 1
		WHERE pg_visible_in_snapshot(t.xid::text::xid8, l.snapshot::pg_snapshot)
			AND NOT pg_visible_in_snapshot(t.xid::text::xid8, p.snapshot::pg_snapshot))
	FROM audit.transaction t JOIN audit.event e USING (tx_id) WHERE request_id = 'left-open' GROUP BY t.event_count, t.xid}),
	'2000|2000|1', 'its events are there, in one batch');

$node->stop;
done_testing();

# Median of some passes, in ms, each with one transaction to seal.
sub pass_ms
{
	my ($node) = @_;
	my @took = map {
		$node->safe_psql('postgres', qq{
			UPDATE shop.products SET stock = stock + 1 WHERE id = $_;
			SELECT clock_timestamp() AS began \\gset
			SELECT audit.seal_now() \\g /dev/null
			SELECT 1000 * extract(epoch FROM clock_timestamp() - :'began')})
	} 1 .. 9;

	@took = sort { $a <=> $b } @took;
	note("a pass: $took[4] ms, $took[0] to $took[8]");
	return $took[4];
}
