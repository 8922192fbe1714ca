/*-------------------------------------------------------------------------
 * row.c
 *		A changed row becomes an event.
 *
 * Fail closed: whatever goes wrong here fails the statement that made the
 * change, with a line of context that names the table.
 *
 * Memory: the caller's context, which is reset after each row.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "executor/tuptable.h"
#include "utils/builtins.h"

#include "base/catalog.h"
#include "base/compat.h"
#include "base/errors.h"
#include "base/names.h"
#include "capture/delta.h"
#include "capture/filter.h"
#include "capture/row.h"
#include "capture/told.h"
#include "ledger/event.h"
#include "ledger/hooks.h"
#include "ledger/maintenance.h"
#include "ledger/statement.h"

/*
 * An update that moves a row to another partition deletes it in one and then
 * inserts it into the other. Set in between; reset by the end of the query,
 * failed or not.
 */
static struct
{
	MemoryContext query; /* the query whose update it is; NULL: none */
	Oid root_relid;
	uint32 ordinal; /* of the event that tells the delete, 0: none does; stays for the insert's */
	struct varlena *former; /* what that tells, if others want to hear; in the query's memory */
} moving;

static bool is_moved(AtRowCapture *capture, const AtRowChange *change, Oid root_relid);
static void note_move(AtRowCapture *capture, Oid root_relid);
static void note_former(const AtPolicy *policy, const AtEvent *event, AtEventName name);
static void end_query(void *arg);
static void record(const AtRowChange *change, const AtPolicy *policy, bool moved);

void
at_row_capture(AtRowCapture *capture, const AtRowChange *change)
{
	ErrorContextCallback context = {
		.callback = at_row_error_context, .arg = change->rel, .previous = error_context_stack};

	error_context_stack = &context;

	const AtPolicy *policy = at_row_policy(change->rel);

	if (policy != NULL && !at_maintenance_skips(policy->schema, policy->table, change->op))
		record(change, policy, is_moved(capture, change, policy->root_relid));
	error_context_stack = context.previous;
}

void
at_row_error_context(void *arg)
{
	errcontext("recording a change of table \"%s\" in the audit trail",
			   RelationGetRelationName((Relation) arg));
}

/* Has the row left a partition with this delete, or come to it with this insert? */
static bool
is_moved(AtRowCapture *capture, const AtRowChange *change, Oid root_relid)
{
	bool moved = false;

	if (change->op == 'I')
		moved = moving.query == capture->query && moving.root_relid == root_relid;
	else if (change->op == 'D' && TTS_IS_BUFFERTUPLE(change->old_row))
		moved = HeapTupleHeaderIndicatesMovedPartitions(
			((HeapTupleTableSlot *) change->old_row)->tuple->t_data);

	if (change->op == 'D' && moved)
		note_move(capture, root_relid);
	else if (moving.query == capture->query)
		moving.query = NULL;
	return moved;
}

static void
note_move(AtRowCapture *capture, Oid root_relid)
{
	if (capture->at_end.func == NULL)
	{
		capture->at_end = (MemoryContextCallback){.func = end_query, .arg = capture->query};
		MemoryContextRegisterResetCallback(capture->query, &capture->at_end);
	}
	moving.query = capture->query;
	moving.root_relid = root_relid;
	moving.ordinal = 0;
	moving.former = NULL;
}

/* The event of the delete is written; its insert comes next. */
static void
note_former(const AtPolicy *policy, const AtEvent *event, AtEventName name)
{
	Size size = VARSIZE_ANY(event->old_values);

	moving.ordinal = name.ordinal;
	if ((policy->watched & at_op_bit('U')) == 0)
		return;
	moving.former = MemoryContextAlloc(moving.query, size);
	memcpy(moving.former, event->old_values, size);
}

static void
end_query(void *arg)
{
	if (moving.query == arg)
		moving.query = NULL;
}

static void
record(const AtRowChange *change, const AtPolicy *policy, bool moved)
{
	struct varlena *former = moving.former;
	uint32 moved_from = moving.ordinal; /* rendering runs code of users, who may move other rows */
	AtDelta delta;
	AtEvent event;

	if (unlikely(policy->filter != NULL) &&
		!at_filter_accepts(policy->filter, change->old_row, change->new_row))
		return;
	if (change->op == 'U')
	{
		if (!at_delta_update(policy, change->old_row, change->new_row, &delta))
			return;
	}
	else
		at_delta_row(policy, change->op == 'I' ? change->new_row : change->old_row,
					 change->op == 'I', &delta);

	at_row_event(&event, policy, change->op);
	event.record_key = delta.record_key;
	event.old_values = delta.old_values;
	event.new_values = delta.new_values;
	event.extra = delta.extra;
	if (unlikely(policy->map != NULL))
		event.event_type =
			at_event_map_find(policy->map, change->op, delta.old_values, delta.new_values);
	if (policy->place_json != NULL)
		at_row_add_extra(&event.extra, policy->place_json);
	if (moved)
		at_row_add_extra(&event.extra, "\"moved\":true");
	if (moved && change->op == 'I' && moved_from > 0)
		at_row_add_extra(&event.extra, psprintf("\"moved_from\":%u", moved_from));
	at_row_add_query(&event.extra, policy);

	AtEventName name = at_event_append(&event);

	if (moved && change->op == 'D')
		note_former(policy, &event, name);

	if (unlikely(policy->watched & at_op_bit(change->op)))
		at_told_row(policy, change, &delta, &event, name);
	if (moved && change->op == 'I' && former != NULL)
	{
		at_told_move(policy, change, &event, name, former);
		pfree(former);
	}
}

void
at_row_add_extra(StringInfo *extra, const char *member)
{
	if (*extra == NULL)
		*extra = makeStringInfo();
	else
		appendStringInfoChar(*extra, ',');
	appendStringInfoString(*extra, member);
}

void
at_row_add_query(StringInfo *extra, const AtPolicy *policy)
{
	char *query = policy->tell_query ? at_statement_query(policy->root_relid) : NULL;

	if (query != NULL)
		at_row_add_extra(extra, query);
}

void
at_row_event(AtEvent *event, const AtPolicy *policy, char op)
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

/*
 * Our own configuration tables have the triggers from the beginning, but a policy
 * only once the ledger is made; and while a dump is being restored their rows are
 * no news, the ledger has them.
 */
const AtPolicy *
at_row_policy(Relation rel)
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
