/*-------------------------------------------------------------------------
 * compile.c
 *		From a row of audit.alert_rule to a rule: what must be there, what
 *		must not, and what it means.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "alert/rule.h"
#include "base/compat.h"
#include "base/json_path.h"
#include "base/json_scan.h"
#include "core/number.h"
#include "ledger/datum.h"

/* A burst is searched for in the memory of so many times. */
#define MAX_MORE_THAN 100000

const char *const at_rule_kinds[AT_RULE_KINDS] = {
	[AT_RULE_CHANGED] = "changed",     [AT_RULE_INCREASED] = "increased",
	[AT_RULE_DECREASED] = "decreased", [AT_RULE_REVERTED] = "reverted",
	[AT_RULE_RECORDED] = "recorded",   [AT_RULE_BURST] = "burst",
	[AT_RULE_ABSENT] = "absent",
};

/* What events are called by what is done to rows. */
static const struct
{
	const char *name;
	char op;
} row_events[] = {
	{"insert", 'I'}, {"update", 'U'}, {"delete", 'D'}, {"truncate", 'T'}, {"read", 'S'}};

/* Which arguments belong to kinds, as bits of the kinds. */
#define KIND(kind) (1U << (kind))
#define LATER      (KIND(AT_RULE_BURST) | KIND(AT_RULE_ABSENT))
#define MEASURED   (KIND(AT_RULE_INCREASED) | KIND(AT_RULE_DECREASED))
#define OF_UPDATES (KIND(AT_RULE_CHANGED) | MEASURED | KIND(AT_RULE_REVERTED))

static const struct
{
	int column;
	const char *name;
	uint32 kinds;
} own_arguments[] = {
	{Anum_rule_by, "by", MEASURED},
	{Anum_rule_states, "states", KIND(AT_RULE_REVERTED)},
	{Anum_rule_transitions, "transitions", KIND(AT_RULE_REVERTED)},
	{Anum_rule_more_than, "more_than", KIND(AT_RULE_BURST)},
	{Anum_rule_within, "within", LATER},
	{Anum_rule_followed_by, "followed_by", KIND(AT_RULE_ABSENT)},
};

/* The row that is being compiled. */
typedef struct Row
{
	Datum values[Natts_rule];
	bool nulls[Natts_rule];
} Row;

static AtRuleKind read_kind(const Row *row);
static void check_arguments(const AtRule *rule, const Row *row);
static void read_columns(AtRule *rule, const Row *row, bool lenient);
static void read_events(AtRule *rule, const Row *row);
static void read_by(AtRule *rule, const Row *row);
static void read_states(AtRule *rule, const Row *row);
static void read_later(AtRule *rule, const Row *row, bool lenient);
static void read_restraint(AtRule *rule, const Row *row, bool lenient);
static AtHours *read_hours(const Row *row, int column, const char *name, bool lenient);
static int64 read_interval(const Row *row, int column, const char *name);
static char *interval_text(int64 microseconds);
static char *read_path(const Row *row, int column, bool lenient);
static char *read_text(const Row *row, int column);
static char **read_names(const Row *row, int column, int *count);

void
at_rule_compile(AtRule *rule, HeapTuple tuple, TupleDesc desc, bool lenient)
{
	Row row;
	char *path;
	char *message;

	heap_deform_tuple(tuple, desc, row.values, row.nulls);
	memset(rule, 0, sizeof(*rule));
	rule->name = read_text(&row, Anum_rule_name);
	rule->severity = read_text(&row, Anum_rule_severity);
	rule->channel = read_text(&row, Anum_rule_channel);
	rule->escalate_to = read_text(&row, Anum_rule_escalate_to);
	rule->description = read_text(&row, Anum_rule_description);
	rule->kind = read_kind(&row);
	rule->relid = row.nulls[Anum_rule_target - 1]
					  ? InvalidOid
					  : DatumGetObjectId(row.values[Anum_rule_target - 1]);
	rule->block = DatumGetBool(row.values[Anum_rule_block - 1]);
	rule->enabled = DatumGetBool(row.values[Anum_rule_enabled - 1]);

	check_arguments(rule, &row);
	read_columns(rule, &row, lenient);
	read_events(rule, &row);
	read_by(rule, &row);
	read_states(rule, &row);
	read_later(rule, &row, lenient);
	read_restraint(rule, &row, lenient);
	rule->hours = read_hours(&row, Anum_rule_hours, "hours", lenient);
	path = read_path(&row, Anum_rule_condition, lenient);
	if (path != NULL)
		rule->condition = at_condition_compile(path, rule->relid, lenient);
	message = read_text(&row, Anum_rule_message);
	if (message != NULL)
		rule->sentence = at_wording_compile(message, rule->relid, lenient);
}

pg_noreturn static void
bad_argument(const char *message, const char *hint)
{
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg_internal("%s", message),
					errhint("%s", hint)));
}

static AtRuleKind
read_kind(const Row *row)
{
	char *kind = read_text(row, Anum_rule_kind);

	for (int i = 0; i < AT_RULE_KINDS; i++)
		if (strcmp(kind, at_rule_kinds[i]) == 0)
			return i;
	bad_argument(psprintf("there is no kind \"%s\" of alert rules", kind),
				 "There are changed, increased, decreased, reverted, recorded, burst and absent.");
}

/* An argument that another kind of rule has would do nothing. */
static void
check_arguments(const AtRule *rule, const Row *row)
{
	for (int i = 0; i < lengthof(own_arguments); i++)
		if (!row->nulls[own_arguments[i].column - 1] &&
			(own_arguments[i].kinds & KIND(rule->kind)) == 0)
			bad_argument(psprintf("an alert rule of kind \"%s\" has no argument \"%s\"",
								  at_rule_kinds[rule->kind], own_arguments[i].name),
						 "See the table of kinds in doc/alerts.md.");
	if ((KIND(rule->kind) & OF_UPDATES) && !OidIsValid(rule->relid))
		bad_argument(
			psprintf("an alert rule of kind \"%s\" must name a table", at_rule_kinds[rule->kind]),
			"SELECT audit.alert_when('name', 'table', '{column, ...}');");
}

static bool
is_numeric(Oid relid, AttrNumber attnum)
{
	switch (getBaseType(get_atttype(relid, attnum)))
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case FLOAT4OID:
		case FLOAT8OID:
		case NUMERICOID:
			return true;
		default:
			return false;
	}
}

static void
read_columns(AtRule *rule, const Row *row, bool lenient)
{
	char **names = read_names(row, Anum_rule_columns, &rule->ncolumns);

	rule->columns = palloc(sizeof(AtRuleColumn) * Max(rule->ncolumns, 1));
	for (int i = 0; i < rule->ncolumns; i++)
	{
		AttrNumber attnum =
			OidIsValid(rule->relid) ? get_attnum(rule->relid, names[i]) : InvalidAttrNumber;

		rule->columns[i] = (AtRuleColumn){.name = names[i], .attnum = Max(attnum, 0)};
		if ((KIND(rule->kind) & MEASURED) && !lenient && !is_numeric(rule->relid, attnum))
			bad_argument(psprintf("column \"%s\" is not a number", names[i]),
						 "Give the rule another kind, such as changed.");
	}
	if ((KIND(rule->kind) & OF_UPDATES) && rule->ncolumns == 0)
		bad_argument("an alert rule must name at least one column",
					 "SELECT audit.alert_when('name', 'table', '{column, ...}');");
	if (rule->kind == AT_RULE_REVERTED && rule->ncolumns != 1)
		bad_argument("an alert rule of kind \"reverted\" must name one column",
					 "Make a rule for each of them.");
}

/* Of a table it is updates, or with no columns all changes of rows, unless the rule says otherwise.
 */
static void
read_events(AtRule *rule, const Row *row)
{
	int count;
	char **names = read_names(row, Anum_rule_events, &count);

	rule->patterns = palloc(sizeof(char *) * Max(count, 1));
	for (int i = 0; i < count; i++)
	{
		bool found = false;

		for (int j = 0; j < lengthof(row_events); j++)
			if (strcmp(names[i], row_events[j].name) == 0)
			{
				rule->ops |= at_op_bit(row_events[j].op);
				found = true;
			}
		if (!found && strpbrk(names[i], ".*") == NULL)
			bad_argument(
				psprintf("\"%s\" is no event", names[i]),
				"There are insert, update, delete, truncate and read of a table, and types "
				"of events such as \"order.shipped\" or \"session.*\".");
		if (!found)
			rule->patterns[rule->npatterns++] = names[i];
	}
	if (count == 0 && !OidIsValid(rule->relid))
		bad_argument("an alert rule must name a table or types of events",
					 "SELECT audit.alert_when('name', kind => 'recorded', events => "
					 "'{session.refused}');");
	if (!OidIsValid(rule->relid) && rule->ops != 0)
		bad_argument("an alert rule about rows must name their table",
					 "Of reads of any table the type is \"*.read\".");
	if (count == 0)
		rule->ops = at_op_bit('U');
	if (count == 0 && rule->ncolumns == 0)
		rule->ops |= at_op_bit('I') | at_op_bit('D');
	if ((KIND(rule->kind) & OF_UPDATES) && (rule->ops != at_op_bit('U') || rule->npatterns > 0))
		bad_argument(
			psprintf("an alert rule of kind \"%s\" is about updates", at_rule_kinds[rule->kind]),
			"Of kind \"recorded\" it may be about any event.");
	if (rule->block &&
		(rule->npatterns > 0 || (rule->ops & at_op_bit('S')) || (KIND(rule->kind) & LATER)))
		bad_argument("an alert rule can refuse nothing but changes of rows, at once",
					 "Leave out \"block\".");
}

/* "10" or "10%". */
static void
read_by(AtRule *rule, const Row *row)
{
	char *by = read_text(row, Anum_rule_by);
	size_t len = by != NULL ? strlen(by) : 0;

	if (by == NULL)
		return;
	if (len > 0 && by[len - 1] == '%')
	{
		rule->percent = true;
		by[--len] = '\0';
	}
	if (len == 0 || len > 100 || strspn(by, "0123456789.") != len)
		bad_argument(psprintf("\"%s\" is no distance", read_text(row, Anum_rule_by)),
					 "Write a number, such as 10, or a percentage, such as 10%.");
	rule->by_calculable = at_number_read(at_span_of(by), &rule->by_number);
	rule->by = DatumGetNumeric(DirectFunctionCall3(
		numeric_in, CStringGetDatum(by), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
}

static int
compare_strings(const void *a, const void *b)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

pg_noreturn static void
bad_transitions(void)
{
	bad_argument("\"transitions\" is not an object of lists of states",
				 "Write '{\"new\": [\"paid\", \"cancelled\"], \"paid\": [\"shipped\"]}'.");
}

/* An object: of each state the array of those that may follow. */
static void
read_transitions(AtRule *rule, const char *json)
{
	AtJsonScan scan;
	int max = strlen(json);

	rule->transitions = palloc(sizeof(char *) * (max / 3 + 1));
	at_json_start(&scan, json, max);
	if (!at_json_next(&scan) || scan.kind != '{')
		bad_transitions();
	while (at_json_next(&scan) && scan.kind != '}')
	{
		AtJsonSlice from;

		if (scan.kind != '"')
			continue; /* the comma */
		from = at_json_string(&scan);
		at_json_next(&scan); /* the colon */
		if (!at_json_next(&scan) || scan.kind != '[')
			bad_transitions();
		while (at_json_next(&scan) && scan.kind != ']')
		{
			AtJsonSlice to = at_json_string(&scan);

			if (scan.kind == ',')
				continue;
			if (scan.kind != '"')
				bad_transitions();
			rule->transitions[rule->ntransitions++] =
				psprintf("%.*s\n%.*s", from.len, from.data, to.len, to.data);
		}
	}
	if (rule->ntransitions == 0)
		bad_transitions();
	qsort(rule->transitions, rule->ntransitions, sizeof(char *), compare_strings);
}

static void
read_states(AtRule *rule, const Row *row)
{
	bool has_transitions = !row->nulls[Anum_rule_transitions - 1];

	rule->states = read_names(row, Anum_rule_states, &rule->nstates);
	if (has_transitions)
		read_transitions(rule, DatumGetCString(DirectFunctionCall1(
								   jsonb_out, row->values[Anum_rule_transitions - 1])));
	if (rule->kind == AT_RULE_REVERTED && (rule->nstates < 2) == !has_transitions)
		bad_argument("an alert rule of kind \"reverted\" must have states in their order, or "
					 "allowed transitions",
					 "Write states => '{new,paid,shipped}', or transitions => '{\"new\": "
					 "[\"paid\"]}'.");
}

static void
read_later(AtRule *rule, const Row *row, bool lenient)
{
	char *path = read_path(row, Anum_rule_followed_by, lenient);

	if ((KIND(rule->kind) & LATER) == 0)
		return;
	rule->within = read_interval(row, Anum_rule_within, "within");
	if (rule->within != 0)
		rule->within_text = interval_text(rule->within);
	if (rule->kind == AT_RULE_BURST)
		rule->more_than = row->nulls[Anum_rule_more_than - 1]
							  ? 0
							  : DatumGetInt32(row->values[Anum_rule_more_than - 1]);
	if (rule->within == 0 ||
		(rule->kind == AT_RULE_BURST && (rule->more_than < 1 || rule->more_than > MAX_MORE_THAN)))
		bad_argument(psprintf("an alert rule of kind \"%s\" must say how many within what time",
							  at_rule_kinds[rule->kind]),
					 "Write more_than => 10, within => '1 minute'; of a rule of kind \"absent\" "
					 "within => '2 days'.");
	if (rule->kind == AT_RULE_ABSENT && path == NULL)
		bad_argument("an alert rule of kind \"absent\" must say what is to follow",
					 "Write followed_by => '$.new.status == \"shipped\"'.");
	if (path != NULL)
		rule->followed_by = at_condition_compile(path, rule->relid, lenient);
}

static void
read_restraint(AtRule *rule, const Row *row, bool lenient)
{
	rule->muted = !row->nulls[Anum_rule_mute_until - 1];
	if (rule->muted)
		rule->mute_until = DatumGetTimestampTz(row->values[Anum_rule_mute_until - 1]);
	rule->quiet_hours = read_hours(row, Anum_rule_quiet_hours, "quiet_hours", lenient);
	if (!row->nulls[Anum_rule_max_alerts - 1])
		rule->max_alerts = DatumGetInt32(row->values[Anum_rule_max_alerts - 1]);
	rule->per = read_interval(row, Anum_rule_per, "per");
	if (!row->nulls[Anum_rule_max_alerts - 1] && (rule->max_alerts < 1 || rule->per == 0))
		bad_argument("an alert rule must be allowed at least one alert in some time",
					 "Write max_alerts => 10, per => '1 hour'.");
}

/* A time zone that the server does not know any more is no reason to be silent. */
static AtHours *
read_hours(const Row *row, int column, const char *name, bool lenient)
{
	char *text = read_text(row, column);
	AtHours *hours = palloc(sizeof(AtHours));

	if (text == NULL)
		return NULL;
	if (at_hours_read(text, hours))
		return hours;
	if (!lenient)
		bad_argument(psprintf("\"%s\" of an alert rule are no hours: \"%s\"", name, text),
					 "Write from, until and time zone, as in '22:00-06:00 Europe/Berlin'.");
	return NULL;
}

/* In microseconds, with days of 24 hours and months of 30 days; 0 if it is not given. */
static int64
read_interval(const Row *row, int column, const char *name)
{
	Interval *interval;
	double microseconds;

	if (row->nulls[column - 1])
		return 0;
	interval = DatumGetIntervalP(row->values[column - 1]);
	microseconds = interval->time +
				   ((double) interval->month * DAYS_PER_MONTH + interval->day) * USECS_PER_DAY;
	if (microseconds < USECS_PER_SEC || microseconds > 3650.0 * USECS_PER_DAY)
		bad_argument(psprintf("\"%s\" of an alert rule must be from a second to ten years", name),
					 "Write '1 hour', for example.");
	return microseconds;
}

static char *
read_path(const Row *row, int column, bool lenient)
{
	return row->nulls[column - 1] ? NULL
								  : at_path_text(DatumGetJsonPathP(row->values[column - 1]),
												 lenient ? NULL : "the condition of an alert rule");
}

/* For people: "90 seconds", "5 minutes", "2 days". */
static char *
interval_text(int64 microseconds)
{
	static const struct
	{
		int64 unit;
		const char *name;
	} units[] = {{USECS_PER_DAY, "day"}, {USECS_PER_HOUR, "hour"}, {USECS_PER_MINUTE, "minute"}};

	for (int i = 0; i < lengthof(units); i++)
		if (microseconds % units[i].unit == 0)
			return psprintf(INT64_FORMAT " %s%s", microseconds / units[i].unit, units[i].name,
							microseconds == units[i].unit ? "" : "s");
	return psprintf("%g seconds", microseconds / 1000000.0);
}

static char *
read_text(const Row *row, int column)
{
	return row->nulls[column - 1] ? NULL : TextDatumGetCString(row->values[column - 1]);
}

static char **
read_names(const Row *row, int column, int *count)
{
	Datum *elements;
	bool *nulls;
	char **names;

	*count = 0;
	if (row->nulls[column - 1])
		return NULL;
	deconstruct_array(DatumGetArrayTypeP(row->values[column - 1]), TEXTOID, -1, false, TYPALIGN_INT,
					  &elements, &nulls, count);
	names = palloc(sizeof(char *) * Max(*count, 1));
	for (int i = 0; i < *count; i++)
	{
		if (nulls[i])
			bad_argument("a list of an alert rule has a null", "Leave it out.");
		names[i] = TextDatumGetCString(elements[i]);
	}
	return names;
}

bool
at_rule_reads(const AtRule *rule, AttrNumber attnum)
{
	bool compares = (KIND(rule->kind) & (MEASURED | KIND(AT_RULE_REVERTED))) != 0;

	for (int i = 0; compares && i < rule->ncolumns; i++)
		if (rule->columns[i].attnum == attnum)
			return true;
	return (rule->condition != NULL && at_condition_reads(rule->condition, attnum)) ||
		   (rule->followed_by != NULL && at_condition_reads(rule->followed_by, attnum)) ||
		   (rule->sentence != NULL && at_wording_reads(rule->sentence, attnum));
}
