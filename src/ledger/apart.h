/*-------------------------------------------------------------------------
 * apart.h
 *		An event in a transaction of its own, which stays whatever becomes of
 *		the transaction that asks for it.
 *
 * A background worker writes and commits it, in the name of the session that
 * asks: with its users and with what the application said. What is about the trail itself
 * shows the worker as a session of its own there, so the event's new_values should tell whose
 * order it was; at_apart_requester() does.
 *-------------------------------------------------------------------------
 */
#ifndef AT_APART_H
#define AT_APART_H

#include "lib/stringinfo.h"

#include "ledger/event.h"

/*
 * Append an event about the audit trail itself, without a record key, and wait until it is
 * committed. Not during recovery. Raises an error, with the worker's message
 * as its detail, if the event cannot be recorded, or if no worker is free.
 */
extern AtEventName at_apart_append(char op, const char *event_type, const char *new_values);

/*
 * The same of an event that is about something else: of `context` and the event's resource type;
 * what the event says of its target is not used. It is recorded as one of this session, and told to
 * others (hooks.h). Texts must be shorter than a gigabyte together.
 */
extern AtEventName at_apart_record(const AtEvent *event, const char *context);

/* Append a member "requested_by" with what the server knows of this session, and no comma. */
extern void at_apart_requester(StringInfo json);

#endif
