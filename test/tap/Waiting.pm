# Waiting for what comes, and holding processes at debug points until it has.
package Waiting;

use strict;
use warnings;

use Exporter 'import';
use Time::HiRes qw(sleep time);

our @EXPORT = qw(wait_for hold_point wait_until_held start_again);

my $deadline = 180;    # seconds, for each thing that is waited for

# Wait until the condition is true; what it is is for the message.
sub wait_for
{
	my ($what, $condition) = @_;
	my $until = time() + $deadline;

	until ($condition->())
	{
		die "timed out: $what" if time() > $until;
		sleep(0.05);
	}
	return;
}

# A session that holds a debug point as long as it lives.
sub hold_point
{
	my ($node, $point) = @_;
	my $session = $node->background_psql('postgres');

	$session->query("SELECT pg_advisory_lock(1096107092, hashtext('$point'))");
	return $session;
}

# Wait until a process is held there.
sub wait_until_held
{
	my ($node, $point) = @_;

	$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
		AND classid = 1096107092 AND objid::int8 = hashtext('$point')::int8 & 4294967295") or die "not held at $point";
	return;
}

# Start a server that was killed: orphans of its postmaster hold the shared memory for a moment.
sub start_again
{
	my ($node) = @_;

	wait_for('the server starts', sub {
		return 1 if $node->start(fail_ok => 1);
		$node->stop('fast', fail_ok => 1);
		return 0;
	});
	return;
}

1;
