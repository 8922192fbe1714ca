/*-------------------------------------------------------------------------
 * query_times.h
 *		How long queries of the trail took, as processes share it.
 *
 * Each count is a number of its own, so nobody waits: a copy that is made while others
 * count may lack a query in one place and have it in another.
 *-------------------------------------------------------------------------
 */
#ifndef AT_QUERY_TIMES_H
#define AT_QUERY_TIMES_H

#include "datatype/timestamp.h"
#include "port/atomics.h"

#include "core/histogram.h"

typedef struct AtQueryTimes
{
	pg_atomic_uint64 since; /* a TimestampTz */
	pg_atomic_uint64 longest;
	pg_atomic_uint64 count[AT_HISTOGRAM_BUCKETS];
} AtQueryTimes;

/* A copy; durations in microseconds. */
typedef struct AtQueryTimesView
{
	TimestampTz since;
	uint64 longest;
	uint64 count[AT_HISTOGRAM_BUCKETS];
} AtQueryTimesView;

/* When shared memory is made; then, and whenever counting is to begin anew. */
extern void at_query_times_init(AtQueryTimes *times);
extern void at_query_times_reset(AtQueryTimes *times);

extern void at_query_times_add(AtQueryTimes *times, uint64 microseconds);
extern void at_query_times_view(AtQueryTimes *times, AtQueryTimesView *view);

#endif
