# A full disk, on file systems of a few megabytes: that of the tables, that of the write-ahead log, and that of the signed
# checkpoints. Who changes rows is told, nothing that was committed is lost, and all goes on when there is room again.
#
# AUDIT_TRAIL_SMALL names a folder with three such file systems, which test/run mounts if it may.
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Polling;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Workers;

my $small = $ENV{AUDIT_TRAIL_SMALL};

plan skip_all => 'no small file systems: mounting them takes root' unless $small;
my $node = PostgreSQL::Test::Cluster->new('full_disk');
my $made = 0;    # rows that were committed

# The server's folder is in the first of them.
symlink "$small/data", $node->basedir . '/pgdata' or die "symlink: $!";
$node->init(extra => [ '--wal-segsize=1', '-X', "$small/wal/log" ]);
$node->append_conf('postgresql.conf', qq{
shared_preload_libraries = 'audit_trail'
max_worker_processes = 20
fsync = on
wal_level = replica
max_wal_senders = 1
min_wal_size = 2MB
max_wal_size = 4MB
restart_after_crash = on
audit_trail.seal_interval = 100ms
audit_trail.signing_key_file = '$small/../key'
audit_trail.checkpoint_file = '$small/note/checkpoints'
});
$node->start;
$node->safe_psql('postgres', qq{
	CREATE EXTENSION audit_trail;
	SELECT audit.create_signing_key('$small/../key', 'example.org/shop');
	CREATE TABLE orders (id serial PRIMARY KEY, v text);
	ALTER TABLE orders ALTER v SET STORAGE EXTERNAL;
	SELECT audit.enable('orders');
	SELECT audit.seal_now()});
workers_run($node, 'postgres', 'workers run');
change('one more row') or die 'no row fits';

# No room for tables.
fill('data');
my $message = change_until_refused();
like($message, qr/could not extend file .*: No space left on device/, 'no room for tables: the change fails, and says why');
whole_so_far();
my ($status, $out, $err) = $node->psql('postgres', 'DELETE FROM audit.event');
like($err, qr/write-once/, 'the ledger is protected as before');
make_room('data');
ok(change('there is room'), 'there is room again: changes go on');
ok($node->poll_query_until('postgres', q{SELECT count(*) > 0 FROM audit.event WHERE op = 'R'}), 'what was refused meanwhile is recorded');
whole();

# No room for checkpoints: changes are recorded and sealed, and signed when there is room.
fill('note');
my $offset = -s $node->logfile;
foreach (1 .. 50)    # the last page of the file has room for some
{
	change('unsigned') or die "refused: $message";
	$node->safe_psql('postgres', 'SELECT audit.seal_now()');
	last if doctor($node, 'postgres', 'checkpoints') !~ /^ok/;
}
like(doctor($node, 'postgres', 'checkpoints'), qr/^warning\|The log has (\d+) entries; the last signed checkpoint has (?!\1\b)\d+\./,
	'no room for checkpoints: changes go on, are sealed and not signed, and the doctor tells');
like(doctor($node, 'postgres', 'disk'), qr{^problem\|\Q$small\E/note has 0 MB free\.\|Make room there}m, 'of the disk too');
like(slurp_file($node->logfile, $offset), qr/the head of the audit log is not signed.*could not write .*No space left on device/s,
	'the log of the server says why');
whole_so_far();
make_room('note');
ok($node->poll_query_until('postgres', q{SELECT bool_and(status = 'ok') FROM audit.doctor() WHERE "check" IN ('sealer', 'checkpoints', 'sealing')}),
	'there is room again: all is signed');
unlike(doctor($node, 'postgres', 'disk'), qr{^problem\|\Q$small\E/note }m, 'and the disk has room');
whole();

# No room for the write-ahead log, which a slot that nobody reads keeps: PostgreSQL itself stops. What was committed by
# then is there when it starts again.
$node->safe_psql('postgres', q{SELECT pg_create_physical_replication_slot('nobody', true)});
fill('wal');
$message = change_until_refused();
like($message, qr/server closed the connection|No space left on device|the database system is|could not connect|connection to server/,
	'no room for the write-ahead log: the connection ends');
like(slurp_file($node->logfile), qr/PANIC:.*No space left on device/, 'the log of the server says why');
make_room('wal');
wait_for_server();
workers_run($node, 'postgres', 'there is room again: workers run');
$node->safe_psql('postgres', q{SELECT pg_drop_replication_slot('nobody')});
my $rows = $node->safe_psql('postgres', 'SELECT count(*) FROM orders');
cmp_ok($rows, '>=', $made, 'no row that was committed is lost');
$made = $rows;    # one may have been committed without an answer
ok(change('and on'), 'changes go on');
whole();

# Nothing but what belongs there is left in the small file systems.
$node->stop;
done_testing();

# Leave no more than a page.
sub fill
{
	my ($which) = @_;

	system_or_bail('sh', '-c', "cat /dev/zero >'$small/$which/filler' 2>/dev/null || true");
	return;
}

sub make_room
{
	my ($which) = @_;

	unlink "$small/$which/filler" or die "unlink: $!";
	return;
}

# A row is added; false if that is refused.
sub change
{
	my ($value) = @_;
	my ($status, $out, $err) = $node->psql('postgres', "INSERT INTO orders (v) VALUES (repeat('$value ', 1000))", timeout => 60);

	$message = $err;
	$made++ unless $status;
	return !$status;
}

sub change_until_refused
{
	foreach (1 .. 500)
	{
		change('filling up') or return $message;
	}
	return 'never';
}

# Its crash recovery fails while there is no room, and so the server may have gone altogether.
sub wait_for_server
{
	my $pid_file = $node->data_dir . '/postmaster.pid';

	foreach (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		last unless -e $pid_file && kill 0, (split /\n/, slurp_file($pid_file))[0];
		return if !$node->psql('postgres', 'SELECT 1');
		select undef, undef, undef, 0.1;
	}
	$node->_update_pid(0);
	$node->start;
	return;
}

# As many events as rows; sealing may not be possible.
sub whole_so_far
{
	is($node->safe_psql('postgres', 'SELECT count(*) FROM orders'), $made, 'what was committed is stored, and nothing else');
	is($node->safe_psql('postgres', q{SELECT count(*) FROM audit.events WHERE table_name = 'orders' AND action = 'insert'}), $made, 'and recorded');
	return;
}

sub whole
{
	whole_so_far();
	$node->safe_psql('postgres', 'SELECT audit.seal_now()');
	like($node->safe_psql('postgres', 'SELECT finding, object FROM audit.verify()'), qr/\Asummary\|ok\z/, 'the trail verifies');
	is($node->safe_psql('postgres', q{SELECT finding, detail FROM audit.reconcile('orders')}), 'summary|ok', 'and leads to the rows');
	return;
}
