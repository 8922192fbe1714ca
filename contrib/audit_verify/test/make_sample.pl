# Writes a small valid bundle, its key, and inputs for the fuzz targets:
#
#   make_sample.pl SAMPLE KEY [CORPUS]
#
# Below CORPUS come bundle/ and forged/, as in test/corpus.
use strict;
use warnings;
use Bundle;
use File::Path 'make_path';
use Ledger;
use Verify;

my ($sample, $key_file, $corpus) = @ARGV;
my $key = make_key('audit.example/shop', 1);
my ($log, $sessions) = sample_log($key);
my $files = make_bundle($log, $sessions, events => { 7 => [1] });

spew($sample, archive($files));
spew($key_file, "$key->{vkey}\n");
exit if !defined $corpus;

make_path("$corpus/bundle", "$corpus/forged");
spew("$corpus/bundle/sample", archive($files));
spew("$corpus/bundle/cut_off", substr(archive($files), 0, 3000));
spew("$corpus/bundle/no_end", substr(archive($files), 0, -1024));
spew("$corpus/bundle/empty", '');
spew("$corpus/bundle/end_alone", "\0" x 1024);
spew("$corpus/bundle/manifest_alone", archive({ MANIFEST => '' }));
spew("$corpus/bundle/another_mode", archive($files) =~ s/0000644/0000755/r);
spew("$corpus/bundle/another_file", archive({ %$files, x => 'y' }));
my $number = 0;
foreach my $path (sort keys %$files)
{
	spew("$corpus/forged/" . $path =~ s{/}{_}gr, chr($number) . $files->{$path});
	spew("$corpus/forged/" . $path =~ s{/}{_}gr . '_flipped', chr($number) . flipped($files->{$path}, 8 * int(length($files->{$path}) / 2) + 2));
	$number++;
}
