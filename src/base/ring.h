/*-------------------------------------------------------------------------
 * ring.h
 *		Records that survive a rollback and a crash of the server: from all
 *		sessions, by way of shared memory, to the collector of their database.
 *
 * A record is bytes; the one who puts it and the collector agree on what they
 * mean. It is there once at_ring_put() has returned true, whatever becomes of
 * the transaction, and stays until the collector has removed it. All
 * databases share the memory (audit_trail.ring_size); one of them can have at
 * most half of it, so that one without a collector is not in the way of the others.
 *
 * The memory is a file (base/ring_file.h), so what is in it is still there when
 * a process was killed and the server starts anew, or when it was
 * stopped. The collector says beside a record which transaction
 * of its own records it, so that whoever comes next can look whether that was committed.
 *
 * Caveat: what is in the ring when the operating system goes down is lost. The collector
 * empties it within the second.
 *-------------------------------------------------------------------------
 */
#ifndef AT_RING_H
#define AT_RING_H

#include "datatype/timestamp.h"

#include "base/ring_file.h"

/* The longest record. */
#define AT_RING_MAX_RECORD 16384

/* A copy of the oldest records of this database. */
typedef struct AtRingBatch
{
	char *buffer; /* of size bytes, by the caller; at least AT_RING_MAX_RECORD + 64 */
	Size size;
	bool looks_again; /* soon, also if there is nothing now: nobody has to wake the collector */

	/* what was read; records follow each other, see at_ring_batch_next() */
	int count;
	Size used;
} AtRingBatch;

/* A transaction that records something that is in the ring, by the key of its row; 0: none. */
typedef struct AtRingWriter
{
	uint64 tx_id;
	TimestampTz tx_at;
} AtRingWriter;

/* A record of a batch. */
typedef struct AtRingRecord
{
	uint64 number; /* grows from one record to the next */
	const char *data;
	Size len;
	AtRingWriter writer; /* the last one that was to record it; it is recorded if that committed */
	uint32 cell;         /* where it is, for at_ring_set_writer() */
} AtRingRecord;

/* Install the request and start-up hooks; call from _PG_init during preload. */
extern void at_ring_init(void);

/* What becomes of a record. */
typedef enum AtRingOutcome
{
	AT_RING_TAKEN,
	AT_RING_DROPPED, /* there was no room, and audit_trail.ring_full says not to wait */
	AT_RING_LATE     /* there was none for as long as it can wait; or there is no ring */
} AtRingOutcome;

/* Is there a ring? Not without shared_preload_libraries. */
extern bool at_ring_ready(void);

/* What one does about a lack of room. */
typedef enum AtRingPatience
{
	AT_RING_AS_SET, /* what audit_trail.ring_full says: drop the record at once, or wait for room */
	AT_RING_WAITS,  /* wait, whatever that says */
	AT_RING_AT_ONCE /* do not wait, nor drop it */
} AtRingPatience;

/*
 * Put a record for the collector of a database. It waits for room at most
 * audit_trail.ring_timeout. What was not taken is counted. Raises nothing, and is not interrupted.
 */
extern AtRingOutcome at_ring_put(Oid database, const char *record, Size len,
								 AtRingPatience patience);

/* What has become of a record, as far as is known. */
typedef enum AtRingFate
{
	AT_RING_RECORDED, /* it is on disk, in a trail */
	AT_RING_LOGGED,   /* it came no further than the server's log */
	AT_RING_WAITING   /* it is still in the ring */
} AtRingFate;

/*
 * Wait until the records that this process has put last were removed, but no longer than some
 * milliseconds. Can be interrupted.
 */
extern AtRingFate at_ring_wait(int64 timeout);

/* What tells these numbers from those of other rings, of this server's past too. */
#define AT_RING_ID 16
extern const uint8 *at_ring_id(void);

/*
 * The database whose collector takes what happens in this one, which is known by its oid or by its
 * name: itself, or else audit_trail.cluster_database. InvalidOid if there is none.
 */
extern Oid at_ring_addressee(Oid database, const char *name);

/* For the collector: it takes the records of this database, which has this name; or no more. */
extern void at_ring_serve(const char *name);
extern void at_ring_leave(void);

/*
 * For the collector: copy records; walk through the copy, *at being 0 at first; remove some, by
 * their numbers, which ascend.
 */
extern void at_ring_read(AtRingBatch *batch);
extern bool at_ring_batch_next(const AtRingBatch *batch, Size *at, AtRingRecord *record);
extern void at_ring_remove(const uint64 *numbers, int count);

/* A transaction is about to commit that records this. */
extern void at_ring_set_writer(const AtRingRecord *record, const AtRingWriter *writer);

/*
 * All that was read up to a number has been removed: tell those who wait; and whether that was
 * recorded in a trail, or went to the server's log.
 */
extern void at_ring_recorded(uint64 last, bool in_trail);

/* Records of this database that no collector gets. */
typedef struct AtRingLoss
{
	uint64 dropped; /* there was no room */
	uint64 late;    /* there was none, and they are in the server's log */
	uint64 broken;  /* half-written by a process that was killed, or damaged */
	uint64 aside;   /* in files that were set aside: they may be in the trail or not */
	uint64 files;   /* so many may have had records of this database */
} AtRingLoss;

/* Count one more that is broken. */
extern void at_ring_count_broken(void);

/* How many there were that nobody has told of yet. */
extern AtRingLoss at_ring_loss(void);

/* The file that was set aside. */
extern const AtRingAside *at_ring_aside(void);

/*
 * A transaction is about to commit that tells of so much; it has done so, as far as the ring is
 * concerned; and which one was to tell, of which that is not known: tx_id 0 if there is none.
 */
extern void at_ring_loss_telling(const AtRingLoss *loss, const AtRingWriter *writer);
extern void at_ring_loss_told(void);
extern AtRingWriter at_ring_loss_teller(void);

/* Throw away what a database has; for the launcher, when it is dropped or has no ledger. */
extern void at_ring_forget(Oid database);

/* Databases that have something in the ring; at most AT_MAX_DATABASES. Returns how many. */
extern int at_ring_databases(Oid *databases);

#endif
