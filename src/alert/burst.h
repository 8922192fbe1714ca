/*-------------------------------------------------------------------------
 * burst.h
 *		Are there too many events in a window of time?
 *-------------------------------------------------------------------------
 */
#ifndef AT_BURST_H
#define AT_BURST_H

#include "alert/rule.h"

/* The events of one actor, in the order of their times. */
typedef struct AtBurst
{
	const AtRule *rule;
	TimestampTz *last;   /* the last more_than + 1 times, in a ring */
	int64 count;         /* all that there were */
	TimestampTz alerted; /* of the last alert; 0: none */
} AtBurst;

/* Begin with none, in the current memory context. */
extern void at_burst_begin(AtBurst *burst, const AtRule *rule);

/*
 * One more event, not before the one before. True if it makes a burst: it is the last of more than
 * the rule's number of events in its time, and there was no alert for that time.
 */
extern bool at_burst_add(AtBurst *burst, TimestampTz at);

#endif
