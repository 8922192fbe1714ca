# The tamper matrix of archived months: what is done to their segments, by whom, and what verify() finds.
# Its rows are those of the second table in doc/verification.md; each is tried here, and what is found is that and nothing else.
use strict;
use warnings;
use File::Path qw(rmtree);
use FindBin;
use lib $FindBin::RealBin;
use Pages;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::RecursiveCopy;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = "$FindBin::RealBin/../..";
my $node = PostgreSQL::Test::Cluster->new('cold_tamper');
my $kept = $node->basedir . '/kept';
my @tried;

$node->init;
$node->append_conf('postgresql.conf', q{
shared_preload_libraries = 'audit_trail'
max_worker_processes = 20
fsync = off
autovacuum = off
audit_trail.seal_interval = 1h
audit_trail.verify_interval = 0
audit_trail.keeper_interval = 0
audit_trail.record_reads = off
audit_trail.debug_clock = 1s
});
$node->start;
value(q{CREATE EXTENSION audit_trail;
	CREATE TABLE orders (id bigint PRIMARY KEY, note text);
	SELECT audit.enable('orders');
	INSERT INTO orders SELECT i, md5(i::text) FROM generate_series(1, 1500) i;
	INSERT INTO orders SELECT i, md5(i::text) FROM generate_series(1501, 2100) i;
	INSERT INTO orders SELECT i, md5(i::text) FROM generate_series(2101, 2800) i;
	INSERT INTO orders SELECT i, md5(i::text) FROM generate_series(2801, 3200) i;
	SELECT audit.seal_now() IS NOT NULL});
value(q{SET audit_trail.debug_clock = '120d'; SELECT audit.archive_now() IS NOT NULL});
my ($partition, $store) = split /\|/, value(q{SELECT relname, substring(ftoptions::text FROM 'store=(\d+)') FROM pg_class JOIN pg_foreign_table ON ftrelid = oid WHERE relname LIKE 'event%'});
my $toast = value("SELECT reltoastrelid::regclass FROM pg_class WHERE oid = 'audit.segment_$store'::regclass");
my $second = value("SELECT DISTINCT chunk_id FROM $toast ORDER BY chunk_id OFFSET 1 LIMIT 1");
my %place = (
	chunk => place_of($toast, "chunk_id = $second AND chunk_seq = 1"),
	segment => place_of("audit.segment_$store", 'number = 2'),
	first => place_of("audit.segment_$store", 'number = 1'));
is(join(' ', found()), 'summary|ok', 'nothing is wrong before');
is(value("SELECT count(*) FROM audit.segment_$store"), 4, 'there are several segments');
$node->stop;
PostgreSQL::Test::RecursiveCopy::copypath($node->data_dir, $kept);

attack('byte of a segment changed', ["segment changed|$partition/2"],
	owner => sub { edit_row($place{chunk}, sub { substr($_, 200, 1) ^= "\1" }) });
attack('segment put in the place of another', [ "segment changed|$partition/1", "segment changed|$partition/2" ],
	superuser => "CREATE TABLE aside AS SELECT number, content FROM audit.segment_$store WHERE number < 3;
		UPDATE audit.segment_$store s SET content = a.content FROM aside a WHERE s.number < 3 AND a.number = 3 - s.number");
attack('segments exchanged with all that is said of them', ["segment reordered|$partition/1"],
	superuser => "UPDATE audit.segment_$store SET number = 3 - number WHERE number < 3");
attack('segment deleted', ["segment missing|$partition/2"],
	superuser => "DELETE FROM audit.segment_$store WHERE number = 2",
	owner => sub { remove_row($place{segment}) });
attack('last segment deleted', ["segment missing|$partition/4"],
	superuser => "DELETE FROM audit.segment_$store WHERE number = 4");
attack('segment duplicated', ["segment duplicated|$partition/2"],
	superuser => "INSERT INTO audit.segment_$store SELECT * FROM audit.segment_$store WHERE number = 2");
attack('filter emptied, so that records are not found', ["segment changed|$partition/2"],
	superuser => "UPDATE audit.segment_$store SET bloom = decode(repeat('00', length(bloom)), 'hex') WHERE number = 2");
attack('range narrowed, so that times are not found', ["segment changed|$partition/2"],
	superuser => "UPDATE audit.segment_$store SET last_tx_at = first_tx_at - interval '1 day', first_tx_at = first_tx_at - interval '1 day' WHERE number = 2");

# Whoever asks for what is damaged is told, and for what is not gets it.
restore();
edit_row($place{chunk}, sub { substr($_, 200, 1) ^= "\1" });
$node->start;
my (undef, undef, $error) = $node->psql('postgres', q{SELECT * FROM audit.record_event WHERE record_key = '1500'});
like($error, qr/segment 2 of archived partition "$partition" cannot be read.*checksum.*audit\.verify/s, 'a query of a damaged segment is refused, and told why');
is(value(q{SELECT count(*) FROM audit.record_event WHERE record_key = '2500'}), 1, 'one of another is answered');
(undef, undef, $error) = $node->psql('postgres', q{SELECT count(*) FROM audit.verify(table_name => 'orders')});
is($error, '', 'a verification of a part tells too, and does not fail');
isnt(value(q{SELECT object FROM audit.verify(table_name => 'orders') LIMIT 1}), 'ok', 'that not all is well');
$node->stop;

my $document = slurp_file("$top/doc/verification.md");
my ($table) = $document =~ /\| what is done to an archived month \|.*?\n\|[-|]+\n(.*?)\n\n/s;
is($table // '', join("\n", map { "| $_ |" } @tried), 'the table of doc/verification.md has these rows');
done_testing();

sub attack
{
	my ($name, $expected, %how) = @_;
	my @who;

	foreach my $who (grep { $how{$_} } qw(superuser owner))
	{
		restore();
		if ($who eq 'owner')
		{
			$how{owner}->();
			$node->start;
		}
		else
		{
			$node->append_conf('postgresql.conf', "audit_trail.guard = off");
			$node->start;
			as_superuser($how{superuser});
		}
		is_deeply([ found() ], [ sort @$expected ], "$name, by the $who");
		$node->stop;
		push @who, $who eq 'owner' ? 'owner of the files' : $who;
	}
	my %kinds = map { (split /\|/)[0] => 1 } @$expected;
	push @tried, join ' | ', $name, join(', ', @who), join(', ', sort keys %kinds);
	return;
}

# Findings with their objects.
sub found
{
	return split /\n/, value(q{SELECT finding || '|' || object FROM audit.verify() WHERE finding <> 'summary' OR object = 'ok' ORDER BY 1});
}

sub as_superuser
{
	my ($statement) = @_;
	my $method = "UPDATE pg_class SET relam = (SELECT oid FROM pg_am WHERE amname = '%s') WHERE oid = 'audit.segment_$store'::regclass";

	value(sprintf $method, 'heap');
	value($statement);
	value(sprintf $method, 'audit_worm');
	return;
}

sub restore
{
	rmtree($node->data_dir);
	PostgreSQL::Test::RecursiveCopy::copypath($kept, $node->data_dir);
	chmod 0700, $node->data_dir;
	return;
}

sub value
{
	my ($query) = @_;

	return $node->safe_psql('postgres', $query);
}

sub place_of
{
	my ($table, $which) = @_;
	my ($path, $block, $item) = split /\|/, value("SELECT pg_relation_filepath('$table'), (ctid::text::point)[0], (ctid::text::point)[1] FROM $table t WHERE $which LIMIT 1");

	return [ $node->data_dir . "/$path", $block, $item ];
}
