/*-------------------------------------------------------------------------
 * file.c
 *		Files: read whole, written whole.
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "file.h"

#define NEW_NAME "new"

bool
at_read_file(const char *path, char *buffer, size_t max, size_t *len)
{
	FILE *file = fopen(path, "rb");
	bool failed;

	if (file == NULL)
		return false;
	*len = fread(buffer, 1, max, file);
	failed = ferror(file) != 0;
	fclose(file);
	if (!failed && *len == max)
		errno = EFBIG;
	return !failed && *len < max;
}

bool
at_write_all(int fd, AtText text)
{
	while (text.len > 0)
	{
		ssize_t written = write(fd, text.data, text.len);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return false;
		text.data += written;
		text.len -= written;
	}
	return true;
}

bool
at_replace_file(int directory, const char *name, AtText text)
{
	int fd = openat(directory, NEW_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	bool done;

	if (fd < 0)
		return false;
	done = at_write_all(fd, text) && fsync(fd) == 0;
	if (close(fd) != 0)
		done = false;
	return done && renameat(directory, NEW_NAME, directory, name) == 0 && fsync(directory) == 0;
}
