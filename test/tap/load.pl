# Loading: without preload the extension works as far as it can and says what is missing; with it
# the workers of all databases start by themselves. The settings, and what audit.doctor() finds.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Workers;

my $node = PostgreSQL::Test::Cluster->new('load');
my ($status, $out, $err);

$node->init;
$node->start;

# Not preloaded.
($status, $out, $err) = $node->psql('postgres', 'CREATE EXTENSION audit_trail');
is($status, 0, 'CREATE EXTENSION works without preload');
like($err, qr/WARNING:  audit_trail is not loaded by shared_preload_libraries/, 'and warns');
like($err, qr/DETAIL:  .*sealing and the delivery of alerts are inactive/, 'says what is inactive');
like($err, qr/HINT:  Add audit_trail to shared_preload_libraries and restart/, 'and what to do');

like(doctor($node, 'postgres', 'library'), qr/^problem\|The library was not loaded.*\|ALTER SYSTEM SET shared_preload_libraries = 'audit_trail'; -- then restart the server$/, 'so says the doctor');
like(doctor($node, 'postgres', $_), qr/^problem\|.*does not run/, "who misses the $_")
  foreach qw(launcher sealer notifier);
like(doctor($node, 'postgres', 'ledger'), qr/^warning\|.*no ledger yet.*\|SELECT audit\.init\(\);$/,
	'and the ledger, before there is one');
is(doctor($node, 'postgres', 'capture'), q{warning|No table is audited.|SELECT audit.enable('your_table');},
	'and an audited table');

$node->safe_psql('postgres', q{
	CREATE TABLE public.t (id int PRIMARY KEY, v text);
	SELECT audit.enable('public.t');
	INSERT INTO public.t VALUES (1, 'a')});
is($node->safe_psql('postgres', q{SELECT event_count FROM audit.transaction ORDER BY tx_id DESC LIMIT 1}),
	'1', 'changes are captured without preload');

($status, $out, $err) = $node->psql('postgres', '\set VERBOSITY verbose
	SELECT audit.seal_now()');
like($err, qr/TR004: the audit_trail sealer is not running/, 'sealing is refused');
like($err, qr/HINT:  Add audit_trail to shared_preload_libraries/, 'with the remedy');
like(doctor($node, 'postgres', 'sealing'), qr/^ok\|\d+ transactions await sealing/, 'the doctor counts what waits');

# Preloaded.
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\nmax_worker_processes = 20");
$node->restart;
workers_run($node, 'postgres', 'workers start in a database that had the extension');
$node->safe_psql('postgres', 'SELECT audit.seal_now()');
is(doctor($node, 'postgres', 'sealing'), 'ok|All transactions are sealed.|', 'what waited is sealed');
is($node->safe_psql('postgres', q{SELECT DISTINCT "check", status, detail ~ 'no record of the time before|not signed|fsync is off|record_reads is off'
	FROM audit.doctor() WHERE status <> 'ok' AND "check" <> 'disk' ORDER BY 1}),
	"settings|warning|t\nsigning key|warning|t\nunseen time|warning|t", 'the doctor is content, but with the time before and these settings, and wants a key');

($status, $out, $err) = $node->psql('postgres', 'CREATE DATABASE second');
($status, $out, $err) = $node->psql('second', 'CREATE EXTENSION audit_trail');
is($err, '', 'CREATE EXTENSION is silent with preload');
workers_run($node, 'second', 'and workers start at once');

# DROP EXTENSION, while there is no ledger.
$node->safe_psql('second', 'DROP EXTENSION audit_trail');
workers_gone($node, 'second', 'they end when the extension is dropped');
$node->safe_psql('second', 'CREATE EXTENSION audit_trail');
workers_run($node, 'second', 'and are back when it is created again');

# A template is left alone.
$node->safe_psql('postgres', 'ALTER DATABASE second IS_TEMPLATE true');
workers_gone($node, 'second', 'workers leave a database that becomes a template');
like(doctor($node, 'second', 'sealer'),
	qr/^problem\|.*leave template databases alone.*\|ALTER DATABASE second IS_TEMPLATE false;$/, 'the doctor says why');
$node->safe_psql('postgres', 'ALTER DATABASE second IS_TEMPLATE false');
workers_run($node, 'second', 'workers are back when it is one no longer');

# What the doctor finds where nobody guards.
$node->append_conf('postgresql.conf', 'audit_trail.guard = off');
$node->reload;
ok($node->poll_query_until('postgres', 'SHOW audit_trail.guard', 'off'), 'the guard is lifted');
like(doctor($node, 'postgres', 'guard'), qr/^problem\|The guard is lifted: .*\|Set audit_trail.guard = on /, 'the doctor says so');
$node->safe_psql('postgres', 'ALTER TABLE public.t DISABLE TRIGGER ALL');
my $remedy = $node->safe_psql('postgres', q{SELECT remedy FROM audit.doctor() WHERE "check" = 'capture'});
like(doctor($node, 'postgres', 'capture'), qr/^problem\|Not captured on (public\.)?t: delete, insert, truncate, update\./,
	'disabled triggers');
$node->safe_psql('postgres', $remedy);
is(doctor($node, 'postgres', 'capture'), 'ok|All audited tables have their triggers.|', 'whose remedy works');

$node->safe_psql('postgres', q{
	CREATE OR REPLACE TRIGGER "00_audit_update" AFTER UPDATE ON public.t
		FOR EACH ROW WHEN (false) EXECUTE FUNCTION audit.capture();
	ALTER TABLE public.t ENABLE ALWAYS TRIGGER "00_audit_update"});
like(doctor($node, 'postgres', 'capture'), qr/^problem\|Not captured on (public\.)?t: update\./,
	'a trigger that looks enabled and never fires');
$node->safe_psql('postgres', $remedy);
$node->append_conf('postgresql.conf', 'audit_trail.guard = on');
$node->reload;
ok($node->poll_query_until('postgres', 'SHOW audit_trail.guard', 'on'), 'the guard is back');

$node->safe_psql('postgres', q{CREATE ROLE watcher; GRANT EXECUTE ON FUNCTION audit.doctor() TO watcher});
is($node->safe_psql('postgres', q{SET ROLE watcher; SELECT DISTINCT "check" FROM audit.doctor() WHERE status <> 'ok' AND "check" <> 'disk' ORDER BY 1}),
	"settings\nsigning key\nunseen time", 'a role needs no more than EXECUTE');

# Settings.
my @refused = (
	[ q{audit_trail.extra = '[1]'}, qr/must be empty or a JSON object/ ],
	[ q(audit_trail.extra = '{"a":'), qr/must be empty or a JSON object/ ],
	[ q{audit_trail.extra = '1'}, qr/must be empty or a JSON object/ ],
	[ "audit_trail.extra = '{\"a\": \"" . 'x' x 1000 . "\"}'", qr/longer than 1000 bytes/ ],
	[ q{audit_trail.actor = '} . 'x' x 1001 . q{'}, qr/longer than 1000 bytes/ ],
	[ q{audit_trail.seal_interval = '1ms'}, qr/cannot set audit_trail.seal_interval by SET/ ],
	[ q{audit_trail.actr = 'me'}, qr/"audit_trail" is a reserved prefix/ ]);
foreach my $case (@refused)
{
	($status, $out, $err) = $node->psql('postgres', "SET $case->[0]");
	like($err, $case->[1], 'refused: ' . substr($case->[0], 0, 40));
}
$node->safe_psql('postgres', q{SET audit_trail.extra = ' {"a": [1, {"b": null}]} '; SET audit_trail.extra = '';
	SET audit_trail.actor = '} . 'x' x 1000 . q{'});

# Too few background workers: the launcher and one of PostgreSQL's own take all there are.
$node->append_conf('postgresql.conf', 'max_worker_processes = 2');
$node->restart;
ok($node->poll_query_until('postgres', q{
		SELECT status = 'problem' AND remedy = 'ALTER SYSTEM SET max_worker_processes = 16; -- then restart the server'
		FROM audit.doctor() WHERE "check" = 'worker slots'}), 'the doctor sees that no worker can start');
like(slurp_file($node->logfile), qr/no free slot for the audit_trail sealer of database \d+/, 'so does the log');
like(doctor($node, 'postgres', 'sealer'), qr/^(warning|problem)\|/, 'the sealer is missed');

$node->stop;
done_testing();
