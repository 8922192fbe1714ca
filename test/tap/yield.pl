# Writers leave a sealer that is behind the processor: a few milliseconds after a commit, and not for long if that does not help.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Polling;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Waiting;
use Workers;

my $longest = 5;    # ms, a wait
my $node = PostgreSQL::Test::Cluster->new('yield');

$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\nmax_worker_processes = 20\nfsync = off\n"
	  . "audit_trail.seal_interval = 10ms\naudit_trail.seal_lag_limit = 1h\naudit_trail.record_sessions = off\naudit_trail.verify_interval = 0\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION audit_trail;
	SELECT audit.init();
	CREATE TABLE orders (id int PRIMARY KEY, n int);
	CREATE TABLE plain (id int PRIMARY KEY, n int);
	INSERT INTO orders VALUES (1, 0);
	INSERT INTO plain VALUES (1, 0);
	SELECT audit.enable('orders');
	CREATE PROCEDURE write_to(what regclass, times int) LANGUAGE plpgsql AS $$
	BEGIN
		FOR i IN 1 .. times LOOP
			EXECUTE format('UPDATE %s SET n = n + 1', what);
			COMMIT;
		END LOOP;
	END $$});
workers_run($node, 'postgres', 'workers run');
$node->safe_psql('postgres', 'SELECT audit.seal_now()');

# What a session says of the waits of so many transactions, in ms.
sub waits
{
	my ($times, $table) = @_;
	my ($status, $out, $err) = $node->psql('postgres', "SET client_min_messages = debug2; CALL write_to('$table', $times)");

	is($status, 0, 'the writer goes on');
	my @found = $err =~ /waiting (\d+) ms for the audit_trail sealer/g;
	return @found;
}

sub configure
{
	my ($setting, $value) = @_;

	$node->append_conf('postgresql.conf', "audit_trail.$setting = $value");
	$node->reload;
	$node->poll_query_until('postgres', "SELECT current_setting('audit_trail.$setting') = $value") or die;
	return;
}

# The sealer is held in a pass; what it last said of itself is believed for a second.
sub hold_sealer
{
	my $holder = hold_point($node, 'sealer-picked');

	configure('debug_points', q{'sealer-picked'});
	wait_until_held($node, 'sealer-picked');
	return $holder;
}

sub let_go
{
	my ($holder) = @_;

	$holder->quit;
	configure('debug_points', q{''});
	$node->safe_psql('postgres', 'SELECT audit.seal_now()');
	return;
}

is(scalar(waits(500, 'orders')), 0, 'nobody waits for a sealer that is in time');
my $holder = hold_sealer();
is(scalar(waits(500, 'orders')), 0, 'nor for one that is not yet so late');
let_go($holder);

# From here on a pass is late when the next one might begin. On a busy machine the second may be over before the writer begins.
configure('seal_lag_limit', q{'1ms'});
$node->safe_psql('postgres', 'SELECT audit.seal_now()');
my @waits;
foreach my $try (1 .. 20)
{
	$holder = hold_sealer();
	@waits = waits(2000, 'orders');
	last if @waits;
	let_go($holder);
}
cmp_ok(scalar @waits, '>', 0, 'writers wait for a sealer that is late');
cmp_ok(scalar @waits, '<=', 1000, 'and no longer, when they have not heard of it for a second');
is(scalar(grep { $_ < 1 || $_ > $longest } @waits), 0, "each for at most $longest ms");
is(scalar(waits(500, 'orders')), 0, 'nobody waits for a sealer that is stuck');
let_go($holder);

$holder = hold_sealer();
is(scalar(waits(200, 'plain')), 0, 'who writes nothing to the trail does not wait');
let_go($holder);

# What a wait looks like to others, and that it holds no lock.
my $writer = $node->background_psql('postgres');
my $seen = 0;
foreach my $try (1 .. 20)
{
	$holder = hold_sealer();
	$writer->query_until(qr/started/, "\\echo started\nCALL write_to('orders', 100);\n");
	foreach (1 .. 40)
	{
		$seen ||= $node->safe_psql('postgres', q{
			SELECT count(*) FROM pg_stat_activity a WHERE query LIKE 'CALL write_to%' AND wait_event_type = 'Extension' AND backend_xmin IS NULL
			AND NOT EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid AND l.locktype <> 'virtualxid')}) > 0;
		last if $seen;
	}
	let_go($holder);
	last if $seen;
}
ok($seen, 'a wait is shown as one of an extension, and holds nothing');
$writer->quit;

# Set to 0, nobody ever waits.
configure('seal_lag_limit', q{'0'});
$holder = hold_sealer();
is(scalar(waits(200, 'orders')), 0, 'nobody waits if that is not wanted');
let_go($holder);

$node->stop;
done_testing();
