/*-------------------------------------------------------------------------
 * log_read.c
 *		Reading the one global log back.
 *
 * Nothing that is read here is believed: rows may have been changed in the
 * files. What cannot be so is marked as odd, never an error, apart from the
 * head that somebody wants to go on from.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "base/columns.h"
#include "base/compat.h"
#include "base/errors.h"
#include "ledger/append.h"
#include "ledger/datum.h"
#include "ledger/log_read.h"
#include "ledger/log_tiles.h"
#include "ledger/scan.h"

struct AtEntryReader
{
	AtScan *scan;
	MemoryContext row_context;
	AtEntryRow row;
};

struct AtCheckpointReader
{
	AtScan *scan;
	MemoryContext row_context;
	AtCheckpointRow row;
};

struct AtTileReader
{
	AtScan *scan;
	MemoryContext row_context;
	AtTileRow row;
};

typedef struct IncarnationList
{
	MemoryContext context;
	AtIncarnation *item;
	int count;
} IncarnationList;

static const AtEntryRow *decode_entry(AtEntryReader *reader);
static const AtCheckpointRow *decode_checkpoint(AtCheckpointReader *reader);
static AtHash root_of_tile(const AtTile *tile);
static AtSpan get_span(TupleTableSlot *slot, int column);
static bool get_hash(TupleTableSlot *slot, int column, AtHash *hash);
static int64 get_time(TupleTableSlot *slot, int column);
static void add_incarnation(TupleTableSlot *slot, void *arg);
static int compare_incarnations(const void *a, const void *b);

#define INT64_COLUMN(slot, column) DatumGetInt64((slot)->tts_values[(column) -1])
#define INT32_COLUMN(slot, column) DatumGetInt32((slot)->tts_values[(column) -1])

AtEntryReader *
at_entry_reader_open(Snapshot snapshot)
{
	AtEntryReader *reader = palloc0(sizeof(AtEntryReader));

	reader->scan = at_scan_open(AT_SCAN_LOG_ENTRY_BY_LOG_INDEX, snapshot);
	reader->row_context =
		AllocSetContextCreate(CurrentMemoryContext, "audit log entry", ALLOCSET_DEFAULT_SIZES);
	return reader;
}

void
at_entry_reader_start(AtEntryReader *reader, uint64 first, uint64 last)
{
	at_scan_start(reader->scan, first, last);
}

const AtEntryRow *
at_entry_reader_next(AtEntryReader *reader)
{
	return at_scan_next(reader->scan) ? decode_entry(reader) : NULL;
}

const AtEntryRow *
at_entry_reader_last(AtEntryReader *reader)
{
	return at_scan_last(reader->scan) ? decode_entry(reader) : NULL;
}

static const AtEntryRow *
decode_entry(AtEntryReader *reader)
{
	AtEntryRow *row = &reader->row;
	TupleTableSlot *slot = reader->scan->slot;

	MemoryContextReset(reader->row_context);
	MemoryContext save = MemoryContextSwitchTo(reader->row_context);

	slot_getallattrs(slot);
	row->body = (AtEntryBody){
		.log_id = at_log_id(),
		.log_index = INT64_COLUMN(slot, Anum_log_entry_log_index),
		.sealed_at = get_time(slot, Anum_log_entry_sealed_at),
		.incarnation = INT32_COLUMN(slot, Anum_log_entry_incarnation),
		.kind = get_span(slot, Anum_log_entry_kind),
		.leaf_count = INT64_COLUMN(slot, Anum_log_entry_leaf_count),
		.tx_count = INT64_COLUMN(slot, Anum_log_entry_tx_count),
		.event_count = INT64_COLUMN(slot, Anum_log_entry_event_count),
		.first_tx_at = get_time(slot, Anum_log_entry_first_tx_at),
		.last_tx_at = get_time(slot, Anum_log_entry_last_tx_at),
		.snapshot = get_span(slot, Anum_log_entry_snapshot),
		.payload = get_span(slot, Anum_log_entry_payload),
	};
	row->is_odd = !get_hash(slot, Anum_log_entry_previous, &row->body.previous);
	row->is_odd |= !get_hash(slot, Anum_log_entry_root, &row->body.root);
	row->place = reader->scan->place;

	size_t size = at_entry_body_size(&row->body);
	uint8 *bytes = palloc_extended(size, MCXT_ALLOC_HUGE);

	at_entry_body_write(&row->body, bytes);
	if (!at_hash(bytes, size, &row->hash) || !at_hash_leaf(bytes, size, &row->leaf))
		at_hash_failed();
	MemoryContextSwitchTo(save);
	return row;
}

void
at_entry_reader_close(AtEntryReader *reader)
{
	at_scan_close(reader->scan);
	MemoryContextDelete(reader->row_context);
	pfree(reader);
}

bool
at_entry_is(const AtEntryBody *entry, const char *kind)
{
	return entry->kind.data != NULL && entry->kind.len == strlen(kind) &&
		   memcmp(entry->kind.data, kind, entry->kind.len) == 0;
}

bool
at_entry_has_window(const AtEntryBody *entry)
{
	return at_entry_is(entry, AT_KIND_EVENTS) || at_entry_is(entry, AT_KIND_BOOT) ||
		   at_entry_is(entry, AT_KIND_INCARNATION);
}

AtCheckpointReader *
at_checkpoint_reader_open(Snapshot snapshot)
{
	AtCheckpointReader *reader = palloc0(sizeof(AtCheckpointReader));

	reader->scan = at_scan_open(AT_SCAN_CHECKPOINT_BY_SIZE, snapshot);
	reader->row_context =
		AllocSetContextCreate(CurrentMemoryContext, "audit checkpoint", ALLOCSET_SMALL_SIZES);
	return reader;
}

void
at_checkpoint_reader_start(AtCheckpointReader *reader, uint64 first, uint64 last)
{
	at_scan_start(reader->scan, first, last);
}

const AtCheckpointRow *
at_checkpoint_reader_next(AtCheckpointReader *reader)
{
	return at_scan_next(reader->scan) ? decode_checkpoint(reader) : NULL;
}

const AtCheckpointRow *
at_checkpoint_reader_last(AtCheckpointReader *reader)
{
	return at_scan_last(reader->scan) ? decode_checkpoint(reader) : NULL;
}

static const AtCheckpointRow *
decode_checkpoint(AtCheckpointReader *reader)
{
	AtCheckpointRow *row = &reader->row;
	TupleTableSlot *slot = reader->scan->slot;
	AtHash root;

	MemoryContextReset(reader->row_context);
	MemoryContext save = MemoryContextSwitchTo(reader->row_context);

	slot_getallattrs(slot);

	AtSpan frontier = get_span(slot, Anum_checkpoint_frontier);
	AtHash peaks[AT_MERKLE_MAX_PEAKS];
	int count = Min(frontier.len / AT_HASH_LEN, AT_MERKLE_MAX_PEAKS);

	if (frontier.data != NULL)
		memcpy(peaks, frontier.data, count * AT_HASH_LEN);
	row->place = reader->scan->place;
	row->size = INT64_COLUMN(slot, Anum_checkpoint_size);
	row->made_at = get_time(slot, Anum_checkpoint_made_at);
	row->is_sound = get_hash(slot, Anum_checkpoint_root, &row->root) && row->size == row->place &&
					frontier.len == count * AT_HASH_LEN &&
					at_merkle_load(&row->tree, row->size, peaks, count);
	if (row->is_sound)
	{
		if (!at_merkle_root(&row->tree, &root))
			at_hash_failed();
		row->is_sound = memcmp(&root, &row->root, sizeof(root)) == 0;
	}
	MemoryContextSwitchTo(save);
	return row;
}

void
at_checkpoint_reader_close(AtCheckpointReader *reader)
{
	at_scan_close(reader->scan);
	MemoryContextDelete(reader->row_context);
	pfree(reader);
}

AtTileReader *
at_tile_reader_open(Snapshot snapshot)
{
	AtTileReader *reader = palloc0(sizeof(AtTileReader));

	reader->scan = at_scan_open(AT_SCAN_LEAF_TILE_BY_LOG_INDEX, snapshot);
	reader->row_context =
		AllocSetContextCreate(CurrentMemoryContext, "audit tile", ALLOCSET_DEFAULT_SIZES);
	return reader;
}

void
at_tile_reader_start(AtTileReader *reader, uint64 first, uint64 last)
{
	at_scan_start(reader->scan, first, last);
}

bool
at_tile_reader_last(AtTileReader *reader, uint64 *log_index)
{
	bool found = at_scan_last(reader->scan);

	if (found)
		*log_index = reader->scan->key;
	return found;
}

const AtTileRow *
at_tile_reader_next(AtTileReader *reader)
{
	AtTileRow *row = &reader->row;
	TupleTableSlot *slot;

	if (!at_scan_next(reader->scan))
		return NULL;
	MemoryContextReset(reader->row_context);

	MemoryContext save = MemoryContextSwitchTo(reader->row_context);

	slot = reader->scan->slot;
	slot_getallattrs(slot);

	AtSpan hashes = get_span(slot, Anum_leaf_tile_hashes);
	AtSpan owners = get_span(slot, Anum_leaf_tile_owners);

	row->log_index = reader->scan->key;
	row->place = reader->scan->place;
	row->is_odd = INT64_COLUMN(slot, Anum_leaf_tile_log_index) != row->log_index ||
				  INT32_COLUMN(slot, Anum_leaf_tile_tile) != row->place ||
				  !at_tile_read(&row->tile, hashes.data, hashes.len, owners.data, owners.len);
	if (row->is_odd)
		at_tile_init(&row->tile);
	get_hash(slot, Anum_leaf_tile_root, &row->root);
	MemoryContextSwitchTo(save);
	return row;
}

bool
at_tile_row_root_fits(const AtTileRow *row)
{
	AtHash root = root_of_tile(&row->tile);

	return memcmp(&root, &row->root, sizeof(root)) == 0;
}

static AtHash
root_of_tile(const AtTile *tile)
{
	AtMerkle tree;
	AtHash root;

	at_merkle_init(&tree);
	for (int i = 0; i < tile->leaf_count; i++)
		if (!at_merkle_add(&tree, &tile->leaf[i]))
			at_hash_failed();
	if (!at_merkle_root(&tree, &root))
		at_hash_failed();
	return root;
}

bool
at_tile_reader_roots(AtTileReader *reader, uint64 log_index, uint32 first, int count, AtHash *roots)
{
	at_scan_start_within(reader->scan, log_index, first);
	for (int i = 0; i < count; i++)
	{
		if (!at_scan_next(reader->scan) || reader->scan->place != first + i)
			return false;
		slot_getsomeattrs(reader->scan->slot, Anum_leaf_tile_root);
		if (!get_hash(reader->scan->slot, Anum_leaf_tile_root, &roots[i]))
			return false;
	}
	return true;
}

const AtTileRow *
at_tile_reader_find(AtTileReader *reader, uint64 log_index, uint32 number)
{
	const AtTileRow *row;

	at_scan_start_within(reader->scan, log_index, number);
	row = at_tile_reader_next(reader);
	return row != NULL && row->place == number ? row : NULL;
}

void
at_tile_reader_close(AtTileReader *reader)
{
	at_scan_close(reader->scan);
	MemoryContextDelete(reader->row_context);
	pfree(reader);
}

void
at_tile_append(uint64 log_index, uint32 number, const AtTile *tile)
{
	Datum values[Natts_leaf_tile];
	bool nulls[Natts_leaf_tile] = {false};
	uint8 owners[AT_TILE_LEAVES * AT_RUN_LEN];
	AtHash root;

	at_tile_write_owners(tile, owners);
	values[Anum_leaf_tile_log_index - 1] = Int64GetDatum(log_index);
	values[Anum_leaf_tile_tile - 1] = Int32GetDatum(number);
	values[Anum_leaf_tile_hashes - 1] =
		at_bytea_datum(tile->leaf, tile->leaf_count * sizeof(AtHash));
	values[Anum_leaf_tile_owners - 1] = at_bytea_datum(owners, tile->run_count * AT_RUN_LEN);
	root = root_of_tile(tile);
	values[Anum_leaf_tile_root - 1] = at_bytea_datum(&root, sizeof(root));
	at_append(AT_LEDGER_LEAF_TILE, values, nulls);
}

AtIncarnation *
at_incarnations_read(Snapshot snapshot, int *count)
{
	IncarnationList list = {.context = CurrentMemoryContext};

	at_scan_heap(AT_LEDGER_INCARNATION, snapshot, add_incarnation, &list);
	if (list.count > 1)
		qsort(list.item, list.count, sizeof(AtIncarnation), compare_incarnations);
	*count = list.count;
	return list.item;
}

static void
add_incarnation(TupleTableSlot *slot, void *arg)
{
	IncarnationList *list = arg;
	Size size = sizeof(AtIncarnation) * (list->count + 1);

	list->item = list->item ? repalloc(list->item, size) : MemoryContextAlloc(list->context, size);
	slot_getallattrs(slot);

	AtIncarnation *item = &list->item[list->count++];

	item->incarnation = INT32_COLUMN(slot, Anum_incarnation_incarnation);
	item->system_identifier = INT64_COLUMN(slot, Anum_incarnation_system_identifier);
	item->database_oid = DatumGetObjectId(slot->tts_values[Anum_incarnation_database_oid - 1]);

	item->is_odd = slot->tts_isnull[Anum_incarnation_log_id - 1];
	memset(item->log_id, 0, AT_LOG_ID_LEN);
	if (!item->is_odd)
		memcpy(item->log_id, DatumGetUUIDP(slot->tts_values[Anum_incarnation_log_id - 1])->data,
			   AT_LOG_ID_LEN);

	AtSpan reason = get_span(slot, Anum_incarnation_reason);

	item->reason = MemoryContextAllocZero(list->context, reason.len + 1);
	if (reason.data != NULL)
		memcpy(item->reason, reason.data, reason.len);
}

static int
compare_incarnations(const void *a, const void *b)
{
	int32 left = ((const AtIncarnation *) a)->incarnation;
	int32 right = ((const AtIncarnation *) b)->incarnation;

	return left < right ? -1 : left > right;
}

bool
at_incarnation_read_last(Snapshot snapshot, AtIncarnation *last)
{
	int count;
	AtIncarnation *all = at_incarnations_read(snapshot, &count);

	if (count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_AT_INTEGRITY), errmsg("the audit ledger has no incarnation"),
				 errdetail("Table \"audit.incarnation\" is empty."),
				 errhint("SELECT * FROM audit.verify();")));
	*last = all[count - 1];
	return last->system_identifier == GetSystemIdentifier() && last->database_oid == MyDatabaseId;
}

/* Of the transaction that the scan stands on. */
static void
get_origin(AtScan *scan, uint64 *system_identifier, Oid *database_oid)
{
	slot_getallattrs(scan->slot);
	*system_identifier = INT64_COLUMN(scan->slot, Anum_transaction_system_identifier);
	*database_oid = DatumGetObjectId(scan->slot->tts_values[Anum_transaction_database_oid - 1]);
}

int32
at_incarnation_here(void)
{
	bool begun = at_incarnation_begun();
	int32 here = at_incarnation_listed();
	uint64 system_identifier;
	Oid database_oid;

	if (begun)
		return here;

	Snapshot snapshot = at_snapshot_of_now();
	AtScan *scan = at_scan_open(AT_SCAN_TRANSACTION_BY_TX_ID, snapshot);

	if (at_scan_last(scan) && at_tx_id_incarnation(scan->key) >= here)
	{
		get_origin(scan, &system_identifier, &database_oid);
		here = at_tx_id_incarnation(scan->key);
		if (system_identifier != GetSystemIdentifier() || database_oid != MyDatabaseId)
			here++;
	}
	at_scan_close(scan);
	UnregisterSnapshot(snapshot);
	return here;
}

bool
at_incarnation_origin(Snapshot snapshot, int32 incarnation, uint64 *system_identifier,
					  Oid *database_oid)
{
	AtScan *scan = at_scan_open(AT_SCAN_TRANSACTION_BY_TX_ID, snapshot);
	bool found;

	at_scan_start(scan, at_tx_id_base(incarnation), at_tx_id_base(incarnation + 1) - 1);
	found = at_scan_next(scan);
	if (found)
		get_origin(scan, system_identifier, database_oid);
	at_scan_close(scan);
	return found;
}

/* Nearly always the last entry tells. */
AtSettled *
at_log_window_end(Snapshot snapshot, int32 incarnation)
{
	AtEntryReader *reader = at_entry_reader_open(snapshot);
	const AtEntryRow *row = at_entry_reader_last(reader);
	AtSettled *settled = NULL;

	for (uint64 next = row ? row->place : 0; row != NULL || next > 0;)
	{
		if (row != NULL && row->body.incarnation == incarnation && at_entry_has_window(&row->body))
			break;
		if (next == 0)
			break;
		next--;
		at_entry_reader_start(reader, next, next);
		row = at_entry_reader_next(reader);
	}
	if (row != NULL)
	{
		settled = palloc(sizeof(AtSettled));
		if (!at_settled_parse(row->body.snapshot, settled))
			ereport(ERROR,
					(errcode(ERRCODE_AT_INTEGRITY),
					 errmsg("entry " UINT64_FORMAT " of the audit log has no usable snapshot",
							row->place),
					 errhint("SELECT * FROM audit.verify();")));
	}
	at_entry_reader_close(reader);
	return settled;
}

/* The log cannot be continued. */
pg_noreturn static void
refuse_head(const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_AT_INTEGRITY), errmsg("the audit log does not end in what was sealed"),
			 errdetail("%s", detail), errhint("SELECT * FROM audit.verify();")));
}

/* Tiles of an entry that is not there would be in the way of the next one. */
static void
check_no_tiles(Snapshot snapshot, uint64 log_size)
{
	AtTileReader *tiles = at_tile_reader_open(snapshot);
	uint64 last;

	if (at_tile_reader_last(tiles, &last) && last >= log_size)
		refuse_head(
			psprintf("There are tiles of entry " UINT64_FORMAT ", which is not there.", last));
	at_tile_reader_close(tiles);

	AtLogTileReader *log_tiles = at_log_tile_reader_open(snapshot);

	if (at_log_tile_reader_reaches(log_tiles, at_log_tiles_stored(log_size, 0)))
		refuse_head("There are tiles of the log's tree over entries that are not there.");
	at_log_tile_reader_close(log_tiles);
}

/* Does the entry lead from the checkpoint before it to the last one? */
static bool
leads_to(AtCheckpointReader *checkpoints, const AtEntryRow *entry, const AtHash *root)
{
	AtMerkle tree;
	AtHash computed;

	at_merkle_init(&tree);
	if (entry->place > 0)
	{
		at_checkpoint_reader_start(checkpoints, entry->place, entry->place);

		const AtCheckpointRow *before = at_checkpoint_reader_next(checkpoints);

		if (before == NULL || !before->is_sound)
			return false;
		tree = before->tree;
	}
	if (!at_merkle_add(&tree, &entry->leaf) || !at_merkle_root(&tree, &computed))
		at_hash_failed();
	return memcmp(&computed, root, sizeof(computed)) == 0;
}

void
at_log_head_read(Snapshot snapshot, AtLogHead *head)
{
	AtEntryReader *entries = at_entry_reader_open(snapshot);
	AtCheckpointReader *checkpoints = at_checkpoint_reader_open(snapshot);
	const AtEntryRow *entry = at_entry_reader_last(entries);
	const AtCheckpointRow *last = at_checkpoint_reader_last(checkpoints);
	AtHash root;

	if (entry == NULL || last == NULL)
		refuse_head(entry ? "There is no checkpoint." : "There is no entry.");
	if (!last->is_sound)
		refuse_head(psprintf("Checkpoint " UINT64_FORMAT " was changed.", last->place));
	if (last->size != entry->place + 1)
		refuse_head(psprintf("The last entry is " UINT64_FORMAT
							 ", and the last checkpoint has size " UINT64_FORMAT ".",
							 entry->place, last->size));

	head->tree = last->tree;
	head->previous = entry->hash;
	root = last->root;
	if (entry->is_odd || !leads_to(checkpoints, entry, &root))
		refuse_head(psprintf("Entry " UINT64_FORMAT " does not lead to the root of its checkpoint.",
							 entry->place));
	check_no_tiles(snapshot, head->tree.size);
	at_entry_reader_close(entries);
	at_checkpoint_reader_close(checkpoints);
}

/* A varlena column as it was stored; missing where it is null. */
static AtSpan
get_span(TupleTableSlot *slot, int column)
{
	if (slot->tts_isnull[column - 1])
		return (AtSpan){NULL, 0};
	return at_span_of_varlena(PG_DETOAST_DATUM_PACKED(slot->tts_values[column - 1]));
}

/* A bytea of 32 bytes; false, and zeros, if it is anything else. */
static bool
get_hash(TupleTableSlot *slot, int column, AtHash *hash)
{
	AtSpan span = get_span(slot, column);

	memset(hash, 0, sizeof(*hash));
	if (span.len != sizeof(*hash))
		return false;
	memcpy(hash, span.data, sizeof(*hash));
	return true;
}

/* A time as bodies have it; 0 where it is null. */
static int64
get_time(TupleTableSlot *slot, int column)
{
	if (slot->tts_isnull[column - 1])
		return 0;
	return at_unix_microseconds(DatumGetTimestampTz(slot->tts_values[column - 1]));
}
