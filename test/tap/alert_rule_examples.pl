# The statements of doc/alert_rules.md, as they are printed there; and that rules hold alerts back.
use strict;
use warnings;
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);
use Workers;

my $doc = slurp_file(dirname(abs_path(__FILE__)) . '/../../doc/alert_rules.md');
my @examples = $doc =~ /^```sql\n(.*?)^```$/msg;
my $node = PostgreSQL::Test::Cluster->new('alert_rule_examples');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\n");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION audit_trail');
cmp_ok(scalar @examples, '>=', 7, 'the document has examples');
foreach my $example (@examples)
{
	my ($rc, $out, $err) = $node->psql('postgres', $example);

	is($rc . ($err =~ s/^NOTICE.*\n?//mgr), '0', 'runs: ' . (split /\n/, $example)[0]);
}
$node->safe_psql('postgres', q{INSERT INTO orders VALUES (1, 'new', 100, 1, 0, 'anna', now())});
my ($rc, $out, $err) = $node->psql('postgres', 'UPDATE orders SET price = 90');
like($err, qr/ERROR:  alert rule "frozen price" refuses the change\n.*HINT:  The order is shipped\. Ask accounting for a credit note\./s, 'who is refused reads why');

# What is held back has its place in the deliveries, and the next one tells how many there were.
workers_run($node, 'postgres', 'workers run');
$node->safe_psql('postgres', q{
	SELECT audit.alert_drop(name) FROM audit.alert_rule;
	SELECT audit.alert_when('limited', 'orders', '{quantity}', max_alerts => 2, per => '4 seconds');
	SELECT audit.alert_when('muted', 'orders', '{customer}', mute_until => now() + interval '1 hour');
	SELECT audit.alert_when('quiet', 'orders', '{discount}', channel => 'night', quiet_hours => '00:00-24:00')});
my $listener = $node->background_psql('postgres');
$listener->query_safe('LISTEN audit_alert');
$node->safe_psql('postgres', "UPDATE orders SET quantity = quantity + 1") for 1 .. 5;
$node->safe_psql('postgres', q{BEGIN; UPDATE orders SET quantity = 99; ROLLBACK});
ok($node->poll_query_until('postgres', outcomes('limited', 'limited limited limited notified notified')), 'two are told, three are held back');
sleep(4);
$node->safe_psql('postgres', q{UPDATE orders SET quantity = 50});
ok($node->poll_query_until('postgres', outcomes('limited', 'limited limited limited notified notified notified')), 'later there is room again');
like($listener->query_safe('SELECT 1'), qr/"rule":"limited".*"suppressed":3/, 'and who listens hears how many there were');
$node->safe_psql('postgres', q{UPDATE orders SET customer = 'x', discount = 1});
ok($node->poll_query_until('postgres', outcomes('muted', 'muted')), 'a muted rule raises an alert that is not told');
ok($node->poll_query_until('postgres', outcomes('quiet', 'unheard unheard')), 'one in quiet hours is told later, on both channels');
is($node->safe_psql('postgres', q{SELECT bool_and(d.due_at > now()) FROM audit.alert_delivery d JOIN audit.alert a USING (alert_id) WHERE a.rule_name = 'quiet'}),
	't', 'when they are over');
unlike($listener->query_safe('SELECT 1'), qr/"rule":"(muted|quiet)"/, 'and is not heard now');
$node->safe_psql('postgres', q{SELECT audit.alert_alter('muted', clear => '{mute_until}'); UPDATE orders SET customer = 'y'});
ok($node->poll_query_until('postgres', outcomes('muted', 'muted notified')), 'a rule that is not muted any more tells again');
like($listener->query_safe('SELECT 1'), qr/"rule":"muted".*"suppressed":1/, 'and how many there were');
$listener->quit;
$node->stop;
done_testing();

# Are these the outcomes of a rule's deliveries?
sub outcomes
{
	my ($rule, $outcomes) = @_;

	return qq{SELECT string_agg(d.outcome, ' ' ORDER BY d.outcome) = '$outcomes' FROM audit.alert_delivery d JOIN audit.alert a USING (alert_id)
		WHERE a.rule_name = '$rule'};
}
