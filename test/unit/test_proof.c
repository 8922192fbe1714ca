/*-------------------------------------------------------------------------
 * test_proof.c
 *		Inclusion and consistency: vectors, all pairs of small trees against
 *		the RFC's definition, random ones of large trees, and what is wrong.
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "core/base64.h"
#include "core/bytes.h"
#include "core/proof.h"
#include "proof_vectors.h"
#include "sparse_tree.h"
#include "vectors.h"

#define BIG_SIZE  70000
#define SMALL_MAX 130
#define LEVELS    17

/* All subtrees of a tree, level by level. */
typedef struct FullTree
{
	uint64_t size;
	AtHash hash[LEVELS][BIG_SIZE];
} FullTree;

/* A proof and all that it is about. */
typedef struct Claim
{
	bool inclusion;
	uint64_t first; /* index or old size */
	uint64_t size;
	AtHash hash; /* of the leaf, or the old root */
	AtHash root;
	AtProof proof;
} Claim;

static FullTree big_tree;
static FullTree tree8;

static void grow(FullTree *tree);
static bool full_tree_root(void *source, int level, uint64_t index, AtHash *root);
static AtError verify(const Claim *claim);
static bool make(Claim *claim, bool inclusion, uint64_t first, uint64_t size, AtSubtreeRoot subtree,
				 void *source);
static int refuse_changes(Claim *claim, int *tried);
static AtHash mth(const AtHash *leaf, uint64_t size);
static void path(AtProof *proof, uint64_t index, const AtHash *leaf, uint64_t size);
static void subproof(AtProof *proof, uint64_t old_size, const AtHash *leaf, uint64_t size,
					 bool known);
static bool same_proof(const AtProof *one, const AtProof *other);

static void
test_vectors(void)
{
	int written = 0;
	int verified = 0;

	for (size_t i = 0; i < lengthof(vector_proof); i++)
	{
		FullTree *tree = vector_proof[i].big ? &big_tree : &tree8;
		AtText text = at_text(vector_proof[i].text);
		char buffer[AT_PROOF_TEXT_MAX + 1];
		AtWriter writer = at_writer(buffer, sizeof(buffer));
		Claim claim;

		if (!make(&claim, vector_proof[i].inclusion, vector_proof[i].first, vector_proof[i].second,
				  full_tree_root, tree))
			continue;
		at_proof_write(&writer, &claim.proof);
		at_write_string(&writer, "\n");
		written += at_text_equal((AtText){buffer, writer.len}, text);

		memset(&claim.proof, 0xee, sizeof(claim.proof));
		verified +=
			at_proof_read(&claim.proof, &text) == AT_OK && text.len == 0 && verify(&claim) == AT_OK;
	}
	check(written == lengthof(vector_proof), "proofs are made as in all vectors");
	check(verified == lengthof(vector_proof), "the vectors' proofs are read and verified");
}

/* The roots themselves, by the same means as proofs. */
static void
test_roots(void)
{
	int equal = 0;

	for (size_t i = 0; i < lengthof(vector_big_tree); i++)
	{
		AtHash root;
		AtHash expected;

		from_hex(vector_big_tree[i].root, expected.bytes, AT_HASH_LEN);
		equal += at_proof_make_root(&root, vector_big_tree[i].size, full_tree_root, &big_tree) ==
					 AT_OK &&
				 memcmp(&root, &expected, sizeof(root)) == 0;
	}
	check(equal == lengthof(vector_big_tree), "roots of trees of all sizes, 0 too");
}

/* A node is the hash of its prefix and its children, whatever these are. */
static void
test_odd_node(void)
{
	uint8_t data[16];
	AtHash hash;

	check(at_hash(data, from_hex(VECTOR_ODD_NODE, data, sizeof(data)), &hash), "a node is hashed");
	check_hex(&hash, AT_HASH_LEN, VECTOR_ODD_NODE_HASH, "as in the vectors");
}

/*
 * Each is what somebody may send: as text, since some of their hashes are of
 * no bytes, followed by something.
 */
static void
test_negatives(void)
{
	int refused = 0;

	for (size_t i = 0; i < lengthof(vector_negative); i++)
	{
		char buffer[AT_PROOF_TEXT_MAX];
		AtText text = {buffer, 0};
		Claim claim = {.inclusion = vector_negative[i].inclusion,
					   .first = vector_negative[i].first,
					   .size = vector_negative[i].second};
		bool hashes =
			from_hex(vector_negative[i].hash, claim.hash.bytes, AT_HASH_LEN) == AT_HASH_LEN &&
			from_hex(vector_negative[i].root, claim.root.bytes, AT_HASH_LEN) == AT_HASH_LEN;

		text.len = (size_t) snprintf(buffer, sizeof(buffer), "%sEND\n", vector_negative[i].text);

		bool accepted = hashes && at_proof_read(&claim.proof, &text) == AT_OK &&
						at_text_equal(text, at_text("END\n")) && verify(&claim) == AT_OK;

		if (accepted)
			check(false, vector_negative[i].name);
		refused += !accepted;
	}
	check(refused == 165, "all 165 negative vectors are refused");
}

/* Every pair of small numbers, against the definition. */
static void
test_small(void)
{
	int wrong = 0;

	for (uint64_t size = 0; size <= SMALL_MAX; size++)
	{
		AtHash root = mth(big_tree.hash[0], size);

		for (uint64_t first = 0; first <= SMALL_MAX; first++)
		{
			Claim inclusion = {.root = root};
			Claim consistency = {.root = root};
			AtProof expected = {0};
			bool made = make(&inclusion, true, first, size, full_tree_root, &big_tree);

			wrong += made != (first < size);
			if (made)
				path(&expected, first, big_tree.hash[0], size);
			wrong += made && (!same_proof(&inclusion.proof, &expected) ||
							  memcmp(&inclusion.root, &root, sizeof(root)) != 0 ||
							  verify(&inclusion) != AT_OK);

			made = make(&consistency, false, first, size, full_tree_root, &big_tree);
			wrong += made != (first > 0 && first <= size);
			expected.count = 0;
			if (made)
				subproof(&expected, first, big_tree.hash[0], size, true);
			wrong += made &&
					 (!same_proof(&consistency.proof, &expected) || verify(&consistency) != AT_OK);
		}
	}
	check(wrong == 0, "all proofs in trees of up to 130 leaves are those of the RFC");
}

/* Everything that can be changed in them: bits, numbers, hashes. */
static void
test_changes(void)
{
	int tried = 0;
	int refused = 0;

	for (uint64_t size = 1; size <= 33; size++)
		for (uint64_t first = 0; first <= size; first++)
		{
			Claim claim;

			if (first < size && make(&claim, true, first, size, full_tree_root, &big_tree))
				refused += refuse_changes(&claim, &tried);
			if (first > 0 && make(&claim, false, first, size, full_tree_root, &big_tree))
				refused += refuse_changes(&claim, &tried);
		}
	check(refused == tried && tried > 1000000,
		  "each with any bit, number or hash changed is refused");
}

/*
 * A proof says where: in a tree of its size no other index goes with it. (A
 * root does not say its size, so with another one the same hashes may pass.)
 */
static void
test_other_numbers(void)
{
	int accepted = 0;
	int pairs = 0;

	for (uint64_t size = 1; size <= 64; size++)
		for (uint64_t first = 0; first < size; first++)
		{
			Claim inclusion;
			Claim consistency;

			make(&inclusion, true, first, size, full_tree_root, &big_tree);
			make(&consistency, false, first + 1, size, full_tree_root, &big_tree);
			for (uint64_t other = 0; other <= 130; other++)
			{
				inclusion.first = other;
				consistency.first = other;
				accepted += other != first && verify(&inclusion) == AT_OK;
				accepted += other != first + 1 && verify(&consistency) == AT_OK;
			}
			pairs++;
		}
	check(accepted == 0 && pairs == 2080, "no proof goes with another index or older size");
}

static void
test_large(void)
{
	uint64_t state = 1;
	int wrong = 0;
	int most = 0;
	int tried = 0;
	int refused = 0;

	for (int i = 0; i < 400; i++)
	{
		SparseTree tree;
		Claim claim;
		int bits = i < 300 ? 1 + i % 40 : 63;
		uint64_t size = (next_random(&state) >> (64 - bits)) + 1;
		uint64_t index = next_random(&state) % size;

		size -= size > AT_MERKLE_MAX_SIZE;
		index -= index == size;
		sparse_tree_init(&tree, (uint64_t[]){index, index ^ 1, size - 1, size / 2});
		tree.limit = size;
		wrong +=
			!make(&claim, true, index, size, sparse_tree_root, &tree) || verify(&claim) != AT_OK;
		if (i % 20 == 0)
			refused += refuse_changes(&claim, &tried);

		tree.asked = 0;
		wrong += at_proof_make_consistency(&claim.proof, index + 1, size, sparse_tree_root,
										   &tree) != AT_OK;
		most = tree.asked > most ? tree.asked : most;
		wrong += !make(&claim, false, index + 1, size, sparse_tree_root, &tree) ||
				 verify(&claim) != AT_OK;
		if (i % 20 == 0)
			refused += refuse_changes(&claim, &tried);
	}
	check(wrong == 0, "random proofs in trees of up to 2^63 leaves are right");
	check(refused == tried, "and refused with anything changed");
	check(most > 63 && most <= 126, "few subtrees are asked for, none beyond the tree");
}

/* The largest tree there may be, the longest proofs, and what is larger. */
static void
test_limits(void)
{
	SparseTree tree;
	Claim claim;
	AtHash root;

	sparse_tree_init(&tree, (uint64_t[]){0, 1, AT_MERKLE_MAX_SIZE - 1, UINT64_C(1) << 62});
	check(make(&claim, true, 0, AT_MERKLE_MAX_SIZE, sparse_tree_root, &tree) &&
			  claim.proof.count == 63 && verify(&claim) == AT_OK,
		  "the first leaf of the largest tree");
	check(make(&claim, true, AT_MERKLE_MAX_SIZE - 1, AT_MERKLE_MAX_SIZE, sparse_tree_root, &tree) &&
			  verify(&claim) == AT_OK,
		  "the last leaf of it");
	check(
		make(&claim, false, (UINT64_C(1) << 62) + 1, AT_MERKLE_MAX_SIZE, sparse_tree_root, &tree) &&
			claim.proof.count == 64 && verify(&claim) == AT_OK,
		"the longest consistency proof has 64 hashes");
	check(
		make(&claim, false, AT_MERKLE_MAX_SIZE - 1, AT_MERKLE_MAX_SIZE, sparse_tree_root, &tree) &&
			verify(&claim) == AT_OK,
		"a consistency proof of the largest trees");

	for (int i = 0; i < 2; i++)
	{
		uint64_t size = i == 0 ? UINT64_C(1) << 63 : UINT64_MAX;

		claim.size = size;
		check(at_proof_make_inclusion(&claim.proof, 0, size, sparse_tree_root, &tree) ==
				  AT_ERR_SIZE,
			  "a size of 2^63 or more: no inclusion proof is made");
		check(at_proof_make_consistency(&claim.proof, 1, size, sparse_tree_root, &tree) ==
				  AT_ERR_SIZE,
			  "no consistency proof is made");
		check(at_proof_make_root(&root, size, sparse_tree_root, &tree) == AT_ERR_SIZE,
			  "no root is made");
		claim.inclusion = true;
		check(verify(&claim) == AT_ERR_SIZE, "no inclusion is verified");
		claim.inclusion = false;
		check(verify(&claim) == AT_ERR_SIZE, "no consistency is verified");
	}
}

static void
test_errors(void)
{
	static const struct
	{
		AtError error;
		bool inclusion;
		uint64_t first;
		uint64_t size;
		int count;
		const char *name;
	} cases[] = {
		{AT_ERR_INDEX, true, 0, 0, 0, "no leaf is in the empty tree"},
		{AT_ERR_INDEX, true, 8, 8, 3, "the leaf behind the last is not in the tree"},
		{AT_ERR_INDEX, true, UINT64_MAX, 8, 3, "nor is the last of all numbers"},
		{AT_ERR_MISSING_HASHES, true, 5, 8, 2, "a hash too few"},
		{AT_ERR_SURPLUS_HASHES, true, 5, 8, 4, "a hash too many"},
		{AT_ERR_SURPLUS_HASHES, true, 0, 1, 1, "a hash where none is needed"},
		{AT_ERR_MISSING_HASHES, true, 5, 8, -1, "fewer than none"},
		{AT_ERR_ROOT, true, 5, 8, 3, "hashes of another tree"},
		{AT_ERR_EMPTY_TREE, false, 0, 0, 0, "nobody proves that the empty tree is itself"},
		{AT_ERR_EMPTY_TREE, false, 0, 8, 0, "nor that it is the beginning of another"},
		{AT_ERR_SIZE_ORDER, false, 9, 8, 0, "the newer tree is smaller"},
		{AT_ERR_SIZE_ORDER, false, UINT64_MAX, 8, 0, "by far"},
		{AT_ERR_SURPLUS_HASHES, false, 8, 8, 1, "the same tree needs no hash"},
		{AT_ERR_ROOT, false, 8, 8, 0, "the same size needs the same root"},
		{AT_ERR_MISSING_HASHES, false, 5, 8, 3, "a hash too few"},
		{AT_ERR_SURPLUS_HASHES, false, 5, 8, 5, "a hash too many"},
		{AT_ERR_OLD_ROOT, false, 5, 8, 4, "hashes of another tree"},
		{AT_ERR_ROOT, false, 4, 8, 1, "the old root is right, the new one is not"},
	};

	for (size_t i = 0; i < lengthof(cases); i++)
	{
		Claim claim = {.inclusion = cases[i].inclusion,
					   .first = cases[i].first,
					   .size = cases[i].size,
					   .hash = {{1}},
					   .proof = {.count = cases[i].count}};

		check(verify(&claim) == cases[i].error, cases[i].name);
	}

	AtProof proof;

	check(at_proof_make_inclusion(&proof, 8, 8, full_tree_root, &tree8) == AT_ERR_INDEX,
		  "no proof is made for what is not in the tree");
	check(at_proof_make_consistency(&proof, 0, 8, full_tree_root, &tree8) == AT_ERR_EMPTY_TREE,
		  "nor from the empty tree");
	check(at_proof_make_consistency(&proof, 9, 8, full_tree_root, &tree8) == AT_ERR_SIZE_ORDER,
		  "nor backwards");
	check(at_proof_make_inclusion(&proof, 0, 9, full_tree_root, &tree8) == AT_ERR_SOURCE,
		  "nor without the hashes");
	check(at_proof_make_consistency(&proof, 3, 9, full_tree_root, &tree8) == AT_ERR_SOURCE,
		  "for neither kind of proof");
}

static void
test_text(void)
{
	char text[(AT_PROOF_MAX + 2) * 45 + 1] = "";
	AtProof proof;
	AtText rest;

	for (int i = 0; i < AT_PROOF_MAX; i++)
		strcat(text, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n");
	rest = at_text(text);
	check(at_proof_read(&proof, &rest) == AT_ERR_HASH_LINE, "the empty line is missing");
	strcat(text, "\nrest");
	rest = at_text(text);
	check(at_proof_read(&proof, &rest) == AT_OK && proof.count == AT_PROOF_MAX &&
			  at_text_equal(rest, at_text("rest")),
		  "the longest proof is read, and what follows is left");
	strcpy(text + AT_PROOF_MAX * 45, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n");
	rest = at_text(text);
	check(at_proof_read(&proof, &rest) == AT_ERR_HASH_COUNT, "a longer one is not");

	static const char *const wrong[] = {
		"",
		"AAAA\n\n",
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==\n\n",
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n\n",
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=\n\n",
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n",
		" AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n",
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= \n\n",
	};

	for (size_t i = 0; i < lengthof(wrong); i++)
	{
		rest = at_text(wrong[i]);
		check(at_proof_read(&proof, &rest) == AT_ERR_HASH_LINE, "a line that is no hash");
	}
}

static bool
call_make(void)
{
	AtProof proof;

	return at_proof_make_inclusion(&proof, 0, 7, full_tree_root, &tree8) != AT_ERR_LIBCRYPTO;
}

static bool
call_root(void)
{
	AtHash root;

	return at_proof_make_root(&root, 0, full_tree_root, &tree8) != AT_ERR_LIBCRYPTO;
}

static bool
call_inclusion(void)
{
	Claim claim = {.inclusion = true, .first = 5, .size = 8, .proof = {.count = 3}};

	return verify(&claim) != AT_ERR_LIBCRYPTO;
}

static bool
call_consistency(void)
{
	Claim claim = {.first = 5, .size = 8, .proof = {.count = 4}};

	return verify(&claim) != AT_ERR_LIBCRYPTO;
}

static void
test_failures(void)
{
	check_failures(call_make, 4, "making a proof reports every failure of libcrypto");
	check_failures(call_root, 4, "so does making the root of the empty tree");
	check_failures(call_inclusion, 12, "so does verifying inclusion");
	check_failures(call_consistency, 16, "and verifying consistency");
}

int
main(void)
{
	for (int i = 0; i < 8; i++)
		from_hex(vector_tree8_leaf[i].hash, tree8.hash[0][i].bytes, AT_HASH_LEN);
	tree8.size = 8;
	grow(&tree8);
	for (uint64_t i = 0; i < BIG_SIZE; i++)
	{
		uint8_t data[8];

		at_put_u64(data, i);
		at_hash_leaf(data, sizeof(data), &big_tree.hash[0][i]);
	}
	big_tree.size = BIG_SIZE;
	grow(&big_tree);

	test_vectors();
	test_roots();
	test_odd_node();
	test_negatives();
	test_small();
	test_changes();
	test_other_numbers();
	test_large();
	test_limits();
	test_errors();
	test_text();
	test_failures();
	return check_done();
}

static void
grow(FullTree *tree)
{
	for (int level = 1; level < LEVELS; level++)
		for (uint64_t i = 0; i < tree->size >> level; i++)
			at_hash_node(&tree->hash[level - 1][2 * i], &tree->hash[level - 1][2 * i + 1],
						 &tree->hash[level][i]);
}

static bool
full_tree_root(void *source, int level, uint64_t index, AtHash *root)
{
	FullTree *tree = source;

	if (level >= LEVELS || index >= tree->size >> level)
		return false;
	*root = tree->hash[level][index];
	return true;
}

static AtError
verify(const Claim *claim)
{
	if (claim->inclusion)
		return at_proof_verify_inclusion(&claim->proof, claim->first, claim->size, &claim->hash,
										 &claim->root);

	return at_proof_verify_consistency(&claim->proof, claim->first, claim->size, &claim->hash,
									   &claim->root);
}

/* A proof with the hashes that it is about. */
static bool
make(Claim *claim, bool inclusion, uint64_t first, uint64_t size, AtSubtreeRoot subtree,
	 void *source)
{
	claim->inclusion = inclusion;
	claim->first = first;
	claim->size = size;
	if (at_proof_make_root(&claim->root, size, subtree, source) != AT_OK)
		return false;
	if (inclusion)
		return at_proof_make_inclusion(&claim->proof, first, size, subtree, source) == AT_OK &&
			   subtree(source, 0, first, &claim->hash);

	return at_proof_make_consistency(&claim->proof, first, size, subtree, source) == AT_OK &&
		   at_proof_make_root(&claim->hash, first, subtree, source) == AT_OK;
}

/* Change one thing after the other; how many of the changed claims are refused. */
static int
refuse_changes(Claim *claim, int *tried)
{
	Claim changed = *claim;
	AtHash *parts[AT_PROOF_MAX + 2] = {&changed.hash, &changed.root};
	int count = 2;
	int refused = 0;

	for (int i = 0; i < claim->proof.count; i++)
		parts[count++] = &changed.proof.hash[i];
	for (int i = 0; i < count; i++)
		for (int bit = 0; bit < 256; bit++)
		{
			parts[i]->bytes[bit / 8] ^= (uint8_t) (1 << bit % 8);
			refused += verify(&changed) != AT_OK;
			parts[i]->bytes[bit / 8] ^= (uint8_t) (1 << bit % 8);
			(*tried)++;
		}

	changed.proof.count--;
	refused += verify(&changed) != AT_OK;
	changed.proof.count += 2;
	if (changed.proof.count <= AT_PROOF_MAX)
		changed.proof.hash[changed.proof.count - 1] = claim->root;
	refused += verify(&changed) != AT_OK;
	*tried += 2;

	changed = *claim;
	changed.first++;
	refused += verify(&changed) != AT_OK;
	changed.first -= 2;
	refused += verify(&changed) != AT_OK;
	*tried += 2;
	return refused;
}

/* RFC 6962, section 2.1: MTH. */
static AtHash
mth(const AtHash *leaf, uint64_t size)
{
	AtHash root;
	uint64_t split = 1;

	if (size == 0)
	{
		at_hash(NULL, 0, &root);
		return root;
	}
	if (size == 1)
		return *leaf;

	while (split * 2 < size)
		split *= 2;

	AtHash left = mth(leaf, split);
	AtHash right = mth(leaf + split, size - split);

	at_hash_node(&left, &right, &root);
	return root;
}

/* RFC 6962, section 2.1.1: PATH. */
static void
path(AtProof *proof, uint64_t index, const AtHash *leaf, uint64_t size)
{
	uint64_t split = 1;

	if (size == 1)
		return;
	while (split * 2 < size)
		split *= 2;
	if (index < split)
	{
		path(proof, index, leaf, split);
		proof->hash[proof->count++] = mth(leaf + split, size - split);
	}
	else
	{
		path(proof, index - split, leaf + split, size - split);
		proof->hash[proof->count++] = mth(leaf, split);
	}
}

/* RFC 6962, section 2.1.2: SUBPROOF. */
static void
subproof(AtProof *proof, uint64_t old_size, const AtHash *leaf, uint64_t size, bool known)
{
	uint64_t split = 1;

	if (old_size == size)
	{
		if (!known)
			proof->hash[proof->count++] = mth(leaf, size);
		return;
	}
	while (split * 2 < size)
		split *= 2;
	if (old_size <= split)
	{
		subproof(proof, old_size, leaf, split, known);
		proof->hash[proof->count++] = mth(leaf + split, size - split);
	}
	else
	{
		subproof(proof, old_size - split, leaf + split, size - split, false);
		proof->hash[proof->count++] = mth(leaf, split);
	}
}

static bool
same_proof(const AtProof *one, const AtProof *other)
{
	return one->count == other->count &&
		   memcmp(one->hash, other->hash, sizeof(AtHash) * (size_t) one->count) == 0;
}
