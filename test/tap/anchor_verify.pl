# Receipts and the log that they are for: what is changed of either in the files, audit.verify()
# names; so also a log whose end was cut off where nothing else tells.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use File::Path qw(rmtree);
use Pages;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::RecursiveCopy;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('anchor_verify');
my $folder = PostgreSQL::Test::Utils::tempdir;
my $line = "\xe2\x80\x94 witness.example.org/w1 AAECAwQF";

$node->init;
$node->append_conf('postgresql.conf', qq{
shared_preload_libraries = 'audit_trail'
autovacuum = off
audit_trail.seal_interval = 1h
audit_trail.verify_interval = 0
audit_trail.signing_key_file = '$folder/key'
audit_trail.checkpoint_file = '$folder/checkpoints'
audit_trail.anchor_command = 'echo "$line"'
audit_trail.anchor_interval = 0
audit_trail.anchor_heartbeat = 1
});
$node->start;
$node->safe_psql('postgres', q{
	SET client_min_messages = error;
	CREATE EXTENSION audit_trail;
	CREATE TABLE orders (id int PRIMARY KEY);
	SELECT audit.enable('orders')});
$node->safe_psql('postgres', "SELECT audit.create_signing_key('$folder/key', 'example.org/shop')");
for my $id (1 .. 4)
{
	$node->safe_psql('postgres', "INSERT INTO orders VALUES ($id); SELECT audit.seal_now(); SELECT audit.anchor_now()");
}

# the last entry is a heartbeat: no transaction misses it
$node->safe_psql('postgres', 'SELECT pg_sleep(1.1); SELECT audit.seal_now(); SELECT audit.anchor_now()');
is($node->safe_psql('postgres', 'SELECT kind FROM audit.log_entry ORDER BY log_index DESC LIMIT 1'), 'heartbeat', 'the log ends in a heartbeat');
like($node->safe_psql('postgres', 'SELECT audit.checkpoint()'), qr/\n\n\xe2\x80\x94 example\.org\/shop \S+\n\Q$line\E\n\z/, 'a checkpoint is given with its cosignatures');
my $last = $node->safe_psql('postgres', 'SELECT max(size) FROM audit.checkpoint');
is($node->safe_psql('postgres', 'SELECT max(size), max(receipt_id) FROM audit.anchor_receipt'), "$last|5", 'and is anchored');
is($node->safe_psql('postgres', 'SELECT size FROM audit.anchor_receipt WHERE receipt_id = 5'), $last, 'by the last receipt');
my ($second, $third, $fifth) = map { row('anchor_receipt', "receipt_id = $_") } 2, 3, 5;
my ($entry, $checkpoint) = (row('log_entry', "log_index = $last - 1"), row('checkpoint', "size = $last"));
$node->stop;
# who can change the files can change the checkpoint file too
$node->append_conf('postgresql.conf', "shared_preload_libraries = ''\naudit_trail.checkpoint_file = ''\n");
my ($database_dir) = $second->[0] =~ m{^(.*)/[^/]+$};
PostgreSQL::Test::RecursiveCopy::copypath($database_dir, "$folder/untouched");

check('nothing', sub { }, []);
check('a size', sub { edit_row($second, sub { substr($_, field_at(8), 8) = pack 'q', 3 }) }, ['receipt changed|2']);
check('a checkpoint, in its root', sub { edit_row($second, sub { s/(example\.org\/shop\n\d+\n)(.)/$1 . ($2 eq 'A' ? 'B' : 'A')/e }) }, ['receipt changed|2']);
check('a checkpoint, in its size', sub { edit_row($second, sub { s/(example\.org\/shop\n)\d/${1}9/ }) }, ['receipt changed|2']);
check('a kind', sub { edit_row($third, sub { s/cosignature/timestamp\0\0/ }) }, ['receipt changed|3']);
check('what came', sub { edit_row($third, sub { s/AAECAwQF/AAEC!wQF/ }) }, ['receipt changed|3']);
check('a receipt taken away', sub { remove_row($second) }, ['receipt missing|2']);
check('two receipts taken away', sub { remove_row($_) for $second, $third }, [ 'receipt missing|2', 'receipt missing|3' ]);
check('a receipt added, without an index', sub { copy_row($third, sub { substr($_, field_at(0), 8) = pack 'q', 6 }) }, ['receipt added|']);
check('a receipt twice', sub { copy_row($third, sub { substr($_, field_at(8), 8) = pack 'q', 3 }) }, [ 'receipt added|' ]);
check('the end of the log cut off', sub { remove_row($_) for $entry, $checkpoint }, ["log shortened|$last"]);
check('and the receipt too: nothing tells here, which is what the witness is for', sub { remove_row($_) for $entry, $checkpoint, $fifth }, []);
done_testing();

sub row
{
	my ($table, $where) = @_;
	my ($file, $block, $item) = split ' ',
	  $node->safe_psql('postgres', "SELECT pg_relation_filepath(tableoid) || ' ' || translate(ctid::text, '(,)', '  ') FROM audit.$table WHERE $where");

	return [ $node->data_dir . "/$file", $block, $item ];
}

sub check
{
	my ($name, $change, $expected) = @_;

	$change->();
	$node->start;
	my $found = $node->safe_psql('postgres', q{SELECT finding || '|' || coalesce(object, '') FROM audit.verify() WHERE finding <> 'summary'});
	is(join("\n", sort split /\n/, $found), join("\n", sort @$expected), $name)
	  or diag($node->safe_psql('postgres', 'SELECT * FROM audit.verify()'));
	$node->stop;
	rmtree($database_dir);
	PostgreSQL::Test::RecursiveCopy::copypath("$folder/untouched", $database_dir);
	return;
}
