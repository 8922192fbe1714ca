/*-------------------------------------------------------------------------
 * fuzz_redact.c
 *		at_redact() on any bytes: no access outside, no more than was promised,
 *		and nothing is left that it would take for another literal.
 *-------------------------------------------------------------------------
 */
#include "core/redact.h"
#include "target.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AtText copy = copy_of(data, size);
	char *once = malloc(at_redact_size(size));
	char *twice;
	size_t len;

	expect(once != NULL);
	(void) at_mentions_secret(copy.data, size);
	len = at_redact(copy.data, size, once);
	expect(len < at_redact_size(size) && once[len] == '\0');

	twice = malloc(at_redact_size(len));
	expect(twice != NULL);
	expect(at_redact(once, len, twice) == len && memcmp(once, twice, len) == 0);
	len = at_redact_values(copy.data, size, once);
	expect(len < at_redact_size(size) && once[len] == '\0');
	free(twice);
	free(once);
	free((char *) copy.data);
	return 0;
}
