# Ten years of daily data pass through hot and purge by a clock that is set: at the end of each year all
# that was sealed is there or was purged by authority, and no event more or less than the policies say.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('years');

$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\n"
	  . "max_worker_processes = 20\naudit_trail.seal_interval = 20ms\naudit_trail.purge_anchor = off\n"
	  . "audit_trail.keeper_pause = 0\naudit_trail.keeper_interval = 0\nmax_locks_per_transaction = 512\n");
$node->start;
$node->safe_psql('postgres', q{SET audit_trail.debug_clock = 1; CREATE EXTENSION audit_trail; SELECT audit.init();
	SELECT count(*) FROM audit.create_roles();
	CREATE ROLE alice LOGIN IN ROLE audit_admin;
	CREATE ROLE bob LOGIN IN ROLE audit_purge_approver;
	CREATE ROLE mona LOGIN IN ROLE audit_maintenance;
	CREATE TABLE visits (id int PRIMARY KEY, note text);
	CREATE TABLE orders (id int PRIMARY KEY, note text);
	CREATE TABLE staff (id int PRIMARY KEY, note text);
	SELECT audit.enable('visits', context => 'web');
	SELECT audit.enable('orders', context => 'sales');
	SELECT audit.enable('staff', context => 'people')});

sub as
{
	my ($login, $sql) = @_;
	return $node->safe_psql('postgres', $sql, extra_params => ['-U', $login]);
}
sub sql { return as('postgres', $_[0]) }

# Visits a year, orders three, staff for ever.
foreach my $policy (['web', '1 year'], ['sales', '3 years'])
{
	my $id = as('alice', qq{SELECT audit.set_retention(context => '$policy->[0]', keep => '$policy->[1]', "then" => 'purge', reason => 'the law')});
	as('bob', "SELECT audit.approve($id, 'fine')");
}

my $years = $ENV{AUDIT_TRAIL_TEST_YEARS} // 10;
my $day = 0;

sub set_clock
{
	my $seconds = $day * 86400 + 1;

	$node->append_conf('postgresql.conf', "audit_trail.debug_clock = ${seconds}s\n");
	$node->reload;
	$node->poll_query_until('postgres', "SELECT current_setting('audit_trail.debug_clock')::interval = '${seconds}s'::interval") or die;
	sql('SELECT audit.keeper_now()');
}

# What must be there, day by day: by the month of the event and the clock.
sub expected
{
	my ($table, $keep) = @_;

	return sql(qq{SELECT count(*) FROM generate_series(0, $day) d, LATERAL (SELECT now() + d * interval '1 day' AS at) a
		WHERE (date_trunc('month', at, 'UTC') AT TIME ZONE 'UTC' + interval '1 month' + interval '$keep') AT TIME ZONE 'UTC'
			> now() + interval '$day days 1 second'});
}

foreach my $year (1 .. $years)
{
	foreach my $quarter (1 .. 4)
	{
		my $text = '';
		my $until = $year * 365 * ($quarter == 4) || ($year - 1) * 365 + $quarter * 91;

		set_clock();
		for (; $day < $until; $day++)
		{
			$text .= "SET audit_trail.debug_clock = '" . ($day * 86400 + 1) . "s';\n"
			  . "BEGIN; INSERT INTO visits VALUES ($day, 'v'); INSERT INTO orders VALUES ($day, 'o'); COMMIT;\n"
			  . "INSERT INTO staff VALUES ($day, 's');\n";
		}
		sql($text);
	}
	$day--;
	set_clock();
	sql('SELECT audit.seal_now()');
	if (sql(q{SELECT count(*) FROM audit.retention_plan() WHERE action = 'purge' AND events > 0}) > 0)
	{
		my $id = as('mona', q{SELECT audit.request_purge('end of the year')});
		as('bob', "SELECT audit.approve($id, 'fine')");
		sql('SELECT audit.keeper_now()');
	}
	is(sql(q{SELECT object FROM audit.verify() WHERE finding = 'summary'}), 'ok', "year $year: all verifies")
	  or diag(sql('SELECT * FROM audit.verify() LIMIT 10'));
	is(sql(q{SELECT count(*) FROM audit.events WHERE table_name = 'visits' AND action = 'insert'}), expected('visits', '1 year'), 'visits of a year');
	is(sql(q{SELECT count(*) FROM audit.events WHERE table_name = 'orders' AND action = 'insert'}), expected('orders', '3 years'), 'orders of three');
	is(sql(q{SELECT count(*) FROM audit.events WHERE table_name = 'staff' AND action = 'insert'}), $day + 1, 'and all staff are there');
	is(sql('SELECT audit.rebuild_volume()'), '0', 'figures add up');
	is(sql(q{SELECT (SELECT sum(event_count) FROM audit.log_entry) = (SELECT count(*) FROM audit.event)
		+ coalesce((SELECT sum((certificate ->> 'events')::bigint) FROM audit.deletion WHERE phase = 'done'), 0)}), 't', 'so do all events');
	is(sql(q{SELECT (SELECT sum(tx_count) FROM audit.log_entry) = (SELECT count(*) FROM audit.transaction)
		+ coalesce((SELECT sum((certificate ->> 'transactions')::bigint) FROM audit.deletion WHERE phase = 'done'), 0)}), 't', 'and all transactions');
	is(sql(q{SELECT count(*) FROM audit.history('orders', '} . ($day - 100) . q{')}), 1, 'the history of an order answers');
	$day++;
}

# What expired has no partitions any more.
is(sql(q{SELECT count(*) FROM pg_class c JOIN audit.retention r ON c.relname ~ ('^event_' || r.retention_class || '_[0-9]{6}$')
	WHERE r.context = 'web' AND right(c.relname, 6) < to_char(now() + interval '} . ($day - 800) . q{ days', 'YYYYMM')}), '0',
	'partitions of what was purged are gone');
$node->stop;
done_testing();
