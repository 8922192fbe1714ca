/*-------------------------------------------------------------------------
 * context.h
 *		Who acts, and why: what the application says of itself, and the role
 *		that the server takes it for.
 *
 * The settings audit_trail.* hold what the application says, for the
 * transaction if set with audit.set_context() or SET LOCAL. Where one is
 * unset, settings of others that audit.context_source names are asked, then
 * a comment at the end of the statement (core/comment.h). The first event of
 * a transaction fixes all that for the transaction; an event written under
 * another context, or another role, says so in its own extra.context.
 *-------------------------------------------------------------------------
 */
#ifndef AT_CONTEXT_H
#define AT_CONTEXT_H

#include "lib/stringinfo.h"
#include "miscadmin.h"

#include "base/guc.h"

/* In the order of the parameters of audit.set_context(). */
typedef enum AtContextField
{
	AT_CONTEXT_ACTOR,
	AT_CONTEXT_ACTOR_TYPE,
	AT_CONTEXT_REQUEST_ID,
	AT_CONTEXT_REASON,
	AT_CONTEXT_EXTRA, /* a JSON object */
	AT_CONTEXT_APP_SESSION,
	AT_CONTEXT_CLIENT_IP,
	AT_CONTEXT_TRACE_PARENT,
	AT_CONTEXT_FIELDS
} AtContextField;

/* Names of the fields: settings, parameters, members of extra.context. */
extern const char *const at_context_names[AT_CONTEXT_FIELDS];

/* A value and where it was learnt. NULL: unset. */
typedef struct AtContextValue
{
	const char *value;
	const char *source; /* NULL: from our setting; else "source:NAME" or "comment" */
} AtContextValue;

/* Strings live in the memory context that it was taken in. */
typedef struct AtContext
{
	uint64 version; /* at_guc_context_version when it was taken */
	Oid user_id;    /* session_user */
	Oid role_id;    /* current_user */
	AtContextValue field[AT_CONTEXT_FIELDS];
	AtContextValue hint[AT_CONTEXT_FIELDS]; /* what counts while our setting is unset */
} AtContext;

/* Look at the context as it is now, in the current memory context. */
extern void at_context_look(AtContext *context);

/*
 * The same for a transaction that is recorded. ERRCODE_AT_NO_CONTEXT if nobody
 * says who acts and audit_trail.require_context wants it.
 */
extern void at_context_take(AtContext *context);

/* Does somebody but our settings say something now: settings of others, a comment? */
extern bool at_context_has_hints(void);

/* Give the fields that are unset the values of our settings as they are now. */
extern void at_context_complete(AtContext *context);

/*
 * A copy, in the current context, that is valid text and at most
 * AT_MAX_CONTEXT_LENGTH bytes long, cut between characters.
 */
extern char *at_context_clean(const char *value);

/* The same of a text of len bytes, with another limit. */
extern char *at_context_clean_part(const char *text, int len, int limit);

/* Where a value was learnt, as audit.transaction has it. */
extern const char *at_context_source(const AtContextValue *value);

/* JSON object: sources of the fields but the actor that are not from our settings; NULL if none. */
extern char *at_context_sources(const AtContext *context);

/* Who acts: where one is switched to an owner for safety, it is the one who was there before. */
static inline Oid
at_context_role(void)
{
	return InSecurityRestrictedOperation() ? GetOuterUserId() : GetUserId();
}

/* Is everything as it was taken? Never says so wrongly. */
static inline bool
at_context_unchanged(const AtContext *context)
{
	return context->version == at_guc_context_version && context->role_id == at_context_role() &&
		   context->user_id == GetSessionUserId();
}

/*
 * Append `"context":{...}` with what differs from what was taken; appends
 * nothing and returns false where nothing differs. An unset field is null.
 */
extern bool at_context_append_changes(const AtContext *context, StringInfo out);

#endif
