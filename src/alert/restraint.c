/*-------------------------------------------------------------------------
 * restraint.c
 *		When alerts of a rule are raised but not told.
 *
 * The rule is read as it is now. What was told of it is on record, as are those that were not:
 * a new process counts the rows of audit.alert_delivery, once for all rules, and then goes
 * on by itself. So neither a notifier that is killed nor a restart of the server begins
 * a new count. After a pass that was rolled back it counts anew. It looks back over so many
 * deliveries only; of those that were suppressed before that it knows nothing.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "alert/notifier.h"
#include "alert/restraint.h"
#include "alert/rule.h"
#include "base/clock.h"

/* Deliveries that a new process looks back over. */
#define LOOK_BACK "100000"

/* Counts of a rule; those of rules that are gone stay, which are few. */
typedef struct Count
{
	char rule[AT_RULE_NAME_BYTES + 1];
	TimestampTz *told; /* when they were told, those of the last such time; ascending */
	int ntold;         /* never more than the rule allows */
	int room;
	int64 suppressed; /* since one was told */
} Count;

/* Right after an error: at_restraint_forget() is called then. A plan is set only when whole. */
static struct
{
	MemoryContext memory; /* of all counts; NULL: they are to be read */
	HTAB *counts;
	SPIPlanPtr plan;
} restraints;

static const char counts_query[] =
	"SELECT d.rule_name, count(*) FILTER (WHERE d.is_held AND d.delivery_id > "
	"coalesce(d.last_told, 0)), array_agg(d.delivered_at ORDER BY d.delivery_id) "
	"FILTER (WHERE d.is_told AND d.delivered_at > $1 - d.per) "
	"FROM (SELECT *, max(t.delivery_id) FILTER (WHERE t.is_told) OVER (PARTITION BY t.rule_name) "
	"AS last_told FROM (SELECT a.rule_name, l.delivery_id, l.delivered_at, r.per, "
	"l.outcome IN ('muted', 'limited') AS is_held, l.outcome NOT IN ('muted', 'limited') AND "
	"l.detail IS DISTINCT FROM '" AT_QUIET_DETAIL "' AS is_told "
	"FROM (SELECT * FROM audit.alert_delivery x WHERE x.channel = 'audit_alert' "
	"ORDER BY x.delivery_id DESC LIMIT " LOOK_BACK ") l "
	"CROSS JOIN LATERAL (SELECT y.rule_name FROM audit.alert y WHERE y.alert_id = l.alert_id "
	"OFFSET 0) a LEFT JOIN audit.alert_rule r ON r.name = a.rule_name "
	"WHERE l.attempt = 1) t) d GROUP BY d.rule_name";

static void read_counts(void);
static void read_count(HeapTuple row, TupleDesc desc);
static Count *find_count(const char *rule);
static TimestampTz quiet_until(const AtHours *hours, TimestampTz now);
static bool over_limit(const AtRule *rule, Count *count, TimestampTz now);
static void add_told(Count *count, TimestampTz at);

AtRestraint
at_restraint_ask(const char *name)
{
	AtRestraint restraint = {.kind = AT_TOLD};
	TimestampTz now = at_clock_now();
	const AtRule *rule = at_rule_named(name);
	Count *count;

	if (rule == NULL)
		return restraint;
	count = find_count(name);
	if (rule->muted && now < rule->mute_until)
		restraint = (AtRestraint){.kind = AT_MUTED, .until = rule->mute_until};
	else if (rule->quiet_hours != NULL && at_hours_contain(rule->quiet_hours, now))
		restraint = (AtRestraint){.kind = AT_QUIET, .until = quiet_until(rule->quiet_hours, now)};
	else if (over_limit(rule, count, now))
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

void
at_restraint_forget(void)
{
	if (restraints.memory != NULL)
		MemoryContextDelete(restraints.memory);
	restraints.memory = NULL;
}

/* What is on record; in a memory context of its own. */
static void
read_counts(void)
{
	HASHCTL control = {.keysize = sizeof(((Count *) 0)->rule), .entrysize = sizeof(Count)};
	MemoryContext memory =
		AllocSetContextCreate(TopMemoryContext, "audit_trail told alerts", ALLOCSET_SMALL_SIZES);
	Oid types[] = {TIMESTAMPTZOID};
	Datum values[] = {TimestampTzGetDatum(at_clock_now())};

	restraints.memory = memory;
	control.hcxt = memory;
	restraints.counts = hash_create("audit_trail told alerts", 64, &control,
									HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
	if (SPI_execute_plan(at_notifier_plan(&restraints.plan, counts_query, lengthof(types), types),
						 values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read audit.alert_delivery");
	for (uint64 i = 0; i < SPI_processed; i++)
		read_count(SPI_tuptable->vals[i], SPI_tuptable->tupdesc);
}

static void
read_count(HeapTuple row, TupleDesc desc)
{
	char *rule = SPI_getvalue(row, desc, 1);
	Count *count;
	bool isnull;
	Datum told;
	Datum *times;
	int ntimes = 0;

	if (strlen(rule) > AT_RULE_NAME_BYTES)
		return;
	count = hash_search(restraints.counts, rule, HASH_ENTER, NULL);
	memset((char *) count + sizeof(count->rule), 0, sizeof(*count) - sizeof(count->rule));
	count->suppressed = DatumGetInt64(SPI_getbinval(row, desc, 2, &isnull));
	told = SPI_getbinval(row, desc, 3, &isnull);
	if (!isnull)
		deconstruct_array(DatumGetArrayTypeP(told), TIMESTAMPTZOID, sizeof(TimestampTz),
						  FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &times, NULL, &ntimes);
	for (int i = 0; i < ntimes; i++)
		add_told(count, DatumGetTimestampTz(times[i]));
}

/* What was counted of a rule. */
static Count *
find_count(const char *rule)
{
	bool found;
	Count *count;

	if (restraints.memory == NULL)
		read_counts();
	count = hash_search(restraints.counts, rule, HASH_ENTER, &found);
	if (!found)
		memset((char *) count + sizeof(count->rule), 0, sizeof(*count) - sizeof(count->rule));
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

/* Were so many told in the rule's time that ends now? If not, this one is told. */
static bool
over_limit(const AtRule *rule, Count *count, TimestampTz now)
{
	int gone = 0;

	if (rule->max_alerts == 0)
		return false;
	while (gone < count->ntold && now - count->told[gone] >= rule->per)
		gone++;
	count->ntold -= gone;
	memmove(count->told, count->told + gone, sizeof(TimestampTz) * count->ntold);
	if (count->ntold >= rule->max_alerts)
		return true;
	add_told(count, now);
	return false;
}

static void
add_told(Count *count, TimestampTz at)
{
	if (count->ntold == count->room)
	{
		count->room = Max(count->room * 2, 16);
		count->told = count->told == NULL
						  ? MemoryContextAlloc(restraints.memory, sizeof(TimestampTz) * count->room)
						  : repalloc_huge(count->told, sizeof(TimestampTz) * count->room);
	}
	count->told[count->ntold++] = at;
}
