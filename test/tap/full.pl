# No room: a file of the ledger, or of a table, cannot grow. The change fails with an error that says so, nothing of it
# is stored, and all goes on by itself when there is room; what was refused meanwhile is recorded then.
#
# A file system of a few megabytes would need a privilege to make. A limit on the size of files
# meets the server at the same places: where it extends a relation.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Workers;

my $limit = 3;    # MB
my $node = PostgreSQL::Test::Cluster->new('full');
$node->init(extra => ['--wal-segsize=1']);
$node->append_conf('postgresql.conf',
	"shared_preload_libraries = 'audit_trail'\nmax_worker_processes = 20\nfsync = off\naudit_trail.seal_interval = 100ms\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION audit_trail;
	CREATE TABLE orders (id int PRIMARY KEY, v text);
	ALTER TABLE orders ALTER v SET STORAGE EXTERNAL;
	SELECT audit.enable('orders');
	INSERT INTO orders VALUES (0, 'small')});
$node->stop;

start_limited();
my ($made, $message) = (0, '');
foreach my $i (1 .. 3000)
{
	my ($status, $out, $err) = $node->psql('postgres', "INSERT INTO orders SELECT 50 * $i + g, repeat(md5(g::text), 10) FROM generate_series(0, 49) g");

	$message = $err, last if $status;
	$made += 50;
}
cmp_ok($made, '>', 0, "$made rows fit");
like($message, qr/ERROR:.*could not (extend|write).*File too large/s, 'the change that does not fit fails, and says why');
is($node->safe_psql('postgres', 'SELECT count(*) - 1 FROM orders'), $made, 'nothing of it is stored');
is($node->safe_psql('postgres', q{SELECT count(*) - 1 FROM audit.events WHERE action = 'insert' AND table_name = 'orders'}), $made, 'nor recorded');
my ($status, $out, $err) = $node->psql('postgres', 'TRUNCATE audit.event');
like($err, qr/it is write-once/, 'the ledger is protected as before');
is($node->safe_psql('postgres', 'SELECT count(*) > 0 FROM audit.history($$orders$$, $$0$$)'), 't', 'and can be read');

# The limit is that of the postmaster and its children: a restart is what makes room.
$node->stop;
$node->start;
workers_run($node, 'postgres', 'workers run where there is room');
$node->safe_psql('postgres', "INSERT INTO orders SELECT -g, 'more' FROM generate_series(1, 1000) g");
$node->psql('postgres', 'DELETE FROM audit.event');
ok($node->poll_query_until('postgres', q{SELECT count(*) > 0 FROM audit.event WHERE op = 'R'}), 'a refused attempt is recorded');
$node->safe_psql('postgres', 'SELECT audit.seal_now()');
like($node->safe_psql('postgres', 'SELECT finding, object FROM audit.verify()'), qr/\Asummary\|ok\z/, 'the trail is whole');
is($node->safe_psql('postgres', q{SELECT finding, detail FROM audit.reconcile('orders')}), 'summary|ok', 'and leads to the rows');

$node->stop;
done_testing();

# Start the server with a limit on the size of its files.
sub start_limited
{
	my $kilobytes = 1024 * $limit;
	my $data = $node->data_dir;
	my $log = $node->logfile;

	system_or_bail('bash', '-c', "ulimit -f $kilobytes && exec pg_ctl -w -D '$data' -l '$log' start >/dev/null");
	$node->_update_pid(1);
	return;
}
