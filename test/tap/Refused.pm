# Commands that are refused, and what the trail has of them.
package Refused;

use strict;
use warnings;

use Exporter 'import';
use Time::HiRes qw(sleep time);

our @EXPORT = qw(refuse refused count_refused settle_refused);

# Run commands on database postgres; as who the further arguments say. Returns what psql says on
# stderr; what it says on stdout is in $node->{refuse_out}.
sub refuse
{
	my ($node, $commands, @as) = @_;
	my ($out, $err) = ('', '');

	IPC::Run::run([ 'psql', '-X', '-A', '-t', '-d', $node->connstr('postgres'), @as ], '<', \"$commands\n;\n", '>', \$out, '2>', \$err);
	$node->{refuse_out} = $out;
	return $err;
}

# How many attempts the trail has.
sub count_refused
{
	my ($node) = @_;

	return $node->safe_psql('postgres', q{SELECT count(*) FROM audit.event WHERE event_type = 'audit.refused'});
}

# Wait until no more attempts come: one command may have made several.
sub settle_refused
{
	my ($node) = @_;
	my $count = -1;

	while ($count != count_refused($node))
	{
		$count = count_refused($node);
		sleep(1);
	}
	$node->{refused_seen} = $count;
	return;
}

# The last attempt, once there is one that this function has not given yet; '' if there is none.
sub refused
{
	my ($node, $columns) = @_;
	my $until = time + 30;
	my $seen = $node->{refused_seen} //= 0;
	my $count = count_refused($node);

	return '' if !$count;
	sleep(0.01), $count = count_refused($node) while $count <= $seen && time < $until;
	$node->{refused_seen} = $count;
	$columns //= q{new_values ->> 'sqlstate', new_values ->> 'object', new_values ->> 'statement'};
	return $node->safe_psql('postgres', "SELECT $columns FROM audit.events WHERE event_type = 'audit.refused' ORDER BY occurred_at DESC LIMIT 1");
}

1;
