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
#include "lib/stringinfo.h"
#include "nodes/pg_list.h"

#include "core/number.h"
#include "ledger/event.h"

/* A column whose value an update changed. */
typedef struct AtChangedColumn
{
	AttrNumber attnum; /* in the audited table, of a partitioned one in its root */
	const char *name;
} AtChangedColumn;

/*
 * An event, told right after it was appended, in its transaction, whatever its
 * op is. All of it is valid during the call only. It holds nothing that was made
 * for the call: who needs the columns or the values of a row asks for them.
 */
typedef struct AtChange AtChange;

struct AtChange
{
	const AtEvent *event;
	AtEventName name;
	Oid relid; /* the audited table, of a partitioned one its root; InvalidOid: it is of none */

	/* of an update: how many columns changed, and which is the i-th; else 0 and NULL */
	int nchanged;
	AtChangedColumn (*changed)(const AtChange *change, int i);

	/*
	 * Append as JSON what a column of the table holds before or after the change, in the
	 * form in which it would be recorded, changed or not. False if there is none: no such row, or a
	 * column that is not captured or is concealed. NULL where the event is of no row.
	 */
	bool (*value)(const AtChange *change, bool is_new, AttrNumber attnum, StringInfo out);

	/*
	 * The same value as a number, where it would be written as one of no more digits than
	 * AtNumber has, without writing it. False if it is another, null, or there is none: ask for the
	 * value. May be NULL.
	 */
	bool (*number)(const AtChange *change, bool is_new, AttrNumber attnum, AtNumber *number);
	void *arg; /* for the three */
};

typedef void (*AtChangeHook)(const AtChange *change);
extern AtChangeHook at_change_hook;

/* Tell an event to those who want to hear; of a table's rows only where they are wanted. */
static inline void
at_change_tell(const AtChange *change)
{
	if (at_change_hook != NULL)
		at_change_hook(change);
}

/*
 * For events that are not changes of rows - emitted, reads, sessions, privileges,
 * refusals: append one and tell it. The table that it is about, if any.
 */
extern AtEventName at_change_record(const AtEvent *event, Oid relid);

/* An op as a bit of a set of them. */
static inline uint32
at_op_bit(char op)
{
	return 1U << (op - 'A');
}

/*
 * Which ops of changes of this table's rows does somebody want to hear of? The
 * answer holds until the relcache entry of the table is invalidated.
 */
typedef uint32 (*AtChangeWantedHook)(Oid relid);
extern AtChangeWantedHook at_change_wanted_hook;

/*
 * Set by capture: does the audit of this relation rest on a trigger of this
 * name? A policy of its own, or of a table above it, decides. Needs a
 * transaction; false where there is no ledger.
 */
typedef bool (*AtTriggerNeededHook)(Oid relid, const char *trigger);
extern AtTriggerNeededHook at_trigger_needed_hook;

/*
 * Set by capture: which table's policy has the rows of this relation recorded, its own or one
 * above it? InvalidOid: none, or there is no ledger. Needs a transaction.
 */
typedef Oid (*AtAuditedByHook)(Oid relid);
extern AtAuditedByHook at_audited_by_hook;

/* What others record of an audited table, besides the changes of its rows. Strings are in the
 * current context. */
typedef struct AtAuditedTable
{
	Oid root; /* the table whose policy it is */
	int32 target_id;
	char *resource_type;

	/* statements that read it are recorded; limited: those that read one of these columns */
	bool reads;
	bool reads_limited;
	List *read_columns; /* of C strings */
	bool query;         /* with their text */
} AtAuditedTable;

/* Set by capture: the same question as above, with what the policy says; false: there is none. */
typedef bool (*AtAuditedTableHook)(Oid relid, AtAuditedTable *table);
extern AtAuditedTableHook at_audited_table_hook;

/*
 * Set by the room of alerts: tell those who LISTEN of something that is about
 * the audit trail itself and no event. Called in a transaction, and sent when
 * that commits. The name is a constant ("anchor").
 */
typedef void (*AtAlarmHook)(const char *name, const char *severity, const char *message);
extern AtAlarmHook at_alarm_hook;

/* Set by the room of alerts: a column of an audited table has got another name. */
typedef void (*AtColumnRenamedHook)(Oid relid, const char *old_name, const char *new_name);
extern AtColumnRenamedHook at_column_renamed_hook;

#endif
