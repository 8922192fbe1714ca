# All that was sealed as files: audit_verify checks it without a server, exports add to each other
# and may be killed anywhere, and whatever is changed, in the files or in the ledger, is told.
use strict;
use warnings;
use Digest::SHA qw(sha256);
use File::Find qw(find);
use File::Path;
use FindBin;
use lib $FindBin::RealBin;
use Pages;
use Polling;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::RecursiveCopy;
use PostgreSQL::Test::Utils;
use Test::More;

my @points = qw(export-opened export-written export-renamed export-synced export-published);
my $node = PostgreSQL::Test::Cluster->new('archive');
my $folder = PostgreSQL::Test::Utils::tempdir;
my $archive = "$folder/archive";
my $first_segment = 'segment/000000000000-000000000000.atg';

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
	CREATE EXTENSION audit_trail;
	CREATE TABLE orders (id bigserial PRIMARY KEY, note text);
	SELECT audit.enable('orders');
	CREATE PROCEDURE place(wanted int) LANGUAGE plpgsql AS $$
	BEGIN
		FOR i IN 1 .. wanted LOOP
			PERFORM audit.set_context(actor => 'actor ' || i % 7, reason => 'archive');
			INSERT INTO orders (note) VALUES (repeat('n', i));
			COMMIT;
		END LOOP;
	END $$});
mkdir $archive or die $!;
like(refusal("audit.export_archive('$archive')"), qr/nothing to export/, 'refused: a log that was never signed');
my $vkey = $node->safe_psql('postgres', "SELECT audit.create_signing_key('$folder/key', 'example.org/shop')");

# Several batches in a segment; a batch in several segments; a transaction too; big values; a session each.
$node->safe_psql('postgres', $_)
  foreach 'CALL place(30)', 'SELECT audit.seal_now()', "INSERT INTO orders (note) SELECT md5(i::text) FROM generate_series(1, 2500) i",
  'SELECT audit.seal_now()',
  "BEGIN; INSERT INTO orders (note) VALUES ('first'); SAVEPOINT s; INSERT INTO orders (note) VALUES ('never'); ROLLBACK TO s; UPDATE orders SET note = 'second' WHERE note = 'first'; COMMIT",
  "INSERT INTO orders (note) SELECT string_agg(md5(i::text), '') FROM generate_series(1, 150000) i", 'UPDATE orders SET note = note || 1 WHERE id % 3 = 0',
  'CALL place(1200)', 'SELECT audit.seal_now()';
my $early = slurp_file("$folder/checkpoints");
my @result = export();
is("@result[0, 2]", $node->safe_psql('postgres', 'SELECT (SELECT max(size) FROM audit.checkpoint) || $$ $$ || (SELECT count(*) FROM audit.event)'),
	'all entries and events are exported');
is($result[1], scalar(grep { /\.atg$/ } keys %{ { files() } }), 'in as many segments as it says');
cmp_ok($result[1], '>', 4, 'which are several');
like(verify(0), qr/all of these $result[2] events/, 'audit_verify proves all events');
my $raw = $node->safe_psql('postgres', "SELECT sum(pg_column_size(e.*)) FROM audit.event e");
cmp_ok(size_of_files(), '<', $raw, 'it is smaller than the rows in the table');

# It goes on, and is then what one export at once is, but for where segments end.
my %before = files();
is_deeply([ export() ], [ $result[0], 0, 0 ], 'where nothing is new, nothing is written');
is_deeply({ files() }, \%before, 'nor changed');
$node->safe_psql('postgres', $_) foreach 'CALL place(5)', 'SELECT audit.seal_now()', 'DELETE FROM orders WHERE id % 2 = 0', 'SELECT audit.seal_now()';
@result = export();
cmp_ok($result[2], '<', 3000, 'what is new is added');
my %now = files();
is_deeply([ grep { ($now{$_} // '') ne $before{$_} } sort keys %before ], ['checkpoint'], 'and nothing changed but the checkpoint');
verify(0);
verify(0, '--checkpoint', write_file('early', $early));
mkdir "$folder/fresh" or die $!;
export("$folder/fresh");
verify(0, "$folder/fresh");
mkdir "$folder/fresh2" or die $!;
export("$folder/fresh2");
is_deeply({ files("$folder/fresh2") }, { files("$folder/fresh") }, 'two exports of one log are equal');

# Killed at each step
foreach my $point (@points)
{
	$node->safe_psql('postgres', $_) foreach 'CALL place(3)', 'SELECT audit.seal_now()';
	kill_at($point);
	verify(0);
	export();
	verify(0);
}

# What an attacker can do to the files. Checksums are not secret, so they are put right again.
my @files = sort keys %{ { files() } };
srand(1);
foreach my $file (@files)
{
	changed($file, sub { substr($_, int(rand(length)), 1) ^= chr(1 << int(rand(8))) }, "a bit of $file");
}
my $middle = (grep { /-000000001\d+\.atg/ } @files)[0];
ok($middle, 'a segment begins in the middle of a batch');
changed($middle, sub { $_ = substr($_, 0, -100) }, 'a segment cut off');
changed($middle, sub { substr($_, 60, 1) ^= "\1"; reseal() }, 'the count in a header, with its checksum');
changed($middle, sub { substr($_, 90, 1) ^= "\1"; reseal() }, 'the frame, with its checksum');
changed($middle, sub { $_ = slurp_file("$archive/$first_segment") }, 'a segment in the place of another');
rename "$archive/$middle", "$archive/aside" or die $!;
like(verify(1), qr/\Q$middle\E.*missing/, 'a segment taken away is missed');
rename "$archive/aside", "$archive/$middle" or die $!;
changed('checkpoint', sub { s/^(\d+)$/$1 - 1/em }, 'the size in the checkpoint');
verify(0);
is(run_verify('--key', other_key(), $archive), 1, 'another key does not vouch for it');
is(run_verify($archive), 2, 'nor does nobody');

# Directories of other exports
mkdir "$folder/log" or die $!;
$node->safe_psql('postgres', "SELECT audit.export_tlog('$folder/log')");
like(refusal("audit.export_archive('$folder/log')"), qr/no directory "segment"/, 'refused: a directory that has a log of tiles');
like(refusal("audit.export_tlog('$archive')"), qr/no directory "tile"/, 'and the reverse');
mkdir "$folder/fork" or die $!;
append_to_file("$folder/fork/checkpoint", slurp_file("$archive/checkpoint") =~ s/^(\d+)$/$1 - 1/emr);
mkdir "$folder/fork/segment";
like(refusal("audit.export_archive('$folder/fork')"), qr/does not have its checkpoint of size \d+ as its beginning/, 'refused: the archive of a fork');
$node->safe_psql('postgres', q{CREATE ROLE auditor LOGIN; GRANT USAGE ON SCHEMA audit TO auditor});
like(refusal("audit.export_archive('$archive')", 'auditor'), qr/permission denied for function export_archive/, 'refused: whoever was not granted it');
$node->safe_psql('postgres', 'GRANT EXECUTE ON FUNCTION audit.export_archive(text) TO auditor');
like(refusal("audit.export_archive('$archive')", 'auditor'), qr/pg_write_server_files/, 'and those who may not write files of the server');
$node->safe_psql('postgres', 'GRANT pg_write_server_files TO auditor');
is(refusal("audit.export_archive('$archive')", 'auditor'), 'none', 'who may needs no other right');

# What was changed in the ledger is not exported.
my $event = place_of("audit.event_1_" . $node->safe_psql('postgres', q{SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYYMM')}), q{ordinal = 2 AND new_values::text ~ '"note":"[0-9a-f]{32}"'});
my $tile = place_of('audit.leaf_tile', 'tile = 0');
my $transaction = place_of("audit.transaction_1_" . $node->safe_psql('postgres', q{SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYYMM')}), 'event_count = 1');
my ($database) = $event->[0] =~ m{^(.*)/[^/]+$};
$node->stop;
PostgreSQL::Test::RecursiveCopy::copypath($database, "$folder/untouched");
foreach my $case (
	[ 'a changed event', sub { edit_row($event, sub { s/note/nota/ }) }, qr/Of entry \d+: the events and transactions of a batch do not give its root/ ],
	[ 'an event taken away', sub { remove_row($event) }, qr/Of entry \d+: event \d+\.2 is missing or was added/ ],
	[ 'a transaction taken away', sub { remove_row($transaction) }, qr/Of entry \d+: transaction \d+ is missing/ ],
	[ 'a tile taken away', sub { remove_row($tile) }, qr/Of entry \d+: a tile of its leaves is missing/ ])
{
	my ($what, $change, $complaint) = @$case;
	my $to = "$folder/" . ($what =~ tr/ /_/r);

	mkdir $to or die $!;
	$change->();
	$node->start;
	like(refusal("audit.export_archive('$to')"), $complaint, "not exported: $what");
	ok(!-e "$to/checkpoint", 'there is no checkpoint');
	$node->stop;
	File::Path::rmtree($database);
	PostgreSQL::Test::RecursiveCopy::copypath("$folder/untouched", $database);
}
done_testing();

# (size, segments, events)
sub export
{
	my ($directory) = @_;

	return split /\|/, $node->safe_psql('postgres', "SELECT * FROM audit.export_archive('" . ($directory // $archive) . "')");
}

sub run_verify
{
	my (@arguments) = @_;
	my ($out, $err);

	run_log([ 'audit_verify', @arguments ], '>', \$out, '2>', \$err);
	note($out, $err);
	$main::said = $out . $err;
	return $? >> 8;
}

# What audit_verify says, which must end with this code.
sub verify
{
	my ($code, @arguments) = @_;

	push @arguments, $archive if !@arguments || !-d $arguments[-1];
	is(run_verify('--key', $vkey, @arguments), $code, $code ? 'it is not valid' : 'it is valid');
	return $main::said;
}

# A file of the archive is not what it was; verified, and put back.
sub changed
{
	my ($name, $change, $what) = @_;
	my $path = "$archive/$name";
	my $was = slurp_file($path);
	local $_ = $was;

	$change->();
	die 'nothing was changed' if $_ eq $was;
	write_whole($path, $_);
	is(run_verify('--key', $vkey, $archive), 1, "told: $what");
	like($main::said, qr/\Q$name\E|segment\/|checkpoint/, 'with the part');
	write_whole($path, $was);
	return;
}

sub reseal
{
	substr($_, -32) = sha256(substr($_, 0, -32));
	return;
}

sub write_whole
{
	my ($path, $bytes) = @_;

	open my $file, '>:raw', $path or die "$path: $!";
	print $file $bytes;
	close $file or die "$path: $!";
	return;
}

sub write_file
{
	my ($name, $bytes) = @_;

	write_whole("$folder/$name", $bytes);
	return "$folder/$name";
}

sub other_key
{
	return $node->safe_psql('postgres', "SELECT audit.create_signing_key('$folder/other_key', 'example.org/shop')");
}

sub files
{
	my ($directory) = @_;
	my %found;

	$directory //= $archive;
	find({ no_chdir => 1, wanted => sub { $found{ substr($_, length($directory) + 1) } = sha256(slurp_file($_)) if -f } }, $directory);
	return %found;
}

sub size_of_files
{
	my $size = 0;

	find({ no_chdir => 1, wanted => sub { $size += -s if -f } }, $archive);
	return $size;
}

sub refusal
{
	my ($call, $user) = @_;
	my ($status, $out, $err) = $node->psql('postgres', "SELECT $call", $user ? (extra_params => [ '-U', $user ]) : ());

	return $status == 0 ? 'none' : $err;
}

# Kill the exporting backend where it is held.
sub kill_at
{
	my ($point) = @_;
	my $hold = $node->background_psql('postgres');

	$hold->query("SELECT pg_advisory_lock(1096107092, hashtext('$point'))");
	my $run = IPC::Run::start([ 'psql', '-XqAt', '-d', $node->connstr('postgres'), '-c', "SELECT audit.export_archive('$archive')" ], '<', \undef, '>', \my $o, '2>', \my $e);
	$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
		AND classid = 1096107092 AND objid::int8 = hashtext('$point')::int8 & 4294967295") or die "not held at $point";
	kill 'KILL', $node->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE query LIKE 'SELECT audit.export_archive%' AND pid <> pg_backend_pid()});
	$run->finish;
	$hold->{run}->kill_kill;
	$node->poll_query_until('postgres', 'SELECT audit.seal_now() IS NOT NULL OR true') or die 'the server did not come back';
	return;
}

sub place_of
{
	my ($table, $which) = @_;
	my ($path, $block, $item) = split /\|/, $node->safe_psql('postgres', "SELECT pg_relation_filepath(tableoid), (ctid::text::point)[0], (ctid::text::point)[1] FROM $table t WHERE $which ORDER BY t.ctid LIMIT 1");

	return [ $node->data_dir . "/$path", $block, $item ];
}
