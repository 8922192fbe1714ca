/*-------------------------------------------------------------------------
 * rule_row.h
 *		An alert rule as it is given: a row of audit.alert_rule.
 *-------------------------------------------------------------------------
 */
#ifndef AT_RULE_ROW_H
#define AT_RULE_ROW_H

#include "fmgr.h"

#include "alert/rule.h"

/* Functions that take a row have the columns up to this one as arguments. */
#define AT_RULE_ARGUMENTS Anum_rule_per

typedef struct AtRuleRow
{
	Datum values[Natts_rule];
	bool nulls[Natts_rule];
} AtRuleRow;

/* Take the arguments of a function; what must have a value has its default. */
extern void at_rule_row_read(AtRuleRow *row, FunctionCallInfo fcinfo);

/* Give what must have a value and has none its default. */
extern void at_rule_row_complete(AtRuleRow *row);

/* Compile it; raises an error where it makes no sense. */
extern void at_rule_row_compile(AtRuleRow *row, AtRule *rule);

/* Store it, in the place of the one of this name; as the owner of the extension. */
extern void at_rule_row_write(const AtRuleRow *row);

#endif
