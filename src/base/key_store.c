/*-------------------------------------------------------------------------
 * key_store.c
 *		A directory of keys outside of the database.
 *
 * A key is written to a file of its own process and then linked to its name, which
 * fails if another process was first. A crash between may leave the file of the process
 * behind; so whoever destroys a key removes those too.
 *
 * Caveat: overwriting a file destroys its bytes where the file system and the device write
 * in place. Where they do not (copy on write, flash), encrypt the volume, as the manual says.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/builtins.h"

#include "base/catalog.h"
#include "base/compat.h"
#include "base/guc.h"
#include "base/key_file.h"
#include "base/key_store.h"

#define MARK ".destroyed"

/* Longest wrapped key. */
#define MAX_KEY 256

/* Where a key is. */
typedef struct Place
{
	char directory[MAXPGPATH];
	char key[MAXPGPATH];
	char mark[MAXPGPATH];
} Place;

static void find_place(const char *name, Place *place);
static bool is_there(const char *path);
static void make_directory(const char *path);
static void write_file(const char *path, const uint8 *bytes, int len, bool is_new);
static void remove_all(const Place *place, const char *name);
static void remove_one(const char *path);
pg_noreturn static void failed(const char *what, const char *path);

bool
at_key_store_configured(void)
{
	return at_guc_subject_key_directory[0] != '\0';
}

/* The administrator has made it, for the server's user alone, where no backup takes it along. */
void
at_key_store_check(void)
{
	const char *path = at_guc_subject_key_directory;
	struct stat status;
	bool inside;

	if (stat(path, &status) != 0 || !at_path_is_in_data(path, &inside))
		failed("use", path);
	if (!S_ISDIR(status.st_mode) || status.st_uid != geteuid() ||
		(status.st_mode & (S_IRWXG | S_IRWXO)) != 0 || inside)
		ereport(ERROR, (errcode(ERRCODE_CONFIG_FILE_ERROR),
						errmsg("cannot use directory \"%s\" for keys", path),
						errdetail("%s", inside ? "It is in the data directory, so it would be in "
												 "every backup."
											   : "It must be a directory of the server's user that "
												 "nobody else may use."),
						errhint("As the server's user, outside of the data directory: mkdir -m 700 "
								"DIRECTORY.")));
}

AtKeyState
at_key_store_get(const char *name, uint8 *key, int len)
{
	Place place;
	uint8 bytes[MAX_KEY];
	int file;
	int got;

	find_place(name, &place);
	if (is_there(place.mark))
		return AT_KEY_DESTROYED;
	file = OpenTransientFile(place.key, O_RDONLY | PG_BINARY);
	if (file < 0 && errno == ENOENT)
		return AT_KEY_NONE;
	if (file < 0 || (got = read(file, bytes, sizeof(bytes))) < 0)
		failed("read", place.key);
	CloseTransientFile(file);
	if (got != len)
		ereport(ERROR, (errcode(ERRCODE_CONFIG_FILE_ERROR),
						errmsg("key file \"%s\" is damaged", place.key),
						errdetail("It has %d bytes, and a key has %d.", got, len),
						errhint("Restore the directory of keys from its backup.")));
	memcpy(key, bytes, len);
	return AT_KEY_FOUND;
}

bool
at_key_store_put(const char *name, const uint8 *key, int len)
{
	Place place;
	char own[MAXPGPATH + 32];
	bool is_first;

	find_place(name, &place);
	make_directory(place.directory);
	snprintf(own, sizeof(own), "%s.%d", place.key, MyProcPid);
	remove_one(own);
	write_file(own, key, len, true);
	is_first = link(own, place.key) == 0;
	if (!is_first && errno != EEXIST)
		failed("make", place.key);
	remove_one(own);
	if (!at_sync_directory(place.directory))
		failed("sync", place.directory);
	return is_first;
}

void
at_key_store_destroy(const char *name)
{
	static const uint8 zeros[MAX_KEY];
	Place place;
	struct stat status;

	find_place(name, &place);
	make_directory(place.directory);
	if (!is_there(place.mark))
		write_file(place.mark, zeros, 0, true);
	if (!at_sync_directory(place.directory))
		failed("sync", place.directory);
	if (stat(place.key, &status) == 0)
		write_file(place.key, zeros, Min(status.st_size, MAX_KEY), false);
	remove_all(&place, name);
	if (!at_sync_directory(place.directory))
		failed("sync", place.directory);
}

static void
find_place(const char *name, Place *place)
{
	const char *store = at_guc_subject_key_directory;
	char log_id[2 * AT_LOG_ID_LEN + 1];

	Assert(store[0] != '\0');
	at_key_store_check();
	log_id[hex_encode((const char *) at_log_id(), AT_LOG_ID_LEN, log_id)] = '\0';
	if (snprintf(place->directory, MAXPGPATH, "%s/%s/%.2s", store, log_id, name) + strlen(name) +
			strlen(MARK) + 32 >=
		MAXPGPATH)
		ereport(ERROR, (errcode(ERRCODE_CONFIG_FILE_ERROR),
						errmsg("the name of directory \"%s\" is too long", store)));
	snprintf(place->key, MAXPGPATH, "%s/%s", place->directory, name);
	snprintf(place->mark, MAXPGPATH, "%s" MARK, place->key);
}

static bool
is_there(const char *path)
{
	if (access(path, F_OK) == 0)
		return true;
	if (errno != ENOENT && errno != ENOTDIR)
		failed("look at", path);
	return false;
}

/* With the one above it, and on disk. */
static void
make_directory(const char *path)
{
	char above[MAXPGPATH];

	if (is_there(path))
		return;
	strlcpy(above, path, sizeof(above));
	get_parent_directory(above);
	if ((mkdir(above, S_IRWXU) != 0 && errno != EEXIST) || !at_sync_directory_of(above) ||
		(mkdir(path, S_IRWXU) != 0 && errno != EEXIST) || !at_sync_directory(above))
		failed("make", path);
}

static void
write_file(const char *path, const uint8 *bytes, int len, bool is_new)
{
	int flags = O_WRONLY | PG_BINARY | (is_new ? O_CREAT | O_EXCL : 0);
	int file = OpenTransientFilePerm(path, flags, 0600);

	if (file < 0 && is_new && errno == EEXIST)
		return; /* somebody makes the same mark */
	errno = file < 0 ? errno : 0;
	if (file < 0 || write(file, bytes, len) != len || pg_fsync(file) != 0)
	{
		errno = errno ? errno : ENOSPC;
		failed("write", path);
	}
	CloseTransientFile(file);
}

/* The key, and what a crash has left of making it. */
static void
remove_all(const Place *place, const char *name)
{
	DIR *dir = AllocateDir(place->directory);
	struct dirent *entry;
	char path[MAXPGPATH * 2];

	while ((entry = ReadDir(dir, place->directory)) != NULL)
	{
		if (strncmp(entry->d_name, name, strlen(name)) != 0 ||
			strcmp(entry->d_name + strlen(name), MARK) == 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", place->directory, entry->d_name);
		remove_one(path);
	}
	FreeDir(dir);
}

static void
remove_one(const char *path)
{
	if (unlink(path) != 0 && errno != ENOENT)
		failed("remove", path);
}

static void
failed(const char *what, const char *path)
{
	ereport(ERROR, (errcode_for_file_access(), errmsg("could not %s \"%s\": %m", what, path),
					errdetail("Personal columns are recorded under keys in the directory that "
							  "audit_trail.subject_key_directory names."),
					errhint("Mend the cause, and try again.")));
}
