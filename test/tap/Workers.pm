# Questions about background workers that several tests ask.
package Workers;

use strict;
use warnings;

use Exporter 'import';
use Test::More;

our @EXPORT = qw(workers_run workers_gone pids_of doctor);

# What runs in a database that has the extension.
our $all_workers = 'audit_trail collector,audit_trail notifier,audit_trail sealer';

# Wait until a database has all its workers, none of them among the given pids.
sub workers_run
{
	my ($node, $database, $name, @not) = @_;
	my $others = join ',', 0, @not;

	ok( $node->poll_query_until('template1', qq{
			SELECT string_agg(backend_type, ',' ORDER BY backend_type) FROM pg_stat_activity
			WHERE datname = '$database' AND backend_type LIKE 'audit_trail %' AND pid NOT IN ($others)
		}, $all_workers), $name);
	return;
}

# Wait until a database has no workers.
sub workers_gone
{
	my ($node, $database, $name) = @_;

	ok( $node->poll_query_until('template1', qq{
			SELECT count(*) = 0 FROM pg_stat_activity
			WHERE datname = '$database' AND backend_type LIKE 'audit_trail %'
		}), $name);
	return;
}

# Process ids of workers; of all databases, or of one.
sub pids_of
{
	my ($node, $kind, $database) = @_;
	my $where = $database ? "AND datname = '$database'" : '';

	return split /\n/, $node->safe_psql('template1', qq{
		SELECT pid FROM pg_stat_activity WHERE backend_type LIKE 'audit_trail $kind' $where ORDER BY pid});
}

# What the doctor says of one check: "status|detail|remedy", a line each.
sub doctor
{
	my ($node, $database, $check) = @_;

	return $node->safe_psql($database,
		qq{SELECT status, detail, remedy FROM audit.doctor() WHERE "check" = '$check'});
}

1;
