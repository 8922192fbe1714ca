/*-------------------------------------------------------------------------
 * reads.h
 *		Reading the trail is an event.
 *
 * A command of a client that reads events - audit.events, audit.history(),
 * the table or a partition - is recorded once, with its text, what it read
 * and how many rows that gave; also if it fails or is rolled back. It goes
 * through the ring (attempt.h), on a standby too.
 *
 * What verification, capture and the workers read below the executor is no
 * reading.
 *-------------------------------------------------------------------------
 */
#ifndef AT_READS_H
#define AT_READS_H

/* Install the hooks. */
extern void at_reads_init(void);

#endif
