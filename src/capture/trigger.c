/*-------------------------------------------------------------------------
 * trigger.c
 *		The trigger function: a change of a row, or a TRUNCATE, becomes an
 *		event in the same transaction.
 *
 * Fail closed: whatever goes wrong here fails the statement that made the
 * change, with a line of context that names the table.
 *
 * Memory: row triggers run in a context that is reset after each row;
 * nothing here outlives that.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "base/catalog.h"
#include "base/errors.h"
#include "capture/delta.h"
#include "capture/policy.h"
#include "capture/trigger.h"
#include "ledger/event.h"
#include "ledger/hooks.h"

PG_FUNCTION_INFO_V1(at_capture);

static void check_call(FunctionCallInfo fcinfo);
static const AtPolicy *find_policy(Relation rel);
static void capture(const TriggerData *trigger, const AtPolicy *policy);
static bool fill_row_event(const TriggerData *trigger, const AtPolicy *policy, AtEvent *event,
						   AtDelta *delta);
static void fill_truncate_event(const TriggerData *trigger, const AtPolicy *policy, AtEvent *event);
static void tell_others(const AtPolicy *policy, const AtDelta *delta, AtEventName name);
static void add_context(void *arg);

Datum
at_capture(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	ErrorContextCallback context = {.callback = add_context, .previous = error_context_stack};

	check_call(fcinfo);
	context.arg = trigger->tg_relation;
	error_context_stack = &context;

	const AtPolicy *policy = find_policy(trigger->tg_relation);

	if (policy != NULL)
		capture(trigger, policy);
	error_context_stack = context.previous;
	PG_RETURN_POINTER(NULL);
}

static void
add_context(void *arg)
{
	errcontext("recording a change of table \"%s\" in the audit trail",
			   RelationGetRelationName((Relation) arg));
}

static void
check_call(FunctionCallInfo fcinfo)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("audit.capture() can only be called as a trigger"),
						errhint("SELECT audit.enable('your_table');")));
	if (!TRIGGER_FIRED_AFTER(trigger->tg_event) ||
		TRIGGER_FIRED_FOR_ROW(trigger->tg_event) == TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("audit.capture() must be fired after each row, or after a TRUNCATE"),
						errhint("Drop trigger \"%s\" and use audit.enable().",
								trigger->tg_trigger->tgname)));
}

/*
 * The policy of a relation. Our own configuration tables have the trigger from
 * the beginning, but a policy only once the ledger is made; and while a dump is
 * being restored their rows are no news, the ledger has them.
 */
static const AtPolicy *
find_policy(Relation rel)
{
	bool ours = RelationGetNamespace(rel) == at_audit_schema();
	const AtPolicy *policy;

	if (ours && !at_incarnation_begun())
		return NULL;

	policy = at_policy_lookup(rel);
	if (policy == NULL && !ours)
		ereport(ERROR, (errcode(ERRCODE_AT_CAPTURE_FAILED),
						errmsg("table \"%s\" is not audited, but has an audit trigger",
							   RelationGetRelationName(rel)),
						errdetail("There is no enabled row for it in audit.policy."),
						errhint("SELECT audit.enable(%s);",
								quote_literal_cstr(quote_qualified_identifier(
									get_namespace_name(RelationGetNamespace(rel)),
									RelationGetRelationName(rel))))));
	return policy;
}

static void
capture(const TriggerData *trigger, const AtPolicy *policy)
{
	AtDelta delta;
	AtEvent event = {
		.target_id = policy->target_id,
		.retention_class = policy->retention_class,
		.schema = policy->schema,
		.table = policy->table,
		.resource_type = policy->resource_type,
	};

	if (TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event))
		fill_truncate_event(trigger, policy, &event);
	else if (!fill_row_event(trigger, policy, &event, &delta))
		return;

	AtEventName name = at_event_append(&event);

	if (policy->watched && event.op == 'U')
		tell_others(policy, &delta, name);
}

/* Let the other rooms know of an update. */
static void
tell_others(const AtPolicy *policy, const AtDelta *delta, AtEventName name)
{
	AttrNumber *changed = palloc(sizeof(AttrNumber) * delta->nchanged);
	const char **names = palloc(sizeof(char *) * delta->nchanged);
	AtChange change = {
		.relid = policy->root_relid,
		.target_id = policy->target_id,
		.tx_id = name.tx_id,
		.xid = U64FromFullTransactionId(GetTopFullTransactionId()),
		.ordinal = name.ordinal,
		.op = 'U',
		.record_key = delta->record_key ? text_to_cstring((text *) delta->record_key) : NULL,
		.nchanged = delta->nchanged,
		.changed = changed,
		.changed_names = names,
	};

	for (int i = 0; i < delta->nchanged; i++)
	{
		changed[i] = delta->changed[i]->root_attnum;
		names[i] = delta->changed[i]->name;
	}
	at_change_hook(&change);
}

/* Returns false if the change is none that is recorded. */
static bool
fill_row_event(const TriggerData *trigger, const AtPolicy *policy, AtEvent *event, AtDelta *delta)
{
	if (TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
	{
		event->op = 'I';
		at_delta_row(policy, trigger->tg_trigslot, true, delta);
	}
	else if (TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
	{
		event->op = 'D';
		at_delta_row(policy, trigger->tg_trigslot, false, delta);
	}
	else
	{
		event->op = 'U';
		if (!at_delta_update(policy, trigger->tg_trigslot, trigger->tg_newslot, delta))
			return false;
	}
	event->record_key = delta->record_key;
	event->old_values = delta->old_values;
	event->new_values = delta->new_values;
	event->extra = delta->extra;
	return true;
}

/* One event a relation emptied; a partition is named beside its table. */
static void
fill_truncate_event(const TriggerData *trigger, const AtPolicy *policy, AtEvent *event)
{
	Relation rel = trigger->tg_relation;
	const char *name;

	event->op = 'T';
	if (policy->relid == policy->root_relid)
		return;

	name = quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
									  RelationGetRelationName(rel));
	event->extra = makeStringInfo();
	appendStringInfoString(event->extra, "\"partition\":");
	at_render_string(name, strlen(name), event->extra);
}
