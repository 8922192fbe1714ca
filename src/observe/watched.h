/*-------------------------------------------------------------------------
 * watched.h
 *		Tables of which reading is recorded: a cache over audit.policy, one
 *		entry a relation that is read, whether it is watched or not.
 *-------------------------------------------------------------------------
 */
#ifndef AT_WATCHED_H
#define AT_WATCHED_H

#include "nodes/bitmapset.h"

/* Belongs to the cache; right until control goes back to what may change the catalog. */
typedef struct AtWatched
{
	Oid relid; /* what is read: the table, a partition or a child */
	bool valid;
	bool watched; /* the rest is right only then */
	Oid root;     /* the table whose policy it is */
	int32 target_id;
	bool query;         /* the text of the statement is told */
	bool limited;       /* only statements that read one of these columns */
	Bitmapset *columns; /* less FirstLowInvalidHeapAttributeNumber, as a query has them */
	MemoryContext memory;

	/* the columns of the last statement, and what is told of them: most are alike */
	Bitmapset *last_read;
	char *last_members;
} AtWatched;

/* The entry of a relation; NULL if reading it is not recorded. Needs a transaction. */
extern AtWatched *at_watched_find(Oid relid);

/* Are these columns, of a query, some whose reading is recorded? */
extern bool at_watched_reads(const AtWatched *watched, const Bitmapset *columns);

/*
 * Members of a JSON object: the names of columns, as far as AT_MAX_DISPATCH_TEXT bytes have room
 * for them, and how many more there are. A row as a whole is "*".
 */
extern const char *at_watched_members(AtWatched *watched, const Bitmapset *columns);

/* Register the invalidation callback. */
extern void at_watched_init(void);

#endif
