/*-------------------------------------------------------------------------
 * fuzz_bundle.c
 *		Archives from any bytes: only the sample itself is valid.
 *
 * AUDIT_VERIFY_SAMPLE names a valid bundle, AUDIT_VERIFY_KEY its key.
 *-------------------------------------------------------------------------
 */
#include "target.h"
#include "test/sample.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static Sample sample;
	AtText archive = copy_of(data, size);
	char fault[200];

	if (sample.count == 0)
		at_sample_read(&sample, getenv("AUDIT_VERIFY_SAMPLE"), getenv("AUDIT_VERIFY_KEY"));
	if (!at_sample_verify(&sample, archive, fault, sizeof(fault)))
		expect(fault[0] != '\0');
	free((char *) archive.data);
	return 0;
}
