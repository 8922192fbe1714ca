# What leaves no trace in tables is in the trail within a second, with who and whence: a failed login, a denied SELECT, a
# change that the guard or a rule refuses, an attempt that was rolled back.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Told;
use Workers;

my $node = PostgreSQL::Test::Cluster->new('noticed');

$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\nmax_worker_processes = 20\nfsync = off\n"
	  . "audit_trail.record_sessions = on\naudit_trail.record_denials = on\nlisten_addresses = '127.0.0.1'\npassword_encryption = 'scram-sha-256'\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION audit_trail;
	CREATE ROLE anna LOGIN PASSWORD 'right'; CREATE ROLE boss LOGIN SUPERUSER PASSWORD 'right';
	CREATE TABLE orders (id int PRIMARY KEY, price int); INSERT INTO orders VALUES (1, 10);
	CREATE TABLE payroll (id int);
	SELECT audit.enable('orders');
	SELECT audit.alert_when('frozen', 'orders', '{price}', '$.new.price < 0', block => true);
	GRANT ALL ON orders TO anna;
	SELECT audit.create_roles();
	GRANT audit_writer TO anna});
workers_run($node, 'postgres', 'workers run');
unlink($node->data_dir . '/pg_hba.conf');
$node->append_conf('pg_hba.conf', "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n");
$node->reload;

# what, by whom over TCP with this password; the event, and what it says
my @cases = (
	[ 'a failed login', 'anna', 'wrong', '', q{event_type = 'session.refused'}, qr/^session\.refused\|\|anna\|127\.0\.0\.1\|noticed\|28P01/ ],
	[ 'a denied SELECT', 'anna', 'right', 'SELECT * FROM payroll', q{event_type = 'access.denied'}, qr/^access\.denied\|anna\|anna\|127\.0\.0\.1\|noticed\|42501\|.*payroll/ ],
	[ 'an update that the guard refuses', 'boss', 'right', q{UPDATE audit.event SET op = 'X'}, q{event_type = 'audit.refused'},
		qr/^audit\.refused\|boss\|boss\|127\.0\.0\.1\|noticed\|TR\d+\|.*event/ ],
	[ 'an update that a rule refuses', 'anna', 'right', 'UPDATE orders SET price = -1', q{event_type = 'change.blocked'}, qr/^change\.blocked\|anna\|anna\|127\.0\.0\.1\|noticed\|TR\d+/ ],
	[ 'an attempt that is rolled back', 'anna', 'right', q{BEGIN; UPDATE orders SET price = 11; SELECT audit.emit_now('payment.attempted', 'p1'); ROLLBACK},
		q{event_type = 'payment.attempted'}, qr/^payment\.attempted\|anna\|anna\|127\.0\.0\.1\|noticed\|/ ],
);

foreach my $case (@cases)
{
	my ($name, $user, $password, $command, $where, $expected) = @$case;
	local $ENV{PGPASSWORD} = $password;
	my $do = sub {
		run_as($node, 'postgres', $command, '-w', '-d',
			'host=127.0.0.1 port=' . $node->port . " dbname=postgres user=$user application_name=noticed");
	};

	told_soon($node, $do, 1, $where, $name);
	like(told($node, 1, q{event_type, login_user, coalesce(login_user, resource_id), client_ip, coalesce(application_name, 'noticed'), new_values ->> 'sqlstate', new_values ->> 'object'}, $where),
		$expected, "$name: who, whence, what");
}
is($node->safe_psql('postgres', 'SELECT price FROM orders'), '10', 'none of it has changed anything');
is($node->safe_psql('postgres', q{SELECT count(*) - count(DISTINCT (started_at, backend_pid)) FROM audit.session}), '0', 'each session is one row');
$node->stop;
done_testing();
