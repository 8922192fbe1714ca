# Indexes that the sealer fills: what a query finds by them does not depend on how far the sealer
# has come, nor on a crash between its entries and its commit, nor on a dump and restore.

use strict;
use warnings;

use Polling;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('deferred');
my $dump = $node->basedir . '/dump';
my $partition = "to_char(now() AT TIME ZONE 'UTC', '\"audit.transaction_1_\"YYYYMM\"_actor_tx_at_idx\"')";

$node->init;
$node->append_conf('postgresql.conf',
	"shared_preload_libraries = 'audit_trail'\nmax_worker_processes = 20\naudit_trail.seal_interval = 1h\n"
	  . "restart_after_crash = on\nmax_prepared_transactions = 2\njit = off\n"
	  . "audit_trail.debug_points = 'sealer-before-commit'\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION audit_trail;
	CREATE TABLE orders (id serial PRIMARY KEY, note text);
	SELECT audit.enable('orders')});
$node->safe_psql('postgres', 'SELECT audit.seal_now()');
my $pages = index_pages('postgres');

record('postgres', 'anna', 400);
is(index_pages('postgres'), $pages, 'who records a transaction makes no entry');
is(found('postgres', 'anna'), '400|400', 'all of them are found');

like($node->safe_psql('postgres', 'SET enable_seqscan = off; EXPLAIN SELECT FROM audit.event WHERE target_id >= 0'),
	qr/record_key_tx_at_idx/, 'events are looked for by the index of records');
like($node->safe_psql('postgres', 'SET enable_seqscan = off; EXPLAIN SELECT FROM audit.event WHERE tx_id >= 0'),
	qr/tx_id_ordinal_idx/, 'and by the index of their names');

# Who asks for one transaction does not read the others, nor who asks for a few; who asks for many finds them too.
my @unsealed = split /\n/, $node->safe_psql('postgres', q{SELECT tx_id FROM audit.transaction WHERE actor = 'anna' ORDER BY tx_id});
cmp_ok(buffers_of_event("SELECT FROM audit.event WHERE tx_id = $unsealed[17]"), '<', @unsealed / 4, 'one transaction that is not sealed is found without the others');
cmp_ok(buffers_of_event("SELECT FROM audit.event WHERE tx_id >= 0"), '>', @unsealed, 'of which there are many');
is($node->safe_psql('postgres', join_of($_)), $_, "$_ of them are found one after the other") foreach 1, 7, 8, 9, scalar @unsealed;

# In the middle of a pass the entries are there, and the transactions not sealed yet.
my $holder = $node->background_psql('postgres');
$holder->query_safe("SELECT pg_advisory_lock(1096107092, hashtext('sealer-before-commit'))");
my $sealing = $node->background_psql('postgres', on_error_stop => 0);
$sealing->query_until(qr/asked/, "\\echo asked\nSELECT audit.seal_now();\n");
ok($node->poll_query_until('postgres', "SELECT pg_relation_size($partition) / 8192 > $pages"), 'the sealer makes them');
is($node->safe_psql('postgres', 'SELECT transactions FROM audit.seal_lag()'), 400, 'none is sealed');
is(found('postgres', 'anna'), '400|400', 'each is found once in the meantime');
my $sealer = $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE backend_type = 'audit_trail sealer'");
kill 'KILL', $sealer;
ok($node->poll_query_until('postgres', "SELECT pid <> $sealer FROM pg_stat_activity WHERE backend_type = 'audit_trail sealer'"),
	'it is killed there, and the server comes back');
eval { $_->quit } foreach ($sealing, $holder);
is(found('postgres', 'anna'), '400|400', 'each is found once after the crash');
$node->safe_psql('postgres', 'SELECT audit.seal_now()');
is(found('postgres', 'anna'), '400|400', 'and when a second pass has sealed them');

# The first pass of a process looks for entries before it makes them: at the end of a session's.
$node->safe_psql('postgres', recording('dora', 20_000) . 'SELECT audit.seal_now();' . recording('dora', 200));
$sealer = $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE backend_type = 'audit_trail sealer'");
$node->safe_psql('postgres', "SELECT pg_terminate_backend($sealer, 10000), pg_stat_reset()");
$node->safe_psql('postgres', 'SELECT audit.seal_now()');
my $blocks = "(SELECT sum(idx_blks_hit + idx_blks_read) FROM pg_statio_all_indexes WHERE indexrelname LIKE 'transaction%session_id%idx')";
ok($node->poll_query_until('postgres', "SELECT $blocks > 0"), 'the sealer has counted blocks of the index');
cmp_ok($node->safe_psql('postgres', "SELECT $blocks"), '<', 200 * 10, 'it reads few of them a transaction');

# What a long transaction has written so far is no burden to those who look for a record.
my $long = $node->background_psql('postgres');
$long->query_safe("BEGIN; INSERT INTO orders SELECT FROM generate_series(1, 50000)");
$node->safe_psql('postgres', 'SELECT audit.seal_now()');
record('postgres', 'emma', 1);
my $plan = $node->safe_psql('postgres', q{
	SET enable_seqscan = off;
	EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT FROM audit.event
	WHERE target_id = (SELECT max(target_id) FROM audit.target) AND record_key = '7'});
like($plan, qr/record_key_tx_at_idx .*rows=1 /, 'a record is found beside a long transaction');
my ($buffers) = $plan =~ /Buffers: shared hit=(\d+)/;
cmp_ok($buffers, '<', 400, 'without reading what it has written');
$long->quit;

# Long and prepared transactions, that others overtake.
$node->safe_psql('postgres', "BEGIN; SELECT audit.set_context(actor => 'bert'); INSERT INTO orders DEFAULT VALUES; PREPARE TRANSACTION 'late'");
record('postgres', 'bert', 1);
$node->safe_psql('postgres', 'SELECT audit.seal_now()');
is(found('postgres', 'bert'), '1|1', 'a prepared transaction is not there yet');
$node->safe_psql('postgres', "COMMIT PREPARED 'late'");
is(found('postgres', 'bert'), '2|2', 'it is found when it is committed');
$node->safe_psql('postgres', 'SELECT audit.seal_now()');
is(found('postgres', 'bert'), '2|2', 'and when it is sealed');
record('postgres', 'bert', 1);

# A dump, with one transaction that was not sealed.
$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, '-d', $node->connstr('postgres') ], 'the database is dumped');
$node->safe_psql('postgres', 'CREATE DATABASE copy');
$node->command_ok([ 'pg_restore', '-e', '-1', '-d', $node->connstr('copy'), $dump ], 'and restored');
is(found('copy', 'anna') . ' ' . found('copy', 'bert'), '400|400 3|3', 'all are found in the copy');
record('copy', 'anna', 5);
is(found('copy', 'anna'), '405|405', 'what it records before a new incarnation is declared too');
$node->safe_psql('copy', 'SELECT audit.seal_now()');
record('copy', 'anna', 5);
is(found('copy', 'anna') . ' ' . found('copy', 'bert'), '410|410 3|3', 'and after');
is($node->safe_psql('copy', 'SELECT object FROM audit.verify()'), 'ok', 'it verifies');

# A copy of a copy that has recorded something, and whose incarnation is not begun yet.
$node->safe_psql('postgres', 'CREATE DATABASE second');
$node->safe_psql('postgres', 'CREATE DATABASE third');
$node->command_ok([ 'pg_restore', '-e', '-1', '-d', $node->connstr('second'), $dump ], 'the dump is restored once more');
$holder = $node->background_psql('second');
$holder->query_safe("SELECT pg_advisory_lock(1096107092, hashtext('sealer-before-commit'))");
record('second', 'emil', 3);
is($node->safe_psql('second', q{
	BEGIN;
	INSERT INTO orders SELECT FROM generate_series(1, 3);
	SET LOCAL parallel_setup_cost = 0; SET LOCAL parallel_tuple_cost = 0; SET LOCAL min_parallel_table_scan_size = 0;
	SET LOCAL parallel_leader_participation = off; SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = off;
	SET LOCAL enable_indexonlyscan = off;
	SELECT audit.current_tx_id() AS own \gset
	SELECT count(*) FROM audit.event WHERE tx_id = :own}), 3, 'a process that helps a transaction with a query finds its events');
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dump.second", '-d', $node->connstr('second') ], 'and dumped');
eval { $holder->quit };
$node->command_ok([ 'pg_restore', '-e', '-1', '-d', $node->connstr('third'), "$dump.second" ], 'and that is restored');
is($node->safe_psql('third', 'SELECT object FROM audit.verify()'), 'ok', 'it verifies before it records anything');
record('third', 'emil', 2);
$node->safe_psql('third', 'SELECT audit.seal_now()');
is(found('third', 'emil'), '5|5', 'what the copy recorded is found too');
is($node->safe_psql('third', 'SELECT string_agg(incarnation || reason, E\'\n\' ORDER BY incarnation) FROM audit.incarnation'),
	"1ledger created\n2recorded in a copy that was copied before it was begun\n"
	  . '3recorded in another server or database than before', 'the copy has an incarnation of its own');
is($node->safe_psql('third', 'SELECT string_agg(DISTINCT (tx_id / 1000000000000000)::text, $$ $$) FROM audit.transaction'),
	'0 1 2', 'and so have its transactions');
is($node->safe_psql('third', 'SELECT object FROM audit.verify()'), 'ok', 'it verifies');
$node->stop;
done_testing();

# What a statement reads of the trail, by the index of names, when the catalogs are known.
sub buffers_of_event
{
	my ($statement) = @_;
	my $plan = $node->safe_psql('postgres', "SET enable_seqscan = off; SET enable_bitmapscan = off; $statement; EXPLAIN (ANALYZE, BUFFERS, FORMAT json) $statement");

	die $plan unless $plan =~ /tx_id_ordinal_idx/;
	return $plan =~ /"Shared Hit Blocks": (\d+)/ ? $1 : die $plan;
}

# Events of so many transactions, which one scan is asked for one by one.
sub join_of
{
	my ($count) = @_;

	return 'SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_bitmapscan = off; SET enable_memoize = off;'
	  . "SELECT count(*) FROM unnest('{" . join(',', @unsealed[0 .. $count - 1]) . "}'::bigint[]) t (id) JOIN audit.event e ON e.tx_id = t.id";
}

sub index_pages
{
	my ($database) = @_;

	return $node->safe_psql($database, "SELECT pg_relation_size($partition) / 8192");
}

# Transactions of an actor, one event each.
sub record
{
	my ($database, $actor, $count) = @_;

	$node->safe_psql($database, recording($actor, $count));
	return;
}

sub recording
{
	my ($actor, $count) = @_;

	return "
		DO \$\$ BEGIN
			FOR i IN 1..$count LOOP
				PERFORM audit.set_context(actor => '$actor', request_id => 'shared');
				INSERT INTO orders DEFAULT VALUES;
				COMMIT;
			END LOOP;
		END \$\$;";
}

# How many the index leads to, and how many there are.
sub found
{
	my ($database, $actor) = @_;
	my $by_index = $node->safe_psql($database,
		"SET enable_seqscan = off; SELECT count(*) FROM audit.transaction WHERE actor = '$actor'");
	my $there = $node->safe_psql($database,
		"SET enable_indexscan = off; SET enable_indexonlyscan = off; SET enable_bitmapscan = off;
		SELECT count(*) FROM audit.transaction WHERE actor = '$actor'");

	return "$by_index|$there" . events_differ($database);
}

# Nothing if the indexes of events by record and by name, and of transactions by a request that they share, lead to
# all of them, once.
sub events_differ
{
	my ($database) = @_;
	my $differing = '';

	for my $condition ('event WHERE target_id >= 0', 'event WHERE tx_id >= 0', q{transaction WHERE request_id = 'shared'})
	{
		my $name = $condition =~ /^event/ ? "tx_id || '.' || ordinal" : 'tx_id';
		my $wanted = "SELECT array_agg($name ORDER BY $name) FROM audit.$condition";
		my $by_index = $node->safe_psql($database, "SET enable_seqscan = off; SET enable_bitmapscan = off; $wanted");
		my $there = $node->safe_psql($database,
			"SET enable_indexscan = off; SET enable_indexonlyscan = off; SET enable_bitmapscan = off; $wanted");

		$differing .= ", of audit.$condition the index has $by_index, there are $there" if $by_index ne $there;
	}
	return $differing;
}
