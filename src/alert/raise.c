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

/* Hooks are set while the library is loaded; raised is cleared at the end of every transaction. */
static struct
{
	AtChangeHook next;
	AtChangeHook next_attempt;
	AtChangeWantedHook next_wanted;
	bool raised; /* the running transaction has raised alerts */
} alert;

static void check_change(const AtChange *change);
static void raise_attempt(const AtChange *change);
static bool is_wanted(Oid relid);
static void end_transaction(XactEvent event, void *arg);
static Datum watched_changes(const AtRule *rule, const AtChange *change);
static void append_alert(const AtRule *rule, const AtChange *change, Datum changed);

void
at_alert_init(void)
{
	alert.next = at_change_hook;
	at_change_hook = check_change;
	alert.next_attempt = at_attempt_hook;
	at_attempt_hook = raise_attempt;
	alert.next_wanted = at_change_wanted_hook;
	at_change_wanted_hook = is_wanted;
	RegisterXactCallback(end_transaction, NULL);
	at_rule_init();
	at_notifier_init();
	at_alarm_init();
}

static bool
is_wanted(Oid relid)
{
	return at_rules_lookup(relid)->count > 0 ||
		   (alert.next_wanted != NULL && alert.next_wanted(relid));
}

static void
check_change(const AtChange *change)
{
	const AtRules *rules = at_rules_lookup(change->relid);

	for (int i = 0; i < rules->count; i++)
	{
		Datum changed = watched_changes(&rules->rules[i], change);

		if (changed != (Datum) 0)
			append_alert(&rules->rules[i], change, changed);
	}
	if (alert.next != NULL)
		alert.next(change);
}

/* There is no rule for these, and no way to be spared them. */
static void
raise_attempt(const AtChange *change)
{
	static AtRule rule = {
		.name = "refused attempt", .severity = "critical", .channel = "audit_alert"};

	append_alert(&rule, change, PointerGetDatum(construct_empty_array(TEXTOID)));
	if (alert.next_attempt != NULL)
		alert.next_attempt(change);
}

/* The columns that the rule watches and that changed, as text[]; 0 if there are none. */
static Datum
watched_changes(const AtRule *rule, const AtChange *change)
{
	ArrayBuildState *changed = NULL;

	for (int i = 0; i < rule->ncolumns; i++)
		for (int j = 0; j < change->nchanged; j++)
			if (strcmp(rule->columns[i], change->changed_names[j]) == 0)
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
	values[Anum_alert_xid - 1] = Int64GetDatum(change->xid);
	values[Anum_alert_tx_id - 1] = Int64GetDatum(change->tx_id);
	values[Anum_alert_ordinal - 1] = Int32GetDatum(change->ordinal);
	values[Anum_alert_target_id - 1] = Int32GetDatum(change->target_id);
	at_set_text(values, nulls, Anum_alert_rule_name, rule->name);
	at_set_text(values, nulls, Anum_alert_severity, rule->severity);
	at_set_text(values, nulls, Anum_alert_channel, rule->channel);
	at_set_text(values, nulls, Anum_alert_record_key, change->record_key);
	values[Anum_alert_changed - 1] = changed;

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
		alert.raised = false;
}
