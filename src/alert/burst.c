/*-------------------------------------------------------------------------
 * burst.c
 *		Are there too many events in a window of time?
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "alert/burst.h"

void
at_burst_begin(AtBurst *burst, const AtRule *rule)
{
	*burst = (AtBurst){
		.rule = rule,
		.last = palloc(sizeof(TimestampTz) * (rule->more_than + 1)),
	};
}

bool
at_burst_add(AtBurst *burst, TimestampTz at)
{
	int size = burst->rule->more_than + 1;
	TimestampTz first;

	burst->last[burst->count++ % size] = at;
	if (burst->count < size)
		return false;
	first = burst->last[burst->count % size];
	if (at - first >= burst->rule->within ||
		(burst->alerted != 0 && at - burst->alerted < burst->rule->within))
		return false;
	burst->alerted = at;
	return true;
}
