# The proof of an event: the example of doc/format.md.
use strict;
use warnings;
use FindBin;
use Test::More;
use Verify;

my $corpus = "$FindBin::Bin/../../../test/fuzz/corpus/event_proof";
my $key = 'audit.example/shop+9dbc11ef+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4';
my $witness = 'witness.example/w1+20324abe+BCmsuuFBvMrwsi4alNNNC8c2HlJtC/4SyJeUvJMilm3X';
my $file = "$corpus/event_2";

# what holds
my $out = is_valid('a proof of an event', "--key=$key", $file);
like($out, qr/^  event_id +7\.2\n(.*\n)*  old_values +\{"total":10\.50\}\n  new_values +\{"total":11\.00\}\n/m, 'it tells the event');
like($out, qr/leaf 1 of 3 in a batch of 2 events, sealed at 2026-11-22T07:00:01\.000000Z/, 'its batch');
like($out, qr{entry 1 of the log "audit\.example/shop" of size 2$}m, 'its log');
like($out, qr{^  log_root +JeByLcXqH4Z7Ygds75ecJQViQypN1xDV0YZfiz7CQOg=$}m, 'and its root');
like($out, qr{^Signed by:\n  audit\.example/shop\+9dbc11ef, the log}m, 'who has signed');
like($out, qr{^To be noted:\n  the signature by witness\.example/w1\+20324abe was not checked}m, 'whose signature was not checked');
like($out, qr/^Not proved:\n(  that .*\n|  what .*\n){3}\z/m, 'and what is not proved');
like(is_valid('a proof of a transaction', "--key=$key", "$corpus/transaction"), qr/^  actor +anna$/m, 'it tells the transaction');
like(is_valid('with a witness', "--key=$key", "--witness=$witness", $file), qr{witness\.example/w1\+20324abe, a witness, at 2026-11-22T07:00:02}, 'it tells when that was');

is_valid('as psql writes it, with a newline more', '-k', $key, spew(scratch('psql'), slurp($file) . "\n"));
is_faulty('but not two', qr/proof: \w/, '-k', $key, spew(scratch('psql'), slurp($file) . "\n\n"));

my $json = verify_json("--key=$key", '-w', $witness, $file);
is($json->{code}, 0, 'as JSON');
ok($json->{valid}, 'valid');
is_deeply([ @{ $json->{fields} }{qw(event_id record_key new_values extra)} ], [ '7.2', '42', '{"total":11.00}', undef ], 'fields');
is(scalar @{ $json->{signed_by} }, 2, 'signatures');
is_deeply([ @{$json}{qw(faults remarks)} ], [ [], [] ], 'no faults');

# keys in files
spew(scratch('keys'), "\n$key\n");
is_valid('a file of keys', '-k', scratch('keys'), $file);
spew(scratch('keys'), 'example.org/other+9f4c1d2e+x');
is_unchecked('a file without keys', qr/error: there is no public key in ".*\nhint|: hint: A public key/, '-k', scratch('keys'), $file);

# whom nobody believes
my $other = 'example.org/log+f2a6fc9a+Ab0oKKiPxHs6SSzs1h2H9G0XY7ORrqDgB8nvl0Y6lnEm';
(my $renamed = $key) =~ s/9dbc11ef/9dbc11ee/;
is_unchecked('without a key', qr/error: no public key was given, so nobody vouches.*hint: Get the public key/s, $file);
is_unchecked('with a key of a wrong id', qr/could not open file/, '-k', $renamed, $file);
is_unchecked('with the key of a witness as that of a log', qr/error: there is no public key in/, '-k', $witness, $file);
is_unchecked('with more witnesses than there are', qr/2 witnesses must have cosigned, but only 1 are known/, '-k', $key, '-w', $witness, '-q', '2', $file);
is_unchecked("with a quorum of \"$_\"", qr/invalid value/, '-k', $key, '-q', $_, $file) for '', 'x', '-1', '1x', '99999999999';

# what does not hold
foreach my $name (qw(another_body another_number extra_malformed hash_missing hash_surplus no_checkpoint no_extra part_of_a_hash shortest))
{
	is_faulty("refused: $name", qr/^What is wrong:\n  proof: \w/m, '-k', $key, "$corpus/$name");
}
is_faulty('refused: nothing at all', qr/NOT VALID/, '-k', $key, spew(scratch('empty'), ''));
is(verify_json('-k', $key, "$corpus/another_body")->{code}, 1, 'as JSON');
is_deeply(verify_json('-k', $key, "$corpus/another_body")->{proved}, [], 'nothing is proved then');
is_deeply(verify_json('-k', $key, "$corpus/another_body")->{faults}, [ 'proof: the event is not in the batch' ], 'but the fault is told');

my $bytes = slurp($file);
my @accepted;
my %codes;
foreach my $bit (0 .. 8 * length($bytes) - 1)
{
	next if $bit % 8 != int($bit / 8) % 8;
	my ($code) = verify('-k', $key, '-w', $witness, spew(scratch('flipped'), flipped($bytes, $bit)));

	$codes{$code}++;
	push @accepted, $bit if $code != 1;
}
is_deeply(\@accepted, [], 'with a bit changed it is not valid') or diag(explain(\%codes));
is($codes{1}, length $bytes, 'one of each byte');

# usage
is_unchecked('no file', qr/error: there is nothing to verify/, '-k', $key);
is_unchecked('two files', qr/error: too many command-line arguments \(first is "b"\)/, '-k', $key, 'a', 'b');
is_unchecked('a file that is not there', qr/error: could not open ".*No such file/, '-k', $key, scratch('none'));
is_unchecked('an option that there is not', qr/unrecognized option.*--help/s, '--nonsense');
like((verify('--help'))[1], qr/^Usage:\n(.*\n)*Exit status: 0/m, 'help');
like((verify('--version'))[1], qr/^audit_verify \(audit_trail\) \d+\.\d+\n\z/, 'version');

# A result that cannot be written is none.
SKIP:
{
	skip 'no /dev/full', 1 if !-e '/dev/full';
	my $code = system("'$ENV{AUDIT_VERIFY}' -k '$key' '$file' >/dev/full 2>/dev/null") >> 8;
	is($code, 2, 'a full disk is no result');
}

done_testing();
