/*-------------------------------------------------------------------------
 * merkle.c
 *		An RFC 6962 tree that grows: its root in constant memory.
 *
 * Adding a leaf is adding 1 to the binary number size: each carry out of
 * bit k joins the subtree in peak[k] with the one that grew beside it. So a
 * leaf costs one node hash on average, and a root at most 62.
 *
 * Invariant: peak[k] is the root of a perfect subtree of 2^k leaves where
 * bit k of size is set, and zero or left over elsewhere. A failed call
 * leaves size as it was.
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "core/merkle.h"

static bool has_peak(uint64_t size, int level);

void
at_merkle_init(AtMerkle *tree)
{
	memset(tree, 0, sizeof(*tree));
}

bool
at_merkle_add(AtMerkle *tree, const AtHash *leaf)
{
	if (tree->size >= AT_MERKLE_MAX_SIZE)
		return false;

	AtHash subtree = *leaf;
	int level = 0;

	for (; has_peak(tree->size, level); level++)
		if (!at_hash_node(&tree->peak[level], &subtree, &subtree))
			return false;

	tree->peak[level] = subtree;
	tree->size++;
	return true;
}

bool
at_merkle_root(const AtMerkle *tree, AtHash *root)
{
	if (tree->size == 0)
		return at_hash(NULL, 0, root);

	int level = 0;

	while (!has_peak(tree->size, level))
		level++;
	*root = tree->peak[level];

	/* the tree leans left: the smallest subtree is the deepest on the right */
	for (level++; level < AT_MERKLE_MAX_PEAKS; level++)
		if (has_peak(tree->size, level) && !at_hash_node(&tree->peak[level], root, root))
			return false;

	return true;
}

int
at_merkle_save(const AtMerkle *tree, AtHash out[AT_MERKLE_MAX_PEAKS])
{
	int count = 0;

	for (int level = AT_MERKLE_MAX_PEAKS - 1; level >= 0; level--)
		if (has_peak(tree->size, level))
			out[count++] = tree->peak[level];

	return count;
}

bool
at_merkle_load(AtMerkle *tree, uint64_t size, const AtHash *frontier, int count)
{
	if (size > AT_MERKLE_MAX_SIZE)
		return false;

	at_merkle_init(tree);
	tree->size = size;

	int used = 0;

	for (int level = AT_MERKLE_MAX_PEAKS - 1; level >= 0; level--)
	{
		if (!has_peak(size, level))
			continue;
		if (used >= count)
			return false;
		tree->peak[level] = frontier[used++];
	}
	return used == count;
}

/* Has a tree of this size a perfect subtree of 2^level leaves at its edge? */
static bool
has_peak(uint64_t size, int level)
{
	return (size >> level & 1) != 0;
}
