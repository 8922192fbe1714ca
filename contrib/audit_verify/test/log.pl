# Whole logs, checkpoints and consistency: what holds, and each thing that a forger who has the key,
# the files or an old backup could try.
use strict;
use warnings;
use File::Copy;
use FindBin;
use Ledger;
use Test::More;
use Verify;

my $key = make_key('audit.example/shop', 1);
my $next_key = make_key('audit.example/shop', 2);
my $stranger = make_key('audit.example/shop', 3);
my $witness = make_key('witness.example/w', 4, 4);
srand(1);
my @event = (event_body());
my @trust = ('--key', $key->{vkey});

# Logs around the edges of tiles; one is enough to see upper levels.
foreach my $size (2, 3, 255, 256, 257, 511, 512, 513, 66_000)
{
	my $log = Ledger->new(key => $key);

	$log->append(kind => 'events', leaf_count => 2, tx_count => 1, event_count => 1) while $log->size < $size;
	my $folder = $log->export("log$size");
	my $out = is_valid("a log of $size entries", @trust, $folder);

	like($out, qr/^  its $size entries, sealed from 2026-11-22T07:00:00\.0+Z to \d/m, 'it tells how many');
	foreach my $path ('checkpoint', keys %{ $log->tiles($size) })
	{
		next if $size > 600 && $path ne 'checkpoint' && $path !~ m{/[12]/|/000$|/x?\d+\.p};
		my $bytes = slurp("$folder/$path");

		spew("$folder/$path", flipped($bytes, int(rand(8 * length $bytes))));
		is_faulty("a bit of $path", qr/\Q$path\E|^  entry \d+: /m, @trust, $folder);
		spew("$folder/$path", substr($bytes, 0, -1));
		is_faulty("$path cut off", qr/^  (\Q$path\E|entry \d+): /m, @trust, $folder);
		unlink("$folder/$path");
		is_faulty("$path removed", qr/^  \Q$path\E: the file is missing/m, @trust, $folder);
		spew("$folder/$path", $bytes);
	}
	is_valid('put back', @trust, $folder);
}

# What a client of a static log must put up with.
{
	my $log = Ledger->new(key => $key);

	$log->append(kind => 'events', leaf_count => 2, tx_count => 1, event_count => 1) while $log->size < 300;
	my $old = $log->checkpoint(200);
	my $folder = $log->export('static');

	Ledger::write_files($folder, $log->tiles(200));
	is_valid('tiles of an earlier export may stay', @trust, $folder);
	spew("$folder/checkpoint", $old);
	is_valid('an earlier checkpoint holds too', @trust, $folder);
	unlink("$folder/tile/entries/000.p/200", "$folder/tile/0/000.p/200");
	is_valid('by full tiles, where those of its width are gone', @trust, $folder);
	spew("$folder/tile/entries/000", slurp("$folder/tile/entries/000") . 'x');
	is_valid('whose end is not looked at', @trust, $folder);
	spew("$folder/checkpoint", $log->checkpoint);
	is_faulty('but where it counts', qr{tile/entries/000: the entry bundle}, @trust, $folder);
	is_unchecked('a checkpoint that cannot be read', qr/could not (read|open) file.*Is a directory/, @trust, do { unlink "$folder/checkpoint"; mkdir "$folder/checkpoint"; $folder });
	is_faulty('an empty folder', qr/MANIFEST: the file is missing/, @trust, do { mkdir scratch('none'); scratch('none') });
}

# Entries that do not fit together, although the log's own key has signed them.
sub signed_log
{
	my ($name, $make, %options) = @_;
	my $log = Ledger->new(key => $key, %options);

	$log->batch([ @event, transaction_body(\@event) ]) if !$options{empty};
	$make->($log);
	return $log->export($name =~ s/\W/_/gr);
}

my %batch = (kind => 'events', leaf_count => 2, tx_count => 1, event_count => 1);
foreach my $case (
	[ 'another hash of the entry before', qr/entry 3: it does not have the hash of the entry before it/, previous => "\1" x 32 ],
	[ 'no hash of the entry before', qr/entry 3: it does not have the hash/, previous => "\0" x 32 ],
	[ 'another ledger', qr/entry 3: it is of another ledger/, log_id => 'x' x 16 ],
	[ 'another place', qr/entry 3: the entry says another place/, log_index => 4 ],
	[ 'a second beginning', qr/entry 3: only the first entry of a log is of kind "boot"/, kind => 'boot' ],
	[ 'numbers that do not add up', qr/entry 3: its numbers .* do not add up/, %batch, leaf_count => 3 ],
	[ 'numbers that overflow', qr/entry 3: its numbers .* do not add up/, %batch, leaf_count => 1, tx_count => 2, event_count => 18446744073709551615 ],
	[ 'a control record with a batch', qr/entry 3: a control record has a batch/, %batch, kind => 'guard' ],
	[ 'a root without a batch', qr/entry 3: it has no batch, but the root of one/, kind => 'guard', root => 'r' x 32 ],
	[ 'times without a batch', qr/entry 3: it has no batch, but the times of one/, kind => 'guard', last_tx_at => 1 ],
	[ 'a batch that ends before it begins', qr/entry 3: the batch ends before it begins/, %batch, first_tx_at => 2, last_tx_at => 1 ],
	[ 'an incarnation that is left out', qr/entry 3: its incarnation does not follow/, kind => 'incarnation', incarnation => 3 ],
	[ 'an incarnation without an entry', qr/entry 3: its incarnation does not follow/, %batch, incarnation => 2 ],
	[ 'an incarnation that comes back', qr/entry 3: its incarnation does not follow/, %batch, incarnation => 0 ],
	[ 'a payload that is no JSON', qr/entry 3: the payload is not JSON/, kind => 'guard', payload => '{' ],
	[ 'a payload that is too long', qr/entry 3: the payload is too long/, kind => 'guard', payload => '"' . 'x' x 60_000 . '"' ],
	[ 'a key that is none', qr/entry 3: \w/, kind => 'key', payload => '{"vkey":"x"}' ],
	[ 'a key of another name', qr/entry 3: the key has another name than the one before it/, kind => 'key', payload => '{"vkey":"' . make_key('other', 9)->{vkey} . '"}' ],
	[ 'a key of a witness', qr/entry 3: the key is not an Ed25519 key for notes/, kind => 'key', payload => qq({"vkey":"$witness->{vkey}"}) ],
	[ 'a key twice in a payload', qr/entry 3: \w/, kind => 'key', payload => qq({"vkey":"$stranger->{vkey}","vkey":"$key->{vkey}"}) ],
	[ 'a payload with a blank', qr/entry 3: \w/, kind => 'key', payload => qq({"vkey": "$stranger->{vkey}"}) ],
	[ 'a key without payload', qr/entry 3: \w/, kind => 'key' ])
{
	my ($name, $like, @fields) = @$case;

	is_faulty($name, $like, @trust, signed_log($name, sub { $_[0]->append(@fields) }));
}
is_faulty('an entry that is none', qr/entry 3: the entry is malformed/, @trust, signed_log('none', sub { push @{ $_[0]{entries} }, 'ATL2'; push @{ $_[0]{leaves} }, leaf_hash('ATL2') }));
is_faulty('a log that begins otherwise', qr/entry 0: a log begins with an entry of kind "boot"/, @trust, signed_log('headless', sub { $_[0]->append(kind => 'guard') }, empty => 1));
is_faulty('a log that begins with what was before', qr/entry 0: the first entry names one before it/, @trust, signed_log('before', sub { $_[0]->append(kind => 'boot', previous => 'x' x 32) }, empty => 1));
is_faulty('a log that names no key', qr/checkpoint: the log has named no key/, @trust, signed_log('keyless', sub { $_[0]->append(kind => 'boot') }, empty => 1));

# Keys that follow one another.
my $folder = signed_log('rotated', sub { $_[0]->rotate($next_key) });
like(is_valid('signed with a second key, endorsed by the first', @trust, $folder), qr/key that you did not give; [0-9a-f]{8}, which you gave, vouches for it by 1 endorsement$/m, 'it tells how the key is known');
like(is_valid('the second key is given', '-k', $next_key->{vkey}, $folder), qr/the log, with a key that you gave$/m, 'that is enough');
is_faulty('another key is given', qr/checkpoint: nobody vouches for the key/, '-k', $stranger->{vkey}, $folder);
like(is_valid('three keys', @trust, signed_log('three', sub { $_[0]->rotate($next_key)->rotate($stranger) })), qr/by 2 endorsements$/m, 'a chain of endorsements');
is_faulty('an older key is given last', qr/nobody vouches/, '-k', $stranger->{vkey}, signed_log('back', sub { $_[0]->rotate($stranger)->rotate($key, alone => 1) }));
is_faulty('a second key without endorsement', qr/nobody vouches/, @trust, signed_log('alone', sub { $_[0]->rotate($next_key, alone => 1) }));
like(is_valid('the same with that key given', '-k', $next_key->{vkey}, scratch('alone')), qr/^To be noted:\n  no key vouches for the key [0-9a-f]{8} in entry 3/m, 'it is noted');
is_faulty('endorsed by a stranger', qr/entry 3: \w/, @trust, signed_log('foreign', sub { $_[0]->rotate($next_key, by => $stranger) }));
is_faulty('the endorsement of another key', qr/entry 3: the endorsement is not of this key/, @trust, signed_log('of_another', sub { $_[0]->rotate($next_key, of => $stranger) }));
is_faulty('signed with the first key after the second came', qr/checkpoint: the note has no signature by the key/, '-k', $key->{vkey}, '-k', $next_key->{vkey},
	do { my $log = Ledger->new(key => $key); $log->rotate($next_key); $log->export('retired', note => $log->checkpoint($log->size, $key)) });
is_valid('signed with the first key before that', @trust, do { my $log = Ledger->new(key => $key); $log->append(kind => 'guard'); my $note = $log->checkpoint; $log->rotate($next_key); $log->export('before_rotation', note => $note) });
is_faulty('the signature of a stranger', qr/checkpoint: the note has no signature by the key/, @trust, do { my $log = Ledger->new(key => $key); $log->export('strange', note => $log->checkpoint(2, $stranger)) });

# What people should know of.
$folder = signed_log('remarks', sub {
	my ($log) = @_;
	$log->append(kind => 'guard', payload => '{"guard" : "off", "file" : "postgresql.conf"}');
	$log->append(kind => 'start', payload => '{"at":"2026-11-22T07:00:05.000000Z","before":"clean"}');
	$log->append(kind => 'start', payload => '{"at":"2026-11-22T07:00:06.000000Z","before":"crash","unseen":[{"until":"2026-11-22T07:00:06.000000Z","found":"something"}]}');
	$log->append(kind => 'declared', payload => '{"after":"9 root","by":"anna","reason":"restored Monday"}');
	$log->append(kind => 'new_in_the_future', payload => '{"x":1}');
	$log->append(%batch, payload => '{"broken":[{"tx_id":7,"why":"count"}]}');
	$log->{incarnation} = 2;
	$log->append(kind => 'incarnation', snapshot => '1:1:', payload => '{"incarnation":2,"reason":"another server"}');
	$log->append(kind => "\e[2J\x{8}\xe2\x80\xaegnihton", payload => qq("\\u001b \xff\xc2\x9b \xe2\x80\x8b backslash \\\\"));
});
my $out = is_valid('a log with a story', @trust, $folder);
like($out, qr/^  entry $_/m, 'it is told') for '3, .*: guard: \{"guard" : "off"', '5, .*: the server was started, and had run unseen before: \{.*"something"', '6, .*: declared: \{.*"restored Monday"', '7, .*: new_in_the_future: \{"x":1\}', '8, .*: transactions that contradicted themselves', '9, .*: incarnation: \{';
unlike($out, qr/^  entry 4/m, 'a start like any other is not');
like($out, qr/entry 10, [^:]+:\d\d:\S+Z: \\x1b\[2J\\x08\\xe2\\x80\\xaegnihton: "\\\\u001b \\xff\\xc2\\x9b \\xe2\\x80\\x8b backslash \\\\\\\\"$/m, 'hostile bytes are shown, and not printed');
unlike($out, qr/[^\x20-\x7e\n]/, 'all is printable');
my $json = verify_json(@trust, $folder);
is($json->{code}, 0, 'as JSON');
is(scalar @{ $json->{remarks} }, 7, 'the remarks');
is_valid('more remarks than are kept', @trust, signed_log('many', sub { my ($log) = @_; $log->append(kind => 'guard') for 1 .. 1003 }));
is(verify_json(@trust, scratch('many'))->{more_remarks}, 3, 'are counted');

# Witnesses.
{
	my $log = Ledger->new(key => $key);
	my $note = cosign($log->checkpoint, $witness, 1_795_330_900);
	my $export = $log->export('witnessed', note => $note);

	like(is_valid('cosigned', @trust, '-w', $witness->{vkey}, $export), qr{witness\.example/w\+[0-9a-f]{8}, a witness, at 2026-11-22T07:01:40}, 'it tells by whom');
	is_faulty('not cosigned', qr/too few witnesses/, @trust, '-w', $witness->{vkey}, do { $log->export('witnessed', note => $log->checkpoint) });
	like(is_valid('not cosigned, where nobody had to', @trust, '-q', '0', '-w', $witness->{vkey}, $export), qr/^  witness \S+ has not cosigned$/m, 'it is noted');
	(my $forged = $note) =~ s/(witness\.example\/w \S{20})(.)/$1 . ($2 eq 'A' ? 'B' : 'A')/e;
	is_faulty('a cosignature that is forged', qr/a signature is not by the key it names/, @trust, '-q', '0', '-w', $witness->{vkey}, $log->export('witnessed', note => $forged));
}

# Checkpoints that were kept.
{
	my $log = Ledger->new(key => $key);
	$log->append(%batch) for 1 .. 20;
	my %kept = map { $_ => spew(scratch("kept$_"), $log->checkpoint($_)) } 1, 5, 8, 16, 22;
	my $export = $log->export('kept');
	my $fork = Ledger->new(key => $key);
	$fork->append(%batch, sealed_at => 1) for 1 .. 20;
	my $forked = $fork->export('forked');
	my $rewritten = do { $fork->append(%batch) for 1 .. 9; $fork->export('rewritten') };
	my $back = $log->export('back', note => $log->checkpoint(8));

	is_valid("it goes on from size $_", @trust, '-c', $kept{$_}, $export) for sort keys %kept;
	spew(scratch('all'), join '', map { slurp($kept{$_}) } 1, 5, 8, 8, 22);
	like(is_valid('a file of several', @trust, '-c', scratch('all'), $export), qr/it has all 5 checkpoints that you kept as its beginnings/, 'all of them');
	spew(scratch('torn'), slurp($kept{5}) . "audit.example/shop\n6\nabc (cut off)\n" . slurp($kept{8}) . "audit.example/shop\n (cut off)\n" . slurp($kept{16}) . 'audit.exa');
	like(is_valid('what was cut off is passed over', @trust, '-c', scratch('torn'), $export), qr/all 3 checkpoints/, 'the others are not');

	is_faulty('another log of the size', qr/checkpoint: the log was forked: two were signed for size 22/, @trust, '-c', $kept{22}, $forked);
	is_faulty("another history at size $_", qr/checkpoint: history was rewritten: at size $_ the root is \S{44}, and in the checkpoint that you kept \S{44}/, @trust, '-c', $kept{$_}, $rewritten) for 5, 22;
	is_valid('the two have the same beginning', @trust, '-c', $kept{1}, $rewritten);
	is_faulty('an older log', qr/checkpoint: the log was set back.*it has size 8, and the checkpoint that you kept 16/, @trust, '-c', $kept{16}, $back);
	is_unchecked('a kept checkpoint of a stranger', qr/checkpoint 1 in ".*" is of no use.*hint: Name the key/s, @trust, '-c', spew(scratch('strange_kept'), $log->checkpoint(5, $stranger)), $export);
	is_unchecked('a file without checkpoints', qr/there is no checkpoint in/, @trust, '-c', spew(scratch('no_kept'), "nothing\n"), $export);
	my $other = make_key('audit.example/other', 5);
	my $other_log = Ledger->new(key => $other);
	is_faulty('a kept checkpoint of another log', qr{it is of the log "audit\.example/shop", the checkpoints that you kept are of "audit\.example/other"}, @trust, '-k', $other->{vkey}, '-c', spew(scratch('other'), $other_log->checkpoint), $export);

	# two checkpoints alone
	my $proof = spew(scratch('consistency'), $log->consistency_text(8, 22));
	like(is_valid('a checkpoint', @trust, $kept{22}), qr/^Proved:\n  the log "audit\.example\/shop" was signed at size 22/m, 'tells size and root');
	is_valid('as psql writes it, with a newline more', @trust, spew(scratch('psql'), slurp($kept{22}) . "\n"));
	like(is_valid('goes on from another', @trust, '-c', $kept{8}, '-p', $proof, $kept{22}), qr/the log goes on from the checkpoint that you kept, of size 8$/m, 'it says so');
	is_valid('with a newline behind it, as psql has it', @trust, '-c', $kept{8}, '-p', spew(scratch('psql'), slurp($proof) . "\n"), $kept{22});
	is_valid('without the last newline', @trust, '-c', $kept{8}, '-p', spew(scratch('chomped'), slurp($proof) =~ s/\n\z//r), $kept{22});
	is_valid('two of one size and root', @trust, '-c', $kept{22}, $kept{22});
	like(is_valid('the older one is verified', @trust, '-c', $kept{22}, '-p', $proof, $kept{8}), qr/it is the beginning of the log of the checkpoint that you kept/, 'by the same proof');
	is_unchecked('without a proof', qr/size 22, the one that you kept 8, .*hint: .*SELECT audit\.prove_consistency\(8, 22\);/s, @trust, '-c', $kept{8}, $kept{22});
	is_unchecked('a proof without a checkpoint', qr/option --consistency needs --checkpoint/, @trust, '-p', $proof, $kept{22});
	is_faulty('set back', qr/checkpoint: the log was set back, or this is an older one/, @trust, '-c', $kept{22}, $kept{8});
	is_faulty('forked', qr/checkpoint: the log was forked/, @trust, '-c', $kept{22}, spew(scratch('fork22'), $fork->checkpoint(22)));
	is_faulty('rewritten', qr/history was rewritten, or the consistency proof is for others/, @trust, '-c', $kept{8}, '-p', spew(scratch('forged'), $fork->consistency_text(8, 29)), spew(scratch('fork29'), $fork->checkpoint(29)));
	is_faulty('a proof for other sizes', qr/history was rewritten/, @trust, '-c', $kept{5}, '-p', $proof, $kept{22});
	my $bytes = slurp($proof);
	my @accepted;
	foreach my $bad ('', "\n", 'x', "x\n", $bytes . $bytes, substr($bytes, 45), substr($bytes, 0, -45), "\n$bytes", $bytes =~ s/\n/\n\n/r, map { flipped($bytes, 97 * $_) } 0 .. 8 * length($bytes) / 97 - 1)
	{
		my ($code) = verify(@trust, '-c', $kept{8}, '-p', spew(scratch('bad'), $bad), $kept{22});

		push @accepted, $bad if $code != 1;
	}
	is_deeply(\@accepted, [], 'a proof that was changed does not lead there');
	is_valid('any log goes on from nothing', @trust, '-c', spew(scratch('empty'), $log->checkpoint(0)), $kept{22});
	is_faulty('a checkpoint that was changed', qr/checkpoint: \w/, @trust, spew(scratch('changed'), flipped(slurp($kept{22}), 8 * 25)));
}

done_testing();
