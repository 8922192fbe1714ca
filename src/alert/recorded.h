/*-------------------------------------------------------------------------
 * recorded.h
 *		Events of the trail, as rules look at them.
 *
 * They are read from the view audit.events by SPI, with the rights of the
 * current user. Of an update the trail has what changed; what else a rule asks
 * for is looked up in the events of the row before it, when it is asked for.
 *-------------------------------------------------------------------------
 */
#ifndef AT_RECORDED_H
#define AT_RECORDED_H

#include "access/htup.h"
#include "access/tupdesc.h"

#include "alert/rule.h"

/* What is selected from audit.events e, in this order; at_recorded_read() wants it first. */
#define AT_RECORDED_COLUMNS                                                                        \
	"e.tx_id, e.ordinal, e.occurred_at, e.event_type, e.action, e.resource_type, e.resource_id, "  \
	"e.table_schema, e.table_name, e.old_values::text, e.new_values::text, e.actor, "              \
	"e.actor_type, e.db_user, e.db_role, e.application_name, e.reason, e.request_id, e.target_id"
#define AT_RECORDED_NCOLUMNS 19

typedef struct AtRecorded
{
	AtObserved observed;
	AtChange change;
	AtEvent event;
	Oid relid; /* InvalidOid: columns are not looked at */
	int nnames;
	AtChangedColumn *columns; /* that an update changed */
} AtRecorded;

/* Make one of a row, in the current memory context; relid is the rule's table. */
extern void at_recorded_read(HeapTuple row, TupleDesc desc, Oid relid, AtRecorded *recorded);

/* The event of this name; false if there is none, or the user may not see it. */
extern bool at_recorded_find(AtEventName name, Oid relid, AtRecorded *recorded);

/*
 * What has been recorded of the same record after this event, and not later than until, does any
 * of it meet the rule's followed_by? *undecided counts as one that does not.
 */
extern bool at_recorded_follows(const AtRule *rule, const AtRecorded *recorded, TimestampTz until);

#endif
