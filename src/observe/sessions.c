/*-------------------------------------------------------------------------
 * sessions.c
 *		Who comes, who is turned away, who goes, and as whom one acts.
 *
 * A backend joins its database in a transaction, which commits when nothing
 * can refuse the client any more; the first commit of a process with a client is
 * that one. What the server says before it, and ends the process, is a refusal.
 *
 * The role is compared with the one that was told last, when a query begins
 * and when a command has ended. So it is seen however it came: by SET, by
 * set_config(), by a function's own settings, by the end of a transaction.
 *
 * State: of this process's session, from its start to its end.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/proc.h"
#include "tcop/utility.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/client.h"
#include "base/guc.h"
#include "base/ring.h"
#include "ledger/dispatch.h"
#include "observe/sessions.h"

#define SESSION_TYPE "session"
#define ROLE_TYPE    "role"

/* Longest text of the server's that is kept. */
#define MAX_REASON 1000

static struct
{
	bool started;
	bool told;        /* that it was */
	AtOrigin origin;  /* while it is told: strings are in TopMemoryContext */
	Oid session_user; /* these two as they were told last */
	Oid role;
	int sqlstate; /* of the error that ends the session; 0: none does */
	char reason[MAX_REASON];

	emit_log_hook_type next_log;
	ExecutorStart_hook_type next_start;
	ProcessUtility_hook_type next_utility;
} session;

static void end_transaction(XactEvent event, void *arg);
static void start(void);
static void append_client(const AtClient *client, StringInfo values);
static void end(int code, Datum arg);
static void see_log(ErrorData *error);
static void refuse(const ErrorData *error, const AtClient *client);
static bool is_refusal(int sqlstate);
static void executor_start(QueryDesc *query, int flags);
static void utility(PlannedStmt *pstmt, const char *text, bool read_only_tree,
					ProcessUtilityContext context, ParamListInfo params,
					QueryEnvironment *environment, DestReceiver *dest, QueryCompletion *completion);
static void see_role(void);
static void tell_role(Oid session_user, Oid role);

void
at_sessions_init(void)
{
	RegisterXactCallback(end_transaction, NULL);
	session.next_log = emit_log_hook;
	emit_log_hook = see_log;
	session.next_start = ExecutorStart_hook;
	ExecutorStart_hook = executor_start;
	session.next_utility = ProcessUtility_hook;
	ProcessUtility_hook = utility;
}

/* ---- beginning and end ---- */

static void
end_transaction(XactEvent event, void *arg)
{
	if (session.started || event != XACT_EVENT_PRE_COMMIT || MyProcPort == NULL)
		return;
	session.started = true;
	if (at_guc_record_sessions && !IsBinaryUpgrade && at_dispatch_is_heard())
		start();
}

/* What the application says of itself is not looked at: it is at its first command that it can. */
static void
start(void)
{
	MemoryContext save = MemoryContextSwitchTo(TopMemoryContext);
	StringInfoData values;
	AtClient client;

	session.session_user = GetSessionUserId();
	session.role = GetOuterUserId();
	session.origin = (AtOrigin){
		.db_user = GetUserNameFromId(session.session_user, true),
		.db_role = GetUserNameFromId(session.role, true),
	};
	at_session_facts(&session.origin.session);
	session.told = true;
	before_shmem_exit(end, (Datum) 0);

	initStringInfo(&values);
	if (at_client_look(&client))
		append_client(&client, &values);
	at_member_text(&values, "application_name", session.origin.session.application);

	AtDispatch dispatch = {
		.op = 'L',
		.event_type = "session.started",
		.resource_type = SESSION_TYPE,
		.record_key = session.origin.session.login_user,
		.values = values.data,
		.rows = -1,
	};

	at_dispatch_send_as(&session.origin, &dispatch);
	pfree(values.data);
	MemoryContextSwitchTo(save);
}

static void
append_client(const AtClient *client, StringInfo values)
{
	at_member_text(values, "database", client->database);
	at_member_text(values, "method", client->method);
	at_member_text(values, "identity", client->identity);
	if (client->is_replication)
		at_member_json(values, "replication", "true");
}

/* Before the process leaves shared memory; its transaction may still be open. */
static void
end(int code, Datum arg)
{
	MemoryContext save = MemoryContextSwitchTo(TopMemoryContext);
	const char *application = at_session_application();
	bool terminated = session.sqlstate != 0;
	StringInfoData values;

	session.origin.session_id = at_session_known();
	if (application != NULL)
		session.origin.session.application = pstrdup(application);
	initStringInfo(&values);
	at_member_number(&values, "duration_ms",
					 TimestampDifferenceMilliseconds(MyStartTimestamp, GetCurrentTimestamp()));
	if (terminated)
	{
		at_member_text(&values, "sqlstate", unpack_sql_state(session.sqlstate));
		at_member_text(&values, "reason", session.reason);
	}

	AtDispatch dispatch = {
		.op = 'L',
		.event_type = terminated ? "session.terminated" : "session.ended",
		.resource_type = SESSION_TYPE,
		.record_key = session.origin.session.login_user,
		.values = values.data,
		.rows = -1,
	};

	at_dispatch_send_as(&session.origin, &dispatch);
	MemoryContextSwitchTo(save);
}

/* ---- the server's own words ---- */

static void
see_log(ErrorData *error)
{
	AtClient client;

	if (error->elevel == FATAL && MyProc != NULL && IsUnderPostmaster && at_client_look(&client))
	{
		if (!session.started)
		{
			session.started = true; /* one end is enough */
			if (at_guc_record_sessions && is_refusal(error->sqlerrcode))
				refuse(error, &client);
		}
		else
		{
			session.sqlstate = error->sqlerrcode;
			strlcpy(session.reason, error->message, sizeof(session.reason));
		}
	}
	if (session.next_log)
		session.next_log(error);
}

/* Not where the client went away, or the server: nobody was turned away. */
static bool
is_refusal(int sqlstate)
{
	int category = ERRCODE_TO_CATEGORY(sqlstate);

	return sqlstate == ERRCODE_QUERY_CANCELED || /* it took too long to say who it is */
		   (category != ERRCODE_CONNECTION_EXCEPTION && category != ERRCODE_OPERATOR_INTERVENTION);
}

/* Nobody was authenticated, so the name is what was refused, and not who acts. */
static void
refuse(const ErrorData *error, const AtClient *client)
{
	MemoryContext save = MemoryContextSwitchTo(TopMemoryContext);
	AtOrigin origin = {
		.session =
			{
				.started_at = MyStartTimestamp,
				.backend_pid = MyProcPid,
				.client_port = client->port,
				.client_addr = unconstify(char *, client->address),
			},
	};
	StringInfoData values;

	initStringInfo(&values);
	at_member_text(&values, "user", client->user);
	append_client(client, &values);
	at_member_text(&values, "sqlstate", unpack_sql_state(error->sqlerrcode));
	at_member_text(&values, "reason", error->message);
	at_member_text(&values, "detail", error->detail_log ? error->detail_log : error->detail);

	AtDispatch dispatch = {
		.op = 'L',
		.event_type = "session.refused",
		.resource_type = SESSION_TYPE,
		.record_key = unconstify(char *, client->user),
		.values = values.data,
		.rows = -1,
	};

	if (at_dispatch_is_heard())
		at_dispatch_send_as(&origin, &dispatch);
	MemoryContextSwitchTo(save);
}

/* ---- roles ---- */

static void
executor_start(QueryDesc *query, int flags)
{
	see_role();
	if (session.next_start)
		session.next_start(query, flags);
	else
		standard_ExecutorStart(query, flags);
}

static void
utility(PlannedStmt *pstmt, const char *text, bool read_only_tree, ProcessUtilityContext context,
		ParamListInfo params, QueryEnvironment *environment, DestReceiver *dest,
		QueryCompletion *completion)
{
	ProcessUtility_hook_type next =
		session.next_utility ? session.next_utility : standard_ProcessUtility;

	next(pstmt, text, read_only_tree, context, params, environment, dest, completion);
	see_role();
}

/* All queries of the server come here. */
static void
see_role(void)
{
	if (!session.told)
		return;
	if (likely(session.role == GetOuterUserId() && session.session_user == GetSessionUserId()))
		return;
	if (IsParallelWorker() || !IsTransactionState() || IsAbortedTransactionBlockState())
		return;
	tell_role(GetSessionUserId(), GetOuterUserId());
}

static void
tell_role(Oid session_user, Oid role)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "audit_trail role", ALLOCSET_SMALL_SIZES);
	MemoryContext save = MemoryContextSwitchTo(context);
	StringInfoData values;

	initStringInfo(&values);
	at_member_text(&values, "session_user", GetUserNameFromId(session_user, true));
	at_member_text(&values, "role", GetUserNameFromId(role, true));
	at_member_text(&values, "former_session_user", GetUserNameFromId(session.session_user, true));
	at_member_text(&values, "former_role", GetUserNameFromId(session.role, true));

	AtDispatch dispatch = {
		.op = 'L',
		.event_type = "role.assumed",
		.resource_type = ROLE_TYPE,
		.record_key = GetUserNameFromId(role, true),
		.values = values.data,
		.rows = -1,
	};

	/* first: what it reads to be sent may lead here again */
	session.session_user = session_user;
	session.role = role;
	if (at_guc_record_sessions)
		at_dispatch_send(&dispatch);
	MemoryContextSwitchTo(save);
	MemoryContextDelete(context);
}
