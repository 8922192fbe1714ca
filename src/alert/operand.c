/*-------------------------------------------------------------------------
 * operand.c
 *		What a plain comparison of a condition compares.
 *
 * To calculate with anything but a number is an error, and so with what is not there; but the
 * sign, or the absolute value, of what is not there is not there. That is the engine's way.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"

#include "alert/condition.h"
#include "alert/operand.h"
#include "base/names.h"
#include "ledger/datum.h"

typedef enum OperandKind
{
	OPERAND_CONSTANT,
	OPERAND_MEMBER,    /* $.actor */
	OPERAND_COLUMN,    /* $.new.total */
	OPERAND_UNARY,     /* of the left one: - + abs() floor() ceiling() */
	OPERAND_CALCULATED /* of two */
} OperandKind;

struct AtOperand
{
	OperandKind kind;
	AtValue constant;
	const char *member;
	bool is_new;       /* of the new row, and not of the old one */
	AttrNumber attnum; /* InvalidAttrNumber: there is no such column */
	bool calculable;   /* of a type whose numbers need no text */
	JsonPathItemType type;
	char op; /* '+', '-', '*', '/', '%' */
	AtOperand *left;
	AtOperand *right;
};

static AtOperand *compile_constant(JsonPathItem *item);
static AtOperand *compile_path(JsonPathItem *item, Oid relid, bool *more);
static AtOperand *compile_calculation(JsonPathItem *item, Oid relid);
static AtOperand *compile_methods(AtOperand *of, JsonPathItem *item);
static AtValue evaluate_path(const AtOperand *operand, AtObserved *observed, StringInfo buffer);
static AtValue evaluate_unary(const AtOperand *operand, AtObserved *observed, StringInfo buffer);
static AtValue calculate(const AtOperand *operand, AtObserved *observed, StringInfo buffer);

/* ---- what the path says ---- */

AtOperand *
at_operand_compile(JsonPathItem *item, Oid relid)
{
	AtOperand *operand;
	JsonPathItem last = *item;
	bool more = true;

	check_stack_depth();
	if (item->type == jpiRoot)
		operand = compile_path(&last, relid, &more);
	else if ((operand = compile_constant(item)) == NULL)
		operand = compile_calculation(item, relid);
	return operand != NULL && more ? compile_methods(operand, &last) : operand;
}

static AtOperand *
compile_constant(JsonPathItem *item)
{
	AtOperand *operand = palloc0(sizeof(AtOperand));
	AtValue *constant = &operand->constant;
	int32 len;
	char *text;

	switch (item->type)
	{
		case jpiNull:
			constant->kind = AT_VALUE_NULL;
			return operand;
		case jpiBool:
			constant->kind = AT_VALUE_BOOL;
			constant->text = at_span_of(jspGetBool(item) ? "true" : "false");
			return operand;
		case jpiNumeric:
			constant->kind = AT_VALUE_NUMBER;
			constant->text = at_span_of(DatumGetCString(
				DirectFunctionCall1(numeric_out, NumericGetDatum(jspGetNumeric(item)))));
			constant->calculable = at_number_read(constant->text, &constant->number);
			return operand;
		case jpiString:
			text = jspGetString(item, &len);
			constant->kind = AT_VALUE_STRING;
			constant->text = at_span_of(pnstrdup(text, len));
			return operand;
		default:
			return NULL;
	}
}

/* Is it a column whose numbers the change tells? It is asked in vain for others. */
static bool
is_calculable(Oid relid, AttrNumber attnum)
{
	Oid type = attnum > 0 ? getBaseType(get_atttype(relid, attnum)) : InvalidOid;

	return type == INT2OID || type == INT4OID || type == INT8OID || type == NUMERICOID;
}

/* $."new"."column", or $."actor": the item becomes the last one of that; is there more of it? */
static AtOperand *
compile_path(JsonPathItem *item, Oid relid, bool *more)
{
	AtOperand *operand = palloc0(sizeof(AtOperand));
	JsonPathItem root = *item;
	JsonPathItem member;
	char *name;
	int32 len;

	if (!jspGetNext(&root, &member) || member.type != jpiKey)
		return NULL;
	name = pstrdup(jspGetString(&member, &len));
	operand->is_new = strcmp(name, "new") == 0;
	*item = member;
	if (!operand->is_new && strcmp(name, "old") != 0)
	{
		operand->kind = OPERAND_MEMBER;
		operand->member = name;
		*more = jspHasNext(item);
		return at_condition_member(name, NULL, NULL) ? operand : NULL;
	}
	if (!OidIsValid(relid) || !jspGetNext(&member, item) || item->type != jpiKey)
		return NULL;
	operand->kind = OPERAND_COLUMN;
	operand->attnum = Max(at_stored_column(relid, jspGetString(item, &len)), 0);
	operand->calculable = is_calculable(relid, operand->attnum);
	*more = jspHasNext(item);
	return operand;
}

static char
op_of(JsonPathItemType type)
{
	switch (type)
	{
		case jpiAdd:
			return '+';
		case jpiSub:
			return '-';
		case jpiMul:
			return '*';
		case jpiDiv:
			return '/';
		case jpiMod:
			return '%';
		default:
			return '\0';
	}
}

static AtOperand *
compile_calculation(JsonPathItem *item, Oid relid)
{
	AtOperand *operand = palloc0(sizeof(AtOperand));
	bool unary = item->type == jpiMinus || item->type == jpiPlus;
	JsonPathItem part;

	operand->kind = unary ? OPERAND_UNARY : OPERAND_CALCULATED;
	operand->type = item->type;
	operand->op = op_of(item->type);
	if (!unary && operand->op == '\0')
		return NULL;
	if (unary)
		jspGetArg(item, &part);
	else
		jspGetLeftArg(item, &part);
	operand->left = at_operand_compile(&part, relid);
	if (operand->left == NULL || unary)
		return operand->left != NULL ? operand : NULL;
	jspGetRightArg(item, &part);
	operand->right = at_operand_compile(&part, relid);
	return operand->right != NULL ? operand : NULL;
}

/* What follows an item: .abs().floor() */
static AtOperand *
compile_methods(AtOperand *of, JsonPathItem *item)
{
	JsonPathItem next;

	while (jspGetNext(item, &next))
	{
		AtOperand *operand = palloc0(sizeof(AtOperand));

		if (next.type != jpiAbs && next.type != jpiFloor && next.type != jpiCeiling)
			return NULL;
		operand->kind = OPERAND_UNARY;
		operand->type = next.type;
		operand->left = of;
		of = operand;
		*item = next;
	}
	return of;
}

bool
at_operand_is_path(const AtOperand *operand)
{
	return operand->kind == OPERAND_MEMBER || operand->kind == OPERAND_COLUMN;
}

/* ---- an event ---- */

AtValue
at_operand_evaluate(const AtOperand *operand, AtObserved *observed, StringInfo buffer)
{
	switch (operand->kind)
	{
		case OPERAND_CONSTANT:
			return operand->constant;
		case OPERAND_MEMBER:
		case OPERAND_COLUMN:
			return evaluate_path(operand, observed, buffer);
		case OPERAND_UNARY:
			return evaluate_unary(operand, observed, buffer);
		default:
			return calculate(operand, observed, buffer);
	}
}

/* What a piece of JSON is, as far as it is plain; what is written by others may have spaces. */
static AtValue
read_json(const char *json, int len)
{
	AtValue value = {.kind = AT_VALUE_OTHER, .text = {json, len}, .buffered = true};
	char first = len > 0 ? json[0] : '\0';

	if (first == '"' && len >= 2 && json[len - 1] == '"' && memchr(json, '\\', len) == NULL)
	{
		value.kind = AT_VALUE_STRING;
		value.text = (AtSpan){json + 1, len - 2};
	}
	else if (first == 'n')
		value.kind = AT_VALUE_NULL;
	else if (first == 't' || first == 'f')
		value.kind = AT_VALUE_BOOL;
	else if (first == '-' || (first >= '0' && first <= '9'))
		value.kind = AT_VALUE_NUMBER;
	return value;
}

/* Append the JSON of a column or member, if it is there. */
static AtValue
evaluate_text(const AtOperand *operand, AtObserved *observed, StringInfo buffer)
{
	const AtChange *change = observed->change;
	int start = buffer->len;
	bool there;

	if (buffer->data == NULL)
		initStringInfo(buffer);
	if (operand->kind == OPERAND_MEMBER)
		there = at_condition_member(operand->member, observed, buffer);
	else if (change->value == NULL) /* of an event that is of no row it is what was recorded */
		return (AtValue){.kind = AT_VALUE_OTHER};
	else
		there = operand->attnum != InvalidAttrNumber &&
				change->value(change, operand->is_new, operand->attnum, buffer);
	return there ? read_json(buffer->data + start, buffer->len - start)
				 : (AtValue){.kind = AT_VALUE_MISSING};
}

static AtValue
evaluate_path(const AtOperand *operand, AtObserved *observed, StringInfo buffer)
{
	const AtChange *change = observed->change;
	AtNumber number;

	if (operand->calculable && change->number != NULL &&
		change->number(change, operand->is_new, operand->attnum, &number))
		return (AtValue){.kind = AT_VALUE_NUMBER, .calculable = true, .number = number};
	return evaluate_text(operand, observed, buffer);
}

/* Evaluate what is calculated with: its text is not needed afterwards. */
static AtValue
evaluate_number(const AtOperand *operand, AtObserved *observed, StringInfo buffer)
{
	int start = buffer->len;
	AtValue value = at_operand_evaluate(operand, observed, buffer);

	if (value.kind == AT_VALUE_NUMBER && !value.calculable &&
		!at_number_read(value.text, &value.number))
		value.kind = AT_VALUE_OTHER;
	buffer->len = start;
	return (AtValue){.kind = value.kind, .calculable = true, .number = value.number};
}

static AtNumber
change_number(JsonPathItemType type, AtNumber number)
{
	switch (type)
	{
		case jpiMinus:
			return at_number_negate(number);
		case jpiAbs:
			return at_number_abs(number);
		case jpiFloor:
			return at_number_floor(number);
		case jpiCeiling:
			return at_number_ceiling(number);
		default:
			return number;
	}
}

static AtValue
evaluate_unary(const AtOperand *operand, AtObserved *observed, StringInfo buffer)
{
	AtValue value = evaluate_number(operand->left, observed, buffer);

	if (value.kind == AT_VALUE_NUMBER)
		value.number = change_number(operand->type, value.number);
	else if (value.kind != AT_VALUE_MISSING && value.kind != AT_VALUE_OTHER)
		value.kind = AT_VALUE_ERROR;
	return value;
}

static AtValue
calculate(const AtOperand *operand, AtObserved *observed, StringInfo buffer)
{
	AtValue left = evaluate_number(operand->left, observed, buffer);
	AtValue right = evaluate_number(operand->right, observed, buffer);

	if (left.kind == AT_VALUE_OTHER || right.kind == AT_VALUE_OTHER)
		left.kind = AT_VALUE_OTHER;
	else if (left.kind != AT_VALUE_NUMBER || right.kind != AT_VALUE_NUMBER)
		left.kind = AT_VALUE_ERROR;
	else
		switch (at_number_calculate(operand->op, &left.number, &right.number, &left.number))
		{
			case AT_NUMBER_OK:
				break;
			case AT_NUMBER_BEYOND:
				left.kind = AT_VALUE_OTHER;
				break;
			case AT_NUMBER_BY_ZERO:
				left.kind = AT_VALUE_ERROR;
				break;
		}
	return left;
}
