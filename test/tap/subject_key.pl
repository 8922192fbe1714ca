# Personal values under keys of persons: who reads them, what is stored, and what becomes of it
# when keys are not there.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
my $folder = PostgreSQL::Test::Utils::tempdir;
my $store = "$folder/keys";
my $secret = 'zoe@secret.example';

sub write_file
{
	my ($path, $text) = @_;

	open my $handle, '>', $path or die "$path: $!";
	print $handle $text;
	close $handle;
	chmod 0600, $path;
}

sub configure
{
	my ($directory) = @_;

	$node->adjust_conf('postgresql.conf', 'audit_trail.subject_key_directory', "'$directory'");
	$node->reload;
	$node->poll_query_until('postgres', "SELECT current_setting('audit_trail.subject_key_directory') = '$directory'");
}

sub value
{
	my ($query) = @_;

	return $node->safe_psql('postgres', $query);
}

# Key files and marks, without what the directories are called.
sub files
{
	my @files = sort map { s/^.*\///r } glob("$store/*/*/*");
	return @files;
}

# Is the text in any file of the trail's relations?
sub is_stored
{
	my ($text) = @_;

	value('CHECKPOINT');
	for my $path (split /\n/, value(q{SELECT pg_relation_filepath(oid) FROM pg_class WHERE relnamespace = 'audit'::regnamespace AND relkind IN ('r', 'i')
			UNION ALL SELECT pg_relation_filepath(c.reltoastrelid) FROM pg_class c WHERE c.relnamespace = 'audit'::regnamespace AND c.reltoastrelid <> 0}))
	{
		next if $path eq '';
		return 1 if index(slurp_file($node->data_dir . "/$path"), $text) >= 0;
	}
	return 0;
}

write_file("$folder/key", '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f');
$node->init;
$node->append_conf('postgresql.conf', join "\n", "shared_preload_libraries = 'audit_trail'", 'fsync = off',
	"audit_trail.hash_key_file = '$folder/key'", "audit_trail.subject_key_directory = ''", 'max_prepared_transactions = 4', '');
$node->start;
$node->safe_psql('postgres', q{
	SET client_min_messages = error;
	CREATE EXTENSION audit_trail;
	CREATE TABLE contacts (id int PRIMARY KEY, customer_id int, email text, score numeric, note text);
	SELECT audit.enable('contacts', personal => '{email,score}', subject => 'customer_id');
	SELECT * FROM audit.create_roles();
	CREATE ROLE anna; GRANT audit_auditor TO anna;
	CREATE ROLE bob; GRANT audit_scoped_auditor TO bob;
	CREATE ROLE dora; GRANT audit_scoped_auditor TO dora;
	INSERT INTO audit.grant (name, grantee, tables, expires_at, see_personal) VALUES ('bob', 'bob', '{contacts}', 'infinity', false), ('dora', 'dora', '{contacts}', 'infinity', true);
	INSERT INTO contacts VALUES (1, 42, 'first@example.com', 1, 'before');
});
like(value(q{SELECT new_values ->> 'email' FROM audit.events WHERE resource_id = '1' AND action = 'insert'}), qr/^commitment:/, 'without a directory there are commitments only');

# the directory must be the server's own
configure("$folder/none");
my ($ret, $out, $err) = $node->psql('postgres', q{UPDATE contacts SET note = 'x', email = 'y'});
like($err, qr/could not use ".*none": No such file.*HINT/s, 'a directory that is not there: nothing is changed');
mkdir "$folder/open"; chmod 0755, "$folder/open";
configure("$folder/open");
($ret, $out, $err) = $node->psql('postgres', q{UPDATE contacts SET email = 'y'});
like($err, qr/cannot use directory .*nobody else may use.*HINT/s, 'nor where others may look');
mkdir $node->data_dir . '/keys'; chmod 0700, $node->data_dir . '/keys';
configure($node->data_dir . '/keys');
($ret, $out, $err) = $node->psql('postgres', q{UPDATE contacts SET email = 'y'});
like($err, qr/in the data directory/, 'nor where backups go');
is(value('SELECT email FROM contacts'), 'first@example.com', 'fail closed');
like(value(q{SELECT status || ' ' || detail FROM audit.doctor() WHERE "check" = 'subject keys'}), qr/^(?!ok).*in the data directory/s, 'the doctor says so');

mkdir $store; chmod 0700, $store;
configure($store);
value(qq{
	BEGIN;
	INSERT INTO contacts VALUES (2, 42, '$secret', 1.50, 'a "quoted" note'), (3, 43, 'other\\\\"\@example.com', 'NaN', NULL), (4, NULL, 'nobody\@example.com', 2, NULL);
	UPDATE contacts SET email = 'new-$secret', score = 2.00 WHERE id = 2;
	COMMIT;
	UPDATE contacts SET customer_id = 43 WHERE id = 2;
});
is(scalar(files()), 2, 'a key for each person');
is(value(q{SELECT status FROM audit.doctor() WHERE "check" = 'subject keys'}), 'ok', 'and a doctor who is content');
is(value(q{SELECT string_agg(coalesce(old_values ->> 'email', '-') || ' ' || coalesce(new_values ->> 'email', '-') || ' ' || coalesce((new_values -> 'score')::text, 'null'), ', ' ORDER BY tx_id, ordinal)
		FROM audit.events WHERE table_name = 'contacts' AND resource_id = '2'}),
	"- $secret 1.50, $secret new-$secret 2.00, - - null", 'who may see them sees values, numbers as numbers');
like(value(q{SELECT new_values::text FROM audit.events WHERE resource_id = '3'}), qr/"email":"other.*\\"\@example.com","score":"NaN"/, 'with all characters');
like(value(q{SELECT new_values ->> 'email' FROM audit.events WHERE resource_id = '4'}), qr/^commitment:/, 'of nobody a commitment');
is(value(q{SET ROLE anna; SELECT count(*) FROM audit.search(condition => '$.new ? (@.email starts with "new-zoe")')}), 1, 'an auditor finds by them');
is(value(q{SET ROLE dora; SELECT new_values ->> 'email' FROM audit.history('contacts', '2') LIMIT 1}), $secret, 'a scoped auditor who may see them');
is(value(q{SET ROLE bob; SELECT new_values ->> 'email' || ' ' || (new_values ->> 'note') FROM audit.history('contacts', '2') LIMIT 1}), '*** a "quoted" note', 'and one who may not');
is(value(q{SET ROLE bob; SELECT count(*) FROM audit.search(condition => '$.new ? (@.email starts with "zoe")')}), 0, 'nor find by them');
ok(!is_stored($secret), 'no file of the trail has a value');
my $event = value(q{SELECT event_id FROM audit.events WHERE resource_id = '2' AND action = 'update' ORDER BY tx_id LIMIT 1});
is(value("SELECT * FROM audit.check_personal('$event', 'email', '$secret')"), 't|f', 'a value is confirmed, of the old side');
is(value("SELECT * FROM audit.check_personal('$event', 'score', '2.00')"), 'f|t', 'and of the new one');
is(value(q{SELECT finding, detail LIKE '%differ%' FROM audit.reconcile('contacts')} ), 'summary|f', 'trail and table agree');
is(value(q{SELECT count(*) FROM audit.verify() WHERE finding <> 'summary'}), 0, 'all is verified');

# a rolled-back savepoint, two-phase commit, a long value
value(qq{
	SET audit_trail.max_value_size = '1kB';
	BEGIN;
	SAVEPOINT a; INSERT INTO contacts VALUES (5, 44, 'gone\@example.com', 1, NULL); ROLLBACK TO a;
	INSERT INTO contacts VALUES (5, 44, 'kept\@example.com', 1, NULL), (6, 44, repeat('x', 2000), NULL, NULL);
	PREPARE TRANSACTION 'p';
});
value(q{COMMIT PREPARED 'p'});
is(value(q{SELECT string_agg(new_values ->> 'email', ' ' ORDER BY ordinal) FROM audit.events WHERE resource_id IN ('5', '6')}), 'kept@example.com [too long]', 'after a savepoint, prepared; a long one is not kept');

# two sessions that meet a new person at once have one key
my @sessions = map { $node->background_psql('postgres') } 1 .. 2;
$_->query_safe('BEGIN') for @sessions;
$sessions[$_]->query_safe("INSERT INTO contacts VALUES (10 + $_, 50, 'at\@once', 1, NULL)") for 0, 1;
$_->query_safe('COMMIT') for @sessions;
$_->quit for @sessions;
is(value(q{SELECT string_agg(new_values ->> 'email', ' ') FROM audit.events WHERE resource_id IN ('10', '11')}), 'at@once at@once', 'both are read');
is(scalar(files()), 4, 'under one key');

# a key that is gone, damaged, or wrapped by another master key
my ($path) = grep { slurp_file($_) ne '' } glob("$store/*/*/*");
my $bytes = slurp_file($path);
rename $path, "$folder/away";
is(value(q{SELECT count(*) FROM audit.events WHERE new_values ->> 'email' = '[key missing]'} ) > 0, 1, 'without a key it says so');
write_file($path, substr($bytes, 0, 10));
($ret, $out, $err) = $node->psql('postgres', q{SELECT count(new_values::text) FROM audit.events WHERE table_name = 'contacts'});
like($err, qr/key file ".*" is damaged.*10 bytes.*HINT/s, 'a damaged key is an error');
write_file($path, substr($bytes, 0, -1) . 'x');
($ret, $out, $err) = $node->psql('postgres', q{SELECT count(new_values::text) FROM audit.events WHERE table_name = 'contacts'});
like($err, qr/cannot be unwrapped.*HINT/s, 'so is one that was changed');
unlink $path;
rename "$folder/away", $path;
is(value(q{SELECT count(*) FROM audit.events WHERE new_values ->> 'email' = '[key missing]'}), 0, 'and when it is back all is as before');

# a service keeps the master key
$node->append_conf('postgresql.conf', "audit_trail.hash_key_file = ''\naudit_trail.hash_key_command = 'cat $folder/key; echo'");
$node->reload;
$node->poll_query_until('postgres', q{SELECT current_setting('audit_trail.hash_key_file') = ''});
is(value(q{SELECT new_values ->> 'email' FROM audit.events WHERE resource_id = '2' AND action = 'insert'}), $secret, 'a command that prints the key does as well');
value(q{UPDATE contacts SET score = 7 WHERE id = 3});
for my $wrong ('echo 1234', 'exit 3', 'yes')
{
	$node->append_conf('postgresql.conf', "audit_trail.hash_key_command = '$wrong'");
	$node->reload;
	$node->poll_query_until('postgres', "SELECT current_setting('audit_trail.hash_key_command') = '$wrong'");
	($ret, $out, $err) = $node->psql('postgres', 'UPDATE contacts SET score = 8 WHERE id = 3');
	like($err, qr/hash_key_command gave no key.*DETAIL.*HINT/s, "$wrong: nothing is changed");
	unlike($err, qr/1234/, 'nor told');
}
$node->append_conf('postgresql.conf', "audit_trail.hash_key_file = '$folder/key'");
$node->reload;
$node->poll_query_until('postgres', "SELECT current_setting('audit_trail.hash_key_file') = '$folder/key'");
is(value('SELECT score FROM contacts WHERE id = 3'), 7, 'the changes before are there');

# another server with the trail and without the directory reads nothing
configure('');
like(value(q{SELECT new_values ->> 'email' FROM audit.events WHERE resource_id = '2' AND action = 'insert'}), qr/^personal:[0-9a-f]{32}:[0-9a-f]{64}:/, 'without the directory there is what is stored');
is(value(q{SELECT count(*) FROM audit.verify() WHERE finding <> 'summary'}), 0, 'which is verified all the same');

$node->stop;
done_testing();
