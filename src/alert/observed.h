/*-------------------------------------------------------------------------
 * observed.h
 *		An event as rules look at it: one that was just appended, or one
 *		of the recorded history.
 *
 * What a rule asks for is looked up when it asks first.
 *-------------------------------------------------------------------------
 */
#ifndef AT_OBSERVED_H
#define AT_OBSERVED_H

#include "access/htup_details.h"
#include "datatype/timestamp.h"

#include "ledger/hooks.h"

#define AT_OBSERVED_WORDS (MaxHeapAttributeNumber / 64 + 1)

/* Who acted, as the event has it. Strings are NULL where nobody says. */
typedef struct AtWho
{
	const char *actor; /* who the application says, or else the database user */
	const char *actor_type;
	const char *db_user;
	const char *db_role;
	const char *application;
	const char *reason;
	const char *request_id;
} AtWho;

typedef struct AtObserved
{
	const AtChange *change;
	uint64 changed[AT_OBSERVED_WORDS]; /* of an update: attnums as bits */
	TimestampTz at;                    /* 0: not asked for yet */
	bool has_who;
	AtWho who;
} AtObserved;

/* An event that was just appended. */
extern void at_observe_change(AtObserved *observed, const AtChange *change);

/* Who acted; in the current memory context. */
extern const AtWho *at_observed_who(AtObserved *observed);

/*
 * Its type, that of a row's change too ("orders.updated"); the key, the table with its schema;
 * NULL where it has none. In the current memory context.
 */
extern char *at_observed_event_type(const AtObserved *observed);
extern char *at_observed_key(const AtObserved *observed);
extern char *at_observed_table(const AtObserved *observed);

/* When it happened. */
extern TimestampTz at_observed_at(AtObserved *observed);

static inline bool
at_observed_changed(const AtObserved *observed, AttrNumber attnum)
{
	return attnum > 0 && (observed->changed[attnum / 64] >> (attnum % 64)) & 1;
}

#endif
