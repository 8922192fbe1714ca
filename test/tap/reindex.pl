# REINDEX of the ledger beside everybody who writes it: new sessions, the sealer, the notifier that seals alerts and judges bursts. REINDEX
# locks a table and then its indexes, so whoever reads by an index what he is about to write locks the table first; else one of them
# finds a deadlock, in some seconds.
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $seconds = 20;
my $node = PostgreSQL::Test::Cluster->new('reindex');
my $folder = PostgreSQL::Test::Utils::tempdir;

$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\nmax_worker_processes = 20\naudit_trail.seal_interval = 20ms\n"
	  . "audit_trail.verify_interval = 0\nautovacuum = off\nfsync = off\ndeadlock_timeout = 100ms\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION audit_trail;
	CREATE TABLE orders (id int PRIMARY KEY, price int);
	SELECT audit.enable('orders'), audit.alert_when('price', 'orders', '{price}'),
		audit.alert_when('many', 'orders', '{price}', kind => 'burst', more_than => 1, within => '1 second');
	INSERT INTO orders VALUES (1, 0)});

append_to_file("$folder/reindex", join '', map { "REINDEX TABLE audit.$_;\n" } qw(event transaction session alert));
append_to_file("$folder/write", "UPDATE orders SET price = price + 1;\nSELECT audit.notify_now();\n");
my %client = map {
	my ($name, @options) = @$_;
	my ($out, $err) = ('', '');
	($name => { run => IPC::Run::start([ 'pgbench', '-n', '-T', $seconds, '-f', "$folder/$name", @options, $node->connstr('postgres') ], '<', \undef, '>', \$out, '2>', \$err), err => \$err });
} [ 'reindex' ], [ 'write', '-C' ];
foreach my $name (sort keys %client)
{
	$client{$name}{run}->finish;
	is($client{$name}{run}->result(0), 0, "$name: no statement failed") or diag(${ $client{$name}{err} });
}
unlike(slurp_file($node->logfile), qr/deadlock detected/, 'nor has a worker met a deadlock');
is($node->safe_psql('postgres', q{SELECT count(*) > 10 FROM audit.events WHERE event_type = 'alert.sealed'}), 't', 'the notifier has sealed alerts meanwhile');
$node->safe_psql('postgres', 'SELECT audit.seal_now()');
is($node->safe_psql('postgres', 'SELECT object FROM audit.verify()'), 'ok', 'all of it verifies');
$node->stop;
done_testing();
