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
#include "commands/dbcommands.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "base/catalog.h"
#include "base/debug_point.h"
#include "base/ring.h"
#include "base/worker.h"
#include "ledger/context.h"
#include "ledger/dispatch.h"
#include "ledger/event.h"
#include "ledger/hooks.h"
#include "ledger/kind.h"
#include "ledger/target.h"
#include "ledger/transaction.h"
#include "observe/collector.h"

/* A wake-up comes with each record; this is for one that was lost. */
#define IDLE_MS 1000

#define BATCH_SIZE (128 * 1024)

/* Records of one origin, in one transaction. */
typedef struct OriginGroup
{
	const char *origin; /* its bytes; NULL: no transaction is open */
	int origin_len;
	uint64 last;     /* number of the last record */
	AtTarget target; /* of the record before */
} OriginGroup;

static long run_pass(void);
static bool serve(void);
static void record_batch(const AtRingBatch *batch);
static void record_one(OriginGroup *group, const AtRingRecord *record);
static void clean_origin(AtOrigin *origin);
static void begin_group(OriginGroup *group, const AtOrigin *origin);
static void end_group(OriginGroup *group);
static void append_event(OriginGroup *group, const AtDispatch *dispatch);
static const AtTarget *find_target(OriginGroup *group, const AtDispatch *dispatch);
static struct varlena *make_values(const AtDispatch *dispatch);
static void tell_loss(void);

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
	if (!serve())
		return IDLE_MS;
	for (at_ring_read(&batch); batch.count > 0; at_ring_read(&batch))
		record_batch(&batch);
	tell_loss();
	return IDLE_MS;
}

/* Say whose records we take, as long as there is a ledger; the database may get another name. */
static bool
serve(void)
{
	MemoryContext save = CurrentMemoryContext;
	bool begun;

	StartTransactionCommand();
	begun = at_incarnation_begun();
	if (begun)
		at_ring_serve(get_database_name(MyDatabaseId));
	else
		at_ring_leave();
	CommitTransactionCommand();
	MemoryContextSwitchTo(save);
	return begun;
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
		record_one(&group, &record);
	}
	end_group(&group);
}

static void
record_one(OriginGroup *group, const AtRingRecord *record)
{
	AtOrigin *origin = palloc(sizeof(AtOrigin));
	AtDispatch dispatch;
	int origin_len;

	if (!at_dispatch_read(record->data, record->len, origin, &origin_len, &dispatch))
		elog(ERROR, "record " UINT64_FORMAT " of the ring cannot be read", record->number);

	if (group->origin != NULL &&
		(group->origin_len != origin_len || memcmp(group->origin, record->data, origin_len) != 0))
		end_group(group);
	if (group->origin == NULL)
	{
		clean_origin(origin);
		begin_group(group, origin);
	}
	group->origin = record->data;
	group->origin_len = origin_len;
	group->last = record->number;
	append_event(group, &dispatch);
}

/*
 * A text in the encoding of this database. What somebody says who wants to log in has none, and a
 * record may come from another database.
 */
static char *
clean(char *text)
{
	return text != NULL && !pg_verifymbstr(text, strlen(text), true)
			   ? at_context_clean_part(text, strlen(text), strlen(text))
			   : text;
}

static void
clean_origin(AtOrigin *origin)
{
	AtSessionFacts *session = &origin->session;

	session->login_user = clean(session->login_user);
	session->client_addr = clean(session->client_addr);
	session->application = clean(session->application);
	session->tls = clean(session->tls);
	origin->db_user = clean(origin->db_user);
	origin->db_role = clean(origin->db_role);
	for (int i = 0; i < AT_CONTEXT_FIELDS; i++)
	{
		origin->field[i].value = clean(unconstify(char *, origin->field[i].value));
		origin->field[i].source = clean(unconstify(char *, origin->field[i].source));
	}
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
	group->target = (AtTarget){.target_id = 0};
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
append_event(OriginGroup *group, const AtDispatch *dispatch)
{
	const AtTarget *target = find_target(group, dispatch);
	AtEvent event = at_kind_event(target, dispatch->op, clean(dispatch->event_type));

	if (dispatch->record_key != NULL)
		event.record_key = cstring_to_text(clean(dispatch->record_key));
	event.new_values = make_values(dispatch);
	event.occurred_at = dispatch->at;

	(void) at_change_record(&event, InvalidOid);
}

/* What the event is about: an audited table, or what is known by its resource type. */
static const AtTarget *
find_target(OriginGroup *group, const AtDispatch *dispatch)
{
	AtTarget *target = &group->target;
	char *type = clean(dispatch->resource_type);

	if (dispatch->target_id != 0)
	{
		if (target->target_id != dispatch->target_id &&
			!at_target_read(dispatch->target_id, target))
			at_kind_target(type, target);
	}
	else if (target->target_id == 0 || strcmp(target->resource_type, type) != 0 ||
			 target->table_name[0] != '\0')
		at_kind_target(type, target);
	return target;
}

static struct varlena *
make_values(const AtDispatch *dispatch)
{
	StringInfoData members;
	char *values = clean(dispatch->values);
	char *database = clean(dispatch->database);

	initStringInfo(&members);
	appendStringInfoString(&members, values != NULL ? values : "");
	if (dispatch->rows >= 0)
		at_member_number(&members, "rows", dispatch->rows);
	if (database != NULL && strcmp(database, get_database_name(MyDatabaseId)) != 0)
		at_member_text(&members, "in_database", database);
	return cstring_to_text(psprintf("{%s}", members.data));
}

/* Records that found no room: how many is an event. */
static void
tell_loss(void)
{
	AtRingLoss loss = at_ring_loss();
	StringInfoData values;

	if (loss.dropped == 0 && loss.late == 0)
		return;
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	initStringInfo(&values);
	at_member_number(&values, "lost", loss.dropped);
	at_member_number(&values, "in_server_log", loss.late);
	(void) at_kind_append("attempt", 'R', "audit.lost", NULL, values.data);
	PopActiveSnapshot();
	HOLD_INTERRUPTS();
	CommitTransactionCommand();
	at_ring_loss_told(&loss);
	RESUME_INTERRUPTS();
}
