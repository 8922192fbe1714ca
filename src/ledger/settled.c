/*-------------------------------------------------------------------------
 * settled.c
 *		Which transactions had ended in a snapshot, by its text.
 *
 * A text may come from a forged row: what is not exactly as PostgreSQL
 * writes it is no text.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"

#include "ledger/datum.h"
#include "ledger/settled.h"

/* Of a transaction id, which is below AT_XIDS_PER_INCARNATION. */
#define XID_DIGITS 15

/* Read the digits that stand there; false if there are none. */
static bool
read_number(const char **at, const char *end, int64 *number)
{
	const char *start = *at;

	*number = 0;
	for (; *at < end && **at >= '0' && **at <= '9'; (*at)++)
	{
		*number = *number * 10 + (**at - '0');
		if (*number >= AT_XIDS_PER_INCARNATION)
			return false;
	}
	return *at > start;
}

static bool
read_colon(const char **at, const char *end)
{
	return *at < end && *(*at)++ == ':';
}

bool
at_settled_parse(AtSpan text, AtSettled *settled)
{
	const char *at = text.data;
	const char *end = at + text.len;
	int64 xmin;

	if (at == NULL || !read_number(&at, end, &xmin) || !read_colon(&at, end) ||
		!read_number(&at, end, &settled->xmax) || !read_colon(&at, end) || settled->xmax < xmin)
		return false;

	/* each number but the first has a comma before it */
	settled->running = palloc(sizeof(int64) * (end - at + 1));
	settled->nrunning = 0;
	while (at < end)
	{
		int64 previous = settled->nrunning ? settled->running[settled->nrunning - 1] : xmin - 1;
		int64 xid;

		if (settled->nrunning > 0 && *at++ != ',')
			return false;
		if (!read_number(&at, end, &xid) || xid <= previous || xid >= settled->xmax)
			return false;
		settled->running[settled->nrunning++] = xid;
	}
	return true;
}

bool
at_settled_has(const AtSettled *settled, int64 xid)
{
	int low = 0;
	int high = settled->nrunning;

	if (xid >= settled->xmax)
		return false;
	while (low < high)
	{
		int middle = (low + high) / 2;

		if (settled->running[middle] == xid)
			return false;
		if (settled->running[middle] < xid)
			low = middle + 1;
		else
			high = middle;
	}
	return true;
}

char *
at_settled_now(void)
{
	Datum snapshot = OidFunctionCall0(F_PG_CURRENT_SNAPSHOT);

	return DatumGetCString(DirectFunctionCall1(pg_snapshot_out, snapshot));
}

char *
at_settled_now_within(int max)
{
	char *text = at_settled_now();
	AtSettled settled;
	StringInfoData running;
	int count = 0;

	if (strlen(text) <= max)
		return text;
	if (!at_settled_parse(at_span_of(text), &settled))
		elog(ERROR, "unexpected snapshot \"%s\"", text);

	/* two numbers of its head, each with a colon; one with a comma for each that fits */
	initStringInfo(&running);
	for (; count < settled.nrunning && running.len + 3 * (XID_DIGITS + 1) <= max; count++)
		appendStringInfo(&running, "%s" INT64_FORMAT, count > 0 ? "," : "", settled.running[count]);
	return psprintf(INT64_FORMAT ":" INT64_FORMAT ":%s", settled.running[0],
					count < settled.nrunning ? settled.running[count] : settled.xmax, running.data);
}
