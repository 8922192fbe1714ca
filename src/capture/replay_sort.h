/*-------------------------------------------------------------------------
 * replay_sort.h
 *		Events and rows of a replay in the order in which they are applied.
 *-------------------------------------------------------------------------
 */
#ifndef AT_REPLAY_SORT_H
#define AT_REPLAY_SORT_H

#include "capture/replay.h"

typedef struct AtReplaySort AtReplaySort;

/* By group, then time, tx_id and ordinal; or without the group. Takes work_mem. */
extern AtReplaySort *at_replay_sort_begin(bool by_group);

/* Add a copy of the event; a group that is NULL is an empty one. */
extern void at_replay_sort_put(AtReplaySort *sort, struct varlena *group,
							   const AtReplayEvent *event);

/* All is added: the next one, in order; valid until the next call. False at the end. */
extern bool at_replay_sort_next(AtReplaySort *sort, struct varlena **group, AtReplayEvent *event);

extern void at_replay_sort_end(AtReplaySort *sort);

#endif
