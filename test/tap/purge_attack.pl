# Nothing but a purge that two persons have decided removes an event: not an approver alone, not a
# superuser, not by the functions of the extension; and what is removed around the server is missing,
# whatever audit.deletion says.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('purge_attack');
my ($status, $out, $err);

$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\n"
	  . "max_worker_processes = 20\naudit_trail.seal_interval = 50ms\naudit_trail.purge_anchor = off\n"
	  . "audit_trail.keeper_pause = 0\naudit_trail.keeper_interval = 0\n");
$node->start;
$node->safe_psql('postgres', q{SET audit_trail.debug_clock = 1; CREATE EXTENSION audit_trail; SELECT audit.init();
	SELECT count(*) FROM audit.create_roles();
	CREATE ROLE alice LOGIN IN ROLE audit_admin;
	CREATE ROLE bob LOGIN IN ROLE audit_purge_approver;
	CREATE ROLE mona LOGIN IN ROLE audit_maintenance;
	CREATE TABLE orders (id int PRIMARY KEY, note text);
	SELECT audit.enable('orders', context => 'sales')});

sub as
{
	my ($login, $sql) = @_;

	($status, $out, $err) = $node->psql('postgres', $sql, extra_params => ['-U', $login]);
	return $status == 0 ? $out : "ERROR: $err";
}
sub sql { return as('postgres', $_[0]) }
# What was refused meanwhile is an event too, and so are the seals of alerts about it: there may be more, not less.
sub events { return sql(q{SELECT count(*) FROM audit.event WHERE op NOT IN ('R', 'P', 'L', 'V', 'S', 'H')}) }
sub object { return sql(q{SELECT object FROM audit.verify() WHERE finding = 'summary'}) }

sub clock
{
	my ($days) = @_;
	my $setting = ($days * 86400 + 1) . 's';

	$node->append_conf('postgresql.conf', "audit_trail.debug_clock = $setting\n");
	$node->reload;
	$node->poll_query_until('postgres', "SELECT current_setting('audit_trail.debug_clock')::interval = '$setting'::interval") or die;
}

# An approver alone asks for nothing; who runs the trail approves nothing.
like(as('bob', q{SELECT audit.request_purge('x')}), qr/permission denied/, 'an approver cannot ask for a purge');
like(as('bob', q{SELECT audit.set_retention(context => 'sales', keep => '1 day', "then" => 'purge', reason => 'x')}), qr/permission denied/,
	'nor set a policy');
like(as('mona', q{SELECT audit.set_retention(context => 'sales', keep => '1 day', "then" => 'purge', reason => 'x')}), qr/permission denied/,
	'nor can who runs the trail');
like(sql('GRANT audit_purge_approver TO mona'), qr/cannot be/, 'who is given both roles');
like(sql('GRANT audit_admin TO bob'), qr/cannot be/, 'is given neither');

my $id = as('alice', q{SELECT audit.set_retention(context => 'sales', keep => '1 year', "then" => 'purge', reason => 'the law')});
as('bob', "SELECT audit.approve($id, 'fine')");
sql('SELECT audit.keeper_now()');
sql(q{INSERT INTO orders SELECT g, repeat('x', 200) FROM generate_series(1, 50) g});
clock(450);
sql('SELECT audit.seal_now()');
my $before = events();

# A superuser by himself: asks, and is then the one who may not approve; forges what he likes.
$id = sql(q{SELECT audit.request_purge('mine')});
like($id, qr/^\d+$/, 'a superuser can ask');
like(sql("SELECT audit.approve($id, 'mine')"), qr/cannot be decided/, 'and not approve');
like(sql("SET SESSION AUTHORIZATION bob; SELECT audit.approve($id, 'mine')"), qr/cannot be decided/, 'nor as another');
foreach my $forgery (
	qq{INSERT INTO audit.log_entry (log_index, sealed_at, incarnation, kind, previous, root, leaf_count, tx_count, event_count, payload)
		SELECT max(log_index) + 1, now(), 1, 'approve', '', '', 0, 0, 0, '{"request":$id,"by":"bob"}' FROM audit.log_entry},
	q{INSERT INTO audit.deletion (deletion_id, phase, log_index, made_at, certificate) VALUES (1, 'ordered', 1, now(), '{}')},
	q{DROP TABLE audit.deletion},
	q{ALTER TABLE audit.deletion SET ACCESS METHOD heap}, q{UPDATE audit.log_entry SET kind = 'approve' WHERE kind = 'request'},
	q{CREATE OR REPLACE FUNCTION audit.approve(request_id bigint, note text) RETURNS void LANGUAGE sql AS ''},
	q{CREATE FUNCTION public.f(bigint, text) RETURNS void LANGUAGE c AS '$libdir/audit_trail', 'at_let_go'})
{
	like(sql($forgery), qr/ERROR/, 'refused: ' . substr($forgery =~ s/\s+/ /gr, 0, 70));
}
sql('SELECT audit.keeper_now()');
is(events(), $before, 'the keeper purges nothing for it');

# Every command that could remove rows, of every table of the ledger and every partition.
my @tables = split /\n/, sql(q{SELECT c.oid::regclass FROM pg_class c WHERE relnamespace = 'audit'::regnamespace AND relkind IN ('r', 'p', 'f')
	AND (relam = (SELECT oid FROM pg_am WHERE amname = 'audit_worm') OR relkind IN ('p', 'f')) ORDER BY 1});
cmp_ok(scalar @tables, '>', 20, 'tables of the ledger');
my $removed = '';
foreach my $table (@tables)
{
	foreach my $command ("DELETE FROM $table", "TRUNCATE $table", "DROP TABLE $table CASCADE", "VACUUM FULL $table",
		"ALTER TABLE audit.event DETACH PARTITION $table", "ALTER TABLE $table SET ACCESS METHOD heap",
		"ALTER TABLE $table RENAME TO gone", "ALTER TABLE $table SET SCHEMA public")
	{
		$removed .= "$command\n" if sql("BEGIN; SET LOCAL lock_timeout = '5s'; SELECT count(*) FROM $table; $command; SELECT 1 / count(*) FROM $table; COMMIT") !~ /ERROR/
		  && $command !~ /VACUUM/;
	}
}
is($removed, '', 'no command removes or moves rows');
is(events(), $before, 'all events are there');

# All functions of the extension that a superuser can call without arguments of a type of its own. (An archive that is detached is
# another server's, and its files stay.)
my $functions = sql(q{SELECT string_agg(p.proname, ' ' ORDER BY p.proname) FROM pg_proc p WHERE pronamespace = 'audit'::regnamespace
	AND p.proname ~ '(purge|delete|drop|remove|erase|let_go|truncate|detach|empty)' AND prorettype <> 'trigger'::regtype});
is($functions =~ s/\b(alert_drop|capture_delete|detach_archive|request_purge|erase_subject\w*|end_drop\w*)\b ?//gr, '', 'no function is named like one that removes')
  or diag($functions);
foreach my $call (split /\n/, sql(q{SELECT format('SELECT %s(%s)', p.oid::regproc, (SELECT string_agg(format('NULL::%s', t::regtype), ', ') FROM unnest(p.proargtypes) t))
	FROM pg_proc p WHERE pronamespace = 'audit'::regnamespace AND prokind = 'f' AND prorettype NOT IN ('trigger'::regtype, 'table_am_handler'::regtype,
		'index_am_handler'::regtype, 'internal'::regtype, 'fdw_handler'::regtype) AND NOT 'internal'::regtype = ANY (proargtypes)
	AND p.proname NOT IN ('create_ledger', 'keeper_now', 'verify_now', 'anchor_now', 'seal_now', 'notify_now')}))
{
	sql("BEGIN; SET LOCAL statement_timeout = '20s'; $call; COMMIT");
	next if events() eq $before || events() > $before;
	fail("$call removes events");
	last;
}
cmp_ok(events(), '>=', $before, 'no function removes an event');

# A purge that is decided, and then rows that go with it around the server.
as('bob', "SELECT audit.approve($id, 'fine')");
sql('SELECT audit.keeper_now()');
is(sql(q{SELECT count(*) FROM audit.events WHERE table_name = 'orders' AND action = 'insert'}), '0', 'decided by two, they go');
is(object(), 'ok', 'and verify finds nothing');
foreach my $forgery (q{UPDATE audit.deletion SET phase = 'done'}, q{TRUNCATE audit.deletion}, q{DELETE FROM audit.deletion})
{
	like(sql($forgery), qr/write-once/, "refused: $forgery");
}
foreach my $edit (['certificate', '"approved_by":"bob"', '"approved_by":"bOb"'], ['gaps', undef, undef])
{
	my $was = $node->data_dir;
	my $path = sql(q{SELECT pg_relation_filepath('audit.deletion')});
	my $run = sql(q{SELECT left(encode(gaps, 'hex'), 32) FROM audit.deletion WHERE phase = 'ordered'});

	$node->stop;
	my $bytes = slurp_file("$was/$path");
	my $original = $bytes;
	if ($edit->[0] eq 'certificate')
	{
		is($bytes =~ s/\Q$edit->[1]\E/$edit->[2]/, 1, 'a certificate is changed in the file');
	}
	else
	{
		# the list of leaves: one run gets another count
		my $hex = unpack('H*', $bytes);
		my $other = substr($run, 0, 30) . 'ff';

		is($hex =~ s/$run/$other/, 1, 'a list of leaves is changed in the file');
		$bytes = pack('H*', $hex);
	}
	write_file("$was/$path", $bytes);
	$node->start;
	like(sql(q{SELECT string_agg(DISTINCT finding, ', ' ORDER BY finding) FROM audit.verify()}), qr/deletion changed.*(event|transaction) missing/,
		"a forged deletion ($edit->[0]) is a finding, and excuses nothing");
	$node->stop;
	write_file("$was/$path", $original);
	$node->start;
	is(object(), 'ok', 'put back, all is as it was');
}

# An order that certifies another root than that of the hashes which stay, sealed as it is.
sql(q{INSERT INTO orders SELECT g, 'later' FROM generate_series(101, 150) g});
sql('SELECT audit.seal_now()');
$node->append_conf('postgresql.conf', "audit_trail.debug_points = 'purge-wrong-root'\n");
clock(900);
$id = as('mona', q{SELECT audit.request_purge('the law')});
as('bob', "SELECT audit.approve($id, 'fine')");
sql('SELECT audit.keeper_now()');
is(sql(q{SELECT count(*) FROM audit.events WHERE table_name = 'orders' AND action = 'insert'}), '0', 'an order with a false root is carried out');
like(sql(q{SELECT string_agg(finding || ': ' || detail, chr(10)) FROM audit.verify() WHERE finding NOT IN ('summary', 'purged')}),
	qr/^deletion changed: the hashes of its leaves have the root [0-9a-f]{64}, and it certifies [0-9a-f]{64}$/, 'and its certificate is a finding, and nothing else is');
$node->stop;
done_testing();

sub write_file
{
	my ($path, $bytes) = @_;

	open(my $file, '+<:raw', $path) or die;
	print $file $bytes;
	close($file);
	return;
}
