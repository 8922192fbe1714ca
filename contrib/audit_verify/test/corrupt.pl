# Bits flipped and worse, by the programs corrupt and, for what fuzzing once found, replay_*.
# AUDIT_TRAIL_SLOW=1 flips every bit in the directory too, which takes minutes.
use strict;
use warnings;
use FindBin;
use Test::More;
use Verify;

my ($built) = $ENV{AUDIT_VERIFY} =~ m{(.*)/};
my $sanitized = $built =~ s/(-sanitize)?$/-sanitize/r;

sub run_tap
{
	my ($name, @command) = @_;
	my $tap = `@command 2>&1`;
	my $status = $?;

	ok($status == 0 && $tap =~ /^ok 1/m && $tap !~ /^not ok/m && $tap =~ /^1\.\.\d+$/m, $name)
	  or diag("status $status", substr($tap, -3000));
	note($tap);
}

@ENV{qw(AUDIT_VERIFY_SAMPLE AUDIT_VERIFY_KEY)} = my ($sample, $key) = map { scratch($_) } 'sample.tar', 'key';
mkdir(scratch($_)) foreach 'flips', 'sanitized';
is(system($^X, '-I', $FindBin::Bin, "$FindBin::Bin/make_sample.pl", $sample, $key), 0, 'a sample');
is_valid('it is valid', '-k', $key, $sample);
run_tap('every bit of an archive, many of a directory, 2000 corruptions', "$built/test/corrupt", $sample, $key, scratch('flips'), 1, $ENV{AUDIT_TRAIL_SLOW} ? 1 : 61, 2000);
run_tap('with sanitizers: many bits, 20000 corruptions', "$sanitized/test/corrupt", $sample, $key, scratch('sanitized'), 241, 2411, 10000);
foreach my $target ('bundle', 'forged')
{
	run_tap("replay of $target", "$sanitized/test/replay_$target", glob "$FindBin::Bin/corpus/$target/*");
}

done_testing();
