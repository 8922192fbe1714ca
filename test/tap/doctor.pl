# audit.doctor(): each check is made red, and what it says to do is done, word for word; then it is content. In the end no
# check may be left that was not: whoever adds one adds its case here, and its row to doc/doctor.md, which is compared.
use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use FindBin;
use JSON::PP qw(decode_json);
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Waiting;
use Workers;

my $manual = slurp_file(dirname(abs_path(__FILE__)) . '/../../doc/doctor.md');
my $node = PostgreSQL::Test::Cluster->new('doctor');
my $database = 'postgres';
my $folder = PostgreSQL::Test::Utils::tempdir;
my ($table) = $manual =~ /^## The checks\n(.*)/ms;
my @reasons = $table =~ /^\| (`[a-z ]+` \| .*) \| .* \|$/mg;
my $sql_word = qr/(?:SELECT|ALTER|REVOKE|DELETE|RESET)\b/;
my (%red, %mended);

# Not loaded at the start of the server.
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'auto_explain'\nmax_worker_processes = 20\nfsync = on\nTimeZone = 'UTC'\n"
	  . "audit_trail.record_reads = on\naudit_trail.debug_points = 'collector-before-commit'\n");
$node->start;
$node->safe_psql('postgres', 'SET client_min_messages = error; CREATE EXTENSION audit_trail');
my @checks = checks();
mends('ledger', undef, qr/no ledger yet/);
is(join(',', checks()), join(',', @checks), 'each check has a row, before there is a ledger and afterwards');
is($node->safe_psql('postgres', q{SELECT string_agg(DISTINCT "check", ',') FROM audit.doctor() WHERE length(why) BETWEEN 60 AND 400 IS NOT TRUE}), '', 'and a reason');
is(join("\n", sort @reasons),
	$node->safe_psql('postgres', q{SELECT DISTINCT format('`%s` | %s', "check", why) COLLATE "C" FROM audit.doctor() ORDER BY 1}),
	'which the manual has too');
mends('capture', 'CREATE TABLE your_table (id int PRIMARY KEY)', qr/^No table is audited\.$/);
turns_red($_, undef, qr/does not run\.$/) foreach qw(launcher sealer notifier collector);
is(mends('library', undef, qr/was not loaded/), q{ALTER SYSTEM SET shared_preload_libraries = 'auto_explain', 'audit_trail'; -- then restart the server}, 'the libraries that were there stay');
workers_run($node, 'postgres', 'workers run');
is_content($_) foreach qw(launcher sealer notifier collector);
turns_red('unseen time', 'SELECT audit.seal_now()', qr/^Perhaps the library was not loaded from .*no record of the time before/);
mends('worker slots', sub { configure('max_worker_processes = 2'); $node->restart }, qr/^Workers cannot start since .*: no free slot\.$/);
workers_run($node, 'postgres', 'workers run again');
with_sealing_asleep();

# Tables
mends('unaudited tables', 'CREATE TABLE beside (id int); CREATE TABLE "be side" (id int); CREATE SCHEMA other CREATE TABLE alone (id int)',
	qr/^Schema public has audited tables, and these that are not: be side, beside\.$/);
$node->safe_psql('postgres', q{CREATE TABLE left_out (id int); SELECT audit.enable_schema('public', "except" => '{left_out}', automatic => true)});
is_content('unaudited tables', 'what a rule leaves out is left out on purpose');
mends('automatic', 'CREATE UNLOGGED TABLE unlogged (id int)', qr/^public\.unlogged is unlogged and so not audited\.$/);
$node->safe_psql('postgres', q{SELECT audit.disable_schema('public', 'over'), audit.disable('beside', 'over'); DROP TABLE left_out});
is_content('unaudited tables', 'and so is what is audited no longer');
turns_red('guard', sub { configure('audit_trail.guard = off') }, qr/^The guard is lifted/);
mends('capture', 'ALTER TABLE your_table DISABLE TRIGGER "00_audit_insert"', qr/^Not captured on public\.your_table: insert\.$/);
mends('partitions', q{DO $$ BEGIN EXECUTE format('DROP TABLE audit.event_1_%s', to_char(now() + '1 month', 'YYYYMM')); END $$}, qr/^Partition audit\.event_1_\d{6} is missing/);
mends('access', 'ALTER TABLE audit.event NO FORCE ROW LEVEL SECURITY', qr/audit\.event/);
mends('guard', undef, qr/^The guard is lifted/);

# What the trail says of itself
mends('volume', q{UPDATE audit.volume SET events = events + 1 WHERE ctid = (SELECT min(ctid) FROM audit.volume)},
	qr/^audit\.volume counts (\d+) events, the log has sealed (?!\1\b)\d+: somebody has changed the sums\.$/);
is_content('verification', 'a new ledger need not be verified yet');
mends('settings', sub { configure('audit_trail.verify_interval = 0') }, qr/^audit_trail\.verify_interval is 0: nothing is verified in the background/);
verification_has_failed();
records_are_lost();

# What is around it
mends('replication role', 'ALTER ROLE CURRENT_USER SET session_replication_role = replica', qr/^role \S+ has session_replication_role: audit triggers fire all the same/);
mends('replication role', 'ALTER DATABASE postgres SET session_replication_role = local', qr/^the database has/);
mends('replication role', 'ALTER ROLE CURRENT_USER IN DATABASE postgres SET session_replication_role = replica', qr/^role/);
mends('replication role', 'CREATE FUNCTION "qu iet"() RETURNS void LANGUAGE sql SET session_replication_role = replica AS $$$$', qr/^function public\."qu iet"\(\) has/);
mends('replication role', 'CREATE ROLE "qu iet"; GRANT SET ON PARAMETER session_replication_role TO "qu iet"', qr/^role "qu iet", who may set it,/);
mends('settings', 'ALTER SYSTEM SET fsync = off; SELECT pg_reload_conf()', qr/^fsync is off: a crash of the machine/);
mends('settings', 'ALTER SYSTEM SET zero_damaged_pages = on; SELECT pg_reload_conf()', qr/^zero_damaged_pages is on: broken pages are emptied/);
like(details('disk'), qr/\A(.* has \d+ MB free\.\n?){2}\z/, 'the disks of data and write-ahead log are looked at');
mends('disk', sub { configure("audit_trail.checkpoint_file = '$folder/signed/checkpoints'") }, qr{^The free space of \Q$folder\E/signed is not known: No such file},
	sub { mkdir "$folder/signed" or die "mkdir: $!" });
like(details('disk'), qr/\A(.* has \d+ MB free\.\n?){3}\z/, 'so is that of the checkpoints');

# Alerts that do not get through, and that nobody sees to
$node->safe_psql('postgres', q{SELECT audit.alert_when('told', 'your_table', events => '{insert}', kind => 'recorded', severity => 'high'); INSERT INTO your_table VALUES (1001)});
my $alert = $node->safe_psql('postgres', 'SELECT max(alert_id) FROM audit.alert');
is_content('alerts', 'a new alert need not be acknowledged yet');
mends('alerts', "SELECT audit.report_delivery($alert, 'hooks', false, 3, 'HTTP 400')", qr/^1 alerts for sink:hooks were given up, the first at .*; the last because: HTTP 400\.$/,
	sub { $node->safe_psql('postgres', "SELECT audit.report_delivery($alert, 'hooks', true)") });
mends('alerts', sub { configure('audit_trail.alert_escalate_after = 1') }, qr/^\d+ alerts of severity high or critical are older than .*nobody has acknowledged them/);
configure('audit_trail.alert_escalate_after = 1h');
mends('notification queue', sub { configure("audit_trail.debug_points = 'notifier-queue-full'"); $node->safe_psql('postgres', 'INSERT INTO your_table VALUES (1002)') },
	qr/^There was no room in the queue of NOTIFY for 1 deliveries of alerts, the first at .*: they can be read, and are not heard\.$/, sub { configure("audit_trail.debug_points = ''") });
$node->safe_psql('postgres', q{SELECT audit.alert_drop('told')});

# Keys, signatures and who witnesses them
$node->safe_psql('postgres', q{CREATE TABLE people (id int PRIMARY KEY, email text)});
write_file("$folder/secret", '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f');
configure("audit_trail.hash_key_file = '$folder/secret'");
ok($node->poll_query_until('postgres', "SHOW audit_trail.hash_key_file", "$folder/secret"), 'there is a key');
$node->safe_psql('postgres', q{SELECT audit.enable('people', personal => '{email}', subject => 'id')});
mends('hash key', sub { configure("audit_trail.hash_key_file = ''") }, qr/^No file is named, so tables with hashed or personal columns cannot be changed\.$/, "'$folder/secret'");
mends('subject keys', sub { configure("audit_trail.subject_key_directory = '$folder/people'") }, qr/^The check failed: could not use "\Q$folder\E\/people"/,
	sub { mkdir "$folder/people", 0700 or die "mkdir: $!" });
mends('signing key', undef, qr/^No key is named/, "'$folder/key'");
$node->safe_psql('postgres', 'SELECT audit.seal_now()');
is_content('signing key');
is_content('checkpoints');
mends('anchor', undef, qr/^No command is named/, "'cat %p'");
mends('checkpoints', sub { rename "$folder/signed/checkpoints", "$folder/aside" or die "rename: $!"; $node->safe_psql('postgres', 'INSERT INTO your_table VALUES (1); SELECT audit.seal_now()') },
	qr/^No checkpoint is signed: the log was signed before, and the checkpoint file has no checkpoint/);

# A copy of the database
command_ok([ 'pg_dump', '-Fc', '-f', "$folder/dump", '-d', $node->connstr('postgres') ], 'the database is dumped');
$node->safe_psql('postgres', 'CREATE DATABASE copy');
command_ok([ 'pg_restore', '-e', '-1', '-d', $node->connstr('copy'), "$folder/dump" ], 'and restored');
$database = 'copy';
wait_for('a sealer of the copy', sub { pids_of($node, 'sealer', 'copy') });
mends('incarnation', undef, qr/^The ledger was restored or copied/);
$database = 'postgres';
sealing_wakes();
$node->stop;

# Years later, by a clock that only ledgers made for tests believe
$node = PostgreSQL::Test::Cluster->new('later');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\nmax_worker_processes = 20\naudit_trail.debug_clock = 1s\n"
	  . "audit_trail.purge_anchor = off\naudit_trail.keeper_interval = 0\naudit_trail.archive_directory = '$folder'\nTimeZone = 'UTC'\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION audit_trail;
	CREATE TABLE orders (id int PRIMARY KEY);
	SELECT audit.enable('orders', context => 'sales');
	SELECT count(*) FROM audit.create_roles();
	CREATE ROLE approver LOGIN IN ROLE audit_purge_approver;
	SELECT audit.set_retention('sales', keep => '1 year', "then" => 'purge', reason => 'they say so');
	INSERT INTO orders SELECT generate_series(1, 100);
	SELECT audit.seal_now()});
approve_all();
clock_was_ahead();
mends('keeper', undef, qr/^The keeper runs only when it is asked to\.$/, q{'1h'});
configure('audit_trail.keeper_interval = 0');
mends('holds', q{SELECT audit.hold('case 7', 'a trial', tables => '{orders}', records => '{7}', until => now() + interval '10 days')}, qr/^Hold "case 7" ends at /);
mends('holds', q{SELECT audit.hold('all', 'a strike', since => '2000-01-01', until => now() + interval '20 days')}, qr/^Hold "all" ends at /);
$node->safe_psql('postgres', q{SELECT count(audit.release_hold(name, 'over')) FROM audit.holds});
approve_all();
clock('120d');
$node->safe_psql('postgres', 'SELECT audit.create_partitions()');
$node->safe_psql('postgres', 'SELECT audit.archive_now()');
my ($file) = (split /\|/, $node->safe_psql('postgres', 'SELECT * FROM audit.archive_to_file()'))[1];
mends('archive', sub { rename "$folder/$file", "$folder/elsewhere" or die "rename: $!" }, qr/^1 of \d+ files with archived segments are missing or too short, the first is "\Q$folder\E\/\Q$file\E"\.$/,
	sub { rename "$folder/elsewhere", "$folder/$file" or die "rename: $!" });
mends('archive', sub { configure("audit_trail.archive_directory = ''") }, qr/^\d+ files have archived segments, and where is not set\.$/, "'$folder'");
clock('800d');
$node->safe_psql('postgres', 'SELECT audit.create_partitions(); SELECT audit.seal_now()');
mends('retention', undef, qr/^\d+ events have expired, and are kept; 0 requests are open\.$/, sub { approve_all(); $node->safe_psql('postgres', 'SELECT audit.keeper_now()') });
clock('1000d');
my $remedy = turns_red('default partitions', 'INSERT INTO orders VALUES (2000); SELECT audit.seal_now()', qr/^audit\.event(_\d+)?_default holds rows: a month had no partition in time/);
clock('1040d');
obey($remedy);
is_content('default partitions', 'rows are moved when their month is over');
$node->stop;

# What cannot be undone stays news for 30 days.
is(join(',', grep { !$red{$_} } @checks), '', 'each check was made red');
is(join(',', grep { !$mended{$_} } @checks), 'losses,unseen time', 'and content again by what it says to do');
done_testing();

# The commands have the doctor say this.
sub turns_red
{
	my ($check, $commands, $detail) = @_;
	my $row;

	do_this($commands);
	wait_for("$check: $detail", sub { ($row) = grep { $_->{status} ne 'ok' && $_->{detail} =~ $detail } rows($check); $row });
	pass("$check: $row->{status}, $row->{detail}");
	isnt($row->{remedy}, '', "$check: and something can be done");
	$red{$check} = 1;
	return $row->{remedy};
}

# And what it says to do makes it content. What a person has to do is a sub, or the value of a setting.
sub mends
{
	my ($check, $commands, $detail, $person) = @_;
	my $remedy = turns_red($check, $commands, $detail);

	obey($remedy, $person);
	wait_for("$check is content", sub { is_ok($check) });
	pass("$check: mended by: $remedy");
	$mended{$check} = 1;
	return $remedy;
}

sub obey
{
	my ($remedy, $person) = @_;
	my $words = $remedy !~ /\A$sql_word/;
	my ($sql) = $words ? $remedy =~ /.*: ($sql_word.*)/s : $remedy;
	my ($name, $value) = $remedy =~ /\b[Ss]et (audit_trail\.\w+)(?: = (\S+))?/;

	configure("$name = " . ($value // $person)) if $name;
	do_this($person) if ref $person && $words;    # before the statement, or else after it
	$sql =~ s{'/outside/of/the/data/directory/log\.key'}{$person} if $sql;
	do_this($sql);
	do_this($person) if ref $person && !$words;
	$node->reload if $name;
	$node->restart if $remedy =~ /restart the server\.?\z/;
	return;
}

sub do_this
{
	my ($what) = @_;

	ref $what ? $what->() : $node->safe_psql($database, $what) if $what;
	return;
}

sub is_content
{
	my ($check, $name) = @_;

	wait_for("$check is content", sub { is_ok($check) });
	pass($name // "$check is content");
	$mended{$check} = 1 if $red{$check};
	return;
}

sub is_ok
{
	my ($check) = @_;

	return !grep { $_->{status} ne 'ok' } rows($check);
}

sub rows
{
	my ($check) = @_;
	my $json = $node->safe_psql($database, qq{SELECT coalesce(json_agg(d), '[]') FROM audit.doctor() d WHERE "check" = '$check'});

	return @{ decode_json($json) };
}

sub details
{
	my ($check) = @_;

	return join "\n", map { $_->{detail} } rows($check);
}

sub checks
{
	return split /\n/, $node->safe_psql($database, q{SELECT DISTINCT "check" COLLATE "C" FROM audit.doctor() ORDER BY 1});
}

sub configure
{
	my ($lines) = @_;

	$node->append_conf('postgresql.conf', $lines);
	$node->reload;
	return;
}

# A failure that verification finds and seals: a row is changed in the file that it is in.
sub verification_has_failed
{
	$node->safe_psql('postgres', 'INSERT INTO your_table VALUES (4711); SELECT audit.seal_now(); SELECT * FROM audit.verify_now()');
	is_content('verification', 'verified');
	$node->safe_psql('postgres', 'INSERT INTO your_table VALUES (4712); SELECT audit.seal_now()');
	my $path = $node->data_dir . '/' . $node->safe_psql('postgres', q{CHECKPOINT; SELECT pg_relation_filepath(tableoid) FROM audit.event WHERE record_key = '4712'});
	$node->stop;
	my $offset = rindex(slurp_file($path), '"id":4712');
	cmp_ok($offset, '>', 0, 'the event is in the file');
	write_at($path, $offset, '"id":9999');
	$node->start;
	workers_run($node, 'postgres', 'workers run');
	mends('verification', sub { $node->psql('postgres', 'SELECT * FROM audit.verify_now()') }, qr/^The last verification, at .*, found [1-9]\d* failures\.$/, sub {
		$node->stop;
		write_at($path, $offset, '"id":4712');
		$node->start;
		workers_run($node, 'postgres', 'workers run again');
	});
	return;
}

# The collector is held up until the memory for what it collects is full.
sub records_are_lost
{
	configure("audit_trail.ring_size = 64kB\naudit_trail.ring_full = drop");
	$node->restart;
	workers_run($node, 'postgres', 'workers run with little memory');
	my $gate = $node->background_psql('postgres');

	$gate->query_safe(q{SELECT pg_advisory_lock(1096107092, hashtext('collector-before-commit'))});
	$node->psql('postgres', "DELETE FROM audit.event WHERE tx_id > -$_") foreach 1 .. 3;
	$node->psql('postgres', join(' ', map { "DELETE FROM audit.event WHERE tx_id > -$_;" } 1 .. 200), on_error_stop => 0);
	turns_red('losses', undef, qr/^There was no room for \d+ records of refused commands or reads, which the collector has not told yet\.$/);
	$gate->query_safe(q{SELECT pg_advisory_unlock(1096107092, hashtext('collector-before-commit'))});
	$gate->quit;
	turns_red('losses', sub { wait_for('a seal', sub { $node->psql('postgres', 'SELECT audit.seal_now()') == 0 }) },
		qr/^In the last 30 days there was no room for some records .*: [1-9]\d* events tell how many\.$/);
	return;
}

# A database without a sealer, in which a transaction waits. What comes of it is looked at later.
sub with_sealing_asleep
{
	$node->safe_psql('postgres', 'CREATE DATABASE asleep');
	$node->safe_psql('asleep', q{CREATE EXTENSION audit_trail; CREATE TABLE orders (id int PRIMARY KEY); SELECT audit.enable('orders')});
	workers_run($node, 'asleep', 'workers run there');
	$node->safe_psql('asleep', 'SELECT audit.seal_now(); ALTER DATABASE asleep IS_TEMPLATE true');
	workers_gone($node, 'asleep', 'they leave a template alone');
	$node->safe_psql('asleep', 'INSERT INTO orders VALUES (1)');
	return;
}

sub sealing_wakes
{
	$database = 'asleep';
	my $remedy = turns_red('sealing', undef, qr/^\d+ transactions await sealing, the oldest for \d+ seconds\.$/);

	is(mends('sealer', undef, qr/workers leave template databases alone/), 'ALTER DATABASE asleep IS_TEMPLATE false;', 'a template can be one no longer');
	obey($remedy);
	is_content('sealing');
	$database = 'postgres';
	return;
}

# An entry of the log comes from a time that the clock has yet to reach.
sub clock_was_ahead
{
	turns_red('clock', q{SET audit_trail.debug_clock = '30s'; SELECT audit.hold('ahead', 'of its time', since => '-infinity')}, qr/^The clock is \d+ seconds behind a time that the log has already\.$/);
	is_content('clock', 'until it is right');
	return;
}

sub clock
{
	my ($later) = @_;

	configure("audit_trail.debug_clock = '$later'");
	ok($node->poll_query_until('postgres', qq{SELECT current_setting('audit_trail.debug_clock') = '$later'}), "it is $later later");
	return;
}

sub approve_all
{
	$node->safe_psql('postgres', q{SELECT count(*) FROM (SELECT audit.approve(request_id, 'yes') FROM audit.request WHERE state = 'open' OFFSET 0) a}, extra_params => [ '-U', 'approver' ]);
	return;
}

sub write_file
{
	my ($path, $text) = @_;

	open(my $handle, '>', $path) or die "open: $!";
	print $handle $text or die "print: $!";
	close $handle or die "close: $!";
	chmod 0600, $path or die "chmod: $!";
	return;
}

sub write_at
{
	my ($path, $at, $new) = @_;

	open(my $handle, '+<', $path) or die "open: $!";
	binmode $handle;
	seek($handle, $at, 0) or die "seek: $!";
	print $handle $new or die "print: $!";
	close $handle or die "close: $!";
	return;
}
