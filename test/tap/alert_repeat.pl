# Alerts that nobody acknowledges are told again, on a second channel at last, and end as dead letters;
# what cannot be heard for want of room is read at once and heard later; commits are told in their order.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use Workers;

my $node = PostgreSQL::Test::Cluster->new('alert_repeat');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\n"
	  . "max_worker_processes = 20\n"
	  . "audit_trail.alert_repeat_after = 1\naudit_trail.alert_repeats = 2\n"
	  . "audit_trail.alert_escalate_to = 'On-call \"A\"'\naudit_trail.alert_escalate_after = 2\n"
	  . "audit_trail.debug_points = 'notifier-picked'\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION audit_trail;
	CREATE TABLE orders (id text PRIMARY KEY, price numeric, qty int);
	SELECT audit.enable('orders');
	SELECT audit.alert_when('price', 'orders', '{price}', severity => 'high', channel => 'pricing');
	SELECT audit.alert_when('quantity', 'orders', '{qty}', channel => 'Qty ''"; x');
	INSERT INTO orders SELECT g, g, g FROM generate_series(1, 100) g;
});
workers_run($node, 'postgres', 'workers run');

# Nobody acknowledges: twice more, the second time to others too, then no more.
change(q{UPDATE orders SET price = -1 WHERE id = '1'});
ok($node->poll_query_until('postgres', 'SELECT count(*) = 1 FROM audit.dead_letters'), 'an alert nobody acknowledges is a dead letter at last');
is(feed('1'), 'audit_alert 1,pricing 1,audit_alert 2,pricing 2,audit_alert 3,pricing 3,On-call "A" 1', 'told again each time later, and to others');
is($node->safe_psql('postgres', q{SELECT outcome, detail FROM audit.dead_letters}),
	'unanswered|told 3 times, and nobody has acknowledged it', 'the dead letter says why');
my @pauses = split /\n/, $node->safe_psql('postgres', q{
	SELECT extract(epoch FROM told_at - lag(told_at) OVER (ORDER BY delivery_id)) FROM audit.alert_feed
	WHERE told_on = 'audit_alert' ORDER BY delivery_id OFFSET 1});
cmp_ok($pauses[0], '>=', 1, 'the first pause is the one that was set');
cmp_ok($pauses[1], '>=', 2, 'the next one is twice as long');
is(since('On-call "A"'), '1', 'who is on call catches up on that channel');

# It can be told again, and then is repeated no more times than that.
my $id = alert_id('1');
$node->safe_psql('postgres', "SELECT audit.resend_alert($id)");
ok($node->poll_query_until('postgres', "SELECT max(attempt) = 5 FROM audit.alert_feed WHERE alert_id = $id AND told_on = 'audit_alert'"), 'a dead letter is told again');
is($node->safe_psql('postgres', 'SELECT count(*) FROM audit.dead_letters'), '0', 'and none until nobody answers it again');

# Acknowledged in time: not told again.
change(q{UPDATE orders SET price = -1 WHERE id = '2'});
ok($node->poll_query_until('postgres', q{SELECT count(*) = 2 FROM audit.alert_feed WHERE resource_id = '2'}), 'told');
ok($node->safe_psql('postgres', q{SELECT due_at > told_at FROM audit.alerts WHERE resource_id = '2'}) eq 't', 'and due');
$node->safe_psql('postgres', 'SELECT audit.acknowledge(' . alert_id('2') . ", 'is seen to')");
is($node->safe_psql('postgres', q{SELECT due_at IS NULL FROM audit.alerts WHERE resource_id = '2'}), 't', 'no more when it is acknowledged');
change(q{UPDATE orders SET price = -1 WHERE id = '3'});
ok($node->poll_query_until('postgres', q{SELECT count(*) > 3 FROM audit.alert_feed WHERE resource_id = '3'}), 'another one is told again meanwhile');
is(feed('2'), 'audit_alert 1,pricing 1', 'that one is not');

# The notifier is killed between the telling and the repetition: that comes all the same.
change(q{UPDATE orders SET price = -1 WHERE id = '4'});
ok($node->poll_query_until('postgres', q{SELECT count(*) = 2 FROM audit.alert_feed WHERE resource_id = '4'}), 'told');
my ($notifier) = pids_of($node, 'notifier', 'postgres');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($notifier)");
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM audit.dead_letters WHERE resource_id = '4'}), 'a new notifier repeats it');
# If it took until then, the second time is the first for who is on call.
like(feed('4'), qr/^audit_alert 1,pricing 1,audit_alert 2,pricing 2,(On-call "A" 1,audit_alert 3,pricing 3,On-call "A" 2|audit_alert 3,pricing 3,On-call "A" 1)$/,
	'as often as the old one would have');

# No severity that wants an answer: told once, on a channel with an odd name.
change(q{UPDATE orders SET qty = -1 WHERE id = '5'});
ok($node->poll_query_until('postgres', q{SELECT count(*) = 2 FROM audit.alert_feed WHERE resource_id = '5'}), 'told');
is(since(q{Qty '"; x}), '5', 'a channel may have any name');
is($node->safe_psql('postgres', q{SELECT due_at IS NULL FROM audit.alerts WHERE resource_id = '5'}), 't', 'a notice is not told again');

# The queue of NOTIFY is full: those who read see it at once, those who listen when there is room.
my $listener = $node->background_psql('postgres');
$listener->query_safe('LISTEN audit_alert');
set_points('notifier-picked,notifier-queue-full');
change(q{UPDATE orders SET qty = -1 WHERE id = '6'});
change(q{UPDATE orders SET price = -2 WHERE id = '7'});
ok($node->poll_query_until('postgres', q{SELECT count(*) = 4 FROM audit.alert_feed WHERE resource_id IN ('6', '7')}), 'without room in the queue alerts are read');
is($node->safe_psql('postgres', q{SELECT string_agg(DISTINCT outcome, ',') FROM audit.alert_delivery d JOIN audit.alert a USING (alert_id) WHERE record_key IN ('6', '7')}),
	'unheard', 'and nobody is told');
unlike($listener->query_safe('SELECT 1'), qr/"resource_id":"[67]"/, 'who listens hears nothing');
sleep(1.5);
is($node->safe_psql('postgres', q{SELECT count(*) FROM audit.alert_delivery d JOIN audit.alert a USING (alert_id) WHERE record_key IN ('6', '7')}), '4',
	'nothing is tried in vain meanwhile');
set_points('notifier-picked');
my $heard = '';
my $until = time + $PostgreSQL::Test::Utils::timeout_default;
while ($heard !~ /"resource_id":"7"/ && time < $until)
{
	$heard .= $listener->query_safe('SELECT 1');
	sleep(0.05);
}
like($heard, qr/"resource_id":"6".*"resource_id":"7"/s, 'with room again it is heard, in the same order');
like(feed('7'), qr/^audit_alert 1,pricing 1,audit_alert 2,pricing 2/, 'as a second attempt');
ok($node->poll_query_until('postgres', q{SELECT count(*) > 2 FROM audit.alert_feed WHERE resource_id = '7' AND told_on = 'audit_alert'}), 'and is repeated like the others');

# Commit order: the transaction that began later commits first, and both are told in one pass.
my $gate = $node->background_psql('postgres');
my $early = $node->background_psql('postgres');
$early->query_safe(q{BEGIN; UPDATE orders SET qty = -1 WHERE id = '11'});
$gate->query_safe(q{SELECT pg_advisory_lock(1096107092, hashtext('notifier-picked'))});
change(q{UPDATE orders SET qty = -1 WHERE id = '10'});
($notifier) = pids_of($node, 'notifier', 'postgres');
ok($node->poll_query_until('postgres', "SELECT wait_event = 'advisory' FROM pg_stat_activity WHERE pid = $notifier"), 'the notifier is held up');
change(q{UPDATE orders SET qty = -1 WHERE id = '12'});
$early->query_safe('COMMIT');
change(q{UPDATE orders SET qty = -1 WHERE id = '13'});
$gate->query_safe(q{SELECT pg_advisory_unlock(1096107092, hashtext('notifier-picked'))});
ok($node->poll_query_until('postgres', q{SELECT count(*) = 4 FROM audit.alert_feed WHERE resource_id IN ('10', '11', '12', '13') AND told_on = 'audit_alert'}), 'four are told');
is($node->safe_psql('postgres', q{SELECT string_agg(resource_id, ',' ORDER BY delivery_id) FROM audit.alert_feed
		WHERE resource_id IN ('10', '11', '12', '13') AND told_on = 'audit_alert'}), '10,12,11,13', 'in the order of their commits');
is($node->safe_psql('postgres', q{SELECT string_agg(resource_id, ',' ) FROM audit.alerts_since(}
	  . alert_id('12') . q{) WHERE resource_id IN ('10', '11', '12', '13')}), '11,13', 'which is also that of catching up');

$_->quit foreach $listener, $gate, $early;
$node->stop;
done_testing();

sub change
{
	my ($sql) = @_;

	$node->safe_psql('postgres', $sql);
	return;
}

# How an alert was told: channels and attempts.
sub feed
{
	my ($key) = @_;

	return $node->safe_psql('postgres', "SELECT string_agg(told_on || ' ' || attempt, ',' ORDER BY delivery_id)
		FROM audit.alert_feed WHERE resource_id = '$key'");
}

# What a client finds that has heard nothing on this channel.
sub since
{
	my ($channel) = @_;

	$channel =~ s/'/''/g;
	return $node->safe_psql('postgres', "SELECT string_agg(resource_id, ',') FROM audit.alerts_since(channel => '$channel')");
}

sub alert_id
{
	my ($key) = @_;

	return $node->safe_psql('postgres', "SELECT max(alert_id) FROM audit.alerts WHERE resource_id = '$key'");
}

sub set_points
{
	my ($points) = @_;

	$node->safe_psql('postgres', "ALTER SYSTEM SET audit_trail.debug_points = '$points'");
	$node->safe_psql('postgres', 'SELECT pg_reload_conf()');
	return;
}
