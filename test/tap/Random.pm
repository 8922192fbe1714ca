# Random statements of every kind, for random.pl. They depend on the seed alone, not on the data.
package Random;

use strict;
use warnings;

use Exporter 'import';

our @EXPORT = qw(random_script);

sub pick { return $_[ rand @_ ] }
sub id { return 1 + int rand 80 }
sub few { return 1 + int rand 6 }

# Texts that must be quoted everywhere, and numbers that only look equal.
sub text
{
	return pick("'plain'", q{'it''s "quoted" \\'}, "''", 'NULL', "E'line\\n\\x01'", "'ünï 🙂'", "repeat('long ', 300)",
		"'" . int(rand 1000) . "'");
}
sub num { return pick('0', '1.0', '1.00', '-7.25', "'NaN'", "'infinity'", '1e20', 'NULL', int rand 100) }
sub doc { return pick("'{\"a\": 1}'", "'{\"a\": 1.0}'", "'[]'", 'NULL', "'\"\\u00e9\"'") }
sub note { return pick("'suppress'", "'echo'", "'x'", "'x'", "'y'", 'NULL') }
sub extra { return 'extra_' . pick(1, 2, 3) }
sub region { return pick(3, 5, 15, 20) }
sub word { return pick(q{'a'}, q{'b'}, q{'"[1,'}, q{'c\\d'}) }

# One statement each, for any transaction.
my @statements = (
	sub { sprintf 'INSERT INTO account VALUES (%d, %s, %s, %s, %s)', id(), text(), num(), note(), doc() },
	sub { sprintf 'INSERT INTO account SELECT i, %s, i * 1.50, %s FROM generate_series(%d, %d) i ON CONFLICT DO NOTHING',
			text(), note(), id(), 20 + id() },
	sub { sprintf 'INSERT INTO account VALUES (%d, %s, %s), (%d, %s, %s) ON CONFLICT (id) DO UPDATE SET amount = EXCLUDED.amount, name = account.name || %s',
			id(), text(), num(), 40 + id(), text(), num(), text() },
	sub { sprintf 'UPDATE account SET amount = %s, note = %s WHERE id BETWEEN %d AND %d', num(), note(), id(), id() },
	sub { sprintf 'UPDATE account SET doc = %s, changed = clock_timestamp() WHERE id %% %d = 0', doc(), few() },
	sub { sprintf 'UPDATE account SET id = id + %d WHERE id = %d', pick(1, 50, -50, 0), id() },
	sub { sprintf 'UPDATE account SET id = id + 100 WHERE id < %d', few() },
	sub { sprintf 'UPDATE account SET %s = %s WHERE id %% 9 = %d', extra(), text(), few() },
	sub { sprintf 'DELETE FROM account WHERE id = %d', id() },
	sub { sprintf 'DELETE FROM account USING entry WHERE entry.account_id = account.id AND entry.v > %d', rand 100 },
	sub { sprintf 'UPDATE simple SET amount = %s, name = %s WHERE id < %d', num(), text(), id() },
	sub { sprintf 'DELETE FROM simple WHERE id = %d', id() },
	sub { sprintf 'INSERT INTO entry (account_id, v, body) SELECT id, %d, %s FROM account LIMIT %d', rand 100, text(), few() },
	sub { sprintf 'UPDATE entry SET v = %s, account_id = (SELECT min(id) FROM account WHERE id > %d) WHERE id %% 7 = %d',
			pick("'NaN'", '-0.0', '0', '1e300', 'v / 3'), id(), few() },
	sub { sprintf 'DELETE FROM entry WHERE id %% 5 = %d', few() },
	sub { sprintf 'INSERT INTO remark (account_id, entry_id, at) SELECT account_id, id, %s FROM entry LIMIT %d',
			pick("'infinity'", 'now()', "'0044-03-15 BC'", 'NULL'), few() },
	sub { sprintf 'UPDATE remark SET at = now() WHERE id %% 3 = %d', few() },
	sub { sprintf 'MERGE INTO account a USING (SELECT generate_series(%d, %d) AS k) s ON a.id = s.k WHEN MATCHED AND k %% 3 = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET amount = %s, id = a.id WHEN NOT MATCHED AND k %% 2 = 0 THEN INSERT (id, amount, name) VALUES (k, %s, %s)',
			id(), 10 + id(), num(), num(), text() },
	sub { sprintf 'MERGE INTO part p USING (SELECT %d AS k) s ON p.id = k WHEN MATCHED THEN UPDATE SET region = %d WHEN NOT MATCHED THEN INSERT VALUES (k, %d, %s, %s)',
			id(), region(), region(), num(), text() },
	sub { sprintf 'INSERT INTO heap SELECT i %% 3, %s, %s FROM generate_series(1, %d) i', text(), num(), few() },
	sub { sprintf 'UPDATE heap SET b = %s WHERE a = %d', text(), few() },
	sub { sprintf 'UPDATE heap SET a = a + 1, c = %s WHERE a %% 5 = %d', num(), few() },
	sub { sprintf 'DELETE FROM heap WHERE a = %d AND random() < 0.7', few() },
	sub { sprintf 'WITH gone AS (DELETE FROM heap WHERE a = %d RETURNING *), come AS (INSERT INTO pair SELECT DISTINCT ON (a) a, \'cte\', 1 FROM gone ON CONFLICT (a, b) DO UPDATE SET v = pair.v + 1 RETURNING a) UPDATE account SET amount = 5 WHERE id IN (SELECT a FROM come)', few() },
	sub { sprintf 'INSERT INTO pair VALUES (%d, %s, %s) ON CONFLICT (a, b) DO UPDATE SET b = %s', few(), word(), num(), word() },
	sub { sprintf 'UPDATE pair SET a = a + %d WHERE b = %s', pick(0, 1, -1), word() },
	sub { sprintf 'DELETE FROM pair WHERE a = %d', few() },
	sub { sprintf 'INSERT INTO ruled VALUES (%d, %s, %s)', few(), word(), num() },
	sub { sprintf 'UPDATE ruled SET v = %s WHERE a = %d', num(), few() },
	sub { sprintf 'DELETE FROM ruled WHERE b = %s', word() },
	sub { sprintf 'INSERT INTO swap VALUES (%d, %d, %d) ON CONFLICT (id) DO NOTHING', id(), id(), id() },
	sub { 'UPDATE swap SET place = 41 - place' },
	sub { sprintf 'UPDATE swap SET place = place + 1, v = %d', id() },
	sub { sprintf 'DELETE FROM swap WHERE place %% 4 = %d', few() },
	sub { sprintf 'INSERT INTO part VALUES (%d, %d, %s, %s) ON CONFLICT (id, region) DO UPDATE SET v = EXCLUDED.v', id(), region(), num(), text() },
	sub { sprintf 'UPDATE part SET region = %d WHERE id = %d', region(), id() },
	sub { sprintf 'UPDATE part SET v = %s, body = %s WHERE region = %d', num(), text(), region() },
	sub { sprintf 'UPDATE part_15 SET region = 15, v = %s', num() },
	sub { sprintf 'DELETE FROM part_high WHERE id %% 4 = %d', few() },
	sub { sprintf 'INSERT INTO guarded VALUES (%d, %d, 1)', id(), region() },
	sub { sprintf 'UPDATE guarded SET region = %d, v = v + 1 WHERE id < %d', region(), few() },
	sub { sprintf 'DELETE FROM guarded WHERE id = %d', id() },
	sub { sprintf "COPY account (id, name, amount) FROM STDIN;\n%d\tcopied\t%s\n%d\t\\N\t1.0\n\\.\n", id(), pick('1', 'NaN'), 40 + id() },
	sub { sprintf "COPY heap FROM STDIN (FORMAT csv);\n%d,\"a,b\",1.0\n%d,,\n\\.\n", few(), few() },
	sub { sprintf "COPY part (id, region, v, body) FROM STDIN;\n%d\t%d\t1\tx\n\\.\n", 100 + id(), region() },
	sub { sprintf 'DO $$ BEGIN UPDATE account SET amount = 1 WHERE id = %d; INSERT INTO pair VALUES (%d, \'a\', 0); EXCEPTION WHEN OTHERS THEN UPDATE heap SET c = c + 1 WHERE a = %d; END $$',
			id(), few(), few() },
	sub { sprintf "PREPARE q (int) AS UPDATE account SET amount = amount + 1 WHERE id = \$1;\nEXECUTE q(%d);\nEXECUTE q(%d);\nDEALLOCATE q", id(), id() },
);

# Rare ones, that others wait for or that empty whole tables.
my @rare = (
	sub { 'TRUNCATE heap' },
	sub { 'TRUNCATE entry CASCADE' },
	sub { 'TRUNCATE part' },
	sub { 'TRUNCATE pair, swap' },
	sub { sprintf 'ALTER TABLE account ADD COLUMN %s text DEFAULT %s', extra(), text() },
	sub { sprintf 'ALTER TABLE account DROP COLUMN %s', extra() },
	sub { sprintf 'ALTER TABLE account RENAME COLUMN %s TO %s', extra(), extra() },
	sub { sprintf 'ALTER TABLE account ALTER %s TYPE %s', extra(), pick('varchar(2000)', 'text', "text USING 'was ' || length(name)") },
	sub { 'ALTER TABLE entry ALTER v TYPE float8 USING v / 2' },
	sub { sprintf 'ALTER TABLE part %s COLUMN extra_1 %s', pick(['ADD', 'int DEFAULT 1'], ['DROP', ''])->@* },
	sub { 'SELECT audit.record_baseline(' . pick("'account'", "'heap'", "'part'", "'pair'") . ')' },
);

# Statements that only stand in a transaction block.
my @in_block = (
	sub { sprintf "DECLARE c CURSOR FOR SELECT id FROM account WHERE id > %d FOR UPDATE;\nFETCH 1 FROM c;\nUPDATE account SET amount = %s WHERE CURRENT OF c;\nFETCH 1 FROM c;\nDELETE FROM account WHERE CURRENT OF c;\nCLOSE c", id(), num() },
	sub { 'SET LOCAL session_replication_role = replica' },
	sub { 'SET CONSTRAINTS ALL DEFERRED' },
	sub { 'SET CONSTRAINTS ALL IMMEDIATE' },
	sub { sprintf "SELECT audit.set_context(actor => 'actor %d')", few() },
);

sub statement { return rand() < 0.015 ? pick(@rare)->() : pick(@statements)->() }

# Ends a prepared transaction, whoever prepared it.
sub finish
{
	return sprintf q{SELECT format('%s PREPARED %%L', gid) FROM pg_prepared_xacts ORDER BY random() LIMIT 1 \gexec},
	  pick('COMMIT', 'COMMIT', 'ROLLBACK');
}

sub block
{
	my ($name) = @_;
	my @lines = ('BEGIN' . (rand() < 0.15 ? ' ISOLATION LEVEL REPEATABLE READ' : ''));
	my $open = 0;

	for (1 .. 1 + int rand 8)
	{
		my $dice = rand;

		if ($dice < 0.15) { push @lines, 'SAVEPOINT s' . ++$open }
		elsif ($dice < 0.25 && $open) { push @lines, "ROLLBACK TO SAVEPOINT s$open" }
		elsif ($dice < 0.3 && $open) { push @lines, 'RELEASE SAVEPOINT s' . $open-- }
		elsif ($dice < 0.4) { push @lines, pick(@in_block)->() }
		else { push @lines, statement() }
	}
	push @lines, pick(('COMMIT') x 8, 'ROLLBACK', 'ROLLBACK', "PREPARE TRANSACTION '$name'");
	push @lines, 'SELECT pg_sleep(0.01)', finish() if $lines[-1] =~ /^PREPARE/ && rand() < 0.8;
	return @lines;
}

# A script for psql of so many transactions. Names of prepared ones begin with $name. A line of
# its output that begins with "FINDING" is a defect.
sub random_script
{
	my ($name, $transactions, @tables) = @_;
	my @lines = ('\set VERBOSITY sqlstate', 'SET search_path = random', "SET lock_timeout = '50ms'",
		'\set ON_ERROR_ROLLBACK ' . pick('on', 'on', 'off'));

	for my $i (1 .. $transactions)
	{
		my $dice = rand;

		if ($dice < 0.4) { push @lines, statement() }
		elsif ($dice < 0.9) { push @lines, block("$name $i") }
		elsif ($dice < 0.94) { push @lines, sprintf 'CALL work(%d, %d)', few(), id() }
		elsif ($dice < 0.99) { push @lines, finish() }
		else
		{
			push @lines, sprintf q{SELECT 'FINDING', '%s', r.* FROM audit.reconcile('%s') r WHERE finding <> 'summary'}, (pick(@tables)) x 2;
		}
	}
	return join '', map { /\n\z|\\gexec\z|^\\/ ? "$_\n" : "$_;\n" } @lines;
}

1;
