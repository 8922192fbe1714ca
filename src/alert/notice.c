/*-------------------------------------------------------------------------
 * notice.c
 *		What a notification says of an alert.
 *
 * Names in a database are short, keys and lists of columns usually too: so
 * a payload is made without limits first, and if it does not fit, made
 * again with ever tighter ones. The last fits whatever is in it.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/datetime.h"
#include "utils/json.h"
#include "utils/timestamp.h"

#include "alert/notice.h"

/* Most that a payload may hold of what has no limit by itself. */
typedef struct Limit
{
	int bytes; /* of a string, before escapes */
	int names; /* in a list */
} Limit;

/* With escapes a byte can become six. */
static const Limit limits[] = {{PG_INT32_MAX, PG_INT32_MAX}, {1000, 40}, {100, 5}};

static char *make_json(const AtNotice *notice, const Limit *limit);
static void append_two(StringInfo out, const char *first, const char *second);
static bool append_string(StringInfo out, const char *name, const char *string, const Limit *limit);
static bool append_changed(StringInfo out, const AtNotice *notice, const Limit *limit);
static const char *sentence_of(const AtNotice *notice);

char *
at_notice_json(const AtNotice *notice)
{
	char *json = NULL;

	for (int i = 0; i < lengthof(limits); i++)
	{
		json = make_json(notice, &limits[i]);
		if (strlen(json) <= AT_NOTICE_MAX)
			return json;
	}
	elog(ERROR, "notification of %zu bytes is too long", strlen(json));
	return NULL;
}

static char *
make_json(const AtNotice *notice, const Limit *limit)
{
	StringInfoData out;
	StringInfoData cut;
	char raised_at[MAXDATELEN + 1];
	int utc = 0;

	initStringInfo(&out);
	initStringInfo(&cut);
	appendStringInfo(&out, "{\"alert_id\":" INT64_FORMAT, notice->alert_id);
	if (append_string(&out, "rule", notice->rule, limit))
		appendStringInfoString(&cut, ",\"rule\"");
	if (append_string(&out, "severity", notice->severity, limit))
		appendStringInfoString(&cut, ",\"severity\"");
	appendStringInfo(&out, ",\"event_id\":\"" INT64_FORMAT ".%d\"", notice->tx_id, notice->ordinal);
	if (append_string(&out, "table", notice->table, limit))
		appendStringInfoString(&cut, ",\"table\"");
	if (append_string(&out, "resource_id", notice->resource_id, limit))
		appendStringInfoString(&cut, ",\"resource_id\"");
	if (append_changed(&out, notice, limit))
		appendStringInfoString(&cut, ",\"changed\"");
	if (notice->event_type != NULL && append_string(&out, "event_type", notice->event_type, limit))
		appendStringInfoString(&cut, ",\"event_type\"");
	if (append_string(&out, "sentence", sentence_of(notice), limit))
		appendStringInfoString(&cut, ",\"sentence\"");
	JsonEncodeDateTime(raised_at, TimestampTzGetDatum(notice->raised_at), TIMESTAMPTZOID, &utc);
	appendStringInfo(&out, ",\"raised_at\":\"%s\"", raised_at);
	if (notice->suppressed > 0)
		appendStringInfo(&out, ",\"suppressed\":" INT64_FORMAT, notice->suppressed);
	if (notice->attempt > 1)
		appendStringInfo(&out, ",\"attempt\":%d", notice->attempt);
	if (notice->is_escalated)
		appendStringInfoString(&out, ",\"escalated\":true");
	if (cut.len > 0)
		appendStringInfo(&out, ",\"shortened\":[%s]", cut.data + 1);
	appendStringInfoChar(&out, '}');
	return out.data;
}

static void
append_two(StringInfo out, const char *first, const char *second)
{
	appendStringInfoString(out, first);
	appendStringInfoString(out, second);
}

/* What happened, without a value: everybody who may connect may LISTEN. */
static const char *
sentence_of(const AtNotice *notice)
{
	StringInfoData out;

	if (notice->sentence != NULL)
		return notice->sentence;
	initStringInfo(&out);
	appendStringInfoString(&out, notice->rule);
	appendStringInfoChar(&out, ':');
	for (int i = 0; i < notice->nchanged; i++)
		append_two(&out, i > 0 ? ", " : " ", notice->changed[i]);
	if (notice->nchanged > 0)
		appendStringInfoString(&out, " changed");
	else if (notice->event_type != NULL)
		append_two(&out, " ", notice->event_type);
	if (notice->table != NULL && notice->table[0] != '.')
		append_two(&out, " in ", notice->table);
	if (notice->resource_id != NULL)
		append_two(&out, " ", notice->resource_id);
	return out.data;
}

/* A member whose value is a string, or null; returns whether it was cut. */
static bool
append_string(StringInfo out, const char *name, const char *string, const Limit *limit)
{
	int len = string == NULL ? 0 : strlen(string);

	append_two(out, ",\"", name);
	appendStringInfoString(out, "\":");
	if (string == NULL)
		appendStringInfoString(out, "null");
	else if (len <= limit->bytes)
		escape_json(out, string);
	else
		escape_json(out, pnstrdup(string, pg_mbcliplen(string, len, limit->bytes)));
	return len > limit->bytes;
}

/* The names of changed columns, which are short; returns whether some were left out. */
static bool
append_changed(StringInfo out, const AtNotice *notice, const Limit *limit)
{
	int count = Min(notice->nchanged, limit->names);

	appendStringInfoString(out, ",\"changed\":[");
	for (int i = 0; i < count; i++)
	{
		if (i > 0)
			appendStringInfoChar(out, ',');
		escape_json(out, notice->changed[i]);
	}
	appendStringInfoChar(out, ']');
	return count < notice->nchanged;
}
