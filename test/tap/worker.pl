# Workers survive what can happen to them: termination, crashes, errors, a standby's promotion.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use IPC::Run ();
use Polling;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Workers;

my $lock = q{1096107092, hashtext('sealer-picked')};
my $node = PostgreSQL::Test::Cluster->new('worker');
my ($status, $out, $err);

$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\n"
	  . "max_worker_processes = 20\nrestart_after_crash = on\naudit_trail.seal_interval = 100ms\n");
$node->start;
$node->safe_psql('postgres', 'CREATE DATABASE shop');
foreach my $database ('postgres', 'shop')
{
	$node->safe_psql($database, 'CREATE EXTENSION audit_trail; SELECT audit.init()');
	workers_run($node, $database, "workers run in $database");
}

# Terminated, they come back.
my @sealer = pids_of($node, 'sealer', 'shop');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($sealer[0])");
workers_run($node, 'shop', 'a terminated sealer is back', @sealer);

my @launcher = pids_of($node, 'launcher');
@sealer = pids_of($node, 'sealer', 'shop');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($launcher[0])");
ok($node->poll_query_until('postgres', qq{SELECT count(*) = 1 FROM pg_stat_activity
		WHERE backend_type = 'audit_trail launcher' AND pid <> $launcher[0]}), 'so is a terminated launcher');
$node->safe_psql('shop', 'SELECT audit.seal_now()');
is(join(',', pids_of($node, 'sealer', 'shop')), "@sealer", 'which takes over the workers that run');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($sealer[0])");
workers_run($node, 'shop', 'and looks after them', @sealer);

# Ordinary roles cannot signal them.
$node->safe_psql('postgres', 'CREATE ROLE signaller; GRANT pg_signal_backend TO signaller');
foreach my $pid (pids_of($node, '%'))
{
	($status, $out, $err) = $node->psql('postgres', "SET ROLE signaller; SELECT pg_terminate_backend($pid)");
	like($err, qr/must be a superuser|Only roles with the SUPERUSER attribute/, 'a worker cannot be signalled by an ordinary role');
}

# Killed, everything comes back, as it does when any backend is killed.
foreach my $victim ('sealer', 'launcher')
{
	my @all = pids_of($node, '%');
	my ($pid) = pids_of($node, $victim);

	kill 'KILL', $pid;
	ok($node->poll_query_until('postgres', qq{SELECT count(*) = 1 FROM pg_stat_activity
			WHERE backend_type = 'audit_trail launcher' AND pid <> ALL ('{@{[join ',', @all]}}')}),
		"$victim killed: the server is back");
	workers_run($node, $_, "$victim killed: workers are back in $_", @all) foreach 'postgres', 'shop';
}

# A pass that does not get on: whoever waits for one can be cancelled, and learns of its error.
$node->append_conf('postgresql.conf', "audit_trail.debug_points = 'sealer-picked'");
$node->reload;
my $holder = $node->background_psql('shop');
$holder->query_safe("SELECT pg_advisory_lock($lock)");

($status, $out, $err) = $node->psql('shop', q{SET statement_timeout = '500ms'; SELECT audit.seal_now()});
like($err, qr/canceling statement due to statement timeout/, 'statement_timeout ends the wait for a pass');

my ($said, $error) = ('', '');
my $waiter = IPC::Run::start(
	[ 'psql', '-XAtq', '-v', 'VERBOSITY=verbose', '-d', $node->connstr('shop'), '-c', 'SELECT audit.seal_now()' ],
	'>', \$said, '2>', \$error);
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity
		WHERE query = 'SELECT audit.seal_now()' AND wait_event_type = 'Extension' AND state = 'active'}), 'a session waits');
($sealer[0]) = pids_of($node, 'sealer', 'shop');
ok($node->poll_query_until('postgres', qq{SELECT wait_event = 'advisory' FROM pg_stat_activity
		WHERE pid = $sealer[0]}), 'the sealer is held');
# The pass under way began before the request: it is the next one that counts. Both are cancelled.
until ($error ne '')
{
	$node->safe_psql('postgres', qq{SELECT pg_cancel_backend($sealer[0]) FROM pg_stat_activity
		WHERE pid = $sealer[0] AND wait_event = 'advisory'});
	$waiter->pump_nb;
	last unless $waiter->pumpable;
}
$waiter->finish;
like($error, qr/ERROR:  57014: the audit_trail sealer failed: canceling statement/, 'it gets the error of the pass');
like(doctor($node, 'shop', 'sealer'), qr/^problem\|Failed \d+ times in a row: canceling statement/, 'so does the doctor');

$holder->query_safe("SELECT pg_advisory_unlock($lock)");
$node->safe_psql('shop', 'SELECT audit.seal_now()');
like(doctor($node, 'shop', 'sealer'), qr/^ok\|/, 'the next pass is a success, without waiting for the pause');
is((pids_of($node, 'sealer', 'shop'))[0], $sealer[0], 'in the same process');
$holder->quit;

# On a standby nothing runs until promotion but the launcher, unless its records are sent to the primary server (standby.pl).
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby);
is($standby->safe_psql('postgres', q{SELECT string_agg(backend_type, ',') FROM pg_stat_activity WHERE backend_type LIKE 'audit_trail%'}),
	'audit_trail launcher', 'no worker on a standby');
like(doctor($standby, 'shop', 'launcher'), qr/^ok\|The launcher runs/, 'the launcher waits for the promotion');
like(doctor($standby, 'shop', 'sealer'), qr/^ok\|The server is in recovery/, 'the doctor knows why there is no sealer');
($status, $out, $err) = $standby->psql('shop', 'SELECT audit.seal_now()');
like($err, qr/the audit_trail sealer is not running.*DETAIL:  The server is in recovery/s, 'no sealing on a standby');

$standby->promote;
workers_run($standby, $_, "workers run in $_ after promotion") foreach 'postgres', 'shop';
$standby->safe_psql('shop', 'SELECT audit.seal_now()');

$standby->stop;

# Nor does anything run in a server that pg_upgrade starts. Who asks for a seal waits for a worker.
$node->stop;
command_ok([ 'pg_ctl', '-s', '-w', '-D', $node->data_dir, '-l', $node->logfile, '-o', '-b', 'start' ],
	'the server starts as pg_upgrade starts it');
($status, $out, $err) = $node->psql('shop', 'SELECT audit.seal_now()');
like($err, qr/the audit_trail sealer is not running/, 'no sealing in binary upgrade');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'audit_trail%'}),
	'0', 'and no worker');
command_ok([ 'pg_ctl', '-s', '-w', '-D', $node->data_dir, '-m', 'fast', 'stop' ], 'it stops');
$node->start;
workers_run($node, 'shop', 'afterwards workers run again');

$node->stop;
done_testing();
