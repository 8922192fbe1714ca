/*-------------------------------------------------------------------------
 * test_calendar.c
 *		Times as text: the days that a calendar gets wrong, and all days near.
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "check.h"
#include "core/calendar.h"
#include "evidence_sample.h"

#define SECOND INT64_C(1000000)
#define DAY    (86400 * SECOND)

static bool
is_written(void (*out)(AtOutput *, int64_t), int64_t time, const char *text)
{
	char buffer[100];
	AtWriter writer = at_writer(buffer, sizeof(buffer));
	AtOutput output;

	at_output_start(&output, sample_take, &writer);
	out(&output, time);
	return at_output_end(&output) == AT_OK &&
		   at_text_equal((AtText){buffer, writer.len}, at_text(text));
}

static void
test_known(void)
{
	check(is_written(at_out_time, 0, "1970-01-01T00:00:00.000000Z"), "the epoch");
	check(is_written(at_out_time, -1, "1969-12-31T23:59:59.999999Z"), "right before it");
	check(is_written(at_out_time, INT64_C(1795330800000042), "2026-11-22T07:00:00.000042Z"),
		  "a day");
	check(is_written(at_out_time, INT64_C(951782400000000), "2000-02-29T00:00:00.000000Z"),
		  "a leap day of a century");
	check(is_written(at_out_time, INT64_C(4107542400000000), "2100-03-01T00:00:00.000000Z"),
		  "a century without one");
	check(is_written(at_out_time, INT64_C(-62135596800000000), "0001-01-01T00:00:00.000000Z"),
		  "the first year");
	check(is_written(at_out_time, INT64_C(-62167219200000001), "-0001-12-31T23:59:59.999999Z"),
		  "a year before it");
	check(is_written(at_out_time, INT64_MAX, "294247-01-10T04:00:54.775807Z"), "the last moment");
	check(is_written(at_out_time, INT64_MIN, "-290308-12-21T19:59:05.224192Z"), "the first one");
	check(is_written(at_out_long_time, INT64_C(1795330800000042),
					 "22 November 2026, 07:00:00.000042 UTC"),
		  "in words");
}

/* Every day of 800 years, by the C library. */
static void
test_days(void)
{
	int wrong = 0;

	for (int64_t day = -146097; day < 146097; day++)
	{
		time_t seconds = (time_t) (day * 86400);
		struct tm tm = *gmtime(&seconds);
		char text[64];

		snprintf(text, sizeof(text), "%04d-%02d-%02dT00:00:00.000001Z", tm.tm_year + 1900,
				 tm.tm_mon + 1, tm.tm_mday);
		wrong += !is_written(at_out_time, day * DAY + 1, text);
	}
	check(wrong == 0, "every day from 1570 to 2369");
}

int
main(void)
{
	test_known();
	test_days();
	return check_done();
}
