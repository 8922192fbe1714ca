/*-------------------------------------------------------------------------
 * alert.h
 *		An alert as a sink gets it.
 *-------------------------------------------------------------------------
 */
#ifndef AT_ALERT_H
#define AT_ALERT_H

#include <stdint.h>

/* Strings belong to the feed, and are valid until it is read on. None is NULL. */
typedef struct AtAlert
{
	int64_t delivery_id; /* its place, and what makes it one of a kind */
	const char *id;      /* names the delivery to receivers: no other database has one like it */
	int64_t alert_id;
	int attempt;           /* how often it was told, with this time */
	int64_t told_at;       /* seconds since 1970 */
	const char *told_time; /* the same, exactly, as the database writes it */
	const char *raised_at; /* RFC 3339 */
	const char *severity;
	const char *rule;
	const char *sentence;
	const char *table;
	const char *resource_id;
	const char *event_id;
	const char *json; /* the CloudEvent */
} AtAlert;

/* What became of an attempt. */
typedef enum AtOutcome
{
	AT_DELIVERED,
	AT_TRY_AGAIN, /* nobody was there, or had no time */
	AT_REFUSED    /* and would be each time */
} AtOutcome;

/* Room for the reason of a failure. */
#define AT_REASON_MAX 300

#endif
