# What the tests of audit_witness share: starting one, talking to it, asking by it. Logs are made
# by the Perl of audit_verify's tests, without a line of the C code.
package Witness;

use strict;
use warnings;
BEGIN { $ENV{AUDIT_VERIFY} //= '/nonexistent' }
use Exporter 'import';
use FindBin;
use lib "$FindBin::Bin/../../audit_verify/test";
use IO::Socket::INET;
use IO::Socket::UNIX;
use Ledger;
use MIME::Base64;
use POSIX ':sys_wait_h';
use Test::More;
use Time::HiRes qw(sleep time);
use Verify qw(slurp spew scratch);

our @EXPORT = qw(program start stop kill_9 connect_to post http ask is_cosignature run slurp spew scratch);

our $program = $ENV{AUDIT_WITNESS} // die "AUDIT_WITNESS must name the program\n";

my %running;

# (exit code, standard output, standard error)
sub run
{
	my @command = @_;
	my $pid = fork() // die "cannot fork: $!\n";

	if (!$pid)
	{
		open(STDOUT, '>', scratch('out')) && open(STDERR, '>', scratch('err')) && exec @command;
		POSIX::_exit(127);
	}
	waitpid $pid, 0;
	return (WIFEXITED($?) ? WEXITSTATUS($?) : 128 + WTERMSIG($?), slurp(scratch('out')), slurp(scratch('err')));
}

# Start a witness; returns {pid, at}. Dies with what it says if it does not listen.
sub start
{
	my (@options) = @_;
	my $log = scratch('log');

	pipe(my $read, my $write) or die "cannot make a pipe: $!\n";
	my $pid = fork() // die "cannot fork: $!\n";
	if (!$pid)
	{
		close $read;
		open(STDOUT, '>&', $write) && open(STDERR, '>>', $log) && exec $program, 'serve', @options;
		POSIX::_exit(127);
	}
	close $write;
	my $line = <$read>;
	if (!defined $line || $line !~ /^listening at (\S+)\n/)
	{
		waitpid $pid, 0;
		die 'no witness: ' . slurp($log);
	}
	$running{$pid} = 1;
	return { pid => $pid, at => $1 };
}

sub stop
{
	my ($witness, $signal) = @_;

	kill $signal // 'TERM', $witness->{pid};
	waitpid $witness->{pid}, 0;
	delete $running{ $witness->{pid} };
	return;
}

sub kill_9 { return stop($_[0], 'KILL') }

END
{
	my $code = $?;

	kill 'KILL', keys %running;
	$? = $code;
}

sub connect_to
{
	my ($at) = @_;

	return $at =~ m{/} ? IO::Socket::UNIX->new(Peer => $at) : IO::Socket::INET->new(PeerAddr => $at);
}

# Send these bytes and read to the end: (status, type, body), or nothing.
sub http
{
	my ($at, $bytes, %options) = @_;
	my $socket = connect_to($at) or return;
	my $answer = '';

	local $SIG{PIPE} = 'IGNORE';
	print $socket $bytes;
	$socket->flush;
	local $SIG{ALRM} = sub { die "no answer\n" };
	alarm($options{timeout} // 30);
	while (sysread($socket, $answer, 65536, length $answer)) { }
	alarm(0);
	my ($status, $head, $body) = $answer =~ m{\AHTTP/1\.1 (\d+) [^\r]*\r\n(.*?)\r\n\r\n(.*)\z}s or return;
	my ($type) = $head =~ /^Content-Type: ([^\r\n]*)/m;
	my ($len) = $head =~ /^Content-Length: (\d+)/m;
	return $len == length $body ? ($status, $type, $body) : ();
}

sub post
{
	my ($at, $body) = @_;

	return http($at, "POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nContent-Length: " . length($body) . "\r\n\r\n$body");
}

# (exit code, standard output, standard error) of "ask" with this request
sub ask
{
	my ($request, @options) = @_;

	spew(scratch('request'), $request);
	return run($program, 'ask', @options, scratch('request'));
}

# A line by this public key, for this note, made now: openssl says so.
sub is_cosignature
{
	my ($line, $note, $vkey, $name) = @_;
	my ($text) = $note =~ /\A(.*\n)\n/s;
	my ($key_name, $id, $key) = split /\+/, $vkey, 3;
	my ($signer, $base64) = $line =~ /\A\xe2\x80\x94 (\S+) (\S+)\n\z/;
	my $bytes = decode_base64($base64 // '');

	return fail($name) if ($signer // '') ne $key_name || length $bytes != 76 || unpack('H8', $bytes) ne $id;
	my $time = unpack 'Q>', substr($bytes, 4, 8);

	spew(scratch('der'), pack('H*', '302a300506032b6570032100') . substr(decode_base64($key), 1));
	spew(scratch('message'), "cosignature/v1\ntime $time\n$text");
	spew(scratch('signature'), substr($bytes, 12));
	my ($code) = run(qw(openssl pkeyutl -verify -pubin -keyform DER -rawin -inkey), scratch('der'), '-in', scratch('message'),
		'-sigfile', scratch('signature'));
	return ok($code == 0 && abs($time - time()) < 60, $name);
}

1;
