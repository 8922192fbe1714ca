# Under load from all sides no verification of any kind ever finds anything: no false alarm.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $seconds = $ENV{AUDIT_TRAIL_SLOW} ? 600 : 15;
my $node = PostgreSQL::Test::Cluster->new('verify_load');
my $folder = PostgreSQL::Test::Utils::tempdir;
my %script = (
	single => 'UPDATE orders SET note = md5(random()::text) WHERE id = 1 + :client_id * 100 + (random() * 99)::int;',
	savepoints => q{BEGIN;
		INSERT INTO lines SELECT g, :client_id, 'first' FROM generate_series(1, 3) AS g;
		SAVEPOINT a; UPDATE lines SET note = 'undone' WHERE client = :client_id; ROLLBACK TO a;
		SAVEPOINT b; UPDATE lines SET note = 'done' WHERE client = :client_id; RELEASE b;
		SAVEPOINT c; DELETE FROM lines WHERE client = :client_id; ROLLBACK TO c;
		DELETE FROM lines WHERE client = :client_id;
		COMMIT;},
	rolled_back => 'BEGIN; INSERT INTO lines VALUES (1, :client_id, NULL); SELECT pg_sleep(0.002); ROLLBACK;',
	prepared => q{BEGIN; INSERT INTO lines VALUES (7, :client_id, NULL); PREPARE TRANSACTION 'load:client_id'; SELECT pg_sleep(0.003); COMMIT PREPARED 'load:client_id';},
	prepared_in_vain => q{BEGIN; DELETE FROM lines; PREPARE TRANSACTION 'load:client_id'; ROLLBACK PREPARED 'load:client_id';},
	long => q{BEGIN; INSERT INTO lines VALUES (8, :client_id, NULL); SELECT pg_sleep(0.5); COMMIT;},
	bulk => q{UPDATE orders SET note = note || '.' WHERE id BETWEEN 1 + :client_id * 100 AND 100 + :client_id * 100;});
my %weight = (single => 20, savepoints => 10, rolled_back => 10, prepared => 5, prepared_in_vain => 3, long => 1, bulk => 1);

$node->init;
$node->append_conf('postgresql.conf', qq{
shared_preload_libraries = 'audit_trail'
max_worker_processes = 20
max_prepared_transactions = 20
audit_trail.seal_interval = 10ms
audit_trail.verify_interval = 1s
audit_trail.signing_key_file = '$folder/key'
audit_trail.checkpoint_file = '$folder/checkpoints'
});
$node->start;
value(q{CREATE EXTENSION audit_trail;
	CREATE TABLE orders (id int PRIMARY KEY, note text);
	CREATE TABLE lines (id int, client int, note text);
	INSERT INTO orders SELECT g, 'note' FROM generate_series(1, 1000) AS g;
	SELECT audit.enable('orders'), audit.enable('lines');
	SELECT audit.seal_now()});
value("SELECT audit.create_signing_key('$folder/key', 'example.org/load')");
value('SELECT audit.seal_now(), audit.verify_now()');

my @files = map { my $file = "$folder/$_.sql"; append_to_file($file, $script{$_} . "\n"); ('-f', "$file\@$weight{$_}") } sort keys %script;
my $bench = IPC::Run::start([ 'pgbench', '-n', '-c', 6, '-j', 2, '-T', $seconds, '-d', '--max-tries', 1, @files, $node->connstr('postgres') ],
	'<', \undef, '>', \my $said, '2>', "$folder/stderr");
my %rounds;
my @found;
my $checkpoint = value('SELECT audit.checkpoint()');

while ($bench->pumpable)
{
	foreach my $call (
		'workers => 0', 'workers => 2', 'since_last => true', "table_name => 'public.lines'", "since => clock_timestamp() - interval '2 s'",
		'tx_id => (SELECT max(tx_id) FROM audit.transaction)', "checkpoint => '$checkpoint'")
	{
		my $findings = value("SELECT concat_ws('|', finding, object, place, detail) FROM audit.verify($call) WHERE finding <> 'summary'");

		push @found, "$call: $findings" if $findings ne '';
		$rounds{$call =~ s/ .*//sr}++;
	}
	$checkpoint = value('SELECT audit.checkpoint()');
	$bench->pump_nb;
	last if !$bench->pumpable;
}
$bench->finish;
is(join("\n", @found), '', 'nothing is found while everything happens');
cmp_ok($_, '>', 2, 'often enough') for values %rounds;
is(value(q{SELECT count(*) > 3, sum((payload ->> 'findings')::int) FROM audit.log_entry WHERE kind = 'verified'}), 't|0', 'nor by the worker');
is(value('SELECT object FROM audit.verify(workers => 2)'), 'ok', 'nor in the end');
cmp_ok(value('SELECT count(*) FROM audit.transaction'), '>', 500, 'of many transactions');
unlike(slurp_file($node->logfile), qr/not as it was/, 'the log of the server has no complaint');
$node->stop;
done_testing();

sub value
{
	my ($query) = @_;

	return $node->safe_psql('postgres', $query);
}
