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

#endif
