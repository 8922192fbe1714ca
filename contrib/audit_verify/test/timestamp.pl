# Time stamps in a bundle, made by an authority of our own with openssl ts.
use strict;
use warnings;
use Bundle;
use Ledger;
use POSIX 'strftime';
use Test::More;
use Verify;

my $key = make_key('audit.example/shop', 1);
my $witness = make_key('witness.example/w', 4, 4);
my @trust = ('--key', $key->{vkey});
my ($log, $sessions) = sample_log($key);

# An authority for certificates, and one for time stamps that it vouches for.
sub make_authority
{
	my ($name) = @_;

	spew(scratch("$name.cnf"), <<"CNF");
[req]
distinguished_name = dn
[dn]
[ca]
basicConstraints = critical, CA:true
[signing]
database = ${\scratch("$name.db")}
serial = ${\scratch("$name-ca.serial")}
new_certs_dir = ${\scratch()}
unique_subject = no
default_md = sha256
policy = any
[any]
commonName = supplied
[authority]
basicConstraints = CA:false
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
[tsa]
default_tsa = tsa_config
[tsa_config]
serial = ${\scratch("$name.serial")}
crypto_device = builtin
signer_cert = ${\scratch("$name.pem")}
signer_key = ${\scratch("$name.key")}
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha512
ess_cert_id_chain = no
ess_cert_id_alg = sha256
CNF
	spew(scratch("$name$_->[0]"), $_->[1]) foreach [ '.serial', "01\n" ], [ '-ca.serial', "01\n" ], [ '.db', '' ];
	run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj '/CN=$name root' -config $name.cnf -extensions ca -keyout $name-ca.key -out $name-ca.pem -days 3650");
	run("openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj '/CN=$name' -config $name.cnf -keyout $name.key -out $name.csr");
	certify($name, -3600, 86400);
}

# Valid from this many seconds after now until that many.
sub certify
{
	my ($name, $from, $until) = @_;
	my ($start, $end) = map { strftime('%Y%m%d%H%M%SZ', gmtime(time + $_)) } $from, $until;

	run("openssl ca -batch -notext -config $name.cnf -name signing -cert $name-ca.pem -keyfile $name-ca.key -extensions authority -startdate $start -enddate $end -in $name.csr -out $name.pem");
}

sub run
{
	my ($command) = @_;

	system("cd '${\scratch()}' && $command >log 2>&1") == 0 or die "$command:\n" . slurp(scratch('log'));
}

# The response of an authority to a request for these bytes.
sub stamp
{
	my ($name, $bytes, $options) = @_;

	spew(scratch('data'), $bytes);
	run("openssl ts -query -data data -cert " . ($options // '-sha256') . " -out query");
	run("openssl ts -reply -config $name.cnf -queryfile query -out reply");
	return slurp(scratch('reply'));
}

sub bundle_with
{
	my ($stamp, %options) = @_;

	return unpack_to('stamped', make_bundle($log, $sessions, extra => { 'timestamp/a.tsr' => $stamp }, %options));
}

make_authority($_) foreach 'good', 'other';
my $note = $log->checkpoint;
my ($text) = $note =~ /\A(.*\n)\n/s;
my $stamp = stamp('good', $note);
my $bundle = bundle_with($stamp);
my @ca = ('--tsa-ca', scratch('good-ca.pem'));

like(is_valid('a time stamp of the checkpoint', @trust, @ca, $bundle), qr{^  /CN=good, an authority for time stamps, at \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.0+Z \(timestamp/a\.tsr\)$}m, 'it tells by whom and when');
like(is_valid('without a certificate', @trust, $bundle), qr{^  timestamp/a\.tsr: a time stamp, of \d{4}-.*Z, was not checked: you gave no certificate$}m, 'it tells that');
is_faulty('by another authority', qr{timestamp/a\.tsr: it is not signed by whom the certificates in ".*" vouch for}, @trust, '--tsa-ca', scratch('other-ca.pem'), $bundle);
is_unchecked('with a file that has no certificate', qr/could not read certificates from file/, @trust, '--tsa-ca', spew(scratch('none.pem'), 'x'), $bundle);
is_unchecked('with a file that is not there', qr/could not read certificates from file/, @trust, '--tsa-ca', scratch('nowhere.pem'), $bundle);

# What may be stamped.
is_valid('a time stamp of the text', @trust, @ca, bundle_with(stamp('good', $text)));
is_valid('with another hash', @trust, @ca, bundle_with(stamp('good', $note, '-sha512')));
is_valid('of the note before it was cosigned', @trust, @ca, bundle_with($stamp, note => cosign($note, $witness, 1_795_330_900)));
is_faulty('of another checkpoint', qr{timestamp/a\.tsr: it is not a time stamp of this checkpoint}, @trust, @ca, bundle_with(stamp('good', $log->checkpoint(5))));
is_faulty('the same without a certificate', qr{timestamp/a\.tsr: it is not a time stamp of this checkpoint}, @trust, bundle_with(stamp('good', $log->checkpoint(5))));

# What is no time stamp.
is_faulty("a time stamp $_->[0]", qr{timestamp/a\.tsr: it is not a time stamp}, @trust, @ca, bundle_with($_->[1]))
  foreach [ 'that is empty', '' ], [ 'that is none', 'x' x 100 ], [ 'with bytes behind it', "${stamp}x" ], [ 'that is cut off', substr($stamp, 0, -1) ], [ 'that is a request', slurp(scratch('query')) ],
  [ 'that refuses', "\x30\x05\x30\x03\x02\x01\x02" ];

# Who writes MANIFEST anew can change what no authority signs: that the stamp was granted, in other
# words, or its type and parameters of the form. What is told stays the same, or it does not hold.
my $files = make_bundle($log, $sessions, extra => { 'timestamp/a.tsr' => $stamp });
my ($told) = is_valid('as it is', @trust, @ca, unpack_to('bits', $files)) =~ /(.* an authority for time stamps, .*)/;
my @accepted;
for (my $bit = 0; $bit < 8 * length $stamp; $bit += 41)
{
	my ($code, $out) = verify(@trust, @ca, unpack_to('bits', sealed({ %$files, 'timestamp/a.tsr' => flipped($stamp, $bit) })));

	push @accepted, $bit if $code == 0 && index($out, $told) < 0 || $code > 1;
}
is_deeply(\@accepted, [], 'with a bit flipped it says the same, or nothing');

# What counts is whether the certificate was valid at the time of the stamp. An older stamp cannot be
# ordered, so we wait for the end of a short life.
certify('other', -7200, -3600);
is_faulty('a certificate that had expired', qr{timestamp/a\.tsr: it is not signed by whom}, @trust, '--tsa-ca', scratch('other-ca.pem'), bundle_with(stamp('other', $note)));
certify('other', -3600, 3);
$bundle = bundle_with(stamp('other', $note));
select(undef, undef, undef, 0.2) while system("openssl x509 -in '${\scratch('other.pem')}' -checkend 0 -noout >/dev/null") == 0;
is_valid('a certificate that has expired since', @trust, '--tsa-ca', scratch('other-ca.pem'), $bundle);

done_testing();
