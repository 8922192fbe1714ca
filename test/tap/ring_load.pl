# A hundred sessions read a marked table as fast as they can, and the collector is ended in the middle: with `wait` nothing
# is lost, with `drop` what is lost is counted. How soon a read is on record.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);
use Told;
use Waiting;
use Workers;

my $node = PostgreSQL::Test::Cluster->new('ring_load');
my ($sessions, $seconds) = (100, 4);
my $script = $node->basedir . '/read.sql';
my $delay = q{extract(epoch FROM t.committed_at - e.occurred_at) * 1000};

append_to_file($script, "SELECT email FROM people WHERE id = 1;\n");
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\nmax_worker_processes = 20\nfsync = off\nautovacuum = off\n"
	  . "max_connections = 120\nlog_statement = none\nlog_connections = off\nlog_disconnections = off\ndeadlock_timeout = 50ms\n"
	  . "audit_trail.record_sessions = off\naudit_trail.ring_size = 256kB\naudit_trail.ring_full = wait\naudit_trail.ring_timeout = 60s\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION audit_trail;
	CREATE TABLE people (id int PRIMARY KEY, email text); INSERT INTO people VALUES (1, 'e');
	SELECT audit.enable('people', reads => true)});
workers_run($node, 'postgres', 'workers run');

# an idle server: the client waits for nothing, the trail has it soon
foreach my $i (1 .. 20)
{
	$node->safe_psql('postgres', 'SELECT email FROM people');
	sleep(0.05 + rand(0.1));
}
recorded(20, 'the reads of an idle server are on record');
my ($median, $p95, $most) = delays(0);
note(sprintf 'idle: on record after %.0f ms (median), %.0f ms (P95), %.0f ms (most)', $median, $p95, $most);
cmp_ok($median, '<', 400, 'the collector writes a read soon; within 200 ms where the machine is not busy with else');

my $before = 20;
my $done = load();
recorded($before + $done, "wait: all of $done statements of $sessions sessions are on record");
is($node->safe_psql('postgres', q{SELECT count(*) FROM audit.event WHERE event_type = 'audit.lost'}), '0', 'none is told to be lost');
unlike(slurp_file($node->logfile), qr/audit_trail record: |deadlock detected/, 'none is in the log, and nobody met a deadlock');
is($node->safe_psql('postgres', q{SELECT deadlocks FROM pg_stat_database WHERE datname = 'postgres'}), '0', 'nor has the server counted one');
note(sprintf 'wait: %d statements a second; on record after %.0f ms (median), %.0f ms (P95), %.0f ms (most), one collector ended', $done / $seconds, delays($before));
is($node->safe_psql('postgres', q{SELECT count(*) - count(DISTINCT (started_at, backend_pid)) FROM audit.session}), '0', 'each session is one row');

$node->append_conf('postgresql.conf', "audit_trail.ring_full = drop\naudit_trail.ring_size = 64kB");
$node->restart;
workers_run($node, 'postgres', 'workers run');
$before += $done;
$done = load();
ok($node->poll_query_until('postgres', q{SELECT count(*) = } . ($before + $done) . q{ FROM (SELECT 1 FROM audit.event WHERE op = 'S'
	UNION ALL SELECT 1 FROM audit.event, generate_series(1, (new_values ->> 'lost')::int) WHERE event_type = 'audit.lost') x}),
	"drop: what is on record of $done statements, and what was told to be lost, are all");
my $lost = $node->safe_psql('postgres', q{SELECT coalesce(sum((new_values ->> 'lost')::int), 0) FROM audit.event WHERE event_type = 'audit.lost'});
note("drop: $lost of $done lost");
cmp_ok($lost, '>', 0, 'some were lost');
unlike(slurp_file($node->logfile), qr/audit_trail record: |deadlock detected/, 'none is in the log');
$node->safe_psql('postgres', 'SELECT audit.seal_now()');
like($node->safe_psql('postgres', 'SELECT finding, object FROM audit.verify()'), qr/\Asummary\|ok\z/, 'all of it verifies');
$node->stop;
done_testing();

# Load of all sessions, with the collector ended in the middle; returns how many statements were done.
sub load
{
	my ($out, $err) = ('', '');
	my $harness = IPC::Run::start([ 'pgbench', '-n', '-M', 'prepared', '-c', $sessions, '-j', 2, '-T', $seconds, '-f', $script, $node->connstr('postgres') ],
		'<', \undef, '>', \$out, '2>', \$err);

	$node->poll_query_until('postgres', "SELECT count(*) = $sessions FROM pg_stat_activity WHERE query ~ '^SELECT email'") or die 'not all sessions read';
	sleep(1);
	my ($collector) = pids_of($node, 'collector', 'postgres');
	$node->safe_psql('postgres', "SELECT pg_terminate_backend($collector)");
	$harness->finish;
	unlike($err, qr/error|abort/i, 'no session met an error');
	my ($count) = $out =~ /number of transactions actually processed: (\d+)/ or die "pgbench: $out $err";
	workers_run($node, 'postgres', 'the collector is back', $collector);
	return $count;
}

sub recorded
{
	my ($count, $name) = @_;

	ok($node->poll_query_until('postgres', "SELECT count(*) = $count FROM audit.event WHERE op = 'S'"), $name)
	  or diag($node->safe_psql('postgres', q{SELECT op, event_type, count(*) FROM audit.event GROUP BY 1, 2}));
	return;
}

# From the statement to the commit of its event, in ms: median, P95 and most of all but the first.
sub delays
{
	my ($skip) = @_;

	return split /\|/, $node->safe_psql('postgres', qq{
		SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY d), percentile_disc(0.95) WITHIN GROUP (ORDER BY d), max(d)
		FROM (SELECT $delay AS d FROM audit.event e JOIN audit.transaction t USING (tx_id, tx_at) WHERE op = 'S' ORDER BY e.occurred_at OFFSET $skip) x});
}
