/*-------------------------------------------------------------------------
 * default_rows.h
 *		Rows of audit.event and audit.transaction that are in default partitions,
 *		because nobody had made a partition for them.
 *
 * They come there when the keeper has not run for months, and when the clock was
 * wrong. They are read, sealed and purged as others; but while they are there no
 * partition can be made for their month, and it is not archived.
 *-------------------------------------------------------------------------
 */
#ifndef AT_DEFAULT_ROWS_H
#define AT_DEFAULT_ROWS_H

#include "datatype/timestamp.h"

/* Has the default partition of a class rows of this time? In SPI, as the owner; as what follows. */
extern bool at_default_has(const char *table, int class, TimestampTz from, TimestampTz until);

/*
 * The oldest month (its first moment) that has rows in the default partition of a class; false
 * without any.
 */
extern bool at_default_first_month(const char *table, int class, TimestampTz *month);

/*
 * Move rows of this time to a table that is to be attached for them in this transaction; returns
 * how many. The default partition is locked to its end, so whoever writes into it, or reads the
 * whole table, waits for that.
 */
extern uint64 at_default_move(const char *table, int class, TimestampTz from, TimestampTz until,
							  const char *to);

/*
 * Promise that a default partition has no rows of a time that is yet to come, so that partitions
 * for it can be attached without reading the default one under a lock that writers wait for. Three
 * steps: the promise, which takes such a lock for a moment and nothing else; in a later transaction
 * the proof, which reads, and which nobody waits for; the attachments; and in the same transaction
 * as these two the end of it. Rows are written without regard to it, and to the planner an unproved
 * promise says nothing: one that a crash leaves is made anew. The last two do nothing where nothing
 * is promised.
 */
extern void at_default_promise(const char *table, int class, TimestampTz from, TimestampTz until);
extern void at_default_prove(const char *table, int class);
extern void at_default_release(const char *table, int class);

/* Is there anything in the default partition of a class, whatever its time? */
extern bool at_default_is_filled(const char *table, int class);

#endif
