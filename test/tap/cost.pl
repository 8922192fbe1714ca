# What audit adds to a row or transaction, in what does not depend on the machine: instructions, allocations,
# catalogue look-ups, buffers, WAL. Each piece of work is done with and without audit; the difference has a bound.
#
# Some counts are the whole server's (buffers, WAL), so nothing is done in the background meanwhile.
#
# %stated holds what each cost was when it was last stated. One that has risen by 5 % fails: make it cheaper, or state
# the new figure and say why in the commit. Where one has sunk by more, a note says so: state the new figure, or what
# was gained can be lost unseen.
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Callgrind;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $rows = 1000;
my $transactions = 200;
my $tolerance = 1.05;
my @by_callgrind = ('instructions', 'allocations', 'buffer reads', 'catalogue look-ups', 'relation opens', 'lock acquisitions');
my @by_server = ('buffers', 'catalogue scans', 'WAL bytes');    # of buffers without those at commit

# What is added to one row, of the last two to one transaction: of single that updates 2 columns of 14, of wide that updates
# 1 of 60.
my @work = qw(update insert delete single wide);
my %stated = (
	instructions => [ 53300, 69400, 71700, 61600, 64300 ],
	allocations => [ 13, 20.1, 20.1, 42, 42 ],
	'buffer reads' => [ 6, 5.2, 6.2, 5.7, 6.8 ],
	buffers => [ 6.1, 5.1, 6.1, 2.6, 2.6 ],
	'catalogue look-ups' => [ 0, 0, 0, 1, 1 ],
	'catalogue scans' => [ 0, 0, 0, 0, 0 ],
	'relation opens' => [ 0, 0, 0, 3, 3 ],
	'lock acquisitions' => [ 0, 0.1, 0.1, 2, 2 ],
	'WAL bytes' => [ 383, 650, 637, 506, 426 ]);

my $node = PostgreSQL::Test::Cluster->new('cost');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'pg_stat_statements, audit_trail'\naudit_trail.seal_interval = '10min'\naudit_trail.verify_interval = 0\n"
	  . "autovacuum = off\njit = off\nfull_page_writes = off\nsynchronous_commit = off\nmax_wal_size = 4GB\n"
	  . "audit_trail.actor = 'anna'\naudit_trail.request_id = 'r-4711'\n");
$node->start;
prepare();

my %added;
for my $work (@work)
{
	add_costs($work, map { measure($work, $_) } qw(plain audited));
}
memory_stays();
$node->stop;
if (have_valgrind())
{
	my @tables = map { my $work = $_; map { [ $work, $_ ] } qw(plain audited) } @work;
	my @counted = count_instructions($node, 'postgres',
		map { [ warm_up(@$_) ], [ statements(@$_, 3000) ] } @tables);

	for my $work (@work)
	{
		my (undef, $plain, undef, $audited) = splice(@counted, 0, 4);
		note(sprintf('%s: %d instructions without audit', $work, $plain->{instructions} / times_done($work)));
		add_costs($work, $plain, $audited);
	}
}
for my $work (@work)
{
	check($work, $_) for @by_server;
  SKIP:
	{
		skip('valgrind is not installed', scalar @by_callgrind) unless have_valgrind();
		check($work, $_) for @by_callgrind;
	}
}
done_testing();

sub prepare
{
	my $wide = join(', ', map { $_ % 3 ? "c$_ text DEFAULT 'value $_'" : "c$_ numeric(12,2) DEFAULT $_" } 1 .. 59);

	$node->safe_psql('postgres', "
		CREATE EXTENSION audit_trail;
		CREATE EXTENSION pg_stat_statements;
		CREATE TABLE orders_plain (id bigint PRIMARY KEY, customer_id bigint NOT NULL, status text NOT NULL,
			channel text NOT NULL, currency char(3) NOT NULL, subtotal numeric(12,2) NOT NULL, discount numeric(12,2) NOT NULL,
			shipping numeric(12,2) NOT NULL, tax numeric(12,2) NOT NULL, total numeric(12,2) NOT NULL,
			shipping_address text NOT NULL, notes text, created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL);
		CREATE TABLE orders_audited (LIKE orders_plain INCLUDING ALL);
		CREATE TABLE wide_plain (id bigint PRIMARY KEY, $wide);
		CREATE TABLE wide_audited (LIKE wide_plain INCLUDING ALL);
		SELECT audit.enable('orders_audited'), audit.enable('wide_audited');
		SELECT audit.alert_when('total changed', 'orders_audited', '{total}');
		CREATE VIEW made AS
			SELECT i::bigint AS id, (i % 500 + 1)::bigint AS customer_id, 'placed' AS status, 'web' AS channel, 'EUR' AS currency,
				100.50 AS subtotal, 0 AS discount, 4.90 AS shipping, 20.10 AS tax, 125.50 AS total,
				'{\"street\": \"Hauptstrasse 1\", \"zip\": \"10115\", \"city\": \"Berlin\"}' AS shipping_address,
				NULL AS notes, timestamptz '2026-01-01 00:00+00' + i * interval '1 s' AS created_at,
				timestamptz '2026-01-01 00:00+00' + i * interval '1 s' AS updated_at
			FROM generate_series(1, 100000) i;
		CREATE FUNCTION meters(OUT buffers bigint, OUT scans bigint, OUT wal bigint) LANGUAGE sql VOLATILE AS \$\$
			SELECT sum(shared_blks_hit + shared_blks_read), (SELECT sum(coalesce(idx_scan, 0) + seq_scan)
				FROM pg_stat_xact_sys_tables WHERE schemaname = 'pg_catalog'), pg_current_wal_insert_lsn() - '0/0'
			FROM pg_stat_statements WHERE query ~ 'orders|wide' \$\$;");
	for my $table (qw(plain audited))
	{
		$node->safe_psql('postgres', "INSERT INTO orders_$table SELECT * FROM made WHERE id <= 10 * $rows;
			INSERT INTO wide_$table SELECT i FROM generate_series(1, $transactions) i;");
	}
	$node->safe_psql('postgres', 'SELECT audit.seal_now()');
	$node->safe_psql('postgres', 'VACUUM ANALYZE');
	return;
}

# How many rows or transactions a piece of work has.
sub times_done
{
	my ($work) = @_;
	return $work =~ /^(?:single|wide)$/ ? $transactions : $rows;
}

# The work, on rows behind `base` that nothing else has touched.
sub statements
{
	my ($work, $table, $base, $times) = @_;
	$times //= times_done($work);
	my $first = $base + { update => 1, delete => 1001, single => 2001, insert => 20001, wide => 1 }->{$work};
	my $these = "id BETWEEN $first AND " . ($first + $times - 1);
	my $change = "status = 'paid', updated_at = updated_at + interval '1 h'";

	return "UPDATE orders_$table SET $change WHERE $these" if $work eq 'update';
	return "INSERT INTO orders_$table SELECT * FROM made WHERE $these" if $work eq 'insert';
	return "DELETE FROM orders_$table WHERE $these" if $work eq 'delete';
	return map { "UPDATE orders_$table SET $change WHERE id = " . ($first + $_ * 3) } 0 .. $times - 1
	  if $work eq 'single';
	return map { "UPDATE wide_$table SET c1 = c1 || 'x' WHERE id = $_" } 1 .. $times;
}

# A little of it, so that the caches are filled.
sub warm_up
{
	my ($work, $table) = @_;
	our $warmed++;
	return statements($work, $table, 6000 + 10 * $warmed, 3);
}

# Do the work in a session: what is counted meanwhile, of which a read of the meters is a part. Scans of catalogues are those
# of the session that it has not yet handed to the server, which it does once a second at most.
sub measure
{
	my ($work, $table) = @_;
	my $flush = 'SELECT pg_stat_force_next_flush()';
	my @said = split(/\n/, $node->safe_psql('postgres', join(";\n", warm_up($work, $table), 'SELECT * FROM meters()', $flush,
				'SELECT * FROM meters()', statements($work, $table, 0), 'SELECT * FROM meters()')));
	my @before = split(/\|/, $said[-2]);
	my @after = split(/\|/, $said[-1]);

	return { map { $by_server[$_] => $after[$_] - $before[$_] } 0 .. $#by_server };
}

# A session's memory, with the work done some times and then many times more.
sub memory_stays
{
	my $read = 'SELECT sum(total_bytes) FROM pg_backend_memory_contexts';
	my @few = map { statements('single', 'audited', 3000, 20) } 1 .. 10;
	my @said = grep { /^\d+$/ } split(/\n/, $node->safe_psql('postgres', join(";\n", @few,
				statements('update', 'audited', 0), $read, (@few) x 4, (statements('update', 'audited', 0, 3000)) x 3, $read)));

	is(scalar @said, 2, 'memory was read twice');
	cmp_ok($said[1] - $said[0], '<=', 0, 'the memory of a session does not grow with what it has done');
	return;
}

sub add_costs
{
	my ($work, $plain, $audited) = @_;
	$added{$work}{$_} = ($audited->{$_} - $plain->{$_}) / times_done($work) for keys %$plain;
	return;
}

sub check
{
	my ($work, $what) = @_;
	my ($place) = grep { $work[$_] eq $work } 0 .. $#work;
	my ($added, $stated) = ($added{$work}{$what}, $stated{$what}[$place]);

	cmp_ok($added, '<=', $stated * $tolerance + 0.05, "$work: $what");
	note(sprintf('%s: %s: %.1f, stated %s%s', $work, $what, $added, $stated,
		$added < $stated / $tolerance - 0.05 ? '; cheaper: state it' : ''));
	return;
}
