/*-------------------------------------------------------------------------
 * fuzz_bundle.c
 *		Entry bundles from any bytes: the entries and what is left are all.
 *-------------------------------------------------------------------------
 */
#include "core/bundle.h"
#include "target.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AtText bundle = copy_of(data, size);
	AtText left = bundle;
	AtText entry;
	AtWriter writer = writer_of(size);

	while (at_bundle_next(&left, &entry) == AT_OK)
		expect(at_bundle_add(&writer, entry.data, entry.len) == AT_OK);
	at_write(&writer, left);
	expect_written(&writer, bundle);
	free((char *) bundle.data);
	return 0;
}
