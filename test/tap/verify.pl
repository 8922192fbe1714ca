# Verification that goes on for long: by several processes, watched, interrupted, killed and resumed; and the
# worker that verifies in the background, and seals what it finds.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Pages;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

my $batches = 40;
my $deadline = 60;     # seconds, for each thing that is waited for
my $node = PostgreSQL::Test::Cluster->new('verify');
my $folder = PostgreSQL::Test::Utils::tempdir;
my ($status, $out, $err);

$node->init;
$node->append_conf('postgresql.conf', qq{
shared_preload_libraries = 'audit_trail'
max_worker_processes = 20
restart_after_crash = on
autovacuum = off
audit_trail.seal_interval = 1h
audit_trail.verify_interval = 0
audit_trail.signing_key_file = '$folder/key'
audit_trail.checkpoint_file = '$folder/checkpoints'
audit_trail.debug_points = 'verify-stretch,verifier-before-seal'
});
$node->start;
$node->safe_psql('postgres', q{CREATE EXTENSION audit_trail; CREATE TABLE orders (id bigserial PRIMARY KEY, note text);
	SELECT audit.enable('orders')});
$node->safe_psql('postgres', "SELECT audit.create_signing_key('$folder/key', 'example.org/shop')");
$node->safe_psql('postgres', q{INSERT INTO orders (note) SELECT 'note ' || g FROM generate_series(1, 100) AS g; SELECT audit.seal_now()}) for 1 .. $batches;
my $memory = $node->data_dir . '/audit_trail.verify.' . value('SELECT oid FROM pg_database WHERE datname = current_database()');

# what is watched, while all stand at the end of their first stretch
my $holder = hold('verify-stretch');
my $verifier = background_verify('workers => 2');
wait_until_held(3);
is(value('SELECT count(*), min(mode), min(phase), min(workers), min(batches_total) >= 40, min(events_total) > 4000, min(findings) FROM audit.verify_progress'),
	'1|full|checking batches|2|t|t|0', 'progress is shown, with two workers');
is(value('SELECT pid = (SELECT pid FROM pg_stat_activity WHERE query ~ $$^SELECT finding$$ AND leader_pid IS NULL LIMIT 1) FROM audit.verify_progress'), 't', 'under the pid of the session');
release($holder);
is(outcome($verifier), 'summary|ok', 'and it ends well');
is(value('SELECT count(*) FROM audit.verify_progress'), 0, 'then nothing is shown any more');

# a worker that is killed takes the verification along, by an error
$holder = hold('verify-stretch');
$verifier = background_verify('workers => 2');
wait_until_held(3);
value(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE leader_pid IS NOT NULL});
release($holder);
like(outcome($verifier), qr/^(summary\|ok|ERROR:  terminating background worker)/, 'a parallel worker that is terminated makes no finding');
is(verdict(), 'ok', 'nor does what follows');

# without free worker processes the session does it alone
$node->append_conf('postgresql.conf', 'max_parallel_workers = 0');
$node->reload;
is(value('SELECT object FROM audit.verify(workers => 4)'), 'ok', 'it does without workers');
$node->append_conf('postgresql.conf', 'max_parallel_workers = 8');
$node->reload;

# Interrupted: what was checked is remembered, and passed over when that is asked for.
ok(!-e $memory, 'nothing is remembered of what was ended');
interrupt('cancelled', sub { value(q{SELECT pg_cancel_backend(pid) FROM audit.verify_progress}) });
is_resumed('after it was cancelled');
ok(!-e $memory, 'and forgotten then');
interrupt('killed', sub { kill 'KILL', value('SELECT pid FROM audit.verify_progress'); wait_for('the server', sub { $node->psql('postgres', 'SELECT 1') == 0 }) });
is_resumed('after the server was killed, with workers', 'workers => 2');

# What is remembered is not believed if anybody could have written it.
interrupt('cancelled', sub { value(q{SELECT pg_cancel_backend(pid) FROM audit.verify_progress}) });
my $genuine = slurp_file($memory);
my ($size) = $genuine =~ /\Aaudit_trail verification\n\w{32}\n(\d+) / or die $genuine;
foreach my $case (
	[ 'one that says more', $genuine =~ s/^\Q$size\E /@{[ $size + 5 ]} /mr, 'it is not signed by the key of the log' ],
	[ 'one without a signature', $genuine =~ s/\n\n.*/\n/sr, 'it is not signed by the key of the log' ],
	[ 'a checkpoint', slurp_file("$folder/checkpoints") =~ /(example\.org\/shop\n\d+\n\S+\n\n\S+ \S+ \S+\n)\z/, 'it is of another log' ],
	[ 'rubbish', "\0" x 100000, 'it is not signed by the key of the log' ],
	[ 'an empty one', '', 'it is not signed by the key of the log' ],
	[ 'none', undef, 'there is none' ])
{
	my ($name, $content, $why) = @$case;

	unlink $memory;
	append_to_file($memory, $content) if defined $content;
	($status, $out, $err) = $node->psql('postgres', 'SELECT object, detail FROM audit.verify(resume => true)');
	like($err, qr/NOTICE:  there is nothing to resume: everything is verified\nDETAIL:  Of what was remembered: \Q$why\E/, "$name is not believed");
	unlike($out, qr/not again/, 'and everything is verified');
}

# What is remembered is passed over, and no more than that; and only where that is asked for.
my $early = place('event', "tx_id = (SELECT min(tx_id) FROM audit.event WHERE new_values ->> 'note' = 'note 7')");
my $late = place('event', "tx_id = (SELECT max(tx_id) FROM audit.event WHERE new_values ->> 'note' = 'note 7')");
$node->stop;
edit_row($early, sub { s/note 7/nota 7/ });
edit_row($late, sub { s/note 7/nota 7/ });
unlink $memory;
append_to_file($memory, $genuine);
$node->start;
($status, $out, $err) = $node->psql('postgres', 'SELECT count(*) FROM audit.verify(resume => true)');
is($out, 2, 'the resumed one finds what was not checked before');
is(value("SELECT substring(detail, 'batches before entry [\\d ]+ were checked until .* and not again') IS NOT NULL FROM audit.verify(resume => true) WHERE finding = 'summary'"), 't',
	'and says what it did not look at');
is(value('SELECT count(*) FROM audit.verify()'), 3, 'the whole one finds both');

# A batch that was not fine is looked at again.
interrupt('cancelled', sub { value(q{SELECT pg_cancel_backend(pid) FROM audit.verify_progress}) });
is(value('SELECT count(*) FROM audit.verify(resume => true)'), 3, 'the resumed one finds both, since a bad batch is not passed over');
$node->stop;
edit_row($early, sub { s/nota 7/note 7/ });
$node->start;

# The worker: what it finds is sealed, and found again as long as it is there.
is(value('SELECT findings FROM audit.verify_now()'), 1, 'the worker finds the other');
is(value('SELECT findings FROM audit.verify_now()'), 1, 'and finds it again');
is(value(q{SELECT payload ->> 'first' ~ '^event changed ', payload ->> 'from', log_index + 1 = (SELECT max(size) FROM audit.checkpoint) FROM audit.log_entry WHERE kind = 'verified' ORDER BY log_index DESC LIMIT 1}),
	't|0|t', 'its result is sealed');
like(slurp_file($node->logfile), qr/WARNING:  the audit trail is not as it was sealed: event changed\n.*?DETAIL:  event \d+\.7 \(public\.orders, key \d+\), batch \d+/s, 'and in the log of the server');
$node->stop;
edit_row($late, sub { s/nota 7/note 7/ });
$node->start;
is(value('SELECT findings FROM audit.verify_now()'), 0, 'nothing is found once it is mended');
value(q{INSERT INTO orders (note) VALUES ('more'); SELECT audit.seal_now()});
is(value(q{SELECT object, detail ~ '^1 event in 1 transaction, 1 batch sealed' FROM audit.verify(since_last => true)}), 'ok|t', 'then it goes on from there');
wait_for('the checkpoint of it', sub { value('SELECT audit.checkpoint()') =~ /^@{[ value('SELECT max(size) FROM audit.checkpoint') ]}$/m });
is(verdict(), 'ok', 'all of it verifies');

# what somebody makes of the result
my $record = value(q{SELECT max(log_index) FROM audit.log_entry WHERE kind = 'verified'});
my $checkpoint = place('checkpoint', "size = (SELECT (payload ->> 'size')::bigint FROM audit.log_entry WHERE log_index = $record)");
$node->stop;
edit_row($checkpoint, sub { substr($_, -1) ^= "\1" });
$node->start;
like(value('SELECT string_agg(finding, $$,$$) FROM audit.verify(since_last => true)'), qr/^checkpoint changed,/, 'a frontier that the result does not vouch for is not gone on from');
$node->stop;
edit_row($checkpoint, sub { substr($_, -1) ^= "\1" });
$node->start;

# It comes when it is due, and is gone meanwhile; killed, it comes again.
is(worker(), 0, 'the worker is not there');
value('SELECT audit.verify_now()');
my $results = results();
$node->append_conf('postgresql.conf', 'audit_trail.verify_interval = 1s');
$node->reload;
wait_for('a result', sub { results() > $results });
wait_for('another one', sub { results() > $results + 1 });
is(verdict(), 'ok', 'results do no harm');
$holder = hold('verifier-before-seal');
wait_for('the worker', sub { worker() && value(q{SELECT count(*) FROM pg_stat_activity WHERE application_name = 'audit_trail verifier' AND wait_event = 'advisory'}) });
is(value('SELECT size > 0 FROM audit.seal_lag(), LATERAL (SELECT max(size) AS size FROM audit.checkpoint) AS c'), 't', 'it is held before it seals its result');
value(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'audit_trail verifier'});
release($holder);
$results = results();
wait_for('a result of the next worker', sub { results() > $results });
$node->append_conf('postgresql.conf', 'audit_trail.verify_interval = 0');
$node->reload;
wait_for('the worker to leave', sub { !worker() });
value('SELECT audit.verify_now()');
wait_for('the one who was asked for to leave', sub { !worker() });
value('CREATE DATABASE other TEMPLATE template0');
is(verdict(), 'ok', 'all of it verifies in the end');
$node->stop;
done_testing();

sub value
{
	my ($query) = @_;

	return $node->safe_psql('postgres', $query);
}

sub verdict
{
	return value('SELECT object FROM audit.verify()');
}

sub results
{
	return value(q{SELECT count(*) FROM audit.log_entry WHERE kind = 'verified'});
}

sub worker
{
	return value(q{SELECT count(*) FROM pg_stat_activity WHERE application_name = 'audit_trail verifier'});
}

# Have processes stop at a debug point, until that is released.
sub hold
{
	my ($point) = @_;
	my $session = $node->background_psql('postgres');

	$session->query_safe("SELECT pg_advisory_lock(1096107092, hashtext('$point'))");
	return $session;
}

# Hold it next: whoever waits already comes to the next place, and stops there.
sub queue
{
	my ($point) = @_;
	my $waiting = value(q{SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted});
	my $session = start_psql("SELECT pg_advisory_lock(1096107092, hashtext('$point')), pg_sleep(1000)");

	wait_for('the queue', sub { value(q{SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted}) > $waiting });
	return $session;
}

# End a session that was queued, if it is there still.
sub finish
{
	my ($session) = @_;

	value(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity JOIN pg_locks USING (pid)
		WHERE query ~ '^SELECT pg_advisory_lock.*pg_sleep' AND locktype = 'advisory' AND granted});
	$session->{run}->finish;
	return;
}

sub release
{
	my ($session) = @_;

	$session->quit;
	return;
}

sub wait_until_held
{
	my ($count) = @_;

	wait_for('a process at the debug point', sub { value(q{SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND wait_event = 'advisory'}) >= $count });
	return;
}

# A session that verifies meanwhile
sub background_verify
{
	my ($argument) = @_;

	return start_psql("SELECT finding, object FROM audit.verify($argument)");
}

sub start_psql
{
	my ($sql) = @_;
	my ($said, $complained) = ('', '');
	my $run = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', $sql ], '<', \undef, '>', \$said, '2>', \$complained);

	return { run => $run, out => \$said, err => \$complained };
}

sub outcome
{
	my ($session) = @_;

	$session->{run}->finish;
	my $text = ${ $session->{out} } || ${ $session->{err} };
	chomp $text;
	return $text;
}

# Verify until something was remembered; then do away with it.
sub interrupt
{
	my ($name, $end) = @_;
	my $lock = hold('verify-stretch');
	my $session = background_verify('workers => 0');
	my $next;

	wait_until_held(1);
	foreach my $step (1 .. 6)
	{
		sleep 6 if $step == 6;    # longer than what is not remembered
		$next = queue('verify-stretch');
		$lock->{run} ? finish($lock) : release($lock);
		wait_for('the next stretch', sub { value(q{SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted}) == 1 });
		$lock = $next;
	}
	wait_for('what is remembered', sub { -e $memory });
	is(value('SELECT batches_done > 0, events_done > 0, batches_done < batches_total FROM audit.verify_progress'), 't|t|t', 'it has come some way');
	$end->();
	my $said = outcome($session);
	finish($next);
	unlike($said, qr/summary/, "verification is $name");
	ok(-e $memory, 'and remembered');
	return;
}

sub is_resumed
{
	my ($name, $argument) = @_;
	my $call = join ', ', 'resume => true', $argument // ();

	is(value("SELECT finding, object, detail ~ 'batches before entry [\\d ]+ were checked until' FROM audit.verify($call)"), 'summary|ok|t', "it is resumed $name");
	return;
}

# [file, block, item] of a row, the seventh event where there are several
sub place
{
	my ($table, $where) = @_;
	my ($file, $block, $item) = split ' ', value("SELECT pg_relation_filepath(tableoid) || ' ' || translate(ctid::text, '(,)', '  ') FROM audit.$table WHERE $where"
		  . ($table eq 'event' ? ' AND ordinal = 7' : ''));

	die "no row of $table where $where" if !$item;
	return [ $node->data_dir . "/$file", $block, $item ];
}

sub wait_for
{
	my ($what, $condition) = @_;
	my $end = time + $deadline;

	while (!eval { $condition->() })
	{
		die "waited in vain for $what" if time > $end;
		sleep 0.1;
	}
	return;
}
