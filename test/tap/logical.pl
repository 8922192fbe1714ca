# Logical replication into an audited table: what the initial copy and the apply workers write is captured like all
# else, with who does it, and the trail leads to the rows.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $publisher = PostgreSQL::Test::Cluster->new('publisher');
$publisher->init(allows_streaming => 'logical');
$publisher->start;
my $subscriber = PostgreSQL::Test::Cluster->new('subscriber');
$subscriber->init;
$subscriber->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\nmax_worker_processes = 20\n"
	  . "max_logical_replication_workers = 8\nwal_retrieve_retry_interval = 100ms\n");
$subscriber->start;

# Whole rows as identity, a key, another key than the primary one, partitions on the one side only.
my $tables = q{
	CREATE TABLE orders (id int PRIMARY KEY, status text, at timestamptz);
	CREATE TABLE notes (a int, b text);
	CREATE TABLE items (id int, code text NOT NULL UNIQUE, big text);};
$publisher->safe_psql('postgres', $tables . q{
	ALTER TABLE notes REPLICA IDENTITY FULL;
	ALTER TABLE items REPLICA IDENTITY USING INDEX items_code_key;
	ALTER TABLE items ALTER big SET STORAGE EXTERNAL;
	CREATE TABLE parts (id int PRIMARY KEY, v int);
	INSERT INTO orders SELECT i, 'before', '2026-11-22 12:00+02' FROM generate_series(1, 3) i;
	INSERT INTO notes VALUES (1, 'x'), (1, 'x'), (2, NULL);
	INSERT INTO items SELECT i, 'c' || i, repeat('big', 5000) FROM generate_series(1, 2) i;
	INSERT INTO parts SELECT i, i FROM generate_series(1, 20) i;
	CREATE PUBLICATION p FOR TABLE orders, notes, items, parts});

# On the subscriber columns stand in another order, a trigger changes what comes, and another one changes another table.
$subscriber->safe_psql('postgres', $tables . q{
	CREATE EXTENSION audit_trail;
	CREATE ROLE applier LOGIN SUPERUSER;
	DROP TABLE orders;
	CREATE TABLE orders (origin text DEFAULT 'remote', status text, at timestamptz, id int PRIMARY KEY);
	CREATE TABLE parts (id int PRIMARY KEY, v int) PARTITION BY RANGE (id);
	CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
	CREATE TABLE parts_2 (v int, id int NOT NULL);
	ALTER TABLE parts ATTACH PARTITION parts_2 FOR VALUES FROM (10) TO (100);
	CREATE TABLE counted (n bigint);
	INSERT INTO counted VALUES (0);
	CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS
		'BEGIN NEW.status := upper(NEW.status); RETURN NEW; END';
	CREATE TRIGGER shout BEFORE INSERT OR UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION shout();
	ALTER TABLE orders ENABLE ALWAYS TRIGGER shout;
	CREATE FUNCTION count_up() RETURNS trigger LANGUAGE plpgsql AS
		'BEGIN UPDATE public.counted SET n = n + 1; RETURN NULL; END';
	CREATE TRIGGER count_up AFTER INSERT OR UPDATE OR DELETE ON notes FOR EACH ROW EXECUTE FUNCTION count_up();
	ALTER TABLE notes ENABLE REPLICA TRIGGER count_up;
	SELECT audit.enable(t) FROM unnest('{orders,notes,parts,counted}'::regclass[]) t;
	SELECT audit.enable('items', key => '{code}');
	ALTER TABLE items REPLICA IDENTITY USING INDEX items_code_key});
my $connection = $publisher->connstr('postgres') . ' application_name=sub';
$subscriber->safe_psql('postgres', qq{CREATE SUBSCRIPTION sub CONNECTION \$\$$connection\$\$ PUBLICATION p},
	extra_params => [ '-U', 'applier' ]);
$subscriber->wait_for_subscription_sync($publisher, 'sub');

is(told('orders'), join("\n",
		'created|1||{"origin":"remote","status":"BEFORE","at":"2026-11-22T10:00:00+00:00","id":1}',
		'created|2||{"origin":"remote","status":"BEFORE","at":"2026-11-22T10:00:00+00:00","id":2}',
		'created|3||{"origin":"remote","status":"BEFORE","at":"2026-11-22T10:00:00+00:00","id":3}'),
	'the rows of the initial copy are told as they are stored');
is(rows("SELECT table_name, count(*) FROM audit.events WHERE action = 'insert' AND table_name <> 'policy' GROUP BY 1 ORDER BY 1"),
	"items|2\nnotes|3\norders|3\nparts|20", 'of all tables');
is(rows("SELECT count(*) FROM audit.events WHERE table_name = 'counted' AND action = 'update'"), '3',
	'with what triggers did');
# From 16 on rows are applied as the owner of their table, by workers that tell what they do.
my ($role, $sync, $apply) = $subscriber->pg_version < 16 ? ('applier', '', '') : ('postgres', 'tablesync ', 'apply ');
my $who = q{SELECT DISTINCT actor, actor_source, db_user, db_role, login_user, client_ip, application_name
	FROM audit.events WHERE table_name = 'orders' AND };
like(rows("$who action = 'insert'"),
	qr/^applier\|db_user\|applier\|$role\|applier\|\|logical replication ${sync}worker for subscription \d+ sync \d+$/,
	'the initial copy is done by the owner of the subscription');

my $seen = rows('SELECT max(tx_id) FROM audit.transaction');
$publisher->safe_psql('postgres', q{
	BEGIN;
	INSERT INTO orders VALUES (4, 'new', 'infinity');
	UPDATE orders SET status = 'paid' WHERE id = 1;
	UPDATE orders SET id = 20 WHERE id = 2;
	DELETE FROM orders WHERE id = 3;
	COMMIT;
	UPDATE notes SET b = 'y' WHERE ctid = '(0,1)';
	DELETE FROM notes WHERE b IS NULL;
	UPDATE items SET id = 7 WHERE id = 1;
	UPDATE items SET code = 'other' WHERE id = 2;
	UPDATE parts SET v = -v WHERE id IN (5, 15);
	UPDATE parts SET id = 30 WHERE id = 6});
$publisher->wait_for_catchup('sub');
my $after = "tx_id > $seen";
is(told('orders', $after), join("\n",
		'created|4||{"origin":"remote","status":"NEW","at":"infinity","id":4}',
		'updated|1|{"status":"BEFORE"}|{"status":"PAID"}',
		'updated|20|{"id":2}|{"id":20}',
		'deleted|3|{"origin":"remote","status":"BEFORE","at":"2026-11-22T10:00:00+00:00","id":3}|'),
	'an applied transaction is told in its order');
is(rows("SELECT count(DISTINCT tx_id) FROM audit.events WHERE table_name = 'orders' AND $after"), '1', 'as one');
is(told('notes', $after), qq(updated||{"a":1,"b":"x"}|{"b":"y"}\ndeleted||{"a":2,"b":null}|), 'rows without key');
is(told('items', $after), qq(updated|c1|{"id":1}|{"id":7}\nupdated|other|{"code":"c2"}|{"code":"other"}),
	'a value that was not sent has not changed');
like(told('parts', $after), qr/^updated\|5\|\{"v":5\}\|\{"v":-5\}$/m, 'a row in a partition');
like(told('parts', $after), qr/^deleted\|6\|\{"id":6,"v":6\}\|\ncreated\|30\|\|\{"v":6,"id":30\}$/m, 'one that changes its partition');
like(rows("$who $after"), qr/^applier\|db_user\|applier\|$role\|applier\|\|logical replication ${apply}worker for subscription \d+$/,
	'so does what is applied');

$seen = rows('SELECT max(tx_id) FROM audit.transaction');
$publisher->safe_psql('postgres', 'TRUNCATE orders, notes; INSERT INTO orders VALUES (1, $$again$$, NULL)');
$publisher->wait_for_catchup('sub');
is(rows("SELECT action, table_name, resource_id FROM audit.events WHERE tx_id > $seen
		AND table_name IN ('orders', 'notes') ORDER BY tx_id, ordinal"),
	join("\n", qw(truncate|orders|4 truncate|orders|1 truncate|orders|20 truncate|notes| truncate|notes|
		truncate|orders| truncate|notes| insert|orders|1)), 'TRUNCATE is told for each row and table');

is(rows(q{SELECT t, r.finding, r.detail FROM unnest('{orders,notes,items,parts}'::regclass[]) t, audit.reconcile(t) r}),
	"orders|summary|ok\nnotes|summary|ok\nitems|summary|ok\nparts|summary|ok", 'the trail leads to the rows');
rows('SELECT audit.seal_now()');
is(rows('SELECT finding, object FROM audit.verify()'), 'summary|ok', 'and verifies');

# a change that cannot be recorded is not applied, and is when it can be
$subscriber->safe_psql('postgres', "ALTER SYSTEM SET audit_trail.require_context = 'error'; SELECT pg_reload_conf()");
$publisher->safe_psql('postgres', "INSERT INTO orders VALUES (2, 'unsaid', NULL)");
$subscriber->poll_query_until('postgres', 'SELECT apply_error_count > 0 FROM pg_stat_subscription_stats')
  or die 'no error was met';
is(rows('SELECT count(*) FROM orders'), '1', 'what may not be recorded is not applied');
$subscriber->safe_psql('postgres', 'ALTER SYSTEM RESET audit_trail.require_context; SELECT pg_reload_conf()');
$publisher->wait_for_catchup('sub');
is(rows(q{SELECT id FROM orders ORDER BY 1}), "1\n2", 'and is once it may be');
is(rows(q{SELECT r.finding, r.detail FROM audit.reconcile('orders') r}), 'summary|ok', 'with its event, once');

# what is applied can be left to the publisher's trail: then it is only counted
$subscriber->append_conf('postgresql.conf', "audit_trail.logical_apply = count\n");
$subscriber->reload;
$subscriber->safe_psql('postgres', 'ALTER SUBSCRIPTION sub DISABLE; ALTER SUBSCRIPTION sub ENABLE');
$seen = rows('SELECT max(tx_id) FROM audit.transaction');
$publisher->safe_psql('postgres', "INSERT INTO orders VALUES (3, 'counted', NULL); UPDATE orders SET status = 'again' WHERE id = 3");
$publisher->wait_for_catchup('sub');
$after = "tx_id > $seen";
is(rows("SELECT action, event_type, new_values, actor FROM audit.events WHERE $after ORDER BY tx_id"),
	qq(maintenance|maintenance.counted|{"skipped":{"public.orders":{"insert":1}}}|applier\n)
	  . 'maintenance|maintenance.counted|{"skipped":{"public.orders":{"update":1}}}|applier', 'each use of that is on record');
$subscriber->safe_psql('postgres', 'UPDATE orders SET status = NULL WHERE id = 3');
like(told('orders', $after), qr/^updated\|3\|\{"status":"AGAIN"\}\|\{"status":null\}$/m, 'other sessions are recorded as ever');

$subscriber->stop;
$publisher->stop;
done_testing();

sub rows
{
	my ($query) = @_;

	return $subscriber->safe_psql('postgres', $query);
}

# The events of a table in their order.
sub told
{
	my ($table, $which) = (@_, 'true');

	return rows(qq{SELECT split_part(event_type, '.', 2), resource_id, old_values, new_values FROM audit.events
		WHERE table_name = '$table' AND $which ORDER BY tx_id, ordinal});
}
