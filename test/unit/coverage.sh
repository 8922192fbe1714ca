#!/bin/sh
# coverage.sh BUILD_DIR SRC_DIR
#
# Every line of src/core must have run. One that cannot be made to run in a
# test carries its excuse: a comment that begins with "no test:".

set -eu

build=$1
src=$2

cd "$build"
rm -f ./*.gcov
gcov --relative-only --source-prefix "$src" core/*.gcda >/dev/null

# A line of gcov's is COUNT:NUMBER:TEXT; a count of ##### is a line that never ran.
missed=$(grep -H '^ *#####:' ./*.gcov | grep -v '/\* no test: ' || true)
if [ -n "$missed" ]; then
	echo "$missed"
	echo "coverage: lines of src/core without a test (see above)" >&2
	exit 1
fi

# No file may slip through because nothing of it was linked.
for file in "$src"/core/*.c; do
	if [ ! -f "$(basename "$file").gcov" ]; then
		echo "coverage: $file did not run at all" >&2
		exit 1
	fi
done

lines=$(cat ./*.gcov | grep -c '^ *[0-9]*\*\{0,1\}:' || true)
excused=$(cat ./*.gcov | grep '^ *#####:' | grep -c '/\* no test: ' || true)
echo "coverage: $lines lines of src/core ran, $excused excused"
