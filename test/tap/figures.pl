# The figures of the trail where transactions do not just commit: before there is a ledger, with transactions that are
# prepared, taken back or torn from the log by a crash, after a restart and on a standby.
# audit.volume_per_hour() always has as many events of each kind as audit.events has, and a search finds these.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('figures');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\nmax_worker_processes = 20\nmax_prepared_transactions = 10\n"
	  . "audit_trail.seal_interval = 1h\naudit_trail.verify_interval = 0\naudit_trail.record_sessions = off\naudit_trail.record_reads = off\n"
	  . "audit_trail.record_denials = off\n");
$node->start;

# Before there is a ledger, and before anything is in it.
$node->safe_psql('postgres', 'CREATE EXTENSION audit_trail');
like(refused('SELECT * FROM audit.volume_per_hour()'), qr/does not exist/, 'no volume without a ledger');
$node->safe_psql('postgres', 'SELECT audit.init()');
figures_agree('of an empty trail');
is(ask('SELECT verified_events, failures, failure_rate IS NULL, verified_size IS NULL FROM audit.integrity()'), '0|0|t|t', 'nothing is verified yet, and no rate made up');
is(ask("SELECT value IS NULL, reached IS NULL FROM audit.kpi WHERE figure LIKE 'integrity%'"), 't|t', 'nor is a goal said to be reached');
is(ask('SELECT count(*) FROM audit.search()'), ask('SELECT count(*) FROM audit.events'), 'a search of it');

# Prepared and taken back.
$node->safe_psql('postgres', q{
	CREATE TABLE t (id int PRIMARY KEY, v text);
	SELECT audit.enable('t', context => 'figures');
	INSERT INTO t SELECT i, 'a' FROM generate_series(1, 100) i});
my %rest = (kept => 0, dropped => 1);
$node->safe_psql('postgres', "BEGIN; SELECT audit.set_context(actor => '$_'); SAVEPOINT s; DELETE FROM t WHERE id % 3 = $rest{$_}; ROLLBACK TO s;
	UPDATE t SET v = '$_' WHERE id % 3 = $rest{$_}; PREPARE TRANSACTION '$_'") foreach sort keys %rest;
figures_agree('with prepared transactions');
is(events_of('kept'), '', 'which are not counted before they commit');
seal();
$node->safe_psql('postgres', q{INSERT INTO t VALUES (200, 'later')});
seal();
$node->safe_psql('postgres', q{COMMIT PREPARED 'kept'});
$node->safe_psql('postgres', q{ROLLBACK PREPARED 'dropped'});
is(events_of('kept'), 'update|33', 'one is counted when it has committed, though later ones were sealed before');
figures_agree('of a transaction that was passed over');
seal();
is(events_of('kept'), 'update|33', 'and once, when it is sealed');
is(events_of('dropped'), '', 'what was rolled back is not');
figures_agree('sealed');

# A seal that is rolled back with its crash counts nothing twice.
$node->safe_psql('postgres', q{UPDATE t SET v = 'before the crash' WHERE id < 10});
$node->stop('immediate');
$node->start;
figures_agree('after a crash, not sealed');
seal();
figures_agree('after a crash, sealed');
is(ask('SELECT audit.rebuild_volume()'), '0', 'and nothing is to be mended');

# Times of queries are of this run of the server.
$node->safe_psql('postgres', 'SELECT count(*) FROM audit.events') foreach 1 .. 3;
cmp_ok(ask('SELECT queries FROM audit.query_latency()'), '>=', 3, 'queries are counted');
my $since = ask('SELECT extract(epoch FROM since) FROM audit.query_latency()');
$node->restart;
cmp_ok(ask('SELECT extract(epoch FROM since) FROM audit.query_latency()'), '>', $since, 'anew after a restart');
is(ask('SELECT queries = 0 AND p95_ms IS NULL AND max_ms IS NULL FROM audit.query_latency()'), 't', 'and none makes no percentile');
is(ask("SELECT value IS NULL AND reached IS NULL FROM audit.kpi WHERE figure LIKE 'query%'"), 't', 'nor a goal that is reached');

# A standby has the same, with the live tail.
$node->safe_psql('postgres', q{SELECT findings FROM audit.verify_now()});
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('figures_standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->safe_psql('postgres', q{UPDATE t SET v = 'streamed' WHERE id < 20});
$node->wait_for_catchup($standby);
my $volume = q{SELECT context, event_type, actor, action, sum(events) FROM audit.volume_per_hour('-infinity') GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4};
is($standby->safe_psql('postgres', $volume), ask($volume), 'a standby counts the same');
my $search = q{SELECT event_id, actor, action FROM audit.search('{"context": "figures"}', max_rows => 1000)};
is($standby->safe_psql('postgres', $search), ask($search), 'and finds the same');
is($standby->safe_psql('postgres', 'SELECT * FROM audit.integrity()'), ask('SELECT * FROM audit.integrity()'), 'and knows of the same verification');
is($standby->safe_psql('postgres', 'SELECT count(*) FROM audit.kpi'), '3', 'it has the figures');
cmp_ok($standby->safe_psql('postgres', 'SELECT queries FROM audit.query_latency()'), '>', 0, 'and counts its own queries');
$standby->stop;

# overhead() leaves nothing behind that is counted.
my $before = ask("SELECT sum(events) FROM audit.volume_per_hour('-infinity')");
$node->safe_psql('postgres', q{SELECT * FROM audit.overhead('t')});
is(ask("SELECT sum(events) FROM audit.volume_per_hour('-infinity')"), $before, 'overhead() leaves no events');
is(ask("SELECT count(*) FROM t WHERE v = 'streamed'"), '19', 'and no change of the table');
figures_agree('at the end');
$node->stop;

sub ask
{
	return $node->safe_psql('postgres', $_[0]);
}

sub refused
{
	my $stderr;

	$node->psql('postgres', $_[0], stderr => \$stderr);
	return $stderr;
}

sub seal
{
	ask('SELECT audit.seal_now()');
	return;
}

# Kinds of events of an actor, and how many.
sub events_of
{
	return ask("SELECT action, sum(events) FROM audit.volume_per_hour('-infinity') WHERE actor = '$_[0]' GROUP BY 1 ORDER BY 1");
}

# The figures are those of the events, and what a search finds, page by page, is each of them once.
sub figures_agree
{
	my ($name) = @_;

	is(ask(q{
		WITH volume AS (SELECT * FROM audit.volume_per_hour('-infinity')),
			counted AS (SELECT date_trunc('hour', occurred_at, 'UTC'), context, resource_type, event_type, actor, action, count(*)
				FROM audit.events GROUP BY 1, 2, 3, 4, 5, 6)
		SELECT (SELECT count(*) FROM (TABLE volume EXCEPT ALL TABLE counted) d), (SELECT count(*) FROM (TABLE counted EXCEPT ALL TABLE volume) d)}),
		'0|0', "figures and events agree: $name");
	is(ask(q{SELECT count(*), count(DISTINCT event_id) FROM audit.search('{"context": "figures"}', max_rows => 100000)}),
		ask(q{SELECT count(*), count(*) FROM audit.events WHERE context = 'figures'}), "a search finds each: $name");
	return;
}

done_testing();
