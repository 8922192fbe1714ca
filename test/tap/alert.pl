# Alerts reach those who LISTEN: soon, once, in order, and whatever happens to the notifier, the
# server or the transaction between the change and the notification.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use JSON::PP;
use Polling;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use Workers;

my $node = PostgreSQL::Test::Cluster->new('alert');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\n"
	  . "max_worker_processes = 20\nmax_prepared_transactions = 5\n"
	  . "audit_trail.debug_points = 'notifier-picked,notifier-before-commit'\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION audit_trail;
	CREATE TABLE orders (id text PRIMARY KEY, price numeric, qty int, notes text);
	SELECT audit.enable('orders');
	SELECT audit.alert_when('price', 'orders', '{price}', severity => 'warning', channel => 'pricing');
	SELECT audit.alert_when('quantity', 'orders', '{qty}');
	INSERT INTO orders SELECT g, g, g, 'secret' FROM generate_series(1, 3000) g;
});
workers_run($node, 'postgres', 'workers run');

my ($listener, @heard) = listen_on('audit_alert');
my @cursors;    # where the notifier had come to, now and then

# A change of a watched column is heard, with all that a listener needs and no value of the row.
change(q{UPDATE orders SET price = 4711.5, notes = 'hidden' WHERE id = '17'});
my ($alert) = hear(1);
is_deeply(
	[ @$alert{qw(rule severity table resource_id changed channel)} ],
	[ 'price', 'warning', 'public.orders', '17', ['price'], 'audit_alert' ],
	'a listener hears what changed');
like($alert->{event_id}, qr/^\d+\.1$/, 'and the name of the event');
like($alert->{raised_at}, qr/^\d{4}-\d\d-\d\dT[0-9:.]+\+00:00$/, 'and when it was raised');
unlike($alert->{payload}, qr/4711|hidden|secret/, 'but no value of the row');
is($node->safe_psql('postgres', "SELECT string_agg(channel || ' ' || outcome, ',' ORDER BY channel)
		FROM audit.alert_delivery WHERE alert_id = $alert->{alert_id}"),
	'audit_alert notified,pricing notified', 'deliveries are noted');

# Soon: the median of five, as the machine may be busy.
my @took;
foreach my $i (1 .. 5)
{
	my $began = time;

	change("UPDATE orders SET price = price + 1 WHERE id = '$i'");
	hear(1);
	push @took, time - $began;
}
cmp_ok((sort { $a <=> $b } @took)[2], '<', 1, 'an alert is heard within a second');

# What is rolled back is not heard, what is not watched neither.
change(q{BEGIN; UPDATE orders SET price = 1 WHERE id = '18'; ROLLBACK});
change(q{BEGIN; SAVEPOINT s; UPDATE orders SET price = 1 WHERE id = '19'; ROLLBACK TO s; COMMIT});
change(q{UPDATE orders SET notes = 'x' WHERE id = '20'});
change(q{UPDATE orders SET price = price WHERE id = '21'});
change(q{UPDATE orders SET qty = 0 WHERE id = '22'});
($alert) = hear(1);
is($alert->{resource_id}, '22', 'rolled back and unwatched changes are not heard');

# On the channel of its rule.
my ($other) = listen_on('pricing');
change(q{UPDATE orders SET price = 2 WHERE id = '23'});
($alert) = hear(1, $other);
is("$alert->{channel} $alert->{resource_id}", 'pricing 23', 'a rule has a channel of its own');
$other->quit;
hear(1);

# A payload ends at 8000 bytes, whatever the key and the names.
my @columns = map { sprintf 'c%02d' . 'x' x 57, $_ } 1 .. 40;
change('CREATE TABLE wide (id text PRIMARY KEY, ' . join(', ', map { "$_ int" } @columns) . ')');
change(q{SELECT audit.enable('wide')});
change(q{SELECT audit.alert_when('wide', 'wide', '\{} . join(',', @columns) . q{\}')});
change(q{INSERT INTO wide VALUES (repeat(E'\x01', 1020))});
change('UPDATE wide SET ' . join(', ', map { "$_ = 1" } @columns));
my ($long) = hear(1);
cmp_ok(length $long->{payload}, '<', 8000, 'a long payload is cut');
is_deeply($long->{shortened}, [ 'resource_id', 'changed', 'sentence' ], 'and says so');

# A storm: each once, in order, in several portions.
change(q{UPDATE orders SET qty = qty + 1 WHERE id ~ '^[0-9]+$' AND id::int BETWEEN 101 AND 2600});
my @storm = hear(2500);
is_deeply([ map { $_->{resource_id} } @storm ], [ 101 .. 2600 ], 'a storm is heard, each alert once and in order');

# An open and a prepared transaction: others' alerts are not held up, theirs come after their end.
my $open = $node->background_psql('postgres');
$open->query_safe(q{BEGIN; UPDATE orders SET qty = -1 WHERE id = '31'});
change(q{BEGIN; UPDATE orders SET qty = -1 WHERE id = '32'; PREPARE TRANSACTION 'p'});
change(q{UPDATE orders SET qty = -1 WHERE id = '33'});
($alert) = hear(1);
is($alert->{resource_id}, '33', 'an open transaction holds up nobody');
my $last = $alert->{alert_id};
change(q{UPDATE orders SET qty = -1 WHERE id = '34'});
hear(1);
$open->query_safe('COMMIT');
($alert) = hear(1);
is($alert->{resource_id}, '31', 'its own alert comes when it commits');
change(q{COMMIT PREPARED 'p'});
($alert) = hear(1);
is($alert->{resource_id}, '32', 'so does that of a prepared one');
is(since($last), '34,31,32', 'a client that was away catches up in this order');
is(since($alert->{alert_id}), '', 'and then has heard all');
$open->quit;

# Passes, many of them
$node->safe_psql('postgres', qq{UPDATE orders SET qty = -$_ WHERE id = '50'; SELECT audit.notify_now()}) foreach 1 .. 120;
hear(120);
push @cursors, cursor();

# The notifier is terminated with the alert in its hands; another one tells it.
my $gate = $node->background_psql('postgres');
close_gate('notifier-before-commit');
my ($notifier) = pids_of($node, 'notifier', 'postgres');
change(q{UPDATE orders SET qty = -2 WHERE id = '41'});
waits($notifier);
$node->safe_psql('postgres', "SELECT pg_terminate_backend($notifier)");
workers_run($node, 'postgres', 'a terminated notifier is back', $notifier);
open_gate('notifier-before-commit');
($alert) = hear(1);
is($alert->{resource_id}, '41', 'what it had in its hands is told by the next one');

# A backend crashes, and the whole server with the alert committed but not told.
close_gate('notifier-picked');
($notifier) = pids_of($node, 'notifier', 'postgres');
change(q{UPDATE orders SET qty = -3 WHERE id = '42'});
waits($notifier);
$node->stop('immediate');
eval { $_->quit } foreach $listener, $gate;
$node->start;
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM audit.alert a
		JOIN audit.alert_delivery d USING (alert_id) WHERE a.record_key = '42'}),
	'after a crash the alert is told');
is(since($alert->{alert_id}), '42', 'a client that was away finds it');

# In the end everything that was raised has been told once, and the trail is whole.
($listener, @heard) = listen_on('audit_alert');
change(q{UPDATE orders SET qty = -4 WHERE id = '43'});
hear(1);
is($node->safe_psql('postgres', q{SELECT count(*) FROM audit.alert a
		WHERE (SELECT count(*) FROM audit.alert_delivery d WHERE d.alert_id = a.alert_id AND d.channel = 'audit_alert') <> 1}),
	'0', 'every alert has been told once');
push @cursors, cursor();
is(scalar(grep { $cursors[$_][0] < $cursors[ $_ - 1 ][0] || $cursors[$_][1] < $cursors[ $_ - 1 ][1] } 1 .. $#cursors), 0, 'the cursor never went back');
cmp_ok($cursors[-1][1], '>', 100, 'and went far');
is($node->safe_psql('postgres', q{SELECT count(*), pg_total_relation_size('audit.alert_pass') <= 8 * 8192 FROM audit.alert_pass}),
	'1|t', 'but takes no more room than at the beginning');
is($node->safe_psql('postgres', 'SELECT p.alerts = count(DISTINCT (d.alert_id)) FROM audit.alert_pass p, audit.alert_delivery d GROUP BY p.alerts'), 't', 'and counts what was told');
sleep(2);
is(scalar(hear_now()), 0, 'and nothing is told twice');
$node->stop;
done_testing();

sub change
{
	my ($sql) = @_;

	$node->safe_psql('postgres', $sql);
	push @cursors, cursor();
	return;
}

# [xmax, pass]
sub cursor { return [ split /\|/, $node->safe_psql('postgres', 'SELECT pg_snapshot_xmax(snapshot::pg_snapshot), pass_id FROM audit.alert_pass') || '0|0' ] }

# A session that listens; notifications come with its answers.
sub listen_on
{
	my ($channel) = @_;
	my $session = $node->background_psql('postgres');

	$session->query_safe("LISTEN $channel");
	return $session;
}

# Notifications that have come so far, parsed.
sub hear_now
{
	my ($session) = (@_, $listener);
	my @new;

	my $said = $session->query_safe('SELECT 1');
	while ($said =~ /^Asynchronous notification "(\w+)" with payload "(.*)" received from server process with PID \d+\.$/mg)
	{
		push @new, { %{ decode_json($2) }, channel => $1, payload => $2 };
	}
	return @new;
}

# Waits for so many notifications; exactly so many have come then.
sub hear
{
	my ($count, $session) = @_;
	my $until = time + $PostgreSQL::Test::Utils::timeout_default;
	my @all;

	while (@all < $count && time < $until)
	{
		push @all, hear_now($session // $listener);
		sleep(0.02) if @all < $count;
	}
	is(scalar @all, $count, "heard $count");
	return @all;
}

# What a client finds that has heard this alert last.
sub since
{
	my ($alert_id) = @_;

	return $node->safe_psql('postgres',
		"SELECT coalesce(string_agg(resource_id, ','), '') FROM audit.alerts_since($alert_id)");
}

# A debug point where the notifier stops until the gate is opened.
sub close_gate { return gate('pg_advisory_lock', @_); }
sub open_gate { return gate('pg_advisory_unlock', @_); }

sub gate
{
	my ($function, $point) = @_;

	$gate->query_safe("SELECT $function(1096107092, hashtext('$point'))");
	return;
}

sub waits
{
	my ($pid) = @_;

	ok($node->poll_query_until('postgres',
			"SELECT wait_event = 'advisory' FROM pg_stat_activity WHERE pid = $pid"), 'the notifier is held up');
	return;
}
