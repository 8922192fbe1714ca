/*-------------------------------------------------------------------------
 * collector.h
 *		The worker that records what other sessions told by way of the ring.
 *-------------------------------------------------------------------------
 */
#ifndef AT_COLLECTOR_H
#define AT_COLLECTOR_H

/* Register the worker's pass. */
extern void at_collector_init(void);

#endif
