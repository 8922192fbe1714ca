# Beside other extensions that hook into the same places: preloaded in any order, each does its work, and so do we.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Workers;

my $node = PostgreSQL::Test::Cluster->new('hooks');
my $libraries = $node->config_data('--pkglibdir');
my @others = grep { -e "$libraries/$_.so" } qw(pg_stat_statements auto_explain pgaudit set_user);

cmp_ok(scalar @others, '>=', 2, "there are others: @others");
$node->init;
$node->append_conf('postgresql.conf', "max_worker_processes = 20\nfsync = off\nlogging_collector = off\nlog_min_messages = notice\n"
	  . "auto_explain.log_min_duration = 0\npgaudit.log = 'write,ddl'\npg_stat_statements.track = all\n");

# First, last, between the others, and these turned round.
my @orders = ([ 'audit_trail', @others ], [ @others, 'audit_trail' ], [ 'audit_trail', reverse @others ],
	[ (reverse @others)[ 0, 1 ], 'audit_trail', (reverse @others)[ 2 .. $#others ] ]);
foreach my $order (@orders)
{
	preload(join ',', @$order);
	works("@$order");
}

$node->stop;
done_testing();

sub preload
{
	my ($list) = @_;

	$node->append_conf('postgresql.conf', "shared_preload_libraries = '$list'");
	return $node->restart if $node->{started};
	$node->start;
	$node->{started} = 1;
	$node->safe_psql('postgres', 'CREATE EXTENSION audit_trail');
	$node->safe_psql('postgres', "CREATE EXTENSION $_") foreach grep { !/auto_explain/ } @others;
	$node->safe_psql('postgres', 'CREATE ROLE plain LOGIN');
	$node->safe_psql('postgres', 'GRANT EXECUTE ON FUNCTION set_user_u(text) TO plain') if has('set_user');
	return;
}

# One round of everything that hooks see.
sub works
{
	my ($order) = @_;
	my $from = -s $node->logfile;
	my $refused = attempts();
	my $n = ++$node->{round};

	workers_run($node, 'postgres', "workers run with $order");
	$node->safe_psql('postgres', qq{
		SELECT pg_stat_statements_reset();
		CREATE TABLE t$n (id int PRIMARY KEY, v int);
		SELECT audit.enable('t$n');
		INSERT INTO t$n VALUES (1, 1), (2, 2);
		ALTER TABLE t$n ADD COLUMN w int;
		UPDATE t$n SET w = 3 WHERE id = 1;
		DO \$\$ BEGIN DELETE FROM t$n WHERE id = 2; END \$\$});
	foreach my $command ('DROP TABLE audit.event', 'DELETE FROM audit.event', "ALTER TABLE t$n DISABLE TRIGGER \"00_audit_update\"")
	{
		my ($status, $out, $err) = $node->psql('postgres', $command);

		like($err, qr/it is part of the audit trail|it is write-once|is audited/, "refused: $command");
	}
	ok($node->poll_query_until('postgres', "SELECT count(*) = $refused + 3 FROM audit.event WHERE op = 'R'"), 'and on record, each once');
	is($node->safe_psql('postgres', qq{SELECT string_agg(action, ' ' ORDER BY tx_id, ordinal) FROM audit.events WHERE table_name = 't$n'}),
		'insert insert alter update delete', 'changes are recorded');
	is($node->safe_psql('postgres', qq{SELECT finding, detail FROM audit.reconcile('t$n')}), 'summary|ok', 'and lead to the rows');

	my $log = substr slurp_file($node->logfile), $from;

	is($node->safe_psql('postgres', qq{SELECT count(*) > 0 FROM pg_stat_statements WHERE query LIKE 'UPDATE t$n SET w%'}), 't', 'pg_stat_statements has counted')
	  if has('pg_stat_statements');
	like($log, qr/duration: .*UPDATE t$n SET w = 3/s, 'auto_explain has explained') if has('auto_explain');
	like($log, qr/AUDIT: SESSION,.*WRITE,UPDATE,.*UPDATE t$n SET w = 3/, 'pgaudit has logged') if has('pgaudit');
	if (has('set_user'))
	{
		my ($status, $out, $err) = $node->psql('postgres', "SELECT set_user_u('postgres'); SELECT current_user; DROP TABLE audit.event",
			extra_params => [ '-U', 'plain' ]);

		like($out, qr/^postgres$/m, 'set_user has made a superuser');
		like($err, qr/it is part of the audit trail/, 'who is refused');
		ok($node->poll_query_until('postgres', q{SELECT count(*) = } . $n . q{ FROM audit.events
			WHERE action = 'refuse' AND login_user = 'plain' AND db_role = 'postgres'}), 'and on record by both names');
	}
	return;
}

sub has { my ($name) = @_; return scalar grep { $_ eq $name } @others }

sub attempts { return $node->safe_psql('postgres', q{SELECT CASE WHEN to_regclass('audit.event') IS NULL THEN 0 ELSE
	(xpath('//c/text()', query_to_xml('SELECT count(*) AS c FROM audit.event WHERE op = ''R''', false, true, '')))[1]::text::int END}) }
