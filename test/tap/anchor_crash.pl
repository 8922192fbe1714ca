# Anchors where things break: kill -9 at each step between command and receipt, of the anchorer and
# of the server, while a command runs; DROP DATABASE; a standby and its promotion; a dump that is
# restored elsewhere; and receipts that contradict the log.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Pages;
use Polling;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use Workers;

my $deadline = 180;    # seconds, for each thing that is waited for
my $node = PostgreSQL::Test::Cluster->new('anchor_crash');
my $folder = PostgreSQL::Test::Utils::tempdir;

$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', qq{
shared_preload_libraries = 'audit_trail'
max_worker_processes = 20
restart_after_crash = on
audit_trail.seal_interval = 1h
audit_trail.signing_key_file = '$folder/key'
audit_trail.checkpoint_file = '$folder/checkpoints'
audit_trail.debug_points = 'anchor-received,anchor-before-commit'
audit_trail.anchor_command = 'echo %s >>$folder/witnessed; echo seen'
audit_trail.anchor_interval = 0
});
$node->start;
$node->safe_psql('postgres', q{
	SET client_min_messages = error;
	CREATE EXTENSION audit_trail;
	CREATE TABLE orders (id int PRIMARY KEY);
	SELECT audit.enable('orders')});
$node->safe_psql('postgres', "SELECT audit.create_signing_key('$folder/key', 'example.org/shop')");
seal($node);
anchor_now($node);

# kill -9 between the command's end and the receipt
foreach my $victim ('anchorer', 'postmaster')
{
	foreach my $point ('anchor-received', 'anchor-before-commit')
	{
		my $hold = $node->background_psql('postgres');

		$hold->query("SELECT pg_advisory_lock(1096107092, hashtext('$point'))");
		insert($node);
		$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
			AND classid = 1096107092 AND objid::int8 = hashtext('$point')::int8 & 4294967295") or die "not held at $point";
		is(witnessed()->[-1], size($node), "held at $point: the command has run");
		my $witnessed = @{ witnessed() };
		kill_9($victim);
		$hold->{run}->kill_kill;
		$node->psql('postgres', 'SELECT audit.seal_now()');
		wait_for('a receipt', sub { anchored($node) eq size($node) });
		cmp_ok(scalar(@{ witnessed() }), '>', $witnessed, "$victim killed at $point: the command has run again");
		is(witnessed()->[-1], size($node), 'for the newest checkpoint, which may be that of the start of the server');
		is($node->safe_psql('postgres', 'SELECT count(*) FROM audit.anchor_receipt WHERE size = ' . size($node)), 1, 'which has one receipt');
	}
}

# kill -9 while the command runs: nothing of it is left
foreach my $victim ('anchorer', 'postmaster')
{
	configure($node, "sleep 1000 & echo \$! >$folder/pid1; echo \$\$ >$folder/pid2; mv $folder/pid1 $folder/pid; sleep 1001; true");
	insert($node);
	wait_for('the command', sub { -s "$folder/pid" && -s "$folder/pid2" });
	my @pids = map { chomp(my $pid = slurp_file($_)); $pid } "$folder/pid", "$folder/pid2";
	is(kill(0, @pids), 2, 'a command runs');
	my $began = time();
	kill_9($victim);
	wait_for('the end of the command', sub { !kill 0, @pids });
	cmp_ok(time() - $began, '<', 30, "$victim killed: so is all that the command has started");
	unlink "$folder/pid", "$folder/pid2";
	configure($node, "echo %s >>$folder/witnessed; echo seen");
	wait_for('a receipt', sub { anchored($node) eq size($node) });
	ok(1, 'and it goes on');
}

# a stop of the server does not wait for it, nor does DROP DATABASE
configure($node, "echo \$\$ >$folder/pid; exec sleep 1000");
insert($node);
wait_for('the command', sub { -s "$folder/pid" });
my $began = time();
$node->stop('fast');
cmp_ok(time() - $began, '<', 30, 'the server stops at once');
ok(!kill(0, slurp_file("$folder/pid") + 0), 'and the command with it');
unlink "$folder/pid";
$node->append_conf('postgresql.conf', "audit_trail.signing_key_file = '$folder/%d.key'\naudit_trail.checkpoint_file = '$folder/%d.checkpoints'");
rename "$folder/key", "$folder/postgres.key" or die;
rename "$folder/checkpoints", "$folder/postgres.checkpoints" or die;
$node->start;
$node->safe_psql('postgres', 'CREATE DATABASE second');
$node->safe_psql('second', q{SET client_min_messages = error; CREATE EXTENSION audit_trail; SELECT audit.init()});
$node->safe_psql('second', "SELECT audit.create_signing_key('$folder/second.key', 'example.org/second')");
configure($node, "grep -q example.org/second %p || exit 9; echo \$\$ >$folder/pid; exec sleep 1000");
$node->safe_psql('second', 'SELECT audit.seal_now()');
wait_for('the command of the second database', sub { -s "$folder/pid" });
$began = time();
$node->safe_psql('postgres', 'DROP DATABASE second');
cmp_ok(time() - $began, '<', 30, 'DROP DATABASE does not wait for a command');
ok(!kill(0, slurp_file("$folder/pid") + 0), 'which is stopped');
configure($node, "echo %s >>$folder/witnessed; echo seen");
wait_for('a receipt', sub { anchored($node) eq size($node) });

# a standby has the receipts and anchors nothing; promoted, it has to be told to go on
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', "audit_trail.anchor_command = 'echo %s >>$folder/standby'");
$standby->start;
insert($node);
anchor_now($node);
$node->wait_for_catchup($standby);
is($standby->safe_psql('postgres', 'SELECT max(size) FROM audit.anchor_receipt'), size($node), 'a standby has the receipts');
is(pids_of($standby, 'anchorer'), 0, 'and no anchorer');
like(($standby->psql('postgres', 'SELECT audit.anchor_now()'))[2], qr/anchorer is not running/, 'whom nobody can ask there');
is($standby->safe_psql('postgres', 'SELECT signed_size, anchored_size FROM audit.anchor_status'), '0|0', 'it has no status');
like(doctor($standby, 'postgres', 'anchor'), qr/^ok\|The server is in recovery/, 'for which the doctor has an excuse');
ok(!-e "$folder/standby", 'no command was run there');
$standby->promote;
wait_for('the standby anchors', sub { -s "$folder/standby" });
is($standby->safe_psql('postgres', 'SELECT object FROM audit.verify()'), 'ok', 'promoted, it anchors; verified');
$standby->stop;
# what it signed is in the same checkpoint file, so the old primary has lost
insert($node);
like(doctor($node, 'postgres', 'checkpoints'), qr/^problem/, 'the other one signs no more');
rename "$folder/postgres.checkpoints", "$folder/gone" or die;
$node->safe_psql('postgres', q{SELECT audit.new_incarnation('the standby was a test')});
seal($node);
is(anchor_now($node), size($node), 'until that is declared');

# dump and restore: receipts come along, and new ones behind them
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$folder/dump", '-d', $node->connstr('postgres') ], 'dumped');
$node->command_ok([ 'pg_restore', '-e', '-1', '-d', $node->connstr('restored'), "$folder/dump" ], 'restored');
is($node->safe_psql('restored', 'SELECT md5(string_agg(r::text, $$,$$ ORDER BY receipt_id)) FROM audit.anchor_receipt r'),
	$node->safe_psql('postgres', 'SELECT md5(string_agg(r::text, $$,$$ ORDER BY receipt_id)) FROM audit.anchor_receipt r'), 'with the receipts, byte for byte');
$node->safe_psql('restored', "SELECT audit.create_signing_key('$folder/restored.key', 'example.org/shop')");
my $receipts = $node->safe_psql('restored', 'SELECT count(*) FROM audit.anchor_receipt');
$node->safe_psql('restored', 'INSERT INTO orders VALUES (-1)');
$node->safe_psql('restored', 'SELECT audit.seal_now()');
is($node->safe_psql('restored', 'SELECT count(*) FROM audit.anchor_receipt'), $receipts, 'the copy is not anchored before it is declared');
$node->safe_psql('restored', q{SELECT audit.new_incarnation('restored for a test')});
$node->safe_psql('restored', 'SELECT audit.seal_now(); SELECT audit.anchor_now()');
is($node->safe_psql('restored', 'SELECT incarnation, receipt_id FROM audit.anchor_receipt ORDER BY receipt_id DESC LIMIT 1'),
	'2|' . ($receipts + 1), 'then it is, in its own incarnation');
is($node->safe_psql('restored', 'SELECT object FROM audit.verify()'), 'ok', 'verified');
$node->stop;
done_testing();

sub seal
{
	my ($node) = @_;

	return $node->safe_psql('postgres', 'SELECT size FROM audit.seal_now()');
}

sub insert
{
	my ($node) = @_;

	$node->safe_psql('postgres', 'INSERT INTO orders SELECT coalesce(max(id), 0) + 1 FROM orders');
	return seal($node);
}

sub anchor_now
{
	my ($node) = @_;

	return $node->safe_psql('postgres', 'SELECT size FROM audit.anchor_now()');
}

sub size
{
	my ($node) = @_;

	return $node->safe_psql('postgres', 'SELECT max(size) FROM audit.checkpoint');
}

sub anchored
{
	my ($node) = @_;

	return ($node->psql('postgres', 'SELECT coalesce(max(size), 0) FROM audit.anchor_receipt'))[1];
}

# The sizes for which the command has run.
sub witnessed
{
	return [ split /\n/, slurp_file("$folder/witnessed") ];
}

sub configure
{
	my ($node, $command) = @_;

	$node->append_conf('postgresql.conf', "audit_trail.anchor_command = '" . $command =~ s/(['\\])/$1$1/gr . "'");
	$node->reload;
}

sub kill_9
{
	my ($victim) = @_;

	if ($victim eq 'postmaster')
	{
		$node->kill9;
		start_again();
	}
	else
	{
		my ($pid) = pids_of($node, $victim, 'postgres');

		kill 'KILL', $pid;
		wait_for('the end of the process', sub { !kill 0, $pid });
	}
	wait_for('the server answers', sub { $node->psql('postgres', 'SELECT 1') == 0 });
}

# Orphans of a killed postmaster hold the shared memory for a moment.
sub start_again
{
	wait_for('the server starts', sub { $node->start(fail_ok => 1) || do { $node->stop('fast', fail_ok => 1); 0 } });
}

sub wait_for
{
	my ($what, $condition) = @_;
	my $until = time() + $deadline;

	until ($condition->())
	{
		die "timed out: $what" if time() > $until;
		sleep(0.05);
	}
}
