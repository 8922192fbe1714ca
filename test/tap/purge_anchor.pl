# audit_trail.purge_anchor: nothing is purged before somebody outside has given a receipt for a checkpoint
# that has the order: not while the command fails, is missing or is slow, nor by a receipt of before; and a
# crash between receipt and purge loses neither.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Polling;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Waiting;
use Workers;

my $node = PostgreSQL::Test::Cluster->new('purge_anchor');
my $folder = PostgreSQL::Test::Utils::tempdir;
my @points = qw(purge-ordered purge-anchored purge-before-commit);
my $day = 0;

$node->init;
$node->append_conf('postgresql.conf', qq{
shared_preload_libraries = 'audit_trail'
max_worker_processes = 20
restart_after_crash = on
audit_trail.seal_interval = 50ms
audit_trail.keeper_pause = 0
audit_trail.keeper_interval = 0
audit_trail.anchor_interval = 0
audit_trail.anchor_heartbeat = 0
audit_trail.signing_key_file = '$folder/key'
audit_trail.checkpoint_file = '$folder/checkpoints'
audit_trail.debug_points = '@{[ join ',', @points ]}'
});
$node->start;
is(value('SHOW audit_trail.purge_anchor'), 'on', 'a purge is anchored unless somebody says otherwise');
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
value("SELECT audit.create_signing_key('$folder/key', 'example.org/shop')");
approved('alice', q{SELECT audit.set_retention(context => 'sales', keep => '1 year', "then" => 'purge', reason => 'the law')});

# without a command the order waits, and the keeper says why
my $gone = expired();
value('SELECT audit.keeper_now()');
is(orders_left(), $gone, 'without a command nothing goes');
like(value(q{SELECT error FROM audit.keeper_run WHERE step = 'purge' ORDER BY run_id DESC LIMIT 1}), qr/purge that was ordered cannot be anchored/, 'and the keeper says why');
is(phases(), 'ordered', 'it is ordered');

# a command that fails
configure("anchor_command = 'touch $folder/asked; false'");
wait_for('the command was asked', sub { -e "$folder/asked" });
value('SELECT audit.keeper_now()');
is(orders_left(), $gone, 'while the command fails nothing goes');
is(value('SELECT count(*) FROM audit.anchor_receipt'), 0, 'as there is no receipt');
is(phases(), 'ordered', 'the order waits');

# a receipt for a checkpoint before the order does not count: the command is slow to say yes
configure("anchor_command = 'while [ ! -e $folder/go ]; do sleep 0.05; done; echo seen'");
value('SELECT audit.keeper_now()');
is(orders_left(), $gone, 'while the command has not answered nothing goes');
append_to_file("$folder/go", '');
wait_for('the order is anchored', sub { value('SELECT max(size) > (SELECT max(deletion_id) FROM audit.deletion) FROM audit.anchor_receipt') eq 't' });
value('SELECT audit.keeper_now()');
is(orders_left(), 0, 'when it has, what was ordered goes');
is(phases(), 'done ordered', 'and is recorded');
is(value(q{SELECT min(r.size) > d.deletion_id AND min(r.received_at) < max(c.made_at) FROM audit.deletion d, audit.deletion c, audit.anchor_receipt r
	WHERE d.phase = 'ordered' AND c.phase = 'done' AND r.size > d.deletion_id GROUP BY d.deletion_id}), 't', 'after the receipt');

# a receipt of before counts for no later order
configure("anchor_command = 'false'");
my $later = expired();
value('SELECT audit.keeper_now()');
is(orders_left(), $later, 'receipts of before do not count for another order');
configure("anchor_command = 'echo seen'");
all_gone('the command works again');

# kill -9 between order, receipt and purge; then what was ordered goes, once
foreach my $point (@points)
{
	my $count = expired_held($point);

	is(orders_left(), $count, "killed at $point: all is there");
	all_gone("then, at $point");
	is(value(q{SELECT object FROM audit.verify() WHERE finding = 'summary'}), 'ok', 'and all verifies');
	is(value(q{SELECT count(*) FROM audit.deletion d WHERE phase = 'ordered' AND NOT EXISTS (SELECT FROM audit.deletion x WHERE x.deletion_id = d.deletion_id
		AND x.phase <> 'ordered')}), 0, 'no order is left');
	is(value(q{SELECT bool_and(n = 1) FROM (SELECT count(*) AS n FROM audit.deletion WHERE phase = 'done' GROUP BY deletion_id) x}), 't', 'none was carried out twice');
}

# off: a signature is enough
configure("purge_anchor = off\naudit_trail.anchor_command = 'false'");
expired();
all_gone('without anchors');
$node->stop;
done_testing();

sub value { return $node->safe_psql('postgres', $_[0]) }
sub orders_left { return value(q{SELECT count(*) FROM audit.events WHERE table_name = 'orders' AND action = 'insert'}) }
sub phases { return value(q{SELECT string_agg(phase, ' ' ORDER BY phase) FROM audit.deletion}) }

sub as
{
	my ($login, $sql) = @_;

	return $node->safe_psql('postgres', $sql, extra_params => [ '-U', $login ]);
}

sub approved
{
	my ($login, $sql) = @_;
	my $id = as($login, $sql);

	as('bob', "SELECT audit.approve($id, 'fine')");
	return $id;
}

# Settings of audit_trail, in force for the workers too.
sub configure
{
	my ($settings) = @_;

	$node->append_conf('postgresql.conf', "audit_trail.$settings\n");
	$node->reload;
	my ($name, $value) = $settings =~ /^(\w+) = '?(.*?)'?$/m;
	wait_for("$name is set", sub { value("SHOW audit_trail.$name") eq $value });
	return;
}

sub clock
{
	my $clock = $day * 86400 + 1;

	$node->append_conf('postgresql.conf', "audit_trail.debug_clock = ${clock}s\n");
	$node->reload;
	$node->poll_query_until('postgres', "SELECT current_setting('audit_trail.debug_clock')::interval = '${clock}s'::interval") or die;
	return;
}

# A month of orders that have expired, and an approved request to purge them; how many.
sub expired
{
	clock();
	value('SELECT audit.keeper_now()');
	value(q{INSERT INTO orders (note) SELECT 'x' FROM generate_series(1, 20)});
	$day += 460;
	clock();
	value('SELECT audit.seal_now()');
	my $count = orders_left();
	approved('mona', q{SELECT audit.request_purge('the law')});
	return $count;
}

# The same, and the keeper killed at a point.
sub expired_held
{
	my ($point) = @_;
	my $hold = hold_point($node, $point);
	my $count = expired();
	my $asked = $node->background_psql('postgres', on_error_stop => 0);

	$asked->{stdin} .= "SELECT audit.keeper_now();\n";
	$asked->{run}->pump_nb;
	wait_until_held($node, $point);
	my ($pid) = pids_of($node, 'keeper');
	my $mark = -s $node->logfile;

	kill 'KILL', $pid;
	wait_for('the server is back', sub { slurp_file($node->logfile, $mark) =~ /database system is ready to accept connections/ });
	$_->{run}->kill_kill foreach $hold, $asked;
	return $count;
}

# A run may end before the receipt has come; the next one goes on.
sub all_gone
{
	my ($what) = @_;

	wait_for("$what: all goes", sub { value('SELECT audit.keeper_now()'); orders_left() == 0 });
	is(orders_left(), 0, "$what: what was ordered goes");
	return;
}
