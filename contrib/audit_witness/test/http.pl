# The parser of HTTP, by a program of its own, and the corpora of the fuzz targets, replayed.
use strict;
use warnings;
use FindBin;
use Test::More;

my $tools = $ENV{TOOLS} // die "TOOLS must name a folder\n";

is(run_it("$tools/test_http"), 0, 'test_http');
foreach my $target (qw(http judge))
{
	my @corpus = glob("$FindBin::Bin/corpus/$target/*");

	cmp_ok(scalar @corpus, '>', 5, "there is a corpus of $target");
	is(run_it("$tools/replay_$target", @corpus), 0, "which is replayed: $target");
}
done_testing();

# The exit code; what it says goes where it belongs in TAP.
sub run_it
{
	open(my $out, '-|', @_) or die "cannot run $_[0]: $!\n";
	while (my $line = <$out>)
	{
		chomp $line;
		diag($line) if $line =~ /^not ok/;
		note($line);
	}
	close $out;
	return $?;
}
