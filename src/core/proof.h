/*-------------------------------------------------------------------------
 * proof.h
 *		Proofs of RFC 6962: a leaf is in a tree (section 2.1.1), a tree is the
 *		beginning of another (section 2.1.2).
 *
 * A proof's number of hashes follows from its numbers and is checked before
 * any is used. Sizes are at most AT_MERKLE_MAX_SIZE. A root does not say the
 * size of its tree: take both from one checkpoint.
 *
 * To make a proof, the caller supplies roots of perfect subtrees: of the
 * 2^level leaves from number index * 2^level on; level 0 are leaf hashes.
 * Only subtrees that lie within the tree are asked for, in number at most
 * twice the height of the tree.
 *
 * The empty tree is the beginning of every tree, which nobody has to prove:
 * a proof from size 0 is neither made nor accepted.
 *-------------------------------------------------------------------------
 */
#ifndef AT_PROOF_H
#define AT_PROOF_H

#include "core/hash.h"
#include "core/text.h"

/* Hashes of the longest proof: a consistency proof between two trees of nearly 2^63. */
#define AT_PROOF_MAX 64

/* Longest text form of a proof's hashes. */
#define AT_PROOF_TEXT_MAX (AT_PROOF_MAX * 45)

typedef struct AtProof
{
	int count;
	AtHash hash[AT_PROOF_MAX];
} AtProof;

/* Supplies a subtree's root; false if it cannot, and the proof fails with AT_ERR_SOURCE. */
typedef bool (*AtSubtreeRoot)(void *source, int level, uint64_t index, AtHash *root);

/* Make the proof that leaf number index, from 0, is in the tree of this size. */
extern AtError at_proof_make_inclusion(AtProof *proof, uint64_t index, uint64_t size,
									   AtSubtreeRoot subtree, void *source);

/* Make the proof that the tree of old_size is the beginning of that of size. */
extern AtError at_proof_make_consistency(AtProof *proof, uint64_t old_size, uint64_t size,
										 AtSubtreeRoot subtree, void *source);

/* Root of the tree of this size, also 0, by the same means. */
extern AtError at_proof_make_root(AtHash *root, uint64_t size, AtSubtreeRoot subtree, void *source);

/* Is the leaf of this hash number index of the tree of this size and root? */
extern AtError at_proof_verify_inclusion(const AtProof *proof, uint64_t index, uint64_t size,
										 const AtHash *leaf, const AtHash *root);

/* Is the tree of old_size and old_root the beginning of the tree of size and root? */
extern AtError at_proof_verify_consistency(const AtProof *proof, uint64_t old_size, uint64_t size,
										   const AtHash *old_root, const AtHash *root);

/*
 * The hashes as text: one a line, in base64. Reading cuts off lines until an
 * empty one, that included, as tlog-proof and tlog-witness have it.
 */
extern AtError at_proof_read(AtProof *proof, AtText *text);
extern void at_proof_write(AtWriter *writer, const AtProof *proof);

#endif
