# What is refused is on record, with who tried it and how, though its transaction is rolled back: soon,
# once, without the secrets of the command, and whatever happens to the collector.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Polling;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Refused;
use Test::More;
use Time::HiRes qw(sleep time);
use Workers;

my $node = PostgreSQL::Test::Cluster->new('refused');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\nmax_worker_processes = 20\n"
	  . "fsync = off\naudit_trail.debug_points = 'collector-before-commit'\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION audit_trail;
	CREATE TABLE orders (id int PRIMARY KEY);
	SELECT audit.enable('orders');
	INSERT INTO orders VALUES (1);
	CREATE ROLE mallory LOGIN SUPERUSER;
	CREATE ROLE alter_ego;
	GRANT alter_ego TO mallory});
workers_run($node, 'postgres', 'the collector is among the workers');
is(refused($node), '', 'nothing was refused so far');

# Each kind is on record: command, error, what it was about. This goes through all that the guard has in its
# care, one by one; test/tap/drop.pl, settings.pl and catalog.pl have audited tables that are dropped, settings, and system catalogs.
my @kinds = (

	# definitions, owners, triggers and privileges of the ledger
	[ 'ALTER TABLE audit.event ADD COLUMN c int', 'TR007', 'table audit.event' ],
	[ 'ALTER TABLE audit.event_1 DETACH PARTITION audit.event_1_default', 'TR007', 'table audit.event_1' ],
	[ 'ALTER TABLE audit.event SET SCHEMA public', 'TR007', 'table audit.event' ],
	[ 'DROP INDEX audit.event_tx_id_idx', 'TR007', 'index audit.event_tx_id_idx' ],
	[ 'CREATE INDEX mine ON audit.session (login_user)', 'TR007', 'table audit.session' ],
	[ 'ALTER SEQUENCE audit.alert_id_seq RESTART', 'TR007', 'sequence audit.alert_id_seq' ],
	[ 'CREATE OR REPLACE VIEW audit.checkpoints AS SELECT 1 AS mine', 'TR007', 'schema audit' ],
	[ 'REASSIGN OWNED BY audit_ledger TO mallory', 'TR007', qr/audit\./ ],
	[ 'DROP OWNED BY audit_ledger CASCADE', 'TR007', qr/audit\./ ],
	[ 'ALTER FUNCTION audit.verify_now() OWNER TO alter_ego', 'TR007', 'function audit.verify_now()' ],
	[ 'CREATE TRIGGER mine BEFORE INSERT ON audit.event EXECUTE FUNCTION audit.capture()', 'TR007', 'table audit.event' ],
	[ 'ALTER TABLE audit.policy DISABLE TRIGGER "00_audit_insert"', 'TR007', 'table audit.policy' ],
	[ 'DROP TRIGGER "00_audit_insert" ON audit.policy', 'TR007', 'trigger 00_audit_insert on table audit.policy' ],
	[ 'CREATE POLICY mine ON audit.event USING (true)', 'TR007', 'table audit.event' ],
	[ 'DROP POLICY readers ON audit.event', 'TR007', qr/policy readers on table audit.event/ ],
	[ 'ALTER TABLE audit.event NO FORCE ROW LEVEL SECURITY', 'TR007', 'table audit.event' ],
	[ 'CREATE TABLE mine () INHERITS (audit.target)', 'TR007', 'table audit.target' ],
	[ 'CREATE TABLE mine (id int REFERENCES audit.target (target_id))', 'TR007', 'table audit.target' ],
	[ 'GRANT ALL ON ALL TABLES IN SCHEMA audit TO mallory', 'TR007', 'schema audit' ],
	[ 'REVOKE EXECUTE ON FUNCTION audit.capture_insert(oid, tid) FROM PUBLIC', 'TR007', 'function audit.capture_insert(oid,tid)' ],

	# triggers of audited tables
	[ 'DROP TRIGGER "00_audit_update" ON orders', 'TR007', 'trigger "00_audit_update" on table public.orders' ],
	[ 'ALTER TABLE orders ENABLE REPLICA TRIGGER "00_audit_update"', 'TR007', 'trigger "00_audit_update" on table public.orders' ],
	[ 'ALTER TRIGGER "00_audit_update" ON orders RENAME TO mine', 'TR007', 'trigger "00_audit_update" on table public.orders' ],
	[ 'ALTER TRIGGER "00_audit_update" ON orders DEPENDS ON EXTENSION plpgsql', 'TR007', 'trigger "00_audit_update" on table public.orders' ],
	[ 'CREATE OR REPLACE TRIGGER "00_audit_insert" AFTER INSERT ON orders FOR EACH ROW WHEN (false) EXECUTE FUNCTION audit.capture()', 'TR007',
		'trigger "00_audit_insert" on table public.orders' ],
	[ 'DROP FUNCTION audit.capture() CASCADE', 'TR007', qr/audit/ ],

	# the extension, its schema, and what others may do in their course
	[ 'ALTER EXTENSION audit_trail SET SCHEMA public', 'TR007', qr/audit/ ],
	[ 'ALTER EXTENSION audit_trail DROP FUNCTION audit.seal_lag()', 'TR007', qr/audit/ ],
	[ 'ALTER EXTENSION audit_trail ADD TABLE orders', 'TR007', qr/audit/ ],
	[ 'ALTER EXTENSION plpgsql ADD TABLE audit.event', 'TR007', 'table audit.event' ],
	[ 'ALTER SCHEMA audit RENAME TO mine', 'TR007', 'schema audit' ],
	[ 'ALTER SCHEMA audit OWNER TO mallory', 'TR007', 'schema audit' ],
	[ 'DROP ACCESS METHOD audit_worm CASCADE', 'TR007', 'access method audit_worm' ],
	[ 'CREATE TABLE audit.mine (id int)', 'TR007', 'schema audit' ],
	[ 'ALTER TABLE orders SET SCHEMA audit', 'TR007', 'schema audit' ],
	[ q{CREATE FUNCTION meddle() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN DROP TRIGGER "00_audit_delete" ON orders; END $$\;}
		  . q{ CREATE EVENT TRIGGER meddle ON ddl_command_end WHEN tag IN ('CREATE TABLE') EXECUTE FUNCTION meddle()\; CREATE TABLE other (id int)},
		'TR007', 'trigger "00_audit_delete" on table public.orders' ],

	# and the first of each
	[ 'DROP TABLE audit.event', 'TR007', 'table audit.event' ],
	[ 'DROP SCHEMA audit CASCADE', 'TR007', 'schema audit' ],
	[ 'DROP EXTENSION audit_trail CASCADE', 'TR007', 'extension audit_trail' ],
	[ 'ALTER TABLE orders DISABLE TRIGGER "00_audit_update"', 'TR007', 'trigger "00_audit_update" on table public.orders' ],
	[ 'ALTER TABLE audit.event OWNER TO mallory', 'TR007', 'table audit.event' ],
	[ 'GRANT INSERT ON audit.session TO mallory', 'TR007', 'table audit.session' ],
	[ 'GRANT SELECT ON audit.event TO PUBLIC', 'TR007', 'table audit.event' ],
	[ 'CREATE FUNCTION audit.mine() RETURNS int LANGUAGE sql AS $$SELECT 1$$', 'TR007', 'schema audit' ],
	[ 'CREATE RULE r AS ON INSERT TO audit.session DO INSTEAD NOTHING', 'TR007', 'table audit.session' ],
	[ 'ALTER SYSTEM SET audit_trail.guard = off', 'TR007', 'setting audit_trail.guard' ],
	[ q{UPDATE audit.transaction SET actor = 'nobody'}, 'TR001', 'table audit.transaction' ],
	[ 'DELETE FROM audit.event', 'TR001', 'table audit.event' ],
	[ 'TRUNCATE audit.event', 'TR001', 'table audit.event' ],
	[ 'INSERT INTO audit.target SELECT * FROM audit.target', 'TR001', 'table audit.target' ],
	[ 'SELECT * FROM audit.session FOR UPDATE', 'TR001', 'table audit.session' ],
);
foreach my $kind (@kinds)
{
	my ($command, @expected) = @$kind;

	refuse($node, $command);
	$command =~ s/.*\\;\s*//s; # the last one is that which fails
	if (ref $expected[1])
	{
		my ($sqlstate, $object) = @expected;

		like(refused($node), qr/^$sqlstate\|[^|]*(?:$object)[^|]*\|\Q$command\E$/, "on record: $command");
		next;
	}
	is(refused($node), join('|', @expected, $command), "on record: $command");
}

# By whom: as the session was then, and not as the collector is.
{
	local $ENV{PGAPPNAME} = 'the attack';

	refuse($node, q{BEGIN; SET ROLE alter_ego; SET LOCAL audit_trail.actor = 'eve'; SET LOCAL audit_trail.request_id = 'r-9';
		SELECT pg_backend_pid(); RESET ROLE; TRUNCATE audit.session}, '-U', 'mallory');
}
my ($pid) = $node->{refuse_out} =~ /^(\d+)$/m;
is(refused($node, q{login_user, db_user, db_role, actor, request_id, application_name, backend_pid}),
	"mallory|mallory|mallory|eve|r-9|the attack|$pid", 'with the identity of the session');
refuse($node, 'SET SESSION AUTHORIZATION alter_ego; SET ROLE alter_ego; DROP TABLE orders; DROP TRIGGER "00_audit_insert" ON orders', '-U', 'mallory');
$node->safe_psql('postgres', 'GRANT ALL ON orders TO alter_ego; ALTER TABLE orders OWNER TO alter_ego');
refuse($node, 'SET SESSION AUTHORIZATION alter_ego; DROP TRIGGER "00_audit_insert" ON orders', '-U', 'mallory');
is(refused($node, 'login_user, db_user, db_role'), 'mallory|alter_ego|alter_ego', 'also of one that has taken another one');

# Whatever becomes of the transaction, and where nothing can be written.
refuse($node, 'BEGIN; INSERT INTO orders VALUES (2); SAVEPOINT s; DELETE FROM audit.session; ROLLBACK TO s; COMMIT');
is(refused($node), 'TR001|table audit.session|DELETE FROM audit.session', 'after a savepoint that was rolled back');
is($node->safe_psql('postgres', 'SELECT count(*) FROM orders'), '2', 'whose transaction was committed');
refuse($node, q{DO $$ BEGIN DROP TABLE audit.alert; EXCEPTION WHEN OTHERS THEN NULL; END $$});
is(refused($node), q{TR007|table audit.alert|DO $$ BEGIN DROP TABLE audit.alert; EXCEPTION WHEN OTHERS THEN NULL; END $$},
	'where the error was caught');
refuse($node, 'SET default_transaction_read_only = on; ALTER SYSTEM SET audit_trail.guard = off');
is(refused($node), 'TR007|setting audit_trail.guard|ALTER SYSTEM SET audit_trail.guard = off', 'in a read-only transaction');

# A session's attempts are of one session, and what it does else too.
my $psql = $node->background_psql('postgres', on_error_stop => 0);
foreach my $i (1 .. 2)
{
	$psql->query('DELETE FROM audit.checkpoint');
	$psql->query("INSERT INTO orders VALUES (10 + $i)");
	refused($node);
}
$psql->query('DELETE FROM audit.checkpoint');
refused($node);
$psql->quit;
is($node->safe_psql('postgres', q{
	SELECT count(*), count(DISTINCT backend_pid) FROM audit.events
	WHERE backend_pid = (SELECT backend_pid FROM audit.events WHERE action = 'insert' AND resource_id = '11')}),
	'5|1', 'what else a session did is found beside its attempts');

# No secret of the command gets into the trail.
refuse($node, q{DO $$ BEGIN EXECUTE 'ALTER ROLE mallory PASSWORD ''hunter2'''; DROP TABLE audit.event; END $$});
is(refused($node), q{TR007|table audit.event|DO '***'}, 'a password is not on record');
refuse($node, q{ALTER ROLE mallory PASSWORD 'hunter2'\; DROP TABLE audit.event});
is(refused($node), 'TR007|table audit.event|DROP TABLE audit.event', 'nor what else the client sent');
refuse($node, 'DELETE FROM audit.event WHERE new_values::text <> ' . q{'} . 'x' x 6000 . q{'});
is($node->safe_psql('postgres', q{SELECT length(new_values ->> 'statement'), new_values ->> 'statement_bytes'
	FROM audit.events WHERE action = 'refuse' ORDER BY occurred_at DESC LIMIT 1}) =~ s/^4000\|60\d\d$//r, '', 'a long text is cut')
  if defined refused($node);
is($node->safe_psql('postgres', q{SELECT count(*) FROM audit.event WHERE new_values::text ~ 'hunter2'}), '0', 'no event has it');

# Soon, and with an alert; of five, as the machine may be busy.
my $listener = $node->background_psql('postgres');
$listener->query_safe('LISTEN audit_alert');
my @took;
foreach (1 .. 5)
{
	my $count = count_refused($node);
	my $began = time;

	refuse($node, 'DROP TABLE audit.event');
	sleep(0.005) while count_refused($node) == $count && time < $began + 30;
	push @took, time - $began;
}
@took = sort { $a <=> $b } @took;
note('seconds from the command to the record: ', join ' ', map { sprintf '%.3f', $_ } @took);
cmp_ok($took[2], '<', 1, 'an attempt is on record within a second');
ok($node->poll_query_until('postgres', q{SELECT count(*) > 5 FROM audit.alert_delivery d JOIN audit.alert a USING (alert_id)
	WHERE a.rule_name = 'refused attempt' AND d.outcome = 'notified'}), 'and told to who listens');
like($listener->query_safe('SELECT 1'), qr/"rule":"refused attempt","severity":"critical"/, 'who hears it');
$listener->quit;
is($node->safe_psql('postgres', q{SELECT count(*) FROM audit.alerts_since(0) WHERE event_id IS NULL OR rule <> 'refused attempt'}), '0',
	'each names an event');

# The collector is ended with the attempt in its hands; another one records it, once.
my $gate = $node->background_psql('postgres');
my $before = count_refused($node);
$gate->query_safe(q{SELECT pg_advisory_lock(1096107092, hashtext('collector-before-commit'))});
refuse($node, "DELETE FROM audit.event WHERE tx_id > -$_") foreach 1 .. 3;
my ($collector) = pids_of($node, 'collector', 'postgres');
ok($node->poll_query_until('postgres', "SELECT wait_event = 'advisory' FROM pg_stat_activity WHERE pid = $collector"),
	'the collector is held up');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($collector)");
workers_run($node, 'postgres', 'a terminated collector is back', $collector);
$gate->query_safe(q{SELECT pg_advisory_unlock(1096107092, hashtext('collector-before-commit'))});
ok($node->poll_query_until('postgres', q{SELECT count(*) >= } . ($before + 3) . q{ FROM audit.event WHERE op = 'R'}), 'the attempts are recorded');
is(count_refused($node), $before + 3, 'each once');

# The memory is full: what is lost is counted, and that is recorded.
$node->append_conf('postgresql.conf', "audit_trail.ring_size = 64kB\naudit_trail.ring_full = drop\n");
$gate->quit;
$node->restart;
workers_run($node, 'postgres', 'workers run');
$gate = $node->background_psql('postgres');
$before = count_refused($node);
$gate->query_safe(q{SELECT pg_advisory_lock(1096107092, hashtext('collector-before-commit'))});
refuse($node, join ' ', map { "DELETE FROM audit.event WHERE tx_id > -$_;" } 1 .. 100);
$gate->query_safe(q{SELECT pg_advisory_unlock(1096107092, hashtext('collector-before-commit'))});
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM audit.event WHERE event_type = 'audit.lost'}), 'that some were lost is recorded');
my $lost = $node->safe_psql('postgres', q{SELECT new_values ->> 'lost' FROM audit.event WHERE event_type = 'audit.lost'});
note("$lost of 100 lost");
cmp_ok($lost, '>', 0, 'with their number');
$node->safe_psql('postgres', 'SELECT audit.seal_now()');
like(doctor($node, 'postgres', 'losses'), qr/^warning\|In the last 30 days .*: 1 events tell how many\.\|Raise audit_trail\.ring_size/, 'the doctor tells');
is(count_refused($node) - $before + $lost, 100, 'and nothing else is missing');
unlike(slurp_file($node->logfile), qr/audit_trail record:/, 'the log has none of them');

# Other sessions wait for room, if they may.
$node->append_conf('postgresql.conf', "audit_trail.ring_full = wait\naudit_trail.ring_timeout = 60s");
$node->reload;
$before = count_refused($node);
refuse($node, join ' ', map { "DELETE FROM audit.event WHERE tx_id > -$_;" } 1 .. 300);
ok($node->poll_query_until('postgres', 'SELECT count(*) = ' . ($before + 300) . q{ FROM audit.event WHERE event_type = 'audit.refused'}),
	'who waits for room loses nothing');

# A crash loses nothing; the trail is whole.
$gate->quit;
settle_refused($node);
refuse($node, 'DELETE FROM audit.event');
$node->stop('immediate');
$node->start;
workers_run($node, 'postgres', 'workers run after a crash');
is(refused($node), 'TR001|table audit.event|DELETE FROM audit.event', 'what was refused before it is on record');
refuse($node, 'DELETE FROM audit.alert');
is(refused($node), 'TR001|table audit.alert|DELETE FROM audit.alert', 'recording goes on');
$node->safe_psql('postgres', 'SELECT audit.seal_now()');
like($node->safe_psql('postgres', 'SELECT finding, object, detail FROM audit.verify()'), qr/\Asummary\|ok\|.*\z/, 'all of it verifies');

$node->stop;
done_testing();
