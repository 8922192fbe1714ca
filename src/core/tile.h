/*-------------------------------------------------------------------------
 * tile.h
 *		A leaf tile: up to 256 leaf hashes of a batch and whose they are.
 *
 * The leaves of a batch stand in the order of its transactions, each one's
 * events by ordinal and then the transaction itself. Owners are runs of 16
 * bytes, big-endian: u64 tx_id | u32 first ordinal | u32 count of events,
 * with the top bit of count set where the transaction's own leaf follows.
 * A transaction that crosses a tile's edge has a run in both; where only its
 * own leaf is left for the second, that run has first ordinal 0.
 *-------------------------------------------------------------------------
 */
#ifndef AT_TILE_H
#define AT_TILE_H

#include "core/hash.h"

#define AT_TILE_LEAVES 256
#define AT_RUN_LEN     16

typedef struct AtRun
{
	uint64_t tx_id;
	uint32_t first_ordinal;
	uint32_t count; /* events in this run, below 2^31 */
	bool closes;    /* the leaf of the transaction itself follows */
} AtRun;

typedef struct AtTile
{
	int leaf_count;
	int run_count;
	AtHash leaf[AT_TILE_LEAVES];
	AtRun run[AT_TILE_LEAVES];
} AtTile;

extern void at_tile_init(AtTile *tile);

/* Append the leaf of an event, or of a transaction; the tile must not be full. */
extern void at_tile_add_event(AtTile *tile, uint64_t tx_id, uint32_t ordinal, const AtHash *leaf);
extern void at_tile_add_transaction(AtTile *tile, uint64_t tx_id, const AtHash *leaf);

/* Write the owners, AT_RUN_LEN * run_count bytes. */
extern void at_tile_write_owners(const AtTile *tile, uint8_t *out);

/*
 * Rebuild a tile from what is stored. Returns false, and leaves *tile
 * undefined, if lengths are odd, a run is empty, there are more than
 * AT_TILE_LEAVES, or runs and hashes do not add up to the same number of
 * leaves.
 */
extern bool at_tile_read(AtTile *tile, const uint8_t *hashes, size_t hashes_len,
						 const uint8_t *owners, size_t owners_len);

#endif
