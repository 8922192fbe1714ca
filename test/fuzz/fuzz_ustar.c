/*-------------------------------------------------------------------------
 * fuzz_ustar.c
 *		Archives from any bytes: what is accepted is written back.
 *-------------------------------------------------------------------------
 */
#include "core/ustar.h"
#include "target.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AtText archive = copy_of(data, size);
	AtText left = archive;
	AtText name = {"", 0};
	AtText content;
	AtWriter writer = writer_of(size);
	AtError error = AT_OK;

	while (error == AT_OK && name.data != NULL)
	{
		error = at_ustar_next(&left, &name, &content);
		if (error == AT_OK && name.data != NULL)
			expect(at_ustar_add(&writer, name, content) == AT_OK);
	}
	if (error == AT_OK)
	{
		expect(at_ustar_end(&writer) == AT_OK && left.len == 0);
		expect_written(&writer, archive);
	}
	else
		free(writer.data);
	free((char *) archive.data);
	return 0;
}
