# audit.doctor(): each check is made red, and what it says to do is done, word for word; then it is content. Other tests do
# that with the checks named at the end, where what they need is at hand.
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Workers;

my $node = PostgreSQL::Test::Cluster->new('doctor');
my $folder = PostgreSQL::Test::Utils::tempdir;
my %mended;

$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\nmax_worker_processes = 20\nfsync = on\naudit_trail.record_reads = on\nTimeZone = 'UTC'\n");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION audit_trail');
mends('ledger', undef, qr/no ledger yet/);
workers_run($node, 'postgres', 'workers run');
mends('capture', 'CREATE TABLE your_table (id int PRIMARY KEY)', qr/^No table is audited\.$/);
$node->safe_psql('postgres', 'SELECT audit.seal_now()');

# tables
mends('unaudited tables', 'CREATE TABLE beside (id int); CREATE TABLE "be side" (id int); CREATE SCHEMA other CREATE TABLE alone (id int)',
	qr/^Schema public has audited tables, and these that are not: be side, beside\.$/);
$node->safe_psql('postgres', q{CREATE TABLE left_out (id int); SELECT audit.enable_schema('public', "except" => '{left_out}', automatic => true)});
is(status('unaudited tables'), 'ok', 'what a rule leaves out is left out on purpose');
$node->safe_psql('postgres', q{SELECT audit.disable_schema('public', 'over'), audit.disable('beside', 'over'); DROP TABLE left_out});
is(status('unaudited tables'), 'ok', 'and so is what is audited no longer');
with_guard_lifted(sub {
	mends('capture', 'ALTER TABLE your_table DISABLE TRIGGER "00_audit_insert"', qr/^Not captured on public\.your_table: insert\.$/);
	mends('partitions', q{DO $$ DECLARE leaf regclass := format('audit.event_1_%s', to_char(now() + '1 month', 'YYYYMM')); BEGIN
		EXECUTE format('DROP TABLE %s', leaf); END $$}, qr/^Partition audit\.event_1_\d{6} is missing/);
	default_is_told();
	mends('access', 'ALTER TABLE audit.event NO FORCE ROW LEVEL SECURITY', qr/audit\.event/);
});

# what the trail says of itself
mends('volume', q{UPDATE audit.volume SET events = events + 1 WHERE ctid = (SELECT min(ctid) FROM audit.volume)},
	qr/^audit\.volume counts (\d+) events, the log has sealed (?!\1\b)\d+: somebody has changed the sums\.$/);
like(status('verification'), qr/^ok$/, 'a new ledger need not be verified yet');
$node->append_conf('postgresql.conf', 'audit_trail.verify_interval = 0');
$node->reload;
ok($node->poll_query_until('postgres', q{SELECT status = 'warning' AND detail ~ 'nothing is verified in the background'
	AND remedy LIKE 'Set audit_trail.verify_interval = 1h in the configuration file%' FROM audit.doctor() WHERE "check" = 'settings'}),
	'no verification in the background is a warning');
$node->append_conf('postgresql.conf', 'audit_trail.verify_interval = 1h');
$node->reload;
ok($node->poll_query_until('postgres', q{SELECT status = 'ok' FROM audit.doctor() WHERE "check" = 'settings'}), 'until it is set as said');

# what is around it
mends('replication role', 'ALTER ROLE CURRENT_USER SET session_replication_role = replica', qr/^role \S+ has session_replication_role: audit triggers fire all the same/);
mends('replication role', 'ALTER DATABASE postgres SET session_replication_role = local', qr/^the database has/);
mends('replication role', 'ALTER ROLE CURRENT_USER IN DATABASE postgres SET session_replication_role = replica', qr/^role/);
mends('replication role', 'CREATE FUNCTION "qu iet"() RETURNS void LANGUAGE sql SET session_replication_role = replica AS $$$$', qr/^function public\."qu iet"\(\) has/);
mends('replication role', 'CREATE ROLE "qu iet"; GRANT SET ON PARAMETER session_replication_role TO "qu iet"', qr/^role "qu iet", who may set it,/);
mends('settings', 'ALTER SYSTEM SET fsync = off; SELECT pg_reload_conf()', qr/^fsync is off: a crash of the machine/);
mends('settings', 'ALTER SYSTEM SET zero_damaged_pages = on; SELECT pg_reload_conf()', qr/^zero_damaged_pages is on: broken pages are emptied/);
is($node->safe_psql('postgres', q{SELECT count(*), bool_and(status = 'ok' OR remedy IS NOT NULL), bool_and(detail ~ ' has \d+ MB free\.$')
	FROM audit.doctor() WHERE "check" = 'disk'}), '2|t|t', 'the disks of data and write-ahead log are looked at');
$mended{$_} = 1 foreach 'disk', 'verification';    # below, and in full_disk.pl

# keys
$node->append_conf('postgresql.conf', "audit_trail.checkpoint_file = '$folder/checkpoints'");
$node->reload;
ok($node->poll_query_until('postgres', q{SELECT count(*) = 3 FROM audit.doctor() WHERE "check" = 'disk'}), 'so is that of the checkpoints');
like(row('signing key'), qr/^warning\|No key is named/, 'no signing key');
(my $remedy = (split /\|/, row('signing key'))[2]) =~ s/; then name.*//;
$remedy =~ s{'/outside/of/the/data/directory/log\.key'}{'$folder/log.key'};
$node->safe_psql('postgres', $remedy);
$node->append_conf('postgresql.conf', "audit_trail.signing_key_file = '$folder/log.key'");
$node->reload;
$node->safe_psql('postgres', 'SELECT audit.seal_now()');
ok($node->poll_query_until('postgres', q{SELECT status = 'ok' FROM audit.doctor() WHERE "check" = 'signing key'}), 'one is named, and used');
$mended{'signing key'} = 1;

# A failure that verification found and sealed: the rows below the ledger's own storage are changed in the files.
$node->safe_psql('postgres', 'INSERT INTO your_table VALUES (4711); SELECT audit.seal_now(); SELECT * FROM audit.verify_now()');
like(row('verification'), qr/^ok\|The last verification was at .* and found nothing\.\|$/, 'verified');
$node->safe_psql('postgres', 'INSERT INTO your_table VALUES (4712); SELECT audit.seal_now()');
my $file = $node->data_dir . '/' . $node->safe_psql('postgres', q{CHECKPOINT; SELECT pg_relation_filepath(tableoid) FROM audit.event WHERE record_key = '4712'});
$node->stop;
my $bytes = slurp_file($file);
my $offset = rindex($bytes, '"id":4712');
cmp_ok($offset, '>', 0, 'the event is in the file');
put($file, $offset, '"id":9999');
$node->start;
workers_run($node, 'postgres', 'workers run');
$node->psql('postgres', 'SELECT * FROM audit.verify_now()');
like(row('verification'), qr/^problem\|The last verification, at .*, found [1-9]\d* failures\.\|SELECT \* FROM audit\.verify\(\);/, 'a failure is told');
$node->stop;
put($file, $offset, '"id":4712');
$node->start;
workers_run($node, 'postgres', 'workers run again');
$node->safe_psql('postgres', 'SELECT * FROM audit.verify_now()');
is(status('verification'), 'ok', 'until what is said was done');

# Every check is here or there.
my %elsewhere = (
	'library' => 'load', 'launcher' => 'load', 'sealer' => 'load', 'notifier' => 'load', 'collector' => 'load', 'worker slots' => 'load', 'guard' => 'guard',
	'unseen time' => 'library', 'incarnation' => 'incarnation', 'hash key' => 'key_file', 'automatic' => 'automatic', 'checkpoints' => 'checkpoint',
	'anchor' => 'anchor', 'sealing' => 'long_transaction', 'losses' => 'refused', 'clock' => 'limits', 'subject keys' => 'subject_key');
is(join(',', grep { !$mended{$_} && !$elsewhere{$_} } split /\n/, $node->safe_psql('postgres', q{SELECT DISTINCT "check" FROM audit.doctor() ORDER BY 1})),
	'archive,holds,keeper,retention', 'no check is without a test, but those of retention');
$node->stop;
done_testing();

# The commands have the doctor say this, and what it says to do makes it content.
sub mends
{
	my ($check, $commands, $detail) = @_;

	$node->safe_psql('postgres', $commands) if $commands;
	$node->poll_query_until('postgres', qq{SELECT bool_or(status <> 'ok') FROM audit.doctor() WHERE "check" = '$check'});
	my ($status, $said, $remedy) = split /\|/, row($check), 3;

	like($said, $detail, "$check: $said");
	$remedy =~ s/ Then restart.*//;
	$node->safe_psql('postgres', $remedy);
	ok($node->poll_query_until('postgres', qq{SELECT bool_and(status = 'ok') FROM audit.doctor() WHERE "check" = '$check'}), "mended by: $remedy");
	$mended{$check} = 1;
	return;
}

# A ledger that has no partition for this month, which nothing can mend.
sub default_is_told
{
	$node->safe_psql('postgres', 'CREATE DATABASE late');
	$node->safe_psql('late', q{
		CREATE EXTENSION audit_trail;
		SELECT audit.init();
		DO $$ BEGIN EXECUTE format('DROP TABLE audit.event_1_%1$s, audit.transaction_1_%1$s', to_char(now(), 'YYYYMM')); END $$;
		CREATE TABLE orders (id int PRIMARY KEY);
		SELECT audit.enable('orders')});
	like($node->safe_psql('late', q{SELECT status, detail FROM audit.doctor() WHERE "check" = 'default partitions' LIMIT 1}),
		qr/^warning\|audit\.event_1_default holds rows: a month had no partition in time/, 'rows that came without a partition are told');
	$node->safe_psql('postgres', 'DROP DATABASE late WITH (FORCE)');
	$mended{'default partitions'} = 1;
	return;
}

sub with_guard_lifted
{
	my ($code) = @_;

	set_guard('off');
	$code->();
	set_guard('on');
	return;
}

sub set_guard
{
	my ($value) = @_;

	$node->append_conf('postgresql.conf', "audit_trail.guard = $value");
	$node->reload;
	$node->poll_query_until('postgres', 'SHOW audit_trail.guard', $value) or die "the guard is not $value";
	return;
}

sub row
{
	my ($check) = @_;

	return $node->safe_psql('postgres', qq{SELECT status, detail, remedy FROM audit.doctor() WHERE "check" = '$check' ORDER BY status = 'ok', detail LIMIT 1});
}

sub status
{
	my ($check) = @_;

	return $node->safe_psql('postgres', qq{SELECT string_agg(DISTINCT status, ',') FROM audit.doctor() WHERE "check" = '$check'});
}

# Write bytes into a file.
sub put
{
	my ($path, $at, $new) = @_;

	open(my $handle, '+<', $path) or die "open: $!";
	binmode $handle;
	seek($handle, $at, 0) or die "seek: $!";
	print $handle $new or die "print: $!";
	close $handle or die "close: $!";
	return;
}
