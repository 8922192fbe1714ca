/*-------------------------------------------------------------------------
 * operand.h
 *		What a plain comparison of a condition compares: constants, columns and
 *		members, and what is calculated of them.
 *
 * Values are what the jsonpath engine makes of them in lax mode. Calculated are + - * / %, the
 * signs, abs(), floor() and ceiling(), in numbers of up to 36 digits; all else
 * is VALUE_OTHER, which is the engine's.
 *-------------------------------------------------------------------------
 */
#ifndef AT_OPERAND_H
#define AT_OPERAND_H

#include "lib/stringinfo.h"
#include "utils/jsonpath.h"

#include "alert/observed.h"
#include "core/number.h"

typedef enum AtValueKind
{
	AT_VALUE_MISSING,
	AT_VALUE_NULL,
	AT_VALUE_BOOL,
	AT_VALUE_NUMBER,
	AT_VALUE_STRING,
	AT_VALUE_ERROR, /* of calculating with what is no number, or by zero */
	AT_VALUE_OTHER  /* for the engine */
} AtValueKind;

typedef struct AtValue
{
	AtValueKind kind;
	AtSpan text;     /* of a string without quotes; NULL: of a number, not written */
	bool buffered;   /* the text is in the buffer */
	bool calculable; /* the number is here */
	AtNumber number;
} AtValue;

typedef struct AtOperand AtOperand;

/* Compile an item of a path, in the current memory context; NULL if it is not plain. */
extern AtOperand *at_operand_compile(JsonPathItem *item, Oid relid);

/* Is it a column or member, as it stands? */
extern bool at_operand_is_path(const AtOperand *operand);

/*
 * Its value for an event, of a number its text or the number or both. Texts go to the buffer,
 * behind what is there, and may move it; it may begin as zeros, and is made when it is needed.
 */
extern AtValue at_operand_evaluate(const AtOperand *operand, AtObserved *observed,
								   StringInfo buffer);

#endif
