# A window of the notifier that is read in parts, each of a few alerts here: of what was running when it began, of one transaction
# that has more than a part, and of many small ones. All is told once, that of a transaction together and in its order, also where
# the notifier ends between two parts.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Workers;

my $points = '1096107092';
my $told = q{FROM audit.alert_feed f WHERE f.told_on = 'audit_alert'};
my $lock;
my $node = PostgreSQL::Test::Cluster->new('alert_parts');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\nmax_worker_processes = 20\nmax_prepared_transactions = 5\n"
	  . "audit_trail.debug_points = 'notifier-small-parts,notifier-picked,notifier-before-commit'\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION audit_trail;
	CREATE TABLE orders (id int PRIMARY KEY, price int);
	SELECT audit.enable('orders');
	SELECT audit.alert_when('price', 'orders', '{price}', channel => 'pricing');
	INSERT INTO orders SELECT g, 0 FROM generate_series(1, 1000) g});
workers_run($node, 'postgres', 'workers run');

# A window that begins while these run, and one of each kind that ends in it.
my @running = map { $node->background_psql('postgres') } 1 .. 3;
$running[$_]->query_safe('BEGIN; UPDATE orders SET price = price + 1 WHERE id > ' . 100 * $_ . ' AND id <= ' . (100 * $_ + 20)) foreach 0 .. 2;
$node->safe_psql('postgres', 'UPDATE orders SET price = price + 1 WHERE id = 1000');
$node->safe_psql('postgres', 'SELECT audit.notify_now()');
is($node->safe_psql('postgres', "SELECT count(*) $told"), '1', 'what runs is not told');

hold_notifier();
$running[1]->query_safe('COMMIT');
$running[0]->query_safe('COMMIT');
$node->safe_psql('postgres', join ';', map { "UPDATE orders SET price = price + 1 WHERE id = 30$_" } 0 .. 9);
$node->safe_psql('postgres', 'BEGIN; UPDATE orders SET price = price + 1 WHERE id > 400 AND id <= 430; SAVEPOINT s; UPDATE orders SET price = -1 WHERE id = 500; ROLLBACK TO s; COMMIT');
$node->safe_psql('postgres', 'BEGIN; UPDATE orders SET price = price + 1 WHERE id > 600 AND id <= 620; ROLLBACK');
$node->safe_psql('postgres', q{BEGIN; UPDATE orders SET price = price + 1 WHERE id > 700 AND id <= 710; PREPARE TRANSACTION 'later'});
release_notifier();
all_told('what began before and after is told', 81);

$running[2]->query_safe('COMMIT');
$node->safe_psql('postgres', q{COMMIT PREPARED 'later'});
all_told('what ended later is told too', 111);

# The notifier ends when it has told parts of a window. The pass that is held has looked before there was anything to tell.
hold_notifier();
my ($first) = pids_of($node, 'notifier', 'postgres');
my $gate = $node->background_psql('postgres');
my $before_commit = "$points, hashtext('notifier-before-commit')";
$gate->query_safe("SELECT pg_advisory_lock($before_commit)");
$node->safe_psql('postgres', 'UPDATE orders SET price = price + 1 WHERE id <= 100');
release_notifier();
my $count = 111;
foreach my $step (1 .. 5)
{
	waits($first) or die "the notifier does not come to step $step";
	$count = $node->safe_psql('postgres', "SELECT count(*) $told");
	last if $count > 111;

	# the next one waits in line behind the notifier before that goes on
	my $next = $node->background_psql('postgres');
	$next->query_until(qr/asks/, "\\echo asks\nSELECT pg_advisory_lock($before_commit);\n");
	$node->poll_query_until('postgres', q{SELECT count(*) = 2 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted}) or die 'nobody waits in line';
	$gate->query_safe("SELECT pg_advisory_unlock($before_commit)");
	$gate->quit;
	$gate = $next;
}
cmp_ok($count, '>', 111, 'a part is told');
cmp_ok($count, '<', 211, 'and not all');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($first)");
ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $first"), 'the notifier ends');
$gate->quit;
all_told('the next one tells the rest', 211);
is($node->safe_psql('postgres', 'SELECT finding, object FROM audit.verify()'), 'summary|ok', 'the trail is whole');
$_->quit foreach @running;
$node->stop;
done_testing();

# All that is committed, once on each channel, and that of a transaction in one piece.
sub all_told
{
	my ($name, $count) = @_;

	ok($node->poll_query_until('postgres', "SELECT count(*) = $count $told"), $name);
	is($node->safe_psql('postgres', 'SELECT told_on, count(*), count(DISTINCT alert_id) FROM audit.alert_feed GROUP BY 1 ORDER BY 1'),
		"audit_alert|$count|$count\npricing|$count|$count", 'once on each channel');
	is($node->safe_psql('postgres', "SELECT count(*) FROM (SELECT f.alert_id, lag(f.alert_id) OVER w AS before $told WINDOW w AS (PARTITION BY f.tx_id ORDER BY f.delivery_id)) x
			WHERE alert_id < before"), '0', 'those of a transaction in their order');
	return;
}

# Does the process wait at a debug point?
sub waits
{
	my ($pid) = @_;

	return $node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_locks WHERE pid = $pid AND locktype = 'advisory' AND NOT granted");
}

# It has looked already, and sees nothing of what comes now before it is released.
sub hold_notifier
{
	my ($pid) = pids_of($node, 'notifier', 'postgres');

	$lock = $node->background_psql('postgres');
	$lock->query_safe("SELECT pg_advisory_lock($points, hashtext('notifier-picked'))");
	waits($pid) or die 'the notifier is not held';
	return;
}

sub release_notifier
{
	$lock->query_safe("SELECT pg_advisory_unlock($points, hashtext('notifier-picked'))");
	$lock->quit;
	return;
}
