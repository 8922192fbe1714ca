# What audit_relay offers besides, and against whom: a local socket of syslog, receivers that lie, redirect, sleep or have
# another's certificate, forged and repeated requests, long alerts, two databases for one receiver, a server that is gone.

use strict;
use warnings;

use Digest::SHA 'hmac_sha256_base64';
use FindBin;
use IO::Socket::INET;
use IO::Socket::UNIX;
use IPC::Open2;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use POSIX ':sys_wait_h';
use Socket;
use Test::More;
use Time::HiRes qw(sleep time);

my $limit = $PostgreSQL::Test::Utils::timeout_default;
my $examples = -d 'doc/examples' ? 'doc/examples' : "$FindBin::RealBin/../../doc/examples";
my $dir = PostgreSQL::Test::Utils::tempdir_short;
my $secret = 'a secret of thirty-two characters';
my $password = 'swordfish-of-the-relay';
my @databases = qw(shop depot);
my %port = map { $_ => PostgreSQL::Test::Cluster::get_free_port() } qw(hook https trap node health other);
my @children;
my %relay;

my $node = PostgreSQL::Test::Cluster->new('relay_sinks');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\nmax_worker_processes = 24\n");
$node->start;
$node->safe_psql('postgres', "CREATE ROLE relay LOGIN PASSWORD '$password'");
foreach my $database (@databases)
{
	$node->safe_psql('postgres', "CREATE DATABASE $database");
	$node->safe_psql($database, q{
		CREATE EXTENSION audit_trail;
		CREATE TABLE orders (id text PRIMARY KEY, price numeric);
		SELECT audit.enable('orders');
		SELECT audit.alert_when('price', 'orders', '{price}', severity => 'warning', channel => 'pricing');
		SELECT count(*) FROM audit.create_roles();
		GRANT audit_relay TO relay;
		INSERT INTO orders SELECT g, 0 FROM generate_series(1, 100) g});
}
write_file("$dir/secret", "$secret\n");
chmod 0600, "$dir/secret";
certificates();
write_file("$dir/mode", 'ok');
write_file("$dir/$_", '') foreach qw(socket.got https.got trap.got hook.got);
my $https = start_child(\&receive_https);
start_child(\&receive_trap);
start_child(\&receive_hook);
my $socket = start_child(\&receive_socket);
my $js;
$js = start_program('node', "$examples/webhook.js", $port{node}, "$dir/secret", "$dir/node.got")
  if system('node --version >/dev/null 2>&1') == 0;

my %common = (begin => 'all', retry_first => 50, retry_max => 1, timeout => 2);
my %sinks = (
	socket => { %common, type => 'syslog', address => "unix:$dir/log.socket" },
	https => { %common, type => 'webhook', url => "https://127.0.0.1:$port{https}/a", secret_file => "$dir/secret", ca_file => "$dir/other.pem" },
	hook => { %common, type => 'webhook', url => "http://127.0.0.1:$port{hook}/b?token=in-the-url", secret_file => "$dir/secret" },
	file => { begin => 'all', type => 'file', path => "$dir/file" });
$sinks{node} = { %common, type => 'webhook', url => "http://127.0.0.1:$port{node}/", secret_file => "$dir/secret" } if $js;
write_config('shop', 'health', %sinks);
ok(wait_for(sub { -S "$dir/log.socket" && listens('trap') && listens('hook') && (!$js || listens('node')) }), 'receivers are there');
start_relay('shop');

# A local socket: a datagram each, without a length before it.
change('shop', 1);
ok(wait_for(sub { lines('socket.got') == 1 && lines('file') == 1 && lines('hook.got') == 1 }), 'the socket has the alert');
like((all('socket.got'))[0], qr/^<108>1 \d{4}-\S+Z \S+ audit_trail \d+ alert \[audit\@32473 alert_id="\d+" .*resource_id="1"/, 'as RFC 5424');
stop_child($socket);
change('shop', 2);
ok(wait_for(sub { (health('health')->{socket}{failures_in_a_row} // 0) >= 2 }), 'a receiver that is gone is noticed');
unlink "$dir/log.socket";
write_file("$dir/sleeps", '');
$socket = start_child(\&receive_socket);
ok(wait_for(sub { (health('health')->{socket}{error} // '') eq '' }), 'and that it is back');
change('shop', $_) for 3 .. 60;
ok(wait_for(sub { (health('health')->{socket}{error} // '') =~ /could not send/ }), 'one that does not read is waited for, but not for ever')
  or diag(explain(health('health')->{socket}));
ok(keys_of('file') == 60 || wait_for(sub { keys_of('file') == 60 }), 'the others go on');
unlink "$dir/sleeps";
ok(wait_for(sub { keys_of('socket.got') == 60 }), 'and then it has all of them');

# TLS is verified, for webhooks too.
ok(wait_for(sub { (health('health')->{https}{error} // '') =~ /certificate/i }), 'a receiver whose certificate is not known is refused')
  or diag(explain(health('health')->{https}));
is(-s "$dir/https.got", 0, 'and gets nothing');
$sinks{https}{ca_file} = "$dir/ca.pem";
$sinks{https}{url} = "https://localhost:$port{https}/a";
write_config('shop', 'health', %sinks);
kill 'HUP', $relay{shop};
ok(wait_for(sub { log_text('shop') =~ /configuration was read again/ && (health('health')->{https}{error} // '') =~ /localhost|match/i }), 'so is one whose certificate is of another name')
  or diag(explain(health('health')->{https}));
is(-s "$dir/https.got", 0, 'and gets nothing');
$sinks{https}{url} = "https://127.0.0.1:$port{https}/a";
write_config('shop', 'health', %sinks);
kill 'HUP', $relay{shop};
ok(wait_for(sub { keys_of('https.got') >= 1 }), 'with its name and authority it comes');
delete $sinks{https};

# A redirection is not followed, whatever it says; the alert waits.
set_mode("307 http://127.0.0.1:$port{trap}/");
change('shop', 61);
ok(wait_for(sub { (health('health')->{hook}{error} // '') eq 'HTTP 307' }), 'a redirection is a failure');
set_mode('ok');
ok(wait_for(sub { keys_of('hook.got') == 61 }), 'that is tried again');
is(-s "$dir/trap.got", 0, 'nothing went where it pointed');

# The example of a receiver: forged, changed, old and repeated requests.
SKIP:
{
	skip 'no node on this machine', 8 if !$js;

	ok(wait_for(sub { keys_of('node.got') == 61 }), 'the example in JavaScript has all of them');
	my $body = (all('node.got'))[0];
	my $id = decode_json($body)->{id};
	my $now = int time;
	my $code = sub { my ($i, $t, $b, $s) = @_; return 'v1,' . pad(hmac_sha256_base64("$i.$t.$b", $s // $secret)) };
	my $lines = lines('node.got');

	is(post($id, $now, $body, $code->($id, $now, $body)), 204, 'one that is repeated is answered');
	is(post('9.9', $now, '{"id":"9.9"}', $code->('9.9', $now, '{"id":"9.9"}', 'another secret of us')), 401, 'one of another secret is refused');
	is(post('9.9', $now, $body . ' ', $code->('9.9', $now, $body)), 401, 'one that was changed');
	is(post('9.9', $now - 600, $body, $code->('9.9', $now - 600, $body)), 401, 'an old one');
	is(post('9.9', $now, $body, 'v1, v1,AAAA v2,x ' . ('=' x 500)), 401, 'one with anything for a signature');
	is(post('9.9', $now, $body, join ' ', 'v1,AAAA', $code->('9.9', $now, $body)), 204, 'of several signatures one suffices');
	is(lines('node.got'), $lines + 1, 'and nothing was taken twice');
}

# A long alert: many columns with long names.
$node->safe_psql('shop', q{
	SELECT audit.alert_alter('price', mute_until => now() + interval '1 day');
	DO $$BEGIN EXECUTE (SELECT 'CREATE TABLE wide (id text PRIMARY KEY, ' || string_agg(format('column_%s_%s int', repeat('x', 48), n), ', ') || ')'
		FROM generate_series(1, 1000) n); END$$;
	SELECT audit.enable('wide');
	SELECT audit.alert_when('wide', 'wide', (SELECT array_agg(attname::text) FROM pg_attribute WHERE attrelid = 'wide'::regclass AND attnum > 1),
		message => repeat('long ', 300));
	INSERT INTO wide (id) VALUES (repeat('key ', 200));
	DO $$BEGIN EXECUTE (SELECT 'UPDATE wide SET ' || string_agg(quote_ident(attname) || ' = 1', ', ') FROM pg_attribute
		WHERE attrelid = 'wide'::regclass AND attnum > 1); END$$});
ok(wait_for(sub { grep { /"rule" ?: ?"wide"/ } all('file') }), 'a long alert comes');
my ($long) = grep { /"rule" ?: ?"wide"/ } all('file');
is(scalar @{ decode_json($long)->{data}{changed} }, 1000, 'whole into the file');
ok(wait_for(sub { grep { /"rule" ?: ?"wide"/ } all('hook.got') }), 'and to the webhook');
ok(wait_for(sub { grep { /rule="wide"/ } all('socket.got') }), 'to syslog');
cmp_ok(length((grep { /rule="wide"/ } all('socket.got'))[0]), '<=', 8192, 'which gets no more than it can take');

# Two databases, a relay each, one receiver: it can tell their deliveries apart.
write_config('depot', 'other', map { $_ => $sinks{$_} } 'hook');
start_relay('depot');
change('depot', 'one');
$node->safe_psql('depot', "INSERT INTO orders VALUES ('of depot', 1); UPDATE orders SET price = 2 WHERE id = 'of depot'");
ok(wait_for(sub { grep { /"of depot"/ } all('hook.got') }), 'two relays deliver to one receiver');
my %ids;
$ids{ decode_json($_)->{id} }++ for all('hook.got');
my ($depot) = map { decode_json($_)->{id} } grep { /"of depot"/ } all('hook.got');
is($ids{$depot}, 1, 'what one delivers has an id that none of the other has');
my ($number) = split /\./, $depot;
ok((grep { /^\Q$number\E\./ } keys %ids) == 2, 'though the numbers of both are alike');

# The server is gone for a while, and comes back.
$node->stop('immediate');
ok(wait_for(sub { !health('health')->{file}{connected} && status('health') == 503 }), 'a server that is gone is on the health page');
$node->start;
$node->safe_psql('shop', q{SELECT audit.alert_alter('price', clear => '{mute_until}')});
change('shop', 70);
ok(wait_for(sub { grep { /"resource_id" ?: ?"70"/ } all('file') }), 'and found when it is back');

# A file that is rotated under load, by renaming and with a signal, loses nothing.
foreach my $round (1 .. 5)
{
	change('shop', join ',', map { $round * 4 + 70 + $_ } 1 .. 4);
	rename "$dir/file", "$dir/file.$round";
	kill 'HUP', $relay{shop};
}
ok(wait_for(sub { keys_all(map { "file.$_" } 1 .. 5) + keys_of('file') >= 20 && (grep { /"resource_id" ?: ?"94"/ } map { all($_) } 'file', map { "file.$_" } 1 .. 5) }),
	'a file that is rotated loses nothing');
is(scalar(grep { !eval { decode_json($_) } } map { all($_) } 'file', map { "file.$_" } 1 .. 5), 0, 'and every line of it is whole');

# Secrets are nowhere where others look.
my $command = slurp_file("/proc/$relay{shop}/cmdline");
unlike($command . log_text('shop') . log_text('depot') . get_page('health'), qr/\Q$secret\E|\Q$password\E|in-the-url/,
	'neither the command line, nor the log, nor the health page has a secret');
is((stat "$dir/state.shop/file.place")[2] & 0777, 0600, 'the place is its own alone');
is((stat "$dir/state.shop")[2] & 0777, 0700, 'so is its folder');
kill 'TERM', values %relay;
waitpid $_, 0 for values %relay;
%relay = ();
$node->stop;
done_testing();

# Whatever ends the test, nothing of it is left running.
END
{
	my $status = $?;

	kill 'TERM', @children, values %relay;
	waitpid $_, 0 foreach @children, values %relay;
	$? = $status;
}

sub change
{
	my ($database, $keys) = @_;

	$node->safe_psql($database, join '', map { "UPDATE orders SET price = price + 1 WHERE id = '$_';\n" } split /,/, $keys);
	return;
}

# An authority of our own with a certificate for 127.0.0.1, and another one.
sub certificates
{
	system_or_bail(qw(openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj), "/CN=$_->[0]", '-keyout', "$dir/$_->[1].key", '-out', "$dir/$_->[1].pem")
	  for [ 'authority', 'ca' ], [ 'other', 'other' ];
	system_or_bail(qw(openssl req -newkey rsa:2048 -nodes -subj /CN=receiver), '-keyout', "$dir/tls.key", '-out', "$dir/tls.csr");
	write_file("$dir/ext", "subjectAltName=IP:127.0.0.1\n");
	system_or_bail(qw(openssl x509 -req -days 2 -CAcreateserial), '-in', "$dir/tls.csr", '-CA', "$dir/ca.pem", '-CAkey', "$dir/ca.key",
		'-extfile', "$dir/ext", '-out', "$dir/tls.pem");
	return;
}

sub write_config
{
	my ($database, $health, %with) = @_;
	my $text = 'conninfo = host=' . $node->host . ' port=' . $node->port . " dbname=$database user=relay password=$password\n"
	  . "state = $dir/state.$database\nhealth = 127.0.0.1:$port{$health}\n";

	foreach my $name (sort keys %with)
	{
		$text .= "[sink $name]\n" . join '', map { "$_ = $with{$name}{$_}\n" } sort keys %{ $with{$name} };
	}
	write_file("$dir/$database.conf", $text);
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

sub append
{
	my ($name, $line) = @_;

	open my $out, '>>', "$dir/$name" or die;
	print $out "$line\n";
	close $out;
	return;
}

sub set_mode { return write_file("$dir/mode", @_); }
sub pad { my ($text) = @_; return $text . '=' x (-length($text) % 4); }

# Lines of a file that are whole.
sub all
{
	my ($name) = @_;
	my $text = -e "$dir/$name" ? slurp_file("$dir/$name") : '';

	$text =~ s/[^\n]*\z//;
	return split /\n/, $text;
}

sub lines { return scalar(all(@_)); }
sub log_text { my ($database) = @_; return -e "$dir/$database.log" ? slurp_file("$dir/$database.log") : ''; }

# Keys of rows, each once.
sub keys_of { my ($name) = @_; return keys_all($name); }

sub keys_all
{
	my %seen;

	return grep { !$seen{$_}++ } map { /resource_id(?:="|" ?: ?")(.*?)"/ ? $1 : () } map { all($_) } @_;
}

sub wait_for
{
	my ($condition) = @_;
	my $until = time + $limit;

	while (time < $until)
	{
		return 1 if $condition->();
		sleep(0.05);
	}
	return 0;
}

sub listens { my ($name) = @_; return defined IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port{$name}", Timeout => 2) }

sub start_child
{
	my ($code) = @_;
	my $pid = fork // die;

	if ($pid == 0)
	{
		$SIG{TERM} = sub { POSIX::_exit(0) };
		$SIG{PIPE} = 'IGNORE';
		eval { $code->(); 1 } or print STDERR "a receiver died: $@";
		POSIX::_exit(0);
	}
	push @children, $pid;
	return $pid;
}

sub start_program
{
	my @command = @_;
	my $pid = fork // die;

	if ($pid == 0)
	{
		@children = ();
		exec @command or POSIX::_exit(127);
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
	my ($database) = @_;

	$relay{$database} = fork // die;
	if ($relay{$database} == 0)
	{
		@children = ();
		%relay = ();
		open STDERR, '>>', "$dir/$database.log";
		exec 'audit_relay', "--config=$dir/$database.conf" or POSIX::_exit(127);
	}
	return;
}

sub get_page
{
	my ($name) = @_;
	my $socket = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port{$name}", Timeout => 2) or return '';

	print $socket "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
	local $/;
	return <$socket> // '';
}

sub status { return get_page(@_) =~ /^HTTP\/1\.1 (\d+)/ ? $1 : 0; }

sub health
{
	my ($json) = get_page(@_) =~ /\r\n\r\n(.*)/s;

	return {} if !defined $json;
	return { map { $_->{name} => $_ } @{ decode_json($json)->{sinks} } };
}

# What the example answers to a request that is made here.
sub post
{
	my ($id, $time, $body, $signature) = @_;
	my $socket = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port{node}", Timeout => 5) or return '';

	print $socket "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ", length $body,
	  "\r\nwebhook-id: $id\r\nwebhook-timestamp: $time\r\nwebhook-signature: $signature\r\n\r\n$body";
	local $/;
	return (<$socket> // '') =~ /^HTTP\/1\.1 (\d+)/ ? $1 : 0;
}

# The body of a request; undef at the end.
sub read_body
{
	my ($client) = @_;
	my ($head, $body) = ('', '');

	while ($head !~ /\r\n\r\n/)
	{
		return if !sysread $client, $head, 1, length $head;
	}
	my ($length) = $head =~ /^content-length: *(\d+)/mi;
	while (length $body < ($length // 0))
	{
		return if !sysread $client, $body, $length - length $body, length $body;
	}
	return $body;
}

# Answers as the mode says: "ok", or a status and where it points to.
sub receive_hook
{
	my $server = IO::Socket::INET->new(LocalAddr => "127.0.0.1:$port{hook}", Listen => 10, ReuseAddr => 1) or die;

	# more than one relay keeps its connection
	local $SIG{CHLD} = 'IGNORE';
	while (1)
	{
		my $client = $server->accept or next;
		next if fork;
		while (defined(my $body = read_body($client)))
		{
			my ($status, $where) = split / /, slurp_file("$dir/mode");

			append('hook.got', $body) if $status eq 'ok';
			print $client $status eq 'ok' ? "HTTP/1.1 200 x\r\n" : "HTTP/1.1 $status x\r\nLocation: $where\r\n", "Content-Length: 0\r\n\r\n";
		}
		POSIX::_exit(0);
	}
}

# Nobody should come here.
sub receive_trap
{
	my $server = IO::Socket::INET->new(LocalAddr => "127.0.0.1:$port{trap}", Listen => 10, ReuseAddr => 1) or die;

	while (1)
	{
		my $client = $server->accept or next;
		my $body = read_body($client);

		append('trap.got', $body) if defined $body;
	}
}

# openssl speaks TLS; what it gets here it sends.
sub receive_https
{
	my $pid = open2(my $in, my $to, 'openssl', 's_server', '-quiet', '-accept', "127.0.0.1:$port{https}", '-cert', "$dir/tls.pem", '-key', "$dir/tls.key");

	local $SIG{TERM} = sub { kill 'KILL', $pid; waitpid $pid, 0; POSIX::_exit(0) };
	while (defined(my $body = read_body($in)))
	{
		append('https.got', $body);
		syswrite $to, "HTTP/1.1 200 x\r\nContent-Length: 0\r\n\r\n";
	}
	return;
}

# A datagram a line; none while there is a file "sleeps".
sub receive_socket
{
	my $server = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => "$dir/log.socket") or die "log.socket: $!";

	while (1)
	{
		sleep(0.02) while -e "$dir/sleeps";
		defined recv $server, my $datagram, 65536, 0 or next;
		append('socket.got', $datagram);
	}
}
