/*-------------------------------------------------------------------------
 * ring_share.h
 *		What the ring has of each database, in its file.
 *
 * The caller of each function holds the lock of the ring.
 *-------------------------------------------------------------------------
 */
#ifndef AT_RING_SHARE_H
#define AT_RING_SHARE_H

#include "base/ring.h"
#include "base/shmem.h"

/* What one database has in the ring. */
typedef struct AtRingShare
{
	Oid database; /* InvalidOid: unused */
	uint32 cells;
	uint64 recorded; /* all records up to this number were removed */
	uint64 logged;   /* up to this number some went to the server's log */
	bool served;     /* it has a collector, or had one when the server was stopped */
	bool looks;      /* the collector will soon look by itself: nobody needs to wake it */
	NameData name;   /* right while it is served */

	/* all that was lost, and how much of it was told; after the teller's commit it is `telling` */
	AtRingLoss lost;
	AtRingLoss told;
	AtRingWriter teller;
	AtRingLoss telling;
} AtRingShare;

/* What is in the file; the cells follow. */
typedef struct AtRingKept
{
	uint64 number; /* of the newest record */
	uint8 id[AT_RING_ID];
	AtRingAside aside; /* what this file came in the place of */
	AtRingShare share[AT_MAX_DATABASES];
} AtRingKept;

/* Is there nothing to be remembered of a database? */
extern bool at_ring_share_is_unused(const AtRingShare *share);

/* The share of a database, or NULL. */
extern AtRingShare *at_ring_share_find(AtRingKept *kept, Oid database);

/* The same, a new one if need be; NULL if all are taken. */
extern AtRingShare *at_ring_share_of(AtRingKept *kept, Oid database);

/* The database that is served under this name, or InvalidOid. */
extern Oid at_ring_share_served_as(const AtRingKept *kept, const char *name);

#endif
