# A full queue of NOTIFY, truly filled: a session that listens does not come out of its transaction, and others send until
# they cannot. Before PostgreSQL 17 the queue takes 8 GB; but its files lie here on a small file system (AUDIT_TRAIL_SMALL,
# which test/run mounts if it may), and it ends where that does. Who reads sees alerts at once, all are told when
# there is room again, in order; the notifier goes on, and the doctor tells. Those who listen are not looked at here: the server itself
# ends them where it finds no room on disk.
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Workers;

my $small = $ENV{AUDIT_TRAIL_SMALL};

plan skip_all => 'no small file systems: mounting them takes root' unless $small;
my $node = PostgreSQL::Test::Cluster->new('alert_queue');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\nmax_worker_processes = 20\n");

my $notify = $node->data_dir . '/pg_notify';
mkdir "$small/wal/notify" or die "mkdir: $!";
rmdir $notify or die "rmdir: $!";
symlink "$small/wal/notify", $notify or die "symlink: $!";
system_or_bail('dd', 'if=/dev/zero', "of=$small/wal/filler", 'bs=1M', 'count=12', 'status=none');
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION audit_trail;
	CREATE TABLE orders (id int PRIMARY KEY, price int);
	INSERT INTO orders SELECT g, 0 FROM generate_series(1, 100) g;
	SELECT audit.enable('orders'), audit.alert_when('price', 'orders', '{price}');
});
workers_run($node, 'postgres', 'workers run');
my ($notifier) = pids_of($node, 'notifier', 'postgres');
change(1);
ok($node->poll_query_until('postgres', q{SELECT outcome = 'notified' FROM audit.alert_delivery}), 'an alert is told');
like(doctor($node, 'postgres', 'notification queue'), qr/^ok\|/, 'the doctor finds room');

# Somebody listens and sleeps, somebody else sends until even the smallest finds no room.
my $sleeper = $node->background_psql('postgres');
$sleeper->query_safe('LISTEN filler');
$sleeper->query_safe('BEGIN; SELECT 1');
foreach my $size (7900, 1000, 1)
{
	like(send_until_refused($size), qr/No space left on device/, "no room for $size bytes");
}

# Nobody who writes is concerned; who reads sees all.
my $offset = -s $node->logfile;
change($_) for (2 .. 5);
ok($node->poll_query_until('postgres', q{SELECT count(*) = 5 FROM audit.alerts_since()}), 'changes go on, and their alerts are read');
ok($node->poll_query_until('postgres', q{SELECT status = 'warning' FROM audit.doctor() WHERE "check" = 'notification queue'}), 'the doctor tells that they are not heard');
change($_) for (6 .. 10);
ok($node->poll_query_until('postgres', q{SELECT count(*) = 10 FROM audit.alerts_since()}), 'more of them');
is($node->safe_psql('postgres', q{SELECT string_agg(DISTINCT outcome, ',') FROM audit.alert_delivery d JOIN audit.alert a USING (alert_id) WHERE record_key <> '1'}),
	'unheard', 'nobody was told, which is on record');
is_deeply([ pids_of($node, 'notifier', 'postgres') ], [$notifier], 'the notifier is the same process');
my $failures = () = slurp_file($node->logfile, $offset) =~ /\[$notifier\] ERROR:/g;
cmp_ok($failures, '<=', 10, 'which seldom tries in vain');

# There is room on the disk, and who slept is ended.
unlink "$small/wal/filler" or die "unlink: $!";
$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'});
eval { $sleeper->quit };
ok($node->poll_query_until('postgres', q{SELECT count(*) = 10 FROM audit.alert_delivery WHERE outcome = 'notified'}), 'with room again all are told');
is($node->safe_psql('postgres', q{SELECT string_agg(record_key, ',' ORDER BY delivery_id) FROM audit.alert_delivery d JOIN audit.alert a USING (alert_id)
	WHERE outcome = 'notified'}), join(',', 1 .. 10), 'in order, each once');
ok($node->poll_query_until('postgres', q{SELECT status = 'ok' FROM audit.doctor() WHERE "check" = 'notification queue'}), 'the doctor is content');
is_deeply([ pids_of($node, 'notifier', 'postgres') ], [$notifier], 'the notifier is still the same process');
my $listener = $node->background_psql('postgres');
$listener->query_safe('LISTEN audit_alert');
change(11);
ok($node->poll_query_until('postgres', q{SELECT count(*) = 11 FROM audit.alert_delivery WHERE outcome = 'notified'}), 'another one is told');
like($listener->query_safe('SELECT 1'), qr/"resource_id":"11"/, 'and heard');
$listener->quit;
$node->stop;
done_testing();

# Others want the room.
END
{
	my $status = $?;
	system('rm', '-rf', "$small/wal/notify", "$small/wal/filler") if $small;
	$? = $status;
}

sub change
{
	my ($id) = @_;

	$node->safe_psql('postgres', "UPDATE orders SET price = price + 1 WHERE id = $id");
	return;
}

# Send payloads of a size until that is refused; why it was.
sub send_until_refused
{
	my ($size) = @_;

	foreach (1 .. 500)
	{
		my (undef, undef, $error) =
		  $node->psql('postgres', "SELECT pg_notify('filler', g || repeat('x', $size)) FROM generate_series(1, 20) g");
		return $error if $error;
	}
	return 'it is not';
}
