# Who acknowledged which alert, and when, is an event under the seal, and so are changes of rules. What is forged,
# altered or taken away in audit.alert_action, or in audit.alert, audit.verify() names.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use File::Path qw(rmtree);
use Pages;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::RecursiveCopy;
use PostgreSQL::Test::Utils;
use Test::More;

my $folder = PostgreSQL::Test::Utils::tempdir;
my $node = PostgreSQL::Test::Cluster->new('alert_seal');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\nmax_prepared_transactions = 5\n"
	  . "audit_trail.seal_interval = 1h\nautovacuum = off\n"
	  . "audit_trail.signing_key_file = '$folder/key'\naudit_trail.checkpoint_file = '$folder/checkpoints'\n");
$node->start;
sql('CREATE EXTENSION audit_trail');
my $vkey = sql("SELECT audit.create_signing_key('$folder/key', 'example.org/shop')");
sql(q{
	CREATE TABLE orders (id int PRIMARY KEY, price int);
	SELECT audit.enable('orders');
	SELECT audit.alert_when('price', 'orders', '{price}', severity => 'high', channel => 'pricing');
	INSERT INTO orders SELECT g, g FROM generate_series(1, 9) g;
	UPDATE orders SET price = -1});
my @alert = split /\n/, sql('SELECT alert_id FROM audit.alert ORDER BY alert_id');
is(scalar @alert, 9, 'alerts are raised');

# The event says who, what, when and about which alert.
sql("BEGIN; SELECT audit.set_context(actor => 'anna', request_id => 'desk-7'); SELECT audit.acknowledge($alert[0], 'called the \"customer\"'); COMMIT");
is(sql(q{SELECT action, event_type, category, actor, request_id, resource_type, resource_id, sentence FROM audit.events WHERE event_type = 'alert.acknowledged'}),
	qq(respond|alert.acknowledged|security|anna|desk-7|alert|$alert[0]|anna acknowledged alert $alert[0] of rule price: "called the \\"customer\\""), 'an acknowledgement is an event');
is(sql(qq{SELECT e.new_values ->> 'note', e.new_values ->> 'actor', e.new_values ->> 'event_id' = a.event_id, e.new_values ->> 'severity',
			(e.new_values ->> 'raised_at')::timestamptz = a.raised_at, e.occurred_at = a.acknowledged_at, e.new_values ->> 'login_user' = session_user
		FROM audit.alerts a JOIN audit.events e ON e.event_id = a.acknowledgement WHERE a.alert_id = $alert[0]}),
	'called the "customer"|anna|t|high|t|t|t', 'which tells all that its row tells, and what the alert was about');
is(sql("SELECT audit.acknowledge($alert[0]) ~ 'already by anna'"), 't', 'a second one');
is(sql(q{SELECT count(*) FROM audit.events WHERE event_type = 'alert.acknowledged'}), '1', 'is no event');
sql(qq{BEGIN; SAVEPOINT s; SELECT audit.acknowledge($alert[1]); ROLLBACK TO s; SELECT audit.acknowledge($alert[2], 'kept'); COMMIT});
sql(qq{BEGIN; SELECT audit.acknowledge($alert[1]); ROLLBACK});
is(sql(q{SELECT string_agg(resource_id, ',' ORDER BY event_id) FROM audit.events WHERE event_type = 'alert.acknowledged'}), "$alert[0],$alert[2]",
	'what is rolled back has neither');
sql(qq{BEGIN; SELECT audit.acknowledge($alert[3], 'in two phases'); PREPARE TRANSACTION 'ack'});
is(verify(), '', 'a prepared one is no offence');
sql("COMMIT PREPARED 'ack'");
sql(qq{BEGIN; SET LOCAL TimeZone = 'Asia/Tokyo'; SET LOCAL DateStyle = 'SQL, DMY'; SELECT audit.acknowledge($alert[4], E'\\t\\\\ \\u00e9\\u4e2d'); COMMIT});
sql(qq{SET SESSION AUTHORIZATION pg_monitor; RESET SESSION AUTHORIZATION; SELECT audit.resend_alert($alert[5], channel => 'on call')});
is(sql(q{SELECT event_type, new_values ->> 'channel', sentence ~ 'had alert [0-9]+ told again on "on call"$' FROM audit.events WHERE event_type = 'alert.resent'}),
	'alert.resent|on call|t', 'so is that one is to be told again');

# Nobody can tell such an event but the server.
isnt($node->psql('postgres', q{SELECT audit.emit('alert.acknowledged', '1')}), 0, 'nobody emits one');

# Muting and other changes of a rule are events of the table of rules.
sql(q{BEGIN; SELECT audit.set_context(actor => 'berta'); SELECT audit.alert_alter('price', mute_until => '2099-01-01 00:00Z', max_alerts => 3, per => '1 hour'); COMMIT});
sql(q{SELECT audit.alert_alter('price', clear => '{mute_until}')});
sql(q{SELECT audit.alert_disable('price')});
is(sql(q{SELECT string_agg(concat_ws('/', CASE actor WHEN 'berta' THEN actor ELSE '-' END, old_values ->> 'mute_until', new_values ->> 'mute_until', new_values ->> 'max_alerts',
			new_values ->> 'enabled'), ',' ORDER BY tx_id, ordinal)
		FROM audit.events WHERE table_name = 'alert_rule' AND action = 'update'}),
	'berta/2099-01-01T00:00:00+00:00/3,-/2099-01-01T00:00:00+00:00,-/false', 'muting, unmuting, limits and switching off are events too');

# All of it is under the seal, and can be proven.
sql('SELECT audit.seal_now()');
is(verify(), '', 'it verifies');
is(sql(qq{SELECT c.valid FROM audit.alerts a, audit.check_proof(audit.prove(a.acknowledgement), '$vkey') c WHERE a.alert_id = $alert[0]}),
	't', 'an acknowledgement can be proven to who has the public key alone');
sql("SELECT audit.acknowledge($alert[6], 'not sealed')");
is(verify(), '', 'one that is not sealed yet verifies');

sql('SELECT audit.notify_now()');
is(sql(q{SELECT count(DISTINCT k) FROM audit.event, LATERAL json_object_keys(new_values -> 'alerts') k WHERE event_type = 'alert.sealed'}), '9', 'events name the alerts');
is(verify(), '', 'they verify');

# In the files
my ($first, $second, $unsealed) = map { row('alert_action', "alert_id = $_") } @alert[0, 2, 6];
my $resent = row('alert_action', q{kind = 'resend'});
my ($alert, $other) = map { row('alert', "alert_id = $_") } @alert[0, 8];
my ($event, $unsealed_event) = map { row('event', "(tx_id, ordinal) = (SELECT tx_id, ordinal FROM audit.alert_action WHERE alert_id = $_)") } @alert[0, 6];
my ($id, $second_id, $resent_id) = split /\n/,
  sql("SELECT action_id FROM audit.alert_action WHERE alert_id IN ($alert[0], $alert[2], $alert[5]) ORDER BY alert_id");
my ($event_id, $unsealed_id) = split /\n/, sql("SELECT tx_id || '.' || ordinal FROM audit.alert_action WHERE alert_id IN ($alert[0], $alert[6]) ORDER BY alert_id");
my $untouched;
$node->stop;
$node->append_conf('postgresql.conf', "shared_preload_libraries = ''\n");
keep();
check('nothing', sub { }, []);
check('who acknowledged', sub { edit_row($first, sub { s/anna/hans/ }) }, ["alert action changed|$id"]);
check('the note', sub { edit_row($first, sub { s/called/ignored/r && s/called/killed/ }) }, ["alert action changed|$id"]);
check('when', sub { edit_row($first, sub { substr($_, field_at(8), 1) ^= "\1" }) }, ["alert action changed|$id"]);
check('which alert', sub { edit_row($first, sub { substr($_, field_at(40), 8) = pack 'q', $alert[1] }) }, ["alert action changed|$id"]);
check('that of another event', sub { edit_row($second, sub { substr($_, -12, 8) ^= "\1" }) }, [ "alert action added|$second_id", 'alert action missing|' ]);
check('an acknowledgement taken away', sub { remove_row($first) }, ['alert action missing|']);
check('one that is not sealed yet taken away', sub { remove_row($unsealed) }, ['alert action missing|']);
check('a request taken away', sub { remove_row($resent) }, ['alert action missing|']);
check('an acknowledgement forged', sub { copy_row($first, sub { substr($_, field_at(0), 8) = pack 'q', 4711; substr($_, -12, 8) = pack 'q', 987654 }) },
	['alert action added|4711']);
check('one forged with an index to it', sub { copy_row($first, sub { substr($_, field_at(0), 8) = pack 'q', 4711; substr($_, -12, 8) = pack 'q', 987654 }) },
	['alert action added|4711'], 'alert_action');
check('one twice', sub { copy_row($first) }, ["alert action duplicated|$id"]);
check('a request made an acknowledgement', sub { edit_row($resent, sub { s/resend/closed/ }) }, ["alert action changed|$resent_id"]);
check('the rule of an alert that is acknowledged', sub { edit_row($alert, sub { s/price/prize/ }) }, ["alert changed|$alert[0]"]);
check('an alert that is acknowledged taken away', sub { remove_row($alert) }, ["alert missing|$alert[0]"]);
check('an alert that nobody has acknowledged taken away', sub { remove_row($other) }, ["alert missing|$alert[8]"]);
check('its severity', sub { edit_row($other, sub { s/high/info/ }) }, ["alert changed|$alert[8]"]);
check('when it was raised', sub { edit_row($other, sub { substr($_, field_at(8), 1) ^= "\1" }) }, ["alert changed|$alert[8]"]);
check('an alert forged', sub { copy_row($other, sub { substr($_, field_at(0), 8) = pack 'q', 4711 }) }, ['alert added|4711']);
check('one forged with an index to it', sub { copy_row($other, sub { substr($_, field_at(0), 8) = pack 'q', 4711 }) }, ['alert added|4711'], 'alert');
check('one of no transaction', sub { copy_row($other, sub { substr($_, field_at(0), 8) = pack 'q', 4711; substr($_, field_at(24), 8) = pack 'q', 987654 }) },
	['alert added|4711']);
check('an alert twice', sub { copy_row($other) }, ["alert duplicated|$alert[8]"]);
check('the event of one', sub { edit_row($event, sub { s/customer/consumer/ }) }, [ "alert action changed|$id", "event changed|$event_id" ]);
check('the event of one taken away', sub { remove_row($event) }, ["event missing|$event_id"]);
check('that of one that is not sealed', sub { remove_row($unsealed_event) }, ["event missing|$unsealed_id"]);
done_testing();

sub sql { my ($query) = @_; return $node->safe_psql('postgres', $query) }

sub verify { return sql(q{SELECT coalesce(string_agg(finding || '|' || coalesce(object, ''), E'\n' ORDER BY finding, object), '') FROM audit.verify() WHERE finding <> 'summary'}) }

# [file, block, item] of the one row of a ledger table that the condition is true for
sub row
{
	my ($table, $where) = @_;
	my $answer = sql("SELECT pg_relation_filepath(tableoid) || ' ' || translate(ctid::text, '(,)', '  ') FROM audit.$table WHERE $where");
	my ($file, $block, $item) = split ' ', $answer;

	die "not one row of $table where $where: $answer" if !$item || $answer =~ /\n/;
	return [ $node->data_dir . "/$file", $block, $item ];
}

# Keep the database's files as they are, and bring them back.
sub keep
{
	$untouched = $node->basedir . '/untouched';
	PostgreSQL::Test::RecursiveCopy::copypath(database_dir(), $untouched);
	return;
}

sub database_dir { my ($dir) = $event->[0] =~ m{^(.*)/[^/]+$}; return $dir }

# Change something, rebuild the indexes of a ledger table if one is named, compare the findings.
sub check
{
	my ($name, $change, $expected, $reindex) = @_;

	$change->();
	$node->start;
	sql("REINDEX TABLE audit.$reindex") if $reindex;
	is(verify(), join("\n", sort @$expected), $name) or diag(sql('SELECT * FROM audit.verify()'));
	$node->stop;
	rmtree(database_dir());
	PostgreSQL::Test::RecursiveCopy::copypath($untouched, database_dir());
	return;
}
