# Acknowledgements whose events were purged by authority are no offence: that they were made is still in the log. One that
# is forged is found all the same.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Pages;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $folder = PostgreSQL::Test::Utils::tempdir;
my $node = PostgreSQL::Test::Cluster->new('alert_purge');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\nmax_worker_processes = 20\nautovacuum = off\n"
	  . "audit_trail.seal_interval = 50ms\naudit_trail.purge_anchor = off\naudit_trail.keeper_pause = 0\naudit_trail.keeper_interval = 0\n");
$node->start;
as('postgres', q{SET audit_trail.debug_clock = 1; CREATE EXTENSION audit_trail; SELECT audit.init();
	SELECT count(*) FROM audit.create_roles();
	CREATE ROLE alice LOGIN IN ROLE audit_admin;
	CREATE ROLE bob LOGIN IN ROLE audit_purge_approver;
	CREATE ROLE mona LOGIN IN ROLE audit_maintenance;
	CREATE TABLE orders (id int PRIMARY KEY, price int);
	SELECT audit.enable('orders');
	SELECT audit.alert_when('price', 'orders', '{price}', severity => 'high');
	INSERT INTO orders SELECT g, g FROM generate_series(1, 9) g});
as('postgres', "SELECT audit.create_signing_key('$folder/postgres.key', 'example.org/shop')");
$node->append_conf('postgresql.conf', "audit_trail.signing_key_file = '$folder/%d.key'\naudit_trail.checkpoint_file = '$folder/%d.checkpoints'\n");
$node->reload;
my $id = as('alice', q{SELECT audit.set_retention(event_type => 'alert.acknowledged', keep => '1 year', "then" => 'purge', reason => 'the law')});
as('bob', "SELECT audit.approve($id, 'fine')");
keeper_clock(1);
as('postgres', q{SET audit_trail.debug_clock = '86401s'; UPDATE orders SET price = 0;
	SELECT audit.resend_alert(max(alert_id)) FROM audit.alert;
	SELECT audit.acknowledge(alert_id, 'seen') FROM audit.alert ORDER BY alert_id LIMIT 5});
as('postgres', 'SELECT audit.seal_now()');
is(found(), '', 'acknowledged and sealed');

# A year and two months later
keeper_clock(430);
as('postgres', 'SELECT audit.seal_now()');
$node->poll_query_until('postgres', q{SELECT audit.checkpoint() IS NOT NULL}) or die;
like(as('mona', q{SELECT sum(events) FROM audit.retention_plan()}), qr/^5$/, 'the events of acknowledgements expire');
$id = as('mona', q{SELECT audit.request_purge('the law')});
as('bob', "SELECT audit.approve($id, 'fine')");
as('postgres', 'SELECT audit.keeper_now()');
is(as('postgres', q{SELECT count(*) FILTER (WHERE event_type = 'alert.acknowledged'), count(*) FILTER (WHERE event_type = 'alert.resent') FROM audit.event}), '0|1', 'and are purged');
is(as('postgres', q{SELECT count(*) FROM audit.alerts WHERE acknowledged_at IS NOT NULL}), '5', 'that they were made is known');
is(found(), '', 'and no offence');

# In the files: one more, of an event that was never there.
my $place = row(q{kind = 'acknowledged' ORDER BY action_id LIMIT 1});
$node->stop;
copy_row($place, sub { substr($_, field_at(0), 8) = pack 'q', 4711; substr($_, -12, 8) = pack 'q', 987654 });
$node->append_conf('postgresql.conf', "shared_preload_libraries = ''\n");
$node->start;
is(found(), 'alert action added|4711', 'a forged one is');
$node->stop;
done_testing();

# As a login of its own.
sub as
{
	my ($login, $sql) = @_;
	my ($status, $out, $err) = $node->psql('postgres', $sql, extra_params => [ '-U', $login ]);

	die "$sql: $err" if $status != 0;
	return $out;
}

sub found
{
	return as('postgres', q{SELECT coalesce(string_agg(finding || '|' || coalesce(object, ''), E'\n'), '') FROM audit.verify() WHERE finding NOT IN ('summary', 'purged')});
}

sub keeper_clock
{
	my ($day) = @_;
	my $clock = ($day * 86400 + 1) . 's';

	$node->append_conf('postgresql.conf', "audit_trail.debug_clock = $clock\n");
	$node->reload;
	$node->poll_query_until('postgres', "SELECT current_setting('audit_trail.debug_clock')::interval = '$clock'::interval") or die;
	as('postgres', 'SELECT audit.keeper_now()');
	return;
}

# [file, block, item] of a row of audit.alert_action
sub row
{
	my ($where) = @_;
	my ($file, $block, $item) = split ' ', as('postgres',
		"SELECT pg_relation_filepath(tableoid) || ' ' || translate(ctid::text, '(,)', '  ') FROM audit.alert_action WHERE $where");

	return [ $node->data_dir . "/$file", $block, $item ];
}
