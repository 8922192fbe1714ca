/*-------------------------------------------------------------------------
 * anchor_status.c
 *		SQL functions that ask for an anchor and tell how anchoring goes.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/catalog.h"
#include "base/errors.h"
#include "base/note_text.h"
#include "base/shmem.h"
#include "ledger/anchor_receipt.h"
#include "seal/anchor.h"

PG_FUNCTION_INFO_V1(at_anchor_now);
PG_FUNCTION_INFO_V1(at_read_anchor_status);
PG_FUNCTION_INFO_V1(at_anchored_checkpoint);
PG_FUNCTION_INFO_V1(at_anchored_checkpoint_bytes);

static void
read_status(AtAnchorStatus *status)
{
	memset(status, 0, sizeof(*status));
	if (at_shmem_ready())
		at_slot_get_anchor(at_slot_find(MyDatabaseId), status);
}

/* anchor_now(): (size, received_at) of the newest receipt */
Datum
at_anchor_now(PG_FUNCTION_ARGS)
{
	AtAnchorStatus status;
	TupleDesc desc;
	Datum values[2];
	bool nulls[2] = {false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	(void) at_ledger_relid(AT_LEDGER_ANCHOR_RECEIPT);
	if (!at_anchor_is_configured())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("checkpoints of the audit log are not anchored"),
				 errdetail("There is no command for it, or no signed checkpoint."),
				 errhint("Set audit_trail.anchor_command, audit_trail.signing_key_file and "
						 "audit_trail.checkpoint_file in the configuration file and reload it.")));
	at_worker_run(AT_WORKER_ANCHORER);
	read_status(&status);
	if (status.failures > 0)
		ereport(ERROR, (errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
						errmsg("the checkpoint of size " UINT64_FORMAT " was not anchored: %s",
							   status.signed_size, status.message),
						errhint("The server log has what the command printed to stderr.")));
	if (status.anchored_at == 0)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("there is no signed checkpoint to anchor"),
						errhint("SELECT * FROM audit.doctor();")));
	values[0] = Int64GetDatum(status.anchored_size);
	values[1] = TimestampTzGetDatum(status.anchored_at);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

/* A time, or null for 0. */
static void
put_time(Datum *values, bool *nulls, int column, TimestampTz at)
{
	nulls[column] = at == 0;
	values[column] = TimestampTzGetDatum(at);
}

/* read_anchor_status(): one row, in the order of its columns */
Datum
at_read_anchor_status(PG_FUNCTION_ARGS)
{
	AtAnchorStatus status;
	TupleDesc desc;
	Datum values[8] = {0};
	bool nulls[8] = {false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	read_status(&status);
	values[0] = Int64GetDatum(status.signed_size);
	values[1] = Int64GetDatum(status.anchored_size);
	put_time(values, nulls, 2, status.anchored_at);
	put_time(values, nulls, 3, status.attempted_at);
	put_time(values, nulls, 4, status.next_attempt);
	values[5] = Int32GetDatum(status.failures);
	nulls[6] = status.failures == 0;
	if (!nulls[6])
		values[6] = CStringGetTextDatum(status.message);
	put_time(values, nulls, 7, status.overdue_since);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

/* The newest receipt's checkpoint, or of those for one size. */
static bool
find_anchored(int64 size, AtAnchorReceipt *found, Snapshot snapshot)
{
	AtAnchorReceiptReader *reader;
	const AtAnchorReceipt *row;
	bool any = false;

	if (size == 0)
		return at_anchor_receipt_last(snapshot, found);
	reader = at_anchor_receipt_reader_open_size(snapshot, size);
	while ((row = at_anchor_receipt_reader_next(reader)) != NULL)
	{
		if (any && row->receipt_id < found->receipt_id)
			continue;
		*found = *row;
		found->checkpoint.data =
			pnstrdup(row->checkpoint.data, row->checkpoint.len); /* rows are valid for a turn */
		any = true;
	}
	at_anchor_receipt_reader_close(reader);
	return any;
}

static bool
read_anchored(int64 size, AtText *note)
{
	Snapshot snapshot = at_snapshot_of_now();
	AtAnchorReceipt found;
	bool any = find_anchored(size, &found, snapshot);

	if (any)
		*note = at_cosigned(found.checkpoint, found.size, snapshot);
	UnregisterSnapshot(snapshot);
	return any;
}

/* anchored_checkpoint(size bigint): a note with its cosignatures; size 0 is the newest */
Datum
at_anchored_checkpoint(PG_FUNCTION_ARGS)
{
	AtText note;

	if (!read_anchored(PG_GETARG_INT64(0), &note))
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(at_note_to_text(note, "audit.anchored_checkpoint_bytes()"));
}

/* anchored_checkpoint_bytes(size bigint): the same */
Datum
at_anchored_checkpoint_bytes(PG_FUNCTION_ARGS)
{
	AtText note;

	if (!read_anchored(PG_GETARG_INT64(0), &note))
		PG_RETURN_NULL();
	PG_RETURN_BYTEA_P(at_note_to_bytes(note));
}
