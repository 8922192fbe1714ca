/*-------------------------------------------------------------------------
 * alarm.c
 *		Alerts about the audit trail itself, which are of no event.
 *
 * They are told on the channel of all alerts and have no row in audit.alert:
 * whoever raises one says it again while its cause lasts, and shows it by
 * other means to those who were away.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "commands/async.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/datetime.h"
#include "utils/json.h"
#include "utils/timestamp.h"

#include "alert/alarm.h"
#include "alert/notice.h"
#include "alert/notifier.h"
#include "ledger/hooks.h"

/* With escapes a byte can become six. */
#define MESSAGE_MAX 1000

static AtAlarmHook next_hook = NULL;

static void tell_alarm(const char *name, const char *severity, const char *message);

void
at_alarm_init(void)
{
	next_hook = at_alarm_hook;
	at_alarm_hook = tell_alarm;
}

static void
tell_alarm(const char *name, const char *severity, const char *message)
{
	StringInfoData json;
	char raised_at[MAXDATELEN + 1];
	int utc = 0;

	initStringInfo(&json);
	appendStringInfo(&json, "{\"alarm\":\"%s\",\"severity\":\"%s\",\"message\":", name, severity);
	escape_json(&json, pnstrdup(message, pg_mbcliplen(message, strlen(message), MESSAGE_MAX)));
	JsonEncodeDateTime(raised_at, TimestampTzGetDatum(GetCurrentTimestamp()), TIMESTAMPTZOID, &utc);
	appendStringInfo(&json, ",\"raised_at\":\"%s\"}", raised_at);
	Assert(json.len <= AT_NOTICE_MAX);
	Async_Notify(AT_ALERT_CHANNEL, json.data);
	if (next_hook != NULL)
		next_hook(name, severity, message);
}
