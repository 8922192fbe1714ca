# The examples of clients (doc/examples) hear every alert: those from before, those that come, and those that
# came while they, or the server, were away.

use strict;
use warnings;

use FindBin;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $examples = -d 'doc/examples' ? 'doc/examples' : "$FindBin::RealBin/../../doc/examples";
my $dir = PostgreSQL::Test::Utils::tempdir;
my $node = PostgreSQL::Test::Cluster->new('alert_examples');
my $client;

$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\nmax_worker_processes = 20\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION audit_trail;
	CREATE TABLE orders (id text PRIMARY KEY, price numeric);
	SELECT audit.enable('orders');
	SELECT audit.alert_when('price', 'orders', '{price}', channel => 'pricing');
	SELECT count(*) FROM audit.create_roles();
	CREATE ROLE app LOGIN;
	GRANT audit_responder TO app;
	INSERT INTO orders SELECT g, 0 FROM generate_series(1, 100) g;
});

# psql: what was before, and what comes.
change(1);
$node->safe_psql('postgres', 'SELECT audit.notify_now()');
$ENV{PGHOST} = $node->host;
$ENV{PGPORT} = $node->port;
$ENV{PGUSER} = 'app';
$ENV{PGDATABASE} = 'postgres';
$client = start('sh', "$examples/listen.sh");
ok(wait_for(qr/\|\s*price\s*\|\s*notice\s*\|\s*orders\s*\|\s*1\s*\|/), 'psql shows what was before');
change(2);
ok(wait_for(qr/Asynchronous notification "audit_alert" with payload "\{.*"resource_id":"2"/), 'and what comes');
stop();

# Node, if it can be had.
SKIP:
{
	skip 'no node and npm on this machine', 5 if system('node --version >/dev/null 2>&1 && npm --version >/dev/null 2>&1') != 0;
	my $got = system("cd $dir && HOME=$dir timeout 120 npm install --silent --no-audit --no-fund pg >$dir/npm.log 2>&1");
	skip 'npm cannot be reached', 5 if $got != 0 || !-d "$dir/node_modules/pg";

	$ENV{NODE_PATH} = "$dir/node_modules";
	$client = start('node', "$examples/listen.js", "$dir/state", 'pricing');
	ok(wait_for(qr/"resource_id":"2"/), 'the program in JavaScript catches up');
	change($_) foreach 3 .. 20;
	ok(wait_for(qr/"resource_id":"20"/), 'and hears what comes');
	kill 'KILL', -$client;
	stop();
	change($_) foreach 21 .. 40;
	$client = start('node', "$examples/listen.js", "$dir/state", 'pricing');
	ok(wait_for(qr/"resource_id":"40"/), 'what came while it was killed too');
	$node->stop('immediate');
	$node->start;
	change($_) foreach 41 .. 60;
	ok(wait_for(qr/"resource_id":"60"/), 'and what came when the server had crashed');
	stop();
	my %seen;
	is_deeply([ grep { !$seen{$_}++ } map { /^\{"alert_id".*"resource_id":"(\d+)"/ ? $1 : () } split /\n/, slurp_file("$dir/out") ],
		[ 1 .. 60 ], 'each, in order');
}
$node->stop;
done_testing();

END
{
	my $status = $?;

	stop() if $client;
	$? = $status;
}

sub change
{
	my ($key) = @_;

	local $ENV{PGUSER};
	delete $ENV{PGUSER};
	$node->safe_psql('postgres', "UPDATE orders SET price = price + 1 WHERE id = '$key'");
	return;
}

# What it prints is added to one file.
sub start
{
	my @command = @_;
	my $pid = fork // die;

	if ($pid == 0)
	{
		setpgrp;
		open STDOUT, '>>', "$dir/out";
		open STDERR, '>>', "$dir/err";
		exec @command;
	}
	return $pid;
}

sub stop
{
	kill 'TERM', -$client;
	waitpid $client, 0;
	undef $client;
	return;
}

sub wait_for
{
	my ($pattern) = @_;
	my $until = time + 30;

	while (time < $until)
	{
		return 1 if -e "$dir/out" && slurp_file("$dir/out") =~ $pattern;
		sleep(0.05);
	}
	return 0;
}
