# What a standby observes becomes events of its primary server, each once: whatever becomes of connections, of
# either server and of the collector; and what cannot get there is a line of the standby's log.
use strict;
use warnings;

use JSON::PP;
use Polling;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $secret = 'Pa55-of-the-standby';
my $primary = PostgreSQL::Test::Cluster->new('primary');

$primary->init(allows_streaming => 1);
$primary->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\nmax_worker_processes = 30\naudit_trail.seal_interval = 100ms\n"
	  . "audit_trail.debug_points = 'receive-before-commit,receive-after-commit'\n"
	  . join('', map { "audit_trail.record_$_ = on\n" } qw(sessions reads denials privileges)));
my $hba = $primary->data_dir . '/pg_hba.conf';
my $rules = slurp_file($hba);
unlink $hba;
append_to_file($hba, "local all sender scram-sha-256\n$rules");
$primary->start;
$primary->safe_psql('postgres', qq{
	CREATE EXTENSION audit_trail;
	CREATE TABLE patients (id int PRIMARY KEY, name text);
	CREATE TABLE other (id int);
	INSERT INTO patients SELECT g, 'p' || g FROM generate_series(1, 50) g;
	SELECT audit.enable('patients', reads => true, query => true), audit.create_roles();
	CREATE ROLE sender LOGIN PASSWORD '$secret'; GRANT audit_standby TO sender;
	CREATE ROLE anna LOGIN; GRANT SELECT ON patients TO anna; GRANT audit_auditor TO anna;
	CREATE ROLE bob LOGIN});
$primary->backup('base');

my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', "audit_trail.primary_timeout = '300s'\n" . conninfo($secret));
$standby->start;
$primary->wait_for_catchup($standby);

# Reads, of tables and of the trail, sessions and denials, with the identity of who it was there.
as_anna('SELECT name FROM patients');
events_are("event_type = 'patients.read'", q{anna|anna|patients|patients.read|50|anna's tool|standby|sender}, 'a read on a standby',
	q{e.actor, e.login_user, e.table_name, e.event_type, e.new_values ->> 'rows', e.application_name, e.extra #>> '{standby,name}', e.extra #>> '{standby,sent_by}'});
is($primary->safe_psql('postgres', q{SELECT new_values ->> 'statement' FROM audit.events e WHERE event_type = 'patients.read'}), 'SELECT name FROM patients', 'with its text');
my ($stdout, $stderr);
$standby->psql('postgres', 'SELECT * FROM other', extra_params => ['-U', 'bob'], stdout => \$stdout, stderr => \$stderr);
like($stderr, qr/permission denied/, 'somebody is refused there');
events_are("event_type = 'access.denied' AND table_name IS DISTINCT FROM 'patients'", 'bob|access.denied|public.other', 'a denial', q{e.login_user, e.event_type, e.new_values ->> 'object'});
$standby->psql('postgres', 'SELECT * FROM patients', extra_params => ['-U', 'bob'], stderr => \$stderr);
events_are("event_type = 'access.denied' AND table_name = 'patients'", 'bob|patients', 'one about an audited table', q{e.login_user, e.table_name});
as_anna('SELECT count(*) FROM audit.events');
events_are("event_type = 'audit.read'", 'anna|audit.events', 'a read of the trail', q{e.login_user, e.new_values ->> 'object'});
$standby->psql('nowhere', 'SELECT 1', stderr => \$stderr);
events_are("event_type = 'session.started' AND e.login_user = 'bob'", 'bob', 'a session', q{e.login_user});
my $pid = as_anna('SELECT pg_backend_pid() FROM patients LIMIT 1');
events_are("backend_pid = $pid AND event_type = 'patients.read'", $pid, 'the process', 'e.backend_pid');
is($primary->safe_psql('postgres', q{SELECT count(*) FROM audit.events WHERE extra #>> '{standby,number}' IS NULL AND event_type = 'patients.read'}), '0', 'nothing was read on the primary server');

# Connections break: nothing is lost, nothing comes twice.
my $reads = count_reads();
for my $round (1 .. 5)
{
	as_anna('SELECT 1 FROM patients LIMIT 1') for 1 .. 3;
	$primary->safe_psql('postgres', q{SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'sender'});
	as_anna('SELECT 1 FROM patients LIMIT 1');
}
reads_become($reads += 20, 'connections that break');

# The primary server stops and starts again.
$primary->stop;
as_anna('SELECT 2 FROM patients LIMIT 1') for 1 .. 7;
$primary->start;
as_anna('SELECT 2 FROM patients LIMIT 1');
reads_become($reads += 8, 'a primary server that was stopped');
$primary->stop('immediate');
as_anna('SELECT 3 FROM patients LIMIT 1') for 1 .. 4;
$primary->start;
reads_become($reads += 4, 'one that crashed');
no_twice();

# One of a batch's transactions is committed and the connection breaks before the next one, or the answer: it goes on there.
for my $point ('receive-before-commit', 'receive-after-commit')
{
	my $lock = $primary->background_psql('postgres');

	$lock->query_safe(lock_sql('lock', $point));
	as_anna('SELECT 4 FROM patients LIMIT 1') for 1 .. 3;
	ok($primary->poll_query_until('postgres', waiting_sql(), 't'), "$point is reached");
	as_anna('SELECT 4 FROM patients LIMIT 1');
	$primary->safe_psql('postgres', q{SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'sender'});
	$lock->query_safe(lock_sql('unlock', $point));
	$lock->quit;
	reads_become($reads += 4, "a connection that breaks at $point");

	# the same with a collector that ends, and knows of nothing
	$lock = $primary->background_psql('postgres');
	$lock->query_safe(lock_sql('lock', $point));
	as_anna('SELECT 5 FROM patients LIMIT 1') for 1 .. 3;
	ok($primary->poll_query_until('postgres', waiting_sql(), 't'), "$point is reached again");
	$standby->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'audit_trail collector'});
	$lock->query_safe(lock_sql('unlock', $point));
	$lock->quit;
	reads_become($reads += 3, "a collector that ends at $point");
	no_twice();
}

# Rows reach the client only when the primary server has the record on disk; else the statement is refused.
$standby->append_conf('postgresql.conf', "audit_trail.read_durability = sync\n");
$standby->reload;
as_anna('SELECT 6 FROM patients LIMIT 1');
is(count_reads(), ++$reads, 'a read that waits for its record');
$standby->append_conf('postgresql.conf', "audit_trail.primary_timeout = '500ms'\n");
$standby->reload;
$primary->stop;
my $code = $standby->psql('postgres', 'SELECT name FROM patients WHERE id = 7', extra_params => ['-U', 'anna', '-v', 'VERBOSITY=verbose'],
	stdout => \$stdout, stderr => \$stderr);
isnt($code, 0, 'a statement whose record cannot be on the primary server fails');
is($stdout, '', 'and shows nothing');
like($stderr, qr/TR014: +what is read cannot be recorded on the primary server/, 'and says why');
my @lines = logged_reads();
is(scalar @lines, 1, 'its record is in the log');
is($lines[0]{new_values}{rows}, 1, 'with what it read');
is($lines[0]{standby}, 'standby', 'and whose it is');
like($lines[0]{stream}, qr/^[0-9a-f-]{36}$/, 'with the stream');
like($lines[0]{number}, qr/^\d+$/, 'and the number');
$primary->start;
$standby->append_conf('postgresql.conf', "audit_trail.read_durability = async\n");
$standby->reload;
doctor_is(qr/^warning\|\d+ records of this standby have reached the primary server, and \d+ are in the server's log instead/, 'the doctor tells of it');
as_anna('SELECT 7 FROM patients LIMIT 1');
reads_become(++$reads, 'what is read when it is back');

# A wrong password, and none: the log, and a problem for the doctor.
my $logged = logged_reads();
foreach my $given ([conninfo('wrong'), qr/password authentication failed/], ["audit_trail.primary_conninfo = 'host'\n", qr/no connection string/],
	[conninfo($secret) =~ s/user=sender/user=bob/r, qr/permission denied for procedure/])
{
	my ($conninfo, $why) = @$given;

	$standby->append_conf('postgresql.conf', $conninfo);
	$standby->reload;
	$primary->safe_psql('postgres', q{SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'sender'});
	as_anna('SELECT 8 FROM patients LIMIT 1');
	doctor_is(qr/^problem\|.*$why/, "the doctor on $why");
	poll_logged(++$logged);
}
$standby->append_conf('postgresql.conf', "audit_trail.primary_timeout = '300s'\n" . conninfo($secret));
$standby->reload;
as_anna('SELECT 9 FROM patients LIMIT 1');
reads_become(++$reads, 'the right one');
no_twice();

# No secret is shown, or gets into the trail, in whatever form somebody writes it.
is($standby->safe_psql('postgres', 'SHOW audit_trail.primary_conninfo') =~ s/ (host|port)=\S+//gr, 'user=sender password=***', 'the setting is shown without it');
$primary->psql('postgres', "ALTER SYSTEM SET audit_trail.primary_conninfo = 'host=x password=$secret'");
$primary->psql('postgres', "ALTER SYSTEM SET audit_trail.primary_conninfo = 'postgresql://sender:$secret\@x/y'");
$standby->psql('postgres', "ALTER SYSTEM SET audit_trail.primary_conninfo = 'postgresql://sender:$secret\@x/y'");
$primary->append_conf('postgresql.conf', "audit_trail.primary_conninfo = 'postgresql://sender:$secret\@x/y'\n");
$primary->reload;
$primary->poll_query_until('postgres', q{SELECT payload::text LIKE '%user=sender password=*** dbname=y host=x%' FROM audit.log_entry WHERE kind = 'settings'
	ORDER BY log_index DESC LIMIT 1}) or diag($primary->safe_psql('postgres', q{SELECT payload FROM audit.log_entry WHERE kind = 'settings' ORDER BY log_index DESC LIMIT 1}));
pass('what the setting is, is sealed');
is($primary->safe_psql('postgres', qq{
	SELECT (SELECT count(*) FROM audit.event e WHERE e::text LIKE '%$secret%') + (SELECT count(*) FROM audit.transaction t WHERE t::text LIKE '%$secret%')
		+ (SELECT count(*) FROM audit.log_entry l WHERE l::text LIKE '%$secret%') + (SELECT count(*) FROM audit.alert a WHERE a::text LIKE '%$secret%')
		+ (SELECT count(*) FROM audit.session s WHERE s::text LIKE '%$secret%')}), '0', 'the trail has no secret');

# Nobody else may send, and nothing that a server does not observe.
like(sent('bob', "'\\x'"), qr/permission denied/, 'not everybody may send');
like(sent('sender', "'\\x'"), qr/these are no records of a standby/, 'nothing');
like(sent('sender', record('I', 1, undef)), qr/about nothing that a standby can have observed/, 'no change of a row');
like(sent('sender', record('R', 0, 'order.cancelled')), qr/no type of events that the server itself records/, 'no business event');
is(sent('sender', record('S', 99999, undef)), '', 'but what a server could have observed');
is($primary->safe_psql('postgres', q{SELECT db_user, extra #>> '{standby,name}', extra #>> '{standby,sent_by}' FROM audit.events WHERE db_user = 'forger'}), 'forger|forged|sender',
	'with who has sent it');
like($primary->safe_psql('postgres', "BEGIN; SELECT 1; COMMIT") . sent('sender', "'\\x'", 'BEGIN; '), qr/cannot run in a transaction block/, 'not in a transaction');
is($primary->safe_psql('postgres', 'SELECT object FROM audit.verify()'), 'ok', 'it verifies');

# The standby is promoted: what the primary server has not said to have is recorded here, but for what came with the stream.
my $lock = $primary->background_psql('postgres');
$lock->query_safe(lock_sql('lock', 'receive-after-commit'));
as_anna('SELECT 10 FROM patients LIMIT 1') for 1 .. 5;
ok($primary->poll_query_until('postgres', waiting_sql(), 't'), 'some of it is committed');
$primary->wait_for_catchup($standby);
$primary->stop('immediate');
eval { $lock->quit };
as_anna('SELECT 11 FROM patients LIMIT 1') for 1 .. 2;
$standby->promote;
$standby->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()');
as_anna('SELECT 12 FROM patients LIMIT 1');
$primary = $standby;
reads_become($reads += 8, 'a standby that is promoted has all of it once');
no_twice();
is($standby->safe_psql('postgres', 'SELECT object FROM audit.verify()'), 'ok', 'and verifies');
$standby->stop;
done_testing();
sub conninfo
{
	my ($password) = @_;

	return "audit_trail.primary_conninfo = 'host=" . $primary->host . ' port=' . $primary->port . " user=sender password=$password'\n";
}

sub as_anna
{
	my ($sql) = @_;

	return $standby->safe_psql('postgres', $sql, connstr => $standby->connstr('postgres') . q{ user=anna application_name='anna\'s tool'});
}

sub events_are
{
	my ($where, $expected, $name, $columns) = @_;
	my $query = "SELECT DISTINCT $columns FROM audit.events e WHERE extra -> 'standby' IS NOT NULL AND $where";

	$primary->poll_query_until('postgres', $query, $expected) or diag(tail($standby));
	is($primary->safe_psql('postgres', $query), $expected, $name);
}

sub count_reads
{
	return $primary->safe_psql('postgres', q{SELECT count(*) FROM audit.events WHERE event_type = 'patients.read'});
}

sub reads_become
{
	my ($count, $name) = @_;

	$primary->poll_query_until('postgres', q{SELECT count(*) FROM audit.events WHERE event_type = 'patients.read'}, $count) or diag(tail($standby));
	is(count_reads(), $count, $name);
}

sub no_twice
{
	is($primary->safe_psql('postgres', q{
		SELECT count(*) FROM (SELECT FROM audit.events WHERE extra -> 'standby' IS NOT NULL
			GROUP BY extra #>> '{standby,stream}', extra #>> '{standby,number}' HAVING count(*) > 1) t}), '0', 'no record came twice');
	is($primary->safe_psql('postgres', q{
		SELECT string_agg(t::text, ' ') FROM (SELECT event_type, backend_pid, occurred_at FROM audit.events WHERE login_user = 'anna'
			GROUP BY event_type, backend_pid, occurred_at HAVING count(*) > 1) t}), '', 'nor is anything told twice');
}

sub tail
{
	my ($node) = @_;
	my @lines = split /\n/, slurp_file($node->logfile);

	return join "\n", @lines[($#lines > 40 ? $#lines - 40 : 0) .. $#lines];
}

sub lock_sql
{
	my ($what, $point) = @_;

	return "SELECT pg_advisory_$what(1096107092, hashtext('$point'))";
}

sub waiting_sql
{
	return q{SELECT count(*) > 0 FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE a.usename = 'sender' AND l.locktype = 'advisory' AND NOT l.granted};
}

# The reads of anna that are lines of the standby's log.
sub logged_reads
{
	my @records = map { decode_json($_) } slurp_file($standby->logfile) =~ /audit_trail record: (\{.*\})$/mg;

	return grep { ($_->{op} // '') eq 'S' } @records;
}

sub poll_logged
{
	my ($count) = @_;

	for (1 .. 600)
	{
		last if logged_reads() >= $count;
		select undef, undef, undef, 0.1;
	}
	is(scalar(my @all = logged_reads()), $count, 'the read is in the log');
}

sub doctor_is
{
	my ($pattern, $name) = @_;
	my $row = '';

	for (1 .. 600)
	{
		$row = $standby->safe_psql('postgres', q{SELECT status, detail FROM audit.doctor() WHERE "check" = 'collector'});
		last if $row =~ $pattern;
		select undef, undef, undef, 0.1;
	}
	like($row, $pattern, $name);
}

# What a role is told that sends records.
sub sent
{
	my ($role, $records, $before) = @_;
	my $stderr;

	$primary->psql('postgres', ($before // '') . "CALL audit.receive_records('00000000-0000-0000-0000-000000000001', 'forged', $records)",
		connstr => $primary->connstr('postgres') . " user=$role password=$secret", stderr => \$stderr);
	return $stderr;
}

# A record in the form that travels: see src/base/wire.h.
sub record
{
	my ($op, $target_id, $event_type) = @_;
	my $number = sub { pack 'q', @_ };
	my $text = sub { defined $_[0] ? pack('q', length $_[0]) . "$_[0]\0" : pack 'q', -1 };
	my $origin = join '', $number->(0), $number->(0), $number->(4711), $number->(0), map { $text->($_) } (('forger') x 4), ('forger') x 2, (undef) x 16;
	my $record = $origin . $number->(0) . $number->(ord $op) . $number->($target_id) . $text->($event_type) . $text->($target_id ? undef : 'attempt')
	  . $text->(undef) . $text->('"a":1') . $text->('postgres') . $number->(-1);

	return q{'\x} . unpack('H*', $number->(1) . $number->(1) . $number->(length $record) . $record) . q{'};
}
