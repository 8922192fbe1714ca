/*-------------------------------------------------------------------------
 * collector.c
 *		The worker that records what other sessions told by way of the ring.
 *
 * Invariant: each record becomes one event. It is removed from the ring when the
 * transaction of its event has been committed, and nothing can end the
 * process in between. What follows each other and has the same origin
 * is one transaction; its row has the identity of the origin.
 *
 * An error leaves the records where they are, and the next pass tries again:
 * while the disk is full, say, the ring fills up, and then its users wait.
 *
 * Locks: as any writer of the ledger.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "base/catalog.h"
#include "base/debug_point.h"
#include "base/ring.h"
#include "base/worker.h"
#include "ledger/attempt.h"
#include "ledger/datum.h"
#include "ledger/event.h"
#include "ledger/hooks.h"
#include "ledger/partition.h"
#include "ledger/target.h"
#include "ledger/transaction.h"
#include "observe/collector.h"

/* A wake-up comes with each record; this is for one that was lost. */
#define IDLE_MS 1000

#define BATCH_SIZE (128 * 1024)

/* What events of the collector are about. */
#define ATTEMPT_TYPE "attempt"
#define TRAIL_TYPE   "trail"

/* Records of one origin, in one transaction. */
typedef struct OriginGroup
{
	const char *origin; /* its bytes; NULL: no transaction is open */
	int origin_len;
	uint64 last; /* number of the last record */
	AtTarget attempts;
	AtTarget trail;
} OriginGroup;

static long run_pass(void);
static void record_batch(const AtRingBatch *batch);
static void record_attempt(OriginGroup *group, const AtRingRecord *record);
static void begin_group(OriginGroup *group, const AtOrigin *origin);
static void end_group(OriginGroup *group);
static void append_event(OriginGroup *group, const AtAttempt *attempt);
static void append_read(OriginGroup *group, const AtAttempt *attempt);
static const AtTarget *find_target(const char *type, AtTarget *target);
static AtEvent new_event(const AtTarget *target, char op, const char *type);
static struct varlena *make_values(const AtAttempt *attempt);
static void tell_lost(void);

void
at_collector_init(void)
{
	at_worker_register(AT_WORKER_COLLECTOR, run_pass);
}

static long
run_pass(void)
{
	AtRingBatch batch = {.buffer = palloc(BATCH_SIZE), .size = BATCH_SIZE};

	if (RecoveryInProgress())
		return IDLE_MS;
	for (at_ring_read(&batch); batch.count > 0; at_ring_read(&batch))
		record_batch(&batch);
	tell_lost();
	return IDLE_MS;
}

static void
record_batch(const AtRingBatch *batch)
{
	OriginGroup group = {.origin = NULL};
	AtRingRecord record;
	Size at = 0;

	while (at_ring_batch_next(batch, &at, &record))
	{
		CHECK_FOR_INTERRUPTS();
		record_attempt(&group, &record);
	}
	end_group(&group);
}

static void
record_attempt(OriginGroup *group, const AtRingRecord *record)
{
	AtOrigin *origin = palloc(sizeof(AtOrigin));
	AtAttempt attempt;
	int origin_len;

	if (!at_attempt_read(record->data, record->len, origin, &origin_len, &attempt))
		elog(ERROR, "record " UINT64_FORMAT " of the ring cannot be read", record->number);

	if (group->origin != NULL &&
		(group->origin_len != origin_len || memcmp(group->origin, record->data, origin_len) != 0))
		end_group(group);
	if (group->origin == NULL)
		begin_group(group, origin);
	group->origin = record->data;
	group->origin_len = origin_len;
	group->last = record->number;
	if (attempt.message != NULL)
		append_event(group, &attempt);
	else
		append_read(group, &attempt);
}

static void
begin_group(OriginGroup *group, const AtOrigin *origin)
{
	MemoryContext save = CurrentMemoryContext;

	StartTransactionCommand();
	MemoryContextSwitchTo(save);
	if (!at_incarnation_begun())
		elog(ERROR, "there is no ledger any more");
	PushActiveSnapshot(GetTransactionSnapshot());
	at_transaction_act_for(origin);
	group->attempts.target_id = 0;
	group->trail.target_id = 0;
}

/* Nobody can end the process between the commit and the removal. */
static void
end_group(OriginGroup *group)
{
	MemoryContext save = CurrentMemoryContext;

	if (group->origin == NULL)
		return;
	at_debug_point("collector-before-commit");
	PopActiveSnapshot();
	HOLD_INTERRUPTS();
	CommitTransactionCommand();
	at_ring_remove(group->last);
	RESUME_INTERRUPTS();
	MemoryContextSwitchTo(save);
	group->origin = NULL;
}

static void
append_event(OriginGroup *group, const AtAttempt *attempt)
{
	const AtTarget *target = find_target(ATTEMPT_TYPE, &group->attempts);
	AtEvent event = new_event(target, 'R', "audit.refused");

	event.new_values = make_values(attempt);
	event.occurred_at = attempt->at;
	(void) at_change_record(&event, InvalidOid);
}

static void
append_read(OriginGroup *group, const AtAttempt *attempt)
{
	AtEvent event = new_event(find_target(TRAIL_TYPE, &group->trail), 'V', "audit.read");

	event.new_values = make_values(attempt);
	event.occurred_at = attempt->at;
	(void) at_change_record(&event, InvalidOid);
}

static AtEvent
new_event(const AtTarget *target, char op, const char *type)
{
	return (AtEvent){
		.target_id = target->target_id,
		.retention_class = target->retention_class,
		.schema = at_span_of(target->table_schema),
		.table = at_span_of(target->table_name),
		.resource_type = at_span_of(target->resource_type),
		.op = op,
		.event_type = (struct varlena *) cstring_to_text(type),
	};
}

/* What events of a type are recorded under; made with the first one. */
static const AtTarget *
find_target(const char *type, AtTarget *target)
{
	if (target->target_id != 0 || at_target_find(type, target))
		return target;
	*target = (AtTarget){
		.retention_class = AT_RETENTION_CLASS_DEFAULT,
		.table_schema = AT_SCHEMA,
		.table_name = "",
		.resource_type = pstrdup(type),
		.context = "system",
		.key_columns = "[]",
		.columns = "[]",
	};
	at_target_append(target);
	CommandCounterIncrement();
	return target;
}

/* Begin a member of a JSON object. */
static void
append_text(StringInfo json, const char *name, const char *value)
{
	if (value == NULL)
		return;
	appendStringInfo(json, "%s\"%s\":", json->len > 1 ? "," : "", name);
	escape_json(json, value);
}

static struct varlena *
make_values(const AtAttempt *attempt)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfoChar(&json, '{');
	if (attempt->message != NULL)
		append_text(&json, "sqlstate", unpack_sql_state(attempt->sqlstate));
	append_text(&json, "message", attempt->message);
	append_text(&json, "object", attempt->object);
	append_text(&json, "command", attempt->command);
	append_text(&json, "statement", attempt->text);
	if (attempt->text_bytes > AT_MAX_ATTEMPT_TEXT)
		appendStringInfo(&json, ",\"statement_bytes\":" INT64_FORMAT, attempt->text_bytes);
	if (attempt->message == NULL)
		appendStringInfo(&json, ",\"rows\":" INT64_FORMAT, attempt->rows);
	appendStringInfoChar(&json, '}');
	return (struct varlena *) cstring_to_text_with_len(json.data, json.len);
}

/* Records that found no room are gone; how many is an event. */
static void
tell_lost(void)
{
	uint64 lost = at_ring_lost();
	AtTarget target = {0};

	if (lost == 0)
		return;
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());

	AtEvent event = new_event(find_target(ATTEMPT_TYPE, &target), 'R', "audit.lost");

	event.new_values =
		(struct varlena *) cstring_to_text(psprintf("{\"lost\":" UINT64_FORMAT "}", lost));
	(void) at_change_record(&event, InvalidOid);
	PopActiveSnapshot();
	HOLD_INTERRUPTS();
	CommitTransactionCommand();
	at_ring_lost_told(lost);
	RESUME_INTERRUPTS();
}
