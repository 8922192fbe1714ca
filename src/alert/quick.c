/*-------------------------------------------------------------------------
 * quick.c
 *		Plain comparisons of a condition, judged without the jsonpath engine.
 *
 * Parts of a condition are asked in the engine's order, and as few of them: where the first of
 * two has to be left to it, so has the second, which might end the command.
 *
 * The rules of comparison are those of the engine in lax mode: what is not there is
 * compared as false, null with something else as unequal, and values of two
 * kinds, or what cannot be calculated, as unknown. Strings are told to be the same or not, or to
 * begin with another; their order is the engine's.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"

#include "alert/operand.h"
#include "alert/quick.h"
#include "core/decimal.h"

struct AtQuick
{
	/* and, or, not, is unknown, exists, starts with, a comparison; any: it is the engine's */
	JsonPathItemType type;
	AtQuick *left;
	AtQuick *right;
	AtOperand *operand[2];
};

static AtQuick *compile_item(JsonPathItem *item, Oid relid);
static bool compile_operands(AtQuick *quick, JsonPathItem *item, Oid relid);
static AtQuickAnswer negate(AtQuickAnswer answer);
static AtQuickAnswer is_unknown(AtQuickAnswer answer);
static AtQuickAnswer judge_both(const AtQuick *quick, AtObserved *observed, AtQuickAnswer decides);
static AtQuickAnswer judge_exists(const AtOperand *operand, AtObserved *observed);
static AtQuickAnswer judge_values(const AtQuick *quick, AtObserved *observed);
static AtQuickAnswer compare_values(JsonPathItemType type, const AtValue *a, const AtValue *b);
static AtQuickAnswer compare_numbers(JsonPathItemType type, const AtValue *a, const AtValue *b);
static AtQuickAnswer starts_with(const AtValue *whole, const AtValue *start);

/* ---- what the path says ---- */

AtQuick *
at_quick_compile(JsonPath *path, Oid relid)
{
	JsonPathItem root;
	AtQuick *quick;

	if ((path->header & JSONPATH_LAX) == 0)
		return NULL;
	jspInit(&root, path);
	quick = compile_item(&root, relid);
	return quick->type == jpiAny ? NULL : quick;
}

static AtQuick *
compile_item(JsonPathItem *item, Oid relid)
{
	AtQuick *quick = palloc0(sizeof(AtQuick));
	JsonPathItem left;
	JsonPathItem right;

	check_stack_depth();
	quick->type = item->type;
	switch (item->type)
	{
		case jpiNot:
		case jpiIsUnknown:
			jspGetArg(item, &left);
			quick->left = compile_item(&left, relid);
			return quick;
		case jpiAnd:
		case jpiOr:
			jspGetLeftArg(item, &left);
			jspGetRightArg(item, &right);
			quick->left = compile_item(&left, relid);
			quick->right = compile_item(&right, relid);
			return quick;
		default:
			if (!compile_operands(quick, item, relid))
				quick->type = jpiAny;
			return quick;
	}
}

/* Of a comparison, starts with, or exists: all of them have to be plain. */
static bool
compile_operands(AtQuick *quick, JsonPathItem *item, Oid relid)
{
	JsonPathItem part;

	switch (item->type)
	{
		case jpiExists:
			jspGetArg(item, &part);
			quick->operand[0] = at_operand_compile(&part, relid);
			return quick->operand[0] != NULL && at_operand_is_path(quick->operand[0]);
		case jpiEqual:
		case jpiNotEqual:
		case jpiLess:
		case jpiGreater:
		case jpiLessOrEqual:
		case jpiGreaterOrEqual:
		case jpiStartsWith:
			jspGetLeftArg(item, &part);
			quick->operand[0] = at_operand_compile(&part, relid);
			jspGetRightArg(item, &part);
			quick->operand[1] = at_operand_compile(&part, relid);
			return quick->operand[0] != NULL && quick->operand[1] != NULL;
		default:
			return false;
	}
}

/* ---- an event ---- */

AtQuickAnswer
at_quick_judge(const AtQuick *quick, AtObserved *observed)
{
	switch (quick->type)
	{
		case jpiNot:
			return negate(at_quick_judge(quick->left, observed));
		case jpiIsUnknown:
			return is_unknown(at_quick_judge(quick->left, observed));
		case jpiAnd:
			return judge_both(quick, observed, AT_QUICK_FALSE);
		case jpiOr:
			return judge_both(quick, observed, AT_QUICK_TRUE);
		case jpiAny:
			return AT_QUICK_NONE;
		case jpiExists:
			return judge_exists(quick->operand[0], observed);
		default:
			return judge_values(quick, observed);
	}
}

static AtQuickAnswer
answer_of(bool holds)
{
	return holds ? AT_QUICK_TRUE : AT_QUICK_FALSE;
}

static AtQuickAnswer
negate(AtQuickAnswer answer)
{
	if (answer == AT_QUICK_TRUE || answer == AT_QUICK_FALSE)
		return answer_of(answer == AT_QUICK_FALSE);
	return answer;
}

static AtQuickAnswer
is_unknown(AtQuickAnswer answer)
{
	return answer == AT_QUICK_NONE ? answer : answer_of(answer == AT_QUICK_UNKNOWN);
}

/* Of two parts one may decide; else it is the second, unless the first is unknown. */
static AtQuickAnswer
judge_both(const AtQuick *quick, AtObserved *observed, AtQuickAnswer decides)
{
	AtQuickAnswer left = at_quick_judge(quick->left, observed);
	AtQuickAnswer right;

	if (left == decides || left == AT_QUICK_NONE)
		return left;
	right = at_quick_judge(quick->right, observed);
	return right == decides || right == AT_QUICK_NONE || left != AT_QUICK_UNKNOWN ? right : left;
}

static AtQuickAnswer
judge_exists(const AtOperand *operand, AtObserved *observed)
{
	StringInfoData buffer = {0};
	AtValue value;

	value = at_operand_evaluate(operand, observed, &buffer);
	if (value.kind == AT_VALUE_OTHER && !value.buffered)
		return AT_QUICK_NONE;
	return answer_of(value.kind != AT_VALUE_MISSING);
}

static AtQuickAnswer
judge_values(const AtQuick *quick, AtObserved *observed)
{
	StringInfoData buffer = {0};
	AtValue left;
	AtValue right;
	size_t start = 0;

	left = at_operand_evaluate(quick->operand[0], observed, &buffer);
	if (left.buffered)
		start = (const char *) left.text.data - buffer.data;
	right = at_operand_evaluate(quick->operand[1], observed, &buffer);
	if (left.buffered) /* the second may have moved it */
		left.text.data = buffer.data + start;
	if (left.kind == AT_VALUE_OTHER || right.kind == AT_VALUE_OTHER)
		return AT_QUICK_NONE;
	if (left.kind == AT_VALUE_ERROR || right.kind == AT_VALUE_ERROR)
		return AT_QUICK_UNKNOWN;
	if (left.kind == AT_VALUE_MISSING || right.kind == AT_VALUE_MISSING)
		return AT_QUICK_FALSE;
	if (quick->type == jpiStartsWith)
		return starts_with(&left, &right);
	return compare_values(quick->type, &left, &right);
}

/* Does the order of two values meet the comparison? */
static AtQuickAnswer
meets(JsonPathItemType type, int order)
{
	switch (type)
	{
		case jpiEqual:
			return answer_of(order == 0);
		case jpiNotEqual:
			return answer_of(order != 0);
		case jpiLess:
			return answer_of(order < 0);
		case jpiGreater:
			return answer_of(order > 0);
		case jpiLessOrEqual:
			return answer_of(order <= 0);
		default:
			return answer_of(order >= 0);
	}
}

static bool
is_same(AtSpan a, AtSpan b)
{
	return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

static AtQuickAnswer
compare_values(JsonPathItemType type, const AtValue *a, const AtValue *b)
{
	if (a->kind != b->kind && (a->kind == AT_VALUE_NULL || b->kind == AT_VALUE_NULL))
		return answer_of(type == jpiNotEqual);
	if (a->kind != b->kind)
		return AT_QUICK_UNKNOWN;
	switch (a->kind)
	{
		case AT_VALUE_NUMBER:
			return compare_numbers(type, a, b);
		case AT_VALUE_STRING:
			if (type != jpiEqual && type != jpiNotEqual)
				return AT_QUICK_NONE;
			return meets(type, is_same(a->text, b->text) ? 0 : 1);
		case AT_VALUE_BOOL: /* false comes before true, and is longer */
			return meets(type, (int) b->text.len - (int) a->text.len);
		default:
			return meets(type, 0);
	}
}

/* The number of a value, which may have to be read. */
static bool
get_number(const AtValue *value, AtNumber *number)
{
	*number = value->number;
	return value->calculable || at_number_read(value->text, number);
}

/* Those that are too long to calculate with are compared as they are written. */
static AtQuickAnswer
compare_numbers(JsonPathItemType type, const AtValue *a, const AtValue *b)
{
	AtNumber left;
	AtNumber right;
	int order;

	if (get_number(a, &left) && get_number(b, &right) &&
		at_number_compare(&left, &right, &order) == AT_NUMBER_OK)
		return meets(type, order);
	if (a->text.data != NULL && b->text.data != NULL &&
		at_decimal_compare(a->text, b->text, &order))
		return meets(type, order);
	return AT_QUICK_NONE;
}

static AtQuickAnswer
starts_with(const AtValue *whole, const AtValue *start)
{
	if (whole->kind != AT_VALUE_STRING || start->kind != AT_VALUE_STRING)
		return AT_QUICK_UNKNOWN;
	return answer_of(whole->text.len >= start->text.len &&
					 memcmp(whole->text.data, start->text.data, start->text.len) == 0);
}
