/*-------------------------------------------------------------------------
 * dispatch.h
 *		An event that another process is to record: it happens where nothing
 *		can be written, or must outlive the transaction.
 *
 * It is sent by way of the ring (base/ring.h) to the collector of this
 * database. What happens in a database without a ledger goes to that of
 * audit_trail.cluster_database. The collector of a standby sends it to the primary server. What
 * finds no room, or cannot be sent, is written to the server's log, as one line:
 *
 *		audit_trail record: {...}
 *
 * with a JSON object in it (doc/observe.md tells its members).
 *-------------------------------------------------------------------------
 */
#ifndef AT_DISPATCH_H
#define AT_DISPATCH_H

#include "ledger/origin.h"

/* Texts may be NULL. */
typedef struct AtDispatch
{
	TimestampTz at;
	char op;
	char *event_type;    /* NULL: what the op makes of the resource type */
	char *resource_type; /* what it is about, where target_id is 0 */
	int32 target_id;     /* version of an audited table that it is about */
	char *record_key;
	char *values;   /* members of a JSON object, without braces */
	int64 rows;     /* one more member, "rows"; -1: it has none */
	char *database; /* where it happened; set by what writes it */
} AtDispatch;

/* The longest text that goes into one, in bytes; what makes them cuts texts to it. */
#define AT_MAX_DISPATCH_TEXT 4000

/*
 * Begin a record: all but the number of rows, in the current memory context. at_dispatch_end()
 * adds that and sends it; it allocates nothing and raises nothing, so it may be called in an abort.
 */
extern void at_dispatch_begin(StringInfo record, const AtOrigin *origin,
							  const AtDispatch *dispatch);
extern void at_dispatch_begin_with(StringInfo record, const StringInfoData *origin,
								   const AtDispatch *dispatch);
extern void at_dispatch_end(StringInfo record, int64 rows);

/* What has become of a record that is to be on disk before something else happens. */
typedef enum AtDispatchFate
{
	AT_DISPATCH_DURABLE, /* it is there; or in the log, on a standby that has no primary_conninfo */
	AT_DISPATCH_SENT,    /* it is on its way, and was not there within the time */
	AT_DISPATCH_NO_PRIMARY, /* it is in the log of a standby, which does not reach the primary */
	AT_DISPATCH_NO_ROOM,    /* in the server's log, as there was no room in the ring */
	AT_DISPATCH_TOO_LONG,   /* there, as no ring has room for it */
	AT_DISPATCH_UNHEARD     /* there, as no ring or no ledger takes it */
} AtDispatchFate;

/*
 * As at_dispatch_end(), but nothing is dropped: while it waits it does so for room, whatever
 * audit_trail.ring_full says. Returns what is known right then.
 */
extern AtDispatchFate at_dispatch_end_surely(StringInfo record, int64 rows, bool waits);

/*
 * Wait until all that this process has sent is on disk, in the trail, for
 * audit_trail.ring_timeout, but at least a second; on a standby for audit_trail.primary_timeout
 * besides. Can be interrupted.
 */
extern AtDispatchFate at_dispatch_wait(void);

/*
 * Write a record that reaches no trail to the server's log. The members, which may be NULL, are
 * some more for its line.
 */
extern void at_dispatch_log(const char *record, int len, const char *members);

/*
 * Send an event whose origin is who does something now. Needs a transaction; raises nothing of
 * its own.
 */
extern void at_dispatch_send(const AtDispatch *dispatch);

/* The same without waiting for room: if there is none it is written to the server's log. */
extern void at_dispatch_send_at_once(const AtDispatch *dispatch);

/* The same with an origin that was made up before; needs no transaction. */
extern void at_dispatch_send_as(const AtOrigin *origin, const AtDispatch *dispatch);

/* Is there a ledger that takes what happens here and now? Needs no transaction. */
extern bool at_dispatch_is_heard(void);

/*
 * Take a record apart: the bytes of its origin, which two of the same session and context have
 * alike, the origin and the event. What is read points into the record. False if it is none.
 */
extern bool at_dispatch_read(const char *record, int len, AtOrigin *origin, int *origin_len,
							 AtDispatch *dispatch);

/* Add a member to those of a JSON object: with a comma, if it is not the first. NULL adds nothing.
 */
extern void at_member_text(StringInfo members, const char *name, const char *value);
extern void at_member_number(StringInfo members, const char *name, int64 value);
extern void at_member_json(StringInfo members, const char *name, const char *json);

#endif
