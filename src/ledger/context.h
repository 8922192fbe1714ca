/*-------------------------------------------------------------------------
 * context.h
 *		What the application says of itself: actor, request, reason.
 *
 * The settings audit_trail.* hold it, for the transaction if set with
 * audit.set_context() or SET LOCAL. The first event of a transaction fixes
 * it for the transaction; an event written under another context says so
 * in its own extra.context.
 *-------------------------------------------------------------------------
 */
#ifndef AT_CONTEXT_H
#define AT_CONTEXT_H

#include "lib/stringinfo.h"

/* Strings are NULL where unset and live as long as the transaction. */
typedef struct AtContext
{
	uint64 version; /* at_guc_context_version when it was taken */
	char *actor;
	char *actor_type;
	char *request_id;
	char *reason;
	char *extra; /* a JSON object */
} AtContext;

/* Copy the settings as they are now. */
extern void at_context_take(AtContext *context);

/* Give the fields that are unset the values of the settings as they are now. */
extern void at_context_complete(AtContext *context);

/*
 * Append `"context":{...}` with the fields whose settings differ from what
 * was taken; appends nothing and returns false where none differs. An unset
 * field is null.
 */
extern bool at_context_append_changes(const AtContext *context, StringInfo out);

#endif
