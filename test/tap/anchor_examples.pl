# The scripts of doc/anchors.md, as they are printed there, with a server: a witness, a time stamp
# authority, another user's file.
use strict;
use warnings;
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use FindBin;
use lib $FindBin::RealBin;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use Workers;

my $doc = slurp_file(dirname(abs_path(__FILE__)) . '/../../doc/anchors.md');
my $folder = PostgreSQL::Test::Utils::tempdir;
my $node = PostgreSQL::Test::Cluster->new('anchor_examples');
my %script = map { /\A# ([\w-]+): / ? ($1 => $_) : () } $doc =~ /^```sh\n(.*?)^```$/msg;
my @command = $doc =~ /^audit_trail\.anchor_command = '(.*)'$/mg;

is_deeply([ sort keys %script ], [qw(anchor-timestamp check-timestamp keep-checkpoint make-authority stamp witness)], 'the scripts of the document');
is(scalar @command, 3, 'and its commands');
append_to_file("$folder/$_", "#!/bin/sh\n$script{$_}"), chmod(0755, "$folder/$_") foreach keys %script;

$node->init;
$node->append_conf('postgresql.conf', qq{
shared_preload_libraries = 'audit_trail'
audit_trail.seal_interval = 1h
audit_trail.verify_interval = 0
audit_trail.signing_key_file = '$folder/key'
audit_trail.checkpoint_file = '$folder/checkpoints'
audit_trail.anchor_interval = 0
});
$node->start;
$node->safe_psql('postgres', q{
	SET client_min_messages = error;
	CREATE EXTENSION audit_trail;
	CREATE TABLE orders (id int PRIMARY KEY);
	SELECT audit.enable('orders')});
my $vkey = $node->safe_psql('postgres', "SELECT audit.create_signing_key('$folder/key', 'example.org/shop')");
append_to_file("$folder/log.pub", "$vkey\n");
insert();
is($node->psql('postgres', $_), 0, 'a query of the document runs') foreach map { split /;/ } $doc =~ /^```sql\n(.*?);\n```$/msg;

# the witness; the port is the system's choice
my ($out, $err) = ('', '');
my $text = $script{witness} =~ s/127\.0\.0\.1:7780/127.0.0.1:0/r;
my $witness = IPC::Run::start([ 'sh', '-c', "cd $folder && $text" ], '<', \undef, '>', \$out, '2>', \$err);
$witness->pump until $out =~ /^listening at 127\.0\.0\.1:(\d+)\n/;
my $port = $1;
my $ask = $command[0] =~ s{/etc/postgresql}{$folder}r =~ s/7780/$port/r;
command($ask);
insert();
is(anchor_now(), size(), 'the checkpoint is cosigned');
is(newest('kind, command'), 'cosignature|audit_witness', 'which is the receipt');
insert() for 1 .. 3;
is(anchor_now(), size(), 'and so are later ones, with a proof');
my $wkey = slurp_file("$folder/witness.pub");
chomp $wkey;
append_to_file("$folder/checkpoint.cosigned", $node->safe_psql('postgres', 'SELECT audit.anchored_checkpoint()') =~ s/\n*\z/\n/r);
like((run_it('audit_verify', '--key', $vkey, '--witness', $wkey, "$folder/checkpoint.cosigned"))[1], qr/witness\.example\.org\/w1/, 'audit_verify believes both');
append_to_file("$folder/proof", $node->safe_psql('postgres', 'SELECT audit.prove(event_id) FROM audit.events LIMIT 1') =~ s/\n*\z/\n/r);
is((run_it('audit_verify', '--key', $vkey, '--witness', $wkey, "$folder/proof"))[0], 0, 'proofs have the cosignature too');

# it is killed between its answer and our receipt, or the receipt is lost: asked again it agrees
my $request = slurp_file("$folder/checkpoints");
my ($note) = $request =~ m{.*(example\.org/shop\n\d+\n\S{44}\n\n\xE2\x80\x94 example\.org/shop \S{92}\n)\z}s;
append_to_file("$folder/again", "old 0\n\n$note");
is((run_it('audit_witness', 'ask', '--key', "$folder/witness.pub", '--to', "127.0.0.1:$port", "$folder/again"))[0], 0, 'asked without a proof for what it has cosigned, it agrees');

# a witness that others have asked meanwhile
command('true');
insert();
is(anchor_now(), size(), 'for a while nobody asks the witness');
insert();
command($ask);
is(anchor_now(), size(), 'then it gets the proof that it needs');

# the database is set back: the witness has seen more
$node->stop;
PostgreSQL::Test::RecursiveCopy::copypath($node->data_dir, "$folder/old");
append_to_file("$folder/checkpoints.old", slurp_file("$folder/checkpoints"));
$node->start;
insert() for 1 .. 6;
is(anchor_now(), size(), 'the witness sees the log grow');
$node->stop;
File::Path::rmtree($node->data_dir);
PostgreSQL::Test::RecursiveCopy::copypath("$folder/old", $node->data_dir);
chmod 0700, $node->data_dir;
rename "$folder/checkpoints.old", "$folder/checkpoints" or die;
$node->start;
insert();
my $refusal = refusal('audit.anchor_now()');
like($refusal, qr/was not anchored: child process exited with exit code 1/, 'the database and the checkpoint file are set back: the witness refuses');
like(slurp_file($node->logfile), qr/has cosigned this log at size \d+, and now it has \d+: it was set back/, 'and the server log says why');
like(doctor($node, 'postgres', 'anchor'), qr/^warning\|.*Failed \d+ times/, 'so does the doctor, more or less');
insert() for 1 .. 10;
like(refusal('audit.anchor_now()'), qr/was not anchored/, 'also when it has grown longer than it was');
like(slurp_file($node->logfile), qr/refuses the checkpoint with status 422: /, 'since it is another history');
$witness->kill_kill;

# the authority
mkdir "$folder/tsa" or die;
is((run_it('sh', '-c', "cd $folder/tsa && sh $folder/make-authority"))[0], 0, 'an authority is made');
my $stamp = $command[1] =~ s/''/'/gr =~ s/'curl .*?'/'TSA_FOLDER=$folder\/tsa sh $folder\/stamp'/r =~ s{/usr/local/bin}{$folder}r;
command($stamp);
is(anchor_now(), size(), 'the checkpoint is stamped');
is(newest('kind, command'), 'timestamp|' . ($stamp =~ /^(\S+)/)[0] =~ s{.*/}{}r, 'which is the receipt');
my ($status, $check) = run_it('sh', '-c', "mkdir $folder/check && cd $folder/check && PGHOST=@{[ $node->host ]} PGPORT=@{[ $node->port ]} PGDATABASE=postgres sh $folder/check-timestamp $folder/tsa/tsa.pem");
is($status, 0, 'openssl verifies it');
like($check, qr/^Time stamp: \w+ +\d+ [\d:.]+ \d+ GMT/m, 'and tells the time');
is(slurp_file("$folder/check/checkpoint"), note(), 'of the newest checkpoint');
append_to_file("$folder/check/checkpoint", "\n");
isnt((run_it('openssl', 'ts', '-verify', '-data', "$folder/check/checkpoint", '-in', "$folder/check/checkpoint.tsr", '-CAfile', "$folder/tsa/tsa.pem"))[0], 0, 'and of nothing else');
rename "$folder/tsa/tsa.key", "$folder/tsa/gone" or die;
insert();
like(refusal('audit.anchor_now()'), qr/was not anchored/, 'an authority that does not answer is a failure');
rename "$folder/tsa/gone", "$folder/tsa/tsa.key" or die;

# both, one behind the other
command("printf '\342\200\224 witness.example.org/w1 AAECAwQF\\n' && $stamp");
is(anchor_now(), size(), 'a command may give several receipts');
is($node->safe_psql('postgres', 'SELECT string_agg(kind, $$,$$ ORDER BY receipt_id) FROM audit.anchor_receipt WHERE size = ' . size()), 'cosignature,timestamp', 'which are told apart');

# the file: in the place of sudo there is a program that drops nothing
append_to_file("$folder/sudo", "#!/bin/sh\nshift 3\nKEPT=$folder/kept exec \"\$@\"\n");
chmod 0755, "$folder/sudo";
command($command[2] =~ s/^sudo/$folder\/sudo/r =~ s{/usr/local/bin}{$folder}r);
my @kept;
foreach (1, 2)
{
	insert();
	is(anchor_now(), size(), 'the checkpoint is kept');
	push @kept, note();
}
# the changed configuration has an entry of its own, which may have been kept before
my ($nothing, @pieces) = split /^# kept at \S+Z\n/m, slurp_file("$folder/kept");
is($nothing, '', 'each with the time');
is_deeply([ @pieces[ -2, -1 ] ], [ map { "$_\n" } @kept ], 'one behind the other');
is(newest(q{kind, convert_from(receipt, 'UTF8') = encode(sha256(checkpoint), 'hex') || E'  -\n'}), 'other|t', 'the receipt is the SHA-256 of what was kept');
is($node->safe_psql('postgres', q{SELECT object FROM audit.verify() WHERE finding LIKE 'receipt%'}), '', 'receipts are verified');
$node->stop;
done_testing();

sub insert
{
	return $node->safe_psql('postgres', 'INSERT INTO orders SELECT coalesce(max(id), 0) + 1 FROM orders; SELECT size FROM audit.seal_now()');
}

sub size
{
	return $node->safe_psql('postgres', 'SELECT max(size) FROM audit.checkpoint');
}

sub anchor_now
{
	return $node->safe_psql('postgres', 'SELECT size FROM audit.anchor_now()');
}

sub newest
{
	my ($columns) = @_;

	return $node->safe_psql('postgres', "SELECT $columns FROM audit.anchor_receipt ORDER BY receipt_id DESC LIMIT 1");
}

sub note
{
	my ($note) = slurp_file("$folder/checkpoints") =~ m{.*(example\.org/shop\n\d+\n\S{44}\n\n\xE2\x80\x94 example\.org/shop \S{92}\n)\z}s;

	return $note;
}

sub command
{
	my ($command) = @_;

	$node->append_conf('postgresql.conf', "audit_trail.anchor_command = '" . $command =~ s/(['\\])/$1$1/gr . "'");
	$node->reload;
	$node->poll_query_until('postgres', "SELECT current_setting('audit_trail.anchor_command') = \$c\$$command\$c\$") or die;
	$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type LIKE '%anchorer'}) or die;
}

sub refusal
{
	my ($call) = @_;
	my ($status, $out, $err) = $node->psql('postgres', "SELECT $call");

	return $status == 0 ? 'none' : $err;
}

sub run_it
{
	my ($out, $err);

	IPC::Run::run(\@_, '<', \undef, '>', \$out, '2>', \$err);
	return ($? >> 8, $out, $err);
}
