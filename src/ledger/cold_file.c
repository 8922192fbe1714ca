/*-------------------------------------------------------------------------
 * cold_file.c
 *		Segments of cold rows in files below audit_trail.archive_directory.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <unistd.h>

#include "storage/fd.h"

#include "base/guc.h"
#include "ledger/cold_file.h"

/* The name comes from a row, which somebody may have forged: below the directory it stays. */
static bool
is_below(const char *file)
{
	return file[0] != '\0' && file[0] != '/' && strstr(file, "..") == NULL;
}

const char *
at_cold_file_read(const char *file, int64 offset, int32 len, AtText *bytes)
{
	char *path;
	char *data;
	int fd;
	ssize_t got;

	if (at_guc_archive_directory[0] == '\0')
		return psprintf("It is in the file \"%s\", and audit_trail.archive_directory is not set.",
						file);
	if (!is_below(file) || offset < 0 || len < 0)
		return psprintf("It cannot be in a file of the name \"%s\".", file);
	path = psprintf("%s/%s", at_guc_archive_directory, file);
	fd = OpenTransientFile(path, O_RDONLY | PG_BINARY);
	if (fd < 0)
		return psprintf("The file \"%s\" cannot be opened: %s.", path, strerror(errno));
	data = palloc_extended((Size) len + 1, MCXT_ALLOC_HUGE);
	got = pread(fd, data, len, offset);
	CloseTransientFile(fd);
	if (got != len)
		return psprintf("The file \"%s\" is shorter than it was.", path);
	*bytes = (AtText){data, len};
	return NULL;
}
