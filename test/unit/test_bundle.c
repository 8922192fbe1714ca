/*-------------------------------------------------------------------------
 * test_bundle.c
 *		Entry bundles: entries of all lengths, and bytes that are none.
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "check.h"
#include "core/bundle.h"

static void
test_round_trip(void)
{
	static const size_t lengths[] = {0, 1, 255, 256, 65535};
	static char entry[AT_BUNDLE_MAX_ENTRY + 1];
	static char buffer[70000];
	AtWriter writer = at_writer(buffer, sizeof(buffer));
	bool added = true;

	memset(entry, 'e', sizeof(entry));
	for (size_t i = 0; i < lengthof(lengths); i++)
		added = added && at_bundle_add(&writer, entry, lengths[i]) == AT_OK;
	check(added && writer.len == 66047 + 2 * lengthof(lengths), "entries are added");

	AtText bundle = {buffer, writer.len};
	AtText read;
	int equal = 0;

	for (size_t i = 0; i < lengthof(lengths); i++)
		equal += at_bundle_next(&bundle, &read) == AT_OK &&
				 at_text_equal(read, (AtText){entry, lengths[i]});
	check(equal == lengthof(lengths) && bundle.len == 0, "and read, until nothing is left");
	check(at_bundle_next(&bundle, &read) == AT_ERR_BUNDLE, "then there is no other");

	check(at_bundle_add(&writer, entry, sizeof(entry)) == AT_ERR_BUNDLE,
		  "an entry of 65536 bytes has no length");
	writer = at_writer(buffer, 5);
	check(at_bundle_add(&writer, entry, 4) == AT_ERR_NO_ROOM, "one has no room");
}

static void
test_refused(void)
{
	AtText entry;

	check(at_bundle_next(&(AtText){"", 0}, &entry) == AT_ERR_BUNDLE, "nothing is no entry");
	check(at_bundle_next(&(AtText){"\0", 1}, &entry) == AT_ERR_BUNDLE, "nor is half a length");
	check(at_bundle_next(&(AtText){"\0\1", 2}, &entry) == AT_ERR_BUNDLE, "nor a length alone");
	check(at_bundle_next(&(AtText){"\xff\xff....", 6}, &entry) == AT_ERR_BUNDLE,
		  "nor one that is too long");
}

int
main(void)
{
	test_round_trip();
	test_refused();
	return check_done();
}
