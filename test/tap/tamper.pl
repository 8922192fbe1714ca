# Whatever is changed in the files, audit.verify() names it, and names nothing else.

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

my $node = PostgreSQL::Test::Cluster->new('tamper');
my $database_dir;
my $untouched;

$node->init;
$node->append_conf('postgresql.conf',
	"shared_preload_libraries = 'audit_trail'\naudit_trail.seal_interval = 1h\nautovacuum = off\n");
$node->start;
record();

my %tx = map { split /\|/ } split /\n/,
  $node->safe_psql('postgres', 'SELECT request_id, tx_id FROM audit.transaction WHERE request_id IS NOT NULL');
my $batch = $node->safe_psql('postgres', q{SELECT min(log_index) FROM audit.log_entry WHERE event_count = 5});
my $head = $node->safe_psql('postgres', 'SELECT max(log_index) FROM audit.log_entry');
my $session = $node->safe_psql('postgres', q{SELECT session_id FROM audit.transaction WHERE request_id = 't1'});
my $target = $node->safe_psql('postgres', q{SELECT target_id FROM audit.target WHERE table_name = 'orders'});
my ($e11, $e12, $e13) = map { event('t1', $_) } 1 .. 3;
my $e21 = event('t2', 1);
my $e31 = event('t3', 1);
my $e41 = event('t4', 1);
my $e71 = event('t7', 1);
my ($t1, $t2, $t7) = map { row('transaction', "tx_id = $tx{$_}") } qw(t1 t2 t7);
my ($entry, $next_entry, $last_entry) = map { row('log_entry', "log_index = $_") } $batch, $batch + 1, $head;
my $boot = row('log_entry', 'log_index = 0');
my $checkpoint = row('checkpoint', 'size = ' . ($batch + 1));
my ($next_checkpoint, $last_checkpoint) = map { row('checkpoint', "size = $_") } $batch + 2, $head + 1;
my $tile = row('leaf_tile', "log_index = $batch AND tile = 0");
my $last_tile = row('leaf_tile', "log_index = $head");
my $session_row = row('session', "session_id = $session");
my $target_row = row('target', "target_id = $target");
my $incarnation = row('incarnation', 'incarnation = 1');

my $batch_root = bytes("SELECT root FROM audit.log_entry WHERE log_index = $batch");
my $head_root = bytes("SELECT root FROM audit.log_entry WHERE log_index = $head");
my $previous = bytes("SELECT previous FROM audit.log_entry WHERE log_index = $batch + 1");
my $log_root = bytes("SELECT root FROM audit.checkpoint WHERE size = $batch + 1");
my $tile_hash = bytes("SELECT substr(hashes, 1, 32) FROM audit.leaf_tile WHERE log_index = $batch");
my $sealed = q{SELECT tx_id || '.' || ordinal FROM audit.event e JOIN audit.transaction USING (tx_id) WHERE (request_id IS NULL OR request_id < 't7')};
my @sealed_events = split /\n/, $node->safe_psql('postgres', $sealed);
my @sealed_on_page = split /\n/, $node->safe_psql('postgres', "$sealed AND (e.ctid::text::point)[0] = $e11->[1]");
my $tile_owner = pack 'Q>NN', $tx{t1}, 1, 3 | 1 << 31;

# Without the library in all processes there is no sealer that would seal what was changed.
$node->stop;
$node->append_conf('postgresql.conf', "shared_preload_libraries = ''\n");
keep();

check('nothing', sub { }, []);

# events
check('a value', sub { edit_row($e12, sub { s/paper/piper/ }) }, ["event changed|$tx{t1}.2"]);
check('an operation', sub { edit_row($e21, sub { substr($_, field_at(38), 1) = 'D' }) }, ["event changed|$tx{t2}.1"]);
check('an ordinal', sub { edit_row($e12, sub { substr($_, field_at(24), 4) = pack 'l', 7 }) }, ["event changed|$tx{t1}.2"]);
check('the tx_id of an event', sub { edit_row($e12, sub { substr($_, field_at(0), 8) = pack 'q', $tx{t2} }) },
	["event changed|$tx{t1}.2"]);
check('two events', sub { edit_row($e11, sub { s/glass/grass/ }); edit_row($e21, sub { s/paid/pale/ }) },
	[ "event changed|$tx{t1}.1", "event changed|$tx{t2}.1" ]);
check('an event taken away', sub { remove_row($e12) }, ["event missing|$tx{t1}.2"]);
check('the last event taken away', sub { remove_row($e13) }, ["event missing|$tx{t1}.3"]);
check('all events of a transaction', sub { remove_row($_) for $e11, $e12, $e13 },
	[ map { "event missing|$tx{t1}.$_" } 1 .. 3 ]);
check('an event with an index to it', sub { copy_row($e12, sub { substr($_, field_at(24), 4) = pack 'l', 4 }) },
	["event added|$tx{t1}.4"], 'event');
check('an event without an index', sub { copy_row($e12, sub { substr($_, field_at(24), 4) = pack 'l', 4 }) },
	["event added|$tx{t1}.4"]);
check('an event of no transaction', sub { copy_row($e12, sub { substr($_, field_at(0), 8) = pack 'q', 987654 }) },
	['event added|987654.2'], 'event');
check('an event twice', sub { copy_row($e12) }, ["event duplicated|$tx{t1}.2"], 'event');
check('an event twice, without an index', sub { copy_row($e12) }, ["event added|$tx{t1}.2"]);
check('two events of a transaction swapped', sub { swap_rows($e11, $e12) }, ["event reordered|$tx{t1}.1"]);
check('two events of different batches swapped', sub { swap_rows($e12, $e41) },
	["event reordered|$tx{t1}.2"]);
check('an unreadable value', sub { edit_row($e31, \&spoil_compressed) }, ["event changed|$tx{t3}.1"]);

check('a page lost', sub { zero_page($e11) }, all_lost(@sealed_on_page));
check('a page that is none', sub { spoil_page($e11) },
	[ (map { "event changed|$_" } @sealed_on_page), map { "transaction changed|$tx{$_}" } qw(t7 t8) ]);
check('a file cut off', sub { truncate_file([ $e11->[0], 0, 1 ]) }, all_lost(@sealed_events));

# transactions
check('an actor', sub { edit_row($t1, sub { s/alice/alicf/ }) }, ["transaction changed|$tx{t1}"]);
check('a digest', sub { edit_row($t2, sub { substr($_, field_at(60), 1) ^= "\1" }) }, ["transaction changed|$tx{t2}"]);
check('an xid', sub { edit_row($t2, sub { substr($_, field_at(24), 8) = pack 'q', 5 }) }, ["transaction changed|$tx{t2}"]);
check('a tx_id, and the index', sub { edit_row($t2, sub { substr($_, field_at(0), 8) = pack 'q', 987654 }) },
	[ 'transaction added|987654', "transaction missing|$tx{t2}" ], 'transaction');
check('a tx_id', sub { edit_row($t2, sub { substr($_, field_at(0), 8) = pack 'q', 987654 }) },
	["transaction changed|$tx{t2}"]);
check('the server it is of', sub { edit_row($t2, sub { substr($_, field_at(40), 8) = pack 'q', 5 }) },
	["transaction changed|$tx{t2}"]);
check('a transaction taken away', sub { remove_row($t1) }, ["transaction missing|$tx{t1}"]);
check('a transaction and its events taken away', sub { remove_row($_) for $t1, $e11, $e12, $e13 },
	["transaction missing|$tx{t1}"]);
check('a transaction with an index to it', sub { copy_row($t2, sub { substr($_, field_at(0), 8) = pack 'q', 987654 }) },
	['transaction added|987654'], 'transaction');
check('a transaction of another server', sub { copy_row($t2, sub { substr($_, field_at(0), 8) = pack('q', 987654); substr($_, field_at(40), 8) = pack('q', 5) }) },
	['transaction added|987654'], 'transaction');
check('a transaction of the future', sub { copy_row($t2, sub { substr($_, field_at(0), 8) = pack('q', 987654); substr($_, field_at(24), 8) = pack 'q', 1 << 40 }) },
	['transaction added|987654'], 'transaction');
check('a transaction twice', sub { copy_row($t2) }, ["transaction duplicated|$tx{t2}"], 'transaction');
check('two transactions swapped', sub { swap_rows($t1, $t2) }, ["transaction reordered|$tx{t1}"]);

# what is not sealed yet
check('an event not sealed yet', sub { edit_row($e71, sub { s/fresh/flesh/ }) }, ["transaction changed|$tx{t7}"]);
check('an event not sealed yet taken away', sub { remove_row($e71) }, ["event missing|$tx{t7}.1"]);
check('a transaction not sealed yet taken away', sub { remove_row($t7) },
	[ map { "event added|$tx{t7}.$_" } 1 .. 2 ]);

# the log
check('a count in an entry', sub { edit_row($entry, sub { substr($_, field_at(104), 1) ^= "\1" }) }, ["batch changed|$batch"]);
check('a root in an entry', sub { edit_row($entry, sub { flip($batch_root) }) }, ["batch changed|$batch"]);
check('the hash of the entry before', sub { edit_row($next_entry, sub { flip($previous) }) },
	[ 'batch changed|' . ($batch + 1) ]);
check('the last entry', sub { edit_row($last_entry, sub { flip($head_root) }) }, ["batch changed|$head"]);
check('the first entry', sub { edit_row($boot, sub { s/ledger created/ledger crested/ }) }, ['batch changed|0']);
check('an entry taken away', sub { remove_row($entry) }, ["batch missing|$batch"]);
check('the last entry taken away', sub { remove_row($last_entry) }, ["batch missing|$head"]);
check('the last entry and its checkpoint', sub { remove_row($_) for $last_entry, $last_checkpoint },
	["batch missing|$head"]);
check('an entry, its checkpoint and its tile', sub { remove_row($_) for $entry, $checkpoint, $tile },
	["batch missing|$batch"]);
check('two entries swapped', sub { swap_rows($entry, $next_entry) }, ["batch reordered|$batch"]);
check('a root in a checkpoint', sub { edit_row($checkpoint, sub { flip($log_root) }) },
	[ 'checkpoint changed|' . ($batch + 1) ]);
check('a checkpoint taken away', sub { remove_row($checkpoint) }, [ 'checkpoint missing|' . ($batch + 1) ]);
check('a checkpoint without an index', sub { copy_row($checkpoint) }, ['checkpoint added|']);
check('two checkpoints swapped', sub { swap_rows($checkpoint, $next_checkpoint) },
	[ 'checkpoint reordered|' . ($batch + 1) ]);
check('a hash in a tile', sub { edit_row($tile, sub { flip($tile_hash) }) }, ["tile changed|$batch/0"]);
check('the root of a tile', sub { edit_row($tile, sub { substr($_, -1) ^= "\1" }) }, ["tile changed|$batch/0"]);
check('an owner in a tile', sub { edit_row($tile, sub { flip($tile_owner) }) }, ["tile changed|$batch/0"]);
check('a tile taken away', sub { remove_row($tile) }, ["tile missing|$batch/0"]);
check('a hash in a tile, and its event', sub { edit_row($tile, sub { flip($tile_hash) }); edit_row($e12, sub { s/paper/piper/ }) },
	[ "event changed|$tx{t1}.1", "event changed|$tx{t1}.2", "tile changed|$batch/0" ]);

# what events lean on
check('a session', sub { edit_row($session_row, sub { s/tamper\.pl/tamper.qm/ }) }, ["session changed|$session"]);
check('a session taken away', sub { remove_row($session_row) }, ["session missing|$session"]);
check('a session added', sub { copy_row($session_row, sub { substr($_, field_at(0), 8) = pack 'q', 987654 }) },
	['session added|987654']);
check('a name in a target', sub { edit_row($target_row, sub { s/public/pubpub/ }) },
	["target changed|$target"]);
check('a target taken away', sub { remove_row($target_row) }, ["target missing|$target"]);
check('a target added', sub { copy_row($target_row, sub { substr($_, field_at(0), 4) = pack 'l', 987; substr($_, field_at(8), 8) = pack 'q', 987654 }) },
	['target added|987']);
check('a target twice', sub { copy_row($target_row, sub { substr($_, field_at(4), 4) = pack 'l', 987 }) },
	["target duplicated|$target"]);
check('the reason of an incarnation', sub { edit_row($incarnation, sub { s/ledger created/ledger crested/ }) },
	['incarnation changed|1']);
check('the id of the ledger', sub { edit_row($incarnation, sub { substr($_, field_at(28), 1) ^= "\1" }) },
	['incarnation changed|log_id']);
check('the id of the ledger made null', sub { edit_row($incarnation, sub { substr($_, 20, 1) |= "\1"; substr($_, 23, 1) = chr 0x0f }) },
	['incarnation changed|log_id']);
check('an incarnation twice', sub { copy_row($incarnation) }, ['incarnation duplicated|1']);
check('an incarnation taken away', sub { remove_row($incarnation) }, ['incarnation missing|1']);

# The sealer goes on from nothing that is not whole.
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\n");
edit_row($last_checkpoint, sub { substr($_, -1) ^= "\1" });
$node->start;
my ($status, undef, $error) = $node->psql('postgres', 'SELECT audit.seal_now()');
isnt($status, 0, 'the sealer refuses to go on from a changed checkpoint');
like($error, qr/audit log does not end in what was sealed/, 'and says why');
$node->stop;
restore();

# What was changed before it was sealed is sealed as it is, and stays an offence.
edit_row($e71, sub { s/fresh/flesh/ });
$node->start;
($status, undef, $error) = $node->psql('postgres', 'SELECT audit.seal_now()');
is($status, 0, 'a broken transaction is sealed');
is($node->safe_psql('postgres', "SELECT string_agg(payload::text, ',') FROM audit.log_entry WHERE log_index > $head AND kind = 'events'"),
	qq({"broken":[{"tx_id":$tx{t7},"why":"an event or the digest was changed"}]}), 'and named in the entry');
is($node->safe_psql('postgres', 'SELECT finding, object, detail FROM audit.verify() LIMIT 1'),
	"transaction changed|$tx{t7}|an event of it or its digest was changed, before it was sealed", 'and by verify');
$node->stop;
like(slurp_file($node->logfile), qr/WARNING:  transaction $tx{t7} of the audit trail is not as it was committed/,
	'and in the log of the server');
restore();
$node->start;
is($node->safe_psql('postgres', 'SELECT size FROM audit.seal_now()'), $head + 3, 'and goes on from a sound one');
is($node->safe_psql('postgres', 'SELECT object FROM audit.verify()'), 'ok', 'which verifies');
$node->stop;
done_testing();

# A short history: t1 (3 events), t2 and t3 in one batch, t4, t5 and t6 in one each, t7 and t8 not sealed.
sub record
{
	my $sealed = 'SELECT audit.seal_now() IS NOT NULL;';

	$node->safe_psql('postgres', 'CREATE EXTENSION audit_trail;'
		  . 'CREATE TABLE orders (id int PRIMARY KEY, status text, note text);'
		  . "SELECT audit.enable('orders');"
		  # these fill a page, as copies of events need room in theirs
		  . join('', map { "CREATE TABLE other$_ (id int PRIMARY KEY); SELECT audit.enable('other$_');" } 1 .. 4)
		  . $sealed);
	my $connection = $node->connstr('postgres') . ' application_name=tamper.pl';
	my $sql = join '', map { transaction(@$_) } (
		[ 't1', q{INSERT INTO orders VALUES (1, 'new', 'glass'), (2, 'new', 'paper'), (3, 'new', 'steel')} ],
		[ 't2', q{UPDATE orders SET status = 'paid' WHERE id = 1} ],
		[ 't3', q{INSERT INTO orders VALUES (4, 'new', repeat('long note ', 400))} ],
		[], [ 't4', q{UPDATE orders SET status = 'sent' WHERE id = 1} ],
		[], [ 't5', q{UPDATE orders SET status = 'gone' WHERE id IN (2, 3)} ],
		[], [ 't6', q{DELETE FROM orders WHERE id = 3} ],
		[], [ 't7', q{INSERT INTO orders VALUES (5, 'new', 'fresh'), (6, 'new', 'fresh')} ],
		[ 't8', q{DELETE FROM orders WHERE id = 6} ]);

	$node->safe_psql('postgres', $sql, connstr => $connection);
	return;
}

# One named transaction, or a seal.
sub transaction
{
	my ($name, $command) = @_;

	return "SELECT audit.seal_now() IS NOT NULL;\n" if !$name;
	return "BEGIN; SELECT audit.set_context(actor => 'alice', request_id => '$name'); $command; COMMIT;\n";
}

# [file, block, item] of the one row of a ledger table that the condition is true for
sub row
{
	my ($table, $where) = @_;
	my $answer = $node->safe_psql('postgres', "SELECT pg_relation_filepath(tableoid) || ' ' || translate(ctid::text, '(,)', '  ') FROM audit.$table WHERE $where");
	my ($file, $block, $item) = split ' ', $answer;

	die "not one row of $table where $where: $answer" if !$item || $answer =~ /\n/;
	return [ $node->data_dir . "/$file", $block, $item ];
}

# the same for an event
sub event
{
	my ($name, $ordinal) = @_;

	return row('event', "tx_id = $tx{$name} AND ordinal = $ordinal");
}

# what a query says, a bytea
sub bytes
{
	my ($query) = @_;

	return pack 'H*', $node->safe_psql('postgres', "SELECT encode(b, 'hex') FROM ($query) AS q(b)");
}

# Change one bit of these bytes, in $_.
sub flip
{
	my ($bytes) = @_;
	my $at = index $_, $bytes;

	die 'the bytes are not in the row' if $at < 0;
	substr($_, $at + 7, 1) ^= "\1";
	return;
}

# Spoil a compressed value, the last of the row, so that it cannot be unpacked.
sub spoil_compressed
{
	substr($_, -24) = "\xff" x 24;
	return;
}

# Keep the database's files as they are, and bring them back.
sub keep
{
	$untouched = $node->basedir . '/untouched';
	($database_dir) = $e11->[0] =~ m{^(.*)/[^/]+$};
	PostgreSQL::Test::RecursiveCopy::copypath($database_dir, $untouched);
	return;
}

sub restore
{
	rmtree($database_dir);
	PostgreSQL::Test::RecursiveCopy::copypath($untouched, $database_dir);
	return;
}

# Findings where all events are gone at once.
sub all_lost
{
	return [ map { "event missing|$_" } @_, "$tx{t7}.1", "$tx{t8}.1" ];
}

# Change something, rebuild the indexes of a ledger table if one is named, compare the findings.
sub check
{
	my ($name, $change, $expected, $reindex) = @_;

	$change->();
	$node->start;
	$node->safe_psql('postgres', "REINDEX TABLE audit.$reindex") if $reindex;
	my $found = $node->safe_psql('postgres', q{SELECT finding || '|' || coalesce(object, '') FROM audit.verify() WHERE finding <> 'summary'});
	is(join("\n", sort split /\n/, $found), join("\n", sort @$expected), $name)
	  or diag($node->safe_psql('postgres', 'SELECT * FROM audit.verify()'));
	is($node->safe_psql('postgres', q{SELECT string_agg(finding || '|' || coalesce(object, ''), E'\n') FROM audit.verify(workers => 2) WHERE finding <> 'summary'}),
		$found, "$name: the same with workers");
	$node->stop;
	restore();
	return;
}
