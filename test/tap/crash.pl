# kill -9 of a backend, of a worker of ours and of the postmaster in mid-load, ten times: after
# the restart nothing committed is missing from the trail, nothing aborted is in it, all of it is
# sealed and verifies.
#
# A client beside the load writes down, outside the server, every commit that was acknowledged
# to it; every third of its transactions is rolled back.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin, "$FindBin::RealBin/../demo";
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Shop;
use Test::More;
use Time::HiRes qw(sleep);
use Waiting;

my $deadline = 60;    # seconds, for each thing that is waited for
my @victims = ('backend', 'postmaster', 'worker', 'postmaster', 'backend') x 2;
my $node = open_shop('crash', "restart_after_crash = on\nmax_connections = 40\n");
my %acknowledged;

foreach my $round (1 .. @victims)
{
	my $victim = $victims[ $round - 1 ];
	my $when = "round $round, $victim killed";
	my $load = start_load($node, 4, $deadline);
	my $witness = start_witness($node, $round);

	wait_for("round $round is under way", sub { -s $witness->{log} > 1000 });
	sleep(0.2 + rand(0.5));
	kill_it($node, $victim);
	$witness->{harness}->finish;
	end_load($load);
	come_back($node, $victim);

	my @said = split /\n/, slurp_file($witness->{log});
	@acknowledged{ grep { /^ack-/ } @said } = ();
	trail_is_right($node, $when);
	examine($node, $when);
}

$node->stop;
done_testing();

# psql that commits orders with a name and says which were acknowledged.
sub start_witness
{
	my ($node, $round) = @_;
	my $log = $node->basedir . "/witness.$round";
	my $script = $node->basedir . '/witness.sql';
	my $text = '';

	foreach my $i (1 .. 50000)
	{
		my ($name, $end) = $i % 3 ? ("ack-$round-$i", 'COMMIT') : ("never-$round-$i", 'ROLLBACK');
		$text .= "BEGIN;\nSELECT audit.set_context(actor => 'witness', request_id => '$name') \\g /dev/null\n"
		  . "INSERT INTO shop.orders (customer_id, channel, shipping_address, notes)"
		  . " VALUES ($i % 500 + 1, 'phone', '{}', '$name');\n$end;\n";
		$text .= "\\echo $name\n" if $end eq 'COMMIT';
	}
	unlink $script;
	append_to_file($script, $text);
	my $harness = IPC::Run::start(
		[ 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), '-f', $script ],
		'<', \undef, '>', $log, '2>', \my $stderr);
	return { harness => $harness, log => $log };
}

sub kill_it
{
	my ($node, $victim) = @_;

	return $node->kill9 if $victim eq 'postmaster';

	my $whose = $victim eq 'worker' ? q{backend_type LIKE 'audit_trail%'} : q{backend_type = 'client backend' AND pid <> pg_backend_pid()};
	my $pid = $node->safe_psql('postgres',
		"SELECT pid FROM pg_stat_activity WHERE $whose AND datname IS NOT NULL ORDER BY random() LIMIT 1");
	like($pid, qr/^\d+$/, "a $victim is there to be killed");
	kill('KILL', $pid) or die "kill $pid: $!";
	return;
}

sub come_back
{
	my ($node, $victim) = @_;

	start_again($node) if $victim eq 'postmaster';
	wait_for('the server answers', sub { $node->psql('postgres', 'SELECT 1') == 0 });
	return;
}

sub examine
{
	my ($node, $when) = @_;
	my %recorded = map { $_ => 1 } split /\n/, $node->safe_psql('postgres', q{
		SELECT t.request_id FROM audit.transaction t JOIN audit.event e USING (tx_id)
			JOIN audit.target USING (target_id)
		WHERE t.actor = 'witness' AND table_name = 'orders' AND op = 'I'
			AND e.new_values ->> 'notes' = t.request_id});
	my @missing = grep { !$recorded{$_} } sort keys %acknowledged;

	is("@missing", '', "$when: each of " . keys(%acknowledged) . " acknowledged commits is in the trail");
	is(join(' ', grep { /^never/ } sort keys %recorded), '', "$when: nothing rolled back is");
	return;
}
