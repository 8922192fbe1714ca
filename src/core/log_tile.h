/*-------------------------------------------------------------------------
 * log_tile.h
 *		The tiles of a log's tree: C2SP tlog-tiles.
 *
 * Tile number index of level L holds up to 256 hashes, each the root of a
 * perfect subtree of 256^L leaves; hash i is that of subtree 256 * index + i.
 * So level 0 has the leaf hashes. A tile that is not full is partial, and
 * says its width in its path. Entry bundles have the places of level 0 and
 * hold the entries themselves (core/bundle.h); here they are the level
 * AT_LOG_TILE_ENTRIES.
 *
 * Not to be confused with core/tile.h, the leaves of a batch.
 *-------------------------------------------------------------------------
 */
#ifndef AT_LOG_TILE_H
#define AT_LOG_TILE_H

#include "core/proof.h"

#define AT_LOG_TILE_HEIGHT  8 /* of the subtree that a full tile is */
#define AT_LOG_TILE_WIDTH   256
#define AT_LOG_TILE_ENTRIES (-1)

/* Highest level of a tree of AT_MERKLE_MAX_SIZE. */
#define AT_LOG_TILE_MAX_LEVEL 7

/* Longest path. */
#define AT_LOG_TILE_PATH_MAX 60

typedef struct AtLogTile
{
	int level;
	uint64_t index;
	int width; /* 1 to AT_LOG_TILE_WIDTH */
} AtLogTile;

/* How many tiles this level of a tree has, the partial one included. */
extern uint64_t at_log_tile_count(uint64_t size, int level);

/* The first of them that the tree of old_size does not have as it is now; their count if none. */
extern uint64_t at_log_tile_first_new(uint64_t old_size, uint64_t size, int level);

/* How wide this tile is in a tree of this size; 0 if the tree has no such tile. */
extern int at_log_tile_width(uint64_t size, int level, uint64_t index);

/* The path below the log's prefix: "tile/0/x001/234", "tile/entries/000.p/7". */
extern void at_log_tile_write_path(AtWriter *writer, const AtLogTile *tile);

/* Read such a path, which must be the one that is written for the tile. */
extern AtError at_log_tile_read_path(AtLogTile *tile, AtText path);

/*
 * The root of the perfect subtree over so many hashes, a power of two, in
 * place: it is then the first of them. False if libcrypto fails.
 */
extern bool at_log_tile_join(AtHash *hash, int count);

/*
 * Supplies the hashes of a tile, as wide as it is in the tree or wider: a
 * full tile will do for a partial one. False if it cannot.
 */
typedef bool (*AtLogTileLoad)(void *store, const AtLogTile *tile, AtHash *hashes);

/*
 * The tree of this size by its tiles. The caller sets size, load and store,
 * and the rest to zero. The last tile is kept, so the subtrees of one proof
 * load about one tile a level, two at its edges.
 */
typedef struct AtLogTileTree
{
	uint64_t size;
	AtLogTileLoad load;
	void *store;

	AtLogTile tile; /* the one in hash; width 0: none yet */
	AtHash hash[AT_LOG_TILE_WIDTH];
} AtLogTileTree;

/* An AtSubtreeRoot (core/proof.h), whose source is an AtLogTileTree; false outside of the tree. */
extern bool at_log_tile_subtree(void *tree, int level, uint64_t index, AtHash *root);

#endif
