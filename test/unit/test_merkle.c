/*-------------------------------------------------------------------------
 * test_merkle.c
 *		Growing trees: RFC 6962 roots, frontiers, the ends of the range.
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "core/bytes.h"
#include "core/merkle.h"
#include "vectors.h"

#define MAX_SIZE ((UINT64_C(1) << AT_MERKLE_MAX_PEAKS) - 1)

static void check_tree(const char *name, const AtMerkle *tree, const char *root,
					   const char *frontier);
static bool same_root(const AtMerkle *one, const AtMerkle *other);
static bool add_number(AtMerkle *tree, uint64_t number);

static void
test_tree8(void)
{
	AtMerkle tree;

	at_merkle_init(&tree);
	for (size_t i = 0; i < lengthof(vector_tree8); i++)
	{
		check(tree.size == vector_tree8[i].size, "the tree of 8 leaves grows one by one");
		check_tree("tree8", &tree, vector_tree8[i].root, vector_tree8[i].frontier);
		if (i == lengthof(vector_tree8_leaf))
			break;

		uint8_t data[32];
		AtHash leaf;
		size_t len = from_hex(vector_tree8_leaf[i].bytes, data, sizeof(data));

		at_hash_leaf(data, len, &leaf);
		check_hex(&leaf, AT_HASH_LEN, vector_tree8_leaf[i].hash, "a leaf of it");
		check(at_merkle_add(&tree, &leaf), "it is added");
	}
}

static void
test_big_tree(void)
{
	AtMerkle tree;
	bool added = true;

	at_merkle_init(&tree);
	for (size_t i = 0; i < lengthof(vector_big_tree); i++)
	{
		while (added && tree.size < vector_big_tree[i].size)
			added = add_number(&tree, tree.size);
		check_tree("big tree", &tree, vector_big_tree[i].root, vector_big_tree[i].frontier);
	}
	check(tree.size == 70000, "the big tree has grown to 70000 leaves");
}

/* A tree that is saved and loaded at every size goes on like one that is not. */
static void
test_round_trip(void)
{
	AtMerkle tree;
	AtMerkle loaded;
	AtHash frontier[AT_MERKLE_MAX_PEAKS];
	int equal = 0;

	at_merkle_init(&tree);
	at_merkle_init(&loaded);
	for (int i = 0; i < 1030; i++)
	{
		int count = at_merkle_save(&loaded, frontier);

		memset(&loaded, 0xee, sizeof(loaded));
		if (at_merkle_load(&loaded, tree.size, frontier, count) && same_root(&tree, &loaded))
			equal++;
		add_number(&tree, (uint64_t) i);
		add_number(&loaded, (uint64_t) i);
	}
	check(equal == 1030 && same_root(&tree, &loaded), "save and load change nothing, at any size");
}

static void
test_load_refuses(void)
{
	static const struct
	{
		uint64_t size;
		int count;
		const char *name;
	} wrong[] = {
		{0, 1, "a hash for the empty tree is refused"},
		{1, 0, "none for a tree of 1 is refused"},
		{1, 2, "two for a tree of 1 are refused"},
		{7, 2, "two for a tree of 7 are refused"},
		{7, 4, "four for a tree of 7 are refused"},
		{8, 3, "three for a tree of 8 are refused"},
		{7, -1, "fewer than none are refused"},
		{0, -1, "fewer than none are refused for the empty tree"},
		{MAX_SIZE, AT_MERKLE_MAX_PEAKS - 1, "62 for the largest tree are refused"},
		{MAX_SIZE + 1, 0, "a size of 2^63 is refused with none"},
		{MAX_SIZE + 1, 1, "a size of 2^63 is refused"},
		{UINT64_MAX, 64, "the largest integer as size is refused"},
	};
	static const AtHash frontier[64];
	AtMerkle tree;

	/* a hash read that is not there is a crash */
	for (size_t i = 0; i < lengthof(wrong); i++)
		check(!at_merkle_load(&tree, wrong[i].size, wrong[i].count > 0 ? frontier : NULL,
							  wrong[i].count),
			  wrong[i].name);
	check(at_merkle_load(&tree, 0, NULL, 0) && tree.size == 0, "nothing is the empty tree");
}

/* The largest tree has all peaks, a root, and no room. */
static void
test_largest_tree(void)
{
	AtHash frontier[AT_MERKLE_MAX_PEAKS];
	AtHash saved[AT_MERKLE_MAX_PEAKS];
	AtHash root;
	AtHash again;
	AtMerkle tree;

	for (int i = 0; i < AT_MERKLE_MAX_PEAKS; i++)
		memset(&frontier[i], i + 1, sizeof(AtHash));

	check(at_merkle_load(&tree, MAX_SIZE - 1, frontier, AT_MERKLE_MAX_PEAKS - 1),
		  "a tree with room for one more leaf is loaded");
	check(at_merkle_add(&tree, &frontier[AT_MERKLE_MAX_PEAKS - 1]) && tree.size == MAX_SIZE,
		  "the last leaf is added");
	check(at_merkle_save(&tree, saved) == AT_MERKLE_MAX_PEAKS &&
			  memcmp(saved, frontier, sizeof(saved)) == 0,
		  "the largest tree has 63 peaks");
	check(at_merkle_root(&tree, &root), "the largest tree has a root");
	check(!at_merkle_add(&tree, &frontier[0]), "there is no room for another leaf");
	check(tree.size == MAX_SIZE && at_merkle_root(&tree, &again) &&
			  memcmp(&root, &again, sizeof(root)) == 0,
		  "and the tree has not changed");

	check(at_merkle_load(&tree, MAX_SIZE / 2, frontier, AT_MERKLE_MAX_PEAKS - 1) &&
			  at_merkle_add(&tree, &frontier[0]) && tree.size == UINT64_C(1) << 62,
		  "a carry runs through to the topmost peak");
	check(at_merkle_save(&tree, saved) == 1, "which is then alone");
}

static bool
call_add(void)
{
	AtMerkle tree;
	AtHash hash = {{1}};
	AtHash frontier[] = {hash, hash, hash};

	at_merkle_load(&tree, 7, frontier, 3);

	bool added = at_merkle_add(&tree, &hash);

	/* a failure must not leave half a carry behind */
	if (!added && (tree.size != 7 || memcmp(tree.peak, frontier, sizeof(frontier)) != 0))
		return true;
	return added;
}

static bool
call_root(void)
{
	AtMerkle tree;
	AtHash hash = {{1}};
	AtHash frontier[] = {hash, hash, hash};

	at_merkle_load(&tree, 7, frontier, 3);
	return at_merkle_root(&tree, &hash);
}

static bool
call_empty_root(void)
{
	AtMerkle tree;
	AtHash root;

	at_merkle_init(&tree);
	return at_merkle_root(&tree, &root);
}

static void
test_failures(void)
{
	check_failures(call_add, 12, "at_merkle_add reports every failure and changes nothing");
	check_failures(call_root, 8, "at_merkle_root reports every failure of libcrypto");
	check_failures(call_empty_root, 4, "so it does for the empty tree");
}

int
main(void)
{
	test_tree8();
	test_big_tree();
	test_round_trip();
	test_load_refuses();
	test_largest_tree();
	test_failures();
	return check_done();
}

/* Root and frontier are those of the vector. */
static void
check_tree(const char *name, const AtMerkle *tree, const char *root, const char *frontier)
{
	char title[100];
	AtHash hash;
	AtHash saved[AT_MERKLE_MAX_PEAKS];

	snprintf(title, sizeof(title), "%s of %d leaves: root", name, (int) tree->size);
	check(at_merkle_root(tree, &hash), title);
	check_hex(&hash, AT_HASH_LEN, root, title);
	snprintf(title, sizeof(title), "%s of %d leaves: frontier", name, (int) tree->size);
	check_hex(saved, (size_t) at_merkle_save(tree, saved) * AT_HASH_LEN, frontier, title);
}

static bool
same_root(const AtMerkle *one, const AtMerkle *other)
{
	AtHash root;
	AtHash other_root;

	return at_merkle_root(one, &root) && at_merkle_root(other, &other_root) &&
		   memcmp(&root, &other_root, sizeof(root)) == 0;
}

/* A leaf of the big tree: eight bytes, big-endian. */
static bool
add_number(AtMerkle *tree, uint64_t number)
{
	uint8_t data[8];
	AtHash leaf;

	at_put_u64(data, number);
	return at_hash_leaf(data, sizeof(data), &leaf) && at_merkle_add(tree, &leaf);
}
