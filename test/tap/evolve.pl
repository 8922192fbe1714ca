# Tables that are altered where no hook runs: by sessions of a server that has not preloaded the
# library, and by the restore of a dump, which must not fail half-way through the ledger.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\n");
$node->start;

my $told = q{SELECT string_agg(concat_ws(' ', event_type, resource_id, audit.to_jsonb(extra) -> 'command'), ', '
	ORDER BY tx_id, ordinal) FROM audit.events WHERE context = 'orders'};

$node->safe_psql('postgres', q{
	SET client_min_messages = error;
	CREATE EXTENSION audit_trail;
	CREATE TABLE orders (id int PRIMARY KEY, v int);
	CREATE TABLE part (id int, PRIMARY KEY (id)) PARTITION BY LIST (id);
	CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1);
	SELECT audit.enable('orders');
	SELECT audit.enable('part');
	CREATE TABLE cards (id int PRIMARY KEY, pan text, note text);
	SELECT audit.enable('cards', mask => '{pan}', "when" => '$.new.pan != "x"');
	INSERT INTO orders VALUES (1, 1);
});

# this session never loads the library
$node->safe_psql('postgres', 'ALTER TABLE orders RENAME v TO w');
$node->safe_psql('postgres', 'INSERT INTO orders VALUES (2, 2)');
is($node->safe_psql('postgres', $told),
	'orders.created 1, orders.altered null, orders.created 2',
	'a change that no hook saw is told before the next row');
is($node->safe_psql('postgres', q{SELECT new_values FROM audit.events WHERE resource_id = '2'}),
	'{"id":2,"w":2}', 'and that row is recorded under the new version');

# a masked column may have another name, and nobody knows which
$node->safe_psql('postgres', 'ALTER TABLE cards RENAME pan TO number');
$node->safe_psql('postgres', q{INSERT INTO cards VALUES (7, 'x', 'note')});
is($node->safe_psql('postgres', q{SELECT new_values FROM audit.events WHERE table_name = 'cards' AND resource_id = '7'}),
	'{"id":7,"number":"***","note":"note"}', 'what has a name that was not there before is masked');
is($node->safe_psql('postgres', q{SELECT extra ->> 'lost_when' FROM audit.events WHERE table_name = 'cards' AND action = 'alter'}),
	'($."new"."pan" != "x")', 'and a filter that asks for what is gone is dropped, not false for all');
$node->safe_psql('postgres', q{SELECT audit.disable('cards', 'test')});

# with the library everything is seen at once
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\n");
$node->restart;
$node->safe_psql('postgres', 'ALTER TABLE orders DROP COLUMN w');
like($node->safe_psql('postgres', $told), qr/orders\.altered "ALTER TABLE"$/,
	'preloaded, the hook sees the command');

# a dump of all this comes in whole, and goes on
my $dump = $node->backup_dir . '/dump';
mkdir $node->backup_dir;
$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, 'postgres' ], 'dump');
$node->safe_psql('postgres', 'CREATE DATABASE restored TEMPLATE template0');
$node->command_ok([ 'pg_restore', '-e', '-1', '-d', 'restored', $dump ], 'restore');
$node->safe_psql('restored', 'INSERT INTO orders VALUES (3); SELECT audit.seal_now()');
$node->safe_psql('restored', 'ALTER TABLE orders RENAME id TO number; INSERT INTO orders VALUES (4)');
$node->safe_psql('restored', 'CREATE TABLE part_2 PARTITION OF part FOR VALUES IN (2); TRUNCATE part_2');
like($node->safe_psql('restored', $told),
	qr/orders\.created 3, orders\.altered "ALTER TABLE", orders\.created 4, part\.truncated$/,
	'the restored ledger goes on');
is($node->safe_psql('restored', 'SELECT object FROM audit.verify()'), 'ok', 'verified');

$node->stop;
done_testing();
