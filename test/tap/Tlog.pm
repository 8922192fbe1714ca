# A client of transparency logs that reads files, written after the C2SP text (tlog-tiles,
# tlog-checkpoint, signed-note) and RFC 6962; nothing of it comes from the extension.
package Tlog;

use strict;
use warnings;

use Digest::SHA qw(sha256);
use Exporter 'import';
use MIME::Base64;

our @EXPORT = qw(read_checkpoint signature_of read_log tile_name prove_inclusion inclusion_holds prove_consistency
  consistency_holds tree_hash);

# {origin, size, root, text} of a directory
sub read_checkpoint
{
	my ($directory) = @_;
	my $note = slurp("$directory/checkpoint");
	my ($text, $signatures) = $note =~ /\A(.*\n)\n((?:\xE2\x80\x94 \S+ \S+\n)+)\z/s or die "no note: $note";
	my ($origin, $size, $root) = split /\n/, $text;

	die "no size: $size" if $size !~ /\A(0|[1-9]\d*)\z/;
	return { origin => $origin, size => $size, root => decode_base64($root), text => $text, signatures => $signatures };
}

# The signature by the key of this verifier string; its id is computed anew.
sub signature_of
{
	my ($checkpoint, $vkey) = @_;
	my ($name, $id, $key) = $vkey =~ /\A([^+]+)\+([0-9a-f]{8})\+(\S+)\z/ or die "no key: $vkey";

	$key = decode_base64($key);
	die 'not an Ed25519 key' if length($key) != 33 || substr($key, 0, 1) ne "\1";
	die 'not the id of the key' if unpack('H8', sha256("$name\n$key")) ne $id;
	my ($bytes) = map { decode_base64($_) } $checkpoint->{signatures} =~ /^\xE2\x80\x94 \Q$name\E (\S+)$/m or die "not signed by $name";
	die 'signed by another key' if unpack('H8', $bytes) ne $id;
	return (substr($key, 1), substr($bytes, 4));
}

# tile/<L>/<N>[.p/<W>], where N has three digits an element, all but the last behind an x
sub tile_name
{
	my ($level, $index, $width) = @_;
	my $digits = sprintf '%d', $index;

	$digits = "0$digits" while length($digits) % 3;
	my @groups = $digits =~ /(\d{3})/g;

	$_ = "x$_" foreach @groups[ 0 .. $#groups - 1 ];
	return join('/', 'tile', $level, @groups) . ($width == 256 ? '' : ".p/$width");
}

# Read all of a log of this size: {entries => [...], hashes => [[level 0], [level 1], ...]}. A tile
# that is not full may be had from one that is wider. Everything is checked but the root.
sub read_log
{
	my ($directory, $size) = @_;
	my %log = (entries => [], hashes => []);

	for (my $level = 0; $size >> 8 * $level > 0; $level++)
	{
		my $count = $size >> 8 * $level;
		my @hashes = map { unpack '(a32)*', read_tile($directory, $level, $_, $count, 32) } 0 .. ($count - 1) / 256;

		die "$count hashes on level $level, not " . @hashes if @hashes != $count;
		foreach my $i ($level ? 0 .. $#hashes : ())
		{
			my $below = $log{hashes}[ $level - 1 ];
			die "hash $i of level $level" if tree_hash([ @$below[ 256 * $i .. 256 * $i + 255 ] ]) ne $hashes[$i];
		}
		push @{ $log{hashes} }, \@hashes;
	}
	foreach my $index ($size ? 0 .. ($size - 1) / 256 : ())
	{
		my $width = $size - 256 * $index;
		my $name = tile_name('entries', $index, $width > 256 ? 256 : $width);
		my @entries = unpack '(n/a)*', slurp("$directory/$name");

		die "$name has " . @entries . ' entries' if @entries != ($width > 256 ? 256 : $width);
		die "$name has more bytes" if length(join '', @entries) + 2 * @entries != -s "$directory/$name";
		push @{ $log{entries} }, @entries;
	}
	foreach my $i (0 .. $size - 1)
	{
		die "entry $i is not that of its hash" if sha256("\0" . $log{entries}[$i]) ne $log{hashes}[0][$i];
	}
	return \%log;
}

sub read_tile
{
	my ($directory, $level, $index, $count, $each) = @_;
	my $width = $count - 256 * $index;
	$width = 256 if $width > 256;
	my $name = tile_name($level, $index, $width);
	my $full = tile_name($level, $index, 256);
	my $bytes = -e "$directory/$name" ? slurp("$directory/$name") : substr(slurp("$directory/$full"), 0, $each * $width);

	die "$name has " . length($bytes) . ' bytes' if length($bytes) != $each * $width;
	return $bytes;
}

# MTH of RFC 6962, section 2.1
sub tree_hash
{
	my ($leaves) = @_;
	my @row = @$leaves;

	return sha256('') if !@row;
	# pairing up from the left, and passing what is left over up as it is, gives the same tree
	while (@row > 1)
	{
		my @next;

		while (@row > 1)
		{
			my ($left, $right) = splice @row, 0, 2;
			push @next, sha256("\1$left$right");
		}
		@row = (@next, @row);
	}
	return $row[0];
}

# PATH of section 2.1.1
sub prove_inclusion
{
	my ($index, $leaves) = @_;
	my $size = @$leaves;

	return () if $size == 1;
	my $k = split_at($size);
	return $index < $k
	  ? (prove_inclusion($index, [ @$leaves[ 0 .. $k - 1 ] ]), tree_hash([ @$leaves[ $k .. $size - 1 ] ]))
	  : (prove_inclusion($index - $k, [ @$leaves[ $k .. $size - 1 ] ]), tree_hash([ @$leaves[ 0 .. $k - 1 ] ]));
}

# PROOF of section 2.1.2
sub prove_consistency
{
	my ($old_size, $leaves, $inside) = @_;
	my $size = @$leaves;

	return $inside ? tree_hash($leaves) : () if $old_size == $size;
	my $k = split_at($size);
	return $old_size <= $k
	  ? (prove_consistency($old_size, [ @$leaves[ 0 .. $k - 1 ] ], $inside), tree_hash([ @$leaves[ $k .. $size - 1 ] ]))
	  : (prove_consistency($old_size - $k, [ @$leaves[ $k .. $size - 1 ] ], 1), tree_hash([ @$leaves[ 0 .. $k - 1 ] ]));
}

# The largest power of two below the size.
sub split_at
{
	my ($size) = @_;
	my $k = 1;

	$k *= 2 while 2 * $k < $size;
	return $k;
}

# RFC 9162, section 2.1.3.2
sub inclusion_holds
{
	my ($leaf, $index, $size, $root, @path) = @_;
	my ($fn, $sn, $r) = ($index, $size - 1, $leaf);

	return 0 if $index >= $size;
	foreach my $p (@path)
	{
		return 0 if $sn == 0;
		if ($fn & 1 || $fn == $sn)
		{
			$r = sha256("\1$p$r");
			($fn, $sn) = ($fn >> 1, $sn >> 1) until $fn & 1 || $fn == 0;
		}
		else
		{
			$r = sha256("\1$r$p");
		}
		($fn, $sn) = ($fn >> 1, $sn >> 1);
	}
	return $sn == 0 && $r eq $root;
}

# RFC 9162, section 2.1.4.2
sub consistency_holds
{
	my ($first, $second, $first_root, $second_root, @path) = @_;

	return !@path && $first_root eq $second_root if $first == $second;
	unshift @path, $first_root if !($first & $first - 1);
	my ($fn, $sn) = ($first - 1, $second - 1);

	($fn, $sn) = ($fn >> 1, $sn >> 1) while $fn & 1;
	return 0 if !@path;
	my $fr = my $sr = shift @path;

	foreach my $c (@path)
	{
		return 0 if $sn == 0;
		if ($fn & 1 || $fn == $sn)
		{
			$fr = sha256("\1$c$fr");
			$sr = sha256("\1$c$sr");
			($fn, $sn) = ($fn >> 1, $sn >> 1) until $fn & 1 || $fn == 0;
		}
		else
		{
			$sr = sha256("\1$sr$c");
		}
		($fn, $sn) = ($fn >> 1, $sn >> 1);
	}
	return $sn == 0 && $fr eq $first_root && $sr eq $second_root;
}

sub slurp
{
	my ($path) = @_;

	open my $handle, '<:raw', $path or die "$path: $!";
	local $/;
	my $bytes = <$handle>;
	close $handle;
	return $bytes // '';
}

1;
