# The tamper matrix: what is done to the ledger, by whom, and what finds it. Its rows are those of the
# table in doc/verification.md. Each is tried here, and what is found is that and nothing else.
#
# A superuser works through SQL, on a running server: the guard is lifted, and the tables get the access
# method heap in the catalog meanwhile. The owner of the files patches their pages while the server is
# stopped; the cluster has checksums, which the owner has switched off, or set right.
use strict;
use warnings;
use File::Path qw(rmtree);
use FindBin;
use lib $FindBin::RealBin;
use MIME::Base64;
use Pages;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::RecursiveCopy;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = "$FindBin::RealBin/../..";
my $node = PostgreSQL::Test::Cluster->new('matrix');
my $folder = PostgreSQL::Test::Utils::tempdir;
my $kept = $node->basedir . '/kept';
my @tried;     # rows of the table
my %place;     # of rows, where the owner of the files finds them

$node->init(extra => ['--data-checksums']);
$node->append_conf('postgresql.conf', qq{
shared_preload_libraries = 'audit_trail'
max_worker_processes = 20
autovacuum = off
audit_trail.seal_interval = 1h
audit_trail.verify_interval = 0
audit_trail.signing_key_file = '$folder/key'
audit_trail.checkpoint_file = '$folder/checkpoints'
});
$node->start;
my $vkey = record();
my %tx = map { split /\|/ } split /\n/,
  value('SELECT request_id, tx_id FROM audit.transaction WHERE request_id IS NOT NULL');
my $batch = value(q{SELECT log_index FROM audit.log_entry WHERE kind = 'events' AND event_count = 5});
my $head = value('SELECT max(log_index) FROM audit.log_entry');
my $database = value('SELECT oid FROM pg_database WHERE datname = current_database()');
my $early = note_of($batch + 1);
my $tile_hash = bytes("SELECT substr(hashes, 1, 32) FROM audit.leaf_tile WHERE log_index = $batch");
my $log_root = bytes("SELECT root FROM audit.checkpoint WHERE size = $batch + 1");
my $last_root = bytes("SELECT root FROM audit.checkpoint WHERE size = $head + 1");
my @alert = split /\n/, value('SELECT alert_id FROM audit.alert ORDER BY alert_id');
my $alert_columns = value(q{SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'audit.alert'::regclass AND attnum > 1});
find_places();
$node->stop;
keep();

# events
attack('event changed', 'audit.verify()', ["event changed|$tx{t1}.2"],
	superuser => "UPDATE audit.event SET new_values = replace(new_values::text, 'paper', 'piper')::json WHERE tx_id = $tx{t1} AND ordinal = 2",
	owner => sub { edit_row($place{event}, sub { s/paper/piper/ }); set_checksums() });
attack('event deleted', 'audit.verify()', ["event missing|$tx{t1}.2"],
	superuser => "DELETE FROM audit.event WHERE tx_id = $tx{t1} AND ordinal = 2",
	owner => sub { remove_row($place{event}) });
attack('event inserted', 'audit.verify()', ["event added|$tx{last}.2"],
	superuser => copy_of_event(2),
	owner => sub { copy_row($place{last}[0], sub { substr($_, field_at(24), 4) = pack 'l', 2 }) });
attack('event moved to another transaction', 'audit.verify()', [ "event added|$tx{t2}.2", "event missing|$tx{t1}.2" ],
	superuser => "UPDATE audit.event SET tx_id = $tx{t2}, ordinal = 2 WHERE tx_id = $tx{t1} AND ordinal = 2");
attack('events exchanged', 'audit.verify()', ["event reordered|$tx{t1}.1"],
	owner => sub { swap_rows($place{first}, $place{event}) });
attack('event duplicated', 'audit.verify()', ["event duplicated|$tx{last}.1"],
	superuser => copy_of_event(1));
attack('event duplicated, in no index', 'audit.verify()', ["event added|$tx{last}.1"],
	owner => sub { copy_row($place{last}[0]) });

# transactions
attack('transaction changed', 'audit.verify()', ["transaction changed|$tx{t2}"],
	superuser => "UPDATE audit.transaction SET actor = 'bobby' WHERE tx_id = $tx{t2}",
	owner => sub { edit_row($place{transaction}, sub { s/alice/bobby/ }) });
attack('transaction deleted, with its events', 'audit.verify()', ["transaction missing|$tx{t2}"],
	superuser => [ without('t2') ],
	owner => sub { remove_row($_) for $place{transaction}, $place{second} });

# the log
attack('batch header changed', 'audit.verify()', ["batch changed|$batch"],
	superuser => "UPDATE audit.log_entry SET event_count = 4 WHERE log_index = $batch",
	owner => sub { edit_row($place{entry}, sub { substr($_, field_at(104), 1) ^= "\1" }) });
attack('leaf tile changed', 'audit.verify()', ["tile changed|$batch/0"],
	superuser => "UPDATE audit.leaf_tile SET hashes = set_byte(hashes, 7, get_byte(hashes, 7) # 1) WHERE log_index = $batch",
	owner => sub { edit_row($place{tile}, sub { flip($tile_hash) }) });
attack('log tile changed', 'audit.verify()', ['log tile changed|0/0'],
	superuser => 'UPDATE audit.log_tile SET hashes = set_byte(hashes, 7, get_byte(hashes, 7) # 1) WHERE level = 0 AND tile = 0');
attack('log tile deleted', 'audit.verify()', ['log tile missing|0/0'],
	superuser => 'DELETE FROM audit.log_tile WHERE level = 0 AND tile = 0',
	owner => sub { remove_row($place{log_tile}) });
attack('checkpoint changed', 'audit.verify()', [ 'checkpoint changed|' . ($batch + 1) ],
	superuser => "UPDATE audit.checkpoint SET root = set_byte(root, 7, get_byte(root, 7) # 1) WHERE size = $batch + 1",
	owner => sub { edit_row($place{checkpoint}, sub { flip($log_root) }) });
attack('signed checkpoint changed', 'the checkpoint file', [ 'log rewritten|' . ($head + 1) ],
	owner => sub { edit_checkpoints(sub { s/\Q${\ encode_base64($last_root, '')}\E/encode_base64(substr($last_root, 0, 31) . 'x', '')/e or die }) });
attack('tail cut off', 'the checkpoint file', sub { [ 'log shortened|' . size_of(newest()) ] },
	superuser => [ without_later(), cut_log($batch + 1) ],
	owner => sub { remove_row($_) for @{ $place{last} } });
attack('tail cut off, also of the checkpoint file', 'a checkpoint held outside', [ 'log shortened|' . ($head + 1) ],
	owner => sub { remove_row($_) for @{ $place{last} }; edit_checkpoints(sub { s/^example\.org\/shop\n@{[ $head + 1 ]}\n.*\z//ms }) },
	checkpoint => note_of($head + 1));

# What is removed before the server seals anew is in no batch: all hashes are right.
attack('whole batch removed with its entry, hashes recomputed', 'the checkpoint file', sub { [ 'log shortened|' . size_of(newest()) ] },
	superuser => [ without('t1'), without('t2'), without('t3'), cut_log($batch) ], then => \&seal_again);
attack('everything recomputed, signed with the stolen key', 'a checkpoint held outside', [ 'log rewritten|' . ($batch + 1) ],
	superuser => [ without('t2'), cut_log($batch) ], then => sub { seal_again(); sign_with_stolen_key() }, checkpoint => $early);
attack('everything recomputed and signed, and audit.verify() replaced', 'audit_verify, with a checkpoint held outside', [],
	superuser => [ without('t2'), cut_log($batch) ], then => sub { seal_again(); sign_with_stolen_key(); replace_verify() },
	offline => $early);

# alerts that nobody has acknowledged
attack('alert deleted', 'audit.verify()', ["alert missing|$alert[0]"],
	superuser => "DELETE FROM audit.alert WHERE alert_id = $alert[0]",
	owner => sub { remove_row($place{alert}) });
attack('alert changed', 'audit.verify()', ["alert changed|$alert[0]"],
	superuser => "UPDATE audit.alert SET severity = 'info' WHERE alert_id = $alert[0]",
	owner => sub { edit_row($place{alert}, sub { s/high/info/ }) });
attack('alert inserted', 'audit.verify()', ['alert added|4711'],
	superuser => "INSERT INTO audit.alert SELECT 4711, $alert_columns FROM audit.alert WHERE alert_id = $alert[0]",
	owner => sub { copy_row($place{alert}, sub { substr($_, field_at(0), 8) = pack 'q', 4711 }) });

# A whole state from before, and two from one.
my ($ours, $theirs);
attack('old backup restored', 'the checkpoint file', sub { [ 'log shortened|' . size_of($ours) ] },
	owner => sub { restore(1, 1); $ours = go_on('ours'); restore(0, 1) });
attack('old backup restored, also of the checkpoint file', 'a checkpoint held outside', sub { [ 'log shortened|' . size_of($ours) ] },
	owner => sub { restore(1, 1) }, checkpoint => $ours);
attack('old backup restored and gone on from', 'a checkpoint held outside', sub { [ 'log rewritten|' . size_of($ours) ] },
	owner => sub { restore(1, 1); go_on("theirs $_") for 1 .. 3 }, checkpoint => $ours);
attack('history forked for two auditors', 'the checkpoint of the other one', sub { [ 'log rewritten|' . size_of($ours) ] },
	owner => sub { restore(1, 1); $theirs = go_on('theirs') }, checkpoint => $ours);
is(size_of($theirs), size_of($ours), 'the two histories are of one length');
attack('history forked, the two auditors compare', 'two checkpoints of one size', sub { [ map { "log $_|" . size_of($ours) } qw(forked rewritten) ] },
	as_it_is => 'owner of the files', checkpoint => $ours . $theirs);

# what is not sealed yet
attack('event changed before its seal', 'audit.verify()', ["transaction changed|$tx{fresh}"],
	owner => sub { edit_row($place{fresh}, sub { s/fresh/flesh/ }) });
attack('event deleted before its seal', 'audit.verify()', ["event missing|$tx{fresh}.1"],
	owner => sub { remove_row($place{fresh}) });

is(join("\n", @tried), join("\n", documented()), 'these are the rows of the table in doc/verification.md');
done_testing();

# A short history; then so many entries that the log has a full tile; and what is not sealed.
sub record
{
	my $seal = 'SELECT audit.seal_now() IS NOT NULL;';
	my $transaction = sub { "BEGIN; SELECT audit.set_context(actor => 'alice', request_id => '$_[0]'); $_[1]; COMMIT;\n" };

	$node->safe_psql('postgres', q{CREATE EXTENSION audit_trail; CREATE TABLE orders (id int PRIMARY KEY, status text, note text);
		SELECT audit.enable('orders');
		CREATE TABLE goods (id int PRIMARY KEY, price int);
		SELECT audit.enable('goods');
		SELECT audit.alert_when('price', 'goods', '{price}', severity => 'high');
		INSERT INTO goods SELECT g, g FROM generate_series(1, 3) g;
		UPDATE goods SET price = 0});
	$node->safe_psql('postgres', 'SELECT audit.notify_now()');
	my $key = $node->safe_psql('postgres', "SELECT audit.create_signing_key('$folder/key', 'example.org/shop')");
	$node->safe_psql('postgres', join "\n", $seal,
		$transaction->(t0 => q{INSERT INTO orders VALUES (0, 'new', 'wood')}), $seal,
		$transaction->(t1 => q{INSERT INTO orders VALUES (1, 'new', 'glass'), (2, 'new', 'paper'), (3, 'new', 'steel')}),
		$transaction->(t2 => q{UPDATE orders SET status = 'paid' WHERE id = 1}),
		$transaction->(t3 => q{UPDATE orders SET status = 'paid' WHERE id = 2}), $seal,
		(map { ($transaction->("more$_" => "UPDATE orders SET note = '$_' WHERE id = 3"), $seal) } 1 .. 256),
		$transaction->(last => q{UPDATE orders SET status = 'paid' WHERE id = 3}), $seal,
		$transaction->(fresh => q{INSERT INTO orders VALUES (9, 'new', 'fresh')}));
	return $key;
}

sub find_places
{
	%place = (
		first => row('event', "tx_id = $tx{t1} AND ordinal = 1"),
		event => row('event', "tx_id = $tx{t1} AND ordinal = 2"),
		second => row('event', "tx_id = $tx{t2}"),
		fresh => row('event', "tx_id = $tx{fresh}"),
		transaction => row('transaction', "tx_id = $tx{t2}"),
		entry => row('log_entry', "log_index = $batch"),
		checkpoint => row('checkpoint', "size = $batch + 1"),
		tile => row('leaf_tile', "log_index = $batch AND tile = 0"),
		alert => row('alert', "alert_id = $alert[0]"),
		log_tile => row('log_tile', 'level = 0 AND tile = 0'),
		last => [ row('event', "tx_id = $tx{last}"), row('transaction', "tx_id = $tx{last}"),
			row('event', "tx_id = $tx{fresh}"), row('transaction', "tx_id = $tx{fresh}"),
			row('leaf_tile', "log_index = $head"), row('log_entry', "log_index = $head"), row('checkpoint', "size = $head + 1") ]);
	return;
}

sub value
{
	my ($query) = @_;

	return $node->safe_psql('postgres', $query);
}

sub bytes
{
	my ($query) = @_;

	return pack 'H*', value("SELECT encode(b, 'hex') FROM ($query) AS q(b)");
}

# [file, block, item] of the one row of a ledger table that the condition is true for
sub row
{
	my ($table, $where) = @_;
	my ($file, $block, $item) = split ' ',
	  value("SELECT pg_relation_filepath(tableoid) || ' ' || translate(ctid::text, '(,)', '  ') FROM audit.$table WHERE $where");

	die "not one row of $table where $where" if !$item;
	return [ $node->data_dir . "/$file", $block, $item ];
}

# Change one bit of these bytes, in $_.
sub flip
{
	my ($bytes) = @_;
	my $at = index $_, $bytes;

	die 'the bytes are not in the row' if $at < 0;
	substr($_, $at + 7, 1) ^= "\1";
	return;
}

# The signed checkpoints: all, the newest, that of a size; and the size of one.
sub notes
{
	return slurp_file("$folder/checkpoints") =~ /(example\.org\/shop\n\d+\n\S+\n\n\xE2\x80\x94 \S+ \S+\n)/g;
}

sub newest
{
	return (notes())[-1];
}

sub note_of
{
	my ($size) = @_;
	my ($note) = grep { size_of($_) == $size } notes();

	return $note // die "no checkpoint of size $size";
}

sub size_of
{
	my ($note) = @_;

	return (split /\n/, $note)[1];
}

# Change the checkpoint file, in $_.
sub edit_checkpoints
{
	my ($edit) = @_;

	local $_ = slurp_file("$folder/checkpoints");
	$edit->();
	write_checkpoints($_);
	return;
}

sub write_checkpoints
{
	my ($text) = @_;

	unlink "$folder/checkpoints";
	append_to_file("$folder/checkpoints", $text);
	chmod 0644, "$folder/checkpoints";
	return;
}

# Statements: the event of the last batch again, under an ordinal; what takes transactions away, and the log from an entry on
sub copy_of_event
{
	my ($ordinal) = @_;

	return "INSERT INTO audit.event SELECT tx_id, tx_at, occurred_at, $ordinal, target_id, retention_class, op, record_key, event_type,
		old_values, new_values, extra FROM audit.event WHERE tx_id = $tx{last}";
}

sub without
{
	my ($name) = @_;

	return map { "DELETE FROM audit.$_ WHERE tx_id = $tx{$name}" } 'event', 'transaction';
}

sub without_later
{
	return map { "DELETE FROM audit.$_ WHERE tx_id > $tx{t3}" } 'event', 'transaction';
}

sub cut_log
{
	my ($from) = @_;

	return ("DELETE FROM audit.log_entry WHERE log_index >= $from", "DELETE FROM audit.leaf_tile WHERE log_index >= $from",
		"DELETE FROM audit.checkpoint WHERE size > $from", 'DELETE FROM audit.log_tile');
}

# All that is kept is the cluster and the checkpoint file.
sub keep
{
	PostgreSQL::Test::Utils::system_or_bail('pg_checksums', '--disable', '-D', $node->data_dir);
	mkdir $kept or die "$kept: $!";
	PostgreSQL::Test::RecursiveCopy::copypath($node->data_dir, "$kept/data");
	PostgreSQL::Test::RecursiveCopy::copypath($folder, "$kept/folder");
	return;
}

# The cluster as a backup has it, or its database alone, which takes less time.
sub restore
{
	my ($with_file, $whole) = @_;
	my $place = $whole ? '' : "/base/$database";

	$node->stop if $node->{_pid};
	rmtree($node->data_dir . $place);
	PostgreSQL::Test::RecursiveCopy::copypath("$kept/data$place", $node->data_dir . $place);
	chmod 0700, $node->data_dir . $place;
	write_checkpoints(slurp_file("$kept/folder/checkpoints")) if $with_file;
	return;
}

# Without the library there is no sealer that would seal what was changed, nor the guard.
sub start
{
	my ($with_library) = @_;

	$node->append_conf('postgresql.conf', "shared_preload_libraries = '@{[ $with_library ? 'audit_trail' : '' ]}'");
	$node->start;
	return;
}

# Do it in each way, and compare what is found; add the row of the table.
sub attack
{
	my ($name, $by, $expected, %how) = @_;
	my @who;

	if ($how{superuser})
	{
		restore(1);
		start(1);
		as_superuser(ref $how{superuser} ? @{ $how{superuser} } : $how{superuser});
		$how{then}->() if $how{then};
		is_found("$name, by a superuser", $expected, \%how);
		push @who, 'superuser';
	}
	if ($how{owner})
	{
		restore(1, $name eq 'event deleted'); # once more without checksums, which one row has set right
		$how{owner}->();
		$node->stop if $node->{_pid};
		start(0);
		is_found("$name, by the owner of the files", $expected, \%how);
		push @who, 'owner of the files';
	}

	if ($how{as_it_is})
	{
		is_found("$name, by the $how{as_it_is}", $expected, \%how);
		push @who, $how{as_it_is};
	}

	my $found = ref $expected eq 'CODE' ? $expected->() : $expected;
	my %kinds = map { (split /\|/)[0] => 1 } @$found;

	push @tried, join ' | ', $name, join(', ', @who), $by, join(', ', sort keys %kinds) || 'not valid';
	return;
}

# Lift the guard, take the tables of the ledger from our access method, and give them back.
sub as_superuser
{
	my (@statements) = @_;
	my $method = q{UPDATE pg_class SET relam = (SELECT oid FROM pg_am WHERE amname = '%s') WHERE relkind = 'r' AND relam = (SELECT oid FROM pg_am WHERE amname = '%s')
		AND relnamespace = 'audit'::regnamespace AND oid IN (SELECT t.oid FROM ledger_tables t)};

	$node->append_conf('postgresql.conf', 'audit_trail.guard = off');
	$node->reload;
	$node->poll_query_until('postgres', q{SELECT current_setting('audit_trail.guard') = 'off'}) or die;
	value(q{CREATE TABLE ledger_tables AS SELECT oid FROM pg_class WHERE relam = (SELECT oid FROM pg_am WHERE amname = 'audit_worm')});
	value(sprintf $method, 'heap', 'audit_worm');
	value(join ';', @statements);
	value(sprintf $method, 'audit_worm', 'heap');
	return;
}

# Whoever owns the files can have any page pass for sound.
sub set_checksums
{
	PostgreSQL::Test::Utils::system_or_bail('pg_checksums', '--enable', '-D', $node->data_dir);
	return;
}

# The server starts anew, so that its sealer takes up what the log has no entry of.
sub seal_again
{
	$node->restart;
	value('SELECT audit.seal_now() IS NOT NULL');
	value("INSERT INTO orders VALUES ($_, 'new', 'later'); SELECT audit.seal_now() IS NOT NULL") for 20 .. 22;
	return;
}

# Put a checkpoint of the head in the place of all, as who has the key can.
sub sign_with_stolen_key
{
	my ($size, $root) = split /\|/, value('SELECT size, encode(root, $$base64$$) FROM audit.checkpoint ORDER BY size DESC LIMIT 1');
	my ($name, $id, $secret) = slurp_file("$folder/key") =~ /\APRIVATE\+KEY\+(\S+?)\+(\w+)\+(\S+)/ or die;
	my $text = "$name\n$size\n$root\n";
	my $base = $node->basedir;

	$node->stop;
	write_file("$base/der", pack('H*', '302e020100300506032b657004220420') . substr(decode_base64($secret), 1));
	write_file("$base/text", $text);
	PostgreSQL::Test::Utils::system_or_bail('openssl', 'pkeyutl', '-sign', '-rawin', '-keyform', 'DER', '-inkey', "$base/der", '-in', "$base/text", '-out', "$base/signature");
	write_checkpoints("$text\n\xE2\x80\x94 $name " . encode_base64(pack('H*', $id) . slurp_file("$base/signature"), '') . "\n");
	$node->start;
	go_on('signed by the server');
	cmp_ok(size_of(newest()), '>', $size, 'the server signs what follows');
	is(value('SELECT object FROM audit.verify()'), 'ok', 'and the database alone tells nothing');
	return;
}

sub write_file
{
	my ($name, $content) = @_;

	unlink $name;
	append_to_file($name, $content);
	return;
}

# A function that says what somebody wants to hear
sub replace_verify
{
	my $head = value(q{SELECT format('audit.verify(%s) RETURNS %s', pg_get_function_arguments(oid), pg_get_function_result(oid)) FROM pg_proc WHERE proname = 'verify'});

	value("CREATE OR REPLACE FUNCTION $head LANGUAGE sql AS \$\$
		SELECT 'summary', 'ok', 'log', NULL::text, NULL::text, 'nothing wrong', NULL::text, NULL::text, NULL::text, NULL::text \$\$");
	is(value('SELECT object FROM audit.verify()'), 'ok', 'the function says that all is well');
	return;
}

# A history goes on: two entries; returns the newest checkpoint.
sub go_on
{
	my ($note) = @_;

	start(1) if !$node->{_pid};
	value("INSERT INTO orders SELECT max(id) + 1, 'new', '$note' FROM orders; SELECT audit.seal_now() IS NOT NULL");
	return newest();
}

sub is_found
{
	my ($name, $expected, $how) = @_;

	if ($how->{offline})
	{
		is_found_offline($name, $how->{offline});
		return;
	}
	my @expected = @{ ref $expected ? ref $expected eq 'CODE' ? $expected->() : $expected : [] };
	my $argument = $how->{checkpoint} ? "checkpoint => '$how->{checkpoint}', public_key => '$vkey'" : '';

	is(value('SELECT object FROM audit.verify()'), 'ok', "$name: nothing is found without the checkpoint") if $how->{checkpoint};
	foreach my $workers (0, 2)
	{
		my $call = join ', ', $argument || (), "workers => $workers";

		is(join("\n", sort split /\n/, value("SELECT finding || '|' || object FROM audit.verify($call) WHERE finding <> 'summary'")),
			join("\n", sort @expected), "$name, $workers workers")
		  or diag(value("SELECT * FROM audit.verify($call)"));
	}
	is_found_in_parts($name, @expected) if $name !~ /in no index|inserted, by the owner/; # no index leads there
	is(value("SELECT count(*) FROM audit.verify($argument) WHERE finding <> 'summary' AND (cause IS NULL OR advice IS NULL)"), 0, "$name: explained");
	return;
}

# What is wrong with a transaction is found too where that, its table or its time alone are verified.
sub is_found_in_parts
{
	my ($name, @expected) = @_;
	my %damaged = map { /^(?:event|transaction) \w+\|(\d+)/ ? ($1 => 1) : () } @expected;
	my $list = join "\n", sort @expected;

	foreach my $tx_id (sort keys %damaged)
	{
		isnt(value("SELECT object FROM audit.verify(tx_id => $tx_id)"), 'ok', "$name: in the transaction");
	}
	foreach my $part (%damaged ? ("table_name => 'public.orders'", "since => '-infinity'") : ())
	{
		is(join("\n", sort split /\n/, value("SELECT finding || '|' || object FROM audit.verify($part) WHERE finding <> 'summary'")), $list, "$name: $part");
	}
	return;
}

# Another machine, which believes a public key and a checkpoint
sub is_found_offline
{
	my ($name, $checkpoint) = @_;
	my $base = $node->basedir;

	mkdir "$base/export" or die $!;
	value("SELECT audit.export_tlog('$base/export')");
	write_file("$base/early", $checkpoint);
	command_exit_is([ 'audit_verify', '--key', $vkey, "$base/export" ], 0, "$name: without a checkpoint the log is valid");
	command_exit_is([ 'audit_verify', '--key', $vkey, '--checkpoint', "$base/early", "$base/export" ], 1, "$name: and with one it is not");
	return;
}

# The rows of the table in the documentation, without their ornaments
sub documented
{
	my ($table) = slurp_file("$top/doc/verification.md") =~ /^\| what was done .*?\n\|[-|]+\n(.*?)\n\n/ms or die 'no table';

	return map { s/`//gr =~ s/^\| | \|$//gr } split /\n/, $table;
}
