# Reading a table that is watched is on record: once a command, by every way through the executor, whatever becomes of it.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Polling;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Told;
use Workers;

my $node = PostgreSQL::Test::Cluster->new('table_reads');

$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\nmax_worker_processes = 20\nfsync = off\nmax_prepared_transactions = 5\n"
	  . "audit_trail.debug_points = 'collector-before-commit'\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION audit_trail;
	CREATE ROLE anna LOGIN; GRANT pg_read_all_data, pg_write_all_data TO anna; GRANT CREATE ON SCHEMA public TO anna;
	CREATE TABLE people (id int PRIMARY KEY, name text, email text, iban text); INSERT INTO people SELECT g, 'n' || g, 'e' || g, 'i' || g FROM generate_series(1, 10) g;
	CREATE TABLE orders (id int PRIMARY KEY, person int REFERENCES people ON DELETE CASCADE, total int); INSERT INTO orders SELECT g, g % 10 + 1, g FROM generate_series(1, 20) g;
	CREATE TABLE parts (id int, v text) PARTITION BY LIST (id); CREATE TABLE part1 PARTITION OF parts FOR VALUES IN (1); INSERT INTO parts VALUES (1, 'a');
	CREATE TABLE parent (id int); CREATE TABLE child (x int) INHERITS (parent); INSERT INTO child VALUES (1, 2);
	CREATE TABLE plain (id int); CREATE TABLE mine (t text); GRANT ALL ON mine TO anna; ALTER TABLE mine OWNER TO anna;
	CREATE VIEW names AS SELECT id, name FROM people;
	CREATE FUNCTION sql_f() RETURNS bigint LANGUAGE sql AS 'SELECT count(email) FROM people';
	CREATE FUNCTION pl_f() RETURNS bigint LANGUAGE plpgsql AS 'DECLARE r record; n int := 0; BEGIN FOR r IN SELECT email FROM people LOOP n := n + 1; PERFORM iban FROM people WHERE id = n; END LOOP; RETURN n; END';
	CREATE MATERIALIZED VIEW mat AS SELECT name FROM people; ALTER MATERIALIZED VIEW mat OWNER TO anna;
	SELECT audit.enable('orders', reads => true), audit.enable('people', read_columns => '{email,iban}'), audit.enable('parts', reads => true),
		audit.enable('parent', reads => true), audit.enable('plain')});
workers_run($node, 'postgres', 'workers run');
ways('async');

# names: what is watched follows them
$node->safe_psql('postgres', 'ALTER TABLE people RENAME email TO mail; ALTER TABLE people RENAME TO persons');
reads_are('SELECT mail FROM persons', 'persons||["mail"]|10', 'a column that got another name');
reads_are('SELECT name FROM persons', '', 'others still are not watched');
$node->safe_psql('postgres', 'ALTER TABLE persons RENAME mail TO email; ALTER TABLE persons RENAME TO people');
$node->safe_psql('postgres', q{SELECT audit.disable('people', 'test'); SELECT audit.enable('people', read_columns => '{email,iban}', query => true)});

# the text by policy, the origin
forget_told($node);
run_as($node, 'postgres', q{SET audit_trail.actor = 'Anna A.'; SELECT email FROM people WHERE id = 3; SELECT email, 'hunter2' AS password FROM people}, '-U', 'anna');
is(told($node, 2, q{actor, login_user, context, category, event_type, action, new_values ->> 'statement'}, q{action = 'read'}),
	"Anna A.|anna|orders|access|people.read|read|SELECT email FROM people WHERE id = 3\nAnna A.|anna|orders|access|people.read|read|SELECT email, '***' AS password FROM people",
	'the text where the policy wants it, without secrets');

# durable: nothing reaches the client before
$node->append_conf('postgresql.conf', 'audit_trail.read_durability = sync');
$node->reload;
ways('sync');
my $gate = $node->background_psql('postgres');
foreach my $command ('SELECT email FROM people', 'COPY people TO STDOUT', 'COPY (SELECT email FROM people) TO STDOUT', 'SELECT pl_f()',
	'BEGIN; DECLARE c CURSOR FOR SELECT email FROM people; FETCH ALL FROM c; COMMIT', q{PREPARE p AS SELECT email FROM people; EXECUTE p},
	'UPDATE people SET name = name RETURNING email')
{
	forget_told($node);
	$gate->query_safe(q{SELECT pg_advisory_lock(1096107092, hashtext('collector-before-commit'))});
	run_as($node, 'postgres', "SET statement_timeout = '1s'; $command", '-U', 'anna');
	unlike($node->{told_out}, qr/e1|e10|^10$/m, "no row before the record is on disk: $command");
	$gate->query_safe(q{SELECT pg_advisory_unlock(1096107092, hashtext('collector-before-commit'))});
	isnt(told($node, 1, 'new_values', q{action = 'read'}), '', 'though it is recorded');
	run_as($node, 'postgres', $command, '-U', 'anna');
	like($node->{told_out}, qr/e1|e10|^10$/m, 'and all of them afterwards');
}
$gate->quit;
$node->safe_psql('postgres', 'SELECT email FROM people');
$node->stop('immediate');
$node->start;
workers_run($node, 'postgres', 'workers run after a crash');
like($node->safe_psql('postgres', q{SELECT new_values FROM audit.events WHERE action = 'read' ORDER BY tx_id DESC, ordinal DESC LIMIT 1}), qr/"statement":"SELECT email FROM people"/,
	'what the client got is on record, whatever happens to the server');
is($node->safe_psql('postgres', q{SELECT count(*) FROM audit.event WHERE new_values::text ~ 'hunter2'}), '0', 'no secret is on record');
is($node->safe_psql('postgres', q{SELECT string_agg(finding, ',') FROM audit.reconcile('people') WHERE finding <> 'summary' AND finding !~ 'missing'}), '', 'reads are no changes');

# a version of a table that is rolled back, as its owner may do it, holds up nobody
forget_told($node);
run_as($node, 'postgres', q{BEGIN; ALTER TABLE people ADD x int; SELECT email FROM people; ROLLBACK; SELECT email FROM people WHERE id = 1});
is(told($node, 2, q{event_type, new_values ->> 'table', new_values ->> 'rows'}, q{action = 'read'}), "table.read|people|10\npeople.read||1",
	'a read of a table as it never was is on record, and so is what comes after it');
$node->safe_psql('postgres', 'SELECT audit.seal_now()');
like($node->safe_psql('postgres', 'SELECT finding, object FROM audit.verify()'), qr/\Asummary\|ok\z/, 'all of it verifies');
$node->stop;
done_testing();

# All the ways to read.
sub ways
{
	my ($mode) = @_;

	note("read_durability = $mode");
	reads_are('SELECT id, total FROM orders', 'orders||["id","total"]|20', 'SELECT');
	reads_are('SELECT * FROM orders WHERE id = 3', 'orders||["id","person","total"]|1', 'a row');
	reads_are('SELECT count(*) FROM orders', 'orders||[]|1', 'no column at all');
	reads_are('SELECT o FROM orders o WHERE false', 'orders||["*"]|0', 'no row at all');
	reads_are('SELECT id, name FROM people', '', 'columns that are not watched');
	reads_are('SELECT name FROM people WHERE iban > $$$$', 'people||["name","iban"]|10', 'a watched one in WHERE alone');
	reads_are('SELECT * FROM plain', '', 'a table that is not watched');
	reads_are('SELECT name FROM names', '', 'a view on other columns');
	reads_are('CREATE OR REPLACE VIEW v AS SELECT id, email FROM people; SELECT id FROM v', 'people||["id","email"]|10', 'a view, with what it is made of');
	reads_are('SELECT email, total FROM people p JOIN orders o ON o.person = p.id', qq{orders||["person","total"]|20\npeople||["id","email"]|20}, 'a join');
	reads_are('SELECT 1 FROM orders a JOIN orders b USING (id) WHERE a.total > 0', 'orders||["id","total"]|20', 'a table twice, once');
	reads_are('SELECT (SELECT max(email) FROM people), EXISTS (SELECT 1 FROM orders)', qq{orders||[]|1\npeople||["email"]|1}, 'subqueries');
	reads_are('WITH c AS MATERIALIZED (SELECT email FROM people) SELECT count(*) FROM c', 'people||["email"]|1', 'WITH');
	reads_are('SELECT sql_f()', 'people||["email"]|1', 'a function in SQL');
	reads_are('SELECT pl_f()', $mode eq 'sync' ? 'people||["id","email","iban"]|20' : 'people||["id","email","iban"]|20', 'a function in PL/pgSQL, in one');
	reads_are('DO $$ BEGIN PERFORM email FROM people; END $$', 'people||["email"]|10', 'DO');
	reads_are('PREPARE p AS SELECT email FROM people WHERE id < $1; EXECUTE p(3); EXECUTE p(5)', qq{people||["id","email"]|2\npeople||["id","email"]|4}, 'EXECUTE, each time');
	reads_are('BEGIN; DECLARE c CURSOR FOR SELECT email FROM people; FETCH 3 FROM c; FETCH 2 FROM c; CLOSE c; COMMIT', qq{people||["email"]|3\npeople||["email"]|2}, 'a cursor, by what is fetched');
	reads_are('BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT email FROM people; COMMIT; FETCH 1 FROM c', 'people||["email"]|10', 'one that is kept at commit: all that is kept');
	reads_are('EXPLAIN ANALYZE SELECT email FROM people', 'people||["email"]|10', 'EXPLAIN ANALYZE');
	reads_are('EXPLAIN SELECT email FROM people', '', 'EXPLAIN alone reads nothing');
	reads_are('COPY orders TO STDOUT', $mode eq 'sync' ? 'orders||["id","person","total"]|20' : 'orders||["*"]|20', 'COPY of a table');
	reads_are('COPY people (id, email) TO STDOUT', 'people||["id","email"]|10', 'COPY of columns');
	reads_are('COPY people (id, name) TO STDOUT', '', 'COPY of others');
	reads_are('COPY (SELECT email FROM people) TO STDOUT', 'people||["email"]|10', 'COPY of a query');
	reads_are('INSERT INTO mine SELECT email FROM people', 'people||["email"]|10', 'INSERT ... SELECT');
	reads_are('UPDATE mine SET t = (SELECT max(email) FROM people)', qr/^people\|\|\["email"\]\|\d+$/, 'UPDATE from it');
	reads_are('DELETE FROM mine USING people WHERE t = email', qr/^people\|\|\["email"\]\|\d+$/, 'DELETE by it');
	reads_are('CREATE TABLE IF NOT EXISTS copied AS SELECT email FROM people', 'people||["email"]|10', 'CREATE TABLE AS');
	reads_are('DROP TABLE copied', '', 'nothing');
	reads_are('BEGIN; UPDATE people SET name = name WHERE iban = $$i3$$ RETURNING email; ROLLBACK', 'people||["name","email","iban"]|1', 'RETURNING, and WHERE of a change');
	reads_are('BEGIN; DELETE FROM people WHERE email = $$nobody$$; ROLLBACK', 'people||["email"]|0', 'a change that only asks');
	reads_are('SELECT * FROM parts', 'parts||["id","v"]|1', 'a partitioned table, once');
	reads_are('SELECT v FROM part1', 'parts|part1|["v"]|1', 'a partition read directly');
	reads_are('SELECT * FROM parent', 'parent||["id"]|1', 'a parent');
	reads_are('SELECT x FROM child', 'parent|child|["x"]|1', 'a child read directly');
	reads_are('SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET force_parallel_mode = on; SELECT count(email) FROM people',
		'people||["email"]|1', 'in parallel, once');
	reads_are('REFRESH MATERIALIZED VIEW mat', '', 'a materialized view of other columns');
	reads_are('BEGIN; SELECT email FROM people; ROLLBACK', 'people||["email"]|10', 'a transaction that is rolled back');
	reads_are('BEGIN; SAVEPOINT s; SELECT email FROM people; ROLLBACK TO s; COMMIT', 'people||["email"]|10', 'a savepoint');
	reads_are('BEGIN READ ONLY; SELECT email FROM people; COMMIT', 'people||["email"]|10', 'a read-only transaction');
	reads_are('SELECT 1 / (id - 5) FROM people WHERE email > $$$$', qr/^people\|\|\["id","email"\]\|\d+$/, 'one that fails in the middle');
	reads_are(q{SET statement_timeout = '200ms'; SELECT email, pg_sleep(1) FROM people}, qr/^people\|\|\["email"\]\|\d+$/, 'one that is cancelled');
	reads_are('BEGIN; INSERT INTO orders VALUES (100, 1, 1); INSERT INTO orders VALUES (101, 99, 1); COMMIT', '', 'checks of foreign keys are none');
	reads_are('BEGIN; DELETE FROM people WHERE id = 1; ROLLBACK', '', 'nor are their actions');
	reads_are(q{SELECT count(*) FROM audit.verify(); SELECT audit.seal_now()}, '', 'nor is our own work');
	return;
}

# anna's command gives these reads and no others: table, relation, columns, rows.
sub reads_are
{
	my ($command, $expected, $name) = @_;

	forget_told($node);
	run_as($node, 'postgres', $command, '-U', 'anna');
	my $got = told($node, ref $expected ? 1 : scalar(my @lines = split(/\n/, $expected)),
		q{table_name, coalesce(new_values ->> 'relation', ''), new_values -> 'columns', new_values ->> 'rows'}, q{op = 'S'} =~ s/op = 'S'/action = 'read'/r);
	$got = join "\n", sort split /\n/, $got if $name =~ /join|subqueries/;
	if (ref $expected) { like($got, $expected, $name) or diag($node->{told_out}); }
	else { is($got, $expected, $name); }
	return;
}
