# Commands about roles, privileges, policies, owners, settings and functions: each in the trail with its author, at
# every level, without a secret, if it was committed.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Told;
use Workers;

my $node = PostgreSQL::Test::Cluster->new('administer');

$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\nmax_worker_processes = 20\nfsync = off\n"
	  . "audit_trail.record_privileges = on\naudit_trail.record_denials = on\nmax_prepared_transactions = 5\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE ROLE boss SUPERUSER LOGIN; CREATE ROLE anna LOGIN; CREATE ROLE bob;
	CREATE EXTENSION audit_trail;
	CREATE TABLE orders (id int PRIMARY KEY, total numeric); CREATE SCHEMA s; CREATE TABLE s.t (id int); CREATE DATABASE other;
	SELECT audit.enable('orders')});
workers_run($node, 'postgres', 'workers run');

# event type, what it is about, what it says besides the command
told_of('CREATE ROLE carl LOGIN CREATEDB CONNECTION LIMIT 3 IN ROLE bob', 'role.created|carl|{"options": {"canlogin": true, "createdb": true, "addroleto": ["bob"], "connectionlimit": 3}}');
told_of(q{CREATE ROLE dora PASSWORD 'hunter2'}, 'role.created|dora|{"options": {"password": "***"}}');
told_of(q{ALTER ROLE dora VALID UNTIL '2030-01-01' PASSWORD NULL SUPERUSER}, 'role.altered|dora|{"options": {"password": "", "superuser": true, "validUntil": "2030-01-01"}}');
told_of('ALTER ROLE dora RENAME TO dorothea', 'role.altered|dora|{"new_name": "dorothea"}');
told_of('DROP ROLE dorothea', 'role.dropped|dorothea|{}');
told_of('GRANT bob, carl TO anna WITH ADMIN OPTION', 'role.granted|anna|{"roles": ["bob", "carl"]}');
told_of('ALTER GROUP bob DROP USER anna', 'role.revoked|anna|{"roles": ["bob"]}');
told_of('REVOKE carl FROM anna', 'role.revoked|anna|{"roles": ["carl"]}');
told_of('GRANT SELECT, UPDATE (total) ON orders TO anna', 'privilege.granted|table public.orders|{"to": ["anna"], "privileges": ["SELECT", "UPDATE (total)"]}');
told_of('GRANT SELECT ON orders, s.t TO anna',
	qq{privilege.granted|table public.orders|{"to": ["anna"], "privileges": ["SELECT"]}\nprivilege.granted|table s.t|{"to": ["anna"], "privileges": ["SELECT"]}});
told_of('GRANT ALL ON orders TO anna WITH GRANT OPTION', 'privilege.granted|table public.orders|{"to": ["anna"], "privileges": ["ALL"], "grant_option": true}');
told_of('REVOKE ALL ON orders FROM PUBLIC', 'privilege.revoked|table public.orders|{"from": ["public"], "privileges": ["ALL"]}');
told_of('GRANT USAGE ON SCHEMA s TO anna', 'privilege.granted|schema s|{"to": ["anna"], "privileges": ["USAGE"]}');
told_of('GRANT SELECT ON ALL TABLES IN SCHEMA s TO anna', 'privilege.granted|every table in schema s|{"to": ["anna"], "privileges": ["SELECT"]}');
told_of('GRANT SET ON PARAMETER work_mem TO anna', 'privilege.granted|parameter work_mem|{"to": ["anna"], "privileges": ["SET"]}');
told_of('ALTER DEFAULT PRIVILEGES FOR ROLE boss IN SCHEMA s GRANT SELECT ON TABLES TO anna',
	'default_privileges.changed|every new table|{"to": ["anna"], "of_roles": ["boss"], "in_schemas": "s", "privileges": ["SELECT"]}');
told_of('CREATE POLICY p ON s.t USING (id > 0)', 'policy.created|p on s.t|{}');
told_of('ALTER POLICY p ON s.t USING (true)', 'policy.altered|p on s.t|{}');
told_of('ALTER TABLE s.t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', qq{policy.altered|s.t|{"row_security": "enabled"}\npolicy.altered|s.t|{"row_security": "forced"}});
told_of('ALTER TABLE s.t DISABLE ROW LEVEL SECURITY', 'policy.altered|s.t|{"row_security": "disabled"}');
told_of('DROP POLICY p ON s.t', 'policy.dropped|p on s.t|{}');
told_of('ALTER TABLE s.t OWNER TO anna', 'owner.changed|table s.t|{"owner": "anna"}');
told_of('ALTER SCHEMA s OWNER TO anna', 'owner.changed|schema s|{"owner": "anna"}');
told_of('REASSIGN OWNED BY anna TO boss', 'owner.changed|owned anna|{"owner": "boss"}');
told_of('ALTER DATABASE other OWNER TO boss', 'owner.changed|database other|{"owner": "boss"}');
told_of(q{ALTER SYSTEM SET work_mem = '5MB'}, 'setting.changed|work_mem|{"scope": "system", "value": "5MB"}');
told_of('ALTER SYSTEM RESET ALL', 'setting.changed|all|{"scope": "system", "value": null}');
told_of(q{ALTER SYSTEM SET primary_conninfo = 'host=h password=hunter2'}, 'setting.changed|primary_conninfo|{"scope": "system", "value": "***"}');
told_of('ALTER SYSTEM RESET primary_conninfo', 'setting.changed|primary_conninfo|{"scope": "system", "value": null}');
told_of(q{ALTER ROLE anna IN DATABASE other SET search_path = s, public}, 'setting.changed|search_path|{"role": "anna", "scope": "role", "value": "s, public", "database": "other"}');
told_of(q{ALTER ROLE ALL SET app.api_key = 'hunter2'}, 'setting.changed|app.api_key|{"role": "all", "scope": "role", "value": "***"}');
told_of('ALTER ROLE ALL RESET ALL', 'setting.changed|all|{"role": "all", "scope": "role", "value": null}');
told_of(q{ALTER DATABASE other SET work_mem = '1MB'}, 'setting.changed|work_mem|{"scope": "database", "value": "1MB", "database": "other"}');
told_of(q{CREATE FUNCTION s.f(a int, OUT b text) LANGUAGE sql AS 'SELECT 1::text'}, 'function.created|s.f(integer)|{}');
told_of(q{CREATE OR REPLACE PROCEDURE s.p(a int, INOUT b text) LANGUAGE sql AS 'SELECT b'}, 'function.created|s.p(integer,pg_catalog.text)|{}');
told_of('ALTER FUNCTION s.f SECURITY DEFINER', 'function.altered|s.f(integer)|{}');
told_of('ALTER FUNCTION s.f(int) RENAME TO g', 'function.altered|s.f|{"new_name": "g"}');
told_of('ALTER FUNCTION s.g(int) OWNER TO anna', 'owner.changed|function s.g(integer)|{"owner": "anna"}');
told_of('DROP FUNCTION s.g(int)', 'function.dropped|s.g(integer)|{}');
told_of('CREATE POLICY q ON s.t USING (true)', 'policy.created|q on s.t|{}');
told_of('DROP SCHEMA s CASCADE', "", 2);
told_of('CREATE SCHEMA AUTHORIZATION anna CREATE TABLE u (id int) GRANT SELECT ON u TO bob', 'privilege.granted|table anna.u|{"to": ["bob"], "privileges": ["SELECT"]}');
told_of('DROP OWNED BY anna', 'privilege.revoked|anna|{}');

# whatever is no such command, and what was not committed
told_of('CREATE TABLE more (id int); ALTER TABLE more ADD b int; SELECT 1', '');
told_of(q{BEGIN; CREATE ROLE ghost; ROLLBACK}, '');
told_of(q{BEGIN; SAVEPOINT s; CREATE ROLE ghost; ROLLBACK TO s; CREATE ROLE emil; COMMIT}, 'role.created|emil|{"options": {}}');
told_of(q{CREATE ROLE emil}, '');
told_of(q{BEGIN; CREATE ROLE fred; PREPARE TRANSACTION 'x'; COMMIT PREPARED 'x'}, 'role.created|fred|{"options": {}}');

# at every level, by whom
$node->safe_psql('postgres', q{
	CREATE FUNCTION make(n text, p text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN EXECUTE format('CREATE ROLE %I PASSWORD %L', n, p); END $$;
	ALTER FUNCTION make(text, text) OWNER TO boss});
forget_told($node);
run_as($node, 'postgres', q{SET audit_trail.actor = 'eve'; SELECT make('gina', 'hunter2')}, '-U', 'anna');
is(told($node, 1, q{event_type, resource_id, login_user, db_user, db_role, actor, action, category, new_values ->> 'statement'}, q{action = 'administer'}),
	q{role.created|gina|anna|anna|boss|eve|administer|authorization|CREATE ROLE gina PASSWORD '***'}, 'in a function, with its author');

# hostile ways to get a secret into the trail, or the server's log line
foreach my $command (
	q{CREATE ROLE h1 PASSWORD $$hunter2$$; SELECT 1},
	q{CREATE ROLE h2 PASSWORD 'hunter2'\; CREATE ROLE h3 ENCRYPTED PASSWORD E'hunter2'\; SELECT 1/0},
	q{CREATE ROLE h4 PASSWORD U&'hunter2'},
	q{ALTER ROLE no_such_role PASSWORD 'hunter2'},
	q{DO $x$ BEGIN EXECUTE 'ALTER ROLE bob PASSWORD ''hunter2'''; DROP TABLE audit.event; END $x$},
	q{ALTER SYSTEM SET ssl_passphrase_command = 'echo hunter2'},
	q{ALTER SYSTEM RESET ssl_passphrase_command},
	q{ALTER ROLE bob SET my.token = 'hunter2'},
	q{SET ROLE anna; ALTER ROLE boss PASSWORD 'hunter2'},
	q{SET ROLE anna; SELECT make('h5', 'hunter2'), 1/0},
	q{SET ROLE bob; CREATE FUNCTION pg_catalog.x() RETURNS text LANGUAGE sql AS $$SELECT 'hunter2'$$},
	q{CREATE FUNCTION x() RETURNS text LANGUAGE sql AS $$SELECT dblink('host=h password=hunter2')$$})
{
	run_as($node, 'postgres', $command);
	run_as($node, 'other', $command);
}
forget_told($node);
$node->safe_psql('postgres', 'SELECT audit.seal_now(); CHECKPOINT');
is($node->safe_psql('postgres', q{SELECT count(*) FROM audit.event WHERE old_values::text || new_values::text || extra::text ~ 'hunter2' OR new_values::text ~ 'hunter2'}), '0',
	'no event has a secret');
my @leaks = grep { -f $_ && slurp_file($_) =~ /hunter2/ } map { $node->data_dir . '/' . $_ } split /\n/, $node->safe_psql('postgres', q{
	SELECT pg_relation_filepath(c.oid) FROM pg_class c WHERE relnamespace = 'audit'::regnamespace AND pg_relation_filepath(c.oid) IS NOT NULL
	UNION SELECT pg_relation_filepath(c.reltoastrelid) FROM pg_class c WHERE relnamespace = 'audit'::regnamespace AND reltoastrelid <> 0});
is("@leaks", '', 'nor has a file of the ledger');
unlike(join('', grep { /audit_trail record/ } split /^/, slurp_file($node->logfile)), qr/hunter2/, 'nor has a line of ours in the log of the server');

# databases without a ledger: what is of the whole server
my $log = -s $node->logfile;
$node->safe_psql('other', q{CREATE ROLE ina; GRANT bob TO ina; CREATE TABLE t (id int); GRANT SELECT ON t TO ina; BEGIN; CREATE ROLE ghost; ROLLBACK});
my @lines = slurp_file($node->logfile, $log) =~ /audit_trail record: (\{.*\})$/mg;
is(scalar @lines, 2, 'in the log, where no database is for it');
is($node->safe_psql('postgres', qq{SELECT l ->> 'event_type', l ->> 'resource_id', l ->> 'database', l ->> 'db_user' = current_user, (l ->> 'occurred_at')::timestamptz > now() - interval '1 hour'
	FROM (VALUES (\$l\$$lines[0]\$l\$::jsonb), (\$l\$$lines[1]\$l\$)) AS v (l)}), "role.created|ina|other|t|t\nrole.granted|ina|other|t|t", 'each as a line of JSON');
$node->append_conf('postgresql.conf', "audit_trail.cluster_database = 'postgres'");
$node->reload;
forget_told($node);
$node->safe_psql('other', q{DROP TABLE t; DROP ROLE ina; BEGIN; CREATE ROLE ghost; ROLLBACK; BEGIN; SAVEPOINT s; CREATE ROLE ghost; ROLLBACK TO s; CREATE ROLE jim; COMMIT});
is(told($node, 2, q{event_type, resource_id, new_values ->> 'in_database'}, q{action = 'administer'}), "role.dropped|ina|other\nrole.created|jim|other", 'or in the trail of the one that is');

like($node->safe_psql('postgres', 'SELECT audit.seal_now() IS NULL; SELECT finding, object FROM audit.verify()'), qr/summary\|ok\z/, 'all of it verifies');
$node->append_conf('postgresql.conf', 'audit_trail.record_privileges = off');
$node->reload;
told_of('CREATE ROLE kim', '');
$node->stop;
done_testing();

# A command, as boss, gives these events and no others; or their number, if there is nothing expected.
sub told_of
{
	my ($command, $expected, $count) = @_;

	forget_told($node);
	run_as($node, 'postgres', $command, '-U', 'boss');
	$count //= scalar(my @lines = split(/\n/, $expected));

	my $got = told($node, $count, q{event_type, resource_id, new_values::jsonb - 'statement'}, q{action = 'administer'});

	if ($expected eq '' && $count > 0) { cmp_ok(scalar(my @got = split(/\n/, $got)), '>=', $count, $command) or diag($got); }
	else { is($got, $expected, $command) or diag($node->{told_out}); }
	return;
}
