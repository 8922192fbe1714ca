/*-------------------------------------------------------------------------
 * latency.h
 *		How long queries of the trail take: the planner and what the executor
 *		does for it, without the time in which a cursor waits for its client.
 *
 * A query is one of the trail if it reads audit.event or audit.transaction,
 * by whatever view or function. Counted are queries of clients that came to
 * their end; one that such a query calls is counted too.
 *-------------------------------------------------------------------------
 */
#ifndef AT_LATENCY_H
#define AT_LATENCY_H

/* Install the hooks of planner and executor. */
extern void at_latency_init(void);

#endif
