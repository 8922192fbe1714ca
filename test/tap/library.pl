# Each start of the server is sealed in the log, and whether the library may have been missing before it: it
# is not after any kind of end, and it is after any kind of run without it.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use Waiting;
use Workers;

my $with = "shared_preload_libraries = 'audit_trail'\n";
my $without = "shared_preload_libraries = ''\n";
my $changed = 'something else has written pg_control';
my $lost = 'there was no record of the time before';
my ($starts, $unseen) = (0, 0);
my $node = PostgreSQL::Test::Cluster->new('library');

$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', "fsync = off\nmax_worker_processes = 20\nrestart_after_crash = on\n$with");
my $run_file = $node->data_dir . '/audit_trail.run';

$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION audit_trail;
	CREATE TABLE orders (id int PRIMARY KEY, note text);
	SELECT audit.enable('orders');
	SELECT audit.seal_now()});
is($node->safe_psql('postgres', q{SELECT count(*) FROM audit.log_entry WHERE kind = 'start'}), '0',
	'the start before the ledger began is not in its log');
like(doctor($node, 'postgres', 'unseen time'), qr/^ok\|/, 'the doctor knows of no unseen time');

# No false alarm.
$node->restart;
started('clean', 0, 'a clean restart');
$node->stop('smart');
$node->start;
started('clean', 0, 'a smart one');
$node->stop('immediate');
$node->start;
started('crash', 0, 'an immediate stop');
foreach my $pause (0, 1.5)
{
	$node->safe_psql('postgres', 'INSERT INTO orders SELECT count(*) FROM orders; CHECKPOINT');
	sleep($pause);
	$node->kill9;
	start_again();
	started('crash', 0, "kill -9 of the postmaster $pause s after a checkpoint");
}
$node->safe_psql('postgres', 'SELECT pg_switch_wal(); CHECKPOINT');
my $pid = $node->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'});
kill('KILL', $pid) or die "kill $pid: $!";
wait_for('the server comes back', sub { !kill(0, $pid) && $node->psql('postgres', 'SELECT audit.seal_now()') == 0 });
started_not('a crash restart of the same postmaster');
$node->stop('immediate');
$node->start;
started('crash', 0, 'an immediate stop after it');

# A start that fails is none.
$node->stop;
$node->append_conf('postgresql.conf', "unix_socket_directories = '/nowhere'\n");
ok(!$node->start(fail_ok => 1), 'a start that fails');
$node->adjust_conf('postgresql.conf', 'unix_socket_directories', undef);
$node->append_conf('postgresql.conf', "unix_socket_directories = '" . $node->host . "'\n");
$node->start;
started('clean', 0, 'a start after one that failed');
is($node->safe_psql('postgres', q{SELECT bool_and(covered) FROM audit.coverage('orders') WHERE why LIKE 'enabled%'}), 't',
	'the table was covered all the time');

# Runs without the library, by what ends the run before and what ends them.
foreach my $before ('fast', 'immediate', 'kill9')
{
	foreach my $after ('fast', 'immediate', 'kill9')
	{
		stop_by($before);
		run_without($after);
		start_again();
		started($after eq 'fast' ? 'clean' : 'crash', 1, "a run without the library, after $before, ended by $after");
	}
}
my $last_unseen = $node->safe_psql('postgres', q{
	SELECT payload #>> '{unseen,0,until}' = payload ->> 'at', (payload #>> '{unseen,0,since}')::timestamptz < (payload ->> 'at')::timestamptz,
		json_array_length(payload -> 'unseen'), payload #>> '{unseen,0,found}'
	FROM audit.log_entry WHERE kind = 'start' ORDER BY log_index DESC LIMIT 1});
is($last_unseen, "t|t|1|$changed", 'the last one is told once, up to the start');
like(doctor($node, 'postgres', 'unseen time'), qr/^warning\|Perhaps the library was not loaded from \S+ to \S+: \Q$changed\E\./, 'the doctor warns');

# What the auditor reads: while it is so, and afterwards.
$node->stop;
set_library($without);
$node->start;
$node->safe_psql('postgres', q{INSERT INTO orders VALUES (1000, 'unseen')});
is(last_coverage(1), '|infinity|the library is not loaded; enabled by ' . user(), 'coverage() while the library is not loaded');
$node->stop;
set_library($with);
$node->start;
started('clean', 1, 'it is loaded again');
is(last_coverage(2), "|past|perhaps the library was not loaded ($changed); enabled by " . user() . "\nt|infinity|enabled by " . user(),
	'coverage() afterwards');
is($node->safe_psql('postgres', q{
	WITH c AS (SELECT *, lag(until_at, 1, '-infinity') OVER (ORDER BY from_at, until_at) AS before FROM audit.coverage('orders'))
	SELECT bool_and(from_at = before AND from_at < until_at), bool_or(from_at <= e.occurred_at AND e.occurred_at < until_at AND covered IS NULL)
	FROM c, audit.events e WHERE e.resource_id = '1000'}), 't|t', 'its intervals meet, and the unseen change is in a doubtful one');

# A single-user server without the library.
$node->stop;
set_library($without);
$node->command_ok([ 'sh', '-c', "echo 'SELECT 1' | postgres --single -D '" . $node->data_dir . "' postgres" ], 'a single-user server');
set_library($with);
$node->start;
started('clean', 1, 'is found as well');

# Nothing tells how the server was left. The log still knows when it was last sealed.
foreach my $damage ('lost', 'damaged')
{
	my $sealed_at = $node->safe_psql('postgres', 'SELECT max(sealed_at) FROM audit.log_entry');

	$node->stop;
	$damage eq 'lost' ? unlink($run_file) : flip_byte($run_file, 20);
	$node->start;
	started('clean', 1, "the record is $damage", $lost);
	is($node->safe_psql('postgres', qq{
		SELECT (payload #>> '{unseen,0,since}')::timestamptz = '$sealed_at' FROM audit.log_entry WHERE kind = 'start' ORDER BY log_index DESC LIMIT 1}),
		't', 'it was seen until its last entry');
}

# Runs that do not come to seal it leave that to the next one; if they are too many, some become one.
foreach my $runs (1, $ENV{AUDIT_TRAIL_SLOW} ? 18 : ())
{
	my @moments;

	$node->append_conf('postgresql.conf', 'max_worker_processes = 2');
	$node->stop;
	foreach (1 .. $runs)
	{
		push @moments, run_without('fast');
		$node->start;
		$node->stop;
	}
	$node->append_conf('postgresql.conf', 'max_worker_processes = 20');
	$node->start;
	started('clean', $runs > 16 ? 16 : $runs, "$runs runs that cannot seal hand on what they found");
	is($node->safe_psql('postgres', qq{
		SELECT count(*) FROM audit.coverage('orders'), unnest('{@{[ join ',', @moments ]}}'::timestamptz[]) AS at
		WHERE covered IS NULL AND at >= from_at AND at < until_at}), $runs, 'each of them');
}

# A standby, its restarts and its promotion.
$node->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'backup', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby);
$standby->stop('immediate');
$standby->start;
$standby->stop;
$standby->start;
$node->stop;
$standby->promote;
$node = $standby;
started('clean', 0, 'a standby that was restarted and promoted');
$node->safe_psql('postgres', q{INSERT INTO orders VALUES (2000, 'promoted')});
$node->stop('immediate');
$node->start;
started('crash', 0, 'a crash of the promoted server');

# A base backup that is started by itself.
$node->backup('copied');
my $copy = PostgreSQL::Test::Cluster->new('copy');
$copy->init_from_backup($node, 'copied');
$node->stop;
$node = $copy;
$node->start;
started('copy', 0, 'a base backup');
is($node->safe_psql('postgres', 'SELECT object FROM audit.verify()'), 'ok', 'all of it verifies');

$node->stop;
done_testing();

# There is one more start in the log, with so many unseen times.
sub started
{
	my ($before, $more_unseen, $name, $found) = @_;

	$node->safe_psql('postgres', 'SELECT audit.seal_now()');
	$starts++;
	$unseen += $more_unseen;
	is($node->safe_psql('postgres', q{
		SELECT count(*), sum(json_array_length(payload -> 'unseen')), (array_agg(payload ->> 'before' ORDER BY log_index DESC))[1]
		FROM audit.log_entry WHERE kind = 'start'}),
		"$starts|" . ($unseen || '') . "|$before", $name) or diag(slurp_file($node->logfile) =~ /(.{0,600})\z/s);
	is($node->safe_psql('postgres', q{
		SELECT payload #>> '{unseen,0,found}' FROM audit.log_entry WHERE kind = 'start' ORDER BY log_index DESC LIMIT 1}),
		$found // $changed, "$name: what was found") if $more_unseen;
	return;
}

sub started_not
{
	my ($name) = @_;

	is($node->safe_psql('postgres', q{SELECT audit.seal_now() IS NULL; SELECT count(*) FROM audit.log_entry WHERE kind = 'start'}),
		"f\n$starts", $name);
	return;
}

sub set_library
{
	my ($line) = @_;

	$node->append_conf('postgresql.conf', $line);
	return;
}

# Change a bit of a file.
sub flip_byte
{
	my ($file, $offset) = @_;
	my $bytes = slurp_file($file);

	substr($bytes, $offset, 1) ^= "\x01";
	open(my $handle, '>:raw', $file) or die "$file: $!";
	print {$handle} $bytes;
	close($handle) or die "$file: $!";
	return;
}

# Start the server without the library, and stop it. Returns a moment between.
sub run_without
{
	my ($how) = @_;

	set_library($without);
	start_again();
	my $moment = $node->safe_psql('postgres', q{SELECT '"' || clock_timestamp() || '"'});
	stop_by($how);
	set_library($with);
	return $moment;
}

sub stop_by
{
	my ($how) = @_;

	return $how eq 'kill9' ? $node->kill9 : $node->stop($how);
}

# Orphans of a killed postmaster hold the shared memory for a moment.
sub start_again
{
	wait_for('the server starts', sub {
		return 1 if $node->start(fail_ok => 1);
		$node->stop('fast', fail_ok => 1);
		return 0;
	});
	return;
}

# The last intervals of the table.
sub last_coverage
{
	my ($count) = @_;

	return $node->safe_psql('postgres', qq{
		SELECT covered, CASE until_at WHEN 'infinity' THEN 'infinity' ELSE 'past' END, why
		FROM (SELECT * FROM audit.coverage('orders') ORDER BY from_at DESC LIMIT $count) c ORDER BY from_at});
}

sub user
{
	return $node->safe_psql('postgres', 'SELECT current_user');
}
