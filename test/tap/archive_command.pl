# Files with archived segments are made by the keeper, stored elsewhere by a command, and come back when they are read: a command
# that fails is tried again, a file that is missing or wrong is a finding and never an answer, what is held stays, what is purged
# goes elsewhere too; and a kill -9 between any two steps leaves each event there once.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Polling;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

my $node = PostgreSQL::Test::Cluster->new('archive_command');
my $folder = PostgreSQL::Test::Utils::tempdir;
my $bucket = PostgreSQL::Test::Utils::tempdir;
my $points = 'archive-file-written,archive-file-named,archive-file-before-commit,store-ready,store-stored,store-done,store-checked,store-let-go,store-removed';

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
audit_trail.debug_clock = 1s
audit_trail.debug_points = '$points'
});
$node->start;
value(q{CREATE EXTENSION audit_trail;
	CREATE TABLE orders (id bigint PRIMARY KEY, note text);
	CREATE TABLE notes (id bigint PRIMARY KEY, note text);
	SELECT audit.enable('orders', context => 'shop');
	SELECT audit.enable('notes', context => 'blog');
	SELECT count(*) FROM audit.create_roles();
	CREATE ROLE audra LOGIN IN ROLE audit_auditor;
	CREATE ROLE bob LOGIN IN ROLE audit_purge_approver;
	SELECT audit.set_retention('shop', hot => '1 month', keep => '2 years', "then" => 'purge', reason => 'policy');
	SELECT audit.set_retention('blog', hot => '1 month', keep => '9 years', "then" => 'purge', reason => 'policy');
	CREATE ROLE mona LOGIN IN ROLE audit_maintenance});
value(q{SELECT audit.approve(request_id, 'yes') FROM audit.request WHERE state = 'open'}, 'bob');
value(q{SELECT audit.create_partitions();
	INSERT INTO orders SELECT i, md5(i::text) FROM generate_series(1, 2200) i;
	INSERT INTO notes SELECT i, md5(i::text) FROM generate_series(1, 300) i;
	SELECT audit.seal_now() IS NOT NULL});
set_conf("audit_trail.debug_clock = '120d'");
value('SELECT audit.create_partitions()');
my $events = all_events();

# The keeper makes files where there is a directory, of months that are old enough.
keeper();
is(value('SELECT count(file) FROM audit.segment'), 0, 'without a directory no file is made');
set_conf("audit_trail.archive_directory = '$folder'", "audit_trail.archive_file_age = '365d'");
keeper();
is(value('SELECT count(file) FROM audit.segment'), 0, 'nor of a month that is too young');

# A hold keeps the partition that it is about, and no other.
is(value(q{SELECT audit.hold('lawsuit', 'order 7 is in court', tables => '{orders}', records => '{7}') > 0}, 'audra'), 't', 'a hold is placed');
set_conf("audit_trail.archive_file_age = '1d'");
keeper();
is(value(q{SELECT string_agg(DISTINCT g.context, ',') FROM audit.event e JOIN audit.target g USING (target_id) WHERE e.tableoid::regclass::text IN
	(SELECT 'audit.' || partition_name FROM audit.segment WHERE file IS NULL)}), 'shop', 'what is held stays in the database');
cmp_ok(value(q{SELECT count(DISTINCT partition_name) FROM audit.segment WHERE file IS NOT NULL}), '>', 1, 'and nothing else does');
like(value(q{SELECT detail FROM audit.keeper_run WHERE step = 'files' ORDER BY run_id DESC LIMIT 1}), qr/^event_\d+_\d{6} is in event_\d+_\d{6}-\d+\.[0-9a-f]{64}\.atq, of \d+ bytes/, 'the keeper tells what it moved');
my $id = value(q{SELECT audit.release_hold('lawsuit', 'settled')}, 'audra');
value("SELECT audit.approve($id, 'yes')", 'bob');
kill_keeper('archive-file-written');
sound('killed when the file was written');
kill_keeper('archive-file-named');
sound('killed when the rows were exchanged');
kill_keeper('archive-file-before-commit');
sound('killed before the commit');
keeper();
is(value('SELECT count(*) FILTER (WHERE file IS NULL) FROM audit.segment'), 0, 'when the hold is released all is moved');
sound('moved');
for my $file (files())
{
	my ($sum) = $file =~ /\.([0-9a-f]{64})\.atq$/;

	is(digest("$folder/$file"), $sum, "the name of $file has its SHA-256");
}

# A command that fails is said, tried again, and keeps nothing else from being done.
is(($node->psql('postgres', 'SELECT 1', extra_params => ['-c', "LOAD 'audit_trail'"]))[0], 0, 'a session goes on');
set_conf("audit_trail.archive_command = 'test -e $bucket/open && cp %p $bucket/%f'");
keeper();
like(value(q{SELECT error FROM audit.keeper_run WHERE step = 'store' ORDER BY run_id DESC LIMIT 1}), qr/file ".*\.atq" was not stored: child process exited with exit code 1/, 'a failure is recorded');
is(scalar(stored()), 0, 'nothing is stored');
like(value(q{SELECT status || ' ' || detail FROM audit.doctor() WHERE "check" = 'archive'}), qr/warning.*not stored elsewhere yet/i, 'the doctor says so');
append_to_file("$bucket/open", '');

for my $point (qw(store-ready store-stored store-done))
{
	kill_keeper($point);
	sound("killed at $point");
}
keeper();
is(scalar(stored()), scalar(files()), 'all are stored, whatever was killed');
is(join(' ', map { digest("$bucket/$_") } stored()), join(' ', map { digest("$folder/$_") } files()), 'as they are');
like(value(q{SELECT status || ' ' || detail FROM audit.doctor() WHERE "check" = 'archive'}), qr/^ok .*\d+ of them are stored elsewhere/i, 'the doctor is content');
keeper();
is(scalar(files()), scalar(stored()), 'without being told to, nothing is removed here');

# Let go: only what comes back the same.
set_conf('audit_trail.archive_keep_local = off', "audit_trail.restore_command = 'echo wrong > %p'");
keeper();
like(value(q{SELECT error FROM audit.keeper_run WHERE step = 'store' ORDER BY run_id DESC LIMIT 1}), qr/was not removed here: What audit_trail\.restore_command has brought is not the file/, 'what does not come back the same stays');
is(scalar(files()), scalar(stored()), 'nothing is removed');
set_conf("audit_trail.restore_command = 'cp $bucket/%f %p'");
for my $point (qw(store-checked store-let-go))
{
	kill_keeper($point);
	sound("killed at $point");
}
keeper();
is(scalar(files()), 0, 'then all of them go');
is(scalar(glob "$folder/*.check"), undef, 'and nothing else is left');
like(value(q{SELECT status || ' ' || detail FROM audit.doctor() WHERE "check" = 'archive'}), qr/^ok .*elsewhere only/i, 'the doctor knows where they are');

# Read: fetched, checked, kept until the next run.
sound('fetched');
my $fetched = () = files();
cmp_ok($fetched, '>', 0, 'what was read is here');
keeper();
is(scalar(files()), 0, 'until the keeper comes');

# What can go wrong when it is fetched
set_conf("audit_trail.restore_command = 'false'");
like(error(q{SELECT * FROM audit.record_event WHERE record_key = '7'}), qr/cannot be read.*restore_command did not bring it back: child process exited with exit code 1/s, 'a command that fails: an error that says so');
like(value('SELECT string_agg(DISTINCT finding, chr(10)) FROM audit.verify()'), qr/segment changed/, 'and a finding');
set_conf("audit_trail.restore_command = ''");
like(error(q{SELECT * FROM audit.record_event WHERE record_key = '7'}), qr/cannot be opened: No such file/, 'no command: the file is missing');
like(value(q{SELECT status || ' ' || detail FROM audit.doctor() WHERE "check" = 'archive'}), qr/problem.*restore_command is not set/i, 'which the doctor says');
my ($one) = stored();
set_conf("audit_trail.restore_command = 'cp $bucket/$one %p'");
like(error(q{SELECT count(*) FROM audit.event}), qr/has brought is not the file/, 'another file: it is found out');
is(scalar(grep { $_ ne $one } files()), 0, 'and does not get the name');
set_conf("audit_trail.restore_command = 'sleep 100'");
unlink glob "$folder/*.atq";
like(error(q{SET statement_timeout = '2s'; SELECT count(*) FROM audit.event}), qr/canceling statement due to statement timeout/, 'whoever waits for it can be cancelled');
is(scalar(() = glob "$folder/*.fetch.*"), 0, 'and leaves nothing');
is(value(q{SELECT count(*) > 0 FROM audit.log_entry}), 't', 'the rest is answered');

# A name that was forged leads nowhere.
set_conf("audit_trail.restore_command = 'cp $bucket/%f %p'");
sound('all is well again');

# Purge: what was stored elsewhere goes there too.
set_conf("audit_trail.debug_clock = '1500d'");
value('SELECT audit.create_partitions()');
value('SELECT audit.seal_now()');
my @before = stored();
my $request = value(q{SELECT audit.request_purge('two years are over')}, 'mona');
is(value("SELECT audit.approve($request, 'yes') IS NULL", 'bob'), 'f', 'a purge is approved');
set_conf("audit_trail.archive_file_age = '-1'");
keeper();
value('SELECT audit.seal_now()');
keeper();
is(value(q{SELECT count(*) FROM audit.events WHERE table_name = 'orders'}), 0, 'the events are gone');
is(value('SELECT string_agg(DISTINCT object, $$,$$) FROM audit.verify() WHERE finding = $$summary$$'), 'ok', 'and it verifies');
cmp_ok(scalar(() = glob "$folder/*.gone"), '>', 0, 'their files are to be removed elsewhere');
like(value(q{SELECT status || ' ' || detail FROM audit.doctor() WHERE "check" = 'archive'}), qr/warning.*was purged/i, 'the doctor says that they are there still');
set_conf("audit_trail.archive_remove_command = 'rm -f $bucket/%f'");
kill_keeper('store-removed');
keeper();
is(scalar(() = glob "$folder/*.gone"), 0, 'they are removed');
cmp_ok(scalar(stored()), '<', scalar(@before), 'and not there any more');
is(value(q{SELECT count(*) FROM audit.events WHERE table_name = 'notes'}), 300, 'the others are');
$node->stop;
done_testing();

# Until new sessions, and so the keeper, have them.
sub set_conf
{
	my (@lines) = @_;
	my $before = value('SELECT pg_conf_load_time()');

	$node->append_conf('postgresql.conf', $_) for @lines;
	$node->reload;
	$node->poll_query_until('postgres', "SELECT pg_conf_load_time() > '$before'") or die "settings: @lines";
	return;
}

sub keeper
{
	value('SELECT audit.keeper_now()');
	return;
}

sub all_events
{
	return value(q{SELECT count(*) || ' ' || md5(string_agg(e::text, chr(10) ORDER BY tx_id, ordinal)) FROM audit.events e WHERE table_name IN ('orders', 'notes')});
}

sub sound
{
	my ($what) = @_;

	is(value('SELECT object FROM audit.verify()'), 'ok', "$what: it verifies");
	is(all_events(), $events, "$what: each event is there once, as it was");
	return;
}

sub files
{
	return map { s{.*/}{}r } sort glob "$folder/*.atq";
}

sub stored
{
	return map { s{.*/}{}r } sort glob "$bucket/*.atq";
}

sub digest
{
	my ($path) = @_;
	my ($out) = run_command([ 'sha256sum', $path ]);

	return substr $out, 0, 64;
}

sub value
{
	my ($query, $login) = @_;

	return $node->safe_psql('postgres', $query, extra_params => [ '-U', $login // 'postgres' ]);
}

sub error
{
	my ($command) = @_;
	my ($status, $out, $err) = $node->psql('postgres', $command);

	return $status == 0 ? 'none' : $err;
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
