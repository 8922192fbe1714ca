# With read_durability = sync a read whose record cannot be on disk in time is refused, in every form, before any row reaches
# the client or a table from which it could be read; and the refusal is told.
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Waiting;
use Workers;

my $node = PostgreSQL::Test::Cluster->new('sync_refused');
my $wide = join ', ', map { sprintf '%s_%03d int', 'c' x 59, $_ } 1 .. 400;
my $read_in_parallel = q{SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
	SET force_parallel_mode = on; SELECT max(email) FROM people};

$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\nmax_worker_processes = 20\nfsync = off\nautovacuum = off\nmax_prepared_transactions = 5\n"
	  . "audit_trail.debug_points = 'collector-before-commit'\naudit_trail.record_denials = on\naudit_trail.record_sessions = off\n"
	  . "audit_trail.read_durability = sync\naudit_trail.ring_size = 64kB\naudit_trail.ring_timeout = 100ms\n");
$node->start;
$node->safe_psql('postgres', qq{
	CREATE EXTENSION audit_trail;
	CREATE ROLE anna LOGIN; GRANT pg_read_all_data, pg_write_all_data TO anna; GRANT CREATE ON SCHEMA public TO anna; GRANT pg_write_server_files TO anna;
	CREATE TABLE people (id int PRIMARY KEY, email text); INSERT INTO people SELECT g, 'mail' || g FROM generate_series(1, 9) g;
	CREATE TABLE orders (id int PRIMARY KEY); INSERT INTO orders VALUES (1);
	CREATE TABLE mine (t text); CREATE TABLE others (t text); ALTER TABLE mine OWNER TO anna; CREATE TABLE wide ($wide); INSERT INTO wide VALUES (1);
	CREATE VIEW seen AS SELECT email FROM people;
	CREATE FUNCTION sql_f() RETURNS text LANGUAGE sql AS 'SELECT max(email) FROM people';
	CREATE FUNCTION planned_f() RETURNS text IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT max(email) FROM people); END';
	CREATE FUNCTION pl_f() RETURNS SETOF text LANGUAGE plpgsql AS 'DECLARE r record; BEGIN FOR r IN SELECT email FROM people LOOP RETURN NEXT r.email; END LOOP; END';
	CREATE FUNCTION caught_f() RETURNS text LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT max(email) FROM people); EXCEPTION WHEN OTHERS THEN RETURN ''caught''; END';
	CREATE PROCEDURE keep() LANGUAGE plpgsql AS 'BEGIN INSERT INTO mine SELECT email FROM people; COMMIT; END';
	CREATE FUNCTION add() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO mine SELECT email FROM people; RETURN NULL; END';
	CREATE TRIGGER add AFTER INSERT ON others FOR EACH ROW EXECUTE FUNCTION add();
	CREATE FUNCTION add_late() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO mine SELECT email FROM people; RETURN NULL; END';
	CREATE TABLE late (t text); CREATE CONSTRAINT TRIGGER add AFTER INSERT ON late DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION add_late();
	CREATE TABLE secret (t text); CREATE ROLE bob LOGIN;
	SELECT audit.enable('people', reads => true, query => true), audit.enable('orders', reads => true), audit.enable('wide', reads => true)});
workers_run($node, 'postgres', 'workers run');

my %forms = (
	'SELECT' => 'SELECT email FROM people',
	'two tables' => 'SELECT email FROM people, orders',
	'a view' => 'SELECT email FROM seen',
	'a subquery' => 'SELECT (SELECT max(email) FROM people)',
	'WITH' => 'WITH c AS MATERIALIZED (SELECT email FROM people) SELECT max(email) FROM c',
	'a cursor' => 'BEGIN; DECLARE c CURSOR FOR SELECT email FROM people; FETCH 3 FROM c; COMMIT',
	'a cursor that is kept' => 'BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT email FROM people; COMMIT; FETCH 3 FROM c',
	'COPY of a table' => 'COPY people TO STDOUT',
	'COPY of columns' => 'COPY people (email) TO STDOUT',
	'COPY of a query' => 'COPY (SELECT email FROM people) TO STDOUT',
	'EXPLAIN ANALYZE' => 'EXPLAIN ANALYZE SELECT email FROM people',
	'a constant in a plan' => 'EXPLAIN SELECT planned_f()',
	'a function at planning' => 'SELECT planned_f()',
	'a function in SQL' => 'SELECT sql_f()',
	'a function that returns rows' => 'SELECT pl_f()',
	'a function in FROM' => 'SELECT * FROM pl_f()',
	'a function that catches errors' => 'SELECT caught_f()',
	'EXECUTE' => 'PREPARE p AS SELECT email FROM people; EXECUTE p',
	'in parallel' => $read_in_parallel,
	'RETURNING' => 'UPDATE people SET id = id RETURNING email',
	'INSERT' => 'INSERT INTO mine SELECT email FROM people',
	'INSERT, and a look at it' => "\\set ON_ERROR_STOP off\nBEGIN; INSERT INTO mine SELECT email FROM people; SELECT t FROM mine; COMMIT; SELECT t FROM mine",
	'UPDATE' => q{INSERT INTO mine VALUES (''); UPDATE mine SET t = (SELECT max(email) FROM people)},
	'a trigger' => q{INSERT INTO others VALUES ('')},
	'a deferred trigger' => q{INSERT INTO late VALUES ('')},
	'DO' => 'DO $$ BEGIN INSERT INTO mine SELECT email FROM people; END $$',
	'DO that commits' => 'DO $$ BEGIN INSERT INTO mine SELECT email FROM people; COMMIT; END $$',
	'CALL that commits' => 'CALL keep()',
	'CREATE TABLE AS' => 'CREATE TABLE made AS SELECT email FROM people',
	'SELECT INTO' => 'SELECT email INTO made FROM people',
	'CREATE TABLE AS EXECUTE' => 'PREPARE p AS SELECT email FROM people; CREATE TABLE made AS EXECUTE p',
	'a materialized view' => 'CREATE MATERIALIZED VIEW made AS SELECT email FROM people',
	'two-phase commit' => q{BEGIN; INSERT INTO mine SELECT email FROM people; PREPARE TRANSACTION 'p'},
	'ROLLBACK' => 'BEGIN; SELECT email FROM people; ROLLBACK',
	'a read-only transaction' => 'BEGIN READ ONLY; SELECT email FROM people; COMMIT');

shown("$_: shown while the collector runs", $forms{SELECT}) foreach 1 .. 2;

# Full, for longer than one waits for room: whatever becomes of records that nobody waits for.
foreach my $full (qw(wait drop))
{
	my $since = $node->safe_psql('postgres', 'SELECT max(tx_id) FROM audit.event');
	my $gate = fill_ring();
	my $logged = logged();

	configure("audit_trail.ring_full = $full");
	refused("$full: $_", $forms{$_}, 'has had no room for 100 ms') foreach sort keys %forms;
	refused("$full: protocol", undef, 'no room');
	isnt(system_log('pg_dump', '-f', $node->basedir . '/dump', '-d', $node->connstr('postgres')), 0, "$full: pg_dump");
	cmp_ok(logged() - $logged, '>=', 2 * keys %forms, "$full: each is in the server's log: what was read, and that it was refused");
	like(slurp_file($node->logfile), qr/audit_trail record: .*"event_type":"audit.refused".*"sqlstate":"TR014","message":"what is read cannot be recorded","object":"public.people"/, "$full: with the table");
	configure('audit_trail.ring_full = wait');
	$gate->quit;
	$logged = logged() - $logged;
	my $told = qq{SELECT sum((new_values ->> 'in_server_log')::int) FROM audit.event WHERE event_type = 'audit.lost' AND tx_id > $since};
	$node->poll_query_until('postgres', $told, $logged);
	is($node->safe_psql('postgres', $told), $logged, "$full: the trail has how many they are");
	nothing_kept("$full: nothing was kept");
	shown("$full: shown again when there is room", $forms{SELECT});
}

# A collector that stands still: the record is on its way, and is recorded later; so is the refusal.
configure('audit_trail.ring_timeout = 1s');
my ($collector) = pids_of($node, 'collector', 'postgres');
my $before = $node->safe_psql('postgres', 'SELECT max(tx_id) FROM audit.event');
kill('STOP', $collector) or die "stop: $!";
refused('a collector that stands still', $forms{SELECT}, 'is not on disk in time');
kill('CONT', $collector) or die "continue: $!";
told($before, 'people.read||9', 'audit.refused|public.people|', 'what a collector that goes on tells');
shown('shown when it goes on', $forms{SELECT});

# None, as there are not enough workers.
$node->append_conf('postgresql.conf', 'max_worker_processes = 1');
$node->restart;
refused('no collector', $forms{SELECT}, 'is not on disk in time');
$node->append_conf('postgresql.conf', 'max_worker_processes = 20');
$before = $node->safe_psql('postgres', 'SELECT max(tx_id) FROM audit.event');
$node->restart;
workers_run($node, 'postgres', 'workers run again');
told($before, 'people.read||9', 'audit.refused|public.people|', 'what is told when there is one');

# A record of any length has room: names that are too many are counted.
shown('a wide table', 'SELECT * FROM wide');
is($node->safe_psql('postgres', q{SELECT json_array_length(new_values -> 'columns') + (new_values ->> 'columns_left_out')::int FROM audit.event
	WHERE op = 'S' ORDER BY tx_id DESC LIMIT 1}), '400', 'all of its columns are told');
my $long = q{SELECT set_config('audit_trail.' || n, repeat(E'"\\n', 500), false) FROM unnest('{actor,actor_type,app_session,reason,request_id,trace_parent}'::text[]) n; }
  . "SELECT email FROM people WHERE email <> '" . (qq{"\n} x 4000) . q{'};
shown('a long statement with a long context', $long);

# Without the ring, a session that has the library refuses.
$node->append_conf('postgresql.conf', "shared_preload_libraries = ''\nsession_preload_libraries = 'audit_trail'");
$node->restart;
refused('no ring', $forms{SELECT}, 'is not in shared_preload_libraries');
shown('other tables', q{SELECT 'mail' FROM secret RIGHT JOIN (VALUES (1)) v ON true});
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\nsession_preload_libraries = ''");
$node->restart;
workers_run($node, 'postgres', 'workers run at last');
shown('shown with it', $forms{SELECT});
nothing_kept('nothing was kept of all this');
$node->safe_psql('postgres', 'SELECT audit.seal_now()');
like($node->safe_psql('postgres', 'SELECT finding, object FROM audit.verify()'), qr/\Asummary\|ok\z/, 'all of it verifies');
$node->stop;
done_testing();

sub configure
{
	my ($line) = @_;
	my ($name, $value) = split / = /, $line;

	$node->append_conf('postgresql.conf', $line);
	$node->reload;
	$node->poll_query_until('postgres', 'SHOW ' . $name, $value) or die $line;
	return;
}

# A session that holds the collector, and no room in the ring.
sub fill_ring
{
	my $held;

	configure('audit_trail.ring_full = drop');
	$held = hold_point($node, 'collector-before-commit');
	deny(1);
	wait_until_held($node, 'collector-before-commit');
	deny(200);
	return $held;
}

# So many statements that are refused, each of which is a record.
sub deny
{
	my ($count) = @_;

	IPC::Run::run([ 'psql', '-XqAt', '-d', $node->connstr('postgres'), '-U', 'bob' ], '<', \join('', map { "SELECT $_ FROM secret;\n" } 1 .. $count), '>', \my $out, '2>', \my $err);
	return;
}

# anna's commands; undef stands for a SELECT by the extended protocol.
sub as_anna
{
	my ($command) = @_;
	my ($out, $err) = ('', '');
	my @client = ('psql', '-XAt', '-v', 'VERBOSITY=verbose', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres') . ' user=anna');

	if (!defined $command)
	{
		my $script = $node->basedir . '/read.sql';

		append_to_file($script, "SELECT email FROM people \\gset\n") unless -e $script;
		@client = ('pgbench', '-n', '-M', 'prepared', '-t', 1, '-f', $script, '-d', $node->connstr('postgres') . ' user=anna');
	}
	IPC::Run::run([@client], '<', \($command // '') , '>', \$out, '2>', \$err);
	return ($out, $err);
}

sub refused
{
	my ($name, $command, $why) = @_;
	my ($out, $err) = as_anna($command);

	like($err, defined $command ? qr/TR014: +what is read cannot be recorded\b.*DETAIL: .*$why/s : qr/what is read cannot be recorded\b.*$why/s, "$name: refused") or diag($out);
	unlike($out . $err, qr/mail\d/, "$name: nothing is shown");
	return;
}

sub shown
{
	my ($name, $command) = @_;
	my ($out, $err) = as_anna($command);

	like($out, qr/mail|^1\|/, $name) or diag($err);
	return;
}

sub nothing_kept
{
	my ($name) = @_;

	is($node->safe_psql('postgres', q{SELECT (SELECT count(*) FROM mine WHERE t ~ 'mail'), (SELECT count(*) FROM pg_prepared_xacts), to_regclass('made')}), '0|0|', $name);
	return;
}

sub logged
{
	return scalar(() = slurp_file($node->logfile) =~ /audit_trail record: /g);
}

# What the trail has since a transaction.
sub told
{
	my ($since, $read, $refusal, $name) = @_;
	my $query = qq{SELECT string_agg(concat_ws('|', event_type, coalesce(new_values ->> 'object', ''), coalesce(new_values ->> 'rows', '')), ' ' ORDER BY event_type)
		FROM audit.events WHERE tx_id > $since AND table_name = 'people' AND event_type IN ('people.read', 'audit.refused')};

	$node->poll_query_until('postgres', $query, "$refusal $read");
	is($node->safe_psql('postgres', $query), "$refusal $read", $name);
	return;
}
