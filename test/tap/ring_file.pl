# The file that the ring is: its size, copies of it, damage.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Ring;
use Test::More;
use Workers;

my $node = open_ring('ring_file');
my $ring = $node->data_dir . '/pg_dynshmem/audit_trail.ring';

# Another size, with records in it.
foreach my $size ('256kB', '64kB')
{
	hold_reads($node, "size.$size", 5);
	configure($node, "audit_trail.ring_size = $size\naudit_trail.ring_full = wait", 1);
	bring_back($node, 'stop');
	drained($node);
	is($node->safe_psql('postgres', "SELECT count(*) FROM $tags WHERE tag ~ 'size.$size'"), 5, "nothing is lost when it becomes $size");
}
cmp_ok(-s $ring, '<', 128 * 1024, 'it becomes smaller too');

# A base backup has none of it, and a copy does not use it.
hold_reads($node, 'copied', 4);
$node->backup_fs_cold('cold');
bring_back($node, 'stop');
drained($node);
is($node->safe_psql('postgres', "SELECT count(*), count(DISTINCT tag) FROM $tags WHERE tag ~ 'copied'"), '4|4', 'the cluster has its records');
$node->backup('hot');
ok(-e $ring && !-e $node->backup_dir . '/hot/pg_dynshmem/audit_trail.ring', 'a base backup has no ring');
my $copy = PostgreSQL::Test::Cluster->new('ring_copy');
$copy->init_from_backup($node, 'cold');
$copy->start;
workers_run($copy, 'postgres', 'workers run in a copy');
ok($copy->poll_query_until('postgres', q{SELECT count(*) > 0 FROM audit.event WHERE new_values ->> 'reason' = 'it is a copy'}), 'the copy tells that it has records of another');
like($copy->safe_psql('postgres', "SELECT new_values $lost"),
	qr{^\{"lost":0,"in_server_log":0,"set_aside":4,"file":"pg_dynshmem/audit_trail.ring.aside.1","reason":"it is a copy"\}$}, 'how many, and where');
is($copy->safe_psql('postgres', "SELECT count(*) FROM $tags WHERE tag ~ 'copied'"), '0', 'and has recorded none');
like($copy->safe_psql('postgres', q{SELECT sentence FROM audit.events WHERE event_type = 'audit.lost' ORDER BY tx_id DESC LIMIT 1}), qr/aside/, 'also in words');
$copy->stop;

# Damage: of a record, of the file.
hold_reads($node, 'damaged', 3);
damage('tag-damaged.2');
bring_back($node, 'stop');
drained($node);
is($node->safe_psql('postgres', "SELECT string_agg(tag, ' ' ORDER BY tag) FROM $tags WHERE tag ~ 'damaged'"), 'tag-damaged.1 tag-damaged.3', 'a damaged record is left out');
is($node->safe_psql('postgres', "SELECT new_values $lost"), '{"lost":1,"in_server_log":0,"unfinished":1}', 'and told');
hold_reads($node, 'head', 3);
damage('audit_trail ring');
bring_back($node, 'stop');
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM audit.event WHERE new_values ->> 'reason' = 'its head is damaged'}), 'a file that cannot be read is told');
ok(-s "$ring.aside.1", 'and kept');
like(slurp_file($node->logfile), qr/file "pg_dynshmem\/audit_trail.ring" is set aside: its head is damaged/, 'also in the log');
drained($node);
$node->restart;
drained($node);
is($node->safe_psql('postgres', q{SELECT count(*) FROM audit.event WHERE new_values ->> 'reason' = 'its head is damaged'}), '1', 'once');

$node->safe_psql('postgres', 'SELECT audit.seal_now()');
like($node->safe_psql('postgres', 'SELECT finding, object FROM audit.verify()'), qr/\Asummary\|ok\z/, 'all of it verifies');
$node->stop;
done_testing();

# Change a byte behind a text in the file.
sub damage
{
	my ($text) = @_;
	my $bytes = slurp_file($ring);
	my $at = index($bytes, $text);

	die "no $text in the file" if $at < 0;
	open my $file, '+<:raw', $ring or die $!;
	seek $file, $at + length($text), 0;
	print $file 'X';
	close $file;
	return;
}
