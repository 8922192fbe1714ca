/*-------------------------------------------------------------------------
 * context.c
 *		What the application says of itself: actor, request, reason.
 *
 * A comparison of one counter tells that nothing has changed since the
 * context was taken, which is the rule for all events but the first.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

#include "base/guc.h"
#include "ledger/context.h"

typedef struct ContextField
{
	const char *name;
	char **setting;
	size_t offset;
} ContextField;

static const ContextField fields[] = {
	{"actor", &at_guc_actor, offsetof(AtContext, actor)},
	{"actor_type", &at_guc_actor_type, offsetof(AtContext, actor_type)},
	{"request_id", &at_guc_request_id, offsetof(AtContext, request_id)},
	{"reason", &at_guc_reason, offsetof(AtContext, reason)},
	{"extra", &at_guc_extra, offsetof(AtContext, extra)},
};

#define FIELD(context, i) (*(char **) ((char *) (context) + fields[i].offset))

PG_FUNCTION_INFO_V1(at_set_context);

static inline const char *
setting(int i)
{
	const char *value = *fields[i].setting;

	return value != NULL && value[0] != '\0' ? value : NULL;
}

void
at_context_take(AtContext *context)
{
	memset(context, 0, sizeof(*context));
	context->version = at_guc_context_version;
	at_context_complete(context);
}

void
at_context_complete(AtContext *context)
{
	for (int i = 0; i < lengthof(fields); i++)
	{
		const char *now = setting(i);

		if (FIELD(context, i) == NULL && now != NULL)
			FIELD(context, i) = pstrdup(now);
	}
}

bool
at_context_append_changes(const AtContext *context, StringInfo out)
{
	bool any = false;

	if (context->version == at_guc_context_version)
		return false;

	for (int i = 0; i < lengthof(fields); i++)
	{
		const char *taken = FIELD(context, i);
		const char *now = setting(i);

		if (taken == now || (taken != NULL && now != NULL && strcmp(taken, now) == 0))
			continue;
		appendStringInfo(out, "%s\"%s\":", any ? "," : "\"context\":{", fields[i].name);
		if (now == NULL)
			appendStringInfoString(out, "null");
		else if (strcmp(fields[i].name, "extra") == 0)
			appendStringInfoString(out, now);
		else
			escape_json(out, now);
		any = true;
	}
	if (any)
		appendStringInfoChar(out, '}');
	return any;
}

/* Set one of the settings until the end of the transaction. */
static void
set_local(const char *name, const char *value)
{
	char full[NAMEDATALEN];

	snprintf(full, sizeof(full), "audit_trail.%s", name);
	(void) set_config_option(full, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0,
							 false);
}

Datum
at_set_context(PG_FUNCTION_ARGS)
{
	for (int i = 0; i < lengthof(fields); i++)
	{
		if (PG_ARGISNULL(i))
			continue;
		if (strcmp(fields[i].name, "extra") == 0)
		{
			Jsonb *extra = PG_GETARG_JSONB_P(i);

			set_local("extra", JsonbToCString(NULL, &extra->root, VARSIZE(extra)));
		}
		else
			set_local(fields[i].name, text_to_cstring(PG_GETARG_TEXT_PP(i)));
	}
	PG_RETURN_VOID();
}
