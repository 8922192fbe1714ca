/*-------------------------------------------------------------------------
 * log_tiles.c
 *		The tiles of the log's tree: audit.log_tile.
 *
 * A tile is made of the entries and checkpoints that stand in the table, and
 * not of what the appending process has in memory: so it is the same
 * whichever process appends the last of its entries. That reads two rows for
 * each of its hashes, every 256th entry.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "fmgr.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "base/columns.h"
#include "base/errors.h"
#include "ledger/append.h"
#include "ledger/datum.h"
#include "ledger/log_tiles.h"
#include "ledger/log_tree.h"
#include "ledger/scan.h"

struct AtLogTileReader
{
	AtScan *scan;
	MemoryContext row_context;
	AtLogTileRow row;
};

static void append_tile(AtLogTree *tree, int level, uint64 tile);
static const AtLogTileRow *decode(AtLogTileReader *reader);

uint64
at_log_tiles_stored(uint64 size, int level)
{
	return level <= AT_LOG_TILE_MAX_LEVEL ? size >> (level + 1) * AT_LOG_TILE_HEIGHT : 0;
}

void
at_log_tiles_append(uint64 size)
{
	Snapshot snapshot;
	AtLogTree *tree;

	if (size % AT_LOG_TILE_WIDTH != 0)
		return;

	/* the entry was appended by this very command */
	CommandCounterIncrement();
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	tree = at_log_tree_open(snapshot);
	for (int level = 0; at_log_tiles_stored(size, level) > at_log_tiles_stored(size - 1, level);
		 level++)
		append_tile(tree, level, at_log_tiles_stored(size, level) - 1);
	at_log_tree_close(tree);
	UnregisterSnapshot(snapshot);
}

static void
append_tile(AtLogTree *tree, int level, uint64 tile)
{
	Datum values[Natts_log_tile];
	bool nulls[Natts_log_tile] = {false};
	AtHash hash[AT_LOG_TILE_WIDTH];

	for (int i = 0; i < AT_LOG_TILE_WIDTH; i++)
		if (!at_log_tree_subtree(tree, level * AT_LOG_TILE_HEIGHT, tile * AT_LOG_TILE_WIDTH + i,
								 &hash[i]))
			ereport(ERROR,
					(errcode(ERRCODE_AT_INTEGRITY),
					 errmsg("could not make tile " UINT64_FORMAT " of the audit log's tree", tile),
					 errdetail("Entries that it spans are missing or were changed."),
					 errhint("SELECT * FROM audit.verify();")));
	values[Anum_log_tile_level - 1] = Int32GetDatum(level);
	values[Anum_log_tile_tile - 1] = Int64GetDatum(tile);
	values[Anum_log_tile_hashes - 1] = at_bytea_datum(hash, sizeof(hash));
	at_append(AT_LEDGER_LOG_TILE, values, nulls);
}

AtLogTileReader *
at_log_tile_reader_open(Snapshot snapshot)
{
	AtLogTileReader *reader = palloc0(sizeof(AtLogTileReader));

	reader->scan = at_scan_open(AT_SCAN_LOG_TILE_BY_TILE, snapshot);
	reader->row_context =
		AllocSetContextCreate(CurrentMemoryContext, "audit log tile", ALLOCSET_DEFAULT_SIZES);
	return reader;
}

void
at_log_tile_reader_start(AtLogTileReader *reader)
{
	at_scan_start(reader->scan, PG_INT64_MIN, PG_INT64_MAX);
}

const AtLogTileRow *
at_log_tile_reader_next(AtLogTileReader *reader)
{
	return at_scan_next(reader->scan) ? decode(reader) : NULL;
}

const AtLogTileRow *
at_log_tile_reader_find(AtLogTileReader *reader, int level, uint64 tile)
{
	const AtLogTileRow *row;

	at_scan_start_within(reader->scan, tile, level);
	row = at_log_tile_reader_next(reader);
	return row != NULL && row->level == level ? row : NULL;
}

bool
at_log_tile_reader_reaches(AtLogTileReader *reader, uint64 tile)
{
	return at_scan_last(reader->scan) && reader->scan->key >= (int64) tile;
}

static const AtLogTileRow *
decode(AtLogTileReader *reader)
{
	AtLogTileRow *row = &reader->row;
	TupleTableSlot *slot = reader->scan->slot;

	MemoryContextReset(reader->row_context);
	MemoryContext save = MemoryContextSwitchTo(reader->row_context);

	slot_getallattrs(slot);

	AtSpan hashes = {NULL, 0};

	if (!slot->tts_isnull[Anum_log_tile_hashes - 1])
		hashes =
			at_span_of_varlena(PG_DETOAST_DATUM_PACKED(slot->tts_values[Anum_log_tile_hashes - 1]));

	row->level = reader->scan->place;
	row->tile = reader->scan->key;
	row->is_odd = DatumGetInt32(slot->tts_values[Anum_log_tile_level - 1]) != row->level ||
				  (uint64) DatumGetInt64(slot->tts_values[Anum_log_tile_tile - 1]) != row->tile ||
				  hashes.len != sizeof(row->hash);
	if (row->is_odd)
		memset(row->hash, 0, sizeof(row->hash));
	else
		memcpy(row->hash, hashes.data, sizeof(row->hash));
	MemoryContextSwitchTo(save);
	return row;
}

void
at_log_tile_reader_close(AtLogTileReader *reader)
{
	at_scan_close(reader->scan);
	MemoryContextDelete(reader->row_context);
	pfree(reader);
}
