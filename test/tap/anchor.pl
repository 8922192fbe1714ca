# Anchors: what the command is given and what becomes of what it prints; commands that fail, hang,
# print too much or die; heartbeat and alarm; crashes at each step; and that nothing is left behind.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Polling;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use Workers;

my $deadline = 180;    # seconds, for each thing that is waited for
my $node = PostgreSQL::Test::Cluster->new('anchor');
my $folder = PostgreSQL::Test::Utils::tempdir;
my $said = 0;          # how much of the server's log has been looked at

$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', qq{
shared_preload_libraries = 'audit_trail'
max_worker_processes = 20
restart_after_crash = on
audit_trail.seal_interval = 1h
audit_trail.signing_key_file = '$folder/key'
audit_trail.checkpoint_file = '$folder/%d.checkpoints'
audit_trail.debug_points = 'anchor-received,anchor-before-commit'
audit_trail.anchor_interval = 0
audit_trail.anchor_heartbeat = 0
});
$node->append_conf('postgresql.conf', "audit_trail.checkpoint_file = '$folder/checkpoints'");
$node->start;
$node->safe_psql('postgres', q{
	SET client_min_messages = error;
	CREATE EXTENSION audit_trail;
	CREATE TABLE orders (id int PRIMARY KEY);
	SELECT audit.enable('orders')});
my $vkey = $node->safe_psql('postgres', "SELECT audit.create_signing_key('$folder/key', 'example.org/shop')");

# without a command
seal();
is(pids_of($node, 'anchorer'), 0, 'without a command there is no anchorer');
like(doctor($node, 'postgres', 'anchor'), qr/^warning\|No command is named.*\|Set audit_trail\.anchor_command/, 'the doctor says what is missing');
like(refusal('audit.anchor_now()'), qr/checkpoints of the audit log are not anchored/, 'and there is nothing to ask for');
like(refusal(q{set_config('audit_trail.anchor_command', 'true', false)}), qr/cannot be changed now/, 'no session sets the command');
like(refusal_of(q{ALTER SYSTEM SET audit_trail.anchor_command = 'true'}), qr/cannot set audit_trail.anchor_command by ALTER SYSTEM/, 'nor does ALTER SYSTEM');

# a command that works; the change of settings is itself an entry, sealed before or after the first receipt
command("cp %p $folder/got.%s; cp %r $folder/request; cp %r $folder/request.%s; echo size %s of 100%%; exec 1>&-; sleep 0.3; ls -l /proc/self/fd >$folder/files; env >$folder/env");
ok($node->poll_query_until('postgres', q{SELECT max(r.size) = (SELECT max(log_index) + 1 FROM audit.log_entry) FROM audit.anchor_receipt r
	WHERE (SELECT count(*) FROM audit.log_entry WHERE kind = 'settings') = 2}), 'with a command the checkpoint is anchored at once');
my $note = note();
my $size = size_of($note);
my $count = count();
my $first = $node->safe_psql('postgres', 'SELECT min(size) FROM audit.anchor_receipt');
is(slurp_file("$folder/got.$size"), $note, 'it was given the newest checkpoint');
is(slurp_file("$folder/request.$first"), "old 0\n\n" . slurp_file("$folder/got.$first"), 'and the request of a witness, which has seen nothing yet');
like(receipts(), qr/^\Q$count|$size|1|1|other|cp|size $size of 100%\E\n\z/m, 'what it printed is the receipt, for this size');
is($node->safe_psql('postgres', "SELECT convert_from(checkpoint, 'UTF8') FROM audit.anchor_receipt WHERE size = $size"), $note, 'with the very checkpoint');
is($node->safe_psql('postgres', q{SELECT bool_and(requested_at <= received_at - interval '0.3 s' AND received_at <= now()) FROM audit.anchor_receipt}), 't', 'and the times');
like(slurp_file("$folder/files"), qr/^total 0\n(\S.* (0|1|2|3) -> .*\n){3,4}\z/, 'the command has no file of the server but the log');
like(doctor($node, 'postgres', 'anchor'), qr/^ok\|The newest receipt is for $size of $size/, 'the doctor is content');
is(status('signed_size, anchored_size, lag, failures, last_error IS NULL, next_attempt IS NULL, overdue_since IS NULL'), "$size|$size|0|0|t|t|t", 'so is the status');
my $old = $size;
insert();
is(anchor_now(), note_size(), 'a new checkpoint is anchored');
$size = note_size();
my $proof = $node->safe_psql('postgres', "SELECT audit.prove_consistency($old, $size)");
is(slurp_file("$folder/request"), "old $old\n$proof\n" . note(), 'with a proof from the one before');
is(anchor_now(), $size, 'asked again, there is nothing to do');
is(count(), $count + 1, 'and nothing is done');
like(refusal_of('DELETE FROM audit.anchor_receipt'), qr/write-once/, 'receipts are write-once');
is($node->safe_psql('postgres', q{SELECT object FROM audit.verify()}), 'ok', 'verified');

# it asks for another proof
command(qq{read -r old <%r; if [ "\$old" = "old 2" ]; then cp %r $folder/request; echo done; else echo "old 2"; exit 3; fi});
insert();
is(anchor_now(), note_size(), 'a command may ask for a proof from elsewhere');
$proof = $node->safe_psql('postgres', 'SELECT audit.prove_consistency(2, ' . note_size() . ')');
is(slurp_file("$folder/request"), "old 2\n$proof\n" . note(), 'which it gets');
is(status('failures'), 0, 'that is no failure');
command('echo "old 1"; exit 3');
insert();
like(refusal('audit.anchor_now()'), qr/was not anchored: it asks for a proof for the 4th time/, 'not for ever');
command('echo "old 1000000"; exit 3');
like(refusal('audit.anchor_now()'), qr/was not anchored: it asks for a proof from size 1000000: another log/, 'nor for what there is not');

# commands that fail
my @receipts = receipts();
foreach my $case (
	[ 'echo oops >&2; exit 7', qr/child process exited with exit code 7/, 'one that fails' ],
	[ 'exec /nonexistent/program', qr/command not found|exit code 127/, 'one that is not there' ],
	[ 'kill -9 $$', qr/child process was terminated by signal 9/, 'one that is killed' ],
	[ 'head -c 100000 /dev/zero; sleep 1000', qr/it printed more than 65536 bytes and was stopped/, 'one that prints too much' ],
	[ "sleep 1000 & echo \$! >$folder/pid1; trap '' TERM; echo \$\$ >$folder/pid2; sleep 1000; sleep 1000", qr/it took longer than 2 s and was stopped/, 'one that hangs, and does not heed' ],
	[ 'printf "\342\200\224 witness.example.org AAAA"', qr/what it printed is no receipt: a signature line of the note is malformed/, 'one that prints half a signature' ],
	[ "cat $folder/stamp", qr/what it printed is no receipt: the time stamp is of other bytes/, 'one that prints a time stamp of something else' ])
{
	my ($command, $complaint, $what) = @$case;

	append_to_file("$folder/stamp", pack('H*', stamp_of_other())) unless -e "$folder/stamp";
	$said = -s $node->logfile;
	command($command, timeout => 2);
	insert();
	like(refusal('audit.anchor_now()'), qr/the checkpoint of size \d+ was not anchored: .*$complaint/, "refused: $what");
	like(status('failures > 0, last_error, next_attempt IS NOT NULL, lag > 0'), qr/^t\|.*$complaint.*\|t\|t$/, 'the status tells');
	like(doctor($node, 'postgres', 'anchor'), qr/^warning\|.*Failed \d+ times since then: .*$complaint.*\|As the server's user/, 'so does the doctor');
	like(slurp_file($node->logfile, $said), qr/LOG: .* was not anchored: .*$complaint.*DETAIL: .*The failed anchor command was: \Q@{[ substr($command, 0, 4) ]}\E/s, 'and the log of the server');
}
like(slurp_file($node->logfile), qr/^oops$/m, 'which has what the command says to stderr');
ok(gone(slurp_file("$folder/pid1")) && gone(slurp_file("$folder/pid2")), 'nothing is left of a command that was stopped');
is(receipts(), join('', @receipts), 'there is no receipt of any of them');
my $failures = status('failures');
cmp_ok($failures, '>=', 9, 'failures are counted');
command("touch $folder/background; (sleep 1000; rm $folder/background) & echo \$! >$folder/pid1; echo done");
is(anchor_now(), note_size(), 'what has failed is made up for, also by a command that leaves something running');
ok(gone(slurp_file("$folder/pid1")), 'which does not stay');
is($node->safe_psql('postgres', 'SELECT bool_or(attempt > 9) FROM (SELECT attempt FROM audit.anchor_receipt ORDER BY receipt_id DESC LIMIT 2) r'), 't', 'the receipt says at which attempt');
is(status('failures, last_error IS NULL, lag'), '0|t|0', 'the status is good again');

# several databases: each has its own anchorer, but for what has none of its own to anchor
is(pids_of($node, 'anchorer'), 1, 'there is one anchorer');
@receipts = receipts();
command('');
ok($node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type LIKE '%anchorer'}), 'without a command it goes');
is(receipts(), join('', @receipts), 'receipts stay');

# a heartbeat, and what it is good for
command("echo at %s", heartbeat => 2);
$node->append_conf('postgresql.conf', 'audit_trail.seal_interval = 100');
$node->reload;
my $entries = $node->safe_psql('postgres', 'SELECT count(*) FROM audit.log_entry');
ok($node->poll_query_until('postgres', q{SELECT count(*) >= 2 FROM audit.log_entry WHERE kind = 'heartbeat'}), 'an idle log gets an entry from time to time');
is($node->safe_psql('postgres', q{SELECT count(DISTINCT payload::text), min(payload ->> 'interval') FROM audit.log_entry WHERE kind = 'heartbeat'}), '1|2', 'which says how often');
is($node->safe_psql('postgres', q{SELECT count(*) FROM (SELECT sealed_at - lag(sealed_at) OVER (ORDER BY log_index) AS idle, kind FROM audit.log_entry) e
	WHERE kind = 'heartbeat' AND idle < '1.9 s'}), 0, 'and not more often');
ok($node->poll_query_until('postgres', q{SELECT count(*) >= 2 FROM audit.anchor_receipt r JOIN audit.log_entry e ON e.log_index = r.size - 1 WHERE e.kind = 'heartbeat'}), 'each is anchored');
is($node->safe_psql('postgres', 'SELECT object FROM audit.verify()'), 'ok', 'and verified');

# the alarm
my $listener = $node->background_psql('postgres');
$listener->query('LISTEN audit_alert');
$said = -s $node->logfile;
command('exit 5', max_age => 3);
wait_for('the alarm', sub { slurp_file($node->logfile, $said) =~ /the audit log was not anchored since/ });
ok(1, 'a newest receipt that is too old raises an alarm');
is(status('overdue_since IS NOT NULL'), 't', 'the status tells');
like(doctor($node, 'postgres', 'anchor'), qr/^problem\|Older than audit_trail.anchor_max_age since.*Failed \d+ times.*exit code 5/, 'so does the doctor');
wait_for('the alarm again', sub { (my @all = slurp_file($node->logfile, $said) =~ /the audit log was not anchored since/g) >= 2 });
like($listener->query('SELECT 1'), qr/audit_alert" with payload "\{"alarm":"anchor","severity":"critical","message":"the audit log was not anchored since [^"]*: child process exited with exit code 5","raised_at":"[^"]*"\}"(.*audit_alert" with payload "\{"alarm":"anchor","severity":"critical"){1,}/s,
	'those who listen are told, and told again');
command('echo good');
wait_for('the alarm is over', sub { slurp_file($node->logfile, $said) =~ /the audit log is anchored again/ });
is(status('overdue_since IS NULL'), 't', 'it is over when there is a receipt');
like($listener->query('SELECT 1'), qr/"alarm":"anchor","severity":"notice","message":"the audit log is anchored again"/, 'which is told too');
$listener->quit;

# the interval
command("date >>$folder/dates", heartbeat => 0, max_age => 86400, interval => 3);
insert();
anchor_now();
my $before = count();
insert() for 1 .. 5;
is(count(), $before, 'within the interval nothing is anchored');
is(status('lag, next_attempt > now()'), '5|t', 'the status says when');
ok($node->poll_query_until('postgres', "SELECT count(*) = $before + 1 AND max(size) = " . note_size() . ' FROM audit.anchor_receipt'), 'then the newest is, alone');

# a wrong command is no setting
foreach my $wrong ('cat %f', 'cat %')
{
	$said = -s $node->logfile;
	$node->append_conf('postgresql.conf', "audit_trail.anchor_command = '$wrong'");
	$node->reload;
	wait_for('the complaint', sub { slurp_file($node->logfile, $said) =~ /invalid value for parameter "audit_trail.anchor_command": "\Q$wrong\E"/ });
	like(slurp_file($node->logfile, $said), qr/Known are %p, %r, %s and %%\./, "refused: $wrong");
}
command('');
$node->stop;
done_testing();

sub seal
{
	return $node->safe_psql('postgres', 'SELECT size FROM audit.seal_now()');
}

sub insert
{
	$node->safe_psql('postgres', 'INSERT INTO orders SELECT coalesce(max(id), 0) + 1 FROM orders');
	return seal();
}

sub anchor_now
{
	return $node->safe_psql('postgres', 'SELECT size FROM audit.anchor_now()');
}

# The newest note of the file.
sub note
{
	my ($note) = slurp_file("$folder/checkpoints") =~ m{.*(example\.org/shop\n\d+\n\S{44}\n\n\xE2\x80\x94 example\.org/shop \S{92}\n)\z}s;

	return $note;
}

sub size_of
{
	return (split /\n/, $_[0])[1];
}

sub note_size
{
	return size_of(note());
}

sub count
{
	return $node->safe_psql('postgres', 'SELECT count(*) FROM audit.anchor_receipt');
}

sub receipts
{
	return $node->safe_psql('postgres', q{SELECT receipt_id, size, incarnation, attempt, kind, command,
		encode(receipt, 'escape') FROM audit.anchor_receipt ORDER BY receipt_id});
}

sub status
{
	my ($columns) = @_;

	return $node->safe_psql('postgres', "SELECT $columns FROM audit.anchor_status");
}

# Configure a command, or none.
sub command
{
	my ($command, %more) = @_;
	my $lines = "audit_trail.anchor_command = '" . $command =~ s/(['\\])/$1$1/gr . "'\n";

	$lines .= "audit_trail.anchor_$_ = $more{$_}\n" foreach sort keys %more;
	$node->append_conf('postgresql.conf', $lines);
	$node->reload;
	wait_for('the configuration is loaded', sub { $node->safe_psql('postgres', 'SHOW audit_trail.anchor_command') eq $command });
	return if $command eq '';
	wait_for('an anchorer', sub { pids_of($node, 'anchorer', 'postgres') });
}

sub refusal
{
	my ($call) = @_;

	return refusal_of("SELECT $call");
}

sub refusal_of
{
	my ($statement) = @_;
	my ($status, $out, $err) = $node->psql('postgres', $statement);

	return $status == 0 ? 'none' : $err;
}

# Has the process ended, if not yet at this moment?
sub gone
{
	my ($pid) = @_;
	my $until = time() + 10;

	chomp $pid;
	while (kill 0, $pid)
	{
		return 0 if time() > $until;
		sleep(0.05);
	}
	return 1;
}

sub wait_for
{
	my ($what, $condition) = @_;
	my $until = time() + $deadline;

	until ($condition->())
	{
		die "timed out: $what" if time() > $until;
		sleep(0.05);
	}
}

# By "openssl ts -reply", of bytes that are no checkpoint (STAMP_OF_OTHER of test/unit).
sub stamp_of_other
{
	return join '', qw(
		308201d83003020100308201cf06092a864886f70d010702a08201c0308201bc020103310f300d060960864801650304020105003068060b2a864886
		f70d0109100104a0590457305502010106042a0304013031300d060960864801650304020105000420ec054f0f367ba1c82b7e8a31f01bb738b13bae
		9ca7ed4e30b70fc98703f22984020105180f32303236313132383137353631355a30030201013182013a308201360201013026300e310c300a060355
		04030c0374736102141d3a863cb20cc6deb326582b0306b6d943bb509c300d06096086480165030402010500a081a4301a06092a864886f70d010903
		310d060b2a864886f70d0109100104301c06092a864886f70d010905310f170d3236313132383137353631355a302f06092a864886f70d0109043122
		042034b733532811d7c01df54df3465f6f135db7d805b564991d4677cf7981b401623037060b2a864886f70d010910022f3128302630243022042025
		74da7a8f0704165accc9028e3e1e2606cbed90ad7861096416e39d25abcf21300a06082a8648ce3d040302044730450220360541d1c8e298ad7ded2f
		bbb862f2ad9940dafeac2cbfe6ffb8622cb4f4ac28022100a7a27f23e8471c9752ea89095857281474c5266d0980a160e6dd4b473efe87e7
	);
}
