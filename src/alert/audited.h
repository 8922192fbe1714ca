/*-------------------------------------------------------------------------
 * audited.h
 *		Is what a rule watches recorded?
 *-------------------------------------------------------------------------
 */
#ifndef AT_AUDITED_H
#define AT_AUDITED_H

#include "utils/rel.h"

#include "alert/rule.h"

/*
 * Raise an error if the rule could never raise an alert: changes of the table, or of these
 * columns, are not recorded, or values that it compares are concealed.
 */
extern void at_audited_check(Relation rel, const AtRule *rule);

#endif
