/*-------------------------------------------------------------------------
 * attempt.h
 *		Trying something that may meet unreadable data.
 *-------------------------------------------------------------------------
 */
#ifndef AT_ATTEMPT_H
#define AT_ATTEMPT_H

/*
 * Call work(arg) in a subtransaction. If it raises an error, the
 * subtransaction is rolled back, *message gets the error's text, in the
 * caller's context, and false is returned. What work() opened is closed
 * then; what it allocated may be lost. Errors that are not about the data
 * (cancelled, out of memory, shutting down, a lock that was not to be had, a
 * deadlock) pass through.
 */
extern bool at_attempt(void (*work)(void *arg), void *arg, char **message);

/* The same, but a lock that was not to be had and a deadlock return false too. */
extern bool at_attempt_locking(void (*work)(void *arg), void *arg, char **message);

#endif
