# What is short or odd, and what becomes of it: sessions, shared memory, slots of workers, a clock that was set back.
# Errors say what is wrong, nothing is lost, and all goes on by itself afterwards.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Workers;

my $node = PostgreSQL::Test::Cluster->new('limits');
my $sessions = 100;
$node->init;
$node->append_conf('postgresql.conf',
	"shared_preload_libraries = 'audit_trail'\nmax_worker_processes = 20\nfsync = off\nmax_connections = " . ($sessions + 20) . "\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION audit_trail;
	CREATE TABLE orders (id serial PRIMARY KEY, who int);
	SELECT audit.enable('orders')});
workers_run($node, 'postgres', 'workers run');

# A hundred sessions at once, each connected while all others are.
my @runs = map {
	my $i = $_;
	IPC::Run::start([ 'psql', '-X', '-q', '-d', $node->connstr('postgres') ], '<', \qq{
		SELECT pg_advisory_lock_shared(1);
		INSERT INTO orders (who) SELECT $i FROM generate_series(1, 10);
		DELETE FROM audit.session;
	}, '>', \my $out, '2>', \my $err);
} 1 .. $sessions;
$_->finish foreach @runs;
is($node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT who) FROM orders'), 10 * $sessions . "|$sessions", "$sessions sessions have written");
is($node->safe_psql('postgres', q{SELECT count(*), count(DISTINCT backend_pid) FROM audit.events WHERE action = 'insert' AND table_name = 'orders'}),
	10 * $sessions . "|$sessions", 'all of it is recorded, by session');
ok($node->poll_query_until('postgres', qq{SELECT count(*) = $sessions AND count(DISTINCT session_id) = $sessions
	FROM audit.events WHERE action = 'refuse'}), 'so is what each was refused');
whole();

# No slot for any worker of a database: changes are recorded, sealing waits.
$node->append_conf('postgresql.conf', 'max_worker_processes = 3');
$node->restart;
$node->safe_psql('postgres', 'INSERT INTO orders (who) VALUES (-1)');
my ($status, $out, $err) = $node->psql('postgres', 'SELECT audit.seal_now()');
like($err, qr/the audit_trail sealer is not running/, 'who asks for a seal is told');
$node->psql('postgres', 'DELETE FROM audit.event');
$node->append_conf('postgresql.conf', 'max_worker_processes = 20');
$node->restart;
workers_run($node, 'postgres', 'workers are back');
whole();

# Out of shared memory, by locks: the change fails as a whole.
$node->append_conf('postgresql.conf', "max_locks_per_transaction = 10\nmax_connections = 10\nmax_wal_senders = 0\n");
$node->restart;
($status, $out, $err) = $node->psql('postgres', q{
	BEGIN;
	DO $$ BEGIN FOR i IN 1 .. 5000 LOOP
		EXECUTE format('CREATE TABLE many_%s (id int)', i);
		INSERT INTO orders (who) VALUES (-2);
	END LOOP; END $$;
	COMMIT});
like($err, qr/out of shared memory/, 'out of shared memory');
is($node->safe_psql('postgres', 'SELECT count(*) FROM orders WHERE who = -2'), '0', 'nothing is stored');
$node->safe_psql('postgres', 'INSERT INTO orders (who) VALUES (-3)');
whole();

# The clock is set back by a day: what is recorded then has the earlier time, and the log goes on in its own order.
SKIP:
{
	my ($faketime) = grep { -e } glob '/usr/lib/*/faketime/libfaketime.so.1';

	skip 'no libfaketime here', 6 unless $faketime;
	$node->stop;
	{
		local $ENV{LD_PRELOAD} = $faketime;
		local $ENV{FAKETIME} = '-1d';
		local $ENV{DONT_FAKE_MONOTONIC} = 1;
		$node->start;
	}
	workers_run($node, 'postgres', 'workers run a day earlier');
	$node->safe_psql('postgres', 'INSERT INTO orders (who) VALUES (-4)');
	is($node->safe_psql('postgres', q{SELECT bool_and(e.tx_at < now() + interval '1h'), count(*) FROM audit.events e
		WHERE audit.to_jsonb(new_values) ->> 'who' = '-4'}), 't|1', 'a change is recorded with the time that the clock tells');
	whole();
	like(doctor($node, 'postgres', 'clock'), qr/^problem\|The clock is \d+ seconds behind a time that the log has already\./, 'the doctor tells');
	$node->stop;
	$node->start;
	whole();
	like(doctor($node, 'postgres', 'clock'), qr/^ok/, 'until the clock is right');
}

$node->stop;
done_testing();

# Trail and table agree, and everything is sealed and verifies.
sub whole
{
	$node->safe_psql('postgres', 'SELECT audit.seal_now()');
	is($node->safe_psql('postgres', q{
			SELECT (SELECT string_agg(finding || '|' || object, ' ') FROM audit.verify()),
				(SELECT string_agg(finding || '|' || detail, ' ') FROM audit.reconcile('orders'))}),
		'summary|ok|summary|ok', 'the trail is whole, and leads to the rows');
	return;
}
