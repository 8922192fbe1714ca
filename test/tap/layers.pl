# The four layers that stand before the trail, each by itself, while the others are switched off:
#
#	1	privileges and row security		no guard, no access method; whoever has not been given anything, or too much
#	2	the access method				no guard; a superuser
#	3	hooks							a superuser, who is bound by no privilege; commands that the access method never sees
#	4	detection						no guard, no access method; a superuser
#
# That a layer is switched off is shown by what it would have refused.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Refused;
use Test::More;
use Workers;

my $node = PostgreSQL::Test::Cluster->new('layers');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\nmax_worker_processes = 20\nfsync = off\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION audit_trail;
	CREATE ROLE owner LOGIN;
	CREATE ROLE nobody LOGIN;
	CREATE ROLE reader LOGIN;
	CREATE ROLE writer LOGIN;
	GRANT pg_read_all_data TO reader;
	GRANT pg_read_all_data, pg_write_all_data TO writer;
	CREATE SCHEMA AUTHORIZATION owner;
	SET ROLE owner;
	CREATE TABLE owner.orders (id int PRIMARY KEY, note text);
	RESET ROLE;
	SELECT audit.enable('owner.orders');
	INSERT INTO owner.orders VALUES (1, 'one'), (2, 'two');
	CREATE TABLE ledger_tables AS SELECT oid FROM pg_class WHERE relam = (SELECT oid FROM pg_am WHERE amname = 'audit_worm');
	SELECT audit.seal_now()});
workers_run($node, 'postgres', 'workers run');

subtest '1 privileges' => sub {
	switch(guard => 'off', storage => 'off');

	# What belongs to the trail is closed to everybody, the owner of the audited table included.
	foreach my $who (qw(nobody owner))
	{
		foreach my $command ('SELECT * FROM audit.event', 'SELECT * FROM audit.events', 'INSERT INTO audit.event SELECT * FROM audit.event',
			'UPDATE audit.event SET op = op', 'DELETE FROM audit.log_entry', 'TRUNCATE audit.transaction', 'DROP TABLE audit.event CASCADE',
			'ALTER TABLE audit.event ADD COLUMN c int', 'CREATE TABLE audit.mine (id int)', 'UPDATE audit.policy SET enabled = false',
			q{SELECT audit.disable('owner.orders', 'mine')}, 'SELECT * FROM audit.verify()', 'SELECT audit.seal_now()',
			'GRANT SELECT ON audit.event TO PUBLIC', 'DROP SCHEMA audit CASCADE', 'DROP EXTENSION audit_trail', 'SET ROLE audit_ledger',
			q{ALTER ROLE audit_ledger LOGIN}, q{SELECT nextval('audit.session_id_seq')})
		{
			like(as($who, $command), qr/permission denied|must be (?:owner|superuser|member)/, "$who: $command");
		}
	}

	# Who may read and write everything finds no row, and adds none: row security is in force.
	is(as('reader', 'SELECT count(*) FROM audit.event'), "0\n", 'who may read all tables finds nothing');
	is(as('reader', 'SELECT count(*) FROM audit.events'), "0\n", 'nor by the views');
	is(as('writer', 'WITH d AS (DELETE FROM audit.event RETURNING 1) SELECT count(*) FROM d'), "0\n", 'who may write all tables finds nothing to delete');
	is(as('writer', 'WITH d AS (UPDATE audit.event SET op = op RETURNING 1) SELECT count(*) FROM d'), "0\n", 'nor to update');
	like(as('writer', q{INSERT INTO audit.session (session_id) VALUES (1)}), qr/row-level security|null value|permission denied/, 'and adds nothing');
	like(as('writer', 'TRUNCATE audit.event'), qr/permission denied/, 'nor truncates');

	# For that is all that stands there: what nobody may, a superuser may now.
	is(as('postgres', 'BEGIN; DELETE FROM audit.event; ROLLBACK'), '', 'a superuser is not bound by it');
	switch(guard => 'on', storage => 'on');
};

subtest '2 access method' => sub {
	switch(guard => 'off', storage => 'on');
	foreach my $command (
		'UPDATE audit.event SET op = op',
		'DELETE FROM audit.event',
		'TRUNCATE audit.event',
		'SELECT * FROM audit.event FOR UPDATE',
		'SELECT * FROM audit.event FOR KEY SHARE',
		'INSERT INTO audit.event SELECT * FROM audit.event',
		q{COPY (SELECT * FROM audit.session) TO '} . $node->basedir . q{/rows'; COPY audit.session FROM '} . $node->basedir . q{/rows'},
		'INSERT INTO audit.session SELECT * FROM audit.session ON CONFLICT (session_id) DO UPDATE SET login_user = EXCLUDED.login_user',
		'MERGE INTO audit.event USING audit.log_entry l ON true WHEN MATCHED THEN DELETE',
		'WITH d AS (DELETE FROM audit.event RETURNING 1) SELECT * FROM d',
		'DO $$ DECLARE c CURSOR FOR SELECT * FROM audit.session; r record; BEGIN OPEN c; FETCH c INTO r; DELETE FROM audit.session WHERE CURRENT OF c; END $$',
		'VACUUM FULL audit.session',
		'CLUSTER audit.session USING session_pkey',
		'ALTER TABLE audit.leaf_tile ALTER tile TYPE bigint',
		'ALTER TABLE audit.session SET UNLOGGED')
	{
		my $count = count_refused($node);

		like(as('postgres', $command), qr/write-once|cannot be temporary or unlogged/, "refused: $command");
		ok($node->poll_query_until('postgres', qq{SELECT count(*) > $count FROM audit.event WHERE event_type = 'audit.refused'}),
			'and on record') if $command !~ /VACUUM|CLUSTER|ALTER/;
	}

	# To exchange the access method itself is for the hooks to refuse; the doctor finds it.
	is(as('postgres', 'CREATE TABLE spare AS SELECT * FROM audit.checkpoint; ALTER TABLE audit.checkpoint SET ACCESS METHOD heap'), '', 'it does not keep itself');
	like(doctor($node, 'postgres', 'access'), qr/^problem\|Table audit\.checkpoint is not write-once/m, 'the doctor misses it');
	$node->safe_psql('postgres', q{UPDATE pg_class SET relam = (SELECT oid FROM pg_am WHERE amname = 'audit_worm') WHERE oid = 'audit.checkpoint'::regclass});

	# No hook is there: what it would refuse is possible.
	is(as('postgres', 'BEGIN; DROP TABLE audit.alert CASCADE; ROLLBACK'), '', 'no hook stands beside it');
	switch(guard => 'on');
};

subtest '3 hooks' => sub {
	my @commands = (
		'DROP TABLE audit.alert CASCADE', 'ALTER TABLE audit.event ADD COLUMN c int', 'ALTER TABLE audit.event OWNER TO owner', 'GRANT INSERT ON audit.event TO owner',
		'CREATE TRIGGER t BEFORE INSERT ON audit.event EXECUTE FUNCTION audit.capture()', 'ALTER TABLE owner.orders DISABLE TRIGGER "00_audit_update"',
		'DROP TRIGGER "00_audit_delete" ON owner.orders', 'DROP TABLE owner.orders', q{UPDATE pg_trigger SET tgenabled = 'D' WHERE tgrelid = 'owner.orders'::regclass},
		'CREATE OR REPLACE FUNCTION audit.capture() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$', 'DROP SCHEMA audit CASCADE', 'DROP OWNED BY owner');

	foreach my $command (@commands)
	{
		my $count = count_refused($node);

		like(as('postgres', $command), qr/ERROR:  cannot /, "refused: $command");
		ok($node->poll_query_until('postgres', qq{SELECT count(*) > $count FROM audit.event WHERE event_type = 'audit.refused'}), 'and on record');
	}

	# Nothing else stands in their way.
	switch(guard => 'off');
	is(as('postgres', "BEGIN; $_; ROLLBACK"), '', "without it possible: $_") foreach @commands;
	switch(guard => 'on');
};

subtest '4 detection' => sub {
	switch(guard => 'off', storage => 'off');
	my $event = $node->safe_psql('postgres', q{SELECT event_id FROM audit.events WHERE table_name = 'orders' AND resource_id = '1'});
	my ($tx) = split /\./, $event;

	$node->safe_psql('postgres', qq{
		UPDATE audit.event SET new_values = '{"id":1,"note":"uno"}' WHERE tx_id = $tx AND ordinal = 1;
		ALTER TABLE owner.orders DISABLE TRIGGER "00_audit_insert";
		INSERT INTO owner.orders VALUES (3, 'three')});
	like(doctor($node, 'postgres', 'guard'), qr/^problem\|/, 'that the guard is lifted is shown');
	like(doctor($node, 'postgres', 'capture'), qr/^problem\|.*orders/, 'so is a trigger that does not fire');
	switch(guard => 'on', storage => 'on');
	like($node->safe_psql('postgres', 'SELECT finding, object FROM audit.verify()'), qr/^event changed\|\Q$event\E$/m, 'a changed event is named');
	like($node->safe_psql('postgres', q{SELECT finding, record_key FROM audit.reconcile('owner.orders')}), qr/^missing in the trail\|3$/m, 'so is a row that no event tells of');
	ok($node->poll_query_until('postgres', q{SELECT payload ->> 'guard' = 'on' FROM audit.log_entry WHERE kind = 'guard' ORDER BY log_index DESC LIMIT 1}), 'the log has when it was lifted');
	like($node->safe_psql('postgres', q{SELECT DISTINCT why FROM audit.coverage('owner.orders') WHERE covered IS NULL}), qr/guard was lifted/, 'and the time for which nobody can vouch');
};

$node->stop;
done_testing();

# Switch layers off or on; the access method is exchanged in the catalog, while the guard is lifted.
sub switch
{
	my (%to) = @_;
	my ($method, $was) = ($to{storage} // '') eq 'off' ? ('heap', 'audit_worm') : ('audit_worm', 'heap');

	set_guard('off') if exists $to{storage};
	$node->safe_psql('postgres', qq{
		UPDATE pg_class SET relam = (SELECT oid FROM pg_am WHERE amname = '$method')
		WHERE relam = (SELECT oid FROM pg_am WHERE amname = '$was') AND oid IN (SELECT oid FROM ledger_tables)}) if exists $to{storage};
	set_guard($to{guard}) if exists $to{guard};
	return;
}

sub set_guard
{
	my ($value) = @_;

	$node->append_conf('postgresql.conf', "audit_trail.guard = $value");
	$node->reload;
	$node->poll_query_until('postgres', 'SHOW audit_trail.guard', $value) or die 'the setting did not change';
	return;
}

# What psql says to somebody, on both channels.
sub as
{
	my ($who, $command) = @_;
	my $error = refuse($node, join("\n;", split /;\s*(?=ROLLBACK|COPY audit|$)/, $command), '-q', '-U', $who, '-v', 'VERBOSITY=terse');

	$error =~ s/^.*NOTICE:.*\n//mg;
	$error =~ s/^.*(?:drop cascades|and \d+ other objects).*\n//mg;
	return $error . $node->{refuse_out};
}
