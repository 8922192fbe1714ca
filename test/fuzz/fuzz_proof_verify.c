/*-------------------------------------------------------------------------
 * fuzz_proof_verify.c
 *		Proofs of any numbers and hashes: in a tree of that size and root none
 *		verifies but the one that is made.
 *
 * The input is a byte whose lowest bit tells inclusion from consistency,
 * index or old size and size, two bytes each, and hashes. Sizes are taken
 * modulo what is at hand, and so is the leaf or older root of an index or
 * size that is not.
 *-------------------------------------------------------------------------
 */
#include "core/merkle.h"
#include "core/proof.h"
#include "target.h"

#define HEAD_LEN 5
#define LEAVES   300

static AtHash leaf[LEAVES];
static AtHash root[LEAVES + 1];

static void fill(void);
static bool subtree(void *source, int level, uint64_t index, AtHash *out);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AtProof proof = {0};
	AtProof made;

	fill();
	if (size < HEAD_LEN)
		return 0;

	bool inclusion = (data[0] & 1) != 0;
	uint64_t first = (uint64_t) data[1] << 8 | data[2];
	uint64_t tree_size = (uint64_t) (data[3] << 8 | data[4]) % (LEAVES + 1);
	size_t count = (size - HEAD_LEN) / AT_HASH_LEN;

	proof.count = count > AT_PROOF_MAX ? AT_PROOF_MAX : (int) count;
	memcpy(proof.hash, data + HEAD_LEN, (size_t) proof.count * AT_HASH_LEN);

	const AtHash *about = inclusion ? &leaf[first % LEAVES] : &root[first % (LEAVES + 1)];
	AtError error =
		inclusion ? at_proof_verify_inclusion(&proof, first, tree_size, about, &root[tree_size])
				  : at_proof_verify_consistency(&proof, first, tree_size, about, &root[tree_size]);

	if (error != AT_OK)
		return 0;

	expect((inclusion
				? at_proof_make_inclusion(&made, first, tree_size, subtree, NULL)
				: at_proof_make_consistency(&made, first, tree_size, subtree, NULL)) == AT_OK);
	expect(made.count == proof.count);
	expect(memcmp(made.hash, proof.hash, sizeof(AtHash) * (size_t) made.count) == 0);
	return 0;
}

/* Leaf i is the one byte i. */
static void
fill(void)
{
	static bool filled;
	AtMerkle tree;

	if (filled)
		return;

	at_merkle_init(&tree);
	for (int i = 0; i < LEAVES; i++)
	{
		uint8_t byte = (uint8_t) i;

		expect(at_hash_leaf(&byte, 1, &leaf[i]));
		expect(at_merkle_root(&tree, &root[i]));
		expect(at_merkle_add(&tree, &leaf[i]));
	}
	expect(at_merkle_root(&tree, &root[LEAVES]));
	filled = true;
}

static bool
subtree(void *source, int level, uint64_t index, AtHash *out)
{
	AtMerkle tree;

	at_merkle_init(&tree);
	for (uint64_t i = index << level; i < (index + 1) << level; i++)
		expect(at_merkle_add(&tree, &leaf[i]));
	return at_merkle_root(&tree, out);
}
