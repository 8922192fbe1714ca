# The demo's order business on a test node, for the tests under test/tap.

package Shop;

use strict;
use warnings;

use Cwd qw(abs_path);
use Exporter qw(import);
use File::Basename qw(dirname);
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(open_shop start_load end_load seal_all trail_is_right verify);

my $here = dirname(abs_path(__FILE__));
my %size = (customers => 500, products => 200, orders => 2000);

# A started node with the audited shop in database "postgres", first rows and all.
sub open_shop
{
	my ($name, $conf) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init;
	$node->append_conf('postgresql.conf',
		"shared_preload_libraries = 'audit_trail'\nlog_statement = none\n" . ($conf // ''));
	$node->start;
	run_file($node, 'schema.sql');
	$node->safe_psql('postgres', 'CREATE EXTENSION audit_trail');
	run_file($node, $_) foreach qw(audit.sql lag.sql replay.sql data.sql);
	return $node;
}

sub run_file
{
	my ($node, $file) = @_;
	my @sizes = map { ('-v', "$_=$size{$_}") } sort keys %size;

	$node->safe_psql('postgres', slurp_file("$here/$file"), extra_params => \@sizes);
	return;
}

# pgbench in the background: the handle that end_load wants.
sub start_load
{
	my ($node, $clients, $seconds) = @_;
	my $log = $node->basedir . '/pgbench.log';
	local %ENV = (
		%ENV,
		PGHOST => $node->host,
		PGPORT => $node->port,
		PGDATABASE => 'postgres',
		map { (uc $_ => $size{$_}) } keys %size);
	my $harness = IPC::Run::start(
		[ "$here/load", 'audited', '-c', $clients, '-j', 2, '-T', $seconds ],
		'<', \undef, '>', $log, '2>&1');

	return { harness => $harness, log => $log };
}

# Waits for the end of the load; true if no client of it failed. What it said is in $load->{said}.
sub end_load
{
	my ($load) = @_;
	my $right = $load->{harness}->finish;

	$load->{said} = slurp_file($load->{log});
	return $right;
}

# Waits until everything that is committed is sealed.
sub seal_all
{
	my ($node) = @_;

	# alerts are sealed by events of their own, a second later unless they are asked for
	$node->poll_query_until('postgres', 'SELECT true FROM (SELECT audit.notify_now()) n') or return 0;
	$node->safe_psql('postgres', 'SELECT audit.seal_now()');
	return $node->poll_query_until('postgres',
		'SELECT count(*) = 0 FROM shop.seal_lag() WHERE lag IS NULL');
}

# The whole examination of a trail at rest: sealed once, replays to the live tables, verifies.
sub trail_is_right
{
	my ($node, $when) = @_;

	ok(seal_all($node), "$when: everything is sealed");
	is($node->safe_psql('postgres', q{
		SELECT (SELECT sum(tx_count) FROM audit.log_entry) = (SELECT count(*) FROM audit.transaction),
			(SELECT sum(event_count) FROM audit.log_entry) = (SELECT count(*) FROM audit.event)}),
		't|t', "$when: each transaction and event is sealed once");
	is($node->safe_psql('postgres', q{
		SELECT count(*) FROM audit.transaction t FULL JOIN (
			SELECT tx_id, count(*), max(ordinal), count(DISTINCT ordinal) AS ordinals
			FROM audit.event GROUP BY tx_id) e USING (tx_id)
		WHERE (t.event_count = e.count AND e.max = e.count AND e.ordinals = e.count) IS NOT TRUE}),
		'0', "$when: transactions have the events that they say, numbered without gaps");
	is($node->safe_psql('postgres',
			q{SELECT table_name, record_key, left(problem, 1000) FROM replay.differences() LIMIT 10}),
		'', "$when: the trail replays to the live tables");
	is(verify($node), 'summary|ok|', "$when: verify is green");
	return;
}

# What audit.verify() says; 'summary|ok|' when all is well.
sub verify
{
	my ($node) = @_;

	return $node->safe_psql('postgres', q{
		SELECT finding, object,
			CASE WHEN finding <> 'summary' THEN concat_ws(', ', place, expected, found, detail) END
		FROM audit.verify()}, timeout => 3600);
}

1;
