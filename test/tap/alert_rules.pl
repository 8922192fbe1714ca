# Alert rules where it takes more than one session, or more than one event: refusals that a rollback does not
# undo, bursts and what did not follow, whichever way transactions end, and after a crash.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use JSON::PP;
use Polling;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);
use Workers;

my $node = PostgreSQL::Test::Cluster->new('alert_rules');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\n"
	  . "max_worker_processes = 20\nmax_prepared_transactions = 5\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION audit_trail;
	CREATE TABLE orders (id int PRIMARY KEY, price numeric, status text);
	SELECT audit.enable('orders');
	INSERT INTO orders SELECT g, 100, 'new' FROM generate_series(1, 100) g;
	SELECT audit.alert_when('frozen', 'orders', '{price}', '$.old.status == "shipped"', block => true,
		severity => 'high', channel => 'frozen', message => '{actor} wanted {new.price} for {key}');
	SELECT audit.alert_when('many cancelled', 'orders', '{status}', '$.new.status == "cancelled"', kind => 'burst',
		more_than => 5, within => '1 hour', severity => 'high');
	SELECT audit.alert_when('not shipped', 'orders', '{status}', '$.new.status == "paid"', kind => 'absent',
		within => '2 seconds', followed_by => '$.new.status == "shipped"');
	UPDATE orders SET status = 'shipped' WHERE id <= 10;
});
workers_run($node, 'postgres', 'workers run');

# A refused change is rolled back, and with it all that its transaction did; but it is in the trail, and was heard.
my $listener = $node->background_psql('postgres');
$listener->query_safe('LISTEN audit_alert');
my ($rc, $out, $err) = $node->psql('postgres', q{
	BEGIN;
	SELECT audit.set_context(actor => 'mallory');
	UPDATE orders SET status = 'seen' WHERE id = 20;
	UPDATE orders SET price = 1 WHERE id = 7;
	ROLLBACK;
}, on_error_stop => 0);
like($err, qr/ERROR:  alert rule "frozen" refuses the change/, 'a change is refused');
like($err, qr/DETAIL:  mallory wanted 1 for 7/, 'and it is said which');
ok($node->poll_query_until('postgres', refused_query('mallory wanted 1 for 7')), 'the attempt is in the trail');
my ($heard) = heard('audit_alert');
is_deeply([ @$heard{qw(rule severity table resource_id changed event_type)} ],
	[ 'frozen', 'high', 'public.orders', '7', ['price'], 'change.blocked' ], 'and was heard as an alert of the rule');
is($node->safe_psql('postgres', q{SELECT actor || ' ' || table_name || ' ' || resource_id || ' ' || (new_values::jsonb -> 'old')::text || ' ' ||
		(new_values::jsonb -> 'new')::text || ' ' || (new_values::jsonb ->> 'sqlstate') FROM audit.events WHERE event_type = 'change.blocked'}),
	'mallory orders 7 {"price": 100} {"price": 1} TR013', 'the event says who wanted what');
is($node->safe_psql('postgres', q{SELECT channel || ' ' || sentence FROM audit.alert WHERE rule_name = 'frozen'}),
	'frozen mallory wanted 1 for 7', 'the alert too');
is($node->safe_psql('postgres', 'SELECT price FROM orders WHERE id = 7'), '100', 'the price is what it was');

# Whatever catches the error: a savepoint, an exception block, a trigger deep down.
$node->safe_psql('postgres', q{
	DO $$ BEGIN
		UPDATE orders SET price = 2 WHERE id = 7;
		RAISE 'not refused';
	EXCEPTION WHEN SQLSTATE 'TR013' THEN UPDATE orders SET status = 'tried' WHERE id = 21;
	END $$;
	CREATE TABLE prices (id int, price numeric);
	CREATE FUNCTION pass_on() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN UPDATE orders SET price = NEW.price WHERE id = NEW.id; RETURN NEW; END $$;
	CREATE TRIGGER pass_on BEFORE INSERT ON prices FOR EACH ROW EXECUTE FUNCTION pass_on();
});
ok($node->poll_query_until('postgres', refused_query('wanted 2 for 7')), 'an attempt is recorded though its error is caught');
is($node->safe_psql('postgres', 'SELECT status FROM orders WHERE id = 21'), 'tried', 'and the rest of the transaction stands');
($rc, $out, $err) = $node->psql('postgres', 'INSERT INTO prices VALUES (30, 3), (8, 4)');
like($err, qr/wanted 4 for 8/, 'a change by a trigger is refused, and with it the statement');
is($node->safe_psql('postgres', 'SELECT price FROM orders WHERE id = 30'), '100', 'all of it');
$node->safe_psql('postgres', q{SELECT audit.alert_disable('frozen'); UPDATE orders SET price = 99 WHERE id = 9});
is($node->safe_psql('postgres', 'SELECT price FROM orders WHERE id = 9'), '99', 'a disabled rule refuses nothing');

# Bursts: by one actor, over sessions and transactions, only what is committed, once a window.
cancel('anna', 40, 42);
cancel('anna', 43, 44);
cancel('berta', 45, 48);
$node->safe_psql('postgres', q{BEGIN; SET LOCAL audit_trail.actor = 'anna';
	UPDATE orders SET status = 'cancelled' WHERE id BETWEEN 50 AND 59; ROLLBACK;
	BEGIN; SET LOCAL audit_trail.actor = 'anna'; SAVEPOINT s; UPDATE orders SET status = 'cancelled' WHERE id BETWEEN 50 AND 59;
	ROLLBACK TO s; COMMIT});
judged('what there was is judged');
is(bursts(), '', 'five are no burst, and what was rolled back is none');
$node->safe_psql('postgres', q{BEGIN; SET LOCAL audit_trail.actor = 'anna'; UPDATE orders SET status = 'cancelled' WHERE id = 60;
	PREPARE TRANSACTION 'one more'});
sleep(1.5);
is(bursts(), '', 'nor what is prepared');
$node->safe_psql('postgres', q{COMMIT PREPARED 'one more'});
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM audit.alert WHERE rule_name = 'many cancelled'}),
	'but when it is committed, by another session, there are six');
like($node->safe_psql('postgres', q{SELECT sentence FROM audit.alert WHERE rule_name = 'many cancelled'}),
	qr/^orders\.updated in public\.orders 60 by anna: more than 5 within 1 hour$/, 'and the alert says so');
cancel('anna', 61, 70);
judged('more are judged');
is(bursts(), '60', 'an alert is raised once a window');
my @sessions = map { $node->background_psql('postgres') } 1 .. 4;
foreach my $i (0 .. 3)
{
	$sessions[$i]->query_safe("BEGIN; SET LOCAL audit_trail.actor = 'clara'");
	$sessions[$i]->query_safe("UPDATE orders SET status = 'cancelled' WHERE id IN (" . (80 + 2 * $i) . ', ' . (81 + 2 * $i) . ')');
}
$sessions[$_]->query_safe('COMMIT') for (3, 1, 0, 2);
$_->quit for @sessions;
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM audit.alert a JOIN audit.transaction t USING (tx_id)
	WHERE a.rule_name = 'many cancelled' AND t.actor = 'clara'}), 'four sessions at once, none of which has seen the others, make one');

# The server crashes between five and the sixth.
cancel('dora', 10, 14);
$node->stop('immediate');
eval { $listener->quit };
$node->start;
cancel('dora', 15, 15);
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM audit.alert a JOIN audit.transaction t USING (tx_id)
	WHERE a.rule_name = 'many cancelled' AND t.actor = 'dora'}), 'a crash in between does not hide one');

# What does not follow in time.
$node->safe_psql('postgres', q{UPDATE orders SET status = 'paid' WHERE id IN (90, 91, 92);
	UPDATE orders SET status = 'shipped' WHERE id = 91;
	BEGIN; UPDATE orders SET status = 'paid' WHERE id = 93; ROLLBACK});
ok($node->poll_query_until('postgres', q{SELECT array_agg(record_key ORDER BY record_key) = '{90,92}' FROM audit.alert WHERE rule_name = 'not shipped'}),
	'what is expected and does not follow raises an alert');
like($node->safe_psql('postgres', q{SELECT sentence FROM audit.alert WHERE rule_name = 'not shipped' AND record_key = '90'}),
	qr/^orders\.updated in public\.orders 90 by \w+: what was expected did not follow within 2 seconds$/, 'and the alert says so');
$node->safe_psql('postgres', q{SELECT audit.alert_disable('not shipped'); UPDATE orders SET status = 'paid' WHERE id = 94;
	SELECT audit.alert_enable('not shipped')});
sleep(3.5);
is($node->safe_psql('postgres', q{SELECT string_agg(record_key, ',' ORDER BY record_key) FROM audit.alert WHERE rule_name = 'not shipped'}),
	'90,92', 'nothing else does, and each once');

$node->stop;
done_testing();

sub cancel
{
	my ($actor, $from, $to) = @_;

	$node->safe_psql('postgres', "BEGIN; SET LOCAL audit_trail.actor = '$actor'; "
		  . "UPDATE orders SET status = 'cancelled' WHERE id BETWEEN $from AND $to; COMMIT");
	return;
}

# Keys of the events that raised an alert for a burst.
sub bursts
{
	return $node->safe_psql('postgres',
		q{SELECT coalesce(string_agg(record_key, ',' ORDER BY alert_id), '') FROM audit.alert WHERE rule_name = 'many cancelled'});
}

# Waits until all that was committed has been judged.
sub judged
{
	my ($name) = @_;
	my $now = $node->safe_psql('postgres', 'SELECT pg_snapshot_xmin(pg_current_snapshot())');

	ok($node->poll_query_until('postgres', qq{SELECT NOT EXISTS (SELECT FROM audit.alert_match m WHERE m.xid < $now AND NOT m.alerted
		AND NOT EXISTS (SELECT FROM audit.alert_judgement j WHERE pg_visible_in_snapshot(m.xid::text::xid8, j.snapshot::pg_snapshot)))}), $name);
	return;
}

sub refused_query
{
	my ($sentence) = @_;

	return qq{SELECT count(*) = 1 FROM audit.events WHERE action = 'refuse' AND new_values::text LIKE '%$sentence%'};
}

# Notifications on a channel, parsed, once there are some.
sub heard
{
	my ($channel) = @_;
	my @heard;

	foreach (1 .. 100)
	{
		my $said = $listener->query_safe('SELECT 1');

		push @heard, decode_json($1)
		  while $said =~ /^Asynchronous notification "$channel" with payload "(.*)" received from server process with PID \d+\.$/mg;
		last if @heard > 0;
		sleep(0.1);
	}
	return @heard;
}
