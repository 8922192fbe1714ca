# Tables of an automatic schema that came where no hook runs, in a server that has not preloaded the
# library: the doctor names them, and the next command that touches one brings it in. A rule goes
# with a dump.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('automatic');
$node->init;
$node->append_conf('postgresql.conf', "max_worker_processes = 20\nfsync = off\n");
$node->start;

my $audited = q{SELECT string_agg(target::text, ' ' ORDER BY target::text) FROM audit.policy WHERE enabled AND context = 'c'};
my $doctor = q{SELECT string_agg(concat_ws('|', status, detail, remedy), E'\n') FROM audit.doctor() WHERE "check" = 'automatic'};

$node->safe_psql('postgres', q{
	SET client_min_messages = error;
	CREATE EXTENSION audit_trail;
	CREATE SCHEMA s;
	SELECT audit.enable_schema('s', automatic => true, context => 'c')});

# these sessions never load the library
$node->safe_psql('postgres', 'CREATE TABLE s.missed (id int PRIMARY KEY); INSERT INTO s.missed VALUES (1)');
$node->safe_psql('postgres', 'CREATE TABLE s.healed (id int PRIMARY KEY)');
like($node->safe_psql('postgres', $doctor),
	qr/^warning\|s\.healed is not audited: .*\|SELECT audit\.enable\('s\.healed', context => 'c',.*\nwarning\|s\.missed /,
	'the doctor names tables that came without the library');
my $remedy = (split /\|/, (split /\n/, $node->safe_psql('postgres', $doctor))[0])[2];
$node->safe_psql('postgres', "SET client_min_messages = error; $remedy");
is($node->safe_psql('postgres', $audited), 's.healed', 'and its remedy helps');

$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\n");
$node->restart;
$node->safe_psql('postgres', 'ALTER TABLE s.missed ADD v int; CREATE TABLE s.seen (id int)');
is($node->safe_psql('postgres', $audited), 's.healed s.missed s.seen', 'with the library tables are brought in');
is($node->safe_psql('postgres', q{SELECT new_values FROM audit.events WHERE action = 'baseline' AND resource_id = '1'}),
	'{"id":1,"v":null}', 'with the rows that they have');
like($node->safe_psql('postgres', $doctor), qr/^ok\|/, 'the doctor is content');

# A restored rule holds; while rows are being restored it brings nothing in.
my $dump = $node->backup_dir . '/dump';
mkdir $node->backup_dir;
$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, 'postgres' ], 'dump');
$node->safe_psql('postgres', 'CREATE DATABASE restored TEMPLATE template0');
$node->command_ok([ 'pg_restore', '-e', '-1', '-d', 'restored', $dump ], 'restore');
$node->safe_psql('restored', 'INSERT INTO s.seen VALUES (1); SELECT audit.seal_now()');
$node->safe_psql('restored', 'CREATE TABLE s.anew (id int)');
is($node->safe_psql('restored', $audited), 's.anew s.healed s.missed s.seen', 'and the rule holds there');
is($node->safe_psql('restored', 'SELECT object FROM audit.verify()'), 'ok', 'verified');

$node->stop;
done_testing();
