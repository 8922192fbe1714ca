# Bundles of evidence: what holds, and what a forger could try who can write MANIFEST anew, and even
# has the key.
use strict;
use warnings;
use Bundle;
use Digest::SHA qw(sha256 sha256_hex);
use File::Path 'make_path';
use FindBin;
use Ledger;
use POSIX 'mkfifo';
use Test::More;
use Verify;

srand(1);
my $key = make_key('audit.example/shop', 1);
my $next_key = make_key('audit.example/shop', 2);
my $stranger = make_key('audit.example/shop', 3);
my $witness = make_key('witness.example/w', 4, 4);
my @trust = ('--key', $key->{vkey});
my ($log, $sessions) = sample_log($key);
my $good = make_bundle($log, $sessions);
my $folder = unpack_to('good', $good);
my $tar = spew(scratch('good.tar'), archive($good));

# what holds
foreach my $form ($folder, $tar)
{
	my $out = is_valid('a bundle', @trust, $form);

	like($out, qr/^  events +4\n  transactions +3\n  entries +4$/m, 'it tells how much it is');
	like($out, qr/^  transaction 7, whole: all of its 2 events\n  transaction 9, in part: 2 of its 3 events\n  transaction 10 \(for its session; none of its 1 events is here\)$/m, 'and how whole');
	like($out, qr/^Signed by:\n  audit\.example\/shop\+[0-9a-f]{8}, the log, with a key that you gave\n\nNot proved:\n(  \w.*\n){4}\z/m, 'by whom, and what is not proved');
	is_unchecked('without a key', qr/nobody vouches/, $form);
	is_faulty('with another key', qr/checkpoint: nobody vouches for the key/, '-k', $stranger->{vkey}, $form);
	is_faulty('without a cosignature that is demanded', qr/checkpoint: too few witnesses/, @trust, '-w', $witness->{vkey}, $form);
	is_valid('with its own checkpoint', @trust, '-c', spew(scratch('kept'), $log->checkpoint), $form);
	is_faulty('with another one of the size', qr/checkpoint: the log was forked/, @trust, '-c', spew(scratch('kept'), do { my ($fork) = sample_log($key, actor => 'mallory'); $fork->checkpoint }), $form);
	is_unchecked('with an older one', qr/it takes a consistency proof/, @trust, '-c', spew(scratch('kept'), $log->checkpoint(3)), $form);
	like(is_valid('with an older one, and the proof', @trust, '-c', scratch('kept'), '-p', spew(scratch('way'), $log->consistency_text(3, 6)), $form), qr/the log goes on from the checkpoint that you kept, of size 3/, 'it says so');
}
my $json = verify_json(@trust, $tar);
is_deeply([ $json->{valid} ? 1 : 0, @{ $json->{fields} }{qw(events log_size log_origin)}, scalar @{ $json->{proved} } ], [ 1, 4, 6, 'audit.example/shop', 5 ], 'as JSON');
agree('a bundle', '', $good, $key->{vkey});
agree('with another key', "What is wrong:\n  x\n", $good, $stranger->{vkey});

# A bit of each file; MANIFEST tells. What names is in what is said of a change of names.
foreach my $path (sort keys %$good)
{
	my $bytes = $good->{$path};
	my $changed = { %$good, $path => flipped($bytes, int(rand(8 * length $bytes))) };
	my $like = $path eq 'MANIFEST' ? qr/^  (MANIFEST|\S+): \w/m : qr/^What is wrong:\n  \Q$path\E: its bytes are not those of MANIFEST\n\z/m;

	is_faulty("a bit of $path", $like, @trust, unpack_to('bad', $changed));
	is_faulty("a bit of $path in an archive", $like, @trust, spew(scratch('bad.tar'), archive($changed)));
	my %without = %$good;
	delete $without{$path};
	is_faulty("$path removed", qr/^  \Q$path\E: the file is missing/m, @trust, unpack_to('bad', \%without)) if $path ne 'MANIFEST' || mkdir(scratch('bad'));
	next if $path eq 'MANIFEST';
	is_faulty("$path removed, and from MANIFEST", qr/^What is wrong:\n  \S+: \w/m, @trust, unpack_to('bad', sealed(\%without)));
}

# Everything as a forger would write it, MANIFEST anew. [ name, like, changes... ]
sub forged
{
	my ($name, $like, %changes) = @_;
	my %files = (%$good, %changes);

	delete $files{$_} foreach grep { !defined $files{$_} } keys %files;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $out = is_faulty($name, $like, @trust, spew(scratch('forged.tar'), archive(sealed(\%files))));
	agree($name, $out, sealed(\%files), $key->{vkey});
}

my $note = $log->checkpoint;
my ($fork, $fork_sessions) = sample_log($key, actor => 'mallory');
my $forked = bundle_files($fork, $fork_sessions);
my ($strange, $strange_sessions) = sample_log($stranger);

forged('an event', qr{tx/9/2\.proof: it is not the proof of the body beside it}, 'tx/9/2.body' => event_body(tx_id => 9, ordinal => 2, new_values => '{"total":999}'));
forged('an event and its proof, of another log', qr{tx/7/1\.proof: \w}, map { $_ => $forked->{$_} } 'tx/9/2.body', 'tx/7/1.proof');
forged('an event in the place of another', qr{tx/9/2\.body|bundle: a body in the evidence is not what its name says}, 'tx/9/2.body' => $good->{'tx/9/3.body'}, 'tx/9/2.proof' => $good->{'tx/9/3.proof'});
forged('an event of another transaction', qr{tx/9/2\.proof: it is in another batch than its transaction}, 'tx/9/2.body' => $good->{'tx/7/2.body'}, 'tx/9/2.proof' => $good->{'tx/7/2.proof'});
forged('an event twice', qr{tx/7/transaction\.body: an event is here that it does not count}, 'tx/7/3.body' => $good->{'tx/7/2.body'}, 'tx/7/3.proof' => $good->{'tx/7/2.proof'});
forged('a transaction in the place of an event', qr{\w}, 'tx/7/1.body' => $good->{'tx/7/transaction.body'}, 'tx/7/1.proof' => $good->{'tx/7/transaction.proof'});
forged('two events exchanged', qr{tx/7/transaction\.body: its digest is not that of its events}, map { ("tx/7/1.$_" => $good->{"tx/7/2.$_"}, "tx/7/2.$_" => $good->{"tx/7/1.$_"}) } qw(body proof));
forged('an event left out', qr{(README\.txt|report\.html|events\.json): it does not say what was proved, from byte \d+ on}, 'tx/7/2.body' => undef, 'tx/7/2.proof' => undef);
forged('a transaction left out', qr{its session is missing|it does not say what was proved}, map { $_ => undef } grep { m{tx/7/} } keys %$good);
forged('a body without its proof', qr{tx/9/2\.proof: the file is missing}, 'tx/9/2.proof' => undef);
forged('a proof without its body', qr{tx/9/2\.body: the file is missing}, 'tx/9/2.body' => undef);
forged('events without their transaction', qr{tx/9/transaction\.body: the file is missing}, 'tx/9/transaction.body' => undef, 'tx/9/transaction.proof' => undef);
forged('no events at all', qr{bundle: \w}, map { $_ => undef } grep { m{^tx/} } keys %$good);
forged('a session', qr{tx/7/transaction\.body: the digest of its session is not that of session\.body}, 'tx/7/session.body' => session_body(login_user => 'mallory'));
forged('no session', qr{tx/7/transaction\.body: its session is missing}, 'tx/7/session.body' => undef);
forged('sessions exchanged', qr{tx/7/transaction\.body: the session that it wrote is missing}, 'tx/7/session.body' => $sessions->{10}, 'tx/10/session.body' => $sessions->{7});
forged('a session that nobody wrote', qr{tx/9/session\.body: its transaction did not write it}, 'tx/9/session.body' => session_body(session_id => 2, login_user => 'mallory'), 'tx/10/session.body' => undef, map { $_ => undef } grep { m{tx/10/} } keys %$good);
forged('a session that is none', qr{session\.body: \w|bundle: \w}, 'tx/9/session.body' => 'ATS1');
forged('an entry', qr{log/2\.proof: the proof does not lead to the root}, 'log/2.entry' => entry_body(log_index => 2, kind => 'events', previous => sha256($log->{entries}[1])));
forged('an entry in the place of another', qr{log/1\.proof: it is the proof of another entry}, map { ("log/1.$_" => $good->{"log/2.$_"}) } qw(entry proof));
forged('an entry of a batch left out', qr{tx/7/\S+: the entry of the log that it names is missing}, map { ("log/2.$_" => undef) } qw(entry proof));
forged('the first entry left out', qr{log/1\.entry: the first entry of the log is missing before it}, map { ("log/0.$_" => undef) } qw(entry proof));
forged('the key left out', qr{checkpoint: the log has named no key}, map { ("log/1.$_" => undef) } qw(entry proof));
forged('another checkpoint', qr{log/0\.proof: its checkpoint is not that of the bundle}, checkpoint => $log->checkpoint(5));
forged('proofs by another checkpoint', qr{log/2\.proof: its checkpoint is not that of the bundle}, 'log/2.proof' => $log->proof(2, $log->checkpoint(5)));
forged('an event by another checkpoint', qr{tx/7/1\.proof: its checkpoint is not that of the bundle}, 'tx/7/1.proof' => $log->event_proof(2, 0, $log->checkpoint(5)));
forged('more in the proof of an entry', qr{log/2\.proof: there is more in it}, 'log/2.proof' => $log->proof(2, $note, 'x'));
forged('less in the proof of an event', qr{tx/7/1\.proof: \w}, 'tx/7/1.proof' => $log->proof(2, $note));
forged('a checkpoint of a stranger', qr{log/0\.proof: its checkpoint is not that}, checkpoint => $log->checkpoint(6, $stranger));
forged('a checkpoint that is none', qr{checkpoint: the note}, checkpoint => 'x');
forged('another key in keys', qr{keys: line 1 is not the key that the entries of the log name there}, keys => "$stranger->{vkey}\n");
forged('one key more', qr{keys: line 2 is not the key}, keys => "$key->{vkey}\n$stranger->{vkey}\n");
forged('one key less', qr{keys: keys of the log are missing}, keys => '');
forged('a key that is none', qr{keys: line 1 is no key}, keys => "x\n");
forged('a key without its newline', qr{keys: line 1 is no key}, keys => $key->{vkey});
forged('a readable file', qr/^  $_: it does not say what was proved, from byte \d+ on$/m, $_ => flipped($good->{$_}, 8 * 100 + 1)) for 'README.txt', 'report.html', 'events.json';
forged('a readable file that goes on', qr/^  $_: it does not say what was proved/m, $_ => $good->{$_} . "\n") for 'README.txt', 'report.html', 'events.json';
forged('a readable file that ends early', qr/^  $_: it does not say what was proved/m, $_ => substr($good->{$_}, 0, -1)) for 'README.txt', 'report.html', 'events.json';
forged('a whole log of a stranger', qr{checkpoint: nobody vouches for the key}, %{ make_bundle($strange, $strange_sessions) });

# What the log's own key has signed, but what does not fit together.
sub signed
{
	my ($name, $like, $transaction, %session) = @_;
	my @events = (event_body(), event_body(ordinal => 2));
	my $wrong = Ledger->new(key => $key);
	my $session = session_body(%session);

	$wrong->batch([ @events, transaction_body(\@events, session_digest => sha256($session), %$transaction) ]);
	my $files = bundle_files($wrong, { 7 => $session }, events => { 7 => [ 1, 2 ] });
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	agree($name, is_faulty($name, $like, @trust, unpack_to('signed', sealed($files))), sealed($files), $key->{vkey});
}

signed('all is well but the readable files', qr{^What is wrong:\n  README\.txt: .*\n  report\.html: .*\n  events\.json: .*from byte 0 on\n\z}m, {});
signed('a digest of other events', qr{tx/7/transaction\.body: its digest is not that of its events}, { digest => 'x' x 32 });
signed('fewer events than there are', qr{tx/7/transaction\.body: an event is here that it does not count}, { event_count => 1 });
signed('a digest of a session that is too short', qr{the digest of its session}, { session_digest => 'x' });
signed('another session', qr{tx/7/transaction\.body: its session is missing}, { session_id => 2 });
signed('a transaction of another ledger', qr{tx/7/transaction\.proof: the bytes are no event or transaction, or one of another ledger}, { log_id => 'x' x 16 });
signed('a session of another ledger', qr{bundle: a body in the evidence}, {}, log_id => 'x' x 16);

# Names and MANIFEST.
foreach my $path ('x', 'evil.html', 'tx/7/3.txt', 'tx/7/0.body', 'tx/07/1.body', 'tx/7/1.body.bak', 'log/1.ENTRY', 'log/00.entry', 'tx/1/transaction.proof.body', 'timestamp/a b.tsr', 'timestamp/.tsr',
	'tx/9223372036854775808/1.body', '.hidden', "new\nline", "\e[2J")
{
	my $shown = $path =~ s/([^\x20-\x7e])/sprintf '\\x%02x', ord $1/ger;

	is_faulty("a file $shown", qr/^  \Q$shown\E: a bundle has no such file$/m, @trust, unpack_to('named', { %$good, $path => '' }));
	is_faulty("a file $shown in an archive", qr/^  \Q$shown\E: a bundle has no such file$/m, @trust, spew(scratch('named.tar'), archive({ %$good, $path => '' })));
}
is_faulty("a path $_ in an archive", qr/: a bundle has no such file$/m, @trust, spew(scratch('named.tar'), archive({ %$good, $_ => '' }))) for '../evil', '/etc/passwd', './checkpoint', 'tx//7/1.body', 'log/../checkpoint', 'tx/';
is_faulty('a file that MANIFEST does not list', qr{tx/9/1\.body: MANIFEST does not list it}, @trust, unpack_to('more', { %$good, 'tx/9/1.body' => 'x' }));
is_faulty('the last one', qr{tx/99/1\.body: MANIFEST does not list it}, @trust, unpack_to('more', { %$good, 'tx/99/1.body' => 'x' }));
is_faulty('a file that MANIFEST lists alone', qr{tx/99/1\.body: the file is missing}, @trust, unpack_to('less', { %$good, MANIFEST => $good->{MANIFEST} . sha256_hex('') . "  tx/99/1.body\n" }));
my @lines = split /^/, $good->{MANIFEST};
foreach my $case (
	[ 'out of order', join '', @lines[ 1, 0, 2 .. $#lines ] ],
	[ 'with a line twice', join '', @lines[ 0, 0 .. $#lines ] ],
	[ 'in capitals', $good->{MANIFEST} =~ s/^([0-9a-f]+)/\U$1/mgr ],
	[ 'as sha256sum has it for binary files', $good->{MANIFEST} =~ s/  / */gr ],
	[ 'with CRLF', $good->{MANIFEST} =~ s/\n/\r\n/gr ],
	[ 'without the last newline', substr($good->{MANIFEST}, 0, -1) ],
	[ 'with an empty line', $good->{MANIFEST} . "\n" ],
	[ 'with itself', sha256_hex('') . "  MANIFEST\n" . $good->{MANIFEST} ],
	[ 'with another name of a file', $good->{MANIFEST} =~ s{  tx/9/2\.body}{  tx/9/02.body}r ],
	[ 'that is empty', '' ],
	[ 'that is something else', "\0" x 1000 ])
{
	my ($name, $manifest) = @$case;

	my $out = is_faulty("a MANIFEST $name", qr/^  (MANIFEST: a line|README.txt: MANIFEST does not list it|\S+: the file is missing)/m, @trust, unpack_to('manifest', { %$good, MANIFEST => $manifest }));
	agree("a MANIFEST $name", $out, { %$good, MANIFEST => $manifest }, $key->{vkey});
}

# What else a directory can hold.
unlink("$folder/tx/9/2.body");
symlink("$folder/tx/9/3.body", "$folder/tx/9/2.body");
is_faulty('a link', qr{tx/9/2\.body: it is not a regular file}, @trust, $folder);
unlink("$folder/tx/9/2.body");
mkfifo("$folder/tx/9/2.body", 0600);
is_faulty('a pipe', qr{tx/9/2\.body: it is not a regular file}, @trust, $folder);
unlink("$folder/tx/9/2.body");
mkdir("$folder/tx/9/2.body");
is_faulty('a directory in the place of a file', qr{tx/9/2\.body: it is not a regular file}, @trust, $folder);
rmdir("$folder/tx/9/2.body");
spew("$folder/tx/9/2.body", $good->{'tx/9/2.body'});
is_valid('put back', @trust, $folder);
unlink("$folder/tx/8") if symlink("$folder/tx/9", "$folder/tx/8") && is_faulty('a directory that is a link', qr{tx/8: it is not a regular file}, @trust, $folder);
make_path("$folder/tx/8/9");
is_faulty('a directory too deep', qr{tx/8/9: it is not a regular file}, @trust, $folder);

# Archives that say the same, but not in the one way.
my $bytes = archive($good);
my $first = substr($bytes, 0, 512 + 512 * int((length($good->{MANIFEST}) + 511) / 512));
sub header_with
{
	my ($offset, $text) = @_;
	my $header = substr($bytes, 0, 512);

	substr($header, $offset, length $text) = $text;
	substr($header, 148, 8) = ' ' x 8;
	substr($header, 148, 8) = sprintf("%06o\0 ", unpack('%32C*', $header));
	return $header . substr($bytes, 512);
}

foreach my $case (
	[ 'with another mode', header_with(100, '0000755') ],
	[ 'with an owner', header_with(265, 'root') ],
	[ 'with a time', header_with(136, '00000000001') ],
	[ 'with a prefix', header_with(345, 'x') ],
	[ 'with a link', header_with(156, '2') ],
	[ 'with a size in another form', header_with(124, "\x80") ],
	[ 'with bytes behind it', "$bytes\0" ],
	[ 'with a block behind it', $bytes . "\0" x 512 ],
	[ 'without its end', substr($bytes, 0, -512) ],
	[ 'cut off', substr($bytes, 0, 5000) ],
	[ 'of its first file alone', $first ],
	[ 'with a file twice', $first . $bytes ],
	[ 'out of order', substr($bytes, length($first), -1024) . $first . "\0" x 1024 ],
	[ 'with something in the padding', do { my $odd = $bytes; substr($odd, length($first) - 1, 1) = 'x'; $odd } ])
{
	is_faulty("an archive $case->[0]", qr/^  (archive|MANIFEST|file): \w/m, @trust, spew(scratch('odd.tar'), $case->[1]));
}
is_faulty('nothing at all', qr/^  file: it is neither/m, @trust, spew(scratch('odd.tar'), ''));

# Keys that follow one another.
{
	my ($rotated, $of) = sample_log($key);
	$rotated->rotate($next_key);
	my $keys = "$key->{vkey}\n$next_key->{vkey}\n";
	my $bundle = unpack_to('rotated', make_bundle($rotated, $of, keys => $keys . "$witness->{vkey}\n"));

	like(is_valid('signed with a second key', @trust, $bundle), qr/vouches for it by 1 endorsement$/m, 'that the first has endorsed');
	agree('a second key', '', make_bundle($rotated, $of, keys => $keys . "$witness->{vkey}\n"), $_) foreach $key->{vkey}, $next_key->{vkey};
	is_valid('the second is given', '-k', $next_key->{vkey}, $bundle);
	is_faulty('neither is', qr/nobody vouches/, '-k', $stranger->{vkey}, $bundle);
	my $files = bundle_files($rotated, $of, keys => $keys);
	delete $files->{"log/6.$_"} for qw(entry proof);
	agree('the entry left out', is_faulty('the entry of the second left out', qr/checkpoint: the note has no signature by the key/, @trust, unpack_to('rotated', sealed($files))), sealed($files), $key->{vkey});
}

# A log that an incarnation has begun in.
{
	my ($grown, $of) = sample_log($key);
	$grown->{incarnation} = 2;
	$grown->append(kind => 'incarnation', snapshot => '1:1:', payload => '{"incarnation":2,"system_identifier":"7300000000000000002","database_oid":16384,"reason":"restored"}');
	my @events = (event_body(tx_id => 1000000000000007));
	$grown->batch([ @events, transaction_body(\@events, tx_id => 1000000000000007) ]);
	my %events = (7 => [1], 1000000000000007 => [1]);

	agree('two incarnations', '', make_bundle($grown, $of, events => \%events), $key->{vkey});
	like(is_valid('events of two incarnations', @trust, unpack_to('grown', make_bundle($grown, $of, events => \%events))), qr/^To be noted:\n  entry 6, .*: incarnation: \{.*"restored"\}$/m, 'it is noted');
	my $files = bundle_files($grown, $of, events => \%events);
	delete $files->{"log/6.$_"} for qw(entry proof);
	agree('its entry left out', is_faulty('its entry left out', qr{log/7\.entry: an entry in which its incarnation begins is missing before it}, @trust, unpack_to('grown', sealed($files))), sealed($files), $key->{vkey});
}

# Hostile bytes in what was recorded.
{
	my ($hostile, $of) = sample_log($key, actor => "\e]0;owned\a<script>alert(1)</script>\xff\xfe\xe2\x80\xae", hostile => qq({"note":"</script><img src=x onerror=alert(1)>\xc3\x28 \\u0000 \\\\"}));
	my $bundle = make_bundle($hostile, $of);
	my $out = is_valid('hostile bytes', @trust, spew(scratch('hostile.tar'), archive($bundle)));

	agree('hostile bytes', '', $bundle, $key->{vkey});
	unlike($out, qr/[^\x20-\x7e\n]/, 'none comes out');
	unlike($bundle->{'report.html'}, qr/<script|<img|onerror=alert\(1\)>|\e/i, 'nor into the report');
	is_faulty('a name of a file', qr/\\x1b\[31m: a bundle has no such file/, @trust, unpack_to('hostile', { %$bundle, "\e[31m" => '' }));
}

# A cosigned checkpoint.
{
	my $cosigned = cosign($note, $witness, 1_795_330_900);
	my $files = make_bundle($log, $sessions, note => $cosigned, keys => "$key->{vkey}\n$witness->{vkey}\n");
	my $bundle = unpack_to('cosigned', $files);

	agree('cosigned', '', $files, $key->{vkey});

	like(is_valid('cosigned', @trust, '-w', $witness->{vkey}, $bundle), qr{witness\.example/w\+[0-9a-f]{8}, a witness, at 2026-11-22T07:01:40}, 'it tells by whom');
	like(is_valid('by a witness that nobody believes', @trust, $bundle), qr/was not checked: you gave no such key/, 'though the bundle has its key');
}

done_testing();
