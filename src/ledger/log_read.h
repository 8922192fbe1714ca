/*-------------------------------------------------------------------------
 * log_read.h
 *		Reading the one global log back: its entries, its checkpoints, the
 *		leaf tiles of its batches, and its incarnations.
 *
 * As in read.h: one snapshot that the caller owns, rows valid until the next
 * call of the same reader, readers that live in the context in which they
 * were opened, and a place beside what the row itself says.
 *-------------------------------------------------------------------------
 */
#ifndef AT_LOG_READ_H
#define AT_LOG_READ_H

#include "utils/snapshot.h"

#include "core/body.h"
#include "core/merkle.h"
#include "core/tile.h"
#include "ledger/log.h"
#include "ledger/settled.h"

#define AT_KIND_BOOT        "boot"
#define AT_KIND_EVENTS      "events"
#define AT_KIND_INCARNATION "incarnation"
#define AT_KIND_GUARD       "guard"
#define AT_KIND_SETTINGS    "settings"
#define AT_KIND_START       "start"

/* A row of audit.log_entry. */
typedef struct AtEntryRow
{
	AtEntryBody body;
	uint64 place; /* its log_index as the index has it */
	bool is_odd;  /* a hash is not 32 bytes long, or a number is out of range */
	AtHash hash;  /* of the entry, what the next one calls previous */
	AtHash leaf;
} AtEntryRow;

typedef struct AtEntryReader AtEntryReader;

extern AtEntryReader *at_entry_reader_open(Snapshot snapshot);
extern void at_entry_reader_start(AtEntryReader *reader, uint64 first, uint64 last);
extern const AtEntryRow *at_entry_reader_next(AtEntryReader *reader);
extern const AtEntryRow *at_entry_reader_last(AtEntryReader *reader);
extern void at_entry_reader_close(AtEntryReader *reader);

/* Is the entry of this kind? */
extern bool at_entry_is(const AtEntryBody *entry, const char *kind);

/* Does the entry's snapshot begin or end a window? Control records have none. */
extern bool at_entry_has_window(const AtEntryBody *entry);

/* A row of audit.checkpoint. */
typedef struct AtCheckpointRow
{
	uint64 place; /* its size as the index has it */
	uint64 size;
	int64 made_at; /* microseconds since 1970 */
	AtHash root;
	bool is_sound; /* size, root and frontier agree; tree is set then */
	AtMerkle tree;
} AtCheckpointRow;

typedef struct AtCheckpointReader AtCheckpointReader;

extern AtCheckpointReader *at_checkpoint_reader_open(Snapshot snapshot);
extern void at_checkpoint_reader_start(AtCheckpointReader *reader, uint64 first, uint64 last);
extern const AtCheckpointRow *at_checkpoint_reader_next(AtCheckpointReader *reader);
extern const AtCheckpointRow *at_checkpoint_reader_last(AtCheckpointReader *reader);
extern void at_checkpoint_reader_close(AtCheckpointReader *reader);

/* A row of audit.leaf_tile. */
typedef struct AtTileRow
{
	uint64 log_index; /* as the index has it, and its number */
	uint32 place;
	bool is_odd; /* its bytes are no tile, or it says another name; tile is empty then */
	AtTile tile;
	AtHash root; /* as stored; zeros if it is none */
} AtTileRow;

/* Is what is stored as the root that of the tile's leaves? */
extern bool at_tile_row_root_fits(const AtTileRow *row);

typedef struct AtTileReader AtTileReader;

extern AtTileReader *at_tile_reader_open(Snapshot snapshot);
extern void at_tile_reader_start(AtTileReader *reader, uint64 first, uint64 last);
extern const AtTileRow *at_tile_reader_next(AtTileReader *reader);

/* The tile of this number; NULL if it is not there. */
extern const AtTileRow *at_tile_reader_find(AtTileReader *reader, uint64 log_index, uint32 number);

/*
 * The stored roots of so many tiles from this number on, without reading the
 * rest of them; false if not all are there.
 */
extern bool at_tile_reader_roots(AtTileReader *reader, uint64 log_index, uint32 first, int count,
								 AtHash *roots);
extern bool at_tile_reader_last(AtTileReader *reader, uint64 *log_index);
extern void at_tile_reader_close(AtTileReader *reader);

/* Append a tile. */
extern void at_tile_append(uint64 log_index, uint32 number, const AtTile *tile);

/* All of them, ascending, in the current context. */
extern AtIncarnation *at_incarnations_read(Snapshot snapshot, int *count);

/*
 * The last of them; ERRCODE_AT_INTEGRITY if there is none. Tells whether it
 * was begun in this server and database.
 */
extern bool at_incarnation_read_last(Snapshot snapshot, AtIncarnation *last);

/*
 * The incarnation that what is recorded now belongs to: the one that was begun in this
 * server and database, or else the next one. The next one to those that its rows tell:
 * a copy may have been copied before it had begun its own.
 */
extern int32 at_incarnation_here(void);

/* Where the transactions of an incarnation were recorded, by the first; false if there are none. */
extern bool at_incarnation_origin(Snapshot snapshot, int32 incarnation, uint64 *system_identifier,
								  Oid *database_oid);

/*
 * Where the last window of an incarnation ended, in the current context; NULL
 * if it has none yet. ERRCODE_AT_INTEGRITY if its entry does not tell.
 */
extern AtSettled *at_log_window_end(Snapshot snapshot, int32 incarnation);

/*
 * The head of the log, checked: last checkpoint and last entry must be of one
 * size and reproduce the root. ERRCODE_AT_INTEGRITY if not.
 */
extern void at_log_head_read(Snapshot snapshot, AtLogHead *head);

#endif
