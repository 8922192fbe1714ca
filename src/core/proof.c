/*-------------------------------------------------------------------------
 * proof.c
 *		Proofs of RFC 6962: a leaf is in a tree (section 2.1.1), a tree is the
 *		beginning of another (section 2.1.2).
 *
 * Both proofs are the siblings met on a way down from the root. Making one
 * is that walk by the RFC's definition: a tree of n leaves is split at the
 * largest power of two below n.
 *
 * Verifying goes up and needs no recursion. Seen from leaf i of n, the way
 * has two parts. Below, as long as i and the last leaf n - 1 are in
 * different subtrees, bit k of i tells on which side the sibling of height k
 * is. Above, the way runs along the right edge of the tree: all siblings are
 * to the left, one for each bit of i that is set, and there is none where
 * the bit is not. So the number of siblings is known beforehand.
 *
 * A consistency proof is the way of the old tree's last perfect subtree: the
 * one of 2^t leaves, where t is the number of zero bits that its size ends
 * in. From there all siblings lead to the new root, and those to the left to
 * the old one.
 *-------------------------------------------------------------------------
 */
#include "core/base64.h"
#include "core/merkle.h"
#include "core/proof.h"

/* Leaves from begin to before end; begin is a multiple of the next power of two of its width. */
typedef struct Range
{
	uint64_t begin;
	uint64_t end;
} Range;

/* The siblings on the way down, from the root's child on. */
typedef struct Way
{
	int count;
	Range sibling[AT_PROOF_MAX];
} Way;

/* The siblings on the way up, as verifying needs them. */
typedef struct Climb
{
	uint64_t sides; /* bit k: the k-th of the inner siblings is to the left */
	int inner;
	int border; /* these are all to the left */
} Climb;

static AtError follow(AtProof *proof, const Way *way, AtSubtreeRoot subtree, void *source);
static AtError range_root(Range range, AtSubtreeRoot subtree, void *source, AtHash *root);
static uint64_t split_width(uint64_t width);
static Climb climb_from(uint64_t index, uint64_t size);
static AtError check_count(const AtProof *proof, int demanded);
static bool climb_new(const Climb *climb, const AtHash *sibling, AtHash *hash);
static bool climb_old(const Climb *climb, const AtHash *sibling, AtHash *hash);
static int trailing_zeros(uint64_t number);
static bool same(const AtHash *one, const AtHash *other);

AtError
at_proof_make_inclusion(AtProof *proof, uint64_t index, uint64_t size, AtSubtreeRoot subtree,
						void *source)
{
	Range here = {0, size};
	Way way = {0};

	if (size > AT_MERKLE_MAX_SIZE)
		return AT_ERR_SIZE;
	if (index >= size)
		return AT_ERR_INDEX;

	while (here.end - here.begin > 1)
	{
		uint64_t middle = here.begin + split_width(here.end - here.begin);

		if (index < middle)
		{
			way.sibling[way.count++] = (Range){middle, here.end};
			here.end = middle;
		}
		else
		{
			way.sibling[way.count++] = (Range){here.begin, middle};
			here.begin = middle;
		}
	}
	return follow(proof, &way, subtree, source);
}

AtError
at_proof_make_consistency(AtProof *proof, uint64_t old_size, uint64_t size, AtSubtreeRoot subtree,
						  void *source)
{
	Range here = {0, size};
	Way way = {0};

	if (size > AT_MERKLE_MAX_SIZE)
		return AT_ERR_SIZE;
	if (old_size == 0)
		return AT_ERR_EMPTY_TREE;
	if (old_size > size)
		return AT_ERR_SIZE_ORDER;

	while (here.end != old_size)
	{
		uint64_t middle = here.begin + split_width(here.end - here.begin);

		if (old_size <= middle)
		{
			way.sibling[way.count++] = (Range){middle, here.end};
			here.end = middle;
		}
		else
		{
			way.sibling[way.count++] = (Range){here.begin, middle};
			here.begin = middle;
		}
	}

	/* where the old tree is a subtree itself, whoever verifies has its root already */
	if (here.begin > 0)
		way.sibling[way.count++] = here;
	return follow(proof, &way, subtree, source);
}

AtError
at_proof_make_root(AtHash *root, uint64_t size, AtSubtreeRoot subtree, void *source)
{
	if (size > AT_MERKLE_MAX_SIZE)
		return AT_ERR_SIZE;
	if (size == 0)
		return at_hash(NULL, 0, root) ? AT_OK : AT_ERR_LIBCRYPTO;

	return range_root((Range){0, size}, subtree, source, root);
}

AtError
at_proof_verify_inclusion(const AtProof *proof, uint64_t index, uint64_t size, const AtHash *leaf,
						  const AtHash *root)
{
	if (size > AT_MERKLE_MAX_SIZE)
		return AT_ERR_SIZE;
	if (index >= size)
		return AT_ERR_INDEX;

	Climb climb = climb_from(index, size);
	AtError error = check_count(proof, climb.inner + climb.border);
	AtHash hash = *leaf;

	if (error != AT_OK)
		return error;
	if (!climb_new(&climb, proof->hash, &hash))
		return AT_ERR_LIBCRYPTO;
	return same(&hash, root) ? AT_OK : AT_ERR_ROOT;
}

AtError
at_proof_verify_consistency(const AtProof *proof, uint64_t old_size, uint64_t size,
							const AtHash *old_root, const AtHash *root)
{
	if (size > AT_MERKLE_MAX_SIZE)
		return AT_ERR_SIZE;
	if (old_size == 0)
		return AT_ERR_EMPTY_TREE;
	if (old_size > size)
		return AT_ERR_SIZE_ORDER;

	/* the way of the old tree's last perfect subtree, from its height on */
	int height = trailing_zeros(old_size);
	Climb climb = climb_from((old_size - 1) >> height, ((size - 1) >> height) + 1);
	int start =
		old_size == UINT64_C(1) << height ? 0 : 1; /* its hash comes first, or is old_root */
	AtError error = old_size == size ? check_count(proof, 0)
									 : check_count(proof, start + climb.inner + climb.border);

	if (error != AT_OK)
		return error;
	if (old_size == size)
		return same(old_root, root) ? AT_OK : AT_ERR_ROOT;

	AtHash old_hash = start == 0 ? *old_root : proof->hash[0];
	AtHash hash = old_hash;

	if (!climb_old(&climb, proof->hash + start, &old_hash) ||
		!climb_new(&climb, proof->hash + start, &hash))
		return AT_ERR_LIBCRYPTO;
	if (!same(&old_hash, old_root))
		return AT_ERR_OLD_ROOT;
	return same(&hash, root) ? AT_OK : AT_ERR_ROOT;
}

AtError
at_proof_read(AtProof *proof, AtText *text)
{
	AtText line;

	proof->count = 0;
	for (;;)
	{
		if (!at_text_line(text, &line))
			return AT_ERR_HASH_LINE;
		if (line.len == 0)
			return AT_OK;
		if (proof->count == AT_PROOF_MAX)
			return AT_ERR_HASH_COUNT;
		if (!at_base64_decode(line, proof->hash[proof->count++].bytes, AT_HASH_LEN))
			return AT_ERR_HASH_LINE;
	}
}

void
at_proof_write(AtWriter *writer, const AtProof *proof)
{
	for (int i = 0; i < proof->count; i++)
	{
		at_write_base64(writer, proof->hash[i].bytes, AT_HASH_LEN);
		at_write_string(writer, "\n");
	}
}

/* A proof begins with the sibling at the bottom, where the way down ends. */
static AtError
follow(AtProof *proof, const Way *way, AtSubtreeRoot subtree, void *source)
{
	proof->count = way->count;
	for (int i = 0; i < way->count; i++)
	{
		AtError error =
			range_root(way->sibling[way->count - 1 - i], subtree, source, &proof->hash[i]);

		if (error != AT_OK)
			return error;
	}
	return AT_OK;
}

/* Join the range's perfect subtrees, from the smallest, at its end. */
static AtError
range_root(Range range, AtSubtreeRoot subtree, void *source, AtHash *root)
{
	uint64_t width = range.end - range.begin;
	uint64_t end = range.end;
	AtHash left;

	for (int level = trailing_zeros(width); width >> level != 0; level++)
	{
		if ((width >> level & 1) == 0)
			continue;
		if (!subtree(source, level, (end >> level) - 1, &left))
			return AT_ERR_SOURCE;
		if (end == range.end)
			*root = left;
		else if (!at_hash_node(&left, root, root))
			return AT_ERR_LIBCRYPTO;
		end -= UINT64_C(1) << level;
	}
	return AT_OK;
}

/* The largest power of two below a width of 2 or more. */
static uint64_t
split_width(uint64_t width)
{
	uint64_t split = 1;

	while (split < width - split)
		split *= 2;
	return split;
}

/* The siblings of leaf index in a tree of this size. */
static Climb
climb_from(uint64_t index, uint64_t size)
{
	Climb climb = {.sides = index};

	for (uint64_t apart = index ^ (size - 1); apart != 0; apart >>= 1)
		climb.inner++;
	for (uint64_t edge = index >> climb.inner; edge != 0; edge >>= 1)
		climb.border += (int) (edge & 1);
	return climb;
}

static AtError
check_count(const AtProof *proof, int demanded)
{
	if (proof->count < demanded)
		return AT_ERR_MISSING_HASHES;
	return proof->count > demanded ? AT_ERR_SURPLUS_HASHES : AT_OK;
}

/* Join all siblings. */
static bool
climb_new(const Climb *climb, const AtHash *sibling, AtHash *hash)
{
	for (int i = 0; i < climb->inner + climb->border; i++)
	{
		bool left = i >= climb->inner || (climb->sides >> i & 1) != 0;

		if (left ? !at_hash_node(&sibling[i], hash, hash) : !at_hash_node(hash, &sibling[i], hash))
			return false;
	}
	return true;
}

/* Join the siblings to the left alone: the others came later. */
static bool
climb_old(const Climb *climb, const AtHash *sibling, AtHash *hash)
{
	for (int i = 0; i < climb->inner + climb->border; i++)
	{
		bool left = i >= climb->inner || (climb->sides >> i & 1) != 0;

		if (left && !at_hash_node(&sibling[i], hash, hash))
			return false;
	}
	return true;
}

/* Of a number that is not 0. */
static int
trailing_zeros(uint64_t number)
{
	int zeros = 0;

	while ((number >> zeros & 1) == 0)
		zeros++;
	return zeros;
}

static bool
same(const AtHash *one, const AtHash *other)
{
	return memcmp(one, other, sizeof(*one)) == 0;
}
