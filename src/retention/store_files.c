/*-------------------------------------------------------------------------
 * store_files.c
 *		Files with archived segments are stored elsewhere: a step of the keeper.
 *
 * audit.segment says which files there are, and markers beside them (ledger/cold_file.h)
 * how it is with their copies. So a run that was killed anywhere is gone on
 * with by the next; what it may do is run a command once more for the same file.
 *
 *		store	a file without FILE.done: FILE.ready, the command, FILE.done
 *		let go	a file that is stored and need not be here: the command that brings
 *				files back must give the same one, once; then it is removed here
 *		remove	FILE.gone: what was in it was purged; the command that removes
 *				it, and the marker goes
 *
 * No transaction is open while a command runs. A purge may come in between:
 * it renames the marker to FILE.gone, and then ours is not there to be renamed.
 *
 * A command that fails is tried again, after a minute, two, four, up to an hour.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access/xact.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

#include "base/clock.h"
#include "base/command.h"
#include "base/compat.h"
#include "base/debug_point.h"
#include "base/guc.h"
#include "base/worker.h"
#include "ledger/cold_file.h"
#include "ledger/owner.h"
#include "retention/archive_files.h"
#include "retention/keeper.h"
#include "retention/store_files.h"

/* What is in FILE.done once it was brought back the same. */
#define CHECKED "came back the same\n"

/* Of a copy that is fetched to be compared. */
#define CHECK_END ".check"

#define PAUSE_FIRST_MS (60 * 1000)
#define PAUSE_LAST_MS  (60 * 60 * 1000)

typedef struct StoredFile
{
	char *name;
	char *partition;
} StoredFile;

/* Right after an error: about attempts, which are counted when they fail. */
static struct
{
	int failures;
	int64 not_before; /* by at_clock_ms() */
} attempts;

static bool store_step(TimestampTz deadline);
static bool store_next(List *files);
static bool let_go_next(List *files);
static bool remove_next(void);
static List *list_files(void);
static void store(const char *file);
static bool came_back(const char *file);
static void check_comes_back(const char *file);
static void make_marker(const char *file, const char *end, const char *content);
static void run(const char *what, const char *file, const char *command);
pg_noreturn static void fail(const char *what, const char *file, const char *why);
static void stop_at(const char *debug_point);

static const AtKeeperStep step = {.name = "store", .in_window = true, .run = store_step};

void
at_store_files_init(void)
{
	at_keeper_register(&step);
}

/* A file a portion. */
static bool
store_step(TimestampTz deadline)
{
	List *files;
	bool more;

	if (at_guc_archive_directory[0] == '\0' ||
		(at_clock_ms() < attempts.not_before && !at_worker_is_asked()))
		return false;
	files = list_files();
	more = store_next(files) || let_go_next(files) || remove_next();
	attempts.failures = 0;
	attempts.not_before = 0;
	return more;
}

static bool
store_next(List *files)
{
	ListCell *cell;

	if (at_guc_archive_command[0] == '\0')
		return false;
	foreach (cell, files)
	{
		const StoredFile *file = lfirst(cell);

		/* one that is not here cannot be stored: verification says so */
		if (at_cold_file_exists(file->name, AT_FILE_DONE) || !at_cold_file_exists(file->name, ""))
			continue;
		store(file->name);
		at_keeper_did(1, "%s is stored", file->name);
		return true;
	}
	return false;
}

static void
store(const char *file)
{
	char *ready = at_cold_file_path(file, AT_FILE_READY);
	AtCommandValue values[] = {{'p', at_cold_file_path(file, "")}, {'f', file}};

	make_marker(file, AT_FILE_READY, "");
	stop_at("store-ready");
	run("stored", file, at_command_expand(at_guc_archive_command, values, lengthof(values)));
	stop_at("store-stored");
	if (access(ready, F_OK) == 0)
		(void) durable_rename(ready, at_cold_file_path(file, AT_FILE_DONE), LOG);
	stop_at("store-done");
}

/* What is stored, and not held, goes; also what was only fetched to be read. */
static bool
let_go_next(List *files)
{
	ListCell *cell;

	if (at_guc_archive_keep_local || at_guc_restore_command[0] == '\0')
		return false;
	foreach (cell, files)
	{
		const StoredFile *file = lfirst(cell);
		bool held;

		if (!at_cold_file_exists(file->name, AT_FILE_DONE) || !at_cold_file_exists(file->name, ""))
			continue;
		StartTransactionCommand();
		PushActiveSnapshot(GetTransactionSnapshot());
		held = at_partition_is_held(file->partition);
		PopActiveSnapshot();
		CommitTransactionCommand();
		if (held)
			continue;
		check_comes_back(file->name);
		stop_at("store-checked");
		if (unlink(at_cold_file_path(file->name, "")) != 0 && errno != ENOENT)
			fail("removed here", file->name, strerror(errno));
		stop_at("store-let-go");
		at_keeper_did(1, "%s is elsewhere only", file->name);
		return true;
	}
	return false;
}

/* Has it been brought back before? */
static bool
came_back(const char *file)
{
	struct stat status;

	return stat(at_cold_file_path(file, AT_FILE_DONE), &status) == 0 &&
		   status.st_size == strlen(CHECKED);
}

/* Nothing goes here that does not come back. */
static void
check_comes_back(const char *file)
{
	char *path = at_cold_file_path(file, CHECK_END);
	const char *why;

	if (came_back(file))
		return;
	at_keeper_progress(psprintf("fetching %s", file), 0, 0);
	(void) unlink(path);
	why = at_cold_file_fetch(file, path);
	(void) unlink(path);
	if (why != NULL)
		fail("removed here", file, why);
	make_marker(file, AT_FILE_DONE, CHECKED);
}

/* The first one of those that are to be removed elsewhere. */
static bool
remove_next(void)
{
	DIR *directory;
	struct dirent *entry;
	char *file = NULL;
	AtCommandValue value = {'f', NULL};

	if (at_guc_archive_remove_command[0] == '\0')
		return false;
	directory = AllocateDir(at_guc_archive_directory);
	while (file == NULL && (entry = ReadDir(directory, at_guc_archive_directory)) != NULL)
	{
		size_t len = strlen(entry->d_name);
		size_t end = strlen(AT_FILE_GONE);

		if (len > end && strcmp(entry->d_name + len - end, AT_FILE_GONE) == 0 &&
			at_cold_file_is_name(entry->d_name))
			file = pnstrdup(entry->d_name, len - end);
	}
	FreeDir(directory);
	if (file == NULL)
		return false;
	value.value = file;
	run("removed elsewhere", file, at_command_expand(at_guc_archive_remove_command, &value, 1));
	stop_at("store-removed");
	if (unlink(at_cold_file_path(file, AT_FILE_GONE)) != 0)
		fail("removed elsewhere", file, strerror(errno));
	at_keeper_did(1, "%s is removed elsewhere", file);
	return true;
}

/* All that audit.segment names, in the current context. */
static List *
list_files(void)
{
	MemoryContext context = CurrentMemoryContext;
	AtOwnerState state;
	List *files = NIL;

	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	at_owner_enter(&state);
	SPI_connect();
	if (SPI_execute("SELECT DISTINCT s.file, s.partition_name FROM audit.segment AS s "
					"WHERE s.file IS NOT NULL ORDER BY s.file",
					true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read audit.segment");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple row = SPI_tuptable->vals[i];
		MemoryContext save = MemoryContextSwitchTo(context);
		StoredFile *file = palloc(sizeof(StoredFile));

		file->name = SPI_getvalue(row, SPI_tuptable->tupdesc, 1);
		file->partition = SPI_getvalue(row, SPI_tuptable->tupdesc, 2);
		if (at_cold_file_is_name(file->name))
			files = lappend(files, file);
		MemoryContextSwitchTo(save);
	}
	SPI_finish();
	at_owner_leave(&state);
	PopActiveSnapshot();
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
	return files;
}

/* On disk before it is gone on. */
static void
make_marker(const char *file, const char *end, const char *content)
{
	char *path = at_cold_file_path(file, end);
	int fd = OpenTransientFilePerm(path, O_WRONLY | O_CREAT | O_TRUNC | PG_BINARY, 0600);

	errno = 0;
	if (fd < 0 || write(fd, content, strlen(content)) != strlen(content) || pg_fsync(fd) != 0)
		ereport(ERROR,
				(errcode_for_file_access(), errmsg("could not write file \"%s\": %m", path)));
	CloseTransientFile(fd);
	fsync_fname(at_guc_archive_directory, true);
}

static void
run(const char *what, const char *file, const char *command)
{
	const char *why;

	at_keeper_progress(psprintf("%s: to be %s", file, what), 0, 0);
	why =
		at_command_run(command, at_guc_archive_timeout, psprintf("\"%s\" was not %s", file, what));
	if (why != NULL)
		fail(what, file, why);
}

static void
fail(const char *what, const char *file, const char *why)
{
	int64 pause = Min((int64) PAUSE_FIRST_MS << Min(attempts.failures, 10), PAUSE_LAST_MS);

	attempts.failures++;
	attempts.not_before = at_clock_ms() + pause;
	ereport(ERROR, (errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
					errmsg("file \"%s\" was not %s: %s", file, what, why)));
}

/* Debug points need a transaction. */
static void
stop_at(const char *debug_point)
{
	MemoryContext context = CurrentMemoryContext;

	if (!at_debug_point_is_on(debug_point))
		return;
	StartTransactionCommand();
	at_debug_point(debug_point);
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
}
