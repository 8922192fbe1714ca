# What one person asks for another must approve: who counts as another, and what stays on record.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('request');
my ($status, $out, $err);

$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\n"
	  . "max_worker_processes = 20\naudit_trail.seal_interval = 100ms\n");
$node->start;
$node->safe_psql('postgres', q{CREATE EXTENSION audit_trail;
	SELECT audit.init();
	SELECT count(*) FROM audit.create_roles();
	CREATE ROLE alice LOGIN IN ROLE audit_admin;
	CREATE ROLE bob LOGIN IN ROLE audit_purge_approver;
	CREATE ROLE carol LOGIN IN ROLE audit_purge_approver;
	CREATE ROLE dave LOGIN;
	CREATE ROLE root2 LOGIN SUPERUSER});

# As a login of its own, not by SET ROLE.
sub as
{
	my ($login, $sql) = @_;

	($status, $out, $err) = $node->psql('postgres', $sql, extra_params => ['-U', $login]);
	return $status == 0 ? $out : "ERROR";
}

sub request
{
	my ($login, $keep) = @_;

	return as($login, "SELECT audit.set_retention(context => 'orders', keep => '$keep', \"then\" => 'purge', reason => 'the law')");
}

my $id = request('alice', '7 years');
like($id, qr/^\d+$/, 'what shortens retention is asked for') or diag($err);
is(as('alice', "SELECT kind, state, requested_by FROM audit.request WHERE request_id = $id"),
	'shorten_retention|open|alice', 'the request is there');
is(as('alice', q{SELECT count(*) FROM audit.retention WHERE context = 'orders'}), '0', 'and nothing has changed');

# Not who has asked, and nobody without the role.
is(as('alice', "SELECT audit.approve($id, 'fine')"), 'ERROR', 'who has asked may not even call it');
like($err, qr/permission denied for function approve/, 'the error says so');
is(as('dave', "SELECT audit.approve($id, 'fine')"), 'ERROR', 'nor may anybody else');
is(as('postgres', "SELECT audit.approve($id, 'fine')"), 'ERROR', 'a superuser is no approver');
like($err, qr/TR010|cannot be decided by this role/, 'the error says so');
like($err, qr/Role "postgres" is no member of "audit_purge_approver"/, 'and why');
foreach my $trick (
	'SET SESSION AUTHORIZATION bob', 'SET ROLE bob', 'SET ROLE audit_purge_approver',
	'SET LOCAL SESSION AUTHORIZATION bob')
{
	is(as('postgres', "BEGIN; $trick; SELECT audit.approve($id, 'fine')"), 'ERROR', "$trick does not make him one");
	like($err, qr/cannot be decided by this role/, 'the error says so');
}
as('postgres', q{CREATE FUNCTION public.trojan(id bigint) RETURNS void LANGUAGE sql SECURITY DEFINER
	AS $$ SELECT audit.approve(id, 'fine') $$; GRANT EXECUTE ON FUNCTION public.trojan(bigint) TO PUBLIC});
is(as('bob', "SELECT public.trojan($id)"), 'ERROR', "a definer function does not take an approver's approval");
is(as('bob', "SET ROLE audit_purge_approver; SELECT audit.approve($id, 'fine')"), 'ERROR', 'an approver acts as himself');

# Two roles of one person.
is(as('postgres', 'GRANT alice TO carol'), 'ERROR', 'nobody can be admin and approver');
my $other = request('root2', '8 years');
is(as('postgres', 'GRANT root2 TO carol'), '', 'a superuser may be granted');
is(as('carol', "SELECT audit.approve($other, 'fine')"), 'ERROR', 'an approver who can act as the asker is refused');
like($err, qr/one is a member of the other/, 'the error says so');
as('postgres', 'REVOKE root2 FROM carol');
is(as('root2', "SELECT audit.approve($other, 'fine')"), 'ERROR', 'a superuser does not approve his own');
like($err, qr/Role "root2" has asked for it/, 'the error says so');
as('bob', "SELECT audit.refuse_request($other, 'not this one')");

# The real one.
is(as('bob', "SELECT audit.approve($id, '')"), 'ERROR', 'there must be a note');
is(as('bob', "BEGIN; SELECT audit.approve($id, 'fine'); ROLLBACK"), '', 'an approval that is rolled back');
is(as('bob', "SELECT state FROM audit.request WHERE request_id = $id"), 'open', 'is none');
is(as('bob', "SELECT audit.approve($id, 'checked with legal')"), '', 'another one approves');
is(as('alice', q{SELECT keep, "then" FROM audit.retention WHERE context = 'orders'}), '7 years|purge', 'and it is done');
is(as('bob', "SELECT state, decided_by, note FROM audit.request WHERE request_id = $id"),
	'approved|bob|checked with legal', 'the decision is there');
is(as('carol', "SELECT audit.approve($id, 'again')"), 'ERROR', 'once');
like($err, qr/is not open/, 'the error says so');

# Lengthening takes one; shortening again two.
is(request('alice', '10 years'), '', 'longer is in force at once') or diag($err);
is(as('alice', q{SELECT keep FROM audit.retention WHERE context = 'orders'}), '10 years', 'that is so');
$id = request('alice', '9 years');
like($id, qr/^\d+$/, 'shorter is not');
is(as('bob', "SELECT audit.refuse_request($id, 'no')"), '', 'it can be refused');
is(as('carol', "SELECT audit.approve($id, 'yes')"), 'ERROR', 'and is not approved then');
$id = request('alice', '9 years');
is(as('alice', "SELECT audit.refuse_request($id, 'changed my mind')"), '', 'who asked can take it back');
$id = request('alice', '9 years');
$node->append_conf('postgresql.conf', "audit_trail.request_expiry = 1s\n");
$node->reload;
$id = request('alice', '9 years');
sleep 2;
is(as('bob', "SELECT audit.approve($id, 'late')"), 'ERROR', 'a request expires');
like($err, qr/It is expired/, 'the error says so');

# All of it is in the log, which verifies, and what was refused is on record.
is($node->safe_psql('postgres', q{SELECT object FROM audit.verify() WHERE finding = 'summary'}), 'ok', 'the log verifies');
$node->safe_psql('postgres', 'SELECT pg_sleep(0.5)');
cmp_ok($node->safe_psql('postgres', q{SELECT count(*) FROM audit.event e WHERE op = 'R' AND e::text LIKE '%cannot be decided by this role%'}),
	'>=', 8, 'what was refused is on record');

# Nobody writes a decision himself.
foreach my $sql (q{INSERT INTO audit.log_entry SELECT * FROM audit.log_entry LIMIT 1},
	q{UPDATE audit.log_entry SET payload = '{}' WHERE kind = 'refuse'},
	q{DELETE FROM audit.log_entry WHERE kind = 'request'},
	q{INSERT INTO audit.retention (context) VALUES ('x')},
	q{CREATE OR REPLACE VIEW audit.request AS SELECT 1})
{
	is(as('postgres', $sql), 'ERROR', "refused: $sql");
}

# The keeper runs, records what it did, and can be asked.
is(as('postgres', 'SELECT audit.keeper_now()'), '', 'the keeper runs') or diag($err);
is(as('postgres', q{SELECT count(*) > 0 FROM audit.keeper_run WHERE error IS NULL AND step = 'partitions'}), 't',
	'what it did is recorded');
is(as('postgres', q{SELECT count(*) FROM pg_class WHERE relname ~ '^event_2_\d{6}$'}), '4', "it made partitions of the policy's class");
is(as('postgres', q{CREATE TABLE public.o (id int PRIMARY KEY); SELECT audit.enable('public.o', context => 'orders');
	INSERT INTO public.o VALUES (1)}), "audited: public.o (key id; insert, update, delete, truncate)", 'a table of the context');
is(as('postgres', q{SELECT DISTINCT retention_class FROM audit.event e WHERE record_key = '1' AND op = 'I'
	AND target_id IN (SELECT target_id FROM audit.target WHERE table_name = 'o')}), '2', 'events of the context go there');
is($node->safe_psql('postgres', q{SELECT audit.seal_now(); SELECT object FROM audit.verify() WHERE finding = 'summary'}) =~ s/.*\n//sr,
	'ok', 'all verifies');
$node->stop;
done_testing();
