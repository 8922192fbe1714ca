/*-------------------------------------------------------------------------
 * archive_month.h
 *		Archiving a month: its partitions become segments (ledger/cold.h).
 *
 * All of it happens in the transaction of the caller: until that commits the
 * partitions are what they were, and after that they are archived. It should
 * commit at once, since it then holds locks that others wait for.
 *-------------------------------------------------------------------------
 */
#ifndef AT_ARCHIVE_MONTH_H
#define AT_ARCHIVE_MONTH_H

#include "ledger/cold_build.h"
#include "retention/due.h"

typedef struct AtArchived
{
	AtMonth month;
	AtColdTotals events;
	AtColdTotals transactions;
	int64 hot_bytes;  /* of the partitions with their indexes */
	int64 cold_bytes; /* of the stores, likewise */
} AtArchived;

/*
 * Archive the oldest month of a class (0: of any) that ended before a time; false if there is
 * none.
 * Raises ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE where the month is not sealed,
 * or was written meanwhile, ERRCODE_LOCK_NOT_AVAILABLE if partitions were in use
 * all the time, ERRCODE_AT_INTEGRITY where rows are in no index.
 */
extern bool at_archive_month(int16 retention_class, TimestampTz before, AtArchived *archived);

/* Register the keeper's step, after the keeper. */
extern void at_archive_month_init(void);

#endif
