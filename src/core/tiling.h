/*-------------------------------------------------------------------------
 * tiling.h
 *		The tiles of a log that grows, leaf by leaf: C2SP tlog-tiles.
 *
 * Kept are the tiles at the right edge of the tree, one a level. A tile goes
 * to the caller when it is full, those that are not when he asks; each only
 * once. The root is computed from what is kept, and each full tile's root is
 * among the hashes of a tile above it. So where the root is known to be
 * right, all tiles that were given out are, and so are the subtrees that it
 * was begun with.
 *-------------------------------------------------------------------------
 */
#ifndef AT_TILING_H
#define AT_TILING_H

#include "core/log_tile.h"

/* 64 kB: not for the stack. */
typedef struct AtTiling
{
	uint64_t size;
	AtHash hash[AT_LOG_TILE_MAX_LEVEL + 1][AT_LOG_TILE_WIDTH];
} AtTiling;

/* Takes a tile and its hashes; false if it cannot. */
typedef bool (*AtTilingPut)(void *arg, const AtLogTile *tile, const AtHash *hashes);

/* Begin with a tree of this size, also 0, whose subtrees the source has. */
extern AtError at_tiling_start(AtTiling *tiling, uint64_t size, AtSubtreeRoot subtree,
							   void *source);

/* Append a leaf hash, and put the tiles that it makes full, from level 0 up. */
extern AtError at_tiling_add(AtTiling *tiling, const AtHash *leaf, AtTilingPut put, void *arg);

/* Put the tiles that are not full and not empty, from level 0 up. */
extern AtError at_tiling_put_partial(const AtTiling *tiling, AtTilingPut put, void *arg);

/* Root of the tree as it stands. */
extern AtError at_tiling_root(const AtTiling *tiling, AtHash *root);

#endif
