/*-------------------------------------------------------------------------
 * batches.h
 *		Where in time events that are searched for may be, as the log tells.
 *
 * Each batch of the log says since when and until when its transactions began,
 * and of which tables and kinds its events are (ledger/tables_list.h); that is
 * under its seal. So most of what has no such events need not be read. What is
 * not sealed may have any; so may a batch whose list is missing, and, of events that are of no
 * table, one with others that are of none.
 *
 * Works within SPI, in the active snapshot, with the rights of the extension's owner, who reads all
 * of the ledger: what it gives is to be told to nobody, but may be used to choose what is read with
 * the rights of whoever asks.
 *-------------------------------------------------------------------------
 */
#ifndef AT_BATCHES_H
#define AT_BATCHES_H

#include "nodes/pg_list.h"
#include "utils/timestamp.h"

#include "query/params.h"

/* The columns that conditions may have: those of audit.events with the same names. */
#define AT_BATCH_COLUMNS                                                                           \
	"target_id, context, category, event_type, action, resource_type, table_schema, table_name"

typedef struct AtBatches AtBatches;

/* Transactions with from <= tx_at < until. */
typedef struct AtStretch
{
	TimestampTz from;
	TimestampTz until;
} AtStretch;

/*
 * For events that meet conditions, each with AND before it; the parameters are those of the
 * conditions and perhaps more. Both are kept, not copied. All that is found out is in the current
 * memory context until that ends.
 */
extern AtBatches *at_batches_open(const char *conditions, const AtParams *params);

/* How many entries the log has, which is no less than it has batches. */
extern int64 at_batches_count(const AtBatches *batches);

/* From here on there are transactions that are not sealed; DT_NOEND: none. */
extern TimestampTz at_batches_unsealed(const AtBatches *batches);

/*
 * Where a stretch begins that ends at until, and of which so many events are sealed: not before
 * since, and before until.
 */
extern TimestampTz at_batches_measure(TimestampTz since, TimestampTz until, int64 events);

/*
 * Parts of a stretch in which such events may be, the latest first, of AtStretch; NIL: there are
 * none. Parts with few events between them are told as one.
 */
extern List *at_batches_find(AtBatches *batches, AtStretch stretch);

#endif
