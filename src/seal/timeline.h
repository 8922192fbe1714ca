/*-------------------------------------------------------------------------
 * timeline.h
 *		A control record in the log when the server is on another timeline.
 *
 * A timeline begins where a standby is promoted, or a backup is recovered to
 * a point in time. The system identifier stays, so nothing else in the
 * log would tell.
 *-------------------------------------------------------------------------
 */
#ifndef AT_TIMELINE_H
#define AT_TIMELINE_H

#include "ledger/log.h"

#define AT_KIND_TIMELINE "timeline"

/* Append the record, if this incarnation's last one (or 1) is another timeline. */
extern void at_timeline_seal(AtLogHead *head, int32 incarnation);

/* What was appended was committed. */
extern void at_timeline_sealed(void);

#endif
