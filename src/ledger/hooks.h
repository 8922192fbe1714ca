/*-------------------------------------------------------------------------
 * hooks.h
 *		How a room tells the rooms beside it of what it has recorded or found.
 *
 * Rooms do not include each other: who wants to hear sets the pointers in
 * its init function, keeps what was in them, and calls that afterwards.
 * They are NULL where nobody listens.
 *-------------------------------------------------------------------------
 */
#ifndef AT_HOOKS_H
#define AT_HOOKS_H

#include "access/attnum.h"

/* A recorded change of a row. Pointers are valid during the call only. */
typedef struct AtChange
{
	/* where: the audited table, of a partitioned one its root */
	Oid relid;
	int32 target_id;

	/* the event */
	uint64 tx_id;
	uint64 xid; /* full transaction id of the top level */
	uint32 ordinal;
	char op;
	const char *record_key; /* NULL if the table has no key */

	/* of an update: the columns of relid that changed */
	int nchanged;
	const AttrNumber *changed;
	const char *const *changed_names;
} AtChange;

/* Called after an update has been appended, if somebody wants to hear of the table. */
typedef void (*AtChangeHook)(const AtChange *change);
extern AtChangeHook at_change_hook;

/*
 * Does anybody want to hear of changes of this table? The answer holds until
 * the relcache entry of the table is invalidated.
 */
typedef bool (*AtChangeWantedHook)(Oid relid);
extern AtChangeWantedHook at_change_wanted_hook;

/* Called after an event that tells of a refused attempt; of the change, what and where is not set.
 */
extern AtChangeHook at_attempt_hook;

/*
 * Set by capture: does the audit of this relation rest on a trigger of this
 * name? A policy of its own, or of a table above it, decides. Needs a
 * transaction; false where there is no ledger.
 */
typedef bool (*AtTriggerNeededHook)(Oid relid, const char *trigger);
extern AtTriggerNeededHook at_trigger_needed_hook;

/*
 * Set by the room of alerts: tell those who LISTEN of something that is about
 * the audit trail itself and no event. Called in a transaction, and sent when
 * that commits. The name is a constant ("anchor").
 */
typedef void (*AtAlarmHook)(const char *name, const char *severity, const char *message);
extern AtAlarmHook at_alarm_hook;

#endif
