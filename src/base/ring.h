/*-------------------------------------------------------------------------
 * ring.h
 *		Records that survive a rollback: from all sessions, by way of shared
 *		memory, to the collector of their database.
 *
 * A record is bytes; the one who puts it and the collector agree on what they
 * mean. It is there once at_ring_put() has returned true, whatever becomes of
 * the transaction, and stays until the collector has removed it. All
 * databases share the memory (audit_trail.ring_size); one of them can have at
 * most half of it, so that one without a collector is not in the way of the others.
 *
 * Caveat: what is in the ring when the server crashes is lost; the collector
 * empties it within the second.
 *-------------------------------------------------------------------------
 */
#ifndef AT_RING_H
#define AT_RING_H

/* The longest record. */
#define AT_RING_MAX_RECORD 16384

/* A copy of the oldest records of this database. */
typedef struct AtRingBatch
{
	char *buffer; /* of size bytes, by the caller; at least AT_RING_MAX_RECORD + 64 */
	Size size;

	/* what was read; records follow each other, see at_ring_batch_next() */
	int count;
	Size used;
} AtRingBatch;

/* A record of a batch. */
typedef struct AtRingRecord
{
	uint64 number; /* grows from one record to the next */
	const char *data;
	Size len;
} AtRingRecord;

/* Install the request and start-up hooks; call from _PG_init during preload. */
extern void at_ring_init(void);

/* Is there a ring? Not without shared_preload_libraries. */
extern bool at_ring_ready(void);

/*
 * Put a record. If there is no room it wakes the collector and waits for some, at
 * most audit_trail.ring_timeout; then the record is lost, and counted. False if it
 * is lost, or if there is no ring. Raises nothing, and is not interrupted.
 */
extern bool at_ring_put(const char *record, Size len);

/*
 * For the collector: copy records; walk through the copy, *at being 0 at first; remove those up to
 * a number.
 */
extern void at_ring_read(AtRingBatch *batch);
extern bool at_ring_batch_next(const AtRingBatch *batch, Size *at, AtRingRecord *record);
extern void at_ring_remove(uint64 last);

/* How many records of this database were lost that nobody has told of yet; and: so many were told.
 */
extern uint64 at_ring_lost(void);
extern void at_ring_lost_told(uint64 count);

/* Throw away what a database has; for the launcher, when it is dropped. */
extern void at_ring_forget(Oid database);

#endif
