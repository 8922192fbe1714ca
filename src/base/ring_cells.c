/*-------------------------------------------------------------------------
 * ring_cells.c
 *		How records lie in the memory of the ring.
 *
 * Invariant: a record is there when its first cell says so, which is the last
 * thing that is written of it, and the first that is taken back. Before, that cell
 * says that it is being written, so a record that was not finished is
 * known. Cells that belong to no first one are unused. A checksum tells
 * what was damaged otherwise.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "port/atomics.h"
#include "port/pg_crc32c.h"

#include "base/debug_point.h"
#include "base/ring_cells.h"

/* Zero: a new file has only such. */
typedef enum CellState
{
	CELL_UNUSED,
	CELL_WRITING,
	CELL_WHOLE
} CellState;

typedef struct Cell
{
	uint32 state;
	pg_crc32c crc; /* of the content, and of the data in this cell */

	/* content; of a record all the same, but for the part */
	struct
	{
		uint64 number;
		Oid database;
		uint32 len;
		uint32 part;      /* place in the chain, from 0 */
		uint32 following; /* next cell of the chain, or of the unused ones */
	} is;

	/* of the first cell of a record */
	AtRingWriter writer;
	uint32 next; /* first cell of the next record */

	char data[FLEXIBLE_ARRAY_MEMBER];
} Cell;

#define CELL_ROOM (AT_CELL_SIZE - offsetof(Cell, data))

static bool is_whole(const AtCells *cells, uint32 first, uint8 *taken);
static void link_records(AtCells *cells, uint32 *first, uint32 count);
static void link_unused(AtCells *cells, const uint8 *taken);

static Cell *
cell_at(const AtCells *cells, uint32 cell)
{
	return (Cell *) (cells->base + (Size) cell * AT_CELL_SIZE);
}

uint32
at_cells_needed(Size len)
{
	return Max(1, (len + CELL_ROOM - 1) / CELL_ROOM);
}

/* How much of a record of this length is in this part. */
static Size
part_len(Size len, uint32 part)
{
	return Min(len - part * CELL_ROOM, CELL_ROOM);
}

static pg_crc32c
cell_crc(const Cell *cell)
{
	pg_crc32c crc;

	INIT_CRC32C(crc);
	COMP_CRC32C(crc, &cell->is, sizeof(cell->is));
	COMP_CRC32C(crc, cell->data, part_len(cell->is.len, cell->is.part));
	FIN_CRC32C(crc);
	return crc;
}

void
at_cells_append(AtCells *cells, uint64 number, Oid database, const char *record, Size len)
{
	uint32 needed = at_cells_needed(len);
	uint32 first = cells->unused;
	uint32 at = first;

	for (uint32 part = 0; part < needed; part++)
	{
		Cell *cell = cell_at(cells, at);
		uint32 following = cell->is.following;

		cell->is.number = number;
		cell->is.database = database;
		cell->is.len = len;
		cell->is.part = part;
		pg_write_barrier();
		cell->state = CELL_WRITING;
		pg_write_barrier();
		cells->unused = following;
		if (part + 1 == needed)
			cell->is.following = AT_NO_CELL;
		memcpy(cell->data, record + part * CELL_ROOM, part_len(len, part));
		cell->crc = cell_crc(cell);
		if (part > 0)
			cell->state = CELL_WHOLE;
		at = following;
	}
	at_debug_kill("ring-half-written");
	cell_at(cells, first)->writer = (AtRingWriter){0};
	cell_at(cells, first)->next = AT_NO_CELL;
	pg_write_barrier();
	cell_at(cells, first)->state = CELL_WHOLE;

	cells->nunused -= needed;
	if (cells->last == AT_NO_CELL)
		cells->first = first;
	else
		cell_at(cells, cells->last)->next = first;
	cells->last = first;
}

static bool
look(const AtCells *cells, uint32 at, AtCellRecord *record)
{
	const Cell *cell;

	if (at == AT_NO_CELL)
		return false;
	cell = cell_at(cells, at);
	*record = (AtCellRecord){
		.cell = at,
		.number = cell->is.number,
		.database = cell->is.database,
		.len = cell->is.len,
		.writer = cell->writer,
	};
	return true;
}

bool
at_cells_first(const AtCells *cells, AtCellRecord *record)
{
	return look(cells, cells->first, record);
}

bool
at_cells_next(const AtCells *cells, const AtCellRecord *record, AtCellRecord *next)
{
	return look(cells, cell_at(cells, record->cell)->next, next);
}

void
at_cells_copy(const AtCells *cells, const AtCellRecord *record, char *to)
{
	for (uint32 at = record->cell; at != AT_NO_CELL;)
	{
		const Cell *cell = cell_at(cells, at);

		memcpy(to + cell->is.part * CELL_ROOM, cell->data, part_len(record->len, cell->is.part));
		at = cell->is.following;
	}
}

void
at_cells_set_writer(const AtCells *cells, uint32 cell, uint64 number, const AtRingWriter *writer)
{
	Cell *first = cell_at(cells, cell);

	if (first->state == CELL_WHOLE && first->is.part == 0 && first->is.number == number)
		first->writer = *writer;
}

uint32
at_cells_remove(AtCells *cells, const AtCellRecord *record, uint32 previous)
{
	uint32 next = cell_at(cells, record->cell)->next;
	uint32 count = 0;
	uint32 last = record->cell;

	for (uint32 at = record->cell; at != AT_NO_CELL; at = cell_at(cells, at)->is.following)
	{
		cell_at(cells, at)->state = CELL_UNUSED;
		pg_write_barrier();
		last = at;
		count++;
	}
	cell_at(cells, last)->is.following = cells->unused;
	cells->unused = record->cell;
	cells->nunused += count;

	if (previous == AT_NO_CELL)
		cells->first = next;
	else
		cell_at(cells, previous)->next = next;
	if (cells->last == record->cell)
		cells->last = previous;
	return count;
}

/* ---- making it anew ---- */

static int
compare_numbers(const void *a, const void *b, void *cells)
{
	uint64 left = cell_at(cells, *(const uint32 *) a)->is.number;
	uint64 right = cell_at(cells, *(const uint32 *) b)->is.number;

	return left < right ? -1 : left > right;
}

uint32
at_cells_rebuild(AtCells *cells, char *base, uint32 count, AtCellFound found)
{
	uint8 *taken = palloc0(count);
	uint32 *first = palloc(sizeof(uint32) * count);
	uint32 nrecords = 0;
	uint32 needed = 0;
	AtCellRecord record;

	*cells = (AtCells){.base = base, .count = count, .first = AT_NO_CELL, .last = AT_NO_CELL};
	for (uint32 i = 0; i < count; i++)
	{
		if (cell_at(cells, i)->state == CELL_UNUSED || cell_at(cells, i)->is.part != 0)
			continue;
		if (is_whole(cells, i, taken))
			first[nrecords++] = i;
		else if (look(cells, i, &record))
			found(&record, 0);
	}
	qsort_arg(first, nrecords, sizeof(uint32), compare_numbers, cells);
	link_records(cells, first, nrecords);
	for (bool more = at_cells_first(cells, &record); more;
		 more = at_cells_next(cells, &record, &record))
		found(&record, at_cells_needed(record.len));
	link_unused(cells, taken);
	for (uint32 i = 0; i < count; i++)
		if (taken[i])
			needed = i + 1;
	pfree(taken);
	pfree(first);
	return needed;
}

/* Is a record whole that begins here? Its cells are then taken. */
static bool
is_whole(const AtCells *cells, uint32 first, uint8 *taken)
{
	const Cell *head = cell_at(cells, first);
	uint32 at = first;

	if (head->is.len > AT_RING_MAX_RECORD)
		return false;
	for (uint32 part = 0; part < at_cells_needed(head->is.len); part++)
	{
		const Cell *cell;

		if (at >= cells->count || taken[at])
			return false;
		cell = cell_at(cells, at);
		if (cell->state != CELL_WHOLE || cell->is.part != part ||
			cell->is.number != head->is.number || cell->is.len != head->is.len ||
			cell->is.database != head->is.database || cell->crc != cell_crc(cell))
			return false;
		at = cell->is.following;
	}
	if (at != AT_NO_CELL)
		return false;
	for (at = first; at != AT_NO_CELL; at = cell_at(cells, at)->is.following)
		taken[at] = true;
	return true;
}

static void
link_records(AtCells *cells, uint32 *first, uint32 count)
{
	for (uint32 i = 0; i < count; i++)
		cell_at(cells, first[i])->next = i + 1 < count ? first[i + 1] : AT_NO_CELL;
	if (count == 0)
		return;
	cells->first = first[0];
	cells->last = first[count - 1];
}

static void
link_unused(AtCells *cells, const uint8 *taken)
{
	uint32 following = AT_NO_CELL;

	for (uint32 i = cells->count; i-- > 0;)
	{
		if (taken[i])
			continue;
		cell_at(cells, i)->state = CELL_UNUSED;
		cell_at(cells, i)->is.following = following;
		following = i;
		cells->nunused++;
	}
	cells->unused = following;
}
