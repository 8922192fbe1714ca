/*-------------------------------------------------------------------------
 * told.h
 *		The other rooms hear of a recorded change of a row (ledger/hooks.h).
 *-------------------------------------------------------------------------
 */
#ifndef AT_TOLD_H
#define AT_TOLD_H

#include "capture/delta.h"
#include "capture/row.h"

/*
 * Tell the event of a change whose op the policy watches. The slots are
 * deformed, as the delta has left them.
 */
extern void at_told_row(const AtPolicy *policy, const AtRowChange *change, const AtDelta *delta,
						const AtEvent *event, AtEventName name);

/*
 * Tell the event of an insert that a row has come with from another partition, as an
 * update: former is what the event of the delete tells of it.
 */
extern void at_told_move(const AtPolicy *policy, const AtRowChange *change, const AtEvent *event,
						 AtEventName name, const struct varlena *former);

/* Tell that a relation was emptied. */
extern void at_told_emptied(const AtPolicy *policy, const AtEvent *event, AtEventName name);

#endif
