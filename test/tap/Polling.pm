# poll_query_until() for a server that restarts: PostgreSQL's own gives psql the query on standard input, and the test ends with a
# broken pipe when psql could not connect and left before it was written. This one gives it as an argument.
package Polling;

use strict;
use warnings;

use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

sub poll_query_until
{
	my ($node, $database, $query, $expected) = @_;
	my ($out, $err);

	foreach (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		IPC::Run::run([ 'psql', '-XAt', '-d', $node->connstr($database), '-c', $query ], '<', \undef, '>', \$out, '2>', \$err);
		chomp($out, $err);
		return 1 if $out eq ($expected // 't') && $err eq '';
		usleep(100_000);
	}
	diag("$query\nsays \"$out\", not \"" . ($expected // 't') . "\"; $err");
	return 0;
}

no warnings 'redefine';
*PostgreSQL::Test::Cluster::poll_query_until = \&poll_query_until;

1;
