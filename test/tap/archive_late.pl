# Archiving a month of one retention class while the last of those who began in it end: the entries of
# their events are left to the sealer, and their row is in a partition of another class, if they have events of
# both. What they wrote is not lost, and not taken for damage.
use strict;
use warnings;

use Polling;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('archive_late');

$node->init;
$node->append_conf('postgresql.conf', q{
shared_preload_libraries = 'audit_trail'
max_worker_processes = 20
fsync = off
autovacuum = off
audit_trail.seal_interval = 1h
audit_trail.keeper_interval = 0
audit_trail.debug_clock = 1s
audit_trail.debug_points = 'archive-begun'
});
$node->start;
$node->safe_psql('postgres', $_)
  foreach q{
	CREATE EXTENSION audit_trail;
	CREATE TABLE orders (id serial PRIMARY KEY, note text);
	CREATE TABLE sales (id serial PRIMARY KEY, note text);
	SELECT audit.enable('orders'), audit.enable('sales', context => 'sales');
	SELECT audit.set_retention(context => 'sales', hot => '1 month', reason => 'they are many')},
  'SELECT audit.create_partitions()', "INSERT INTO sales (note) VALUES ('first')", 'SELECT audit.seal_now()',
  "ALTER DATABASE postgres SET audit_trail.debug_clock = '120d'";    # of the keeper, and of who asks it

# One that has ended is not sealed yet.
write_both($node->background_psql('postgres'), 'unsealed', 'COMMIT');
$node->safe_psql('postgres', 'SELECT audit.keeper_now()');
is(value("SELECT error FROM audit.keeper_run WHERE step = 'archive'"), 'partition "event_2_' . month() . '" is not sealed', 'what is not sealed is not archived');
$node->safe_psql('postgres', 'SELECT audit.seal_now()');

# One ends when the others are read already.
my $hold = $node->background_psql('postgres');
$hold->query_safe("SELECT pg_advisory_lock(1096107092, hashtext('archive-begun'))");
my $writer = $node->background_psql('postgres');
write_both($writer, 'late');
my $keeper = $node->background_psql('postgres');
$keeper->query_until(qr/asked/, "\\echo asked\nSELECT audit.keeper_now();\n");
ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'audit_trail keeper' AND wait_event = 'advisory'"),
	'the keeper archives');
$writer->query_safe('COMMIT');
$_->quit foreach ($writer, $hold, $keeper);
is(value("SELECT error FROM audit.keeper_run WHERE step = 'archive' ORDER BY run_id DESC LIMIT 1"),
	'partition "event_2_' . month() . '" was written while it was archived', 'it gives way to who wrote meanwhile');
is(notes(), 'first unsealed late', 'nothing is lost');

$node->safe_psql('postgres', $_) foreach 'SELECT audit.seal_now()', 'SELECT audit.keeper_now()';
is(value("SELECT relkind FROM pg_class WHERE relname = 'event_2_" . month() . q{'}), 'f', 'it is archived when all is sealed');
is(notes(), 'first unsealed late', 'and has everything');
is(value('SELECT object FROM audit.verify()'), 'ok', 'it verifies');
$node->stop;
done_testing();

# In the month that is over by then.
sub write_both
{
	my ($session, $note, $end) = @_;

	$session->query_safe("SET audit_trail.debug_clock = '1s'; BEGIN; INSERT INTO sales (note) VALUES ('$note'); INSERT INTO orders (note) VALUES ('$note')");
	return if !defined $end;
	$session->query_safe($end);
	$session->quit;
	return;
}

sub notes
{
	return value(q{SELECT string_agg(new_values ->> 'note', ' ' ORDER BY occurred_at) FROM audit.events WHERE table_name = 'sales'});
}

sub month
{
	return value(q{SELECT to_char(started_at AT TIME ZONE 'UTC', 'YYYYMM') FROM audit.session ORDER BY started_at LIMIT 1});
}

sub value
{
	my ($query) = @_;

	return $node->safe_psql('postgres', $query);
}
