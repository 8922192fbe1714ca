/*-------------------------------------------------------------------------
 * exhibit_checkpoint.c
 *		The signed checkpoint that a bundle of evidence is proved against.
 *
 * It is the earliest one that has all of it, is signed by the log's last key, and was
 * cosigned or stamped outside; or the earliest of all, if none was. So it
 * is the same however far the log has gone since, and nearest to the events.
 *
 * Caveat: which one is the earliest is found by bisection in the checkpoint
 * file. Where the log was declared to go on from an earlier size, that may
 * miss; then it is the newest.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/snapmgr.h"

#include "base/checkpoint_file.h"
#include "base/compat.h"
#include "base/worker.h"
#include "ledger/anchor_receipt.h"
#include "ledger/log_read.h"
#include "ledger/log_tree.h"
#include "ledger/owner.h"
#include "ledger/public_key.h"
#include "seal/exhibit.h"

static const AtEventName *find_missing(AtExhibit *exhibit, AtCheckpointFile *file, uint64 *needed);
static void take_snapshot(AtExhibit *exhibit);
pg_noreturn static void not_covered(const AtEventName *name);
static void choose(AtExhibit *exhibit, AtCheckpointFile *newest, uint64 needed);
static bool choose_anchored(AtExhibit *exhibit, uint64 least);
static void add_stamps(AtExhibit *exhibit);
static int compare_stamps(const void *a, const void *b);
static AtText copy_of(AtText text);
static bool take(AtExhibit *exhibit, AtText note);
static uint64 read_keys(AtExhibit *exhibit, uint64 size);

void
at_exhibit_cover(AtExhibit *exhibit)
{
	AtCheckpointFile file;
	const AtEventName *missing;
	uint64 needed;

	missing = find_missing(exhibit, &file, &needed);
	if (missing != NULL && !RecoveryInProgress())
	{
		at_worker_run(AT_WORKER_SEALER);
		missing = find_missing(exhibit, &file, &needed);
	}
	if (!file.has_note)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("there is no signed checkpoint for evidence"),
				 errdetail("No checkpoint of the log was signed yet: evidence would prove nothing "
						   "to others."),
				 errhint("SELECT * FROM audit.doctor();")));
	if (missing != NULL)
		not_covered(missing);
	choose(exhibit, &file, needed);
}

/* The first event that the newest checkpoint does not have. */
static const AtEventName *
find_missing(AtExhibit *exhibit, AtCheckpointFile *file, uint64 *needed)
{
	/* the file first, so that the snapshot has all that it speaks of */
	at_checkpoint_file_read(file);
	take_snapshot(exhibit);
	return at_exhibit_place(exhibit, file->has_note ? file->last.size : 0, needed);
}

static void
take_snapshot(AtExhibit *exhibit)
{
	if (exhibit->snapshot != NULL)
		UnregisterSnapshot(exhibit->snapshot);
	exhibit->snapshot = RegisterSnapshot(GetLatestSnapshot());
}

/* It is committed, and a pass of the sealer did not bring it under a signature. */
static void
not_covered(const AtEventName *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("event " UINT64_FORMAT ".%u is under no signed checkpoint yet", name->tx_id,
					name->ordinal),
			 errdetail("What was committed has just been sealed, as far as it could be, and this "
					   "is not among what was signed."),
			 errhint("SELECT * FROM audit.doctor(); tells whether the log is signed. If it is, try "
					 "again.")));
}

static void
choose(AtExhibit *exhibit, AtCheckpointFile *newest, uint64 needed)
{
	AtCheckpointFile *file = palloc(sizeof(AtCheckpointFile));
	uint64 least = Max(read_keys(exhibit, newest->last.size), needed);

	if (choose_anchored(exhibit, least))
		return;
	at_checkpoint_file_find(file, least);
	if (file->has_note && file->last.size >= least && take(exhibit, at_text(file->note)))
		return;
	if (!take(exhibit, at_text(pstrdup(newest->note))))
		at_exhibit_broken(psprintf("The log is not what was signed for size " UINT64_FORMAT ".",
								   (uint64) newest->last.size));
}

/* The first one for which somebody outside has signed; false if there is none. */
static bool
choose_anchored(AtExhibit *exhibit, uint64 least)
{
	AtAnchorReceiptReader *reader = at_anchor_receipt_reader_open_from(exhibit->snapshot, least);
	const AtAnchorReceipt *row;
	bool taken = false;

	while (!taken && (row = at_anchor_receipt_reader_next(reader)) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		taken = !row->is_odd && row->receipt.kind != AT_RECEIPT_OTHER &&
				take(exhibit, copy_of(row->checkpoint));
	}
	at_anchor_receipt_reader_close(reader);
	if (!taken)
		return false;
	add_stamps(exhibit);
	exhibit->note = at_cosigned(exhibit->note, exhibit->checkpoint.size, exhibit->snapshot);
	return true;
}

/* All time stamps of the note, by the numbers of their receipts. */
static void
add_stamps(AtExhibit *exhibit)
{
	AtAnchorReceiptReader *reader =
		at_anchor_receipt_reader_open_size(exhibit->snapshot, exhibit->checkpoint.size);
	const AtAnchorReceipt *row;

	exhibit->stamp = palloc(sizeof(AtEvidenceStamp));
	while ((row = at_anchor_receipt_reader_next(reader)) != NULL)
	{
		if (row->is_odd || row->receipt.kind != AT_RECEIPT_TIMESTAMP ||
			!at_text_equal(row->checkpoint, exhibit->note))
			continue;
		exhibit->stamp =
			repalloc(exhibit->stamp, sizeof(AtEvidenceStamp) * (exhibit->stamp_count + 1));
		exhibit->stamp[exhibit->stamp_count++] = (AtEvidenceStamp){
			.name = at_text(psprintf(INT64_FORMAT, row->receipt_id)),
			.response = copy_of(row->receipt.bytes),
		};
	}
	at_anchor_receipt_reader_close(reader);
	qsort(exhibit->stamp, exhibit->stamp_count, sizeof(AtEvidenceStamp), compare_stamps);
}

static int
compare_stamps(const void *a, const void *b)
{
	return at_text_compare(((const AtEvidenceStamp *) a)->name,
						   ((const AtEvidenceStamp *) b)->name);
}

static AtText
copy_of(AtText text)
{
	char *bytes = palloc(Max(text.len, 1));

	memcpy(bytes, text.data, text.len);
	return (AtText){bytes, text.len};
}

/* The note, if the key signed it and the log has its root. */
static bool
take(AtExhibit *exhibit, AtText note)
{
	AtLogTree *tree = at_log_tree_open(exhibit->snapshot);
	AtTrust trust = {.log_key = &exhibit->key};
	AtHash root;
	bool good = at_checkpoint_open(&exhibit->checkpoint, note, &trust) == AT_OK &&
				at_log_tree_root(tree, exhibit->checkpoint.size, &root) &&
				memcmp(&root, &exhibit->checkpoint.root, sizeof(root)) == 0;

	at_log_tree_close(tree);
	exhibit->note = note;
	return good;
}

/* All keys that the log has, the last of which signs; returns the size from which on the last of
 * them signs. */
static uint64
read_keys(AtExhibit *exhibit, uint64 size)
{
	char *sql = psprintf("SELECT pg_catalog.json_extract_path_text(payload, 'vkey'), log_index "
						 "FROM audit.log_entry WHERE kind = '" AT_KIND_KEY
						 "' AND log_index < " UINT64_FORMAT " ORDER BY log_index",
						 size);
	AtOwnerState state;
	uint64 from = 0;

	initStringInfo(&exhibit->keys);
	at_owner_enter(&state);
	SPI_connect();
	PushActiveSnapshot(exhibit->snapshot);
	if (SPI_execute(sql, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the keys of the log");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		char *vkey = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1);
		char *log_index = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2);

		if (vkey == NULL || at_key_read_public(&exhibit->key, at_text(vkey)) != AT_OK)
			at_exhibit_broken("A key in the log is none.");
		appendStringInfo(&exhibit->keys, "%s\n", vkey);
		from = strtou64(log_index, NULL, 10) + 1;
	}
	PopActiveSnapshot();
	SPI_finish();
	at_owner_leave(&state);
	return from;
}
