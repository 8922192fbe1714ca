/*-------------------------------------------------------------------------
 * file.c
 *		Files, read whole.
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "file.h"
#include "message.h"

#define FIRST_SIZE 65536

static AtText read_all(FILE *file, const char *path, size_t max);

AtText
at_file_read(const char *path)
{
	FILE *file = fopen(path, "rb");

	if (file == NULL)
		at_fatal("could not open file \"%s\": %s", path, strerror(errno));

	AtText text = read_all(file, path, AT_FILE_MAX);

	if (text.len > AT_FILE_MAX)
		at_fatal("file \"%s\" is larger than %zu bytes", path, AT_FILE_MAX);
	return text;
}

bool
at_file_read_in(const char *directory, const char *path, size_t max, AtText *text)
{
	size_t size = strlen(directory) + strlen(path) + 2;
	char *whole = at_alloc(size);

	snprintf(whole, size, "%s/%s", directory, path);

	FILE *file = fopen(whole, "rb");

	if (file == NULL && errno != ENOENT && errno != ENOTDIR)
		at_fatal("could not open file \"%s\": %s", whole, strerror(errno));
	if (file != NULL)
		*text = read_all(file, whole, max);
	free(whole);
	return file != NULL;
}

/* One byte more than max tells that there are more. */
static AtText
read_all(FILE *file, const char *path, size_t max)
{
	char *data = NULL;
	size_t room = 0;
	size_t len = 0;
	size_t got;

	do
	{
		data = at_grow(data, &room, len + FIRST_SIZE, 1);
		errno = 0;
		got = fread(data + len, 1, room - len < max + 1 - len ? room - len : max + 1 - len, file);
		len += got;
	} while (got > 0 && len <= max);
	if (ferror(file))
		at_fatal("could not read file \"%s\": %s", path, strerror(errno));
	fclose(file);

	/* a bundle has very many small ones */
	char *fitting = realloc(data, len + 1);

	return (AtText){fitting != NULL ? fitting : data, len};
}
