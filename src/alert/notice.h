/*-------------------------------------------------------------------------
 * notice.h
 *		What a notification says of an alert.
 *-------------------------------------------------------------------------
 */
#ifndef AT_NOTICE_H
#define AT_NOTICE_H

#include "datatype/timestamp.h"

/* Longest payload that NOTIFY takes, in bytes. */
#define AT_NOTICE_MAX 7999

/* An alert as it is told; strings belong to the caller. */
typedef struct AtNotice
{
	int64 alert_id;
	int64 tx_id;
	int32 ordinal;
	TimestampTz raised_at;
	const char *rule;
	const char *severity;
	const char *table;       /* with schema; NULL if unknown */
	const char *resource_id; /* NULL if the table has no key */
	const char *event_type;  /* NULL if the event has none of its own */
	const char *sentence;    /* NULL: one without values is made */
	int nchanged;
	char **changed;
	int64 suppressed;  /* alerts of the rule that were not told since the last one */
	int attempt;       /* number on its channel, from 1 */
	bool is_escalated; /* nobody has acknowledged it for long */
} AtNotice;

/*
 * A JSON object of at most AT_NOTICE_MAX bytes, in the current memory
 * context. It has no value of the row but its key and what is in the sentence.
 * What is too long is cut, and its name then stands in the member "shortened".
 */
extern char *at_notice_json(const AtNotice *notice);

#endif
