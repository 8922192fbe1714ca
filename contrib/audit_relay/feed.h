/*-------------------------------------------------------------------------
 * feed.h
 *		The database: alerts as they are told, in their order.
 *
 * A feed belongs to one thread.
 *-------------------------------------------------------------------------
 */
#ifndef AT_FEED_H
#define AT_FEED_H

#include <stdbool.h>
#include <stdint.h>

#include "alert.h"

/* A place in the order of what is told on a channel. */
typedef struct AtPlace
{
	int64_t delivery_id; /* 0: the begin */
	char told_at[64];    /* when that was told, as the database writes it */
} AtPlace;

typedef struct AtFeed AtFeed;

/* Connect and LISTEN: only what is told after this can be waited for. NULL, and a reason, if not.
 */
extern AtFeed *at_feed_open(const char *conninfo, const char *channel, const char *source,
							char reason[AT_REASON_MAX]);

/*
 * Is the place one of this database? If not, the database was set back, or is another one:
 * then it becomes the last place that was told by that time. False: the query failed.
 */
extern bool at_feed_find(AtFeed *feed, AtPlace *place, bool *was_set_back,
						 char reason[AT_REASON_MAX]);

/* The place behind all that was told so far. */
extern bool at_feed_end(AtFeed *feed, AtPlace *place, char reason[AT_REASON_MAX]);

/* Read what comes after a place, some of it; returns how many there are, -1 if the query failed. */
extern int at_feed_read(AtFeed *feed, const AtPlace *place, char reason[AT_REASON_MAX]);

/* One of these. */
extern void at_feed_get(const AtFeed *feed, int number, AtAlert *alert);

/* Note in the database what became of an alert; false if that failed. */
extern bool at_feed_report(AtFeed *feed, const AtAlert *alert, const char *sink, bool delivered,
						   int attempts, const char *detail, char reason[AT_REASON_MAX]);

/*
 * Wait until something may have been told, at most so long, or until a byte can be read from
 * stop_fd. False if the connection is gone.
 */
extern bool at_feed_wait(AtFeed *feed, int stop_fd, int timeout_ms, char reason[AT_REASON_MAX]);

extern void at_feed_close(AtFeed *feed);

#endif
