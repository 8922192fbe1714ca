/*-------------------------------------------------------------------------
 * raise.c
 *		A recorded update meets the rules of its table: rows of audit.alert,
 *		in the transaction of the update.
 *
 * The notifier is woken when the transaction has committed; alerts of a
 * prepared one, committed by another session, are found by its poll.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "alert/alarm.h"
#include "alert/alert.h"
#include "alert/notifier.h"
#include "alert/rule.h"
#include "base/columns.h"
#include "base/worker.h"
#include "ledger/append.h"
#include "ledger/datum.h"
#include "ledger/hooks.h"
#include "ledger/number.h"

/* Hooks are set while the library is loaded; raised and refused are cleared at the end of every
 * transaction. */
static struct
{
	AtChangeHook next;
	AtChangeWantedHook next_wanted;
	bool raised;  /* the running transaction has raised alerts */
	bool refused; /* it has raised that of a refused attempt */
} alert;

static void check_change(const AtChange *change);
static void check_rules(const AtRules *rules, const AtChange *change);
static bool is_refusal(const AtEvent *event);
static void raise_refused(const AtChange *change);
static uint32 wanted_ops(Oid relid);
static void end_transaction(XactEvent event, void *arg);
static Datum watched_changes(const AtRule *rule, const AtChange *change);
static void append_alert(const AtRule *rule, const AtChange *change, Datum changed);

void
at_alert_init(void)
{
	alert.next = at_change_hook;
	at_change_hook = check_change;
	alert.next_wanted = at_change_wanted_hook;
	at_change_wanted_hook = wanted_ops;
	RegisterXactCallback(end_transaction, NULL);
	at_rule_init();
	at_notifier_init();
	at_alarm_init();
}

static uint32
wanted_ops(Oid relid)
{
	uint32 ops = at_rules_lookup(relid)->count > 0 ? at_op_bit('U') : 0;

	return alert.next_wanted != NULL ? ops | alert.next_wanted(relid) : ops;
}

static void
check_change(const AtChange *change)
{
	if (is_refusal(change->event))
		raise_refused(change);
	if (OidIsValid(change->relid))
		check_rules(at_rules_lookup(change->relid), change);
	if (alert.next != NULL)
		alert.next(change);
}

static void
check_rules(const AtRules *rules, const AtChange *change)
{
	for (int i = 0; i < rules->count; i++)
	{
		Datum changed = watched_changes(&rules->rules[i], change);

		if (changed != (Datum) 0)
			append_alert(&rules->rules[i], change, changed);
	}
}

/* Does it tell of an attempt on the audit trail that was refused? */
static bool
is_refusal(const AtEvent *event)
{
	static const char type[] = "audit.refused";

	return event->op == 'R' && event->event_type != NULL &&
		   VARSIZE_ANY_EXHDR(event->event_type) == strlen(type) &&
		   memcmp(VARDATA_ANY(event->event_type), type, strlen(type)) == 0;
}

/*
 * There is no rule for these, and no way to be spared them. What one session does
 * in one go is recorded in one transaction: a storm of them is one alert.
 */
static void
raise_refused(const AtChange *change)
{
	static AtRule rule = {
		.name = "refused attempt", .severity = "critical", .channel = "audit_alert"};

	if (!alert.refused)
		append_alert(&rule, change, PointerGetDatum(construct_empty_array(TEXTOID)));
	alert.refused = true;
}

/* The columns that the rule watches and that changed, as text[]; 0 if there are none. */
static Datum
watched_changes(const AtRule *rule, const AtChange *change)
{
	ArrayBuildState *changed = NULL;

	for (int i = 0; i < rule->ncolumns; i++)
		for (int j = 0; j < change->nchanged; j++)
			if (strcmp(rule->columns[i], change->changed(change, j).name) == 0)
				changed = accumArrayResult(changed, CStringGetTextDatum(rule->columns[i]), false,
										   TEXTOID, CurrentMemoryContext);
	return changed == NULL ? (Datum) 0 : makeArrayResult(changed, CurrentMemoryContext);
}

static void
append_alert(const AtRule *rule, const AtChange *change, Datum changed)
{
	Datum values[Natts_alert];
	bool nulls[Natts_alert] = {false};
	int64 alert_id = at_number_draw("alert_id_seq");

	values[Anum_alert_alert_id - 1] = Int64GetDatum(alert_id);
	values[Anum_alert_raised_at - 1] = TimestampTzGetDatum(GetCurrentTimestamp());
	values[Anum_alert_xid - 1] = Int64GetDatum(U64FromFullTransactionId(GetTopFullTransactionId()));
	values[Anum_alert_tx_id - 1] = Int64GetDatum(change->name.tx_id);
	values[Anum_alert_ordinal - 1] = Int32GetDatum(change->name.ordinal);
	values[Anum_alert_target_id - 1] = Int32GetDatum(change->event->target_id);
	at_set_text(values, nulls, Anum_alert_rule_name, rule->name);
	at_set_text(values, nulls, Anum_alert_severity, rule->severity);
	at_set_text(values, nulls, Anum_alert_channel, rule->channel);
	values[Anum_alert_changed - 1] = changed;
	at_set_varlena(values, nulls, Anum_alert_record_key, change->event->record_key);
	at_set_varlena(values, nulls, Anum_alert_event_type, change->event->event_type);
	at_set_text(values, nulls, Anum_alert_sentence, NULL);
	at_set_text(values, nulls, Anum_alert_escalate_to, NULL);

	alert.raised = true;
	at_append(AT_LEDGER_ALERT, values, nulls);
}

static void
end_transaction(XactEvent event, void *arg)
{
	if (!alert.raised)
		return;
	if (event == XACT_EVENT_COMMIT)
		at_worker_wake(AT_WORKER_NOTIFIER);
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
		alert.raised = alert.refused = false;
}
