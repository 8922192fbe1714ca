# Erasing a person: on whose authority, what is gone and what stays, and crashes at each step.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Polling;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Waiting;

my $node = PostgreSQL::Test::Cluster->new('main');
my $folder = PostgreSQL::Test::Utils::tempdir;
my $store = "$folder/keys";
my ($status, $out, $err);

# As a login of its own.
sub as
{
	my ($login, $sql) = @_;

	($status, $out, $err) = $node->psql('postgres', $sql, extra_params => ['-U', $login]);
	return $status == 0 ? $out : 'ERROR';
}

sub value
{
	return $node->safe_psql('postgres', $_[0]);
}

sub emails
{
	my ($person) = @_;

	return value("SELECT string_agg(DISTINCT v.email, ' ' ORDER BY v.email) FROM audit.subject_report('$person') r,
		LATERAL (VALUES (r.old_values ->> 'email'), (r.new_values ->> 'email')) v (email)");
}

# Ask and approve; what the keeper does then is up to the test.
sub order_erasure
{
	my ($person) = @_;
	my $id = as('alice', "SELECT audit.erase_subject('$person', 'GDPR, Article 17(1)(a)')");

	is(as('bob', "SELECT audit.approve($id, 'their letter of today')"), '', "to erase $person is approved") or diag($err);
	return $id;
}

# The files of a person's key, by what the last event of the person names.
sub key_file
{
	my ($person) = @_;
	my $name = value("SELECT substr(coalesce(e.new_values ->> 'email', e.old_values ->> 'email'), 10, 32) FROM audit.event e
		WHERE e.extra ->> 'subject' = '$person' AND coalesce(e.new_values ->> 'email', e.old_values ->> 'email') LIKE 'personal:%' ORDER BY e.tx_id DESC LIMIT 1");

	return (glob("$store/*/" . substr($name, 0, 2)))[0] . "/$name";
}

sub is_green
{
	my ($what) = @_;

	is(value(q{SELECT count(*) FROM audit.verify() WHERE finding <> 'summary'}), 0, "$what: all is verified");
}

open my $handle, '>', "$folder/key";
print $handle '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f';
close $handle;
chmod 0600, "$folder/key";
mkdir $store, 0700;
$node->init;
$node->append_conf('postgresql.conf', join "\n", "shared_preload_libraries = 'audit_trail'", 'max_worker_processes = 20', 'audit_trail.seal_interval = 100ms',
	"audit_trail.hash_key_file = '$folder/key'", "audit_trail.subject_key_directory = '$store'", 'audit_trail.keeper_pause = 0',
	'restart_after_crash = on', '');
$node->start;
value(q{
	SET client_min_messages = error;
	CREATE EXTENSION audit_trail;
	CREATE TABLE contacts (id int PRIMARY KEY, customer_id int, email text, note text);
	CREATE TABLE orders (id int PRIMARY KEY, customer_id int, email text);
	SELECT audit.enable('contacts', personal => '{email}', subject => 'customer_id');
	SELECT audit.enable('orders', personal => '{email}', subject => 'customer_id');
	SELECT * FROM audit.create_roles();
	CREATE ROLE alice LOGIN IN ROLE audit_admin;
	CREATE ROLE bob LOGIN IN ROLE audit_purge_approver;
	CREATE ROLE carl LOGIN IN ROLE audit_auditor;
	INSERT INTO contacts SELECT i, i, 'person' || i || '@secret.example', 'note' FROM generate_series(40, 49) i;
	UPDATE contacts SET email = 'new42@secret.example' WHERE id = 42;
	INSERT INTO orders VALUES (1, 42, 'order42@secret.example');
	UPDATE contacts SET customer_id = 43, email = 'now43@secret.example' WHERE id = 42;
	SELECT audit.seal_now();
});

# what is held
is(emails(42), 'new42@secret.example order42@secret.example person42@secret.example', 'all that is held about a person');
is(emails(43), 'now43@secret.example person43@secret.example', 'and about the one who came after, nothing else');
is(as('carl', q{SELECT jsonb_array_length(x -> 'events') || ' ' || (x ->> 'key') FROM audit.export_subject('42') x}), '4 held', 'as one document') or diag($err);
is(as('alice', q{SELECT * FROM audit.subject_report('42')}), 'ERROR', 'not for those who see no values');
my $event = value(q{SELECT event_id FROM audit.subject_report('42') LIMIT 1});
value('SELECT audit.seal_now()');
my $proof = value("SELECT e.new_values FROM audit.event e WHERE e.tx_id || '.' || e.ordinal = '$event'");
value('CHECKPOINT');
$node->command_ok(['pg_dump', '-Fc', '-f', "$folder/before.dump", 'postgres'], 'a dump from before');

# who may, and what a hold stops
is(as('carl', q{SELECT audit.erase_subject('42', 'law')}), 'ERROR', 'an auditor asks for no erasure');
is(as('alice', q{SELECT audit.erase_subject('42', '')}), 'ERROR', 'there must be a legal basis');
is(as('alice', q{SELECT audit.erase_subject('4711', 'law')}), 'ERROR', 'and something to erase');
like($err, qr/person "4711" has no key.*DETAIL/s, 'the error says so');
my $id = as('alice', q{SELECT audit.erase_subject('42', 'law')});
is(as('alice', "SELECT audit.approve($id, 'fine')"), 'ERROR', 'who has asked does not approve');
value(q{SELECT audit.hold('case 7', 'lawsuit', tables => '{contacts}', until => 'infinity')});
is(as('bob', "SELECT audit.approve($id, 'fine')"), 'ERROR', 'a hold that was placed since stops it');
like($err, qr/cannot be erased: a hold keeps.*DETAIL:  It keeps event.*HINT/s, 'the error says so');
is(as('alice', q{SELECT audit.erase_subject('42', 'law')}), 'ERROR', 'and whoever asks anew');
my $release = value(q{SELECT audit.release_hold('case 7', 'settled')});
is(as('bob', "SELECT audit.approve($release, 'settled')"), '', 'it is released') or diag($err);
is(emails(42), 'new42@secret.example order42@secret.example person42@secret.example', 'until here nothing was erased');

# it is erased
my $file = key_file(42);
my $copy = slurp_file($file);
is(as('bob', "SELECT audit.approve($id, 'their letter')"), '', 'another approves');
value('SELECT audit.keeper_now()');
is(emails(42), '[erased]', 'the values are gone');
is(emails(43), 'now43@secret.example person43@secret.example', 'those of others are not');
is(value(q{SELECT count(*) FROM audit.subject_report('42')}), 4, 'the events are there');
is(value(q{SELECT note FROM (SELECT new_values ->> 'note' AS note FROM audit.events WHERE table_name = 'contacts' AND resource_id = '42' AND action = 'insert') x}), 'note', 'with what is not personal');
ok(!-e $file && -e "$file.destroyed", 'the key is gone');
is(value(q{SELECT subject, legal_basis, requested_by, approved_by, erased_at >= ordered_at FROM audit.erasure}), '42|law|alice|bob|t', 'on whose authority is on record');
is(as('carl', "SELECT * FROM audit.check_personal('$event', 'email', 'person42\@secret.example')"), 'ERROR', 'not even a guess is confirmed');
is(value(q{SELECT audit.subject_key_state('42')}), 'erased', 'and the state says so');
is(value("SELECT e.new_values FROM audit.event e WHERE e.tx_id || '.' || e.ordinal = '$event'"), $proof, 'what is hashed is what it was');
is_green('erased');

# the dump from before, in another database: the key is gone there too
value('CREATE DATABASE copy');
command_ok(['pg_restore', '-h', $node->host, '-p', $node->port, '-e', '-1', '-d', 'copy', "$folder/before.dump"], 'the dump is restored');
is($node->safe_psql('copy', q{SELECT string_agg(DISTINCT new_values ->> 'email', ' ') FROM audit.subject_report('42')}), '[erased]', 'and shows the person no more');
command_ok(['bash', '-c', "! pg_restore -f - '$folder/before.dump' | grep -a '^.*personal:' | grep -q 'person42.secret'"], 'nor does the dump have it in the trail');

# a person who comes back is a new one
value(q{INSERT INTO orders VALUES (2, 42, 'back@secret.example')});
is(emails(42), '[erased] back@secret.example', 'what comes later has a key of its own');

# the key is restored from a copy: the mark counts; without it the keeper destroys the key again
open $handle, '>', $file; binmode $handle; print $handle $copy; close $handle; chmod 0600, $file;
is(emails(42), '[erased] back@secret.example', 'a key that somebody puts back is not used');
unlink "$file.destroyed";
like(emails(42), qr/person42/, 'without the mark it is');
value('SELECT audit.keeper_now()');
is(emails(42), '[erased] back@secret.example', 'until the keeper comes');
is(value(q{SELECT count(*) FROM audit.log_entry WHERE kind = 'erased' AND payload ->> 'again' = 'true'}), 1, 'which is on record');
is(emails(42), '[erased] back@secret.example', 'once');

# killed at each step: never half
my $person = 44;
for my $point ('erase-found', 'erase-destroyed', 'erase-recorded')
{
	my $holder = hold_point($node, $point);

	$node->append_conf('postgresql.conf', "audit_trail.debug_points = '$point'");
	$node->reload;
	$node->poll_query_until('postgres', "SELECT current_setting('audit_trail.debug_points') = '$point'");
	order_erasure($person);
	my $run = $node->background_psql('postgres', on_error_stop => 0);
	$run->query_until(qr/started/, "\\echo started\nSELECT audit.keeper_now();\n");
	wait_until_held($node, $point);
	kill 'KILL', value(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'audit_trail keeper'});
	$_->{run}->kill_kill for $run, $holder;
	wait_for('the server', sub { $node->psql('postgres', 'SELECT 1') == 0 });
	$node->append_conf('postgresql.conf', "audit_trail.debug_points = ''");
	$node->reload;
	$node->poll_query_until('postgres', "SELECT current_setting('audit_trail.debug_points') = ''");
	value('SELECT audit.keeper_now()');
	is(emails($person), '[erased]', "killed at $point: erased all the same");
	is(value("SELECT count(*) FROM audit.log_entry d JOIN audit.log_entry o ON o.log_index = (d.payload ->> 'erase')::bigint WHERE d.kind = 'erased' AND o.payload ->> 'subject' = '$person'"),
		1, 'and said once');
	$person++;
}
is(emails(47), 'person47@secret.example', 'nobody else');
is_green('after crashes');

# no directory: the order waits, and says why
order_erasure(48);
$node->adjust_conf('postgresql.conf', 'audit_trail.subject_key_directory', "''");
$node->reload;
$node->poll_query_until('postgres', q{SELECT current_setting('audit_trail.subject_key_directory') = ''});
$node->psql('postgres', 'SELECT audit.keeper_now()');
is(value(q{SELECT erased_at IS NULL FROM audit.erasure WHERE subject = '48'}), 't', 'without the directory nothing is said to be erased');
like(value(q{SELECT coalesce(string_agg(error, ' '), '') FROM audit.keeper_run WHERE step = 'erase'}), qr/cannot be destroyed/, 'and the run tells why');
$node->adjust_conf('postgresql.conf', 'audit_trail.subject_key_directory', "'$store'");
$node->reload;
$node->poll_query_until('postgres', "SELECT current_setting('audit_trail.subject_key_directory') = '$store'");
value('SELECT audit.keeper_now()');
is(emails(48), '[erased]', 'when it is back it is done');
is_green('at the end');

$node->stop;
done_testing();
