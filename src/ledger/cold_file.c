/*-------------------------------------------------------------------------
 * cold_file.c
 *		Segments of cold rows in files below audit_trail.archive_directory.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/fd.h"

#include "base/compat.h"
#include "base/guc.h"
#include "ledger/cold_file.h"
#include "ledger/cold_leftover.h"
#include "ledger/datum.h"

#define READ_BYTES 65536

static int open_or_fetch(const char *file, const char *path, const char **why);

/* Nothing in it leads out of the directory, or means anything to a shell. */
bool
at_cold_file_is_name(const char *file)
{
	size_t len = strlen(file);

	return len > 0 && len < MAXPGPATH / 2 && file[0] != '.' && file[0] != '-' &&
		   strspn(file, "abcdefghijklmnopqrstuvwxyz0123456789_-.") == len;
}

char *
at_cold_file_path(const char *file, const char *end)
{
	return psprintf("%s/%s%s", at_guc_archive_directory, file, end);
}

bool
at_cold_file_exists(const char *file, const char *end)
{
	return access(at_cold_file_path(file, end), F_OK) == 0;
}

const char *
at_cold_file_read(const char *file, int64 offset, int32 len, AtText *bytes)
{
	const char *why = NULL;
	char *path;
	char *data;
	int fd;
	ssize_t got;

	if (at_guc_archive_directory[0] == '\0')
		return psprintf("It is in the file \"%s\", and audit_trail.archive_directory is not set.",
						file);
	if (!at_cold_file_is_name(file) || offset < 0 || len < 0)
		return psprintf("It cannot be in a file of the name \"%s\".", file);
	path = at_cold_file_path(file, "");
	fd = open_or_fetch(file, path, &why);
	if (fd < 0)
		return why;
	data = palloc_extended((Size) len + 1, MCXT_ALLOC_HUGE);
	got = pread(fd, data, len, offset);
	CloseTransientFile(fd);
	if (got < 0)
		return psprintf("The file \"%s\" cannot be read: %s.", path, strerror(errno));
	if (got != len)
		return psprintf("The file \"%s\" is shorter than it was.", path);
	*bytes = (AtText){data, len};
	return NULL;
}

/* Who has fetched it may see it removed again before it is opened. */
static int
open_or_fetch(const char *file, const char *path, const char **why)
{
	int fd = -1;

	for (int i = 0; fd < 0 && i < 3; i++)
	{
		fd = OpenTransientFile(path, O_RDONLY | PG_BINARY);
		if (fd >= 0)
			break;
		*why = psprintf("The file \"%s\" cannot be opened: %s.", path, strerror(errno));
		if (errno != ENOENT || at_guc_restore_command[0] == '\0')
			break;
		*why = at_cold_file_fetch(file, path);
		if (*why != NULL)
			break;
	}
	return fd;
}

pg_noreturn static void
failed(const char *what, const char *path)
{
	ereport(ERROR, (errcode_for_file_access(), errmsg("could not %s file \"%s\": %m", what, path)));
}

void
at_cold_file_begin(AtColdFile *out, const char *start)
{
	at_cold_leftover_made(start);
	out->aside = at_cold_file_path(start, AT_FILE_PART);
	out->len = 0;
	out->fd = OpenTransientFilePerm(out->aside, O_WRONLY | O_CREAT | O_TRUNC | PG_BINARY, 0600);
	if (out->fd < 0)
		failed("create", out->aside);
}

void
at_cold_file_append(AtColdFile *out, AtText bytes)
{
	Size done = 0;

	while (done < bytes.len)
	{
		ssize_t written = write(out->fd, bytes.data + done, bytes.len - done);

		if (written <= 0)
		{
			errno = written == 0 ? ENOSPC : errno;
			failed("write", out->aside);
		}
		done += written;
	}
	out->len += bytes.len;
}

char *
at_cold_file_end(AtColdFile *out, const char *start)
{
	AtHash hash;
	char hex[2 * AT_HASH_LEN + 1];
	char *file;

	if (pg_fsync(out->fd) != 0)
		failed("synchronize", out->aside);
	if (CloseTransientFile(out->fd) != 0)
		failed("close", out->aside);
	if (!at_cold_file_hash(out->aside, &hash))
		failed("read", out->aside);
	for (int i = 0; i < AT_HASH_LEN; i++)
		snprintf(hex + 2 * i, 3, "%02x", hash.bytes[i]);
	file = psprintf("%s.%s" AT_COLD_FILE_END, start, hex);
	at_cold_leftover_made(file);
	(void) durable_rename(out->aside, at_cold_file_path(file, ""), ERROR);
	return file;
}

/* For at_hash_pieces(): what is read next of a file. */
typedef struct Reading
{
	int fd;
	int error;
	char bytes[READ_BYTES];
} Reading;

static bool
read_piece(void *arg, const void **piece, size_t *len)
{
	Reading *reading = arg;
	ssize_t got = read(reading->fd, reading->bytes, READ_BYTES);

	if (got < 0)
		reading->error = errno;
	*piece = reading->bytes;
	*len = Max(got, 0);
	return got > 0;
}

bool
at_cold_file_hash(const char *path, AtHash *hash)
{
	Reading *reading = palloc(sizeof(Reading));
	int error;

	reading->error = 0;
	reading->fd = OpenTransientFile(path, O_RDONLY | PG_BINARY);
	if (reading->fd < 0)
		return false;
	if (!at_hash_pieces(read_piece, reading, hash))
		at_hash_failed();
	CloseTransientFile(reading->fd);
	error = reading->error;
	pfree(reading);
	errno = error;
	return error == 0;
}
