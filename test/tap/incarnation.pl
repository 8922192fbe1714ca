# A log whose database was dumped and restored, recovered to a point in time, promoted or copied: that is
# found out, has to be declared where the log lost what was signed, is to be seen, and what is
# verified and proved spans it.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Polling;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Tlog;
use Waiting;

my $folder = PostgreSQL::Test::Utils::tempdir;
my @kept;              # checkpoints that were held elsewhere
my $exports = 0;

my $first = PostgreSQL::Test::Cluster->new('first');
$first->init(has_archiving => 1, allows_streaming => 1);
$first->append_conf('postgresql.conf', qq{
shared_preload_libraries = 'audit_trail'
max_worker_processes = 20
audit_trail.seal_interval = 1h
audit_trail.signing_key_file = '$folder/%d.key'
audit_trail.checkpoint_file = '$folder/%d.checkpoints'
});
$first->start;
$first->safe_psql('postgres', qq{
	SET client_min_messages = error;
	CREATE EXTENSION audit_trail;
	CREATE TABLE orders (id int PRIMARY KEY);
	SELECT audit.enable('orders')});
my $vkey = $first->safe_psql('postgres', "SELECT audit.create_signing_key('$folder/postgres.key', 'example.org/shop')");
insert($first, 1);
is(lives($first), 'created|1||', 'a ledger has one life');
keep($first);

# Recovered to a point in time
$first->backup('base');
insert($first, 2);
keep($first);
my $point = $first->safe_psql('postgres', q{SELECT pg_create_restore_point('before the loss'); SELECT pg_switch_wal()}) =~ /^(\S+)/ ? $1 : die;
insert($first, 3);
keep($first);
my $lost = $kept[-1];
$first->safe_psql('postgres', 'SELECT pg_switch_wal()');
$first->stop;
my $second = PostgreSQL::Test::Cluster->new('second');
$second->init_from_backup($first, 'base', has_restoring => 1, standby => 0);
$second->append_conf('postgresql.conf', "recovery_target_name = 'before the loss'\nrecovery_target_action = promote\n");
$second->start;
wait_for_promotion($second);
$second->append_conf('postgresql.conf', "recovery_target_name = ''\nrestore_command = ''\n");
seal($second);
is(lives($second), "created|1||\npromoted|1|2|\ncopied|1||", 'a recovery to a point in time is in the log');
is($second->safe_psql('postgres', q{SELECT payload #>> '{history,0,timeline}', pg_lsn(payload #>> '{history,0,left_at}') >= pg_lsn '} . $point . q{' FROM audit.log_entry WHERE kind = 'timeline'}),
	'1|t', 'with the place where it left the old timeline');
like(problem($second), qr/^problem\|(the log has \d+ entries, and the last signed checkpoint had|.*does not have the signed checkpoint)/, 'it does not continue what was signed, and is not signed');
is($second->safe_psql('postgres', q{SELECT string_agg(finding, ',') FROM audit.verify()}), 'log rewritten,summary', 'verification says so, and finds nothing else');
$second->safe_psql('postgres', q{SELECT audit.new_incarnation('recovered to before the loss')});
insert($second, 33);
is(problem($second), 'ok|', 'declared, it is signed');
like(lives($second), qr/\ndeclared\|1\|\|\d+ \S+ recovered to before the loss$/, 'and that is to be seen');
is_whole($second, 'after a recovery');
ok(!continues($second, $lost), 'what was lost is not in it, as its checkpoint shows');
ok(continues($second, $kept[-2]), 'and what came before is');
is($second->safe_psql('postgres', q{SELECT count(*) FROM audit.incarnation}), 1, 'transaction ids go on, so there is no new row');

# Promoted without a loss: nothing has to be declared.
my $third = standby($second, 'third');
insert($second, 4);
keep($second);
$second->stop;
$third->promote;
insert($third, 5);
is(problem($third), 'ok|', 'a standby that has everything goes on, and signs');
like(lives($third), qr/\npromoted\|1\|3\|(\ncopied\|1\|\|)?$/, 'its promotion is to be seen');
ok(continues($third, $kept[-1]), 'and its log continues that of the other');
is_whole($third, 'after a promotion');

# Promoted before it had everything that was signed
my $fourth = standby($third, 'fourth');
$fourth->stop;
insert($third, 6);
keep($third);
$third->stop('immediate');
$fourth->append_conf('postgresql.conf', "primary_conninfo = ''\n");
$fourth->start;
$fourth->promote;
insert($fourth, 66);
like(problem($fourth), qr/^problem\|/, 'a standby that lacks something that was signed is not signed');
like(lives($fourth), qr/promoted\|1\|4\|/, 'its promotion is in the log all the same');
ok(!continues($fourth, $kept[-1]), 'and the checkpoint that was kept shows the loss');
$fourth->safe_psql('postgres', q{SELECT audit.new_incarnation('the old server burnt')});
insert($fourth, 67);
is(problem($fourth), 'ok|', 'declared, it is signed');
is_whole($fourth, 'after a promotion with a loss');

# Copied, and both go on
$fourth->backup('copy');
my $fifth = PostgreSQL::Test::Cluster->new('fifth');
$fifth->init_from_backup($fourth, 'copy');
insert($fourth, 7);
keep($fourth);
$fifth->start;
insert($fifth, 77);
like(lives($fifth), qr/\ncopied\|1\|\|$/, 'a copy shows that it is one');
like(problem($fifth), qr/^problem\|/, 'and does not sign beside the other one');
ok(!continues($fifth, $kept[-1]), 'its log is another');
insert($fourth, 8);
is(problem($fourth), 'ok|', 'which is not disturbed');
is(problem($fifth) =~ /^problem/ ? 1 : 0, 1, 'while the copy stays unsigned');
$fifth->stop;

# Dumped and restored
my $dump = "$folder/dump";
command_ok([ 'pg_dump', '-Fc', '-f', $dump, '-d', $fourth->connstr('postgres') ], 'the database is dumped');
$fourth->safe_psql('postgres', 'CREATE DATABASE restored');
command_ok([ 'pg_restore', '-e', '-1', '-d', $fourth->connstr('restored'), $dump ], 'and restored');
system_or_bail('cp', '-p', "$folder/postgres.key", "$folder/restored.key");
$fourth->safe_psql('restored', 'INSERT INTO orders VALUES (9); SELECT audit.seal_now()');
like(lives($fourth, 'restored'), qr/\nrestored\|2\|\|recorded in another server or database than before/, 'a restored database has a life of its own');
is($fourth->safe_psql('restored', 'SELECT count(*) FROM audit.incarnation'), 2, 'and a row');
like(problem($fourth, 'restored'), qr/^problem\|.*the log was signed before, and the checkpoint file has no checkpoint/, 'it does not sign as if it were the first');
$fourth->safe_psql('restored', q{SELECT audit.new_incarnation('a copy for tests')});
$fourth->safe_psql('restored', 'INSERT INTO orders VALUES (10); SELECT audit.seal_now()');
is(problem($fourth, 'restored'), 'ok|', 'until it is declared');
is_whole($fourth, 'restored', 'restored');

# What was recorded at the very beginning is proved through all of it.
my $event = $fourth->safe_psql('postgres', q{SELECT min(event_id) FROM audit.events WHERE table_name = 'orders' AND resource_id = '1'});
foreach my $database ('postgres', 'restored')
{
	is($fourth->safe_psql($database, "SELECT valid, event_id FROM audit.check_proof(audit.prove('$event'), '$vkey')"), "t|$event", "the first event is proved in $database");
}
is($fourth->safe_psql('postgres', 'SELECT string_agg(what, $$,$$ ORDER BY log_index) FROM audit.incarnations'),
	$fourth->safe_psql('restored', 'SELECT string_agg(what, $$,$$ ORDER BY log_index) FROM audit.incarnations WHERE log_index < (SELECT min(log_index) FROM audit.incarnations WHERE what = $$restored$$)'),
	'the lives before are those of both');
$fourth->stop;
done_testing();

sub seal
{
	my ($node) = @_;

	wait_for('a pass', sub { $node->psql('postgres', 'SELECT audit.seal_now()') == 0 });
	return;
}

sub insert
{
	my ($node, $number) = @_;

	$node->safe_psql('postgres', "INSERT INTO orders VALUES ($number)");
	seal($node);
	return;
}

sub keep
{
	my ($node) = @_;

	push @kept, $node->safe_psql('postgres', 'SELECT audit.checkpoint()');
	return;
}

sub lives
{
	my ($node, $database) = @_;

	return $node->safe_psql($database // 'postgres', q{SELECT what, incarnation, timeline, concat_ws(' ', not_continued, reason)
		FROM (SELECT log_index, what, incarnation, timeline, not_continued, nullif(reason, 'ledger created') AS reason FROM audit.incarnations) i ORDER BY log_index});
}

sub problem
{
	my ($node, $database) = @_;
	my $said = $node->safe_psql($database // 'postgres', q{SELECT status, CASE WHEN status <> 'ok' THEN detail END FROM audit.doctor() WHERE "check" = 'checkpoints'});

	return $said;
}

# Is the log of this checkpoint the beginning of what the node has now?
sub continues
{
	my ($node, $note) = @_;

	return $node->safe_psql('postgres', "SELECT object FROM audit.verify(checkpoint => \$note\$$note\n\$note\$, public_key => '$vkey')") eq 'ok';
}

# It verifies, and a client that reads its files finds the signed root.
sub is_whole
{
	my ($node, $when, $database) = @_;
	my $directory = "$folder/export" . ++$exports;

	is($node->safe_psql($database // 'postgres', 'SELECT object FROM audit.verify()'), 'ok', "$when: it verifies");
	mkdir $directory;
	$node->safe_psql($database // 'postgres', "SELECT audit.export_tlog('$directory')");

	my $checkpoint = read_checkpoint($directory);

	is(tree_hash(read_log($directory, $checkpoint->{size})->{hashes}[0]), $checkpoint->{root}, 'and is exported');
	return;
}

# A streaming standby that has caught up.
sub standby
{
	my ($primary, $name) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$primary->backup("for_$name");
	$node->init_from_backup($primary, "for_$name", has_streaming => 1);
	$node->start;
	$primary->wait_for_catchup($node);
	return $node;
}

sub wait_for_promotion
{
	my ($node) = @_;

	$node->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()') or die 'it is not promoted';
	return;
}
