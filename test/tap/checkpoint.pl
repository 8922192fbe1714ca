# Signed checkpoints: what is signed and where it goes; crashes at each step between sealing and
# publishing; and that nothing is signed which does not continue what was signed last.
use strict;
use warnings;
use File::Copy qw(copy);
use FindBin;
use lib $FindBin::RealBin;
use MIME::Base64;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Tlog;
use Waiting;

my $rounds = $ENV{AUDIT_TRAIL_SLOW} ? 15 : 3;
my @points = qw(sealer-picked sealer-before-commit publish-committed publish-compared publish-signed publish-written publish-synced);
my $node = PostgreSQL::Test::Cluster->new('checkpoint');
my $folder = PostgreSQL::Test::Utils::tempdir;
my $file = "$folder/checkpoints";
my $said = 0;    # how much of the server's log has been looked at

$node->init;
$node->append_conf('postgresql.conf', qq{
shared_preload_libraries = 'audit_trail'
max_worker_processes = 20
restart_after_crash = on
wal_writer_delay = 10s
audit_trail.seal_interval = 1h
audit_trail.signing_key_file = '$folder/key'
audit_trail.checkpoint_file = '$file'
audit_trail.debug_points = '@{[ join(',', @points, 'export-written') ]}'
});
$node->start;
$node->safe_psql('postgres', q{
	SET client_min_messages = error;
	CREATE EXTENSION audit_trail;
	CREATE TABLE orders (id int PRIMARY KEY);
	SELECT audit.enable('orders')});
my $vkey = $node->safe_psql('postgres', "SELECT audit.create_signing_key('$folder/key', 'example.org/shop')");
is($node->safe_psql('postgres', 'SELECT audit.checkpoint() IS NULL'), 't', 'no checkpoint yet');

# The key is in the log, and the first checkpoint never came to the file.
die_at('publish-signed', 'postmaster');

# what is signed; the start of the server may be an entry, and so a checkpoint, of its own
seal();
my $note = $node->safe_psql('postgres', 'SELECT audit.checkpoint()');
my $content = slurp_file($file);
is($content, join('', notes()), 'there are checkpoints in the file and nothing else');
is((notes())[-1], $note, 'and this one is the last');
is((stat $file)[2] & 07777, 0644, 'which all may read');
my ($text, $signature) = $note =~ /\A(.*\n)\n\xE2\x80\x94 example\.org\/shop (\S+)\n\z/s or die $note;
is($text, $node->safe_psql('postgres', q{SELECT E'example.org/shop\n' || size || E'\n' || encode(root, 'base64')
	FROM audit.checkpoint ORDER BY size DESC LIMIT 1}) . "\n", 'it has the name of the key, size and root of the log');
ok(openssl_verifies($text, $signature), 'openssl verifies its signature');
ok(!openssl_verifies($text =~ s/\d/9/r, $signature), 'and only of this text');
seal();
is(slurp_file($file), $content, 'an idle pass signs nothing');
my $count = notes();
insert() for 1 .. 3;
is(scalar(notes()), $count + 3, 'each seal is signed');
is(doctor(), 'ok', 'the doctor is content');

# kill -9 of the sealer, or of all, at each step: in the first round where the entry makes a tile of the
# log's tree full, and in between where the log is being exported
my $kills = 0;
mkdir "$folder/log";
foreach my $round (1 .. $rounds)
{
	foreach my $point (@points)
	{
		fill_but_one() if $round == 1;
		die_at($point, $round % 2 ? 'sealer' : 'postmaster');
		$kills++;
		is_sound("round $round, killed at $point");
		is_whole("round $round, killed at $point");
		next if $round > 1;
		die_exporting();
		$kills++;
		is_whole("round $round, killed while it was exported");
	}
}
seal();
is_sound('in the end');
is_whole("after $kills kills");
is($node->safe_psql('postgres', 'SELECT min(id) = 1 AND max(id) = count(*) FROM orders'), 't',
	'no row was lost');
is($node->safe_psql('postgres', q{SELECT count(*) FROM audit.events WHERE table_name = 'orders' AND action = 'insert'}), $node->safe_psql('postgres', 'SELECT count(*) FROM orders'),
	'each has its event');

# A pass that is cancelled does not leave the key behind; the pause after it is long enough to look.
my $seed = substr(decode_base64((split /\+/, (split /\n/, slurp_file("$folder/key"))[0], 5)[4]), 1);
my $held = hold_point($node, 'publish-compared');
$node->safe_psql('postgres', 'INSERT INTO orders SELECT coalesce(max(id), 0) + 1 FROM orders');
my $cancelled = start_pass();
wait_until_held($node, 'publish-compared');
my $sealer = sealer();
is(memory_has($sealer, $seed), 1, 'while it works, the sealer has the key in its memory');
$node->safe_psql('postgres', "SELECT pg_cancel_backend($sealer)");
wait_for('the pass has failed', sub { slurp_file($node->logfile, $said) =~ /canceling statement due to user request/ });
is(memory_has($sealer, $seed), 0, 'when its work was cancelled, it has not');
$held->{run}->kill_kill;
$cancelled->kill_kill;
$said = -s $node->logfile;
wait_for('a pass', sub { $node->psql('postgres', 'SELECT audit.seal_now()') == 0 });
is_sound('after it was cancelled');

# a write that was cut off, at any byte
foreach my $len (1, 5, length($text) - 1, length($text), length($text) + 1, length($note) - 30, length($note) - 1)
{
	my $before = scalar(notes());

	append_to_file($file, substr($note, 0, $len));
	insert();
	is(scalar(notes()), $before + 1, "the file was cut off after $len bytes of a note: signing goes on");
}
is_sound('after broken notes');

# a declaration is not for stock
like(refusal("audit.new_incarnation('just in case')"), qr/nothing to declare/, 'refused: a declaration without need');

# set back to an old copy
$node->stop;
copy_data($node->data_dir, "$folder/old");
$node->start;
insert() for 1 .. 5;
my $newest = (notes())[-1];
set_back();
my @before = notes();
is_refused(qr/the log has \d+ entries, and the last signed checkpoint had \d+/, 'a database that was set back');
insert() for 1 .. 7;
is_refused(qr/does not have the signed checkpoint of size \d+ as its beginning/, 'another history that has grown longer');
is_deeply([ notes() ], \@before, 'nothing is signed meanwhile');
like(refusal("audit.new_incarnation('')"), qr/there must be a reason/, 'refused: a declaration without reason');

# A declaration that a session commits without waiting for the disk is there before it is signed.
my $hold = hold_point($node, 'publish-synced');
$node->safe_psql('postgres', q{SET synchronous_commit = off; SELECT audit.new_incarnation('disk lost, restored')});
my $pass = start_pass();
wait_until_held($node, 'publish-synced');
$node->kill9;
$hold->{run}->kill_kill;
$pass->kill_kill;
start_again();
is($node->safe_psql('postgres', q{SELECT payload ->> 'after', payload ->> 'reason' FROM audit.log_entry WHERE kind = 'declared'}),
	join(' ', (split /\n/, $newest)[1, 2]) . '|disk lost, restored', 'the log says which checkpoint it does not continue, and why');
seal();
my $signed = notes();
cmp_ok($signed, '>', scalar(@before), 'with the declaration the log is signed again');
is(doctor(), 'ok', 'and the doctor is content');
insert();
is(scalar(notes()), $signed + 1, 'so is what follows');
set_back();
is_refused(qr/last signed checkpoint had|as its beginning/, 'a second time the old copy needs a declaration of its own');
my ($signed_size) = (notes())[-1] =~ /\n(\d+)\n/;
insert() while $node->safe_psql('postgres', 'SELECT max(size) FROM audit.checkpoint') < $signed_size - 1;
$node->safe_psql('postgres', q{SELECT audit.new_incarnation('the same again')});
is(doctor(), 'warning', 'it gets one, and is not signed yet');
seal();
is(doctor(), 'ok', 'then it is');
like((notes())[-1], qr/\n$signed_size\n/, 'with a second root for a size, since that was declared');
isnt((notes())[-1], (notes())[-2], 'which it is');

# the file is lost
foreach my $time ('once', 'twice')
{
	unlink $file;
	insert();
	is_refused(qr/was signed before, and the checkpoint file has no checkpoint/, "the file was lost $time");
	is(-s $file, 0, 'nothing is signed');
	$node->safe_psql('postgres', q{SELECT audit.new_incarnation('lost the file')});
	seal();
	insert();
	is(scalar(notes()), 2, 'until that is declared');
}

# files that cannot be used
my $good = slurp_file($file);
foreach my $case (
	[ sub { append_to_file($file, 'x' x 20000) }, qr/Its end has no checkpoint|cannot use checkpoint file/, 'another file' ],
	[ sub { chmod 0666, $file }, qr/cannot use checkpoint file/, 'one that others may write' ],
	[ sub { unlink $file; mkdir $file }, qr/checkpoint file/, 'a directory' ],
	[ sub { unlink $file; symlink $node->data_dir . '/postgresql.conf', $file }, qr/cannot use checkpoint file/, 'one in the data directory' ],
	[ sub { append_to_file($file, $note =~ s/shop/other/gr) }, qr/is of another log/, 'that of another log' ])
{
	my ($spoil, $complaint, $what) = @$case;
	my $entries = $node->safe_psql('postgres', 'SELECT count(*) FROM audit.log_entry');

	$spoil->();
	insert();
	is_refused($complaint, $what);
	is($node->safe_psql('postgres', 'SELECT count(*) FROM audit.log_entry'), $entries + 1, 'sealing goes on');
	rmdir $file;
	unlink $file;
	append_to_file($file, $good);
	chmod 0644, $file;
	insert();
	is(doctor(), 'ok', 'mended');
}

# two databases, one key and one file
$node->safe_psql('postgres', 'CREATE DATABASE second');
$node->safe_psql('second', q{SET client_min_messages = error; CREATE EXTENSION audit_trail; SELECT audit.init()});
$node->safe_psql('second', q{INSERT INTO audit.context_source (field, priority, setting) VALUES ('actor', 9, 'x.y'); SELECT audit.seal_now()});
like($node->safe_psql('second', q{SELECT status || detail FROM audit.doctor() WHERE "check" = 'checkpoints'}),
	qr/^problem/, 'a second log is not signed into the file of the first');
is_sound_file('nor does it disturb that');

is($node->safe_psql('postgres', 'SELECT object FROM audit.verify()'), 'ok', 'verified');
$node->stop;
done_testing();

sub seal
{
	return $node->safe_psql('postgres', 'SELECT size FROM audit.seal_now()');
}

sub insert
{
	return $node->safe_psql('postgres', 'INSERT INTO orders SELECT coalesce(max(id), 0) + 1 FROM orders; SELECT size FROM audit.seal_now()');
}

# The notes of the file: origin, size, root and signature, in its order.
sub notes
{
	my $content = slurp_file($file);
	my @found;

	push @found, $1 while $content =~ m{(example\.org/shop\n\d+\n\S{44}\n\n\xE2\x80\x94 example\.org/shop \S{92}\n)}g;
	return @found;
}

sub doctor
{
	return $node->safe_psql('postgres', q{SELECT status FROM audit.doctor() WHERE "check" = 'checkpoints'});
}

sub refusal
{
	my ($call) = @_;
	my ($status, $out, $err) = $node->psql('postgres', "SELECT $call");

	return $status == 0 ? 'none' : $err;
}

# Refused by the sealer, in the server's log, and by the doctor.
sub is_refused
{
	my ($complaint, $what) = @_;

	seal();
	like($node->safe_psql('postgres', q{SELECT status, detail FROM audit.doctor() WHERE "check" = 'checkpoints'}),
		qr/^problem\|.*$complaint/, "refused: $what");
	like(slurp_file($node->logfile, $said), qr/the head of the audit log is not signed.*$complaint/s, 'the server log says so');
	$said = -s $node->logfile;
}

sub openssl_verifies
{
	my ($text, $signature) = @_;
	my $key = decode_base64((split /\+/, $vkey, 3)[2]);

	unlink map { "$folder/$_" } 'der', 'text', 'signature';
	append_to_file("$folder/der", pack('H*', '302a300506032b6570032100') . substr($key, 1));
	append_to_file("$folder/text", $text);
	append_to_file("$folder/signature", substr(decode_base64($signature), 4));
	return run_log([ 'openssl', 'pkeyutl', '-verify', '-pubin', '-keyform', 'DER', '-inkey', "$folder/der",
		'-rawin', '-in', "$folder/text", '-sigfile', "$folder/signature" ]);
}

# Sizes only grow, roots are those of the log, all of it is signed, nobody raised an alarm.
sub is_sound
{
	my ($when) = @_;

	is_sound_file($when);
	is(doctor(), 'ok', "$when: all is signed");
	unlike(slurp_file($node->logfile, $said), qr/is not signed|cannot be signed/, "$when: no false alarm");
}

# Nothing waits to be sealed, what is sealed verifies, and a client of the exported log agrees.
sub is_whole
{
	my ($when) = @_;

	is($node->safe_psql('postgres', 'SELECT transactions FROM audit.seal_lag()'), 0, "$when: nothing is unsealed");
	is($node->safe_psql('postgres', 'SELECT object FROM audit.verify()'), 'ok', 'all of it verifies');
	is($node->safe_psql('postgres', 'SELECT count(*) = (SELECT count(*) / 256 FROM audit.log_entry) FROM audit.log_tile'), 't', 'each full tile is stored');
	$node->safe_psql('postgres', "SELECT audit.export_tlog('$folder/log')");

	my $checkpoint = read_checkpoint("$folder/log");

	is($checkpoint->{text} eq ((notes())[-1] =~ /\A(.*\n)\n/s)[0] && tree_hash(read_log("$folder/log", $checkpoint->{size})->{hashes}[0]) eq $checkpoint->{root} ? 1 : 0, 1, 'and is exported');
	return;
}

# Seal until the next entry makes a tile full: the one before is the 255th of it.
sub fill_but_one
{
	my $size = seal();

	until ($size % 256 == 255)
	{
		$size = insert();
	}
	return;
}

# Kill the postmaster in the middle of an export.
sub die_exporting
{
	my $hold = hold_point($node, 'export-written');
	my $run;

	insert();
	$run = IPC::Run::start([ 'psql', '-XqAt', '-d', $node->connstr('postgres'), '-c', "SELECT audit.export_tlog('$folder/log')" ],
		'<', \undef, '>', \my $out, '2>', \my $err);
	wait_until_held($node, 'export-written');
	$node->kill9;
	$run->kill_kill;
	$hold->{run}->kill_kill;
	start_again();
	wait_for('a pass', sub { $node->psql('postgres', 'SELECT audit.seal_now()') == 0 });
	return;
}

sub is_sound_file
{
	my ($when) = @_;
	my %root = map { split /\|/ } split /\n/, $node->safe_psql('postgres', q{SELECT size, encode(root, 'base64') FROM audit.checkpoint});
	my ($last, @bad) = (0);

	foreach my $note (notes())
	{
		my (undef, $size, $signed) = split /\n/, $note;

		push @bad, $size if $size < $last || ($root{$size} // '') ne $signed;
		$last = $size;
	}
	is("@bad", '', "$when: one root for each size, that of the log");
}

sub start_pass
{
	return IPC::Run::start([ 'psql', '-XqAt', '-d', $node->connstr('postgres'), '-c', 'SELECT audit.seal_now()' ],
		'<', \undef, '>', \my $out, '2>', \my $err);
}

sub die_at
{
	my ($point, $victim) = @_;
	my $hold = hold_point($node, $point);

	$node->safe_psql('postgres', 'INSERT INTO orders SELECT coalesce(max(id), 0) + 1 FROM orders');
	my $pass = start_pass();
	wait_until_held($node, $point);
	if ($victim eq 'postmaster')
	{
		$node->kill9;
	}
	else
	{
		kill 'KILL', sealer();
	}
	$pass->kill_kill;
	$hold->{run}->kill_kill;
	start_again() if $victim eq 'postmaster';
	wait_for('the server answers', sub { $node->psql('postgres', 'SELECT 1') == 0 });
	wait_for('a pass', sub { $node->psql('postgres', 'SELECT audit.seal_now()') == 0 });
}

sub sealer
{
	return $node->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE backend_type LIKE '%sealer%' AND datname = 'postgres'});
}

# Are these bytes anywhere in the process's own memory?
sub memory_has
{
	my ($pid, $bytes) = @_;
	my $found = 0;

	open my $memory, '<:raw', "/proc/$pid/mem" or die "memory of $pid: $!";
	foreach my $map (split /\n/, slurp_file("/proc/$pid/maps"))
	{
		my ($from, $to) = $map =~ /^([0-9a-f]+)-([0-9a-f]+) rw.p/ or next;
		my $part = '';

		sysseek($memory, hex $from, 0) or next;
		sysread($memory, $part, hex($to) - hex($from)) or next;
		$found = 1 if index($part, $bytes) >= 0;
	}
	close $memory;
	return $found;
}

# Orphans of a killed postmaster hold the shared memory for a moment.
sub start_again
{
	wait_for('the server starts', sub { $node->start(fail_ok => 1) || do { $node->stop('fast', fail_ok => 1); 0 } });
}

sub copy_data
{
	my ($from, $to) = @_;

	PostgreSQL::Test::RecursiveCopy::copypath($from, $to);
}

sub set_back
{
	$node->stop;
	File::Path::rmtree($node->data_dir);
	copy_data("$folder/old", $node->data_dir);
	chmod 0700, $node->data_dir;
	$said = -s $node->logfile;
	$node->start;
}
