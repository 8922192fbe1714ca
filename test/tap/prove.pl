# Proofs of events and of consistency: each holds, under its key alone, and for its text alone; a
# ledger that was changed gives none.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Pages;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('prove');
my $folder = PostgreSQL::Test::Utils::tempdir;
my $file = "$folder/checkpoints";
my ($status, $out, $err);

$node->init;
$node->append_conf('postgresql.conf', qq{
shared_preload_libraries = 'audit_trail'
max_worker_processes = 20
fsync = off
audit_trail.seal_interval = 1h
audit_trail.signing_key_file = '$folder/key'
audit_trail.checkpoint_file = '$file'
});
$node->start;
$node->safe_psql('postgres', q{
	SET client_min_messages = error;
	CREATE EXTENSION audit_trail;
	CREATE TABLE orders (id int PRIMARY KEY, note text);
	SELECT audit.enable('orders')});
like(refusal(q{audit.prove('1.1')}), qr/there is no proof.*signed yet/s, 'no proof before the log is signed');
my $vkey = $node->safe_psql('postgres', "SELECT audit.create_signing_key('$folder/key', 'example.org/shop')");
my $other = $node->safe_psql('postgres', "SELECT audit.create_signing_key('$folder/other', 'example.org/shop')");
seal();

# Batches of every shape: one event, several transactions, edges of tiles, several tiles of tiles.
foreach my $rows (1, 254, 255, 256, 257, 511, 70000)
{
	$node->safe_psql('postgres', "INSERT INTO orders SELECT g, 'note ' || g FROM generate_series((SELECT count(*) FROM orders) + 1, (SELECT count(*) FROM orders) + $rows) g");
	seal();
}
foreach my $i (1 .. 40)
{
	$node->safe_psql('postgres', "UPDATE orders SET note = 'x$i' WHERE id IN ($i, 2 * $i)");
	seal() if $i % 3 == 0;
}
seal();

my $sample = q{SELECT tx_id || '.' || ordinal AS id FROM audit.event
	WHERE ordinal IN (1, 2, 254, 255, 256, 257, 258, 511, 512, 65536, 65537, 70000) ORDER BY tx_id, ordinal};
is($node->safe_psql('postgres', qq{
	SELECT count(*) > 60, bool_and(c.valid), bool_and(c.event_id = e.id), bool_and(c.reason IS NULL), min(c.size) = (SELECT max(size) FROM audit.checkpoint)
	FROM ($sample) e, audit.check_proof(audit.prove(e.id), '$vkey') c}), 't|t|t|t|t', 'the proofs of many events hold');
my $id = $node->safe_psql('postgres', q{SELECT max(tx_id) || '.1' FROM audit.event WHERE tx_id IN (SELECT tx_id FROM audit.event GROUP BY 1 HAVING count(*) = 257)});
my $proof = $node->safe_psql('postgres', "SELECT audit.prove('$id')");
like($proof, qr{\Ac2sp\.org/tlog-proof\@v1\nextra \S+\nindex \d+\n(\S{44}\n)+\nexample\.org/shop\n}, 'a proof is a tlog-proof');

# by another key, and with anything changed
like(check($proof, $other), qr/^f\|the note has no signature by the key/, 'not under another key');
my @parts = split /\n/, $proof;
foreach my $i (0 .. $#parts)
{
	next if $parts[$i] eq '';
	my @changed = @parts;

	substr($changed[$i], length($changed[$i]) / 2, 1) =~ tr/A-Za-z0-9/B-ZAb-za1-90/;
	next if $changed[$i] eq $parts[$i];
	like(check(join("\n", @changed) . "\n", $vkey), qr/^f\|\w/, "line $i changed: it does not hold");
}
like(check($_, $vkey), qr/^f\|\w/, 'what is no proof does not hold') for '', 'x', "c2sp.org/tlog-proof\@v1\n";
like(refusal("audit.check_proof('$proof', 'nonsense')"), qr/not the public key of a log/, 'a key that is none is an error');

# what has no proof
like(refusal("audit.prove('$_')"), qr/is not the name of an event/, "refused: $_")
  for '', '1', '1.', '.1', '1.0', '01.1', '1.1.1', '-1.1', '1.99999999999', '99999999999999999999.1';
like(refusal(q{audit.prove('999999999.1')}), qr/no such event/, 'refused: an event that there is not');
like(refusal("audit.prove('" . ($id =~ s/\.1$/.9999/r) . "')"), qr/not in the batch/, 'refused: an ordinal that there is not');
my $new = $node->safe_psql('postgres', q{INSERT INTO orders VALUES (0, 'new'); SELECT max(tx_id) || '.1' FROM audit.event});
like(refusal("audit.prove('$new')"), qr/no signed checkpoint has it yet/, 'refused: one that is not sealed');
seal();
is(check($node->safe_psql('postgres', "SELECT audit.prove('$new')"), $vkey), 't|', 'sealed, it has one');
is(check($proof, $vkey), 't|', 'and the old proof holds on');

# consistency
my @notes = slurp_file($file) =~ /(example\.org\/shop\n\d+\n\S{44}\n\n\xE2\x80\x94 \S+ \S+\n)/g;
my $bad = 0;
foreach my $i (0 .. $#notes)
{
	foreach my $j ($i .. $#notes)
	{
		$bad++ if consistency($notes[$i], $notes[$j]) ne 't|';
	}
}
is($bad, 0, 'each checkpoint of ' . @notes . ' goes on in all later ones');
like(consistency($notes[3], $notes[2], $notes[2], $notes[3]), qr/^f\|/, 'backwards it does not');
like(consistency($notes[1], $notes[9], $notes[2], $notes[9]), qr/^f\|/, 'nor by the proof of other sizes');
like(refusal("audit.prove_consistency($_)"), qr/no consistency proof/, "refused: $_") for '0, 1', '2, 1', '1, 1000000', '-1, 1';

# over a change of the key
$node->safe_psql('postgres', "INSERT INTO orders VALUES (-1, 'last by the old key')");
seal();
my $before = $node->safe_psql('postgres', 'SELECT audit.checkpoint()');
$node->adjust_conf('postgresql.conf', 'audit_trail.signing_key_file', "'$folder/other'");
$node->restart;
seal();
my $after = $node->safe_psql('postgres', 'SELECT audit.checkpoint()');
like(consistency($before, $after), qr/^f\|/, 'a new key signs');
is(consistency($before, $after, $before, $after, $other, $vkey), 't|', 'and its log goes on from that of the old one');
is(check($node->safe_psql('postgres', "SELECT audit.prove('$id')"), $other), 't|', 'old events are proved under the new key');

# Few rows are read, however long the log is.
my $reads = $node->safe_psql('postgres', qq{
	BEGIN; SELECT length(audit.prove('$id')) > 0 \\g /dev/null
	SELECT sum(coalesce(idx_tup_fetch, 0) + seq_tup_read) FROM pg_stat_xact_user_tables WHERE schemaname = 'audit' AND relname IN ('log_entry', 'checkpoint')});
cmp_ok($reads, '>', 2, 'a proof reads rows of the log');
cmp_ok($reads, '<', 60, 'but few');

# What was changed in the files has no proof. The checkpoint has parts of the largest left side, 2^n entries.
my ($tx) = $id =~ /(\d+)/;
my $batch = (split / /, $parts[2])[1];
my $left = 1;
$left *= 2 while $left * 2 <= $batch;
my ($large, $large_tx) = split /\|/, $node->safe_psql('postgres', 'SELECT (SELECT log_index FROM audit.log_entry WHERE event_count = 70000), (SELECT tx_id FROM audit.transaction WHERE event_count = 70000)');
my $leaf = qr/the audit ledger does not give a proof that holds/;
foreach my $case (
	[ 'event', "tx_id = $tx AND ordinal = 1", sub { s/note 7/note 8/ }, $leaf ],
	[ 'leaf_tile', "log_index = $batch AND tile = 1", sub { substr($_, -34, 1) ^= "\4" }, qr/./ ],
	[ 'leaf_tile', "log_index = $large AND tile = 5", sub { substr($_, -1) ^= "\1" }, $leaf, "$large_tx.70000" ],
	[ 'log_entry', "log_index = $batch", sub { substr($_, field_at(8), 1) ^= "\1" }, $leaf ],
	[ 'checkpoint', 'size = ' . ($left - 1), sub { substr($_, -1) ^= "\1" }, $leaf ])
{
	my ($table, $which, $edit, $complaint, $event) = @$case;
	my $place = place($table, $which);

	$node->stop;
	edit_row($place, $edit);
	$node->start;
	unlike(refusal("audit.prove('" . ($event // $id) . "')"), qr/^none/, "changed: $table") or diag($out);
	like($err, $complaint, 'and there is no proof');
	$node->stop;
	edit_row($place, $table eq 'event' ? sub { s/note 8/note 7/ } : $edit);
	$node->start;
}
is(check($node->safe_psql('postgres', "SELECT audit.prove('$id')"), $other), 't|', 'changed back, there is one');

$node->stop;
done_testing();

sub seal
{
	return $node->safe_psql('postgres', 'SELECT size FROM audit.seal_now()');
}

# [file, block, item]
sub place
{
	my ($table, $which) = @_;
	my ($path, $block, $item) = split /\|/, $node->safe_psql('postgres', "SELECT pg_relation_filepath(tableoid), (ctid::text::point)[0], (ctid::text::point)[1] FROM audit.$table WHERE $which");

	return [ $node->data_dir . "/$path", $block, $item ];
}

sub refusal
{
	my ($call) = @_;

	($status, $out, $err) = $node->psql('postgres', "SELECT $call");
	return $status == 0 ? 'none' : $err;
}

sub check
{
	my ($proof, $key) = @_;

	return $node->safe_psql('postgres', "SELECT valid, reason FROM audit.check_proof(\$proof\$$proof\$proof\$, '$key')");
}

# Do the two checkpoints agree, by a proof made for the sizes of two (others, perhaps)?
sub consistency
{
	my ($old, $new, $from, $to, $key, $old_key) = @_;
	my $sizes = join ', ', map { (split /\n/)[1] } $from // $old, $to // $new;

	return $node->safe_psql('postgres', "SELECT valid, reason FROM audit.check_consistency(\$n\$$old\$n\$, \$n\$$new\$n\$,
		audit.prove_consistency($sizes), '" . ($key // $vkey) . "', '" . ($old_key // '') . "')");
}
