/*-------------------------------------------------------------------------
 * gone.h
 *		Leaves that an archive does not have, and the orders that excuse them.
 *
 * An order to purge stands behind the batches that it is about, so both are
 * collected and compared at the end: 24 bytes for each run of leaves.
 *-------------------------------------------------------------------------
 */
#ifndef AT_GONE_H
#define AT_GONE_H

#include "core/archive.h"
#include "result.h"

/* Leaves in a row of one batch. */
typedef struct AtGoneRun
{
	uint64_t log_index;
	uint64_t first;
	uint64_t count;
} AtGoneRun;

/* A list of leaves that an order has. */
typedef struct AtGoneOrder
{
	uint64_t deletion_id;
	size_t first; /* in ordered */
	size_t count;
} AtGoneOrder;

typedef struct AtGone
{
	size_t run_count; /* what is not there, in the order of the log */
	size_t run_max;
	AtGoneRun *run;

	size_t ordered_count;
	size_t ordered_max;
	AtGoneRun *ordered;

	size_t order_count;
	size_t order_max;
	AtGoneOrder *order;
} AtGone;

/* A leaf that is not there: the archive's last item was G. */
extern void at_gone_add(AtGone *gone, const AtArchive *archive);

/* The list of the order that the archive has last read, whose hash was right. */
extern void at_gone_order(AtGone *gone, const AtArchive *archive, AtSpan list);

/* An entry: if it cancels an order, that excuses nothing. */
extern void at_gone_entry(AtGone *gone, AtSpan bytes);

/* Is everything that is not there in the list of an order? False, with faults said, if not. */
extern bool at_gone_check(AtGone *gone, AtResult *result);

extern void at_gone_free(AtGone *gone);

#endif
