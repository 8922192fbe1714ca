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
#include "base/errors.h"
#include "ledger/apart.h"
#include "ledger/context.h"
#include "ledger/datum.h"
#include "ledger/session.h"
#include "ledger/target.h"

#define NAME           "audit_trail record"
#define LOCK_TIMEOUT   "10s"
#define MESSAGE_LENGTH 512

typedef struct Order
{
	/* the session that asks */
	Oid database;
	Oid session_user;
	Oid role;

	/* the event */
	char op;
	Size type_len;   /* of the texts behind this struct, each with its zero byte: its type, */
	Size values_len; /* new_values, */
	Size context_len[AT_CONTEXT_FIELDS]; /* and the context; 0 where a field is unset */

	/* the answer, which is complete when the worker has ended */
	bool done;
	AtEventName name;
	char message[MESSAGE_LENGTH];
} Order;

PGDLLEXPORT void at_apart_main(Datum main_arg);

static void append_text(StringInfo json, const char *name, const char *value);
static Order *make_order(dsm_segment **segment, char op, const char *event_type,
						 const char *new_values);
static char *put_text(char *place, const char *text, Size len);
static BackgroundWorkerHandle *start_worker(dsm_segment *segment);
static void work(Order *order);
static void assume(const Order *order);
static AtEventName append(const Order *order);

pg_noreturn static void
not_recorded(int code, const char *detail, const char *hint)
{
	ereport(ERROR, (errcode(code), errmsg("an event of the audit trail itself cannot be recorded"),
					errdetail("%s", detail), errhint("%s", hint)));
}

AtEventName
at_apart_append(char op, const char *event_type, const char *new_values)
{
	dsm_segment *segment;
	Order *order;
	AtEventName name;

	if (RecoveryInProgress())
		not_recorded(ERRCODE_READ_ONLY_SQL_TRANSACTION,
					 "This server is in recovery, and nothing can be written.",
					 "Ask the primary server.");
	order = make_order(&segment, op, event_type, new_values);
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

static Order *
make_order(dsm_segment **segment, char op, const char *event_type, const char *new_values)
{
	Size len = sizeof(Order) + strlen(event_type) + 1 + strlen(new_values) + 1;
	AtContext context = {0};
	char *place;
	Order *order;

	at_context_take(&context);
	at_context_complete(&context);
	for (int i = 0; i < AT_CONTEXT_FIELDS; i++)
		len += context.field[i].value ? strlen(context.field[i].value) + 1 : 0;

	*segment = dsm_create(len, 0);
	order = dsm_segment_address(*segment);
	*order = (Order){
		.database = MyDatabaseId,
		.session_user = GetSessionUserId(),
		.role = at_context_role(),
		.op = op,
		.type_len = strlen(event_type) + 1,
		.values_len = strlen(new_values) + 1,
	};
	place = put_text((char *) (order + 1), event_type, order->type_len);
	place = put_text(place, new_values, order->values_len);
	for (int i = 0; i < AT_CONTEXT_FIELDS; i++)
	{
		const char *value = context.field[i].value;

		order->context_len[i] = value ? strlen(value) + 1 : 0;
		place = put_text(place, value, order->context_len[i]);
	}
	return order;
}

static char *
put_text(char *place, const char *text, Size len)
{
	if (len > 0)
		memcpy(place, text, len);
	return place + len;
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
		assume(order);
		PushActiveSnapshot(GetTransactionSnapshot());
		order->name = append(order);
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
	const char *place = (const char *) (order + 1) + order->type_len + order->values_len;

	SetConfigOption("application_name", NAME, PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("lock_timeout", LOCK_TIMEOUT, PGC_USERSET, PGC_S_OVERRIDE);
	for (int i = 0; i < AT_CONTEXT_FIELDS; i++)
	{
		if (order->context_len[i] > 0)
			SetConfigOption(psprintf("audit_trail.%s", at_context_names[i]), place, PGC_USERSET,
							PGC_S_SESSION);
		place += order->context_len[i];
	}
	SetSessionAuthorization(order->session_user, superuser_arg(order->session_user));
	SetUserIdAndSecContext(order->role, 0);
}

static AtEventName
append(const Order *order)
{
	const char *event_type = (const char *) (order + 1);
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
		.event_type = cstring_to_text(event_type),
		.new_values = cstring_to_text(event_type + order->type_len),
	};

	return at_event_append(&event);
}
