# No file below audit_trail.archive_directory outlives what it is for: killed anywhere while segments are moved to a file, or
# while events in files are purged, the doctor tells of files to which nothing leads, and the next run of the keeper removes
# them; what is still needed, and what is another's, it leaves.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use IPC::Run ();
use Polling;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Waiting;

my $node = PostgreSQL::Test::Cluster->new('cold_leftover');
my $folder = PostgreSQL::Test::Utils::tempdir;
my $held = 'archive-file-marked,archive-file-written,archive-file-named,purge-before-commit';
my $orders = 1200;

$node->init;
$node->append_conf('postgresql.conf', qq{
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
audit_trail.purge_anchor = off
audit_trail.archive_directory = '$folder'
audit_trail.archive_file_age = -1
audit_trail.debug_clock = 1s
audit_trail.debug_points = '$held'
});
$node->start;
value(q{CREATE EXTENSION audit_trail;
	CREATE TABLE orders (id bigint PRIMARY KEY, note text);
	CREATE TABLE notes (id bigint PRIMARY KEY, note text);
	SELECT audit.enable('orders', context => 'shop');
	SELECT audit.enable('notes', context => 'blog');
	SELECT count(*) FROM audit.create_roles();
	CREATE ROLE bob LOGIN IN ROLE audit_purge_approver;
	CREATE ROLE mona LOGIN IN ROLE audit_maintenance;
	SELECT audit.set_retention('shop', hot => '1 month', keep => '2 years', "then" => 'purge', reason => 'policy');
	SELECT audit.set_retention('blog', hot => '1 month', keep => '9 years', "then" => 'purge', reason => 'policy')});
value(q{SELECT audit.approve(request_id, 'yes') FROM audit.request WHERE state = 'open'}, 'bob');
value(qq{SELECT audit.create_partitions();
	INSERT INTO orders SELECT i, md5(i::text) FROM generate_series(1, $orders) i;
	INSERT INTO notes SELECT i, md5(i::text) FROM generate_series(1, 300) i;
	SELECT audit.seal_now() IS NOT NULL});
set_conf("audit_trail.debug_clock = '120d'");
value('SELECT audit.create_partitions()');
while (value(q{SELECT month FROM audit.archive_now(older_than => '1 day')}) ne '') { }
is(doctor(), 'ok', 'no file: nothing to tell');

# A move that does not come about, in each place
foreach my $point (qw(archive-file-marked archive-file-written archive-file-named))
{
	kill_at($point, 'SELECT audit.archive_to_file()');
	cmp_ok(scalar(markers()), '>', 0, "killed at $point: a marker is left");
	is(doctor(), files() ? 'warning' : 'ok', 'the doctor tells of a file to which nothing leads');
	sound("killed at $point");
	keeper();
	is(join(' ', files(), markers(), parts()), '', 'the keeper leaves none');
	is(doctor(), 'ok', 'and then there is nothing to tell');
}
like(value(q{SELECT string_agg(detail, '; ') FROM audit.keeper_run WHERE step = 'leftovers'}), qr/event_\d+_\d{6}-\d+\.[0-9a-f]{64}\.atq is removed, to which nothing leads/, 'which it tells');

# One that fails leaves nothing by itself.
is((psql(q{BEGIN; SELECT audit.archive_to_file(); ROLLBACK}))[0], 0, 'a move is rolled back');
is(join(' ', files(), markers(), parts()), '', 'nothing is left');

# One that has come about, killed before it could take its marker away
psql(q{SET audit_trail.debug_points = 'archive-file-committed'; SELECT audit.archive_to_file()});
await_restart();
cmp_ok(scalar(markers()), '>', 0, 'killed behind the commit: a marker is left');
is(scalar(files()), 1, 'and a file');
keeper();
is(join(' ', markers()), '', 'the keeper takes the marker away');
is(scalar(files()), 1, 'the file stays, as it is needed');
sound('moved');
while (value('SELECT file FROM audit.archive_to_file()') ne '') { }
my @all = files();
is(join(' ', markers()), '', 'all are moved, and no marker is left');
sound('all moved');

# What is another's is left.
append_to_file("$folder/event_9_202001-9.atq", 'not ours');
append_to_file("$folder/event_9_202001-9.atq.leaving", "1 1\n");
keeper();
ok(-e "$folder/event_9_202001-9.atq", 'the keeper leaves what another database is about');
is(doctor(), 'warning', 'the doctor tells of it');
unlink "$folder/event_9_202001-9.atq", "$folder/event_9_202001-9.atq.leaving";

# A purge: killed before its commit all is there, and behind it all of it goes.
set_conf("audit_trail.debug_clock = '1500d'");
value('SELECT audit.create_partitions()');
value('SELECT audit.seal_now()');
my $request = value(q{SELECT audit.request_purge('two years are over')}, 'mona');
value("SELECT audit.approve($request, 'yes')", 'bob');
kill_at('purge-before-commit', 'SELECT audit.keeper_now()');
cmp_ok(scalar(markers()), '>', 0, 'killed before the commit of a purge: markers are left');
is(join(' ', files()), join(' ', @all), 'and all files');
sound('killed before the commit');
set_conf(q{audit_trail.debug_points = 'archive-file-committed'});
psql('SELECT audit.keeper_now()');
await_restart();
$orders = 0;
is(join(' ', files()), join(' ', @all), 'killed behind the commit of a purge: the files with the purged events are there still');
is(doctor(), 'warning', 'the doctor tells of them');
set_conf(q{audit_trail.debug_points = 'archive-file-removed'});
psql('SELECT audit.keeper_now()');
await_restart();
cmp_ok(scalar(files()), '<', scalar(@all), 'killed while they are removed');
cmp_ok(scalar(markers()), '>', 0, 'a marker is left');
set_conf(q{audit_trail.debug_points = ''});
keeper();
is(join(' ', files()), named(), 'then no file is left to which nothing leads');
is(join(' ', markers(), parts()), '', 'and no marker');
is(doctor(), 'ok', 'the doctor is content');
sound('purged');
$node->stop;
done_testing();

sub value
{
	my ($query, $login) = @_;

	return $node->safe_psql('postgres', $query, extra_params => [ '-U', $login // 'postgres' ]);
}

sub psql
{
	my ($query) = @_;

	return $node->psql('postgres', $query);
}

sub set_conf
{
	my ($line) = @_;
	my $before = value('SELECT pg_conf_load_time()');

	$node->append_conf('postgresql.conf', $line);
	$node->reload;
	$node->poll_query_until('postgres', "SELECT pg_conf_load_time() > '$before'") or die $line;
	return;
}

sub keeper
{
	value('SELECT audit.keeper_now()');
	return;
}

sub doctor
{
	return value(q{SELECT status FROM audit.doctor() WHERE "check" = 'archive'});
}

sub named
{
	return value(q{SELECT coalesce(string_agg(DISTINCT file, ' ' ORDER BY file), '') FROM audit.segment});
}

sub sound
{
	my ($what) = @_;

	is(value(q{SELECT string_agg(DISTINCT finding || ' ' || object, ', ') FROM audit.verify() WHERE finding <> 'purged'}), 'summary ok', "$what: it verifies");
	is(value(q{SELECT count(*) FILTER (WHERE table_name = 'orders') || ' ' || count(*) FILTER (WHERE table_name = 'notes') FROM audit.events}), "$orders 300", "$what: each event is there once");
	return;
}

sub there
{
	my ($end) = @_;

	return map { s{.*/}{}r } sort glob "$folder/*$end";
}

sub files { return there('.atq') }

sub markers { return there('.leaving') }

sub parts { return there('.part') }

# Kill who does this where it is held.
sub kill_at
{
	my ($point, $sql) = @_;
	my $hold = hold_point($node, $point);
	my $doing = $node->background_psql('postgres', on_error_stop => 0);

	$doing->{stdin} .= "$sql;\n";
	$doing->{run}->pump_nb;
	wait_until_held($node, $point);
	kill 'KILL', value("SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND classid = 1096107092 AND objid::int8 = hashtext('$point')::int8 & 4294967295");
	$_->{run}->kill_kill foreach $hold, $doing;
	await_restart();
	return;
}

# Somebody was killed, and so all sessions end; until it is as it was.
sub await_restart
{
	our $restarts //= 0;
	$restarts++;
	wait_for('the server is up again', sub {
		(() = slurp_file($node->logfile) =~ /all server processes terminated; reinitializing/g) >= $restarts && ($node->psql('postgres', 'SELECT 1'))[0] == 0 });
	return;
}
