/*-------------------------------------------------------------------------
 * bloom.c
 *		A Bloom filter: which texts a segment of cold rows may have.
 *
 * The hash is FNV-1a of 64 bits with a finishing mix, since FNV leaves the
 * high bits of short texts alike. The places of a text are those of double hashing
 * (Kirsch and Mitzenmacher): two halves of the one hash give all of them.
 *-------------------------------------------------------------------------
 */
#include "core/bloom.h"

#define BITS_PER_TEXT 16
#define PLACES        8

uint64_t
at_bloom_hash(uint8_t what, AtSpan text)
{
	const uint8_t *bytes = text.data;
	uint64_t hash = (UINT64_C(0xcbf29ce484222325) ^ what) * UINT64_C(0x100000001b3);

	for (uint32_t i = 0; i < text.len; i++)
		hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
	hash = (hash ^ hash >> 33) * UINT64_C(0xff51afd7ed558ccd);
	hash = (hash ^ hash >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
	return hash ^ hash >> 33;
}

size_t
at_bloom_size(uint32_t texts)
{
	size_t bytes = (size_t) texts * (BITS_PER_TEXT / 8);

	return bytes < 8 ? 8 : bytes;
}

/* The bit for one of a text's places. */
static uint64_t
bit_at(size_t size, uint64_t hash, uint32_t place)
{
	uint32_t step = (uint32_t) (hash >> 32) | 1;

	return ((uint32_t) hash + (uint64_t) place * step) % ((uint64_t) size * 8);
}

void
at_bloom_put(uint8_t *filter, size_t size, uint64_t hash)
{
	for (uint32_t i = 0; i < PLACES; i++)
	{
		uint64_t bit = bit_at(size, hash, i);

		filter[bit / 8] |= (uint8_t) (1 << bit % 8);
	}
}

bool
at_bloom_has(const uint8_t *filter, size_t size, uint64_t hash)
{
	for (uint32_t i = 0; i < PLACES && size > 0; i++)
	{
		uint64_t bit = bit_at(size, hash, i);

		if ((filter[bit / 8] & (1 << bit % 8)) == 0)
			return false;
	}
	return true;
}
