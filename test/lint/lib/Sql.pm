# Splits an install piece into statements. A function whose body is itself made of DDL (such as
# audit.create_ledger()) yields the statements of its body too.
package Sql;

use strict;
use warnings;
use Lint;

# One token that is not to be looked into: a comment, a quoted thing, a dollar-quoted body.
my $opaque = qr{--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|"(?:[^"]|"")*"|(?<tag>\$\w*\$)(?<body>.*?)\k<tag>}s;

# The kinds of objects that have a comment.
my $kind = qr{FUNCTION|PROCEDURE|AGGREGATE|VIEW|MATERIALIZED\s+VIEW|TABLE|SEQUENCE|TYPE|DOMAIN
	|ACCESS\s+METHOD|EVENT\s+TRIGGER|OPERATOR|CAST|ROLE}xi;

# Returns hashes: file, line (of the first word), text (without comments, blanks squeezed,
# bodies and strings as they are), body (undef unless dollar-quoted).
sub statements
{
	my ($file, $source, $line) = @_;
	my @found;
	my %statement = (file => $file, line => 0, text => '');

	$source //= Lint::text_of($file);
	$line //= 1;
	$source =~ s/^\\.*$//mg;
	while ($source =~ /\G(?:($opaque)|(;)|(\s+)|(.))/gs)
	{
		my ($token, $end, $blank, $tag, $body) = ($1, $4, $5, $2, $3);
		my $piece = $&;

		if (defined $end)
		{
			push @found, {%statement} if $statement{text} =~ /\S/;
			push @found, statements($file, $statement{body}, $statement{body_line})
			  if defined $statement{body} && $statement{body} =~ /^\s*(--[^\n]*\n\s*)*CREATE\b/;
			%statement = (file => $file, line => 0, text => '');
		}
		elsif (defined $blank || $piece =~ m{^(--|/\*)})
		{
			$statement{text} .= ' ' if $statement{text} =~ /\S$/;
		}
		else
		{
			$statement{line} ||= $line;
			$statement{text} .= $piece;
			@statement{qw(body body_line)} = ($body, $line) if defined $tag;
		}
		$line += ($piece =~ tr/\n//);
	}
	push @found, {%statement} if $statement{text} =~ /\S/;
	return @found;
}

# The kind and name of what a statement makes, or () if it makes nothing that has a comment.
sub created
{
	my ($statement) = @_;

	return ($1, $2)
	  if $statement->{text} =~ m{^CREATE\s+(?:OR\s+REPLACE\s+)?(?:UNLOGGED\s+|RECURSIVE\s+)?
		($kind)\s+(?:IF\s+NOT\s+EXISTS\s+)?([\w."]+)}xi;
	return ();
}

# The kind and name of what a statement comments, or ().
sub commented
{
	my ($statement) = @_;

	return $statement->{text} =~ m{^COMMENT\s+ON\s+($kind)\s+([\w."]+)}i ? ($1, $2) : ();
}

sub pieces
{
	return Lint::files('sql/install', qr/\.sql$/);
}

1;
