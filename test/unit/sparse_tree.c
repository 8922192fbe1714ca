/*-------------------------------------------------------------------------
 * sparse_tree.c
 *		Trees of any size: all leaves are alike but a few.
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "core/bytes.h"
#include "sparse_tree.h"

static AtHash subtree(const SparseTree *tree, int level, uint64_t index);

void
sparse_tree_init(SparseTree *tree, const uint64_t special[SPARSE_SPECIAL])
{
	memset(tree, 0, sizeof(*tree));
	memcpy(tree->special, special, sizeof(tree->special));
	tree->limit = UINT64_MAX;
	at_hash_leaf("same", 4, &tree->same[0]);
	for (int level = 1; level < AT_MERKLE_MAX_PEAKS; level++)
		at_hash_node(&tree->same[level - 1], &tree->same[level - 1], &tree->same[level]);
}

AtHash
sparse_tree_leaf(const SparseTree *tree, uint64_t index)
{
	return subtree(tree, 0, index);
}

bool
sparse_tree_root(void *source, int level, uint64_t index, AtHash *root)
{
	SparseTree *tree = source;

	tree->asked++;
	if (level >= AT_MERKLE_MAX_PEAKS || index >= tree->limit >> level)
		return false;
	*root = subtree(tree, level, index);
	return true;
}

uint64_t
next_random(uint64_t *state)
{
	uint64_t number = *state += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */

	number = (number ^ number >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	number = (number ^ number >> 27) * UINT64_C(0x94d049bb133111eb);
	return number ^ number >> 31;
}

static AtHash
subtree(const SparseTree *tree, int level, uint64_t index)
{
	bool special = false;
	uint8_t data[8];
	AtHash hash;

	for (int i = 0; i < SPARSE_SPECIAL; i++)
		special = special || tree->special[i] >> level == index;
	if (!special)
		return tree->same[level];

	if (level == 0)
	{
		at_put_u64(data, index);
		at_hash_leaf(data, sizeof(data), &hash);
		return hash;
	}

	AtHash left = subtree(tree, level - 1, index * 2);
	AtHash right = subtree(tree, level - 1, index * 2 + 1);

	at_hash_node(&left, &right, &hash);
	return hash;
}
