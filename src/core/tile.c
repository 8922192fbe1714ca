/*-------------------------------------------------------------------------
 * tile.c
 *		A leaf tile: up to 256 leaf hashes of a batch and whose they are.
 *
 * Runs are made as the leaves come: a leaf lengthens the last run where it
 * is the next of the same transaction, and else begins one. So a batch has
 * one run a transaction, and one more for each edge that it crosses. A
 * transaction's own leaf that stands first in a tile is a run of no events
 * that closes, with first_ordinal 0.
 *
 * What is read was stored, perhaps forged: at_tile_read() trusts nothing
 * but the lengths given with the bytes.
 *-------------------------------------------------------------------------
 */
#include <assert.h>
#include <string.h>

#include "core/bytes.h"
#include "core/tile.h"

#define AT_RUN_CLOSES UINT32_C(0x80000000)

static AtRun *open_run(AtTile *tile, uint64_t tx_id);
static AtRun *new_run(AtTile *tile, uint64_t tx_id, uint32_t first_ordinal);
static void add_leaf(AtTile *tile, const AtHash *leaf);
static AtRun read_run(const uint8_t *in);

void
at_tile_init(AtTile *tile)
{
	tile->leaf_count = 0;
	tile->run_count = 0;
}

void
at_tile_add_event(AtTile *tile, uint64_t tx_id, uint32_t ordinal, const AtHash *leaf)
{
	add_leaf(tile, leaf);

	AtRun *run = open_run(tile, tx_id);

	if (run == NULL || run->first_ordinal + run->count != ordinal)
		run = new_run(tile, tx_id, ordinal);
	run->count++;
}

void
at_tile_add_transaction(AtTile *tile, uint64_t tx_id, const AtHash *leaf)
{
	add_leaf(tile, leaf);

	AtRun *run = open_run(tile, tx_id);

	if (run == NULL)
		run = new_run(tile, tx_id, 0);
	run->closes = true;
}

void
at_tile_write_owners(const AtTile *tile, uint8_t *out)
{
	for (int i = 0; i < tile->run_count; i++)
	{
		const AtRun *run = &tile->run[i];

		out = at_put_u64(out, run->tx_id);
		out = at_put_u32(out, run->first_ordinal);
		out = at_put_u32(out, run->count | (run->closes ? AT_RUN_CLOSES : 0));
	}
}

bool
at_tile_read(AtTile *tile, const uint8_t *hashes, size_t hashes_len, const uint8_t *owners,
			 size_t owners_len)
{
	size_t leaf_count = hashes_len / AT_HASH_LEN;
	size_t run_count = owners_len / AT_RUN_LEN;
	uint64_t owned = 0; /* 256 runs of at most 2^31 leaves cannot wrap around */

	if (hashes_len % AT_HASH_LEN != 0 || owners_len % AT_RUN_LEN != 0)
		return false;
	if (leaf_count > AT_TILE_LEAVES || run_count > leaf_count)
		return false;

	for (size_t i = 0; i < run_count; i++)
	{
		AtRun run = read_run(owners + i * AT_RUN_LEN);

		if (run.count == 0 && !run.closes)
			return false;
		owned += (uint64_t) run.count + run.closes;
		tile->run[i] = run;
	}
	if (owned != leaf_count)
		return false;

	for (size_t i = 0; i < leaf_count; i++)
		memcpy(tile->leaf[i].bytes, hashes + i * AT_HASH_LEN, AT_HASH_LEN);
	tile->leaf_count = (int) leaf_count;
	tile->run_count = (int) run_count;
	return true;
}

/* The last run if it is of this transaction and can still grow, else NULL. */
static AtRun *
open_run(AtTile *tile, uint64_t tx_id)
{
	if (tile->run_count == 0)
		return NULL;

	AtRun *last = &tile->run[tile->run_count - 1];

	return last->tx_id == tx_id && !last->closes ? last : NULL;
}

/* Begin a run; there are never more runs than leaves, so there is room. */
static AtRun *
new_run(AtTile *tile, uint64_t tx_id, uint32_t first_ordinal)
{
	AtRun *run = &tile->run[tile->run_count++];

	*run = (AtRun){.tx_id = tx_id, .first_ordinal = first_ordinal};
	return run;
}

/* Append a hash; past the end a crash is better than silence. */
static void
add_leaf(AtTile *tile, const AtHash *leaf)
{
	assert(tile->leaf_count < AT_TILE_LEAVES);
	tile->leaf[tile->leaf_count++] = *leaf;
}

static AtRun
read_run(const uint8_t *in)
{
	uint32_t count = at_get_u32(in + 12);

	return (AtRun){.tx_id = at_get_u64(in),
				   .first_ordinal = at_get_u32(in + 8),
				   .count = count & ~AT_RUN_CLOSES,
				   .closes = (count & AT_RUN_CLOSES) != 0};
}
