/*-------------------------------------------------------------------------
 * trigger.c
 *		The triggers: a change of a row, or a TRUNCATE, becomes an event in
 *		the same transaction.
 *
 * The functions for rows are called in WHEN conditions and get the places of
 * the row's versions; they read them from the table again, as the executor
 * does for queued triggers. They may be executed by everybody, since whoever
 * changes a row runs them, so they make sure that it is a WHEN condition that
 * calls: only there stands a system column of the old or the new row.
 *
 * Fail closed: whatever goes wrong here fails the statement that made the
 * change, with a line of context that names the table.
 *
 * Memory: a context of the query's own, reset after each row.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/sysattr.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "nodes/primnodes.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/regproc.h"
#include "utils/snapmgr.h"

#include "base/catalog.h"
#include "base/errors.h"
#include "base/names.h"
#include "capture/delta.h"
#include "capture/policy.h"
#include "capture/trigger.h"
#include "ledger/event.h"
#include "ledger/hooks.h"
#include "ledger/maintenance.h"

const AtTrigger at_triggers[AT_TRIGGERS] = {
	{"00_audit_insert", "insert", "audit.capture_insert(NEW.tableoid, NEW.ctid)"},
	{"00_audit_update", "update", "audit.capture_update(OLD.tableoid, OLD.ctid, NEW.ctid)"},
	{"00_audit_delete", "delete", "audit.capture_delete(OLD.tableoid, OLD.ctid)"},
	{"00_audit_truncate", "truncate", NULL},
};

/* What a WHEN condition keeps between rows, in fn_extra. */
typedef struct CallState
{
	MemoryContext query;
	MemoryContextCallback at_end;
	MemoryContext per_row;
	Oid relid; /* what the slots are made for; set at the first row */
	TupleTableSlot *old_row;
	TupleTableSlot *new_row;
} CallState;

/* A change of a row as it goes through this file. */
typedef struct RowChange
{
	Relation rel;
	const AtPolicy *policy;
	char op;
	bool moved;              /* by an update, from or to another partition */
	TupleTableSlot *old_row; /* NULL for an insert */
	TupleTableSlot *new_row; /* NULL for a delete */
} RowChange;

/*
 * An update that moves a row to another partition deletes it in one and then
 * inserts it into the other. Set in between; reset by the end of the query,
 * failed or not.
 */
static struct
{
	MemoryContext query; /* the query whose update it is; NULL: none */
	Oid root_relid;
} moving;

PG_FUNCTION_INFO_V1(at_capture);
PG_FUNCTION_INFO_V1(at_capture_insert);
PG_FUNCTION_INFO_V1(at_capture_update);
PG_FUNCTION_INFO_V1(at_capture_delete);

static void capture_row(FunctionCallInfo fcinfo, char op, ItemPointer old_at, ItemPointer new_at);
static void check_move(Oid tableoid, char op);
static CallState *begin_calls(FunctionCallInfo fcinfo);
static void end_calls(void *arg);
static bool is_moved(const RowChange *change, MemoryContext query);
static void add_extra(StringInfo *extra, const char *member);
static void check_caller(FunctionCallInfo fcinfo);
static TupleTableSlot *fetch(Relation rel, TupleTableSlot **slot, ItemPointer at,
							 MemoryContext mcx);
static void record(const RowChange *change);
static void tell_others(const AtPolicy *policy, const AtDelta *delta, AtEventName name);
static const AtPolicy *find_policy(Relation rel);
static void fill_event(AtEvent *event, const AtPolicy *policy, char op);
static void capture_truncate(Relation rel, const AtPolicy *policy);
static void add_context(void *arg);

/* The condition of the insert trigger: (new tableoid, new ctid). */
Datum
at_capture_insert(PG_FUNCTION_ARGS)
{
	capture_row(fcinfo, 'I', NULL, (ItemPointer) PG_GETARG_POINTER(1));
	PG_RETURN_BOOL(false);
}

/* The condition of the update trigger: (tableoid, old ctid, new ctid). */
Datum
at_capture_update(PG_FUNCTION_ARGS)
{
	capture_row(fcinfo, 'U', (ItemPointer) PG_GETARG_POINTER(1),
				(ItemPointer) PG_GETARG_POINTER(2));
	PG_RETURN_BOOL(false);
}

/* The condition of the delete trigger: (old tableoid, old ctid). */
Datum
at_capture_delete(PG_FUNCTION_ARGS)
{
	capture_row(fcinfo, 'D', (ItemPointer) PG_GETARG_POINTER(1), NULL);
	PG_RETURN_BOOL(false);
}

static void
capture_row(FunctionCallInfo fcinfo, char op, ItemPointer old_at, ItemPointer new_at)
{
	CallState *state = fcinfo->flinfo->fn_extra ? fcinfo->flinfo->fn_extra : begin_calls(fcinfo);
	MemoryContext query = fcinfo->flinfo->fn_mcxt;

	if ((old_at && !ItemPointerIsValid(old_at)) || (new_at && !ItemPointerIsValid(new_at)))
	{
		check_move(PG_GETARG_OID(0), op);
		return;
	}

	RowChange change = {.rel = RelationIdGetRelation(PG_GETARG_OID(0)), .op = op};
	ErrorContextCallback context = {
		.callback = add_context, .arg = change.rel, .previous = error_context_stack};

	if (change.rel == NULL)
		elog(ERROR, "relation %u is not there", PG_GETARG_OID(0));
	error_context_stack = &context;
	if (state->relid != RelationGetRelid(change.rel))
	{
		if (OidIsValid(state->relid))
			elog(ERROR, "one condition was called for two tables");
		state->relid = RelationGetRelid(change.rel);
	}
	change.policy = find_policy(change.rel);
	if (change.policy != NULL &&
		!at_maintenance_skips(change.policy->schema, change.policy->table, op))
	{
		MemoryContext save = MemoryContextSwitchTo(state->per_row);

		change.old_row = fetch(change.rel, &state->old_row, old_at, query);
		change.new_row = fetch(change.rel, &state->new_row, new_at, query);
		change.moved = is_moved(&change, query);
		record(&change);
		if (change.old_row)
			ExecClearTuple(change.old_row);
		if (change.new_row)
			ExecClearTuple(change.new_row);
		MemoryContextSwitchTo(save);
		MemoryContextReset(state->per_row);
	}
	error_context_stack = context.previous;
	RelationClose(change.rel);
}

/*
 * A row version without a place. A row that moves to another partition is told
 * by its delete and its insert there; the update of the whole table, which
 * comes besides for the sake of foreign keys, has no table and no place. All
 * else lies elsewhere: a foreign partition.
 */
static void
check_move(Oid tableoid, char op)
{
	if (op == 'U' && !OidIsValid(tableoid))
		return;
	ereport(ERROR, (errcode(ERRCODE_AT_CAPTURE_FAILED),
					errmsg("rows of \"%s\" cannot be captured", get_rel_name(tableoid)),
					errdetail("It is a foreign table: its rows are stored elsewhere."),
					errhint("Detach it from the audited table, and audit it where it is stored.")));
}

static void
add_context(void *arg)
{
	errcontext("recording a change of table \"%s\" in the audit trail",
			   RelationGetRelationName((Relation) arg));
}

/* The first call of a WHEN condition in a query, which serves one table all along. */
static CallState *
begin_calls(FunctionCallInfo fcinfo)
{
	MemoryContext query = fcinfo->flinfo->fn_mcxt;
	CallState *state;

	check_caller(fcinfo);
	state = MemoryContextAllocZero(query, sizeof(CallState));
	state->query = query;
	state->at_end = (MemoryContextCallback){.func = end_calls, .arg = state};
	MemoryContextRegisterResetCallback(query, &state->at_end);
	state->per_row = AllocSetContextCreate(query, "audit_trail row", ALLOCSET_DEFAULT_SIZES);
	fcinfo->flinfo->fn_extra = state;
	return state;
}

static void
end_calls(void *arg)
{
	if (moving.query == ((CallState *) arg)->query)
		moving.query = NULL;
}

/* Has the row left a partition with this delete, or come to it with this insert? */
static bool
is_moved(const RowChange *change, MemoryContext query)
{
	Oid root_relid = change->policy->root_relid;
	bool moved = false;

	if (change->op == 'I')
		moved = moving.query == query && moving.root_relid == root_relid;
	else if (change->op == 'D' && TTS_IS_BUFFERTUPLE(change->old_row))
		moved = HeapTupleHeaderIndicatesMovedPartitions(
			((HeapTupleTableSlot *) change->old_row)->tuple->t_data);

	if (change->op == 'D' && moved)
	{
		moving.query = query;
		moving.root_relid = root_relid;
	}
	else if (moving.query == query)
		moving.query = NULL;
	return moved;
}

/*
 * Is it a WHEN condition that calls? There OLD and NEW have become INNER_VAR
 * and OUTER_VAR; in a plan those number the columns of a subplan, and are
 * never system columns.
 */
static void
check_caller(FunctionCallInfo fcinfo)
{
	Node *expr = fcinfo->flinfo->fn_expr;
	bool ours = expr != NULL && IsA(expr, FuncExpr);
	ListCell *cell;

	foreach (cell, ours ? ((FuncExpr *) expr)->args : NIL)
	{
		Var *var = lfirst(cell);

		ours = ours && IsA(var, Var) && (var->varno == INNER_VAR || var->varno == OUTER_VAR) &&
			   var->varattno < 0;
	}
	if (!ours)
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("%s can only be called by the audit triggers",
							   format_procedure_qualified(fcinfo->flinfo->fn_oid)),
						errhint("SELECT audit.enable('your_table');")));
}

/* A version of the row; the slot is made at its first use and lives as long as the query. */
static TupleTableSlot *
fetch(Relation rel, TupleTableSlot **slot, ItemPointer at, MemoryContext query)
{
	if (at == NULL)
		return NULL;
	if (*slot == NULL)
	{
		MemoryContext save = MemoryContextSwitchTo(query);

		/* with defaults: older rows lack columns that were added with one */
		TupleDesc desc = CreateTupleDescCopyConstr(RelationGetDescr(rel));

		*slot = MakeSingleTupleTableSlot(desc, table_slot_callbacks(rel));
		MemoryContextSwitchTo(save);
	}
	if (!table_tuple_fetch_row_version(rel, at, SnapshotAny, *slot))
		elog(ERROR, "the row at (%u,%u) is gone", ItemPointerGetBlockNumber(at),
			 ItemPointerGetOffsetNumber(at));
	return *slot;
}

static void
record(const RowChange *change)
{
	const AtPolicy *policy = change->policy;
	AtDelta delta;
	AtEvent event;

	if (change->op == 'U')
	{
		if (!at_delta_update(policy, change->old_row, change->new_row, &delta))
			return;
	}
	else
		at_delta_row(policy, change->op == 'I' ? change->new_row : change->old_row,
					 change->op == 'I', &delta);

	fill_event(&event, policy, change->op);
	event.record_key = delta.record_key;
	event.old_values = delta.old_values;
	event.new_values = delta.new_values;
	event.extra = delta.extra;
	if (policy->place_json != NULL)
		add_extra(&event.extra, policy->place_json);
	if (change->moved)
		add_extra(&event.extra, "\"moved\":true");

	AtEventName name = at_event_append(&event);

	if (policy->watched && change->op == 'U')
		tell_others(policy, &delta, name);
}

/* Add a member to the extra of an event. */
static void
add_extra(StringInfo *extra, const char *member)
{
	if (*extra == NULL)
		*extra = makeStringInfo();
	else
		appendStringInfoChar(*extra, ',');
	appendStringInfoString(*extra, member);
}

static void
fill_event(AtEvent *event, const AtPolicy *policy, char op)
{
	*event = (AtEvent){
		.target_id = policy->target_id,
		.retention_class = policy->retention_class,
		.schema = policy->schema,
		.table = policy->table,
		.resource_type = policy->resource_type,
		.op = op,
	};
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

/*
 * The policy of a relation. Our own configuration tables have the triggers from
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
								quote_literal_cstr(at_qualified_name(RelationGetRelid(rel))))));
	return policy;
}

/* The trigger function, which only TRUNCATE calls. */
Datum
at_capture(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	ErrorContextCallback context = {.callback = add_context, .previous = error_context_stack};

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("audit.capture() can only be called as a trigger"),
						errhint("SELECT audit.enable('your_table');")));
	if (strcmp(trigger->tg_trigger->tgname, at_triggers[AT_TRIGGERS - 1].name) != 0 ||
		!TRIGGER_FIRED_AFTER(trigger->tg_event) || !TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("audit.capture() can only be fired by an audit trigger"),
						errdetail("It captures a TRUNCATE; changes of rows are captured by the "
								  "conditions of triggers."),
						errhint("Drop trigger \"%s\" and use audit.enable().",
								trigger->tg_trigger->tgname)));

	context.arg = trigger->tg_relation;
	error_context_stack = &context;

	const AtPolicy *policy = find_policy(trigger->tg_relation);

	if (policy != NULL && !at_maintenance_skips(policy->schema, policy->table, 'T'))
		capture_truncate(trigger->tg_relation, policy);
	error_context_stack = context.previous;
	PG_RETURN_POINTER(NULL);
}

/* One event a relation emptied; a partition or child is named beside its table. */
static void
capture_truncate(Relation rel, const AtPolicy *policy)
{
	AtEvent event;

	fill_event(&event, policy, 'T');
	if (policy->relid != policy->root_relid)
	{
		const char *name = at_qualified_name(RelationGetRelid(rel));

		event.extra = makeStringInfo();
		appendStringInfoString(event.extra, "\"partition\":");
		at_render_string(name, strlen(name), event.extra);
	}
	(void) at_event_append(&event);
}
