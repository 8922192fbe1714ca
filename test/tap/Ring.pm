# A server with a table whose reads are recorded, each with a tag in its text; and what tests do to its ring.
package Ring;

use strict;
use warnings;

use Exporter 'import';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Waiting;
use Workers;

our @EXPORT = qw(open_ring configure gone bring_back read_tag drained hold_reads $tags $lost);

# The tags of all reads that are on record, and the last loss that is.
our $tags = q{(SELECT substring(new_values ->> 'statement' FROM 'tag-[\w.]+') AS tag, tx_at FROM audit.event WHERE op = 'S') AS t};
our $lost = q{FROM audit.event WHERE event_type = 'audit.lost' ORDER BY tx_id DESC LIMIT 1};

my $barrier = 0;

sub open_ring
{
	my ($name) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init(allows_streaming => 1);
	$node->append_conf('postgresql.conf', "shared_preload_libraries = 'audit_trail'\nmax_worker_processes = 20\nfsync = off\nautovacuum = off\n"
		  . "audit_trail.debug_points = 'collector-before-commit'\naudit_trail.record_sessions = off\naudit_trail.ring_timeout = 60s\n");
	$node->start;
	$node->safe_psql('postgres', q{
		CREATE EXTENSION audit_trail;
		CREATE TABLE people (id int PRIMARY KEY, name text); INSERT INTO people VALUES (1, 'a');
		SELECT audit.enable('people', reads => true, query => true)});
	workers_run($node, 'postgres', 'workers run');
	return $node;
}

# Settings of the server, which may be down.
sub configure
{
	my ($node, $lines, $down) = @_;

	$node->append_conf('postgresql.conf', $lines);
	$node->reload unless $down;
	return;
}

# Wait until the server, of which a process was killed, has ended.
sub gone
{
	my ($node) = @_;
	my $pid_file = $node->data_dir . '/postmaster.pid';

	wait_for('the server ends', sub { !-e $pid_file });
	$node->_update_pid(0);
	return;
}

sub bring_back
{
	my ($node, $victim) = @_;

	gone($node) if $victim =~ /collector|writer/ && defined $node->{_pid};
	start_again($node);
	workers_run($node, 'postgres', "workers run after $victim");
	return;
}

sub read_tag
{
	my ($node, $tag) = @_;

	$node->psql('postgres', "SELECT 'tag-$tag' FROM people");
	return;
}

# What was put before is recorded when this is.
sub drained
{
	my ($node) = @_;

	$barrier++;
	read_tag($node, "barrier.$barrier");
	$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM $tags WHERE tag = 'tag-barrier.$barrier'") or die 'not recorded';
	return;
}

# Some reads that are still in the ring when the server has stopped.
sub hold_reads
{
	my ($node, $tag, $count) = @_;
	my $held = hold_point($node, 'collector-before-commit');

	read_tag($node, "$tag.$_") foreach 1 .. $count;
	wait_until_held($node, 'collector-before-commit');
	$node->stop('immediate');
	return;
}

1;
