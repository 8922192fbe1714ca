# Signed notes in databases of other encodings: as text they are what they are for whoever asks for
# UTF-8, or there is an error that names the function for their bytes; those are right everywhere.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Tlog;

my $node = PostgreSQL::Test::Cluster->new('note_encoding');
my $folder = PostgreSQL::Test::Utils::tempdir;

# EUC_JP has a dash and gives back another one
my %has_text = (UTF8 => 1, SQL_ASCII => 1, WIN1252 => 1, LATIN1 => 0, EUC_JP => 0);
my %vkey;
my ($status, $out, $err);

$node->init;
$node->append_conf('postgresql.conf', qq{
shared_preload_libraries = 'audit_trail'
max_worker_processes = 30
fsync = off
audit_trail.seal_interval = 1h
audit_trail.signing_key_file = '$folder/%d.key'
audit_trail.checkpoint_file = '$folder/%d.checkpoints'
});
$node->start;

foreach my $encoding (sort keys %has_text)
{
	my $database = lc $encoding;

	$node->safe_psql('postgres', "CREATE DATABASE $database TEMPLATE template0 ENCODING '$encoding' LC_COLLATE 'C' LC_CTYPE 'C'");
	$node->safe_psql($database, 'CREATE EXTENSION audit_trail; CREATE TABLE orders (id int PRIMARY KEY)');
}
foreach my $encoding (sort keys %has_text)
{
	my $database = lc $encoding;

	$vkey{$database} = $node->safe_psql($database, "SELECT audit.create_signing_key('$folder/$database.key', 'example.org/$database')");
	$node->safe_psql($database, q{SELECT audit.enable('orders'); SELECT audit.seal_now(); INSERT INTO orders VALUES (1); SELECT audit.seal_now()});
	is($node->safe_psql($database, q{SELECT status FROM audit.doctor() WHERE "check" = 'checkpoints'}), 'ok', "$encoding: the log is signed");

	my @notes = slurp_file("$folder/$database.checkpoints") =~ /(example\.org\/\w+\n\d+\n\S{44}\n\n\xE2\x80\x94 \S+ \S+\n)/g;
	my $id = $node->safe_psql($database, q{SELECT event_id FROM audit.events WHERE table_name = 'orders' AND action = 'insert'});
	my $bytes = $node->safe_psql($database, 'SELECT encode(audit.checkpoint_bytes(), $$hex$$)');
	my $proof = $node->safe_psql($database, "SELECT encode(audit.prove_bytes('$id'), 'hex')");

	is(pack('H*', $bytes), $notes[-1], "$encoding: the bytes of a checkpoint are those of the file");
	is(substr(pack('H*', $proof), -length $notes[-1]), $notes[-1], "$encoding: the bytes of a proof end in it");
	foreach my $where (map { lc } sort keys %has_text)
	{
		is($node->safe_psql($where, "SELECT valid, event_id FROM audit.check_proof(decode('$proof', 'hex'), '$vkey{$database}')"), "t|$id", "$encoding: they hold in $where");
	}
	my ($old_size, $new_size) = map { /\n(\d+)\n/ } @notes[ 0, -1 ];
	my ($old, $new) = map { unpack 'H*', $_ } @notes[ 0, -1 ];
	is($node->safe_psql($database, "SELECT valid, size FROM audit.check_consistency(decode('$old', 'hex'), decode('$new', 'hex'), audit.prove_consistency($old_size, $new_size), '$vkey{$database}')"),
		"t|$new_size", "$encoding: consistency is proved");
	is($node->safe_psql($database, 'SELECT vkey FROM audit.public_keys'), $vkey{$database}, "$encoding: the public key is");

	# as text: by psql into a file
	local $ENV{PGCLIENTENCODING} = $encoding eq 'SQL_ASCII' ? 'SQL_ASCII' : 'UTF8';
	foreach my $case ([ 'audit.checkpoint()', $notes[-1], 'checkpoint_bytes' ], [ "audit.prove('$id')", pack('H*', $proof), 'prove_bytes' ])
	{
		my ($call, $expected, $function) = @$case;
		my $file = "$folder/$database.$function";

		$status = run_log([ 'psql', '-XqAt', '-d', $node->connstr($database), '-o', $file, '-c', "SELECT $call" ], '2>', \$err);
		if ($has_text{$encoding})
		{
			is(slurp_file($file), "$expected\n", "$encoding: $call is written to a file as it is");
			is($node->safe_psql($database, "SELECT valid FROM audit.check_proof($call, '$vkey{$database}')"), 't', 'and holds') if $function eq 'prove_bytes';
		}
		else
		{
			like($err, qr/a signed note cannot be a text in encoding "$encoding".*HINT:.*audit\.$function\(\)/s, "$encoding: $call is an error that helps");
		}
	}

	mkdir "$folder/$database.log";
	$node->safe_psql($database, "SELECT audit.export_tlog('$folder/$database.log')");
	is(slurp_file("$folder/$database.log/checkpoint"), $notes[-1], "$encoding: an export has it");
	my $checkpoint = read_checkpoint("$folder/$database.log");
	is(tree_hash(read_log("$folder/$database.log", $checkpoint->{size})->{hashes}[0]), $checkpoint->{root}, 'and the log');
}

# A new key, endorsed by a note, and a checkpoint file of a log whose name has other letters
$node->safe_psql('latin1', "SELECT audit.create_signing_key('$folder/new', 'example.org/latin1')");
rename "$folder/new", "$folder/latin1.key" or die $!;
$node->safe_psql('latin1', 'INSERT INTO orders VALUES (2); SELECT audit.seal_now()');
is($node->safe_psql('latin1', q{SELECT count(*), count(endorsed_by) FROM audit.public_keys}), '2|1', 'a key is replaced and endorsed in LATIN1');
append_to_file("$folder/euc_jp.checkpoints", slurp_file("$folder/euc_jp.log/checkpoint") =~ s{example\.org/euc_jp}{\xc3\xa9xample.org/log}gr);
$node->safe_psql('euc_jp', 'INSERT INTO orders VALUES (2); SELECT audit.seal_now()');
is($node->safe_psql('euc_jp', q{SELECT status, detail FROM audit.doctor() WHERE "check" = 'checkpoints'}) =~ /^problem\|.*of another log, "\.\.\."/ ? 1 : 0, 1,
	'the name of another log does not spoil the message');
is($node->safe_psql($_, 'SELECT object FROM audit.verify()'), 'ok', "$_ verifies") foreach map { lc } sort keys %has_text;
$node->stop;
done_testing();
