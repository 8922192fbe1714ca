/*-------------------------------------------------------------------------
 * export_destruction.c
 *		audit.export_deletion(): the certificate of a purge, or of the erasure
 *		of a person, for those who have no access to the database.
 *
 * It is verified before it is given out, as a proof is: what was changed in
 * the ledger makes an error here, and no certificate that fails elsewhere.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

#include "base/catalog.h"
#include "base/checkpoint_file.h"
#include "base/compat.h"
#include "base/errors.h"
#include "base/note_text.h"
#include "base/worker.h"
#include "core/destruction.h"
#include "ledger/anchor_receipt.h"
#include "ledger/gap.h"
#include "ledger/log_read.h"
#include "ledger/log_tree.h"
#include "ledger/owner_query.h"

static AtText export_destruction(int64 deletion_id);
static void find_entries(int64 deletion_id, uint64 *log_index);
static void read_signed(AtCheckpointFile *file, uint64 last);
static void read_lists(AtDestruction *destruction, int64 deletion_id, Snapshot snapshot);
static AtText read_entry(uint64 log_index, Snapshot snapshot);
static AtText write_certificate(const AtDestruction *destruction);

PG_FUNCTION_INFO_V1(at_export_deletion);
PG_FUNCTION_INFO_V1(at_export_deletion_bytes);

/* export_deletion(deletion_id bigint): the certificate, for the newest signed checkpoint */
Datum
at_export_deletion(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(
		at_note_to_text(export_destruction(PG_GETARG_INT64(0)), "audit.export_deletion_bytes()"));
}

/* export_deletion_bytes(deletion_id bigint): the same */
Datum
at_export_deletion_bytes(PG_FUNCTION_ARGS)
{
	PG_RETURN_BYTEA_P(at_note_to_bytes(export_destruction(PG_GETARG_INT64(0))));
}

static void
demand(AtError error)
{
	if (error != AT_OK)
		ereport(ERROR, (errcode(ERRCODE_AT_INTEGRITY),
						errmsg("the audit ledger does not give a certificate that holds"),
						errdetail("What was found: %s.", at_error_text(error)),
						errhint("SELECT * FROM audit.verify();")));
}

static AtText
export_destruction(int64 deletion_id)
{
	AtDestruction destruction = {.leaves = {"", 0}, .sessions = {"", 0}};
	uint64 log_index[AT_DESTRUCTION_STEPS];
	AtCheckpointFile *file = palloc(sizeof(AtCheckpointFile));
	AtDestroyed destroyed;
	AtLogTree *tree;
	Snapshot snapshot;

	(void) at_ledger_relid(AT_LEDGER_LOG_ENTRY);
	find_entries(deletion_id, log_index);
	read_signed(file, log_index[AT_DESTRUCTION_DONE]);
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	read_lists(&destruction, deletion_id, snapshot);
	tree = at_log_tree_open(snapshot);
	for (int i = 0; i < AT_DESTRUCTION_STEPS; i++)
	{
		destruction.entry[i] = read_entry(log_index[i], snapshot);
		demand(at_proof_make_inclusion(&destruction.proof[i], log_index[i], file->last.size,
									   at_log_tree_subtree, tree));
	}
	at_log_tree_close(tree);
	destruction.checkpoint = at_cosigned(at_text(file->note), file->last.size, snapshot);
	UnregisterSnapshot(snapshot);
	demand(at_destruction_verify_in(&destruction, &file->last, &destroyed));
	return write_certificate(&destruction);
}

/* Which entries of the log are of it; an error unless it was carried out. */
static void
find_entries(int64 deletion_id, uint64 *log_index)
{
	static const char query[] =
		"SELECT pg_catalog.concat_ws(' ', o.payload ->> 'request', o.payload ->> 'approval', "
		"o.log_index, (SELECT pg_catalog.min(d.log_index) FROM audit.log_entry AS d "
		"WHERE d.kind IN ('purged', 'erased') AND coalesce(d.payload ->> 'deletion', "
		"d.payload ->> 'erase')::int8 = o.log_index)) FROM audit.log_entry AS o "
		"WHERE o.log_index = $1 AND o.kind IN ('purge', 'erase')";
	Oid types[] = {INT8OID};
	Datum values[] = {Int64GetDatum(deletion_id)};
	char *found = at_owner_value(query, lengthof(types), types, values);
	char *at = found;

	if (found == NULL)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
						errmsg("there is no deletion " INT64_FORMAT, deletion_id),
						errdetail("The log has no order to purge or to erase under this number."),
						errhint("SELECT deletion_id, phase FROM audit.deletion; erasures are "
								"in audit.erasure.")));
	for (int i = 0; i < AT_DESTRUCTION_STEPS; i++)
	{
		if (*at == '\0')
			ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
							errmsg("deletion " INT64_FORMAT " was not carried out", deletion_id),
							errdetail("It was ordered, and is cancelled or waits for the keeper."),
							errhint("SELECT audit.keeper_now();")));
		log_index[i] = strtou64(at, &at, 10);
	}
}

/* The newest signed checkpoint, which must have the last of the entries. */
static void
read_signed(AtCheckpointFile *file, uint64 last)
{
	at_checkpoint_file_read(file);
	if ((!file->has_note || file->last.size <= last) && !RecoveryInProgress())
	{
		at_worker_run(AT_WORKER_SEALER);
		at_checkpoint_file_read(file);
	}
	if (!file->has_note || file->last.size <= last)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("there is no signed checkpoint for the certificate"),
						errdetail("No checkpoint was signed since the deletion was carried out."),
						errhint("SELECT * FROM audit.doctor();")));
}

/* What a purge has removed; of an erasure there are none. */
static void
read_lists(AtDestruction *destruction, int64 deletion_id, Snapshot snapshot)
{
	const AtGaps *gaps = at_gaps_read(snapshot);

	for (int i = 0; i < gaps->ndeletions; i++)
	{
		const AtDeletion *deletion = &gaps->deletion[i];

		if (deletion->log_index != deletion_id)
			continue;
		if (deletion->gaps_len > 0)
			destruction->leaves = (AtText){(const char *) deletion->gaps, deletion->gaps_len};
		if (deletion->sessions_len > 0)
			destruction->sessions =
				(AtText){(const char *) deletion->sessions, deletion->sessions_len};
	}
}

static AtText
read_entry(uint64 log_index, Snapshot snapshot)
{
	AtEntryReader *reader = at_entry_reader_open(snapshot);
	const AtEntryRow *row;
	AtText bytes;
	uint8 *out;

	at_entry_reader_start(reader, log_index, log_index);
	row = at_entry_reader_next(reader);
	if (row == NULL || row->is_odd)
		demand(AT_ERR_DESTRUCTION);
	bytes.len = at_entry_body_size(&row->body);
	out = palloc(bytes.len);
	at_entry_body_write(&row->body, out);
	bytes.data = (const char *) out;
	at_entry_reader_close(reader);
	return bytes;
}

static AtText
write_certificate(const AtDestruction *destruction)
{
	size_t bytes = destruction->leaves.len + destruction->sessions.len;
	size_t size;
	AtWriter writer;
	AtError error;

	for (int i = 0; i < AT_DESTRUCTION_STEPS; i++)
		bytes += destruction->entry[i].len;
	size = AT_DESTRUCTION_ROOM(bytes) + destruction->checkpoint.len;
	writer = at_writer(palloc_extended(size, MCXT_ALLOC_HUGE), size);
	error = at_destruction_write(&writer, destruction);
	if (error != AT_OK)
		elog(ERROR, "could not write a certificate: %s", at_error_text(error));
	return (AtText){writer.data, writer.len};
}
