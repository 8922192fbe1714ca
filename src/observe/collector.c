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

/* Records of one origin, in one transaction. */
typedef struct Group
{
	const char *origin; /* its bytes; NULL: no transaction is open */
	int origin_len;
	uint64 last; /* number of the last record */
	bool told;   /* others have heard of it */
	AtTarget target;
} Group;

static long run_pass(void);
static void record_batch(const AtRingBatch *batch);
static void record_attempt(Group *group, const AtRingRecord *record);
static void begin_group(Group *group, const AtOrigin *origin);
static void end_group(Group *group);
static void append_event(Group *group, const AtAttempt *attempt);
static void find_target(AtTarget *target);
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
	Group group = {.origin = NULL};
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
record_attempt(Group *group, const AtRingRecord *record)
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
	append_event(group, &attempt);
}

static void
begin_group(Group *group, const AtOrigin *origin)
{
	MemoryContext save = CurrentMemoryContext;

	StartTransactionCommand();
	MemoryContextSwitchTo(save);
	if (!at_incarnation_begun())
		elog(ERROR, "there is no ledger any more");
	PushActiveSnapshot(GetTransactionSnapshot());
	at_transaction_act_for(origin);
	find_target(&group->target);
	group->told = false;
}

/* Nobody can end the process between the commit and the removal. */
static void
end_group(Group *group)
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
append_event(Group *group, const AtAttempt *attempt)
{
	const AtTarget *target = &group->target;
	AtEvent event = {
		.target_id = target->target_id,
		.retention_class = target->retention_class,
		.schema = at_span_of(target->table_schema),
		.table = at_span_of(target->table_name),
		.resource_type = at_span_of(target->resource_type),
		.op = 'R',
		.event_type = (struct varlena *) cstring_to_text("audit.refused"),
		.new_values = make_values(attempt),
		.occurred_at = attempt->at,
	};
	AtEventName name = at_event_append(&event);
	AtChange change = {
		.target_id = target->target_id,
		.tx_id = name.tx_id,
		.xid = U64FromFullTransactionId(GetTopFullTransactionId()),
		.ordinal = name.ordinal,
		.op = event.op,
	};

	/* a storm from one session is one alert */
	if (!group->told && at_attempt_hook != NULL)
		at_attempt_hook(&change);
	group->told = true;
}

/* What attempts are recorded under; made with the first one. */
static void
find_target(AtTarget *target)
{
	if (at_target_find(ATTEMPT_TYPE, target))
		return;
	*target = (AtTarget){
		.retention_class = AT_RETENTION_CLASS_DEFAULT,
		.table_schema = AT_SCHEMA,
		.table_name = "",
		.resource_type = ATTEMPT_TYPE,
		.context = "system",
		.key_columns = "[]",
		.columns = "[]",
	};
	at_target_append(target);
	CommandCounterIncrement();
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
	append_text(&json, "sqlstate", unpack_sql_state(attempt->sqlstate));
	append_text(&json, "message", attempt->message);
	append_text(&json, "object", attempt->object);
	append_text(&json, "command", attempt->command);
	append_text(&json, "statement", attempt->text);
	if (attempt->text_bytes > AT_MAX_ATTEMPT_TEXT)
		appendStringInfo(&json, ",\"statement_bytes\":" INT64_FORMAT, attempt->text_bytes);
	appendStringInfoChar(&json, '}');
	return (struct varlena *) cstring_to_text_with_len(json.data, json.len);
}

/* Records that found no room are gone; how many is an event. */
static void
tell_lost(void)
{
	uint64 lost = at_ring_lost();
	Group group = {.origin = NULL};
	StringInfoData json;

	if (lost == 0)
		return;
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	find_target(&group.target);
	initStringInfo(&json);
	appendStringInfo(&json, "{\"lost\":" UINT64_FORMAT "}", lost);

	AtEvent event = {
		.target_id = group.target.target_id,
		.retention_class = group.target.retention_class,
		.schema = at_span_of(group.target.table_schema),
		.table = at_span_of(group.target.table_name),
		.resource_type = at_span_of(group.target.resource_type),
		.op = 'R',
		.event_type = (struct varlena *) cstring_to_text("audit.lost"),
		.new_values = (struct varlena *) cstring_to_text_with_len(json.data, json.len),
	};

	(void) at_event_append(&event);
	PopActiveSnapshot();
	HOLD_INTERRUPTS();
	CommitTransactionCommand();
	at_ring_lost_told(lost);
	RESUME_INTERRUPTS();
}
