/*-------------------------------------------------------------------------
 * context.c
 *		Who acts, and why.
 *
 * Comparing one counter and two oids tells that nothing has changed since
 * the context was taken, which is the rule for all events but the first.
 * Others' settings and the statement's comment are looked at then only.
 *
 * All texts are valid in the encoding of the database: our settings are
 * checked when they are set, in others' and in comments what is not valid
 * becomes '?'.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/string.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/jsonb.h"

#include "base/compat.h"
#include "base/errors.h"
#include "base/guc.h"
#include "core/comment.h"
#include "ledger/context.h"
#include "ledger/source.h"

const char *const at_context_names[AT_CONTEXT_FIELDS] = {
	[AT_CONTEXT_ACTOR] = "actor",           [AT_CONTEXT_ACTOR_TYPE] = "actor_type",
	[AT_CONTEXT_REQUEST_ID] = "request_id", [AT_CONTEXT_REASON] = "reason",
	[AT_CONTEXT_EXTRA] = "extra",           [AT_CONTEXT_APP_SESSION] = "app_session",
	[AT_CONTEXT_CLIENT_IP] = "client_ip",   [AT_CONTEXT_TRACE_PARENT] = "trace_parent",
};

static char **const settings[AT_CONTEXT_FIELDS] = {
	[AT_CONTEXT_ACTOR] = &at_guc_actor,           [AT_CONTEXT_ACTOR_TYPE] = &at_guc_actor_type,
	[AT_CONTEXT_REQUEST_ID] = &at_guc_request_id, [AT_CONTEXT_REASON] = &at_guc_reason,
	[AT_CONTEXT_EXTRA] = &at_guc_extra,           [AT_CONTEXT_APP_SESSION] = &at_guc_app_session,
	[AT_CONTEXT_CLIENT_IP] = &at_guc_client_ip,   [AT_CONTEXT_TRACE_PARENT] = &at_guc_trace_parent,
};

/* What a key of a comment says. The first of two keys for a field counts. */
static const struct
{
	const char *key;
	AtContextField field;
} comment_keys[] = {
	{"actor", AT_CONTEXT_ACTOR},
	{"user_id", AT_CONTEXT_ACTOR},
	{"request_id", AT_CONTEXT_REQUEST_ID},
	{"traceparent", AT_CONTEXT_TRACE_PARENT},
};

/* Keys that go into extra. */
static const char *const comment_extra_keys[] = {"application", "route"};

#define COMMENT_SOURCE "comment"

PG_FUNCTION_INFO_V1(at_set_context);
PG_FUNCTION_INFO_V1(at_tag_maintenance);

static void read_comment(AtContextValue *hint);
static void append_extra_hint(const AtComment *comment, AtContextValue *hint);

static const char *
setting(int i)
{
	const char *value = *settings[i];

	return value != NULL && value[0] != '\0' ? value : NULL;
}

/* The value of a field as of now. */
static AtContextValue
current_value(const AtContext *context, int i)
{
	const char *value = setting(i);

	return value != NULL ? (AtContextValue){value, NULL} : context->hint[i];
}

char *
at_context_clean(const char *value)
{
	return at_context_clean_part(value, strlen(value), AT_MAX_CONTEXT_LENGTH);
}

/* Like pg_clean_ascii() of PostgreSQL 15, in place; a newer one makes four characters of each. */
static void
replace_all_but_ascii(char *text)
{
	for (; *text != '\0'; text++)
		if (*text < 32 || *text > 126)
			*text = '?';
}

char *
at_context_clean_part(const char *text, int len, int limit)
{
	char *clean = pnstrdup(text, len);

	if (!pg_verifymbstr(clean, len, true))
		replace_all_but_ascii(clean);
	clean[pg_mbcliplen(clean, len, limit)] = '\0';
	return clean;
}

void
at_context_look(AtContext *context)
{
	memset(context, 0, sizeof(*context));
	context->version = at_guc_context_version;
	context->user_id = GetSessionUserId();
	context->role_id = at_context_role();
	at_source_read(context->hint);
	read_comment(context->hint);
	for (int i = 0; i < AT_CONTEXT_FIELDS; i++)
	{
		context->field[i] = current_value(context, i);
		if (context->field[i].value != NULL)
			context->field[i].value = pstrdup(context->field[i].value);
	}
}

bool
at_context_has_hints(void)
{
	AtContextValue hint[AT_CONTEXT_FIELDS] = {{NULL}};

	at_source_read(hint);
	read_comment(hint);
	for (int i = 0; i < AT_CONTEXT_FIELDS; i++)
		if (hint[i].value != NULL)
			return true;
	return false;
}

void
at_context_take(AtContext *context)
{
	at_context_look(context);
	if (at_guc_require_context == AT_REQUIRE_CONTEXT_ERROR &&
		context->field[AT_CONTEXT_ACTOR].value == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_AT_NO_CONTEXT),
				 errmsg("nobody says who makes this change of an audited table"),
				 errdetail("audit_trail.require_context is set, and no actor for the transaction."),
				 errhint("SELECT audit.set_context(actor => 'who'); in the same transaction.")));
}

/* What the comment at the end of the client's statement says of fields that are still unset. */
static void
read_comment(AtContextValue *hint)
{
	AtComment comment;

	if (debug_query_string == NULL ||
		!at_comment_read(&comment, debug_query_string, strlen(debug_query_string)))
		return;

	for (int i = 0; i < comment.npairs; i++)
	{
		for (int j = 0; j < lengthof(comment_keys); j++)
		{
			AtContextValue *field = &hint[comment_keys[j].field];

			if (field->value == NULL && comment.pair[i].value[0] != '\0' &&
				strcmp(comment.pair[i].key, comment_keys[j].key) == 0)
				*field = (AtContextValue){at_context_clean(comment.pair[i].value), COMMENT_SOURCE};
		}
	}
	append_extra_hint(&comment, &hint[AT_CONTEXT_EXTRA]);
}

static void
append_extra_hint(const AtComment *comment, AtContextValue *hint)
{
	StringInfoData json;

	if (hint->value != NULL)
		return;
	initStringInfo(&json);
	for (int i = 0; i < lengthof(comment_extra_keys); i++)
	{
		for (int j = 0; j < comment->npairs; j++)
		{
			if (strcmp(comment->pair[j].key, comment_extra_keys[i]) != 0)
				continue;
			appendStringInfo(&json, "%s\"%s\":", json.len > 0 ? "," : "{", comment_extra_keys[i]);
			escape_json(&json, at_context_clean(comment->pair[j].value));
			break;
		}
	}
	if (json.len == 0)
		return;
	appendStringInfoChar(&json, '}');
	*hint = (AtContextValue){json.data, COMMENT_SOURCE};
}

void
at_context_complete(AtContext *context)
{
	for (int i = 0; i < AT_CONTEXT_FIELDS; i++)
	{
		const char *now = setting(i);

		if (context->field[i].value == NULL && now != NULL)
			context->field[i].value = pstrdup(now);
	}
}

const char *
at_context_source(const AtContextValue *value)
{
	if (value->value == NULL)
		return "db_user";
	return value->source != NULL ? value->source : "setting";
}

char *
at_context_sources(const AtContext *context)
{
	StringInfoData json = {0};

	for (int i = AT_CONTEXT_ACTOR + 1; i < AT_CONTEXT_FIELDS; i++)
	{
		const AtContextValue *field = &context->field[i];

		if (field->value == NULL || field->source == NULL)
			continue;
		if (json.data == NULL)
			initStringInfo(&json);
		appendStringInfo(&json, "%s\"%s\":", json.len > 0 ? "," : "{", at_context_names[i]);
		escape_json(&json, field->source);
	}
	if (json.data != NULL)
		appendStringInfoChar(&json, '}');
	return json.data;
}

/* Begin a member of extra.context. */
static void
append_name(StringInfo out, bool *any, const char *name)
{
	appendStringInfo(out, "%s\"%s\":", *any ? "," : "\"context\":{", name);
	*any = true;
}

static bool
same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static void
append_field_changes(const AtContext *context, StringInfo out, bool *any)
{
	for (int i = 0; i < AT_CONTEXT_FIELDS; i++)
	{
		AtContextValue now = current_value(context, i);

		if (same_text(context->field[i].value, now.value))
			continue;
		append_name(out, any, at_context_names[i]);
		if (now.value == NULL)
			appendStringInfoString(out, "null");
		else if (i == AT_CONTEXT_EXTRA)
			appendStringInfoString(out, now.value);
		else
			escape_json(out, now.value);
		if (i == AT_CONTEXT_ACTOR && now.source != NULL)
		{
			append_name(out, any, "actor_source");
			escape_json(out, now.source);
		}
	}
}

static void
append_role_change(Oid taken, Oid now, const char *name, StringInfo out, bool *any)
{
	char *role;

	if (taken == now)
		return;
	append_name(out, any, name);
	role = GetUserNameFromId(now, true);
	if (role == NULL)
		appendStringInfoString(out, "null");
	else
		escape_json(out, role);
}

bool
at_context_append_changes(const AtContext *context, StringInfo out)
{
	bool any = false;

	if (context->version != at_guc_context_version)
		append_field_changes(context, out, &any);
	append_role_change(context->user_id, GetSessionUserId(), "db_user", out, &any);
	append_role_change(context->role_id, at_context_role(), "db_role", out, &any);
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
	for (int i = 0; i < AT_CONTEXT_FIELDS; i++)
	{
		if (PG_ARGISNULL(i))
			continue;
		if (i == AT_CONTEXT_EXTRA)
		{
			Jsonb *extra = PG_GETARG_JSONB_P(i);

			set_local("extra", JsonbToCString(NULL, &extra->root, VARSIZE(extra)));
		}
		else
			set_local(at_context_names[i], text_to_cstring(PG_GETARG_TEXT_PP(i)));
	}
	PG_RETURN_VOID();
}

Datum
at_tag_maintenance(PG_FUNCTION_ARGS)
{
	char *reason = text_to_cstring(PG_GETARG_TEXT_PP(0));

	if (reason[strspn(reason, " \t\r\n")] == '\0')
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("a reason is required"),
						errdetail("It stands with every event of the transaction."),
						errhint("SELECT audit.tag_maintenance('why');")));
	set_local("maintenance", reason);
	PG_RETURN_VOID();
}
