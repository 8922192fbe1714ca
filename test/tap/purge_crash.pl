# kill -9 between every two steps of a purge, of the keeper and of the server: no event goes twice, none
# is lost, none goes half.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Polling;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);
use Workers;

my @points = qw(purge-found purge-ordered purge-before purge-events-gone purge-gone purge-before-commit purge-carried-out);
my $node = PostgreSQL::Test::Cluster->new('purge_crash');

$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\nrestart_after_crash = on\n"
	  . "max_worker_processes = 20\naudit_trail.seal_interval = 50ms\naudit_trail.purge_anchor = off\n"
	  . "audit_trail.keeper_pause = 0\naudit_trail.keeper_interval = 0\nfsync = on\naudit_trail.debug_points = '"
	  . join(',', @points) . "'\n");
$node->start;
$node->safe_psql('postgres', q{SET audit_trail.debug_clock = 1; CREATE EXTENSION audit_trail; SELECT audit.init();
	SELECT count(*) FROM audit.create_roles();
	CREATE ROLE alice LOGIN IN ROLE audit_admin;
	CREATE ROLE bob LOGIN IN ROLE audit_purge_approver;
	CREATE ROLE mona LOGIN IN ROLE audit_maintenance;
	CREATE TABLE orders (id serial PRIMARY KEY, note text);
	SELECT audit.enable('orders', context => 'sales')});

sub as
{
	my ($login, $sql) = @_;
	return $node->safe_psql('postgres', $sql, extra_params => ['-U', $login]);
}

sub clock
{
	my ($days) = @_;

	$node->append_conf('postgresql.conf', "audit_trail.debug_clock = " . ($days * 86400 + 1) . "s\n");
	$node->reload;
	$node->poll_query_until('postgres', "SELECT current_setting('audit_trail.debug_clock')::interval = '"
		  . ($days * 86400 + 1) . "s'::interval") or die;
}

my $id = as('alice', q{SELECT audit.set_retention(context => 'sales', keep => '1 year', "then" => 'purge', reason => 'the law')});
as('bob', "SELECT audit.approve($id, 'fine')");
$node->safe_psql('postgres', 'SELECT audit.keeper_now()');

my $day = 0;

foreach my $victim ('keeper', 'postmaster')
{
	foreach my $point (@points)
	{
		# A month of orders, of which two are held; then they expire.
		clock($day);
		$node->safe_psql('postgres', 'SELECT audit.keeper_now()');
		$node->safe_psql('postgres', q{DO $$ BEGIN FOR i IN 1..30 LOOP INSERT INTO orders (note) VALUES (repeat('x', 3000)); COMMIT; END LOOP; END $$});
		my $last = $node->safe_psql('postgres', 'SELECT max(id) FROM orders');
		$id = as('alice', "SELECT audit.hold('case $last', 'court', contexts => '{sales}', records => '{$last," . ($last - 1) . "}')");
		$day += 460;
		clock($day);
		$node->safe_psql('postgres', 'SELECT audit.seal_now()');
		my $before = events();
		my $expired = as('mona', 'SELECT sum(events) FROM audit.retention_plan()');
		cmp_ok($expired, '>=', 28, "$victim, $point: something has expired");
		$id = as('mona', q{SELECT audit.request_purge('the law')});

		my $hold = $node->background_psql('postgres');
		$hold->query("SELECT pg_advisory_lock(1096107092, hashtext('$point'))");
		as('bob', "SELECT audit.approve($id, 'fine')");
		my $asked = $node->background_psql('postgres', on_error_stop => 0);
		$asked->{stdin} .= "SELECT audit.keeper_now();\n";
		$asked->{run}->pump_nb;
		$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
			AND classid = 1096107092 AND objid::int8 = hashtext('$point')::int8 & 4294967295") or die "not held at $point";

		# behind the first of these steps whoever reads the month waits for it
		is(events(), $before, "held at $point: nobody sees that anything has gone") if $point =~ /-(found|ordered|before)$/;
		is($node->safe_psql('postgres', q{INSERT INTO orders (note) VALUES ('meanwhile') RETURNING 'written'}), 'written',
			"held at $point: a writer does not wait");
		$before++;
		kill_9($victim);
		$_->{run}->kill_kill foreach $hold, $asked;
		is(object(), 'ok', 'after the crash all verifies');
		is(events(), $before, 'and all is there');
		$node->safe_psql('postgres', 'SELECT audit.keeper_now()');
		is(events(), $before - $expired, 'then what has expired is gone, once');
		is(object(), 'ok', 'and all verifies');
		is($node->safe_psql('postgres', 'SELECT audit.rebuild_volume()'), '0', 'figures add up');
		is($node->safe_psql('postgres', "SELECT sum((certificate ->> 'events')::int) FROM audit.deletion
			WHERE phase = 'done' AND (certificate ->> 'request')::int = $id"), $expired, 'as the certificates have it');
	}
}
is($node->safe_psql('postgres', q{SELECT count(*) FROM audit.deletion d WHERE phase = 'ordered' AND NOT EXISTS (SELECT FROM audit.deletion x
	WHERE x.deletion_id = d.deletion_id AND x.phase <> 'ordered')}), '0', 'no order is left');
$node->stop;
done_testing();

sub events { return $node->safe_psql('postgres', 'SELECT count(*) FROM audit.event') }
sub object { return $node->safe_psql('postgres', q{SELECT object FROM audit.verify() WHERE finding = 'summary'}) }

sub kill_9
{
	my ($victim) = @_;

	if ($victim eq 'postmaster')
	{
		$node->stop('immediate');
		$node->start;
		return;
	}
	my ($pid) = pids_of($node, $victim);
	my $mark = -s $node->logfile;

	kill 'KILL', $pid;
	for (1 .. 1800)
	{
		last if slurp_file($node->logfile, $mark) =~ /database system is ready to accept connections/;
		sleep 0.1;
	}
	return;
}
