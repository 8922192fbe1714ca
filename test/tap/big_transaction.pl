# Very many events in one transaction: the backend's memory does not grow with their count, and
# the transaction is sealed and verified like any other.
#
# The rows come in statements of ten thousand: PostgreSQL itself keeps a few bytes for each row
# of a statement with row triggers, until the statement ends.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../demo";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Shop qw(verify);
use Test::More;
use Time::HiRes qw(time);

my $events = $ENV{AUDIT_TRAIL_SLOW} ? 10_000_000 : 500_000;
my $early = $events / 10;
my $node = PostgreSQL::Test::Cluster->new('big_transaction');

$node->init;
$node->append_conf('postgresql.conf',
	"shared_preload_libraries = 'audit_trail'\nmax_wal_size = 4GB\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION audit_trail;
	CREATE TABLE public.movements (id bigint PRIMARY KEY, article text NOT NULL, quantity numeric NOT NULL);
	SELECT audit.enable('public.movements');

	-- n events: three quarters inserts, the rest updates; now and then as many again, rolled back
	CREATE PROCEDURE public.move(first bigint, n bigint) LANGUAGE plpgsql AS $$
	BEGIN
		FOR start IN first .. first + n - 1 BY 10000 LOOP
			INSERT INTO public.movements SELECT i, 'article ' || i % 100, i FROM generate_series(start, start + 7499) i;
			BEGIN
				UPDATE public.movements SET quantity = quantity + 0.5 WHERE id BETWEEN start AND start + 2499;
				IF start / 10000 % 5 = 0 THEN
					RAISE EXCEPTION 'never mind';
				END IF;
			EXCEPTION WHEN raise_exception THEN
				UPDATE public.movements SET quantity = quantity + 1.5 WHERE id BETWEEN start AND start + 2499;
			END;
		END LOOP;
	END $$;

	CREATE FUNCTION public.memory() RETURNS text LANGUAGE sql VOLATILE AS $$
		SELECT 'memory ' || (SELECT (sum(total_bytes) / 1024)::bigint FROM pg_backend_memory_contexts) || ' '
			|| substring(pg_read_file('/proc/self/status') FROM 'RssAnon:\s+(\d+) kB') $$;
});

my $began = time();
my $said = $node->safe_psql('postgres', qq{
	BEGIN;
	CALL public.move(0, $early);
	SELECT public.memory();
	CALL public.move($early, $events - $early);
	SELECT public.memory();
	COMMIT;
}, timeout => 3600);
note(sprintf('%d events in %.1f s', $events, time() - $began));

my @memory = map { [split] } $said =~ /^memory (\d+ \d+)$/mg;
is(scalar @memory, 2, 'memory was measured twice');
note("contexts $memory[0][0] -> $memory[1][0] kB, anonymous $memory[0][1] -> $memory[1][1] kB");
cmp_ok($memory[1][0] - $memory[0][0], '<', 512, 'memory contexts do not grow with the events');
cmp_ok($memory[1][1] - $memory[0][1], '<', 4096, 'the process does not either');

$began = time();
$node->safe_psql('postgres', 'SELECT audit.seal_now()', timeout => 3600);
ok($node->poll_query_until('postgres', q{
	SELECT (SELECT sum(event_count) FROM audit.log_entry) = (SELECT sum(event_count) FROM audit.transaction)}),
	'sealed');
note(sprintf('sealed in %.1f s', time() - $began));
is($node->safe_psql('postgres', 'SELECT max(event_count) FROM audit.transaction'), $events,
	'as one transaction');

$began = time();
is(verify($node), 'summary|ok|', 'verify is green');
note(sprintf('verified in %.1f s', time() - $began));

$node->stop;
done_testing();
