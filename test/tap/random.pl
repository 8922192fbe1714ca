# Nothing is missed: sessions change rows in every way at once, at random; then, and meanwhile, the trail of each table
# leads to its rows, and the ledger verifies.
#
# AUDIT_TRAIL_SEED repeats a run's statements, AUDIT_TRAIL_SLOW=1 makes it long.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Random;
use Test::More;
use Time::HiRes qw(time);

my $seed = $ENV{AUDIT_TRAIL_SEED} // int(rand 1_000_000_000);
my $seconds = $ENV{AUDIT_TRAIL_SLOW} ? 600 : 20;
my $sessions = 5;
my @tables = qw(account entry remark total heap pair swap part);

# What statements that know nothing of the data may run into.
my %expected = map { $_ => 1 } qw(
  21000 22003 23502 23503 23505 24000 25P01 25P02 26000 27000 34000 3B001 40001 40P01 42701 42703 42704 42P03 42P05 55000 55006 55P03);

print "# AUDIT_TRAIL_SEED=$seed\n";
srand $seed;

my $node = PostgreSQL::Test::Cluster->new('random');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\nmax_prepared_transactions = 50\n"
	  . "deadlock_timeout = 20ms\nlog_statement = none\nmax_worker_processes = 20\n");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION audit_trail');
$node->safe_psql('postgres', slurp_file("$FindBin::RealBin/random.sql"));
$node->safe_psql('postgres', q{
	SET search_path = random;
	INSERT INTO account SELECT i, 'before', i FROM generate_series(1, 30) i;
	INSERT INTO heap SELECT 1, 'before', 1 FROM generate_series(1, 5)});
$node->safe_psql('postgres', "SELECT audit.enable('random.$_', baseline => true)") foreach @tables;
foreach my $table (@tables)
{
	$node->poll_query_until('postgres',
		"SELECT EXISTS (SELECT FROM audit.events WHERE table_name = '$table' AND action = 'baseline')")
	  or BAIL_OUT("no baseline of $table");
}

my ($rounds, %errors, @strange, @findings) = (0);
my $end = time + $seconds;

while (time < $end && !@findings)
{
	run_round(++$rounds);
	$node->safe_psql('postgres', "SELECT format('COMMIT PREPARED %L', gid) FROM pg_prepared_xacts \\gexec");
	push @findings, map { findings($_) } @tables;
}
is(join("\n", @findings), '', "in $rounds rounds the trail of each table led to its rows");
is(join("\n", @strange), '', 'no statement met an error that it should not meet');
note('errors met: ', join ', ', map { "$_ $errors{$_}" } sort keys %errors);
my ($summary) = split /\n/, $node->safe_psql('postgres', q{SELECT finding, object, detail FROM audit.verify()});
like($summary, qr/^summary\|ok\|/, 'the ledger verifies');
note($summary);
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM audit.event'), '>', 1000, 'there was something to record');
ok(@findings == 0 && @strange == 0, "AUDIT_TRAIL_SEED=$seed");

$node->stop;
done_testing();

# All sessions at once, each with a script of its own.
sub run_round
{
	my ($round) = @_;
	my (@runs, @out);

	for my $i (0 .. $sessions - 1)
	{
		my $script = random_script("r$round s$i", 150, map { "random.$_" } @tables);
		my $file = $node->basedir . "/round_${round}_$i.sql";

		append_to_file($file, $script);
		$out[$i] = '';
		push @runs, IPC::Run::start(
			[ 'psql', '-X', '-q', '-A', '-t', '-f', $file, '-d', $node->connstr('postgres') ],
			'<', \undef, '>', \$out[$i], '2>&1');
	}
	$_->finish foreach @runs;
	for (map { split /\n/ } @out)
	{
		push @findings, "round $round: $_" if /^FINDING/;
		push @strange, "round $round: $_" if /server closed|connection to server was lost/;
		next if !/ERROR:\s+(\w{5})\b/;
		$errors{$1}++;
		push @strange, "round $round: $_" if !$expected{$1};
	}
	return;
}

# What reconcile has to say of a table.
sub findings
{
	my ($table) = @_;
	my $said = $node->safe_psql('postgres', qq{
		SELECT '$table', r.* FROM audit.reconcile('random.$table') r WHERE finding <> 'summary' OR detail <> 'ok'});

	return split /\n/, $said;
}
