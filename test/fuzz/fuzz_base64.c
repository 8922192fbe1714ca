/*-------------------------------------------------------------------------
 * fuzz_base64.c
 *		Base64 of any bytes: what is accepted is what encoding makes.
 *-------------------------------------------------------------------------
 */
#include "core/base64.h"
#include "target.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AtText text = copy_of(data, size);
	size_t len;

	if (at_base64_check(text, &len))
	{
		AtWriter bytes = writer_of(len);
		AtWriter again = writer_of(size);

		expect(at_base64_decode(text, bytes.data, len));
		at_write_base64(&again, bytes.data, len);
		expect_written(&again, text);
		free(bytes.data);
	}
	free((char *) text.data);
	return 0;
}
