# The README is the manual: its SQL runs as printed, and its tables name every function that is
# not internal, with its parameters, and every setting, with its default.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $readme = slurp_file(dirname(abs_path(__FILE__)) . '/../../README.md');
my $node = PostgreSQL::Test::Cluster->new('readme');

$node->init;
$node->append_conf('postgresql.conf', configuration() . join('', map { "audit_trail.record_$_ = on\n" } qw(reads sessions privileges denials)));
$node->start;

# the table of the examples
$node->safe_psql('postgres', q{
	CREATE TABLE orders (id int PRIMARY KEY, status text, total numeric);
	INSERT INTO orders SELECT g, 'new', 10 FROM generate_series(41, 43) g});

# files go to a folder of this test, not to the machine's
my $folder = PostgreSQL::Test::Utils::tempdir;
my @examples = map { s{/etc/postgresql/}{$folder/}gr } $readme =~ /^```sql\n(.*?)^```$/msg;
cmp_ok(scalar @examples, '>=', 5, 'there are examples');
foreach my $i (0 .. $#examples)
{
	sign_with("'$folder/shop.key'", "'$folder/checkpoints'") if $examples[$i] =~ /export_evidence/;
	my ($status, $out, $err) = $node->psql('postgres', $examples[$i], extra_params => ['--echo-errors']);

	is($status, 0, 'example ' . ($i + 1) . ' runs') or diag($err);
	unlike($err, qr/WARNING|ERROR/, 'without a warning');
}

# what the examples say that they do
is($node->safe_psql('postgres', q{
		SELECT action, actor, request_id, reason, audit.to_jsonb(new_values) FROM audit.history('orders', '42')
		WHERE action = 'update' LIMIT 1}),
	'update|anna|r-4711|customer called|{"status": "cancelled"}', 'the life of a row is told');
is($node->safe_psql('postgres', q{SELECT actor || ' ' || actor_source FROM audit.events WHERE request_id = 'r-4712'}),
	'bert comment', 'who acts is learnt from a comment');
$node->safe_psql('postgres', 'SELECT audit.notify_now()');
is($node->safe_psql('postgres', q{SELECT rule || ' ' || severity || ' ' || resource_id FROM audit.alerts_since(0)}),
	'price changed warning 42', 'an alert is raised');
is($node->safe_psql('postgres', q{SELECT action || ' ' || (audit.to_jsonb(new_values) ->> 'query' ~ 'audit.events') FROM audit.events WHERE event_type = 'evidence.exported'}),
	'export true', 'evidence is exported, and that is on record');
is($node->safe_psql('postgres', 'SELECT finding, object FROM audit.verify()'), 'summary|ok', 'verify is green');
is($node->safe_psql('postgres', q{SELECT finding, detail FROM audit.reconcile('orders')}), 'summary|ok',
	'trail and table agree');

is($node->safe_psql('postgres', q{SELECT enabled FROM audit.policy WHERE target = 'returns'::regclass}), 't',
	'a table that came later is audited');
is($node->safe_psql('postgres', q{
		SET ROLE anna;
		SELECT (SELECT count(*) FROM audit.history('orders', '42')) > 0, (SELECT bool_or(covered) FROM audit.coverage('orders')),
			(SELECT count(*) FROM audit.alerts_since(0)), (SELECT object FROM audit.verify()),
			(SELECT count(*) FROM audit.doctor()) > 0, (SELECT transactions IS NOT NULL FROM audit.seal_lag());
		RESET ROLE; GRANT SELECT ON orders TO anna; SET ROLE anna;
		SELECT detail FROM audit.reconcile('orders')}),
	"t|t|1|ok|t|t\nok", 'an auditor can use what the role is granted');
is($node->safe_psql('postgres', q{
		SET ROLE bob;
		SELECT string_agg(DISTINCT table_name, ' '), bool_or(new_values ->> 'status' = 'cancelled') FROM audit.events}),
	'orders|t', 'a scoped auditor sees what was granted');

is(join("\n", functions_told()), $node->safe_psql('postgres', q{
		SELECT DISTINCT proname || '(' || coalesce(array_to_string(proargnames[1:pronargs], ', '), '') || ')' COLLATE "C"
		FROM pg_proc WHERE pronamespace = 'audit'::regnamespace
			AND obj_description(oid, 'pg_proc') !~ '^internal:' ORDER BY 1}),
	'the functions and their parameters');
is(open_told(), $node->safe_psql('postgres', q{
		SELECT string_agg(proname, ' ' ORDER BY proname COLLATE "C")
		FROM pg_proc, aclexplode(coalesce(proacl, acldefault('f', proowner))) a
		WHERE pronamespace = 'audit'::regnamespace AND a.grantee = 0 AND prorettype <> 'trigger'::regtype
			AND obj_description(oid, 'pg_proc') !~ '^internal:'}),
	'those that everybody may call');
sign_with(q{''}, q{''});
is(join("\n", settings_told()), $node->safe_psql('postgres', q{
		SELECT name || ' ' || coalesce(nullif(CASE WHEN name ~ '\.record_(sessions|denials|privileges)$' THEN boot_val ELSE current_setting(name) END, ''), 'empty')
		FROM pg_settings WHERE name LIKE 'audit\_trail.%' ORDER BY name COLLATE "C"}),
	'the settings and their defaults');
is($node->safe_psql('postgres', "SELECT string_agg(name, ' ') FROM unnest('{@{[ join ',', names_told() ]}}'::text[]) name" . q{
		WHERE to_regclass(name) IS NULL
			AND NOT EXISTS (SELECT FROM pg_proc WHERE 'audit.' || proname = name AND pronamespace = 'audit'::regnamespace)}),
	'', 'nothing is named that does not exist');

$node->stop;
done_testing();

# The log is signed by the key that an example has made, or not any more.
sub sign_with
{
	my ($key, $file) = @_;

	$node->append_conf('postgresql.conf', "audit_trail.signing_key_file = $key\naudit_trail.checkpoint_file = $file");
	$node->reload;
	return $node->poll_query_until('postgres', "SELECT current_setting('audit_trail.checkpoint_file') = $file");
}

# The lines for postgresql.conf.
sub configuration
{
	my ($lines) = $readme =~ /^```\n(shared_preload_libraries.*?)^```$/ms;

	return $lines // BAIL_OUT('the README does not say how to preload the library');
}

# "name(parameter, ...)" of each row of the table of functions.
sub functions_told
{
	return sort $readme =~ /^\| `(\w+\([\w, ]*\))` \|/mg;
}

# The functions in the sentence about everybody.
sub open_told
{
	my ($sentence) = $readme =~ /Everybody may call (.*?);/s;

	return join ' ', sort $sentence =~ /`(\w+)`/g;
}

# "name default" of each row of the table of settings; one row may have several names.
sub settings_told
{
	my @told;

	while ($readme =~ /^\| (`audit_trail\.[^|]+) \| ([^|]+) \|/mg)
	{
		my ($names, $default) = ($1, $2);

		$default =~ tr/`//d;
		push @told, map { "audit_trail.$_ $default" } $names =~ /\.(\w+)`/g;
	}
	return sort @told;
}

# Every audit.NAME, in the text and in the examples.
sub names_told
{
	my %names = map { $_ => 1 } $readme =~ /\b(audit\.[a-z]\w*)/g;

	return sort keys %names;
}
