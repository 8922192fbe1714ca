# Behind PgBouncer many clients share a server's session. What one says of itself with
# audit.set_context() or SET LOCAL ends with its transaction, whatever becomes of that; what one
# SETs for the session ends with DISCARD ALL, which PgBouncer sends itself in session mode.

use strict;
use warnings;

use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes 'usleep';

my ($program) = grep { -x } map { "$_/pgbouncer" } split(/:/, $ENV{PATH}), '/usr/sbin', '/usr/local/sbin';
plan skip_all => 'there is no pgbouncer' if !$program;

my $node = PostgreSQL::Test::Cluster->new('pgbouncer');
my $dir = PostgreSQL::Test::Utils::tempdir_short();
my $user = getpwuid($<);

$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION audit_trail;
	CREATE TABLE orders (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, what text);
	SELECT audit.enable('orders');
	INSERT INTO audit.context_source VALUES ('actor', 1, 'request.jwt.claims', 'sub');
});

# One server session for each mode, which all clients of that mode get.
append_to_file("$dir/users", qq{"$user" ""\n});
append_to_file("$dir/ini", <<INI);
[databases]
transaction = host=@{[$node->host]} port=@{[$node->port]} dbname=postgres pool_mode=transaction pool_size=1
session = host=@{[$node->host]} port=@{[$node->port]} dbname=postgres pool_mode=session pool_size=1
[pgbouncer]
listen_addr =
listen_port = 6432
unix_socket_dir = $dir
auth_type = trust
auth_file = $dir/users
logfile = $dir/log
server_reset_query = DISCARD ALL
INI
my $bouncer = IPC::Run::start([ $program, '-q', "$dir/ini" ], '>', \my $said, '2>&1');

END
{
	my $status = $?;

	$bouncer->kill_kill if defined $bouncer;
	$? = $status;
}

# Run statements as a client of its own; what it read.
sub client
{
	my ($mode, $sql) = @_;
	my ($out, $err) = ('', '');

	$node->psql('postgres', $sql, connstr => "host=$dir port=6432 dbname=$mode",
		stdout => \$out, stderr => \$err, on_error_stop => 0, on_error_die => 0);
	return wantarray ? ($out, $err) : $out;
}

my $up = 0;
for (1 .. 600)
{
	last if $up = client('transaction', 'SELECT 1') eq '1';
	usleep(100_000);
}
ok($up, 'PgBouncer runs') or BAIL_OUT(slurp_file("$dir/log"));
is(client('transaction', 'SELECT pg_backend_pid()'), client('transaction', 'SELECT pg_backend_pid()'),
	'clients share a session of the server');

# Who the trail says inserted a row: "nobody" is the database user, without reason, request or extra.
sub who
{
	my ($what) = @_;

	return $node->safe_psql('postgres', qq{
		SELECT CASE actor_source WHEN 'db_user' THEN 'nobody' ELSE actor END
			|| coalesce(' ' || reason, '') || coalesce(' ' || request_id, '') || coalesce(' ' || claimed_session, '')
			|| coalesce(' ' || extra::text, '')
		FROM audit.events WHERE table_name = 'orders' AND new_values ->> 'what' = '$what'});
}

my $n = 0;

# After a client did this, another one is nobody again.
sub does_not_leak
{
	my ($name, $sql) = @_;

	$n++;
	client('transaction', $sql);
	client('transaction', "INSERT INTO orders (what) VALUES ('after $n')");
	is(who("after $n"), 'nobody', "$name does not leak");
	return;
}

my $say = q{SELECT audit.set_context(actor => 'alice', reason => 'call', request_id => 'r1', app_session => 's1', extra => '{"a":1}')};

does_not_leak('set_context()', "BEGIN; $say; INSERT INTO orders (what) VALUES ('alice'); COMMIT");
is(who('alice'), 'alice call r1 s1 {"a": 1}', 'it counts in its own transaction');
does_not_leak('set_context() of a transaction that writes nothing', "BEGIN; $say; COMMIT");
does_not_leak('set_context() outside a transaction', $say);
does_not_leak('set_context() of a rolled back transaction',
	"BEGIN; $say; INSERT INTO orders (what) VALUES ('x'); ROLLBACK");
does_not_leak('set_context() of a failed transaction', "BEGIN; $say; SELECT 1 / 0; COMMIT");
does_not_leak('set_context() in a savepoint', "BEGIN; SAVEPOINT a; $say; RELEASE a; COMMIT");
does_not_leak('set_context() before a savepoint that is rolled back',
	"BEGIN; $say; SAVEPOINT a; SET LOCAL audit_trail.actor = 'bob'; ROLLBACK TO a; COMMIT");
does_not_leak('the context of a client that vanishes within its transaction',
	"BEGIN; $say; INSERT INTO orders (what) VALUES ('y');");
does_not_leak('SET LOCAL', "BEGIN; SET LOCAL audit_trail.actor = 'bob'; COMMIT");
does_not_leak('SET LOCAL of another\'s setting',
	q{BEGIN; SET LOCAL request.jwt.claims = '{"sub": "carol"}'; INSERT INTO orders (what) VALUES ('carol'); COMMIT});
is(who('carol'), 'carol', 'that counts in its own transaction too');
does_not_leak('a comment', q{INSERT INTO orders (what) VALUES ('dora') /*actor='dora'*/;});
is(who('dora'), 'dora', 'which counts for its statement');
does_not_leak('the tag of maintenance', "BEGIN; SELECT audit.tag_maintenance('repair'); COMMIT");

# What a client SETs for the session, PgBouncer keeps for the next one; DISCARD ALL ends it.
client('transaction', "SET audit_trail.actor = 'sticky'");
client('transaction', 'DISCARD ALL');
client('transaction', "INSERT INTO orders (what) VALUES ('discarded')");
is(who('discarded'), 'nobody', 'DISCARD ALL clears what was SET for the session');
client('transaction', "SET audit_trail.actor = 'sticky'; SET audit_trail.reason = 'sticky'; SET audit_trail.maintenance = 'sticky'; RESET ALL");
client('transaction', "INSERT INTO orders (what) VALUES ('reset')");
is(who('reset'), 'nobody', 'so does RESET ALL');

is(client('session', "SET audit_trail.actor = 'eve'; INSERT INTO orders (what) VALUES ('eve'); SELECT 1"), '1',
	'a client in session mode');
is(who('eve'), 'eve', 'is who it says');
client('session', "INSERT INTO orders (what) VALUES ('after eve')");
is(who('after eve'), 'nobody', 'the next one is not');

is($node->safe_psql('postgres', q{
	SELECT count(DISTINCT t.session_id) FROM audit.transaction t JOIN audit.event e USING (tx_id)
		JOIN audit.target g USING (target_id) WHERE g.table_name = 'orders'}), '3',
	'all of that happened in two sessions, and one more where PgBouncer closed that of the vanished client');

$node->stop;
done_testing();
