# A database with all that a move must keep - ledger, roles, grants, policies, configuration - and the questions
# that it must answer as before wherever it came to.
package Moved;

use strict;
use warnings;

use Exporter 'import';
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(moved_conf moved_fill moved_state moved_is);

# What the trail says, who may what on it, and whom its row security lets see what. Names stand for oids.
# From 17 on an owner has one privilege more (m).
my $state = q{
SELECT E'\n' || string_agg(line, E'\n' ORDER BY line COLLATE "C") FROM (
	SELECT format('events %s %s', count(*), md5(string_agg(e::text, ' ' ORDER BY tx_id, ordinal))) FROM audit.event e
		WHERE tx_id <= (SELECT max(tx_id) FROM audit.events WHERE reason = 'the last one before')
	UNION ALL SELECT format('policy %s %s %s %s', polrelid::regclass, polname, polroles::regrole[], pg_get_expr(polqual, polrelid)) FROM pg_policy
	UNION ALL SELECT format('relation %s %s %s %s %s', oid::regclass, relowner::regrole, relrowsecurity, relforcerowsecurity,
			
			(SELECT string_agg(replace(a::text, '=arwdDxtm/', '=arwdDxt/'), ' ' ORDER BY a::text) FROM unnest(coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner))) a))
		FROM pg_class WHERE relnamespace = 'audit'::regnamespace AND relkind IN ('r', 'p', 'v', 'S')
	UNION ALL SELECT format('function %s %s', oid::regprocedure, (SELECT string_agg(a::text, ' ' ORDER BY a::text) FROM unnest(coalesce(proacl, acldefault('f', proowner))) a))
		FROM pg_proc WHERE pronamespace = 'audit'::regnamespace
	UNION ALL SELECT format('role %s', r) FROM audit.role r
	UNION ALL SELECT format('grant %s', g) FROM audit.grant g
	UNION ALL SELECT format('audited %s %s %s', target, context, enabled) FROM audit.policy
	UNION ALL SELECT format('automatic %s %s', schema, pattern) FROM audit.automatic
	UNION ALL SELECT format('rule %s %s', name, target) FROM audit.alert_rule
	UNION ALL SELECT format('trigger %s %s %s', tgrelid::regclass, tgname, tgenabled) FROM pg_trigger WHERE NOT tgisinternal
) l (line)};

# Settings of a server with such a database.
sub moved_conf
{
	return "shared_preload_libraries = 'audit_trail'\nmax_worker_processes = 60\naudit_trail.seal_interval = 1h\nTimeZone = 'UTC'\n";
}

sub moved_fill
{
	my ($node) = @_;

	$node->safe_psql('postgres', q{
		CREATE EXTENSION audit_trail;
		CREATE SCHEMA "it's a ""shop""";
		CREATE TABLE orders (id int PRIMARY KEY, total numeric);
		CREATE TABLE parts (id int, region text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
		CREATE TABLE parts_eu PARTITION OF parts FOR VALUES IN ('eu');
		SELECT audit.enable('orders'), audit.enable('parts', context => 'stock');
		SELECT audit.enable_schema('"it''s a ""shop"""', automatic => true);
		SELECT audit.alert_when('price', 'orders', '{total}');
		SELECT audit.create_roles();
		CREATE ROLE moved_auditor; CREATE ROLE moved_scoped; CREATE ROLE moved_admin;
		GRANT audit_auditor TO moved_auditor; GRANT audit_scoped_auditor TO moved_scoped; GRANT audit_admin TO moved_admin;
		INSERT INTO audit.grant (name, grantee, tables, expires_at) VALUES ('stock', 'moved_scoped', '{parts}', 'infinity');
		INSERT INTO orders SELECT g, g FROM generate_series(1, 300) AS g;
		INSERT INTO parts SELECT g, 'eu' FROM generate_series(1, 30) AS g;
		UPDATE orders SET total = total + 1 WHERE id <= 10;
		SELECT audit.seal_now();
		DELETE FROM orders WHERE id > 290;
		BEGIN; SET LOCAL audit_trail.reason = 'the last one before'; UPDATE orders SET total = 0 WHERE id = 1; COMMIT});
	return moved_state($node, 'postgres');
}

sub moved_state
{
	my ($node, $database) = @_;

	return $node->safe_psql($database, $state);
}

# The database has the state that moved_fill() told; its trail verifies, is closed to the same readers, and goes on, in
# this incarnation.
sub moved_is
{
	my ($node, $database, $expected, $incarnation, $name) = @_;
	my @lines = split /\n/, $expected;
	my %got = map { $_ => 1 } split /\n/, moved_state($node, $database);
	my @missing = grep { !delete $got{$_} } @lines;

	is(join("\n", @missing, map { "+ $_" } sort keys %got), '', "$name: all is as it was");
	is(verdict($node, $database), 'ok', "$name: it verifies");
	is($node->safe_psql($database, q{
		SELECT id, total FROM orders WHERE id < 3 ORDER BY id;
		SELECT count(*) FROM audit.history('orders', '1')}), "1|0\n2|3\n3", "$name: data and the life of a row");
	$node->safe_psql($database, q{
		UPDATE orders SET total = 4711 WHERE id = 2;
		INSERT INTO parts VALUES (1000, 'eu');
		SELECT audit.seal_now();	-- begins the new life, if it is one
		CREATE TABLE "it's a ""shop""".came AS SELECT 1 AS one;
		SELECT audit.seal_now()});
	is($node->safe_psql($database, q{
		SELECT new_values FROM audit.history('orders', '2') ORDER BY tx_id DESC LIMIT 1;
		SELECT count(*) FROM audit.events WHERE table_name = 'came' AND action = 'baseline' AND resource_id IS NULL AND new_values IS NOT NULL;
		SELECT max(incarnation) FROM audit.incarnation}),
		qq({"total":4711}\n1\n$incarnation), "$name: capture goes on, as incarnation $incarnation");
	is(verdict($node, $database), 'ok', "$name: and it verifies");
	is($node->safe_psql($database, q{
		SET ROLE moved_auditor; SELECT count(*) > 300 FROM audit.event;
		SET ROLE moved_scoped; SELECT string_agg(DISTINCT table_name, ' '), count(*) FROM audit.events;
		SET ROLE moved_admin; SELECT bool_and(new_values ->> 'total' = '***') FROM audit.events WHERE table_name = 'orders' AND action = 'update';
		RESET ROLE; CREATE ROLE moved_reader; GRANT pg_read_all_data TO moved_reader;
		SET ROLE moved_reader; SELECT (SELECT count(*) FROM audit.event) + (SELECT count(*) FROM audit.events) + (SELECT count(*) FROM audit.transaction);
		RESET ROLE; DROP ROLE moved_reader}),
		"t\nparts|31\nt\n0", "$name: to each reader what is its own");
	isnt($node->psql($database, 'ALTER TABLE audit.event DISABLE ROW LEVEL SECURITY'), 0, "$name: the guard is on");
	is($node->safe_psql($database, q{SELECT status, detail FROM audit.doctor() WHERE "check" IN ('access', 'capture') AND status <> 'ok'}), '',
		"$name: the doctor is content");
	return;
}

sub verdict
{
	my ($node, $database) = @_;

	return $node->safe_psql($database, 'SELECT object FROM audit.verify()');
}

1;
