/*-------------------------------------------------------------------------
 * policy.h
 *		What is captured of a table: a row of audit.policy with the version
 *		of the table it names, made ready for the triggers.
 *-------------------------------------------------------------------------
 */
#ifndef AT_POLICY_H
#define AT_POLICY_H

#include "utils/rel.h"

#include "capture/event_map.h"
#include "capture/filter.h"
#include "capture/render.h"
#include "capture/trigger.h"
#include "core/body.h"

/* Belongs to the backend's cache; use it until control goes back to the executor. */
typedef struct AtPolicy
{
	Oid relid;      /* the relation that rows are changed in: the table or a partition */
	Oid root_relid; /* the relation that audit.policy names */
	bool valid;
	uint32 watched;      /* ops that another room wants to hear of: at_op_bit() */
	bool tell_truncated; /* a TRUNCATE tells each row */
	bool tell_query;     /* the text of the client's command is recorded */
	MemoryContext memory;
	int trigger[AT_ROW_TRIGGERS]; /* our triggers in trigdesc of the relation; -1: not there */

	/* which relation it is, as a member of extra; NULL where rows do not tell it */
	char *place_json;

	/* of audit.target */
	int32 target_id;
	int16 retention_class;
	AtSpan schema;
	AtSpan table;
	AtSpan resource_type;

	/* columns that are captured, in the order of the relation; never dropped ones */
	int ncolumns;
	AtColumn *columns;
	int nkeys;
	AtColumn **keys; /* in the order of the key */

	/* the rare ones */
	bool personal;     /* there are personal columns */
	AtColumn *subject; /* whose values they are; NULL: nobody knows */
	AtFilter *filter;  /* which changes are recorded; NULL: all */
	AtEventMap *map;   /* which changes are business events; NULL: none */
} AtPolicy;

/* The policy for a relation, found at the table itself or at an ancestor; NULL if there is none. */
extern const AtPolicy *at_policy_lookup(Relation rel);

/* The same, if it is known already: reads nothing, and never raises an error. */
extern const AtPolicy *at_policy_known(Relation rel);

/* Register the invalidation callback. */
extern void at_policy_init(void);

#endif
