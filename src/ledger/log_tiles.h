/*-------------------------------------------------------------------------
 * log_tiles.h
 *		The tiles of the log's tree: audit.log_tile.
 *
 * Only full tiles are stored, each in the transaction of the entry that made
 * it full: a log of n entries has n / 256^(level + 1) of them on each level.
 * What is in those that are not full, the entries tell. All tiles have 256
 * hashes, so level and tile name one.
 *-------------------------------------------------------------------------
 */
#ifndef AT_LOG_TILES_H
#define AT_LOG_TILES_H

#include "utils/snapshot.h"

#include "core/log_tile.h"

/* Append the tiles that the last entry made full; the log has this size now. */
extern void at_log_tiles_append(uint64 size);

/* How many tiles a log of this size has stored on a level. */
extern uint64 at_log_tiles_stored(uint64 size, int level);

/* A row of audit.log_tile. */
typedef struct AtLogTileRow
{
	int level; /* as the index has it, and its number */
	uint64 tile;
	bool is_odd; /* it does not have 256 hashes, or says another name; hashes are zeros then */
	AtHash hash[AT_LOG_TILE_WIDTH];
} AtLogTileRow;

typedef struct AtLogTileReader AtLogTileReader;

extern AtLogTileReader *at_log_tile_reader_open(Snapshot snapshot);

/* All of them, by number and then by level. */
extern void at_log_tile_reader_start(AtLogTileReader *reader);
extern const AtLogTileRow *at_log_tile_reader_next(AtLogTileReader *reader);

/* The tile of this name; NULL if it is not there. */
extern const AtLogTileRow *at_log_tile_reader_find(AtLogTileReader *reader, int level, uint64 tile);

/* Is a tile of this number or a later one stored, on any level? */
extern bool at_log_tile_reader_reaches(AtLogTileReader *reader, uint64 tile);

extern void at_log_tile_reader_close(AtLogTileReader *reader);

#endif
