/*-------------------------------------------------------------------------
 * tiling.c
 *		The tiles of a log that grows, leaf by leaf: C2SP tlog-tiles.
 *-------------------------------------------------------------------------
 */
#include "core/merkle.h"
#include "core/tiling.h"

static int edge_width(uint64_t size, int level);
static AtError put_full(AtTiling *tiling, int level, AtTilingPut put, void *arg);
static bool load(void *store, const AtLogTile *tile, AtHash *hashes);

AtError
at_tiling_start(AtTiling *tiling, uint64_t size, AtSubtreeRoot subtree, void *source)
{
	if (size > AT_MERKLE_MAX_SIZE)
		return AT_ERR_SIZE;

	tiling->size = size;
	for (int level = 0; level <= AT_LOG_TILE_MAX_LEVEL; level++)
	{
		int height = level * AT_LOG_TILE_HEIGHT;
		int width = edge_width(size, level);
		uint64_t first = (size >> height) - (uint64_t) width;

		for (int i = 0; i < width; i++)
			if (!subtree(source, height, first + (uint64_t) i, &tiling->hash[level][i]))
				return AT_ERR_SOURCE;
	}
	return AT_OK;
}

AtError
at_tiling_add(AtTiling *tiling, const AtHash *leaf, AtTilingPut put, void *arg)
{
	AtError error = AT_OK;

	if (tiling->size == AT_MERKLE_MAX_SIZE)
		return AT_ERR_SIZE;

	tiling->hash[0][edge_width(tiling->size, 0)] = *leaf;
	tiling->size++;
	for (int level = 0; error == AT_OK && edge_width(tiling->size, level) == 0; level++)
		error = put_full(tiling, level, put, arg);
	return error;
}

AtError
at_tiling_put_partial(const AtTiling *tiling, AtTilingPut put, void *arg)
{
	for (int level = 0; level <= AT_LOG_TILE_MAX_LEVEL; level++)
	{
		AtLogTile tile = {level, at_log_tile_count(tiling->size, level) - 1,
						  edge_width(tiling->size, level)};

		if (tile.width > 0 && !put(arg, &tile, tiling->hash[level]))
			return AT_ERR_SOURCE;
	}
	return AT_OK;
}

AtError
at_tiling_root(const AtTiling *tiling, AtHash *root)
{
	AtLogTileTree tree = {.size = tiling->size, .load = load, .store = (void *) tiling};

	return at_proof_make_root(root, tiling->size, at_log_tile_subtree, &tree);
}

/* How wide the tile at the right edge is; 0 where the last one is full, or there is none. */
static int
edge_width(uint64_t size, int level)
{
	return (int) ((size >> level * AT_LOG_TILE_HEIGHT) % AT_LOG_TILE_WIDTH);
}

/* The tile of this level is full: put it, and its root into the one above. */
static AtError
put_full(AtTiling *tiling, int level, AtTilingPut put, void *arg)
{
	AtHash *hash = tiling->hash[level];
	uint64_t index = (tiling->size >> (level + 1) * AT_LOG_TILE_HEIGHT) - 1;
	AtLogTile tile = {level, index, AT_LOG_TILE_WIDTH};

	if (!put(arg, &tile, hash))
		return AT_ERR_SOURCE;
	if (!at_log_tile_join(hash, AT_LOG_TILE_WIDTH))
		return AT_ERR_LIBCRYPTO;

	tiling->hash[level + 1][index % AT_LOG_TILE_WIDTH] = hash[0];
	return AT_OK;
}

/* An AtLogTileLoad, which is asked for the tiles at the edge alone: they have all of the peaks. */
static bool
load(void *store, const AtLogTile *tile, AtHash *hashes)
{
	const AtTiling *tiling = store;

	memcpy(hashes, tiling->hash[tile->level], sizeof(AtHash) * (size_t) tile->width);
	return true;
}
