/*-------------------------------------------------------------------------
 * test_histogram.c
 *		Buckets of durations, and quantiles of what is in them.
 *-------------------------------------------------------------------------
 */
#include "check.h"
#include "core/histogram.h"

static void
test_buckets(void)
{
	bool exact = true;
	bool within = true;
	bool narrow = true;

	for (int i = 0; i < 16; i++)
		exact = exact && at_histogram_bucket(i) == i && at_histogram_limit(i) == i;
	check(exact, "short durations have buckets of their own");
	for (int i = 1; i < AT_HISTOGRAM_BUCKETS - 1; i++)
	{
		uint64_t first = at_histogram_limit(i - 1) + 1;
		uint64_t last = at_histogram_limit(i);

		within = within && at_histogram_bucket(first) == i && at_histogram_bucket(last) == i;
		narrow = narrow && last - first <= first / 8;
	}
	check(within, "a bucket begins where the one before ends");
	check(narrow, "its limits differ by an eighth at most");
	check(at_histogram_bucket(UINT64_MAX) == AT_HISTOGRAM_BUCKETS - 1,
		  "the last has all longer ones");
	check(at_histogram_limit(AT_HISTOGRAM_BUCKETS - 1) ==
			  at_histogram_limit(AT_HISTOGRAM_BUCKETS - 2) + 1,
		  "and tells the shortest of them");
	check(at_histogram_limit(AT_HISTOGRAM_BUCKETS - 1) > UINT64_C(3600000000), "an hour is told");
}

static void
test_quantiles(void)
{
	uint64_t counts[AT_HISTOGRAM_BUCKETS] = {0};

	check(at_histogram_quantile(counts, 0.5) == 0, "nothing has no quantile");
	check(at_histogram_total(counts) == 0, "and is nothing");
	for (uint64_t us = 1; us <= 100; us++)
		counts[at_histogram_bucket(us * 10)]++;
	check(at_histogram_total(counts) == 100, "all are counted");
	for (int percent = 1; percent <= 100; percent++)
	{
		uint64_t found = at_histogram_quantile(counts, percent / 100.0);

		if (found < percent * 10 || found > percent * 10 + percent * 10 / 8)
			check(false, "a quantile is the value, or an eighth more");
	}
	check(at_histogram_quantile(counts, 0.0001) >= 10, "a small part is the first that is there");
	counts[AT_HISTOGRAM_BUCKETS - 1] = 1000;
	check(at_histogram_quantile(counts, 0.5) == at_histogram_limit(AT_HISTOGRAM_BUCKETS - 1),
		  "what is beyond all limits is told as the limit");
}

int
main(void)
{
	test_buckets();
	test_quantiles();
	return check_done();
}
