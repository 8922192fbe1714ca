/*-------------------------------------------------------------------------
 * cold.h
 *		Rows of partitions that were archived, out of their segments.
 *
 * An archived partition is a foreign table of the server audit_cold. Its
 * option "store" names a partition of audit.segment, whose segments have the
 * rows in the order of tx_id, then ordinal. A scan passes over segments that
 * cannot have what is wanted, without reading their content.
 *
 * Times, keys and so on only choose segments: the caller still has to look
 * at each row. A range of tx_id holds for the rows as well.
 *
 * A segment that cannot be read, is not what audit.segment says of it, or is there
 * twice raises ERRCODE_AT_INTEGRITY.
 *-------------------------------------------------------------------------
 */
#ifndef AT_COLD_SCAN_H
#define AT_COLD_SCAN_H

#include "executor/tuptable.h"
#include "utils/snapshot.h"

#include "base/catalog.h"

#define AT_COLD_SERVER "audit_cold"

/* What the Bloom filter of a segment is asked for besides values of columns. */
#define AT_COLD_HAS_CONTEXT 254 /* an event with a context of its own */
#define AT_COLD_WITHOUT_KEY 255 /* an event without a record key */

/* Only segments that may have one of these. */
typedef struct AtColdProbe
{
	int count;
	uint64 *hash;
} AtColdProbe;

#define AT_COLD_PROBES 8

/* What is wanted; both ends of ranges are included. */
typedef struct AtColdWanted
{
	int64 low;
	int64 high;
	int32 first_ordinal; /* of events, where low and high are the same */
	TimestampTz from;
	TimestampTz until;
	int64 low_target; /* of events */
	int64 high_target;
	int32 each; /* of segments only each n-th, by its number; 0 and 1: all */
	int nprobes;
	AtColdProbe probe[AT_COLD_PROBES];
} AtColdWanted;

/* Everything. */
extern const AtColdWanted at_cold_all;

/* How segments fared since the scan was opened. */
typedef struct AtColdCount
{
	uint64 seen;   /* of these: */
	uint64 passed; /* over */
	uint64 read;   /* and unpacked */
} AtColdCount;

typedef struct AtColdScan AtColdScan;

/*
 * Set while verification reads on behind segments that it has reported: those that cannot be read
 * have no rows then. Whoever sets it resets it.
 */
extern bool at_cold_skips_damage;

/* Is it a foreign table of ours? */
extern bool at_is_cold(Relation rel);

/* The store that such a table reads, and how many segments it has. */
extern int32 at_cold_store(Oid relid);
extern int32 at_cold_segments(Oid relid);

/* The table with the segments of a store, locked; ERRCODE_AT_INTEGRITY if it is not there. */
extern Relation at_cold_open_store(int32 store, LOCKMODE mode);

/* Open, in the current context, in which a scan keeps what it has unpacked. */
extern AtColdScan *at_cold_open(Relation cold, Snapshot snapshot);

/* Start (again). What the probes point to must stay. */
extern void at_cold_start(AtColdScan *scan, const AtColdWanted *wanted);

/*
 * Put the next row into a slot of the table's columns, which is cleared at the end. Values
 * are valid until the next call. The row's tid is its segment and its place in it.
 */
extern bool at_cold_next(AtColdScan *scan, TupleTableSlot *slot);

/* Least and greatest tx_id of all; false without segments. */
extern bool at_cold_span(AtColdScan *scan, int64 *low, int64 *high);

/* How many rows there are by what audit.segment says, and how many segments. */
extern int64 at_cold_rows(AtColdScan *scan, int32 *segments);

extern AtColdCount at_cold_count(const AtColdScan *scan);
extern void at_cold_close(AtColdScan *scan);

/* The hash by which a filter is asked for a value of a column; AT_COLD_HAS_CONTEXT and so on
 * without one. */
extern uint64 at_cold_hash_text(AttrNumber column, const struct varlena *value);
extern uint64 at_cold_hash_int(AttrNumber column, int64 value);
extern uint64 at_cold_hash_mark(uint8 mark);

#endif
