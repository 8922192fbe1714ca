/*-------------------------------------------------------------------------
 * fuzz_log_tile_path.c
 *		Paths of tiles from any bytes: what is accepted is written back, and
 *		is in range.
 *-------------------------------------------------------------------------
 */
#include "core/log_tile.h"
#include "target.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AtText path = copy_of(data, size);
	AtLogTile tile;

	if (at_log_tile_read_path(&tile, path) == AT_OK)
	{
		AtWriter writer = writer_of(size);

		expect(tile.level >= AT_LOG_TILE_ENTRIES && tile.level <= AT_LOG_TILE_MAX_LEVEL);
		expect(tile.width >= 1 && tile.width <= AT_LOG_TILE_WIDTH);
		at_log_tile_write_path(&writer, &tile);
		expect_written(&writer, path);
	}
	free((char *) path.data);
	return 0;
}
