# What others can check of a purge, without a server: its certificate, the trail that is left, and what
# they were given before. Forged and exchanged parts are refused.
use strict;
use warnings;
use Digest::SHA qw(sha256);
use MIME::Base64;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('destruction');
my $folder = PostgreSQL::Test::Utils::tempdir;
my ($status, $out, $err);
my $exports = 0;

$node->init;
mkdir "$folder/keys", 0700;
write_file('hash', '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f');
chmod 0600, "$folder/hash";
$node->append_conf('postgresql.conf', qq{
shared_preload_libraries = 'audit_trail'
max_worker_processes = 20
fsync = off
audit_trail.seal_interval = 50ms
audit_trail.purge_anchor = off
audit_trail.keeper_pause = 0
audit_trail.keeper_interval = 0
audit_trail.signing_key_file = '$folder/key'
audit_trail.checkpoint_file = '$folder/checkpoints'
audit_trail.hash_key_file = '$folder/hash'
audit_trail.subject_key_directory = '$folder/keys'
});
$node->start;
$node->safe_psql('postgres', q{
	SET audit_trail.debug_clock = 1;
	SET client_min_messages = error;
	CREATE EXTENSION audit_trail;
	SELECT audit.init();
	SELECT count(*) FROM audit.create_roles();
	CREATE ROLE alice LOGIN IN ROLE audit_admin;
	CREATE ROLE bob LOGIN IN ROLE audit_purge_approver;
	CREATE ROLE mona LOGIN IN ROLE audit_maintenance;
	CREATE ROLE carl LOGIN IN ROLE audit_auditor;
	CREATE ROLE nobody LOGIN;
	CREATE TABLE orders (id int PRIMARY KEY, note text, customer int);
	CREATE TABLE pays (id int PRIMARY KEY, note text);
	SELECT audit.enable('orders', context => 'sales', personal => '{note}', subject => 'customer');
	SELECT audit.enable('pays', context => 'finance')});
my $vkey = $node->safe_psql('postgres', "SELECT audit.create_signing_key('$folder/key', 'example.org/shop')");
my @trust = ('--key', $vkey);

# A month of orders; a bundle and a proof are given to somebody.
approved('alice', q{SELECT audit.set_retention(context => 'sales', keep => '1 year', "then" => 'purge', reason => 'the law')});
clock(1);
$node->safe_psql('postgres', q{
	BEGIN; INSERT INTO orders SELECT g, 'order ' || g, g FROM generate_series(1, 300) g; INSERT INTO pays VALUES (1, 'pay'); COMMIT;
	UPDATE orders SET note = 'changed' WHERE id <= 100;
	INSERT INTO pays VALUES (2, 'pay')});
sealed();
my $event = value(q{SELECT event_id FROM audit.events WHERE table_name = 'orders' AND resource_id = '7' AND action = 'insert'});
my $held = value(q{SELECT event_id FROM audit.events WHERE table_name = 'orders' AND resource_id = '9' AND action = 'insert'});
my $proof = write_file('proof', value("SELECT audit.prove('$event')"));
my $bundle = "$folder/bundle";
value("SELECT audit.export_evidence('{$event}', directory => '$bundle')");
my $before = archive();
like(valid('the whole trail, before', @trust, $before), qr/^  all of these \d+ events/m, 'has all events');
is(as('carl', q{SELECT audit.hold('case 9', 'court', tables => '{orders}', records => '{9}') > 0}), 't', 'one record is held');

# Of two deletions none is carried out yet.
clock(460);
my $request = as('mona', q{SELECT audit.request_purge('end of the year')});
$err = as('carl', "SELECT audit.export_deletion($request)");
like($err, qr/there is no deletion $request/, 'a request is no deletion');
is(as('bob', "SELECT audit.approve($request, 'fine')"), '', 'the purge is approved');
value('SELECT audit.keeper_now()');
my ($deletion, $events, $transactions) = split /\|/, value(q{SELECT deletion_id, certificate ->> 'events', certificate ->> 'transactions'
	FROM audit.deletion WHERE phase = 'ordered'});
is($events, 300 + 100 - 2, 'what is not held is gone');
like(as('nobody', "SELECT audit.export_deletion($deletion)"), qr/permission denied/, 'not everybody gets a certificate');
my $certificate = as('carl', "SELECT audit.export_deletion($deletion)");
is(value("SELECT convert_from(audit.export_deletion_bytes($deletion), 'UTF8')"), $certificate, 'as bytes it is the same');
my $file = write_file('certificate', "$certificate\n");

my ($kept_size) = slurp_file("$folder/kept") =~ /\A.*\n(\d+)\n/;
my ($size) = $certificate =~ /\n\nexample\.org\/shop\n(\d+)\n/;
my $way = write_file('way', value("SELECT audit.prove_consistency($kept_size, $size)") . "\n");
my $other_key = value("SELECT audit.create_signing_key('$folder/other', 'example.org/shop')");

# It tells all, to who has the public key alone.
$node->stop;
valid('the certificate', @trust, $file);
like($out, qr/^  PURGED: $events events and $transactions transactions of \d+ batches/m, 'how much has gone');
like($out, qr/^  $_\n/m, $_) foreach "kind +purge", "deletion_id +$deletion", 'requested_by +mona', 'approved_by +bob', 'reason +end of the year', 'note +fine',
  'from +\d{4}-\d\d-01T00:00:00Z', 'leaves_root +[0-9a-f]{64}';
like($out, qr/policies .*sales/, 'by which policy');
valid('with a checkpoint that was kept', @trust, '-c', "$folder/kept", '-p', $way, $file);
valid('what was given before: a proof', @trust, $proof);
valid('what was given before: a bundle', @trust, $bundle);
$node->start;

# The hash of the event that was proved before stays, and is in the list of the certificate.
my ($extra) = slurp_file($proof) =~ /^extra (.*)$/m;
my ($number, $length) = unpack 'x4 Q> N', decode_base64($extra);
my $leaf = sha256("\0" . substr(decode_base64($extra), 16, $length));
my ($index) = slurp_file($proof) =~ /^index (\d+)$/m;
is(value("SELECT encode(substr(hashes, 32 * ($number % 256) + 1, 32), 'hex') FROM audit.leaf_tile WHERE log_index = $index AND tile = $number / 256"),
	unpack('H*', $leaf), 'the leaf of the event stays');
my ($list) = $certificate =~ /^leaves (.*)$/m;
my @runs = map { [ unpack 'Q> N N', $_ ] } unpack '(a16)*', decode_base64($list);
is(scalar(grep { $_->[0] == $index && $number >= $_->[1] && $number < $_->[1] + $_->[2] } @runs), 1, 'and the certificate names it');
is(value("SELECT valid FROM audit.check_proof((SELECT pg_read_file('$proof')), '$vkey')"), 't', 'the server says so too');
like(as('carl', "SELECT audit.prove('$event')"), qr/was purged/, 'and makes no new proof');

# Cut off anywhere, or with any byte changed, it is none.
my $wrong = 0;
my @places = map { int($_ * length($certificate) / 60) } 0 .. 59;
foreach my $place (@places)
{
	my $other = $certificate;

	substr($other, $place, 1) = substr($other, $place, 1) eq 'A' ? 'B' : 'A';
	$wrong++ if run_verify(@trust, write_file('forged', $other)) == 1;
	$wrong++ if run_verify(@trust, write_file('forged', substr($certificate, 0, $place))) == 1;
}
is($wrong, 2 * @places, 'with a byte changed, or cut off, it is refused');
is(run_verify('--key', $other_key, $file), 1, 'under another key it is refused');

# A second purge; parts of one certificate in the other.
approved('carl', q{SELECT audit.release_hold('case 9', 'settled')});
approved('mona', q{SELECT audit.request_purge('the rest')});
value('SELECT audit.keeper_now()');
my $second = value("SELECT deletion_id FROM audit.deletion WHERE phase = 'ordered' AND deletion_id > $deletion");
my $other = as('carl', "SELECT audit.export_deletion($second)");
my $again = as('carl', "SELECT audit.export_deletion($deletion)");
valid('the second certificate', @trust, write_file('second', $other));
valid('the first one again, for a newer checkpoint', @trust, write_file('again', $again));
my @first = parts($again);
my @second = parts($other);
is(scalar @first, 8, 'a certificate has parts');
foreach my $part (1 .. $#first)
{
	my @mixed = @first;

	next if $first[$part] eq $second[$part];
	$mixed[$part] = $second[$part];
	is(run_verify(@trust, write_file('mixed', join '', @mixed)), 1, "part $part of another certificate is refused");
	like($out, qr/^  certificate: \w/m, 'and it is the certificate') if $part < $#first;
}

# The trail that is left, also in what an earlier export goes on with.
is(value(q{SELECT object FROM audit.verify() WHERE finding = 'summary'}), 'ok', 'the trail is verified');
sealed();
my $after = archive();
valid('the whole trail, after', @trust, $after);
like($out, qr/^  PURGED: 400 events and \d+ transactions more were sealed and are not here/m, 'tells what has gone');
like($out, qr/"requested_by":"mona","approved_by":"bob"/, 'and by which orders');
value("SELECT audit.export_archive('$before')");
valid('an export of before, gone on with', @trust, $before);
unlike($out, qr/PURGED/, 'has all events');

# Evidence of what is left; of a session whose first transaction was purged it cannot be whole.
my $left = value(q{SELECT event_id FROM audit.events WHERE table_name = 'pays' AND resource_id = '1'});
valid('a proof of what is left', @trust, write_file('left', value("SELECT audit.prove('$left')")));
value("SELECT audit.export_evidence('{$left}', directory => '$folder/left_bundle')");
valid('evidence of what is left', @trust, "$folder/left_bundle");

# Archived months are exported as well, with gaps.
value(q{SELECT audit.archive_now('10 days')}) for 1 .. 4;
cmp_ok(value('SELECT count(*) FROM audit.segment'), '>', 0, 'months are archived');
my $cold = archive();
valid('the trail with archived months', @trust, $cold);
like($out, qr/PURGED: 400 events/, 'tells the same');

# A session that goes on beyond the purge of its beginning.
clock(500);
my $long = $node->background_psql('postgres');
$long->query_safe("INSERT INTO orders VALUES (1000, 'x', 1)");
clock(560);
$long->query_safe("INSERT INTO orders VALUES (1001, 'y', 1)");
$long->quit;
sealed();
clock(560 + 330);
approved('mona', q{SELECT audit.request_purge('the first month of the session')});
value('SELECT audit.keeper_now()');
my $orphan = value(q{SELECT event_id FROM audit.events WHERE resource_id = '1001'});
like($orphan, qr/^\d+\.1$/, 'the second event is there');
is(value(q{SELECT count(*) FROM audit.events WHERE resource_id = '1000'}), 0, 'and the first is not');
like(as('carl', "SELECT audit.export_evidence('{$orphan}')"), qr/no evidence of session \d+ as a whole.*was purged, by deletion \d+.*audit\.prove/s,
	'evidence says why it cannot have the session');
valid('a proof can do without', @trust, write_file('orphan', value("SELECT audit.prove('$orphan')")));
valid('and so can the trail', @trust, archive());

# Erasures have certificates too.
my $erasure = approved('alice', q{SELECT audit.erase_subject('1', 'GDPR, Article 17(1)(a)')});
value('SELECT audit.keeper_now()');
my $order = value('SELECT max(log_index) FROM audit.erasure');
sealed();
valid('the certificate of an erasure', @trust, write_file('erased', as('bob', "SELECT audit.export_deletion($order)")));
like($out, qr/^  $_\n/m, $_) foreach 'kind +erasure', 'subject +1', 'legal_basis +GDPR, Article 17\(1\)\(a\)', 'requested_by +alice', 'approved_by +bob';
like($out, qr/^  ERASED: the key/m, 'says what was destroyed');
like(as('carl', 'SELECT audit.export_deletion(0)'), qr/there is no deletion 0/, 'what is no order has none');

# What is ordered and not carried out has none either.
$node->append_conf('postgresql.conf', "audit_trail.purge_anchor = on\n");
$node->reload;
clock(560 + 460);
approved('mona', q{SELECT audit.request_purge('waits')});
value('SELECT audit.keeper_now()');
my $waits = value(q{SELECT max(deletion_id) FROM audit.deletion});
like(as('carl', "SELECT audit.export_deletion($waits)"), qr/deletion $waits was not carried out/, 'an order alone certifies nothing');
$node->stop;
done_testing();

sub value { return $node->safe_psql('postgres', $_[0]) }

sub as
{
	my ($login, $sql) = @_;

	($status, my $said, $err) = $node->psql('postgres', $sql, extra_params => ['-U', $login]);
	return $status == 0 ? $said : "ERROR: $err";
}

# Ask as one, approve as another; the request.
sub approved
{
	my ($login, $sql) = @_;
	my $id = as($login, $sql);

	like($id, qr/^\d+$/, "$login asks") or return;
	is(as('bob', "SELECT audit.approve($id, 'fine')"), '', 'and bob approves');
	return $id;
}

# So many days later, for all sessions that begin from now on, and for the workers.
sub clock
{
	my ($days) = @_;
	my $clock = $days * 86400 + 1;

	$node->append_conf('postgresql.conf', "audit_trail.debug_clock = ${clock}s\n");
	$node->reload;
	$node->poll_query_until('postgres', "SELECT current_setting('audit_trail.debug_clock')::interval = '${clock}s'::interval") or die;
	value('SELECT audit.keeper_now()');
	return;
}

# All is sealed and signed.
sub sealed
{
	value('SELECT audit.seal_now()');
	$node->poll_query_until('postgres', q{SELECT split_part(audit.checkpoint(), E'\n', 2)::bigint >= (SELECT max(log_index) FROM audit.log_entry WHERE kind <> 'heartbeat')}) or die;
	write_file('kept', value('SELECT audit.checkpoint()') . "\n") unless -e "$folder/kept";
	return;
}

sub archive
{
	my $directory = "$folder/archive" . ++$exports;

	mkdir $directory;
	value("SELECT audit.export_archive('$directory')");
	return $directory;
}

sub run_verify
{
	($out, $err) = ('', '');
	IPC::Run::run([ 'audit_verify', @_ ], '>', \$out, '2>', \$err);
	return $? >> 8;
}

sub valid
{
	my ($what, @arguments) = @_;

	is(run_verify(@arguments), 0, "$what: valid") or diag($out, $err);
	return $out;
}

# Head, lists, each entry with its proof, checkpoint.
sub parts
{
	my ($text) = @_;
	my ($head, $leaves, $sessions, $rest) = $text =~ /\A([^\n]*\n)((?:leaves [^\n]*\n)?)((?:sessions [^\n]*\n)?)(.*)\z/s;
	my @entries = split /(?<=\n\n)/, $rest, 5;

	return ($head, $leaves, $sessions, @entries);
}

sub write_file
{
	my ($name, $text) = @_;

	open my $handle, '>', "$folder/$name" or die;
	print $handle $text;
	close $handle;
	return "$folder/$name";
}
