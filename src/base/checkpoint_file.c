/*-------------------------------------------------------------------------
 * checkpoint_file.c
 *		The signed checkpoints of this database's log, one behind the other.
 *
 * Locks: flock() for whoever appends, so that two databases that were given
 * one file by mistake cannot both find the same last note.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "miscadmin.h"
#include "storage/fd.h"

#include "base/checkpoint_file.h"
#include "base/compat.h"
#include "base/guc.h"
#include "base/key_file.h"
#include "base/signing_key.h"

/* Where the last note is looked for: there is room for many broken ones behind it. */
#define TAIL_BYTES (16 * 1024)

#define SIGNATURE_START "\xE2\x80\x94 "
#define TEXT_LINES      3

/* Ends a broken line so that it is no line of a note. */
#define TORN_MARK " (cut off)\n"

static void set_path(AtCheckpointFile *file);
static void check_file(const AtCheckpointFile *file, const char *path, int fd);
static void read_tail(AtCheckpointFile *file, int fd);
static bool find_last(AtCheckpointFile *file, const char *tail, size_t len);
static bool take_note(AtCheckpointFile *file, const char *tail, size_t end);
static off_t read_after(AtCheckpointFile *file, int fd, off_t start);

/* Of whatever cause: a full disk there is no reason to stop what does not need the file. */
pg_noreturn static void
fail(const AtCheckpointFile *file, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_IO_ERROR),
			 errmsg("could not %s checkpoint file \"%s\": %m", what, file->path),
			 errdetail("No checkpoint of the audit log is signed without it."),
			 errhint("Mend the cause, or name another file in audit_trail.checkpoint_file.")));
}

pg_noreturn static void
refuse(const AtCheckpointFile *file, const char *detail, const char *hint)
{
	ereport(ERROR, (errcode(ERRCODE_CONFIG_FILE_ERROR),
					errmsg("cannot use checkpoint file \"%s\"", file->path),
					errdetail("%s", detail), errhint("%s", hint)));
}

bool
at_checkpoint_file_is_configured(void)
{
	return at_guc_checkpoint_file[0] != '\0';
}

void
at_checkpoint_file_read(AtCheckpointFile *file)
{
	int fd;

	set_path(file);
	fd = OpenTransientFile(file->path, O_RDONLY | O_NONBLOCK | PG_BINARY);
	if (fd < 0 && errno == ENOENT)
		return;
	if (fd < 0)
		fail(file, "read");
	check_file(file, file->path, fd);
	read_tail(file, fd);
	CloseTransientFile(fd);
}

void
at_checkpoint_file_find(AtCheckpointFile *file, uint64 size)
{
	off_t low = 0;
	off_t high;
	int fd;

	set_path(file);
	fd = OpenTransientFile(file->path, O_RDONLY | O_NONBLOCK | PG_BINARY);
	if (fd < 0 && errno == ENOENT)
		return;
	if (fd < 0)
		fail(file, "read");
	check_file(file, file->path, fd);
	high = lseek(fd, 0, SEEK_END);
	while (low < high)
	{
		off_t middle = low + (high - low) / 2;
		off_t end = read_after(file, fd, middle);

		if (file->has_note && file->last.size < size)
			low = end;
		else
			high = middle;
	}
	(void) read_after(file, fd, low);
	CloseTransientFile(fd);
}

/* Read the first whole note that begins here or behind; returns where it ends. */
static off_t
read_after(AtCheckpointFile *file, int fd, off_t start)
{
	char *bytes = palloc(TAIL_BYTES);
	ssize_t len = pg_pread(fd, bytes, TAIL_BYTES, start);
	size_t place = 0;
	size_t end = 0;

	if (len < 0)
		fail(file, "read");
	file->has_note = false;
	while (!file->has_note && place < len)
	{
		const char *newline = memchr(bytes + place, '\n', len - place);

		end = place;
		for (int lines = 0; lines < TEXT_LINES + 2 && end < len; lines++)
		{
			const char *next = memchr(bytes + end, '\n', len - end);

			end = next ? next + 1 - bytes : len;
		}
		if (take_note(file, bytes, end) || newline == NULL)
			break;
		place = newline + 1 - bytes;
	}
	pfree(bytes);
	return start + end;
}

void
at_checkpoint_file_open(AtCheckpointFile *file)
{
	char directory[MAXPGPATH];
	bool inside;

	set_path(file);
	strlcpy(directory, file->path, sizeof(directory));
	get_parent_directory(directory);
	if (at_path_is_in_data(directory, &inside) && inside)
		refuse(file, "It would be in the data directory.", "Name a place outside of it.");
	file->is_new = access(file->path, F_OK) != 0;
	file->file = OpenTransientFilePerm(
		file->path, O_RDWR | O_CREAT | O_APPEND | O_NONBLOCK | PG_BINARY, S_IRUSR | S_IWUSR);
	if (file->file < 0)
		fail(file, "open");
	check_file(file, file->path, file->file);
	if (flock(file->file, LOCK_EX | LOCK_NB) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
				 errmsg("checkpoint file \"%s\" is locked by another process", file->path),
				 errdetail("Perhaps the log of another database has the same file."),
				 errhint("Let each have its own: %%d stands for the name of the database.")));

	/* checkpoints are for everybody */
	if (file->is_new && fchmod(file->file, 0644) != 0)
		fail(file, "make");
	read_tail(file, file->file);
}

static void
set_path(AtCheckpointFile *file)
{
	memset(file, 0, sizeof(*file));
	file->file = -1;
	file->path = at_database_path(at_guc_checkpoint_file);
	if (!at_checkpoint_file_is_configured())
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("there is no file for checkpoints of the audit log"),
						errdetail("audit_trail.checkpoint_file names no file."),
						errhint("Name one outside of the data directory in the configuration file, "
								"and reload that.")));
	if (strstr(at_guc_checkpoint_file, "%d") != NULL &&
		strstr(at_guc_signing_key_file, "%d") == NULL)
		refuse(file,
			   "Its path has %d and that of the key has not: one key would sign several logs.",
			   "Let each database have a key of its own, with %d in its path.");
}

static void
check_file(const AtCheckpointFile *file, const char *path, int fd)
{
	struct stat status;
	bool inside;

	if (fstat(fd, &status) != 0 || !at_path_is_in_data(path, &inside))
		fail(file, "examine");
	if (inside)
		refuse(file, "It is in the data directory, so a restored backup would have it too.",
			   "Move it elsewhere, and name its new place in the configuration file.");
	if (!S_ISREG(status.st_mode))
		refuse(file, "It is not a regular file.", "Name another one.");
	if (status.st_uid != geteuid())
		refuse(file, "It does not belong to the user that the server runs as.",
			   "Change its owner.");
	if (status.st_mode & (S_IWGRP | S_IWOTH))
		refuse(file, "Others than its owner may write it.", "Set its mode to 0644.");
}

/* Find the last whole note. */
static void
read_tail(AtCheckpointFile *file, int fd)
{
	char *tail = palloc(TAIL_BYTES);
	off_t size = lseek(fd, 0, SEEK_END);
	off_t start = Max(size - TAIL_BYTES, 0);
	ssize_t len = size < 0 ? -1 : pg_pread(fd, tail, TAIL_BYTES, start);

	if (len < 0)
		fail(file, "read");
	if (!find_last(file, tail, len) && start > 0)
		refuse(file, "Its end has no checkpoint.", "Is it another file?");
	pfree(tail);
}

/* From the end back, at each line that begins as a signature does. */
static bool
find_last(AtCheckpointFile *file, const char *tail, size_t len)
{
	size_t end = len;

	while (end > 0)
	{
		size_t start = end - 1;

		while (start > 0 && tail[start - 1] != '\n')
			start--;
		if (tail[end - 1] == '\n' && end - start > strlen(SIGNATURE_START) &&
			memcmp(tail + start, SIGNATURE_START, strlen(SIGNATURE_START)) == 0 &&
			take_note(file, tail, end))
		{
			file->is_torn = end < len;
			return true;
		}
		end = start;
	}
	file->is_torn = len > 0;
	return false;
}

/* The note that ends here: a signature, an empty line, and so many lines of text. */
static bool
take_note(AtCheckpointFile *file, const char *tail, size_t end)
{
	size_t start = end;
	size_t len;
	AtNote note;

	for (int lines = 0; lines < TEXT_LINES + 2; lines++)
	{
		if (start == 0)
			return false;
		for (start--; start > 0 && tail[start - 1] != '\n';)
			start--;
	}
	len = end - start;
	if (len > AT_CHECKPOINT_NOTE_MAX)
		return false;
	memcpy(file->note, tail + start, len);
	file->note[len] = '\0';
	file->has_note = at_note_read(&note, (AtText){file->note, len}) == AT_OK &&
					 at_checkpoint_read(&file->last, note.text) == AT_OK;
	return file->has_note;
}

void
at_checkpoint_file_append(AtCheckpointFile *file, AtText note)
{
	const char *mark = file->is_torn ? TORN_MARK : "";
	char *bytes = psprintf("%s%.*s", mark, (int) note.len, note.data);
	size_t len = strlen(bytes);

	errno = 0;
	file->is_torn = true;
	if (write(file->file, bytes, len) != len)
	{
		errno = errno ? errno : ENOSPC;
		fail(file, "write");
	}
	pfree(bytes);
}

void
at_checkpoint_file_sync(AtCheckpointFile *file)
{
	if (pg_fsync(file->file) != 0 || !at_sync_directory_of(file->path))
		fail(file, "sync");
}

void
at_checkpoint_file_close(AtCheckpointFile *file)
{
	if (file->file >= 0)
		CloseTransientFile(file->file);
	file->file = -1;
}
