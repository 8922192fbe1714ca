# Copies of the files keep the trail, who may read it and how it goes on: a base backup, recovery to a point in
# time, a standby and its promotion, pg_upgrade: from the older version that AUDIT_TRAIL_OLDER names, if it does.
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Moved;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('physical');

$node->init(has_archiving => 1, allows_streaming => 1);
$node->append_conf('postgresql.conf', moved_conf());
$node->start;
$node->backup('before');
my $state = moved_fill($node);

# Backups are of the same server and database, so the same life goes on.
$node->backup('after');
my $copy = PostgreSQL::Test::Cluster->new('copy');
$copy->init_from_backup($node, 'after');
$copy->start;
moved_is($copy, 'postgres', $state, 1, 'a base backup');
$copy->stop;

# A standby reads, and does not write; promoted, it goes on.
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'after', has_streaming => 1);
$standby->start;
$node->safe_psql('postgres', q{SELECT pg_create_restore_point('here')});
$node->wait_for_catchup($standby);
is(moved_state($standby, 'postgres'), $state, 'a standby has all of it');
is($standby->safe_psql('postgres', q{
	SET ROLE moved_scoped; SELECT string_agg(DISTINCT table_name, ' '), count(*) FROM audit.events;
	SET ROLE moved_admin; SELECT bool_and(new_values ->> 'total' = '***') FROM audit.events WHERE table_name = 'orders' AND action = 'update'}),
	"parts|30\nt", 'and its readers see what is their own');
is($standby->safe_psql('postgres', 'SELECT object FROM audit.verify()'), 'ok', 'it verifies there');
$standby->promote;
moved_is($standby, 'postgres', $state, 1, 'a promoted standby');
$standby->stop;

# What came after the point is gone, and nothing of before.
my $last = $node->safe_psql('postgres', q{DELETE FROM orders; SELECT audit.seal_now() \g /dev/null
	SELECT pg_walfile_name(pg_current_wal_lsn()); SELECT pg_switch_wal() \g /dev/null});
$node->poll_query_until('postgres', "SELECT last_archived_wal >= '$last' FROM pg_stat_archiver");
my $recovered = PostgreSQL::Test::Cluster->new('recovered');
$recovered->init_from_backup($node, 'before', has_restoring => 1, standby => 0);
$recovered->append_conf('postgresql.conf', "recovery_target_name = 'here'\nrecovery_target_timeline = 'current'\nrecovery_target_action = 'promote'\n");
$recovered->start;
$recovered->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()')
	or diag(slurp_file($recovered->logfile));
moved_is($recovered, 'postgres', $state, 1, 'recovery to a point in time');
$recovered->stop;

# pg_upgrade makes a server of another identity.
$node->safe_psql('postgres', q{UPDATE orders SET total = 1});
$node->stop;
my $older = $ENV{AUDIT_TRAIL_OLDER};
$node = PostgreSQL::Test::Cluster->new('old', $older ? (install_path => $older) : ());
$node->init(extra => ['-k']);	# which 18 has by itself, and both must have
$node->append_conf('postgresql.conf', moved_conf());
$node->start;
$state = moved_fill($node);
my $was = $node->safe_psql('postgres', 'SHOW server_version');
$node->stop;
foreach my $mode ('--copy', '--link')
{
	my $new = PostgreSQL::Test::Cluster->new("new$mode");

	$new->init(extra => ['-k']);
	$new->append_conf('postgresql.conf', moved_conf());
	chdir(PostgreSQL::Test::Utils::tempdir) or die "chdir: $!";
	command_ok([ 'pg_upgrade', '--no-sync', $mode eq '--link' ? $mode : (), '-d', $node->data_dir, '-D', $new->data_dir, '-b', $node->config_data('--bindir'),
		'-B', $new->config_data('--bindir'), '-s', $node->host, '-p', $node->port, '-P', $new->port, '-U', user() ], "pg_upgrade $mode")
		or diag(join "\n", map { slurp_file($_) } glob($new->data_dir . '/pg_upgrade_output.d/*/*.txt'), glob($new->data_dir . '/pg_upgrade_output.d/*/log/*.log'));
	$new->start;
	moved_is($new, 'postgres', $state, 2, "pg_upgrade $mode from $was");
	is($new->safe_psql('postgres', q{SELECT finding, detail FROM audit.reconcile('orders')}), 'summary|ok', 'the trail of both versions leads to the rows');
	$new->stop;
}
done_testing();

sub user
{
	return scalar getpwuid($<);
}
