/*-------------------------------------------------------------------------
 * verify_receipt.c
 *		Are the receipts of anchored checkpoints whole, and is the log still the
 *		one that was anchored?
 *
 * A receipt has the signed checkpoint that it is for. If that is sound and
 * the log does not have its root at its size, it is the log that was changed:
 * the checkpoint has left this machine, and can be compared there. If it is
 * not sound, the receipt was changed.
 *
 * Receipts are numbered without a gap. What they say is under no hash of the
 * log, but they are made by others, who hold what they have given.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "core/checkpoint.h"
#include "core/note.h"
#include "ledger/anchor_receipt.h"
#include "ledger/log_tree.h"
#include "ledger/scan.h"
#include "seal/verify.h"

/* Findings for missing receipts one by one. */
#define MAX_MISSING 100

typedef struct ReceiptCheck
{
	AtVerify *verify;
	AtLogTree *tree;
	int64 next; /* number of the next receipt */
	int missing;
	uint64 seen;
	uint64 contradicted; /* size of the log that a finding has named; 0: none */
} ReceiptCheck;

static void check_number(ReceiptCheck *check, int64 number);
static void check_receipt(ReceiptCheck *check, const AtAnchorReceipt *row);
static const char *question_row(const AtAnchorReceipt *row, const AtCheckpoint *checkpoint);
static bool is_signed(const ReceiptCheck *check, const AtNote *note);
static void compare_root(ReceiptCheck *check, const AtAnchorReceipt *row,
						 const AtCheckpoint *checkpoint);
static void report(const ReceiptCheck *check, AtFault fault, int64 number, const char *detail);

void
at_verify_see_key(AtVerify *verify, const AtEntryRow *entry)
{
	AtPublicKey key;
	Size size = sizeof(AtPublicKey) * (verify->nkeys + 1);

	if (!at_entry_key(entry, &key))
		return;
	verify->key =
		verify->key ? repalloc(verify->key, size) : MemoryContextAlloc(verify->context, size);
	verify->key[verify->nkeys++] = key;
}

void
at_verify_receipts(AtVerify *verify)
{
	AtAnchorReceiptReader *reader = at_anchor_receipt_reader_open(verify->snapshot);
	ReceiptCheck check = {.verify = verify, .tree = at_log_tree_open(verify->snapshot), .next = 1};
	const AtAnchorReceipt *row;
	uint64 stored;

	while ((row = at_anchor_receipt_reader_next(reader)) != NULL)
	{
		check.seen++;
		check_number(&check, row->receipt_id);
		check_receipt(&check, row);
	}
	at_anchor_receipt_reader_close(reader);
	at_log_tree_close(check.tree);

	stored = at_scan_heap(AT_LEDGER_ANCHOR_RECEIPT, verify->snapshot, NULL, NULL);
	if (stored > check.seen)
		report(&check, AT_FAULT_ADDED, 0,
			   psprintf(UINT64_FORMAT " rows are not in the index", stored - check.seen));
}

static void
check_number(ReceiptCheck *check, int64 number)
{
	if (number < check->next)
	{
		report(check, AT_FAULT_DUPLICATED, number, NULL);
		return;
	}
	for (; check->next < number && check->missing < MAX_MISSING; check->next++, check->missing++)
		report(check, AT_FAULT_MISSING, check->next, NULL);
	check->next = number + 1;
}

static void
check_receipt(ReceiptCheck *check, const AtAnchorReceipt *row)
{
	AtNote note;
	AtCheckpoint checkpoint;
	const char *problem = NULL;

	if (at_note_read(&note, row->checkpoint) != AT_OK ||
		at_checkpoint_read(&checkpoint, note.text) != AT_OK)
		problem = "it has no checkpoint";
	else if (!is_signed(check, &note))
		problem = "its checkpoint is not signed by a key of the log";
	else
		problem = question_row(row, &checkpoint);
	if (problem != NULL)
		report(check, AT_FAULT_CHANGED, row->receipt_id, problem);
	else
		compare_root(check, row, &checkpoint);
}

/* Does the row contradict itself? NULL if not. */
static const char *
question_row(const AtAnchorReceipt *row, const AtCheckpoint *checkpoint)
{
	AtText rest = row->receipt.bytes;
	AtReceipt again;

	if (row->is_odd)
		return "a column is null, or its kind is none";
	if (checkpoint->size != row->size)
		return "its size is not that of its checkpoint";
	if (at_receipt_next(&rest, row->checkpoint, &again) != AT_OK || rest.len > 0 ||
		again.kind != row->receipt.kind)
		return "what was received is not of its kind, or not for its checkpoint";
	return NULL;
}

static bool
is_signed(const ReceiptCheck *check, const AtNote *note)
{
	for (int i = 0; i < check->verify->nkeys; i++)
		if (at_note_verify(note, &check->verify->key[i]) == AT_OK)
			return true;
	return false;
}

/* One finding is enough: later receipts say the same of the same change. */
static void
compare_root(ReceiptCheck *check, const AtAnchorReceipt *row, const AtCheckpoint *checkpoint)
{
	bool is_short = checkpoint->size > check->verify->log_size;
	AtHash root;
	bool has_root = !is_short && at_log_tree_root(check->tree, checkpoint->size, &root);

	/* a root that cannot be had has been reported */
	if (check->contradicted != 0 || (!is_short && !has_root) ||
		(has_root && memcmp(&root, &checkpoint->root, sizeof(root)) == 0))
		return;
	check->contradicted = checkpoint->size;
	at_findings_add(
		check->verify->findings,
		&(AtFinding){.thing = AT_THING_LOG,
					 .fault = is_short ? AT_FAULT_SHORTENED : AT_FAULT_REWRITTEN,
					 .object = psprintf(UINT64_FORMAT, (uint64) checkpoint->size),
					 .place = psprintf("log of size " UINT64_FORMAT, check->verify->log_size),
					 .expected = at_hash_text(&checkpoint->root),
					 .found = has_root ? at_hash_text(&root) : NULL,
					 .detail = psprintf("receipt " INT64_FORMAT
										", of %s, is for another checkpoint of size " UINT64_FORMAT,
										row->receipt_id, timestamptz_to_str(row->received_at),
										(uint64) checkpoint->size)});
}

static void
report(const ReceiptCheck *check, AtFault fault, int64 number, const char *detail)
{
	at_findings_add(check->verify->findings,
					&(AtFinding){.thing = AT_THING_RECEIPT,
								 .fault = fault,
								 .object = number == 0 ? NULL : psprintf(INT64_FORMAT, number),
								 .place = number == 0 ? "audit.anchor_receipt"
													  : psprintf("receipt " INT64_FORMAT, number),
								 .detail = detail});
}
