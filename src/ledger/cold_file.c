/*-------------------------------------------------------------------------
 * cold_file.c
 *		Segments of cold rows in files below audit_trail.archive_directory.
 *
 * What is to be removed is a list in the memory of the top transaction, so the end of
 * that forgets it; a subtransaction that aborts does not, and who asks is in none.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <unistd.h>

#include "access/xact.h"
#include "nodes/pg_list.h"
#include "storage/fd.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "base/guc.h"
#include "ledger/cold_file.h"

static List *to_remove; /* reset at the end of each transaction */

static void end_transaction(XactEvent event, void *arg);

void
at_cold_file_init(void)
{
	RegisterXactCallback(end_transaction, NULL);
}

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

pg_noreturn static void
failed(const char *what, const char *path)
{
	ereport(ERROR, (errcode_for_file_access(), errmsg("could not %s file \"%s\": %m", what, path)));
}

void
at_cold_file_begin(AtColdFile *out, const char *file)
{
	out->path = psprintf("%s/%s", at_guc_archive_directory, file);
	out->aside = psprintf("%s.part", out->path);
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

void
at_cold_file_end(AtColdFile *out)
{
	if (pg_fsync(out->fd) != 0)
		failed("synchronize", out->aside);
	if (CloseTransientFile(out->fd) != 0)
		failed("close", out->aside);
	(void) durable_rename(out->aside, out->path, ERROR);
}

void
at_cold_file_remove(const char *file)
{
	MemoryContext save = MemoryContextSwitchTo(TopTransactionContext);

	to_remove = lappend(to_remove, psprintf("%s/%s", at_guc_archive_directory, file));
	MemoryContextSwitchTo(save);
}

static void
end_transaction(XactEvent event, void *arg)
{
	ListCell *cell;

	if (event == XACT_EVENT_COMMIT)
		foreach (cell, to_remove)
			if (unlink(lfirst(cell)) != 0)
				ereport(WARNING,
						(errcode_for_file_access(),
						 errmsg("could not remove file \"%s\": %m", (char *) lfirst(cell))));
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT)
		to_remove = NIL;
}
