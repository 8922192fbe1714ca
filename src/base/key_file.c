/*-------------------------------------------------------------------------
 * key_file.c
 *		A file with a secret key of 32 bytes.
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

#include "base/key_file.h"

#define DIGITS (2 * AT_KEY_FILE_BYTES)

/* Enough to see that there is more than digits and the end of a line. */
#define READ_BYTES (DIGITS + 16)

static void check_file(const char *path, const struct stat *status);
static void check_place(const char *path);
static bool decode(const char *text, int len, uint8 *key);
static AtKeyFileStamp stamp_of(const struct stat *status);

static pg_attribute_noreturn() void bad_file(const char *path, const char *detail, const char *hint)
{
	ereport(ERROR, (errcode(ERRCODE_CONFIG_FILE_ERROR), errmsg("cannot use key file \"%s\"", path),
					errdetail("%s", detail), errhint("%s", hint)));
}

static pg_attribute_noreturn() void unreadable(const char *path)
{
	ereport(ERROR,
			(errcode_for_file_access(), errmsg("could not read key file \"%s\": %m", path),
			 errdetail("Columns that are recorded hashed or as commitments need it."),
			 errhint("Put the file back, or name another one and reload the configuration.")));
}

void
at_key_file_read(const char *path, uint8 *key, AtKeyFileStamp *stamp)
{
	char text[READ_BYTES];
	struct stat status;
	int len;
	bool good;

	/* without waiting for the other end, if it is a pipe */
	int file = OpenTransientFile(path, O_RDONLY | O_NONBLOCK | PG_BINARY);

	if (file < 0 || fstat(file, &status) != 0)
		unreadable(path);
	check_file(path, &status);
	check_place(path);
	len = read(file, text, sizeof(text));
	if (len < 0)
		unreadable(path);
	CloseTransientFile(file);
	good = decode(text, len, key);
	explicit_bzero(text, sizeof(text));
	if (!good)
		bad_file(path, "It does not hold 64 hexadecimal digits.",
				 "Make one with: openssl rand -hex 32");
	*stamp = stamp_of(&status);
}

static void
check_file(const char *path, const struct stat *status)
{
	if (!S_ISREG(status->st_mode))
		bad_file(path, "It is not a regular file.", "Make one with: openssl rand -hex 32");
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
check_place(const char *path)
{
	char *file = realpath(path, NULL);
	char *data = realpath(DataDir, NULL);
	bool known = file != NULL && data != NULL;
	bool inside = known && path_is_prefix_of_path(data, file);

	free(file);
	free(data);
	if (!known)
		unreadable(path);
	if (inside)
		bad_file(path, "It is in the data directory, so it would be in every backup.",
				 "Move it elsewhere, and name its new place in the configuration file.");
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
static bool
decode(const char *text, int len, uint8 *key)
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
