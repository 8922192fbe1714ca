# Bundles of evidence: whole, the same each time and by both ways, on record whatever becomes of the
# transaction, and checked by their own README.txt with nothing but openssl and the shell. Whatever
# the events hold, the readable files say it as text.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Digest::SHA qw(sha256_hex);
use Evidence;
use JSON::PP;
use MIME::Base64;
use Pages;
use Polling;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('evidence');
my $folder = PostgreSQL::Test::Utils::tempdir;
my ($status, $out, $err);

Evidence::begin($node, $folder);
$node->init;
$node->append_conf('postgresql.conf', qq{
shared_preload_libraries = 'audit_trail'
max_worker_processes = 30
fsync = off
restart_after_crash = on
audit_trail.seal_interval = 1h
audit_trail.debug_points = 'evidence-written'
audit_trail.anchor_interval = 0
audit_trail.anchor_heartbeat = 0
audit_trail.signing_key_file = '$folder/%d.key'
audit_trail.checkpoint_file = '$folder/%d.checkpoints'
});
$node->start;
$node->safe_psql('postgres', q{
	SET client_min_messages = error;
	CREATE EXTENSION audit_trail;
	CREATE TABLE orders (id int PRIMARY KEY, total numeric, note text);
	SELECT audit.enable('orders', resource_type => 'order')});
like(refusal(q{event_ids => '{1.1}'}), qr/there is no event 1\.1 to prove/, 'no bundle of an event that there is not');
$node->safe_psql('postgres', q{INSERT INTO orders VALUES (1, 10.50, 'first')});
my $first = id_of("resource_id = '1'");
like(refusal("event_ids => '{$first}'"), qr/there is no signed checkpoint for evidence/, 'none before the log is signed');
my $vkey = $node->safe_psql('postgres', "SELECT audit.create_signing_key('$folder/postgres.key', 'example.org/shop')");

# An event that is not sealed yet is sealed.
$node->safe_psql('postgres', q{
	BEGIN;
	SELECT audit.set_context(actor => 'anna', reason => 'the customer called', request_id => 'r-1');
	UPDATE orders SET total = 11.00, note = NULL WHERE id = 1;
	INSERT INTO orders VALUES (2, 1e3, E'<script>alert("&\'")</script>\u202e\u0007\n\ttab <b>');
	COMMIT});
my $update = id_of("action = 'update'");
my $script = id_of("resource_id = '2'");
my $bundle = archive("event_ids => '{$update}'");
check_bundle($bundle, 'one event');
my $report = slurp("$bundle/report.html");
like($report, qr/order 1 was changed/, 'the report tells what was done');
like($report, qr/anna/, 'by whom');
like($report, qr/the customer called/, 'and why');
like($report, qr{<td class="old">10\.50</td><td class="new">11\.00</td>}, 'from what to what');
like($report, qr/Of the 2 events of the transaction, 1 is here/, 'and that there was more');
like($report, qr/No witness has signed its head/, 'and what is not proved');
is(slurp("$bundle/keys"), "$vkey\n", 'the key of the log is there');
unlike($report, qr{https?://|<script|<link|<img|\bsrc=|\bon\w+=}i, 'nothing is loaded, and nothing runs');

# hostile text
$bundle = archive("event_ids => '{$update,$script,$script}'");
check_bundle($bundle, 'hostile text');
$report = slurp("$bundle/report.html");
like($report, qr{&lt;script&gt;alert\(&quot;&amp;&#39;&quot;\)&lt;/script&gt;<i>U\+202E</i><i>U\+0007</i><i>new line</i><br><i>tab</i>tab &lt;b&gt;},
	'markup is text, and what cannot be seen is named');
check_text($bundle, 'hostile text');
like($report, qr/All events of the transaction are here; that none is missing is proved/, 'a whole transaction is told');
my $events = decode_json(slurp("$bundle/events.json"));
is(join(' ', map { $_->{event_id} } @{ $events->{transactions}[0]{events} }), "$update $script", 'each event is there once, in order');
is($events->{transactions}[0]{events}[1]{new_values}{note}, "<script>alert(\"&'\")</script>\x{202e}\x07\n\ttab <b>", 'the document for programs has it as it was');
like(slurp("$bundle/events.json"), qr/"total":11\.00/, 'with all digits');

# the same by both ways, by query, again, and when the log has gone on
my $contents = contents($bundle);
my $query = q{$q$SELECT event_id FROM audit.events WHERE actor = 'anna' AND category = 'data'$q$};
my $directory = "$folder/case-17";
is($node->safe_psql('postgres', "SELECT events, archive IS NULL FROM audit.export_evidence(query => $query, directory => '$directory')"), '2|t', 'a directory is written');
is_deeply(contents($directory), $contents, 'it has the same files');
is(mode_of($directory), '0700', 'and nobody else may enter it');
like(refusal("query => $query, directory => '$directory'"), qr/is there already, and evidence is never written over/, 'it is not written over');
is_deeply([ grep { /partial/ } glob "$folder/*" ], [], 'nothing is left beside it');
my $tar = slurp("$bundle.tar");
$node->safe_psql('postgres', 'INSERT INTO orders SELECT g FROM generate_series(100, 700) g; SELECT audit.seal_now()');
$node->safe_psql('postgres', 'UPDATE orders SET total = 1 WHERE id > 100; SELECT audit.seal_now()');
ok(slurp(archive("query => $query") . '.tar') eq $tar, 'the log has gone on, and the bundle is the same bytes');
is($node->safe_psql('postgres', "SELECT manifest FROM audit.export_evidence('{$script,$update}')"), sha256_hex($contents->{MANIFEST}), 'it is named by its manifest');

# it is on record, come what may
my $records = count_records();
$node->safe_psql('postgres', "BEGIN; SELECT audit.set_context(actor => 'eve'); SELECT events FROM audit.export_evidence(query => $query); ROLLBACK");
is(count_records(), $records + 1, 'a rollback does not undo the record');
is($node->safe_psql('postgres', q{
	SELECT action, actor, db_user, category, r ->> 'query', r ->> 'events', r ->> 'manifest', r -> 'directory', r #>> '{requested_by,login_user}', (r #>> '{requested_by,backend_pid}')::int > 0
	FROM audit.events, audit.to_jsonb(new_values) r WHERE event_type = 'evidence.exported' ORDER BY tx_id DESC LIMIT 1}),
	"export|eve|postgres|access|" . ($query =~ s/\$q\$//gr) . "|2|" . sha256_hex($contents->{MANIFEST}) . "|null|postgres|t", 'which tells who asked, for what, and what it was');
is($node->safe_psql('postgres', "BEGIN READ ONLY; SELECT events FROM audit.export_evidence('{$update}'); COMMIT"), '1', 'a read-only transaction may ask');
is($node->safe_psql('postgres', "BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT count(*) > 0 FROM orders; SELECT events FROM audit.export_evidence('{$update}'); COMMIT"), "t\n1", 'so may a serializable one');
check_bundle(archive(q{query => $q$SELECT event_id FROM audit.events WHERE action = 'export'$q$}), 'exports');
like(refusal("'{$update}'", "BEGIN; LOCK TABLE audit.policy; "), qr/cannot be recorded.*lock timeout/s, 'without a record there is no bundle');
is($node->safe_psql('postgres', q{SELECT object FROM audit.verify()}), 'ok', 'the ledger is verified');

# an auditor
$node->safe_psql('postgres', q{
	SELECT count(*) FROM audit.create_roles();
	CREATE ROLE auditor LOGIN; GRANT audit_auditor TO auditor});
ok(slurp(archive("query => $query", extra_params => [ '-U', 'auditor' ]) . '.tar') eq $tar, 'an auditor gets the same bundle');
is($node->safe_psql('postgres', q{SELECT db_user, r #>> '{requested_by,login_user}' FROM audit.events, audit.to_jsonb(new_values) r WHERE event_type = 'evidence.exported' ORDER BY tx_id DESC LIMIT 1}),
	'auditor|auditor', 'in their name');
like(refusal("query => 'SELECT note FROM orders'", '', extra_params => [ '-U', 'auditor' ]), qr/permission denied for table orders/, 'and sees no more than before');
like(refusal("'{$update}', directory => '$folder/auditor'", '', extra_params => [ '-U', 'auditor' ]), qr/pg_write_server_files/, 'nor writes files');
$node->safe_psql('postgres', q{
	CREATE SCHEMA mine AUTHORIZATION auditor; SET ROLE auditor;
	CREATE FUNCTION mine.spy() RETURNS text LANGUAGE plpgsql AS 'BEGIN RETURN current_user || session_user; END';
	CREATE FUNCTION mine.trap() RETURNS text LANGUAGE plpgsql AS $$BEGIN EXECUTE 'ALTER ROLE auditor SUPERUSER'; RETURN '1.1'; END$$});
like(refusal('query => $q$SELECT mine.spy()$q$', '', extra_params => [ '-U', 'auditor' ]), qr/"auditorauditor" is not the name/, 'what the query calls runs as its caller');
like(refusal('query => $q$SELECT mine.trap()$q$', '', extra_params => [ '-U', 'auditor' ]), qr/read-only transaction|must be superuser/, 'with no more rights');

# a session that an earlier transaction wrote
$node->safe_psql('postgres', "INSERT INTO orders VALUES (3, 3);\nINSERT INTO orders VALUES (4, 4)");
my ($third, $fourth) = map { id_of("resource_id = '$_'") } 3, 4;
$bundle = archive("'{$fourth}'");
check_bundle($bundle, 'a session of an earlier transaction');
my ($writer) = $third =~ /^(\d+)/;
ok(-e "$bundle/tx/$writer/session.body" && !-e "$bundle/tx/$writer/1.body", 'the transaction that wrote it comes along, without events');
like(slurp("$bundle/report.html"), qr{<tr><th>Logged in as</th><td>postgres</td>}, 'and the report tells who had logged in');

# long values, and many events
$node->safe_psql('postgres', q{
	INSERT INTO orders VALUES (5, 5, repeat('long ', 200000)), (6, 6, repeat('x', 3000000));
	INSERT INTO orders SELECT g, g, 'many' FROM generate_series(1000, 4999) g});
$bundle = archive(q{query => $q$SELECT event_id FROM audit.events WHERE table_name = 'orders'$q$});
check_bundle($bundle, 'many events');
check_text($bundle, 'many events');
$report = slurp("$bundle/report.html");
is(scalar(() = $report =~ /<h4>/g), 1000, 'the report shows a thousand');
like($report, qr/5\d\d\d more events are<\/strong>|more events are in this bundle and not in this report/, 'and says that there are more');
is(scalar(map { @{ $_->{events} } } @{ decode_json(slurp("$bundle/events.json"))->{transactions} }), $node->safe_psql('postgres', q{SELECT count(*) FROM audit.events WHERE table_name = 'orders'}), 'events.json has all');
$bundle = archive(q{query => $q$SELECT event_id FROM audit.events WHERE resource_id IN ('5', '6')$q$});
check_bundle($bundle, 'long values');
like(slurp("$bundle/report.html"), qr/(long ){399}.*The first 2000 of 1000000 bytes; all of them are in events\.json/, 'a long value is cut in the report');
is(length decode_json(slurp("$bundle/events.json"))->{transactions}[0]{events}[0]{new_values}{note}, 1000000, 'and whole elsewhere');
my $long = slurp((glob "$bundle/tx/*/1.body")[0]);
ok(index($long, '"note":"' . 'long ' x 200000 . '"') > 0, 'as it was hashed');

# interrupted
interrupted('SELECT pg_terminate_backend(%d)', 'by a termination');
interrupted('SELECT pg_cancel_backend(%d)', 'by a cancel');
my $asker = started("$folder/killed");
kill 'KILL', $asker->{pid};
$asker->{holder}->quit;
$node->poll_query_until('postgres', 'SELECT true');
ok(!-e "$folder/killed", 'a killed backend leaves no bundle under its name');
is(scalar(() = glob "$folder/killed.partial-*"), 1, 'but what it had written aside');
is($node->safe_psql('postgres', "SELECT events FROM audit.export_evidence('{$update}', directory => '$folder/killed')"), '1', 'the next one is written');
is_deeply(contents("$folder/killed"), contents(archive("'{$update}'")), 'and whole');

# time stamps, and cosignatures by a witness
Evidence::make_authority();
Evidence::make_witness('witness.example/w1');
$node->append_conf('postgresql.conf', "audit_trail.anchor_command = 'sh $folder/anchor %p'");
$node->reload;
$node->poll_query_until('postgres', 'SELECT count(*) >= 2 FROM audit.anchor_receipt') or die 'not anchored';
my $anchored = $node->safe_psql('postgres', 'SELECT min(size) FROM audit.anchor_receipt');
my $stamp = $node->safe_psql('postgres', q{SELECT min(receipt_id) FROM audit.anchor_receipt WHERE kind = 'timestamp'});
$bundle = archive("query => $query");
check_bundle($bundle, 'anchored');
is((split /\n/, slurp("$bundle/checkpoint"))[1], $anchored, 'the earliest checkpoint that others have signed is taken');
like(slurp("$bundle/checkpoint"), qr{\n\xE2\x80\x94 example\.org/shop \S+\n\xE2\x80\x94 witness\.example/w1 \S+\n\z}, 'with the cosignature');
ok(-s "$bundle/timestamp/$stamp.tsr", 'and the time stamp');
$report = slurp("$bundle/report.html");
like($report, qr{Seen by witnesses</th><td>witness\.example/w1, \d+ \w+ 2\d\d\d, [\d:.]+ UTC}, 'the report tells who, and when');
like($report, qr{Time stamps</th><td>\d+ \w+ 2\d\d\d, [\d:.]+ UTC, in the file timestamp/$stamp\.tsr}, 'and the time of the stamp');
like($report, qr/Witnesses have seen this log,.*The log was there at the time of the time stamp/s, 'and what that proves');
unlike($report, qr/No witness has signed its head/, 'and no longer that nobody has');
$tar = slurp("$bundle.tar");
$node->safe_psql('postgres', 'UPDATE orders SET total = 2 WHERE id > 4000; SELECT audit.seal_now(); SELECT audit.anchor_now()');
ok(slurp(archive("query => $query") . '.tar') eq $tar, 'it stays the same while more is anchored');
my $newest = id_of("action = 'update'");
is((split /\n/, slurp(archive("'{$newest}'") . '/checkpoint'))[1] > $anchored, 1, 'newer events have a later one');

# a new key: it signs all that there is
$node->append_conf('postgresql.conf', "audit_trail.anchor_command = ''");
$node->safe_psql('postgres', "SELECT audit.create_signing_key('$folder/new.key', 'example.org/shop')");
rename "$folder/postgres.key", "$folder/old.key";
rename "$folder/new.key", "$folder/postgres.key";
$node->restart;
$node->safe_psql('postgres', 'SELECT audit.seal_now()');
$bundle = archive("query => $query");
check_bundle($bundle, 'after a change of the key');
is(scalar(split /\n/, slurp("$bundle/keys")), 2, 'both keys are there');
like(slurp("$bundle/report.html"), qr/From here on the log is signed by the key.*From here on the log is signed by the key.*Endorsed by the key/s, 'and the history of the log tells of both');

# restored elsewhere: the old events are proved there, and new ones
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$folder/dump", $node->connstr('postgres') ], 'dumped');
$node->command_ok([ 'pg_restore', '-e', '-1', '-d', $node->connstr('restored'), "$folder/dump" ], 'and restored');
write_file("$folder/restored.key", slurp("$folder/postgres.key"));
chmod 0600, "$folder/restored.key";
$node->safe_psql('restored', q{INSERT INTO orders VALUES (10000, 1, 'restored')});
$node->poll_query_until('restored', q{SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = 'restored' AND backend_type = 'audit_trail sealer'});
$node->safe_psql('restored', 'SELECT audit.seal_now()');
$node->safe_psql('restored', q{SELECT audit.new_incarnation('restored from the dump of Monday'); SELECT audit.seal_now()});
my $restored = $node->safe_psql('restored', q{SELECT event_id FROM audit.events WHERE resource_id = '10000'});
$bundle = archive_of('restored', "'{$update,$restored}'");
check_bundle($bundle, 'a restored database');
$report = slurp("$bundle/report.html");
like($report, qr/The log begins, in the server.*The log goes on in another server or database.*It was declared that the log does not continue.*restored from the dump of Monday/s, 'the report tells where it was written');

# a database whose text may be any bytes
$node->safe_psql('postgres', q{CREATE DATABASE ascii ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0});
$node->safe_psql('ascii', qq{
	SET client_min_messages = error;
	CREATE EXTENSION audit_trail;
	CREATE TABLE notes (id int PRIMARY KEY, note text, doc json);
	SELECT audit.enable('notes');
	SELECT audit.create_signing_key('$folder/ascii.key', 'example.org/ascii');
	INSERT INTO notes VALUES (1, E'caf\\xe9 \\xff<', E'{"\\xe9":"\\xc3"}'), (2, E'caf\\xc3\\xa9', '1e400')});
$bundle = archive_of('ascii', q{query => $q$SELECT event_id FROM audit.events WHERE table_name = 'notes' AND action = 'insert'$q$});
check_bundle($bundle, 'any bytes');
check_text($bundle, 'any bytes');
like(slurp("$bundle/report.html"), qr{caf<i>byte E9</i> <i>byte FF</i>&lt;}, 'bytes that are no characters are named');
like(slurp("$bundle/report.html"), qr{caf\xc3\xa9}, 'others are letters');
$events = decode_json(slurp("$bundle/events.json"));
my ($bytes) = map { @{ $_->{events} } } @{ $events->{transactions} };
is($bytes->{new_values}{note}, "caf\x{fffd} \x{fffd}<", 'the document for programs replaces them');
like(MIME::Base64::decode_base64($bytes->{new_values_base64}), qr/caf\xe9 \xff</, 'and has the exact bytes beside');

# a ledger that was changed gives none
my ($tx) = $update =~ /^(\d+)/;
my $place = $node->safe_psql('postgres', "SELECT pg_relation_filepath(tableoid), (ctid::text::point)[0]::int, (ctid::text::point)[1]::int FROM audit.event WHERE tx_id = $tx AND ordinal = 1");
$node->safe_psql('postgres', 'CHECKPOINT');
$node->stop;
my ($path, $block, $item) = split /\|/, $place;
edit_row([ $node->data_dir . "/$path", $block, $item ], sub { s/"total":11\.00/"total":12.00/ });
$node->start;
like(refusal("'{$update}'"), qr/does not give evidence that holds.*Event $update is not in its batch/s, 'there is no evidence of it');
is(archive("'{$first}'") ne '', 1, 'but of others');

$node->stop;
done_testing();

sub id_of
{
	my ($where) = @_;

	return $node->safe_psql('postgres', "SELECT event_id FROM audit.events WHERE $where ORDER BY tx_id DESC, ordinal DESC LIMIT 1");
}

sub count_records
{
	return $node->safe_psql('postgres', q{SELECT count(*) FROM audit.events WHERE event_type = 'evidence.exported'});
}

sub refusal
{
	my ($arguments, $before, @more) = @_;

	($status, $out, $err) = $node->psql('postgres', ($before // '') . "SELECT * FROM audit.export_evidence($arguments)", on_error_stop => 1, @more);
	return $status ? $err : "no refusal: $out";
}

# A session that has written a bundle aside, and is held there.
sub started
{
	my ($place) = @_;
	my $holder = $node->background_psql('postgres');
	my $pid;

	$holder->query_safe(q{SELECT pg_advisory_lock(1096107092, hashtext('evidence-written'))});
	my ($stdout, $stderr) = ('', '');
	my $run = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', "SELECT events FROM audit.export_evidence('{$update}', directory => '$place')" ],
		'>', \$stdout, '2>', \$stderr);
	$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted}) or die 'it does not come to the place';
	$pid = $node->safe_psql('postgres', q{SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND NOT granted});
	return { holder => $holder, pid => $pid, run => $run };
}

sub interrupted
{
	my ($command, $name) = @_;
	my $place = "$folder/interrupted";
	my $asker = started($place);

	is(scalar(() = glob "$place.partial-*"), 1, "$name: a bundle is being written aside");
	$node->safe_psql('postgres', sprintf $command, $asker->{pid});
	$asker->{run}->finish;
	$asker->{holder}->quit;
	is_deeply([ glob "$place*" ], [], "$name: nothing is left of it");
	return;
}
