# What a real server gives out, verified without it by contrib/audit_verify: proofs, checkpoints, logs
# and bundles; bundles also by the second check, in shell. And what a server gives out after somebody who
# owns the machine has set it back.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('audit_verify');
my $folder = PostgreSQL::Test::Utils::tempdir;
my $check = "$ENV{TESTDIR}/contrib/audit_verify/test/check_bundle";
my $exports = 0;
my ($status, $out, $err);

$node->init;
$node->append_conf('postgresql.conf', qq{
shared_preload_libraries = 'audit_trail'
max_worker_processes = 20
fsync = off
audit_trail.seal_interval = 1h
audit_trail.signing_key_file = '$folder/key'
audit_trail.checkpoint_file = '$folder/checkpoints'
});
$node->start;
$node->safe_psql('postgres', q{
	SET client_min_messages = error;
	CREATE EXTENSION audit_trail;
	CREATE TABLE orders (id int PRIMARY KEY, total numeric, note text);
	SELECT audit.enable('orders', resource_type => 'order')});
my $vkey = $node->safe_psql('postgres', "SELECT audit.create_signing_key('$folder/key', 'example.org/shop')");
my @trust = ('--key', $vkey);

# Sessions, transactions whole and rolled back in part, batches of many tiles, hostile values.
$node->safe_psql('postgres', q{
	INSERT INTO orders VALUES (1, 10.50, 'first');
	BEGIN;
	SELECT audit.set_context(actor => E'<b>anna</b>\u202e\u0007', reason => 'the customer "called" \\', request_id => 'r-1');
	UPDATE orders SET total = 11.00 WHERE id = 1;
	SAVEPOINT s;
	DELETE FROM orders;
	ROLLBACK TO s;
	INSERT INTO orders VALUES (2, 1e100, E'<script>alert("&")</script>\u202e\u0007\n\ttab');
	COMMIT});
seal();
$node->safe_psql('postgres', "INSERT INTO orders SELECT g, g, repeat('x', 100) FROM generate_series(10, 1500) g");
$node->safe_psql('postgres', 'TRUNCATE orders');
seal();
keep('early');
$node->restart;
for (1 .. 3)
{
	$node->safe_psql('postgres', "INSERT INTO orders VALUES ($_, $_)");
	seal();
}
my $bundle = bundle(q{query => 'SELECT event_id FROM audit.events ORDER BY tx_id, ordinal LIMIT 30'});
my $one = bundle(q{query => $$SELECT event_id FROM audit.events WHERE resource_id = '2' AND action = 'insert' ORDER BY tx_id LIMIT 1$$});

# proofs
my @events = split /\n/, $node->safe_psql('postgres', q{SELECT event_id FROM audit.events WHERE resource_type = 'order' AND ordinal IN (1, 2, 255, 256, 257, 1491) ORDER BY tx_id, ordinal});
cmp_ok(scalar @events, '>', 8, 'events');
foreach my $event (@events)
{
	my $proof = write_file('proof', $node->safe_psql('postgres', "SELECT audit.prove('$event')") . "\n");

	like(valid("the proof of $event", @trust, $proof), qr/^  event_id +\Q$event\E$/m, 'tells it');
}

# checkpoints
keep('now');
my ($early, $now) = map { (split /\n/, slurp_file("$folder/$_"))[1] } 'early', 'now';
my $way = write_file('way', $node->safe_psql('postgres', "SELECT audit.prove_consistency($early, $now)") . "\n");
like(valid('a checkpoint', @trust, '-c', "$folder/early", '-p', $way, "$folder/now"), qr/the log goes on from the checkpoint that you kept, of size $early$/m, 'goes on from another');
valid('the file of checkpoints is what was kept', @trust, '-c', "$folder/checkpoints", export());

# bundles, by both
agree("$_->[0]", $_->[1], 0) foreach [ 'a bundle of 30 events', $bundle ], [ 'a bundle of one event', $one ];
like(valid('as an archive', @trust, "$one.tar"), qr/^  events +1$/m, 'it is told');
unlike($out, qr/[^\x20-\x7e\n]/, 'nothing hostile comes out');
$node->safe_psql('postgres', "SELECT audit.export_evidence('{$events[0]}', directory => '$folder/written')");
agree('a bundle that the server wrote to a directory', "$folder/written", 0);
faulty('under another key', qr/nobody vouches for the key/, '-k', other_key(), $one);
foreach my $path (split /\n/, run_command([ 'sh', '-c', "cd '$one' && find . -type f" ]))
{
	my $bytes = slurp("$one/$path");
	my $name = $path =~ s{^\./}{}r;

	write_bytes("$one/$path", $bytes ^ "\0" x (length($bytes) / 2) . "\1");
	faulty("a bit of $name", $name eq 'MANIFEST' ? qr/: \w/ : qr/^  \Q$name\E: its bytes are not those of MANIFEST$/m, @trust, $one);
	write_bytes("$one/$path", $bytes);
}

# the log, and an older state of it
my $log = export();
like(valid('the log', @trust, '-c', "$folder/early", $log), qr/^  they hold 5 batches with the hashes of \d+ transactions and \d+ events$/m, 'tells what it holds');
$node->stop;
system_or_bail('cp', '-a', $node->data_dir, "$folder/copy");

# a new key
$node->start;
my $second = $node->safe_psql('postgres', "SELECT audit.create_signing_key('$folder/key2', 'example.org/shop')");
$node->adjust_conf('postgresql.conf', 'audit_trail.signing_key_file', "'$folder/key2'");
$node->restart;
$node->safe_psql('postgres', "INSERT INTO orders VALUES (20, 20, 'by the second key')");
seal();
keep('late');
my $later = export();
like(valid('a log with a second key', @trust, '-k', $second, '-c', "$folder/late", $later), qr/the log, with a key that you gave$/m, 'that was given');
like(valid('the same, where only the first is known', @trust, $later), qr/vouches for it by 1 endorsement$/m, 'or endorsed');
agree('a bundle by the second key', bundle(q{query => $$SELECT event_id FROM audit.events WHERE resource_id = '20'$$}), 0);

# Set back to the copy, with the first key, by who owns the machine; the log goes on otherwise.
$node->stop;
system_or_bail('rm', '-rf', $node->data_dir);
system_or_bail('mv', "$folder/copy", $node->data_dir);
$node->start;
$node->safe_psql('postgres', "INSERT INTO orders VALUES (20, 20, 'forged')");
$node->safe_psql('postgres', 'SELECT audit.seal_now()');
$node->safe_psql('postgres', q{SELECT audit.new_incarnation('lost the disk')});
seal();
keep('forged');
my $forged = export();
like(valid('a log that goes on after it was set back', @trust, $forged), qr/^  entry \d+, .*: declared: \{.*lost the disk/m, 'tells that it was');
faulty('but who kept a checkpoint sees that history was rewritten', qr/checkpoint: (history was rewritten|the log was set back|the log was forked)/, @trust, '-k', $second, '-c', "$folder/late", $forged);
valid('who kept one from before does not', @trust, '-c', "$folder/early", $forged);
faulty('nor is the forged checkpoint of the true log', qr/checkpoint: (history was rewritten|the log was set back|the log was forked)/, @trust, '-k', $second, '-c', "$folder/forged", $later);

$node->stop;
done_testing();

sub seal
{
	return $node->safe_psql('postgres', 'SELECT size FROM audit.seal_now()');
}

sub keep
{
	my ($name) = @_;

	return write_file($name, $node->safe_psql('postgres', 'SELECT audit.checkpoint()') . "\n");
}

# The log as files; the folder.
sub export
{
	my $place = "$folder/log" . ++$exports;

	mkdir $place;
	$node->safe_psql('postgres', "SELECT audit.export_tlog('$place')");
	return $place;
}

# A bundle as an archive, NAME.tar, and unpacked, NAME.
sub bundle
{
	my ($arguments) = @_;
	my $place = "$folder/bundle" . ++$exports;

	write_bytes("$place.tar", pack('H*', $node->safe_psql('postgres', "SELECT encode(archive, 'hex') FROM audit.export_evidence($arguments)")));
	mkdir $place;
	system_or_bail('tar', '-xf', "$place.tar", '-C', $place);
	return $place;
}

# Both checks of a bundle, for the first key.
sub agree
{
	my ($name, $place, $expected) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(audit_verify(@trust, $place), $expected, "$name: audit_verify") or diag("$out$err");
	IPC::Run::run([ 'sh', $check, $place, $vkey ], '>', \$out, '2>', \$err);
	is($? >> 8, $expected, "$name: the check in shell") or diag("$out$err");
}

sub valid
{
	my ($name, @arguments) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(audit_verify(@arguments), 0, $name) or diag("$out$err");
	return $out;
}

sub faulty
{
	my ($name, $like, @arguments) = @_;
	my $code = audit_verify(@arguments);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($code == 1 && $out =~ $like, $name) or diag("exit code $code\n$out$err");
}

sub audit_verify
{
	($out, $err) = ('', '');
	IPC::Run::run([ 'audit_verify', @_ ], '>', \$out, '2>', \$err);
	return $? & 127 ? 128 : $? >> 8;
}

sub other_key
{
	return $node->safe_psql('postgres', "SELECT audit.create_signing_key('$folder/other', 'example.org/shop')");
}

sub write_file
{
	my ($name, $content) = @_;

	return write_bytes("$folder/$name", $content);
}

sub write_bytes
{
	my ($path, $content) = @_;

	open my $file, '>:raw', $path or die "$path: $!";
	print $file $content;
	close $file or die "$path: $!";
	return $path;
}

sub slurp
{
	my ($path) = @_;

	open my $file, '<:raw', $path or die "$path: $!";
	local $/;
	return scalar <$file>;
}
