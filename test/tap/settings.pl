# What decides over the trail is set by the configuration file, and by nothing else: other ways are refused
# and on record, and what the file says is sealed in the log whenever it says something else.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Refused;
use Test::More;
use Workers;

my $node = PostgreSQL::Test::Cluster->new('settings');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\nmax_worker_processes = 20\nfsync = off\naudit_trail.record_denials = off\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION audit_trail;
	CREATE ROLE clerk LOGIN;
	CREATE ROLE configurer LOGIN;
	GRANT ALTER SYSTEM ON PARAMETER shared_preload_libraries TO configurer;
	CREATE TABLE orders (id int PRIMARY KEY);
	SELECT audit.enable('orders');
	INSERT INTO orders VALUES (1)});
workers_run($node, 'postgres', 'workers run');

# All of the settings that no session has, whatever later versions add.
my %settings = map { split /\|/, $_, 2 } split /\n/, $node->safe_psql('postgres', q{
	SELECT name, CASE vartype WHEN 'enum' THEN enumvals[1] WHEN 'bool' THEN 'off' WHEN 'integer' THEN min_val ELSE '' END
	FROM pg_settings WHERE name LIKE 'audit\_trail.%' AND context IN ('sighup', 'postmaster')});
cmp_ok(scalar keys %settings, '>=', 15, 'there are some');
foreach my $setting (qw(guard maintenance_role logical_apply record_reads checkpoint_file signing_key_file seal_interval seal_lag_limit verify_interval
	ring_size ring_timeout anchor_command anchor_interval anchor_max_age anchor_heartbeat drop_audited hash_key_file))
{
	ok(exists $settings{"audit_trail.$setting"}, "$setting is one of them");
}
foreach my $name (sort keys %settings)
{
	my $to = "$name = '$settings{$name}'";

	foreach my $way (
		[ "SET $to", 'SET' ], [ "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE\\; SET LOCAL $to", 'SET' ],
		[ "ALTER SYSTEM SET $to", 'ALTER SYSTEM' ], [ "ALTER SYSTEM RESET " . uc $name, 'ALTER SYSTEM' ],
		[ "ALTER ROLE clerk SET $to", 'ALTER ROLE' ], [ "ALTER ROLE ALL SET $to", 'ALTER ROLE' ], [ "ALTER DATABASE postgres SET $to", 'ALTER DATABASE' ],
		[ "CREATE FUNCTION mine() RETURNS int LANGUAGE sql SET $to AS 'SELECT 1'", 'a function' ],
		[ "ALTER FUNCTION audit.doctor() SET $to", 'a function' ])
	{
		my ($command, $how) = @$way;

		like(refuse($node, $command), qr/cannot set $name by $how/, "refused: $command");
	}
	like(refuse($node, "SELECT set_config('$name', '$settings{$name}', false)"), qr/cannot be changed/, 'nor by set_config()');
	like(refuse($node, "UPDATE pg_settings SET setting = '$settings{$name}' WHERE name = '$name'"), qr/cannot be changed/, 'nor by pg_settings');
	like(start("$name=$settings{$name}"), qr/FATAL: .*cannot be changed/, 'nor at the start of a session');
}
ok($node->poll_query_until('postgres', q{SELECT count(*) = } . 9 * keys(%settings) . q{ FROM audit.event WHERE event_type = 'audit.refused'
	AND new_values ->> 'sqlstate' = 'TR007' AND new_values ->> 'message' LIKE 'cannot set %'}), 'each of these attempts is on record');
ok($node->poll_query_until('postgres', q{SELECT count(*) = } . 3 * keys(%settings) . q{ FROM audit.event WHERE event_type = 'audit.refused'
	AND new_values ->> 'sqlstate' = '55P02' AND new_values ->> 'object' LIKE 'setting audit\_trail.%'}), 'also those that PostgreSQL refuses itself');
is($node->safe_psql('postgres', q{SELECT string_agg(DISTINCT coalesce(new_values ->> 'command', 'none'), ' ') FROM audit.event WHERE event_type = 'audit.refused'
	AND new_values ->> 'sqlstate' = '55P02'}), 'SELECT UPDATE none', 'with their commands');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_db_role_setting}), '0', 'nothing was set');
$node->{refused_seen} = count_refused($node);
foreach my $command (q{DO $$ BEGIN PERFORM set_config('AUDIT_TRAIL.Guard', 'off', true); EXCEPTION WHEN OTHERS THEN NULL; END $$},
	q{SAVEPOINT s\; SELECT set_config('audit_trail.guard', 'off', false)}, q{ALTER ROLE clerk SET shared_preload_libraries = ''},
	q{SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY\; SELECT set_config('audit_trail.guard', 'off', false)})
{
	refuse($node, "BEGIN\\; $command", '-U', 'postgres', '-v', 'ON_ERROR_STOP=1');
	like(refused($node, q{new_values ->> 'sqlstate', new_values ->> 'object'}), qr/^55P02\|setting (?:audit_trail\.guard|shared_preload_libraries)$/, "on record: $command");
}
refuse($node, q{SELECT set_config('audit_trail.guard', 'off', false)}, '-U', 'clerk');
is(refused($node, 'login_user'), 'clerk', 'and who it was, whatever audit_trail.record_denials says');
start('audit_trail.guard=off', '-U', 'clerk');
is(refused($node, 'login_user'), 'clerk', 'also of a session that never began');
refuse($node, q{SELECT set_config('max_connections', '5', false)});
$node->{refused_seen} = count_refused($node);
like(refuse($node, 'SET audit_trail.seal_interval = 10', '-U', 'clerk'), qr/cannot set audit_trail.seal_interval by SET/, 'an ordinary role is told the same');
is(refused($node, 'login_user'), 'clerk', 'and is on record');

# What is an application's to say stays so.
is($node->safe_psql('postgres', q{SET audit_trail.actor = 'eve'; SHOW audit_trail.actor}), 'eve', 'context is set by the application');
like(refuse($node, 'SET audit_trail.nonsense = 1'), qr/invalid configuration parameter name|unrecognized/, 'what is no setting is none');

# The library stays preloaded, as far as ALTER SYSTEM goes.
foreach my $value (q{''}, q{'pg_stat_statements'}, q{'audit_trail, auto_explain'}, q{auto_explain, pg_stat_statements}, q{'/tmp/audit_trail'})
{
	my $command = "ALTER SYSTEM SET shared_preload_libraries = $value";

	like(refuse($node, $command), qr/cannot take audit_trail out of shared_preload_libraries/, "refused: $command");
	is(refused($node), "TR007|setting shared_preload_libraries|$command", 'and on record');
}
like(refuse($node, 'ALTER SYSTEM SET shared_preload_libraries = auto_explain', '-U', 'configurer'), qr/cannot take audit_trail out/, 'also of who may do nothing else');
is(refused($node, 'login_user'), 'configurer', 'and on record');
is(refuse($node, 'ALTER SYSTEM RESET shared_preload_libraries'), '', 'what would change nothing is not refused');
is(refuse($node, 'ALTER SYSTEM SET shared_preload_libraries = auto_explain, audit_trail', '-U', 'configurer'), '', 'others may be added');
is(refuse($node, 'ALTER SYSTEM RESET shared_preload_libraries', '-U', 'configurer'), '', 'and taken out again, if the file has it');
$node->append_conf('postgresql.conf', "shared_preload_libraries = ''\n");
$node->safe_psql('postgres', 'ALTER SYSTEM SET shared_preload_libraries = auto_explain, audit_trail');
foreach my $command ('ALTER SYSTEM RESET shared_preload_libraries', 'ALTER SYSTEM SET shared_preload_libraries = DEFAULT', 'ALTER SYSTEM RESET ALL')
{
	like(refuse($node, $command), qr/cannot take audit_trail out of shared_preload_libraries/, "refused: $command, where nothing else names it");
	is(refused($node), "TR007|setting shared_preload_libraries|$command", 'and on record');
}
$node->append_conf('postgresql.auto.conf', "audit_trail.seal_interval = 500ms\n");
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\n");
like(refuse($node, 'ALTER SYSTEM RESET ALL'), qr/cannot set settings of audit_trail by ALTER SYSTEM RESET ALL/, 'nor are ours reset, should they stand there');
$node->adjust_conf('postgresql.auto.conf', 'audit_trail.seal_interval', undef, 1);
is(refuse($node, 'ALTER SYSTEM RESET ALL'), '', 'all others are');

# What the file says is sealed: all of it once, then what is changed.
is($node->safe_psql('postgres', q{SELECT count(*) FROM audit.log_entry WHERE kind = 'settings'}), '1', 'the log has what was set in the beginning');
is($node->safe_psql('postgres', q{
	SELECT s ->> 'value', s ->> 'line' ~ '^\d+$' FROM audit.log_entry, json_array_elements(payload -> 'settings') s
	WHERE kind = 'settings' AND s ->> 'name' = 'shared_preload_libraries'}), 'audit_trail|t', 'with the line that says so');
is($node->safe_psql('postgres', q{
	SELECT string_agg(name, ' ') FROM pg_settings p WHERE name LIKE 'audit\_trail.%' AND context <> 'user' AND NOT EXISTS (
		SELECT FROM audit.log_entry, json_array_elements(payload -> 'settings') s WHERE kind = 'settings' AND s ->> 'name' = p.name)}),
	'audit_trail.guard', 'of all but the guard, which has its own');
my $listener = $node->background_psql('postgres');
$listener->query_safe('LISTEN audit_alert');
$node->append_conf('postgresql.conf', "audit_trail.record_reads = on\naudit_trail.anchor_command = 'true secret'\n");
$node->reload;
sealed('audit_trail.anchor_command audit_trail.record_reads', 'what a reload changes is sealed');
is($node->safe_psql('postgres', q{
	SELECT s ->> 'was', s ->> 'value', s ->> 'file' ~ 'postgresql.conf$' FROM audit.log_entry, json_array_elements(payload -> 'settings') s
	WHERE kind = 'settings' AND s ->> 'name' = 'audit_trail.record_reads' ORDER BY log_index DESC LIMIT 1}), 'off|on|t', 'with what was before, and the file');
is($node->safe_psql('postgres', q{SELECT count(*) FROM audit.log_entry WHERE payload::text ~ 'secret'}), '0', 'a command is not shown');
like($listener->query('SELECT 1'), qr/settings that the audit trail rests on were changed/, 'and an alert is sent');
$listener->quit;

# Also what is changed between two starts, and by ALTER DATABASE.
$node->safe_psql('postgres', q{ALTER DATABASE postgres SET session_replication_role = replica});
$node->append_conf('postgresql.conf', "audit_trail.record_reads = off\nshared_preload_libraries = 'audit_trail,auto_explain'\n");
$node->restart;
sealed('audit_trail.record_reads session_replication_role shared_preload_libraries', 'what was changed between two starts is sealed');
$node->reload;
$node->restart;
$node->safe_psql('postgres', 'INSERT INTO orders VALUES (2); SELECT audit.seal_now()');
is($node->safe_psql('postgres', q{SELECT count(*) FROM audit.log_entry WHERE kind = 'settings'}), '3', 'and nothing else');
is($node->safe_psql('postgres', 'SELECT object FROM audit.verify()'), 'ok', 'the log verifies');

$node->stop;
done_testing();

# What somebody is told whose session begins with a setting.
sub start
{
	my ($setting, @as) = @_;
	my $error = '';

	IPC::Run::run([ 'psql', '-X', '-d', $node->connstr('postgres') . " options='-c $setting'", @as, '-c', 'SELECT 1' ], '>', \my $out, '2>', \$error);
	return $error;
}

# The names of what the last entry has.
sub sealed
{
	my ($names, $name) = @_;

	ok( $node->poll_query_until('postgres', q{
			SELECT string_agg(s ->> 'name', ' ' ORDER BY s ->> 'name') FROM (
				SELECT payload FROM audit.log_entry WHERE kind = 'settings' ORDER BY log_index DESC LIMIT 1) e, json_array_elements(e.payload -> 'settings') s
		}, $names), $name);
	return;
}
