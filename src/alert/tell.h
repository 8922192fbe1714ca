/*-------------------------------------------------------------------------
 * tell.h
 *		Telling one alert: a NOTIFY on each of its channels, and a row of
 *		audit.alert_delivery for each.
 *
 * While the queue of NOTIFY is full nobody can be told by it. Then the rows
 * are written all the same, with the outcome "unheard": who catches up sees
 * the alert at once, and those who LISTEN are told as soon as there is room.
 * So a stuck listener, or somebody who floods the queue, delays what is
 * heard and never what is read.
 *
 * For the notifier alone, in the transaction of its pass.
 *-------------------------------------------------------------------------
 */
#ifndef AT_TELL_H
#define AT_TELL_H

#include "datatype/timestamp.h"

#include "alert/notice.h"

/* Alerts that are told in one transaction, at most. */
#define AT_TELL_PORTION 1000

/* The columns of audit.alert, called a, in the order of the table, for at_tell_read(). */
#define AT_TELL_COLUMNS                                                                            \
	"a.alert_id, a.raised_at, a.xid, a.tx_id, a.ordinal, a.target_id, a.rule_name, a.severity, "   \
	"a.channel, a.record_key, a.changed, a.event_type, a.sentence, a.escalate_to"

/* An alert with what decides on whom to tell. */
typedef struct AtTelling
{
	AtNotice notice;
	const char *channel;     /* of its rule */
	const char *escalate_to; /* the second channel; empty: none */
	char *payload;           /* of this attempt; NULL: not made yet */
} AtTelling;

/*
 * Begin a pass, in its transaction: find out whether there is room in the
 * queue. What is told now is due again after not_before. The memory context is that of the pass.
 */
extern void at_tell_begin(TimestampTz not_before);

/* Is there no room, so that it makes no sense to tell anybody again? */
extern bool at_tell_is_unheard(void);

/* So many alerts this pass may tell: fewer after one that did not find room. */
extern int at_tell_limit(void);

/* Write the deliveries of what was told, at its end. */
extern void at_tell_write(void);

/* The pass has ended: with 0 well, else with this error. */
extern void at_tell_end(int sqlstate);

/* Read a row of audit.alert; in the current memory context. */
extern void at_tell_read(const Datum *values, const bool *nulls, AtTelling *telling);

/* Tell it the first time, on the channel of all alerts and its rule's. */
extern void at_tell_first(AtTelling *telling);

/*
 * Tell it again on one channel, or with NULL on all of them, the second one too where
 * that is due. action_id names the request; 0: there was none.
 */
extern void at_tell_again(AtTelling *telling, const char *channel, int64 action_id);

/* Note that it has been told often enough, and that nobody has acknowledged it. */
extern void at_tell_give_up(const AtTelling *telling, int attempt);

#endif
