/*-------------------------------------------------------------------------
 * alert_action.c
 *		What somebody did about an alert.
 *
 * What an event says is made by one function, from the row: the verifier makes
 * it again and compares the bytes.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/json.h"
#include "utils/timestamp.h"

#include "base/clock.h"
#include "base/columns.h"
#include "ledger/alert_action.h"
#include "ledger/append.h"
#include "ledger/datum.h"
#include "ledger/hooks.h"
#include "ledger/kind.h"
#include "ledger/number.h"
#include "ledger/origin.h"

static AtEventName append_event(const AtAlertAction *action, const AtAlertFacts *alert);
static void append_row(const AtAlertAction *action, AtEventName event);

void
at_alert_action_append(const AtAlertFacts *alert, const char *kind, const char *channel,
					   const char *note)
{
	AtOrigin origin;

	at_origin_now(&origin);

	AtAlertAction action = {
		.action_id = at_number_draw("alert_action_id_seq"),
		.acted_at = at_clock_now(),
		.alert_id = alert->alert_id,
		.kind = kind,
		.channel = channel,
		.note = note,
		.actor = origin.field[AT_CONTEXT_ACTOR].value,
		.db_user = origin.db_user != NULL ? origin.db_user : "",
		.login_user = origin.session.login_user,
	};

	append_row(&action, append_event(&action, alert));
}

static AtEventName
append_event(const AtAlertAction *action, const AtAlertFacts *alert)
{
	StringInfoData values;
	AtTarget target;

	at_kind_target(AT_ALERT_ACTION_RESOURCE, &target);

	AtEvent event = at_kind_event(&target, AT_ALERT_ACTION_OP, at_alert_action_type(action->kind));

	initStringInfo(&values);
	appendStringInfoChar(&values, '{');
	at_alert_action_values(action, alert, &values);
	appendStringInfoChar(&values, '}');
	event.record_key = (struct varlena *) cstring_to_text(psprintf(INT64_FORMAT, action->alert_id));
	event.new_values = (struct varlena *) cstring_to_text_with_len(values.data, values.len);
	event.occurred_at = action->acted_at;
	return at_change_record(&event, InvalidOid);
}

static void
append_row(const AtAlertAction *action, AtEventName event)
{
	Datum values[Natts_alert_action];
	bool nulls[Natts_alert_action] = {false};

	values[Anum_alert_action_action_id - 1] = Int64GetDatum(action->action_id);
	values[Anum_alert_action_acted_at - 1] = TimestampTzGetDatum(action->acted_at);
	values[Anum_alert_action_xid - 1] =
		Int64GetDatum(U64FromFullTransactionId(GetTopFullTransactionId()));
	values[Anum_alert_action_system_identifier - 1] = Int64GetDatum(GetSystemIdentifier());
	values[Anum_alert_action_database_oid - 1] = ObjectIdGetDatum(MyDatabaseId);
	values[Anum_alert_action_alert_id - 1] = Int64GetDatum(action->alert_id);
	values[Anum_alert_action_tx_id - 1] = Int64GetDatum(event.tx_id);
	values[Anum_alert_action_ordinal - 1] = Int32GetDatum(event.ordinal);
	at_set_text(values, nulls, Anum_alert_action_kind, action->kind);
	at_set_text(values, nulls, Anum_alert_action_channel, action->channel);
	at_set_text(values, nulls, Anum_alert_action_note, action->note);
	at_set_text(values, nulls, Anum_alert_action_actor, action->actor);
	at_set_text(values, nulls, Anum_alert_action_db_user, action->db_user);
	at_set_text(values, nulls, Anum_alert_action_login_user, action->login_user);
	at_append(AT_LEDGER_ALERT_ACTION, values, nulls);
}

static Datum
get_value(HeapTuple row, TupleDesc desc, int column)
{
	bool isnull;

	return heap_getattr(row, column, desc, &isnull);
}

/* NULL for null, which only a row has that somebody has forged, where it cannot be. */
static const char *
get_text(HeapTuple row, TupleDesc desc, int column)
{
	bool isnull;
	Datum value = heap_getattr(row, column, desc, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

void
at_alert_facts_read(AtAlertFacts *alert, HeapTuple row, TupleDesc desc)
{
	*alert = (AtAlertFacts){
		.alert_id = DatumGetInt64(get_value(row, desc, Anum_alert_alert_id)),
		.raised_at = DatumGetTimestampTz(get_value(row, desc, Anum_alert_raised_at)),
		.target_id = DatumGetInt32(get_value(row, desc, Anum_alert_target_id)),
		.event = {.tx_id = DatumGetInt64(get_value(row, desc, Anum_alert_tx_id)),
				  .ordinal = DatumGetInt32(get_value(row, desc, Anum_alert_ordinal))},
		.rule = get_text(row, desc, Anum_alert_rule_name),
		.severity = get_text(row, desc, Anum_alert_severity),
	};
}

void
at_alert_action_read(AtAlertAction *action, HeapTuple row, TupleDesc desc)
{
	*action = (AtAlertAction){
		.action_id = DatumGetInt64(get_value(row, desc, Anum_alert_action_action_id)),
		.acted_at = DatumGetTimestampTz(get_value(row, desc, Anum_alert_action_acted_at)),
		.alert_id = DatumGetInt64(get_value(row, desc, Anum_alert_action_alert_id)),
		.event = {.tx_id = DatumGetInt64(get_value(row, desc, Anum_alert_action_tx_id)),
				  .ordinal = DatumGetInt32(get_value(row, desc, Anum_alert_action_ordinal))},
		.kind = get_text(row, desc, Anum_alert_action_kind),
		.channel = get_text(row, desc, Anum_alert_action_channel),
		.note = get_text(row, desc, Anum_alert_action_note),
		.actor = get_text(row, desc, Anum_alert_action_actor),
		.db_user = get_text(row, desc, Anum_alert_action_db_user),
		.login_user = get_text(row, desc, Anum_alert_action_login_user),
	};
}

const char *
at_alert_action_type(const char *kind)
{
	if (kind == NULL)
		return NULL;
	if (strcmp(kind, AT_ALERT_ACKNOWLEDGED) == 0)
		return "alert.acknowledged";
	return strcmp(kind, AT_ALERT_RESEND) == 0 ? "alert.resent" : NULL;
}

/* A member, with a comma before it; nothing for NULL. */
static void
append_text(StringInfo json, const char *name, const char *value)
{
	if (value == NULL)
		return;
	appendStringInfo(json, ",\"%s\":", name);
	escape_json(json, value);
}

/* Times are in UTC, whatever the session's settings are. */
static void
append_time(StringInfo json, const char *name, TimestampTz at)
{
	char text[MAXDATELEN + 1];
	int utc = 0;

	JsonEncodeDateTime(text, TimestampTzGetDatum(at), TIMESTAMPTZOID, &utc);
	append_text(json, name, text);
}

void
at_alert_action_values(const AtAlertAction *action, const AtAlertFacts *alert, StringInfo json)
{
	appendStringInfo(json, "\"action_id\":" INT64_FORMAT ",\"event_id\":\"" UINT64_FORMAT ".%u\"",
					 action->action_id, alert->event.tx_id, alert->event.ordinal);
	append_text(json, "rule", alert->rule);
	append_text(json, "severity", alert->severity);
	append_time(json, "raised_at", alert->raised_at);
	append_text(json, "channel", action->channel);
	append_text(json, "note", action->note);
	append_text(json, "actor", action->actor);
	append_text(json, "db_user", action->db_user);
	append_text(json, "login_user", action->login_user);
}
