# What doc/observe.md says runs as it is printed there, and names every event type and setting of its kind.
use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Workers;

my $doc = slurp_file(dirname(abs_path(__FILE__)) . '/../../doc/observe.md');
my $node = PostgreSQL::Test::Cluster->new('observe_examples');

$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\nmax_worker_processes = 20\nfsync = off\n"
	  . join('', map { "audit_trail.record_$_ = on\n" } qw(sessions privileges denials reads)));
$node->start;
$node->safe_psql('postgres', q{CREATE EXTENSION audit_trail; SELECT audit.init(); CREATE TABLE patients (id int PRIMARY KEY); CREATE TABLE staff (id int PRIMARY KEY, email text, iban text)});
workers_run($node, 'postgres', 'workers run');

my @examples = $doc =~ /^```sql\n(.*?)^```$/msg;
cmp_ok(scalar @examples, '>', 0, 'there are examples');
foreach my $i (0 .. $#examples)
{
	my ($status, $out, $err) = $node->psql('postgres', $examples[$i], extra_params => ['--echo-errors']);

	is($status, 0, 'example ' . ($i + 1) . ' runs') or diag($err);
	unlike($err, qr/WARNING|ERROR/, 'without a warning');
}
foreach my $setting (split /\n/, $node->safe_psql('postgres', q{SELECT name FROM pg_settings WHERE name ~ '^audit_trail\.(record|ring|cluster)_' ORDER BY name}))
{
	like($doc, qr/`\Q$setting\E`/, "$setting is explained");
}
my ($line) = $doc =~ /^audit_trail record: (\{.*\})$/m;
is($node->safe_psql('postgres', "SELECT jsonb_typeof(\$j\$$line\$j\$::jsonb)"), 'object', 'the line of the log is JSON');
$node->stop;
done_testing();
