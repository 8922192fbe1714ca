/*-------------------------------------------------------------------------
 * publish.c
 *		Signing the head of the log and publishing it.
 *
 * Nobody but the sealer publishes, and it holds the checkpoint file's lock
 * from the comparison to the end.
 *
 * Caveat: of a file that could not be synced nobody knows what is on disk,
 * and the next sync would not tell. So the note is then appended again.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "access/xloginsert.h"
#include "catalog/pg_control.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

#include "base/catalog.h"
#include "base/checkpoint_file.h"
#include "base/compat.h"
#include "base/debug_point.h"
#include "base/errors.h"
#include "base/guc.h"
#include "base/note_text.h"
#include "base/worker.h"
#include "ledger/anchor_receipt.h"
#include "ledger/log_read.h"
#include "ledger/public_key.h"
#include "ledger/signed_head.h"
#include "seal/attempt.h"
#include "seal/publish.h"
#include "seal/report.h"

/* Right after an error: done is false, and the next pass does all of it again. */
static struct
{
	bool done;
	uint64 size;     /* published by this process; 0: none yet */
	bool in_writing; /* it was begun to append, and not synced */
	AtReport report;
} publish;

static void publish_head(void *arg);
static void publish_with(const AtPrivateKey *key, Snapshot snapshot, const AtLogHead *head);
static void append(AtCheckpointFile *file, const AtPrivateKey *key, const AtMerkle *tree);
static void flush_log(void);

PG_FUNCTION_INFO_V1(at_checkpoint);
PG_FUNCTION_INFO_V1(at_checkpoint_bytes);
PG_FUNCTION_INFO_V1(at_new_incarnation);

bool
at_publish_is_done(void)
{
	return publish.done;
}

void
at_publish(void)
{
	AtSigningKey key;
	char *message;

	publish.done = !at_signing_key_is_configured();
	if (publish.done)
		return;
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	PG_TRY();
	{
		publish.done = at_attempt_locking(publish_head, &key, &message);
	}
	PG_FINALLY();
	{
		at_key_forget(&key.key);
	}
	PG_END_TRY();
	if (publish.done)
		at_report_done(&publish.report);
	else
		at_report(&publish.report, "the head of the audit log is not signed", message);
	PopActiveSnapshot();
	CommitTransactionCommand();
}

/* The key goes to the caller, who forgets it, whatever happens here. */
static void
publish_head(void *arg)
{
	AtSigningKey *key = arg;
	Snapshot snapshot = GetActiveSnapshot();
	AtIncarnation current;
	AtPublicKey last;
	AtLogHead head;

	if (!at_ledger_exists() || !at_incarnation_read_last(snapshot, &current) ||
		!at_public_key_last(&last))
		return;
	at_log_head_read(snapshot, &head);
	if (head.tree.size == publish.size)
		return;
	at_signing_key_read(key);
	if (at_public_key_equal(&key->key.public_key, &last))
		publish_with(&key->key, snapshot, &head);
}

static void
publish_with(const AtPrivateKey *key, Snapshot snapshot, const AtLogHead *head)
{
	AtCheckpointFile file;
	char *problem;

	at_debug_point("publish-committed");
	at_checkpoint_file_open(&file);
	problem = at_signed_head_problem(file.has_note ? &file.last : NULL, key->public_key.name,
									 &head->tree, snapshot);
	if (problem != NULL)
		ereport(ERROR, (errcode(ERRCODE_AT_INTEGRITY), errmsg("%s", problem),
						errhint("SELECT * FROM audit.doctor();")));
	at_debug_point("publish-compared");
	if (!file.has_note || !at_signed_head_is(&file.last, &head->tree) || publish.in_writing)
		append(&file, key, &head->tree);
	at_checkpoint_file_sync(&file);
	publish.in_writing = false;
	publish.size = head->tree.size;
	at_worker_wake(AT_WORKER_ANCHORER);
	at_debug_point("publish-synced");
	at_checkpoint_file_close(&file);
}

static void
append(AtCheckpointFile *file, const AtPrivateKey *key, const AtMerkle *tree)
{
	char note[AT_CHECKPOINT_NOTE_MAX];
	AtWriter writer = at_writer(note, sizeof(note));
	AtCheckpoint checkpoint = {.origin = at_text(key->public_key.name), .size = tree->size};
	AtError error = AT_ERR_LIBCRYPTO;

	flush_log();
	if (at_merkle_root(tree, &checkpoint.root))
		error = at_checkpoint_sign(&writer, &checkpoint, key);
	if (error != AT_OK)
		elog(ERROR, "could not sign the head of the audit log: %s", at_error_text(error));
	at_debug_point("publish-signed");
	publish.in_writing = true;
	at_checkpoint_file_append(file, (AtText){note, writer.len});
	at_debug_point("publish-written");
}

/*
 * What is visible is not always on disk: audit.init() and declarations are
 * committed by sessions, which may have synchronous_commit off. Whatever was
 * written before this record is flushed with it.
 */
static void
flush_log(void)
{
	static const char nothing = 0;

	XLogBeginInsert();
	XLogRegisterData(unconstify(char *, &nothing), sizeof(nothing));
	XLogFlush(XLogInsert(RM_XLOG_ID, XLOG_NOOP));
}

/* The newest checkpoint, with the cosignatures that there are; false if there is none yet. */
static bool
read_newest(AtText *note)
{
	AtCheckpointFile *file = palloc(sizeof(AtCheckpointFile));
	Snapshot snapshot;

	if (!at_checkpoint_file_is_configured())
		return false;
	at_checkpoint_file_read(file);
	if (!file->has_note)
		return false;
	snapshot = at_snapshot_of_now();
	*note = at_cosigned(at_text(file->note), file->last.size, snapshot);
	UnregisterSnapshot(snapshot);
	return true;
}

/* checkpoint(): the note */
Datum
at_checkpoint(PG_FUNCTION_ARGS)
{
	AtText note;

	if (!read_newest(&note))
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(at_note_to_text(note, "audit.checkpoint_bytes()"));
}

/* checkpoint_bytes(): the same */
Datum
at_checkpoint_bytes(PG_FUNCTION_ARGS)
{
	AtText note;

	if (!read_newest(&note))
		PG_RETURN_NULL();
	PG_RETURN_BYTEA_P(at_note_to_bytes(note));
}

pg_noreturn static void
nothing_to_declare(const char *detail)
{
	ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					errmsg("there is nothing to declare"), errdetail("%s", detail),
					errhint("SELECT * FROM audit.doctor();")));
}

static char *
declare(const char *reason, Snapshot snapshot)
{
	AtIncarnation current;
	AtCheckpointFile file;
	const AtCheckpoint *last;
	AtPublicKey key;
	AtLogHead head;
	char *problem;

	if (!at_incarnation_read_last(snapshot, &current))
		nothing_to_declare("The ledger was not begun in this server and database.");
	if (!at_public_key_last(&key))
		nothing_to_declare("The log was never signed.");
	at_checkpoint_file_read(&file);
	at_log_head_read(snapshot, &head);
	last = file.has_note ? &file.last : NULL;
	problem = at_signed_head_problem(last, key.name, &head.tree, snapshot);
	if (problem == NULL)
		nothing_to_declare("The log continues the last signed checkpoint.");
	at_signed_head_declare(&head, current.incarnation, last, reason);
	return problem;
}

/* new_incarnation(reason text): what was declared */
Datum
at_new_incarnation(PG_FUNCTION_ARGS)
{
	char *reason = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char *problem;

	if (reason[0] == '\0' || strlen(reason) > AT_MAX_CONTEXT_LENGTH)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("there must be a reason"),
						errdetail("It has from 1 to %d bytes.", AT_MAX_CONTEXT_LENGTH),
						errhint("Say what was restored, from where, and who decided it.")));

	/* the snapshot comes after the lock: see sealer.c */
	at_ledger_lock_passes(AT_LEDGER_LOG_ENTRY);
	PushActiveSnapshot(GetLatestSnapshot());
	problem = declare(reason, GetActiveSnapshot());
	PopActiveSnapshot();
	PG_RETURN_TEXT_P(cstring_to_text(problem));
}
