# Many alerts while the notifier is killed again and again and the server once: what a client has, that listens
# and catches up, is what was raised; so is what audit_relay, which is killed too, has brought into a file.
# With AUDIT_TRAIL_SLOW=1 100 000 and ten kills, else fewer.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use JSON::PP;
use Polling;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);
use Workers;

my $alerts = $ENV{AUDIT_TRAIL_SLOW} ? 100_000 : 6_000;
my $batch = $alerts / 100;
my $kills = $ENV{AUDIT_TRAIL_SLOW} ? 10 : 2;
my $crash_at = 60;
my $dir = PostgreSQL::Test::Utils::tempdir;
my $relay;

my $node = PostgreSQL::Test::Cluster->new('alert_storm');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\nmax_worker_processes = 20\n");
$node->start;
$node->safe_psql('postgres', qq{
	CREATE EXTENSION audit_trail;
	CREATE TABLE orders (id int PRIMARY KEY, price numeric);
	SELECT audit.enable('orders');
	SELECT audit.alert_when('price', 'orders', '{price}', channel => 'pricing');
	INSERT INTO orders SELECT g, 0 FROM generate_series(1, $alerts) g;
	SELECT count(*) FROM audit.create_roles();
	CREATE ROLE relay LOGIN IN ROLE audit_relay;
	ALTER ROLE relay SET enable_seqscan = off;
});
workers_run($node, 'postgres', 'workers run');
append_to_file("$dir/relay.conf", 'conninfo = host=' . $node->host . ' port=' . $node->port . " dbname=postgres user=relay\nstate = $dir/state\n"
	  . "[sink file]\ntype = file\npath = $dir/file\nbegin = all\nretry_max = 1\n");
start_relay();

# The relay is not to be counted below. Known to be empty, they would be read from end to end.
$node->safe_psql('postgres', 'VACUUM ANALYZE audit.alert, audit.alert_delivery, audit.alert_action, audit.alert_pass');
my $scans = seq_scans();

# Half of the transactions change ten rows, half the rest of the batch in one go; one in twenty is rolled back.
my ($listener, %heard, @order) = (listen_anew());
my $killed = 0;
my $last = 0;
foreach my $round (0 .. 99)
{
	my $from = $round * $batch;
	my $sql = join '', map { sprintf "UPDATE orders SET price = price + 1 WHERE id = %d;\n", $from + $_ } 1 .. 10;

	$sql .= "BEGIN; UPDATE orders SET price = price + 1 WHERE id > $from AND id <= $from + 20; ROLLBACK;\n" if $round % 20 == 0;
	$sql .= sprintf "UPDATE orders SET price = price + 1 WHERE id > %d AND id <= %d;\n", $from + 10, $from + $batch;
	$node->safe_psql('postgres', $sql);
	if ($round % (100 / $kills) == 5)
	{
		$killed += kill_notifier();
		kill 'KILL', $relay;
		waitpid $relay, 0;
		start_relay();
	}
	if ($round == $crash_at)
	{
		is(seq_scans(), $scans, 'the notifier does not read what it has told');
		eval { hear() };
		$node->stop('immediate');
		eval { $listener->quit };
		$node->start;
		$listener = listen_anew();
		catch_up();
	}
	hear() if $round % 7 == 0;
}
is($killed, $kills, 'the notifier was killed');
ok($node->poll_query_until('postgres', 'SELECT count(*) = ' . $alerts . q{ FROM audit.alert_feed WHERE told_on = 'audit_alert'}), 'all are told at last');
hear();
catch_up();
my $raised = $node->safe_psql('postgres', 'SELECT count(*), min(alert_id), max(alert_id), sum(alert_id) FROM audit.alert');
is($raised =~ /^(\d+)/ ? $1 : 0, $alerts, 'as many were raised as there were changes');
my ($min, $max, $sum) = (1e18, 0, 0);
foreach my $id (keys %heard)
{
	$min = $id if $id < $min;
	$max = $id if $id > $max;
	$sum += $id;
}
is(join('|', scalar(keys %heard), $min, $max, $sum), $raised, 'the set that the client has is the set that was raised');
my $until = time + $PostgreSQL::Test::Utils::timeout_default + $alerts / 100;
my %brought;
while ((%brought = brought()) && keys %brought < $alerts && time < $until)
{
	sleep(0.5);
}
is(scalar(grep { !$brought{$_} } keys %heard), 0, 'and all of it is in the file of the relay');
is(scalar(keys %brought), $alerts, 'and nothing else');
is($node->safe_psql('postgres', q{SELECT count(*) FROM (SELECT alert_id, count(*) FROM audit.alert_feed WHERE told_on = 'pricing' GROUP BY 1 HAVING count(*) <> 1) x}), '0',
	'none is on record twice');
is($node->safe_psql('postgres', q{SELECT count(*) FROM (SELECT t.committed_at, lag(t.committed_at) OVER (ORDER BY f.delivery_id) AS before
		FROM audit.alert_feed f JOIN audit.transaction t ON t.tx_id = f.tx_id WHERE f.told_on = 'audit_alert') x WHERE committed_at < before}), '0', 'told in the order of commits');
is($node->safe_psql('postgres', 'SELECT finding, object FROM audit.verify()'), 'summary|ok', 'the trail is whole');

# Who waits for the notifier waits for all of a storm.
is($node->safe_psql('postgres', q{
		UPDATE orders SET price = price + 1 WHERE id <= 5000;
		SELECT audit.notify_now();
		SELECT count(*) FROM audit.alert a WHERE NOT EXISTS (SELECT FROM audit.alert_feed f WHERE f.alert_id = a.alert_id)}), "\n0", 'notify_now() waits until all is told');

$listener->quit;
kill 'TERM', $relay;
waitpid $relay, 0;
is($?, 0, 'the relay ends when it is told to');
undef $relay;
$node->stop;
done_testing();

# Whatever ends the test, nothing of it is left running.
END
{
	my $status = $?;

	if ($relay)
	{
		kill 'KILL', $relay;
		waitpid $relay, 0;
	}
	$? = $status;
}

sub start_relay
{
	$relay = fork // die;
	if ($relay == 0)
	{
		undef $relay;
		open STDERR, '>>', "$dir/log";
		exec 'audit_relay', "--config=$dir/relay.conf" or POSIX::_exit(127);
	}
	return;
}

# Alerts of the file: id and how often. What a kill has cut off is a line that is no JSON.
sub brought
{
	my $text = -e "$dir/file" ? slurp_file("$dir/file") : '';
	my %ids;

	$ids{$1}++ while $text =~ /"alert_id" ?: ?(\d+),/g;
	return %ids;
}

sub seq_scans
{
	return $node->safe_psql('postgres', q{SELECT sum(seq_scan) FROM pg_stat_all_tables WHERE schemaname = 'audit' AND relname IN ('alert', 'alert_delivery', 'alert_action')});
}

sub listen_anew
{
	my $session = $node->background_psql('postgres');

	$session->query_safe('LISTEN audit_alert');
	return $session;
}

# psql tells what it has heard when a command ends.
sub hear
{
	my $said = $listener->query('SELECT 1');

	while ($said =~ /with payload "\{"alert_id":(\d+),/g)
	{
		$heard{$1}++;
		$last = $1;
	}
	return;
}

sub catch_up
{
	foreach my $id (split /\n/, $node->safe_psql('postgres', "SELECT alert_id FROM audit.alerts_since($last)"))
	{
		$heard{$id}++;
		$last = $id;
	}
	return;
}

# Without a warning: SIGKILL of a process of the server restarts all of it, so that is for the crash.
sub kill_notifier
{
	my $pid;
	my $until = time + 30;

	sleep(0.05) while !(($pid) = pids_of($node, 'notifier', 'postgres')) && time < $until;
	return $node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)::int");
}
