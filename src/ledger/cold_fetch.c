/*-------------------------------------------------------------------------
 * cold_fetch.c
 *		Bringing a file with archived segments back from elsewhere.
 *
 * Whoever reads needs it: a session within a query, which can be cancelled
 * all the time, or a worker. What comes back is believed if it is what the name
 * says, and nobody sees it under that name before.
 *
 * A fetch that failed is not tried again by the same process for a while, since
 * somebody who reads a month asks for a thousand segments of one file.
 *
 * Locks: one that stands for the file, while it is fetched, so that one process
 * does. A standby cannot take it, and parallel workers share it: then more than
 * one does, each for itself.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <unistd.h>

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_class_d.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "storage/lmgr.h"
#include "utils/memutils.h"

#include "base/catalog.h"
#include "base/clock.h"
#include "base/command.h"
#include "base/guc.h"
#include "ledger/cold_file.h"

/* A failure holds for so long. */
#define FAILURE_MS 10000

/* Right after an error: it is set when it is known. */
static struct
{
	char file[MAXPGPATH];
	int64 until; /* by at_clock_ms() */
	char why[MAXPGPATH + 256];
} last_failure;

static const char *fetch(const char *file, const char *path);
static const char *check(const char *file, const char *path);

const char *
at_cold_file_fetch(const char *file, const char *path)
{
	bool locks = !RecoveryInProgress() && IsTransactionState();
	uint16 number = hash_bytes((const unsigned char *) file, strlen(file));
	Oid segments = locks ? at_ledger_relid(AT_LEDGER_SEGMENT) : InvalidOid;
	const char *why = NULL;

	if (strcmp(file, last_failure.file) == 0 && at_clock_ms() < last_failure.until)
		return pstrdup(last_failure.why);
	if (locks)
		LockDatabaseObject(RelationRelationId, segments, number, ExclusiveLock);
	if (access(path, F_OK) != 0)
		why = fetch(file, path);
	if (locks)
		UnlockDatabaseObject(RelationRelationId, segments, number, ExclusiveLock);
	if (why != NULL)
	{
		strlcpy(last_failure.file, file, sizeof(last_failure.file));
		strlcpy(last_failure.why, why, sizeof(last_failure.why));
		last_failure.until = at_clock_ms() + FAILURE_MS;
	}
	return why;
}

/* Aside, and then to its place. */
static const char *
fetch(const char *file, const char *path)
{
	char *aside = psprintf("%s/%s.fetch.%d", at_guc_archive_directory, file, MyProcPid);
	AtCommandValue values[] = {{'p', aside}, {'f', file}};
	char *command = at_command_expand(at_guc_restore_command, values, lengthof(values));
	const char *volatile why = NULL;

	PG_TRY();
	{
		why = at_command_run(command, at_guc_archive_timeout,
							 psprintf("the file \"%s\" was not brought back", file));
		if (why != NULL)
			why = psprintf("The file \"%s\" is not here, and audit_trail.restore_command did not "
						   "bring it back: %s.",
						   file, why);
		else
			why = check(file, aside);
		if (why == NULL && durable_rename(aside, path, LOG) != 0)
			why = psprintf("The file \"%s\" could not be put in its place.", path);
	}
	PG_CATCH();
	{
		(void) unlink(aside);
		PG_RE_THROW();
	}
	PG_END_TRY();
	if (why != NULL)
		(void) unlink(aside);
	return why;
}

/* Is it the file of that name? */
static const char *
check(const char *file, const char *path)
{
	size_t digits = 2 * AT_HASH_LEN;
	size_t end = strlen(AT_COLD_FILE_END);
	size_t len = strlen(file);
	AtHash hash;
	char hex[2 * AT_HASH_LEN + 1];

	if (!at_cold_file_hash(path, &hash))
		return psprintf(
			"audit_trail.restore_command did not put the file \"%s\" where it should: %s.", file,
			strerror(errno));
	for (int i = 0; i < AT_HASH_LEN; i++)
		snprintf(hex + 2 * i, 3, "%02x", hash.bytes[i]);
	if (len < digits + end + 1 || strncmp(file + len - end - digits, hex, digits) != 0)
		return psprintf("What audit_trail.restore_command has brought is not the file \"%s\": its "
						"SHA-256 is %s.",
						file, hex);
	return NULL;
}
