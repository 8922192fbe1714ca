/*-------------------------------------------------------------------------
 * hours.h
 *		Hours of the day, such as "22:00-06:00 Europe/Berlin".
 *
 * They begin with the first minute and end before the last one; they may
 * go over midnight. Without a time zone they are in UTC.
 *-------------------------------------------------------------------------
 */
#ifndef AT_HOURS_H
#define AT_HOURS_H

#include "datatype/timestamp.h"
#include "pgtime.h"

typedef struct AtHours
{
	int from; /* minutes since midnight */
	int until;
	pg_tz *zone;
} AtHours;

/* False if the text is none. */
extern bool at_hours_read(const char *text, AtHours *hours);

extern bool at_hours_contain(const AtHours *hours, TimestampTz at);

#endif
