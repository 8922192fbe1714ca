/*-------------------------------------------------------------------------
 * raise.h
 *		Writing a row of audit.alert.
 *-------------------------------------------------------------------------
 */
#ifndef AT_RAISE_H
#define AT_RAISE_H

#include "nodes/pg_list.h"

#include "ledger/event.h"

/* An alert; what is NULL is missing. */
typedef struct AtRaised
{
	/* the event */
	AtEventName name;
	int32 target_id;
	struct varlena *record_key;
	struct varlena *event_type;

	/* what the rule says */
	const char *rule;
	const char *severity;
	const char *channel;
	const char *escalate_to;
	List *columns; /* names of those that matched */
	const char *sentence;
	const char *hint; /* for who is refused */
} AtRaised;

/* Raise it in the running transaction; the notifier is woken when that commits. */
extern void at_alert_append(const AtRaised *raised);

#endif
