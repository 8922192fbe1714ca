# Statements in a single-user server under callgrind: how many instructions each stretch of them took, and
# how often it called what. Both repeat, whatever else the machine does.
#
# valgrind lacks the SHA extensions of the processor, and OpenSSL takes the fastest code that is there: so that the
# figures are those of every machine, it is told to use none of the processor's extensions. A digest then takes
# some 5000 instructions a block of 64 bytes, ten times as many as with the extensions.
package Callgrind;

use strict;
use warnings;

use Exporter 'import';
use PostgreSQL::Test::Utils;

our @EXPORT = qw(have_valgrind count_instructions);

# Where a stretch ends; nothing else calls it.
my $mark = 'pg_backend_pid';

# What a call of each function counts as. Functions that the compiler keeps to itself have no names here.
my %counted = (
	allocations => qr/^(?:palloc|palloc0|palloc_extended|repalloc|MemoryContextAlloc\w*)$/,
	'catalogue look-ups' => qr/^SearchCatCache(?:|1|2|3|4|List)$/,
	'relation opens' => qr/^RelationIdGetRelation$/,
	'buffer reads' => qr/^ReadBufferExtended$/,
	'lock acquisitions' => qr/^LockAcquireExtended$/);

sub have_valgrind
{
	return !system('valgrind --version >/dev/null 2>&1');
}

# Run the stretches, each a reference to a list of statements, in the data directory of a stopped server. Returns a
# reference to a hash for each, of instructions and of what is counted.
sub count_instructions
{
	my ($node, $database, @stretches) = @_;
	my $dir = PostgreSQL::Test::Utils::tempdir;
	my ($statements, $profile, $output) = ("$dir/statements", "$dir/profile", "$dir/output");

	append_to_file($statements, join('', map { "SELECT $mark()\n$_\n" } map { join("\n", @$_) } @stretches)
		  . "SELECT $mark()\n");
	local $ENV{OPENSSL_ia32cap} = '0:0';
	system("valgrind --tool=callgrind --dump-before=$mark --callgrind-out-file=$profile "
		  . 'postgres --single -c shared_preload_libraries=audit_trail -D ' . $node->data_dir . " $database <$statements >$output 2>&1") == 0
	  or die "valgrind failed:\n" . slurp_file($output);
	my $said = slurp_file($output);
	die $said if $said =~ /ERROR:|FATAL:/;
	# the first part ends with the first mark
	return map { read_profile("$profile." . ($_ + 2)) } 0 .. $#stretches;
}

sub read_profile
{
	my ($file) = @_;
	my %found = (instructions => 0, map { $_ => 0 } keys %counted);
	my (%name, %calls);
	my $called;

	open(my $in, '<', $file) or die "cannot open $file: $!";
	while (<$in>)
	{
		$found{instructions} = $1 if /^summary: (\d+)/;
		$name{$1} = $2 if /^c?fn=\((\d+)\) (\S+)/;
		$called = $1 if /^cfn=\((\d+)\)/;
		$calls{$called} += $1 if /^calls=(\d+)/;
	}
	close($in);
	for my $function (keys %calls)
	{
		my $plain = ($name{$function} // '') =~ s/'\d+$//r;
		for my $what (keys %counted)
		{
			$found{$what} += $calls{$function} if $plain =~ $counted{$what};
		}
	}
	return \%found;
}

1;
