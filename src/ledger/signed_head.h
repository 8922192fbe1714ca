/*-------------------------------------------------------------------------
 * signed_head.h
 *		May the head of the log be signed, after what was signed last?
 *
 * Never two roots for one size: the log must have the last checkpoint of the
 * checkpoint file as its beginning. If it has not (the database was set back,
 * copied, or changed, or the file was), an entry of kind "declared" that names
 * exactly that checkpoint lets the log go on.
 *-------------------------------------------------------------------------
 */
#ifndef AT_SIGNED_HEAD_H
#define AT_SIGNED_HEAD_H

#include "utils/snapshot.h"

#include "core/checkpoint.h"
#include "ledger/log.h"

#define AT_KIND_DECLARED "declared"

/*
 * What speaks against it, in the current context; NULL if nothing does.
 * `last` is NULL where the file has no checkpoint; `origin` is the name of
 * the key that would sign. The snapshot is active.
 */
extern char *at_signed_head_problem(const AtCheckpoint *last, const char *origin,
									const AtMerkle *head, Snapshot snapshot);

/* Is this checkpoint the head, by size and root? */
extern bool at_signed_head_is(const AtCheckpoint *last, const AtMerkle *head);

/* Append an entry that lets the log go on after this checkpoint, or after none. */
extern void at_signed_head_declare(AtLogHead *head, int32 incarnation, const AtCheckpoint *last,
								   const char *reason);

#endif
