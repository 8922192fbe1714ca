# Archived segments in files: read as before; a file that is missing, damaged or exchanged is a finding and an error that
# names it; what is held stays in the database; a kill in between loses nothing.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use IPC::Run ();
use Polling;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('cold_file');
my $folder = PostgreSQL::Test::Utils::tempdir;

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
audit_trail.record_reads = off
audit_trail.debug_clock = 1s
audit_trail.debug_points = 'archive-file-written'
});
$node->start;
value(q{CREATE EXTENSION audit_trail;
	CREATE TABLE orders (id bigint PRIMARY KEY, note text);
	SELECT audit.enable('orders');
	SELECT count(*) FROM audit.create_roles();
	CREATE ROLE audra LOGIN IN ROLE audit_auditor;
	CREATE ROLE bob LOGIN IN ROLE audit_purge_approver;
	CREATE ROLE mona LOGIN IN ROLE audit_maintenance;
	INSERT INTO orders SELECT i, md5(i::text) FROM generate_series(1, 1500) i;
	INSERT INTO orders SELECT i, md5(i::text) FROM generate_series(1501, 3200) i;
	SELECT audit.seal_now() IS NOT NULL;
	SET audit_trail.debug_clock = '120d';
	SELECT audit.archive_now() IS NOT NULL});
$node->append_conf('postgresql.conf', "audit_trail.debug_clock = '120d'");
$node->reload;
value('SELECT audit.create_partitions()');
my $events = value(q{SELECT md5(string_agg(e::text, chr(10) ORDER BY tx_id, ordinal)) FROM audit.events e WHERE table_name = 'orders'});

like(error('SELECT audit.archive_to_file()'), qr/there is no directory for archived segments/, 'refused: without a directory');
$node->append_conf('postgresql.conf', "audit_trail.archive_directory = '$folder'");
$node->reload;
$node->poll_query_until('postgres', q{SELECT current_setting('audit_trail.archive_directory') <> ''}) or die;
like(error('SELECT audit.archive_to_file()', 'audra'), qr/permission denied/, 'refused: whoever does not maintain it');

# What is held stays, and nothing else does.
is(as('audra', q{SELECT audit.hold('lawsuit', 'order 7 is in court', tables => '{orders}', records => '{7}') > 0}), 't', 'a hold is placed');
is(as('mona', 'SELECT count(file) FROM audit.archive_to_file()'), 0, 'what is held stays in the database');
my $id = as('audra', q{SELECT audit.release_hold('lawsuit', 'settled')});
as('bob', "SELECT audit.approve($id, 'yes')");

# Killed between the file and the database: a file that nobody needs, and all is as it was.
kill_at('archive-file-written');
is(value('SELECT count(file) FROM audit.segment'), 0, 'killed, nothing was moved');
is(value('SELECT object FROM audit.verify()'), 'ok', 'and nothing is lost');

my $size = value(q{SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits WHERE inhparent = 'audit.segment'::regclass});
my ($partition, $file, $bytes) = split /\|/, as('mona', 'SELECT * FROM audit.archive_to_file()');
is(-s "$folder/$file", $bytes, 'a file has the segments');
my ($printed) = run_command([ 'audit_segment', '--print', "$folder/$file" ]);
is(scalar(() = $printed =~ /^\{"tx_id":\d+,.*\}$/mg), value("SELECT count(*) FROM audit.$partition"), 'and has the rows without a server');
is((stat "$folder/$file")[2] & 07777, 0600, 'which the server alone can read');
my ($other) = as('mona', 'SELECT file FROM audit.archive_to_file()');
is(as('mona', 'SELECT count(file) FROM audit.archive_to_file()'), 0, 'then nothing is left to be moved');
cmp_ok(value(q{SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits WHERE inhparent = 'audit.segment'::regclass}), '<', $size / 2, 'the database is smaller');
sound('moved');
$node->restart;
sound('restarted');

# What can become of a file
my $was = slurp_file("$folder/$file");
rename "$folder/$file", "$folder/aside" or die $!;
is(findings(), join("\n", map { "segment changed|$partition/$_" } 1 .. 4), 'a missing file is a finding for each segment');
like(value(q{SELECT status || ' ' || detail FROM audit.doctor() WHERE "check" = 'archive'}), qr/problem.* 1 of 2 files.*\Q$file\E/i, 'the doctor misses it');
like(value('SELECT string_agg(detail, chr(10)) FROM audit.verify()'), qr/The file ".*\Q$file\E" cannot be opened: No such file/, 'that names it');
like(error(q{SELECT * FROM audit.record_event WHERE record_key = '7'}), qr/cannot be read.*\Q$file\E/s, 'so does the error of who asks for it');
is(value('SELECT count(*) > 0 FROM audit.transaction'), 't', 'the rest is answered');
copy_file("$folder/$other", $file);
is(findings(), join("\n", map { "segment changed|$partition/$_" } 1 .. 4), 'another file in its place is found out');
my $bad = $was;
substr($bad, 300, 1) ^= "\1";
write_file($file, $bad);
is(findings(), "segment changed|$partition/1", 'a changed byte is found in its segment');
write_file($file, substr($was, 0, -1));
is(findings(), "segment changed|$partition/4", 'a file that was cut off too');
rename "$folder/aside", "$folder/$file" or die $!;
sound('back again');
$node->append_conf('postgresql.conf', "audit_trail.archive_directory = ''");
$node->reload;
$node->poll_query_until('postgres', q{SELECT current_setting('audit_trail.archive_directory') = ''}) or die;
like(error(q{SELECT * FROM audit.record_event WHERE record_key = '7'}), qr/audit_trail\.archive_directory is not set/, 'without the directory that is said');
$node->stop;
done_testing();

sub sound
{
	my ($what) = @_;

	is(value('SELECT object FROM audit.verify()'), 'ok', "$what: it verifies");
	is(value(q{SELECT md5(string_agg(e::text, chr(10) ORDER BY tx_id, ordinal)) FROM audit.events e WHERE table_name = 'orders'}), $events, "$what: it is what it was");
	return;
}

sub findings
{
	return value(q{SELECT finding || '|' || object FROM audit.verify() WHERE finding <> 'summary' ORDER BY 1});
}

sub value
{
	my ($query) = @_;

	return $node->safe_psql('postgres', $query);
}

sub as
{
	my ($login, $query) = @_;

	return $node->safe_psql('postgres', $query, extra_params => [ '-U', $login ]);
}

sub error
{
	my ($command, $login) = @_;
	my ($status, $out, $err) = $node->psql('postgres', $command, extra_params => [ '-U', $login // 'postgres' ]);

	return $status == 0 ? 'none' : $err;
}

sub write_file
{
	my ($name, $content) = @_;

	unlink "$folder/$name";
	open my $handle, '>:raw', "$folder/$name" or die $!;
	print $handle $content;
	close $handle or die $!;
	return;
}

sub copy_file
{
	my ($from, $name) = @_;

	write_file($name, slurp_file($from));
	return;
}

# Kill the backend where it is held.
sub kill_at
{
	my ($point) = @_;
	my $hold = $node->background_psql('postgres');

	$hold->query_safe("SELECT pg_advisory_lock(1096107092, hashtext('$point'))");
	my $run = IPC::Run::start([ 'psql', '-XqAt', '-d', $node->connstr('postgres'), '-c', 'SELECT * FROM audit.archive_to_file()' ], '<', \undef, '>', \my $o, '2>', \my $e);
	$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND classid = 1096107092") or die "not held at $point";
	kill 'KILL', $node->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE query LIKE 'SELECT * FROM audit.archive_to_file%' AND pid <> pg_backend_pid()});
	$run->finish;
	$hold->{run}->kill_kill;
	$node->poll_query_until('postgres', 'SELECT true') or die 'the server did not come back';
	return;
}
