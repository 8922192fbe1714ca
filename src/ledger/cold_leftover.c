/*-------------------------------------------------------------------------
 * cold_leftover.c
 *		Files with archived segments that may have to be removed when a transaction
 *		has ended.
 *
 * What a transaction is about is a list in its memory, so the end of it forgets that; a
 * subtransaction that aborts does not, and who asks is in none. A transaction that is
 * prepared leaves its markers to whoever looks for leftovers when it has ended.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <unistd.h>

#include "access/xact.h"
#include "access/xlog.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/memutils.h"

#include "base/debug_point.h"
#include "base/guc.h"
#include "ledger/cold_file.h"
#include "ledger/cold_leftover.h"

#define OWNER_LEN 64

typedef struct Pending
{
	char *file;
	bool made; /* it goes if the transaction aborts; else if it commits */
} Pending;

static List *pending; /* reset at the end of each transaction */

static void add(const char *file, bool made);
static void end_transaction(XactEvent event, void *arg);
static void remove_file(const char *file);
static void remove_marker(const char *file);

void
at_cold_leftover_init(void)
{
	RegisterXactCallback(end_transaction, NULL);
}

void
at_cold_leftover_made(const char *file)
{
	add(file, true);
}

void
at_cold_leftover_going(const char *file)
{
	if (at_cold_file_is_name(file))
		add(file, false);
}

/* This server and database. */
static void
put_owner(char *owner)
{
	snprintf(owner, OWNER_LEN, UINT64_FORMAT " %u\n", GetSystemIdentifier(), MyDatabaseId);
}

/* The marker is on disk before it is gone on. */
static void
add(const char *file, bool made)
{
	char *path = at_cold_file_path(file, AT_FILE_LEAVING);
	MemoryContext save;
	char owner[OWNER_LEN];
	Pending *one;
	int fd;

	put_owner(owner);
	fd = OpenTransientFilePerm(path, O_WRONLY | O_CREAT | O_TRUNC | PG_BINARY, 0600);
	errno = fd < 0 ? errno : ENOSPC;
	if (fd < 0 || write(fd, owner, strlen(owner)) != strlen(owner) || pg_fsync(fd) != 0)
		ereport(ERROR,
				(errcode_for_file_access(), errmsg("could not write file \"%s\": %m", path)));
	CloseTransientFile(fd);
	fsync_fname(at_guc_archive_directory, true);
	save = MemoryContextSwitchTo(TopTransactionContext);
	one = palloc(sizeof(Pending));
	*one = (Pending){.file = pstrdup(file), .made = made};
	pending = lappend(pending, one);
	MemoryContextSwitchTo(save);
	at_debug_point("archive-file-marked");
}

static void
end_transaction(XactEvent event, void *arg)
{
	ListCell *cell;

	if (event == XACT_EVENT_COMMIT && pending != NIL)
		at_debug_kill("archive-file-committed");
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT)
		foreach (cell, pending)
		{
			Pending *one = lfirst(cell);

			if (one->made == (event == XACT_EVENT_ABORT))
				remove_file(one->file);
			else
				remove_marker(one->file);
		}
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
		pending = NIL;
}

static void
put_path(char *path, const char *file, const char *end)
{
	snprintf(path, MAXPGPATH, "%s/%s%s", at_guc_archive_directory, file, end);
}

/* Is nothing there any more? */
static bool
remove_one(const char *file, const char *end)
{
	char path[MAXPGPATH];

	put_path(path, file, end);
	if (unlink(path) == 0 || errno == ENOENT)
		return true;
	ereport(WARNING, (errcode_for_file_access(), errmsg("could not remove file \"%s\": %m", path)));
	return false;
}

/*
 * Of a copy elsewhere, or one that is just being made, the marker is renamed: whoever makes it
 * finds that. The marker of the file itself is the last to go, and only if all else is gone.
 */
static void
remove_file(const char *file)
{
	char marker[MAXPGPATH];
	char gone[MAXPGPATH];

	put_path(gone, file, AT_FILE_GONE);
	put_path(marker, file, AT_FILE_READY);
	if (rename(marker, gone) != 0)
	{
		put_path(marker, file, AT_FILE_DONE);
		(void) rename(marker, gone);
	}
	if (remove_one(file, "") && remove_one(file, AT_FILE_PART))
	{
		at_debug_kill("archive-file-removed");
		remove_marker(file);
	}
}

/* What went before is on disk. */
static void
remove_marker(const char *file)
{
	int fd = open(at_guc_archive_directory, O_RDONLY);

	if (fd >= 0)
	{
		(void) pg_fsync(fd);
		(void) close(fd);
	}
	(void) remove_one(file, AT_FILE_LEAVING);
}

/* Was it written here? */
static bool
is_ours(const char *file)
{
	int fd = OpenTransientFile(at_cold_file_path(file, AT_FILE_LEAVING), O_RDONLY | PG_BINARY);
	char owner[OWNER_LEN];
	char found[OWNER_LEN] = "";

	if (fd < 0)
		return false;
	if (read(fd, found, sizeof(found) - 1) < 0)
		found[0] = '\0';
	CloseTransientFile(fd);
	put_owner(owner);
	return strcmp(owner, found) == 0;
}

List *
at_cold_leftovers(void)
{
	List *files = NIL;
	DIR *directory = AllocateDir(at_guc_archive_directory);
	struct dirent *entry;

	while ((entry = ReadDir(directory, at_guc_archive_directory)) != NULL)
	{
		size_t len = strlen(entry->d_name);
		size_t end = strlen(AT_FILE_LEAVING);
		char *file;

		if (len <= end || strcmp(entry->d_name + len - end, AT_FILE_LEAVING) != 0)
			continue;
		file = pnstrdup(entry->d_name, len - end);
		if (at_cold_file_is_name(file) && is_ours(file))
			files = lappend(files, file);
	}
	FreeDir(directory);
	return files;
}

void
at_cold_leftover_end(const char *file, bool stays)
{
	if (stays)
		remove_marker(file);
	else
		remove_file(file);
}
