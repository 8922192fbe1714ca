/*-------------------------------------------------------------------------
 * answer.c
 *		What people and audit_relay say of an alert: audit.acknowledge(),
 *		audit.resend_alert() and audit.report_delivery().
 *
 * Each is a row that is added; none changes what is there. So whoever
 * acknowledges an alert at the same time as another one waits for nobody: both
 * rows stand, and the first counts.
 *
 * An alert that the caller may not see is answered as one that does not
 * exist.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/timestamp.h"

#include "base/columns.h"
#include "base/latest.h"
#include "base/worker.h"
#include "ledger/alert_action.h"
#include "ledger/append.h"
#include "ledger/datum.h"
#include "ledger/number.h"
#include "ledger/reader.h"

/* Longest note, reason of a failure, and name of a sink, in bytes. */
#define MAX_NOTE 4000
#define MAX_SINK 60

/* The first acknowledgement of an alert. */
typedef struct Acknowledged
{
	int64 action_id; /* 0: there is none */
	TimestampTz at;
	const char *by;
} Acknowledged;

PG_FUNCTION_INFO_V1(at_acknowledge);
PG_FUNCTION_INFO_V1(at_resend_alert);
PG_FUNCTION_INFO_V1(at_report_delivery);

static AtAlertFacts known_alert(FunctionCallInfo fcinfo, const char *function);
static bool find_alert(int64 alert_id, AtAlertFacts *alert);
static void find_acknowledged(int64 alert_id, Acknowledged *found);
static char *optional_text(FunctionCallInfo fcinfo, int arg);

Datum
at_acknowledge(PG_FUNCTION_ARGS)
{
	AtAlertFacts alert = known_alert(fcinfo, "audit.acknowledge()");
	char *note = optional_text(fcinfo, 1);
	Acknowledged before;

	find_acknowledged(alert.alert_id, &before);
	if (before.action_id != 0)
		PG_RETURN_TEXT_P(
			cstring_to_text(psprintf("alert " INT64_FORMAT " was acknowledged already by %s at %s",
									 alert.alert_id, before.by, timestamptz_to_str(before.at))));
	at_alert_action_append(&alert, AT_ALERT_ACKNOWLEDGED, NULL, note);
	PG_RETURN_TEXT_P(
		cstring_to_text(psprintf("alert " INT64_FORMAT " acknowledged", alert.alert_id)));
}

Datum
at_resend_alert(PG_FUNCTION_ARGS)
{
	AtAlertFacts alert = known_alert(fcinfo, "audit.resend_alert()");
	char *channel = optional_text(fcinfo, 1);

	if (channel != NULL && (channel[0] == '\0' || strlen(channel) >= NAMEDATALEN))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("no channel \"%s\"", channel),
				 errdetail("The name of a channel has 1 to %d bytes.", NAMEDATALEN - 1)));
	at_alert_action_append(&alert, AT_ALERT_RESEND, channel, NULL);
	at_worker_wake(AT_WORKER_NOTIFIER);
	PG_RETURN_TEXT_P(
		cstring_to_text(psprintf("alert " INT64_FORMAT " will be told again", alert.alert_id)));
}

Datum
at_report_delivery(PG_FUNCTION_ARGS)
{
	AtAlertFacts alert = known_alert(fcinfo, "audit.report_delivery()");
	char *sink = optional_text(fcinfo, 1);
	char *detail = optional_text(fcinfo, 4);
	Datum values[Natts_alert_delivery];
	bool nulls[Natts_alert_delivery] = {false};
	bool delivered;

	if (sink == NULL || sink[0] == '\0' || strlen(sink) > MAX_SINK)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("no sink is named"),
						errdetail("Its name has 1 to %d bytes.", MAX_SINK)));
	if (PG_ARGISNULL(2) || PG_ARGISNULL(3) || PG_GETARG_INT32(3) < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("say whether the alert was delivered, and at which attempt, from 1")));
	delivered = PG_GETARG_BOOL(2);
	if (!delivered && detail == NULL)
		detail = "no reason is known";

	values[Anum_alert_delivery_delivery_id - 1] =
		Int64GetDatum(at_number_draw("alert_delivery_id_seq"));
	values[Anum_alert_delivery_alert_id - 1] = Int64GetDatum(alert.alert_id);
	values[Anum_alert_delivery_delivered_at - 1] = TimestampTzGetDatum(GetCurrentTimestamp());
	values[Anum_alert_delivery_attempt - 1] = PG_GETARG_DATUM(3);
	at_set_text(values, nulls, Anum_alert_delivery_channel, psprintf("sink:%s", sink));
	at_set_text(values, nulls, Anum_alert_delivery_outcome, delivered ? "delivered" : "failed");
	at_set_text(values, nulls, Anum_alert_delivery_detail, delivered ? NULL : detail);
	nulls[Anum_alert_delivery_due_at - 1] = true;
	nulls[Anum_alert_delivery_action_id - 1] = true;
	at_append(AT_LEDGER_ALERT_DELIVERY, values, nulls);
	PG_RETURN_VOID();
}

/* The first argument, which has to be an alert. */
static AtAlertFacts
known_alert(FunctionCallInfo fcinfo, const char *function)
{
	AtAlertFacts alert;

	PreventCommandIfReadOnly(function);
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("alert_id must not be null")));
	if (!find_alert(PG_GETARG_INT64(0), &alert))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
						errmsg("there is no alert " INT64_FORMAT, PG_GETARG_INT64(0)),
						errhint("SELECT * FROM audit.open_alerts;")));
	return alert;
}

static void
begin_by_alert(AtLatest *latest, AtLedgerTable table, const char *index, int column, ScanKey key,
			   int64 alert_id)
{
	ScanKeyInit(key, column, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(alert_id));
	at_latest_begin(latest, at_ledger_relid(table), index, 1, key);
}

/* False where there is none, or the user may not see it. */
static bool
find_alert(int64 alert_id, AtAlertFacts *alert)
{
	bool sees = false;
	AtLatest latest;
	ScanKeyData key;
	HeapTuple row;

	begin_by_alert(&latest, AT_LEDGER_ALERT, "alert_pkey", Anum_alert_alert_id, &key, alert_id);
	row = at_latest_next(&latest);
	if (HeapTupleIsValid(row))
	{
		at_alert_facts_read(alert, row, latest.desc);
		sees = at_reader_sees_alert(alert->target_id, alert->raised_at);
	}
	at_latest_end(&latest);
	return sees;
}

static void
find_acknowledged(int64 alert_id, Acknowledged *found)
{
	AtLatest latest;
	ScanKeyData key;
	HeapTuple row;

	*found = (Acknowledged){0};
	begin_by_alert(&latest, AT_LEDGER_ALERT_ACTION, "alert_action_alert_idx",
				   Anum_alert_action_alert_id, &key, alert_id);
	while (HeapTupleIsValid(row = at_latest_next(&latest)))
	{
		AtAlertAction action;

		at_alert_action_read(&action, row, latest.desc);
		if (strcmp(action.kind, AT_ALERT_ACKNOWLEDGED) != 0 ||
			(found->action_id != 0 && found->action_id < action.action_id))
			continue;
		*found = (Acknowledged){
			.action_id = action.action_id,
			.at = action.acted_at,
			.by = action.actor != NULL ? action.actor : action.db_user,
		};
	}
	at_latest_end(&latest);
}

/* An argument, cut where it is too long to be kept; NULL if it is null. */
static char *
optional_text(FunctionCallInfo fcinfo, int arg)
{
	char *value;

	if (PG_ARGISNULL(arg))
		return NULL;
	value = text_to_cstring(PG_GETARG_TEXT_PP(arg));
	if (strlen(value) > MAX_NOTE)
		value[pg_mbcliplen(value, strlen(value), MAX_NOTE)] = '\0';
	return value;
}
