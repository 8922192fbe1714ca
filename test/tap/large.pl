# Values near a gigabyte, whose text may be longer than that: recorded as prefix, length and digest, in a few times
# their own memory; or refused with an error that names the column.
#
# AUDIT_TRAIL_SLOW=1 tries all of them; it needs 6 GB of memory, and of disk.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('large');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\nmax_wal_size = 8GB\n"
	  . "default_toast_compression = lz4\nautovacuum = off\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION audit_trail;
	CREATE TABLE t (id int PRIMARY KEY, bytes bytea, string text, doc jsonb, list numeric[]);
	ALTER TABLE t ALTER string SET STORAGE EXTERNAL;
	SELECT audit.enable('t');
	CREATE FUNCTION peak() RETURNS bigint LANGUAGE sql AS
		$$ SELECT substring(pg_read_file('/proc/self/status') FROM 'VmHWM:\s+(\d+) kB')::bigint / 1024 $$;});

# twice as many digits as bytes, and then some: no string can hold them
my $peak = run(q{INSERT INTO t (id, bytes) VALUES (1, convert_to(repeat('ab', 268500000), 'SQL_ASCII'))});
cmp_ok($peak, '<', 5 * 537, "$peak MB at most for a value of 537 MB");
is(told(1), '{"prefix":"\x61626162...,"bytes":1074000002,"sha256":"3ba2feb301f0b7b6861a287be3ebe3be70e22161955c5ba767a9f9d362a7a027"}',
	'a bytea whose digits make up more than a gigabyte');

if ($ENV{AUDIT_TRAIL_SLOW})
{
	run(q{UPDATE t SET bytes = bytes || 'c' WHERE id = 1});
	like(told(1), qr/"bytes":1074000004,/, 'is updated');
	$peak = run(q{INSERT INTO t (id, string) VALUES (2, repeat(chr(1), 1073741000))});
	cmp_ok($peak, '<', 6000, "$peak MB at most for a value of a gigabyte");
	is(told(2), '{"prefix":"\u0001\u000...,"bytes":1073741000,"sha256":"'
		  . 'c6fa241eca711c97ac11c694539f0723d969a4889f1e8cd82e57f9b38c1d90f8"}', 'the longest text');
	run(q{INSERT INTO t (id, doc) VALUES (3, ('[' || repeat('1e131071,', 8000) || '1]')::jsonb)});
	like(told(3), qr/"bytes":1048\d{6},/, 'a document that grows when it is written out');
	refused('doc', q{('[' || repeat('1e131071,', 9000) || '1]')::jsonb});
	refused('list', q{array_fill(1e131071, '{9000}')});

	# hashed, all of it counts
	my $key = PostgreSQL::Test::Utils::tempdir . '/key';
	append_to_file($key, '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f');
	chmod 0600, $key;
	$node->append_conf('postgresql.conf', "audit_trail.hash_key_file = '$key'");
	$node->reload;
	$node->poll_query_until('postgres', "SELECT current_setting('audit_trail.hash_key_file') = '$key'");
	$node->safe_psql('postgres', q{CREATE TABLE hashed (id int PRIMARY KEY, bytes bytea);
		SELECT audit.enable('hashed', hash => '{bytes}');});
	$peak = run(q{INSERT INTO hashed VALUES (1, convert_to(repeat('ab', 268500000), 'SQL_ASCII'))});
	cmp_ok($peak, '<', 6000, "$peak MB at most for its hash");
	is($node->safe_psql('postgres', q{SELECT new_values->>'bytes' FROM audit.events WHERE table_name = 'hashed'}),
		'hmac-sha256:fbb302bb:1612314bba44b2e8294bdc4cc56a7c968e65276808809c81a403b6c8e133e4fa', 'of all digits');

	# each short enough for itself, but not all together
	$node->safe_psql('postgres', q{
		SELECT format('CREATE TABLE wide (id int PRIMARY KEY, %s)', string_agg('c' || i || ' text', ', '))
		FROM generate_series(1, 400) i \gexec
		SELECT audit.enable('wide');
		SELECT format('INSERT INTO wide SELECT 1, %s FROM repeat(chr(1), 400000) v', string_agg('v', ', '))
		FROM generate_series(1, 400) \gexec
		UPDATE wide SET c400 = 'short', c399 = 'short'});
	is($node->safe_psql('postgres', q{SELECT action, json_array_length(extra->'shortened') FROM audit.events
		WHERE table_name = 'wide' ORDER BY tx_id}), "insert|345\nupdate|", 'the rest of a row is shortened');
	is($node->safe_psql('postgres', q{SELECT finding, detail FROM audit.reconcile('wide')}), 'summary|ok', 'and compared');
}
is($node->safe_psql('postgres', q{SELECT finding, detail FROM audit.reconcile('t')}), 'summary|ok', 'the trail leads to the rows');
$node->safe_psql('postgres', 'SELECT audit.seal_now()');
is($node->safe_psql('postgres', 'SELECT finding, object FROM audit.verify()'), 'summary|ok', 'and verifies');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_start < pg_postmaster_start_time()}),
	'0', 'without a crash on the way');

$node->stop;
done_testing();

# Run a statement; the most memory that its session had, in megabytes.
sub run
{
	my ($sql) = @_;

	return $node->safe_psql('postgres', "$sql; SELECT peak()");
}

# The recorded value, with its prefix cut.
sub told
{
	my ($id) = @_;

	return $node->safe_psql('postgres', qq{
		SELECT replace(regexp_replace(m.value::text, '("prefix":".{11}).*?"', '\\1...'), '\\\\', '\\')
		FROM audit.events e, json_each(new_values) m
		WHERE table_name = 't' AND resource_id = '$id' AND m.key <> 'id' AND m.value::text <> 'null' ORDER BY tx_id DESC LIMIT 1});
}

# A value that cannot be written out, neither by the server itself nor by us.
sub refused
{
	my ($column, $value) = @_;
	my ($status, undef, $error) = $node->psql('postgres', "INSERT INTO t (id, $column) VALUES (9, $value)");

	is($status, 3, "a value of $column that has no text is refused");
	like($error, qr/rendering column "$column"\nrecording a change of table "t" in the audit trail/, 'with its column\'s name');
	return;
}
