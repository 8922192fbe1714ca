/*-------------------------------------------------------------------------
 * settled.h
 *		Which transactions had ended in a snapshot, by its text
 *		"xmin:xmax:xip,xip,..." (type pg_snapshot).
 *
 * The log keeps these texts: between two of them lies what a batch seals.
 *-------------------------------------------------------------------------
 */
#ifndef AT_SETTLED_H
#define AT_SETTLED_H

#include "core/body.h"

typedef struct AtSettled
{
	int64 xmax;   /* no transaction from this one on had ended */
	int nrunning; /* those before xmax that had not, in ascending order */
	int64 *running;
} AtSettled;

/* Read a text, into the current context; false if it is none. */
extern bool at_settled_parse(AtSpan text, AtSettled *settled);

/* Had the transaction ended? */
extern bool at_settled_has(const AtSettled *settled, int64 xid);

/* The text of the active snapshot, in the current context. */
extern char *at_settled_now(void);

/*
 * The same, or where that has more than so many bytes a text of a bit less
 * that has not: it ends at a transaction that runs, and all from there on are
 * told as if they had not begun. So what it says had ended had, and it never
 * takes back what an earlier text said: of the transactions that ran then no
 * more can be running now.
 */
extern char *at_settled_now_within(int max);

#endif
