/*-------------------------------------------------------------------------
 * restraint.c
 *		When alerts of a rule are raised but not told.
 *
 * The rule is read as it is now. What was told of it is counted in a window that begins with
 * the first alert and lasts as long as the rule says. A pass that fails has counted
 * what is told again by the next one: then a few too few are told, and none is lost, since
 * each has its delivery.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "alert/restraint.h"
#include "alert/rule.h"
#include "base/clock.h"

/* The longest name of a rule, see define.c. */
#define MAX_NAME_BYTES 200

/* Counts of a rule; those of rules that are gone stay, which are few. */
typedef struct Count
{
	char rule[MAX_NAME_BYTES + 1];
	TimestampTz began; /* of the window */
	int64 told;        /* in it */
	int64 suppressed;  /* since one was told */
} Count;

/* Right after an error: a count may be one too high. */
static HTAB *counts;

static Count *find_count(const char *rule, bool make);
static TimestampTz quiet_until(const AtHours *hours, TimestampTz now);
static bool over_limit(const AtRule *rule, Count *count, TimestampTz now);

AtRestraint
at_restraint_ask(const char *name)
{
	AtRestraint restraint = {.kind = AT_TOLD};
	TimestampTz now = at_clock_now();
	TupleDesc desc;
	HeapTuple tuple = strlen(name) <= MAX_NAME_BYTES ? at_rule_find(name, &desc) : NULL;
	AtRule rule;
	Count *count;

	if (tuple == NULL)
		return restraint;
	at_rule_compile(&rule, tuple, desc, true);
	count = find_count(name, rule.muted || rule.quiet_hours != NULL || rule.max_alerts != 0);
	if (count == NULL)
		return restraint;
	if (rule.muted && now < rule.mute_until)
		restraint = (AtRestraint){.kind = AT_MUTED, .until = rule.mute_until};
	else if (rule.quiet_hours != NULL && at_hours_contain(rule.quiet_hours, now))
		restraint = (AtRestraint){.kind = AT_QUIET, .until = quiet_until(rule.quiet_hours, now)};
	else if (over_limit(&rule, count, now))
		restraint.kind = AT_LIMITED;

	if (restraint.kind == AT_TOLD)
	{
		restraint.suppressed = count->suppressed;
		count->suppressed = 0;
	}
	else if (restraint.kind != AT_QUIET)
		count->suppressed++;
	return restraint;
}

/* What was counted of a rule; made if need be, or NULL. */
static Count *
find_count(const char *rule, bool make)
{
	HASHCTL control = {
		.keysize = sizeof(((Count *) 0)->rule),
		.entrysize = sizeof(Count),
		.hcxt = TopMemoryContext,
	};
	bool found;
	Count *count;

	if (counts == NULL)
		counts = hash_create("audit_trail told alerts", 64, &control,
							 HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
	count = hash_search(counts, rule, make ? HASH_ENTER : HASH_FIND, &found);
	if (make && !found)
		count->began = count->told = count->suppressed = 0;
	return count;
}

/* The first minute that is not quiet any more; there is one within a day. */
static TimestampTz
quiet_until(const AtHours *hours, TimestampTz now)
{
	TimestampTz at = now - now % USECS_PER_MINUTE;

	for (int i = 0; i < HOURS_PER_DAY * MINS_PER_HOUR && at_hours_contain(hours, at); i++)
		at += USECS_PER_MINUTE;
	return at;
}

static bool
over_limit(const AtRule *rule, Count *count, TimestampTz now)
{
	if (rule->max_alerts == 0)
		return false;
	if (now - count->began >= rule->per)
	{
		count->began = now;
		count->told = 0;
	}
	return ++count->told > rule->max_alerts;
}
