# Ways by which PostgreSQL 15 was seen to lose what triggers and privileges were thought to hold, each by the role
# that it takes: settings that switch triggers off, CREATEROLE, tools of repair, rules that come and go.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Refused;
use Test::More;
use Workers;

my $node = PostgreSQL::Test::Cluster->new('measured');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\nmax_worker_processes = 20\nfsync = off\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION audit_trail;
	CREATE EXTENSION pg_surgery;
	CREATE ROLE owner LOGIN;
	CREATE ROLE maker LOGIN CREATEROLE;
	GRANT CREATE ON SCHEMA public TO owner;
	GRANT SET ON PARAMETER session_replication_role TO owner;
	SET ROLE owner;
	CREATE TABLE orders (id int PRIMARY KEY, note text);
	RESET ROLE;
	SELECT audit.enable('orders')});
workers_run($node, 'postgres', 'workers run');

# session_replication_role: by SET, set_config(), of role and database, at connection, of a function, and by who was granted it.
my $id = 0;
my $insert = sub { $id++; return "INSERT INTO orders VALUES ($id)" };
foreach my $who (qw(owner postgres))
{
	recorded("SET session_replication_role = replica; " . $insert->(), $who, 'SET');
	recorded("SELECT set_config('session_replication_role', 'replica', false); " . $insert->(), $who, 'set_config()');
	recorded("BEGIN; SET LOCAL session_replication_role = replica; " . $insert->() . '; COMMIT', $who, 'SET LOCAL');
	local $ENV{PGOPTIONS} = '-c session_replication_role=replica';
	recorded($insert->(), $who, 'the start of a session');
}
$node->safe_psql('postgres', 'ALTER ROLE owner SET session_replication_role = replica; ALTER DATABASE postgres SET session_replication_role = replica');
recorded($insert->(), 'owner', 'a setting of the role');
recorded($insert->(), 'postgres', 'a setting of the database');
$node->safe_psql('postgres', 'ALTER ROLE owner RESET ALL; ALTER DATABASE postgres RESET ALL');
$node->safe_psql('postgres', q{CREATE FUNCTION quiet(n int) RETURNS void LANGUAGE sql SET session_replication_role = replica AS 'INSERT INTO orders VALUES (n)'});
$id++;
recorded("SELECT quiet($id)", 'postgres', 'a setting of a function');

# CREATEROLE grants itself the owner of the ledger, and programs of the server: that is on record, and wins nothing. From
# version 16 on it takes a superuser.
my $granter = $node->pg_version < 16 ? 'maker' : 'postgres';
$node->safe_psql('postgres', 'SELECT pg_sleep(0)');
my $listener = $node->background_psql('postgres');
$listener->query_safe('LISTEN audit_alert');
foreach my $role (qw(audit_ledger pg_execute_server_program))
{
	like(refuse($node, "GRANT $role TO maker", '-U', 'maker'), qr/permission denied to grant role/, "CREATEROLE does not grant itself $role") if $granter ne 'maker';
	is(refuse($node, "GRANT $role TO maker", '-U', $granter), '', "$granter grants it $role");
	my $kind = $role eq 'audit_ledger' ? 'owner of the ledger' : $role;
	is($node->safe_psql('postgres', qq{SELECT new_values ->> 'kind', login_user FROM audit.events WHERE event_type = 'trail_access.gained' AND resource_id = 'maker'
		ORDER BY tx_id DESC, ordinal DESC LIMIT 1}), "$kind|$granter", 'that is an event');
}
like($listener->query('SELECT 1'), qr/trail_access\.gained/, 'and an alert');
like(doctor($node, 'postgres', 'access'), qr/maker.* is a member of the owner of the ledger/, 'the doctor shows it');
foreach my $command ('TRUNCATE audit.event', 'DROP TABLE audit.event CASCADE', 'ALTER TABLE audit.event NO FORCE ROW LEVEL SECURITY',
	'ALTER TABLE audit.event OWNER TO maker', 'DROP POLICY readers ON audit.event', 'GRANT SELECT ON audit.event TO PUBLIC')
{
	like(refuse($node, "SET ROLE audit_ledger; $command", '-U', 'maker'), qr/ERROR:  cannot /, "as owner of the ledger: $command");
}
is(refuse($node, 'SET ROLE audit_ledger; WITH d AS (DELETE FROM audit.event RETURNING 1) SELECT count(*) FROM d', '-U', 'maker') . $node->{refuse_out}, "SET\n0\n",
	'and finds nothing to delete');
is(refuse($node, 'SET ROLE audit_ledger; SELECT count(*) FROM audit.event; SELECT count(*) FROM audit.events', '-U', 'maker') . $node->{refuse_out}, "SET\n0\n0\n",
	'who is the owner of the ledger reads nothing of it');
$node->safe_psql('postgres', q{CREATE ROLE heir; COMMENT ON ROLE heir IS 'audit_trail: owner of ledgers'});
like(refuse($node, q{SELECT audit.shield('heir')}), qr/cannot give the audit ledger to another role.*HINT:  SELECT audit\.shield\('audit_ledger'\)/s, 'nor is it given to another');
$node->safe_psql('postgres', q{SELECT audit.shield()});
$node->safe_psql('postgres', 'REVOKE audit_ledger, pg_execute_server_program FROM maker');
foreach my $attribute (qw(SUPERUSER BYPASSRLS CREATEROLE))
{
	$node->safe_psql('postgres', "CREATE ROLE other; ALTER ROLE other $attribute; DROP ROLE other");
	is($node->safe_psql('postgres', qq{SELECT string_agg(event_type, ' ' ORDER BY tx_id, ordinal) FROM audit.events WHERE resource_id = 'other' AND new_values ->> 'kind' = '} . lc($attribute) . q{'}),
		'trail_access.gained trail_access.lost', "who is given $attribute, and loses it, is on record");
}
$node->safe_psql('postgres', 'CREATE ROLE boss SUPERUSER; CREATE ROLE friend; GRANT boss TO friend');
is($node->safe_psql('postgres', q{SELECT count(*) FROM audit.events WHERE resource_id = 'friend' AND new_values ->> 'kind' = 'superuser'}), '1', 'also by way of another role');

# A rule that swallows rows and is gone again: of the ledger there is none, and what an audited table's swallows is no change.
like(refuse($node, 'CREATE RULE r AS ON INSERT TO audit.event DO INSTEAD NOTHING'), qr/cannot add a rule/, 'no rule is put on the ledger');
my $session = $node->background_psql('postgres');
$session->query_safe('PREPARE p AS INSERT INTO orders VALUES ($1)');
$node->safe_psql('postgres', 'CREATE RULE r AS ON INSERT TO orders DO INSTEAD NOTHING');
$session->query_safe('EXECUTE p (1000)');
$node->safe_psql('postgres', 'DROP RULE r ON orders');
$session->query_safe('EXECUTE p (1001)');
$session->quit;
is($node->safe_psql('postgres', q{SELECT detail FROM audit.reconcile('orders') WHERE finding = 'summary'}), 'ok', 'what is in the table is in the trail');

# A file, or a row, that is exchanged below every hook: the catalog is not written, and a row that was killed is missed.
like(refuse($node, q{UPDATE pg_class SET relfilenode = 1 WHERE oid = 'audit.event'::regclass}), qr/system catalog/, 'no file is exchanged by the catalog');
like(refuse($node, q{UPDATE pg_class SET relhastriggers = false WHERE oid = 'orders'::regclass}), qr/system catalog/, 'nor are triggers hidden');
$node->safe_psql('postgres', q{SELECT heap_force_kill('orders', ARRAY[(SELECT ctid FROM orders WHERE id = 1)])});
like($node->safe_psql('postgres', q{SELECT finding, record_key FROM audit.reconcile('orders')}), qr/^missing in the table\|1$/m, 'a row that a tool of repair took is named');

$node->stop;
done_testing();

# Run it as somebody; the row with the latest id is in the table, and its event in the trail.
sub recorded
{
	my ($command, $who, $how) = @_;
	my $error = refuse($node, $command, '-U', $who);

	is($error . $node->safe_psql('postgres', "SELECT (SELECT count(*) FROM orders WHERE id = $id), (SELECT count(*) FROM audit.history('orders', '$id') WHERE action = 'insert')"),
		'1|1', "$who is recorded in spite of $how");
	return;
}
