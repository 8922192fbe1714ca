/*-------------------------------------------------------------------------
 * cold_segment.h
 *		A row of audit.segment, and the rows that are in it.
 *-------------------------------------------------------------------------
 */
#ifndef AT_COLD_SEGMENT_H
#define AT_COLD_SEGMENT_H

#include "access/tupdesc.h"
#include "datatype/timestamp.h"
#include "executor/tuptable.h"
#include "utils/snapshot.h"

#include "core/cold.h"

/* What audit.segment says; pointers are into the row. */
typedef struct AtSegmentRow
{
	int32 number;
	int32 row_count;
	int64 first_tx_id;
	int64 last_tx_id;
	TimestampTz first_tx_at;
	TimestampTz last_tx_at;
	int32 first_target;
	int32 last_target;
	int32 stored_bytes;
	AtSpan bloom;
	AtSpan checksum;
	int64 file_offset;
	const char *file; /* NULL: content has it */
	Datum content;    /* perhaps toasted; 0: a file has it */
} AtSegmentRow;

/* Its rows, a column after the other, in memory of their own. */
typedef struct AtColdRows
{
	MemoryContext context;
	int32 number;
	int32 count;
	int ncolumns;
	Size bytes; /* of memory, about */
	Datum **value;
	bool **isnull;
} AtColdRows;

/*
 * Rows of audit.segment of a store, in the order of the last tx_id of each, then number. A row is
 * valid until the next call. ERRCODE_AT_INTEGRITY without the store, or its index.
 */
typedef struct AtSegmentScan AtSegmentScan;

extern AtSegmentScan *at_segment_scan_open(int32 store, Snapshot snapshot);

/* Start (again): those that end at this tx_id or later. */
extern void at_segment_scan_start(AtSegmentScan *scan, int64 tx_id);

/* The next one, and the last of all; NULL if there is none. */
extern const AtSegmentRow *at_segment_scan_next(AtSegmentScan *scan);
extern const AtSegmentRow *at_segment_scan_last(AtSegmentScan *scan);

/* The row as audit.segment has it, as long as it is valid. */
extern TupleTableSlot *at_segment_scan_slot(AtSegmentScan *scan);

extern void at_segment_scan_close(AtSegmentScan *scan);

/*
 * Read what is in it, in a child of the current context, for a table of these columns.
 * `name` is that of the partition, for messages.
 */
extern AtColdRows *at_cold_rows_read(const AtSegmentRow *row, TupleDesc desc, const char *name);

/* Why it cannot be; NULL if it can, and then *rows is set. */
extern const char *at_cold_rows_try(const AtSegmentRow *row, TupleDesc desc, AtColdRows **rows);

/* Its bytes, wherever they are, in the current context; why they cannot be had, or NULL. */
extern const char *at_segment_bytes(const AtSegmentRow *row, AtText *bytes);

/* The same for a segment that was read from somewhere. */
extern const char *at_cold_rows_unpack(const AtCold *cold, TupleDesc desc, AtColdRows **rows);

extern void at_cold_rows_free(AtColdRows *rows);

/*
 * What audit.segment should say of the rows: how many, first and last, and the
 * filter, in the current context. Rows must be there.
 */
extern void at_cold_rows_describe(const AtColdRows *rows, AtColdKind kind, AtSegmentRow *row);

/* Are they in the order of tx_id, then ordinal? */
extern bool at_cold_rows_are_sorted(const AtColdRows *rows, AtColdKind kind);

/* Of which kind are the rows of a table of these columns? */
extern AtColdKind at_cold_kind(TupleDesc desc);

/* How a column of this type is stored. */
extern AtColdType at_cold_type(Form_pg_attribute column);

#endif
