# What the tests of audit_verify share: running it, and judging what it says.
package Verify;

use strict;
use warnings;
use Exporter 'import';
use File::Temp;
use JSON::PP;
use Test::More;

our @EXPORT = qw(verify verify_json is_valid is_faulty is_unchecked slurp spew scratch flipped);

my $program = $ENV{AUDIT_VERIFY} // die "AUDIT_VERIFY must name the program\n";
my $scratch = File::Temp->newdir;

# A path below a folder that goes when the test does.
sub scratch
{
	return join('/', $scratch, @_);
}

sub slurp
{
	my ($path) = @_;

	open(my $handle, '<:raw', $path) or die "cannot read $path: $!\n";
	local $/;
	return scalar <$handle>;
}

sub spew
{
	my ($path, $bytes) = @_;

	open(my $handle, '>:raw', $path) or die "cannot write $path: $!\n";
	print $handle $bytes;
	close $handle or die "cannot write $path: $!\n";
	return $path;
}

# The bytes with one bit changed.
sub flipped
{
	my ($bytes, $bit) = @_;

	substr($bytes, $bit / 8, 1) ^= chr(1 << $bit % 8);
	return $bytes;
}

# (exit code, standard output, standard error); a signal is a code above 128.
sub verify
{
	my @arguments = @_;
	my $pid = fork() // die "cannot fork: $!\n";

	if ($pid == 0)
	{
		open(STDIN, '<', '/dev/null');
		open(STDOUT, '>', "$scratch/out");
		open(STDERR, '>', "$scratch/err");
		exec($program, @arguments) or exit 127;
	}
	waitpid($pid, 0);
	return ($? & 127 ? 128 + ($? & 127) : $? >> 8, slurp("$scratch/out"), slurp("$scratch/err"));
}

# The result as Perl has it.
sub verify_json
{
	my ($code, $out, $err) = verify('--json', @_);

	return { code => $code, err => $err } if $out eq '';
	return { %{ decode_json($out) }, code => $code, err => $err };
}

sub is_valid
{
	my ($name, @arguments) = @_;
	my ($code, $out, $err) = verify(@arguments);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($code == 0 && $err eq '', $name) or diag("exit code $code\n$out$err");
	return $out;
}

# It is not valid, and the reason is like this.
sub is_faulty
{
	my ($name, $like, @arguments) = @_;
	my ($code, $out, $err) = verify(@arguments);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($code == 1 && $err eq '' && $out =~ $like && $out !~ /^(Proved|Signed by):/m, $name)
	  or diag("exit code $code\n$out$err");
	return $out;
}

# Nothing can be said of it, and nothing is; the error is like this.
sub is_unchecked
{
	my ($name, $like, @arguments) = @_;
	my ($code, $out, $err) = verify(@arguments);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($code == 2 && $out eq '' && $err =~ $like, $name) or diag("exit code $code\n$out$err");
	return $err;
}

1;
