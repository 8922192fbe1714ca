# Amounts of money and all else are recorded alike under locales with other currencies, decimals and separators. The
# locales are compiled for this test alone, from the sources that Debian's package "locales" has.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'there are no sources of locales' unless -e '/usr/share/i18n/locales/de_DE';

my @locales = map { "$_.UTF-8" } qw(de_DE ja_JP ar_BH);
my $folder = PostgreSQL::Test::Utils::tempdir;

chmod 0755, $folder;
foreach my $locale (@locales)
{
	my ($language) = split /\./, $locale;

	system_or_bail('localedef', '--no-archive', '-i', $language, '-f', 'UTF-8', "$folder/$locale");
}

my $node = PostgreSQL::Test::Cluster->new('locale');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\n");
{
	local $ENV{LOCPATH} = $folder;
	$node->start;
}
$node->safe_psql('postgres', q{
	CREATE EXTENSION audit_trail;
	CREATE TYPE price AS (amount money, at timestamptz);
	CREATE TYPE span AS RANGE (subtype = money);
	CREATE TABLE t (id int PRIMARY KEY, m money, ms money[], p price, s span, n numeric, f float8, d date);
	SELECT audit.enable('t');
	INSERT INTO t VALUES (0, '-1234.56', '{1.5,NULL}', '(1.5,2026-11-22 12:00+02)', '[1,1234567.89)', 1234.5, 1234.5, '2026-11-22')});
foreach my $i (1 .. @locales)
{
	my $set = join ' ', map { "SET $_ = '$locales[$i - 1]';" } qw(lc_monetary lc_numeric lc_time lc_messages);

	isnt($node->safe_psql('postgres', "$set SELECT m::text FROM t WHERE id = 0"), '-$1,234.56', "$locales[$i - 1] shows amounts in its own way");
	$node->safe_psql('postgres', "$set INSERT INTO t SELECT $i, m, ms, p, s, n, f, d FROM t WHERE id = 0");
	is($node->safe_psql('postgres', "$set SELECT finding, detail FROM audit.reconcile('t')"), 'summary|ok', 'and compares them');
	is($node->safe_psql('postgres', "$set INSERT INTO t SELECT -$i; SHOW lc_monetary"), $locales[ $i - 1 ], 'which it keeps');
}
is($node->safe_psql('postgres', q{SELECT DISTINCT regexp_replace(new_values::text, '"id":\d+', '"id":N') FROM audit.events
		WHERE table_name = 't' AND resource_id !~ '-'}),
	'{"id":N,"m":"-$1,234.56","ms":"{$1.50,NULL}","p":"($1.50,\"2026-11-22 10:00:00+00\")","s":"[$1.00,\"$1,234,567.89\")",'
	  . '"n":1234.5,"f":1234.5,"d":"2026-11-22"}', 'all record the same');

$node->stop;
done_testing();
