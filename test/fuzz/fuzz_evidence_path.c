/*-------------------------------------------------------------------------
 * fuzz_evidence_path.c
 *		Paths of a bundle from any bytes: what is accepted is written back.
 *-------------------------------------------------------------------------
 */
#include "core/evidence_path.h"
#include "target.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AtText text = copy_of(data, size);
	AtEvidencePath path;

	if (at_evidence_path_read(&path, text) == AT_OK)
	{
		AtWriter writer = writer_of(size);

		at_evidence_path_write(&writer, &path);
		expect_written(&writer, text);
	}
	free((char *) text.data);
	return 0;
}
