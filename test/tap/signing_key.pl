# The key that signs the log: how it is made, what is wrong with its file, how it comes into the
# log and is replaced, and that nothing of it is told anywhere.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
my $folder = PostgreSQL::Test::Utils::tempdir;
my $key_1 = "$folder/key.1";

$node->init;
$node->append_conf('postgresql.conf',
	"shared_preload_libraries = 'audit_trail'\nmax_worker_processes = 20\naudit_trail.seal_interval = 1h\naudit_trail.signing_key_file = ''\naudit_trail.checkpoint_file = ''\n");
$node->start;
$node->safe_psql('postgres', q{
	SET client_min_messages = error;
	CREATE EXTENSION audit_trail;
	CREATE TABLE orders (id int PRIMARY KEY);
	SELECT audit.enable('orders');
	SELECT audit.seal_now();
	CREATE ROLE other LOGIN;
	GRANT EXECUTE ON FUNCTION audit.create_signing_key(text, text) TO other});
is(doctor(), 'warning', 'without a key the doctor warns');
is($node->safe_psql('postgres', 'SELECT count(*) FROM audit.public_keys'), '0', 'and the log has none');

# making one
my $vkey_1 = create($key_1, 'example.org/shop');
like($vkey_1, qr{^example\.org/shop\+[0-9a-f]{8}\+A[A-Za-z0-9+/]{43}$}, 'the public key is told');
my $text = slurp_file($key_1);
like($text, qr{\APRIVATE\+KEY\+\Qexample.org/shop\E\+[0-9a-f]{8}\+\S+\n\z}, 'the file holds one line, the private key');
is((stat $key_1)[2] & 07777, 0600, 'which nobody else can read');
like(refusal($key_1, 'example.org/shop'), qr/could not make key file.*File exists/, 'a file is never replaced');
is(slurp_file($key_1), $text, 'nor touched');
like(refusal("$folder/x", $_), qr/cannot make a signing key.*name/s, "refused: the name \"$_\"")
  for ('', 'two words', 'a+b', "l\nf", "\x{c3}\x{a9}", 'n' x 256);
like(refusal('relative', 'n'), qr/is not absolute/, 'refused: a relative path');
like(refusal($node->data_dir . '/key', 'n'), qr/is in the data directory/, 'refused: in the data directory');
symlink $node->data_dir, "$folder/link";
like(refusal("$folder/link/key", 'n'), qr/is in the data directory/, 'refused: behind a link too');
like(refusal("$folder/none/key", 'n'), qr/could not make key file.*No such file/, 'refused: no such directory');
ok(!-e "$folder/x" && !-e $node->data_dir . '/key', 'what is refused leaves no file');
like(refusal("$folder/x", 'n', 'other'), qr/must be superuser/, 'refused: an ordinary role, whatever was granted');

# only the configuration file names one
foreach my $command ("SET audit_trail.signing_key_file = '$key_1'", "ALTER SYSTEM SET audit_trail.signing_key_file = '$key_1'",
	"ALTER DATABASE postgres SET audit_trail.signing_key_file = '$key_1'")
{
	my ($status, $out, $err) = $node->psql('postgres', $command);
	isnt($status, 0, 'refused: ' . ($command =~ s/ audit_trail.*//r));
}

# a key alone does not come into the log: there is nowhere to put what it signs
name_key($key_1);
$node->safe_psql('postgres', 'SELECT audit.seal_now()');
is(keys_of_log(), '', 'without a file for checkpoints no key comes into the log');
like(doctor_of('checkpoints'), qr/^problem\|.*checkpoint_file names no file/, 'and the doctor says so');
$node->adjust_conf('postgresql.conf', 'audit_trail.checkpoint_file', "'$folder/checkpoints'");

# files that cannot be used: sealing goes on, the doctor shouts
for my $case (
	[ 'missing', undef, 0600, qr/could not read key file/ ],
	[ 'open', $text, 0640, qr/cannot use key file.*its mode is 0640/ ],
	[ 'empty', '', 0600, qr/cannot use key file.*not in the form/ ],
	[ 'cut', substr($text, 0, -5), 0600, qr/cannot use key file/ ],
	[ 'public', "$vkey_1\n", 0600, qr/cannot use key file/ ],
	[ 'witness', "PRIVATE+KEY+witness.example/w1+20324abe+BCAhIiMkJSYnKCkqKywtLi8wMTIzNDU2Nzg5Ojs8PT4/\n", 0600, qr/cannot use key file/ ],
	[ 'long', $text . 'x' x 5000, 0600, qr/cannot use key file.*too long/ ])
{
	my ($name, $content, $mode, $complaint) = @$case;

	write_file("$folder/$name", $content, $mode) if defined $content;
	name_key("$folder/$name");
	my $entries = entries();
	$node->safe_psql('postgres', 'INSERT INTO orders SELECT count(*) FROM orders; SELECT audit.seal_now()');
	cmp_ok(entries(), '>', $entries, "the key is $name: sealing goes on");
	like(doctor_of('signing key'), qr/^problem\|.*$complaint/, 'and the doctor says what is wrong');
}

# the first key
name_key($key_1);
$node->safe_psql('postgres', 'SELECT audit.seal_now()') for 1 .. 3;
my $place = $node->safe_psql('postgres', q{SELECT log_index FROM audit.log_entry WHERE kind = 'key'});
is(keys_of_log(), "$vkey_1|" . ($place + 1) . '|', 'the first key comes into the log, once');
is(doctor(), 'ok', 'the doctor is content');
$node->restart;
$node->safe_psql('postgres', 'SELECT audit.seal_now()');
is(keys_of_log(), "$vkey_1|" . ($place + 1) . '|', 'and is known after a restart');

# its successor, endorsed
my $vkey_2 = create("$folder/key.2", 'example.org/shop');
my $text_2 = slurp_file("$folder/key.2");
my ($id_1) = $vkey_1 =~ /\+([0-9a-f]{8})\+/;
like($text_2, qr{\APRIVATE\S+\naudit_trail key\n\Q$vkey_2\E\n\n\xE2\x80\x94 example\.org/shop \S+\n\z},
	'a new key of the same name is endorsed by the old one');
write_file("$folder/forged", $text_2 =~ s{shop (....)..}{shop ${1}zz}r, 0600);
write_file("$folder/stolen", (split /^/, slurp_file_of_new('example.org/shop', "$folder/third"))[0] . join('', (split /^/, $text_2)[1 .. 4]), 0600);
create("$folder/elsewhere", 'example.org/elsewhere');
foreach my $bad ('forged', 'stolen', 'elsewhere')
{
	name_key("$folder/$bad");
	$node->safe_psql('postgres', 'SELECT audit.seal_now()');
	is(doctor(), 'problem', "refused: a key that is $bad");
	unlike(keys_of_log(), qr/\n/, 'it does not come into the log');
}
name_key("$folder/key.2");
$node->safe_psql('postgres', 'SELECT audit.seal_now()');
like(keys_of_log(), qr/^\Q$vkey_2\E\|\d+\|$id_1$/m, 'the endorsed one does, and says by whom');
is(doctor(), 'ok', 'the doctor is content');

# the old one was lost
name_key('');
is(doctor(), 'problem', 'a log that was signed and is no more');
my $vkey_4 = create("$folder/key.4", 'example.org/shop');
name_key("$folder/key.4");
$node->safe_psql('postgres', 'SELECT audit.seal_now()');
like(keys_of_log(), qr/^\Q$vkey_4\E\|\d+\|$/m, 'a key that nothing vouches for comes into the log too');
is(doctor(), 'warning', 'but the doctor warns');

# each database its own
$node->safe_psql('postgres', 'CREATE DATABASE "shop 2"');
$node->safe_psql('postgres', 'CREATE DATABASE "../up"');
foreach my $database ('shop 2', '../up')
{
	$node->safe_psql($database, 'SET client_min_messages = error; CREATE EXTENSION audit_trail; SELECT audit.init()');
}
my $vkey_5 = create("$folder/shop 2.key", 'example.org/shop-2');
$node->adjust_conf('postgresql.conf', 'audit_trail.checkpoint_file', "'$folder/%d.checkpoints'");
name_key("$folder/%d.key");
$node->safe_psql('shop 2', 'SELECT audit.seal_now(); INSERT INTO audit.context_source (field, priority, setting) VALUES (\'actor\', 9, \'x.y\'); SELECT audit.seal_now()');
is($node->safe_psql('shop 2', 'SELECT vkey FROM audit.public_keys'), $vkey_5, '%d is the name of the database');
like($node->safe_psql('../up', q{SELECT detail FROM audit.doctor() WHERE "check" = 'signing key'}),
	qr/cannot be part of a path/, 'unless that leads elsewhere');

is($node->safe_psql('postgres', 'SELECT object FROM audit.verify()'), 'ok', 'all of it verifies');

# what must not be told anywhere
my $dump = $node->basedir . '/dump';
$node->command_ok([ 'pg_dumpall', '-f', $dump, '-h', $node->host, '-p', $node->port ], 'dumped');
foreach my $where ($dump, $node->logfile)
{
	my $told = slurp_file($where);
	foreach my $file ($key_1, "$folder/key.2", "$folder/key.4", "$folder/third")
	{
		my $secret = (split /\+/, (split /\n/, slurp_file($file))[0], 5)[4];
		unlike($told, qr/\Q$secret\E/, 'no secret in ' . ($where eq $dump ? 'a dump' : 'the log'));
	}
}
$node->stop;
done_testing();

sub create
{
	my ($path, $name) = @_;

	return $node->safe_psql('postgres', "SELECT audit.create_signing_key('$path', '$name')");
}

sub slurp_file_of_new
{
	my ($name, $path) = @_;

	create($path, $name);
	return slurp_file($path);
}

sub refusal
{
	my ($path, $name, $role) = @_;
	my ($status, $out, $err) = $node->psql('postgres', "SELECT audit.create_signing_key('$path', '$name')",
		extra_params => [ '-U', $role // $ENV{PGUSER} // (getpwuid $<)[0] ]);

	return $status == 0 ? 'none' : $err;
}

sub write_file
{
	my ($path, $content, $mode) = @_;

	append_to_file($path, $content);
	chmod $mode, $path;
}

# Name a file in the configuration; the postmaster passes the signal on before it starts a
# session that shows the new value, and a pass that is asked for then begins after the sealer has
# seen it.
sub name_key
{
	my ($path) = @_;

	$node->adjust_conf('postgresql.conf', 'audit_trail.signing_key_file', "'$path'");
	$node->reload;
	$node->poll_query_until('postgres', "SELECT current_setting('audit_trail.signing_key_file') = '$path'");
}

sub doctor_of
{
	my ($check) = @_;

	return $node->safe_psql('postgres', qq{SELECT status, detail FROM audit.doctor() WHERE "check" = '$check'});
}

sub doctor
{
	return $node->safe_psql('postgres', q{SELECT status FROM audit.doctor() WHERE "check" = 'signing key'});
}

# That another file is named is an entry too.
sub entries
{
	return $node->safe_psql('postgres', q{SELECT count(*) FROM audit.log_entry WHERE kind <> 'settings' AND payload::text NOT LIKE '%[["audit",""]]%'});
}

sub keys_of_log
{
	return $node->safe_psql('postgres', 'SELECT vkey, since_size, endorsed_by FROM audit.public_keys ORDER BY since_size');
}
