/*-------------------------------------------------------------------------
 * apart.c
 *		An event in a transaction of its own.
 *
 * Order and answer are in a segment of dynamic shared memory, which lives as
 * long as one of the two holds it. The session waits for the end of the
 * worker, and can be cancelled meanwhile; the event may then be there.
 *
 * Locks: the worker takes those of every event. It would wait for ever for a lock of the
 * session that waits for it, so it has a lock timeout.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/dsm.h"
#include "storage/ipc.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "base/debug_point.h"
#include "base/errors.h"
#include "ledger/apart.h"
#include "ledger/context.h"
#include "ledger/datum.h"
#include "ledger/hooks.h"
#include "ledger/origin.h"
#include "ledger/session.h"
#include "ledger/target.h"
#include "ledger/transaction.h"

#define NAME           "audit_trail record"
#define LOCK_TIMEOUT   "10s"
#define MESSAGE_LENGTH 512

/* What an order consists of besides, in this order behind the struct: texts, each with its zero
 * byte. */
enum
{
	PART_TYPE,
	PART_KEY,
	PART_OLD,
	PART_NEW,
	PART_EXTRA,         /* members, without braces */
	PART_CONTEXT,       /* missing: it is about the audit trail itself */
	PART_RESOURCE_TYPE, /* likewise */
	PART_ORIGIN,        /* bytes; likewise */
	PART_FIELDS,        /* what the application said */
	PARTS = PART_FIELDS + AT_CONTEXT_FIELDS
};

typedef struct Order
{
	/* the session that asks */
	Oid database;
	Oid session_user;
	Oid role;

	/* the event */
	char op;
	Size len[PARTS]; /* 0: the part is missing */

	/* the answer, which is complete when the worker has ended */
	bool done;
	AtEventName name;
	char message[MESSAGE_LENGTH];
} Order;

PGDLLEXPORT void at_apart_main(Datum main_arg);

static void append_text(StringInfo json, const char *name, const char *value);
static AtEventName give(char op, const AtSpan *parts);
static AtSpan span_with_zero(const char *text);
static Order *make_order(dsm_segment **segment, char op, const AtSpan *parts);
static const char *part_of(const Order *order, int part);
static BackgroundWorkerHandle *start_worker(dsm_segment *segment);
static void work(Order *order);
static void assume(const Order *order);
static AtEventName append(const Order *order);
static AtEventName append_for_session(const Order *order);
static struct varlena *text_of(const Order *order, int part);

pg_noreturn static void
not_recorded(int code, const char *detail, const char *hint)
{
	ereport(ERROR, (errcode(code), errmsg("an event of the audit trail itself cannot be recorded"),
					errdetail("%s", detail), errhint("%s", hint)));
}

AtEventName
at_apart_append(char op, const char *event_type, const char *new_values)
{
	AtSpan parts[PARTS] = {0};

	parts[PART_TYPE] = span_with_zero(event_type);
	parts[PART_NEW] = span_with_zero(new_values);
	return give(op, parts);
}

/* A copy that ends in a zero byte. */
static AtSpan
terminated(AtSpan text)
{
	return text.data != NULL ? span_with_zero(pnstrdup(text.data, text.len)) : text;
}

AtEventName
at_apart_record(const AtEvent *event, const char *context)
{
	AtSpan parts[PARTS] = {0};
	StringInfoData bytes;
	AtContext acting = {0};
	AtOrigin origin;

	at_context_take(&acting); /* refuses it where somebody must be named, and nobody is */
	at_origin_now(&origin);
	initStringInfo(&bytes);
	at_origin_write(&origin, &bytes);
	parts[PART_TYPE] = terminated(at_span_of_varlena(event->event_type));
	parts[PART_KEY] = terminated(at_span_of_varlena(event->record_key));
	parts[PART_OLD] = terminated(at_span_of_varlena(event->old_values));
	parts[PART_NEW] = terminated(at_span_of_varlena(event->new_values));
	parts[PART_EXTRA] = span_with_zero(event->extra != NULL ? event->extra->data : NULL);
	parts[PART_CONTEXT] = span_with_zero(context);
	parts[PART_RESOURCE_TYPE] = terminated(event->resource_type);
	parts[PART_ORIGIN] = (AtSpan){bytes.data, bytes.len};
	return give(event->op, parts);
}

/* Have it recorded, and wait. */
static AtEventName
give(char op, const AtSpan *parts)
{
	dsm_segment *segment;
	Order *order;
	AtEventName name;

	if (RecoveryInProgress())
		not_recorded(ERRCODE_READ_ONLY_SQL_TRANSACTION,
					 "This server is in recovery, and nothing can be written.",
					 "Ask the primary server.");
	order = make_order(&segment, op, parts);
	if (WaitForBackgroundWorkerShutdown(start_worker(segment)) == BGWH_POSTMASTER_DIED)
		proc_exit(1);
	if (!order->done)
		not_recorded(ERRCODE_AT_CAPTURE_FAILED,
					 order->message[0] != '\0' ? pstrdup(order->message)
											   : "The worker that was to record it was stopped.",
					 "Mend the cause, and try again.");
	name = order->name;
	dsm_detach(segment);
	return name;
}

void
at_apart_requester(StringInfo json)
{
	AtSessionFacts facts;

	at_session_facts(&facts);
	appendStringInfoString(json, "\"requested_by\":{");
	append_text(json, "login_user", facts.login_user);
	append_text(json, "session_user", GetUserNameFromId(GetSessionUserId(), true));
	append_text(json, "current_user", GetUserNameFromId(at_context_role(), true));
	append_text(json, "client_addr", facts.client_addr);
	append_text(json, "application_name", facts.application);
	appendStringInfo(json, "\"client_port\":%d,\"backend_pid\":%d}", facts.client_port, MyProcPid);
}

/* A member, with a comma. */
static void
append_text(StringInfo json, const char *name, const char *value)
{
	appendStringInfo(json, "\"%s\":", name);
	if (value != NULL)
		escape_json(json, value);
	else
		appendStringInfoString(json, "null");
	appendStringInfoChar(json, ',');
}

/* NULL is missing. */
static AtSpan
span_with_zero(const char *text)
{
	return (AtSpan){text, text != NULL ? strlen(text) + 1 : 0};
}

static Order *
make_order(dsm_segment **segment, char op, const AtSpan *parts)
{
	AtSpan all[PARTS];
	Size len = sizeof(Order);
	AtContext context = {0};
	char *place;
	Order *order;

	at_context_take(&context);
	at_context_complete(&context);
	memcpy(all, parts, sizeof(all));
	for (int i = 0; i < AT_CONTEXT_FIELDS; i++)
		all[PART_FIELDS + i] = span_with_zero(context.field[i].value);
	for (int i = 0; i < PARTS; i++)
		len = add_size(len, all[i].len);

	*segment = dsm_create(len, 0);
	order = dsm_segment_address(*segment);
	*order = (Order){
		.database = MyDatabaseId,
		.session_user = GetSessionUserId(),
		.role = at_context_role(),
		.op = op,
	};
	place = (char *) (order + 1);
	for (int i = 0; i < PARTS; i++)
	{
		order->len[i] = all[i].len;
		if (all[i].len > 0)
			memcpy(place, all[i].data, all[i].len);
		place += all[i].len;
	}
	return order;
}

/* NULL: it is missing. */
static const char *
part_of(const Order *order, int part)
{
	const char *place = (const char *) (order + 1);

	for (int i = 0; i < part; i++)
		place += order->len[i];
	return order->len[part] > 0 ? place : NULL;
}

static BackgroundWorkerHandle *
start_worker(dsm_segment *segment)
{
	BackgroundWorker worker = {
		.bgw_name = NAME,
		.bgw_type = NAME,
		.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION,
		.bgw_start_time = BgWorkerStart_RecoveryFinished,
		.bgw_restart_time = BGW_NEVER_RESTART,
		.bgw_library_name = "audit_trail",
		.bgw_function_name = "at_apart_main",
		.bgw_main_arg = UInt32GetDatum(dsm_segment_handle(segment)),
		.bgw_notify_pid = MyProcPid,
	};
	BackgroundWorkerHandle *handle;

	if (!RegisterDynamicBackgroundWorker(&worker, &handle))
		not_recorded(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED, "No background worker is free for it.",
					 "Try again, or raise max_worker_processes.");
	return handle;
}

void
at_apart_main(Datum main_arg)
{
	dsm_segment *segment;
	Order *order;

	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	CurrentResourceOwner = NULL;
	segment = dsm_attach(DatumGetUInt32(main_arg));
	if (segment == NULL)
		return; /* the session has gone, and nobody asks any more */
	dsm_pin_mapping(segment);
	order = dsm_segment_address(segment);
	BackgroundWorkerInitializeConnectionByOid(order->database, InvalidOid, 0);
	work(order);
}

/* An error is the answer, and no news for the server's log. */
static void
work(Order *order)
{
	MemoryContext save = CurrentMemoryContext;

	PG_TRY();
	{
		SetCurrentStatementStartTimestamp();
		StartTransactionCommand();
		pgstat_report_activity(STATE_RUNNING, NAME);
		SetConfigOption("lock_timeout", LOCK_TIMEOUT, PGC_USERSET, PGC_S_OVERRIDE);
		if (part_of(order, PART_CONTEXT) == NULL)
			assume(order);
		PushActiveSnapshot(GetTransactionSnapshot());
		order->name =
			part_of(order, PART_CONTEXT) != NULL ? append_for_session(order) : append(order);
		PopActiveSnapshot();
		CommitTransactionCommand();
		order->done = true;
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(save);
		ErrorData *error = CopyErrorData();

		FlushErrorState();
		strlcpy(order->message, error->message, sizeof(order->message));
		AbortCurrentTransaction();
	}
	PG_END_TRY();
	pgstat_report_stat(true);
	pgstat_report_activity(STATE_IDLE, NULL);
}

/* The identity of the session, and what its application said. */
static void
assume(const Order *order)
{
	SetConfigOption("application_name", NAME, PGC_USERSET, PGC_S_OVERRIDE);
	for (int i = 0; i < AT_CONTEXT_FIELDS; i++)
		if (part_of(order, PART_FIELDS + i) != NULL)
			SetConfigOption(psprintf("audit_trail.%s", at_context_names[i]),
							part_of(order, PART_FIELDS + i), PGC_USERSET, PGC_S_SESSION);
	SetSessionAuthorization(order->session_user, superuser_arg(order->session_user));
	SetUserIdAndSecContext(order->role, 0);
}

static AtEventName
append(const Order *order)
{
	AtTarget target;

	if (!at_target_read_own(&target))
		ereport(ERROR,
				(errcode(ERRCODE_AT_CAPTURE_FAILED),
				 errmsg("audit.policy has no row for itself, or audit.target not its target")));

	AtEvent event = {
		.target_id = target.target_id,
		.retention_class = target.retention_class,
		.schema = at_span_of(target.table_schema),
		.table = at_span_of(target.table_name),
		.resource_type = at_span_of(target.resource_type),
		.op = order->op,
		.event_type = text_of(order, PART_TYPE),
		.new_values = text_of(order, PART_NEW),
	};

	return at_event_append(&event);
}

/* The transaction is the session's, and so is the event. */
static AtEventName
append_for_session(const Order *order)
{
	static AtOrigin origin; /* is looked at when the transaction ends */
	StringInfoData bytes = {.data = unconstify(char *, part_of(order, PART_ORIGIN)),
							.len = order->len[PART_ORIGIN]};
	StringInfoData extra;
	AtTarget target;

	if (!at_origin_read(&origin, &bytes))
		elog(ERROR, "the origin of the event cannot be read");
	at_transaction_act_for(&origin);
	(void) at_target_obtain(part_of(order, PART_CONTEXT), part_of(order, PART_RESOURCE_TYPE),
							&target);
	initStringInfo(&extra);
	if (part_of(order, PART_EXTRA) != NULL)
		appendStringInfoString(&extra, part_of(order, PART_EXTRA));

	AtEvent event = {
		.target_id = target.target_id,
		.retention_class = target.retention_class,
		.schema = at_span_of(target.table_schema),
		.table = at_span_of(target.table_name),
		.resource_type = at_span_of(target.resource_type),
		.op = order->op,
		.event_type = text_of(order, PART_TYPE),
		.record_key = text_of(order, PART_KEY),
		.old_values = text_of(order, PART_OLD),
		.new_values = text_of(order, PART_NEW),
		.extra = &extra,
	};
	AtEventName name = at_change_record(&event, InvalidOid);

	at_debug_point("apart-before-commit");
	return name;
}

static struct varlena *
text_of(const Order *order, int part)
{
	const char *text = part_of(order, part);

	return text != NULL ? (struct varlena *) cstring_to_text(text) : NULL;
}
