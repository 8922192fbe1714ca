/*-------------------------------------------------------------------------
 * export.c
 *		What all exports of the log to a directory of the server begin and end
 *		with.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "base/errors.h"
#include "ledger/owner.h"
#include "ledger/public_key.h"
#include "seal/export.h"

static void go_on(AtExport *export);

pg_noreturn static void
refuse(const AtExport *export, const char *detail, const char *hint)
{
	ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					errmsg("cannot export the log to directory \"%s\"", export->directory.path),
					errdetail("%s", detail), errhint("%s", hint)));
}

void
at_export_refuse_other(const AtExport *export)
{
	refuse(export,
		   psprintf("The log does not have its checkpoint of size " UINT64_FORMAT
					" as its beginning.",
					export->old_size),
		   "Name another directory, and ask which of the two logs is the true one.");
}

void
at_export_broken(const char *detail)
{
	ereport(ERROR, (errcode(ERRCODE_AT_INTEGRITY), errmsg("the audit log cannot be exported"),
					errdetail("%s", detail), errhint("SELECT * FROM audit.verify();")));
}

void
at_export_begin(AtExport *export, const char *path, const char *contents)
{
	char *canonical = at_export_path(path);

	at_export_checkpoint(&export->file);
	export->checkpoint = export->file.last;

	/* after the file was read */
	PushActiveSnapshot(GetLatestSnapshot());
	export->snapshot = GetActiveSnapshot();
	at_export_check_signature(&export->file);
	at_log_directory_open(&export->directory, canonical, contents);
	go_on(export);
}

void
at_export_checkpoint(AtCheckpointFile *file)
{
	at_checkpoint_file_read(file);
	if (!file->has_note)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("there is nothing to export"),
						errdetail("No checkpoint of the log was signed yet."),
						errhint("SELECT * FROM audit.doctor();")));
}

/* As for COPY to a file. */
char *
at_export_path(const char *path)
{
	char *canonical = pstrdup(path);

	if (!has_privs_of_role(GetUserId(), ROLE_PG_WRITE_SERVER_FILES))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be superuser or have privileges of the pg_write_server_files role to "
						"export the log"),
				 errdetail("It is written to files of the server."),
				 errhint("Ask somebody who has them.")));
	canonicalize_path(canonical);
	if (!is_absolute_path(canonical))
		ereport(ERROR, (errcode(ERRCODE_INVALID_NAME),
						errmsg("relative path \"%s\" not allowed for an export of the log", path),
						errdetail("The server would look for it in its data directory."),
						errhint("Name an absolute path.")));
	return canonical;
}

/* By the key that the log itself names. Its rows are read whoever asks, as by audit.prove(). */
void
at_export_check_signature(const AtCheckpointFile *file)
{
	AtOwnerState state;
	AtPublicKey key;
	AtCheckpoint checkpoint;
	AtError error = AT_ERR_NOT_SIGNED;

	at_owner_enter(&state);
	if (at_public_key_at(&key, file->last.size))
		error = at_checkpoint_open(&checkpoint, at_text(file->note), &(AtTrust){.log_key = &key});
	at_owner_leave(&state);
	if (error != AT_OK)
		at_export_broken(psprintf("Of the last checkpoint in file \"%s\": %s.", file->path,
								  at_error_text(error)));
}

/* Where the earlier export ended. */
static void
go_on(AtExport *export)
{
	const AtLogDirectory *directory = &export->directory;

	if (!directory->has_note)
		return;
	if (!at_text_equal(directory->last.origin, export->checkpoint.origin))
		refuse(export, "It has another log.", "Name another directory.");
	if (directory->last.size > export->checkpoint.size)
		refuse(export,
			   psprintf("It has a checkpoint of size " UINT64_FORMAT
						", and the newest of this log has size " UINT64_FORMAT ".",
						(uint64) directory->last.size, (uint64) export->checkpoint.size),
			   "Was this database set back? See audit.doctor().");
	export->old_size = directory->last.size;
}

void
at_export_end(AtExport *export)
{
	if (export->old_size < export->checkpoint.size)
		at_log_directory_publish(&export->directory, at_text(export->file.note));
	at_log_directory_close(&export->directory);
	PopActiveSnapshot();
}
