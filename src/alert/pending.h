/*-------------------------------------------------------------------------
 * pending.h
 *		Alerts that are to be told the first time, and requests to tell one
 *		again: what has settled since the last pass, in the order of commits.
 *
 * The window of a pass is read once and told in portions. It stays the same
 * until nothing is left of it, whatever settles meanwhile; only then the
 * cursor of the passes moves to its end.
 *-------------------------------------------------------------------------
 */
#ifndef AT_PENDING_H
#define AT_PENDING_H

/*
 * Read the window from this snapshot (NULL: from the beginning) to the active
 * one, unless there is one already for this pass. Needs SPI.
 */
extern void at_pending_read(int64 pass_id, const char *since);

/* Tell the next alerts of the window, at most so many; returns how many were taken. Needs SPI. */
extern int at_pending_tell(int limit);

/* So many were told and committed, or with -1 none: the transaction was rolled back. */
extern void at_pending_taken(int count);

/* Is nothing left when so many are taken? */
extern bool at_pending_ends(int taken);

/* Alerts that the window had so far, and the snapshot at its end. */
extern int64 at_pending_count(void);
extern const char *at_pending_until(void);

#endif
