# The examples of doc/retention.md run as printed, each by the role that it says.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $text = slurp_file(dirname(abs_path(__FILE__)) . '/../../doc/retention.md');
my @examples = $text =~ /^```sql\n(.*?)^```$/msg;
my $node = PostgreSQL::Test::Cluster->new('retention_examples');
my $folder = PostgreSQL::Test::Utils::tempdir;
my @when_done;

$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\nmax_worker_processes = 20\n"
	  . "audit_trail.seal_interval = 50ms\naudit_trail.purge_anchor = off\naudit_trail.keeper_interval = 0\n"
	  . "audit_trail.signing_key_file = '$folder/key'\naudit_trail.checkpoint_file = '$folder/checkpoints'\n");
$node->start;
$node->safe_psql('postgres', q{SET audit_trail.debug_clock = 1; CREATE EXTENSION audit_trail; SELECT audit.init();
	SELECT count(*) FROM audit.create_roles();
	CREATE ROLE admin LOGIN IN ROLE audit_admin;
	CREATE ROLE approver LOGIN IN ROLE audit_purge_approver;
	CREATE ROLE maintenance LOGIN IN ROLE audit_maintenance;
	CREATE ROLE auditor LOGIN IN ROLE audit_auditor;
	CREATE TABLE orders (id int PRIMARY KEY, note text);
	SELECT audit.enable('orders', context => 'sales');
	INSERT INTO orders SELECT g, 'n' FROM generate_series(1, 20) g;
	SELECT audit.seal_now()});

my $vkey = $node->safe_psql('postgres', "SELECT audit.create_signing_key('$folder/key', 'example.org/shop')");
cmp_ok(scalar @examples, '>=', 6, 'there are examples');
foreach my $example (@examples)
{
	my ($login, $later, $done) = $example =~ /^-- as (\w+)(?:(, eight years later)|(, when it is done))?$/m or die "whose example is this?\n$example";

	if ($done)
	{
		push @when_done, [ $login, $example ];
		next;
	}

	if ($later)
	{
		$node->append_conf('postgresql.conf', "audit_trail.debug_clock = 3000d\n");
		$node->reload;
		$node->poll_query_until('postgres', q{SELECT current_setting('audit_trail.debug_clock') = '3000d'}) or die;
	}
	my ($status, $out, $err) = $node->psql('postgres', $example, extra_params => ['-U', $login, '--echo-errors']);

	is($status, 0, "an example of $login runs") or diag($err);
	unlike($err, qr/WARNING|ERROR/, 'without a warning');
}

# what they say that they do
is($node->safe_psql('postgres', q{SELECT string_agg(kind || ' ' || state, ', ' ORDER BY request_id) FROM audit.request}),
	'shorten_retention approved, release_hold expired, purge open', 'two are decided');
is($node->safe_psql('postgres', q{SELECT string_agg(name, ', ') FROM audit.holds}), 'case 4711', 'one hold is in force, the other has ended');
$node->safe_psql('postgres', q{SELECT audit.approve(max(request_id), 'fine') FROM audit.request}, extra_params => ['-U', 'approver']);
$node->safe_psql('postgres', 'SELECT audit.keeper_now()');
is($node->safe_psql('postgres', q{SELECT string_agg(resource_id, ' ') FROM audit.events WHERE table_name = 'orders' AND action = 'insert'}), '7',
	'what is held stays, all else goes');
is($node->safe_psql('postgres', q{SELECT string_agg(finding || ' ' || object, ', ') FROM audit.verify()}) =~ /^purged \d+, summary ok$/ ? 'ok' : '', 'ok',
	'and verify tells so');
is($node->safe_psql('postgres', q{SELECT string_agg(status, ' ') FROM audit.doctor() WHERE "check" IN ('retention', 'holds')}), 'ok ok', 'the doctor has nothing to say')
  or diag($node->safe_psql('postgres', q{SELECT * FROM audit.doctor() WHERE status <> 'ok'}));
is(scalar @when_done, 1, 'an example is about what was done');
foreach my $example (@when_done)
{
	my $certificate = $node->safe_psql('postgres', $example->[1], extra_params => [ '-U', $example->[0] ]);

	append_to_file("$folder/certificate", "$certificate\n");
	command_like([ 'audit_verify', '--key', $vkey, "$folder/certificate" ], qr/PURGED: 19 events/, 'and its certificate is valid');
}
$node->stop;
done_testing();
