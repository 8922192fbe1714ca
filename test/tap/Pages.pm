# Rows changed behind the server's back, in the pages of its files, as one can who owns the machine.
# A place is [file, block, item]; the server must be stopped.
package Pages;

use strict;
use warnings;

use Exporter 'import';

our @EXPORT = qw(edit_row remove_row swap_rows copy_row truncate_file zero_page spoil_page field_at);

my $page_size = 8192;
my $page_header = 24;
my ($normal, $dead) = (1, 3);

# Change a row: the function gets its bytes, header included, in $_, and must keep their number.
sub edit_row
{
	my ($place, $edit) = @_;

	change_page(
		$place,
		sub {
			my ($page, $item) = @_;
			my ($offset, undef, $length) = get_item($page, $item);
			my $before = substr($$page, $offset, $length);

			local $_ = $before;
			$edit->();
			die "the row's length changed" if length($_) != $length;
			die "nothing was changed" if $_ eq $before;
			substr($$page, $offset, $length) = $_;
		});
	return;
}

# Take a row away.
sub remove_row
{
	my ($place) = @_;

	change_page($place, sub { my ($page, $item) = @_; put_item($page, $item, 0, $dead, 0); });
	return;
}

# Let two rows of one page change places.
sub swap_rows
{
	my ($one, $other) = @_;

	die 'rows of different pages' if $one->[0] ne $other->[0] || $one->[1] != $other->[1];
	change_page(
		$one,
		sub {
			my ($page) = @_;
			my @first = get_item($page, $one->[2]);
			my @second = get_item($page, $other->[2]);

			put_item($page, $one->[2], @second);
			put_item($page, $other->[2], @first);
		});
	return;
}

# Add a copy of a row to its page, edited like edit_row does; no index has it.
sub copy_row
{
	my ($place, $edit) = @_;

	change_page(
		$place,
		sub {
			my ($page, $item) = @_;
			my ($lower, $upper) = unpack 'vv', substr($$page, 12, 4);
			my ($offset, undef, $length) = get_item($page, $item);
			my $new = ($lower - $page_header) / 4 + 1;
			my $start = ($upper - $length) & ~7;

			die 'no room in the page' if $start < $lower + 4;
			local $_ = substr($$page, $offset, $length);
			$edit->() if $edit;
			substr($_, 12, 6) = pack 'vvv', $place->[1] >> 16, $place->[1] & 0xffff, $new;
			substr($$page, $start, $length) = $_;
			substr($$page, 12, 4) = pack 'vv', $lower + 4, $start;
			put_item($page, $new, $start, $normal, $length);
		});
	return;
}

# Cut a file at the row's block.
sub truncate_file
{
	my ($place) = @_;

	truncate($place->[0], $place->[1] * $page_size) or die "$place->[0]: $!";
	return;
}

# Fill the row's page with zeros, as a disk may do.
sub zero_page
{
	my ($place) = @_;

	change_page($place, sub { my ($page) = @_; $$page = "\0" x $page_size; });
	return;
}

# Fill the row's page with noise.
sub spoil_page
{
	my ($place) = @_;

	change_page($place, sub { my ($page) = @_; $$page = "\xa5" x $page_size; });
	return;
}

# Where a fixed column begins in the row's bytes, by its offset among the columns.
sub field_at
{
	my ($offset) = @_;

	return unpack('C', substr($_, 22, 1)) + $offset;
}

sub change_page
{
	my ($place, $change) = @_;
	my ($file, $block, $item) = @$place;
	my $page;

	open my $handle, '+<:raw', $file or die "$file: $!";
	seek($handle, $block * $page_size, 0) or die $!;
	read($handle, $page, $page_size) == $page_size or die "$file has no block $block";
	$change->(\$page, $item);
	seek($handle, $block * $page_size, 0) or die $!;
	print $handle $page;
	close $handle or die "$file: $!";
	return;
}

# (offset, flags, length) of a line pointer
sub get_item
{
	my ($page, $item) = @_;
	my $bits = unpack 'V', substr($$page, $page_header + 4 * ($item - 1), 4);

	return ($bits & 0x7fff, $bits >> 15 & 3, $bits >> 17);
}

sub put_item
{
	my ($page, $item, $offset, $flags, $length) = @_;

	substr($$page, $page_header + 4 * ($item - 1), 4) = pack 'V', $offset | $flags << 15 | $length << 17;
	return;
}

1;
