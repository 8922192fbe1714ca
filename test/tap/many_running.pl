# More running transactions than an entry of the log has room for: what is sealed is cut off at
# one of them, and comes to be sealed when some have ended. Ids have all the digits they may have.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Tlog;

my $room = 50000;    # bytes of a snapshot
my $node = PostgreSQL::Test::Cluster->new('many_running');
my $folder = PostgreSQL::Test::Utils::tempdir;

$node->init;
$node->append_conf('postgresql.conf', qq{
shared_preload_libraries = 'audit_trail'
max_worker_processes = 20
max_prepared_transactions = 4000
fsync = off
audit_trail.seal_interval = 1h
audit_trail.signing_key_file = '$folder/key'
audit_trail.checkpoint_file = '$folder/checkpoints'
});
command_ok([ 'pg_resetwal', '-e', '200000', $node->data_dir ], 'transaction ids have 15 digits');
$node->start;
$node->safe_psql('postgres', qq{
	SET client_min_messages = error;
	CREATE EXTENSION audit_trail;
	CREATE TABLE orders (id int PRIMARY KEY);
	SELECT audit.enable('orders');
	SELECT audit.create_signing_key('$folder/key', 'example.org/shop')});
seal();
insert(1);
is(lag(), 0, 'sealed with nothing running');

prepare(1, 3300);
finish('COMMIT', 10, 10);
insert(2);
is(lag(), 1, 'behind more than an entry can tell, a transaction is not sealed');
my $text = snapshot();
cmp_ok(length($text), '<=', $room, 'the snapshot has a limit');
cmp_ok(length($text), '>', $room - 50, 'and uses what there is');
my (undef, $xmax, @running) = split /[:,]/, $text;
is(scalar(@running), $node->safe_psql('postgres', "SELECT count(*) FROM pg_prepared_xacts p, LATERAL (SELECT transaction::text::int8 + (200000::int8 << 32) AS xid) f WHERE xid < $xmax"),
	'it tells all that run before its end');
like($node->safe_psql('postgres', 'SELECT array_agg(DISTINCT object) FROM audit.verify()'), qr/^\{ok\}$/, 'verification has nothing to say');

finish('ROLLBACK', 1, 9);
finish('ROLLBACK', 11, 100);
insert(3);
is(lag(), 2, 'still too many');
finish('COMMIT', 101, 300);
insert(4);
is(lag(), 0, 'when there are less, all is sealed, the first ones that were committed too');
is($node->safe_psql('postgres', q{SELECT string_agg(resource_id, ',' ORDER BY resource_id) FROM audit.events WHERE table_name = 'orders' AND resource_id LIKE '1___'}), '1010,1110,1210', 'three of which had an event');

# A pass after another that had seen more; a crash between; nothing but what is cut off for some time
prepare(3301, 3600);
insert(5);
is(lag(), 1, 'too many again');
insert(6);
is(lag(), 2, 'and it waits');
$node->stop('immediate');
$node->start;
seal();
is(lag(), 2, 'also after a crash');
is($node->safe_psql('postgres', 'SELECT object FROM audit.verify()'), 'ok', 'verification has nothing to say');
finish('COMMIT', 301, 3600);
seal();
is(lag(), 0, 'in the end all is sealed');
is($node->safe_psql('postgres', 'SELECT object FROM audit.verify()'), 'ok', 'and right');
is($node->safe_psql('postgres', q{SELECT count(*) FROM audit.events WHERE table_name = 'orders' AND action = 'insert'}),
	6 + 36, 'each event is there');
is($node->safe_psql('postgres', q{SELECT count(*) FROM (SELECT snapshot::pg_snapshot AS this, lag(snapshot::pg_snapshot) OVER (ORDER BY log_index) AS before
	FROM audit.log_entry WHERE snapshot IS NOT NULL) AS w WHERE pg_snapshot_xmax(this) < pg_snapshot_xmax(before)}), 0, 'no snapshot takes back another');

mkdir "$folder/log";
$node->safe_psql('postgres', "SELECT audit.export_tlog('$folder/log')");
my $checkpoint = read_checkpoint("$folder/log");
my $log = read_log("$folder/log", $checkpoint->{size});
is(tree_hash($log->{hashes}[0]), $checkpoint->{root}, 'such entries are exported');
cmp_ok((sort { $b <=> $a } map { length } @{ $log->{entries} })[0], '>', $room - 50, 'the longest is one of them');
$node->stop;
done_testing();

sub seal
{
	$node->safe_psql('postgres', 'SELECT audit.seal_now()');
	return;
}

sub insert
{
	my ($id) = @_;

	$node->safe_psql('postgres', "INSERT INTO orders VALUES ($id)");
	seal();
	return;
}

sub lag
{
	return $node->safe_psql('postgres', 'SELECT transactions FROM audit.seal_lag()');
}

# The last one in the log.
sub snapshot
{
	return $node->safe_psql('postgres', 'SELECT snapshot FROM audit.log_entry WHERE snapshot IS NOT NULL ORDER BY log_index DESC LIMIT 1');
}

# Prepare transactions, of which every hundredth and tenth has an event.
sub prepare
{
	my ($from, $to) = @_;

	$node->safe_psql('postgres', join '', map {
		my $work = $_ % 100 == 10 ? "INSERT INTO orders VALUES (1000 + $_)" : 'SELECT pg_current_xact_id()';
		"BEGIN; $work; PREPARE TRANSACTION 'p$_';\n"
	} $from .. $to);
	return;
}

sub finish
{
	my ($how, $from, $to) = @_;

	$node->safe_psql('postgres', join '', map { "$how PREPARED 'p$_';\n" } $from .. $to);
	return;
}
