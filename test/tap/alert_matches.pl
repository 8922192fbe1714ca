# What rules are judged by that take more than one event leaves when nothing can need it any more: over many windows
# there are no more rows than those of a few, what a long transaction may still count with stays, and nobody else
# removes any. And how soon such rules are judged.
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Polling;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Workers;

my $rounds = 8;

my $node = PostgreSQL::Test::Cluster->new('alert_matches');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\nmax_worker_processes = 20\nautovacuum = off\n"
	  . "max_prepared_transactions = 5\naudit_trail.debug_points = 'alert-match-no-grace'\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION audit_trail;
	CREATE TABLE orders (id int PRIMARY KEY, status text, v int);
	SELECT audit.enable('orders');
	INSERT INTO orders SELECT g, 'new' FROM generate_series(1, 1000) g;
	SELECT audit.alert_when('many', 'orders', '{v}', kind => 'burst', more_than => 50, within => '1 second');
	SELECT audit.alert_when('not shipped', 'orders', '{status}', '$.new.status == "paid"', kind => 'absent',
		within => '1 second', followed_by => '$.new.status == "shipped"');
	SELECT audit.alert_when('side by side', 'orders', '{v}', '$.new.v == 1000', kind => 'burst', more_than => 50, within => '4 seconds');
	SELECT audit.alert_when('slow', 'orders', '{v}', '$.new.v < 0', kind => 'burst', more_than => 2, within => '1 hour');
});
workers_run($node, 'postgres', 'workers run');

# A burst in each round, and what is expected and does not come; each is a window later than the one before.
my @rows;
foreach my $round (1 .. $rounds)
{
	work($round);
	push @rows, $node->safe_psql('postgres', 'SELECT count(*) FROM audit.alert_match');
	note("round $round: $rows[-1] rows");
}
is(alerts('many'), $rounds, 'each burst has raised an alert');
ok($node->poll_query_until('postgres', "SELECT count(*) = 5 * $rounds FROM audit.alert WHERE rule_name = 'not shipped'"),
	'and all that was expected and has not come');
cmp_ok((sort { $b <=> $a } @rows[ 3 .. $#rows ])[0], '<=', 66 * 4, 'matches are never more than those of a few windows');
$node->safe_psql('postgres', 'VACUUM audit.alert_match, audit.alert_judgement');
my $size = size();
work($_) for ($rounds + 1 .. 2 * $rounds);
$node->safe_psql('postgres', 'VACUUM audit.alert_match, audit.alert_judgement');
cmp_ok(size(), '<=', 1.5 * $size, 'nor do their tables and indexes grow');
is($node->safe_psql('postgres', 'SELECT count(*) <= 2 FROM audit.alert_judgement'), 't', 'two judgements are kept');

# Who has long begun may still commit what counts; so does who is prepared.
my $open = $node->background_psql('postgres');
$open->query_safe("BEGIN; SET LOCAL audit_trail.actor = 'anna'; UPDATE orders SET v = 1000 WHERE id BETWEEN 900 AND 925");
$node->safe_psql('postgres', "BEGIN; SET LOCAL audit_trail.actor = 'anna'; UPDATE orders SET v = 1000 WHERE id BETWEEN 930 AND 955; COMMIT");
$node->safe_psql('postgres', "BEGIN; SET LOCAL audit_trail.actor = 'berta'; UPDATE orders SET v = -1 WHERE id = 990; PREPARE TRANSACTION 'p'");
work(2 * $rounds + $_) for (1 .. 6);
is(alerts('side by side'), 0, 'an open transaction is no burst');
$open->query_safe('COMMIT');
$open->quit;
ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM audit.alert WHERE rule_name = 'side by side'"),
	'but when it commits, it makes one with what happened long ago at its side');
$node->safe_psql('postgres', "SET audit_trail.actor = 'berta'; UPDATE orders SET v = -1 WHERE id IN (991, 992)");
work(2 * $rounds + 7);
is(alerts('slow'), 0, 'two and a prepared one are no burst');
$node->safe_psql('postgres', "COMMIT PREPARED 'p'");
ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM audit.alert WHERE rule_name = 'slow'"), 'and then they are');
$node->stop('immediate');
$node->start;
workers_run($node, 'postgres', 'workers run again');
work(2 * $rounds + 8);
is(alerts('slow'), 1, 'a long window is not forgotten by what short ones let go, nor by a crash');
$node->safe_psql('postgres', q{SELECT audit.alert_drop('slow')});
work(2 * $rounds + $_) for (9 .. 10);
is($node->safe_psql('postgres', q{SELECT count(*) FROM audit.alert_match WHERE rule_name = 'slow'}), '0', 'matches of a dropped rule leave');

# Nobody else.
foreach my $command ('DELETE FROM audit.alert_match', 'TRUNCATE audit.alert_match', "UPDATE audit.alert_match SET due_at = 'infinity'",
	'DELETE FROM audit.alert_judgement', 'INSERT INTO audit.alert_judgement SELECT * FROM audit.alert_judgement')
{
	my (undef, undef, $err) = $node->psql('postgres', $command);
	like($err, qr/write-once/, "refused to a superuser: $command");
}

# How soon, by the server's clock.
foreach my $rule ('many', 'not shipped')
{
	my $late = $node->safe_psql('postgres', qq{SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM a.raised_at - t.committed_at))
		FROM audit.alert a JOIN audit.transaction t USING (tx_id) WHERE a.rule_name = '$rule'});
	cmp_ok($late, '<', 0.9, 'a burst is told soon') if $rule eq 'many';
	note("$rule: median $late s after the commit");
}
$node->stop;
done_testing();

# 60 changes by one actor and five that something is to follow, and their judgement; a window later than those before.
sub work
{
	my ($round) = @_;
	my $bursts = alerts('many');
	my $absent = alerts('not shipped');

	$node->safe_psql('postgres', "UPDATE orders SET v = $round WHERE id <= 60;
		UPDATE orders SET status = 'paid' WHERE id > 100 AND id <= 105; UPDATE orders SET status = 'new' WHERE id > 100 AND id <= 105");
	ok($node->poll_query_until('postgres', "SELECT count(*) FILTER (WHERE rule_name = 'many') = $bursts + 1 AND
		count(*) FILTER (WHERE rule_name = 'not shipped') = $absent + 5 FROM audit.alert"), "round $round");
	return;
}

sub alerts
{
	my ($rule) = @_;

	return $node->safe_psql('postgres', "SELECT count(*) FROM audit.alert WHERE rule_name = '$rule'");
}

sub size
{
	return $node->safe_psql('postgres', q{SELECT pg_total_relation_size('audit.alert_match') + pg_total_relation_size('audit.alert_judgement')});
}
