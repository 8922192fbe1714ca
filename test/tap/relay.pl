# audit_relay brings alerts to a webhook, to syslog by TCP and TLS, and to a file: signed, in order, each at
# least once, whatever fails between the database and the receivers, and with no more rights than it needs.

use strict;
use warnings;

use Digest::SHA 'hmac_sha256_base64';
use IO::Socket::INET;
use IPC::Open2;
use JSON::PP;
use Polling;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use POSIX ':sys_wait_h';
use Test::More;
use Time::HiRes qw(sleep time);

my $limit = $PostgreSQL::Test::Utils::timeout_default;
my $dir = PostgreSQL::Test::Utils::tempdir;
my $secret = 'a secret of thirty-two characters';
my @children;

my $node = PostgreSQL::Test::Cluster->new('relay');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\nmax_worker_processes = 20\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION audit_trail;
	CREATE TABLE orders (id text PRIMARY KEY, price numeric);
	SELECT audit.enable('orders');
	SELECT audit.alert_when('price', 'orders', '{price}', severity => 'warning', channel => 'pricing');
	SELECT count(*) FROM audit.create_roles();
	CREATE ROLE relay LOGIN;
	GRANT audit_relay TO relay;
	INSERT INTO orders SELECT g, 0 FROM generate_series(1, 1000) g;
});

# An authority of our own, and a certificate of it for 127.0.0.1.
system_or_bail(qw(openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority),
	'-keyout', "$dir/ca.key", '-out', "$dir/ca.pem");
system_or_bail(qw(openssl req -newkey rsa:2048 -nodes -subj /CN=receiver), '-keyout', "$dir/tls.key", '-out', "$dir/tls.csr");
write_file("$dir/ext", "subjectAltName=IP:127.0.0.1\n");
system_or_bail(qw(openssl x509 -req -days 2 -CAcreateserial), '-in', "$dir/tls.csr", '-CA', "$dir/ca.pem",
	'-CAkey', "$dir/ca.key", '-extfile', "$dir/ext", '-out', "$dir/tls.pem");
write_file("$dir/secret", "$secret\n");
chmod 0600, "$dir/secret";

my %port = map { $_ => PostgreSQL::Test::Cluster::get_free_port() } qw(hook tcp tls health);
write_file("$dir/mode", 'ok');
write_file("$dir/$_", '') foreach qw(hook.got tcp.got tls.got);
my $conninfo = 'host=' . $node->host . ' port=' . $node->port . ' dbname=postgres user=relay';
write_config();
start_child(\&receive_hooks);
my $tcp = start_child(\&receive_tcp);
my $tls = start_child(\&receive_tls);
my $relay;
start_relay();

# Each sink gets it, signed and whole.
change(1);
ok(wait_for(sub { hooks() == 1 && lines('file') == 1 && lines('tcp.got') == 1 && lines('tls.got') == 1 }), 'each sink has the alert');
my ($hook) = hooks();
my $event = $hook->{event};
is($hook->{verified}, 1, 'the webhook verifies the signature');
is($hook->{type}, 'application/cloudevents+json; charset=utf-8', 'of a CloudEvent');
is_deeply([ @$event{qw(specversion type source)}, @{ $event->{data} }{qw(rule severity table_name resource_id attempt)} ],
	[ '1.0', 'audit_trail.alert.raised', '/shop "1"', 'price', 'warning', 'orders', '1', 1 ], 'that says what happened');
like($event->{time}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/, 'and when');
is($event->{id}, $hook->{id}, 'under the id of the delivery');
is_deeply([ decode_json((all('file'))[0]) ], [$event], 'the file has the same');
like((all('tcp.got'))[0], qr/^<108>1 \d{4}-.*Z \S+ audit_trail \d+ alert \[audit\@32473 alert_id="\d+" .*resource_id="1"/, 'syslog too');
like((all('tls.got'))[0], qr/^\d+ <108>1 .*resource_id="1"/, 'by TLS with octet counting');

# A receiver that fails is asked again, in order; one that refuses gets no more of it.
set_mode('500');
change(2);
ok(wait_for(sub { health()->{hook}{failures_in_a_row} >= 2 }), 'a receiver that fails is asked again');
is(status(), 503, 'which the health page tells');
ok(health()->{hook}{lag_seconds} >= 0 && health()->{hook}{error} eq 'HTTP 500' && health()->{file}{ok}, 'of that sink');
ok(wait_for(sub { lines('file') == 2 }), 'the others do not wait for it');
set_mode('400');
ok(wait_for(sub { health()->{hook}{dead_letters} == 1 }), 'what is refused is a dead letter');
like((all('state/hook.dead'))[0], qr/^\{"sink":"hook",.*"reason":"HTTP 400","event":\{.*"resource_id" ?: ?"2"/, 'in a file');
is($node->safe_psql('postgres', q{SELECT channel, outcome, detail FROM audit.dead_letters}), 'sink:hook|failed|HTTP 400', 'and in the database');
set_mode('ok');
$node->safe_psql('postgres', 'SELECT audit.resend_alert(alert_id) FROM audit.dead_letters');
ok(wait_for(sub { grep { $_->{event}{data}{resource_id} eq '2' && $_->{event}{data}{attempt} == 2 } hooks() }), 'it can be sent again');
ok($node->poll_query_until('postgres', 'SELECT count(*) = 0 FROM audit.dead_letters'), 'and then is none any more');
is(status(), 200, 'all is well');

# Killed at the worst line: the receiver has it, and the relay does not know.
foreach my $round (1 .. 5)
{
	set_mode("kill $relay");
	change(10 + $round);
	ok(wait_for(sub { waitpid($relay, WNOHANG) == $relay }), 'the relay is killed in the middle of a delivery');
	set_mode('ok');
	change(20 + $round);
	start_relay();
	ok(wait_for(sub { grep { $_->{event}{data}{resource_id} eq 20 + $round } hooks() }), 'and goes on');
}
is_deeply([ hook_keys() ], [ 1, 2, map { (10 + $_, 20 + $_) } 1 .. 5 ], 'the webhook has each, in order, some twice');
ok(wait_for(sub { keys_of('file') == 12 }), 'and the file');

# Killed at random under load.
foreach my $round (1 .. 5)
{
	$node->safe_psql('postgres', "UPDATE orders SET price = price + 1 WHERE id::int BETWEEN 1 + 100 * $round AND 100 + 100 * $round");
	sleep(0.05 * $round);
	kill 'KILL', $relay;
	waitpid $relay, 0;
	start_relay();
}
ok(wait_for(sub { keys_of('file') == 512 && hook_keys() == 512 && keys_of('tcp.got') == 512 && keys_of('tls.got') == 512 }, 60), 'killed at random it loses nothing')
  or diag(join ' ', scalar keys_of('file'), scalar hook_keys(), scalar keys_of('tcp.got'), scalar keys_of('tls.got'));
is(scalar(grep { !$_->{verified} } hooks()), 0, 'and signs all of it');

# The server is restarted, and crashes; the receivers too.
$node->stop('immediate');
ok(wait_for(sub { !health()->{file}{connected} }), 'without a database the relay says so');
$node->start;
change(601);
ok(wait_for(sub { keys_of('file') == 513 }), 'it connects again');
stop_child($tcp);
stop_child($tls);
change(602);
ok(wait_for(sub { health()->{tcp}{failures_in_a_row} }), 'a receiver that is gone is noticed');
$tcp = start_child(\&receive_tcp);
$tls = start_child(\&receive_tls);
ok(wait_for(sub { keys_of('tcp.got') >= 513 && grep { /resource_id="602"/ } all('tcp.got') }), 'and has it when it is back');
ok(wait_for(sub { grep { /resource_id="602"/ } all('tls.got') }), 'by TLS too');

# A certificate of somebody else is not accepted.
system_or_bail(qw(openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1), '-keyout', "$dir/other.key", '-out', "$dir/other.pem");
write_config(ca => 'other.pem');
kill 'HUP', $relay;
ok(wait_for(sub { log_text() =~ /configuration was read again/ }), 'SIGHUP reads the configuration');
change(603);
ok(wait_for(sub { (health()->{tls}{error} // '') =~ /certificate|issuer/i }), 'a receiver whose certificate is not known is refused') or diag(explain(health()));
ok(!(grep { /resource_id="603"/ } all('tls.got')), 'and gets nothing');
write_file("$dir/relay.conf", "nonsense = 1\n");
kill 'HUP', $relay;
ok(wait_for(sub { log_text() =~ /configuration stays as it was/ }), 'a wrong configuration changes nothing');
write_config();
kill 'HUP', $relay;
ok(wait_for(sub { grep { /resource_id="603"/ } all('tls.got') }), 'with the right one it comes');

# The file is rotated away; a new one is begun.
rename "$dir/file", "$dir/file.1";
change(604);
ok(wait_for(sub { keys_of('file') == 1 }), 'a file that was rotated is begun anew');
rename "$dir/file", "$dir/file.2";

# Hostile text stays in its place.
$node->safe_psql('postgres', q{SELECT audit.alert_when(E'a"]\n<0>1 - forged \\\\', 'orders', '{price}', severity => 'x"y')});
$node->safe_psql('postgres', q{INSERT INTO orders VALUES (E'key"]\n\\\\{"a":1}' || chr(127) || chr(8238), 1)});
$node->safe_psql('postgres', q{UPDATE orders SET price = 2 WHERE id LIKE 'key%'});
ok(wait_for(sub { lines('file') == 2 }), 'hostile text arrives');
is((grep { eval { decode_json($_)->{data}{resource_id} =~ /^key"\]\n/ } } all('file')), 2, 'as what it is');
ok(!(grep { !/^<\d+>1 \d{4}-/ } all('tcp.got')), 'and forges no line of syslog');

# With no more rights than it needs, and not twice at a time.
isnt($node->psql('postgres', 'SELECT audit.acknowledge(1)', connstr => $conninfo), 0, 'it acknowledges nothing');
is($node->safe_psql('postgres', 'SELECT count(*) FROM audit.events', connstr => $conninfo), '0', 'and sees no events');
isnt(system("audit_relay --config=$dir/relay.conf 2>/dev/null"), 0, 'a second one with the same state does not start');
is(system("audit_relay --config=$dir/relay.conf --check"), 0, 'a configuration can be checked');

# Ends when it is told to, and is back where it was.
kill 'TERM', $relay;
waitpid $relay, 0;
is($?, 0, 'SIGTERM ends it');
my $before = hooks();
start_relay();
change(605);
ok(wait_for(sub { grep { $_->{event}{data}{resource_id} eq '605' } hooks() }), 'then it goes on where it was');
is(scalar(hooks()), $before + 2, 'and tells nothing twice');
unlike(log_text(), qr/Sanitizer|\Q$secret\E/, 'its log has no secret');

$node->stop;
done_testing();

# Whatever ends the test, nothing of it is left running.
END
{
	my $status = $?;

	kill 'TERM', @children, $relay // ();
	waitpid $_, 0 foreach @children, $relay // ();
	$? = $status;
}

sub change
{
	my ($key) = @_;

	$node->safe_psql('postgres', "UPDATE orders SET price = price + 1 WHERE id = '$key'");
	return;
}

sub write_config
{
	my (%with) = @_;
	my $ca = $with{ca} // 'ca.pem';

	write_file("$dir/relay.conf", <<"CONF");
# all kinds of sinks
conninfo = $conninfo
state = $dir/state
source = /shop "1"
health = 127.0.0.1:$port{health}

[sink hook]
type = webhook
url = http://127.0.0.1:$port{hook}/hook
secret_file = $dir/secret
begin = all
retry_first = 50
retry_max = 1

[sink tcp]
type = syslog
address = tcp://127.0.0.1:$port{tcp}
begin = all
retry_first = 50
retry_max = 1

[sink tls]
type = syslog
address = tls://127.0.0.1:$port{tls}
ca_file = $dir/$ca
begin = all
retry_first = 50
retry_max = 1

[sink file]
type = file
path = $dir/file
begin = all
CONF
	return;
}

sub write_file
{
	my ($path, $text) = @_;

	open my $out, '>', "$path.new" or die "$path: $!";
	print $out $text;
	close $out;
	rename "$path.new", $path;
	return;
}

sub set_mode { return write_file("$dir/mode", @_); }

# Lines of a file that are whole.
sub all
{
	my ($name) = @_;
	my $text = -e "$dir/$name" ? slurp_file("$dir/$name") : '';

	$text =~ s/[^\n]*\z//;
	return split /\n/, $text;
}

sub lines { return scalar(all(@_)); }
sub log_text { return -e "$dir/log" ? slurp_file("$dir/log") : ''; }
sub hooks { return map { decode_json($_) } all('hook.got'); }

# Keys of rows, each once, in the order in which they came first.
sub hook_keys { my %seen; return grep { !$seen{$_}++ } map { $_->{event}{data}{resource_id} } hooks(); }

sub keys_of
{
	my ($name) = @_;
	my %seen;

	return grep { !$seen{$_}++ } map { /resource_id(?:="|" ?: ?")(.*?)"/ ? $1 : () } all($name);
}

sub wait_for
{
	my ($condition, $seconds) = @_;
	my $until = time + ($seconds // $limit);

	while (time < $until)
	{
		return 1 if $condition->();
		sleep(0.05);
	}
	return 0;
}

sub start_child
{
	my ($code) = @_;
	my $pid = fork // die;

	if ($pid == 0)
	{
		$SIG{TERM} = sub { POSIX::_exit(0) };
		$SIG{PIPE} = 'IGNORE';

		# it must not come to the END that stops the servers
		eval { $code->(); 1 } or print STDERR "a receiver died: $@";
		POSIX::_exit(0);
	}
	push @children, $pid;
	return $pid;
}

sub stop_child
{
	my ($pid) = @_;

	kill 'TERM', $pid;
	waitpid $pid, 0;
	@children = grep { $_ != $pid } @children;
	return;
}

sub start_relay
{
	$relay = fork // die;
	if ($relay == 0)
	{
		@children = ();
		open STDERR, '>>', "$dir/log";
		exec 'audit_relay', "--config=$dir/relay.conf" or POSIX::_exit(127);
	}
	return;
}

sub get_page
{
	my $socket = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port{health}", Timeout => 2) or return '';

	print $socket "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
	local $/;
	return <$socket> // '';
}

sub status { return get_page() =~ /^HTTP\/1\.1 (\d+)/ ? $1 : 0; }

sub health
{
	my ($json) = get_page() =~ /\r\n\r\n(.*)/s;

	return {} if !defined $json;
	return { map { $_->{name} => $_ } @{ decode_json($json)->{sinks} } };
}

# Answers as the mode says; writes down what it took before it answers.
sub receive_hooks
{
	my $server = IO::Socket::INET->new(LocalAddr => "127.0.0.1:$port{hook}", Listen => 10, ReuseAddr => 1) or die;

	while (1)
	{
		my $client = $server->accept or next;

		while (my $request = read_request($client))
		{
			my ($mode, $pid) = split / /, slurp_file("$dir/mode");
			my $status = $mode eq 'ok' || $mode eq 'kill' ? 200 : $mode;
			my $signed = "v1," . pad(hmac_sha256_base64("$request->{id}.$request->{time}.$request->{body}", $secret));
			my $fresh = abs(time - $request->{time}) < 60;

			if ($status == 200)
			{
				open my $out, '>>', "$dir/hook.got";
				print $out encode_json({ id => $request->{id}, type => $request->{type}, event => decode_json($request->{body}),
					verified => $fresh && $signed eq $request->{signature} ? 1 : 0 }), "\n";
				close $out;
			}
			kill 'KILL', $pid if $mode eq 'kill';
			print $client "HTTP/1.1 $status x\r\nContent-Length: 0\r\n\r\n";
		}
	}
}

sub pad { my ($text) = @_; return $text . '=' x (-length($text) % 4); }

sub read_request
{
	my ($client) = @_;
	my $head = '';
	my %request;

	while ($head !~ /\r\n\r\n/)
	{
		return if !sysread $client, $head, 1, length $head;
	}
	my ($length) = $head =~ /^content-length: *(\d+)/mi;
	$request{body} = '';
	while (length $request{body} < $length)
	{
		return if !sysread $client, $request{body}, $length - length $request{body}, length $request{body};
	}
	($request{id}) = $head =~ /^webhook-id: *(\S+)/mi;
	($request{time}) = $head =~ /^webhook-timestamp: *(\d+)/mi;
	($request{signature}) = $head =~ /^webhook-signature: *(.*?)\r/mi;
	($request{type}) = $head =~ /^content-type: *(.*?)\r/mi;
	return \%request;
}

# RFC 6587, octet counting: a length, a space, so many bytes. Anything else ends the test.
sub receive_tcp
{
	my $server = IO::Socket::INET->new(LocalAddr => "127.0.0.1:$port{tcp}", Listen => 10, ReuseAddr => 1) or die;

	while (1)
	{
		my $client = $server->accept or next;
		my $buffer = '';

		while (sysread $client, $buffer, 65536, length $buffer)
		{
			while ($buffer =~ /^(\d+) / && length $buffer >= $1 + length "$1 ")
			{
				my $length = $1;

				open my $out, '>>', "$dir/tcp.got";
				print $out substr($buffer, length "$length ", $length), "\n";
				close $out;
				$buffer = substr $buffer, $length + length "$length ";
			}
		}
	}
}

# openssl speaks TLS; what it prints are frames without anything between them.
sub receive_tls
{
	my $pid = open2(my $in, my $keep, 'openssl', 's_server', '-quiet', '-accept', "127.0.0.1:$port{tls}",
		'-cert', "$dir/tls.pem", '-key', "$dir/tls.key");
	my $buffer = '';

	local $SIG{TERM} = sub { kill 'KILL', $pid; waitpid $pid, 0; POSIX::_exit(0) };
	while (sysread $in, $buffer, 65536, length $buffer)
	{
		while ($buffer =~ /^(\d+) / && length $buffer >= $1 + length "$1 ")
		{
			my $length = $1;

			open my $out, '>>', "$dir/tls.got";
			print $out substr($buffer, 0, $length + length "$length "), "\n";
			close $out;
			$buffer = substr $buffer, $length + length "$length ";
		}
	}
	return;
}
