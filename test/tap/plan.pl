# audit.retention_plan() tells what the keeper's next run will do, step by step, and does nothing; and a
# run does what was told, to the number.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Waiting;

my $node = PostgreSQL::Test::Cluster->new('plan');
my $folder = PostgreSQL::Test::Utils::tempdir;
my $day = 0;
my %steps;

$node->init;
mkdir "$folder/$_", 0700 foreach qw(keys archive);
append_to_file("$folder/hash", '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f');
chmod 0600, "$folder/hash";
$node->append_conf('postgresql.conf', qq{
shared_preload_libraries = 'audit_trail'
max_worker_processes = 20
fsync = off
audit_trail.seal_interval = 50ms
audit_trail.purge_anchor = off
audit_trail.keeper_pause = 0
audit_trail.keeper_interval = 0
audit_trail.hash_key_file = '$folder/hash'
audit_trail.subject_key_directory = '$folder/keys'
audit_trail.archive_directory = '$folder/archive'
audit_trail.archive_file_age = 150d
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
	CREATE TABLE orders (id int PRIMARY KEY, note text, customer int);
	CREATE TABLE pays (id int PRIMARY KEY, note text);
	CREATE TABLE others (id int PRIMARY KEY);
	SELECT audit.enable('orders', context => 'sales', personal => '{note}', subject => 'customer');
	SELECT audit.enable('pays', context => 'finance');
	SELECT audit.enable('others', context => 'it')});
value('CREATE ROLE nobody LOGIN');
$node->psql('postgres', 'SELECT * FROM audit.retention_plan()', extra_params => [ '-U', 'nobody' ], stderr => \my $refused);
like($refused, qr/permission denied/, 'a plan is not for everybody');
is(value('SELECT count(*) FROM audit.retention_plan()'), 0, 'there is nothing to do at first');
approved('alice', q{SELECT audit.set_retention(context => 'sales', hot => '2 months', keep => '1 year', "then" => 'purge', reason => 'the law')});
as('alice', q{SELECT audit.set_retention(context => 'finance', hot => '4 months', "then" => 'archive', reason => 'tax')});
is(value(q{SELECT string_agg(concat_ws(' ', action, retention_class, objects, reason), ', ' ORDER BY retention_class) FROM audit.retention_plan()}),
	'partitions 2 8 there are partitions for 3 months ahead, partitions 3 8 there are partitions for 3 months ahead', 'new policies need partitions');
told_and_done('the first run');

# Two years, a quarter of a year at a time. What is told for later is done later.
my %told;
foreach my $quarter (1 .. 8)
{
	my $text = '';

	foreach my $d ($day .. $day + 90)
	{
		$text .= "SET audit_trail.debug_clock = '" . ($d * 86400 + 1) . "s';\n"
		  . "BEGIN; INSERT INTO orders VALUES ($d, repeat('order $d ', 9), $d); INSERT INTO pays VALUES ($d, 'p'); COMMIT; INSERT INTO others VALUES ($d);\n";
	}
	value($text);
	$day += 91;
	clock();
	if ($quarter == 2)
	{
		%told = map { $_ => 1 } split /\n/, value(q{SELECT retention_class, since FROM audit.retention_plan('91 days') WHERE action = 'archive'});
		cmp_ok(scalar keys %told, '>', value(q{SELECT count(*) FROM audit.retention_plan() WHERE action = 'archive'}), 'more will be archived later');
	}
	if ($quarter == 5)
	{
		as('carl', q{SELECT audit.hold('case 3', 'court', tables => '{orders}', records => '{3}')});
		as('carl', q{SELECT audit.hold('case 4', 'court', tables => '{pays}')});
	}
	if ($quarter > 5)
	{
		my $last = value(q{SELECT count(*) FROM audit.retention_plan() WHERE action = 'purge' AND needs = 'audit.request_purge(), and its approval'});

		cmp_ok($last, '>', 0, 'a purge has to be asked for');
		my $id = as('mona', q{SELECT audit.request_purge('the law')});
		is(value("SELECT count(*) FROM audit.retention_plan() WHERE needs = 'the approval of request $id'"), $last, 'then to be approved');
		as('bob', "SELECT audit.approve($id, 'fine')");
	}
	told_and_done("quarter $quarter");
}
is(join(' ', grep { $steps{$_} > 0 } qw(partitions archive files purge drop)), 'partitions archive files purge drop', 'each of these steps had something to do');
is(value(q{SELECT string_agg(concat_ws('|', events, held, holds, needs), ' ') FROM audit.retention_plan() WHERE action = 'purge'}),
	'0|1|{"case 3"}|the release of what holds it', 'what is held is told, with the hold that keeps it, and no other');
like(value(q{SELECT string_agg(reason, '') FROM audit.retention_plan() WHERE action = 'purge'}), qr/^context sales is kept for 1 year$/, 'and why it would go');
is(join(' ', grep { !$steps{$_} } sort keys %told), '', 'what was told for a quarter later was done by then');

# Erasing
approved('alice', q{SELECT audit.erase_subject('700', 'GDPR, Article 17(1)(a)')});
is(value(q{SELECT concat_ws('|', objects, reason) FROM audit.retention_plan() WHERE action = 'erase'}), '1|GDPR, Article 17(1)(a)', 'a key is to be destroyed');
value('SELECT audit.keeper_now()');
is(value(q{SELECT count(*) FROM audit.retention_plan() WHERE action = 'erase'}), 0, 'and then it is');

# The window, and what is to come: by the clock of the trail.
$day += 91;
clock();
my ($hour) = value(q{SELECT extract(hour FROM now() + current_setting('audit_trail.debug_clock')::interval)::int});
my ($from, $until) = map { sprintf '%02d:00', ($hour + $_) % 24 } 3, 5;
$node->append_conf('postgresql.conf', "audit_trail.maintenance_window = '$from-$until'\ntimezone = 'UTC'\n");
$node->reload;
wait_for('the window is set', sub { value('SHOW audit_trail.maintenance_window') eq "$from-$until" });
is(value(q{SELECT string_agg(DISTINCT to_char(not_before AT TIME ZONE 'UTC', 'HH24:MI'), ' ') FROM audit.retention_plan() WHERE action = 'archive'}), $from, 'months wait for the window');
is(value(q{SELECT bool_and(not_before > now() + current_setting('audit_trail.debug_clock')::interval) FROM audit.retention_plan() WHERE action = 'archive'}), 't', 'the next one');
is(value(q{SELECT bool_and(not_before < clock_timestamp() + current_setting('audit_trail.debug_clock')::interval) FROM audit.retention_plan() WHERE action = 'partitions'}), 't', 'partitions do not');
my ($status, $out, $err) = $node->psql('postgres', q{SELECT audit.retention_plan('-1 day')});
like($err, qr/there is no plan for the past/, 'nor is there one for the past');
cmp_ok(value(q{SELECT count(*) FROM audit.retention_plan('10 years') WHERE action = 'purge'}), '>', value(q{SELECT count(*) FROM audit.retention_plan() WHERE action = 'purge'}),
	'in ten years more will have expired');
$node->stop;
done_testing();

sub value { return $node->safe_psql('postgres', $_[0]) }

sub as
{
	my ($login, $sql) = @_;
	my (undef, $said) = $node->psql('postgres', $sql, extra_params => [ '-U', $login ]);

	return $said;
}

sub approved
{
	my ($login, $sql) = @_;
	my $id = as($login, $sql);

	is(as('bob', "SELECT audit.approve($id, 'fine')"), '', "approved: $sql");
	return $id;
}

sub clock
{
	my $clock = $day * 86400 + 1;

	$node->append_conf('postgresql.conf', "audit_trail.debug_clock = ${clock}s\n");
	$node->reload;
	$node->poll_query_until('postgres', "SELECT current_setting('audit_trail.debug_clock')::interval = '${clock}s'::interval") or die;
	value('SELECT audit.seal_now()');
	return;
}

# What there is: events, partitions, the log but for batches and what else comes by itself.
sub state
{
	return value(q{SELECT (SELECT count(*) FROM audit.event), (SELECT count(*) FROM pg_class WHERE relnamespace = 'audit'::regnamespace),
		(SELECT count(*) FROM audit.log_entry WHERE kind NOT IN ('events', 'heartbeat', 'settings', 'start')), (SELECT count(*) FROM audit.keeper_run)});
}

# Take the plan; have the keeper run until it has nothing to do; compare.
sub told_and_done
{
	my ($what) = @_;
	my $state = state();
	my @plan = map { [ split /\|/, $_, -1 ] } split /\n/, value(q{SELECT action, retention_class, since, objects, events, transactions, bytes FROM audit.retention_plan() WHERE needs IS NULL});
	my $run = value('SELECT coalesce(max(run_id), 0) FROM audit.keeper_run');

	is(state(), $state, "$what: a plan does nothing");
	my $done = sub { return value("SELECT coalesce(sum(done), 0) FROM audit.keeper_run WHERE run_id > $run AND step = '$_[0]'") };
	my $sum = sub { my ($action, $column) = @_; my $n = 0; $n += $_->[$column] foreach grep { $_->[0] eq $action } @plan; return $n };
	my $archived = $sum->('archive', 4);
	my $hot = value(q{SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relname ~ '^(event|transaction)_\d+_\d{6}$'});
	my $cold = value(q{SELECT count(*) FROM pg_class WHERE relkind = 'f' AND relname ~ '^(event|transaction)_\d+_\d{6}$'});

	# a run gives way to others; then the next one does the rest
	wait_for("$what: all is done", sub {
		value('SELECT audit.keeper_now()');
		value(q{SELECT count(*) FROM audit.retention_plan() WHERE action IN ('partitions', 'archive') OR (action = 'files' AND needs IS NULL) OR (action = 'purge' AND needs IS NULL)}) eq '0' });
	is($done->('partitions'), $sum->('partitions', 3), "$what: partitions are made as told");
	is($done->('archive'), $archived, "$what: events are archived as told");
	is($done->('files'), $sum->('files', 3), "$what: partitions go to files as told");
	is($done->('purge'), $sum->('purge', 4), "$what: events are purged as told");
	is(value("SELECT coalesce(sum((certificate ->> 'transactions')::int), 0) FROM audit.deletion WHERE phase = 'done' AND log_index > coalesce((
		SELECT max(log_index) FROM audit.log_entry WHERE kind = 'request' AND payload ->> 'kind' = 'purge'), 0)"), $sum->('purge', 5), "$what: and transactions");
	my $made = value(q{SELECT count(*) FROM pg_class WHERE relkind = 'f' AND relname ~ '^(event|transaction)_\d+_\d{6}$'}) - $cold;
	cmp_ok($made, '<=', $sum->('archive', 3), "$what: as many partitions at most become cold");
	cmp_ok($done->('drop'), '>=', $sum->('drop', 3), "$what: what was empty is dropped");

	my $freed = 0;
	my $details = value("SELECT string_agg(detail, E'\\n') FROM audit.keeper_run WHERE run_id > $run AND step = 'archive'");

	$freed += $1 - $2 while $details =~ /(\d+) bytes are (\d+) now/g;
	my $bytes = $sum->('archive', 6);
	cmp_ok(abs($bytes - $freed), '<', 0.6 * $freed, "$what: about so many bytes are freed ($bytes told, $freed freed)") if $freed > 0 && $cold > 8;
	$steps{$_} += $done->($_) foreach qw(partitions archive files purge drop);
	$steps{"$_->[1]|$_->[2]"} = 1 foreach grep { $_->[0] eq 'archive' } @plan;
	return;
}
