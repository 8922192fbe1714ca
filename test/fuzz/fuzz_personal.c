/*-------------------------------------------------------------------------
 * fuzz_personal.c
 *		at_personal_read() on any bytes: what it takes is what is written from its
 *		parts, and opening never reads outside.
 *-------------------------------------------------------------------------
 */
#include "core/base64.h"
#include "core/subject.h"
#include "target.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t key[AT_SUBJECT_KEY_LEN];
	AtText text = copy_of(data, size);
	AtPersonalText parts;

	if (at_personal_read(text, &parts))
	{
		uint8_t *sealed = malloc(parts.sealed_len + 1);
		uint8_t *value = malloc(parts.sealed_len + 1);
		AtWriter writer = writer_of(AT_PERSONAL_LEN(parts.sealed_len));

		expect(sealed != NULL && value != NULL);
		expect(at_base64_decode(parts.sealed, sealed, parts.sealed_len));
		if (parts.sealed_len > 0)
			expect(!at_subject_open(key, (AtSpan){.data = "a", .len = 1}, sealed, parts.sealed_len,
									value));
		at_personal_write(&writer, parts.name, &parts.commitment, sealed, parts.sealed_len);
		expect_written(&writer, text);
		free(value);
		free(sealed);
	}
	free((char *) text.data);
	return 0;
}
