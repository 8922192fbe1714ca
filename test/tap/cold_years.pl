# Ten years pass by a clock that is set: months are hot, then archived by the keeper, then purged on the authority of two.
# Some are moved to files before. At each step all of it verifies, counts add up exactly, and the life of an old order is told out of the archive.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('cold_years');
my $folder = PostgreSQL::Test::Utils::tempdir;
my $day = 0;
my ($recorded, $purged) = (0, 0);

$node->init;
$node->append_conf('postgresql.conf', qq{
shared_preload_libraries = 'audit_trail'
max_worker_processes = 20
fsync = off
autovacuum = off
audit_trail.seal_interval = 50ms
audit_trail.verify_interval = 0
audit_trail.purge_anchor = off
audit_trail.keeper_pause = 0
audit_trail.keeper_interval = 0
audit_trail.record_reads = off
audit_trail.archive_directory = '$folder'
});
$node->start;
sql(q{SET audit_trail.debug_clock = 1; CREATE EXTENSION audit_trail; SELECT audit.init();
	SELECT count(*) FROM audit.create_roles();
	CREATE ROLE alice LOGIN IN ROLE audit_admin;
	CREATE ROLE bob LOGIN IN ROLE audit_purge_approver;
	CREATE ROLE mona LOGIN IN ROLE audit_maintenance;
	CREATE TABLE orders (id int PRIMARY KEY, note text);
	SELECT audit.enable('orders', context => 'sales')});
my $id = as('alice', q{SELECT audit.set_retention(context => 'sales', hot => '1 month', keep => '3 years', "then" => 'purge', reason => 'the law')});
as('bob', "SELECT audit.approve($id, 'fine')");
keep();

# Half a year at a time
foreach my $half (1 .. 20)
{
	foreach my $month (1 .. 6)
	{
		my $text = '';

		foreach my $d ($day .. $day + 29)
		{
			$text .= "SET audit_trail.debug_clock = '" . clock($d) . "'; INSERT INTO orders VALUES ($d, repeat('order $d ', 5));\n"
			  . "UPDATE orders SET note = 'sent' WHERE id = $d;\n";
		}
		$day += 30;
		$recorded += 60;
		sql($text);
		keep();
	}
	sql('SELECT audit.archive_to_file()') foreach 1 .. 14;
	if ($half > 7)
	{
		my $asked = as('mona', q{SELECT audit.request_purge('the law')});

		like($asked, qr/^\d+$/, "half a year $half: a purge is asked for");
		as('bob', "SELECT audit.approve($asked, 'fine')");
		$purged += sql(q{SELECT sum(events) FROM audit.retention_plan() WHERE action = 'purge'});

		# the keeper gives way to others after some milliseconds, and comes back
		for (1 .. 60)
		{
			keep();
			last if sql(q{SELECT count(*) FROM audit.deletion WHERE phase = 'done'}) > 0 && sql(q{SELECT coalesce(sum(events), 0) FROM audit.retention_plan() WHERE action = 'purge'}) == 0;
		}
	}
	is(sql(q{SELECT object FROM audit.verify() WHERE finding = 'summary'}), 'ok', "half a year $half: all of it verifies");
	is(sql(q{SELECT count(*) FROM audit.events WHERE table_name = 'orders' AND action IN ('insert', 'update')}), $recorded - $purged, 'counts add up');
	my $old = sql(q{SELECT min(resource_id::int) FROM audit.events WHERE table_name = 'orders' AND action = 'insert'});
	is(sql("SELECT string_agg(action, ',') FROM audit.history('orders', '$old')"), 'insert,update', 'the oldest order tells its life');
}
cmp_ok($purged, '>', 60 * 12 * 5, 'years are gone');
is(sql(q{SELECT count(*) FROM pg_class WHERE relkind = 'f' AND relname LIKE 'event%'}), 35, 'of three years all but the newest month is archived, and what was purged has no partition');
cmp_ok(sql(q{SELECT count(*) FROM audit.keeper_run WHERE step = 'archive' AND error IS NULL}), '>', 100, 'the keeper did it');
is(sql(q{SELECT string_agg(DISTINCT step || ': ' || error, chr(10)) FROM audit.keeper_run WHERE error !~ 'lock timeout|in use'}), '', 'and did not fail but for locks');
my @files = glob "$folder/*";
cmp_ok(scalar(@files), '>', 20, 'files have segments');
is(join("\n", map { s{.*/}{}r } @files), sql('SELECT string_agg(f, chr(10)) FROM (SELECT DISTINCT file COLLATE "C" AS f FROM audit.segment WHERE file IS NOT NULL ORDER BY 1) x'),
	'and there is none of what was purged');
$node->stop;
done_testing();

sub sql
{
	my ($text) = @_;

	return $node->safe_psql('postgres', $text);
}

sub as
{
	my ($login, $text) = @_;

	return $node->safe_psql('postgres', $text, extra_params => [ '-U', $login ]);
}

sub clock { return $_[0] * 86400 + 1 . 's' }

# The server's own clock, a seal, and a run of the keeper.
sub keep
{
	$node->append_conf('postgresql.conf', "audit_trail.debug_clock = " . clock($day) . "\n");
	$node->reload;
	$node->poll_query_until('postgres', "SELECT current_setting('audit_trail.debug_clock')::interval = '" . clock($day) . "'::interval") or die;
	sql('SELECT audit.seal_now() IS NOT NULL; SELECT audit.keeper_now()');
	return;
}
