/*-------------------------------------------------------------------------
 * restraint.h
 *		When alerts of a rule are raised but not told: it is muted, it is
 *		quiet, or there are too many.
 *
 * It is asked when they are told, of what has been committed: changes that are rolled back
 * use up no limit. For the notifier alone, in the transaction of its pass.
 *-------------------------------------------------------------------------
 */
#ifndef AT_RESTRAINT_H
#define AT_RESTRAINT_H

#include "datatype/timestamp.h"

/* Of the delivery of an alert in quiet hours. */
#define AT_QUIET_DETAIL "quiet hours of the rule"

typedef enum AtRestraintKind
{
	AT_TOLD,
	AT_MUTED,  /* until a time that the rule says: never told */
	AT_QUIET,  /* told when the quiet hours are over */
	AT_LIMITED /* never told, but counted */
} AtRestraintKind;

typedef struct AtRestraint
{
	AtRestraintKind kind;
	TimestampTz until; /* of muted and quiet */
	int64 suppressed;  /* of told: so many were not, since one was the last time */
} AtRestraint;

/* An alert of this rule is to be told now: is it? */
extern AtRestraint at_restraint_ask(const char *rule);

/* What was asked in this pass was rolled back: what was told is counted anew when it is asked next.
 */
extern void at_restraint_forget(void);

#endif
