/*-------------------------------------------------------------------------
 * file.c
 *		Files, read whole.
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <stdio.h>

#include "file.h"
#include "message.h"

#define FIRST_SIZE 65536

AtText
at_file_read(const char *path)
{
	FILE *file = fopen(path, "rb");
	char *data = NULL;
	size_t max = 0;
	size_t len = 0;
	size_t got;

	if (file == NULL)
		at_fatal("could not open file \"%s\": %s", path, strerror(errno));
	do
	{
		data = at_grow(data, &max, len + FIRST_SIZE, 1);
		errno = 0;
		got = fread(data + len, 1, max - len, file);
		len += got;
		if (len > AT_FILE_MAX)
			at_fatal("file \"%s\" is larger than %zu bytes", path, AT_FILE_MAX);
	} while (got > 0);
	if (ferror(file))
		at_fatal("could not read file \"%s\": %s", path, strerror(errno));
	fclose(file);
	return (AtText){data, len};
}
