/*-------------------------------------------------------------------------
 * place.c
 *		Where in the log an event is: its batch, and its leaf there.
 *
 * Entries are in the order in which transactions settled. So the batch of a
 * transaction is the first one in whose snapshot it had settled.
 *
 * So are the leaves of a batch, by tx_id and ordinal: the tile that has one is
 * found by bisection. Only where the rows do not keep to that order, as those
 * of a transaction that was changed before it was sealed, all tiles are looked at.
 *
 * Caveat: the upper part of a proof reads the roots of all tiles of the batch:
 * one row for each 256 leaves. Those of other batches are not read.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"

#include "base/errors.h"
#include "core/log_tile.h"
#include "ledger/log_read.h"
#include "ledger/read.h"
#include "seal/place.h"

/* The tiles of one batch. */
typedef struct BatchTiles
{
	AtTileReader *reader;
	uint64 log_index;
} BatchTiles;

static bool is_recorded(uint64 tx_id, Snapshot snapshot);
static bool has_settled(const AtEntryBody *entry, int32 incarnation, uint64 xid);
static void read_entry(AtPlace *place, Snapshot snapshot);
static bool find_leaf(AtPlace *place, uint64 tx_id, uint32 ordinal, Snapshot snapshot);
static bool bisect_tiles(AtPlace *place, AtTileReader *reader, uint64 tx_id, uint32 ordinal);
static bool begins_before(const AtTile *tile, uint64 tx_id, uint32 ordinal);
static bool find_in_tile(const AtTile *tile, uint64 tx_id, uint32 ordinal, uint64 *offset);
static bool load(void *store, const AtLogTile *tile, AtHash *hashes);
static bool load_full_root(BatchTiles *tiles, int level, uint64 index, AtHash *root);

bool
at_place_find(AtPlace *place, uint64 tx_id, uint32 ordinal, uint64 log_size, Snapshot snapshot)
{
	if (!is_recorded(tx_id, snapshot) ||
		!at_place_find_batch(&place->log_index, tx_id, log_size, snapshot))
		return false;
	read_entry(place, snapshot);
	if (!find_leaf(place, tx_id, ordinal, snapshot))
		ereport(ERROR, (errcode(ERRCODE_AT_INTEGRITY),
						errmsg("event " UINT64_FORMAT ".%u is not in the batch that must have it",
							   tx_id, ordinal),
						errdetail("That is entry " UINT64_FORMAT " of the log.", place->log_index),
						errhint("SELECT * FROM audit.verify();")));
	return true;
}

static bool
is_recorded(uint64 tx_id, Snapshot snapshot)
{
	AtTransactionReader *reader = at_transaction_finder_open(snapshot);
	bool found;

	at_transaction_finder_start(reader, tx_id);
	found = at_transaction_reader_next(reader) != NULL;
	at_transaction_reader_close(reader);
	return found;
}

/* Control records without a window say nothing, and are passed over. */
bool
at_place_find_batch(uint64 *log_index, uint64 tx_id, uint64 log_size, Snapshot snapshot)
{
	AtEntryReader *reader = at_entry_reader_open(snapshot);
	int32 incarnation = at_tx_id_incarnation(tx_id);
	int64 xid = tx_id - at_tx_id_base(incarnation);
	uint64 low = 0;
	uint64 high = log_size;
	bool found = false;

	while (low < high)
	{
		uint64 middle = low + (high - low) / 2;
		const AtEntryRow *row;

		at_entry_reader_start(reader, middle, high - 1);
		while ((row = at_entry_reader_next(reader)) != NULL && !at_entry_has_window(&row->body))
			;
		if (row == NULL)
			high = middle;
		else if (has_settled(&row->body, incarnation, xid))
		{
			*log_index = row->place;
			found = true;
			high = middle;
		}
		else
			low = row->place + 1;
	}
	at_entry_reader_close(reader);
	return found;
}

/* At the end of the entry's window, or before. A batch without snapshot closes its incarnation. */
static bool
has_settled(const AtEntryBody *entry, int32 incarnation, uint64 xid)
{
	AtSettled settled;

	if ((int32) entry->incarnation != incarnation)
		return (int32) entry->incarnation > incarnation;
	if (entry->snapshot.data == NULL)
		return true;
	return at_settled_parse(entry->snapshot, &settled) && at_settled_has(&settled, xid);
}

static void
read_entry(AtPlace *place, Snapshot snapshot)
{
	AtEntryReader *reader = at_entry_reader_open(snapshot);
	const AtEntryRow *row;

	at_entry_reader_start(reader, place->log_index, place->log_index);
	row = at_entry_reader_next(reader);
	place->leaf_count = row->body.leaf_count;
	place->entry_len = at_entry_body_size(&row->body);
	place->entry = palloc(place->entry_len);
	at_entry_body_write(&row->body, (uint8 *) place->entry);
	at_entry_reader_close(reader);
}

static bool
find_leaf(AtPlace *place, uint64 tx_id, uint32 ordinal, Snapshot snapshot)
{
	AtTileReader *reader = at_tile_reader_open(snapshot);
	const AtTileRow *row;
	bool found = bisect_tiles(place, reader, tx_id, ordinal);

	at_tile_reader_start(reader, place->log_index, place->log_index);
	while (!found && (row = at_tile_reader_next(reader)) != NULL)
	{
		uint64 offset;

		found = !row->is_odd && find_in_tile(&row->tile, tx_id, ordinal, &offset);
		if (found)
			place->number = (uint64) row->place * AT_TILE_LEAVES + offset;
	}
	at_tile_reader_close(reader);
	return found;
}

/* The last tile whose first leaf does not come after the one wanted has it. */
static bool
bisect_tiles(AtPlace *place, AtTileReader *reader, uint64 tx_id, uint32 ordinal)
{
	uint32 low = 0;
	uint32 high = (place->leaf_count + AT_TILE_LEAVES - 1) / AT_TILE_LEAVES;
	const AtTileRow *row = NULL;
	uint64 offset;

	while (low < high)
	{
		uint32 middle = low + (high - low) / 2;

		row = at_tile_reader_find(reader, place->log_index, middle);
		if (row == NULL || row->is_odd || row->tile.run_count == 0)
			return false;
		if (find_in_tile(&row->tile, tx_id, ordinal, &offset))
		{
			place->number = (uint64) middle * AT_TILE_LEAVES + offset;
			return true;
		}
		if (begins_before(&row->tile, tx_id, ordinal))
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

/* A run without events has the leaf of its transaction alone, which comes after all of them. */
static bool
begins_before(const AtTile *tile, uint64 tx_id, uint32 ordinal)
{
	const AtRun *first = &tile->run[0];

	if (first->tx_id != tx_id)
		return first->tx_id < tx_id;
	return first->count > 0 && first->first_ordinal < ordinal;
}

static bool
find_in_tile(const AtTile *tile, uint64 tx_id, uint32 ordinal, uint64 *offset)
{
	*offset = 0;
	for (int i = 0; i < tile->run_count; i++)
	{
		const AtRun *run = &tile->run[i];

		if (run->tx_id == tx_id && ordinal >= run->first_ordinal &&
			ordinal - run->first_ordinal < run->count)
		{
			*offset += ordinal - run->first_ordinal;
			return true;
		}
		*offset += run->count + (run->closes ? 1 : 0);
	}
	return false;
}

AtError
at_place_prove(const AtPlace *place, AtProof *proof, Snapshot snapshot)
{
	BatchTiles tiles = {at_tile_reader_open(snapshot), place->log_index};
	AtLogTileTree *tree = palloc0(sizeof(AtLogTileTree));
	AtError error;

	tree->size = place->leaf_count;
	tree->load = load;
	tree->store = &tiles;
	error =
		at_proof_make_inclusion(proof, place->number, place->leaf_count, at_log_tile_subtree, tree);
	pfree(tree);
	at_tile_reader_close(tiles.reader);
	return error;
}

/* A batch is tiled as a log is, but stores the two lowest levels only; the others are computed. */
static bool
load(void *store, const AtLogTile *tile, AtHash *hashes)
{
	BatchTiles *tiles = store;

	CHECK_FOR_INTERRUPTS();
	if (tile->level == 0)
	{
		const AtTileRow *row = at_tile_reader_find(tiles->reader, tiles->log_index, tile->index);

		if (row == NULL || row->is_odd || row->tile.leaf_count < tile->width)
			return false;
		memcpy(hashes, row->tile.leaf, tile->width * sizeof(AtHash));
		return true;
	}
	if (tile->level == 1)
		return at_tile_reader_roots(tiles->reader, tiles->log_index,
									tile->index * AT_LOG_TILE_WIDTH, tile->width, hashes);
	for (int i = 0; i < tile->width; i++)
		if (!load_full_root(tiles, tile->level - 1, tile->index * AT_LOG_TILE_WIDTH + i,
							&hashes[i]))
			return false;
	return true;
}

static bool
load_full_root(BatchTiles *tiles, int level, uint64 index, AtHash *root)
{
	AtLogTile tile = {level, index, AT_LOG_TILE_WIDTH};
	AtHash *hashes = palloc(AT_LOG_TILE_WIDTH * sizeof(AtHash));
	AtMerkle tree;
	bool done = load(tiles, &tile, hashes);

	at_merkle_init(&tree);
	for (int i = 0; i < AT_LOG_TILE_WIDTH && done; i++)
		done = at_merkle_add(&tree, &hashes[i]);
	pfree(hashes);
	return done && at_merkle_root(&tree, root);
}
