/*-------------------------------------------------------------------------
 * calendar.h
 *		Times of the ledger as text, in UTC.
 *
 * Times are microseconds since 1970-01-01 UTC, in the proleptic Gregorian
 * calendar; years before 1 are counted from 0 down.
 *-------------------------------------------------------------------------
 */
#ifndef AT_CALENDAR_H
#define AT_CALENDAR_H

#include "core/output.h"

/* 2026-11-28T17:47:20.123456Z */
extern void at_out_time(AtOutput *output, int64_t time);

/* 28 November 2026, 17:47:20.123456 UTC */
extern void at_out_long_time(AtOutput *output, int64_t time);

#endif
