/*-------------------------------------------------------------------------
 * anchor_receipt.c
 *		Receipts for signed checkpoints: rows of audit.anchor_receipt.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/columns.h"
#include "core/note.h"
#include "ledger/anchor_receipt.h"
#include "ledger/append.h"
#include "ledger/datum.h"
#include "ledger/scan.h"

#define COSIGNATURES_MAX (AT_NOTE_MAX_SIGNATURES * AT_SIGNATURE_LINE_MAX)

struct AtAnchorReceiptReader
{
	AtScan *scan;
	MemoryContext row_context;
	AtAnchorReceipt row;
};

static AtAnchorReceiptReader *open_reader(AtScanBy by, Snapshot snapshot, int64 low, int64 high);
static int64 last_id(void);
static void decode(AtAnchorReceipt *row, TupleTableSlot *slot);
static AtText get_bytes(AtAnchorReceipt *row, TupleTableSlot *slot, int column);
static bool find_kind(AtText name, AtReceiptKind *kind);

void
at_anchor_receipts_append(const AtAnchorReceipt *receipts, int count)
{
	static const AtLedgerTable table = AT_LEDGER_ANCHOR_RECEIPT;
	int64 id;

	at_ledger_lock_passes(AT_LEDGER_ANCHOR_RECEIPT);
	at_ledger_lock_to_write(&table, 1);
	id = last_id();
	for (int i = 0; i < count; i++)
	{
		const AtAnchorReceipt *row = &receipts[i];
		Datum values[Natts_anchor_receipt];
		bool nulls[Natts_anchor_receipt] = {false};

		values[Anum_anchor_receipt_receipt_id - 1] = Int64GetDatum(++id);
		values[Anum_anchor_receipt_size - 1] = Int64GetDatum(row->size);
		values[Anum_anchor_receipt_incarnation - 1] = Int32GetDatum(row->incarnation);
		values[Anum_anchor_receipt_requested_at - 1] = TimestampTzGetDatum(row->requested_at);
		values[Anum_anchor_receipt_received_at - 1] = TimestampTzGetDatum(row->received_at);
		values[Anum_anchor_receipt_attempt - 1] = Int32GetDatum(row->attempt);
		at_set_text(values, nulls, Anum_anchor_receipt_kind, at_receipt_name(row->receipt.kind));
		at_set_text(values, nulls, Anum_anchor_receipt_command, row->command);
		values[Anum_anchor_receipt_checkpoint - 1] =
			at_bytea_datum(row->checkpoint.data, row->checkpoint.len);
		values[Anum_anchor_receipt_receipt - 1] =
			at_bytea_datum(row->receipt.bytes.data, row->receipt.bytes.len);
		at_append(AT_LEDGER_ANCHOR_RECEIPT, values, nulls);
	}
}

/* After the lock, so with a snapshot that comes after it too. */
static int64
last_id(void)
{
	Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
	AtScan *scan = at_scan_open(AT_SCAN_ANCHOR_RECEIPT_BY_ID, snapshot);
	int64 id = at_scan_last(scan) ? scan->key : 0;

	at_scan_close(scan);
	UnregisterSnapshot(snapshot);
	return id;
}

AtAnchorReceiptReader *
at_anchor_receipt_reader_open(Snapshot snapshot)
{
	return open_reader(AT_SCAN_ANCHOR_RECEIPT_BY_ID, snapshot, PG_INT64_MIN, PG_INT64_MAX);
}

AtAnchorReceiptReader *
at_anchor_receipt_reader_open_from(Snapshot snapshot, uint64 size)
{
	return open_reader(AT_SCAN_ANCHOR_RECEIPT_BY_SIZE, snapshot, size, PG_INT64_MAX);
}

AtAnchorReceiptReader *
at_anchor_receipt_reader_open_size(Snapshot snapshot, uint64 size)
{
	return open_reader(AT_SCAN_ANCHOR_RECEIPT_BY_SIZE, snapshot, size, size);
}

static AtAnchorReceiptReader *
open_reader(AtScanBy by, Snapshot snapshot, int64 low, int64 high)
{
	AtAnchorReceiptReader *reader = palloc0(sizeof(AtAnchorReceiptReader));

	reader->scan = at_scan_open(by, snapshot);
	reader->row_context =
		AllocSetContextCreate(CurrentMemoryContext, "audit receipt", ALLOCSET_DEFAULT_SIZES);
	at_scan_start(reader->scan, low, high);
	return reader;
}

const AtAnchorReceipt *
at_anchor_receipt_reader_next(AtAnchorReceiptReader *reader)
{
	MemoryContext save;

	if (!at_scan_next(reader->scan))
		return NULL;
	MemoryContextReset(reader->row_context);
	save = MemoryContextSwitchTo(reader->row_context);
	decode(&reader->row, reader->scan->slot);
	MemoryContextSwitchTo(save);
	return &reader->row;
}

void
at_anchor_receipt_reader_close(AtAnchorReceiptReader *reader)
{
	at_scan_close(reader->scan);
	MemoryContextDelete(reader->row_context);
	pfree(reader);
}

bool
at_anchor_receipt_last(Snapshot snapshot, AtAnchorReceipt *receipt)
{
	AtScan *scan = at_scan_open(AT_SCAN_ANCHOR_RECEIPT_BY_ID, snapshot);
	bool found = at_scan_last(scan);

	if (found)
		decode(receipt, scan->slot);
	at_scan_close(scan);
	return found;
}

/* In the current context. */
static void
decode(AtAnchorReceipt *row, TupleTableSlot *slot)
{
	AtText kind;
	AtText command;

	slot_getallattrs(slot);
	memset(row, 0, sizeof(*row));
	for (int i = 0; i < Natts_anchor_receipt; i++)
		row->is_odd |= slot->tts_isnull[i];
	row->receipt_id = DatumGetInt64(slot->tts_values[Anum_anchor_receipt_receipt_id - 1]);
	row->size = DatumGetInt64(slot->tts_values[Anum_anchor_receipt_size - 1]);
	row->incarnation = DatumGetInt32(slot->tts_values[Anum_anchor_receipt_incarnation - 1]);
	row->attempt = DatumGetInt32(slot->tts_values[Anum_anchor_receipt_attempt - 1]);
	row->requested_at = DatumGetTimestampTz(slot->tts_values[Anum_anchor_receipt_requested_at - 1]);
	row->received_at = DatumGetTimestampTz(slot->tts_values[Anum_anchor_receipt_received_at - 1]);
	row->checkpoint = get_bytes(row, slot, Anum_anchor_receipt_checkpoint);
	row->receipt.bytes = get_bytes(row, slot, Anum_anchor_receipt_receipt);
	command = get_bytes(row, slot, Anum_anchor_receipt_command);
	row->command = pnstrdup(command.data, command.len);
	kind = get_bytes(row, slot, Anum_anchor_receipt_kind);
	row->is_odd |= !find_kind(kind, &row->receipt.kind);
}

static AtText
get_bytes(AtAnchorReceipt *row, TupleTableSlot *slot, int column)
{
	struct varlena *value;

	if (slot->tts_isnull[column - 1])
		return (AtText){"", 0};
	value = PG_DETOAST_DATUM_COPY(slot->tts_values[column - 1]);
	return (AtText){VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)};
}

static bool
find_kind(AtText name, AtReceiptKind *kind)
{
	for (*kind = AT_RECEIPT_COSIGNATURE; *kind <= AT_RECEIPT_OTHER; (*kind)++)
		if (at_text_equal(name, at_text(at_receipt_name(*kind))))
			return true;
	*kind = AT_RECEIPT_OTHER;
	return false;
}

AtText
at_cosigned(AtText note, uint64 size, Snapshot snapshot)
{
	AtAnchorReceiptReader *reader = at_anchor_receipt_reader_open_size(snapshot, size);
	const AtAnchorReceipt *row;
	AtWriter writer;

	writer = at_writer(palloc(note.len + COSIGNATURES_MAX), note.len + COSIGNATURES_MAX);
	at_write(&writer, note);
	while ((row = at_anchor_receipt_reader_next(reader)) != NULL)
	{
		if (row->receipt.kind == AT_RECEIPT_COSIGNATURE && at_text_equal(row->checkpoint, note) &&
			at_receipt_cosign(&writer, row->receipt.bytes) != AT_OK)
			break;
	}
	at_anchor_receipt_reader_close(reader);
	return (AtText){writer.data, writer.len};
}
