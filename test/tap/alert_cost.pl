# What alert rules cost rows that they do not match, in instructions, which do not depend on the machine: thirty rules of a
# kind on the table of a bulk update, against none.
#
# %stated holds what a rule and row of each kind cost when it was last stated, as in tap:cost. A row of a table costs 500 to
# 600 instructions more or less from one run, and from one table, to another, a thirtieth of which is in each figure: how many keys
# are compared in the trail's indexes is a matter of how full their pages are, and splits fall into one table or the next. Those
# of the smallest kinds are stated as they are beside a cheap table without rules.
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Callgrind;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'valgrind is not installed' unless have_valgrind();

my $rows = 1000;
my $rules = 30;
my $tolerance = 1.05;

# Arguments of a rule, %d its number.
my %kind = (
	'other columns' => q{'{note}'},
	'not the hour' => q{'{total}', hours => '00:00-00:01'},
	'a constant' => q{'{total}', '$.new.total > 10000%d'},
	'a former value' => q{'{total}', '$.new.total < $.old.total'},
	'of two, the first' => q{'{total}', '$.new.total > 10000%d && $.new.status == "paid"'},
	'of two, both' => q{'{total}', '$.new.total > 10000%d || $.new.status == "gone"'},
	'who' => q{'{total}', '$.actor == "nobody %d"'},
	'the other way' => q{'{total}', kind => 'decreased'},
	'by percent' => q{'{total}', kind => 'increased', by => '1000%'},
	'by a distance' => q{'{total}', kind => 'increased', by => '1000%d'},
	'a product' => q{'{total}', '$.new.total > $.old.total * 2%d'},
	'a quotient' => q{'{total}', '($.new.total - $.old.total) / $.old.total * 100 > 1%d'},
	'a distance' => q{'{total}', '0 + ($.new.total - $.old.total).abs() >= 1000%d'},
	'starts with' => q{'{total}', '$.new.status starts with "paid %d"'},
	'exists' => q{'{total}', '!exists($.new.status) && $.new.total > 1%d'},
	'the engine' => q{'{total}', '$.new.status like_regex "paid %d"'});
my @kinds = sort keys %kind;
my %stated = (
	'other columns' => 82, 'not the hour' => 490, 'a constant' => 800, 'a former value' => 1040, 'of two, the first' => 900,
	'of two, both' => 1620, 'who' => 1070, 'the other way' => 870, 'by percent' => 1100, 'by a distance' => 1000, 'a product' => 1300, 'a quotient' => 2600,
	'a distance' => 1800, 'starts with' => 930, 'exists' => 930, 'the engine' => 12000);

my $node = PostgreSQL::Test::Cluster->new('alert_cost');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\naudit_trail.seal_interval = '10min'\n"
	  . "audit_trail.verify_interval = 0\nautovacuum = off\njit = off\nfull_page_writes = off\nsynchronous_commit = off\n"
	  . "max_wal_size = 4GB\naudit_trail.actor = 'anna'\n");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION audit_trail');
foreach my $i (0 .. @kinds)
{
	my $table = "orders_$i";
	$node->safe_psql('postgres', "CREATE TABLE $table (id int PRIMARY KEY, status text, total numeric(12,2), note text);
		INSERT INTO $table SELECT g, 'open', 100, 'note' FROM generate_series(1, 2 * $rows) g;
		SELECT audit.enable('$table')");
	next if $i == @kinds;
	$node->safe_psql('postgres', join '', map { my $rule = $_; "SELECT audit.alert_when('$table $rule', '$table', "
		  . $kind{ $kinds[$i] } =~ s/%d/$rule/r . ");\n" } 1 .. $rules);
}
$node->safe_psql('postgres', 'SELECT audit.seal_now()');
$node->safe_psql('postgres', 'VACUUM ANALYZE');
$node->stop;

# A first row fills the caches.
my @counted = count_instructions($node, 'postgres', map {
	my $table = "orders_$_";
	([ "UPDATE $table SET total = total + 1 WHERE id > $rows AND id < $rows + 5" ], [ "UPDATE $table SET total = total + 1 WHERE id <= $rows" ])
} 0 .. @kinds);
my @instructions = map { $counted[ 2 * $_ + 1 ]{instructions} } 0 .. @kinds;
foreach my $i (0 .. $#kinds)
{
	my $cost = ($instructions[$i] - $instructions[-1]) / $rows / $rules;
	cmp_ok($cost, '<=', $stated{ $kinds[$i] } * $tolerance + 5, "a rule that does not match: $kinds[$i]");
	note(sprintf('%d instructions, stated %d', $cost, $stated{ $kinds[$i] }));
}
$node->start;
is($node->safe_psql('postgres', 'SELECT count(*) FROM audit.alert'), '0', 'none has matched');
$node->stop;
done_testing();
