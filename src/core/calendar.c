/*-------------------------------------------------------------------------
 * calendar.c
 *		Times of the ledger as text, in UTC.
 *
 * Days are counted from 1 March of year 0, in eras of 400 years, so that the
 * leap day is the last of a year.
 *-------------------------------------------------------------------------
 */
#include "core/calendar.h"

#define MICROSECONDS    INT64_C(1000000)
#define DAY             (86400 * MICROSECONDS)
#define DAYS_TO_1970    719468 /* from 0000-03-01 */
#define DAYS_OF_ERA     146097
#define DAYS_OF_CYCLE   1460  /* four years, without the leap day */
#define DAYS_OF_HUNDRED 36524 /* a hundred years, without a leap day at the end */

typedef struct Moment
{
	int64_t year;
	int month;           /* from 1 */
	int day;             /* from 1 */
	int64_t microsecond; /* of the day */
} Moment;

static Moment read_time(int64_t time);
static void out_padded(AtOutput *output, int64_t number, int digits);
static void out_year(AtOutput *output, int64_t year);
static void out_clock(AtOutput *output, int64_t microsecond);

void
at_out_time(AtOutput *output, int64_t time)
{
	Moment moment = read_time(time);

	out_year(output, moment.year);
	at_out_string(output, "-");
	out_padded(output, moment.month, 2);
	at_out_string(output, "-");
	out_padded(output, moment.day, 2);
	at_out_string(output, "T");
	out_clock(output, moment.microsecond);
	at_out_string(output, "Z");
}

void
at_out_long_time(AtOutput *output, int64_t time)
{
	static const char *const months[] = {"January",   "February", "March",    "April",
										 "May",       "June",     "July",     "August",
										 "September", "October",  "November", "December"};
	Moment moment = read_time(time);

	at_out_decimal(output, (uint64_t) moment.day);
	at_out_string(output, " ");
	at_out_string(output, months[moment.month - 1]);
	at_out_string(output, " ");
	out_year(output, moment.year);
	at_out_string(output, ", ");
	out_clock(output, moment.microsecond);
	at_out_string(output, " UTC");
}

static Moment
read_time(int64_t time)
{
	int64_t days = time / DAY - (time % DAY < 0);
	int64_t from_march = days + DAYS_TO_1970;
	int64_t era = from_march / DAYS_OF_ERA - (from_march % DAYS_OF_ERA < 0);
	int64_t day = from_march - era * DAYS_OF_ERA; /* of the era */
	int64_t year =
		(day - day / DAYS_OF_CYCLE + day / DAYS_OF_HUNDRED - day / (DAYS_OF_ERA - 1)) / 365;
	int64_t of_year = day - (365 * year + year / 4 - year / 100);
	int month = (int) ((5 * of_year + 2) / 153); /* from March */

	return (Moment){
		.year = year + era * 400 + (month >= 10),
		.month = month < 10 ? month + 3 : month - 9,
		.day = (int) (of_year - (153 * month + 2) / 5) + 1,
		.microsecond = time - days * DAY,
	};
}

/* With zeros before it; it is not negative. */
static void
out_padded(AtOutput *output, int64_t number, int digits)
{
	int64_t least = 1;

	for (int i = 1; i < digits; i++)
		least *= 10;
	for (; least > 1 && number < least; least /= 10)
		at_out_string(output, "0");
	at_out_decimal(output, (uint64_t) number);
}

static void
out_year(AtOutput *output, int64_t year)
{
	if (year < 0)
		at_out_string(output, "-");
	out_padded(output, year < 0 ? -year : year, 4);
}

static void
out_clock(AtOutput *output, int64_t microsecond)
{
	int64_t second = microsecond / MICROSECONDS;

	out_padded(output, second / 3600, 2);
	at_out_string(output, ":");
	out_padded(output, second / 60 % 60, 2);
	at_out_string(output, ":");
	out_padded(output, second % 60, 2);
	at_out_string(output, ".");
	out_padded(output, microsecond % MICROSECONDS, 6);
}
