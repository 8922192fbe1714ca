/*-------------------------------------------------------------------------
 * sparse_tree.h
 *		Trees of any size: all leaves are alike but a few.
 *
 * So the root of any perfect subtree takes a few hashes, however large it
 * is, and proofs in trees of 2^40 leaves can be tested.
 *-------------------------------------------------------------------------
 */
#ifndef AT_SPARSE_TREE_H
#define AT_SPARSE_TREE_H

#include "core/merkle.h"

#define SPARSE_SPECIAL 4

typedef struct SparseTree
{
	uint64_t special[SPARSE_SPECIAL]; /* these leaves have hashes of their own */
	AtHash same[AT_MERKLE_MAX_PEAKS]; /* roots of subtrees without any */
	uint64_t limit;                   /* leaves from here on must not be asked for */
	int asked;                        /* how often */
} SparseTree;

extern void sparse_tree_init(SparseTree *tree, const uint64_t special[SPARSE_SPECIAL]);

/* Hash of a leaf. */
extern AtHash sparse_tree_leaf(const SparseTree *tree, uint64_t index);

/* An AtSubtreeRoot; fails beyond the limit. */
extern bool sparse_tree_root(void *tree, int level, uint64_t index, AtHash *root);

/* A random number, the same in each run. */
extern uint64_t next_random(uint64_t *state);

#endif
