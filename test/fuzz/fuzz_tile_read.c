/*-------------------------------------------------------------------------
 * fuzz_tile_read.c
 *		at_tile_read() on any bytes: no access outside, and what it accepts
 *		is written back byte for byte.
 *
 * The input is a u16, big-endian: how many bytes of the rest are hashes;
 * what is left are the owners.
 *-------------------------------------------------------------------------
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/tile.h"

extern int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t *copy_of(const uint8_t *data, size_t len);
static void expect(bool condition);
static void check_accepted(const AtTile *tile, const uint8_t *hashes, size_t hashes_len,
						   const uint8_t *owners, size_t owners_len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static AtTile tile;

	if (size < 2)
		return 0;

	size_t hashes_len = (size_t) (data[0] << 8 | data[1]);

	if (hashes_len > size - 2)
		hashes_len = size - 2;

	size_t owners_len = size - 2 - hashes_len;
	uint8_t *hashes = copy_of(data + 2, hashes_len);
	uint8_t *owners = copy_of(data + 2 + hashes_len, owners_len);

	if (at_tile_read(&tile, hashes, hashes_len, owners, owners_len))
		check_accepted(&tile, hashes, hashes_len, owners, owners_len);
	free(hashes);
	free(owners);
	return 0;
}

/* A copy of its own, so that the sanitizer sees a byte read past the end. */
static uint8_t *
copy_of(const uint8_t *data, size_t len)
{
	uint8_t *copy = malloc(len);

	expect(copy != NULL || len == 0);
	if (len > 0)
		memcpy(copy, data, len);
	return copy;
}

static void
expect(bool condition)
{
	if (!condition)
		abort();
}

static void
check_accepted(const AtTile *tile, const uint8_t *hashes, size_t hashes_len, const uint8_t *owners,
			   size_t owners_len)
{
	uint8_t written[AT_TILE_LEAVES * AT_RUN_LEN];
	uint64_t leaves = 0;

	expect(tile->leaf_count >= 0 && tile->leaf_count <= AT_TILE_LEAVES);
	expect(tile->run_count >= 0 && tile->run_count <= tile->leaf_count);
	expect((size_t) tile->leaf_count * AT_HASH_LEN == hashes_len);
	expect((size_t) tile->run_count * AT_RUN_LEN == owners_len);

	for (int i = 0; i < tile->run_count; i++)
	{
		expect(tile->run[i].count > 0 || tile->run[i].closes);
		leaves += (uint64_t) tile->run[i].count + tile->run[i].closes;
	}
	expect(leaves == (uint64_t) tile->leaf_count);

	at_tile_write_owners(tile, written);
	expect(owners_len == 0 || memcmp(written, owners, owners_len) == 0);
	expect(hashes_len == 0 || memcmp(tile->leaf, hashes, hashes_len) == 0);
}
