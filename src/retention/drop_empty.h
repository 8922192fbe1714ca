/*-------------------------------------------------------------------------
 * drop_empty.h
 *		Partitions that a purge has emptied are dropped.
 *-------------------------------------------------------------------------
 */
#ifndef AT_DROP_EMPTY_H
#define AT_DROP_EMPTY_H

/* Register the keeper's step. */
extern void at_drop_empty_init(void);

#endif
