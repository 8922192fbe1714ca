/*-------------------------------------------------------------------------
 * fuzz_manifest.c
 *		Manifests from any bytes: what is accepted is written back, and its
 *		paths are in order and stay within the bundle.
 *-------------------------------------------------------------------------
 */
#include "core/manifest.h"
#include "target.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AtText manifest = copy_of(data, size);
	AtText left = manifest;
	AtText last = {NULL, 0};
	AtText path;
	AtHash hash;
	AtWriter writer = writer_of(size);

	AtError error = AT_OK;

	while (left.len > 0 && error == AT_OK)
	{
		error = at_manifest_next(&left, last, &hash, &path);
		if (error != AT_OK)
			break;
		expect(at_text_compare(last, path) < 0);
		expect(path.data[0] != '/' && path.data[0] != '.' && path.len <= AT_EVIDENCE_PATH_MAX);
		for (size_t i = 1; i < path.len; i++)
			expect(path.data[i] != '.' || path.data[i - 1] != '/');
		at_manifest_write_line(&writer, &hash, path);
		last = path;
	}
	if (error == AT_OK)
		expect_written(&writer, manifest);
	else
		free(writer.data);
	free((char *) manifest.data);
	return 0;
}
