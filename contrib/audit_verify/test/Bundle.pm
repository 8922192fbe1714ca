# Bundles of evidence, made of a Ledger. Their readable files come from the program's own code, all
# else is made without it.
package Bundle;

use strict;
use warnings;
use Digest::SHA 'sha256_hex';
use Exporter 'import';
use File::Path qw(make_path remove_tree);
use Ledger;
use Test::More;
use Verify;

our @EXPORT = qw(make_bundle bundle_files sealed archive unpack_to sample_log agree);

# A log with sessions, transactions whole and in part, and what is needed to prove them: two
# sessions, one of which is written by a transaction that has no event in the bundle.
sub sample_log
{
	my ($key, %options) = @_;
	my $log = Ledger->new(key => $key);
	my (@first, @second, @third);

	@first = map { event_body(ordinal => $_, record_key => "$_", new_values => qq({"id":$_,"total":10.50})) } 1 .. 2;
	@second = map { event_body(tx_id => 9, ordinal => $_, op => 'U', old_values => '{"total":1}', new_values => $_ == 2 ? $options{hostile} // '{"total":2}' : '{"total":3}') } 1 .. 3;
	@third = (event_body(tx_id => 10, op => 'D', old_values => '{"id":1}'));
	my $session = session_body(session_id => 1);
	my $other = session_body(session_id => 2, login_user => 'clerk');

	$log->batch([ @first, transaction_body(\@first, session_digest => Digest::SHA::sha256($session)) ]);
	$log->append(kind => 'guard', payload => '{"guard" : "off"}');
	$log->batch(
		[ @second, transaction_body(\@second, tx_id => 9, session_id => 2, actor => $options{actor} // 'bert') ],
		[ @third, transaction_body(\@third, tx_id => 10, session_id => 2, session_digest => Digest::SHA::sha256($other)) ]);
	$log->append(kind => 'guard', payload => '{"guard" : "on"}');
	return ($log, { 7 => $session, 10 => $other });
}

# { path => bytes } of a bundle with all of transaction 7 and events 2 and 3 of 9. The readable
# files are empty.
sub bundle_files
{
	my ($log, $sessions, %options) = @_;
	my $note = $options{note} // $log->checkpoint;
	my $log_keys = $options{keys} // "$log->{key}{vkey}\n";
	my %files = (checkpoint => $note, keys => $log_keys, 'README.txt' => '', 'report.html' => '', 'events.json' => '');
	my %wanted = $options{events} ? %{ $options{events} } : (7 => [ 1, 2 ], 9 => [ 2, 3 ], 10 => []);

	foreach my $index (0 .. $log->size - 1)
	{
		my $is_batch = exists $log->{batches}{$index};

		next if !$is_batch && $log->{entries}[$index] !~ /\AATL1.{36}....(boot|key|incarnation|declared)/s;
		next if $is_batch && !grep { defined } map { place($log, $index, $_) } keys %wanted;
		$files{"log/$index.entry"} = $log->{entries}[$index];
		$files{"log/$index.proof"} = $log->proof($index, $note);
	}
	foreach my $tx_id (keys %wanted)
	{
		my ($index) = grep { defined place($log, $_, $tx_id) } sort keys %{ $log->{batches} };
		my $number = place($log, $index, $tx_id);
		my $bodies = $log->{batches}{$index}{bodies};
		my $first = $number;

		$first-- while $first > 0 && $bodies->[ $first - 1 ] =~ /\AATE1/;
		$files{"tx/$tx_id/transaction.body"} = $bodies->[$number];
		$files{"tx/$tx_id/transaction.proof"} = $log->event_proof($index, $number, $note);
		$files{"tx/$tx_id/session.body"} = $sessions->{$tx_id} if exists $sessions->{$tx_id};
		foreach my $ordinal (@{ $wanted{$tx_id} })
		{
			$files{"tx/$tx_id/$ordinal.body"} = $bodies->[ $first + $ordinal - 1 ];
			$files{"tx/$tx_id/$ordinal.proof"} = $log->event_proof($index, $first + $ordinal - 1, $note);
		}
	}
	return { %files, %{ $options{extra} // {} } };
}

# Number of the transaction's leaf in this batch.
sub place
{
	my ($log, $index, $tx_id) = @_;
	my $bodies = $log->{batches}{$index}{bodies} // [];
	my ($number) = grep { $bodies->[$_] =~ /\AATX1/ && unpack('x20 Q>', $bodies->[$_]) == $tx_id } 0 .. $#$bodies;

	return $number;
}

# The same files with a MANIFEST that fits them.
sub sealed
{
	my ($files) = @_;
	my %files = %$files;

	delete $files{MANIFEST};
	$files{MANIFEST} = join '', map { sha256_hex($files{$_}) . "  $_\n" } sort keys %files;
	return \%files;
}

sub unpack_to
{
	my ($name, $files) = @_;

	remove_tree(scratch($name));
	return Ledger::write_files(scratch($name), $files);
}

# All of a bundle, readable files and manifest too.
sub make_bundle
{
	my ($log, $sessions, %options) = @_;
	my $files = bundle_files($log, $sessions, %options);
	my $folder = unpack_to('rendered', sealed($files));
	my $render = "$ENV{AUDIT_VERIFY}" =~ s{[^/]*\z}{test/render_bundle}r;

	system($render, $folder, $options{vkey} // $log->{key}{vkey}) == 0 or die "the bundle cannot be rendered\n";
	$files->{$_} = slurp("$folder/$_") foreach 'README.txt', 'report.html', 'events.json';
	return sealed($files);
}

# What the check in shell says of files must be what audit_verify has said of them. It knows nothing
# of the readable files, so it finds nothing where only they are wrong.
sub agree
{
	my ($name, $said, $files, @vkeys) = @_;
	my @faults = $said =~ /^What is wrong:\n((?:  .*\n)+)/m ? split /\n/, $1 : ();
	my $expected = grep({ !/^  (README\.txt|report\.html|events\.json): it does not say/ } @faults) ? 1 : 0;
	my $out = scratch('second');
	my $check = __FILE__ =~ s{[^/]*\z}{check_bundle}r;
	my $code = system('sh', '-c', 'exec "$0" "$@" >"$out" 2>&1' =~ s/\$out/$out/r, $check, unpack_to('agree', $files), @vkeys) >> 8;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($code == $expected, "$name: both agree") or diag("exit code $code, expected $expected\n" . slurp($out) . $said);
}

# POSIX ustar, as core/ustar.h has it.
sub archive
{
	my ($files) = @_;
	my $archive = '';

	foreach my $path (sort keys %$files)
	{
		my $size = length $files->{$path};
		my $header = pack('a100 a8 a8 a8 a12 a12 A8 a1 a100 a6 a2 a32 a32 a8 a8 a155 x12', $path, '0000644', '0000000', '0000000',
			sprintf('%011o', $size), '00000000000', '', '0', '', 'ustar', '00', '', '', '0000000', '0000000', '');

		substr($header, 148, 8) = sprintf("%06o\0 ", unpack('%32C*', $header));
		$archive .= $header . $files->{$path} . "\0" x (-$size % 512);
	}
	return $archive . "\0" x 1024;
}

1;
