/*-------------------------------------------------------------------------
 * merkle.h
 *		An RFC 6962 tree that grows: its root in constant memory.
 *
 * Only the roots of the perfect subtrees are kept (the frontier, or compact
 * range): the subtree of 2^k leaves stands in peak[k] where bit k of size
 * is set. Functions return false if libcrypto fails.
 *-------------------------------------------------------------------------
 */
#ifndef AT_MERKLE_H
#define AT_MERKLE_H

#include "core/hash.h"

#define AT_MERKLE_MAX_PEAKS 63
#define AT_MERKLE_MAX_SIZE  ((UINT64_C(1) << AT_MERKLE_MAX_PEAKS) - 1)

typedef struct AtMerkle
{
	uint64_t size; /* number of leaves; at most AT_MERKLE_MAX_SIZE */
	AtHash peak[AT_MERKLE_MAX_PEAKS];
} AtMerkle;

/* An empty tree. */
extern void at_merkle_init(AtMerkle *tree);

/* Append a leaf hash. On failure, also that of a full tree, nothing has changed. */
extern bool at_merkle_add(AtMerkle *tree, const AtHash *leaf);

/* Root of the tree as it stands; SHA-256 of nothing for the empty one. */
extern bool at_merkle_root(const AtMerkle *tree, AtHash *root);

/* Write the frontier, largest subtree first, and return its number of hashes. */
extern int at_merkle_save(const AtMerkle *tree, AtHash out[AT_MERKLE_MAX_PEAKS]);

/*
 * Rebuild from size and frontier. Returns false, and leaves *tree undefined,
 * if size is out of range or count is not what size demands.
 */
extern bool at_merkle_load(AtMerkle *tree, uint64_t size, const AtHash *frontier, int count);

#endif
