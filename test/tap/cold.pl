# Cold storage: a month that was archived is read as before, by everything that reads; nothing is lost or
# doubled by kill -9 at each step or by who writes meanwhile; and it is write-once, dumped and replicated.
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use File::Find qw(find);
use FindBin;
use lib $FindBin::RealBin;
use IPC::Run ();
use Polling;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my @points = qw(archive-begun archive-store archive-built archive-locked archive-replaced);
my $node = PostgreSQL::Test::Cluster->new('cold');
my $folder = PostgreSQL::Test::Utils::tempdir;

$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', qq{
shared_preload_libraries = 'audit_trail'
max_worker_processes = 20
max_prepared_transactions = 2
fsync = off
autovacuum = off
restart_after_crash = on
audit_trail.seal_interval = 1h
audit_trail.record_reads = off
audit_trail.signing_key_file = '$folder/key'
audit_trail.checkpoint_file = '$folder/checkpoints'
audit_trail.debug_points = '@{[ join(',', @points) ]}'
audit_trail.debug_clock = 1s
audit_trail.keeper_interval = 0
});
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION audit_trail;
	CREATE TABLE orders (id bigint PRIMARY KEY, note text, total numeric);
	CREATE TABLE odd (a int, b text, c bytea, PRIMARY KEY (a, b));
	SELECT audit.enable('orders'), audit.enable('odd');
	CREATE PROCEDURE place(first int, wanted int) LANGUAGE plpgsql AS $$
	BEGIN
		FOR i IN first .. first + wanted - 1 LOOP
			PERFORM audit.set_context(actor => 'actor ' || i % 7, request_id => 'request ' || i, reason => 'cold');
			INSERT INTO orders VALUES (i, repeat('n', i % 50), i / 7.0);
			COMMIT;
		END LOOP;
	END $$});
$node->safe_psql('postgres', q{
	SELECT audit.create_roles();
	CREATE ROLE insider LOGIN; GRANT audit_ledger TO insider;
	CREATE ROLE watcher LOGIN; GRANT audit_auditor TO watcher;
	CREATE ROLE nobody LOGIN});
$node->safe_psql('postgres', "SELECT audit.create_signing_key('$folder/key', 'example.org/shop')");

# Everything that could be stored in another way: small and large transactions, values that are null, empty or long, keys that
# change, tables that are emptied, contexts of their own, two-phase commit, savepoints, a table that is altered.
$node->safe_psql('postgres', $_)
  foreach 'CALL place(1, 1500)', "INSERT INTO orders SELECT i, md5(i::text) FROM generate_series(10001, 12600) i",
  "INSERT INTO orders SELECT 20000, string_agg(md5(i::text), '') FROM generate_series(1, 200000) i",
  'UPDATE orders SET total = total + 1 WHERE id % 3 = 0', 'UPDATE orders SET id = 30000 WHERE id = 3', 'UPDATE orders SET id = 30001 WHERE id = 30000',
  "INSERT INTO odd VALUES (1, '', NULL), (-1, E'\\t\"', '\\x00ff'), (2147483647, 'ü', ''); UPDATE odd SET c = NULL; DELETE FROM odd WHERE a = -1; TRUNCATE odd",
  "BEGIN; SELECT audit.set_context(actor => 'x'); UPDATE orders SET note = 'a' WHERE id = 7; SELECT audit.set_context(actor => 'y'); UPDATE orders SET note = 'b' WHERE id = 7; COMMIT",
  "BEGIN; UPDATE orders SET note = 'first' WHERE id = 8; SAVEPOINT s; UPDATE orders SET note = 'never' WHERE id = 8; ROLLBACK TO s; UPDATE orders SET note = 'second' WHERE id = 8; COMMIT",
  "BEGIN; DELETE FROM orders WHERE id = 9; PREPARE TRANSACTION 'p'", "COMMIT PREPARED 'p'", 'ALTER TABLE orders ADD COLUMN more int; UPDATE orders SET more = 1 WHERE id < 50';
like(error_of('SET audit_trail.debug_clock = \'120d\'; SELECT audit.archive_now()'), qr/is not sealed/, 'what is not sealed is not archived');
$node->safe_psql('postgres', 'SELECT audit.seal_now()');
my $key = $node->safe_psql('postgres', 'SELECT vkey FROM audit.public_keys');

$node->safe_psql('postgres', q{
	CREATE SCHEMA kept; GRANT USAGE ON SCHEMA kept TO watcher;
	CREATE TABLE kept.event AS SELECT * FROM audit.event;
	CREATE TABLE kept.transaction AS SELECT * FROM audit.transaction;
	CREATE TABLE kept.events AS SELECT * FROM audit.events;
	CREATE TABLE kept.record_event AS SELECT * FROM audit.record_event;
	CREATE TABLE kept.history AS SELECT k.key, h.* FROM unnest('{3,30000,30001,7,8,9,20000,12600,nobody}'::text[]) k (key), audit.history('orders', k.key) h;
	GRANT SELECT ON ALL TABLES IN SCHEMA kept TO watcher});
my $old = 'tx_id <= (SELECT max(tx_id) FROM kept.transaction)';    # attempts that are refused below are events too
my @tables = ('audit.event', 'audit.transaction', 'audit.events', 'audit.record_event');
is(differing(), 0, 'what is compared is equal to itself');
mkdir "$folder/hot" or die $!;
my $exported = export("$folder/hot");

# Killed at each step: all of it is as it was.
foreach my $point (@points)
{
	kill_at($point);
	is(state(), '0|r|r', "killed at $point, nothing was archived");
	is(differing(), 0, 'and nothing is lost or doubled');
}
is(verdict(), 'ok', 'all of it verifies');

# Who writes meanwhile is not lost: the archive gives way.
foreach my $when ('before the rows are read', 'after that')
{
	my $writer = $node->background_psql('postgres');
	my $hold = hold('archive-begun');

	$writer->query_safe("BEGIN; UPDATE orders SET note = 'before' WHERE id = 11") if $when =~ /before/;
	my $archive = start_archive();
	wait_at('archive-begun');
	$writer->query_safe("BEGIN; UPDATE orders SET note = 'after' WHERE id = 11") if $when =~ /after/;
	$writer->query_safe('COMMIT');
	$writer->quit;
	$hold->quit;
	$archive->{run}->finish;
	like(${ $archive->{error} }, qr/was written while it was archived/, "refused: somebody has written who began $when");
	is(state(), '0|r|r', 'nothing was archived');
	$node->safe_psql('postgres', 'SELECT audit.seal_now(); ' . join ';', map { "TRUNCATE kept.$_; INSERT INTO kept.$_ SELECT * FROM audit.$_" } qw(event transaction events record_event));
}
mkdir "$folder/late" or die $!;
$exported = export("$folder/late");

# Readers make it wait, and it makes nobody wait.
my $reader = $node->background_psql('postgres');
$reader->query_safe('BEGIN; SELECT count(*) FROM audit.events');
my $archive = start_archive();
$node->poll_query_until('postgres', q{SELECT count(*) > 0 FROM pg_stat_activity WHERE query LIKE 'SELECT * FROM audit.archive_now%' AND wait_event_type = 'Lock'
	OR query LIKE 'SELECT * FROM audit.archive_now%' AND wait_event = 'PgSleep'}) or die 'it did not come to its locks';
is($node->safe_psql('postgres', q{SET statement_timeout = '5s'; SELECT count(*) > 0 FROM audit.events}), 't', 'others read beside');
$reader->query_safe('COMMIT');
$reader->quit;
$archive->{run}->finish;
is(${ $archive->{error} }, '', 'it is archived when the reader has gone');
my ($class, $of, $events, $transactions, $segments, $hot, $cold) = split /\|/, ${ $archive->{out} };
is("$events|$transactions", $node->safe_psql('postgres', 'SELECT (SELECT count(*) FROM kept.event), (SELECT count(*) FROM kept.transaction)'), 'all of it');
cmp_ok($segments, '>=', 7, 'in several segments');
is(state(), "$segments|f|f", 'partitions are foreign tables now');
is($node->safe_psql('postgres', q{SELECT (audit.archive_now()).month IS NULL}), 't', 'then nothing is left to be archived');

is(export("$folder/cold_export"), $exported, 'an export is, byte for byte, what it was');

# Time has gone on, and what comes now is another month's.
$node->append_conf('postgresql.conf', "audit_trail.debug_clock = '120d'");
$node->reload;
$node->safe_psql('postgres', 'SELECT audit.create_partitions()');

# Read as before
is(differing(), 0, 'tables and views are as they were');
is($node->safe_psql('postgres', q{SELECT count(*) FROM (SELECT key, event_id, old_values::text, new_values::text, actor FROM kept.history WHERE key <> '11' EXCEPT
	SELECT k.key, h.event_id, h.old_values::text, h.new_values::text, h.actor FROM unnest('{3,30000,30001,7,8,9,20000,12600,nobody}'::text[]) k (key), audit.history('orders', k.key) h) d}), 0,
	'so are histories, through changes of the key and of the table');
is(verdict(), 'ok', 'all of it verifies');
like($node->safe_psql('postgres', q{SELECT detail FROM audit.verify()}), qr/ 0 unsealed; .*nothing wrong/, 'and each event was looked at');
is($node->safe_psql('postgres', q{SELECT count(*) FROM audit.verify(table_name => 'orders')}), 1, 'a table alone does');
is($node->safe_psql('postgres', q{SELECT length(audit.prove(tx_id || '.' || ordinal)) > 100 FROM audit.event WHERE record_key = '30001' ORDER BY tx_id DESC LIMIT 1}), 't', 'an event is proved');
foreach my $isolation ('REPEATABLE READ', 'SERIALIZABLE')
{
	is($node->safe_psql('postgres', "BEGIN ISOLATION LEVEL $isolation; SELECT count(*) FROM audit.events; SELECT object FROM audit.verify(); COMMIT"), "$events\nok", "in $isolation too");
}
is($node->safe_psql('postgres', q{SET enable_nestloop = off; SELECT count(*) FROM audit.events WHERE actor = 'actor 3'}),
	$node->safe_psql('postgres', q{SELECT count(*) FROM kept.events WHERE actor = 'actor 3'}), 'whatever the plan is');

# Few segments are read where few can have what is wanted.
cmp_ok(segments_read(q{SELECT * FROM audit.record_event WHERE record_key = '700'}), '<=', 3, 'a record is found in its segments');
cmp_ok(segments_read(q{SELECT * FROM audit.transaction WHERE request_id = 'request 700'}), '<=', 2, 'a request is');
cmp_ok(segments_read(q{SELECT * FROM audit.event WHERE tx_id = (SELECT max(tx_id) FROM kept.event)}), '<=', 1, 'a transaction is');
is(segments_read(q{SELECT * FROM audit.event WHERE tx_id = NULL}), 0, 'and nothing is read for nothing');
is(segments_read(q{SELECT * FROM audit.event WHERE record_key = 'nobody' AND target_id = ANY ('{1000,2000}')}), 0, 'nor for what is nowhere');
$node->safe_psql('postgres', 'ANALYZE audit.event; ANALYZE audit.transaction');
is($node->safe_psql('postgres', q{SELECT count(*) > 3 FROM pg_stats WHERE tablename ~ '^event_1_\d+$'}), 't', 'ANALYZE learns what is in them');

# Write-once
my $partition = $node->safe_psql('postgres', q{SELECT relname FROM pg_class WHERE relkind = 'f' AND relname LIKE 'event%'});
my $store = $node->safe_psql('postgres', 'SELECT min(store_id) FROM audit.segment');
foreach my $command ('UPDATE audit.event SET op = $$X$$', 'DELETE FROM audit.event', 'TRUNCATE audit.event', "INSERT INTO audit.$partition SELECT * FROM audit.event LIMIT 1",
	'INSERT INTO audit.event SELECT * FROM audit.event LIMIT 1', 'SELECT * FROM audit.event FOR UPDATE', "UPDATE audit.$partition SET op = 'X'", "DELETE FROM audit.$partition",
	"TRUNCATE audit.$partition", 'UPDATE audit.segment SET number = 1', 'DELETE FROM audit.segment', 'TRUNCATE audit.segment', 'INSERT INTO audit.segment SELECT * FROM audit.segment')
{
	like(error_of($command), qr/write-once/, "refused: $command");
}
foreach my $command ("DROP FOREIGN TABLE audit.$partition", "ALTER FOREIGN TABLE audit.$partition OPTIONS (SET store '9')", "DROP TABLE audit.segment_$store", "ALTER TABLE audit.event_1 DETACH PARTITION audit.$partition",
	'DROP SERVER audit_cold CASCADE', 'DROP FOREIGN DATA WRAPPER audit_cold CASCADE', "ALTER SERVER audit_cold VERSION '2'", "CREATE FOREIGN TABLE audit.forged (a int) SERVER audit_cold OPTIONS (store '1', segments '1')")
{
	like(error_of($command), qr/is part of the audit trail|belongs to the audit trail|protected|cannot create/, "refused: $command");
}
like(error_of("CREATE FOREIGN TABLE forged (a int) SERVER audit_cold OPTIONS (table_name 'x')"), qr/invalid option "table_name"/, 'refused: an option of others');
like(error_of(q{SET audit_trail.debug_clock = 1; UPDATE orders SET note = 'x' WHERE id = 12}), qr/cannot be recorded.*was archived/s, 'refused: an event of an archived month');

# Who may read: through the tables whoever could before, by itself nobody but those who see all.
is(error_of("SELECT count(*) FROM audit.$partition", 'postgres'), 'none', 'a superuser reads the partition');
like(error_of("SELECT count(*) FROM audit.$partition", 'insider'), qr/permission denied for archived partition/, 'a member of the owner does not');
like(error_of("SELECT count(*) FROM audit.$partition", 'nobody'), qr/permission denied/, 'nor does anybody');
is($node->safe_psql('postgres', "SELECT count(*) FROM audit.events WHERE $old", extra_params => [ '-U', 'watcher' ]), $events, 'an auditor reads the view');
is($node->safe_psql('postgres', 'SELECT count(*) FROM audit.event', extra_params => [ '-U', 'insider' ]), 0, 'row security holds');

# Dumped and restored
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$folder/dump", '-d', $node->connstr('postgres') ], 'pg_dump');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'pg_restore', '-e', '-1', '-d', $node->connstr('restored'), "$folder/dump" ], 'pg_restore -e -1');
is(verdict('restored'), 'ok', 'what was restored verifies');
is(differing('restored'), 0, 'and is what it was');
is(error_of('UPDATE audit.segment SET number = 1', 'postgres', 'restored') =~ /write-once/, 1, 'and is write-once');

# Replicated
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
is($standby->safe_psql('postgres', "SELECT count(*) FROM audit.events WHERE $old"), $events, 'a standby reads it');
is($standby->safe_psql('postgres', 'SELECT object FROM audit.verify()'), 'ok', 'and verifies it');
$standby->stop;
$node->stop;
done_testing();

# How many rows differ between what is read and what was kept.
sub differing
{
	my ($database) = @_;
	my $sum = 0;

	foreach my $table (@tables)
	{
		my $kept = $table =~ s/^audit/kept/r;

		# json has no equality; rows are compared as text, without the last column of transactions: where their events were
		my $row = $table eq 'audit.transaction' ? q{regexp_replace(t::text, ',[^,]*\)$', ')')} : 't::text';

		$sum += $_
		  foreach split /\n/, $node->safe_psql($database // 'postgres', "SELECT count(*) FROM (SELECT $row FROM $table t WHERE $old EXCEPT ALL SELECT $row FROM $kept t) d;
			SELECT count(*) FROM (SELECT $row FROM $kept t EXCEPT ALL SELECT $row FROM $table t WHERE $old) d");
	}
	return $sum;
}

# Segments, and the kinds of the two partitions of this month.
sub state
{
	return $node->safe_psql('postgres', q{SELECT (SELECT count(*) FROM audit.segment), string_agg(relkind::text, '|' ORDER BY relname) FROM pg_class
		WHERE relname ~ to_char(now() AT TIME ZONE 'UTC', '"^(event|transaction)_1_"YYYYMM"$"')});
}

sub verdict
{
	my ($database) = @_;

	return $node->safe_psql($database // 'postgres', 'SELECT object FROM audit.verify()');
}

sub refusal
{
	my ($call) = @_;

	return error_of("SELECT $call");
}

sub error_of
{
	my ($command, $user, $database) = @_;
	my ($status, $out, $err) = $node->psql($database // 'postgres', $command, extra_params => [ '-U', $user // 'postgres' ]);

	return $status == 0 ? 'none' : $err;
}

# A digest of all files of an export.
sub export
{
	my ($directory) = @_;
	my %found;

	mkdir $directory;
	$node->safe_psql('postgres', "SELECT audit.export_archive('$directory')");
	find({ no_chdir => 1, wanted => sub { $found{ substr($_, length($directory)) } = sha256_hex(slurp_file($_)) if -f && !/checkpoint/ } }, $directory);
	return join ' ', map { "$_=$found{$_}" } sort keys %found;
}

sub segments_read
{
	my ($query) = @_;
	my $read = 0;

	$read += $_ foreach $node->safe_psql('postgres', "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) $query") =~ /Segments Read: (\d+)/g;
	return $read;
}

# A session that holds a point.
sub hold
{
	my ($point) = @_;
	my $session = $node->background_psql('postgres');

	$session->query_safe("SELECT pg_advisory_lock(1096107092, hashtext('$point'))");
	return $session;
}

sub start_archive
{
	my ($out, $error) = ('', '');
	my $run = IPC::Run::start([ 'psql', '-XqAt', '-d', $node->connstr('postgres'), '-c', q{SET audit_trail.debug_clock = '120d'}, '-c', q{SELECT * FROM audit.archive_now()} ], '<', \undef, '>', \$out, '2>', \$error);

	return { run => $run, out => \$out, error => \$error };
}

sub wait_at
{
	my ($point) = @_;

	$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
		AND classid = 1096107092 AND objid::int8 = hashtext('$point')::int8 & 4294967295") or die "not held at $point";
	return;
}

# Kill the archiving backend where it is held.
sub kill_at
{
	my ($point) = @_;
	my $hold = hold($point);
	my $archive = start_archive();

	wait_at($point);
	kill 'KILL', $node->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE query LIKE 'SELECT * FROM audit.archive_now%' AND pid <> pg_backend_pid()});
	$archive->{run}->finish;
	$hold->{run}->kill_kill;
	$node->poll_query_until('postgres', 'SELECT true') or die 'the server did not come back';
	return;
}
