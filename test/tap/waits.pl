# Writers do not wait for the keeper. Somebody reads the whole trail in a transaction that stays open, so that
# each lock that the keeper asks for has to wait, and whoever comes behind it would wait as long: so it must
# give up soon, and come back. The server's log tells who waited for how long. A default partition into which others write
# it leaves alone.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);
use Waiting;

my $read_for = 6;       # seconds, for which locks are not to be had
my $bound = 1000;       # ms; the keeper's patience is 30, and machines are slow
my $node = PostgreSQL::Test::Cluster->new('waits');
my $folder = PostgreSQL::Test::Utils::tempdir;
my $day = 0;

$node->init;
$node->append_conf('postgresql.conf', q{
shared_preload_libraries = 'audit_trail'
max_worker_processes = 20
fsync = off
autovacuum = off
log_statement = none
log_lock_waits = on
deadlock_timeout = 1ms
log_line_prefix = '%a|%b|'
audit_trail.seal_interval = 50ms
audit_trail.purge_anchor = off
audit_trail.keeper_pause = 0
audit_trail.keeper_interval = 0
});
$node->start;
$node->safe_psql('postgres', q{
	SET audit_trail.debug_clock = 1;
	SET client_min_messages = error;
	CREATE EXTENSION audit_trail;
	SELECT audit.init();
	SELECT count(*) FROM audit.create_roles();
	CREATE ROLE alice LOGIN IN ROLE audit_admin;
	CREATE ROLE bob LOGIN IN ROLE audit_purge_approver;
	CREATE ROLE mona LOGIN IN ROLE audit_maintenance;
	CREATE TABLE orders (id serial PRIMARY KEY, note text);
	SELECT audit.enable('orders', context => 'sales')});
approved('alice', q{SELECT audit.set_retention(context => 'sales', hot => '1 month', keep => '2 months', "then" => 'purge', reason => 'the law')});
value('SELECT audit.keeper_now()');
append_to_file("$folder/insert.sql", "INSERT INTO orders (note) VALUES ('beside');\n");

foreach my $month (0 .. 2)
{
	clock($month * 31 + 1);
	value(q{INSERT INTO orders (note) SELECT repeat('x', 200) FROM generate_series(1, 2000)});
}

# months to be made and archived; a month to be purged and dropped
clock(70);
beside('months are made and archived', 'partitions', 'archive');
clock(100);
approved('mona', q{SELECT audit.request_purge('the law')});
beside('a month is purged, and its partitions are dropped', 'purge', 'drop');
is(value(q{SELECT object FROM audit.verify() WHERE finding = 'summary'}), 'ok', 'and all verifies');

# The keeper has not run for a year, so all is in the default partition, into which others write: its storage stays, and
# what has expired goes when nobody writes there any more.
foreach my $late (440, 500)
{
	clock($late);
	value(q{INSERT INTO orders (note) SELECT repeat('y', 200) FROM generate_series(1, 2000)});
}
value('SELECT audit.seal_now()');
clock(640);
value(q{INSERT INTO orders (note) SELECT repeat('z', 200) FROM generate_series(1, 2000)});
value('SELECT audit.seal_now()');
my $expired = q{SELECT count(*) FROM audit.event AS e JOIN audit.transaction AS t USING (tx_at, tx_id) WHERE e.tx_at < (SELECT min(tx_at) + '70 days' FROM audit.event WHERE tableoid::regclass::text ~ 'default$') AND e.tableoid::regclass::text ~ 'default$'};
my $storage = storage();
my $last_run = value('SELECT max(run_id) FROM audit.keeper_run');
approved('mona', q{SELECT audit.request_purge('the law')});
value('SELECT audit.keeper_now()') for 1 .. 3;
is(storage(), $storage, 'while others write into a default partition nothing takes its storage');
is(value($expired), 4000, 'and what has expired is there still');
is(value(q{SELECT count(*) FROM audit.keeper_run WHERE error IS NOT NULL AND run_id > } . $last_run), 0, 'nothing failed');
clock(680);
value(q{INSERT INTO orders (note) VALUES ('now')});
wait_for('what has expired is purged', sub {
	value('SELECT audit.seal_now()');
	value('SELECT audit.keeper_now()');
	value(q{SELECT count(*) FROM audit.event AS e WHERE e.new_values::jsonb ->> 'note' ~ '^y'}) == 0 });
is(value(q{SELECT count(*) FROM audit.event AS e WHERE e.new_values::jsonb ->> 'note' ~ '^z'}), 2000, 'what has not is there');
is(value(q{SELECT count(*) FROM audit.event WHERE tableoid::regclass::text ~ 'default$'}), 0, 'in partitions of its own');
is(value(q{SELECT object FROM audit.verify() WHERE finding = 'summary'}), 'ok', 'and all verifies');
$node->stop;
done_testing();

# Of default partitions with rows
sub storage
{
	return value(q{SELECT string_agg(c.relname || ' ' || pg_relation_filenode(c.oid), ', ' ORDER BY c.relname) FROM pg_class c
		WHERE c.relnamespace = 'audit'::regnamespace AND c.relname ~ '_default$' AND c.relkind = 'r' AND pg_relation_size(c.oid) > 0});
}

sub value { return $node->safe_psql('postgres', $_[0]) }

sub approved
{
	my ($login, $sql) = @_;
	my $id = $node->safe_psql('postgres', $sql, extra_params => [ '-U', $login ]);

	$node->safe_psql('postgres', "SELECT audit.approve($id, 'fine')", extra_params => [ '-U', 'bob' ]);
	return;
}

sub clock
{
	($day) = @_;
	$node->append_conf('postgresql.conf', "audit_trail.debug_clock = ${day}d\n");
	$node->reload;
	$node->poll_query_until('postgres', "SELECT current_setting('audit_trail.debug_clock') = '${day}d'") or die;
	value('SELECT audit.seal_now()');
	return;
}

# The keeper works while somebody reads and others write, in sessions that stay and in new ones.
sub beside
{
	my ($what, @steps) = @_;
	my $mark = -s $node->logfile;
	my $run = value('SELECT coalesce(max(run_id), 0) FROM audit.keeper_run');
	my $reader = $node->background_psql('postgres');
	my $asks = $node->background_psql('postgres', on_error_stop => 0);

	$reader->query_safe('BEGIN; SELECT count(*) FROM audit.event; SELECT count(*) FROM audit.transaction');
	$asks->{stdin} .= "SELECT audit.keeper_now();\n";
	$asks->{run}->pump_nb;
	my $until = time() + $read_for;
	my $failed = '';
	while (time() < $until)
	{
		foreach my $new ([], ['-C'])
		{
			my ($out, $err);

			IPC::Run::run([ 'pgbench', '-n', '-h', $node->host, '-p', $node->port, '-f', "$folder/insert.sql", '-c', 2, '-t', 20, @$new, 'postgres' ],
				'>', \$out, '2>', \$err) or $failed = $err;
		}
	}
	is($failed, '', "$what: others write");
	my $log = slurp_file($node->logfile, $mark);
	like($log, qr/^[^|]*\|audit_trail keeper\|LOG:  process \d+ still waiting for Access\w+Lock on relation/m, "$what: the keeper has asked for locks");
	$reader->query_safe('COMMIT');
	$reader->quit;

	# then all of it is done, after some more runs
	wait_for("$what: it is done", sub {
		value('SELECT audit.keeper_now()');
		value("SELECT count(DISTINCT step) FROM audit.keeper_run WHERE run_id > $run AND done > 0 AND step IN ('" . join("', '", @steps) . "')") == @steps });
	$asks->quit;
	my $worst = 0;
	my $waits = 0;
	foreach my $line (split /\n/, slurp_file($node->logfile, $mark))
	{
		next if $line !~ /^pgbench\|client backend\|LOG:  process \d+ acquired \w+ on relation \d+ of database \d+ after ([\d.]+) ms/;
		$waits++;
		$worst = $1 if $1 > $worst;
	}
	cmp_ok($worst, '<', $bound, "$what: nobody who writes waits long for a lock ($waits waits, the longest $worst ms)");
	return;
}
