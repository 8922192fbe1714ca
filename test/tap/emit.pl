# Business events where things break: rollbacks, two-phase commit, kill -9 around emit_now(), many at once, a dump
# with own types and rules; and the statements of doc/events.md, as they are printed there.
use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename;
use Polling;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $top = dirname(abs_path(__FILE__)) . '/../..';
my $folder = PostgreSQL::Test::Utils::tempdir;
my $node = PostgreSQL::Test::Cluster->new('emit');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\nmax_worker_processes = 20\nrestart_after_crash = on\n"
	  . "max_prepared_transactions = 5\naudit_trail.signing_key_file = '$folder/key'\naudit_trail.checkpoint_file = '$folder/checkpoints'\naudit_trail.seal_interval = 1h\naudit_trail.debug_points = 'apart-before-commit'\n");
$node->start;
$node->safe_psql('postgres', q{
	SET client_min_messages = error;
	CREATE EXTENSION audit_trail;
	SELECT audit.create_roles();
	CREATE ROLE app LOGIN;
	CREATE ROLE other LOGIN;
	GRANT audit_writer TO app;
	CREATE TABLE mark (id int);
	GRANT ALL ON mark TO app});

my $key = $node->safe_psql('postgres', "SELECT audit.create_signing_key('$folder/key', 'example.org/shop')");

# Columns of all events of the application that have this key.
sub told
{
	my ($key, $columns) = @_;

	return $node->safe_psql('postgres',
		"SELECT $columns FROM (SELECT * FROM audit.events WHERE action = 'emit' AND resource_id = '$key' ORDER BY tx_id, ordinal) e");
}

sub as_app
{
	my ($sql, %options) = @_;

	return $node->psql('postgres', $sql, extra_params => [ '-U', 'app', '-X' ], %options);
}

sub verdict
{
	$node->safe_psql('postgres', 'SELECT audit.seal_now()');
	return $node->safe_psql('postgres', 'SELECT finding, object FROM audit.verify()');
}

# emit_now() outlives its transaction, and is the session's.
as_app(q{BEGIN; SET LOCAL application_name = 'till 5'; SELECT audit.set_context(actor => 'anna', request_id => 'r-1', reason => 'a try');
	INSERT INTO mark VALUES (1);
	SELECT audit.emit('payment.authorized', 'p1');
	SELECT audit.emit_now('payment.attempted', 'p1', new => '{"amount": 12, "card_token": "4711"}', extra => '{"terminal": 5}');
	ROLLBACK;
	SELECT audit.emit('order.created', 'o1')});
is(told('p1', 'event_type, actor, db_user, login_user, request_id, reason, new_values, extra, sentence'),
	'payment.attempted|anna|app|app|r-1|a try|{"amount":12,"card_token":"***"}|{"app":{"terminal": 5}}|anna attempted payment p1 of 12',
	'an attempt stays when its transaction is rolled back, and nothing else does');
is($node->safe_psql('postgres', q{SELECT string_agg(sentence, '; ') FROM audit.session_flow((SELECT max(session_id) FROM audit.events WHERE login_user = 'app'))}),
	'anna attempted payment p1 of 12; app created order o1', 'it belongs to the session that made it');
is($node->safe_psql('postgres', q{SELECT sentence FROM audit.request_flow('r-1')}), 'anna attempted payment p1 of 12', 'and to the request');
my ($rc, $out, $err) = as_app(q{BEGIN READ ONLY; SELECT audit.emit_now('payment.attempted', 'p2') ~ '^\d+\.1$'; ROLLBACK});
is(told('p2', 'count(*)'), '1', 'a transaction that can only read may tell of an attempt too');
is($node->safe_psql('postgres', 'SELECT count(*) FROM mark'), '0', 'and the rest was rolled back');
($rc, $out, $err) = as_app(q{SELECT audit.emit_now('payment.exploded', 'p2')});
like($err, qr/there is no event type "payment.exploded"/, 'a type that nobody knows is refused');
$node->psql('postgres', q{SELECT audit.emit_now('payment.attempted', 'x')}, extra_params => [ '-U', 'other' ], stderr => \$err);
like($err, qr/permission denied for function emit_now/, 'and so is who may not emit');
$node->safe_psql('postgres', 'ALTER ROLE app SET audit_trail.require_context = error');
as_app(q{SELECT audit.emit_now('payment.attempted', 'p3')}, stderr => \$err);
like($err, qr/nobody says who/, 'who has to name an actor has to here');
$node->safe_psql('postgres', 'ALTER ROLE app RESET audit_trail.require_context');
is(told('p3', 'count(*)'), '0', 'without one nothing is recorded');

# What a rolled-back transaction had made for its events is made again.
as_app(q{BEGIN; SELECT audit.emit('refund.issued', 'b1'); ROLLBACK; SELECT audit.emit('refund.issued', 'b2');
	BEGIN; SAVEPOINT s; SELECT audit.emit('chargeback.won', 'b3'); ROLLBACK TO s; SELECT audit.emit('chargeback.won', 'b4'); COMMIT;
	BEGIN; SAVEPOINT s; SELECT audit.emit('payout.sent', 'b5'); RELEASE s; SAVEPOINT t; SELECT 1 / 0; ROLLBACK TO t; SELECT audit.emit('payout.sent', 'b6'); COMMIT;
	BEGIN; SELECT audit.emit('lead.captured', 'b7'); PREPARE TRANSACTION 'dropped'; SELECT audit.emit('lead.captured', 'b8');
	BEGIN; SELECT audit.emit('bid.received', 'b9'); PREPARE TRANSACTION 'kept'}, on_error_stop => 0);
$node->stop('immediate');
$node->start;
$node->safe_psql('postgres', q{ROLLBACK PREPARED 'dropped'});
$node->safe_psql('postgres', q{COMMIT PREPARED 'kept'});
is($node->safe_psql('postgres', q{SELECT string_agg(resource_id || ' ' || resource_type || ' ' || actor, ', ' ORDER BY resource_id)
		FROM audit.events WHERE action = 'emit' AND resource_id LIKE 'b_'}),
	'b2 refund app, b4 chargeback app, b5 payout app, b6 payout app, b8 lead app, b9 bid app',
	'events stand and fall with their transactions, prepared ones too');
is(verdict(), 'summary|ok', 'nothing to complain of') or diag(verdict());

# kill -9 of the session, of the worker before it commits, and of the server.
sub in_background
{
	my ($sql) = @_;
	my $h = IPC::Run::start([ 'psql', '-X', '-q', '-d', $node->connstr('postgres'), '-U', 'app', '-c', $sql ], '>', '/dev/null', '2>', '/dev/null');

	return $h;
}

sub await_up
{
	ok($node->poll_query_until('postgres', 'SELECT true'), 'the server is there again');
	return;
}
my $session = $node->background_psql('postgres', extra_params => [ '-U', 'app' ]);
$session->query(q{BEGIN; INSERT INTO mark VALUES (2); SELECT audit.emit('order.created', 'k0');});
$session->query(q{SELECT audit.emit_now('payment.attempted', 'k1');});
my $pid = $session->query('SELECT pg_backend_pid();');
$pid =~ s/\D//g;
kill 'KILL', $pid;
eval { $session->quit };
await_up();
is(told('k1', 'count(*)') . told('k0', 'count(*)'), '10', 'when emit_now() has returned its event is there, though the server crashed');

foreach my $victim ('audit_trail record', 'the postmaster')
{
	my $hold = $node->background_psql('postgres');
	my $key = $victim =~ /record/ ? 'k2' : 'k3';

	$hold->query(q{SELECT pg_advisory_lock(1096107092, hashtext('apart-before-commit'));});
	my $h = in_background("SELECT audit.emit_now('payment.attempted', '$key')");
	ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted}), "$victim is at the last line");
	if ($victim =~ /record/)
	{
		kill 'KILL', $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE backend_type = '$victim'");
	}
	else
	{
		$node->stop('immediate');
		$node->start;
	}
	eval { $hold->quit };
	$h->finish;
	isnt($h->result, 0, 'who asked is told no success');
	await_up();
	is(told($key, 'count(*)'), '0', 'and there is no event');
}
as_app(q{SELECT audit.emit_now('payment.attempted', 'k4')});
is(told('k4', 'count(*)'), '1', 'the next one is recorded');
is(verdict(), 'summary|ok', 'nothing to complain of after crashes');

# Many in one transaction, and large ones.
as_app(q{SELECT count(audit.emit('order.changed', 'm' || i % 7, '{"a": 1}', jsonb_build_object('a', i))) FROM generate_series(1, 10000) i});
is($node->safe_psql('postgres', q{SELECT count(*), min(ordinal), max(ordinal) FROM audit.events WHERE action = 'emit' AND resource_id LIKE 'm_'}), '10000|1|10000',
	'ten thousand in a transaction');
as_app(q{SELECT audit.emit('order.changed', 'large', new => (SELECT jsonb_object_agg('c' || i, repeat(md5(i::text), 31000)) FROM generate_series(1, 30) i))});
is(told('large', q{length(new_values::text) > 29000000, json_typeof(extra -> 'shortened')}), 't|', 'thirty megabytes that are no long value are recorded whole');
as_app(q{SELECT audit.emit('order.changed', 'huge', new => jsonb_build_object('c', repeat('x', 100000000)))});
is(told('huge', q{new_values #>> '{c,bytes}', extra -> 'shortened'}), '100000002|["c"]', 'a value of a hundred megabytes is not');
is(verdict(), 'summary|ok', 'nothing to complain of');

# No search path, and no cast of a user's, is asked for anything.
$node->safe_psql('postgres', q{
	CREATE SCHEMA evil AUTHORIZATION app;
	GRANT CREATE ON SCHEMA public TO app});
as_app(q{CREATE FUNCTION evil.bomb(jsonb) RETURNS text LANGUAGE plpgsql AS 'BEGIN RAISE ''boom''; END';
	CREATE TYPE evil.kind AS ENUM ('order.created');
	CREATE FUNCTION evil.jsonb_out(jsonb) RETURNS text LANGUAGE sql AS 'SELECT ''forged''';
	CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = texteq);
	CREATE TABLE evil.event_type (event_type text); CREATE TABLE evil.target (x int)});
as_app(q{SET search_path = evil, public, pg_catalog; SELECT audit.emit('order.created', 'e1', new => '{"total": 5}'); SELECT audit.emit_now('order.created', 'e1')});
is(told('e1', 'sentence'), "app created order e1 over 5\napp created order e1", 'a hostile search path changes nothing');

# No secret is anywhere in the ledger.
as_app(q{SELECT audit.emit('user.registered', 's1', new => '{"login": {"Password": "hunter2", "deep": [[{"api_key": "hunter2"}]]}, "url": "https://bob:hunter2@example.com"}', extra => '{"session_token": "hunter2"}')});
as_app(q{SELECT audit.emit_now('employee.salary_changed', 's2', new => '{"salary": "hunter2"}')});
is($node->safe_psql('postgres', q{SELECT count(*) FROM audit.event e WHERE e::text LIKE '%hunter2%'}), '0', 'no secret is recorded');
is(told('s1', 'count(*)') . told('s2', 'count(*)'), '11', 'but that something was');

# Evidence of a business event says what it is, and that the application said so.
$node->safe_psql('postgres', qq{SELECT audit.export_evidence(query => \$\$SELECT event_id FROM audit.events WHERE resource_id = 'b4' AND action = 'emit'\$\$, directory => '$folder/case')});
append_to_file("$folder/key.pub", "$key\n");
$node->command_ok([ 'audit_verify', '--key', "$folder/key.pub", "$folder/case" ], 'evidence of a business event holds');
my $report = slurp_file("$folder/case/report.html");
like($report, qr/chargeback b4: the application told of an event/, 'the report says that the application told it');
like($report, qr/chargeback\.won/, 'and of what type it is');

# A dump has own types, changed ones and rules, and not what ships.
$node->safe_psql('postgres', q{
	SET client_min_messages = error;
	CREATE TABLE parcels (id int PRIMARY KEY, state text);
	SELECT audit.enable('parcels', resource_type => 'parcel');
	SELECT audit.add_context('post', 'Post', 'What is sent.');
	SELECT audit.add_event_type('parcel.sent', 'post', 'fulfilment', '{actor} sent parcel {resource_id}', 'A parcel was sent.');
	SELECT audit.change_event_type('order.cancelled', severity => 'critical');
	SELECT audit.map_event('parcels', 'parcel.sent', column_name => 'state', to_value => 'sent')});
my $catalogue = q{SELECT (SELECT count(*) FROM audit.event_type), (SELECT count(*) FROM audit.context), (SELECT severity FROM audit.event_types WHERE event_type = 'order.cancelled'),
	(SELECT string_agg(name, ',') FROM audit.event_map)};
my $before = $node->safe_psql('postgres', $catalogue);
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$folder/dump", '-d', $node->connstr('postgres') ], 'pg_dump');
$node->safe_psql('postgres', 'CREATE DATABASE copy');
$node->command_ok([ 'pg_restore', '-e', '-1', '-d', $node->connstr('copy'), "$folder/dump" ], 'pg_restore');
is($node->safe_psql('copy', $catalogue), $before, 'the catalogue is the same');
is($node->safe_psql('copy', q{INSERT INTO parcels VALUES (1, 'new'); UPDATE parcels SET state = 'sent';
	SELECT event_type, sentence FROM audit.history('parcels', '1') ORDER BY committed_at DESC LIMIT 1}), 'parcel.sent|postgres sent parcel 1', 'and rules work')
  or note($node->safe_psql('copy', q{SELECT current_user}));

# doc/events.md
my $doc = slurp_file("$top/doc/events.md");
my @blocks = $doc =~ /^```sql\n(.*?)^```/msg;
cmp_ok(scalar(@blocks), '>=', 3, 'there are examples');
$node->safe_psql('postgres', 'CREATE DATABASE examples');
$node->safe_psql('examples', 'SET client_min_messages = error; CREATE EXTENSION audit_trail; SELECT audit.init()');
my $said = '';
foreach my $block (@blocks)
{
	my ($code, $stdout, $stderr) = $node->psql('examples', $block, on_error_stop => 1);

	is($code, 0, 'an example works') or diag($stderr);
	$said .= "$stdout\n";
}
foreach my $promised ($doc =~ /^```\n (.*?)\n```/msg)
{
	like($said, qr/^\Q$promised\E$/m, 'and says what is printed there');
}

done_testing();
