/*-------------------------------------------------------------------------
 * test_tiling.c
 *		Tiles of a log that grows: those of the big tree, whether it is begun
 *		at nothing or in the middle, and those of trees of any size.
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "core/bytes.h"
#include "core/merkle.h"
#include "core/tiling.h"
#include "proof_vectors.h"
#include "sparse_tree.h"
#include "vectors.h"

#define BIG_SIZE 70000

/* Hashes of the tiles of levels 0 to 2, as they were put. */
typedef struct Shelf
{
	AtHash hash[3][BIG_SIZE];
	int full;
	int partial;
	bool odd; /* one is not of the tree as it stands */
	bool refuses;
} Shelf;

static AtTiling tiling;
static Shelf shelf;

static AtHash big_leaf(uint64_t index);
static bool put_on_shelf(void *arg, const AtLogTile *tile, const AtHash *hashes);
static bool subtree_on_shelf(void *source, int level, uint64_t index, AtHash *root);
static AtError grow(uint64_t size);
static bool root_is(const char *hex);
static bool has_tiles_from(const Shelf *whole, uint64_t size);

/* From nothing to the whole big tree, whose tiles and roots are known. */
static void
test_vectors(void)
{
	int roots = 0;
	int tiles = 0;

	memset(&shelf, 0, sizeof(shelf));
	check(at_tiling_start(&tiling, 0, NULL, NULL) == AT_OK, "a tiling begins with nothing");
	for (size_t i = 0; i < lengthof(vector_big_tree); i++)
		roots += grow(vector_big_tree[i].size) == AT_OK && root_is(vector_big_tree[i].root);
	check(roots == lengthof(vector_big_tree), "it has the roots of the vectors at all sizes");
	check(shelf.full == BIG_SIZE / 256 + 1 && shelf.partial == 0,
		  "each tile that became full was put");
	check(at_tiling_put_partial(&tiling, put_on_shelf, &shelf) == AT_OK && shelf.partial == 3,
		  "so are the others at the end");
	check(!shelf.odd, "each of a place that the tree has then");

	for (size_t i = 0; i < lengthof(vector_log_tile); i++)
	{
		AtLogTile tile;
		AtHash hash;
		AtHash expected;

		at_log_tile_read_path(&tile, at_text(vector_log_tile[i].path));
		from_hex(vector_log_tile[i].hash, expected.bytes, AT_HASH_LEN);
		if (tile.level == AT_LOG_TILE_ENTRIES)
			continue;
		at_hash(&shelf.hash[tile.level][tile.index * 256], (size_t) tile.width * AT_HASH_LEN,
				&hash);
		tiles += memcmp(&hash, &expected, sizeof(hash)) == 0;
	}
	check(tiles >= 5, "their bytes are those of the vectors");
}

/* Begun at any size with the subtrees of the whole tree, it comes to the same. */
static void
test_start(void)
{
	static const uint64_t size[] = {1,   2,     255,   256,   257,   511,   512,
									513, 65279, 65280, 65535, 65536, 65537, 69999};
	static Shelf whole;
	int wrong = 0;

	whole = shelf;
	for (size_t i = 0; i < lengthof(size); i++)
	{
		memset(&shelf, 0, sizeof(shelf));
		wrong += at_tiling_start(&tiling, size[i], subtree_on_shelf, &whole) != AT_OK ||
				 grow(BIG_SIZE) != AT_OK ||
				 !root_is(vector_big_tree[lengthof(vector_big_tree) - 1].root) ||
				 at_tiling_put_partial(&tiling, put_on_shelf, &shelf) != AT_OK ||
				 !has_tiles_from(&whole, size[i]);
	}
	check(wrong == 0,
		  "a tiling that is begun in the middle puts the same tiles and has the same root");

	uint64_t last = size[lengthof(size) - 1];

	whole.hash[1][256].bytes[0] ^= 1;
	check(at_tiling_start(&tiling, last, subtree_on_shelf, &whole) == AT_OK &&
			  grow(BIG_SIZE) == AT_OK &&
			  !root_is(vector_big_tree[lengthof(vector_big_tree) - 1].root),
		  "with a wrong subtree to begin with it has another root");
}

/* Trees of nearly any size: all levels. */
static void
test_large(void)
{
	uint64_t state = 5;
	int wrong = 0;

	for (int i = 0; i < 60; i++)
	{
		uint64_t size = (next_random(&state) >> (1 + i)) | 1;
		SparseTree sparse;
		AtHash leaf;
		AtHash root;
		AtHash expected;

		sparse_tree_init(&sparse, (uint64_t[]){size - 1, size / 2, size / 3, size / 300});
		leaf = sparse_tree_leaf(&sparse, size - 1);
		sparse.limit = size;
		at_proof_make_root(&expected, size, sparse_tree_root, &sparse);
		wrong += at_tiling_start(&tiling, size - 1, sparse_tree_root, &sparse) != AT_OK ||
				 at_tiling_add(&tiling, &leaf, put_on_shelf, &shelf) != AT_OK ||
				 at_tiling_root(&tiling, &root) != AT_OK ||
				 memcmp(&root, &expected, sizeof(root)) != 0;
	}
	check(wrong == 0, "roots of trees of up to 2^63 leaves are right");

	AtHash leaf = big_leaf(0);

	tiling.size = AT_MERKLE_MAX_SIZE;
	check(at_tiling_add(&tiling, &leaf, put_on_shelf, &shelf) == AT_ERR_SIZE,
		  "a full tree takes no leaf");
	check(at_tiling_start(&tiling, AT_MERKLE_MAX_SIZE + 1, NULL, NULL) == AT_ERR_SIZE,
		  "there is no larger one to begin with");
}

static void
test_failures(void)
{
	SparseTree sparse;
	AtHash leaf = big_leaf(0);

	sparse_tree_init(&sparse, (uint64_t[]){0, 1, 2, 3});
	sparse.limit = 100;
	check(at_tiling_start(&tiling, 101, sparse_tree_root, &sparse) == AT_ERR_SOURCE,
		  "a subtree that is not to be had is a failure");
	sparse.limit = 255;
	check(at_tiling_start(&tiling, 255, sparse_tree_root, &sparse) == AT_OK, "255 leaves");
	shelf.refuses = true;
	check(at_tiling_put_partial(&tiling, put_on_shelf, &shelf) == AT_ERR_SOURCE,
		  "a partial tile that is not taken is one");
	check(at_tiling_add(&tiling, &leaf, put_on_shelf, &shelf) == AT_ERR_SOURCE, "so is a full one");
	shelf.refuses = false;
	at_tiling_start(&tiling, 255, sparse_tree_root, &sparse);
	fail_libcrypto(0);
	check(at_tiling_add(&tiling, &leaf, put_on_shelf, &shelf) == AT_ERR_LIBCRYPTO,
		  "and a hash that libcrypto does not compute");
	fail_libcrypto(-1);
}

int
main(void)
{
	test_vectors();
	test_start();
	test_large();
	test_failures();
	return check_done();
}

static AtHash
big_leaf(uint64_t index)
{
	uint8_t data[8];
	AtHash hash;

	at_put_u64(data, index);
	at_hash_leaf(data, sizeof(data), &hash);
	return hash;
}

static AtError
grow(uint64_t size)
{
	AtError error = AT_OK;

	while (error == AT_OK && tiling.size < size)
	{
		AtHash leaf = big_leaf(tiling.size);

		error = at_tiling_add(&tiling, &leaf, put_on_shelf, &shelf);
	}
	return error;
}

static bool
root_is(const char *hex)
{
	AtHash root;
	AtHash expected;

	from_hex(hex, expected.bytes, AT_HASH_LEN);
	return at_tiling_root(&tiling, &root) == AT_OK && memcmp(&root, &expected, sizeof(root)) == 0;
}

/* Tiles of levels above the shelf's are only looked at. */
static bool
put_on_shelf(void *arg, const AtLogTile *tile, const AtHash *hashes)
{
	Shelf *to = arg;

	if (to->refuses)
		return false;
	if (at_log_tile_width(tiling.size, tile->level, tile->index) != tile->width)
		to->odd = true;
	if (tile->width == AT_LOG_TILE_WIDTH)
		to->full++;
	else
		to->partial++;
	if (tile->level < 3 && tile->index * 256 + (uint64_t) tile->width <= BIG_SIZE)
		memcpy(&to->hash[tile->level][tile->index * 256], hashes,
			   (size_t) tile->width * AT_HASH_LEN);
	return true;
}

static bool
subtree_on_shelf(void *source, int level, uint64_t index, AtHash *root)
{
	const Shelf *from = source;

	*root = from->hash[level / 8][index];
	return true;
}

/* Has the shelf the tiles that a tree of this size had not, or not full? */
static bool
has_tiles_from(const Shelf *whole, uint64_t size)
{
	bool same = true;

	for (int level = 0; level < 3; level++)
	{
		uint64_t first = at_log_tile_first_new(size, BIG_SIZE, level) * 256;
		uint64_t count = BIG_SIZE >> 8 * level;

		if (first < count)
			same = same && memcmp(&shelf.hash[level][first], &whole->hash[level][first],
								  (count - first) * AT_HASH_LEN) == 0;
	}
	return same;
}
