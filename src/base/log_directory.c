/*-------------------------------------------------------------------------
 * log_directory.c
 *		A directory that has a static log.
 *
 * Locks: flock() on the directory, so that there is one writer at a time.
 * Therefore one name is enough for what is written aside, and what a killed
 * writer left there is written over by the next.
 *
 * Files are made for everybody to read, like those of COPY: who may enter is
 * told by the directory's own mode.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "miscadmin.h"
#include "storage/fd.h"

#include "base/compat.h"
#include "base/debug_point.h"
#include "base/key_file.h"
#include "base/log_directory.h"

#define CHECKPOINT_NAME "checkpoint"
#define ASIDE_NAME      ".writing"

static void check_directory(const AtLogDirectory *directory);
static void read_note(AtLogDirectory *directory);
static void check_contents(const AtLogDirectory *directory);
static void check_empty(const AtLogDirectory *directory);
static void make_parents(AtLogDirectory *directory, const char *path);
static void write_aside(const char *path, const void *bytes, Size len);
static void remember(AtLogDirectory *directory, const char *path);
static void sync_all(AtLogDirectory *directory);

pg_noreturn static void
fail(const char *what, const char *path)
{
	ereport(ERROR, (errcode_for_file_access(), errmsg("could not %s \"%s\": %m", what, path),
					errdetail("The export of the log stays as it was: its checkpoint is not "
							  "replaced."),
					errhint("Mend the cause, and export again.")));
}

pg_noreturn static void
refuse(const AtLogDirectory *directory, const char *detail, const char *hint)
{
	ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					errmsg("cannot export the log to directory \"%s\"", directory->path),
					errdetail("%s", detail), errhint("%s", hint)));
}

static char *
path_of(const AtLogDirectory *directory, const char *name)
{
	return psprintf("%s/%s", directory->path, name);
}

void
at_log_directory_open(AtLogDirectory *directory, const char *path, const char *contents)
{
	memset(directory, 0, sizeof(*directory));
	directory->path = pstrdup(path);
	directory->contents = contents;
	directory->lock = OpenTransientFile(path, O_RDONLY | O_DIRECTORY | PG_BINARY);
	if (directory->lock < 0)
		fail("open directory", path);
	check_directory(directory);
	if (flock(directory->lock, LOCK_EX | LOCK_NB) != 0)
		ereport(ERROR, (errcode(ERRCODE_LOCK_NOT_AVAILABLE),
						errmsg("directory \"%s\" is locked by another process", path),
						errdetail("Perhaps another export of the log is writing it."),
						errhint("Try again when that has ended.")));
	read_note(directory);
	if (directory->has_note)
		check_contents(directory);
	else
		check_empty(directory);
	at_debug_point("export-opened");
}

static void
check_directory(const AtLogDirectory *directory)
{
	struct stat status;
	bool inside;

	if (fstat(directory->lock, &status) != 0 || !at_path_is_in_data(directory->path, &inside))
		fail("examine directory", directory->path);
	if (inside)
		refuse(directory, "It is in the data directory.", "Name a place outside of it.");
	if (status.st_uid != geteuid())
		refuse(directory, "It does not belong to the user that the server runs as.",
			   "Change its owner.");
	if (status.st_mode & (S_IWGRP | S_IWOTH))
		refuse(directory, "Others than its owner may write it.", "Set its mode to 0755.");
}

/* The checkpoint of an earlier export. Its signatures are not verified: its root will be. */
static void
read_note(AtLogDirectory *directory)
{
	char *path = path_of(directory, CHECKPOINT_NAME);
	int file = OpenTransientFile(path, O_RDONLY | O_NONBLOCK | PG_BINARY);
	AtNote note;
	int len;

	if (file < 0 && errno == ENOENT)
		return;
	len = file < 0 ? -1 : read(file, directory->note, sizeof(directory->note));
	if (len < 0)
		fail("read file", path);
	CloseTransientFile(file);
	if (len == sizeof(directory->note) ||
		at_note_read(&note, (AtText){directory->note, len}) != AT_OK ||
		at_checkpoint_read(&directory->last, note.text) != AT_OK)
		refuse(directory, "Its file \"" CHECKPOINT_NAME "\" is no checkpoint of a log.",
			   "Name an empty directory, or the one of an earlier export.");
	directory->has_note = true;
}

/* An export of another kind has a checkpoint too. */
static void
check_contents(const AtLogDirectory *directory)
{
	struct stat status;
	char *path = path_of(directory, directory->contents);

	if (stat(path, &status) == 0)
		return;
	if (errno != ENOENT)
		fail("examine directory", path);
	refuse(directory,
		   psprintf("It has a checkpoint, but no directory \"%s\".", directory->contents),
		   "Name an empty directory, or the one of an earlier export of the same kind.");
}

/* Without a checkpoint there may be what a killed export left, and nothing else. */
static void
check_empty(const AtLogDirectory *directory)
{
	const char *left[] = {".", "..", directory->contents, ASIDE_NAME, "lost+found"};
	DIR *dir = AllocateDir(directory->path);
	struct dirent *entry;

	while ((entry = ReadDir(dir, directory->path)) != NULL)
	{
		bool known = false;

		for (int i = 0; i < lengthof(left); i++)
			known |= strcmp(entry->d_name, left[i]) == 0;
		if (!known)
			refuse(directory, "It is not empty, and has no checkpoint of a log.",
				   "Name an empty directory, or the one of an earlier export.");
	}
	FreeDir(dir);
}

void
at_log_directory_write(AtLogDirectory *directory, const char *name, const void *bytes, Size len)
{
	char *path = path_of(directory, name);
	char *aside = path_of(directory, ASIDE_NAME);

	if (strlen(path) >= MAXPGPATH)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("path \"%s\" is too long", path),
				 errdetail("%d bytes are the limit.", MAXPGPATH - 1),
				 errhint("Name a directory with a shorter path.")));
	make_parents(directory, path);
	write_aside(aside, bytes, len);
	at_debug_point("export-written");
	if (rename(aside, path) != 0)
		fail("make file", path);
	remember(directory, path);
	directory->nwritten++;
	at_debug_point("export-renamed");
	pfree(aside);
	pfree(path);
}

void
at_log_directory_publish(AtLogDirectory *directory, AtText note)
{
	sync_all(directory);
	at_debug_point("export-synced");
	at_log_directory_write(directory, CHECKPOINT_NAME, note.data, note.len);
	sync_all(directory);
	at_debug_point("export-published");
}

void
at_log_directory_close(AtLogDirectory *directory)
{
	CloseTransientFile(directory->lock);
}

/* The directories between ours and the file. */
static void
make_parents(AtLogDirectory *directory, const char *path)
{
	char *parent = pstrdup(path);

	for (char *slash = parent + strlen(directory->path) + 1; (slash = strchr(slash, '/')) != NULL;
		 slash++)
	{
		*slash = '\0';
		if (mkdir(parent, S_IRWXU) != 0 && errno != EEXIST)
			fail("make directory", parent);

		/* whatever the server's umask is; and one that is there may not be on disk yet */
		if (chmod(parent, 0755) != 0)
			fail("set the mode of directory", parent);
		remember(directory, parent);
		*slash = '/';
	}
	pfree(parent);
}

/* A file with these bytes, on disk but for its name. */
static void
write_aside(const char *path, const void *bytes, Size len)
{
	int file =
		OpenTransientFilePerm(path, O_WRONLY | O_CREAT | O_TRUNC | PG_BINARY, S_IRUSR | S_IWUSR);

	if (file < 0)
		fail("make file", path);
	errno = 0;
	if (write(file, bytes, len) != (ssize_t) len || fchmod(file, 0644) != 0 || pg_fsync(file) != 0)
	{
		int save_errno = errno ? errno : ENOSPC;

		unlink(path);
		errno = save_errno;
		fail("write file", path);
	}
	if (CloseTransientFile(file) != 0)
		fail("close file", path);
}

/* The directory of this path got a new entry. */
static void
remember(AtLogDirectory *directory, const char *path)
{
	char *parent = pstrdup(path);
	ListCell *cell;

	get_parent_directory(parent);
	foreach (cell, directory->unsynced)
	{
		if (strcmp(lfirst(cell), parent) == 0)
		{
			pfree(parent);
			return;
		}
	}
	directory->unsynced = lcons(parent, directory->unsynced);
}

static void
sync_all(AtLogDirectory *directory)
{
	ListCell *cell;

	foreach (cell, directory->unsynced)
		if (!at_sync_directory(lfirst(cell)))
			fail("sync directory", lfirst(cell));
	list_free_deep(directory->unsynced);
	directory->unsynced = NIL;
}
