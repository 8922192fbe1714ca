/*-------------------------------------------------------------------------
 * test_log_tile.c
 *		Tiles of a log: the big tree's, which there are, their paths, proofs
 *		from them.
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "core/bundle.h"
#include "core/bytes.h"
#include "core/log_tile.h"
#include "core/merkle.h"
#include "proof_vectors.h"
#include "sparse_tree.h"
#include "vectors.h"

#define BIG_SIZE 70000

/* Makes tiles from subtrees. */
typedef struct Store
{
	AtSubtreeRoot subtree;
	void *source;
	int loads;
	bool fails;
} Store;

static AtHash big_hash[3][BIG_SIZE]; /* levels of tiles, not of the tree */

static void fill_big_tree(void);
static bool big_tile(void *store, const AtLogTile *tile, AtHash *hashes);
static bool make_tile(void *store, const AtLogTile *tile, AtHash *hashes);
static bool has_path(AtLogTile tile, const char *path);
static size_t big_bundle(uint64_t index, int width, char *out, size_t size);

/* Hashes of the tiles and bundles as in the vectors. */
static void
test_vectors(void)
{
	for (size_t i = 0; i < lengthof(vector_log_tile); i++)
	{
		static AtHash hashes[AT_LOG_TILE_WIDTH];
		static char bundle[AT_LOG_TILE_WIDTH * 10];
		const void *bytes = hashes;
		AtLogTile tile;
		AtHash hash;

		check(at_log_tile_read_path(&tile, at_text(vector_log_tile[i].path)) == AT_OK &&
				  has_path(tile, vector_log_tile[i].path),
			  vector_log_tile[i].path);
		check(at_log_tile_width(BIG_SIZE, tile.level, tile.index) == tile.width,
			  "the tree has it, so wide");

		size_t len = (size_t) tile.width * AT_HASH_LEN;

		if (tile.level == AT_LOG_TILE_ENTRIES)
		{
			len = big_bundle(tile.index, tile.width, bundle, sizeof(bundle));
			bytes = bundle;
		}
		else
			big_tile(NULL, &tile, hashes);
		at_hash(bytes, len, &hash);
		check(len == (size_t) vector_log_tile[i].len, "it is as long as the vector");
		check_hex(&hash, AT_HASH_LEN, vector_log_tile[i].hash, "and has its bytes");
	}
}

static void
test_paths(void)
{
	for (size_t i = 0; i < lengthof(vector_tile_path); i++)
	{
		char path[100];
		AtLogTile tile;

		snprintf(path, sizeof(path), "tile/0/%s", vector_tile_path[i].path);
		check(has_path((AtLogTile){0, vector_tile_path[i].index, 256}, path),
			  "a number is written");
		check(at_log_tile_read_path(&tile, at_text(path)) == AT_OK && tile.level == 0 &&
				  tile.index == vector_tile_path[i].index && tile.width == AT_LOG_TILE_WIDTH,
			  "and read");
	}

	check(has_path((AtLogTile){7, 0, 127}, "tile/7/000.p/127"), "the topmost tile there may be");
	check(has_path((AtLogTile){-1, (UINT64_C(1) << 55) - 1, 255},
				   "tile/entries/x036/x028/x797/x018/x963/967.p/255"),
		  "the last bundle there may be");
	check(has_path((AtLogTile){0, UINT64_MAX, 1}, "tile/0/x018/x446/x744/x073/x709/x551/615.p/1"),
		  "the largest number");
}

static void
test_paths_refused(void)
{
	static const char *const wrong[] = {
		"",
		"tile",
		"tile/",
		"tile/0",
		"tile/0/",
		"/tile/0/000",
		"tile/0/000/",
		"tile/0/000 ",
		"tile/0/00",
		"tile/0/0000",
		"tile/0/0x0",
		"tile/0/001/000",
		"tile/0/x001",
		"tile/0/x001/",
		"tile/0/x000/001",
		"tile/0/x001/x000",
		"tile/0/x001000",
		"tile/0/X001/000",
		"tile/0/x0a1/000",
		"tile/0/ 01",
		"tile/0/-01",
		"tile/0/x018/x446/x744/x073/x709/x551/616",
		"tile/0/x001/x018/x446/x744/x073/x709/x551/615",
		"tile/00/000",
		"tile/8/000",
		"tile/64/000",
		"tile/-1/000",
		"tile//000",
		"tile/a/000",
		"tile/Entries/000",
		"tile/entries/",
		"tile/0/000.p",
		"tile/0/000.p/",
		"tile/0/000.p/0",
		"tile/0/000.p/01",
		"tile/0/000.p/256",
		"tile/0/000.p/257",
		"tile/0/000.p/1/",
		"tile/0/000.p/1\n",
		"tile/0/000.P/1",
		"tile/0/000.q/1",
		"tile/0/../000",
	};
	AtLogTile tile;

	for (size_t i = 0; i < lengthof(wrong); i++)
		check(at_log_tile_read_path(&tile, at_text(wrong[i])) == AT_ERR_TILE_PATH,
			  "what is no path of a tile is refused");
	check(at_log_tile_read_path(&tile, (AtText){"tile/0/000\0", 11}) == AT_ERR_TILE_PATH,
		  "a zero byte behind it is");
}

/* Tiles of trees up to some size, counted by looking at each hash. */
static void
test_which(void)
{
	int wrong = 0;

	for (uint64_t size = 0; size <= 70000; size += size < 1030 ? 1 : 331)
		for (int level = AT_LOG_TILE_ENTRIES; level <= 3; level++)
		{
			uint64_t hashes = size;

			for (int i = 0; i < level; i++)
				hashes /= 256;

			uint64_t count = 0;

			while (hashes > 0)
			{
				int width = hashes < 256 ? (int) hashes : 256;

				wrong += at_log_tile_width(size, level, count++) != width;
				hashes -= (uint64_t) width;
			}
			wrong += at_log_tile_width(size, level, count) != 0;
			wrong += at_log_tile_width(size, level, count + 1) != 0;
			wrong += at_log_tile_count(size, level) != count;
		}
	check(wrong == 0, "a tree has the tiles that it should");
	check(at_log_tile_count(AT_MERKLE_MAX_SIZE, 7) == 1 &&
			  at_log_tile_width(AT_MERKLE_MAX_SIZE, 7, 0) == 127,
		  "the largest tree has a tile of level 7");
	check(at_log_tile_count(AT_MERKLE_MAX_SIZE, 8) == 0 &&
			  at_log_tile_width(AT_MERKLE_MAX_SIZE, 8, 0) == 0,
		  "no tree has one above");
	check(at_log_tile_count(AT_MERKLE_MAX_SIZE, AT_LOG_TILE_ENTRIES) == UINT64_C(1) << 55,
		  "and it has 2^55 bundles");
}

/* What is written for a tree that has grown is what it did not have. */
static void
test_new(void)
{
	int wrong = 0;

	for (uint64_t old_size = 0; old_size <= 1030; old_size += 7)
		for (uint64_t size = old_size; size <= 1100; size += 3)
			for (int level = AT_LOG_TILE_ENTRIES; level <= 2; level++)
			{
				uint64_t first = 0;

				while (first < at_log_tile_count(size, level) &&
					   at_log_tile_width(old_size, level, first) ==
						   at_log_tile_width(size, level, first))
					first++;
				wrong += at_log_tile_first_new(old_size, size, level) != first;
			}
	check(wrong == 0, "the first new tile is the first that was not so");
	check(at_log_tile_first_new(256, 256, 0) == 1, "none is new where nothing has grown");
	check(at_log_tile_first_new(255, 256, 0) == 0, "a tile that became full is new");
	check(at_log_tile_first_new(300, 200, 0) == 1, "none is new in a smaller tree");
}

/* Subtrees of all levels and proofs, made from tiles alone. */
static void
test_subtrees(void)
{
	AtLogTileTree tree = {.size = BIG_SIZE, .load = big_tile};
	int equal = 0;

	for (size_t i = 0; i < lengthof(vector_big_tree); i++)
	{
		AtHash root;
		AtHash expected;

		tree.size = vector_big_tree[i].size;
		tree.tile.width = 0;
		from_hex(vector_big_tree[i].root, expected.bytes, AT_HASH_LEN);
		equal += at_proof_make_root(&root, tree.size, at_log_tile_subtree, &tree) == AT_OK &&
				 memcmp(&root, &expected, sizeof(root)) == 0;
	}
	check(equal == lengthof(vector_big_tree), "roots of all sizes are made from tiles");

	equal = 0;
	tree.size = BIG_SIZE;
	tree.tile.width = 0;
	for (size_t i = 0; i < lengthof(vector_proof); i++)
	{
		AtProof proof;
		AtProof expected;
		AtText text = at_text(vector_proof[i].text);

		if (!vector_proof[i].big)
			continue;
		at_proof_read(&expected, &text);

		AtError error =
			vector_proof[i].inclusion
				? at_proof_make_inclusion(&proof, vector_proof[i].first, vector_proof[i].second,
										  at_log_tile_subtree, &tree)
				: at_proof_make_consistency(&proof, vector_proof[i].first, vector_proof[i].second,
											at_log_tile_subtree, &tree);

		equal += error == AT_OK && proof.count == expected.count &&
				 memcmp(proof.hash, expected.hash, (size_t) proof.count * AT_HASH_LEN) == 0;
	}
	check(equal == 16, "the big tree's proofs are made from its tiles");
}

static void
test_large(void)
{
	uint64_t state = 3;
	int wrong = 0;
	int most = 0;

	for (int i = 0; i < 100; i++)
	{
		uint64_t size = (next_random(&state) >> (24 + i % 40)) + 1;
		uint64_t index = next_random(&state) % size;
		SparseTree sparse;
		Store store = {.subtree = sparse_tree_root, .source = &sparse};
		AtLogTileTree tree = {.size = size, .load = make_tile, .store = &store};
		AtProof proof;
		AtHash root;
		AtHash leaf;

		sparse_tree_init(&sparse, (uint64_t[]){index, index / 2, size - 1, size / 3});
		sparse.limit = size;
		leaf = sparse_tree_leaf(&sparse, index);
		at_proof_make_root(&root, size, sparse_tree_root, &sparse);
		wrong +=
			at_proof_make_inclusion(&proof, index, size, at_log_tile_subtree, &tree) != AT_OK ||
			at_proof_verify_inclusion(&proof, index, size, &leaf, &root) != AT_OK;
		most = store.loads > most ? store.loads : most;
	}
	check(wrong == 0, "proofs in trees of up to 2^40 leaves are made from tiles");
	check(most > 4 && most <= 12, "with a load or two for each level of tiles");
}

static void
test_outside(void)
{
	SparseTree sparse;
	Store store = {.subtree = sparse_tree_root, .source = &sparse};
	AtLogTileTree tree = {.size = 600, .load = make_tile, .store = &store};
	AtHash root;

	sparse_tree_init(&sparse, (uint64_t[]){0, 1, 2, 3});
	check(at_log_tile_subtree(&tree, 0, 599, &root), "the last leaf is in the tree");
	check(!at_log_tile_subtree(&tree, 0, 600, &root), "the next is not");
	check(at_log_tile_subtree(&tree, 3, 74, &root), "the last subtree of 8 is");
	check(!at_log_tile_subtree(&tree, 3, 75, &root), "the next is not");
	check(at_log_tile_subtree(&tree, 9, 0, &root), "the subtree of 512 is");
	check(!at_log_tile_subtree(&tree, 10, 0, &root), "that of 1024 is not");
	check(!at_log_tile_subtree(&tree, 63, 0, &root), "nor that of 2^63");
	check(!at_log_tile_subtree(&tree, 64, 0, &root), "nor what cannot be");
	check(!at_log_tile_subtree(&tree, 8, UINT64_MAX, &root), "nor the last of all numbers");

	store.fails = true;
	check(at_log_tile_subtree(&tree, 8, 0, &root), "the tile at hand is not loaded again");
	check(!at_log_tile_subtree(&tree, 0, 0, &root), "one that cannot be loaded is a failure");
	check(!at_log_tile_subtree(&tree, 8, 0, &root), "and none is at hand after it");
	store.fails = false;
	check(at_log_tile_subtree(&tree, 0, 0, &root), "until one can");
}

static bool
call_subtree(void)
{
	AtLogTileTree tree = {.size = BIG_SIZE, .load = big_tile};
	AtHash root;

	return at_log_tile_subtree(&tree, 2, 0, &root);
}

int
main(void)
{
	fill_big_tree();
	test_vectors();
	test_paths();
	test_paths_refused();
	test_which();
	test_new();
	test_subtrees();
	test_large();
	test_outside();
	check_failures(call_subtree, 12, "at_log_tile_subtree reports every failure of libcrypto");
	return check_done();
}

static void
fill_big_tree(void)
{
	for (uint64_t i = 0; i < BIG_SIZE; i++)
	{
		uint8_t data[8];

		at_put_u64(data, i);
		at_hash_leaf(data, sizeof(data), &big_hash[0][i]);
	}
	for (int level = 1; level < 3; level++)
		for (int i = 0; i < BIG_SIZE >> 8 * level; i++)
		{
			AtMerkle tree;

			at_merkle_init(&tree);
			for (int j = 0; j < 256; j++)
				at_merkle_add(&tree, &big_hash[level - 1][i * 256 + j]);
			at_merkle_root(&tree, &big_hash[level][i]);
		}
}

static bool
big_tile(void *store, const AtLogTile *tile, AtHash *hashes)
{
	memcpy(hashes, &big_hash[tile->level][tile->index * AT_LOG_TILE_WIDTH],
		   (size_t) tile->width * AT_HASH_LEN);
	return true;
}

static bool
make_tile(void *source, const AtLogTile *tile, AtHash *hashes)
{
	Store *store = source;

	store->loads++;
	for (int i = 0; i < tile->width; i++)
		if (store->fails ||
			!store->subtree(store->source, tile->level * AT_LOG_TILE_HEIGHT,
							tile->index * AT_LOG_TILE_WIDTH + (uint64_t) i, &hashes[i]))
			return false;

	return true;
}

static bool
has_path(AtLogTile tile, const char *path)
{
	char buffer[AT_LOG_TILE_PATH_MAX];
	AtWriter writer = at_writer(buffer, sizeof(buffer));

	at_log_tile_write_path(&writer, &tile);
	return at_text_equal((AtText){buffer, writer.len}, at_text(path));
}

static size_t
big_bundle(uint64_t index, int width, char *out, size_t size)
{
	AtWriter writer = at_writer(out, size);

	for (int i = 0; i < width; i++)
	{
		uint8_t data[8];

		at_put_u64(data, index * AT_LOG_TILE_WIDTH + (uint64_t) i);
		at_bundle_add(&writer, data, sizeof(data));
	}
	return writer.len;
}
