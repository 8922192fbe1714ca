# Workers are connected to their databases, and yet out of the way of every command that wants a
# database to itself.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Workers;

my $node = PostgreSQL::Test::Cluster->new('aside');
my ($status, $out, $err);

$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\n"
	  . "max_worker_processes = 20\nallow_in_place_tablespaces = on\n");
$node->start;
$node->safe_psql('postgres', $_) foreach
  'CREATE ROLE owner CREATEDB',
  'CREATE ROLE other CREATEDB',
  'CREATE DATABASE shop OWNER owner',
  q{SET allow_in_place_tablespaces = on; CREATE TABLESPACE elsewhere LOCATION ''},
  'GRANT CREATE ON TABLESPACE elsewhere TO owner';
$node->safe_psql('shop', 'CREATE EXTENSION audit_trail; SELECT audit.init()');
workers_run($node, 'shop', 'workers run');

# Each command works at the first try, and workers are back where there is something to serve.
$node->safe_psql('postgres', 'CREATE DATABASE copy TEMPLATE shop');
workers_run($node, 'shop', 'workers are back in the template');
workers_run($node, 'copy', 'and run in the copy, which has the extension too');

$node->safe_psql('postgres', 'ALTER DATABASE copy RENAME TO renamed');
workers_run($node, 'renamed', 'workers are back under the new name');

$node->safe_psql('postgres', 'ALTER DATABASE renamed SET TABLESPACE elsewhere');
workers_run($node, 'renamed', 'workers are back in the new tablespace');

$node->safe_psql('postgres', 'DROP DATABASE renamed');
workers_run($node, 'shop', 'the others have stayed');

# By an owner who is no superuser; FORCE must not have to terminate our workers.
$node->safe_psql('postgres', 'SET ROLE owner; CREATE DATABASE copy TEMPLATE shop');
workers_run($node, 'copy', 'a copy by the owner');
$node->safe_psql('postgres', 'SET ROLE owner; ALTER DATABASE copy RENAME TO renamed');
workers_run($node, 'renamed', 'renamed by the owner');
$node->safe_psql('postgres', 'SET ROLE owner; DROP DATABASE renamed WITH (FORCE)');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_database WHERE datname = 'renamed'}), '0', 'dropped by the owner');

# Whoever may not run the command does not disturb the workers.
workers_run($node, 'shop', 'workers run');
my @before = pids_of($node, '%', 'shop');
my @refused = (
	'DROP DATABASE shop',
	'DROP DATABASE shop WITH (FORCE)',
	'ALTER DATABASE shop RENAME TO mine',
	'ALTER DATABASE shop SET TABLESPACE elsewhere',
	'CREATE DATABASE mine TEMPLATE shop');
foreach my $command (@refused)
{
	($status, $out, $err) = $node->psql('postgres', "SET ROLE other;\n$command");
	isnt($status, 0, "refused: $command");
}
my @doomed = (
	'CREATE DATABASE postgres TEMPLATE shop',
	'ALTER DATABASE shop RENAME TO postgres',
	'BEGIN; DROP DATABASE shop');
foreach my $command (@doomed)
{
	($status, $out, $err) = $node->psql('postgres', $command);
	isnt($status, 0, "fails: $command");
}
is(join(',', pids_of($node, '%', 'shop')), join(',', @before), 'the workers are the same as before');

# A rename that comes to nothing.
$node->psql('postgres', 'BEGIN; ALTER DATABASE shop RENAME TO nothing; ROLLBACK');
workers_run($node, 'shop', 'workers are back after a rollback', @before);

my $session = $node->background_psql('postgres');
$session->query_safe('BEGIN; SAVEPOINT s; ALTER DATABASE shop RENAME TO nothing');
workers_gone($node, 'shop', 'workers stay away while the rename is open');
$session->query_safe('ROLLBACK TO SAVEPOINT s');
workers_run($node, 'shop', 'and are back when it is undone, before the transaction ends');

$session->query_safe('SAVEPOINT t; ALTER DATABASE shop RENAME TO nothing; RELEASE SAVEPOINT t');
workers_gone($node, 'shop', 'a released savepoint keeps them away');
$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity
	WHERE state = 'idle in transaction'});
workers_run($node, 'shop', 'they are back when the session is terminated');
eval { $session->quit };

# A command that fails late.
($status, $out, $err) = $node->psql('postgres', 'ALTER DATABASE shop SET TABLESPACE pg_global');
isnt($status, 0, 'fails after the workers have left');
workers_run($node, 'shop', 'and they are back');

# Somebody else is connected: the command fails as ever.
$session = $node->background_psql('shop');
($status, $out, $err) = $node->psql('postgres', 'ALTER DATABASE shop RENAME TO nothing');
like($err, qr/There is 1 other session using the database/, 'only the other session is counted');
$session->quit;
workers_run($node, 'shop', 'workers are back');

# In one go: many databases come and go.
foreach my $i (1 .. 5)
{
	$node->safe_psql('postgres', "CREATE DATABASE d$i TEMPLATE shop");
	$node->safe_psql('postgres', "DROP DATABASE d$i");
}
workers_run($node, 'shop', 'workers are back after all that');
unlike(slurp_file($node->logfile), qr/terminating background worker "audit_trail/, 'no worker had to be terminated');
unlike(slurp_file($node->logfile), qr/background worker "audit_trail.*exited with exit code 1/, 'none has failed');

$node->stop;
done_testing();
