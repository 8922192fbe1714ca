# The parser of HTTP: a program of its own.
use strict;
use warnings;

exec $ENV{TEST_HTTP} or die "cannot run $ENV{TEST_HTTP}: $!\n";
