# Years pass by a clock that is set: what has expired is purged, what is held or kept longer stays, all
# of it verifies at each step, and counts add up.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('purge');
my ($status, $out, $err);

$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\n"
	  . "max_worker_processes = 20\naudit_trail.seal_interval = 50ms\naudit_trail.purge_anchor = off\n"
	  . "audit_trail.keeper_pause = 0\naudit_trail.keeper_interval = 0\n");
$node->start;

# As a login of its own; outputs without empty lines.
sub as
{
	my ($login, $sql) = @_;

	($status, $out, $err) = $node->psql('postgres', $sql, extra_params => ['-U', $login]);
	return $status == 0 ? $out : "ERROR: $err";
}

sub sql { return as('postgres', $_[0]) }

# Everything as it should be: nothing found, and what is counted is there.
sub sound
{
	my ($what) = @_;
	my $summary = $node->safe_psql('postgres', q{SELECT object, detail FROM audit.verify() WHERE finding = 'summary'});

	like($summary, qr/^ok\|/, "$what: verify finds nothing")
	  or diag($node->safe_psql('postgres', q{SELECT * FROM audit.verify() LIMIT 20}));
	is(sql('SELECT audit.rebuild_volume()'), '0', "$what: audit.volume adds up");
	is(sql(q{SELECT (SELECT sum(event_count) FROM audit.log_entry) = (SELECT sum(events) FROM audit.volume)
		+ coalesce((SELECT sum((certificate ->> 'events')::bigint) FROM audit.deletion WHERE phase = 'done'), 0)}), 't',
		"$what: sealed is stored and purged");
	return $summary;
}

# A ledger whose clock is set; and nobody else's.
$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->safe_psql('other', 'CREATE EXTENSION audit_trail; SELECT audit.init(); CREATE TABLE t (i int PRIMARY KEY)');
$node->safe_psql('other', q{SELECT audit.enable('t')});
($status, $out, $err) = $node->psql('other', q{SET audit_trail.debug_clock = '3650d'; INSERT INTO t VALUES (1)});
like($err, qr/audit_trail.debug_clock cannot be used with this ledger/, 'the clock of another ledger cannot be set');

my $folder = PostgreSQL::Test::Utils::tempdir;

$node->safe_psql('postgres', q{SET audit_trail.debug_clock = 1; CREATE EXTENSION audit_trail; SELECT audit.init();
	SELECT count(*) FROM audit.create_roles();
	CREATE ROLE alice LOGIN IN ROLE audit_admin;
	CREATE ROLE bob LOGIN IN ROLE audit_purge_approver;
	CREATE ROLE mona LOGIN IN ROLE audit_maintenance;
	CREATE ROLE audra LOGIN IN ROLE audit_auditor;
	CREATE TABLE orders (id int PRIMARY KEY, note text);
	CREATE TABLE pays (id int PRIMARY KEY, note text);
	SELECT audit.enable('orders', context => 'sales');
	SELECT audit.enable('pays', context => 'finance')});

my $key = $node->safe_psql('postgres', "SELECT audit.create_signing_key('$folder/postgres.key', 'example.org/shop')");
$node->append_conf('postgresql.conf', "audit_trail.signing_key_file = '$folder/%d.key'\naudit_trail.checkpoint_file = '$folder/%d.checkpoints'\n");
$node->reload;

# Days are seconds apart as far as the clock goes; the keeper's is that of the configuration.
my $day = 0;
sub clock { return ($day * 86400 + 1) . 's' }

sub keeper_clock
{
	$node->append_conf('postgresql.conf', "audit_trail.debug_clock = " . clock() . "\n");
	$node->reload;
	$node->poll_query_until('postgres', "SELECT current_setting('audit_trail.debug_clock')::interval = '" . clock() . "'::interval");
	$node->safe_psql('postgres', 'SELECT audit.keeper_now()');
}

sub pass_days
{
	my ($from, $to) = @_;
	my $text = '';

	foreach my $d ($from .. $to)
	{
		$day = $d;
		$text .= "SET audit_trail.debug_clock = '" . clock() . "';\n"
		  . "BEGIN; INSERT INTO orders VALUES ($d, repeat('order $d ', 5)); INSERT INTO pays VALUES ($d, 'pay $d'); COMMIT;\n"
		  . "UPDATE orders SET note = 'changed' WHERE id = $d;\n";
	}
	$node->safe_psql('postgres', $text);
}

sub approve_purge
{
	my $id = as('mona', q{SELECT audit.request_purge('the law')});

	return $id if $id !~ /^\d+$/;
	is(as('bob', "SELECT audit.approve($id, 'fine')"), '', 'the purge is approved');
	return $id;
}

# Policies: sales a year, finance for ever.
my $id = as('alice', q{SELECT audit.set_retention(context => 'sales', keep => '1 year', "then" => 'purge', reason => 'the law')});
is(as('bob', "SELECT audit.approve($id, 'fine')"), '', 'sales are kept for a year');
keeper_clock();
pass_days(1, 40);
sql('SELECT audit.seal_now()');
is(as('mona', q{SELECT audit.request_purge('too early')}) =~ /there is nothing to purge/ ? 1 : 0, 1, 'nothing has expired yet');
sound('days');

# Behind the last month that was made there is room too.
$node->safe_psql('postgres', q{SET audit_trail.debug_clock = '2000d'; BEGIN; INSERT INTO pays VALUES (-1, 'late');
	SELECT 1 / (count(*) FILTER (WHERE tableoid::regclass::text ~ '_default$')) FROM audit.event WHERE record_key = '-1'; ROLLBACK});

# A year and two months later the first month has expired.
my $begin = sql(q{SELECT date_trunc('month', min(tx_at), 'UTC') FROM audit.event});
my $orders = sql(q{SELECT count(*) FROM audit.events WHERE table_name = 'orders' AND action <> 'alter'});
$day = 40 + 430;
keeper_clock();
is(sql('SELECT audit.seal_now()') ? 1 : 0, 1, 'sealed');
my $plan = as('mona', 'SELECT sum(events), sum(held) FROM audit.retention_plan()');
is($plan, "$orders|0", 'the plan has all orders');
is(sql(q{SELECT count(*) FROM audit.events WHERE table_name = 'orders' AND action <> 'alter'}), $orders, 'and does nothing');

# Keep a proof of one of them; hold one record.
$node->poll_query_until('postgres', q{SELECT audit.checkpoint() IS NOT NULL}) or die;
sql('SELECT audit.seal_now()');
my $event = sql(q{SELECT event_id FROM audit.events WHERE table_name = 'orders' AND resource_id = '3' AND action = 'insert'});
my $proof = $node->safe_psql('postgres', "SELECT audit.prove('$event')");
my $held_events = sql(q{SELECT count(*) FROM audit.events WHERE table_name = 'orders' AND resource_id = '7'});
is(as('audra', q{SELECT audit.hold('lawsuit', 'order 7 is in court', tables => '{orders}', records => '{7}') > 0}), 't', 'a hold');
is(as('audra', q{SELECT audit.hold('tax', 'order 7 is looked into', contexts => '{sales}', records => '{7}') > 0}), 't', 'and another one on the same record');
is(as('mona', 'SELECT sum(held) FROM audit.retention_plan()'), $held_events, 'the plan tells what is held');
like(as('mona', q{SELECT audit.hold('x', 'y', contexts => '{sales}')}), qr/permission denied/, 'who runs the trail places no holds');

my $before = sql('SELECT count(*) FROM audit.event');
$id = approve_purge();
like($id, qr/^\d+$/, 'a purge is asked for') or diag($id);
sql('SELECT audit.keeper_now()');
my $gone = $orders - $held_events;
is(sql('SELECT count(*) FROM audit.event'), $before - $gone, 'what has expired is gone') or diag(sql('SELECT * FROM audit.keeper_run ORDER BY 1 DESC LIMIT 5') . sql('SELECT deletion_id, phase, certificate FROM audit.deletion'));
is(sql(q{SELECT count(*) FROM audit.events WHERE table_name = 'orders' AND action <> 'alter'}), $held_events, 'but for what is held');
is(sql(q{SELECT count(*) FROM audit.events WHERE table_name = 'pays' AND action = 'insert'}), 40, 'and for what is kept');
my $summary = sound('purged');
like($summary, qr/; $gone events and \d+ transactions purged/, 'verify counts what was purged');
like(sql(q{SELECT string_agg(detail, ' ') FROM audit.verify() WHERE finding = 'purged'}),
	qr/PURGED: \d+ events and \d+ transactions; asked for by mona, approved by bob/, 'and tells on whose authority');
is(sql(q{SELECT sum((certificate ->> 'events')::int) FROM audit.deletion WHERE phase = 'done'}), $gone, 'as the certificates do');
is(sql("SELECT count(*) FROM audit.events WHERE event_id = '$event'"), 0, 'an event that was proven before is gone');
is(sql("SELECT valid, reason FROM audit.check_proof(\$p\$$proof\$p\$, '$key')"), 't|', 'and its proof holds');
like(sql("SELECT audit.prove('$event')"), qr/was purged/, 'the error says why there is no new one');

# Released by two, it goes too.
$id = as('audra', q{SELECT audit.release_hold('lawsuit', 'settled')});
like(as('audra', "SELECT audit.approve($id, 'yes')"), qr/permission denied/, 'who asks does not release');
is(as('bob', "SELECT audit.approve($id, 'yes')"), '', 'another does');
like(as('mona', q{SELECT audit.request_purge('the law')}), qr/there is nothing to purge/, 'what a second hold is on stays');
sql('SELECT audit.keeper_now()');
is(sql(q{SELECT count(*) FROM audit.events WHERE table_name = 'orders' AND action <> 'alter'}), $held_events, 'all of it');
$id = as('audra', q{SELECT audit.release_hold('tax', 'done')});
as('bob', "SELECT audit.approve($id, 'yes')");
approve_purge();
sql('SELECT audit.keeper_now()');
is(sql(q{SELECT count(*) FROM audit.events WHERE table_name = 'orders' AND action <> 'alter'}), 0, 'what was held is gone');
sound('released');
like(as('mona', q{SELECT audit.request_purge('again')}), qr/there is nothing to purge/, 'nothing is left to purge');

# Archived months lose what expires as well, and keep what is held.
pass_days(471, 500);
$day = 560;
keeper_clock();
sql('SELECT audit.seal_now()');
sql(q{SELECT audit.archive_now('10 days')}) for 1 .. 12;
cmp_ok(sql(q{SELECT count(*) FROM audit.segment}), '>', 0, 'months are archived');
sound('archived');
is(as('audra', q{SELECT audit.hold('case 480', 'court', tables => '{orders}', records => '{480}') > 0}), 't', 'a hold on an archived record');
$day = 1000;
keeper_clock();
$before = sql('SELECT count(*) FROM audit.event');
$orders = sql(q{SELECT count(*) FROM audit.events WHERE table_name = 'orders' AND action <> 'alter'});
approve_purge();
sql('SELECT audit.keeper_now()');
is(sql(q{SELECT count(*) FROM audit.events WHERE table_name = 'orders' AND action <> 'alter'}), 2, 'archived events go, but for what is held')
  or diag(sql('SELECT step, error FROM audit.keeper_run WHERE error IS NOT NULL'));
is(sql('SELECT count(*) FROM audit.event'), $before - $orders + 2, 'and no others');
is(sql(q{SELECT count(*) FROM audit.history('orders', '480')}), 2, 'the history of what is held is told from the archive');
sound('purged from the archive');

# A forged deletion excuses nothing.
is(sql(q{INSERT INTO audit.deletion SELECT * FROM audit.deletion LIMIT 1}) =~ /write-once/ ? 1 : 0, 1, 'a row cannot be added');
is(sql(q{DELETE FROM audit.deletion}) =~ /write-once/ ? 1 : 0, 1, 'nor removed');
$node->stop;
done_testing();
