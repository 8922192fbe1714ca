# A superuser writes to the catalogs as to tables, or to stored rows by the tools of repair. The guard
# refuses it, and who tried is on record. Where the guard is lifted, it is found: a capture that was switched
# off by the doctor and by audit.reconcile(), rows that were taken away by audit.verify().

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Refused;
use Test::More;
use Workers;

my $node = PostgreSQL::Test::Cluster->new('catalog');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\nmax_worker_processes = 20\nfsync = off\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION audit_trail;
	CREATE EXTENSION pg_surgery;
	CREATE TABLE a (id int PRIMARY KEY);
	CREATE TABLE b (id int PRIMARY KEY);
	CREATE TABLE c (id int PRIMARY KEY);
	SELECT audit.enable(t::regclass) FROM unnest('{a,b,c}'::text[]) t;
	INSERT INTO a VALUES (1); INSERT INTO b VALUES (1); INSERT INTO c VALUES (1)});
is($node->safe_psql('postgres', q{SELECT string_agg(DISTINCT status, ',') FROM audit.doctor() WHERE "check" = 'capture'}), 'ok', 'all is captured');

# The guard refuses it: every form of it, on every catalog that the trail rests on.
workers_run($node, 'postgres', 'workers run');
my @writes = (
	[ q{UPDATE pg_trigger SET tgenabled = 'D' WHERE tgrelid = 'a'::regclass}, 'pg_trigger' ],
	[ q{UPDATE pg_class SET relhastriggers = false WHERE oid = 'b'::regclass}, 'pg_class' ],
	[ q{DELETE FROM pg_trigger WHERE tgrelid = 'c'::regclass}, 'pg_trigger' ],
	[ q{UPDATE pg_proc SET prosrc = 'at_doctor' WHERE oid = 'audit.capture()'::regprocedure}, 'pg_proc' ],
	[ q{UPDATE pg_attribute SET attname = 'ID' WHERE attrelid = 'a'::regclass AND attname = 'id'}, 'pg_attribute' ],
	[ q{UPDATE pg_am SET amhandler = 'heap_tableam_handler'::regproc WHERE amname = 'audit_worm'}, 'pg_am' ],
	[ q{UPDATE pg_namespace SET nspowner = 10 WHERE nspname = 'audit'}, 'pg_namespace' ],
	[ q{UPDATE pg_extension SET extname = 'gone' WHERE extname = 'audit_trail'}, 'pg_extension' ],
	[ q{DELETE FROM pg_depend WHERE refobjid = 'audit.event'::regclass}, 'pg_depend' ],
	[ q{DELETE FROM pg_inherits WHERE inhparent = 'audit.event'::regclass}, 'pg_inherits' ],
	[ q{DELETE FROM pg_policy WHERE polrelid = 'audit.event'::regclass}, 'pg_policy' ],
	[ q{UPDATE pg_rewrite SET ev_enabled = 'D' WHERE ev_class = 'audit.events'::regclass}, 'pg_rewrite' ],
	[ q{UPDATE pg_index SET indisvalid = false WHERE indrelid = 'audit.event'::regclass}, 'pg_index' ],
	[ q{UPDATE pg_constraint SET convalidated = false WHERE conrelid = 'audit.policy'::regclass}, 'pg_constraint' ],
	[ q{INSERT INTO pg_auth_members (roleid, member, grantor, admin_option) SELECT 'audit_ledger'::regrole, 10, 10, false}, 'pg_auth_members' ],
	[ q{UPDATE pg_authid SET rolcanlogin = true WHERE rolname = 'audit_ledger'}, 'pg_authid' ],
	[ q{INSERT INTO pg_db_role_setting VALUES (0, 10, '{session_preload_libraries=mine}')}, 'pg_db_role_setting' ],
	[ q{WITH u AS (UPDATE pg_trigger SET tgenabled = 'D' RETURNING 1) SELECT count(*) FROM u}, 'pg_trigger' ],
	[ q{MERGE INTO pg_class USING (SELECT 1) s ON relname = 'a' WHEN MATCHED THEN UPDATE SET relhastriggers = false}, 'pg_class' ],
	[ q{PREPARE p AS DELETE FROM pg_trigger\; EXECUTE p}, 'pg_trigger' ],
	[ q{DO $$ BEGIN UPDATE pg_trigger SET tgenabled = 'D'; END $$}, 'pg_trigger' ],
	[ q{EXPLAIN ANALYZE DELETE FROM pg_trigger}, 'pg_trigger' ],
	[ q{CREATE VIEW triggers AS SELECT * FROM pg_trigger\; UPDATE triggers SET tgenabled = 'D'}, 'pg_trigger' ],
	[ q{COPY pg_event_trigger FROM PROGRAM 'true'}, 'pg_event_trigger' ],
	[ q{SET allow_system_table_mods = on\; TRUNCATE pg_trigger}, 'pg_trigger' ],
	[ q{SET allow_system_table_mods = on\; UPDATE pg_trigger SET tgenabled = 'D'}, 'pg_trigger' ]);
foreach my $write (@writes)
{
	my ($command, $catalog) = @$write;

	like(refuse($node, $command), qr/cannot change "$catalog" directly: it is a system catalog.*HINT: .*audit_trail\.guard = off/s, "refused: $command");
	is(refused($node, q{new_values ->> 'sqlstate', new_values ->> 'object'}), "TR007|table pg_catalog.$catalog", 'and on record');
}

# Nor is anything put into pg_catalog, changed there or taken out, that the trail's own functions could mean.
my @definitions = (
	[ q{CREATE FUNCTION pg_catalog.to_char(json) RETURNS text LANGUAGE sql AS 'SELECT NULL::text'}, 'schema pg_catalog' ],
	[ q{CREATE OR REPLACE FUNCTION pg_catalog.lower(text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS 'SELECT $1'}, 'function lower(text)' ],
	[ q{ALTER FUNCTION pg_catalog.lower(text) COST 1000}, 'function lower(text)' ],
	[ q{ALTER FUNCTION pg_catalog.json_object_keys(json) RENAME TO keys}, 'function json_object_keys(json)' ],
	[ q{CREATE FUNCTION mine(json) RETURNS text LANGUAGE sql AS 'SELECT NULL::text'\; ALTER FUNCTION mine(json) SET SCHEMA pg_catalog}, 'function mine(json)' ],
	[ q{CREATE FUNCTION mine(json) RETURNS text LANGUAGE sql AS 'SELECT NULL::text'\; CREATE CAST (json AS text) WITH FUNCTION mine(json) AS IMPLICIT}, 'cast from json to text' ],
	[ q{CREATE OPERATOR pg_catalog.=== (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq)}, 'schema pg_catalog' ],
	[ q{SET allow_system_table_mods = on\; CREATE TABLE pg_catalog.mine (id int)}, 'schema pg_catalog' ],
	[ q{SET allow_system_table_mods = on\; CREATE VIEW pg_catalog.mine AS SELECT 1 AS id}, 'schema pg_catalog' ],
	[ q{SET allow_system_table_mods = on\; CREATE TRIGGER t AFTER UPDATE ON pg_trigger EXECUTE FUNCTION audit.capture()}, 'table pg_trigger' ],
	[ q{SET allow_system_table_mods = on\; CREATE INDEX mine ON pg_trigger (tgenabled)}, 'schema pg_catalog' ],
	[ q{SET allow_system_table_mods = on\; ALTER TABLE pg_class ADD COLUMN mine int}, 'schema pg_catalog' ],
	[ q{SET allow_system_table_mods = on\; ALTER TABLE pg_trigger RENAME TO triggers}, 'table pg_trigger' ],
	[ q{SET allow_system_table_mods = on\; CREATE OR REPLACE VIEW pg_catalog.pg_settings AS SELECT * FROM pg_show_all_settings()}, 'rule _RETURN on view pg_settings' ]);
foreach my $definition (@definitions)
{
	my ($command, $object) = @$definition;

	like(refuse($node, $command), qr/cannot (?:create an object in pg_catalog|create cast|.*: it is in pg_catalog)/, "refused: $command");
	is(refused($node, q{new_values ->> 'object'}), $object, 'and on record');
}

# What administrators do is not in the way, nor are extensions with objects in pg_catalog.
my $refusals = count_refused($node);
foreach my $command (
	'UPDATE pg_database SET datconnlimit = -1',
	'DELETE FROM pg_statistic',
	'VACUUM FULL pg_class',
	'REINDEX TABLE pg_proc',
	'CLUSTER pg_trigger USING pg_trigger_oid_index',
	'REVOKE EXECUTE ON FUNCTION pg_catalog.pg_sleep(float8) FROM PUBLIC',
	q{SELECT pg_import_system_collations('pg_catalog')},
	'DROP EXTENSION plpgsql', # it has functions in pg_catalog
	'CREATE EXTENSION plpgsql',
	'SELECT * FROM pg_class FOR UPDATE', 'CREATE CAST (int AS text) WITH INOUT AS IMPLICIT', 'DROP CAST (int AS text)',
	q{SET session_replication_role = replica; CREATE TEMP TABLE t (id serial PRIMARY KEY); DROP TABLE t},
	'REFRESH MATERIALIZED VIEW matter', 'CREATE DATABASE another', 'DROP DATABASE another')
{
	$node->safe_psql('postgres', 'CREATE MATERIALIZED VIEW IF NOT EXISTS matter AS SELECT 1 AS id');
	my ($code, undef, $error) = $node->psql('postgres', $command);
	is($code, 0, "not refused: $command") or diag($error);
}
is(count_refused($node), $refusals, 'nothing of that was an attempt');

# An event trigger that a script of an extension causes to run is not part of the script.
$node->safe_psql('postgres', q{
	CREATE FUNCTION meddle() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
		IF tg_tag = 'CREATE FUNCTION' THEN UPDATE pg_trigger SET tgenabled = 'D'; END IF; END $$;
	CREATE EVENT TRIGGER meddle ON ddl_command_end EXECUTE FUNCTION meddle()});
like(refuse($node, 'CREATE EXTENSION pageinspect'), qr/cannot change "pg_trigger" directly/, 'nor is what a script causes');
$node->safe_psql('postgres', 'DROP EVENT TRIGGER meddle; DROP FUNCTION meddle()');
like($node->safe_psql('postgres', q{SELECT string_agg(DISTINCT status, ',') FROM audit.doctor() WHERE "check" = 'capture'}), qr/^ok$/, 'all is captured still');

# From here on the guard is lifted. A trigger is switched off, or all of a table's are hidden, or one is removed with its dependencies.
$node->append_conf('postgresql.conf', 'audit_trail.guard = off');
$node->reload;
$node->poll_query_until('postgres', 'SHOW audit_trail.guard', 'off') or die 'the setting did not change';
$node->safe_psql('postgres', q{
	UPDATE pg_trigger SET tgenabled = 'D' WHERE tgrelid = 'a'::regclass AND tgname = '00_audit_insert';
	UPDATE pg_class SET relhastriggers = false WHERE oid = 'b'::regclass;
	DELETE FROM pg_trigger WHERE tgrelid = 'c'::regclass AND tgname = '00_audit_insert'});
foreach my $table (qw(a b c))
{
	my ($status, $out, $err) = $node->psql('postgres', "INSERT INTO $table VALUES (2)");

	note("$table: " . ($status ? $err : 'the row is there, and no event'));
	next if $status;
	like(doctor($node, 'postgres', 'capture'), qr/^problem\|[^\n]*\b$table\b/m, "the doctor sees it of $table");
	like($node->safe_psql('postgres', "SELECT finding, record_key FROM audit.reconcile('$table')"),
		qr/^missing in the trail\|2$/m, "reconciling names the row of $table");
}

# Rows are taken out below everything, or after the storage was made to look like another kind.
$node->safe_psql('postgres', 'SELECT audit.seal_now()');
is($node->safe_psql('postgres', 'SELECT finding, object FROM audit.verify()'), 'summary|ok', 'the trail is whole');
my $event = $node->safe_psql('postgres', q{
	SELECT e.tableoid::regclass, e.ctid, e.tx_id || '.' || e.ordinal FROM audit.event e JOIN audit.target USING (target_id)
	WHERE table_name = 'a' AND op = 'I'});
my ($partition, $ctid, $name) = split /\|/, $event;
my $victim = $node->safe_psql('postgres', q{
	SELECT e.tx_id || '.' || e.ordinal FROM audit.event e JOIN audit.target USING (target_id) WHERE table_name = 'b' AND op = 'I'});
my ($status, $out, $err) = $node->psql('postgres', "SELECT heap_force_kill('$partition', ARRAY['$ctid']::tid[])");

like($err, qr/only heap AM is supported/, 'the tool for repair takes it for no heap');
become('heap');
$node->safe_psql('postgres', "SELECT heap_force_kill('$partition', ARRAY['$ctid']::tid[])");
$node->safe_psql('postgres', "DELETE FROM $partition WHERE tx_id || '.' || ordinal = '$victim'");
become('audit_worm');
my $found = $node->safe_psql('postgres', 'SELECT finding, object FROM audit.verify()');
like($found, qr/^event missing\|\Q$name\E$/m, 'an event that was killed is named');
like($found, qr/^event missing\|\Q$victim\E$/m, 'so is one that was deleted');

# Nobody but a superuser signals the workers.
$node->safe_psql('postgres', 'CREATE ROLE signaller LOGIN; GRANT pg_signal_backend TO signaller');
foreach my $kind (qw(sealer notifier collector))
{
	my ($pid) = pids_of($node, $kind, 'postgres');

	($status, $out, $err) = $node->psql('postgres', "SET ROLE signaller; SELECT pg_terminate_backend($pid)");
	like($err, qr/must be a superuser|Only roles with the SUPERUSER attribute/, "an ordinary role does not end the $kind");
}

$node->stop;
done_testing();

# Make the catalog say that the partition is of another access method.
sub become
{
	my ($method) = @_;

	$node->safe_psql('postgres', qq{
		UPDATE pg_class SET relam = (SELECT oid FROM pg_am WHERE amname = '$method') WHERE oid = '$partition'::regclass});
	return;
}
