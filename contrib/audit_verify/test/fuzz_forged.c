/*-------------------------------------------------------------------------
 * fuzz_forged.c
 *		A file of a bundle from any bytes, and MANIFEST written for it: only
 *		the sample itself is valid.
 *
 * So what lies behind MANIFEST is reached, as by a forger. The first byte is
 * the number of the file, MANIFEST being 0. AUDIT_VERIFY_SAMPLE names a valid
 * bundle, AUDIT_VERIFY_KEY its key.
 *-------------------------------------------------------------------------
 */
#include "target.h"
#include "test/sample.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static Sample sample;
	AtText content;
	AtText archive;
	char fault[200];

	if (sample.count == 0)
		at_sample_read(&sample, getenv("AUDIT_VERIFY_SAMPLE"), getenv("AUDIT_VERIFY_KEY"));
	if (size == 0)
		return 0;

	content = copy_of(data + 1, size - 1);
	archive = at_sample_forge(&sample, data[0] % sample.count, content);
	if (!at_sample_verify(&sample, archive, fault, sizeof(fault)))
		expect(fault[0] != '\0');
	free((char *) archive.data);
	free((char *) content.data);
	return 0;
}
