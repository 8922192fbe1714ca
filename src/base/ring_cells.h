/*-------------------------------------------------------------------------
 * ring_cells.h
 *		How records lie in the memory of the ring: in chains of cells, of which
 *		each tells what it is, so that the list of records can be made anew
 *		from the cells alone, wherever a process was killed that wrote or removed one.
 *
 * Nothing here locks, raises or allocates, but for at_cells_rebuild(), which the postmaster calls
 * while it is alone.
 *-------------------------------------------------------------------------
 */
#ifndef AT_RING_CELLS_H
#define AT_RING_CELLS_H

#include "base/ring.h"

#define AT_CELL_SIZE 1024
#define AT_NO_CELL   PG_UINT32_MAX

/* What links the cells; in memory that ends with the server. */
typedef struct AtCells
{
	char *base;    /* where they are mapped, in all processes alike */
	uint32 count;  /* how many there are */
	uint32 unused; /* first of the chain of unused cells */
	uint32 nunused;
	uint32 first; /* first cells of the oldest and the newest record */
	uint32 last;
} AtCells;

/* A record, as its first cell has it. */
typedef struct AtCellRecord
{
	uint32 cell;
	uint64 number;
	Oid database;
	uint32 len;
	AtRingWriter writer;
} AtCellRecord;

/* How many cells a record of a length takes. */
extern uint32 at_cells_needed(Size len);

/* Append a record to the list; there must be as many unused cells as it needs. */
extern void at_cells_append(AtCells *cells, uint64 number, Oid database, const char *record,
							Size len);

/* The oldest record and the next one; false if there is none. */
extern bool at_cells_first(const AtCells *cells, AtCellRecord *record);
extern bool at_cells_next(const AtCells *cells, const AtCellRecord *record, AtCellRecord *next);

/* Copy a record out, record->len bytes. */
extern void at_cells_copy(const AtCells *cells, const AtCellRecord *record, char *to);

/* Say which transaction records it, if the cell still has a record with this number. */
extern void at_cells_set_writer(const AtCells *cells, uint32 cell, uint64 number,
								const AtRingWriter *writer);

/*
 * Remove a record, the one before it being `previous` (AT_NO_CELL if it is the oldest). Returns
 * how many cells it had.
 */
extern uint32 at_cells_remove(AtCells *cells, const AtCellRecord *record, uint32 previous);

/*
 * Make the list from what the cells are, of which there are `count` at `base`. Calls back for each
 * record, from the oldest on, with its number of cells; and with none for each that is not whole.
 * Returns how many cells are needed to keep them where they are.
 */
typedef void (*AtCellFound)(const AtCellRecord *record, uint32 ncells);
extern uint32 at_cells_rebuild(AtCells *cells, char *base, uint32 count, AtCellFound found);

#endif
