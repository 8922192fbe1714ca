/*-------------------------------------------------------------------------
 * match.c
 *		Does an event match a rule?
 *
 * The cheap questions come first: most events are decided by their op and a
 * few bits of changed columns.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#include "alert/caught.h"
#include "alert/match.h"
#include "base/compat.h"
#include "base/json_scan.h"
#include "base/names.h"
#include "core/decimal.h"
#include "core/number.h"
#include "ledger/datum.h"

/* A number that has changed. */
typedef struct Movement
{
	const AtRule *rule;
	const char *old_text;
	const char *new_text;
	bool matches;
} Movement;

static bool is_of_rule(const AtRule *rule, const AtObserved *observed);
static bool matches_pattern(const char *pattern, const char *type, int len);
static bool any_changed(const AtRule *rule, const AtObserved *observed);
static bool column_matches(const AtRule *rule, const AtRuleColumn *column, AtObserved *observed,
						   bool *undecided);
static bool measure_unwritten(AtObserved *observed, AttrNumber attnum, Movement *movement);
static bool measure_quickly(Movement *movement);
static void measure(void *arg);
static bool is_reverted(const AtRule *rule, const char *from, const char *to);
static List *matching_columns(const AtRule *rule, AtObserved *observed, bool *undecided);

bool
at_match(const AtRule *rule, AtObserved *observed, AtMatch *match)
{
	bool update = observed->change->event->op == 'U';

	if (!is_of_rule(rule, observed) ||
		(update && rule->ncolumns > 0 && !any_changed(rule, observed)))
		return false;
	if (rule->hours != NULL && !at_hours_contain(rule->hours, at_observed_at(observed)))
		return false;
	*match = (AtMatch){.columns = NIL};
	if (update && rule->ncolumns > 0)
	{
		match->columns = matching_columns(rule, observed, &match->undecided);
		if (match->columns == NIL)
			return false;
	}
	if (rule->condition != NULL)
	{
		AtVerdict verdict = at_condition_judge(rule->condition, observed);

		if (verdict == AT_FALSE)
			return false;
		match->undecided = match->undecided || verdict == AT_UNDECIDED;
	}
	return true;
}

/* Is the event of an op or of a type that the rule is about? */
static bool
is_of_rule(const AtRule *rule, const AtObserved *observed)
{
	const AtEvent *event = observed->change->event;

	if (rule->ops & at_op_bit(event->op))
		return true;
	if (event->event_type == NULL)
		return false;
	for (int i = 0; i < rule->npatterns; i++)
		if (matches_pattern(rule->patterns[i], VARDATA_ANY(event->event_type),
							VARSIZE_ANY_EXHDR(event->event_type)))
			return true;
	return false;
}

/* A type of events, in which one * stands for anything. */
static bool
matches_pattern(const char *pattern, const char *type, int len)
{
	const char *star = strchr(pattern, '*');
	int before = star != NULL ? star - pattern : strlen(pattern);
	int after = star != NULL ? strlen(star + 1) : 0;

	if (star == NULL)
		return len == before && memcmp(pattern, type, len) == 0;
	return len >= before + after && memcmp(pattern, type, before) == 0 &&
		   memcmp(star + 1, type + len - after, after) == 0;
}

static bool
any_changed(const AtRule *rule, const AtObserved *observed)
{
	for (int i = 0; i < rule->ncolumns; i++)
		if (at_observed_changed(observed, rule->columns[i].attnum))
			return true;
	return false;
}

static List *
matching_columns(const AtRule *rule, AtObserved *observed, bool *undecided)
{
	List *columns = NIL;

	for (int i = 0; i < rule->ncolumns; i++)
		if (at_observed_changed(observed, rule->columns[i].attnum) &&
			column_matches(rule, &rule->columns[i], observed, undecided))
			columns = lappend(columns, rule->columns[i].name);
	return columns;
}

/* A value as bare text, of null NULL; false if it is not known. */
static bool
read_value(AtObserved *observed, bool is_new, AttrNumber attnum, char **text)
{
	const AtChange *change = observed->change;
	StringInfoData json;
	AtJsonScan scan;

	initStringInfo(&json);
	if (change->value == NULL || !change->value(change, is_new, attnum, &json))
		return false;
	at_json_start(&scan, json.data, json.len);
	*text = json.data;
	if (!at_json_next(&scan))
		return false;
	if (scan.kind == 'n')
		*text = NULL;
	else if (scan.kind == '"')
	{
		AtJsonSlice plain = at_json_string(&scan);

		*text = pnstrdup(plain.data, plain.len);
	}
	return true;
}

/* A column has changed; in the way that the rule is about? */
static bool
column_matches(const AtRule *rule, const AtRuleColumn *column, AtObserved *observed,
			   bool *undecided)
{
	char *old_text;
	char *new_text;
	int order;

	if (rule->kind != AT_RULE_INCREASED && rule->kind != AT_RULE_DECREASED &&
		rule->kind != AT_RULE_REVERTED)
		return true;

	Movement movement = {.rule = rule};

	if (rule->kind != AT_RULE_REVERTED && measure_unwritten(observed, column->attnum, &movement))
		return movement.matches;
	if (!read_value(observed, false, column->attnum, &old_text) ||
		!read_value(observed, true, column->attnum, &new_text))
		return *undecided = true;
	if (rule->kind == AT_RULE_REVERTED)
		return is_reverted(rule, old_text, new_text);
	if (old_text == NULL || new_text == NULL)
		return false;
	if (at_decimal_compare(at_span_of(new_text), at_span_of(old_text), &order) &&
		(rule->kind == AT_RULE_INCREASED ? order <= 0 : order >= 0))
		return false;
	movement.old_text = old_text;
	movement.new_text = new_text;
	/* a number of 130 000 digits, a hundred times, is none any more */
	if (!measure_quickly(&movement) && !at_caught(measure, &movement))
		return *undecided = true;
	return movement.matches;
}

/* ---- numbers ---- */

/* Is the distance, of the direction that the rule is about, at least what the rule says? */
static bool
is_far(const Movement *movement, const AtNumber *old_number, AtNumber *distance, bool *matches)
{
	const AtRule *rule = movement->rule;
	AtNumber hundred = at_number_of(100);
	AtNumber old_size = at_number_abs(*old_number);
	AtNumber least = rule->by_number;
	int order;

	if (!rule->by_calculable ||
		(rule->percent && (at_number_calculate('*', distance, &hundred, distance) != AT_NUMBER_OK ||
						   at_number_calculate('*', &least, &old_size, &least) != AT_NUMBER_OK)) ||
		at_number_compare(distance, &least, &order) != AT_NUMBER_OK)
		return false;
	*matches = order >= 0;
	return true;
}

/* As measure(), with numbers that can be calculated with; false if the result cannot. */
static bool
measure_numbers(Movement *movement, const AtNumber *old_number, const AtNumber *new_number)
{
	bool up = movement->rule->kind == AT_RULE_INCREASED;
	AtNumber distance;

	if (at_number_calculate('-', up ? new_number : old_number, up ? old_number : new_number,
							&distance) != AT_NUMBER_OK)
		return false;
	movement->matches = distance.units > 0;
	return !movement->matches || movement->rule->by == NULL ||
		   is_far(movement, old_number, &distance, &movement->matches);
}

static bool
measure_unwritten(AtObserved *observed, AttrNumber attnum, Movement *movement)
{
	const AtChange *change = observed->change;
	AtNumber old_number;
	AtNumber new_number;

	return change->number != NULL && change->number(change, false, attnum, &old_number) &&
		   change->number(change, true, attnum, &new_number) &&
		   measure_numbers(movement, &old_number, &new_number);
}

/* As measure(), with numbers that are not that long; false if they are. */
static bool
measure_quickly(Movement *movement)
{
	AtNumber old_number;
	AtNumber new_number;

	return at_number_read(at_span_of(movement->old_text), &old_number) &&
		   at_number_read(at_span_of(movement->new_text), &new_number) &&
		   measure_numbers(movement, &old_number, &new_number);
}

static Numeric
read_number(const char *text)
{
	return DatumGetNumeric(DirectFunctionCall3(numeric_in, CStringGetDatum(text),
											   ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
}

static int
compare(Numeric a, Numeric b)
{
	return DatumGetInt32(DirectFunctionCall2(numeric_cmp, NumericGetDatum(a), NumericGetDatum(b)));
}

static Numeric
calculate(PGFunction function, Numeric a, Numeric b)
{
	return DatumGetNumeric(DirectFunctionCall2(function, NumericGetDatum(a), NumericGetDatum(b)));
}

/* Has a number gone up or down, and far enough? From or to NaN is any distance. */
static void
measure(void *arg)
{
	Movement *movement = arg;
	const AtRule *rule = movement->rule;
	bool up = rule->kind == AT_RULE_INCREASED;
	Numeric old_number = read_number(movement->old_text);
	Numeric new_number = read_number(movement->new_text);
	int order = compare(new_number, old_number);

	movement->matches = up ? order > 0 : order < 0;
	if (!movement->matches || rule->by == NULL)
		return;

	Numeric distance = up ? calculate(numeric_sub, new_number, old_number)
						  : calculate(numeric_sub, old_number, new_number);
	Numeric least = rule->by;

	/* least % of |old| is the distance, times a hundred */
	if (rule->percent)
	{
		distance = calculate(numeric_mul, distance, int64_to_numeric(100));
		least = calculate(
			numeric_mul, least,
			DatumGetNumeric(DirectFunctionCall1(numeric_abs, NumericGetDatum(old_number))));
	}
	movement->matches = compare(distance, least) >= 0;
}

/* ---- states ---- */

static int
place_of(const AtRule *rule, const char *state)
{
	for (int i = 0; i < rule->nstates; i++)
		if (strcmp(rule->states[i], state) == 0)
			return i;
	return -1;
}

static int
compare_strings(const void *a, const void *b)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

/*
 * Backwards in the order of states, into one that is not declared, or by a
 * transition that is not allowed? Null is no state. Out of one that is not declared there is no
 * way back: that it was entered has been told.
 */
static bool
is_reverted(const AtRule *rule, const char *from, const char *to)
{
	if (rule->ntransitions > 0)
	{
		char *transition = psprintf("%s\n%s", from ? from : "", to ? to : "");

		return bsearch(&transition, rule->transitions, rule->ntransitions, sizeof(char *),
					   compare_strings) == NULL;
	}
	if (to == NULL || place_of(rule, to) < 0)
		return true;
	return from != NULL && place_of(rule, to) < place_of(rule, from);
}

/* ---- what is said ---- */

/* What the rule has found, behind the columns. */
static const char *
found(const AtRule *rule, const AtObserved *observed)
{
	switch (rule->kind)
	{
		case AT_RULE_INCREASED:
			return "increased";
		case AT_RULE_DECREASED:
			return "decreased";
		case AT_RULE_REVERTED:
			return rule->ntransitions > 0 ? "set to what does not follow" : "set back";
		default:
			return observed->change->event->op == 'U' ? "changed" : "recorded";
	}
}

/* "orders.updated in public.orders 17 by anna" */
static char *
plain_sentence(AtObserved *observed)
{
	char *key = at_observed_key(observed);
	char *table = at_observed_table(observed);
	char *type = at_observed_event_type(observed);

	return psprintf("%s%s%s%s%s by %s", type ? type : "event", table ? " in " : "",
					table ? table : "", key ? " " : "", key ? key : "",
					at_observed_who(observed)->actor);
}

static char *
clip(char *sentence)
{
	int len = strlen(sentence);

	if (len > AT_WORDING_MAX)
		sentence[pg_mbcliplen(sentence, len, AT_WORDING_MAX)] = '\0';
	return sentence;
}

char *
at_match_sentence(const AtRule *rule, AtObserved *observed, const AtMatch *match)
{
	const char *what = found(rule, observed);
	const char *columns = at_name_list(match->columns);
	char *key = at_observed_key(observed);
	char *sentence;

	if (rule->sentence != NULL)
		sentence = at_wording_render(rule->sentence, observed, rule->name, what, columns);
	else if (match->columns != NIL)
		sentence = psprintf("%s of %s%s%s %s by %s", columns, at_observed_table(observed),
							key ? " " : "", key ? key : "", what, at_observed_who(observed)->actor);
	else
		sentence = plain_sentence(observed);
	clip(sentence);
	return match->undecided ? psprintf("%s (could not be judged)", sentence) : sentence;
}

/* What was found of a rule that is judged later. */
static char *
found_later(const AtRule *rule, AtObserved *observed)
{
	if (rule->kind == AT_RULE_ABSENT)
		return psprintf("what was expected did not follow within %s", rule->within_text);
	return psprintf("more than %d within %s", rule->more_than, rule->within_text);
}

char *
at_match_later_sentence(const AtRule *rule, AtObserved *observed)
{
	char *found = found_later(rule, observed);

	if (rule->sentence != NULL)
		return clip(at_wording_render(rule->sentence, observed, rule->name, found, ""));
	return clip(psprintf("%s: %s", plain_sentence(observed), found));
}
