# Asking witnesses: what comes of it where they agree, need another proof, have seen more than the
# log has, lie, or are not there.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use IO::Socket::INET;
use Witness;
use Ledger;
use Test::More;

my $program = $Witness::program;
my $log_key = make_key('audit.example/shop', 1);
my $log = Ledger->new(key => $log_key);
my $fork = Ledger->new(key => $log_key);
my (@vkey, @witness, @liars);

$log->append(kind => 'events', leaf_count => 2, tx_count => 1, event_count => 1) while $log->size < 30;
$fork->append(kind => 'events', leaf_count => 3, tx_count => 1, event_count => 2) while $fork->size < 30;
foreach my $number (0 .. 2)
{
	(undef, $vkey[$number]) = run($program, 'keygen', scratch("key$number"), "witness.example/w$number");
	chomp $vkey[$number];
	$witness[$number] = start('--key', scratch("key$number"), '--state', scratch("state$number"),
		'--log', $log_key->{vkey}, '--listen', '127.0.0.1:0');
}
my @first = ('--to', $witness[0]{at}, '--key', $vkey[0]);
my @all = map { ('--to', $witness[$_]{at}, '--key', $vkey[$_]) } 0 .. 2;

my ($code, $out, $err) = ask(request(0, 5), @first);
is("$code|$err", '0|', 'a witness cosigns');
is_cosignature($out, $log->checkpoint(5), $vkey[0], 'its cosignature is printed');
is((ask(request(5, 9), @first))[0], 0, 'again, with a proof');
is((ask(request(5, 9), @first))[0], 0, 'once more, as after a crash');
is((ask(request(0, 9), @first))[0], 0, 'also without a proof');
is_deeply([ ask(request(5, 12), @first) ], [ 3, "old 9\n", '' ], 'a proof from elsewhere is asked for');
is((ask(request(9, 12), @first))[0], 0, 'and taken');
($code, $out, $err) = ask(request(5, 11), @first);
is("$code|$out", '1|', 'a log that was set back is refused');
like($err, qr/has cosigned this log at size 12, and now it has 11: it was set back/, 'with the reason');
($code, $out, $err) = ask("old 0\n\n" . $fork->checkpoint(12), @first);
is("$code|$out", '1|', 'and one that was forked');
like($err, qr/has cosigned another checkpoint of size 12: the log has two histories/, 'with the reason');
($code, $out, $err) = ask("old 12\n" . $fork->consistency_text(12, 20) . "\n" . $fork->checkpoint(20), @first);
is("$code|$out", '1|', 'also when it has grown');
like($err, qr/refuses the checkpoint with status 422: /, 'with the reason');

# several
is_deeply([ (ask(request(12, 14), @all))[ 0, 1 ] ], [ 3, "old 0\n" ], 'of several, one needs another proof');
($code, $out, $err) = ask(request(0, 14), @all);
is($code, 0, 'which the others do without');
is(scalar(() = $out =~ /\n/g), 3, 'there are three cosignatures');
is_cosignature((split /^/, $out)[$_], $log->checkpoint(14), $vkey[$_], "number $_") foreach 0 .. 2;
stop($witness[1]);
($code, $out, $err) = ask(request(14, 16), @all);
is("$code|$out", '1|', 'without one of them there are too few');
like($err, qr/could not connect to .*2 of 3 witnesses have cosigned, and 3 are needed/s, 'with the reason');
($code, $out, $err) = ask(request(14, 16), @all, '--quorum', 2);
is($code, 0, 'unless fewer are enough');
is(scalar(() = $out =~ /\n/g), 2, 'there are two cosignatures');

# by whom
is((ask(request(16, 16), '--to', $witness[0]{at}, '--key', $vkey[2]))[0], 1, 'refused: a cosignature by another witness');
is((ask(request(16, 16), '--to', $witness[0]{at}, '--to', $witness[0]{at}, '--key', $vkey[0], '--key', $vkey[2]))[0], 1,
	'refused: one witness asked twice');
is((ask(request(16, 16), '--to', $witness[0]{at}, '--key', $log_key->{vkey}))[0], 2, 'refused: the key of a log as that of a witness');
is((ask('nonsense', @first))[0], 1, 'refused: what is no request');
is((run($program, 'ask', @first, scratch('nothing')))[0], 1, 'refused: no file');
is((run($program, @$_))[0], 2, "refused: @$_")
  foreach [], ['play'], ['ask'], [ 'serve', '--key', 'x' ], [ 'ask', @first ], [ 'ask', '--quorum', '0', @first, 'x' ], [ 'ask', '--what' ];
is((run($program, $_))[0], 0, $_) foreach '--help', '--version';

# those that lie
my $note = $log->checkpoint(16);
my ($line) = (ask(request(16, 16), @first))[1];
foreach my $case (
	[ "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", qr/without a cosignature/, 'nothing' ],
	[ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", qr/without a cosignature/, 'no line' ],
	[ response(200, cosignature_of($log->checkpoint(15))), qr/without a cosignature/, 'a cosignature of something else' ],
	[ response(200, "$line\n"), qr/without a cosignature/, 'more than lines' ],
	[ response(200, $line x 70), qr/without a cosignature/, 'too many lines' ],
	[ response(200, $line) =~ s/200 OK/302 Found/r, qr/refuses the checkpoint with status 302/, 'another status' ],
	[ response(409, 'x'), qr/does not say which size/, 'no size' ],
	[ response(409, "16\n"), qr/two histories/, 'for ever the same size' ],
	[ response(409, "99999999999999999999\n"), qr/does not say which size/, 'a size that is none' ],
	[ response(200, 'x' x 40000), qr/no response of HTTP/, 'too much' ],
	[ 'x' x 100000, qr/no response of HTTP/, 'much too much' ],
	[ '', qr/no response of HTTP/, 'nothing at all' ])
{
	my ($answer, $complaint, $name) = @$case;
	my $liar = lie($answer);
	my ($code, $out, $err) = ask(request(16, 16), '--to', $liar, '--key', $vkey[0], '--timeout', 5);

	is("$code|$out", '1|', "refused: a witness that answers $name");
	like($err, $complaint, 'with the reason');
}
my $silent = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1');
($code, $out, $err) = ask(request(16, 16), '--to', '127.0.0.1:' . $silent->sockport, '--key', $vkey[0], '--timeout', 1);
is("$code|$out", '1|', 'refused: a witness that says nothing');
like($err, qr/no answer from/, 'with the reason');
my $evil = lie(response(403, "\e[2J\x07no"));
unlike((ask(request(16, 16), '--to', $evil, '--key', $vkey[0]))[2], qr/[\e\x07]/, 'what it says is harmless for a terminal');
kill 'KILL', @liars;
done_testing();

sub request
{
	my ($old, $new) = @_;

	return "old $old\n" . ($old > 0 && $old < $new ? $log->consistency_text($old, $new) : '') . "\n" . $log->checkpoint($new);
}

# What witness 0 says of another note, by its key: a state of its own, so that it does not mind.
sub cosignature_of
{
	my ($note) = @_;
	my $other = start('--key', scratch('key0'), '--state', scratch('state9'), '--log', $log_key->{vkey}, '--listen', '127.0.0.1:0');
	my (undef, undef, $line) = post($other->{at}, "old 0\n\n$note");

	stop($other);
	return $line;
}

sub response
{
	my ($status, $body) = @_;

	return "HTTP/1.1 $status OK\r\nContent-Length: " . length($body) . "\r\n\r\n$body";
}

# Somebody who answers every request with this.
sub lie
{
	my ($answer) = @_;
	my $listener = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1') or die "cannot listen: $!\n";
	my $pid = fork() // die "cannot fork: $!\n";

	if ($pid)
	{
		push @liars, $pid;
		return '127.0.0.1:' . $listener->sockport;
	}
	$SIG{PIPE} = 'IGNORE';
	while (my $socket = $listener->accept)
	{
		sysread($socket, my $request, 65536);
		syswrite($socket, $answer);
		shutdown($socket, 1);
		while (sysread($socket, my $rest, 65536)) { }
		close $socket;
	}
	POSIX::_exit(0);
}
