# Bundles of evidence: whole, the same each time and by both ways, on record whatever becomes of the
# transaction, and checked by their own README.txt with nothing but openssl and the shell.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Digest::SHA qw(sha256_hex);
use File::Find;
use File::Path qw(remove_tree);
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('evidence');
my $folder = PostgreSQL::Test::Utils::tempdir;
my $count = 0;
my ($status, $out, $err);

$node->init;
$node->append_conf('postgresql.conf', qq{
shared_preload_libraries = 'audit_trail'
max_worker_processes = 20
fsync = off
audit_trail.seal_interval = 1h
audit_trail.debug_points = ''
audit_trail.signing_key_file = '$folder/key'
audit_trail.checkpoint_file = '$folder/checkpoints'
});
$node->start;
$node->safe_psql('postgres', q{
	SET client_min_messages = error;
	CREATE EXTENSION audit_trail;
	CREATE TABLE orders (id int PRIMARY KEY, total numeric, note text);
	SELECT audit.enable('orders', resource_type => 'order')});
like(refusal(q{event_ids => '{1.1}'}), qr/there is no event 1\.1 to prove/, 'no bundle of an event that there is not');
$node->safe_psql('postgres', q{INSERT INTO orders VALUES (1, 10.50, 'first')});
my $first = id_of("resource_id = '1'");
like(refusal("event_ids => '{$first}'"), qr/there is no signed checkpoint for evidence/, 'none before the log is signed');
my $vkey = $node->safe_psql('postgres', "SELECT audit.create_signing_key('$folder/key', 'example.org/shop')");

# An event that is not sealed yet is sealed.
$node->safe_psql('postgres', q{
	BEGIN;
	SELECT audit.set_context(actor => 'anna', reason => 'the customer called', request_id => 'r-1');
	UPDATE orders SET total = 11.00, note = NULL WHERE id = 1;
	INSERT INTO orders VALUES (2, 1e3, E'<script>alert("&")</script>\u202e\u0007\n\ttab');
	COMMIT});
my $update = id_of("action = 'update'");
my $script = id_of("resource_id = '2'");
my $bundle = archive("event_ids => '{$update}'");
check_bundle($bundle, 'one event');
my $report = slurp("$bundle/report.html");
like($report, qr/order 1 was changed/, 'the report tells what was done');
like($report, qr/anna/, 'by whom');
like($report, qr/the customer called/, 'and why');

done_testing();

sub id_of
{
	my ($where) = @_;

	return $node->safe_psql('postgres', "SELECT event_id FROM audit.events WHERE $where ORDER BY tx_id DESC, ordinal DESC LIMIT 1");
}

sub refusal
{
	my ($arguments, @more) = @_;

	($status, $out, $err) = $node->psql('postgres', "SELECT * FROM audit.export_evidence($arguments)", @more);
	return $status ? $err : "no refusal: $out";
}

# The bundle as an archive, unpacked by tar; the folder it is in.
sub archive
{
	my ($arguments, @more) = @_;
	my $place = "$folder/archive" . ++$count;

	write_file("$place.tar", pack('H*', $node->safe_psql('postgres', "SELECT encode(archive, 'hex') FROM audit.export_evidence($arguments)", @more)));
	mkdir $place;
	system_or_bail('tar', '-xf', "$place.tar", '-C', $place);
	return $place;
}

sub write_file
{
	my ($path, $content) = @_;

	open my $file, '>:raw', $path or die "$path: $!";
	print $file $content;
	close $file or die "$path: $!";
	return;
}

sub slurp
{
	my ($path) = @_;

	open my $file, '<:raw', $path or die "$path: $!";
	local $/;
	return scalar <$file>;
}

# Paths and contents of all files.
sub contents
{
	my ($place) = @_;
	my %contents;

	find({ no_chdir => 1, wanted => sub { $contents{ substr($_, 1 + length $place) } = slurp($_) if -f } }, $place);
	return \%contents;
}

# The manifest, and the commands of README.txt, which are run as they stand there.
sub check_bundle
{
	my ($place, $name) = @_;
	my $contents = contents($place);
	my %listed = map { /^([0-9a-f]{64})  (\S+)$/ ? ($2 => $1) : die "no line of a manifest: $_" } split /\n/, $contents->{MANIFEST};
	my @wrong = grep { $_ ne 'MANIFEST' && ($listed{$_} // '') ne sha256_hex($contents->{$_}) } keys %$contents;

	is_deeply(\@wrong, [], "$name: the manifest lists all files");
	is(join(' ', sort keys %listed), join(' ', map { $_ ne 'MANIFEST' ? $_ : () } sort keys %$contents), "$name: and no others");
	write_file("$place.sh", join '', map { s/^    // ? "$_\n" : () } split /\n/, $contents->{'README.txt'});
	my ($stdout, $stderr) = ('', '');
	my $good = IPC::Run::run([ 'sh', "$place.sh" ], '>', \$stdout, '2>', \$stderr, init => sub { chdir $place; $ENV{tsa} = "$folder/tsa.pem" });
	my @said = grep { /^(\d\.|done)/ && !/^[24]\./ } split /\n/, $stdout;
	is(join(', ', $good ? () : 'failed', @said),
		'1. files: ok, 3. signature: ok, 6. event in its batch: ok, 7. batch in the log: ok, 8. session: ok, done',
		"$name: its README.txt checks it") or diag $stdout, $stderr;
	return;
}
