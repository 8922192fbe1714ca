/*-------------------------------------------------------------------------
 * fuzz_tile_read.c
 *		at_tile_read() on any bytes: no access outside, and what it accepts
 *		is written back byte for byte.
 *
 * The input is a u16, big-endian: how many bytes of the rest are hashes;
 * what is left are the owners.
 *-------------------------------------------------------------------------
 */
#include "core/tile.h"
#include "target.h"

static void check_accepted(const AtTile *tile, AtText hashes, AtText owners);

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
	AtText hashes = copy_of(data + 2, hashes_len);
	AtText owners = copy_of(data + 2 + hashes_len, owners_len);

	if (at_tile_read(&tile, (const uint8_t *) hashes.data, hashes_len,
					 (const uint8_t *) owners.data, owners_len))
		check_accepted(&tile, hashes, owners);
	free((char *) hashes.data);
	free((char *) owners.data);
	return 0;
}

static void
check_accepted(const AtTile *tile, AtText hashes, AtText owners)
{
	uint8_t written[AT_TILE_LEAVES * AT_RUN_LEN];
	uint64_t leaves = 0;

	expect(tile->leaf_count >= 0 && tile->leaf_count <= AT_TILE_LEAVES);
	expect(tile->run_count >= 0 && tile->run_count <= tile->leaf_count);
	expect((size_t) tile->leaf_count * AT_HASH_LEN == hashes.len);
	expect((size_t) tile->run_count * AT_RUN_LEN == owners.len);

	for (int i = 0; i < tile->run_count; i++)
	{
		expect(tile->run[i].count > 0 || tile->run[i].closes);
		leaves += (uint64_t) tile->run[i].count + tile->run[i].closes;
	}
	expect(leaves == (uint64_t) tile->leaf_count);

	at_tile_write_owners(tile, written);
	expect(memcmp(written, owners.data, owners.len) == 0);
	expect(memcmp(tile->leaf, hashes.data, hashes.len) == 0);
}
