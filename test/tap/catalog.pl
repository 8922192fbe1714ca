# What a superuser does to the catalogs, or to stored rows by the tools of repair, no hook sees. It is
# found: a capture that was switched off by the doctor and by audit.reconcile(), rows that were
# taken away by audit.verify().

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Workers;

my $node = PostgreSQL::Test::Cluster->new('catalog');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\nmax_worker_processes = 20\nfsync = off\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION audit_trail;
	CREATE EXTENSION pg_surgery;
	CREATE TABLE a (id int PRIMARY KEY);
	CREATE TABLE b (id int PRIMARY KEY);
	CREATE TABLE c (id int PRIMARY KEY);
	SELECT audit.enable(t::regclass) FROM unnest('{a,b,c}'::text[]) t;
	INSERT INTO a VALUES (1); INSERT INTO b VALUES (1); INSERT INTO c VALUES (1)});
is($node->safe_psql('postgres', q{SELECT string_agg(DISTINCT status, ',') FROM audit.doctor() WHERE "check" = 'capture'}), 'ok', 'all is captured');

# A trigger is switched off, or all of a table's are hidden, or one is removed with its dependencies.
$node->safe_psql('postgres', q{
	UPDATE pg_trigger SET tgenabled = 'D' WHERE tgrelid = 'a'::regclass AND tgname = '00_audit_insert';
	UPDATE pg_class SET relhastriggers = false WHERE oid = 'b'::regclass;
	DELETE FROM pg_trigger WHERE tgrelid = 'c'::regclass AND tgname = '00_audit_insert'});
foreach my $table (qw(a b c))
{
	my ($status, $out, $err) = $node->psql('postgres', "INSERT INTO $table VALUES (2)");

	note("$table: " . ($status ? $err : 'the row is there, and no event'));
	next if $status;
	like(doctor($node, 'postgres', 'capture'), qr/^problem\|[^\n]*\b$table\b/m, "the doctor sees it of $table");
	like($node->safe_psql('postgres', "SELECT finding, record_key FROM audit.reconcile('$table')"),
		qr/^missing in the trail\|2$/m, "reconciling names the row of $table");
}

# Rows are taken out below everything, or after the storage was made to look like another kind.
$node->safe_psql('postgres', 'SELECT audit.seal_now()');
is($node->safe_psql('postgres', 'SELECT finding, object FROM audit.verify()'), 'summary|ok', 'the trail is whole');
my $event = $node->safe_psql('postgres', q{
	SELECT e.tableoid::regclass, e.ctid, e.tx_id || '.' || e.ordinal FROM audit.event e JOIN audit.target USING (target_id)
	WHERE table_name = 'a' AND op = 'I'});
my ($partition, $ctid, $name) = split /\|/, $event;
my $victim = $node->safe_psql('postgres', q{
	SELECT e.tx_id || '.' || e.ordinal FROM audit.event e JOIN audit.target USING (target_id) WHERE table_name = 'b' AND op = 'I'});
my ($status, $out, $err) = $node->psql('postgres', "SELECT heap_force_kill('$partition', ARRAY['$ctid']::tid[])");

like($err, qr/only heap AM is supported/, 'the tool for repair takes it for no heap');
become('heap');
$node->safe_psql('postgres', "SELECT heap_force_kill('$partition', ARRAY['$ctid']::tid[])");
$node->safe_psql('postgres', "DELETE FROM $partition WHERE tx_id || '.' || ordinal = '$victim'");
become('audit_worm');
my $found = $node->safe_psql('postgres', 'SELECT finding, object FROM audit.verify()');
like($found, qr/^event missing\|\Q$name\E$/m, 'an event that was killed is named');
like($found, qr/^event missing\|\Q$victim\E$/m, 'so is one that was deleted');

# Nobody but a superuser signals the workers.
$node->safe_psql('postgres', 'CREATE ROLE signaller LOGIN; GRANT pg_signal_backend TO signaller');
workers_run($node, 'postgres', 'workers run');
foreach my $kind (qw(sealer notifier collector))
{
	my ($pid) = pids_of($node, $kind, 'postgres');

	($status, $out, $err) = $node->psql('postgres', "SET ROLE signaller; SELECT pg_terminate_backend($pid)");
	like($err, qr/must be a superuser|Only roles with the SUPERUSER attribute/, "an ordinary role does not end the $kind");
}

$node->stop;
done_testing();

# Make the catalog say that the partition is of another access method.
sub become
{
	my ($method) = @_;

	$node->safe_psql('postgres', qq{
		UPDATE pg_class SET relam = (SELECT oid FROM pg_am WHERE amname = '$method') WHERE oid = '$partition'::regclass});
	return;
}
