/*-------------------------------------------------------------------------
 * raise.c
 *		A recorded event meets the rules: rows of audit.alert, in the
 *		transaction of the event.
 *
 * The notifier is woken when the transaction has committed; alerts of a
 * prepared one, committed by another session, are found by its poll.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/timestamp.h"

#include "alert/alarm.h"
#include "alert/alert.h"
#include "alert/block.h"
#include "alert/judge.h"
#include "alert/match.h"
#include "alert/notifier.h"
#include "alert/raise.h"
#include "alert/rename.h"
#include "alert/rule.h"
#include "base/columns.h"
#include "base/names.h"
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
static void check_rules(Oid relid, const AtChange *change);
static void raise_match(const AtRule *rule, AtObserved *observed, const AtMatch *match);
static bool is_refusal(const AtEvent *event);
static void raise_refused(const AtChange *change);
static uint32 wanted_ops(Oid relid);
static void end_transaction(XactEvent event, void *arg);

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
	at_rename_init();
}

static uint32
wanted_ops(Oid relid)
{
	uint32 ops = at_rules_lookup(relid).ops;

	return alert.next_wanted != NULL ? ops | alert.next_wanted(relid) : ops;
}

static void
check_change(const AtChange *change)
{
	if (is_refusal(change->event))
		raise_refused(change);
	if (at_block_is(change->event))
		at_block_raise(change);
	if (OidIsValid(change->relid))
		check_rules(change->relid, change);
	if (change->event->event_type != NULL)
		check_rules(InvalidOid, change);
	if (alert.next != NULL)
		alert.next(change);
}

static void
check_rules(Oid relid, const AtChange *change)
{
	AtRules rules = at_rules_lookup(relid);
	AtObserved observed;
	AtMatch match;

	if (rules.count == 0)
		return;
	at_observe_change(&observed, change);
	for (int i = 0; i < rules.count; i++)
		if (at_match(&rules.rules[i], &observed, &match))
			raise_match(&rules.rules[i], &observed, &match);
}

/* An event has matched: raise an alert, or leave it to who judges later. */
static void
raise_match(const AtRule *rule, AtObserved *observed, const AtMatch *match)
{
	const AtEvent *event = observed->change->event;

	if (rule->kind == AT_RULE_BURST || rule->kind == AT_RULE_ABSENT)
	{
		at_judge_note(rule, observed);
		alert.raised = true;
		return;
	}

	AtRaised raised = {
		.name = observed->change->name,
		.target_id = event->target_id,
		.record_key = event->record_key,
		.event_type = event->event_type,
		.rule = rule->name,
		.severity = rule->severity,
		.channel = rule->channel,
		.escalate_to = rule->escalate_to,
		.columns = match->columns,
		.sentence = at_match_sentence(rule, observed, match),
		.hint = rule->description,
	};

	if (rule->block)
		at_block_refuse(observed, &raised);
	else
		at_alert_append(&raised);
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
	const AtEvent *event = change->event;

	if (!alert.refused)
		at_alert_append(&(AtRaised){
			.name = change->name,
			.target_id = event->target_id,
			.record_key = event->record_key,
			.event_type = event->event_type,
			.rule = "refused attempt",
			.severity = "critical",
			.channel = AT_ALERT_CHANNEL,
		});
	alert.refused = true;
}

void
at_alert_append(const AtRaised *raised)
{
	Datum values[Natts_alert];
	bool nulls[Natts_alert] = {false};
	int64 alert_id = at_number_draw("alert_id_seq");

	values[Anum_alert_alert_id - 1] = Int64GetDatum(alert_id);
	values[Anum_alert_raised_at - 1] = TimestampTzGetDatum(GetCurrentTimestamp());
	values[Anum_alert_xid - 1] = Int64GetDatum(U64FromFullTransactionId(GetTopFullTransactionId()));
	values[Anum_alert_tx_id - 1] = Int64GetDatum(raised->name.tx_id);
	values[Anum_alert_ordinal - 1] = Int32GetDatum(raised->name.ordinal);
	values[Anum_alert_target_id - 1] = Int32GetDatum(raised->target_id);
	at_set_text(values, nulls, Anum_alert_rule_name, raised->rule);
	at_set_text(values, nulls, Anum_alert_severity, raised->severity);
	at_set_text(values, nulls, Anum_alert_channel, raised->channel);
	at_set_varlena(values, nulls, Anum_alert_record_key, raised->record_key);
	values[Anum_alert_changed - 1] = at_name_array(raised->columns);
	at_set_varlena(values, nulls, Anum_alert_event_type, raised->event_type);
	at_set_text(values, nulls, Anum_alert_sentence, raised->sentence);
	at_set_text(values, nulls, Anum_alert_escalate_to, raised->escalate_to);

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
