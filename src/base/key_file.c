/*-------------------------------------------------------------------------
 * key_file.c
 *		A file with a secret.
 *
 * All is checked on the open file, so that what was checked is what is read.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "miscadmin.h"
#include "storage/fd.h"

#include "base/compat.h"
#include "base/key_file.h"

#define DIGITS (2 * AT_KEY_FILE_BYTES)

/* Enough to see that there is more than digits and the end of a line. */
#define READ_BYTES (DIGITS + 16)

static const AtKeyFileKind hash_key = {
	.need = "Columns that are recorded hashed or as commitments need it.",
	.remedy = "Make one with: openssl rand -hex 32",
};

static void check_file(const char *path, const AtKeyFileKind *kind, const struct stat *status);
static void check_place(const char *path, const AtKeyFileKind *kind);
static AtKeyFileStamp stamp_of(const struct stat *status);
static void write_new(const char *path, const char *text, int len);

pg_noreturn static void
bad_file(const char *path, const char *detail, const char *hint)
{
	ereport(ERROR, (errcode(ERRCODE_CONFIG_FILE_ERROR), errmsg("cannot use key file \"%s\"", path),
					errdetail("%s", detail), errhint("%s", hint)));
}

pg_noreturn static void
unreadable(const char *path, const AtKeyFileKind *kind)
{
	ereport(ERROR,
			(errcode_for_file_access(), errmsg("could not read key file \"%s\": %m", path),
			 errdetail("%s", kind->need),
			 errhint("Put the file back, or name another one and reload the configuration.")));
}

void
at_key_file_read(const char *path, uint8 *key, AtKeyFileStamp *stamp)
{
	char text[READ_BYTES];
	int len = at_key_file_read_text(path, &hash_key, text, sizeof(text), stamp);
	bool good = at_key_file_decode(text, len, key);

	explicit_bzero(text, sizeof(text));
	if (!good)
		bad_file(path, "It does not hold 64 hexadecimal digits.", hash_key.remedy);
}

int
at_key_file_read_text(const char *path, const AtKeyFileKind *kind, char *text, int size,
					  AtKeyFileStamp *stamp)
{
	struct stat status;
	int len;

	/* without waiting for the other end, if it is a pipe */
	int file = OpenTransientFile(path, O_RDONLY | O_NONBLOCK | PG_BINARY);

	if (file < 0 || fstat(file, &status) != 0)
		unreadable(path, kind);
	check_file(path, kind, &status);
	check_place(path, kind);
	len = read(file, text, size);
	if (len < 0)
		unreadable(path, kind);
	CloseTransientFile(file);
	*stamp = stamp_of(&status);
	return len;
}

static void
check_file(const char *path, const AtKeyFileKind *kind, const struct stat *status)
{
	if (!S_ISREG(status->st_mode))
		bad_file(path, "It is not a regular file.", kind->remedy);
	if (status->st_uid != geteuid())
		bad_file(path, "It does not belong to the user that the server runs as.",
				 "Change its owner.");
	if (status->st_mode & (S_IRWXG | S_IRWXO))
		bad_file(path,
				 psprintf("Others than its owner may use it: its mode is %04o.",
						  (unsigned int) status->st_mode & 07777),
				 "Set its mode to 0600.");
}

/* Not in the data directory, links followed. */
static void
check_place(const char *path, const AtKeyFileKind *kind)
{
	bool inside;

	if (!at_path_is_in_data(path, &inside))
		unreadable(path, kind);
	if (inside)
		bad_file(path, "It is in the data directory, so it would be in every backup.",
				 "Move it elsewhere, and name its new place in the configuration file.");
}

bool
at_path_is_in_data(const char *path, bool *inside)
{
	char *data = realpath(DataDir, NULL);
	char *file = data ? realpath(path, NULL) : NULL;
	int save_errno = errno;
	bool known = file != NULL;

	*inside = known && path_is_prefix_of_path(data, file);
	free(file);
	free(data);
	errno = save_errno;
	return known;
}

bool
at_sync_directory_of(const char *path)
{
	char directory[MAXPGPATH];

	strlcpy(directory, path, sizeof(directory));
	get_parent_directory(directory);
	return at_sync_directory(directory);
}

bool
at_sync_directory(const char *directory)
{
	int file = OpenTransientFile(directory, O_RDONLY | PG_BINARY);
	bool done = file >= 0 && pg_fsync(file) == 0;

	if (file >= 0)
	{
		int save_errno = errno;

		CloseTransientFile(file);
		errno = save_errno;
	}
	return done;
}

void
at_key_file_create(const char *path, const char *text, int len)
{
	char directory[MAXPGPATH];
	bool inside;

	strlcpy(directory, path, sizeof(directory));
	get_parent_directory(directory);
	if (!at_path_is_in_data(directory, &inside))
		ereport(ERROR,
				(errcode_for_file_access(), errmsg("could not make key file \"%s\": %m", path),
				 errdetail("Its directory is \"%s\".", directory),
				 errhint("Make the directory, owned by the user that the server runs as.")));
	if (inside)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("cannot make key file \"%s\"", path),
						errdetail("It is in the data directory, so it would be in every backup."),
						errhint("Name a place outside of \"%s\".", DataDir)));
	write_new(path, text, len);
}

/* All of it or nothing. */
static void
write_new(const char *path, const char *text, int len)
{
	int file = OpenTransientFilePerm(path, O_WRONLY | O_CREAT | O_EXCL | PG_BINARY, 0600);

	if (file < 0)
		ereport(ERROR,
				(errcode_for_file_access(), errmsg("could not make key file \"%s\": %m", path),
				 errdetail("A file that is there already is never replaced."),
				 errhint("Name another file, in a directory that the server's user may write.")));
	errno = 0;
	if (write(file, text, len) != len || pg_fsync(file) != 0 || !at_sync_directory_of(path))
	{
		int save_errno = errno ? errno : ENOSPC;

		unlink(path);
		errno = save_errno;
		ereport(ERROR,
				(errcode_for_file_access(), errmsg("could not write key file \"%s\": %m", path),
				 errdetail("What was written of it has been removed."),
				 errhint("Mend the cause and try again.")));
	}
	CloseTransientFile(file);
}

static int
digit_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

/* The server's own decoder would tell the digit that it does not like. */
bool
at_key_file_decode(const char *text, int len, uint8 *key)
{
	if (len < DIGITS)
		return false;
	for (int i = 0; i < AT_KEY_FILE_BYTES; i++)
	{
		int high = digit_value(text[2 * i]);
		int low = digit_value(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		key[i] = high << 4 | low;
	}
	for (int i = DIGITS; i < len; i++)
		if (!isspace((unsigned char) text[i]))
			return false;
	return len < READ_BYTES;
}

static AtKeyFileStamp
stamp_of(const struct stat *status)
{
	return (AtKeyFileStamp){
		.device = status->st_dev,
		.inode = status->st_ino,
		.size = status->st_size,
		.modified = status->st_mtim,
		.changed = status->st_ctim,
	};
}

bool
at_key_file_unchanged(const char *path, const AtKeyFileStamp *stamp)
{
	struct stat status;
	AtKeyFileStamp now;

	if (stat(path, &status) != 0)
		return false;
	now = stamp_of(&status);
	return now.device == stamp->device && now.inode == stamp->inode && now.size == stamp->size &&
		   now.modified.tv_sec == stamp->modified.tv_sec &&
		   now.modified.tv_nsec == stamp->modified.tv_nsec &&
		   now.changed.tv_sec == stamp->changed.tv_sec &&
		   now.changed.tv_nsec == stamp->changed.tv_nsec;
}
