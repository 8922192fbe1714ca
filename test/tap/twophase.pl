# Prepared transactions whose session is gone: committed or rolled back by another one, after a restart and after a crash,
# late, and behind changes that came after them. Their events come with them, sealed when they are committed.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('twophase');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\nmax_prepared_transactions = 10\n"
	  . "audit_trail.seal_interval = 1h\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION audit_trail;
	CREATE ROLE clerk LOGIN;
	CREATE TABLE t (id int PRIMARY KEY, v text);
	CREATE TABLE log (id int, v text);
	CREATE FUNCTION to_log() RETURNS trigger LANGUAGE plpgsql AS
		'BEGIN INSERT INTO public.log VALUES (NEW.id, NEW.v); RETURN NULL; END';
	CREATE CONSTRAINT TRIGGER to_log AFTER INSERT OR UPDATE ON t DEFERRABLE INITIALLY DEFERRED
		FOR EACH ROW EXECUTE FUNCTION to_log();
	GRANT ALL ON t, log TO clerk;
	SELECT audit.enable(x) FROM unnest('{t,log}'::regclass[]) x;
	INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')});

# what is deferred is done when the transaction is prepared; what a savepoint took back is not in it
sub prepare
{
	my ($name, $sql) = @_;

	$node->safe_psql('postgres', "BEGIN; SELECT audit.set_context(actor => 'anna $name', reason => 'prepared');
		SAVEPOINT s; INSERT INTO t VALUES (100, 'undone'); ROLLBACK TO s; $sql; PREPARE TRANSACTION '$name'", extra_params => [ '-U', 'clerk' ]);
	return;
}
prepare('kept', q{UPDATE t SET v = 'kept' WHERE id = 1; INSERT INTO t VALUES (4, 'kept')});
prepare('dropped', q{UPDATE t SET v = 'dropped' WHERE id = 2});
prepare('crashed', q{UPDATE t SET v = 'crashed', id = 5 WHERE id = 3});
$node->safe_psql('postgres', q{INSERT INTO t VALUES (9, 'after'); SELECT audit.seal_now()});
is(verdict(), 'summary|ok', 'what is prepared is nothing to complain of');
is(told(), '', 'nor to tell');

$node->restart;
$node->safe_psql('postgres', "COMMIT PREPARED 'kept'; ROLLBACK PREPARED 'dropped'");
my $kept = qq(anna kept|clerk|clerk|t|updated|1|{"v":"a"}|{"v":"kept"}\nanna kept|clerk|clerk|t|created|4||{"id":4,"v":"kept"}\n)
  . qq(anna kept|clerk|clerk|log|created|||{"id":1,"v":"kept"}\nanna kept|clerk|clerk|log|created|||{"id":4,"v":"kept"});
is(told(), $kept, 'committed after a restart it has its events, with who made it; rolled back it has none');
is(verdict(), 'summary|ok', 'verified before it is sealed');

$node->stop('immediate');
$node->start;
$node->safe_psql('postgres', "SELECT audit.seal_now(); COMMIT PREPARED 'crashed'");
is(told(), qq($kept\nanna crashed|clerk|clerk|t|updated|5|{"id":3,"v":"c"}|{"id":5,"v":"crashed"}\n)
	  . 'anna crashed|clerk|clerk|log|created|||{"id":5,"v":"crashed"}', 'committed after a crash');
$node->safe_psql('postgres', 'SELECT audit.seal_now()');
is($node->safe_psql('postgres', 'SELECT sum(event_count) = (SELECT count(*) FROM audit.event) FROM audit.log_entry'), 't',
	'everything is sealed');
is(verdict(), 'summary|ok', 'verified');
is($node->safe_psql('postgres', q{SELECT r.finding, r.detail FROM unnest('{t,log}'::regclass[]) x, audit.reconcile(x) r}),
	"summary|ok\nsummary|ok", 'the trail leads to the rows');

$node->stop;
done_testing();

sub verdict
{
	return $node->safe_psql('postgres', 'SELECT finding, object FROM audit.verify()');
}

# What prepared transactions have told.
sub told
{
	return $node->safe_psql('postgres', q{
		SELECT actor, db_user, login_user, table_name, split_part(event_type, '.', 2), resource_id, old_values, new_values
		FROM audit.events WHERE reason = 'prepared' ORDER BY committed_at, ordinal});
}
