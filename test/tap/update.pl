# ALTER EXTENSION UPDATE keeps the trail, who may read it and how it goes on; its script may do what the guard refuses
# to everybody else. The server is a copy whose extension has two more versions.
use strict;
use warnings;

use File::Basename qw(basename dirname);
use File::Path qw(make_path);
use FindBin;
use lib $FindBin::RealBin;
use Moved;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $version = '';
my $install = copy_installation();
my $node = PostgreSQL::Test::Cluster->new('update', install_path => $install);

$node->init;
$node->append_conf('postgresql.conf', moved_conf());
$node->start;
my $state = moved_fill($node);

$node->safe_psql('postgres', q{ALTER EXTENSION audit_trail UPDATE TO 'next'});
is($node->safe_psql('postgres', 'SELECT audit.added()'), '1', 'an update adds a function');
isnt($node->psql('postgres', 'DROP FUNCTION audit.added()'), 0, 'which the guard keeps');
like($node->safe_psql('postgres', q{SELECT count(*) FROM audit.role_rights() WHERE command LIKE '%audit.added%'}), qr/^0$/, 'nobody has a right on it');
$node->safe_psql('postgres', q{ALTER EXTENSION audit_trail UPDATE TO 'after'});
is($node->safe_psql('postgres', q{SELECT extversion FROM pg_extension WHERE extname = 'audit_trail'}), 'after', 'another one drops it');
moved_is($node, 'postgres', $state, 1, 'an updated extension');
$node->stop;
done_testing();

# A server finds its files by where its program is; the program must be a copy, the rest is links.
sub copy_installation
{
	my ($bin, $share) = map { config($_) } '--bindir', '--sharedir';
	my $root = PostgreSQL::Test::Utils::tempdir;

	make_path("$root$bin", "$root$share/extension", dirname($root . config('--pkglibdir')));
	system_or_bail('cp', '-R', "$bin/.", "$root$bin");
	symlink(config('--pkglibdir'), $root . config('--pkglibdir')) or die "symlink: $!";
	link_all($share, "$root$share");
	link_all("$share/extension", "$root$share/extension");
	($version) = slurp_file("$share/extension/audit_trail.control") =~ /default_version = '(.*)'/;
	append_to_file("$root$share/extension/audit_trail--$version--next.sql",
		"CREATE FUNCTION audit.added() RETURNS int LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS 'SELECT 1';\n"
		  . "REVOKE ALL ON FUNCTION audit.added() FROM PUBLIC;\n");
	append_to_file("$root$share/extension/audit_trail--next--after.sql", "DROP FUNCTION audit.added();\n");
	return dirname("$root$bin");
}

sub link_all
{
	my ($from, $to) = @_;

	foreach my $file (glob("$from/*"))
	{
		symlink($file, "$to/" . basename($file)) or die "symlink: $!" unless -e "$to/" . basename($file);
	}
	return;
}

sub config
{
	my ($what) = @_;
	my ($out, $err) = run_command([ 'pg_config', $what ]);

	return $out;
}
