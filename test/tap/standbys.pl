# Several standbys send to one primary server at once, one of them following another: each record comes once, as whose it
# is, whichever process or server is killed in the middle; also when a standby takes the primary server's place, and
# that is rewound to follow it.
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Polling;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Waiting;
use Workers;

my %reader = (near => 'anna', also => 'bert', beyond => 'carl');
my $tags = q{(SELECT substring(new_values ->> 'statement' FROM 'tag-[\w.]+') AS tag, * FROM audit.events WHERE action = 'read') AS t};
my $primary = PostgreSQL::Test::Cluster->new('first');
my (%node, %seen, %round);

$primary->init(allows_streaming => 1);
$primary->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\nmax_worker_processes = 20\nautovacuum = off\nwal_log_hints = on\nwal_keep_size = 1GB\n"
	  . "recovery_target_timeline = latest\naudit_trail.record_sessions = off\naudit_trail.primary_timeout = '600s'\n"
	  . "audit_trail.ring_timeout = 60s\naudit_trail.debug_points = 'collector-before-commit,receive-before-commit,receive-after-commit'\n");
$primary->start;
$primary->safe_psql('postgres', q{
	CREATE EXTENSION audit_trail;
	CREATE TABLE people (id int PRIMARY KEY, name text); INSERT INTO people VALUES (1, 'a');
	SELECT audit.enable('people', reads => true, query => true), audit.create_roles();
	CREATE ROLE anna LOGIN; CREATE ROLE bert LOGIN; CREATE ROLE carl LOGIN; GRANT SELECT ON people TO anna, bert, carl;
	CREATE ROLE sender LOGIN; GRANT audit_standby TO sender});
workers_run($primary, 'postgres', 'workers run');
$primary->backup('base');
start_standby('near', $primary);
start_standby('also', $primary);
$node{near}->backup('base');
start_standby('beyond', $node{near});
my $writer = $primary;

# All at once, and nothing happens.
loaded('at once', sub { });

# Whatever is killed in the middle of it.
foreach my $victim ([ 'a collector', 'near', 'collector' ], [ 'a standby', 'also', undef ], [ 'the standby of a standby', 'beyond', undef ], [ 'the standby between', 'near', undef ],
	[ 'a receiving session', undef, 'sender' ], [ 'the primary server', undef, undef ])
{
	my ($name, $whose, $process) = @$victim;
	my $at = defined $whose ? $node{$whose} : $primary;

	loaded($name, sub { strike($at, $process); });
}

# At the worst lines: some of a batch is committed, or all of it and the answer has not come.
foreach my $point ('receive-before-commit', 'receive-after-commit')
{
	foreach my $process (undef, 'collector')
	{
		my $name = "$point, " . ($process // 'standby');
		my $held = hold_point($primary, $point);

		read_at($_, 3) foreach sort keys %node;
		wait_for("$name is reached", sub { waiting($primary) == 3 });
		read_at($_, 2) foreach sort keys %node;
		strike($node{$_}, $process) foreach qw(also beyond);
		$held->quit;
		bring_back($node{$_}) foreach qw(also beyond);
		all_once($name);
	}
}

# A standby takes the place of the primary server, with records of all three under way, and of the primary server itself.
my $own = hold_point($primary, 'collector-before-commit');
$primary->safe_psql('postgres', "SELECT 'tag-own.$_' FROM people") foreach 1 .. 3;
wait_until_held($primary, 'collector-before-commit');
my $held = hold_point($primary, 'receive-after-commit');
read_at($_, 4) foreach sort keys %node;
wait_for('all are under way', sub { waiting($primary) == 3 });
read_at($_, 2) foreach sort keys %node;
$primary->wait_for_catchup($node{near});
$primary->stop('immediate');
eval { $_->quit } foreach $own, $held;
read_at($_, 2) foreach sort keys %node;
$node{near}->promote;
$node{near}->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()');
$writer = $node{near};
follow($node{also}, $writer);
$node{also}->restart;
read_at($_, 2) foreach sort keys %node;
all_once('a standby is promoted');

# The old one is rewound, which removes its ring. Nothing of it comes to the trail that has gone on without it.
# Before its first checkpoint a server that was promoted looks to pg_rewind as if it were on the old timeline.
$writer->safe_psql('postgres', 'CHECKPOINT');
system_or_bail('pg_rewind', '--target-pgdata', $primary->data_dir, '--source-server', $writer->connstr('postgres'), '--config-file', $primary->data_dir . '/postgresql.conf');
ok(!-e $primary->data_dir . '/pg_dynshmem/audit_trail.ring', 'a server that is rewound has no ring');
$primary->append_conf('postgresql.conf', 'port = ' . $primary->port);
follow($primary, $writer);
$primary->append_conf('postgresql.conf', "audit_trail.primary_conninfo = 'host=" . $writer->host . ' port=' . $writer->port . " user=sender'\n");
$primary->set_standby_mode;
start_again($primary);
$node{back} = $primary;
$reader{back} = 'anna';
read_at($_, 3) foreach sort keys %node;
all_once('with one that was rewound');
is($writer->safe_psql('postgres', "SELECT count(*) FROM $tags WHERE tag ~ 'own'"), '0', 'nothing comes from the ring that it had');
loaded('again at once', sub { });
is($writer->safe_psql('postgres', 'SELECT audit.seal_now() \g /dev/null' . "\nSELECT object FROM audit.verify()"), 'ok', 'all of it verifies');

# The places change once more, in good order, with records under way in all rings. What is in that
# of a server that follows another one is set aside; its collector may have come to record it before it ended.
$own = hold_point($writer, 'collector-before-commit');
$writer->safe_psql('postgres', "SELECT 'tag-own.$_' FROM people") foreach 4 .. 5;
wait_until_held($writer, 'collector-before-commit');
$held = hold_point($writer, 'receive-after-commit');
delete $node{near};
read_at($_, 3) foreach sort keys %node;
wait_for('all are under way', sub { waiting($writer) == 3 });
$writer->stop('fast');
eval { $_->quit } foreach $own, $held;
my $before = $writer;
$writer = $primary;
$writer->promote;
$writer->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()');
follow($before, $writer);
$before->set_standby_mode;
start_again($before);
$node{near} = $before;
read_at($_, 2) foreach sort keys %node;
all_once('and back again');
is($writer->safe_psql('postgres', 'SELECT audit.seal_now() \g /dev/null' . "\nSELECT object FROM audit.verify()"), 'ok', 'all of it verifies');

# When that server writes again, it says what it had.
my $known = qq{SELECT (SELECT count(*) FROM $tags WHERE tag ~ 'own') + coalesce(sum((new_values ->> 'set_aside')::int), 0) FROM audit.event WHERE event_type = 'audit.lost'};
$writer->wait_for_catchup($before);
$writer->stop;
$before->promote;
$before->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()');
$before->poll_query_until('postgres', $known, '2');
is($before->safe_psql('postgres', $known), '2', 'each record of its ring is in the trail, or told to be set aside');
is($before->safe_psql('postgres', 'SELECT audit.seal_now() \g /dev/null' . "\nSELECT object FROM audit.verify()"), 'ok', 'and verify');
$_->stop foreach grep { defined $_->{_pid} } $primary, values %node;
done_testing();

sub start_standby
{
	my ($name, $of) = @_;
	my $standby = PostgreSQL::Test::Cluster->new($name);

	$node{$name} = $standby;
	$standby->init_from_backup($of, 'base', has_streaming => 1);
	my @other = grep { defined } $primary, $node{near};
	$standby->append_conf('postgresql.conf', "audit_trail.primary_conninfo = 'host=" . join(',', map { $_->host } @other) . ' port=' . join(',', map { $_->port } @other) . " user=sender'\n");
	$standby->start;
	return;
}

sub follow
{
	my ($standby, $of) = @_;

	$standby->append_conf('postgresql.conf', q{primary_conninfo = '} . $of->connstr =~ s/'/''/gr . ' application_name=' . $standby->name . "'\n");
	return;
}

# Some reads on a standby, each with a tag of its own.
sub read_at
{
	my ($name, $count) = @_;

	foreach (1 .. $count)
	{
		my $tag = "tag-$name." . ++$round{$name};

		$node{$name}->safe_psql('postgres', "SELECT '$tag' FROM people", extra_params => [ '-U', $reader{$name} ]);
		$seen{$tag} = $name;
	}
	return;
}

# Readers on all standbys, and in the middle something happens.
sub loaded
{
	my ($name, $happens) = @_;
	my %client = map { $_ => start_client($_) } sort keys %node;

	wait_for("$name: the load", sub { !grep { (-s $_->{log} // 0) < 4000 } values %client });
	$happens->();
	sleep(1);
	foreach (keys %client)
	{
		$client{$_}{harness}->kill_kill(grace => 5) if $client{$_}{harness}->pumpable;
		eval { $client{$_}{harness}->finish };
	}
	bring_back($_) foreach $writer, values %node;
	foreach my $at (keys %client)
	{
		my @acknowledged = map { /^ack (tag-\S+)$/ ? $1 : () } split /\n/, slurp_file($client{$at}{log});

		cmp_ok(scalar @acknowledged, '>', 20, "$name: there was load on $at");
		$seen{$_} = $at foreach @acknowledged;
	}
	all_once($name);
	return;
}

sub start_client
{
	my ($at) = @_;
	my $number = ++$round{client};
	my $script = $node{$at}->basedir . "/$number.sql";
	my $log = $node{$at}->basedir . "/$number.log";

	append_to_file($script, join '', map { "SELECT 'tag-$at.c$number.$_' FROM people, pg_sleep(0.002);\n\\echo ack tag-$at.c$number.$_\n" } 1 .. 20000);
	my $harness = IPC::Run::start([ 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-d', $node{$at}->connstr('postgres') . " user=$reader{$at}", '-f', $script ],
		'<', \undef, '>', $log, '2>', \my $stderr);
	return { harness => $harness, log => $log };
}

# What was read is on record at the server that writes, once, as whose it is.
sub all_once
{
	my ($name) = @_;
	my (%last, %found, @twice, @wrong);

	foreach my $at (keys %node)
	{
		read_at($at, 1);
		$last{"tag-$at." . $round{$at}} = 1;
	}
	my $wanted = join ',', map { "'$_'" } keys %last;
	$writer->poll_query_until('postgres', "SELECT count(*) >= " . keys(%last) . " FROM $tags WHERE tag IN ($wanted)") or die "$name: not all is recorded";
	foreach my $row (split /\n/, $writer->safe_psql('postgres', "SELECT tag, login_user, coalesce(extra #>> '{standby,name}', '-'), coalesce(extra #>> '{standby,sent_by}', '-') FROM $tags WHERE tag IS NOT NULL"))
	{
		my ($tag, $who, $standby, $sender) = split /\|/, $row;
		my ($at) = $tag =~ /^tag-(\w+)\./;

		next unless exists $reader{$at};
		push @twice, $tag if $found{$tag}++;
		push @wrong, $row unless $who eq $reader{$at} && ($standby eq ($at eq 'back' ? 'first' : $at) && $sender eq 'sender' || $standby eq '-' && $at =~ /^(near|back)$/);
	}
	my @missing = grep { !$found{$_} } sort keys %seen;

	is("@missing[0 .. ($#missing < 5 ? $#missing : 5)]", '', "$name: all that was read is on record, of " . keys(%seen));
	is("@twice", '', "$name: nothing twice");
	is("@wrong[0 .. ($#wrong < 5 ? $#wrong : 5)]", '', "$name: as whose it is");
	return;
}

sub waiting
{
	my ($at) = @_;

	return $at->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE usename = 'sender' AND query ~ 'receive_records' AND wait_event_type = 'Lock'});
}

# Kill a server, or one of its processes, which ends the server too.
sub strike
{
	my ($at, $process) = @_;

	if (!defined $process)
	{
		$at->kill9;
		return;
	}
	my $pid = $at->safe_psql('postgres', $process eq 'collector' ? q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'audit_trail collector'}
		: q{SELECT pid FROM pg_stat_activity WHERE usename = 'sender' ORDER BY random() LIMIT 1});
	kill('KILL', $pid) or die "kill $pid: $!";
	gone($at);
	return;
}

sub gone
{
	my ($at) = @_;
	my $pid_file = $at->data_dir . '/postmaster.pid';

	return unless defined $at->{_pid};
	wait_for('the server ends', sub { !-e $pid_file });
	$at->_update_pid(0);
	return;
}

sub bring_back
{
	my ($at) = @_;

	return if defined $at->{_pid} && kill(0, $at->{_pid});
	start_again($at);
	return;
}
