/*-------------------------------------------------------------------------
 * event.h
 *		An event: into the chain of its transaction and into audit.event.
 *-------------------------------------------------------------------------
 */
#ifndef AT_EVENT_H
#define AT_EVENT_H

#include "datatype/timestamp.h"
#include "lib/stringinfo.h"

#include "core/body.h"

/* What the caller tells; NULL is missing. Varlenas must not be toasted. */
typedef struct AtEvent
{
	/* what it is about */
	int32 target_id;
	int16 retention_class; /* where no policy of retention says otherwise */
	AtSpan schema;
	AtSpan table;
	AtSpan resource_type;

	/* what happened */
	char op;
	struct varlena *record_key;
	struct varlena *event_type;
	struct varlena *old_values;
	struct varlena *new_values;
	StringInfo extra;        /* members of a JSON object, without braces */
	TimestampTz occurred_at; /* 0: now */
} AtEvent;

/* The name of an event. */
typedef struct AtEventName
{
	uint64 tx_id;
	uint32 ordinal;
} AtEventName;

/* The name from its text, tx_id.ordinal; an error if it is none. */
extern AtEventName at_event_name_read(const char *event_id);

/*
 * Append the event to the ledger, in the running transaction. Allocates in
 * the current context. An error leaves transaction and chain as they were,
 * once the (sub)transaction is rolled back.
 */
extern AtEventName at_event_append(const AtEvent *event);

/*
 * Has the extra of an event the member "context": who acted was not, or not only, who
 * the transaction's row names? It is what the SQL function audit.has_context() tells.
 */
extern bool at_event_has_context(const struct varlena *extra);

#endif
