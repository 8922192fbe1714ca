# The key of hashed and personal columns: what is wrong with its file, its rotation, and that
# nothing is recorded where it cannot be used.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $node = PostgreSQL::Test::Cluster->new('main');
my $first = '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f';
my $second = '7C0FFEE5' x 8;
my $folder = PostgreSQL::Test::Utils::tempdir;
my $file = "$folder/key";

sub write_key
{
	my ($text, $mode, $path) = (@_, 0600, $file);

	$path = $_[2] // $file;
	$mode = $_[1] // 0600;
	unlink $path;
	open my $handle, '>', $path or die "$path: $!";
	print $handle $text;
	close $handle;
	chmod $mode, $path;
}

# Name a file in the configuration; the server has loaded it when a new session shows it.
sub name_file
{
	my ($path) = @_;

	$node->adjust_conf('postgresql.conf', 'audit_trail.hash_key_file', "'$path'");
	$node->reload;
	$node->poll_query_until('postgres', "SELECT current_setting('audit_trail.hash_key_file') = '$path'");
}

# What enable() says about the file, in a new session.
sub complaint
{
	my ($ret, $out, $err) = $node->psql('postgres', q{
		BEGIN;
		CREATE TABLE t (id int PRIMARY KEY, a text);
		SELECT audit.enable('t', hash => '{a}');
		ROLLBACK;
	}, on_error_stop => 1);

	return $ret == 0 ? 'none' : $err;
}

$node->init;
$node->append_conf('postgresql.conf',
	"shared_preload_libraries = 'audit_trail'\nfsync = off\naudit_trail.hash_key_file = ''\naudit_trail.seal_interval = 1000\n");
$node->start;
$node->safe_psql('postgres', 'SET client_min_messages = error; CREATE EXTENSION audit_trail');

# no file, and those that cannot be used
like(complaint(), qr/ERROR:  there is no key for hashed and personal columns.*HINT:.*openssl rand -hex 32/s,
	'without a file there is no hash, but a hint');
name_file($file);
like(complaint(), qr/ERROR:  could not read key file "\Q$file\E": No such file/, 'the file is missing');
for my $case (
	[ $first, 0640, qr/its mode is 0640.*HINT:  Set its mode to 0600/s, 'others may read it' ],
	[ $first, 0602, qr/its mode is 0602/, 'others may write it' ],
	[ '', 0600, qr/does not hold 64 hexadecimal digits/, 'it is empty' ],
	[ substr($first, 1), 0600, qr/does not hold 64/, 'it is too short' ],
	[ $first . 'a', 0600, qr/does not hold 64/, 'it is too long' ],
	[ $first . "\n" x 100, 0600, qr/does not hold 64/, 'it is far too long' ],
	[ substr($first, 1) . 'g', 0600, qr/does not hold 64/, 'it has another letter' ],
	[ $first, 0200, qr/could not read key file "[^"]+": Permission denied/, 'it cannot be read' ])
{
	write_key(@$case[ 0, 1 ]);
	like(complaint(), $case->[2], "refused: $case->[3]");
}
write_key("$first\r\n", 0400);
is(complaint(), 'none', 'read-only, and with the end of a line, it is fine');

mkdir "$folder/dir";
name_file("$folder/dir");
like(complaint(), qr/not a regular file/, 'refused: a directory');
name_file('/etc/passwd');
like(complaint(), qr/does not belong to the user/, 'refused: the file of somebody else');
write_key($first, 0600, $node->data_dir . '/key');
name_file($node->data_dir . '/key');
like(complaint(), qr/is in the data directory/, 'refused: in the data directory');
symlink $node->data_dir . '/key', "$folder/link";
name_file("$folder/link");
like(complaint(), qr/is in the data directory/, 'refused: behind a link too');
$node->adjust_conf('postgresql.conf', 'audit_trail.hash_key_file', "'key'");
$node->reload;
ok($node->poll_query_until('postgres', q{SELECT count(*) > 0 FROM pg_file_settings WHERE name = 'audit_trail.hash_key_file' AND error IS NOT NULL}),
	'refused: a relative path');

# one session that stays, and is there through all that comes
write_key($first);
name_file($file);
$node->safe_psql('postgres', q{
	CREATE TABLE t (id int PRIMARY KEY, a text, p text);
	SELECT audit.enable('t', hash => '{a}', personal => '{p}', subject => 'id');
	INSERT INTO t VALUES (0, 'same', 'same');
});
my $session = $node->background_psql('postgres', on_error_stop => 0);

sub insert_there
{
	my ($id) = @_;

	$session->{stderr} = '';
	$session->query("INSERT INTO t VALUES ($id, 'same', 'same')");
	return $session->{stderr};
}

# A reload has reached the session when it shows a setting that was changed with it.
my $reloads = 0;

sub reload_there
{
	$reloads++;
	$node->adjust_conf('postgresql.conf', 'audit_trail.seal_interval', 1000 + $reloads);
	$node->reload;
	for (1 .. 1800)
	{
		return if $session->query('SHOW audit_trail.seal_interval') eq (1000 + $reloads) . 'ms';
		usleep 100_000;
	}
	die 'the session did not reload';
}

sub keys_of
{
	return $node->safe_psql('postgres', q{SELECT string_agg(concat_ws(' ', resource_id,
		substring(new_values ->> 'a' from ':(.*):'), substring(new_values ->> 'p' from ':(.*):')), ', ' ORDER BY resource_id)
		FROM audit.events WHERE table_name = 't' AND action = 'insert'});
}

is(insert_there(1), '', 'the session reads the key');
is(keys_of(), '0 fbb302bb fbb302bb, 1 fbb302bb fbb302bb', 'each value names its key');

# gone: not noticed before the configuration is loaded, and then nothing is recorded
unlink $file;
is(insert_there(2), '', 'the file is gone: who has read it goes on');
my ($ret, $out, $err) = $node->psql('postgres', q{INSERT INTO t VALUES (3, 'same', 'same')});
like($err, qr/ERROR:  could not read key file "\Q$file\E": No such file.*CONTEXT:  recording a change of table "t"/s,
	'a new session cannot write the table');
like($node->safe_psql('postgres', q{SELECT status, detail FROM audit.doctor() WHERE "check" = 'hash key'}),
	qr/^problem\|.*could not read key file "\Q$file\E"/, 'the doctor shouts');
reload_there();
like(insert_there(3), qr/could not read key file/, 'nor the old one, once it has loaded the configuration');
is($node->safe_psql('postgres', 'SELECT count(*) FROM t'), 3, 'and nothing was written');
write_key($first);
is(insert_there(3), '', 'the file is back, and that is enough');
is($node->safe_psql('postgres', q{SELECT status FROM audit.doctor() WHERE "check" = 'hash key'}), 'ok', 'the doctor is content');

# another key in the same file: seen at the next reload, and in what is recorded
write_key($second);
is(insert_there(4), '', 'another key is in the file');
reload_there();
is(insert_there(5), '', 'and is read after a reload');
my $last = $node->safe_psql('postgres', q{SELECT split_part(audit.hash_value('x'), ':', 2)});
isnt($last, 'fbb302bb', 'it has another name');
is(keys_of(), join(', ', (map { "$_ fbb302bb fbb302bb" } 0 .. 4), "5 $last $last"), 'which new values show');
is($node->safe_psql('postgres', 'SELECT detail FROM audit.reconcile(\'t\')'),
	'ok; compared by presence only: p; 5 rows have values that were recorded in another form, or hashed with another key, and were not compared',
	'hashes of two keys are not compared, and that is said');
my $event = $node->safe_psql('postgres', q{SELECT max(tx_id || '.' || ordinal) FILTER (WHERE resource_id = '5') || ' '
	|| max(tx_id || '.' || ordinal) FILTER (WHERE resource_id = '0') FROM audit.events WHERE table_name = 't'});
my ($new_event, $old_event) = split / /, $event;
is($node->safe_psql('postgres', "SELECT * FROM audit.check_personal('$new_event', 'p', 'same')"), '|t',
	'commitments of the present key can be checked');
($ret, $out, $err) = $node->psql('postgres', "SELECT * FROM audit.check_personal('$old_event', 'p', 'same')");
like($err, qr/was recorded with another key.*names key fbb302bb, and the file .* holds key $last/s,
	'those of another one cannot, and the error says which it was');

# back to the first key, in another file
write_key($first, 0600, "$folder/old");
name_file("$folder/old");
is($node->safe_psql('postgres', "SELECT * FROM audit.check_personal('$old_event', 'p', 'same')"), '|t',
	'the old file checks them');
$node->safe_psql('postgres', q{UPDATE t SET a = 'other' WHERE id = 5; DELETE FROM t WHERE id = 1});
is($node->safe_psql('postgres', 'SELECT detail FROM audit.reconcile(\'t\')'), 'ok; compared by presence only: p',
	'the trail leads to the table again');

# what must not be told anywhere
is($node->safe_psql('postgres', 'SELECT object FROM audit.verify()'), 'ok', 'verified');
is($node->safe_psql('postgres', q{SELECT setting FROM pg_settings WHERE name = 'audit_trail.hash_key_file'}),
	"$folder/old", 'the setting shows the path alone');
my $log = slurp_file($node->logfile);
unlike($log, qr/\Q$first\E|\Q$second\E/i, 'no key in the log');
unlike($log, qr/0001020304050607|18191a1b1c1d1e1f|7C0FFEE57C0FFEE5/i, 'nor a piece of one');

$session->quit;
$node->stop;
done_testing();
