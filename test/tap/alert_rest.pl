# What a pass of the notifier costs besides the alerts that it tells: what it looks up, and that there are fewer
# passes where many alerts are raised one after the other.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Workers;

my $node = PostgreSQL::Test::Cluster->new('alert_rest');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\nautovacuum = off\naudit_trail.seal_interval = 1h\n");
$node->start;
sql(q{
	CREATE EXTENSION audit_trail;
	CREATE TABLE orders (id int PRIMARY KEY, price int);
	SELECT audit.enable('orders');
	SELECT audit.alert_when('price', 'orders', '{price}', severity => 'low', channel => 'pricing');
	INSERT INTO orders SELECT g, 0 FROM generate_series(1, 2500) g});
workers_run($node, 'postgres', 'workers run');
sql('UPDATE orders SET price = 1 WHERE id = 1');
settle();

# What the indexes span is not looked up. The session that raises them looks up its block of numbers.
my @indexes = qw(alert_pkey alert_delivery_alert_idx alert_action_xid_idx);
my %before = scans();
sql('UPDATE orders SET price = 2 WHERE id <= 20');
settle();
my %after = scans();
is(join(' ', map { "$_ " . ($after{$_} - $before{$_}) } @indexes), 'alert_pkey 1 alert_delivery_alert_idx 20 alert_action_xid_idx 0',
	'a pass looks up whether each alert was told, and nothing else');

# Its deliveries are written together.
my $deliveries = sql("SELECT pg_relation_filenode('audit.alert_delivery')");
my $from = sql('SELECT pg_current_wal_flush_lsn()');
sql('UPDATE orders SET price = 3 WHERE id <= 20');
settle();
my $to = sql('SELECT pg_current_wal_flush_lsn()');
my ($written, $errors) = run_command([ 'pg_waldump', '-p', $node->data_dir . '/pg_wal', '-s', $from, '-e', $to ]);
my @inserts = grep { /^rmgr: Heap/ && m{rel \d+/\d+/$deliveries\b} } split /\n/, $written;
is(scalar(grep { !/desc: MULTI_INSERT/ } @inserts), 0, 'deliveries are written together');
cmp_ok(scalar(@inserts), '>', 0, 'to the pages that they come to') or diag($errors);

# Of more than a thousand at once not all rows are kept from when they were found.
sql('UPDATE orders SET price = 4');
settle();
is(sql(q{SELECT count(*), count(DISTINCT alert_id) FROM audit.alert_delivery WHERE channel = 'pricing'}), '2541|2541', 'more than a thousand are told');

# Many in a row: after a few passes it rests for 10 ms. A pass is the transaction that its rows are of.
sql(q{DO $$
	DECLARE
		began timestamptz := clock_timestamp();
	BEGIN
		WHILE clock_timestamp() < began + interval '2 s' LOOP
			UPDATE orders SET price = price + 1 WHERE id = 1;
			COMMIT;
		END LOOP;
	END $$});
settle();
my ($passes, $pause) = split /\|/, sql(q{
	SELECT count(*), percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM told - before) * 1000)
	FROM (SELECT told, lag(told) OVER (ORDER BY told) AS before FROM (
		SELECT min(delivered_at) AS told FROM audit.alert_delivery GROUP BY xmin::text) p) q});
cmp_ok($passes, '>', 10, 'there were passes');
cmp_ok($pause, '>=', 10, 'with a longer rest between them');
is(sql(q{SELECT count(*) FROM audit.alert a WHERE (SELECT count(*) FROM audit.alert_delivery d WHERE d.alert_id = a.alert_id) <> 2}), '0',
	'all are told once on each channel');
$node->stop;
done_testing();

# Have what was raised told, and its statistics reported: a pass does so before the next one begins.
sub settle
{
	sql('SELECT audit.notify_now()') foreach 1 .. 2;
	return;
}

sub scans
{
	return map { $_ => sql("SELECT idx_scan FROM pg_stat_all_indexes WHERE schemaname = 'audit' AND indexrelname = '$_'") } @indexes;
}

sub sql
{
	my ($statement) = @_;

	return $node->safe_psql('postgres', $statement);
}
