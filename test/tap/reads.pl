# Reading the trail is an event: one a command, by every way that leads through the executor, whoever reads, and
# whatever becomes of the transaction.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('reads');
my ($seen, $barrier) = (0, 0);

$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\nmax_worker_processes = 20\naudit_trail.record_reads = on\n"
	  . "max_prepared_transactions = 5\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION audit_trail;
	CREATE TABLE orders (id int PRIMARY KEY, total numeric);
	SELECT audit.enable('orders'), audit.create_roles();
	CREATE ROLE anna LOGIN; GRANT audit_auditor TO anna; GRANT SELECT ON orders TO anna; GRANT pg_write_server_files TO anna;
	CREATE ROLE bob LOGIN; GRANT audit_scoped_auditor TO bob;
	CREATE ROLE nobody LOGIN; GRANT pg_read_all_data TO nobody;
	INSERT INTO audit.grant (name, grantee, tables, expires_at) VALUES ('o', 'bob', '{orders}', 'infinity');
	INSERT INTO orders SELECT g, g FROM generate_series(1, 20) AS g;
	UPDATE orders SET total = 0 WHERE id = 7;
	CREATE TABLE mine (v text); GRANT ALL ON mine TO PUBLIC; GRANT CREATE ON SCHEMA public TO PUBLIC});

# who, what, how many, how
reads_are('anna', 'SELECT new_values FROM audit.events WHERE table_name = $$orders$$', 'anna|audit.events|21|SELECT', 'an auditor');
reads_are('bob', q{SELECT 1 FROM audit.events}, 'bob|audit.events|21|SELECT', 'a scoped auditor');
reads_are('nobody', q{SELECT 1 FROM audit.events}, 'nobody|audit.events|0|SELECT', 'somebody who sees nothing');
reads_are('anna', q{SELECT * FROM audit.history('orders', '7')}, qr/^anna\|audit\.(events|record_event)\|\d+\|SELECT$/, 'the life of a row');
reads_are('anna', q{SELECT count(*) FROM orders o, LATERAL audit.history('orders', o.id::text) h}, qr/^anna\|[^|]*\|\d+\|SELECT$/,
	'twenty lives in one command');
reads_are('anna', q{SELECT count(*) FROM audit.event}, 'anna|audit.event|1|SELECT', 'the ledger');
reads_are(undef, q{SELECT count(*) FROM audit.event_1_default}, qr/\|audit\.event_1_default\|1\|SELECT$/, 'a partition, by a superuser');
reads_are('anna', q{CREATE VIEW my_view AS SELECT actor FROM audit.events; SELECT count(*) FROM my_view; DROP VIEW my_view},
	'anna|audit.events|1|SELECT', 'a view over it');

# commands of other kinds
reads_are('anna', q{INSERT INTO mine SELECT new_values FROM audit.events}, 'anna|audit.events|N|INSERT', 'INSERT');
reads_are('anna', q{CREATE TABLE copied AS SELECT * FROM audit.events LIMIT 3}, 'anna|audit.events|3|CREATE TABLE AS', 'CREATE TABLE AS');
reads_are('anna', q{COPY (SELECT * FROM audit.events LIMIT 4) TO STDOUT}, 'anna|audit.events|4|COPY', 'COPY of a query');
reads_are(undef, q{COPY audit.event_default TO STDOUT}, qr/\|audit\.event_default\|0\|COPY$/, 'COPY of a table, below the executor');
reads_are('anna', q{UPDATE mine SET v = (SELECT max(actor) FROM audit.events)}, qr/^anna\|audit\.events\|\d+\|UPDATE$/, 'UPDATE');
reads_are('anna', q{WITH d AS (DELETE FROM mine RETURNING 1) SELECT count(*) FROM d, audit.events}, 'anna|audit.events|1|SELECT', 'a data-modifying query');
reads_are('anna', q{PREPARE p AS SELECT 1 FROM audit.events LIMIT 2; EXECUTE p; EXECUTE p}, "anna|audit.events|2|EXECUTE\nanna|audit.events|2|EXECUTE",
	'EXECUTE, each time');
reads_are('anna', q{BEGIN; DECLARE c CURSOR FOR SELECT 1 FROM audit.events; FETCH 3 FROM c; FETCH 2 FROM c; MOVE ALL IN c; COMMIT},
	qr/^anna\|audit\.events\|3\|FETCH\nanna\|audit\.events\|2\|FETCH\nanna\|audit\.events\|\d+\|MOVE$/, 'a cursor, by what is fetched');
reads_are('anna', q{DO $$ DECLARE r record; BEGIN FOR r IN SELECT * FROM audit.events LIMIT 5 LOOP PERFORM count(*) FROM audit.events; END LOOP; END $$},
	'anna|audit.events|10|DO', 'a function that reads many times');
reads_are('anna', q{EXPLAIN ANALYZE SELECT 1 FROM audit.events LIMIT 1}, 'anna|audit.events|1|EXPLAIN', 'EXPLAIN ANALYZE');
reads_are('anna', q{EXPLAIN SELECT 1 FROM audit.events LIMIT 1}, '', 'EXPLAIN alone reads nothing');
reads_are('anna', q{SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
	SELECT set_config(name, 'on', false) FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query'); SELECT count(*) FROM audit.event}, 'anna|audit.event|1|SELECT', 'in parallel, once');

# whatever becomes of it
reads_are('anna', q{BEGIN; SELECT 1 FROM audit.events LIMIT 3; ROLLBACK}, 'anna|audit.events|3|SELECT', 'a transaction that is rolled back');
reads_are('anna', q{BEGIN; SAVEPOINT s; SELECT 1 FROM audit.events LIMIT 3; ROLLBACK TO s; COMMIT}, 'anna|audit.events|3|SELECT', 'a savepoint');
reads_are('anna', q{SELECT 1 / (ordinal - 5) FROM audit.event WHERE op = 'I' AND target_id = (SELECT max(target_id) FROM audit.event WHERE record_key = '7')},
	qr/^anna\|audit\.event\|\d+\|SELECT$/, 'a query that fails in the middle', 1);
reads_are('anna', q{BEGIN READ ONLY; SELECT 1 FROM audit.events LIMIT 3; COMMIT}, 'anna|audit.events|3|SELECT', 'a read-only transaction');
reads_are('anna', q{SET transaction_read_only = on; SET statement_timeout = '200ms'; SELECT pg_sleep(10) FROM audit.events},
	'anna|audit.events|0|SELECT', 'a query that is cancelled', 1);
reads_are('anna', q{SELECT pg_terminate_backend(pg_backend_pid()) FROM audit.events}, qr/^anna\|audit\.events\|\d+\|SELECT$/, 'a session that is terminated', 1);
reads_are(undef, q{BEGIN; SELECT 1 FROM audit.events LIMIT 3; INSERT INTO mine VALUES (1); PREPARE TRANSACTION 'p'; ROLLBACK PREPARED 'p'},
	qr/\|audit\.events\|3\|SELECT$/, 'a prepared transaction');

# what is no reading
reads_are('anna', q{SELECT count(*) FROM audit.verify(); SELECT count(*) FROM audit.doctor(); SELECT * FROM audit.seal_lag()}, '', 'verification and the doctor');
reads_are('anna', q{SELECT count(*) FROM audit.transaction, audit.target; SELECT count(*) FROM orders; SELECT 'audit.events'}, '', 'other tables');
reads_are(undef, q{UPDATE orders SET total = 1 WHERE id = 8; SELECT audit.seal_now()}, '', 'capture and sealing');

# the text, bounded, without secrets, and who says it
$node->safe_psql('postgres', q{SELECT set_config('audit_trail.actor', 'Anna A.', false), set_config('audit_trail.reason', 'case 12', false);
	SELECT count(*) /* } . ('x' x 20000) . q{ */ FROM audit.events; SELECT count(*), 'secret' AS password FROM audit.events}, extra_params => [ '-U', 'anna' ]);
is(scalar new_reads(2), 2, 'two commands of one session');
is($node->safe_psql('postgres', q{
	SELECT actor, reason, login_user, category, event_type, resource_type, length(new_values ->> 'statement') <= 4000,
		(new_values ->> 'statement_bytes')::int > 20000, new_values ->> 'statement' ~ 'secret' /* watch */
	FROM audit.events WHERE action = 'read' AND new_values ->> 'statement' !~ 'watch' ORDER BY tx_id DESC, ordinal DESC LIMIT 2}),
	"Anna A.|case 12|anna|access|audit.read|trail|t||f\nAnna A.|case 12|anna|access|audit.read|trail|t|t|f", 'the text is bounded and has no secrets');

# a dump reads too, and what reads told verifies
$node->command_ok([ 'pg_dump', '-f', '/dev/null', '-d', $node->connstr('postgres') ], 'pg_dump');
my @dumped = new_reads(2);
cmp_ok(scalar(grep { /\|audit\.event_\w+\|\d+\|COPY$/ } @dumped), '>', 2, 'each partition that a dump copies');
is($node->safe_psql('postgres', 'SELECT audit.seal_now() IS NULL; SELECT object FROM audit.verify()'), "f\nok", 'all of it verifies');

# who reads cannot switch it off
foreach my $command (q{SET audit_trail.record_reads = off}, q{ALTER SYSTEM SET audit_trail.record_reads = off}, q{ALTER ROLE anna SET audit_trail.record_reads = off})
{
	isnt($node->psql('postgres', $command), 0, "refused: $command");
}
$node->append_conf('postgresql.conf', 'audit_trail.record_reads = off');
$node->reload;
$node->safe_psql('postgres', 'SELECT count(*) FROM audit.events', extra_params => [ '-U', 'anna' ]);
$node->append_conf('postgresql.conf', 'audit_trail.record_reads = on');
$node->reload;
is(join("\n", new_reads(0)), '', 'the configuration file can');
$node->stop;
done_testing();

# The command, as this role, gives these reads and no others: login, object, rows, command; N stands for any number.
sub reads_are
{
	my ($role, $command, $expected, $name, $fails) = @_;
	my ($status) = $node->psql('postgres', $command, extra_params => defined $role ? [ '-U', $role ] : []);
	my $count = $expected eq '' ? 0 : 1 + (() = "$expected" =~ /\n|\\n/g);
	my @new;

	$fails ? isnt($status, 0, "$name: fails") : is($status, 0, "$name: runs");
	@new = new_reads($count);
	s/\|\d+\|/|N|/ foreach !ref $expected && $expected =~ /\|N\|/ ? @new : ();
	ref $expected ? like(join("\n", @new), $expected, $name) : is(join("\n", @new), $expected, $name);
	return;
}

# The reads since the last call, of which so many are expected. Reads of our own are told by their text. What is recorded
# comes in order: when a read of ours is there, all before it are.
sub new_reads
{
	my ($expected) = @_;
	my @reads;

	$node->poll_query_until('postgres', "SELECT count(*) >= $seen + $expected FROM audit.events WHERE action = 'read' AND new_values ->> 'statement' !~ 'watch'");
	$barrier++;
	$node->safe_psql('postgres', "SELECT 'watch $barrier.' FROM audit.events LIMIT 1");
	$node->poll_query_until('postgres', "SELECT count(*) > 0 /* watch */ FROM audit.events WHERE action = 'read' AND new_values ->> 'statement' ~ 'watch $barrier\[.]'");
	@reads = split /\n/, $node->safe_psql('postgres', qq{
		SELECT concat_ws('|', login_user, new_values ->> 'object', new_values ->> 'rows', new_values ->> 'command') /* watch */
		FROM audit.events WHERE action = 'read' AND new_values ->> 'statement' !~ 'watch' ORDER BY tx_id, ordinal OFFSET $seen});
	$seen += @reads;
	return @reads;
}
