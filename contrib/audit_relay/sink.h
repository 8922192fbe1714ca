/*-------------------------------------------------------------------------
 * sink.h
 *		A sink: a thread with its own connection to the database and its own
 *		place in what is told, so that none waits for another.
 *-------------------------------------------------------------------------
 */
#ifndef AT_SINK_H
#define AT_SINK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "alert.h"
#include "config.h"

/* How it goes. */
typedef struct AtSinkStatus
{
	bool is_connected;         /* to the database */
	int64_t delivery_id;       /* its place: all before is dealt with */
	int64_t waiting_since;     /* when the alert was told that it tries to deliver; 0: it has all */
	uint64_t delivered;        /* since it was started */
	uint64_t failures;         /* likewise: attempts */
	uint64_t dead_letters;     /* likewise */
	int in_a_row;              /* failures since the last success */
	time_t last_delivery;      /* 0: none yet */
	char error[AT_REASON_MAX]; /* the last one; empty: there was none since the last success */
} AtSinkStatus;

typedef struct AtSink AtSink;

/* Start a sink of this configuration, which must outlive it; NULL if there are no resources. */
extern AtSink *at_sink_start(const AtConfig *config, const AtSinkConfig *sink);

/* Ask it to end: what it has in its hands it delivers, or leaves for the next time. */
extern void at_sink_stop(AtSink *sink);

/* Wait until it has ended, and free it. */
extern void at_sink_join(AtSink *sink);

extern void at_sink_status(AtSink *sink, AtSinkStatus *status);

#endif
