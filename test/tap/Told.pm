# What the trail tells, once the collector has written it.
package Told;

use strict;
use warnings;

use Exporter 'import';
use Test::More;
use Time::HiRes qw(sleep time);

our @EXPORT = qw(told told_soon forget_told run_as);

# Run commands on a database, whatever becomes of them; further arguments are psql's. Returns its stderr.
sub run_as
{
	my ($node, $database, $commands, @args) = @_;
	my ($out, $err) = ('', '');

	IPC::Run::run([ 'psql', '-X', '-A', '-t', '-d', $node->connstr($database), @args ], '<', \"$commands\n;\n", '>', \$out, '2>', \$err);
	$node->{told_out} = $out;
	return $err;
}

# From now on only what comes later is told.
sub forget_told
{
	my ($node) = @_;

	# what is still on its way has come when the worker has done a pass that began after it
	sleep(0.3);
	$node->{told_last} = $node->safe_psql('postgres', 'SELECT coalesce(max(tx_id), 0) FROM audit.event');
	return;
}

# The columns of events since then that a condition holds for, a line each in their order, as soon as there
# are so many; or as many as there are in the end.
sub told
{
	my ($node, $count, $columns, $where) = @_;
	my $until = time + 20;
	my $from = "FROM audit.events AS e WHERE tx_id > $node->{told_last} AND ($where)";

	sleep(0.02) while $node->safe_psql('postgres', "SELECT count(*) $from") < $count && time < $until;
	return $node->safe_psql('postgres', "SELECT $columns $from ORDER BY occurred_at, tx_id, ordinal");
}

# A test: what comes, and that it comes within a second, unless the machine is busy: of three tries.
sub told_soon
{
	my ($node, $do, $count, $where, $name) = @_;
	my @took;

	foreach (1 .. 3)
	{
		forget_told($node);
		$do->();
		my $began = time;
		told($node, $count, '1', $where);
		push @took, time - $began;
		last if $took[-1] < 1;
	}
	note("$name: ", join ' ', map { sprintf '%.3f s', $_ } @took);
	cmp_ok($took[-1], '<', 1, "$name, within a second");
	return;
}

1;
