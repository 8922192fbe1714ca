# A script that is interrupted takes its private server along, and the server's folder.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

my $top = abs_path(dirname(__FILE__) . '/../..');
my $script = PostgreSQL::Test::Utils::tempdir() . '/script';

# As make demo, make test and make bench begin.
append_to_file($script, <<"SCRIPT");
set -euo pipefail
. "$top/test/lib/server"
server_begin
server_start "\$SERVER_DIR"
echo "\$SERVER_DIR \$(head -n 1 "\$SERVER_DIR/data/postmaster.pid")"
read -r -t 60 _
SCRIPT

foreach my $signal (qw(INT TERM HUP))
{
	my ($in, $out, $err) = ('', '', '');
	my $run = IPC::Run::start([ 'bash', $script ], '<', \$in, '>', \$out, '2>', \$err,
		IPC::Run::timeout(60));

	$run->pump until $out =~ /^(\S+) (\d+)\n/;
	my ($dir, $pid) = ($1, $2);
	ok(-d "$dir/data" && kill(0, $pid), "$signal: the server runs");
	$run->signal($signal);
	eval { $run->finish };
	is($err, '', "$signal: the script ends without a word");
	for (1 .. 100) { last unless kill(0, $pid); sleep 0.1; }
	ok(!kill(0, $pid), "$signal: the server is gone");
	ok(!-e $dir, "$signal: its folder too");
	is(join(' ', glob("$top/tmp/at*/data/postmaster.pid")), '', "$signal: nothing is left in tmp");
}
done_testing();
