# What PostgreSQL has learnt since 15: new ways to change rows are recorded, new privileges do not reach the ledger, and
# columns without storage are told as such.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('newer');

plan skip_all => 'this is version 15' if $node->pg_version < 16;
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\nmax_worker_processes = 20\nfsync = off\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION audit_trail;
	CREATE TABLE orders (id int PRIMARY KEY, v text);
	CREATE VIEW first_orders AS SELECT * FROM orders WHERE id < 100;
	SELECT audit.enable('orders');
	CREATE ROLE keeper});
SKIP:
{
	skip 'needs 17', 9 if $node->pg_version < 17;
	changed(q{MERGE INTO first_orders USING (VALUES (1, 'a'), (2, 'b')) AS n(id, v) ON first_orders.id = n.id
		WHEN NOT MATCHED THEN INSERT VALUES (n.id, n.v) RETURNING merge_action()}, 'insert 1,insert 2', 'MERGE into a view, with RETURNING');
	changed(q{MERGE INTO orders USING (VALUES (1)) AS n(id) ON orders.id = n.id
		WHEN MATCHED THEN UPDATE SET v = 'c' WHEN NOT MATCHED BY SOURCE THEN DELETE}, 'update 1,delete 2', 'MERGE by source');
	changed(qq{COPY orders FROM STDIN (ON_ERROR ignore, LOG_VERBOSITY default);\n3\td\nnone\te\n4\tf\n\\.\n}, 'insert 3,insert 4', 'COPY that ignores errors');
	changed(q{SET transaction_timeout = '100ms'; BEGIN; DELETE FROM orders; SELECT pg_sleep(60)}, '', 'a transaction that took too long');

	refused('GRANT MAINTAIN ON audit.event TO keeper', qr/cannot grant more than SELECT on table audit\.event/, 'MAINTAIN on the ledger');
	refused('GRANT MAINTAIN ON audit.event TO PUBLIC', qr/cannot change privileges of PUBLIC/, 'and for everybody');
	$node->safe_psql('postgres', 'GRANT pg_maintain TO keeper');
	refused("SET ROLE keeper; $_", qr/cannot|permission denied/, "by who may maintain all: $_")
	  foreach 'VACUUM FULL audit.event_1_default', 'CLUSTER audit.event_1_default USING event_1_default_pkey';
	is($node->safe_psql('postgres', 'SET ROLE keeper; SET client_min_messages = error; ANALYZE audit.event; RESET ROLE; SELECT object FROM audit.verify()'),
		'ok', 'who may analyze does no harm');
}
SKIP:
{
	skip 'needs 18', 6 if $node->pg_version < 18;
	$node->safe_psql('postgres', q{
		CREATE TABLE sums (id int PRIMARY KEY, a int, twice int GENERATED ALWAYS AS (a * 2) VIRTUAL, thrice int GENERATED ALWAYS AS (a * 3) STORED);
		SELECT audit.enable('sums');
		INSERT INTO sums VALUES (1, 5);
		UPDATE sums SET a = 6});
	is($node->safe_psql('postgres', q{SELECT new_values FROM audit.events WHERE table_name = 'sums' ORDER BY tx_id, ordinal}),
		qq({"id":1,"a":5,"thrice":15}\n{"a":6,"thrice":18}), 'a virtual column has no value that could be recorded');
	is($node->safe_psql('postgres', q{SELECT columns -> 2 ->> 'recorded' FROM audit.target WHERE table_name = 'sums'}), 'omitted', 'which its version says');
	is($node->safe_psql('postgres', q{SELECT finding, detail FROM audit.reconcile('sums')}), 'summary|ok; not compared: twice', 'and reconcile()');
	refused(q{SELECT audit.disable('sums', 'why not'), audit.enable('sums', "when" => '$.new.twice > 10')}, qr/has no stored column "twice"/, 'no predicate looks at it');
	refused(q{SELECT audit.alert_when('never', 'sums', '{twice}')}, qr/has no stored column "twice"/, 'and no alert waits for it');
	changed(q{UPDATE orders SET v = 'z' WHERE id = 3 RETURNING OLD.v, NEW.v}, 'update 3', 'RETURNING of both');
}
$node->stop;
done_testing();

# These commands are recorded as these changes.
sub changed
{
	my ($commands, $expected, $name) = @_;
	my $seen = $node->safe_psql('postgres', 'SELECT coalesce(max(tx_id), 0) FROM audit.transaction');

	$node->psql('postgres', $commands);
	is($node->safe_psql('postgres', qq{SELECT string_agg(action || ' ' || resource_id, ',' ORDER BY tx_id, ordinal)
		FROM audit.events WHERE tx_id > $seen AND table_name = 'orders'}), $expected, $name);
	return;
}

sub refused
{
	my ($command, $message, $name) = @_;
	my ($status, $out, $err) = $node->psql('postgres', $command);

	like($err, $message, $name);
	return;
}
