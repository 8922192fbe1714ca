# Dumps in every form keep the trail, who may read it and how it goes on: custom format in one transaction,
# directory in parallel, schema and data apart, the whole cluster into another one, and without owners.
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Moved;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('dump');
my $folder = PostgreSQL::Test::Utils::tempdir;

$node->init;
$node->append_conf('postgresql.conf', moved_conf());
$node->start;
my $state = moved_fill($node);
my $from = $node->connstr('postgres');

# The cluster first: roles are made in it below.
$node->command_ok([ 'pg_dumpall', '--no-sync', '-f', "$folder/all.sql", '-d', $from ], 'pg_dumpall');
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$folder/custom", '-d', $from ], 'pg_dump -Fc');
$node->command_ok([ 'pg_dump', '-Fd', '-j', '4', '--no-sync', '-f', "$folder/directory", '-d', $from ], 'pg_dump -Fd -j 4');

restore('custom', 'custom', '-e', '-1');
moved_is($node, 'custom', $state, 2, 'custom format');
restore('directory', 'directory', '-e', '-j', '4');
moved_is($node, 'directory', $state, 2, 'directory in parallel');
restore('apart', 'custom', '-e', '-1', '--section=pre-data');
restore(undef, 'custom', '-e', '-1', '--section=data', '-d', $node->connstr('apart'));
restore(undef, 'custom', '-e', '-1', '--section=post-data', '-d', $node->connstr('apart'));
moved_is($node, 'apart', $state, 2, 'section by section');
restore('data', 'custom', '-e', '-1', '--schema-only');
$node->command_ok([ 'pg_dump', '-Fc', '--data-only', '-f', "$folder/data", '-d', $from ], 'pg_dump --data-only');
restore(undef, 'data', '-e', '-1', '--disable-triggers', '-d', $node->connstr('data'));
moved_is($node, 'data', $state, 2, 'data only');

# With the triggers on, rows that come are rows that come: the trail says so, and reconcile() what that means.
restore('recorded', 'custom', '-e', '-1', '--schema-only');
restore(undef, 'data', '-e', '-1', '-d', $node->connstr('recorded'));
is($node->safe_psql('recorded', q{
	SELECT object FROM audit.verify();
	SELECT count(*) FROM audit.events WHERE table_name = 'orders' AND action = 'insert' AND tx_id > 1000000000000000}), "ok\n290",
	'data only with triggers is recorded');

# Data that would come into a ledger that has begun is refused.
$node->safe_psql('postgres', 'CREATE DATABASE begun');
$node->safe_psql('begun', 'CREATE EXTENSION audit_trail; SELECT audit.init()');
$node->command_fails_like([ 'pg_restore', '-e', '-1', '--data-only', '-n', 'audit', '-d', $node->connstr('begun'), "$folder/custom" ],
	qr/write-once/, 'no rows from outside come into a ledger that has begun');

# Without owners the views would read as a superuser: they refuse, until somebody mends it.
restore('nobody', 'custom', '-e', '-1', '--no-owner');
foreach my $role ('moved_scoped', 'moved_admin')
{
	my ($status, $out, $err) = $node->psql('nobody', "SET ROLE $role; SELECT * FROM audit.events");

	like($err, qr/row security of the audit ledger is not in force/, "without owners $role sees nothing");
}
like($node->safe_psql('nobody', q{SELECT remedy FROM audit.doctor() WHERE "check" = 'access'}), qr/^SELECT audit\.shield\(\);$/m, 'the doctor knows');
$node->safe_psql('nobody', q{SELECT audit.seal_now(); SELECT audit.shield()});
moved_is($node, 'nobody', $state, 2, 'with owners again');

# Another cluster, which has none of the roles.
my $other = PostgreSQL::Test::Cluster->new('other');

$other->init;
$other->append_conf('postgresql.conf', moved_conf());
$other->start;
my ($status, $out, $err) = $other->psql('template1', "\\set ON_ERROR_STOP 0\n\\i $folder/all.sql");
is(join("\n", grep { /ERROR/ && !/role "\w+" already exists/ } split /\n/, $err), '', 'the cluster is restored');
moved_is($other, 'postgres', $state, 2, 'pg_dumpall');
is($other->safe_psql('postgres', q{SELECT string_agg(DISTINCT detail, ',') FROM audit.create_roles()}), 'exists already', 'its roles are ours there too');
$other->stop;
$node->stop;
done_testing();

# Restore into a new database of this name, unless it is undefined and options say where.
sub restore
{
	my ($database, $file, @options) = @_;

	if (defined $database)
	{
		$node->safe_psql('postgres', "CREATE DATABASE $database");
		push @options, '-d', $node->connstr($database);
	}
	$node->command_ok([ 'pg_restore', @options, "$folder/$file" ], "pg_restore @options[0 .. 2]");
	return;
}
