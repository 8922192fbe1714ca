/*-------------------------------------------------------------------------
 * histogram.c
 *		Counts of durations in buckets that grow with the duration.
 *-------------------------------------------------------------------------
 */
#include "core/histogram.h"

#define STEPS_BITS 3
#define STEPS      (1 << STEPS_BITS) /* buckets of a doubling */

int
at_histogram_bucket(uint64_t microseconds)
{
	int shift = 0;
	int bucket;

	/* the leading one and the bits behind it name the bucket */
	while (microseconds >> shift >= 2 * STEPS)
		shift++;
	bucket = shift * STEPS + (int) (microseconds >> shift);
	return bucket < AT_HISTOGRAM_BUCKETS ? bucket : AT_HISTOGRAM_BUCKETS - 1;
}

/* The shortest duration of a bucket. */
static uint64_t
start_of(int bucket)
{
	int shift = bucket < 2 * STEPS ? 0 : bucket / STEPS - 1;

	return (uint64_t) (bucket - shift * STEPS) << shift;
}

uint64_t
at_histogram_limit(int bucket)
{
	return bucket < AT_HISTOGRAM_BUCKETS - 1 ? start_of(bucket + 1) - 1 : start_of(bucket);
}

uint64_t
at_histogram_total(const uint64_t counts[AT_HISTOGRAM_BUCKETS])
{
	uint64_t total = 0;

	for (int i = 0; i < AT_HISTOGRAM_BUCKETS; i++)
		total += counts[i];
	return total;
}

uint64_t
at_histogram_quantile(const uint64_t counts[AT_HISTOGRAM_BUCKETS], double part)
{
	uint64_t total = at_histogram_total(counts);
	double wanted = part * (double) total * (1 - 1e-12); /* 0.07 * 100 is more than 7 */
	uint64_t seen = 0;

	for (int i = 0; i < AT_HISTOGRAM_BUCKETS; i++)
	{
		seen += counts[i];
		if (seen > 0 && (double) seen >= wanted)
			return at_histogram_limit(i);
	}
	return 0;
}
