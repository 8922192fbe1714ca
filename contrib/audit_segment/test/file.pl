# Files of archived segments: whole ones are told and printed, and whatever is done to one is said.
use strict;
use warnings;
use Digest::SHA qw(sha256 sha256_hex);
use File::Temp qw(tempdir);
use JSON::PP;
use Test::More;

my $program = $ENV{AUDIT_SEGMENT} or die 'AUDIT_SEGMENT is not set';
my $tool = "$ENV{TOOLS}/make_file";
my $folder = tempdir(CLEANUP => 1);
my $events = `$tool E 3 100`;
my $transactions = `$tool T 1 9`;

my ($status, $said) = check($events);
is($status, 0, 'a file of events is whole');
like($said, qr/300 events in 3 segments\n.*1000 to 1299\n.*Not proved:/s, 'and what it has is told, and that it is not proved');
($status, $said) = check($transactions);
like("$status $said", qr/^0 .*9 transactions in 1 segments/s, 'one of transactions too');
my @rows = map { decode_json($_) } split /\n/, (check($events, '--print'))[1];
is(scalar(@rows), 300, 'its rows are printed');
is("$rows[0]{tx_id} $rows[0]{tx_at} $rows[0]{op} $rows[0]{record_key} $rows[0]{old_values}{n}", '1000 2026-01-01T00:00:00.001000Z I text "0" 0', 'with their values');
is($rows[299]{record_key} // 'null', 'text "99"', 'to the last one');
is($rows[2]{record_key}, undef, 'and what is missing is null');
is(scalar(@{ [ map { decode_json($_) } split /\n/, (check($transactions, '--print'))[1] ] }), 9, 'of transactions too');

like((check($events, undef, 'x.atq'))[1], qr/NOT WHOLE\n.*its name does not have its SHA-256/, 'another name');
like((check(''))[1], qr/it has no segment/, 'an empty file');
like((check(substr $events, 0, -1))[1], qr/segment 3: /, 'one that was cut off');
like((check($events . 'x'))[1], qr/segment 4: /, 'one with something behind it');
like((check(flip($events, 200)))[1], qr/segment 1: .*checksum/, 'a changed byte');

# With a new checksum, so that what is behind it is looked at: the header, and then the frame.
my $one = `$tool E 1 100`;
my @header = ([ 'another kind', 20, 'X' ], [ 'more columns', 21, pack('n', 500) ], [ 'more rows', 23, pack('N', 101) ], [ 'no rows', 23, pack('N', 0) ],
	[ 'rows without end', 23, pack('N', 0xFFFFFFFF) ], [ 'another first tx_id', 27, pack('Q>', 1) ], [ 'another last tx_id', 35, pack('Q>', 2000) ],
	[ 'another time', 43, pack('Q>', 1) ], [ 'a longer content', 59, pack('Q>', 100_000) ], [ 'a content of 2 GB', 59, pack('Q>', 2**31) ],
	[ 'a content without end', 59, pack('Q>', 2**63) ], [ 'a longer frame', 67, pack('N', 0xFFFFFFFF) ]);
for (@header)
{
	my ($what, $at, $bytes) = @$_;
	my $bad = $one;

	substr($bad, $at, length $bytes) = $bytes;
	($status, $said) = check(seal($bad));
	like("$status $said", qr/^1 .*NOT WHOLE\n  segment 1: \w/s, $what);
}
like((check(seal(substr($one, 0, 59) . pack('Q>', 2**31 - 1) . substr($one, 67))))[1], qr/more than 256 MB/, 'what would take too much memory is refused');
for my $at (map { 71 + $_ * 7 } 0 .. 20)
{
	($status, $said) = check(seal(flip($one, $at)));
	ok($status == 1 || $said =~ /whole/, "a frame with a byte changed at $at ends in an answer");
}
my $other = $one;
substr($other, 4, 1) = 'x';
like((check($one . seal($other)))[1], qr/segment 2: it is of another ledger/, 'segments of two ledgers');
like((check($one . `$tool T 1 9`))[1], qr/segment 2: it has rows of another table/, 'of two tables');
like((check($one . $one))[1], qr/segment 2: it begins before the one before it ends/, 'one twice');
is(system("$program $folder/none.atq >/dev/null 2>&1") >> 8, 2, 'a file that is not there: not found out');
is(system("$program >/dev/null 2>&1") >> 8, 2, 'nor without a file');
is(system("$program --help >/dev/null") >> 8, 0, 'help is given');
done_testing();

# Exit code and output, of a file with these bytes.
sub check
{
	my ($bytes, $option, $name) = @_;
	my $path = "$folder/" . ($name // 'event_1_202601-1.' . sha256_hex($bytes) . '.atq');

	open my $file, '>:raw', $path or die $!;
	print $file $bytes;
	close $file or die $!;
	my $out = `$program @{[ $option // '' ]} $path 2>&1`;
	return ($? >> 8, $out);
}

sub flip
{
	my ($bytes, $at) = @_;

	substr($bytes, $at, 1) ^= "\1";
	return $bytes;
}

sub seal
{
	my ($bytes) = @_;
	my $body = substr $bytes, 0, -32;

	return $body . sha256($body);
}
