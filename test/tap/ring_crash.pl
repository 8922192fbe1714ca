# What is on its way to the trail outlives the collector, its writers and the server, wherever they are killed, and is
# recorded exactly once.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Polling;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Ring;
use Test::More;
use Time::HiRes qw(sleep);
use Waiting;
use Workers;

my $node = open_ring('ring_crash');
my $all_left = 0;

# In mid-load: each statement that was acknowledged is on record, none of them twice.
foreach my $round ([ 'async', 'collector' ], [ 'async', 'writer' ], [ 'async', 'postmaster' ], [ 'async', 'immediate stop' ], [ 'sync', 'writer' ], [ 'sync', 'collector' ])
{
	my ($durability, $victim) = @$round;
	my $name = "$durability, $victim";

	configure($node, "audit_trail.read_durability = $durability");
	my @clients = map { start_client("$durability.$victim.$_" =~ s/ /_/gr) } 1 .. 6;
	wait_for("$name: the load", sub { !grep { (-s $_->{log} // 0) < ($durability eq 'sync' ? 50 : 5000) } @clients });
	sleep(0.3 + rand(0.2));
	strike($victim);
	my @seen = map { end_client($_, $durability) } @clients;
	bring_back($node, $victim);
	my $since = $node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()');
	drained($node);
	my %count = map { reverse split /\|/ } split /\n/, $node->safe_psql('postgres', "SELECT count(*), tag FROM $tags GROUP BY tag");
	my @missing = grep { !$count{$_} } @seen;
	my $left = $node->safe_psql('postgres', "SELECT count(*) FROM $tags WHERE tx_at > '$since' AND tag !~ 'barrier'");

	cmp_ok(scalar @seen, '>', $durability eq 'sync' ? 6 : 500, "$name: there was load");
	is("@missing[0 .. ($#missing < 5 ? $#missing : 5)]", '', "$name: each statement that the client has seen is on record");
	is(join(' ', grep { $count{$_} > 1 } keys %count), '', "$name: none twice");
	note("$name: ", scalar @seen, " statements seen by clients, $left were in the ring when the server ended");
	$all_left += $left;
}
cmp_ok($all_left, '>', 0, 'some were on their way');
configure($node, 'audit_trail.read_durability = async');

# At the worst lines of the collector.
foreach my $point (qw(before_commit after_commit))
{
	configure($node, "audit_trail.debug_points = 'collector-before-commit" . ($point eq 'after_commit' ? q{,collector-after-commit'} : q{'}), 1);
	$node->restart;
	workers_run($node, 'postgres', 'workers run');
	my $held = hold_point($node, 'collector-before-commit');
	read_tag($node, "$point.$_") foreach 1 .. 3;
	wait_until_held($node, 'collector-before-commit');
	$point eq 'before_commit' ? strike('collector') : $held->quit;
	gone($node);
	configure($node, "audit_trail.debug_points = 'collector-before-commit'", 1);
	bring_back($node, 'collector');
	drained($node);
	is($node->safe_psql('postgres', "SELECT string_agg(tag, ' ' ORDER BY tag) FROM $tags WHERE tag ~ '$point.[1-3]'"),
		"tag-$point.1 tag-$point.2 tag-$point.3", "a collector that is killed $point: all is on record once");
}

# A writer in the middle of a record, which is known; it is not taken for one.
read_tag($node, 'whole.1');
isnt($node->psql('postgres', q{SET audit_trail.debug_points = 'ring-half-written'; SELECT 'tag-half.1' FROM people}), 0, 'a writer is killed');
bring_back($node, 'writer');
drained($node);
is($node->safe_psql('postgres', "SELECT string_agg(tag, ' ') FROM $tags WHERE tag ~ 'whole|half'"), 'tag-whole.1', 'half a record is no event');
is($node->safe_psql('postgres', "SELECT new_values $lost"), '{"lost":1,"in_server_log":0,"unfinished":1}', 'but counted, and told');
like(slurp_file($node->logfile), qr/records for the audit trail were not finished when the server ended: 1 of/, 'also in the log');

# What was dropped is told once, also by a collector that is killed when it has told.
configure($node, "audit_trail.ring_full = drop\naudit_trail.ring_size = 64kB\n"
	  . "audit_trail.debug_points = 'collector-before-commit,collector-after-telling'");
$node->restart;
workers_run($node, 'postgres', 'workers run');
my $gate = hold_point($node, 'collector-before-commit');
read_tag($node, 'first');
wait_until_held($node, 'collector-before-commit');
$node->safe_psql('postgres', join ' ', map { "SELECT 'tag-drop.$_' FROM people;" } 1 .. 100);
$gate->quit;
gone($node);
configure($node, "audit_trail.debug_points = 'collector-before-commit'", 1);
bring_back($node, 'collector');
drained($node);
my ($kept, $told, $tellers) = split /\|/, $node->safe_psql('postgres', qq{
	SELECT (SELECT count(*) FROM $tags WHERE tag ~ 'drop'), sum((new_values ->> 'lost')::int), count(*) FROM audit.event
	WHERE event_type = 'audit.lost' AND new_values ->> 'unfinished' IS NULL});
is($kept + $told, 100, "$kept on record, $told told to be lost");
is($tellers, 1, 'once');

$node->safe_psql('postgres', 'SELECT audit.seal_now()');
like($node->safe_psql('postgres', 'SELECT finding, object FROM audit.verify()'), qr/\Asummary\|ok\z/, 'all of it verifies');
$node->stop;
done_testing();

# A client that reads, one tagged statement after the other, and says what was acknowledged.
sub start_client
{
	my ($name) = @_;
	my $script = $node->basedir . "/$name.sql";
	my $log = $node->basedir . "/$name.log";
	my $text = join '', map { "SELECT 'tag-$name.$_' FROM people;\n\\echo ack tag-$name.$_\n" } 1 .. 30000;

	append_to_file($script, $text);
	my $harness = IPC::Run::start([ 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), '-f', $script ],
		'<', \undef, '>', $log, '2>', \my $stderr);
	return { harness => $harness, log => $log };
}
# What it has seen: with sync the rows, otherwise what was acknowledged.
sub end_client
{
	my ($client, $durability) = @_;

	$client->{harness}->finish;
	return grep { /^tag-\S+$/ } map { $durability eq 'sync' ? $_ : s/^ack //r x !!/^ack / } split /\n/, slurp_file($client->{log});
}
sub strike
{
	my ($victim) = @_;

	if ($victim eq 'postmaster')
	{
		$node->kill9;
	}
	elsif ($victim eq 'immediate stop')
	{
		$node->stop('immediate');
	}
	else
	{
		my $which = $victim eq 'collector' ? q{backend_type = 'audit_trail collector'} : q{backend_type = 'client backend' AND query ~ 'tag-'};
		my $pid = $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE $which AND pid <> pg_backend_pid() LIMIT 1");
		kill('KILL', $pid) or die "kill $pid: $!";
	}
	return;
}
