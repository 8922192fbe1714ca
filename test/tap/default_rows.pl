# Events of months for which nobody had made partitions: they come into default partitions, are read and verified as
# others, get partitions of their own when nobody writes beside them any more, and are then archived like others; the keeper goes on
# making partitions meanwhile; and a kill -9 anywhere leaves each of them there once.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Polling;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

my $node = PostgreSQL::Test::Cluster->new('default_rows');
my $events = 0;

$node->init;
$node->append_conf('postgresql.conf', q{
shared_preload_libraries = 'audit_trail'
max_worker_processes = 20
fsync = off
autovacuum = off
restart_after_crash = on
audit_trail.seal_interval = 1h
audit_trail.verify_interval = 0
audit_trail.keeper_interval = 0
audit_trail.keeper_pause = 0
audit_trail.record_reads = off
audit_trail.debug_clock = 1s
audit_trail.debug_points = 'default-moved,default-before-commit,partitions-promised'
});
$node->start;
value(q{CREATE EXTENSION audit_trail;
	CREATE TABLE orders (id bigserial PRIMARY KEY, note text);
	CREATE TABLE notes (id bigserial PRIMARY KEY, note text);
	SELECT audit.enable('orders', context => 'shop');
	SELECT audit.enable('notes', context => 'blog')});
change('orders', 10);

value(q{SELECT audit.set_retention('blog', hot => '1 month', keep => '9 years', reason => 'policy')});
keeper();
change('notes', 300, 3000);

# Nobody has made partitions for months.
for my $day (300, 340, 370)
{
	clock($day);
	change('orders', 20, 3000);
	change('notes', 5);
	value('SELECT audit.seal_now()');
}
is(in_default('event_1_default'), 60, 'events of three months are in the default partition');
is(in_default('event_2_default'), 15, 'of another class too');
sound('in the default partition');

# Months ahead are attached without reading the default partitions under the lock that this takes: that they have no rows of
# them is proved before. A crash in between leaves a promise, which is made anew.
kill_keeper('partitions-promised');
is(promises(), 'event_1_default false, event_2_default false, transaction_1_default false, transaction_2_default false', 'a promise is not proved yet');
sound('killed at partitions-promised');
$node->append_conf('postgresql.conf', 'log_min_messages = debug1');
$node->reload;
$node->poll_query_until('postgres', q{SELECT current_setting('log_min_messages') = 'debug1'}) or die;
my $mark = -s $node->logfile;
keeper();
my $log = slurp_file($node->logfile, $mark);
$node->append_conf('postgresql.conf', 'log_min_messages = warning');
$node->reload;
is(() = $log =~ /partition "event_1_default" is implied by existing constraints/g, 3, 'three months are attached without a look at the default partition')
  or diag($log);
is(() = $log =~ /verifying table "event_1_default"/g, 1, 'it was read once, to prove that');
is(promises(), '', 'and nothing is left of it');
is(value(q{SELECT count(*) FROM audit.keeper_run WHERE error IS NOT NULL}), 0, 'the keeper does not fail for them');
is(in_default('event_1_default') . ' ' . in_default('transaction_1_default'), '60 3', 'while others write into a default partition nothing is moved out of it');
change('orders', 7);
is(in_default('event_1_default'), 67, 'what comes in this month comes to the others');

clock(420);
change('orders', 4);
is(in_default('event_1_default'), 67, 'the next month has its own partition');
isnt(value('SELECT transactions FROM audit.seal_lag()'), '0', 'some of what is moved next is not sealed');
for my $point (qw(default-moved default-before-commit))
{
	kill_keeper($point);
	sound("killed at $point");
}
keeper();
is(in_default('event_1_default') + in_default('transaction_1_default') + in_default('event_2_default'), 0, 'then nothing is in a default partition');
is(value(q{SELECT count(*) FROM audit.keeper_run WHERE error IS NOT NULL}), 0, 'and nothing failed');
like(value(q{SELECT string_agg(detail, '; ') FROM audit.keeper_run WHERE step = 'default'}), qr/20 rows of the default partition are in event_1_\d{6}.* 27 rows of the default partition are in event_1_\d{6}/, 'the keeper tells');
sound('all moved');
is(value('SELECT audit.rebuild_volume()'), '0', 'figures add up');

# Then they are archived like others.
while (value(q{SELECT month FROM audit.archive_now(older_than => '1 day')}) ne '') { }
is(value(q{SELECT count(*) FROM audit.segment WHERE partition_name ~ '^event_1_'}) >= 4, 1, 'all of them are archived');
sound('archived');
$node->stop;
done_testing();

sub change
{
	my ($table, $count, $len) = @_;

	value("INSERT INTO $table (note) SELECT repeat(md5(i::text), " . int(($len // 32) / 32) . ") FROM generate_series(1, $count) i");
	$events += $count;
	return;
}

# What default partitions promise, and whether it is proved
sub promises
{
	return value(q{SELECT string_agg(conrelid || ' ' || convalidated, ', ' ORDER BY conrelid) FROM
		(SELECT replace(conrelid::regclass::text, 'audit.', '') AS conrelid, convalidated FROM pg_constraint WHERE contype = 'c' AND connamespace = 'audit'::regnamespace
			AND conname = 'none_of_months_ahead') c}) =~ s/\n//gr;
}

sub in_default
{
	my ($partition) = @_;

	return value("SELECT count(*) FROM audit.$partition");
}

sub sound
{
	my ($what) = @_;

	value('SELECT audit.seal_now()');
	is(value('SELECT object FROM audit.verify()'), 'ok', "$what: it verifies");
	is(value(q{SELECT count(DISTINCT event_id) || ' ' || count(*) FROM audit.events WHERE table_name IN ('orders', 'notes')}), "$events $events", "$what: each event is there once");
	return;
}

sub clock
{
	my ($day) = @_;
	my $before = value('SELECT pg_conf_load_time()');

	$node->append_conf('postgresql.conf', "audit_trail.debug_clock = '${day}d'");
	$node->reload;
	$node->poll_query_until('postgres', "SELECT pg_conf_load_time() > '$before'") or die "clock $day";
	return;
}

sub keeper
{
	value('SELECT audit.keeper_now()');
	return;
}

sub value
{
	my ($query) = @_;

	return $node->safe_psql('postgres', $query);
}

# Kill the keeper where it is held.
sub kill_keeper
{
	my ($point) = @_;
	my $hold = $node->background_psql('postgres');

	$hold->query_safe("SELECT pg_advisory_lock(1096107092, hashtext('$point'))");
	my $asked = $node->background_psql('postgres', on_error_stop => 0);
	$asked->{stdin} .= "SELECT audit.keeper_now();\n";
	$asked->{run}->pump_nb;
	my $waits = "FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND classid = 1096107092 AND objid::int8 = hashtext('$point')::int8 & 4294967295";
	$node->poll_query_until('postgres', "SELECT count(*) = 1 $waits") or die "not held at $point";
	my $pid = value("SELECT pid $waits");
	my $mark = -s $node->logfile;
	kill 'KILL', $pid;
	$_->{run}->kill_kill foreach $hold, $asked;
	for (1 .. 1800)
	{
		last if slurp_file($node->logfile, $mark) =~ /database system is ready to accept connections/;
		sleep 0.1;
	}
	return;
}
