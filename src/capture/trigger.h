/*-------------------------------------------------------------------------
 * trigger.h
 *		The triggers that capture changes.
 *
 * A row trigger of ours does its work in its WHEN condition, which the
 * executor evaluates right after it has changed the row; the condition is
 * never true, so that no trigger function is called and nothing is queued.
 * So events stand in the order in which rows were changed, whatever other
 * triggers do, and a statement needs no memory a row.
 *-------------------------------------------------------------------------
 */
#ifndef AT_TRIGGER_H
#define AT_TRIGGER_H

#include "utils/rel.h"

/* One of our triggers. */
typedef struct AtTrigger
{
	const char *name;      /* sorts before other triggers, whose WHEN may run SQL too */
	const char *operation; /* as in audit.policy.operations */
	const char *when;      /* NULL: a statement trigger that calls audit.capture() */
	int16 type;            /* as pg_trigger.tgtype */
} AtTrigger;

/* Places in at_triggers[]: insert, update and delete, then two for truncate. */
#define AT_ROW_TRIGGERS            3
#define AT_TRIGGER_BEFORE_TRUNCATE 3
#define AT_TRIGGER_TRUNCATE        4
#define AT_TRIGGERS                5

extern const AtTrigger at_triggers[AT_TRIGGERS];

/* Is the trigger the one it should be: by name, event, function and condition? */
extern bool at_trigger_is_ours(const Trigger *trigger, const AtTrigger *ours);

/*
 * Raise an error if a trigger of the table has the name of one of ours and is
 * none, or could call our functions. In a condition they need the place of a
 * row, whichever function of the user's may have been inlined there, so any
 * condition that uses ctid is refused.
 *
 * Tells where our row triggers are in rel->trigdesc; -1 for one that is not there.
 */
extern void at_trigger_check(Relation rel, int place[AT_ROW_TRIGGERS]);

#endif
