/*-------------------------------------------------------------------------
 * aside.h
 *		Workers step aside for commands that want a database to themselves.
 *-------------------------------------------------------------------------
 */
#ifndef AT_ASIDE_H
#define AT_ASIDE_H

/* Install the utility hook; needs shared memory, so only during preload. */
extern void at_aside_init(void);

#endif
