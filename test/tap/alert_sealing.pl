# Alerts come under the seal, each of them once, whatever happens to the notifier meanwhile and however long their
# transactions take. What a superuser does to them in spite of the guard audit.verify() names.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Workers;

my $node = PostgreSQL::Test::Cluster->new('alert_sealing');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\nmax_prepared_transactions = 5\nmax_worker_processes = 20\n"
	  . "restart_after_crash = on\naudit_trail.seal_interval = 100ms\naudit_trail.verify_interval = 0\n");
$node->start;
sql(q{
	CREATE EXTENSION audit_trail;
	CREATE TABLE orders (id int PRIMARY KEY, price int, qty int);
	SELECT audit.enable('orders');
	SELECT audit.alert_when('price', 'orders', '{price}', severity => 'high');
	SELECT audit.alert_when('many', 'orders', '{qty}', kind => 'burst', more_than => 3, within => '1 hour');
	INSERT INTO orders SELECT g, g, g FROM generate_series(1, 2000) g});
workers_run($node, 'postgres', 'workers run');

# A rule for all events would match those that seal: they raise nothing.
sql(q{SELECT audit.alert_when('all', kind => 'recorded', events => '{alert.*}')});
sql('UPDATE orders SET price = 0 WHERE id < 4');
told();
is(sealed(), '3|3|0', 'alerts are sealed');
my $events = sql('SELECT count(*) FROM audit.event');
told() for 1 .. 3;
is(sql('SELECT count(*) FROM audit.event'), $events, 'and nothing more happens');
sql(q{SELECT audit.alert_drop('all')});

# A burst is judged later, in a transaction of the notifier.
sql("UPDATE orders SET qty = qty + 1 WHERE id = $_") for 1 .. 5;
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM audit.alert WHERE rule_name = 'many'}), 'a burst raises an alert');
told();
is(sealed(), '4|4|0', 'which is sealed');
is(verify(), '', 'and verifies');

# Long and prepared transactions
my $open = $node->background_psql('postgres');
$open->query_safe('BEGIN; UPDATE orders SET price = -1 WHERE id = 10');
sql(q{BEGIN; UPDATE orders SET price = -1 WHERE id = 11; PREPARE TRANSACTION 'p'});
sql('UPDATE orders SET price = -1 WHERE id = 12');
sql('BEGIN; UPDATE orders SET price = -1 WHERE id = 13; ROLLBACK');
told();
is(sealed(), '5|5|0', 'transactions that are open keep none from it');
$open->query_safe('COMMIT');
$open->quit;
sql(q{COMMIT PREPARED 'p'});
told();
is(sealed(), '7|7|0', 'their own are sealed when they end');
is(verify(), '', 'all of it verifies');

# The notifier is killed in mid-load, and the server with it, three times.
foreach my $round (1 .. 3)
{
	my ($notifier) = pids_of($node, 'notifier', 'postgres');
	my $load = $node->background_psql('postgres', on_error_stop => 0);

	$load->query_until(qr/begun/, "\\echo begun\n" . join('', map { "UPDATE orders SET price = price + 1 WHERE id = $_;\n" } 20 .. 500) . "\\echo ended\n");
	ok($node->poll_query_until('postgres', qq{SELECT count(*) > 20 FROM audit.event WHERE op = 'U' AND occurred_at > clock_timestamp() - interval '2 s'}), 'a load runs');
	kill 'KILL', $notifier;
	eval { $load->quit };
	$node->poll_query_until('postgres', 'SELECT true') or die;
	workers_run($node, 'postgres', "the notifier is back after kill $round", $notifier);
	is(verify(), '', 'at once it verifies');
}
told();
is(sql('SELECT count(*) > 20 FROM audit.alert'), 't', 'many alerts were raised');
like(sealed(), qr/^(\d+)\|\1\|0$/, 'each is sealed, and none twice');
is(verify(), '', 'and verifies');

# A superuser, without the guard and the access method
my ($first, $second, $third) = split /\n/, sql('SELECT alert_id FROM audit.alert ORDER BY alert_id LIMIT 3');
my $columns = sql(q{SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'audit.alert'::regclass AND attnum > 1 AND NOT attisdropped});
superuser("DELETE FROM audit.alert WHERE alert_id = $first",
	"UPDATE audit.alert SET severity = 'info' WHERE alert_id = $second",
	"INSERT INTO audit.alert SELECT 1000001, $columns FROM audit.alert WHERE alert_id = $third",
	'INSERT INTO audit.alert SELECT 1000002, ' . ($columns =~ s/\bxid\b/pg_current_xact_id()::text::bigint/r) . " FROM audit.alert WHERE alert_id = $third");
my @odd = ("alert added|1000001", "alert added|1000002", "alert changed|$second", "alert missing|$first");
is(verify(), join("\n", @odd), 'what is taken away, altered and put in is named');
told();
sql('UPDATE orders SET price = -7 WHERE id = 600');
told();
is(verify(), join("\n", @odd), 'and later too: the notifier gives a forged one no seal');

# Who sets the place of the notifier forward has no alerts unsealed for ever.
superuser(q{UPDATE audit.alert_pass SET sealed = '999999999:999999999:'});
sql('UPDATE orders SET price = -8 WHERE id = 601');
told();
is(sql(q{SELECT count(*) FROM audit.event e, audit.alert a WHERE a.record_key LIKE '%601%' AND e.event_type = 'alert.sealed' AND e.new_values::jsonb -> 'alerts' ? a.alert_id::text}),
	'1', 'a place that lies ahead is none');
$node->stop;
done_testing();

sub sql { my ($query) = @_; return $node->safe_psql('postgres', $query) }

sub told { return sql('SELECT audit.notify_now()') }

sub verify { return sql(q{SELECT coalesce(string_agg(finding || '|' || coalesce(object, ''), E'\n' ORDER BY finding, object), '') FROM audit.verify() WHERE finding <> 'summary'}) }

# alerts | names in events | alerts that none has
sub sealed
{
	return sql(q{WITH named AS (SELECT k::bigint AS alert_id FROM audit.event, LATERAL json_object_keys(new_values -> 'alerts') k WHERE event_type = 'alert.sealed')
		SELECT (SELECT count(*) FROM audit.alert), (SELECT count(*) FROM named), (SELECT count(*) FROM audit.alert WHERE alert_id NOT IN (SELECT alert_id FROM named))});
}

sub superuser
{
	my (@statements) = @_;
	my $method = "UPDATE pg_class SET relam = (SELECT oid FROM pg_am WHERE amname = '%s') WHERE oid IN ('audit.alert'::regclass, 'audit.alert_pass'::regclass)";

	$node->append_conf('postgresql.conf', 'audit_trail.guard = off');
	$node->reload;
	$node->poll_query_until('postgres', q{SELECT current_setting('audit_trail.guard') = 'off'}) or die;
	sql(sprintf $method, 'heap');
	sql(join ';', @statements);
	sql(sprintf $method, 'audit_worm');
	$node->append_conf('postgresql.conf', 'audit_trail.guard = on');
	$node->reload;
	return;
}
