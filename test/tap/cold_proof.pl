# A file of cold segments is proved without its server, by the proof that audit.export_segments() writes beside it: each row, in batches of the
# log that a key has signed. Whatever is done to file or proof is found, and what lacks is said; a purge leaves what stays provable.
use strict;
use warnings;
use Digest::SHA qw(sha256 sha256_hex);
use FindBin;
use lib $FindBin::RealBin;
use IPC::Cmd qw(can_run);
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('cold_proof');
my $folder = PostgreSQL::Test::Utils::tempdir;
my $kept = "$folder/cold";
my $out = "$folder/out";
my ($output, $errors);

mkdir $_ or die $! foreach $kept, $out;
$node->init;
$node->append_conf('postgresql.conf', qq{
shared_preload_libraries = 'audit_trail'
max_worker_processes = 20
fsync = off
autovacuum = off
audit_trail.seal_interval = 1h
audit_trail.verify_interval = 0
audit_trail.keeper_interval = 0
audit_trail.record_reads = off
audit_trail.debug_clock = 1s
audit_trail.archive_directory = '$kept'
audit_trail.signing_key_file = '$folder/key'
audit_trail.checkpoint_file = '$folder/checkpoints'
});
$node->start;
value('CREATE EXTENSION audit_trail; CREATE TABLE orders (id bigint PRIMARY KEY, note text); CREATE TABLE stock (id int PRIMARY KEY, n int); CREATE TABLE later (id int PRIMARY KEY);
	SELECT audit.enable($$orders$$), audit.enable($$stock$$); SELECT count(*) FROM audit.create_roles(); CREATE ROLE audra LOGIN IN ROLE audit_auditor, pg_write_server_files;
	CREATE ROLE reader LOGIN IN ROLE audit_auditor; CREATE ROLE mona LOGIN IN ROLE audit_maintenance; CREATE ROLE bob LOGIN IN ROLE audit_purge_approver');
my $key = value("SELECT audit.create_signing_key('$folder/key', 'example.org/shop')");

# Large and small transactions of two tables, some of which leave holes in their batches: rolled back, and of two batches.
value($_)
  foreach 'INSERT INTO orders SELECT i, md5(i::text) FROM generate_series(1, 1500) i', 'SELECT audit.seal_now()',
  'INSERT INTO stock SELECT i, i FROM generate_series(1, 700) i', 'BEGIN; UPDATE orders SET note = $$x$$ WHERE id = 1; ROLLBACK', 'UPDATE orders SET note = $$seen$$ WHERE id = 7',
  'DO $$BEGIN FOR i IN 1..300 LOOP UPDATE stock SET n = n + 1 WHERE id = i; COMMIT; END LOOP; END$$', 'DELETE FROM orders WHERE id = 8', 'SELECT audit.seal_now()',
  q{SET audit_trail.debug_clock = '120d'; SELECT audit.archive_now()};
$node->append_conf('postgresql.conf', "audit_trail.debug_clock = '120d'");
$node->reload;
$node->poll_query_until('postgres', q{SELECT current_setting('audit_trail.debug_clock') = '120d'}) or die;
value('SELECT audit.create_partitions()');
my ($events) = grep { /event_/ } my @partitions = split /\n/, value('SELECT DISTINCT partition_name FROM audit.segment ORDER BY 1');
my ($transactions) = grep { /transaction_/ } @partitions;

# Who may, and what
like(error("SELECT audit.export_segments('audit.$events', '$out')", 'mona'), qr/permission denied/, 'refused: who is no auditor');
like(error("SELECT audit.export_segments('audit.$events', '$out')", 'reader'), qr/pg_write_server_files/, 'refused: who may not write files');
like(error("SELECT audit.export_segments('audit.$events', 'out')"), qr/relative path/, 'refused: a relative path');
like(error("SELECT audit.export_segments('audit.event', '$out')"), qr/is not an archived partition/, 'refused: what is not archived');
like(error("SELECT audit.export_segments('audit.$events', '$folder/none')"), qr/could not create file .*none/, 'an error: no such directory');

# Out of the database; then, byte for byte the same, out of the file to which it was moved
my %file = map { $_ => [ split /\|/, value("SELECT * FROM audit.export_segments('audit.$_', '$out')", 'audra') ] } $events, $transactions;
my ($file, $rows, $segments, $length) = @{ $file{$events} };
my $proof = $file =~ s/atq$/proof/r;
is($rows, value("SELECT count(*) FROM audit.$events"), 'a file has all rows of the partition');
is(-s "$out/$proof", $length, 'and a proof is beside it');
is(sha256_hex(slurp_file("$out/$file")), (split /\./, $file)[1], 'which has its own SHA-256 in its name');
cmp_ok($segments, '>', 2, 'there are several segments');
is((stat "$out/$_")[2] & 07777, 0600, "$_: only the server's user can read it") foreach $file, $proof;
value('SELECT audit.archive_to_file() IS NULL', 'mona') foreach 1 .. 3;
is(value('SELECT bool_and(file IS NOT NULL) FROM audit.segment'), 't', 'segments are in files');
is(join('|', @{ $file{$events} }), value("SELECT * FROM audit.export_segments('audit.$events', '$out')", 'audra'), 'out of these it comes the same');
ok(-f "$kept/$file", 'the file of the keeper is that file');
copy("$out/$proof", "$kept/$proof");
is(verify("$kept/$file"), 0, 'so the proof proves the file of the keeper');
$node->restart;

# Proved, without a server
is(verify("$out/$file"), 0, 'the file is valid') or diag("$output$errors");
like($output, qr/each of these $rows events is, byte for byte, a leaf of one of \d+ batches/, 'each event is proved');
like($output, qr/Not proved:.*that nothing else happened/s, 'and what is not proved is said');
is(verify("$out/$file{$transactions}[0]"), 0, 'so is that of the transactions') or diag("$output$errors");
like($output, qr/each of these $file{$transactions}[1] transactions is/, 'each transaction is proved');
my ($event) = value(q{SELECT event_id FROM audit.events WHERE table_name = 'orders' AND resource_id = '7' AND action = 'update'});
is(verify('--event', $event, "$out/$file"), 0, 'one event is told');
like($output, qr/seen/, 'with its values');
like($output, qr/the one that was asked for is leaf \d+ of the batch of entry \d+/, 'and its place in the log');
is(verify('--event', '99999.1', "$out/$file"), 1, 'one that is not there is said');
like($output, qr/the file does not have it/, 'so');
is(verify('--event', 'x', "$out/$file"), 2, 'what is no name of one is refused');
value($_) foreach 'INSERT INTO stock VALUES (0, 0)', 'SELECT audit.seal_now()';
my @published = slurp_file("$folder/checkpoints") =~ /^(example\.org\/shop\n.*?\n\n.*?\n)(?=example|\z)/msg;
my ($size) = slurp_file("$out/$proof") =~ /example\.org\/shop\n(\d+)\n/;
put("$folder/published", (grep { /^\S+\n$size\n/ } @published)[0]);
is(verify('--checkpoint', "$folder/published", "$out/$file"), 0, 'it agrees with the checkpoint that was published') or diag("$output$errors");
put("$folder/published", $published[-1]);
is(verify('--checkpoint', "$folder/published", "$out/$file"), 2, 'one of another size needs a proof');
put("$folder/consistency", value("SELECT audit.prove_consistency($size, " . (split /\n/, $published[-1])[1] . ')'));
is(verify('--checkpoint', "$folder/published", '--consistency', "$folder/consistency", "$out/$file"), 0, 'with which it agrees') or diag("$output$errors");
is(json($file), 'true', 'as JSON too');

# Tampered with
my ($whole, $good) = map { slurp_file("$out/$_") } $file, $proof;
found('a changed byte', sub { substr($_[0], 300, 1) ^= "\1" }, sub { }, qr/another file/);
found('a changed byte, and a proof that names the file', sub { substr($_[0], 300, 1) ^= "\1" }, \&follow, qr/checksum/);
found('a file that is cut off', sub { substr($_[0], -100) = '' }, \&follow, qr/file is not a segment/);
found('a file that lacks its last segment', sub { $_[0] = join '', (segments($_[0]))[ 0 .. $segments - 2 ] }, \&follow, qr/a row that the file has not/);
found('segments in another order', sub { $_[0] = join '', reverse segments($_[0]) }, \&follow, qr/not in its place/);
found('a segment that is there twice', sub { my @s = segments($_[0]); $_[0] = join '', $s[0], @s }, \&follow, qr/comes twice/);
found('something behind the last', sub { $_[0] .= 'more' }, \&follow, qr/not a segment/);
found('no segment at all', sub { $_[0] = 'ATQ1' }, \&follow, qr/not a segment/);
found('of another ledger', sub { my @s = segments($_[0]); substr($_, 4, 1) ^= "\1", $_ = seal($_) foreach @s; $_[0] = join '', @s }, \&follow, qr/another ledger/);
found('other times in its head', sub { my @s = segments($_[0]); substr($s[0], 43, 8) = pack 'q>', 0; $_[0] = join '', seal($s[0]), @s[ 1 .. $#s ] }, \&follow, qr/counts or times/);
SKIP:
{
	skip 'there is no program zstd', 2 if !can_run('zstd');
	found('a value that was changed, and sealed anew', \&change_value, \&follow, qr/do not give its root/);
}
found('a proof that is cut off', sub { }, sub { substr($_[0], -40) = '' }, qr/checksum|not the proof/);
found('a proof with a changed byte', sub { }, sub { substr($_[0], 200, 1) ^= "\1" }, qr/checksum/);
found('an empty proof', sub { }, sub { $_[0] = '' }, qr/not the proof/);
found('the name of a table that was changed', sub { }, sub { $_[0] =~ s/\x00\x00\x00\x06orders(?=\x00\x00\x00)/\x00\x00\x00\x06orderz/ or die; $_[0] = seal($_[0]) }, qr/do not give its root/);
found('a version of a table that is missing', sub { }, sub { $_[0] =~ s/(\n\n\xe2\x80\x94[^\n]*\n\x00\x00\x00.)..../$1\x00\x00\x00\x00/s or die; $_[0] = seal($_[0]) }, qr/names of a table/);
found('the size in the checkpoint', sub { }, sub { $_[0] =~ s/(example\.org\/shop\n)(\d+)/$1 . ($2 + 1)/e or die; $_[0] = seal($_[0]) }, qr/signature/);
found('a hash of the tree', sub { }, sub { substr($_[0], -40, 1) ^= "\1"; $_[0] = seal($_[0]) }, qr/do not give its root/);
found('a hash that is missing', sub { }, \&drop_hash, qr/fewer hashes|not the proof/);
found('something behind the last batch', sub { }, sub { substr($_[0], -32, 0) = 'more'; $_[0] = seal($_[0]) }, qr/not the proof/);
found('the proof of another file', sub { }, sub { $_[0] = slurp_file("$out/" . $file{$transactions}[0] =~ s/atq$/proof/r) }, qr/another file/);
is(verify_with(value("SELECT audit.create_signing_key('$folder/other', 'example.org/shop')"), "$out/$file"), 1, 'the key of another: not valid');
rename "$out/$proof", "$out/aside" or die $!;
is(verify("$out/$file"), 2, 'without a proof nothing is said');
like($errors, qr/there is no proof .*export_segments/s, 'but what is missing');
rename "$out/aside", "$out/$proof" or die $!;

# In the database
rename "$kept/$file", "$folder/aside" or die $!;
like(error("SELECT audit.export_segments('audit.$events', '$out')"), qr/the audit log cannot be exported.*cannot be opened: No such file/s, 'a file that is missing is an error');
my $bad = slurp_file("$folder/aside");
substr($bad, 300, 1) ^= "\1";
put("$kept/$file", $bad);
like(error("SELECT audit.export_segments('audit.$events', '$out')"), qr/Of segment \d+: .*checksum/, 'so is one that was changed');
rename "$folder/aside", "$kept/$file" or die $!;
is(verify("$out/$file"), 0, 'what was exported before stays valid') or diag("$output$errors");

# What is purged leaves: the rest is proved by the hashes that stay
$node->stop;
done_testing();

# The segments of a file, each by itself
sub segments
{
	my ($bytes) = @_;
	my @list;

	while (length $bytes)
	{
		my $length = 71 + unpack('N', substr($bytes, 67, 4)) + 32;

		push @list, substr($bytes, 0, $length);
		$bytes = substr($bytes, $length);
	}
	return @list;
}

sub seal
{
	my ($bytes) = @_;
	my $body = substr $bytes, 0, -32;

	return $body . sha256($body);
}

# The content is unpacked by zstd, changed in a value, and packed again.
sub change_value
{
	my @list = segments($_[0]);
	my ($frame, $content) = (substr($list[-1], 71, -32));

	IPC::Run::run([ 'zstd', '-dc' ], '<', \$frame, '>', \$content) or die;
	$content =~ s/seen/sEEn/ or die;
	IPC::Run::run([ 'zstd', '-c', '--no-check', '--content-size', '--stream-size=' . length $content ], '<', \$content, '>', \$frame) or die;
	$list[-1] = seal(substr($list[-1], 0, 67) . pack('N', length $frame) . $frame . 'x' x 32);
	$_[0] = join '', @list;
	return;
}

# The last hash of the last batch goes.
sub drop_hash
{
	my $body = substr $_[0], 0, -32;
	my $at;

	for my $count (1 .. 4000)
	{
		next if length($body) < 32 * $count + 4 || unpack('N', substr($body, -32 * $count - 4, 4)) != 32 * $count;
		$at = $count;
		last;
	}
	die if !defined $at;
	substr($body, -32 * $at - 4, 4) = pack 'N', 32 * ($at - 1);
	$_[0] = seal(substr($body, 0, -32) . 'x' x 32);
	return;
}

# The proof gets the SHA-256 of the file.
sub follow
{
	my ($text, $bytes) = @_;

	substr($_[0], 21, 32) = sha256($bytes);
	$_[0] = seal($_[0]);
	return;
}

# Change file and proof, verify, and put them back.
sub found
{
	my ($what, $change, $change_proof, $says) = @_;
	my ($bytes, $text) = ($whole, $good);

	$change->($bytes);
	$change_proof->($text, $bytes);
	put("$out/$file", $bytes);
	put("$out/$proof", $text);
	is(verify("$out/$file"), 1, "$what: not valid");
	like($output, $says, "$what: it is said") or diag($errors);
	put("$out/$file", $whole);
	put("$out/$proof", $good);
	return;
}

sub verify
{
	return verify_with($key, @_);
}

sub verify_with
{
	my ($with, @arguments) = @_;

	IPC::Run::run([ 'audit_verify', '--key', $with, @arguments ], '>', \$output, '2>', \$errors);
	return $? >> 8;
}

sub json
{
	verify('--json', "$out/$_[0]");
	return $output =~ /"valid":\s*(\w+)/ ? $1 : $output;
}

sub copy
{
	put($_[1], slurp_file($_[0]));
	return;
}

sub put
{
	my ($path, $bytes) = @_;

	open my $handle, '>:raw', $path or die "$path: $!";
	print $handle $bytes;
	close $handle or die $!;
	return;
}

sub value
{
	my ($query, $login) = @_;

	return $node->safe_psql('postgres', $query, extra_params => [ '-U', $login // 'postgres' ]);
}

sub error
{
	my ($command, $login) = @_;
	my ($status, $stdout, $stderr) = $node->psql('postgres', $command, extra_params => [ '-U', $login // 'postgres' ]);

	return $status == 0 ? 'none' : $stderr;
}
