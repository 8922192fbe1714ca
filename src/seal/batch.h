/*-------------------------------------------------------------------------
 * batch.h
 *		A batch being sealed: its tiles, its tree, and its entry in the log.
 *-------------------------------------------------------------------------
 */
#ifndef AT_BATCH_H
#define AT_BATCH_H

#include "ledger/log.h"
#include "ledger/read.h"

/*
 * Seal the transactions of a window as one batch of an incarnation, and
 * append it to the log with `snapshot` as its text (NULL: all that is left).
 * Writes nothing and returns false if there are none. Transactions that
 * contradict their own digest are sealed as they are, named in the entry's
 * payload, and each reported with a WARNING. `careful`: some of them may have entries in
 * deferred indexes.
 */
extern bool at_batch_seal(AtLogHead *head, int32 incarnation, const AtWindow *window,
						  const char *snapshot_text, Snapshot snapshot, bool careful);

#endif
