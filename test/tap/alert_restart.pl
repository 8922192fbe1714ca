# Two databases of one server raise alerts, while the notifier of one ends, is killed, and the server crashes: each tells
# its own, all of them, and those who LISTEN in one hear nothing of the other. Limits and mutings hold
# beyond all of that, as what was told is counted from what is on record.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Polling;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use Workers;

my @databases = qw(shop depot);
my $node = PostgreSQL::Test::Cluster->new('alert_restart');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\nmax_worker_processes = 24\nrestart_after_crash = on\n");
$node->start;
my $raised = 0;
foreach my $database (@databases)
{
	$node->safe_psql('postgres', "CREATE DATABASE $database");
	sql($database, qq{
		CREATE EXTENSION audit_trail;
		CREATE TABLE orders (id int PRIMARY KEY, price int DEFAULT 0, quantity int DEFAULT 0, note int DEFAULT 0);
		SELECT audit.enable('orders');
		SELECT audit.alert_when('$database', 'orders', '{price}', channel => 'pricing');
		SELECT audit.alert_when('limited', 'orders', '{quantity}', max_alerts => 2, per => '1 day');
		SELECT audit.alert_when('muted', 'orders', '{note}', mute_until => now() + interval '1 day');
		INSERT INTO orders SELECT generate_series(1, 1000)});
}
workers_run($node, $_, "workers run in $_") for @databases;
my %listener = listen_again();

# The limit is used up, and something is muted, before anything ends.
sql('shop', "UPDATE orders SET quantity = quantity + 1 WHERE id = $_") for 1 .. 3;
sql('shop', 'UPDATE orders SET note = 1 WHERE id = 1');
ok($node->poll_query_until('shop', outcomes('limited', 'notified notified limited')), 'two are told, and one is not');
ok($node->poll_query_until('shop', outcomes('muted', 'muted')), 'what is muted is not told');

# The notifier of one database ends; the other one goes on.
my ($there) = pids_of($node, 'notifier', 'depot');
my ($here) = pids_of($node, 'notifier', 'shop');
sql('postgres', "SELECT pg_terminate_backend($here)");
raise($_, 20) for @databases;
is(join(',', pids_of($node, 'notifier', 'depot')), $there, 'when the notifier of one database ends, that of the other goes on');
all_told('when a notifier has ended');
held('when a notifier has ended', 4);

# It is killed, and the server restarts with all of its processes.
($here) = pids_of($node, 'notifier', 'shop');
raise($_, 20) for @databases;
is(kill(KILL => $here), 1, 'the notifier is killed');
ok(wait_restart($here), 'the server has restarted');
raise($_, 20) for @databases;
all_told('when one was killed');
held('when one was killed', 5);

# The server crashes in the middle of it.
raise($_, 20) for @databases;
$node->stop('immediate');
$node->start;
workers_run($node, $_, "workers run in $_ again") for @databases;
all_told('when the server has crashed');
held('when the server has crashed', 6);

# Whoever listens hears its own alone.
%listener = listen_again();
raise($_, 3) for @databases;
foreach my $database (@databases)
{
	my $heard = hear($database, qr/(?:"rule":"$database".*){3}/s);
	my ($other) = grep { $_ ne $database } @databases;

	unlike($heard, qr/"rule":"$other"/, "who listens in $database hears nothing of $other");
}

# What was held back is told of with the next one: all of it, by whichever processes it was.
sql('shop', q{
	SELECT audit.alert_alter('limited', clear => '{max_alerts,per}');
	SELECT audit.alert_alter('muted', clear => '{mute_until}');
	UPDATE orders SET quantity = -1, note = -1 WHERE id = 500});
my $heard = hear('shop', qr/"rule":"muted".*"rule":"limited"|"rule":"limited".*"rule":"muted"/s);
like($heard, qr/"rule":"limited"[^\n]*"suppressed":4/, 'the number of those over the limit outlives it all');
like($heard, qr/"rule":"muted"[^\n]*"suppressed":4/, 'and of those that were muted');
$_->quit for values %listener;
is(sql($_, q{SELECT count(*) FROM audit.verify() WHERE finding <> 'summary'}), '0', "the trail of $_ verifies") for @databases;
$node->stop;
done_testing();

sub sql { my ($database, $query) = @_; return $node->safe_psql($database, $query) }

# Raise alerts of a database, each in a transaction.
sub raise
{
	my ($database, $count) = @_;

	sql($database, join '', map { $raised++; "UPDATE orders SET price = price + 1 WHERE id = " . (1 + $raised % 1000) . ";\n" } 1 .. $count);
	return;
}

# A query: are the deliveries of a rule these?
sub outcomes
{
	my ($rule, $outcomes) = @_;

	return qq{SELECT coalesce(string_agg(d.outcome, ' ' ORDER BY d.delivery_id), '') = '$outcomes'
		FROM audit.alert_delivery d JOIN audit.alert a USING (alert_id) WHERE a.rule_name = '$rule' AND d.channel = 'audit_alert'};
}

# What a client that catches up has is what was raised, in each database.
sub all_told
{
	my ($when) = @_;

	foreach my $database (@databases)
	{
		ok( $node->poll_query_until($database, qq{
				SELECT (SELECT array_agg(alert_id ORDER BY alert_id) FROM audit.alert WHERE rule_name = '$database')
					= (SELECT array_agg(alert_id ORDER BY alert_id) FROM audit.alerts_since(channel => 'pricing'))}),
			"$when: all alerts of $database are told");
	}
	return;
}

# One more of each is held back: so many in all.
sub held
{
	my ($when, $count) = @_;

	sql('shop', "UPDATE orders SET quantity = quantity + 1, note = note + 1 WHERE id = $count");
	ok($node->poll_query_until('shop', outcomes('limited', join ' ', 'notified', 'notified', ('limited') x ($count - 2))),
		"$when: the limit is used up as before");
	ok($node->poll_query_until('shop', outcomes('muted', join ' ', ('muted') x ($count - 2))), 'and what is muted stays so');
	return;
}

# Until a process is gone and the server takes connections again.
sub wait_restart
{
	my ($pid) = @_;
	my $until = time + $PostgreSQL::Test::Utils::timeout_default;

	while (time < $until)
	{
		my ($rc, $out) = $node->psql('shop', "SELECT count(*) FROM pg_stat_activity WHERE pid = $pid");

		return 1 if $rc == 0 && $out eq '0';
		sleep(0.1);
	}
	return 0;
}

sub listen_again
{
	my %new;

	foreach my $database (@databases)
	{
		$new{$database} = $node->background_psql($database);
		$new{$database}->query_safe('LISTEN audit_alert');
	}
	return %new;
}

# All that comes, until it is this.
sub hear
{
	my ($database, $pattern) = @_;
	my $until = time + $PostgreSQL::Test::Utils::timeout_default;
	my $heard = '';

	while ($heard !~ $pattern && time < $until)
	{
		$heard .= $listener{$database}->query_safe('SELECT 1') . "\n";
		sleep(0.05);
	}
	like($heard, $pattern, "$database hears");
	return $heard;
}
