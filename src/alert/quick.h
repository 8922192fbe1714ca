/*-------------------------------------------------------------------------
 * quick.h
 *		Plain comparisons of a condition, judged without the jsonpath engine.
 *
 * Most conditions compare a column with a constant or with its former value: $.new.total > 1000 &&
 * $.actor != "import". To make a document of the row and to run the engine over it costs
 * several times what the comparison does, and most rows do not match. So it is with what is
 * calculated, such as $.new.price > $.old.price * 1.5, exists() and starts with. What is not that
 * plain - other operators, nested values, escapes, exponents, strict mode - is left to the
 * engine: the answer is then none. An answer is always what the engine's would be
 * (test/sql/alert_conditions.sql).
 *-------------------------------------------------------------------------
 */
#ifndef AT_QUICK_H
#define AT_QUICK_H

#include "utils/jsonpath.h"

#include "alert/observed.h"

typedef struct AtQuick AtQuick;

typedef enum AtQuickAnswer
{
	AT_QUICK_FALSE,
	AT_QUICK_TRUE,
	AT_QUICK_UNKNOWN, /* as null: neither is true, nor its opposite */
	AT_QUICK_NONE     /* ask the engine */
} AtQuickAnswer;

/*
 * Compile a predicate over events of a table, or of none (InvalidOid), in the current memory
 * context; NULL if nothing of it is plain.
 */
extern AtQuick *at_quick_compile(JsonPath *path, Oid relid);

/* Raises what a type's output function raises. Allocates in the current memory context. */
extern AtQuickAnswer at_quick_judge(const AtQuick *quick, AtObserved *observed);

#endif
