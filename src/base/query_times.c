/*-------------------------------------------------------------------------
 * query_times.c
 *		How long queries of the trail took, as processes share it.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "base/query_times.h"

void
at_query_times_init(AtQueryTimes *times)
{
	pg_atomic_init_u64(&times->since, 0);
	pg_atomic_init_u64(&times->longest, 0);
	for (int i = 0; i < AT_HISTOGRAM_BUCKETS; i++)
		pg_atomic_init_u64(&times->count[i], 0);
}

void
at_query_times_reset(AtQueryTimes *times)
{
	pg_atomic_write_u64(&times->since, (uint64) GetCurrentTimestamp());
	pg_atomic_write_u64(&times->longest, 0);
	for (int i = 0; i < AT_HISTOGRAM_BUCKETS; i++)
		pg_atomic_write_u64(&times->count[i], 0);
}

void
at_query_times_add(AtQueryTimes *times, uint64 microseconds)
{
	uint64 longest = pg_atomic_read_u64(&times->longest);

	pg_atomic_fetch_add_u64(&times->count[at_histogram_bucket(microseconds)], 1);
	while (longest < microseconds &&
		   !pg_atomic_compare_exchange_u64(&times->longest, &longest, microseconds))
		;
}

void
at_query_times_view(AtQueryTimes *times, AtQueryTimesView *view)
{
	view->since = (TimestampTz) pg_atomic_read_u64(&times->since);
	view->longest = pg_atomic_read_u64(&times->longest);
	for (int i = 0; i < AT_HISTOGRAM_BUCKETS; i++)
		view->count[i] = pg_atomic_read_u64(&times->count[i]);
}
