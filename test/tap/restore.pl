# A dump holds the ledger: restored into another database it verifies, and goes on as a new life that the log shows.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('restore');
my $dump = $node->basedir . '/dump';

$node->init;
$node->append_conf('postgresql.conf',
	"shared_preload_libraries = 'audit_trail'\nmax_worker_processes = 20\naudit_trail.seal_interval = 1h\n");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION audit_trail; CREATE TABLE orders (id int PRIMARY KEY, note text)');
is($node->safe_psql('postgres', "BEGIN; SELECT audit.enable('orders') \\g /dev/null\nSELECT object FROM audit.verify(); COMMIT"),
	'ok', 'a ledger that is not committed yet is nothing to complain of');
$node->safe_psql('postgres', "INSERT INTO orders SELECT g, repeat('long note ', g) FROM generate_series(1, 1000) AS g;");
$node->safe_psql('postgres', 'SELECT audit.seal_now()');
$node->safe_psql('postgres', 'DELETE FROM orders WHERE id > 990');
my $events = $node->safe_psql('postgres', 'SELECT count(*) FROM audit.event');

$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, '-d', $node->connstr('postgres') ], 'the database is dumped');
$node->safe_psql('postgres', 'CREATE DATABASE copy');
$node->command_ok([ 'pg_restore', '-e', '-1', '-d', $node->connstr('copy'), $dump ], 'and restored');
is($node->safe_psql('copy', 'SELECT count(*) FROM audit.event'), $events, 'with all events');
is(verdict('copy'), 'ok', 'which verify');
is(verdict('postgres'), 'ok', 'as the first ones still do');

# The copy is another incarnation from its first own event on.
is($node->safe_psql('copy', 'SELECT log_index FROM audit.seal_now()'), 2, 'a pass over what was restored waits');
$node->safe_psql('copy', "INSERT INTO orders VALUES (2000, 'written in the copy')");
$node->safe_psql('copy', 'SELECT audit.seal_now()');
is($node->safe_psql('copy', 'SELECT log_index, kind, incarnation, tx_count, snapshot IS NULL FROM audit.log_entry WHERE log_index > 2 ORDER BY 1'),
	"3|events|1|1|t\n4|incarnation|2|0|f\n5|events|2|1|f", 'what was left of the old life is sealed, and a new one begun');
is($node->safe_psql('copy', 'SELECT incarnation, database_oid = (SELECT oid FROM pg_database WHERE datname = current_database()) FROM audit.incarnation ORDER BY 1'),
	"1|f\n2|t", 'in the new database');
is(verdict('copy'), 'ok', 'all of it verifies');
is(verdict('postgres'), 'ok', 'and the first database knows nothing of it');

# A restore of the copy begins a third life in the same way.
$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, '-d', $node->connstr('copy') ], 'the copy is dumped');
$node->safe_psql('postgres', 'CREATE DATABASE again');
$node->command_ok([ 'pg_restore', '-e', '-1', '-d', $node->connstr('again'), $dump ], 'and restored');
$node->safe_psql('again', "INSERT INTO orders VALUES (3000, 'written in the third')");
is(verdict('again'), 'ok', 'it verifies before');
is($node->safe_psql('again', 'SELECT audit.seal_now() IS NOT NULL; SELECT max(incarnation) FROM audit.log_entry'), "t\n3", 'and goes on');
is(verdict('again'), 'ok', 'and after');
$node->stop;
done_testing();

sub verdict
{
	my ($database) = @_;

	return $node->safe_psql($database, 'SELECT object FROM audit.verify()');
}
