# What was purged: archives in which leaves are gone, by orders and without, and certificates of
# destruction; made here by doc/format.md alone, and with each thing wrong that a forger could try.
use strict;
use warnings;
use Digest::SHA qw(sha256 sha256_hex);
use Ledger;
use MIME::Base64;
use Test::More;
use Verify;

my $key = make_key('audit.example/shop', 1);
my $stranger = make_key('audit.example/shop', 3);
my @trust = ('--key', $key->{vkey});
my $log_id = pack 'H*', '00010203040546078809' . '0a0b0c0d0e0f';
my $day = 1_795_330_800_000_000;
my $number = 0;

# Two transactions of two events each; the leaves of their batch, which is entry 2, are 0 to 5.
my @transactions = map {
	my $tx_id = $_;
	my @events = map { event_body(tx_id => $tx_id, ordinal => $_) } 1, 2;

	[ @events, transaction_body(\@events, tx_id => $tx_id) ]
} 7, 8;
my @bodies = map { @$_ } @transactions;
my @names = ([ 7, 1 ], [ 7, 2 ], [ 7, 0 ], [ 8, 1 ], [ 8, 2 ], [ 8, 0 ]);

# Runs of leaves of the batch, [first, count].
sub list { return join '', map { pack 'Q>NN', 2, @$_ } @_ }

sub order
{
	my ($request, $list, %with) = @_;
	my %o = (request => $request, approval => $request + 1, requested_by => '"mona"', approved_by => '"bob"', events => 2, transactions => 1,
		sessions => 0, batches => 1, gaps_sha256 => '"' . sha256_hex($list) . '"', sessions_sha256 => '"' . sha256_hex('') . '"', %with);

	return '{' . join(',', map { qq("$_":$o{$_}) } sort keys %o) . '}';
}

# Ask, approve, order and carry out: [kind, payload, list] of each entry. Of them some may be replaced.
sub purge
{
	my ($at, $list, %with) = @_;

	return map { $with{ $_->[0] } ? [ $_->[0], $with{ $_->[0] }, $_->[2] ] : $_ } (
		[ 'request', '{"kind":"purge","what":{},"reason":"the law","by":"mona","by_oid":1}' ],
		[ 'approve', qq({"request":$at,"by":"bob","by_oid":2,"note":"fine"}) ],
		[ 'purge', order($at, $list), $list ],
		[ 'purged', '{"deletion":' . ($at + 2) . qq(,"request":$at,"events":2,"transactions":1}) ]);
}

sub log_of
{
	my $log = Ledger->new(key => $key);

	$log->batch(@transactions);
	$log->append(kind => $_->[0], payload => $_->[1]) foreach @_;
	return $log;
}

# An item of a segment, and a frame of zstd that is not compressed.
sub item { return $_[0] . text_field($_[1]) }

sub frame
{
	my ($content) = @_;

	return pack('H*', '28b52ffde0') . pack('Q<', length $content) . substr(pack('V', 1 | length($content) << 3), 0, 3) . $content;
}

# The archive of a log in which these leaves of the batch are gone; lists stand behind their orders.
sub archive
{
	my ($log, $gone, @entries) = @_;
	my $folder = scratch('archive' . ++$number);
	my $content = join '', map { item('L', $log->{entries}[$_]) } 0 .. 2;
	my $kept = 0;

	foreach my $leaf (0 .. $#bodies)
	{
		my $is_gone = grep { $_ == $leaf } @$gone;

		$content .= $is_gone ? item('G', pack('Q>N', @{ $names[$leaf] }) . leaf_hash($bodies[$leaf]))
		  : item($names[$leaf][1] ? 'E' : 'T', $bodies[$leaf]);
		$kept++ if !$is_gone && $names[$leaf][1];
	}
	foreach my $i (0 .. $#entries)
	{
		$content .= item('L', $log->{entries}[ 3 + $i ]);
		$content .= item('D', $entries[$i][2]) if defined $entries[$i][2];
	}
	my $t = grep { my $t = $_; !grep { $_ == $t } @$gone } 2, 5;
	my $is_empty = $kept + $t == 0;
	my $bytes = "ATG1$log_id" . pack('Q>4NNQ>2Q>', 0, 0, $log->size, 0, $kept, $t, ($is_empty ? 0 : $day) x 2, length $content)
	  . text_field(frame($content));

	mkdir $folder;
	mkdir "$folder/segment";
	spew("$folder/segment/000000000000-000000000000.atg", $bytes . sha256($bytes));
	spew("$folder/checkpoint", $log->checkpoint);
	return $folder;
}

sub archived
{
	my ($gone, @entries) = @_;

	return archive(log_of(@entries), $gone, @entries);
}

my $all = list([ 0, 6 ]);
my $second = list([ 3, 3 ]);

# what orders name may be gone
unlike(is_valid('nothing is gone', @trust, archived([])), qr/PURGED/, 'nothing is purged');
like(is_valid('a transaction is gone', @trust, archived([ 3, 4, 5 ], purge(3, $second))),
	qr/^  PURGED: 2 events and 1 transactions more were sealed and are not here/m, 'it is told');
is_valid('all is gone', @trust, archived([ 0 .. 5 ], purge(3, $all)));
is_valid('events are gone, and their transaction stays', @trust, archived([ 0, 1 ], purge(3, list([ 0, 2 ]))));
is_valid('an order that was not carried out when this was exported', @trust, archived([], purge(3, $all)));
is_valid('by two orders', @trust, archived([ 0 .. 5 ], purge(3, list([ 0, 2 ], [ 5, 1 ])), purge(7, list([ 2, 3 ]))));
is_valid('of which one was cancelled and made again', @trust, archived([ 3, 4, 5 ], (purge(3, $second))[ 0 .. 2 ],
	[ 'purge_cancelled', '{"deletion":5,"nothing":false}' ], (purge(3, $second))[ 2, 3 ]));

# and nothing else
is_faulty('without an order', qr/^  entry 2: DELETED: leaf 3 of the batch is not here, nor in the list/m, @trust, archived([ 3, 4, 5 ]));
is_faulty('an order of other leaves', qr/entry 2: DELETED: leaf 5/, @trust, archived([ 3, 4, 5 ], purge(3, list([ 0, 5 ]))));
is_faulty('between two of an order', qr/entry 2: DELETED: leaf 1/, @trust, archived([ 0, 1, 2 ], purge(3, list([ 0, 1 ], [ 2, 1 ]))));
is_faulty('an order of another batch', qr/entry 2: DELETED: leaf 3/, @trust, archived([ 3, 4, 5 ], purge(3, pack('Q>NN', 1, 0, 100) . pack('Q>NN', 3, 0, 100))));
is_faulty('an order that was cancelled', qr/entry 2: DELETED: leaf 3/, @trust, archived([ 3, 4, 5 ], (purge(3, $second))[ 0 .. 2 ],
	[ 'purge_cancelled', '{"deletion":5,"nothing":false}' ]));
is_faulty('an order whose list is missing', qr/entry 2: DELETED: leaf 3/, @trust, archived([ 3, 4, 5 ], map { [ @$_[ 0, 1 ] ] } purge(3, $second)));
is_faulty('a list of which the log does not have the hash', qr/segment\S+: .*: the lists of leaves and sessions are not those of the order/, @trust,
	archived([ 3, 4, 5 ], map { $_->[0] eq 'purge' ? [ @$_[ 0, 1 ], $all ] : $_ } purge(3, $second)));
is_faulty('a list behind something else', qr/an item of the segment is malformed/, @trust, archived([ 3, 4, 5 ], [ 'heartbeat', '{"interval":1}', $second ]));
is_faulty('the log of a stranger', qr/checkpoint: /, '--key', $stranger->{vkey}, archived([ 3, 4, 5 ], purge(3, $second)));
{
	local $names[3] = [ 8, 2 ];
	is_faulty('under another ordinal', qr/transactions: 1 contradict themselves/, @trust, archived([3], purge(3, $second)));
	local $names[3] = [ 7, 1 ];
	is_faulty('under another transaction', qr/an item of the segment is malformed/, @trust, archived([ 3, 4 ], purge(3, $second)));
}

# Certificates. The lists, and which entries.
sub certificate
{
	my ($log, $list, @indexes) = @_;

	return "audit_trail-destruction\@v1\n" . (length $list ? 'leaves ' . encode_base64($list, '') . "\n" : '') . join('', map {
			'entry ' . encode_base64($log->{entries}[$_], '') . "\n" . join('', map { encode_base64($_, '') . "\n" } inclusion($log->{leaves}, $_)) . "\n"
		} @indexes) . $log->checkpoint;
}

sub certified
{
	my ($list, @entries) = @_;

	return spew(scratch('certificate'), certificate(log_of(@entries), $list, 3 .. 6));
}

my $out = is_valid('a certificate', @trust, certified($second, purge(3, $second)));
like($out, qr/^  $_$/m, $_) foreach 'kind +purge', 'requested_by +mona', 'approved_by +bob', 'events +2', 'transactions +1';
like($out, qr/^  PURGED: 2 events and 1 transactions of 1 batches/m, 'what has gone');
my @erasure = ([ 'request', '{"kind":"erase","what":{"subject":"7"},"reason":"GDPR","by":"mona"}' ], [ 'approve', '{"request":3,"by":"bob"}' ],
	[ 'erase', '{"request":3,"approval":4,"subject":"7","keys":["00"],"legal_basis":"GDPR","by":"mona","approved_by":"bob"}' ], [ 'erased', '{"erase":5,"found":true}' ]);
like(is_valid('of an erasure', @trust, certified('', @erasure)), qr/^  ERASED: /m, 'it tells what was destroyed');
is_faulty('an erasure with leaves', qr/certificate: the lists of leaves/, @trust, certified($second, @erasure));

my $parts = qr/certificate: the entries are not request, approval by another, order and completion of one destruction/;
is_faulty('another list', qr/certificate: the lists of leaves/, @trust, certified($all, purge(3, $second)));
is_faulty('no list', qr/certificate: the lists of leaves/, @trust, certified('', purge(3, $second)));
is_faulty('a list that does not add up, though it is sealed', qr/certificate: the lists of leaves/, @trust, certified($all, purge(3, $all)));
is_faulty('approved by who has asked', $parts, @trust, certified($second, purge(3, $second, approve => '{"request":3,"by":"mona"}', purge => order(3, $second, approved_by => '"mona"'))));
is_faulty('approved by nobody', $parts, @trust, certified($second, map { $_->[0] eq 'approve' ? [ 'refuse', $_->[1] ] : $_ } purge(3, $second)));
is_faulty('cancelled', $parts, @trust, certified($second, map { $_->[0] eq 'purged' ? [ 'purge_cancelled', $_->[1] ] : $_ } purge(3, $second)));
is_faulty('of something else that was approved', $parts, @trust, certified($second, purge(3, $second, approve => '{"request":2,"by":"bob"}')));
is_faulty('of something else that was asked for', $parts, @trust, certified($second, purge(3, $second, request => '{"kind":"release_hold","by":"mona"}')));
is_faulty('carried out otherwise', $parts, @trust, certified($second, purge(3, $second, purged => '{"deletion":5,"events":1,"transactions":1}')));
{
	my $log = log_of(purge(3, $second), purge(7, $all));
	my $good = certificate($log, $second, 3 .. 6);

	is_valid('of a log with two', @trust, spew(scratch('one'), $good));
	is_faulty('with the completion of the other', $parts, @trust, spew(scratch('two'), certificate($log, $second, 3, 4, 5, 10)));
	is_faulty('with the order of the other', $parts, @trust, spew(scratch('two'), certificate($log, $second, 3, 4, 9, 6)));
	is_faulty('with the approval of the other', $parts, @trust, spew(scratch('two'), certificate($log, $second, 3, 8, 9, 10)));
	is_faulty('in another order', $parts, @trust, spew(scratch('two'), certificate($log, $second, 4, 3, 5, 6)));
	is_faulty('with an entry less', qr/certificate: a line of the certificate/, @trust, spew(scratch('two'), certificate($log, $second, 3 .. 5)));
	is_faulty('with an entry more', qr/certificate: /, @trust, spew(scratch('two'), certificate($log, $second, 3 .. 7)));
	is_faulty('of a stranger', qr/certificate: /, '--key', $stranger->{vkey}, spew(scratch('two'), $good));
	foreach my $bit (map { int($_ * 8 * length($good) / 97) } 0 .. 96)
	{
		my ($code) = verify(@trust, spew(scratch('two'), flipped($good, $bit)));

		is($code, 1, "with bit $bit changed it is refused");
	}
}
done_testing();
