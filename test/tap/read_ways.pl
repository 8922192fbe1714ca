# Tables that are watched, read by programs and by servers: pg_dump in each format, also in parallel, and connections
# that lead back to the same database. Each is on record once, as who it is to the server.
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Told;
use Workers;

my $node = PostgreSQL::Test::Cluster->new('read_ways');

$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\nmax_worker_processes = 20\nfsync = off\n");
$node->start;
my ($host, $port) = ($node->host, $node->port);
$node->safe_psql('postgres', qq{
	CREATE EXTENSION audit_trail; CREATE EXTENSION postgres_fdw; CREATE EXTENSION dblink;
	CREATE ROLE anna LOGIN; CREATE ROLE bridge LOGIN; GRANT pg_read_all_data TO anna, bridge; GRANT CREATE ON SCHEMA public TO anna;
	CREATE TABLE people (id int PRIMARY KEY, name text, email text); INSERT INTO people SELECT g, 'n' || g, 'e' || g FROM generate_series(1, 250) g;
	CREATE TABLE orders (id int PRIMARY KEY, total int); INSERT INTO orders SELECT g, g FROM generate_series(1, 20) g;
	CREATE TABLE parts (id int, v text) PARTITION BY LIST (id); CREATE TABLE part1 PARTITION OF parts FOR VALUES IN (1); INSERT INTO parts VALUES (1, 'a');
	CREATE TABLE plain (id int);
	CREATE SERVER back FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$host', port '$port', dbname 'postgres');
	CREATE USER MAPPING FOR anna SERVER back OPTIONS (user 'bridge', password_required 'false');
	CREATE USER MAPPING FOR CURRENT_USER SERVER back; CREATE SCHEMA far; GRANT USAGE ON SCHEMA far TO anna;
	IMPORT FOREIGN SCHEMA public LIMIT TO (people, plain) FROM SERVER back INTO far});
$node->safe_psql('postgres', q{GRANT SELECT ON ALL TABLES IN SCHEMA far TO anna;
	SELECT audit.enable('orders', reads => true), audit.enable('people', read_columns => '{email}'), audit.enable('parts', reads => true), audit.enable('plain')});
workers_run($node, 'postgres', 'workers run');

# pg_dump, by COPY and by INSERTs; who dumps is who reads
my $dumped = qq{orders||20|anna|nightly dump\nparts|part1|1|anna|nightly dump\npeople||250|anna|nightly dump};
dump_is([qw(-f /dev/null)], $dumped, 'pg_dump');
dump_is([ '-Fc', '-f', PostgreSQL::Test::Utils::tempdir() . '/dump' ], $dumped, 'in the custom format');
foreach my $jobs (1, 4)
{
	my $dir = PostgreSQL::Test::Utils::tempdir() . '/dump';

	dump_is([ '-Fd', '-j', $jobs, '-f', $dir ], $dumped, "as a directory, by $jobs processes");
	is(system_log('pg_restore', '--list', $dir), 0, 'which can be read');
}
dump_is([qw(-s -f /dev/null)], '', 'what reads no rows is no read');
dump_is([qw(-T people -f /dev/null)], "orders||20|anna|nightly dump\nparts|part1|1|anna|nightly dump", 'nor are tables that are left out');
dump_is([qw(--inserts -t people -f /dev/null)], "people||100|anna|nightly dump\npeople||100|anna|nightly dump\npeople||50|anna|nightly dump\npeople||0|anna|nightly dump", 'by INSERTs: each time that it fetches');

# a foreign table that leads back here: who reads is who its connection is, and its name may tell who is behind it
reads_are('SELECT id, email FROM far.people WHERE id <= 30', 'people||30|bridge|postgres_fdw', 'a foreign table');
reads_are(q{SET postgres_fdw.application_name = 'far of %u'; SELECT id, email FROM far.people WHERE id = 3}, 'people||1|bridge|far of anna', 'with the name of who is behind it');
reads_are('SELECT id, email FROM far.people', "people||100|bridge|postgres_fdw\npeople||100|bridge|postgres_fdw\npeople||50|bridge|postgres_fdw", 'each time that it fetches');
reads_are('SELECT count(email) FROM far.people', 'people||1|bridge|postgres_fdw', 'what is counted there');
reads_are('SELECT id, name FROM far.people LIMIT 1', '', 'columns that are not watched');
reads_are('SELECT p.email, o.total FROM far.people p JOIN orders o USING (id) WHERE p.id < 6', qr/^orders\|\|\d+\|anna\|read_ways.pl\npeople\|\|\d+\|bridge\|postgres_fdw$/,
	'joined with a table here: each as who it is there');
reads_are('BEGIN; SELECT email FROM far.people WHERE id = 4; ROLLBACK', 'people||1|bridge|postgres_fdw', 'in a transaction that is rolled back');
reads_are(qq{SELECT * FROM dblink('host=$host port=$port dbname=postgres user=bridge application_name=linked', 'SELECT email FROM people WHERE id < 8') AS t (email text)},
	'', 'dblink of one who may not');
$node->safe_psql('postgres', 'GRANT EXECUTE ON FUNCTION dblink_connect_u(text, text) TO anna');
reads_are(qq{SELECT dblink_connect_u('c', 'host=$host port=$port dbname=postgres user=bridge application_name=linked'); SELECT * FROM dblink('c', 'SELECT email FROM people WHERE id < 8') AS t (email text)},
	'people||7|bridge|linked', 'and of one who may');

# the same before rows leave
$node->append_conf('postgresql.conf', 'audit_trail.read_durability = sync');
$node->reload;
dump_is([ '-Fd', '-j', 4, '-f', PostgreSQL::Test::Utils::tempdir() . '/dump' ], $dumped, 'a dump by 4 processes that waits for the records');
reads_are('SELECT id, email FROM far.people WHERE id <= 30', 'people||30|bridge|postgres_fdw', 'so with a foreign table');
is($node->safe_psql('postgres', 'SELECT audit.seal_now() \g /dev/null' . "\nSELECT object FROM audit.verify()"), 'ok', 'all of it verifies');
$node->stop;
done_testing();

# What a dump by anna reads: table, relation, rows, who, and the program.
sub dump_is
{
	my ($options, $expected, $name) = @_;

	forget_told($node);
	local $ENV{PGAPPNAME} = 'nightly dump';
	$node->command_ok([ 'pg_dump', '-U', 'anna', '-n', 'public', @$options, 'postgres' ], $name);
	told_is($expected, $name);
}

sub reads_are
{
	my ($command, $expected, $name) = @_;

	forget_told($node);
	local $ENV{PGAPPNAME} = 'read_ways.pl';
	my $err = run_as($node, 'postgres', $command, '-U', 'anna');
	told_is($expected, $name) or diag($err);
}

sub told_is
{
	my ($expected, $name) = @_;
	my $got = told($node, ref $expected ? 2 : scalar(my @lines = split(/\n/, $expected)),
		q{table_name, coalesce(new_values ->> 'relation', ''), new_values ->> 'rows', login_user, application_name}, q{action = 'read'});

	return like(sorted($got), $expected, $name) if ref $expected;
	return is(sorted($got), sorted($expected), $name);
}

sub sorted { return join "\n", sort split /\n/, $_[0] }
