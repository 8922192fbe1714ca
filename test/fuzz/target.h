/*-------------------------------------------------------------------------
 * target.h
 *		What fuzz targets share.
 *-------------------------------------------------------------------------
 */
#ifndef AT_TARGET_H
#define AT_TARGET_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"

extern int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void
expect(bool condition)
{
	if (!condition)
		abort();
}

/* A copy of its own, to be freed, so that the sanitizer sees a byte read past the end. */
static inline AtText
copy_of(const uint8_t *data, size_t size)
{
	char *copy = malloc(size > 0 ? size : 1);

	expect(copy != NULL);
	if (size > 0)
		memcpy(copy, data, size);
	return (AtText){copy, size};
}

/* A writer for len bytes, whose buffer is to be freed. */
static inline AtWriter
writer_of(size_t len)
{
	char *buffer = malloc(len > 0 ? len : 1);

	expect(buffer != NULL);
	return at_writer(buffer, len);
}

/* What was written is this text, byte for byte. */
static inline void
expect_written(AtWriter *writer, AtText text)
{
	expect(at_writer_error(writer) == AT_OK);
	expect(at_text_equal((AtText){writer->data, writer->len}, text));
	free(writer->data);
}

#endif
