/*-------------------------------------------------------------------------
 * alert_seal.h
 *		Alerts under the seal: events that name alerts, each with a hash of its
 *		row.
 *
 * The notifier makes one, or several, of all alerts of a window between two
 * snapshots (alert/sealing.c): its values are
 * {"count":2,"since":"742:742:","until":"750:750:","alerts":{"641":"<hash>",...}}.
 * Without since the window begins with the first transaction of the server. An event
 * without until is of alerts that its own transaction has raised. Such events
 * raise no alerts.
 *
 * The hash is the first half of the SHA-256 of the columns of audit.alert, in
 * their order, each a string as bodies have them (core/body.h); see doc/format.md.
 *-------------------------------------------------------------------------
 */
#ifndef AT_ALERT_SEAL_H
#define AT_ALERT_SEAL_H

#include "lib/stringinfo.h"

#include "core/body.h"
#include "core/text.h"

#define AT_ALERT_SEAL_OP   'H'
#define AT_ALERT_SEAL_TYPE "alert.sealed"

/* A hash in hex. */
#define AT_ALERT_SEAL_LEN 32

/* Alerts that an event takes. */
#define AT_ALERT_SEAL_MAX 500

/* An event that is being made, in the context that was current when it was begun. */
typedef struct AtAlertSeal
{
	const char *since; /* NULL: from the beginning */
	const char *until; /* NULL: of the running transaction */
	StringInfoData alerts;
	int count;
	int64 first; /* of the alerts, by which the event is found */
} AtAlertSeal;

/* The hash of a row of audit.alert, in the current context. */
extern char *at_alert_seal_hash(const Datum *values, const bool *nulls);

extern void at_alert_seal_begin(AtAlertSeal *seal, const char *since, const char *until);

/* Add a row; what was added is appended as an event of the running transaction when it is full. */
extern void at_alert_seal_add(AtAlertSeal *seal, const Datum *values, const bool *nulls);

/* Append what is left. */
extern void at_alert_seal_end(AtAlertSeal *seal);

/*
 * Read the values of an event; false if they are none of these. A text is empty where it is
 * missing.
 */
extern bool at_alert_seal_read(AtSpan values, AtText *since, AtText *until, AtText *alerts);

/* Cut off the next alert; false at the end. */
extern bool at_alert_seal_next(AtText *alerts, int64 *alert_id, AtText *hash);

#endif
