/*-------------------------------------------------------------------------
 * histogram.h
 *		Counts of durations in buckets that grow with the duration.
 *
 * A duration is a whole number of microseconds. Below 8 each has a bucket of
 * its own; from there on each doubling has eight, so that a bucket's limits
 * differ by an eighth at most. The last one has all that is longer than
 * about an hour and a quarter.
 *-------------------------------------------------------------------------
 */
#ifndef AT_HISTOGRAM_H
#define AT_HISTOGRAM_H

#include <stdint.h>

#define AT_HISTOGRAM_BUCKETS 240

/* The bucket of a duration. */
extern int at_histogram_bucket(uint64_t microseconds);

/* The longest duration of a bucket; of the last one, the shortest of all that are longer. */
extern uint64_t at_histogram_limit(int bucket);

/*
 * The duration that at least this part of all do not exceed (0 < part <= 1): the
 * limit of the bucket in which it lies. 0 if nothing was counted.
 */
extern uint64_t at_histogram_quantile(const uint64_t counts[AT_HISTOGRAM_BUCKETS], double part);

/* How many were counted. */
extern uint64_t at_histogram_total(const uint64_t counts[AT_HISTOGRAM_BUCKETS]);

#endif
