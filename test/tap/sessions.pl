# Who comes, who is turned away, who goes, and as whom one acts.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Told;
use Workers;

my $node = PostgreSQL::Test::Cluster->new('sessions');
my $columns = q{event_type, resource_id, new_values::jsonb - '{duration_ms,detail,application_name}'::text[]};

$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\nmax_worker_processes = 20\nfsync = off\n"
	  . "audit_trail.record_sessions = on\nmax_connections = 20\nlisten_addresses = '127.0.0.1'\n");
$node->append_conf('pg_hba.conf', '');
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION audit_trail;
	SELECT audit.init();
	CREATE ROLE anna LOGIN PASSWORD 'hunter2-anna'; CREATE ROLE bob LOGIN; CREATE ROLE nologin; CREATE ROLE group_a; CREATE ROLE boss SUPERUSER LOGIN;
	GRANT group_a TO anna; GRANT nologin TO anna;
	CREATE DATABASE other; CREATE DATABASE closed; REVOKE CONNECT ON DATABASE closed FROM PUBLIC});
workers_run($node, 'postgres', 'workers run');
my $port = $node->port;

# login, work, logout
forget_told($node);
run_as($node, 'postgres', 'SELECT pg_backend_pid()', '-U', 'anna');
my ($pid) = $node->{told_out} =~ /(\d+)/;
is(told($node, 2, "$columns, backend_pid, login_user, actor, action, category", q{resource_id = 'anna'}),
	qq{session.started|anna|{"method": "trust", "database": "postgres"}|$pid|anna|anna|session|authentication\n}
	  . qq{session.ended|anna|{}|$pid|anna|anna|session|authentication}, 'a session, from its login to its logout');
like(told($node, 1, q{new_values ->> 'duration_ms', new_values ->> 'application_name'}, q{event_type IN ('session.ended', 'session.started') AND resource_id = 'anna'}),
	qr/^\|\S+\n\d+\|$/, 'with how long it was, and what the client calls itself');
run_as($node, 'postgres', '', '-U', 'anna');
is(told($node, 4, 'event_type', q{resource_id = 'anna'}) =~ tr/\n//, 3, 'one that does nothing is told too');
my $idle = $node->background_psql('postgres', extra_params => [ '-U', 'bob' ]);
forget_told($node);
$idle->quit;
is(told($node, 1, 'event_type', q{resource_id = 'bob'}), 'session.ended', 'its login was told before its end');

# who is turned away: the reason, by whom the server heard it, and whence
$node->append_conf('pg_hba.conf', '');
unlink($node->data_dir . '/pg_hba.conf');
$node->append_conf('pg_hba.conf', "local all anna scram-sha-256\nlocal all bob reject\nlocal all all trust\nhost all anna 127.0.0.1/32 scram-sha-256\n");
$node->reload;
my @refusals = (
	[ 'a wrong password', [ 'anna', 'postgres', 'wrong-hunter3' ], '28P01', 'scram-sha-256', 'password authentication failed' ],
	[ 'somebody whom pg_hba.conf rejects', [ 'bob', 'postgres', '' ], '28000', 'reject', 'pg_hba.conf rejects connection' ],
	[ 'a role that does not exist', [ 'nobody', 'postgres', '' ], '28000', 'trust', 'role "nobody" does not exist' ],
	[ 'a role that cannot log in', [ 'nologin', 'postgres', '' ], '28000', 'trust', 'not permitted to log in' ],
);
foreach my $refusal (@refusals)
{
	my ($name, $as, $state, $method, $reason) = @$refusal;
	my ($user, $database, $password) = @$as;

	forget_told($node);
	{
		local $ENV{PGPASSWORD} = $password;
		isnt($node->psql($database, 'SELECT 1', extra_params => [ '-w', '-U', $user ]), 0, "refused: $name");
	}
	like(told($node, 1, q{event_type, resource_id, new_values ->> 'sqlstate', new_values ->> 'method', new_values ->> 'reason'}, q{event_type ~ '^session' AND resource_id <> 'postgres' AND resource_id <> current_user}),
		qr/^session\.refused\|$user\|$state\|$method\|.*\Q$reason\E.*$/, "on record: $name");
}
forget_told($node);
{
	local $ENV{PGPASSWORD} = 'wrong-hunter3';
	run_as($node, 'postgres', '', '-w', '-U', 'anna', '-d', "host=127.0.0.1 port=$port dbname=postgres");
}
like(told($node, 1, q{client_ip, client_port > 0, db_user, login_user IS NULL, new_values ->> 'detail'}, q{event_type = 'session.refused'}),
	qr/^127\.0\.0\.1\|t\|unknown\|t\|Connection matched (?:file ".*)?pg_hba\.conf"? line/, 'by its address; nobody was authenticated');
told_soon($node, sub { run_as($node, 'postgres', '', '-w', '-U', 'bob') }, 1, q{event_type = 'session.refused'}, 'a failed login');
forget_told($node);
isnt($node->psql('postgres', '', extra_params => [ '-w', '-U', 'anna' ]), 0, 'a client that has no password');
is(told($node, 0, 'event_type', q{event_type = 'session.refused'}), '', 'and goes away was not turned away');
forget_told($node);
{
	local $ENV{PGOPTIONS} = '-c work_mem=lots';
	run_as($node, 'postgres', '', '-U', 'boss');
}
like(told($node, 1, q{new_values ->> 'sqlstate', new_values ->> 'reason'}, q{event_type = 'session.refused'}), qr/^22023\|/, 'an option that is none');

# who is put out
forget_told($node);
run_as($node, 'postgres', 'SELECT pg_backend_pid(); SELECT pg_terminate_backend(pg_backend_pid())', '-U', 'boss');
($pid) = $node->{told_out} =~ /(\d+)/;
like(told($node, 1, q{event_type, new_values ->> 'sqlstate', new_values ->> 'reason', backend_pid}, q{event_type = 'session.terminated'}),
	qr/^session\.terminated\|57P01\|terminating connection due to administrator command\|$pid$/, 'a session that was terminated');
forget_told($node);
run_as($node, 'postgres', q{SET idle_in_transaction_session_timeout = '10ms'; BEGIN; \! sleep 1
	SELECT 1}, '-U', 'boss');
is(told($node, 1, q{new_values ->> 'sqlstate'}, q{event_type = 'session.terminated'}), '25P03', 'one that was idle for too long in a transaction');

# as whom: by every way
forget_told($node);
my $roles = q{new_values ->> 'session_user', new_values ->> 'role', new_values ->> 'former_role'};
run_as($node, 'postgres', q{SET ROLE group_a; RESET ROLE; SELECT set_config('role', 'bob', false); SELECT 1;
	SET SESSION AUTHORIZATION anna; BEGIN; SET LOCAL ROLE group_a; ROLLBACK; SELECT 1; DISCARD ALL}, '-U', 'boss');
is(told($node, 7, $roles, q{event_type = 'role.assumed'}),
	"boss|group_a|boss\nboss|boss|group_a\nboss|bob|boss\nanna|anna|bob\nanna|group_a|anna\nanna|anna|group_a\nboss|boss|anna", 'SET, set_config(), what a transaction undoes, DISCARD');
$node->safe_psql('postgres', q{CREATE FUNCTION f() RETURNS bigint LANGUAGE plpgsql SET role TO group_a AS 'BEGIN RETURN (SELECT count(*) FROM pg_class); END'});
forget_told($node);
run_as($node, 'postgres', q{SELECT f(); SELECT 1}, '-U', 'boss');
is(told($node, 2, $roles, q{event_type = 'role.assumed'}), "boss|group_a|boss\nboss|boss|group_a", 'a setting of a function');
forget_told($node);
run_as($node, 'postgres', q{BEGIN READ ONLY; SET ROLE bob; ROLLBACK}, '-U', 'boss');
is(told($node, 1, $roles, q{event_type = 'role.assumed'}) =~ s/\n.*//sr, 'boss|bob|boss', 'in a read-only transaction');

# databases without a ledger
forget_told($node);
run_as($node, 'other', 'SELECT 1', '-U', 'boss');
run_as($node, 'closed', 'SELECT 1', '-U', 'nologin');
run_as($node, 'no_such_database', 'SELECT 1', '-U', 'boss');
run_as($node, 'postgres', 'SELECT 1', '-U', 'boss');
is(told($node, 2, 'event_type', q{resource_id = 'boss'}), "session.started\nsession.ended", 'sessions elsewhere are not told');
$node->append_conf('postgresql.conf', "audit_trail.cluster_database = 'postgres'");
$node->reload;
forget_told($node);
run_as($node, 'other', 'SELECT 1', '-U', 'boss');
run_as($node, 'no_such_database', 'SELECT 1', '-U', 'boss');
is(told($node, 3, q{event_type, coalesce(new_values ->> 'in_database', 'here'), coalesce(new_values ->> 'sqlstate', '')}, q{resource_id = 'boss'}),
	"session.started|other|\nsession.ended|other|\nsession.refused|no_such_database|3D000", 'unless there is a database for those');

# whatever happens, no password is in the trail
is($node->safe_psql('postgres', q{SELECT count(*) FROM audit.event WHERE new_values::text ~ 'hunter|wrong'}), '0', 'no password is on record');
foreach my $command (q{SET audit_trail.record_sessions = off}, q{ALTER SYSTEM SET audit_trail.record_sessions = off}, q{ALTER ROLE boss SET audit_trail.record_sessions = off})
{
	isnt($node->psql('postgres', $command), 0, "refused: $command");
}
$node->safe_psql('postgres', 'SELECT audit.seal_now()');
like($node->safe_psql('postgres', 'SELECT finding, object FROM audit.verify()'), qr/\Asummary\|ok\z/, 'all of it verifies');
$node->stop;
done_testing();
