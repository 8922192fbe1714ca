# The log as files: a client that knows only the public formats reads them, proves what it likes
# and checks the signature with openssl; exports add to each other, may be killed anywhere, and
# are refused where they would mislead. Tiles that were changed in the ledger are named.
use strict;
use warnings;
use Digest::SHA qw(sha256);
use File::Basename qw(basename);
use File::Find qw(find);
use File::Path;
use FindBin;
use lib $FindBin::RealBin;
use Pages;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::RecursiveCopy;
use PostgreSQL::Test::Utils;
use Test::More;
use Tlog;
use Waiting;

my $slow = $ENV{AUDIT_TRAIL_SLOW};
my @points = qw(export-opened export-written export-renamed export-synced export-published);
my $node = PostgreSQL::Test::Cluster->new('tlog');
my $folder = PostgreSQL::Test::Utils::tempdir;
my $export = "$folder/log";
my ($status, $out, $err);

$node->init;
$node->append_conf('postgresql.conf', qq{
shared_preload_libraries = 'audit_trail'
max_worker_processes = 20
fsync = off
restart_after_crash = on
autovacuum = off
audit_trail.seal_interval = 1h
audit_trail.signing_key_file = '$folder/key'
audit_trail.checkpoint_file = '$folder/checkpoints'
audit_trail.debug_points = '@{[ join(',', @points) ]}'
});
$node->start;
$node->safe_psql('postgres', q{
	SET client_min_messages = error;
	CREATE EXTENSION audit_trail;
	CREATE TABLE orders (id bigserial PRIMARY KEY);
	SELECT audit.enable('orders');
	CREATE PROCEDURE seal_rows(wanted int) LANGUAGE plpgsql AS $$
	BEGIN
		FOR i IN 1 .. wanted LOOP
			INSERT INTO orders DEFAULT VALUES;
			COMMIT;
			PERFORM audit.seal_now();
			COMMIT;
		END LOOP;
	END $$});
mkdir_for_server($export);
like(refusal("audit.export_tlog('$export')"), qr/nothing to export.*No checkpoint of the log was signed yet/s,
	'refused: a log that was never signed');
my $vkey = $node->safe_psql('postgres', "SELECT audit.create_signing_key('$folder/key', 'example.org/shop')");
$node->safe_psql('postgres', 'SELECT audit.seal_now()');

# What a client reads, at sizes below, at and above those where tiles become full.
my ($size, $files) = export();
is($files, 3, 'a small log is a tile, a bundle and a checkpoint');
my @exports = (read_export('a small log'));
my %before = files();

foreach my $wanted (255, 256, 257, 300, 512, 1100, $slow ? (65535, 65536, 66000) : ())
{
	grow_to($wanted);
	($size) = export();
	is($size, $wanted, "$wanted entries are exported");
	push @exports, read_export("$wanted entries");
	my %now = files();
	is_deeply([ grep { ($now{$_} // '') ne $before{$_} } sort keys %before ], ['checkpoint'], 'the export before it was added to, but for the checkpoint');
	%before = %now;
}
is_deeply([ export() ], [ $size, 0 ], 'where nothing is new, nothing is written');
is_deeply({ files() }, \%before, 'nor changed');
is(join(',', sort grep { !/\.p\// } keys %before), join(',', sort 'checkpoint', map { my $n = $_; map { tile_name($_, $n, 256) } 0, 'entries' } 0 .. 3),
	'the full tiles have the names that clients know')
  if !$slow;

# What a client proves by the files alone.
my $log = $exports[-1]{log};
my ($checkpoint) = $exports[-1]{checkpoint};
foreach my $index (0, 1, 254, 255, 256, 511, $size - 1)
{
	my @path = prove_inclusion($index, $log->{hashes}[0]);

	ok(inclusion_holds(sha256("\0" . $log->{entries}[$index]), $index, $size, $checkpoint->{root}, @path), "entry $index is in the log");
}
foreach my $old (@exports)
{
	my @path = prove_consistency($old->{checkpoint}{size}, $log->{hashes}[0]);

	ok(consistency_holds($old->{checkpoint}{size}, $size, $old->{checkpoint}{root}, $checkpoint->{root}, @path),
		"the log of $size entries goes on from that of $old->{checkpoint}{size}");
}
is(scalar(grep { substr($_, 0, 4) eq 'ATL1' } @{ $log->{entries} }), $size, 'entries are bodies of the format ATL1');
is($node->safe_psql('postgres', q{SELECT object, detail ~ 'nothing wrong' FROM audit.verify()}), 'ok|t', 'the stored tiles verify');
is($node->safe_psql('postgres', q{SELECT string_agg(level || '/' || tile || ' ' || length(hashes), ',' ORDER BY level, tile) FROM audit.log_tile}),
	join(',', map { "0/$_ 8192" } 0 .. 3), 'only full tiles are stored')
  if !$slow;
is($node->safe_psql('postgres', q{SELECT count(*) FROM audit.log_tile}), int($size / 256) + int($size / 65536), 'each of them');

# A directory from nothing comes to the same files as one that grew, but for tiles that were not full.
mkdir_for_server("$folder/fresh");
export("$folder/fresh");
is_deeply({ files("$folder/fresh") }, { map { $_ => $before{$_} } keys %{ { files("$folder/fresh") } } }, 'one export at once has the files of many');
cmp_ok(scalar(keys %{ { files("$folder/fresh") } }), '<', scalar(keys %before), 'of which some were not full then');

# Killed at each step; what was exported before stays a log, and the next export is one.
foreach my $point (@points)
{
	my $old = read_checkpoint($export)->{size};

	grow_to(newest() + 3);
	kill_at($point);
	read_export("killed at $point", $point eq 'export-published' ? newest() : $old);
	($size) = export();
	is($size, newest(), 'the next export goes on');
	read_export("after a kill at $point");
}
is(join(',', grep { /writing/ } keys %{ { files() } }), '', 'nothing is left aside');

# A first export that was killed.
mkdir_for_server("$folder/second");
kill_at('export-synced', "$folder/second");
ok(!-e "$folder/second/checkpoint", 'a first export that was killed has no checkpoint');
export("$folder/second");
read_export('after it', newest(), "$folder/second");

# Two at once
my $hold = hold_point($node, 'export-written');
my $first = start("SELECT audit.export_tlog('$folder/third')", mkdir_for_server("$folder/third"));
wait_until_held($node, 'export-written');
like(refusal("audit.export_tlog('$folder/third')"), qr/is locked by another process/, 'refused: a second export at the same time');
$hold->quit;
$first->finish;
read_export('the first one', newest(), "$folder/third");

# A full disk: /dev/full stands for it, where files are written aside.
grow_to(newest() + 1);
symlink '/dev/full', "$export/.writing" or die $!;
like(refusal("audit.export_tlog('$export')"), qr/could not write file.*No space left on device/, 'a full disk is told');
read_export('what was exported before is still there', newest() - 1);
ok(!-l "$export/.writing", 'and nothing else is');
export();
read_export('with room again it goes on');

# Where it does not go
mkdir_for_server("$folder/odd");
append_to_file("$folder/odd/index.html", 'hello');
mkdir_for_server("$folder/text");
append_to_file("$folder/text/checkpoint", 'hello');
mkdir_for_server("$folder/shared");
chmod 0777, "$folder/shared";
mkdir_for_server("$folder/other");
append_to_file("$folder/other/checkpoint", slurp_file("$export/checkpoint") =~ s{example\.org/shop}{example.org/other}gr);
mkdir_for_server("$folder/fork");
append_to_file("$folder/fork/checkpoint", slurp_file("$export/checkpoint") =~ s/^(\d+)$/$1 - 1/emr);
mkdir_for_server("$folder/newer");
append_to_file("$folder/newer/checkpoint", slurp_file("$export/checkpoint") =~ s/^(\d+)$/$1 + 1/emr);
mkdir_for_server("$folder/$_/tile") foreach qw(other fork newer);
mkdir_for_server($node->data_dir . '/log_export');
symlink $node->data_dir . '/log_export', "$folder/link";
foreach my $case (
	[ 'log', qr/relative path "log" not allowed/ ],
	[ "$folder/missing", qr/could not open directory/ ],
	[ "$folder/checkpoints", qr/could not open directory/ ],
	[ $node->data_dir . '/log_export', qr/is in the data directory/ ],
	[ "$folder/link", qr/is in the data directory/ ],
	[ "$folder/odd", qr/not empty, and has no checkpoint/ ],
	[ "$folder/text", qr/is no checkpoint of a log/ ],
	[ "$folder/shared", qr/Others than its owner may write it/ ],
	[ "$folder/other", qr/has another log/ ],
	[ "$folder/fork", qr/does not have its checkpoint of size \d+ as its beginning/ ],
	[ "$folder/newer", qr/has a checkpoint of size \d+, and the newest of this log has size/ ])
{
	my ($directory, $complaint) = @$case;
	my %kept = -d $directory ? files($directory) : ();

	like(refusal("audit.export_tlog('$directory')"), $complaint, "refused: " . basename($directory));
	is_deeply({ -d $directory ? files($directory) : () }, \%kept, 'nothing was written');
}
$node->safe_psql('postgres', q{CREATE ROLE auditor LOGIN; GRANT USAGE ON SCHEMA audit TO auditor});
like(refusal("audit.export_tlog('$export')", 'auditor'), qr/permission denied for function export_tlog/, 'refused: whoever was not granted it');
$node->safe_psql('postgres', 'GRANT EXECUTE ON FUNCTION audit.export_tlog(text) TO auditor');
like(refusal("audit.export_tlog('$export')", 'auditor'), qr/pg_write_server_files/, 'and those who may not write files of the server');
$node->safe_psql('postgres', 'GRANT pg_write_server_files TO auditor');
is(refusal("audit.export_tlog('$export')", 'auditor'), 'none', 'who may needs no other right');

# The checkpoint file holds a note that the key did not sign.
append_to_file("$folder/checkpoints", slurp_file("$export/checkpoint") =~ s/^(\d+)$/$1 - 1/emr);
like(refusal("audit.export_tlog('$export')"), qr/cannot be exported.*signature/s, 'refused: a checkpoint that the key did not sign');
$node->safe_psql('postgres', q{SELECT audit.new_incarnation('somebody wrote into the file')});
$node->safe_psql('postgres', 'SELECT audit.seal_now()');
export();
read_export('the log goes on');

# Tiles that were changed, taken away, added: named, and not exported. Without the library in all
# processes there is no sealer that would go on.
my @tile = map { place('audit.log_tile', "level = 0 AND tile = $_") } 1, 2;
my $newest = place('audit.log_tile', 'ctid = (SELECT max(ctid) FROM audit.log_tile)');    # whose page has room
my $toast = toast_row(1);
my $entry = place('audit.log_entry', 'log_index = 40');
my ($database) = $entry->[0] =~ m{^(.*)/[^/]+$};
my $count = 0;
$node->stop;
$node->append_conf('postgresql.conf', "shared_preload_libraries = ''\n");
PostgreSQL::Test::RecursiveCopy::copypath($database, "$folder/untouched");
my $add = sub { copy_row($newest, sub { substr($_, field_at(8), 8) = pack 'q', 999 }) };
foreach my $case (
	[ 'a hash in a tile', sub { edit_row($toast, sub { substr($_, 200, 1) ^= "\1" }) }, 'log tile changed|0/1', qr/Tile 1 of level 0 is not what the entries give/ ],
	[ 'the number of a tile', sub { edit_row($tile[0], sub { substr($_, field_at(8), 8) = pack 'q', 7 }) }, 'log tile changed|0/1', qr/Tile 1 of level 0 is not/ ],
	[ 'a tile taken away', sub { remove_row($tile[0]) }, 'log tile missing|0/1', qr/Tile 1 of level 0 is missing/ ],
	[ 'two tiles swapped', sub { swap_rows(@tile) }, "log tile changed|0/1\nlog tile changed|0/2", qr/Tile 1 of level 0 is not/ ],
	[ 'a tile added', $add, 'log tile added|0/999', undef, 'reindex' ],
	[ 'a tile added to a level', sub { copy_row($newest, sub { substr($_, field_at(0), 16) = pack 'lx4q', 5, 1 }) }, 'log tile added|5/1', undef, 'reindex' ],
	[ 'a tile added, without an index', sub { copy_row($newest) }, 'log tile added|' ],
	[ 'an entry', sub { edit_row($entry, sub { substr($_, field_at(104), 1) ^= "\1" }) }, 'batch changed|40', qr/Tile 0 of level 0 is not what the entries give/ ])
{
	my ($what, $change, $finding, $complaint, $reindex) = @$case;
	my $to = mkdir_for_server("$folder/tampered" . ++$count);

	$change->();
	$node->start;
	$node->safe_psql('postgres', 'REINDEX TABLE audit.log_tile') if $reindex;
	is($node->safe_psql('postgres', q{SELECT finding || '|' || coalesce(object, '') FROM audit.verify() WHERE finding <> 'summary' ORDER BY 1}), $finding, "found: $what");
	like(refusal("audit.export_tlog('$to')"), $complaint // qr/^none/, $complaint ? 'it is not exported' : 'it is not in the way of an export');
	is(-e "$to/checkpoint" ? 1 : 0, $complaint ? 0 : 1, 'which has no checkpoint if it failed');
	$node->stop;
	restore();
}
$add->();
$node->start;
$node->safe_psql('postgres', 'REINDEX TABLE audit.log_tile');
$node->stop;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\n");
$node->start;
like(refusal('audit.seal_now()'), qr/audit log does not end in what was sealed/, 'nothing is sealed below a tile that was added');
like(slurp_file($node->logfile), qr/There are tiles of the log's tree over entries that are not there/, 'the server log says why');
$node->stop;
restore();
$node->start;
$node->safe_psql('postgres', 'SELECT audit.seal_now()');
is($node->safe_psql('postgres', 'SELECT object FROM audit.verify()'), 'ok', 'all is as it was');
export();
read_export('in the end');
$node->stop;
done_testing();

sub newest
{
	return (slurp_file("$folder/checkpoints") =~ /^(\d+)$/mg)[-1];
}

# Seal rows until the log has so many entries.
sub grow_to
{
	my ($wanted) = @_;
	my $more = $wanted - $node->safe_psql('postgres', 'SELECT max(size) FROM audit.checkpoint');

	$node->safe_psql('postgres', "CALL seal_rows($more)") if $more > 0;
	return;
}

# (size, files)
sub export
{
	my ($directory) = @_;

	return split /\|/, $node->safe_psql('postgres', "SELECT * FROM audit.export_tlog('" . ($directory // $export) . "')");
}

# All of an export, as a client sees it: of the size that its checkpoint has.
sub read_export
{
	my ($what, $wanted, $directory) = @_;
	my $checkpoint = read_checkpoint($directory // $export);
	my $log = eval { read_log($directory // $export, $checkpoint->{size}) } or diag($@);

	is($checkpoint->{size}, $wanted // newest(), "$what: the size is right");
	is($checkpoint->{origin}, 'example.org/shop', 'and the origin');
	ok($log && tree_hash($log->{hashes}[0]) eq $checkpoint->{root}, 'its tiles have the root of the checkpoint');
	ok(openssl_verifies($checkpoint->{text}, signature_of($checkpoint, $vkey)), 'which openssl verifies');
	return { checkpoint => $checkpoint, log => $log };
}

sub openssl_verifies
{
	my ($text, $key, $signature) = @_;
	my %file = (der => pack('H*', '302a300506032b6570032100') . $key, text => $text, signature => $signature);

	unlink map { "$folder/openssl.$_" } keys %file;
	append_to_file("$folder/openssl.$_", $file{$_}) foreach keys %file;
	return run_log([ 'openssl', 'pkeyutl', '-verify', '-pubin', '-keyform', 'DER', '-inkey', "$folder/openssl.der",
		'-rawin', '-in', "$folder/openssl.text", '-sigfile', "$folder/openssl.signature" ]);
}

# name => hash of each file
sub files
{
	my ($directory) = @_;
	my %found;

	$directory //= $export;
	find({ no_chdir => 1, wanted => sub { $found{ substr($_, length($directory) + 1) } = sha256(slurp_file($_)) if -f } }, $directory);
	return %found;
}

sub mkdir_for_server
{
	my ($directory) = @_;

	mkdir $directory or die "$directory: $!";
	return $directory;
}

sub refusal
{
	my ($call, $user) = @_;

	($status, $out, $err) = $node->psql('postgres', "SELECT $call", $user ? (extra_params => [ '-U', $user ]) : ());
	return $status == 0 ? 'none' : $err;
}

sub start
{
	my ($sql) = @_;

	return IPC::Run::start([ 'psql', '-XqAt', '-d', $node->connstr('postgres'), '-c', $sql ], '<', \undef, '>', \my $o, '2>', \my $e);
}

# Kill the exporting backend where it is held.
sub kill_at
{
	my ($point, $directory) = @_;
	my $hold = hold_point($node, $point);
	my $run = start("SELECT audit.export_tlog('" . ($directory // $export) . "')");

	wait_until_held($node, $point);
	kill 'KILL', $node->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE query LIKE 'SELECT audit.export_tlog%' AND pid <> pg_backend_pid()});
	$run->finish;
	$hold->{run}->kill_kill;
	wait_for('the server answers', sub { $node->psql('postgres', 'SELECT audit.seal_now()') == 0 });
	return;
}

# [file, block, item]
sub place
{
	my ($table, $which) = @_;
	my ($path, $block, $item) = split /\|/, $node->safe_psql('postgres', "SELECT pg_relation_filepath('$table'), (ctid::text::point)[0], (ctid::text::point)[1] FROM $table WHERE $which");

	return [ $node->data_dir . "/$path", $block, $item ];
}

# The first piece of the hashes of a tile, which are stored aside in pieces; those of later tiles have later numbers.
sub toast_row
{
	my ($tile) = @_;
	my $toast = $node->safe_psql('postgres', q{SELECT reltoastrelid::regclass FROM pg_class WHERE oid = 'audit.log_tile'::regclass});

	return place($toast, "chunk_seq = 0 AND chunk_id = (SELECT DISTINCT chunk_id FROM $toast ORDER BY 1 OFFSET $tile LIMIT 1)");
}

sub restore
{
	File::Path::rmtree($database);
	PostgreSQL::Test::RecursiveCopy::copypath("$folder/untouched", $database);
	return;
}
