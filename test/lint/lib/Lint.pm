# What the rules in Perl share: files of the tree, lines, complaints. A rule is called with the
# root of the tree to look at; without, it looks at the project that it belongs to.
package Lint;

use strict;
use warnings;
use FindBin;

my $complaints = 0;

chdir($ARGV[0] // "$FindBin::Bin/../..") or die "cannot enter the tree: $!\n";

# All files under the folders whose names match, sorted.
sub files
{
	my ($folder, $pattern) = @_;
	my @found;

	opendir(my $handle, $folder) or return ();
	for my $name (sort readdir $handle)
	{
		next if $name =~ /^\./;
		my $path = "$folder/$name";
		push @found, files($path, $pattern) if -d $path && !-l $path;
		push @found, $path if -f $path && $path =~ $pattern;
	}
	closedir $handle;
	return @found;
}

sub text_of
{
	my ($file) = @_;

	open(my $handle, '<', $file) or die "cannot read $file: $!\n";
	local $/;
	my $text = <$handle>;
	close $handle;
	return $text // '';
}

# The text of a C file with comments blanked, lines kept.
sub without_comments
{
	my ($text) = @_;

	$text =~ s{("(?:[^"\\\n]|\\.)*")|(/\*.*?\*/|//[^\n]*)}
		{ defined $1 ? $1 : do { (my $blank = $2) =~ s/[^\n]//g; $blank } }gse;
	return $text;
}

sub each_line
{
	my ($file, $code) = @_;
	my $number = 0;

	$code->($_, ++$number) for split /\n/, text_of($file);
}

sub complain
{
	my ($file, $line, $what) = @_;

	print "$file:$line: $what\n";
	$complaints++;
}

sub status
{
	return $complaints ? 1 : 0;
}

1;
