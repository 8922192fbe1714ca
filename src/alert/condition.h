/*-------------------------------------------------------------------------
 * condition.h
 *		A jsonpath over an event: {"op", "event_type", "old": row, "new": row,
 *		"changed", "key", "table", "resource_type", "actor", "actor_type", "db_user", "db_role",
 *		"application", "reason", "request_id", "at"}.
 *
 * Only the server's jsonpath engine runs: no SQL, no code of a user's. A
 * condition holds if it is a predicate and true, or if it selects something. Rows are whole, but
 * for columns that are concealed or not captured; of an event that is of no row, "old"
 * and "new" are what was recorded.
 *-------------------------------------------------------------------------
 */
#ifndef AT_CONDITION_H
#define AT_CONDITION_H

#include "alert/observed.h"

typedef struct AtCondition AtCondition;

typedef enum AtVerdict
{
	AT_FALSE,
	AT_TRUE,
	AT_UNDECIDED /* the engine refuses: a comparison that depends on the time zone, say */
} AtVerdict;

/*
 * Compile a path, in the form of jsonpath_out(), for events of a table, or of none
 * (InvalidOid). In the current memory context. Raises an error where it has
 * variables, asks for a member that is never there, or for a column that the table lacks; of
 * the last, with `lenient`, makes one that is never true.
 */
extern AtCondition *at_condition_compile(const char *path, Oid relid, bool lenient);

/* Does it name this column? */
extern bool at_condition_reads(const AtCondition *condition, AttrNumber attnum);

/*
 * Does it hold? Allocates in the current memory context; raises nothing but what ends a command,
 * and what a type's output function raises.
 */
extern AtVerdict at_condition_judge(const AtCondition *condition, AtObserved *observed);

/* Append a member of the document, such as "actor", as JSON; false if there is no such member. */
extern bool at_condition_member(const char *name, AtObserved *observed, StringInfo out);

#endif
