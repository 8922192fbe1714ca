/*-------------------------------------------------------------------------
 * anchor_receipt.h
 *		Receipts for signed checkpoints: rows of audit.anchor_receipt.
 *
 * The anchorer of the database writes them, nobody else. After a crash
 * between a receipt and its row the same checkpoint is anchored again, so
 * there may be several receipts of one witness for one size.
 *-------------------------------------------------------------------------
 */
#ifndef AT_ANCHOR_RECEIPT_H
#define AT_ANCHOR_RECEIPT_H

#include "datatype/timestamp.h"
#include "utils/snapshot.h"

#include "core/receipt.h"

typedef struct AtAnchorReceipt
{
	/* the checkpoint */
	uint64 size;
	AtText checkpoint; /* the note that was anchored */

	/* who asked for it, and when */
	int32 incarnation;
	int32 attempt;
	TimestampTz requested_at;
	TimestampTz received_at;
	const char *command;

	/* what came */
	AtReceipt receipt;

	/* set by readers */
	int64 receipt_id;
	bool is_odd; /* a column is null, or kind is none; what is missing is empty */
} AtAnchorReceipt;

/*
 * Append receipts, numbered on. Takes the lock of passes, then looks at the
 * table with a snapshot of its own.
 */
extern void at_anchor_receipts_append(const AtAnchorReceipt *receipts, int count);

typedef struct AtAnchorReceiptReader AtAnchorReceiptReader;

/* Readers are as those of log_read.h: all rows, those of one size, or from a size on, by size. */
extern AtAnchorReceiptReader *at_anchor_receipt_reader_open(Snapshot snapshot);
extern AtAnchorReceiptReader *at_anchor_receipt_reader_open_from(Snapshot snapshot, uint64 size);
extern AtAnchorReceiptReader *at_anchor_receipt_reader_open_size(Snapshot snapshot, uint64 size);
extern const AtAnchorReceipt *at_anchor_receipt_reader_next(AtAnchorReceiptReader *reader);
extern void at_anchor_receipt_reader_close(AtAnchorReceiptReader *reader);

/* The newest one, in the current context; false if there is none. */
extern bool at_anchor_receipt_last(Snapshot snapshot, AtAnchorReceipt *receipt);

/*
 * The note of a checkpoint of this size with the cosignatures that receipts
 * have for exactly this note, in the current context; at most as many as a
 * note may have.
 */
extern AtText at_cosigned(AtText note, uint64 size, Snapshot snapshot);

#endif
