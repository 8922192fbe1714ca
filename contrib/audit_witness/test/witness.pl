# The witness: what it cosigns and what it refuses, hostile clients, and that nothing it has
# answered is ever forgotten, whenever it is killed.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Witness;
use Ledger;
use Test::More;
use Time::HiRes qw(sleep time);

my $rounds = $ENV{AUDIT_TRAIL_SLOW} ? 300 : 40;
my $program = $Witness::program;
my $log_key = make_key('audit.example/shop', 1);
my $new_key = make_key('audit.example/shop', 2);
my $other_key = make_key('audit.example/other', 3);
my $stranger = make_key('audit.example/stranger', 4);
my $log = Ledger->new(key => $log_key);
my $other = Ledger->new(key => $other_key);
my $state = scratch('state');

$log->append(kind => 'events', leaf_count => 2, tx_count => 1, event_count => 1) while $log->size < 300;
my $fork = Ledger->new(key => $log_key);
$fork->append(kind => 'events', leaf_count => 3, tx_count => 1, event_count => 2) while $fork->size < 300;

# keys
my ($code, $vkey, $err) = run($program, 'keygen', scratch('key'), 'witness.example/w1');
chomp $vkey;
is($code, 0, 'a key is made');
like($vkey, qr{^witness\.example/w1\+[0-9a-f]{8}\+B\S{43}$}, 'its public key is that of a witness');
is((stat scratch('key'))[2] & 07777, 0600, 'nobody else may read it');
is((run($program, 'keygen', scratch('key'), 'witness.example/w1'))[0], 1, 'and it is not overwritten');
is((run($program, 'keygen', scratch('no'), 'a name'))[0], 2, 'a name with a space is refused');
ok(!-e scratch('no'), 'without a file');

my @serve = ('--key', scratch('key'), '--state', $state, '--log', $log_key->{vkey}, '--log',
	spew(scratch('keys'), "$new_key->{vkey}\n\n$other_key->{vkey}"), '--listen', '127.0.0.1:0');
my $witness = start(@serve);
my $at = $witness->{at};

# what it cosigns
accepts($log, 0, 5, 'the first checkpoint of a log');
accepts($log, 5, 9, 'one that goes on');
accepts($log, 9, 9, 'the same once more');
accepts($log, 9, 256, 'one that goes on far');
accepts($other, 0, 2, 'one of another log');
is_deeply([ post($at, request($log, 9, 256)) ], [ 409, 'text/x.tlog.size', "256\n" ], 'the logs are not mixed up');
my $rotated = $log->checkpoint(260, $new_key);
my ($status, $type, $body) = post($at, "old 256\n" . $log->consistency_text(256, 260) . "\n$rotated");
is($status, 200, 'another key of the log may sign');
is_cosignature($body, $rotated, $vkey, 'which is cosigned');

# what it refuses
refuses(409, qr/^260\n\z/, 'a checkpoint that was cosigned before', request($log, 0, 5));
refuses(409, qr/^260\n\z/, 'an old size that is too small', request($log, 256, 270));
refuses(409, qr/^260\n\z/, 'and one that is too large', request($log, 261, 270));
refuses(400, qr/old size is larger/, 'a size that is smaller than the old one', request($log, 260, 270, size => 259));
refuses(409, qr/^260\n\z/, 'another root for the same size', request($fork, 260, 260));
my ($kept) = glob("$state/*.fork");
is(slurp($kept), $fork->checkpoint(260), 'which is kept');
refuses(422, qr/./, 'another history that has grown longer', request($fork, 260, 270));
refuses(422, qr/fewer hashes/, 'no proof', "old 260\n\n" . $log->checkpoint(270));
refuses(422, qr/./, 'a proof for another size', "old 260\n" . $log->consistency_text(260, 271) . "\n" . $log->checkpoint(270));
refuses(422, qr/more hashes/, 'a hash too many', "old 260\n" . $log->consistency_text(260, 270) . ('A' x 43) . "=\n\n" . $log->checkpoint(270));
refuses(403, qr/no key of the log/, 'a signature by somebody else', "old 260\n" . $log->consistency_text(260, 270) . "\n" . $log->checkpoint(270, $stranger));
my $forged = $log->checkpoint(270);
refuses(403, qr/no key of the log/, 'a forged one', request($log, 260, 270, note => $forged =~ s/\n270\n/\n271\n/r));
refuses(404, qr/not known/, 'a log that it does not know', request(Ledger->new(key => $stranger), 0, 2));
foreach my $case ([ '', 'nothing' ], [ "old x\n\n$forged", 'a size that is none' ], [ "old 260\n$forged", 'no empty line' ],
	[ "old 260\n\nnot a note\n", 'no note' ], [ "old 260\n\n$forged\0", 'a zero byte' ],
	[ "old 260\n" . ('A' x 43 . "=\n") x 64 . "\n$forged", '64 hashes' ])
{
	refuses(400, qr/./, $case->[1], $case->[0]);
}
is((http($at, "GET /add-checkpoint HTTP/1.1\r\n\r\n"))[0], 405, 'refused: GET');
is((http($at, "POST /sign-subtree HTTP/1.1\r\nContent-Length: 0\r\n\r\n"))[0], 404, 'refused: another path');
is((http($at, "POST /add-checkpoint HTTP/1.1\r\n\r\n"))[0], 411, 'refused: a body of unknown length');
is((http($at, "POST /add-checkpoint HTTP/1.1\r\nContent-Length: 40000\r\n\r\n" . 'x' x 40000))[0], 413, 'refused: a body that is too large');
is((http($at, 'x' x 100000))[0], 413, 'refused: an endless head');
is((http($at, "\r\n\r\n"))[0], 400, 'refused: what is no request');
accepts($log, 260, 270, 'after all that, what goes on');
SKIP:
{
	skip 'no curl', 1 if !grep { -x "$_/curl" } split /:/, $ENV{PATH};
	spew(scratch('request'), request($log, 270, 271));
	my ($curl, $out) = run('curl', '-sS', '--fail', '--noproxy', '*', '--data-binary', '@' . scratch('request'), "http://$at/add-checkpoint");
	is_cosignature($out, $log->checkpoint(271), $vkey, 'curl is a client too');
}
my $size = (post($at, request($log, 0, 5)))[2] + 0;

# a request in pieces; clients that say nothing
my $socket = connect_to($at);
my $bytes = request($log, $size, $size);
$bytes = "POST /add-checkpoint HTTP/1.1\r\nContent-Length: " . length($bytes) . "\r\n\r\n$bytes";
foreach my $piece ($bytes =~ /(.{1,100})/gs)
{
	syswrite $socket, $piece;
	sleep(0.005);
}
my $answer = '';
while (sysread($socket, $answer, 65536, length $answer)) { }
like($answer, qr/^HTTP\/1\.1 200 /, 'a request may come in pieces');
my @silent = map { connect_to($at) } 1 .. 70;
my $began = time();
accepts($log, $size, $size, 'while seventy clients say nothing');
cmp_ok(time() - $began, '<', 15, 'it takes some seconds at most');
close $_ foreach @silent;

# hostile bytes
srand(7);
my $good = request($log, $size, $size + 1);
foreach (1 .. 200)
{
	my $bad = $good;
	substr($bad, int(rand(length $bad)), 1) = chr(int(rand(256))) foreach 0 .. int(rand(3));
	next if $bad eq $good;
	my ($status) = post($at, $bad);
	$status == 400 || $status == 403 || $status == 404 || $status == 409 || $status == 422 || do { fail("a changed request: $status"); diag($bad); last };
}
is((post($at, request($log, 0, 5)))[2], "$size\n", 'nothing was accepted of 200 changed requests');

# killed at any time: what was answered is remembered
my $accepted = 0;
my $typical = time();
post($at, request($log, $size, $size)) foreach 1 .. 5;
$typical = (time() - $typical) / 5;
foreach my $round (1 .. $rounds)
{
	my $next = $size < 299 ? $size + 1 : $size;
	my $body = request($log, $size, $next);
	my $wait = rand(3 * $typical);
	my $killer = fork() // die;

	if (!$killer)
	{
		sleep($wait);
		kill 'KILL', $witness->{pid};
		POSIX::_exit(0);
	}
	my ($status) = post($at, $body);
	waitpid $killer, 0;
	kill_9($witness);
	$witness = start(@serve);
	$at = $witness->{at};
	my $now = (post($at, request($log, 0, 5)))[2] + 0;
	my $least = ($status // 0) == 200 ? $next : $size;
	$now == $least || $now == $next or do { fail("round $round: it has size $now instead of $least"); last };
	$size = $now;
	$accepted++ if ($status // 0) == 200;
}
note("$accepted of $rounds were answered, and $size is the size now");
ok(1, "killed $rounds times it has forgotten nothing");
cmp_ok($accepted, '>', $rounds / 10, 'some requests were answered before that');
cmp_ok($accepted, '<', $rounds, 'and some were not');

# where it must not run
like(failure(@serve), qr/is another witness using it/, 'refused: two witnesses with one state');
stop($witness);
like(failure(@serve[ 0 .. 5 ], '--listen', '0.0.0.0:0'), qr/not an address of this machine alone/, 'refused: an address that others reach');
like(failure(@serve[ 0 .. 5 ], '--listen', 'localhost:0'), qr/not an address in numbers/, 'refused: a name');
chmod 0640, scratch('key');
like(failure(@serve), qr/mode 0600/, 'refused: a key that others may read');
chmod 0600, scratch('key');
my ($file) = glob("$state/*.checkpoint");
my %whole = map { $_ => slurp($_) } glob("$state/*.checkpoint");
foreach my $damage ('', substr($whole{$file}, 0, 50), $whole{$file} =~ s/\n\d+\n/\n7\n/r)
{
	spew($file, $damage);
	like(failure(@serve), qr/is not a checkpoint of/, 'refused: a state that is damaged');
}
spew($file, $whole{$file});

# by a socket
my $path = scratch('socket');
$witness = start(@serve[ 0 .. 7 ], '--listen', $path);
$at = $path;
accepts($log, $size, $size, 'by a Unix socket');
kill_9($witness);
$witness = start(@serve[ 0 .. 7 ], '--listen', $path);
accepts($log, $size, $size, 'also when the socket was left behind');
done_testing();

# The body of add-checkpoint for a log.
sub request
{
	my ($log, $old, $new, %options) = @_;
	my $note = $options{note} // $log->checkpoint($options{size} // $new);

	return "old $old\n" . ($old > 0 && $old < $new ? $log->consistency_text($old, $new) : '') . "\n$note";
}

sub accepts
{
	my ($log, $old, $new, $name) = @_;
	my ($status, $type, $body) = post($at, request($log, $old, $new));

	is($status, 200, "accepted: $name");
	return is_cosignature($body // '', $log->checkpoint($new), $vkey, 'and cosigned');
}

sub refuses
{
	my ($wanted, $complaint, $name, $body) = @_;
	my ($status, undef, $answer) = post($at, $body);

	is($status, $wanted, "refused: $name");
	return like($answer // '', $complaint, 'and it says why');
}

# What a witness says that does not start.
sub failure
{
	unlink scratch('log');
	return eval { stop(start(@_)); 1 } ? 'none' : $@;
}
