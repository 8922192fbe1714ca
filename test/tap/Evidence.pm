# What tests of evidence share: bundles as folders, their check by their own README.txt, and those
# outside who sign checkpoints: a time stamp authority and a witness, made of openssl.
package Evidence;

use strict;
use warnings;

use Digest::SHA qw(sha256 sha256_hex);
use Exporter 'import';
use File::Find;
use IPC::Run;
use JSON::PP;
use MIME::Base64;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(archive archive_of check_bundle check_text contents mode_of slurp write_file);

my ($node, $folder);
my $count = 0;

# Whose bundles, and where to put them.
sub begin
{
	($node, $folder) = @_;
	return;
}

# The bundle as an archive, unpacked by tar: the folder it is in. The archive is beside it.
sub archive
{
	my ($arguments, @more) = @_;

	return archive_of('postgres', $arguments, @more);
}

sub archive_of
{
	my ($database, $arguments, @more) = @_;
	my $place = "$folder/archive" . ++$count;

	write_file("$place.tar", pack('H*', $node->safe_psql($database, "SELECT encode(archive, 'hex') FROM audit.export_evidence($arguments)", @more)));
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

sub mode_of
{
	my ($path) = @_;

	return sprintf '%04o', (stat $path)[2] & 07777;
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
	my ($out, $err) = ('', '');

	is_deeply(\@wrong, [], "$name: the manifest lists all files");
	is(join(' ', sort keys %listed), join(' ', grep { $_ ne 'MANIFEST' } sort keys %$contents), "$name: and no others");

	write_file("$place.sh", join '', map { /^    (.*)/ ? "$1\n" : () } split /\n/, $contents->{'README.txt'});
	my $good = IPC::Run::run([ 'sh', "$place.sh" ], '>', \$out, '2>', \$err, init => sub { chdir $place; $ENV{tsa} = "$folder/tsa.pem" });
	my @said = grep { /^(\d\. |done)/ && !/^2\./ } split /\n/, $out;
	my @stamped = map { /^timestamp/ ? qr/^4\. stamped: \w+ / : () } keys %$contents;

	is(join(', ', $good ? () : 'failed', grep { !/^4\. stamped/ } @said),
		'1. files: ok, 3. signature: ok, 6. event in its batch: ok, 7. batch in the log: ok, 8. session: ok, done',
		"$name: its README.txt checks it") or diag $out, $err;
	is(scalar(grep { /^4\. stamped: \w+ / } @said), scalar(@stamped), "$name: and its time stamps");
	check_tool($place, $name);
	return;
}

# What audit_verify says of it, as a folder and as an archive, by the key that others were given.
sub check_tool
{
	my ($place, $name) = @_;
	my ($key) = (split /\n/, slurp("$place/keys"))[-1];
	my @arguments = ('--key', $key);

	push @arguments, '--witness', "$folder/witness.pub" if slurp("$place/checkpoint") =~ /\n\xE2\x80\x94 witness/;
	push @arguments, '--tsa-ca', "$folder/tsa.pem" if -d "$place/timestamp";
	foreach my $bundle ($place, "$place.tar")
	{
		my ($out, $err) = ('', '');

		next if !-e $bundle;
		IPC::Run::run([ 'audit_verify', @arguments, $bundle ], '>', \$out, '2>', \$err);
		is($? >> 8, 0, "$name: audit_verify says that it is valid") or diag "$bundle: ", $out, $err;
	}
	return;
}

# Readable files are text, whatever was recorded.
sub check_text
{
	my ($place, $name) = @_;
	my $report = slurp("$place/report.html");
	my $events = slurp("$place/events.json");
	my %allowed = map { $_ => 1 } qw(!DOCTYPE html head meta title style body p h1 h2 h3 h4 table thead tr th td br code strong ul ol li div pre footer span i);
	my @odd = grep { !$allowed{$_} } $report =~ m{<\s*/?([^\s>]*)}g;

	is_deeply(\@odd, [], "$name: the report has no markup but its own");
	unlike($report, qr/[\x00-\x09\x0b-\x1f\x7f]/, "$name: and no control characters");
	ok(utf8::decode(my $copy = $report), "$name: it is UTF-8");
	unlike($copy, qr/[\x{80}-\x{9f}\x{200b}-\x{200f}\x{202a}-\x{202e}\x{2066}-\x{2069}\x{feff}]/, "$name: without what cannot be seen");
	ok(eval { decode_json($events) }, "$name: events.json is JSON") or diag $@;
	unlike($events, qr/[\x00-\x08\x0b-\x1f\x7f]|\xe2\x80\xae/, "$name: and has no control characters");
	return;
}

# A time stamp authority, whose key is on P-256.
sub make_authority
{
	write_file("$folder/tsa.cnf", <<"CONF");
[tsa]
default_tsa = here
[here]
serial = $folder/tsa.serial
crypto_device = builtin
signer_cert = $folder/tsa.pem
signer_key = $folder/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4
digests = sha256, sha512
ess_cert_id_alg = sha256
[req]
distinguished_name = name
[name]
[extensions]
extendedKeyUsage = critical, timeStamping
CONF
	write_file("$folder/tsa.serial", "01\n");
	system_or_bail('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=tsa.example', '-days', '30',
		'-config', "$folder/tsa.cnf", '-extensions', 'extensions', '-keyout', "$folder/tsa.key", '-out', "$folder/tsa.pem");
	return;
}

# A witness that signs everything. The anchor command prints its line, and then a time stamp.
sub make_witness
{
	my ($name) = @_;

	system_or_bail('openssl', 'genpkey', '-algorithm', 'ed25519', '-out', "$folder/witness.pem");
	my $public = substr `openssl pkey -in $folder/witness.pem -pubout -outform DER`, -32;
	my $id = unpack 'H8', sha256("$name\n\x04$public");

	write_file("$folder/witness.pub", "$name+$id+" . encode_base64("\x04$public", '') . "\n");
	write_file("$folder/witness.pl", <<'PERL');
use MIME::Base64;
my ($folder, $name, $id, $path) = @ARGV;
local $/;
open my $file, '<:raw', $path or die;
my ($text) = <$file> =~ /\A(.*?\n)\n/s;
my $when = time;
open my $message, '>:raw', "$folder/message" or die;
print $message "cosignature/v1\ntime $when\n$text";
close $message;
my $signature = `openssl pkeyutl -sign -inkey $folder/witness.pem -rawin -in $folder/message`;
print "\xE2\x80\x94 $name ", encode_base64(pack('H8', $id) . pack('Q>', $when) . $signature, ''), "\n";
PERL
	write_file("$folder/anchor", <<"SHELL");
set -e
perl $folder/witness.pl $folder $name $id "\$1"
openssl ts -query -data "\$1" -sha256 -cert -out $folder/query.tsq 2>/dev/null
openssl ts -reply -config $folder/tsa.cnf -section here -queryfile $folder/query.tsq 2>/dev/null
SHELL
	return;
}

1;
