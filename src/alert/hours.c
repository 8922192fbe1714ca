/*-------------------------------------------------------------------------
 * hours.c
 *		Hours of the day, such as "22:00-06:00 Europe/Berlin".
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "alert/hours.h"

static bool read_minute(const char **at, int *minute);

bool
at_hours_read(const char *text, AtHours *hours)
{
	const char *at = text;

	if (!read_minute(&at, &hours->from) || *at++ != '-' || !read_minute(&at, &hours->until) ||
		hours->from == hours->until)
		return false;
	if (*at == '\0')
		hours->zone = pg_tzset("UTC");
	else
		hours->zone = *at == ' ' ? pg_tzset(at + 1) : NULL;
	return hours->zone != NULL && pg_tz_acceptable(hours->zone);
}

/* HH:MM, of which 24:00 is the last. */
static bool
read_minute(const char **at, int *minute)
{
	const char *text = *at;

	for (int i = 0; i < 5; i++)
		if (i == 2 ? text[i] != ':' : text[i] < '0' || text[i] > '9')
			return false;

	int hour = (text[0] - '0') * 10 + text[1] - '0';
	int rest = (text[3] - '0') * 10 + text[4] - '0';

	*minute = hour * MINS_PER_HOUR + rest;
	*at += 5;
	return rest < MINS_PER_HOUR && *minute <= HOURS_PER_DAY * MINS_PER_HOUR;
}

bool
at_hours_contain(const AtHours *hours, TimestampTz at)
{
	pg_time_t seconds = timestamptz_to_time_t(at);
	struct pg_tm *local = pg_localtime(&seconds, hours->zone);
	int minute;

	if (local == NULL)
		return true;
	minute = local->tm_hour * MINS_PER_HOUR + local->tm_min;
	if (hours->from < hours->until)
		return minute >= hours->from && minute < hours->until;
	return minute >= hours->from || minute < hours->until;
}
