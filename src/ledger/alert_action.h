/*-------------------------------------------------------------------------
 * alert_action.h
 *		What somebody did about an alert: rows of audit.alert_action, and the
 *		event that each of them has.
 *
 * The row is what is looked up: has somebody acknowledged this alert? The
 * event, in the same transaction, is under the seal: who did what about
 * which alert, and when. It says all that the row says, and what the alert was
 * about. So the row, and the alert's own, can be compared with what was sealed.
 *-------------------------------------------------------------------------
 */
#ifndef AT_ALERT_ACTION_H
#define AT_ALERT_ACTION_H

#include "access/htup.h"
#include "access/tupdesc.h"
#include "datatype/timestamp.h"
#include "lib/stringinfo.h"

#include "ledger/event.h"

/* The op of these events, and what they happen to. */
#define AT_ALERT_ACTION_OP       'K'
#define AT_ALERT_ACTION_RESOURCE "alert"

/* Kinds. */
#define AT_ALERT_ACKNOWLEDGED "acknowledged"
#define AT_ALERT_RESEND       "resend"

/* An alert, as far as these events tell of it. */
typedef struct AtAlertFacts
{
	int64 alert_id;
	TimestampTz raised_at;
	int32 target_id;
	AtEventName event;
	const char *rule;
	const char *severity;
} AtAlertFacts;

/* A row of audit.alert_action, but for where it was written. NULL is missing. */
typedef struct AtAlertAction
{
	int64 action_id;
	TimestampTz acted_at;
	int64 alert_id;
	const char *kind;
	const char *channel;
	const char *note;
	const char *actor;
	const char *db_user;
	const char *login_user;

	AtEventName event; /* set by at_alert_action_read() */
} AtAlertAction;

/* A row of audit.alert; its texts are in the current memory context. */
extern void at_alert_facts_read(AtAlertFacts *alert, HeapTuple row, TupleDesc desc);

/* A row of audit.alert_action, likewise. */
extern void at_alert_action_read(AtAlertAction *action, HeapTuple row, TupleDesc desc);

/* Do it now: the event and the row, in the running transaction. The note and channel may be NULL.
 */
extern void at_alert_action_append(const AtAlertFacts *alert, const char *kind, const char *channel,
								   const char *note);

/* The type of the event, a constant; NULL if there is no such kind. */
extern const char *at_alert_action_type(const char *kind);

/* Append what the event has as its new values, without braces. */
extern void at_alert_action_values(const AtAlertAction *action, const AtAlertFacts *alert,
								   StringInfo json);

#endif
