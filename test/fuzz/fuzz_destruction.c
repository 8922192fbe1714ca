/*-------------------------------------------------------------------------
 * fuzz_destruction.c
 *		Certificates of destruction from any bytes: what is read is written back,
 *		and nothing verifies, as no log has the root that is asked for.
 *-------------------------------------------------------------------------
 */
#include "core/destruction.h"
#include "target.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AtText text = copy_of(data, size);
	char *buffer = malloc(size > 0 ? size : 1);
	AtCheckpoint checkpoint = {.size = 5};
	AtDestruction destruction;
	AtDestroyed destroyed;

	expect(buffer != NULL);
	if (at_destruction_read(&destruction, text, buffer, size) == AT_OK)
	{
		AtWriter writer = writer_of(text.len);

		expect(at_destruction_write(&writer, &destruction) == AT_OK);
		expect_written(&writer, text);
		expect(at_destruction_verify_in(&destruction, &checkpoint, &destroyed) != AT_OK);
		(void) at_destruction_has(&destruction, size, size);
	}
	free(buffer);
	free((char *) text.data);
	return 0;
}
