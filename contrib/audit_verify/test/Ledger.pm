# A ledger's log as doc/format.md has it, made without a line of the C code: so program and tests
# must agree on the document. Whatever is made can be made wrong, and then signed.
package Ledger;

use strict;
use warnings;
use Digest::SHA 'sha256';
use Exporter 'import';
use File::Path 'make_path';
use MIME::Base64;
use Verify;

our @EXPORT = qw(make_key sign_note cosign leaf_hash node_hash tree_root inclusion consistency
  text_field event_body transaction_body session_body entry_body);

my $log_id = pack 'H*', '00010203040546078809' . '0a0b0c0d0e0f';
my $day = 1_795_330_800_000_000;

# Keys: the same seed gives the same key. A key is {name, type, id, public, vkey, pem}.
sub make_key
{
	my ($name, $number, $type) = @_;
	my $seed = chr($number) . "\0" x 31;
	my $der = pack('H*', '302e020100300506032b657004220420') . $seed;
	my $pem = scratch("key$number.pem");

	spew($pem, "-----BEGIN PRIVATE KEY-----\n" . encode_base64($der) . "-----END PRIVATE KEY-----\n");
	my $public = substr(`openssl pkey -in '$pem' -pubout -outform DER`, -32);
	die "openssl made no key\n" if length $public != 32;
	my $id = substr(sha256($name . "\n" . chr($type // 1) . $public), 0, 4);

	return {
		name => $name, type => $type // 1, id => $id, public => $public, pem => $pem,
		vkey => "$name+" . unpack('H*', $id) . '+' . encode_base64(chr($type // 1) . $public, '') };
}

sub sign
{
	my ($key, $message) = @_;

	spew(scratch('message'), $message);
	my $signature = `openssl pkeyutl -sign -rawin -inkey '$key->{pem}' -in '${\scratch('message')}'`;
	die "openssl did not sign\n" if length $signature != 64;
	return $signature;
}

sub signature_line
{
	my ($key, $bytes) = @_;

	return "\xe2\x80\x94 $key->{name} " . encode_base64($key->{id} . $bytes, '') . "\n";
}

# A note: the text, signed by each of the keys.
sub sign_note
{
	my ($text, @keys) = @_;

	return "$text\n" . join '', map { signature_line($_, sign($_, $text)) } @keys;
}

# The note with another line, by a witness.
sub cosign
{
	my ($note, $key, $time) = @_;
	my ($text) = $note =~ /\A(.*\n)\n/s;

	return $note . signature_line($key, pack('Q>', $time) . sign($key, "cosignature/v1\ntime $time\n$text"));
}

# RFC 6962
sub leaf_hash { return sha256("\0" . $_[0]) }
sub node_hash { return sha256("\1" . $_[0] . $_[1]) }

# Largest power of two below n.
sub split_at
{
	my ($n) = @_;
	my $k = 1;

	$k *= 2 while $k * 2 < $n;
	return $k;
}

my %roots;

# Root of these leaves; that of a perfect subtree is remembered by where it stands, until arrays of
# leaves are made or go.
sub tree_root
{
	my ($leaves, $first, $last) = @_;

	$first //= 0;
	$last //= @$leaves;
	my $n = $last - $first;
	return sha256('') if $n == 0;
	return $leaves->[$first] if $n == 1;

	my $k = split_at($n);
	my $name = $k * 2 == $n ? join('/', $leaves, $first, $last) : undef;

	return $roots{$name} if defined $name && exists $roots{$name};
	my $root = node_hash(tree_root($leaves, $first, $first + $k), tree_root($leaves, $first + $k, $last));
	$roots{$name} = $root if defined $name;
	return $root;
}

sub inclusion
{
	my ($leaves, $m, $first, $last) = @_;

	$first //= 0;
	$last //= @$leaves;
	return () if $last - $first == 1;
	my $k = split_at($last - $first);

	return $m < $k
	  ? (inclusion($leaves, $m, $first, $first + $k), tree_root($leaves, $first + $k, $last))
	  : (inclusion($leaves, $m - $k, $first + $k, $last), tree_root($leaves, $first, $first + $k));
}

sub consistency
{
	my ($leaves, $m, $n) = @_;

	return subproof($leaves, $m, 0, $n, 1);
}

sub subproof
{
	my ($leaves, $m, $first, $last, $whole) = @_;
	my $n = $last - $first;

	return $whole ? () : (tree_root($leaves, $first, $last)) if $m == $n;
	my $k = split_at($n);
	return $m <= $k
	  ? (subproof($leaves, $m, $first, $first + $k, $whole), tree_root($leaves, $first + $k, $last))
	  : (subproof($leaves, $m - $k, $first + $k, $last, 0), tree_root($leaves, $first, $first + $k));
}

# Bodies. A text that is undef is missing.
sub text_field
{
	my ($text) = @_;

	return defined $text ? pack('N/a*', $text) : pack('N', 0xffffffff);
}

sub event_body
{
	my (%e) = (tx_id => 7, ordinal => 1, tx_at => $day, occurred_at => $day + 100, op => 'I',
		schema => 'public', table => 'orders', resource_type => 'order', record_key => '42', @_);

	return 'ATE1' . ($e{log_id} // $log_id) . pack('Q>NQ>Q>a', @e{qw(tx_id ordinal tx_at occurred_at op)})
	  . join '', map { text_field($e{$_}) } qw(schema table resource_type record_key event_type old_values new_values extra);
}

# Its digest is that of the events.
sub transaction_body
{
	my ($events, %t) = @_;

	%t = (tx_id => 7, tx_at => $day, committed_at => $day + 200, xid => 731, session_id => 1, system_identifier => 7300000000000000001,
		database_oid => 16384, actor => 'anna', actor_source => 'setting', db_user => 'shop', db_role => 'shop', %t);
	my $chain = sha256('ATC1' . ($t{log_id} // $log_id) . pack('Q>', $t{tx_id}));

	$chain = sha256($chain . leaf_hash($_)) foreach @$events;
	return 'ATX1' . ($t{log_id} // $log_id) . pack('Q>Q>Q>Q>Q>N', @t{qw(tx_id tx_at committed_at xid session_id)}, $t{event_count} // scalar @$events)
	  . ($t{digest} // $chain) . pack('Q>N', @t{qw(system_identifier database_oid)})
	  . join '', map { text_field($t{$_}) } qw(actor actor_type actor_source db_user db_role application_name request_id reason
	  claimed_session claimed_client_ip trace_parent extra context_sources session_digest);
}

sub session_body
{
	my (%s) = (session_id => 1, started_at => $day - 800_000_000, backend_pid => 4242, client_port => 0, login_user => 'shop', @_);

	return 'ATS1' . ($s{log_id} // $log_id) . pack('Q>Q>NN', @s{qw(session_id started_at backend_pid client_port)})
	  . join '', map { text_field($s{$_}) } qw(login_user client_addr application_name tls);
}

sub entry_body
{
	my (%e) = @_;

	%e = (incarnation => 1, sealed_at => $day + 1_000_000 * $e{log_index}, previous => "\0" x 32, root => sha256(''),
		leaf_count => 0, tx_count => 0, event_count => 0, first_tx_at => 0, last_tx_at => 0, %e);
	return 'ATL1' . ($e{log_id} // $log_id) . pack('Q>Q>N', @e{qw(log_index sealed_at incarnation)}) . text_field($e{kind})
	  . $e{previous} . $e{root} . pack('Q>Q>Q>Q>Q>', @e{qw(leaf_count tx_count event_count first_tx_at last_tx_at)})
	  . text_field($e{snapshot}) . text_field($e{payload});
}

# A log: {key, entries, leaves, size}. Entries are appended by append(kind => ..., ...), which
# takes any field of an entry, and by batch().
sub new
{
	my ($class, %options) = @_;

	%roots = ();
	my $self = bless { key => $options{key}, entries => [], leaves => [], incarnation => 1, batches => {} }, $class;

	return $self if $options{empty};
	$self->append(kind => 'boot', snapshot => '1:1:',
		payload => '{"incarnation":1,"system_identifier":"7300000000000000001","database_oid":16384,"reason":"ledger created"}');
	$self->append(kind => 'key', payload => qq({"vkey":"$self->{key}{vkey}"}));
	return $self;
}

sub size { return scalar @{ $_[0]{entries} } }

sub append
{
	my ($self, %fields) = @_;
	my $previous = $self->size > 0 ? sha256($self->{entries}[-1]) : "\0" x 32;
	my $body = entry_body(log_index => $self->size, previous => $previous, incarnation => $self->{incarnation}, %fields);

	push @{ $self->{entries} }, $body;
	push @{ $self->{leaves} }, leaf_hash($body);
	return $self->size - 1;
}

# A batch of transactions, each [events..., transaction]; returns the entry's log_index.
sub batch
{
	my ($self, @transactions) = @_;
	my @bodies = map { @$_ } @transactions;
	my @leaves = map { leaf_hash($_) } @bodies;

	%roots = ();
	my $index = $self->append(kind => 'events', snapshot => '732:732:', root => tree_root(\@leaves), leaf_count => scalar @bodies,
		tx_count => scalar @transactions, event_count => @bodies - @transactions, first_tx_at => $day, last_tx_at => $day);

	$self->{batches}{$index} = { bodies => \@bodies, leaves => \@leaves };
	return $index;
}

# Another key from here on, endorsed by the one before unless told otherwise.
sub rotate
{
	my ($self, $key, %options) = @_;
	my $old = $options{by} // $self->{key};
	my $note = sign_note("audit_trail key\n" . ($options{of} // $key)->{vkey} . "\n", $old);
	my $endorsed = qq(,"endorsed_by":") . unpack('H*', $old->{id}) . qq(","endorsement":") . encode_base64($note, '') . '"';

	$self->append(kind => 'key', payload => qq({"vkey":"$key->{vkey}") . ($options{alone} ? '' : $endorsed) . '}');
	$self->{key} = $key;
	return $self;
}

sub checkpoint_text
{
	my ($self, $size) = @_;

	$size //= $self->size;
	return "$self->{key}{name}\n$size\n" . encode_base64(tree_root($self->{leaves}, 0, $size), '') . "\n";
}

sub checkpoint
{
	my ($self, $size, @keys) = @_;

	return sign_note($self->checkpoint_text($size), @keys ? @keys : $self->{key});
}

sub consistency_text
{
	my ($self, $old, $new) = @_;

	return join '', map { encode_base64($_, '') . "\n" } consistency($self->{leaves}, $old, $new);
}

# A tlog-proof of an entry; with extra, of something in it.
sub proof
{
	my ($self, $index, $note, $extra) = @_;
	my ($size) = $note =~ /\A.*\n(\d+)\n/;

	return "c2sp.org/tlog-proof\@v1\n" . (defined $extra ? 'extra ' . encode_base64($extra, '') . "\n" : '') . "index $index\n"
	  . join('', map { encode_base64($_, '') . "\n" } inclusion($self->{leaves}, $index, 0, $size)) . "\n$note";
}

# The proof of leaf number n of a batch.
sub event_proof
{
	my ($self, $index, $number, $note) = @_;
	my $batch = $self->{batches}{$index};

	return $self->proof($index, $note, 'ATI1' . pack('Q>', $number) . text_field($batch->{bodies}[$number])
		  . text_field($self->{entries}[$index]) . join('', inclusion($batch->{leaves}, $number)));
}

# Path of a tile, and its files of a log of this size: { path => bytes }.
sub tile_path
{
	my ($level, $index, $width) = @_;
	my @groups = (sprintf '%03d', $index % 1000);

	for ($index = int($index / 1000); $index > 0; $index = int($index / 1000))
	{
		unshift @groups, sprintf 'x%03d', $index % 1000;
	}
	return join('/', 'tile', $level, @groups) . ($width < 256 ? ".p/$width" : '');
}

sub tiles
{
	my ($self, $size) = @_;
	my %files;

	%roots = ();
	my @hashes = @{ $self->{leaves} }[ 0 .. $size - 1 ];

	for (my $i = 0; $i * 256 < $size; $i++)
	{
		my $width = $size - $i * 256 < 256 ? $size - $i * 256 : 256;

		$files{ tile_path('entries', $i, $width) } = join '', map { pack 'n/a*', $self->{entries}[ $i * 256 + $_ ] } 0 .. $width - 1;
	}
	for (my $level = 0; @hashes > 0; $level++)
	{
		my @above;

		for (my $i = 0; $i * 256 < @hashes; $i++)
		{
			my $width = @hashes - $i * 256 < 256 ? @hashes - $i * 256 : 256;
			my @tile = @hashes[ $i * 256 .. $i * 256 + $width - 1 ];

			$files{ tile_path($level, $i, $width) } = join '', @tile;
			push @above, tree_root(\@tile) if $width == 256;
			%roots = ();
		}
		@hashes = @above;
	}
	return \%files;
}

# Write an export to a folder below the scratch one; returns its path.
sub export
{
	my ($self, $name, %options) = @_;
	my $note = $options{note} // $self->checkpoint;
	my ($size) = $note =~ /\A.*\n(\d+)\n/;
	my $files = $self->tiles($options{size} // $size);

	$files->{checkpoint} = $note;
	write_files(scratch($name), $files);
	return scratch($name);
}

sub write_files
{
	my ($folder, $files) = @_;

	foreach my $path (keys %$files)
	{
		my ($parent) = "$folder/$path" =~ m{(.*)/};

		make_path($parent);
		spew("$folder/$path", $files->{$path});
	}
	return $folder;
}

1;
