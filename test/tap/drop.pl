# An audited table is not dropped, by whatever command and whoever it is, until audit.disable() has
# ended its audit; and that somebody tried is on record.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Refused;
use Workers;

my $node = PostgreSQL::Test::Cluster->new('drop');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\nmax_worker_processes = 20\nfsync = off\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION audit_trail;
	CREATE EXTENSION pg_surgery;
	CREATE ROLE owner LOGIN;
	CREATE SCHEMA shop AUTHORIZATION owner;
	SET ROLE owner;
	CREATE TABLE shop.orders (id int PRIMARY KEY);
	CREATE TABLE shop.part (id int, k int) PARTITION BY LIST (k);
	CREATE TABLE shop.part_1 PARTITION OF shop.part FOR VALUES IN (1);
	CREATE TABLE shop.part_2 PARTITION OF shop.part FOR VALUES IN (2) PARTITION BY LIST (id);
	CREATE TABLE shop.part_2a PARTITION OF shop.part_2 FOR VALUES IN (1);
	CREATE TABLE shop.parent (id int);
	CREATE TABLE shop.child () INHERITS (shop.parent);
	CREATE TYPE shop.row AS (id int);
	CREATE TABLE shop.typed OF shop.row;
	RESET ROLE;
	SELECT audit.enable(t::regclass) FROM unnest('{shop.orders,shop.part,shop.parent,shop.typed}'::text[]) t;
	INSERT INTO shop.orders VALUES (1);
	INSERT INTO shop.part VALUES (1, 1), (1, 2);
	INSERT INTO shop.child VALUES (1)});
workers_run($node, 'postgres', 'workers run');

# By every way to it, as superuser.
foreach my $way (
	[ 'DROP TABLE shop.orders', 'orders' ],
	[ 'DROP TABLE IF EXISTS shop.orders CASCADE', 'orders' ],
	[ 'CREATE TABLE scratch (id int)\; DROP TABLE scratch, shop.orders', 'orders' ],
	[ 'DROP SCHEMA shop CASCADE', qr/\w+/ ],
	[ 'DROP OWNED BY owner CASCADE', qr/\w+/ ],
	[ 'DROP TYPE shop.row CASCADE', 'typed' ],
	[ 'ALTER EXTENSION pg_surgery ADD TABLE shop.orders\; DROP EXTENSION pg_surgery', 'orders' ],
	[ 'DROP TABLE shop.part', 'part' ],
	[ 'DROP TABLE shop.part_1', 'part_1', 'part' ],
	[ 'DROP TABLE shop.part_2', 'part_2a', 'part' ],
	[ 'DROP TABLE shop.part_2a', 'part_2a', 'part' ],
	[ 'DROP TABLE shop.parent CASCADE', 'parent' ],
	[ 'DROP TABLE shop.child', 'child', 'parent' ],
	[ 'ALTER TABLE shop.part DETACH PARTITION shop.part_1\; DROP TABLE shop.part_1', 'part_1' ],
	[ 'ALTER TABLE shop.child NO INHERIT shop.parent\; DROP TABLE shop.child', 'child' ],
	[ 'ALTER TABLE shop.orders RENAME TO gone\; DROP TABLE shop.gone', 'gone' ],
	[ 'ALTER TABLE shop.orders SET SCHEMA public\; DROP TABLE orders', 'orders' ],
	[ q{DO $$ BEGIN DROP TABLE shop.orders; EXCEPTION WHEN OTHERS THEN NULL; END $$}, 'orders', undef, 'caught' ],
	[ q{BEGIN\; SELECT audit.disable('shop.orders', 'not for long')\; ROLLBACK\; DROP TABLE shop.orders}, 'orders' ],
	[ q{SET audit_trail.drop_audited = record}, undef ],
	[ q{ALTER SYSTEM SET audit_trail.drop_audited = record}, undef ],
	[ q{ALTER ROLE owner SET audit_trail.drop_audited = record}, undef ])
{
	my ($command, $table, $root, $caught) = @$way;
	my $count = count_refused($node);
	my $error = refuse($node, $command);

	if (!defined $table)
	{
		like($error, qr/ERROR/, "refused: $command");
		$node->{refused_seen} = count_refused($node);
		next;
	}
	my $says = defined $root ? qr/cannot drop table "$table": its rows are audited as those of "$root"/ : qr/cannot drop table "$table": it is audited/;
	like($error, qr/$says.*HINT: .*audit\.disable\('\w+\.$table', 'why'\)/s, "refused, with a hint: $command") if !$caught;
	like(refused($node, q{new_values ->> 'sqlstate', new_values ->> 'object', new_values ->> 'message'}),
		qr/^TR007\|table \w+\.$table\|$says$/, "on record: $command");
}
is($node->safe_psql('postgres', q{SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class
	WHERE relnamespace = 'shop'::regnamespace AND relkind IN ('r', 'p')}), 'child orders parent part part_1 part_2 part_2a typed', 'all are there');

# By the owner, by way of an event trigger, a function with more rights, and a worker for other databases.
settle_refused($node);
refuse($node, 'DROP TABLE shop.orders', '-U', 'owner');
is(refused($node, 'login_user'), 'owner', 'the owner does not drop it either');
$node->safe_psql('postgres', q{
	CREATE FUNCTION meddle() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN DROP TABLE shop.orders; END $$;
	CREATE FUNCTION definer() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN EXECUTE 'DROP TABLE shop.orders'; END $$;
	CREATE EVENT TRIGGER meddle ON ddl_command_start WHEN tag IN ('CREATE TABLE') EXECUTE FUNCTION meddle()});
like(refuse($node, 'CREATE TABLE other (id int)'), qr/cannot drop table "orders"/, 'nor does an event trigger');
like(refuse($node, 'CREATE TABLE other (id int)', '-U', 'owner'), qr/cannot drop table "orders"|must be owner|permission denied/, 'of anybody');
$node->safe_psql('postgres', 'DROP EVENT TRIGGER meddle');
like(refuse($node, 'SELECT definer()', '-U', 'owner'), qr/cannot drop table "orders"/, 'nor a function');

# What is empty goes from below an audited table, so partitions can be rotated: emptied, which is told ...
$node->{refused_seen} = count_refused($node);
$node->safe_psql('postgres', 'BEGIN; TRUNCATE shop.part_1; DROP TABLE shop.part_1; COMMIT');
is(events('part'), "I I T T A:part.detached", 'each row of a partition that was emptied and dropped is told, and that it has gone');
$node->safe_psql('postgres', 'DELETE FROM shop.child; DROP TABLE shop.child');
like($node->safe_psql('postgres', "BEGIN; CREATE TABLE shop.part_3 PARTITION OF shop.part FOR VALUES IN (3); DROP TABLE shop.part_3; COMMIT; SELECT 'done'"),
	qr/done/, 'so is one that was always empty');
my ($status, $out, $err) = $node->psql('postgres', q{
	BEGIN; CREATE TABLE shop.part_3 PARTITION OF shop.part FOR VALUES IN (3); INSERT INTO shop.part VALUES (3, 3); DROP TABLE shop.part_3});
like($err, qr/cannot drop table "part_3"/, 'but not one with rows of the same transaction');

# ... though a row that came after the transaction had its snapshot counts,
$node->safe_psql('postgres', 'CREATE TABLE shop.part_3 PARTITION OF shop.part FOR VALUES IN (3)');
my $early = $node->background_psql('postgres', on_error_stop => 0);
$early->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM shop.orders');
$node->safe_psql('postgres', 'INSERT INTO shop.part VALUES (3, 3)');
$early->query('DROP TABLE shop.part_3');
like($early->{stderr}, qr/cannot drop table "part_3"/, 'whatever the snapshot is');
$early->quit;

# ... or taken out of the table, and its audit ended by who may.
$node->safe_psql('postgres', q{ALTER TABLE shop.part DETACH PARTITION shop.part_2});
like(refuse($node, q{SELECT audit.disable('shop.part_2', 'mine')}, '-U', 'owner'), qr/permission denied/, 'the owner does not end the audit');
$node->safe_psql('postgres', q{BEGIN; SELECT audit.disable('shop.part_2', 'older than the books must be kept'); DROP TABLE shop.part_2; COMMIT});
is($node->safe_psql('postgres', q{SELECT DISTINCT reason FROM audit.policy WHERE reason LIKE 'older%'}), 'older than the books must be kept', 'with the reason on record');
$node->safe_psql('postgres', q{SELECT audit.disable('shop.orders', 'end of test')});
$node->safe_psql('postgres', 'DROP TABLE shop.orders');

# A site may prefer to have it recorded.
$node->append_conf('postgresql.conf', 'audit_trail.drop_audited = record');
$node->reload;
$node->poll_query_until('postgres', 'SHOW audit_trail.drop_audited', 'record') or die 'the setting did not change';
$node->safe_psql('postgres', 'DROP TABLE shop.typed');
is(events('typed'), 'A:typed.dropped', 'recorded, if the configuration file says so');

# With the guard lifted it is recorded too.
$node->append_conf('postgresql.conf', "audit_trail.drop_audited = refuse\naudit_trail.guard = off\n");
$node->reload;
$node->poll_query_until('postgres', 'SHOW audit_trail.guard', 'off') or die 'the setting did not change';
$node->safe_psql('postgres', 'DROP SCHEMA shop CASCADE');
is(events('parent'), 'I D A:parent.detached A:parent.dropped', 'and while the guard is lifted');
is($node->safe_psql('postgres', q{SELECT count(*) FROM audit.policy WHERE enabled AND target::text !~ '^audit\.'}), '0', 'nothing is audited any more');
is($node->safe_psql('postgres', 'SELECT object FROM audit.verify()'), 'ok', 'and the trail verifies');

# A database goes as a whole.
$node->safe_psql('postgres', 'CREATE DATABASE gone');
$node->safe_psql('gone', q{CREATE EXTENSION audit_trail; CREATE TABLE t (id int); SELECT audit.enable('t')});
$node->safe_psql('postgres', 'DROP DATABASE gone WITH (FORCE)');

$node->stop;
done_testing();

sub events
{
	my ($type) = @_;

	return $node->safe_psql('postgres', qq{
		SELECT string_agg(op::text || coalesce(':' || event_type, ''), ' ' ORDER BY event.tx_id, ordinal) FROM audit.event JOIN audit.target USING (target_id)
		WHERE resource_type = '$type'});
}
