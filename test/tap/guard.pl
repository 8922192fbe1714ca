# The guard is lifted by the configuration file alone; that is sealed in the log and shown by the
# doctor. Then everything can be taken away, and only then.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Workers;

my $node = PostgreSQL::Test::Cluster->new('guard');
my ($status, $out, $err);

$node->init;
$node->append_conf('postgresql.conf',
	"shared_preload_libraries = 'audit_trail'\nmax_worker_processes = 20\nfsync = off\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION audit_trail;
	CREATE TABLE orders (id int PRIMARY KEY);
	CREATE TABLE part (id int, k int) PARTITION BY LIST (k);
	CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1);
	SELECT audit.enable('orders');
	SELECT audit.enable('part');
	INSERT INTO orders VALUES (1)});
like(doctor($node, 'postgres', 'guard'), qr/^ok\|/, 'the guard is on');

# Nobody can lift it by SQL, nor at connection.
foreach my $command ('SET audit_trail.guard = off', 'ALTER SYSTEM SET audit_trail.guard = off',
	'ALTER SYSTEM RESET audit_trail.guard', 'ALTER DATABASE postgres SET audit_trail.guard = off',
	q{SELECT set_config('audit_trail.guard', 'off', false)},
	q{UPDATE pg_settings SET setting = 'off' WHERE name = 'audit_trail.guard'})
{
	($status, $out, $err) = $node->psql('postgres', $command);
	isnt($status, 0, "refused: $command");
}
{
	local $ENV{PGOPTIONS} = '-c audit_trail.guard=off';
	($status, $out, $err) = $node->psql('postgres', 'SELECT 1');
	like($err, qr/cannot be changed now/, 'refused at connection');
}
is($node->safe_psql('postgres', q{SELECT count(*) FROM audit.log_entry WHERE kind = 'guard'}), '0', 'nothing to record yet');

# An update of the extension passes; what is not its script does not.
($status, $out, $err) = $node->psql('postgres', 'ALTER EXTENSION audit_trail UPDATE');
is($status, 0, 'an update of the extension passes') or diag($err);

set_guard('off');
like(doctor($node, 'postgres', 'guard'), qr/^problem\|The guard is lifted/, 'the doctor shouts');
recorded('off', 'that it was lifted is sealed');
my ($file, $line) = split /\|/, $node->safe_psql('postgres', q{
	SELECT payload ->> 'file', payload ->> 'line' FROM audit.log_entry WHERE kind = 'guard'});
like($file, qr/postgresql\.conf$/, 'with the file');
is((split /\n/, slurp_file($file))[$line - 1], 'audit_trail.guard = off', 'and the line that says so');

like($node->safe_psql('postgres', q{SELECT covered, from_at < now(), until_at, why FROM audit.coverage('orders') ORDER BY from_at DESC LIMIT 1}),
	qr/^\|t\|infinity\|the guard was lifted \(\Q$file\E, line $line\); enabled by /, 'and nobody can vouch for what is recorded meanwhile');

# What capture's and the doctor's tests cannot do under the guard.
$node->safe_psql('postgres', q{
	ALTER TABLE part_1 DISABLE TRIGGER "00_audit_update"; DROP TRIGGER "00_audit_truncate" ON part_1});
like(doctor($node, 'postgres', 'capture'), qr/Not captured on (public\.)?part_1: truncate, update\./,
	'the doctor notices triggers that are gone or disabled in one place');
$node->safe_psql('postgres', q{
	SELECT audit.disable('part', 'triggers were missing'); SELECT audit.enable('part');
	INSERT INTO orders VALUES (2)});

# It stays lifted over a restart, and is recorded once.
$node->restart;
$node->safe_psql('postgres', 'SELECT audit.seal_now()');
recorded('off', 'recorded once, over a restart');
set_guard('on');
recorded('off,on', 'that it is on again is sealed too');
is($node->safe_psql('postgres', q{
	SELECT covered, from_at = lag(until_at, 1, '-infinity') OVER (ORDER BY from_at, until_at), why ~ 'the guard was lifted'
	FROM audit.coverage('orders') ORDER BY from_at}), "f|t|f\nt|t|f\n|t|t\nt|t|f", 'coverage() tells the time for which it was lifted');
is($node->safe_psql('postgres', q{
	SELECT count(*) FILTER (WHERE covered IS NULL), count(*) FILTER (WHERE NOT covered AND why ~ 'lifted') FROM audit.coverage('part')}),
	'2|0', 'also of a table that was switched off and on meanwhile');
$node->safe_psql('postgres', 'SELECT audit.seal_now()');
is($node->safe_psql('postgres', 'SELECT object FROM audit.verify()'), 'ok', 'verify stays green');
($status, $out, $err) = $node->psql('postgres', 'DROP EXTENSION audit_trail CASCADE');
like($err, qr/cannot drop extension audit_trail: it is part of the audit trail/, 'and nothing goes any more');

# A dump comes in where no ledger is, and the copy is guarded from its first own event on.
my $dump = $node->basedir . '/dump';
$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, '-d', $node->connstr('postgres') ], 'dumped');
$node->safe_psql('postgres', 'CREATE DATABASE copy');
$node->command_ok([ 'pg_restore', '-e', '-1', '-d', $node->connstr('copy'), $dump ], 'restored');
$node->safe_psql('postgres', 'CREATE DATABASE parallel');
$node->command_ok([ 'pg_restore', '-e', '-j2', '-d', $node->connstr('parallel'), $dump ], 'restored by two jobs');
$node->safe_psql('copy', 'INSERT INTO orders VALUES (3); SELECT audit.seal_now()');
($status, $out, $err) = $node->psql('copy', 'DROP TABLE audit.event');
like($err, qr/cannot drop table audit.event: it is part of the audit trail/, 'the copy is guarded');
is($node->safe_psql('copy', 'SELECT object FROM audit.verify()'), 'ok', 'and verifies');

# Maintenance of a whole database.
($status, $out, $err) = $node->psql('postgres', 'VACUUM (FULL, ANALYZE)');
is($status, 0, 'VACUUM FULL of a whole database leaves the ledger out');
$node->command_ok([ 'reindexdb', '-d', $node->connstr('postgres') ], 'REINDEX of a whole database');

# Uninstalling.
set_guard('off');
$node->safe_psql('copy', 'DROP EXTENSION audit_trail CASCADE; INSERT INTO orders VALUES (4)');
is($node->safe_psql('copy', q{SELECT count(*) FROM pg_trigger WHERE tgname LIKE '00_audit%'}), '0', 'DROP EXTENSION takes the triggers');
$node->safe_psql('copy', 'DROP SCHEMA audit CASCADE');
$node->safe_psql('parallel', 'DROP SCHEMA audit CASCADE; INSERT INTO orders VALUES (4)');
is($node->safe_psql('parallel', q{SELECT count(*) FROM pg_extension WHERE extname = 'audit_trail'}), '0', 'DROP SCHEMA takes all of it');
set_guard('on');
$node->safe_psql('parallel', q{CREATE EXTENSION audit_trail; SELECT audit.enable('orders'); INSERT INTO orders VALUES (5)});
is($node->safe_psql('parallel', 'SELECT object FROM audit.verify()'), 'ok', 'and it can be installed again');

$node->stop;
done_testing();

sub set_guard
{
	my ($value) = @_;

	$node->append_conf('postgresql.conf', "audit_trail.guard = $value");
	$node->reload;
	$node->poll_query_until('postgres', 'SHOW audit_trail.guard', $value) or die 'the setting did not change';
	return;
}

sub recorded
{
	my ($states, $name) = @_;

	ok( $node->poll_query_until('postgres', q{
			SELECT string_agg(payload ->> 'guard', ',' ORDER BY log_index) FROM audit.log_entry WHERE kind = 'guard'
		}, $states), $name);
	return;
}
