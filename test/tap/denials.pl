# What was refused for want of privilege: by whom, of what, at every level, and whatever becomes of it.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Told;
use Workers;

my $node = PostgreSQL::Test::Cluster->new('denials');

$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\nmax_worker_processes = 20\nfsync = off\n"
	  . "audit_trail.record_denials = on\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION audit_trail;
	CREATE ROLE mallory LOGIN; CREATE ROLE owner;
	CREATE TABLE payroll (id int PRIMARY KEY, salary int, name text); SELECT audit.enable('payroll');
	INSERT INTO payroll VALUES (1, 100, 'a');
	GRANT SELECT (id) ON payroll TO mallory;
	CREATE TABLE parts (id int) PARTITION BY LIST (id); CREATE TABLE part1 PARTITION OF parts FOR VALUES IN (1);
	SELECT audit.enable('parts');
	CREATE TABLE rows (id int PRIMARY KEY, who text); ALTER TABLE rows ENABLE ROW LEVEL SECURITY;
	CREATE POLICY own ON rows USING (who = current_user); GRANT ALL ON rows TO mallory; SELECT audit.enable('rows');
	CREATE TABLE plain (id int);
	CREATE SCHEMA hidden; CREATE TABLE hidden.t (id int);
	CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; REVOKE ALL ON FUNCTION f() FROM PUBLIC;
	CREATE VIEW names AS SELECT name FROM payroll;
	CREATE FUNCTION probe(t text) RETURNS text LANGUAGE plpgsql AS $$
		BEGIN EXECUTE t; RETURN 'done'; EXCEPTION WHEN OTHERS THEN RETURN SQLERRM; END $$;
	GRANT CREATE ON SCHEMA public TO mallory; GRANT ALL ON FUNCTION probe(text) TO mallory});
workers_run($node, 'postgres', 'workers run');

denied('SELECT * FROM payroll', 'payroll|public.payroll|SELECT|permission denied for table payroll', 'a table');
denied('SELECT id, salary FROM payroll', 'payroll|public.payroll|SELECT|permission denied for table payroll', 'a column');
denied('UPDATE payroll SET salary = 1000000 WHERE id = 1', 'payroll|public.payroll|UPDATE|permission denied for table payroll', 'an update');
denied('INSERT INTO payroll VALUES (2)', 'payroll|public.payroll|INSERT|permission denied for table payroll', 'an insert');
denied('TRUNCATE payroll', 'payroll|public.payroll|TRUNCATE TABLE|permission denied for table payroll', 'TRUNCATE');
denied('COPY payroll TO STDOUT', 'payroll|public.payroll|COPY|permission denied for table payroll', 'COPY');
denied('BEGIN; LOCK TABLE payroll', 'payroll|public.payroll|LOCK TABLE|permission denied for table payroll', 'LOCK');
denied('DROP TABLE plain', '|public.plain|DROP TABLE|must be owner of table plain', 'DROP TABLE');
denied('ALTER TABLE payroll ADD x int', 'payroll|public.payroll|ALTER TABLE|must be owner of table payroll', 'ALTER TABLE');
denied('GRANT SELECT ON payroll TO mallory', 'payroll|public.payroll|GRANT|permission denied for table payroll', 'GRANT');
denied('SELECT * FROM part1', 'parts|public.part1|SELECT|permission denied for table part1', 'a partition, by the table that is audited');
denied('SELECT * FROM names', '|||permission denied for view names', 'a view');
denied('SELECT * FROM plain', '|public.plain|SELECT|permission denied for table plain', 'a table that is not audited');
denied('SELECT * FROM hidden.t', '|||permission denied for schema hidden', 'a schema');
denied('SELECT f()', '||SELECT|permission denied for function f', 'a function');
denied(q{INSERT INTO rows VALUES (1, 'owner')}, 'rows|public.rows|INSERT|new row violates row-level security policy for table "rows"', 'a row that row security refuses');
denied('CREATE ROLE accomplice', '||CREATE ROLE|permission denied to create role', 'a role');
denied('SET ROLE owner', '||SET|permission denied to set role "owner"', 'SET ROLE');
denied(q{SELECT pg_read_file('/etc/passwd')}, '||SELECT|permission denied for function pg_read_file', 'a file');
denied('PREPARE p AS SELECT salary FROM payroll; EXECUTE p', 'payroll|public.payroll|EXECUTE|permission denied for table payroll', 'EXECUTE');
denied('BEGIN; DECLARE c CURSOR FOR SELECT salary FROM payroll; COMMIT', 'payroll|public.payroll|DECLARE CURSOR|permission denied for table payroll', 'a cursor');

# whatever becomes of it
denied('BEGIN READ ONLY; SELECT salary FROM payroll; ROLLBACK', 'payroll|public.payroll|SELECT|permission denied for table payroll', 'in a read-only transaction');
denied('BEGIN; SAVEPOINT s; SELECT salary FROM payroll; ROLLBACK TO s; COMMIT', 'payroll|public.payroll|SELECT|permission denied for table payroll', 'after a savepoint');
denied(q{SELECT probe('SELECT salary FROM payroll')}, 'payroll|public.payroll|SELECT|permission denied for table payroll', 'where a function catches the error');
denied(q{SELECT probe('SELECT * FROM hidden.t')}, '||SELECT|permission denied for schema hidden', 'where it catches one of parsing');
denied(q{SELECT probe('ALTER TABLE payroll ADD x int')}, 'payroll|public.payroll|SELECT|must be owner of table payroll', 'where it catches one of a command');
denied(q{DO $$ BEGIN FOR i IN 1 .. 50 LOOP PERFORM probe('SELECT salary FROM payroll'); END LOOP; END $$}, 'payroll|public.payroll|DO|permission denied for table payroll',
	'fifty times in one command: once');
denied(q{DO $$ BEGIN PERFORM probe('SELECT salary FROM payroll'); PERFORM probe('SELECT * FROM plain'); END $$},
	"payroll|public.payroll|DO|permission denied for table payroll\n|public.plain|DO|permission denied for table plain", 'two in one command: both');

# what is none
denied('SELECT id FROM payroll', '', 'what is allowed');
denied('SELECT * FROM no_such_table', '', 'an error of another kind');
denied('SELECT * FROM rows', '', 'rows that row security hides');

# who, whence, and no literals
forget_told($node);
{
	local $ENV{PGAPPNAME} = 'the attack';

	run_as($node, 'postgres', q{SET audit_trail.actor = 'eve'; SELECT * FROM payroll WHERE name = 'Smith' AND salary > 100 OR name = $$Jones$$}, '-U', 'mallory');
}
is(told($node, 1, q{login_user, db_user, actor, application_name, category, action, table_name, new_values ->> 'statement'}, q{event_type = 'access.denied'}),
	q{mallory|mallory|eve|the attack|security|refuse|payroll|SELECT * FROM payroll WHERE name = '***' AND salary > 100 OR name = '***'}, 'with its origin, and without literals');
$node->safe_psql('postgres', q{CREATE FUNCTION set_code(r text, p text) RETURNS void LANGUAGE plpgsql AS 'BEGIN EXECUTE format($q$ALTER ROLE %I PASSWORD %L$q$, r, p); END'});
forget_told($node);
run_as($node, 'postgres', q{SELECT set_code('owner', 'hunter2')}, '-U', 'mallory');
is(told($node, 1, q{new_values ->> 'statement'}, q{event_type = 'access.denied'}), q{SELECT set_code('***', '***')}, 'a password that nobody could know');
told_soon($node, sub { run_as($node, 'postgres', 'SELECT salary FROM payroll', '-U', 'mallory') }, 1, q{event_type = 'access.denied'}, 'a denied SELECT');
is($node->safe_psql('postgres', q{SELECT count(*) FROM audit.event WHERE new_values::text ~ 'hunter|Smith|Jones'}), '0', 'none is on record');

# the history and the count of the table are as they were
is($node->safe_psql('postgres', q{SELECT count(*) FROM audit.history('payroll', '1')}), '1', 'a refusal is no part of the life of a row');
is($node->safe_psql('postgres', q{SELECT finding FROM audit.reconcile('payroll')}), 'summary', 'nor of its rows');
$node->safe_psql('postgres', 'SELECT audit.seal_now()');
like($node->safe_psql('postgres', 'SELECT finding, object FROM audit.verify()'), qr/\Asummary\|ok\z/, 'all of it verifies');
$node->append_conf('postgresql.conf', 'audit_trail.record_denials = off');
$node->reload;
denied('SELECT * FROM payroll', '', 'the configuration file can switch it off');
$node->stop;
done_testing();

# What mallory is refused by a command, and no more: table of the target, object, command, message.
sub denied
{
	my ($command, $expected, $name) = @_;

	forget_told($node);
	run_as($node, 'postgres', $command, '-U', 'mallory');
	is(told($node, scalar(my @lines = split(/\n/, $expected)),
			q{CASE WHEN table_schema = 'public' THEN table_name ELSE '' END, coalesce(new_values ->> 'object', ''), coalesce(new_values ->> 'command', ''), new_values ->> 'message'},
			q{event_type = 'access.denied'}), $expected, $name);
	return;
}
