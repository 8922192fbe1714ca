# Which command an event came from: in the extended protocol, where commands are prepared and
# repeated, and where rows come by logical replication, so that no client's command is there.
use strict;
use warnings;
use IO::Socket::UNIX;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('statement');
$node->init(allows_streaming => 'logical');
$node->append_conf('postgresql.conf',
	"shared_preload_libraries = 'audit_trail'\nmax_worker_processes = 20\nfsync = off\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION audit_trail;
	CREATE TABLE orders (id serial PRIMARY KEY, v int);
	CREATE FUNCTION change() RETURNS int LANGUAGE sql AS 'UPDATE orders SET v = v + 1 RETURNING v';
	SELECT audit.enable('orders', query => true)});

my $told = q{SELECT string_agg(concat_ws(' ', action, coalesce(statement, 'none'), audit.to_jsonb(extra) ->> 'query'), E'\n'
	ORDER BY tx_id, ordinal) FROM audit.events WHERE table_name = 'orders' AND category = 'data'};

# The same commands twice.
foreach my $mode (qw(simple extended prepared))
{
	my $since = $node->safe_psql('postgres', 'SELECT max(tx_id) FROM audit.event');
	my $script = $node->basedir . "/$mode.sql";

	append_to_file($script, "INSERT INTO orders (v) VALUES (1);\nSELECT change();\nDELETE FROM orders;\n");
	$node->command_ok([ 'pgbench', '-n', '-t', '2', '-M', $mode, '-f', $script, 'postgres' ], "run: $mode");
	my $once = "insert INSERT INSERT INTO orders (v) VALUES (1);\nupdate SELECT SELECT change();\n"
	  . "delete DELETE DELETE FROM orders;";
	my $got = $node->safe_psql('postgres', "$told AND tx_id > $since");
	$got =~ s/;$//mg;
	$once =~ s/;$//mg;
	is($got, "$once\n$once", "$mode: each command by its kind, with its text each time");
}

# Portals with names, in which a driver fetches in portions: known by their text; what runs in a
# portal within one is claimed for nobody.
$node->safe_psql('postgres', q{
	CREATE FUNCTION nested() RETURNS void LANGUAGE plpgsql AS $$
	DECLARE r record;
	BEGIN
		INSERT INTO orders (v) VALUES (1);
		FOR r IN UPDATE orders SET v = 2 RETURNING id LOOP DELETE FROM orders WHERE id = r.id; END LOOP;
	END $$});
my $since = $node->safe_psql('postgres', 'SELECT max(tx_id) FROM audit.event');
my $server = connect_raw($node);
run_in_portal($server, 'C_1', 'INSERT INTO orders (v) SELECT 1 FROM generate_series(1, 2) RETURNING id', 1);
run_in_portal($server, 'C_2', 'DELETE FROM orders', 0);
run_in_portal($server, 'C_3', 'SELECT nested()', 0);
close $server;
is($node->safe_psql('postgres', "$told AND tx_id > $since"), join("\n",
		'insert INSERT INSERT INTO orders (v) SELECT 1 FROM generate_series(1, 2) RETURNING id', 'insert INSERT',
		'delete DELETE DELETE FROM orders', 'delete DELETE',
		'insert SELECT SELECT nested()', 'update none', 'delete SELECT'), 'portals with names');

# Rows that a subscription brings, first copied and then applied.
$node->safe_psql('postgres', 'CREATE DATABASE target');
$node->safe_psql('target', q{
	CREATE EXTENSION audit_trail;
	CREATE TABLE orders (id serial PRIMARY KEY, v int);
	SELECT audit.enable('orders', query => true)});
$node->safe_psql('postgres', 'INSERT INTO orders VALUES (1000, 1)');
$node->safe_psql('postgres', 'CREATE PUBLICATION pub FOR TABLE orders');
$node->safe_psql('postgres', q{SELECT pg_create_logical_replication_slot('sub', 'pgoutput')});
my $from = 'port=' . $node->port . ' host=' . $node->host . ' dbname=postgres';
$node->safe_psql('target',
	"CREATE SUBSCRIPTION sub CONNECTION '$from' PUBLICATION pub WITH (create_slot = false)");
$node->wait_for_subscription_sync($node, 'sub', 'target') if $node->can('wait_for_subscription_sync');
$node->poll_query_until('target', q{SELECT count(*) = 1 FROM audit.events WHERE resource_id = '1000'})
  or die 'the initial copy did not come';
$node->safe_psql('postgres', 'UPDATE orders SET v = 2; TRUNCATE orders');
$node->poll_query_until('target', q{SELECT count(*) = 2 FROM audit.events WHERE action = 'truncate'})
  or die 'the TRUNCATE did not come';
is($node->safe_psql('target', $told), "insert none\nupdate none\ntruncate none\ntruncate none",
	'replicated: no command of a client is claimed');
is($node->safe_psql('target', q{SELECT old_values FROM audit.events WHERE action = 'truncate' AND resource_id IS NOT NULL}),
	'{"id":1000,"v":2}', 'and a replicated TRUNCATE tells its rows');
is($node->safe_psql('target', 'SELECT object FROM audit.verify()'), 'ok', 'verified');

$node->safe_psql('target', 'DROP SUBSCRIPTION sub');
$node->stop;
done_testing();

# A connection that speaks the protocol itself; the server trusts it.
sub connect_raw
{
	my ($node) = @_;
	my $socket = IO::Socket::UNIX->new($node->host . '/.s.PGSQL.' . $node->port) or die "no connection: $!";
	my $user = $ENV{PGUSER} // getpwuid($>);
	my $options = pack('N (Z*)5', 196608, 'user', $user, 'database', 'postgres', '');

	print $socket pack('N', 4 + length $options) . $options;
	$socket->flush;
	wait_ready($socket);
	return $socket;
}

sub message
{
	my ($type, $body) = @_;
	return $type . pack('N', 4 + length $body) . $body;
}

# Parse, bind to a portal of that name, fetch so many rows (0: all), then the rest.
sub run_in_portal
{
	my ($socket, $portal, $sql, $rows) = @_;

	print $socket message('P', pack('Z* Z* n', '', $sql, 0)), message('B', pack('Z* Z* n n n', $portal, '', 0, 0, 0)),
	  message('E', pack('Z* N', $portal, $rows)), $rows ? message('E', pack('Z* N', $portal, 0)) : '', message('S', '');
	$socket->flush;
	wait_ready($socket);
}

# Read up to ReadyForQuery; an error ends the test.
sub wait_ready
{
	my ($socket) = @_;

	while (1)
	{
		read($socket, my $head, 5) == 5 or die 'the server has closed the connection';
		my ($type, $length) = unpack('a N', $head);
		my $body = '';
		read($socket, $body, $length - 4) if $length > 4;
		die "error: $body" if $type eq 'E';
		return if $type eq 'Z';
	}
}
