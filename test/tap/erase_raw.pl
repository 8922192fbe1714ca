# An attacker who has all files of the database, its write-ahead log, backups and dumps, but not the store
# of keys, finds no personal value in what the trail has written: neither before the person was erased nor
# after. What is not the trail's (the table itself) has other bytes here: a uuid is 16 bytes in a table, and 36
# characters in what the trail renders.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use File::Find;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Waiting;

my $node = PostgreSQL::Test::Cluster->new('erase_raw');
my $folder = PostgreSQL::Test::Utils::tempdir;
my $listener;

mkdir "$folder/$_", 0700 foreach qw(keys archive);
append_to_file("$folder/hash", '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f');
chmod 0600, "$folder/hash";
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', qq{
shared_preload_libraries = 'audit_trail'
max_worker_processes = 20
full_page_writes = on
wal_compression = off
wal_keep_size = 1GB
log_statement = all
log_min_duration_statement = 0
log_temp_files = 0
work_mem = 64kB
audit_trail.seal_interval = 50ms
audit_trail.keeper_pause = 0
audit_trail.hash_key_file = '$folder/hash'
audit_trail.subject_key_directory = '$folder/keys'
audit_trail.archive_directory = '$folder/archive'
audit_trail.max_value_size = 1kB
audit_trail.record_denials = on
audit_trail.record_privileges = on
audit_trail.record_reads = on
audit_trail.record_sessions = on
});
$node->start;
value(q{
	SET audit_trail.debug_clock = 1;
	SET client_min_messages = error;
	CREATE EXTENSION audit_trail;
	SELECT audit.init();
	SELECT count(*) FROM audit.create_roles();
	CREATE ROLE alice LOGIN IN ROLE audit_admin;
	CREATE ROLE bob LOGIN IN ROLE audit_purge_approver;
	CREATE ROLE carl LOGIN IN ROLE audit_auditor;
	GRANT EXECUTE ON FUNCTION audit.check_personal TO carl;
	ALTER ROLE carl SET log_statement = none;
	ALTER ROLE carl SET log_min_duration_statement = -1;
	CREATE ROLE silent LOGIN SUPERUSER;
	ALTER ROLE silent SET log_statement = none;
	ALTER ROLE silent SET log_min_duration_statement = -1;
	CREATE ROLE nosy LOGIN;
	ALTER ROLE nosy SET log_statement = none;
	ALTER ROLE nosy SET log_min_duration_statement = -1;
	ALTER ROLE nosy SET log_min_error_statement = panic;
	ALTER ROLE carl SET log_min_error_statement = panic;
	ALTER ROLE carl SET log_temp_files = -1;
	CREATE TABLE people (id int PRIMARY KEY, customer int, card uuid UNIQUE, born bytea, address text, seen uuid, open uuid);
	CREATE TABLE visits (id int PRIMARY KEY, customer int, card uuid)});

# What is looked for, as the trail renders it; and a name in clear, which only the trail's own files must not have.
my ($token, $other, $control) = ('6c1b7b0e-5a52-4f4b-9d8e-2f0a41c7d9e3', 'e7d6c5b4-1029-4837-a6b5-c4d3e2f10918', '0f1e2d3c-4b5a-4678-8796-a5b4c3d2e1f0');
my $born = unpack 'H*', 'born on a sunday';
my $address = 'Xanadu Road 4711 Zembla';
my %marks = ($token => 'a uuid', $other => 'another', $born => 'bytes', "\\x$born" => 'bytes as text');
my %control = ($control => 'what is not personal');

# Commands have values in a form in which nobody would look for them.
value(q{
	CREATE FUNCTION plain(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
		SELECT string_agg(lpad(to_hex(get_byte(decode($1, 'hex'), i) # 85), 2, '0'), '' ORDER BY i) FROM generate_series(0, length($1) / 2 - 1) i $$});
sub hidden
{
	my ($bytes) = @_;

	return "plain('" . unpack('H*', $bytes ^ ("\x55" x length $bytes)) . "')";
}
my ($t, $o, $c) = map { hidden(pack 'H*', s/-//gr) . '::uuid' } $token, $other, $control;
my $b = "decode(" . hidden('born on a sunday') . ", 'hex')";
my $a = "convert_from(decode(" . hidden($address) . ", 'hex'), 'UTF8')";

value(q{
	SELECT audit.enable('people', personal => '{card,born,address,seen}', subject => 'customer');
	SELECT audit.enable('visits', personal => '{card}', subject => 'customer', reads => true);
	SELECT audit.alert_when('person changed', 'people', '{card,address}', severity => 'critical', channel => 'changes');
	SELECT audit.alert_when('no moving', 'people', '{seen}', severity => 'critical', channel => 'changes', block => true)});
$listener = $node->background_psql('postgres');
$listener->query_safe('LISTEN changes');

# All that is done with a row; long values too, by one statement and by many; rolled back, refused, wrong.
value("INSERT INTO people VALUES (1, 42, $t, $b, $a, $o, $c), (2, 43, gen_random_uuid(), 'x', repeat($a, 200), NULL, NULL)");
value("INSERT INTO visits SELECT g, 42, $t FROM generate_series(1, 500) g");
value("UPDATE people SET card = $o, address = $a || '!' WHERE id = 1");
value("UPDATE people SET card = $t WHERE id = 1");
value("BEGIN; UPDATE people SET card = NULL WHERE id = 1; ROLLBACK");
$node->psql('postgres', "UPDATE people SET seen = $t WHERE id = 1", stderr => \my $blocked);
like($blocked, qr/no moving/, 'a change is refused by a rule');
$node->psql('postgres', "INSERT INTO people VALUES (3, 42, $t)");
value("UPDATE people SET customer = 44 WHERE id = 1");
value("UPDATE people SET customer = 42 WHERE id = 1");
value('SELECT count(*) FROM visits');
value("DELETE FROM visits WHERE id > 400; TRUNCATE visits");
value("INSERT INTO visits SELECT g, 42, $t FROM generate_series(1, 300) g");
value("SELECT audit.disable('visits', 'again'); SELECT audit.enable('visits', personal => '{card}', subject => 'customer', baseline => true)");
wait_for('the baseline', sub { value(q{SELECT count(*) >= 300 FROM audit.event WHERE op = 'B'}) eq 't' });

# Who may see it reads it, in large; what is asked with, and what is exported, are not the trail's to keep.
like(as('carl', q{SELECT string_agg(DISTINCT new_values ->> 'card', ' ') FROM audit.subject_report('42')}), qr/$token/, 'auditors see it');
as('carl', q{SELECT audit.export_subject('42')});
as('carl', q{SELECT * FROM audit.events ORDER BY new_values ->> 'card', old_values ->> 'card'});
as('carl', q{SELECT * FROM audit.history('people', '1')});
my $event = value(q{SELECT event_id FROM audit.events WHERE table_name = 'people' AND action = 'insert' ORDER BY 1 LIMIT 1});
is(as('carl', "SELECT new_matches FROM audit.check_personal('$event', 'card', ($t)::text)"), 't', 'and may ask whether it was this');

# Who asks for a value names it: in queries of the trail, of the table, and in what is refused.
as('carl', "SELECT * FROM audit.events WHERE new_values ->> 'card' = '$token'");
as('carl', "SELECT * FROM audit.search('{\"text\": \"$token\"}')");
as('carl', "SELECT * FROM audit.check_personal('$event', 'card', '$token')");
like(as('nosy', "SELECT * FROM people WHERE card = '$token'"), qr/permission denied/, 'somebody else may not');
value('ANALYZE');
wait_for('what was refused and read', sub { value(q{SELECT count(DISTINCT op) FROM audit.event WHERE op IN ('R', 'V')}) eq '2' });
value('SELECT audit.seal_now()');

look('before the erasure');
my $id = as('alice', q{SELECT audit.erase_subject('42', 'GDPR, Article 17(1)(a)')});
is(as('bob', "SELECT audit.approve($id, 'fine')"), '', 'the erasure is approved');
value('SELECT audit.keeper_now()');
is(value(q{SELECT audit.subject_key_state('42')}), 'erased', 'the person is erased');
value(q{SET audit_trail.debug_clock = '100d'; SELECT audit.create_partitions(3)});
wait_for('the month is archived', sub {
	value('SELECT audit.seal_now()');
	$node->psql('postgres', q{SET audit_trail.debug_clock = '100d'; SELECT audit.archive_now('1 day')}, on_error_stop => 1) == 0 });
value('SELECT audit.archive_to_file()') for 1 .. 2;
isnt(join(' ', glob "$folder/archive/*"), '', 'events are in files');
look('after the erasure');
my ($status, $out, $err) = ($listener->{run}->pump_nb, $listener->query('SELECT 1'));
unlike($listener->{stdout} . ($out // ''), qr/$token|Xanadu/i, 'nor in a notification');
is(value(q{SELECT count(*) > 1 FROM audit.alert}), 't', 'there were alerts');

$node->stop;
done_testing();

sub value { return $node->safe_psql('postgres', $_[0]) }

# By a login whose statements are not logged.
sub quiet { return $node->safe_psql('postgres', $_[0], extra_params => [ '-U', 'silent' ]) }

sub as
{
	my ($login, $sql) = @_;
	my ($status, $out, $err) = $node->psql('postgres', $sql, extra_params => [ '-U', $login ]);

	return $status == 0 ? $out : "ERROR: $err";
}

# The files below a directory that have a mark; each with which.
sub found
{
	my ($directory, $marks, $only) = @_;
	my @found;

	find({ no_chdir => 1, wanted => sub {
			return if !-f $_ || ($only && $_ !~ $only);
			open my $handle, '<:raw', $_ or return;
			local $/;
			my $bytes = <$handle>;

			foreach my $mark (keys %$marks)
			{
				push @found, "$_: $marks->{$mark}" if index(lc $bytes, lc $mark) >= 0;
			}
		} }, $directory);
	return join "\n", sort @found;
}

# Lines of the server's log with a mark; the message about a duplicate key is PostgreSQL's, and about the table.
sub in_log
{
	my $marks = join '|', map { quotemeta } keys %marks;

	return join "\n", grep { /$marks/i && !/DETAIL:  Key \(card\)=\(\S+\) already exists\.$/ } split /\n/, slurp_file($node->logfile);
}

sub look
{
	my ($when) = @_;
	my $data = $node->data_dir;
	my $backup = "$folder/backup" . ($when =~ /before/ ? 1 : 2);

	value('SELECT pg_switch_wal(); CHECKPOINT');
	isnt(found("$data/$_", \%control), '', "what is not personal is found in $_") foreach $when =~ /before/ ? qw(pg_wal base) : 'pg_wal';
	is(found("$data/pg_wal", \%marks), '', "$when: not in the write-ahead log");
	is(found("$data/base", \%marks), '', "$when: nor in any table, index or statistics");
	is(found($data, \%marks), '', "$when: nor elsewhere in the data directory");
	is(found("$folder/archive", \%marks), '', "$when: nor in files of the archive");
	$node->command_ok([ 'pg_basebackup', '-D', $backup, '-c', 'fast', '-X', 'stream' ], "$when: a base backup");
	is(found($backup, \%marks), '', "$when: nor in the base backup");
	is(in_log(), '', "$when: nor in the log of the server, but for what PostgreSQL says of the table's own constraint");
	my %clear = (%marks, $address => 'an address');
	my @files = split /\n/, value(q{SELECT pg_relation_filepath(c.oid) FROM pg_class c WHERE pg_relation_filepath(c.oid) IS NOT NULL AND (c.relnamespace = 'audit'::regnamespace
		OR c.oid IN (SELECT t.reltoastrelid FROM pg_class t WHERE t.relnamespace = 'audit'::regnamespace)
		OR c.oid IN (SELECT i.indexrelid FROM pg_index i JOIN pg_class t ON t.reltoastrelid = i.indrelid WHERE t.relnamespace = 'audit'::regnamespace))});
	cmp_ok(scalar @files, '>', 50, 'the trail has files');
	my @with = grep { found("$data/$_", \%clear) ne '' } @files;
	is(join("\n", map { found("$data/$_", \%clear) } @with), '', "$when: nor an address in a file of the trail");
	is(quiet(qq{SELECT count(*) FROM pg_stats WHERE schemaname = 'audit' AND concat(most_common_vals, histogram_bounds) ~ '$token|$other|$born|Xanadu'}), 0,
		"$when: nor in statistics of the trail");
	command_ok([ 'pg_dump', '-h', $node->host, '-p', $node->port, '-n', 'audit', '-f', "$folder/dump.sql", 'postgres' ], "$when: a dump of the trail");
	is(found("$folder/dump.sql", \%clear), '', "$when: nor in the dump");
	is(quiet(qq{SELECT count(*) FROM audit.event WHERE concat(old_values, new_values, extra) ~* '$token|$other|$born|Xanadu'}), 0, "$when: nor in any event, archived or not");
	is(quiet(qq{SELECT count(*) FROM audit.alert a WHERE a::text ~* '$token|$other|$born|Xanadu'}), 0, "$when: nor in an alert");
	return;
}
