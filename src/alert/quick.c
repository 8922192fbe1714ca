/*-------------------------------------------------------------------------
 * quick.c
 *		Plain comparisons of a condition, judged without the jsonpath engine.
 *
 * Parts of a condition are asked in the engine's order, and as few of them: where the first of
 * two has to be left to it, so has the second, which might end the command.
 *
 * The rules of comparison are those of the engine in lax mode: what is not there is
 * compared as false, null with something else as unequal, and values of two
 * kinds as unknown. Strings are told to be the same or not; their order is the engine's.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/fmgrprotos.h"

#include "alert/condition.h"
#include "alert/quick.h"
#include "base/names.h"
#include "core/decimal.h"
#include "ledger/datum.h"

/* What is compared, and its value. */
typedef enum Kind
{
	VALUE_MISSING,
	VALUE_NULL,
	VALUE_BOOL,
	VALUE_NUMBER,
	VALUE_STRING,
	VALUE_OTHER /* for the engine */
} Kind;

typedef struct Value
{
	Kind kind;
	AtSpan text; /* of a string without quotes */
} Value;

typedef struct Operand
{
	bool is_constant;
	Value constant;
	const char *member; /* "actor"; NULL: of a row */
	bool is_new;        /* of the new row, and not of the old one */
	AttrNumber attnum;  /* InvalidAttrNumber: there is no such column */
} Operand;

struct AtQuick
{
	JsonPathItemType type; /* of and, or, not, a comparison; another one is the engine's */
	AtQuick *left;
	AtQuick *right;
	Operand operand[2];
};

static AtQuick *compile_item(JsonPathItem *item, Oid relid);
static bool compile_operand(JsonPathItem *item, Oid relid, Operand *operand);
static bool compile_path(JsonPathItem *root, Oid relid, Operand *operand);
static AtQuickAnswer judge_both(const AtQuick *quick, AtObserved *observed, AtQuickAnswer decides);
static AtQuickAnswer compare_operands(const AtQuick *quick, AtObserved *observed);
static AtQuickAnswer compare_values(JsonPathItemType type, const Value *a, const Value *b);

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

	quick->type = item->type;
	switch (item->type)
	{
		case jpiNot:
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
		case jpiEqual:
		case jpiNotEqual:
		case jpiLess:
		case jpiGreater:
		case jpiLessOrEqual:
		case jpiGreaterOrEqual:
			jspGetLeftArg(item, &left);
			jspGetRightArg(item, &right);
			if (compile_operand(&left, relid, &quick->operand[0]) &&
				compile_operand(&right, relid, &quick->operand[1]))
				return quick;
			/* FALLTHROUGH */
		default:
			quick->type = jpiAny;
			return quick;
	}
}

static bool
compile_operand(JsonPathItem *item, Oid relid, Operand *operand)
{
	Value *constant = &operand->constant;
	int32 len;
	char *text;

	if (item->type == jpiRoot)
		return compile_path(item, relid, operand);
	if (jspHasNext(item))
		return false;
	operand->is_constant = true;
	switch (item->type)
	{
		case jpiNull:
			constant->kind = VALUE_NULL;
			return true;
		case jpiBool:
			constant->kind = VALUE_BOOL;
			constant->text = at_span_of(jspGetBool(item) ? "true" : "false");
			return true;
		case jpiNumeric:
			constant->kind = VALUE_NUMBER;
			constant->text = at_span_of(DatumGetCString(
				DirectFunctionCall1(numeric_out, NumericGetDatum(jspGetNumeric(item)))));
			return true;
		case jpiString:
			text = jspGetString(item, &len);
			constant->kind = VALUE_STRING;
			constant->text = at_span_of(pnstrdup(text, len));
			return true;
		default:
			return false;
	}
}

/* $."new"."column", or $."actor" */
static bool
compile_path(JsonPathItem *root, Oid relid, Operand *operand)
{
	JsonPathItem member;
	JsonPathItem column;
	char *name;
	int32 len;

	if (!jspGetNext(root, &member) || member.type != jpiKey)
		return false;
	name = pstrdup(jspGetString(&member, &len));
	operand->is_new = strcmp(name, "new") == 0;
	if (!operand->is_new && strcmp(name, "old") != 0)
	{
		operand->member = name;
		return !jspHasNext(&member) && at_condition_member(name, NULL, NULL);
	}
	if (!OidIsValid(relid) || !jspGetNext(&member, &column) || column.type != jpiKey ||
		jspHasNext(&column))
		return false;
	operand->attnum = Max(at_stored_column(relid, jspGetString(&column, &len)), 0);
	return true;
}

/* ---- an event ---- */

AtQuickAnswer
at_quick_judge(const AtQuick *quick, AtObserved *observed)
{
	AtQuickAnswer answer;

	switch (quick->type)
	{
		case jpiNot:
			answer = at_quick_judge(quick->left, observed);
			if (answer == AT_QUICK_TRUE || answer == AT_QUICK_FALSE)
				answer = answer == AT_QUICK_TRUE ? AT_QUICK_FALSE : AT_QUICK_TRUE;
			return answer;
		case jpiAnd:
			return judge_both(quick, observed, AT_QUICK_FALSE);
		case jpiOr:
			return judge_both(quick, observed, AT_QUICK_TRUE);
		case jpiAny:
			return AT_QUICK_NONE;
		default:
			return compare_operands(quick, observed);
	}
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

/* What a piece of JSON is, as far as it is plain; what is written by others may have spaces. */
static Value
read_json(const char *json, int len)
{
	Value value = {.kind = VALUE_OTHER, .text = {json, len}};
	char first = len > 0 ? json[0] : '\0';

	if (first == '"' && len >= 2 && json[len - 1] == '"' && memchr(json, '\\', len) == NULL)
		value = (Value){.kind = VALUE_STRING, .text = {json + 1, len - 2}};
	else if (first == 'n')
		value.kind = VALUE_NULL;
	else if (first == 't' || first == 'f')
		value.kind = VALUE_BOOL;
	else if (first == '-' || (first >= '0' && first <= '9'))
		value.kind = VALUE_NUMBER;
	return value;
}

/* The text of a value goes to the buffer, behind what is there. */
static bool
append_operand(const Operand *operand, AtObserved *observed, StringInfo buffer)
{
	const AtChange *change = observed->change;

	if (operand->member != NULL)
		return at_condition_member(operand->member, observed, buffer);
	return operand->attnum != InvalidAttrNumber &&
		   change->value(change, operand->is_new, operand->attnum, buffer);
}

static AtQuickAnswer
compare_operands(const AtQuick *quick, AtObserved *observed)
{
	StringInfoData buffer;
	Value value[2];
	bool there[2];
	int end[2];

	initStringInfo(&buffer);
	for (int i = 0; i < 2; i++)
	{
		const Operand *operand = &quick->operand[i];

		/* of an event that is of no row, values are what was recorded */
		if (!operand->is_constant && operand->member == NULL && observed->change->value == NULL)
			return AT_QUICK_NONE;
		there[i] = operand->is_constant || append_operand(operand, observed, &buffer);
		end[i] = buffer.len;
	}
	for (int i = 0; i < 2; i++)
	{
		int start = i == 0 ? 0 : end[0];

		if (quick->operand[i].is_constant)
			value[i] = quick->operand[i].constant;
		else if (there[i])
			value[i] = read_json(buffer.data + start, end[i] - start);
		else
			value[i] = (Value){.kind = VALUE_MISSING};
	}
	return compare_values(quick->type, &value[0], &value[1]);
}

static bool
is_same(AtSpan a, AtSpan b)
{
	return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

static AtQuickAnswer
answer_of(bool holds)
{
	return holds ? AT_QUICK_TRUE : AT_QUICK_FALSE;
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

static AtQuickAnswer
compare_values(JsonPathItemType type, const Value *a, const Value *b)
{
	bool same_kind = a->kind == b->kind;
	int order;

	if (a->kind == VALUE_OTHER || b->kind == VALUE_OTHER)
		return AT_QUICK_NONE;
	if (a->kind == VALUE_MISSING || b->kind == VALUE_MISSING)
		return AT_QUICK_FALSE;
	if (!same_kind && (a->kind == VALUE_NULL || b->kind == VALUE_NULL))
		return answer_of(type == jpiNotEqual);
	if (!same_kind)
		return AT_QUICK_UNKNOWN;
	switch (a->kind)
	{
		case VALUE_NUMBER:
			return at_decimal_compare(a->text, b->text, &order) ? meets(type, order)
																: AT_QUICK_NONE;
		case VALUE_STRING:
			if (type != jpiEqual && type != jpiNotEqual)
				return AT_QUICK_NONE;
			return meets(type, is_same(a->text, b->text) ? 0 : 1);
		case VALUE_BOOL: /* false comes before true, and is longer */
			return meets(type, (int) b->text.len - (int) a->text.len);
		default:
			return meets(type, 0);
	}
}
