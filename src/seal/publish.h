/*-------------------------------------------------------------------------
 * publish.h
 *		Signing the head of the log and publishing it.
 *
 * The order is: commit, flush, compare with what was signed last, sign,
 * append to the checkpoint file, sync. A crash at any place leads to the same
 * head being signed later, or a larger one: what was committed and flushed
 * stays as it is, and a signature of Ed25519 is the same each time.
 *
 * When a pass begins, what an earlier one could not publish is tried first.
 * So a log whose file has no checkpoint yet ends in its first key, and one
 * that goes on behind that has lost its file.
 *-------------------------------------------------------------------------
 */
#ifndef AT_PUBLISH_H
#define AT_PUBLISH_H

/*
 * Sign and publish the head, if a key is configured and the head is not
 * published. Called outside of a transaction. What is in the way is reported
 * in the server's log, once; sealing does not depend on it.
 */
extern void at_publish(void);

/* Did the last at_publish() of this process leave nothing to do? */
extern bool at_publish_is_done(void);

#endif
