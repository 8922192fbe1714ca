# Attacks that no list had, each by whom it takes, and what must be seen of it: sequences that are set back, locks, a guard
# that is lifted for a moment only, files that SQL writes, the start of a session, and tables that look like others.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use IPC::Run ();
use Polling;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Refused;
use Test::More;
use Workers;

my $points = '1096107092';
my $node = PostgreSQL::Test::Cluster->new('other_ways');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\nmax_worker_processes = 20\nfsync = off\nautovacuum = off\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION audit_trail;
	CREATE ROLE owner LOGIN;
	CREATE ROLE maker LOGIN CREATEROLE;
	CREATE ROLE filler LOGIN;
	GRANT pg_read_all_data, pg_write_all_data TO filler;
	GRANT CREATE ON SCHEMA public TO owner;
	SET ROLE owner;
	CREATE TABLE orders (id int PRIMARY KEY, v int);
	RESET ROLE;
	SELECT audit.enable('orders');
	SELECT audit.alert_when('changed', 'orders', '{v}');
	INSERT INTO orders SELECT g, g FROM generate_series(1, 20) g;
	UPDATE orders SET v = 0;
	SELECT audit.keeper_now();
	SELECT audit.acknowledge(min(alert_id)) FROM audit.alert;
	SELECT audit.seal_now()});
workers_run($node, 'postgres', 'workers run');

# setval(): who may write all tables sets the ledger's sequences back, or to their end. Writes go on, and it is on record.
my %needs = (
	session => 'INSERT INTO orders VALUES (%d, 1)',
	target => 'CREATE TABLE made_%d (id int); SELECT audit.enable(\'made_%1$d\')',
	alert => 'INSERT INTO orders VALUES (%d, 1); UPDATE orders SET v = v + 1 WHERE id = %1$d',
	alert_action => 'SELECT audit.acknowledge(max(alert_id)) FROM audit.alert WHERE alert_id + %d > 0',
	keeper_run => 'SELECT audit.keeper_now(), %d');
my @sequences = split /\n/, $node->safe_psql('postgres', q{SELECT relname FROM pg_class WHERE relnamespace = 'audit'::regnamespace AND relkind = 'S' ORDER BY 1});
is_deeply([ sort map { "${_}_id_seq" } keys %needs, 'store', 'alert_delivery' ], \@sequences, 'all sequences are known');
my $number = 1000;
foreach my $name (sort keys %needs)
{
	foreach my $to (1, $name eq 'target' ? 2147483647 : 9223372036854775807)
	{
		is(refuse($node, "SELECT setval('audit.${name}_id_seq', $to)", '-U', 'filler'), '', "${name}_id_seq is set to $to");
		foreach (1 .. 2)
		{
			$number++;
			is(refuse($node, sprintf($needs{$name}, $number)), '', "who needs a number of ${name}_id_seq gets one");
		}
	}
	like($node->safe_psql('postgres', "SELECT last_value < 1000000 FROM audit.${name}_id_seq"), qr/^t$/, "${name}_id_seq is right again")
	  if $name ne 'alert_action' && $name ne 'keeper_run';
}

# Sessions have numbers of alerts in store: none of these is given to another one, not even after DISCARD ALL.
my @storing = map { $node->background_psql('postgres') } 1 .. 2;
my $raise = 'UPDATE orders SET v = v + 1 WHERE id = 1';
$_->query_safe($raise) foreach @storing;
foreach my $discard ('SELECT 1', 'DISCARD ALL')
{
	my ($last) = $node->safe_psql('postgres', 'SELECT max(alert_id) FROM audit.alert') =~ /(\d+)/;
	$storing[0]->query_safe($discard);
	# so that the next block is the one that the second session is using, and the one before
	foreach my $blocks (1, 2)
	{
		is(refuse($node, "SELECT setval('audit.alert_id_seq', " . ($last - ($last - 1) % 64 - 64 * $blocks) . ')', '-U', 'filler'), '', "alert_id_seq is set back by $blocks blocks");
		is(refuse($node, $raise), '', 'a new session raises an alert');
		foreach my $session (@storing)
		{
			$session->query_safe($raise) foreach 1 .. 3;
		}
	}
}
is($node->safe_psql('postgres', "SELECT count(*) > 10, count(*) = count(DISTINCT alert_id) FROM audit.alert"), 't|t', 'all got numbers of their own');
$_->quit foreach @storing;

ok($node->poll_query_until('postgres', qq{SELECT count(*) >= 1 FROM audit.events WHERE event_type = 'audit.refused'
	AND new_values ->> 'object' = 'sequence audit.${_}_id_seq' AND new_values ->> 'message' LIKE '%was set back%'}), "that ${_}_id_seq was set back is on record")
  foreach qw(session target alert);
whole();

# LOCK: nor does who may write all tables make all audited writes wait; by a view neither.
settle_refused($node);
foreach my $command ('LOCK audit.event IN SHARE MODE', 'LOCK audit.target', 'LOCK audit.event_default IN SHARE ROW EXCLUSIVE MODE', 'LOCK orders, audit.session IN EXCLUSIVE MODE',
	'CREATE TEMP VIEW inner_one AS SELECT tx_id FROM audit.event\; CREATE TEMP VIEW outer_one AS SELECT * FROM (SELECT * FROM orders WHERE id IN (SELECT tx_id FROM inner_one)) s\; LOCK outer_one')
{
	like(refuse($node, "BEGIN\\; $command", '-U', 'filler'), qr/cannot lock (?:table|view) \S+: it is part of the audit trail/, "refused: $command");
	is(refused($node, 'login_user'), 'filler', 'and on record');
}
is(refuse($node, 'BEGIN; LOCK audit.event IN ROW EXCLUSIVE MODE; CREATE TEMP VIEW v AS SELECT * FROM orders; LOCK v; COMMIT', '-U', 'filler'), '', 'what nobody waits for is not');

# The guard is lifted by SQL alone, with the server's files, and set again before the sealer has looked: the log has it all the same.
$node->append_conf('postgresql.conf', "audit_trail.debug_points = 'sealer-picked'\n");
$node->reload;
$node->poll_query_until('postgres', 'SHOW audit_trail.debug_points', 'sealer-picked') or die 'the setting did not change';
my $gate = $node->background_psql('postgres');
$gate->query_safe("SELECT pg_advisory_lock($points, hashtext('sealer-picked'))");
my ($sealer) = pids_of($node, 'sealer', 'postgres');
$node->safe_psql('postgres', 'INSERT INTO orders VALUES (2000, 1)');
ok($node->poll_query_until('postgres', "SELECT wait_event = 'advisory' FROM pg_stat_activity WHERE pid = $sealer"), 'the sealer is held');
configure('off');
$node->safe_psql('postgres', q{
	ALTER TABLE orders DISABLE TRIGGER "00_audit_insert";
	INSERT INTO orders VALUES (2001, 1);
	ALTER TABLE orders ENABLE ALWAYS TRIGGER "00_audit_insert"});
configure('on');
$gate->query_safe("SELECT pg_advisory_unlock($points, hashtext('sealer-picked'))");
ok($node->poll_query_until('postgres', q{SELECT string_agg(payload ->> 'guard', ',' ORDER BY log_index) FROM audit.log_entry WHERE kind = 'guard'}, 'off,on'),
	'that the guard was lifted is sealed, though the sealer never saw it');
is($node->safe_psql('postgres', q{SELECT count(*) FROM audit.coverage('orders') WHERE covered IS NULL AND why LIKE 'the guard was lifted%'}), '1', 'coverage() says so');
like($node->safe_psql('postgres', q{SELECT finding, record_key FROM audit.reconcile('orders')}), qr/^missing in the trail\|2001$/m, 'and reconcile() names the row');
$node->restart;
$node->safe_psql('postgres', 'DELETE FROM orders WHERE id = 2001; SELECT audit.seal_now()');
is($node->safe_psql('postgres', q{SELECT count(*) FROM audit.log_entry WHERE kind = 'guard'}), '2', 'it is told once');
$node->append_conf('postgresql.conf', "audit_trail.debug_points = ''\n");
$node->reload;
$gate->quit;

# A moment's lifting that a crash would hide: the postmaster remembers.
$gate = $node->background_psql('postgres');
$node->append_conf('postgresql.conf', "restart_after_crash = on\naudit_trail.debug_points = 'sealer-picked'\n");
$node->reload;
$node->poll_query_until('postgres', 'SHOW audit_trail.debug_points', 'sealer-picked') or die 'the setting did not change';
$gate->query_safe("SELECT pg_advisory_lock($points, hashtext('sealer-picked'))");
$node->safe_psql('postgres', 'INSERT INTO orders VALUES (2002, 1)');
($sealer) = pids_of($node, 'sealer', 'postgres');
ok($node->poll_query_until('postgres', "SELECT wait_event = 'advisory' FROM pg_stat_activity WHERE pid = $sealer"), 'the sealer is held again');
configure('off');
configure('on');
kill 'KILL', $sealer;
eval { $gate->quit };
ok($node->poll_query_until('postgres', q{SELECT string_agg(payload ->> 'guard', ',' ORDER BY log_index) FROM audit.log_entry WHERE kind = 'guard'}, 'off,on,off,on'),
	'also if a crash of the server comes between');
$node->append_conf('postgresql.conf', "audit_trail.debug_points = ''\n");
$node->restart;
workers_run($node, 'postgres', 'workers run');

# The start of a session takes on another role, or another user: the login stays what it was.
$node->safe_psql('postgres', 'CREATE ROLE boss LOGIN SUPERUSER');
foreach my $option (qw(role session_authorization))
{
	$number++;
	is(refuse($node, "INSERT INTO orders VALUES ($number, 1)", '-U', 'boss', '-d', $node->connstr('postgres') . " options='-c $option=owner'"), '', "started with $option");
	is($node->safe_psql('postgres', "SELECT login_user FROM audit.events WHERE table_name = 'orders' AND resource_id = '$number'"), 'boss', 'the login is on record');
}

# CREATEROLE lets the owner of the ledger log in, from version 16 on a superuser: on record, shown, and to no avail.
my $maker = $node->pg_version < 16 ? 'maker' : 'boss';
is(refuse($node, q{ALTER ROLE audit_ledger LOGIN}, '-U', $maker), '', "$maker lets the owner of the ledger log in");
is($node->safe_psql('postgres', q{SELECT new_values ->> 'kind', login_user FROM audit.events WHERE event_type = 'trail_access.gained' AND resource_id = 'audit_ledger'}),
	"login of the owner|$maker", 'that is on record');
like(doctor($node, 'postgres', 'access'), qr/owner of the ledger, "audit_ledger", may log in/, 'the doctor shows it');
like(refuse($node, 'DROP TABLE audit.event CASCADE', '-U', 'audit_ledger'), qr/cannot drop table audit\.event/, 'and the owner drops nothing');
my $remedy = (split /\|/, doctor($node, 'postgres', 'access'))[2];
$node->safe_psql('postgres', $remedy);
unlike(doctor($node, 'postgres', 'access'), qr/may log in/, "which is mended by what it says: $remedy");

# A role of the trail that is dropped and made again has no right, and none of another's name comes by it.
$node->safe_psql('postgres', 'SELECT count(*) FROM audit.create_roles(); DROP OWNED BY audit_auditor; DROP ROLE audit_auditor; CREATE ROLE audit_auditor; CREATE ROLE sneak LOGIN IN ROLE audit_auditor');
is(refuse($node, 'SELECT count(*) FROM audit.event', '-U', 'sneak') =~ /permission denied/ ? 'denied' : $node->{refuse_out}, 'denied', 'a role that was made anew reads nothing');
is($node->safe_psql('postgres', q{SELECT count(*) FROM audit.events WHERE event_type = 'trail_access.gained' AND resource_id = 'sneak'}), '1', 'who is put into it is on record');

# A table takes the place of an audited one; a type loses what values had: told by events.
$node->safe_psql('postgres', q{
	CREATE TYPE spot AS (x int, y int);
	CREATE TABLE places (id int PRIMARY KEY, at spot);
	SELECT audit.enable('places');
	INSERT INTO places VALUES (1, '(1,2)');
	ALTER TYPE spot DROP ATTRIBUTE y;
	BEGIN; ALTER TABLE places RENAME TO former; CREATE VIEW places AS SELECT 7 AS id; COMMIT});
is($node->safe_psql('postgres', q{SELECT string_agg(coalesce(extra ->> 'command', '') || coalesce(' ' || (new_values ->> 'name'), ''), ', ' ORDER BY tx_id, ordinal) FROM audit.events
	WHERE event_type = 'places.altered'}), 'ALTER TYPE, ALTER TABLE former', 'that a type was changed, and that the table has another name');
like(refuse($node, q{CREATE TABLE hollow (id int)\; SELECT audit.enable('hollow')\; CREATE RULE "_RETURN" AS ON SELECT TO hollow DO INSTEAD SELECT 1 AS id}), qr/ERROR/, 'no audited table becomes a view');

# Code that others preload, for a role or a database: on record, whatever else of commands is not, and an alert.
$node->append_conf('postgresql.conf', "audit_trail.record_privileges = off\n");
$node->reload;
$node->poll_query_until('postgres', 'SHOW audit_trail.record_privileges', 'off') or die 'the setting did not change';
my $listener = $node->background_psql('postgres');
$listener->query_safe('LISTEN audit_alert');
foreach my $command (q{ALTER ROLE filler SET local_preload_libraries = 'auto_explain'}, q{ALTER ROLE ALL IN DATABASE postgres SET session_preload_libraries = 'auto_explain'},
	q{ALTER DATABASE postgres SET dynamic_library_path = '$libdir:/tmp'}, q{ALTER DATABASE postgres SET "SESSION_REPLICATION_ROLE" = replica}, 'ALTER ROLE filler RESET local_preload_libraries')
{
	my ($setting) = $command =~ /([a-z_]+(?:_libraries|_path|_role))\b/i;
	my $count = $node->safe_psql('postgres', q{SELECT count(*) FROM audit.events WHERE event_type = 'setting.changed'});

	$node->safe_psql('postgres', "BEGIN; $command; ROLLBACK");
	is($node->safe_psql('postgres', q{SELECT count(*) FROM audit.events WHERE event_type = 'setting.changed'}), $count, 'what is rolled back changes nothing');
	$node->safe_psql('postgres', $command);
	is($node->safe_psql('postgres', q{SELECT lower(resource_id) FROM audit.events WHERE event_type = 'setting.changed' ORDER BY tx_id DESC LIMIT 1}), lc $setting, "on record: $command");
}
like($listener->query('SELECT 1'), qr/local_preload_libraries was set for a role or a database/, 'and an alert');
$listener->quit;
$node->safe_psql('postgres', 'ALTER ROLE ALL IN DATABASE postgres RESET ALL; ALTER DATABASE postgres RESET ALL; ALTER ROLE ALL RESET ALL');
like(refuse($node, q{ALTER ROLE filler SET shared_preload_libraries = ''}), qr/cannot be changed without restarting/, 'the list that loads ours is of no role');

# REINDEX and the workers do not wait for each other.
$node->append_conf('postgresql.conf', "audit_trail.debug_points = 'notifier-picked,sealer-picked'\ndeadlock_timeout = 100ms\n");
$node->reload;
$node->poll_query_until('postgres', 'SHOW audit_trail.debug_points', 'notifier-picked,sealer-picked') or die 'the setting did not change';
$gate = $node->background_psql('postgres');
foreach my $pair ([ 'notifier', 'alert_pass' ], [ 'notifier', 'alert_delivery' ], [ 'sealer', 'log_entry' ], [ 'sealer', 'session' ])
{
	my ($kind, $table) = @$pair;
	my ($said, $error) = ('', '');

	$gate->query_safe("SELECT pg_advisory_lock($points, hashtext('$kind-picked'))");
	$node->safe_psql('postgres', 'UPDATE orders SET v = v + 1 WHERE id = 1');
	ok($node->poll_query_until('postgres', qq{SELECT wait_event = 'advisory' FROM pg_stat_activity WHERE backend_type = 'audit_trail $kind' AND datname = 'postgres'}), "the $kind is held");
	my $reindex = IPC::Run::start([ 'psql', '-X', '-d', $node->connstr('postgres'), '-c', "REINDEX TABLE audit.$table" ], '>', \$said, '2>', \$error);
	ok($node->poll_query_until('postgres', qq{SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE query = 'REINDEX TABLE audit.$table'}), "REINDEX of $table waits");
	$gate->query_safe("SELECT pg_advisory_unlock($points, hashtext('$kind-picked'))");
	$reindex->finish;
	is($said . $error, "REINDEX\n", "and is done when the $kind is");
}
$gate->quit;
$node->append_conf('postgresql.conf', "audit_trail.debug_points = ''\n");
$node->reload;
unlike(slurp_file($node->logfile), qr/deadlock detected/, 'nowhere was a deadlock');

# A statement is cancelled in the middle, and one in a savepoint: table and trail agree.
my ($status, $out, $err) = $node->psql('postgres', q{SET statement_timeout = '300ms'; INSERT INTO orders SELECT g, pg_sleep(0.001)::text::int FROM generate_series(10000, 20000) g});
isnt($status, 0, 'a statement is cancelled');
$node->safe_psql('postgres', q{
	BEGIN;
	INSERT INTO orders VALUES (3000, 1);
	DO $$ BEGIN
		PERFORM set_config('statement_timeout', '300ms', true);
		INSERT INTO orders VALUES (3001, 1);
		PERFORM pg_cancel_backend(pg_backend_pid());
		INSERT INTO orders SELECT g, 1 FROM generate_series(30000, 40000) g, LATERAL pg_sleep(0.001);
	EXCEPTION WHEN query_canceled THEN NULL;
	END $$;
	INSERT INTO orders VALUES (3002, 1);
	COMMIT});
is($node->safe_psql('postgres', q{SELECT string_agg(resource_id, ' ' ORDER BY tx_id, ordinal) FROM audit.events WHERE table_name = 'orders' AND resource_id::int >= 3000}), '3000 3002',
	'what was cancelled left nothing');
whole();

# SQL writes the files of the ledger, past all that knows of tables: found.
my $path = $node->safe_psql('postgres', q{CHECKPOINT; SELECT pg_relation_filepath(e.tableoid) FROM audit.event e JOIN audit.target USING (target_id) WHERE table_name = 'orders' LIMIT 1});
my $size = -s $node->data_dir . "/$path";
cmp_ok($size, '>', 0, 'the events have a file');
is(refuse($node, qq{SELECT lo_from_bytea(4711, decode(repeat('00', $size), 'hex')); SELECT lo_export(4711, '$path')}), '', 'lo_export() writes zeros over the events');
$node->stop('immediate');
$node->start;
like($node->safe_psql('postgres', q{SELECT string_agg(DISTINCT finding, ', ') FROM audit.verify()}), qr/event missing/, 'verify() misses them');

$node->stop;
done_testing();

# Set the guard by what a superuser has in SQL; the sealer is held meanwhile.
sub configure
{
	my ($value) = @_;

	$node->safe_psql('postgres', "COPY (SELECT 'audit_trail.guard = $value') TO PROGRAM 'cat >>postgresql.conf'; SELECT pg_reload_conf()");
	$node->poll_query_until('postgres', 'SHOW audit_trail.guard', $value) or die 'the setting did not change';
	return;
}

sub whole
{
	$node->safe_psql('postgres', 'SELECT audit.seal_now()');
	is($node->safe_psql('postgres', q{
			SELECT (SELECT string_agg(finding || '|' || object, ' ') FROM audit.verify()),
				(SELECT string_agg(finding || '|' || detail, ' ') FROM audit.reconcile('orders'))}),
		'summary|ok|summary|ok', 'the trail is whole, and leads to the rows');
	return;
}
