# Files of cold segments are attached to another server: a month, or several, with the proofs beside them; read, searched and verified as
# other archives, with what a purge has left and personal values sealed; and whatever is done to the files is an error that says what.
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
my ($shop, $bank) = map { PostgreSQL::Test::Cluster->new($_) } qw(shop bank);

mkdir "$folder/$_" or die $! foreach qw(cold out persons archive whole);
chmod 0700, "$folder/persons";
open my $hash, '>', "$folder/hash" or die $!;
print $hash '0123456789abcdef' x 4, "\n";
close $hash or die $!;
chmod 0600, "$folder/hash";
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
audit_trail.keeper_interval = 0
audit_trail.record_reads = off
audit_trail.purge_anchor = off
audit_trail.signing_key_file = '$folder/$name.key'
audit_trail.checkpoint_file = '$folder/$name.checkpoints'
});
	$node->append_conf('postgresql.conf', "audit_trail.archive_directory = '$folder/cold'\naudit_trail.debug_clock = 1s\naudit_trail.hash_key_file = '$folder/hash'\naudit_trail.subject_key_directory = '$folder/persons'") if $name eq 'shop';
	$node->start;
	$node->safe_psql('postgres', q{CREATE EXTENSION audit_trail; SELECT count(*) FROM audit.create_roles()});
}
my $key = shop("SELECT audit.create_signing_key('$folder/shop.key', 'example.org/shop')");
$bank->safe_psql('postgres', "SELECT audit.create_signing_key('$folder/bank.key', 'example.org/bank'); CREATE TABLE own (id int PRIMARY KEY); SELECT audit.enable('own'); INSERT INTO own VALUES (1)");
shop('CREATE ROLE alice LOGIN IN ROLE audit_admin; CREATE ROLE bob LOGIN IN ROLE audit_purge_approver; CREATE ROLE mona LOGIN IN ROLE audit_maintenance; CREATE ROLE audra LOGIN IN ROLE audit_auditor');
shop('CREATE TABLE orders (id int PRIMARY KEY, note text); CREATE TABLE people (id int PRIMARY KEY, name text);
	SELECT audit.enable($$orders$$, context => $$sales$$), audit.enable($$people$$, context => $$finance$$, personal => $${name}$$, subject => $$id$$)');
my $request = shop(q{SELECT audit.set_retention(context => 'sales', keep => '1 year', "then" => 'purge', reason => 'the law')}, 'alice');
shop("SELECT audit.approve($request, 'yes')", 'bob') if $request =~ /^\d+$/;

# Two months: orders and people in the same transactions, so that a purge leaves parts of these.
shop($_)
  foreach 'BEGIN; SELECT audit.set_context(actor => $$anna$$, request_id => $$r1$$); INSERT INTO orders SELECT i, md5(i::text) FROM generate_series(1, 1500) i;
	INSERT INTO people SELECT i, $$person $$ || i FROM generate_series(1, 1200) i; COMMIT',
  'DO $$BEGIN FOR i IN 1..200 LOOP UPDATE orders SET note = note || i WHERE id = i; COMMIT; END LOOP; END$$',
  'BEGIN; SELECT audit.set_context(actor => $$bert$$); UPDATE people SET name = $$x$$ WHERE id = 7; SELECT audit.set_context(actor => $$carl$$); DELETE FROM people WHERE id = 8; COMMIT', 'SELECT audit.seal_now()';
clock(40);
shop($_) foreach 'SELECT audit.create_partitions()', 'BEGIN; SELECT audit.set_context(actor => $$dora$$); UPDATE orders SET note = $$late$$ WHERE id <= 300; COMMIT', 'SELECT audit.seal_now()';
clock(120);
shop($_) foreach 'SELECT audit.create_partitions()', ('SELECT audit.archive_now($$1 month$$)') x 3, 'SELECT audit.seal_now()';
shop('SELECT audit.archive_to_file() IS NULL', 'mona') foreach 1 .. 6;
my @partitions = split /\n/, shop('SELECT DISTINCT partition_name FROM audit.segment ORDER BY 1');
my %file = map { $_ => export($_) } @partitions;
my ($events) = grep { /event_/ } map { $file{$_} } sort { shop("SELECT count(*) FROM audit.$b") <=> shop("SELECT count(*) FROM audit.$a") } @partitions;
cmp_ok(scalar(@partitions), '>=', 4, 'there are several files');
is(scalar(grep { -f "$folder/cold/$_" } values %file), scalar(@partitions), 'which are those of the keeper');

# All of them, as a directory
my $columns = 'event_id, occurred_at, context, category, event_type, action, resource_type, resource_id, table_schema, table_name, actor, actor_type, actor_source, db_user, db_role,
	application_name, session_id, request_id, reason, claimed_session, claimed_client_ip, trace_parent, %s, changed, trigger_depth, statement, tx_id, ordinal, tx_at, committed_at, xid';
my $shown = "SELECT count(*) || ' ' || md5(string_agg(x::text, chr(10) ORDER BY tx_id, ordinal)) FROM (SELECT " . sprintf($columns, 'old_values::text, new_values::text') . ' FROM %s) x';
my $archived = q{audit.events WHERE tx_at < (SELECT max(last_tx_at) + interval '1 s' FROM audit.segment) AND context = 'sales'};
attach('all', "$folder/out");
is(bank('SELECT segments = (SELECT count(*) FROM audit.attached_segment) AND origin = $$example.org/shop$$ FROM audit.attached_archive'), 't', 'a directory of files is attached');
is(bank(sprintf $shown, q{audit.attached_events('all') WHERE context = 'sales'}), shop(sprintf $shown, $archived), 'each event has the columns that it has there, context and category too');
is(bank(q{SELECT string_agg(actor || ' ' || action, ', ' ORDER BY tx_id, ordinal) FROM audit.attached_events('all', resource_id => '8') WHERE table_name = 'people'}), 'anna insert, carl delete', 'the life of a record, with who came in the middle');
is(bank(q{SELECT string_agg(DISTINCT actor || ' ' || context || ' ' || category, ', ') FROM audit.search_attached('all', '{"actor": "dora", "context": "sales"}', max_rows => 1000)}),
	'dora sales ' . shop(q{SELECT DISTINCT category FROM audit.events WHERE actor = 'dora'}), 'searched by actor and context');
is(bank(q{SELECT count(*) FROM audit.search_attached('all', '{"actor": "dora"}', condition => '$.new.note ? (@ == "late")', max_rows => 1000)}), 300, 'and by values');
like(bank(q{SELECT new_values FROM audit.attached_events('all', resource_id => '7', of_table => 'people') WHERE action = 'update'}), qr/"name":"(?:commitment|personal):/, 'personal values are sealed: the keys are not here');
is(bank(q{SELECT count(*) FROM audit.attached_events('all') WHERE old_values::text || new_values::text ~ 'person \d'}), 0, 'none of them is told');
is(bank(q{SELECT audit.verify_attached('all') IS NULL}), 't', 'it verifies');
is(bank(q{SELECT count(*) FROM audit.events WHERE table_name = 'orders'}), 0, 'the trail of the server is its own');

# What is read
cmp_ok(read_for(q{SELECT count(*) FROM audit.attached_events('all', resource_id => '77', of_table => 'orders')}), '<=', 6, 'a record: few segments');
is(read_for(q{SELECT count(*) FROM audit.attached_events('all', of_table => 'nothing')}), 0, 'a table that is not there: none');
is(read_for(q{SELECT count(*) FROM audit.attached_events('all', until => '1999-01-01')}), 0, 'another time: none');
cmp_ok(read_for(q{SELECT count(*) FROM audit.search_attached('all', '{"actor": "dora"}', max_rows => 10)}), '<', bank(q{SELECT count(*) FROM audit.attached_segment}), 'an actor: not all');
my (@seen, $last);
while (1)
{
	my $given = defined $last ? "'$last'" : 'NULL';
	my @page = split /\n/, bank("SELECT event_id FROM audit.search_attached('all', max_rows => 900, before => $given)");

	last if !@page;
	push @seen, @page;
	$last = $page[-1];
}
is("@seen", bank(q{SELECT string_agg(event_id, ' ' ORDER BY tx_at DESC, tx_id DESC, ordinal DESC) FROM audit.attached_events('all')}), 'pages have each event once, in order');
$bank->restart;
is(bank(sprintf $shown, q{audit.attached_events('all') WHERE context = 'sales'}), shop(sprintf $shown, $archived), 'after a restart all is as it was');

# One file, with nothing but its proof
copy($_, 'whole') foreach $events, proof($events);
attach('one', "$folder/whole/$events");
my ($count) = bank(q{SELECT events FROM audit.attached_archive WHERE name = 'one'});
is(bank(q{SELECT count(*) || ' ' || count(actor) FROM audit.attached_events('one') WHERE resource_id = '77'}), bank(q{SELECT count(*) FROM audit.attached_events('one') WHERE resource_id = '77'}) . ' 0',
	'a file of events alone has no actors');
is(bank(q{SELECT count(*) FROM audit.attached_events('one')}), $count, 'and has its events');
is(bank(q{SELECT audit.verify_attached('one') IS NULL}), 't', 'it verifies');
value_detached('one');
is(bank(q{SELECT count(*) FROM audit.attached_segment WHERE archive = 'one'}) + bank(q{SELECT count(*) FROM audit.attached_target WHERE archive = 'one'}), 0, 'detached, nothing is left of it');
like(error("SELECT audit.attach_archive('again', '$folder/whole/none.atq', '$key')"), qr/cannot be opened: No such file/, 'a file that is not there is said');
like(error("SELECT audit.attach_archive('again', '$folder/archive', '$key')"), qr/checkpoint.*cannot be opened: No such file/s, 'a directory with nothing of it too');
like(error("SELECT audit.attach_archive('again', '$folder/whole/$events', '" . $bank->safe_psql('postgres', 'SELECT vkey FROM audit.public_keys') . "')"), qr/Of its checkpoint: /, 'the key of another');

# Whatever is done to the files
attach('whole', "$folder/whole/$events");
my ($good, $text) = map { slurp_file("$folder/whole/$_") } $events, proof($events);
broken('a file that is missing', sub { unlink "$folder/whole/$events" }, qr/cannot be opened: No such file/, qr/cannot be opened: No such file/);
broken('a file that is cut off', sub { put($events, substr($good, 0, -500)) }, qr/the proof is of another file/, qr/not as long as it was/);
broken('an empty file', sub { put($events, '') }, qr/the proof is of another file/, qr/not as long as it was/);
broken('a changed byte', sub { my $bad = $good; substr($bad, 300, 1) ^= "\1"; put($events, $bad) }, qr/the proof is of another file/, qr/checksum/);
broken('a changed byte, and a proof that names the file', sub { my $bad = $good; substr($bad, 300, 1) ^= "\1"; put($events, $bad); put(proof($events), follow($bad)) }, qr/Segment 1: .*checksum/, qr/checksum/);
broken('a segment that lies, sealed anew', sub { my $bad = first($good, sub { substr($_[0], 43, 8) = pack 'q>', 0 }); put($events, $bad); put(proof($events), follow($bad)) }, qr/Segment 1: counts or times/, qr/is not the one that was attached/);
broken('one of another ledger', sub { my $bad = first($good, sub { substr($_[0], 4, 1) ^= "\1" }); put($events, $bad); put(proof($events), follow($bad)) }, qr/Segment 1: .*another ledger/, qr/is not the one that was attached/);
broken('one that would unpack to very much', sub { my $bad = first($good, sub { substr($_[0], 59, 8) = pack 'Q>', 2_000_000_000 }); put($events, $bad); put(proof($events), follow($bad)) }, qr/would be longer than \d+ bytes/, qr/is not the one that was attached/);
broken('one that lacks a segment', sub { my $bad = substr $good, length(segment($good)); put($events, $bad); put(proof($events), follow($bad)) }, qr/a row that the file has not/, qr/./);
for (
	[ 'a proof that is missing', sub { unlink "$folder/whole/" . proof($events) }, qr/Its proof is missing, which audit.export_segments\(\) writes there/ ],
	[ 'a proof that is cut off', sub { put(proof($events), substr($text, 0, -50)) }, qr/Of its proof: .*checksum/ ],
	[ 'an empty proof', sub { put(proof($events), '') }, qr/Of its proof: .*not the proof/ ],
	[ 'the proof of another file', sub { put(proof($events), slurp_file("$folder/out/" . proof((grep { $_ ne $events } values %file)[0]))) }, qr/the proof is of another file|cannot be attached/ ],
	[ 'a table that is called otherwise', sub { my $bad = $text; $bad =~ s/\x00\x00\x00\x06orders(?=\x00\x00\x00)/\x00\x00\x00\x06orderz/ or die; put(proof($events), seal($bad)) }, qr/do not give its root/ ])
{
	my ($what, $change, $says) = @$_;

	$change->();
	like(bank(q{SELECT audit.verify_attached('whole')}), $says, "$what: a finding");
	like(error("SELECT * FROM audit.attach_archive('again', '$folder/whole/$events', '$key')"), qr/cannot be attached.*$says/s, "$what: it is not attached");
	is(bank(q{SELECT count(*) FROM audit.attached_events('whole')}), $count, "$what: what was verified is read on");
	put($events, $good);
	put(proof($events), $text);
}
is(bank(q{SELECT audit.verify_attached('whole') IS NULL}), 't', 'as it was, it verifies again');
is(bank('SELECT count(*) FROM audit.attached_archive'), 2, 'nothing was attached by that');

# A purge of the sales: what stays is packed anew, proved, and attached; and so is the archive of all, with hashes for what is gone.
clock(460);
$request = shop(q{SELECT audit.request_purge('end of the year')}, 'mona');
shop("SELECT audit.approve($request, 'fine')", 'bob');
shop('SELECT audit.keeper_now()');
shop('SELECT audit.seal_now()');
cmp_ok(shop(q{SELECT count(*) FROM audit.deletion WHERE phase = 'done'}), '>', 0, 'events were purged');
rmtree("$folder/out");
mkdir "$folder/out";
%file = map { $_ => export($_) } split /\n/, shop('SELECT DISTINCT partition_name FROM audit.segment ORDER BY 1');
attach('left', "$folder/out");
is(bank(q{SELECT count(*) FROM audit.attached_events('left', of_table => 'orders')}), 0, 'no order is left');
is(bank(q{SELECT count(*) || ' ' || count(DISTINCT actor) FROM audit.attached_events('left', of_table => 'people')}), shop(q{SELECT count(*) || ' ' || count(DISTINCT actor) FROM audit.events WHERE table_name = 'people'}), 'all people are, with who acted');
shop("SELECT audit.export_archive('$folder/archive')");
attach('purged', "$folder/archive");
my $rest = 'SELECT count(*) || $$ $$ || md5(string_agg(x::text, chr(10) ORDER BY tx_id, ordinal)) FROM (SELECT tx_id, ordinal, actor, request_id, committed_at, resource_id, action, context FROM %s) x';
is(bank(sprintf $rest, q{audit.attached_events('purged', of_table => 'people')}), shop(sprintf $rest, q{audit.events WHERE table_name = 'people'}), 'an archive with purged leaves tells of the rest, by the right transactions');
is(bank(q{SELECT count(*) FROM audit.attached_events('purged', of_table => 'orders')}), shop(q{SELECT count(*) FROM audit.events WHERE table_name = 'orders'}), 'and nothing of what is gone');
is(bank(q{SELECT events FROM audit.attached_archive WHERE name = 'purged'}), bank(q{SELECT count(*) FROM audit.attached_events('purged')}), 'counts add up');
is(bank(q{SELECT count(*) FROM audit.attached_events('purged', resource_id => '7')}), shop(q{SELECT count(*) FROM audit.events WHERE resource_id = '7' AND context <> 'system'}), 'a record of it is found by its key');
is(bank(q{SELECT audit.verify_attached('purged') IS NULL AND audit.verify_attached('left') IS NULL}), 't', 'both verify');
$_->stop for $shop, $bank;
done_testing();

sub clock
{
	$shop->append_conf('postgresql.conf', "audit_trail.debug_clock = '$_[0]d'");
	$shop->reload;
	$shop->poll_query_until('postgres', "SELECT current_setting('audit_trail.debug_clock') = '$_[0]d'") or die;
	return;
}

# Write the files of a partition; returns the name of the first.
sub export
{
	return (split /\|/, shop("SELECT * FROM audit.export_segments('audit.$_[0]', '$folder/out')"))[0];
}

sub attach
{
	my ($name, $path) = @_;

	bank("SELECT audit.attach_archive('$name', '$path', '$key')");
	return;
}

sub value_detached
{
	bank("SELECT audit.detach_archive('$_[0]')");
	return;
}

sub proof
{
	return $_[0] =~ s/atq$/proof/r;
}

# Do it, ask in all ways, and undo it.
sub broken
{
	my ($what, $change, $says, $reading) = @_;

	$change->();
	like(error(q{SELECT count(*) FROM audit.attached_events('whole')}), qr/attached archive "whole" cannot be read.*$reading/s, "$what: no answer");
	like(bank(q{SELECT audit.verify_attached('whole')}), $says, "$what: a finding");
	like(error("SELECT * FROM audit.attach_archive('again', '$folder/whole/$events', '$key')"), qr/cannot be (?:attached|opened).*$says|No such file/s, "$what: it is not attached");
	put($events, $good);
	put(proof($events), $text);
	return;
}

sub segment
{
	return substr $_[0], 0, 71 + unpack('N', substr($_[0], 67, 4)) + 32;
}

# The first segment changed and sealed anew
sub first
{
	my ($bytes, $change) = @_;
	my $one = segment($bytes);
	my $length = length $one;

	$change->($one);
	return seal($one) . substr($bytes, $length);
}

sub seal
{
	my $body = substr $_[0], 0, -32;

	return $body . sha256($body);
}

# The proof, with the SHA-256 of other bytes
sub follow
{
	my $bad = $text;

	substr($bad, 21, 32) = sha256($_[0]);
	return seal($bad);
}

sub copy
{
	my ($name, $where) = @_;

	open my $handle, '>:raw', "$folder/$where/$name" or die $!;
	print $handle slurp_file("$folder/out/$name");
	close $handle or die $!;
	return;
}

sub put
{
	my ($name, $bytes) = @_;

	open my $handle, '>:raw', "$folder/whole/$name" or die $!;
	print $handle $bytes;
	close $handle or die $!;
	return;
}

# How many segments a query has read
sub read_for
{
	my ($query) = @_;
	my ($status, $out, $err) = $bank->psql('postgres', "SET client_min_messages = debug1; $query");
	my $read = 0;

	$read += $1 while $err =~ /DEBUG:  attached archive "all": (\d+) segments read/g;
	return $status == 0 ? $read : $err;
}

sub shop
{
	my ($query, $login) = @_;

	return $shop->safe_psql('postgres', $query, extra_params => [ '-U', $login // 'postgres' ]);
}

sub bank
{
	return $bank->safe_psql('postgres', $_[0]);
}

sub error
{
	my ($status, $out, $err) = $bank->psql('postgres', $_[0]);

	return $status == 0 ? 'none' : $err;
}
