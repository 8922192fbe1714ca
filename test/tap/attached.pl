# An archive of one server is attached to another: read in the columns of audit.events, searched and verified there, told apart from its
# own trail; and whatever was done to its files is an error that says what, in bounded memory, and never an answer.
use strict;
use warnings;
use Digest::SHA qw(sha256);
use File::Path;
use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::RecursiveCopy;
use PostgreSQL::Test::Utils;
use Test::More;

my $folder = PostgreSQL::Test::Utils::tempdir;
my $archive = "$folder/archive";
my ($shop, $bank) = map { PostgreSQL::Test::Cluster->new($_) } qw(shop bank);

for my $node ($shop, $bank)
{
	my $name = $node->name;

	$node->init;
	$node->append_conf('postgresql.conf', qq{
shared_preload_libraries = 'audit_trail'
max_worker_processes = 20
fsync = off
autovacuum = off
audit_trail.seal_interval = 1h
audit_trail.verify_interval = 0
audit_trail.signing_key_file = '$folder/$name.key'
audit_trail.checkpoint_file = '$folder/$name.checkpoints'
});
	$node->start;
	$node->safe_psql('postgres', q{CREATE EXTENSION audit_trail; CREATE TABLE orders (id bigserial PRIMARY KEY, note text); SELECT audit.enable('orders')});
}
my $key = $shop->safe_psql('postgres', "SELECT audit.create_signing_key('$folder/shop.key', 'example.org/shop')");
my $other_key = $bank->safe_psql('postgres', "SELECT audit.create_signing_key('$folder/bank.key', 'example.org/bank')");
$shop->safe_psql('postgres', $_)
  foreach q{INSERT INTO orders (note) SELECT md5(i::text) FROM generate_series(1, 2500) i},
  q{BEGIN; SELECT audit.set_context(actor => 'anna', request_id => 'r1', reason => 'a call'); UPDATE orders SET note = 'seen' WHERE id = 7; COMMIT},
  q{BEGIN; SELECT audit.set_context(actor => 'bert'); UPDATE orders SET note = 'once' WHERE id = 8; SELECT audit.set_context(actor => 'carl'); DELETE FROM orders WHERE id = 9; COMMIT},
  'SELECT audit.seal_now()', q{INSERT INTO orders (note) SELECT md5(i::text) FROM generate_series(1, 1200) i}, 'SELECT audit.seal_now()';
mkdir $archive or die $!;
my ($size, $segments, $events) = split /\|/, $shop->safe_psql('postgres', "SELECT * FROM audit.export_archive('$archive')");
cmp_ok($segments, '>', 3, 'there are several segments');
$bank->safe_psql('postgres', q{INSERT INTO orders (note) SELECT 'own' FROM generate_series(1, 50)});
$bank->safe_psql('postgres', 'SELECT count(*) FROM audit.create_roles()');
$bank->safe_psql('postgres', 'CREATE ROLE audra LOGIN IN ROLE audit_auditor, pg_read_server_files; CREATE ROLE mallory LOGIN IN ROLE audit_admin; CREATE ROLE audit_only LOGIN IN ROLE audit_auditor');

# Attached by whom it may be, for the key that is given.
like(error("SELECT * FROM audit.attach_archive('shop', '$archive', '$key')", 'mallory'), qr/permission denied/, 'refused: who is no auditor');
like(error("SELECT * FROM audit.attach_archive('shop', '$archive', '$key')", 'audit_only'), qr/pg_read_server_files/, 'refused: who may not read files');
like(error("SELECT * FROM audit.attach_archive('shop', 'archive', '$key')"), qr/relative path/, 'refused: a relative path');
like(error("SELECT * FROM audit.attach_archive('shop', '$archive', 'key')"), qr/not the public key of a log/, 'refused: what is no key');
like(error("SELECT * FROM audit.attach_archive('shop', '$archive', '$other_key')"), qr/Of its checkpoint: /, 'refused: the key of another');
is(value('SELECT count(*) FROM audit.attached_archive'), 0, 'nothing is attached by that');
is(value("SELECT * FROM audit.attach_archive('shop', '$archive', '$key')", 'audra'), join('|', 'example.org/shop', $size, $segments, $events,
	$shop->safe_psql('postgres', 'SELECT count(*) FROM audit.transaction')), 'an archive is attached');
is(value('SELECT attached_by || $$ $$ || origin FROM audit.attached_archive'), 'audra example.org/shop', 'it is on record by whom, and whose it is');
like(error("SELECT * FROM audit.attach_archive('shop', '$archive', '$key')"), qr/duplicate key/, 'once by a name');

# Read: the same as there, and told apart from what is here.
my $columns = 'event_id, occurred_at, event_type, action, resource_type, resource_id, table_schema, table_name, actor, actor_type, actor_source, db_user, db_role,
	application_name, session_id, request_id, reason, claimed_session, claimed_client_ip, trace_parent, old_values::text, new_values::text, changed, extra::text,
	trigger_depth, statement, tx_id, ordinal, tx_at, committed_at, xid, sentence';
my $all = "SELECT count(*) || ' ' || md5(string_agg(x::text, chr(10) ORDER BY tx_id, ordinal)) FROM (SELECT $columns FROM %s";
is(value(sprintf($all, "audit.attached_events('shop')") . ') x', 'audra'), $shop->safe_psql('postgres', sprintf($all, 'audit.events') . ') x'),
	'each event has the columns that it has there');
is(value(q{SELECT string_agg(DISTINCT archive_name || ' ' || origin, ',') FROM audit.attached_events('shop')}), 'shop example.org/shop', 'each says whose it is');
is(value(q{SELECT count(*) FROM audit.events WHERE table_name = 'orders'}), 50, 'the trail of the server is its own');
is(value(q{SELECT string_agg(actor || ' ' || action, ', ' ORDER BY tx_id, ordinal) FROM audit.attached_events('shop', resource_id => '9')}), 'postgres insert, carl delete', 'the life of a record, with who acted in the middle of a transaction');
is(value(q{SELECT string_agg(resource_id || ' ' || actor, ', ' ORDER BY resource_id) FROM audit.search_attached('shop', '{"actor": ["anna", "bert"]}')}), '7 anna, 8 bert', 'it is searched');
is(value(q{SELECT string_agg(resource_id, ',') FROM audit.search_attached('shop', '{"request_id": "r1"}', condition => '$.new.note ? (@ == "seen")')}), '7', 'by values too');
my $middle = value(q{SELECT committed_at FROM audit.attached_events('shop') WHERE request_id = 'r1'});
is(value("SELECT count(*) FROM audit.attached_events('shop', since => '$middle')"), value("SELECT count(*) FROM audit.attached_events('shop') WHERE tx_at >= '$middle'"), 'a time chooses');
is(value("SELECT count(*) FROM audit.attached_events('shop', until => '$middle')") + value("SELECT count(*) FROM audit.attached_events('shop', since => '$middle')"), $events, 'and leaves nothing out');
is(value(q{SELECT audit.verify_attached('shop') IS NULL}), 't', 'it verifies');

# Only segments that can have what is asked for are read.
cmp_ok(read_for(q{SELECT count(*) FROM audit.attached_events('shop', resource_id => '7')}), '<', 3, 'a record: few are read');
is(value(q{SELECT count(*) FROM audit.attached_events('shop', resource_id => '7')}), 2, 'and all of it is found');
is(read_for(q{SELECT count(*) FROM audit.attached_events('shop', resource_id => 'none')}), 0, 'a record that is not there: none');
cmp_ok(read_for(q{SELECT count(*) FROM audit.search_attached('shop', '{"actor": "nobody"}')}), '<', 3, 'an actor who did nothing: only where somebody came in the middle');
cmp_ok(read_for(q{SELECT count(*) FROM audit.search_attached('shop', '{"actor": "anna"}')}), '<', 3, 'an actor who did little: few');
is(value(q{SELECT string_agg(action, ' ') FROM audit.search_attached('shop', '{"actor": "carl"}')}), 'delete', 'one who came in the middle of a transaction is found');
is(read_for(q{SELECT count(*) FROM audit.search_attached('shop', '{"table_name": "nothing"}')}), 0, 'a table that is not there: none');
cmp_ok(read_for(q{SELECT count(*) FROM audit.search_attached('shop', '{"request_id": "r2"}')}), '<', 3, 'a request that is not there: likewise');
is(read_for(q{SELECT count(*) FROM audit.attached_events('shop', of_tx_id => 5)}), 0, 'a transaction that is not there: none');
is(read_for(q{SELECT count(*) FROM audit.attached_events('shop')}), value(q{SELECT count(*) FROM audit.attached_segment WHERE events > 0}), 'all events: all that have some');
my ($one) = value(q{SELECT tx_id FROM audit.attached_events('shop') WHERE request_id = 'r1'});
cmp_ok(read_for("SELECT count(*) FROM audit.attached_events('shop', of_tx_id => $one)"), '<', 3, 'a transaction: few');

# Page by page, newest first: each event once, and a page reads few segments.
my $pages = "SELECT string_agg(event_id, ' ') FROM (SELECT event_id FROM audit.%s ORDER BY tx_at DESC, tx_id DESC, ordinal DESC) s";
my (@seen, $last);
while (1)
{
	my $given = defined $last ? "'$last'" : 'NULL';
	my @page = split /\n/, value("SELECT event_id FROM audit.search_attached('shop', max_rows => 700, before => $given)");

	last if !@page;
	push @seen, @page;
	$last = $page[-1];
}
is("@seen", value(sprintf($pages, "attached_events('shop')")), 'pages have each event once, in order');
cmp_ok(read_for(q{SELECT count(*) FROM audit.search_attached('shop', max_rows => 10)}), '<', 5, 'the newest ones are read from the newest segments');
like(error(q{SELECT * FROM audit.search_attached('shop', before => '99999.1')}), qr/event "99999.1" does not exist.*search_attached/s, 'one that is not there is said');
my @segments = map { s{.*/}{}r } sort glob "$archive/segment/*.atg";
rename "$archive/segment/$segments[1]", "$folder/away" or die $!;
is(value(q{SELECT count(*) FROM audit.search_attached('shop', '{"request_id": "r1"}')}), 1, 'a file that is missing keeps nobody from what others have');
rename "$folder/away", "$archive/segment/$segments[1]" or die $!;

like(error(q{SELECT * FROM audit.attached_events('shop')}, 'mallory'), qr/permission denied/, 'refused: who is no auditor');
like(error(q{SELECT * FROM audit.attached_events('none')}), qr/no archive "none" is attached/, 'one that is not there is said');

# Whatever is done to the files
PostgreSQL::Test::RecursiveCopy::copypath($archive, "$folder/kept");
my @files = map { s{.*/}{}r } sort glob "$archive/segment/*.atg";
my $whole = slurp_file("$archive/segment/$files[1]");

broken('a file that is missing', sub { unlink "$archive/segment/$files[1]" }, qr/cannot be opened: No such file/);
broken('one that was cut off', sub { put($files[1], substr($whole, 0, -40)) }, qr/$files[1].*: /, qr/$files[1]/);
broken('one of a few bytes', sub { put($files[1], 'ATG1') }, qr/$files[1]/);
broken('an empty one', sub { put($files[1], '') }, qr/$files[1]/);
broken('a changed byte', sub { my $bad = $whole; substr($bad, 500, 1) ^= "\1"; put($files[1], $bad) }, qr/checksum/);
broken('another segment in its place', sub { put($files[1], slurp_file("$archive/segment/$files[2]")) }, qr/not the segment of that name/, qr/$files[1].*(?:checksum|not as long)/);
broken('a range that leads past it, with a new checksum', sub { my $bad = $whole; substr($bad, 60, 8) = pack('q>', 1); substr($bad, 68, 8) = pack('q>', 2); put($files[1], seal($bad)) }, qr/$files[1]|cannot be opened|do not give/, qr/$files[1].* is not the one that was attached/);
broken('another length of content, with a new checksum', sub { my $bad = $whole; substr($bad, 76, 8) = pack('Q>', 2_000_000_000); put($files[1], seal($bad)) }, qr/would be longer than \d+ bytes/, qr/is not the one that was attached/);
broken('a length beyond all', sub { my $bad = $whole; substr($bad, 76, 8) = pack('Q>', 2**62); put($files[1], seal($bad)) }, qr/$files[1]/);
broken('a frame with another content, with a new checksum', sub { my $bad = $whole; substr($bad, 76, 8) = pack('Q>', 100_000_000); put($files[1], seal($bad)) }, qr/cannot be unpacked/, qr/is not the one that was attached/);
broken('an end before its beginning', sub { my $bad = $whole; substr($bad, 36, 16) = "\0" x 16; put($files[1], seal($bad)) }, qr/not the segment of that name/, qr/is not the one that was attached/);
broken('a directory in its place', sub { unlink "$archive/segment/$files[1]"; mkdir "$archive/segment/$files[1]" }, qr/is no file of at most/);
is(value(q{SELECT audit.verify_attached('shop') IS NULL}), 't', 'as it was, it verifies again');

# The signed end is another: it verifies, and is not what was attached.
$shop->safe_psql('postgres', $_) foreach q{INSERT INTO orders (note) VALUES ('later')}, 'SELECT audit.seal_now()', "SELECT audit.export_archive('$archive')";
like(value(q{SELECT audit.verify_attached('shop')}), qr/another one than was attached/, 'one that has grown is said to be another');
is(value(q{SELECT count(*) FROM audit.attached_events('shop')}), $events, 'what was attached is read on');
value(q{SELECT audit.detach_archive('shop')}, 'audra');
is(value(q{SELECT events FROM audit.attach_archive('shop', '} . "$archive', '$key')"), $events + 1, 'attached anew, it has the new events');
value(q{SELECT audit.detach_archive('shop')});
like(error(q{SELECT audit.detach_archive('shop')}), qr/no archive "shop" is attached/, 'detached, it is not there');
is(-d $archive, 1, 'its files are');
$_->stop for $shop, $bank;
done_testing();

# Do it, ask in all ways, and undo it.
sub broken
{
	my ($what, $change, $says, $reading) = @_;
	my $read = $reading // $says;

	$change->();
	like(error(q{SELECT count(*) FROM audit.attached_events('shop')}), qr/attached archive "shop" cannot be read.*$read/s, "$what: no answer");
	like(value(q{SELECT audit.verify_attached('shop')}), $says, "$what: a finding");
	like(error("SELECT * FROM audit.attach_archive('again', '$archive', '$key')"), qr/cannot be attached/, "$what: it is not attached");
	rmtree("$archive/segment");
	PostgreSQL::Test::RecursiveCopy::copypath("$folder/kept/segment", "$archive/segment");
	return;
}

# How many segments a query has read
sub read_for
{
	my ($query) = @_;
	my ($status, $out, $err) = $bank->psql('postgres', "SET client_min_messages = debug1; $query");
	my $count = 0;

	$count += $1 while $err =~ /DEBUG:  attached archive "shop": (\d+) segments read/g;
	return $status == 0 ? $count : $err;
}

sub seal
{
	my ($bytes) = @_;
	my $body = substr $bytes, 0, -32;

	return $body . sha256($body);
}

sub put
{
	my ($name, $bytes) = @_;

	open my $handle, '>:raw', "$archive/segment/$name" or die $!;
	print $handle $bytes;
	close $handle or die $!;
	return;
}

sub value
{
	my ($query, $login) = @_;

	return $bank->safe_psql('postgres', $query, extra_params => [ '-U', $login // 'postgres' ]);
}

sub error
{
	my ($command, $login) = @_;
	my ($status, $out, $err) = $bank->psql('postgres', $command, extra_params => [ '-U', $login // 'postgres' ]);

	return $status == 0 ? 'none' : $err;
}
