/*-------------------------------------------------------------------------
 * denials.c
 *		What PostgreSQL itself refuses, for want of privilege or of a setting
 *		that is the configuration file's, is an event.
 *
 * An error that a function catches is in no log and ends no command. So it is
 * met where it is raised: while a query or a command runs, a callback for
 * error contexts is among those that every error calls. It only looks
 * for two SQLSTATEs. What is refused outside of them - when the client's own
 * statement is parsed or planned, or its session begins - ends that, and comes to the hook of the
 * server's log.
 *
 * The transaction is still whole when the callback runs, so names can be
 * looked up, unless a lock of shared memory is held.
 *
 * State: the refusal that was told last, so that it is not told at each level
 * that it passes.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "parser/parsetree.h"
#include "tcop/utility.h"
#include "utils/formatting.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "base/guc.h"
#include "base/names.h"
#include "ledger/attempt.h"
#include "ledger/hooks.h"
#include "observe/denials.h"

/* Of a message, to know it again. */
#define MESSAGE_MAX 300

/* Of which names of settings are made, ours and the server's own. */
#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_."

/* What runs: the one or the other. */
typedef struct Frame
{
	const QueryDesc *query;
	Node *statement;
} Frame;

/* Right after an error: compared only. */
static struct
{
	TimestampTz statement_at; /* of the client's statement; 0: none */
	char message[MESSAGE_MAX];

	emit_log_hook_type next_log;
	ExecutorStart_hook_type next_start;
	ExecutorRun_hook_type next_run;
	ProcessUtility_hook_type next_utility;
} denial;

static void executor_start(QueryDesc *query, int flags);
static void executor_run(AT_EXECUTOR_RUN_PARAMS);
static void utility(PlannedStmt *pstmt, const char *text, bool read_only_tree,
					ProcessUtilityContext context, ParamListInfo params,
					QueryEnvironment *environment, DestReceiver *dest, QueryCompletion *completion);
static void see_error(void *arg);
static void see_log(ErrorData *error);
static bool can_tell(int held_off);
static void look_at(ErrorData *error, const Frame *frame);
static bool was_told(const char *message);
static char *refused_setting(const ErrorData *error);
static void remember(const ErrorData *error);
static void tell(const ErrorData *error, const Frame *frame);
static Oid refused_relation(const ErrorData *error, const Frame *frame);
static Oid refused_in_query(const QueryDesc *query, bool row_refused);
static Oid refused_in_statement(Node *statement);
static Oid find_relation(const RangeVar *name);

void
at_denials_init(void)
{
	denial.next_log = emit_log_hook;
	emit_log_hook = see_log;
	denial.next_start = ExecutorStart_hook;
	ExecutorStart_hook = executor_start;
	denial.next_run = ExecutorRun_hook;
	ExecutorRun_hook = executor_run;
	denial.next_utility = ProcessUtility_hook;
	ProcessUtility_hook = utility;
}

/* ---- where errors are met; the server takes the callbacks off its stack when one is raised ----
 */

static void
executor_start(QueryDesc *query, int flags)
{
	Frame frame = {.query = query};
	ErrorContextCallback callback = {
		.previous = error_context_stack, .callback = see_error, .arg = &frame};

	error_context_stack = &callback;
	if (denial.next_start)
		denial.next_start(query, flags);
	else
		standard_ExecutorStart(query, flags);
	error_context_stack = callback.previous;
}

static void
executor_run(AT_EXECUTOR_RUN_PARAMS)
{
	Frame frame = {.query = query};
	ErrorContextCallback callback = {
		.previous = error_context_stack, .callback = see_error, .arg = &frame};

	error_context_stack = &callback;
	if (denial.next_run)
		denial.next_run(AT_EXECUTOR_RUN_ARGS);
	else
		standard_ExecutorRun(AT_EXECUTOR_RUN_ARGS);
	error_context_stack = callback.previous;
}

static void
utility(PlannedStmt *pstmt, const char *text, bool read_only_tree, ProcessUtilityContext context,
		ParamListInfo params, QueryEnvironment *environment, DestReceiver *dest,
		QueryCompletion *completion)
{
	ProcessUtility_hook_type next =
		denial.next_utility ? denial.next_utility : standard_ProcessUtility;
	Frame frame = {.statement = pstmt->utilityStmt};
	ErrorContextCallback callback = {
		.previous = error_context_stack, .callback = see_error, .arg = &frame};

	error_context_stack = &callback;
	next(pstmt, text, read_only_tree, context, params, environment, dest, completion);
	error_context_stack = callback.previous;
}

/* Is it one of those that are looked at? */
static bool
concerns(int sqlstate)
{
	return sqlstate == ERRCODE_INSUFFICIENT_PRIVILEGE ||
		   sqlstate == ERRCODE_CANT_CHANGE_RUNTIME_PARAM;
}

/* Called for every error and every notice. */
static void
see_error(void *arg)
{
	MemoryContext memory;
	MemoryContext save;
	ErrorData *error;

	if (likely(!concerns(geterrcode())) || !can_tell(0))
		return;
	memory =
		AllocSetContextCreate(TopTransactionContext, "audit_trail denial", ALLOCSET_SMALL_SIZES);
	save = MemoryContextSwitchTo(memory);
	error = CopyErrorData();
	if (error->elevel == ERROR)
		look_at(error, arg);
	MemoryContextSwitchTo(save);
	MemoryContextDelete(memory);
}

/* An option of a session that begins ends the process; nothing else of what is looked at does. */
static void
see_log(ErrorData *error)
{
	bool ends = error->elevel == FATAL && error->sqlerrcode == ERRCODE_CANT_CHANGE_RUNTIME_PARAM;

	if ((error->elevel == ERROR || ends) && concerns(error->sqlerrcode) && can_tell(1))
	{
		MemoryContext memory = AllocSetContextCreate(TopTransactionContext, "audit_trail denial",
													 ALLOCSET_SMALL_SIZES);
		MemoryContext save = MemoryContextSwitchTo(memory);

		look_at(error, NULL);
		MemoryContextSwitchTo(save);
		MemoryContextDelete(memory);
	}
	if (denial.next_log)
		denial.next_log(error);
}

/* ---- what is told ---- */

/* Interrupts are held off with each lock in shared memory; the server's loop does it once itself.
 */
static bool
can_tell(int held_off)
{
	return !IsParallelWorker() && !IsBinaryUpgrade && OidIsValid(MyDatabaseId) &&
		   IsTransactionState() && !IsAbortedTransactionBlockState() &&
		   InterruptHoldoffCount <= held_off && CritSectionCount == 0;
}

/* What has no setting of ours in it is somebody's own affair. */
static void
look_at(ErrorData *error, const Frame *frame)
{
	char *setting;

	if (was_told(error->message))
		return;
	if (error->sqlerrcode == ERRCODE_INSUFFICIENT_PRIVILEGE)
	{
		if (at_guc_record_denials)
			tell(error, frame);
		return;
	}
	setting = refused_setting(error);
	if (setting == NULL)
		return;
	remember(error);
	at_attempt_tell(error->sqlerrcode, error->message, psprintf("setting %s", setting));
}

static bool
was_told(const char *message)
{
	return denial.statement_at == GetCurrentStatementStartTimestamp() &&
		   strncmp(denial.message, message, MESSAGE_MAX - 1) == 0;
}

/* Comes first: should the telling fail, it is not tried at each level. */
static void
remember(const ErrorData *error)
{
	denial.statement_at = GetCurrentStatementStartTimestamp();
	strlcpy(denial.message, error->message, MESSAGE_MAX);
}

static void
tell(const ErrorData *error, const Frame *frame)
{
	Oid relid;
	AtAuditedTable table;
	bool audited;

	remember(error);
	relid = frame != NULL ? refused_relation(error, frame) : InvalidOid;
	audited =
		OidIsValid(relid) && at_audited_table_hook != NULL && at_audited_table_hook(relid, &table);
	at_attempt_deny(error->message, OidIsValid(relid) ? at_qualified_name(relid) : NULL,
					audited ? table.target_id : 0);
}

/*
 * The setting that the message names, if only the configuration file may have it; NULL: none. The
 * message may be in any language, and is written with the name as it came.
 */
static char *
refused_setting(const ErrorData *error)
{
	static const char *const prefixes[] = {"audit_trail.", "shared_preload_libraries"};

	for (const char *at = error->message; *at != '\0'; at++)
		for (int i = 0; i < lengthof(prefixes); i++)
		{
			char *name;

			if (pg_strncasecmp(at, prefixes[i], strlen(prefixes[i])) != 0)
				continue;
			name = asc_tolower(at, strspn(at, NAME_CHARACTERS));
			return i > 0 || at_guc_is_fixed(name) ? name : NULL;
		}
	return NULL;
}

static Oid
refused_relation(const ErrorData *error, const Frame *frame)
{
	bool row_refused =
		error->message_id != NULL && strstr(error->message_id, "row-level security") != NULL;

	return frame->query != NULL ? refused_in_query(frame->query, row_refused)
								: refused_in_statement(frame->statement);
}

/*
 * The first relation that the user lacks a right for; or that which row security refuses a row of:
 * of a query that writes several, the first. Else it was no relation.
 */
static Oid
refused_in_query(const QueryDesc *query, bool row_refused)
{
	const PlannedStmt *plan = query->plannedstmt;
	ListCell *cell;

	foreach (cell, plan->rtable)
	{
		RangeTblEntry *entry = lfirst_node(RangeTblEntry, cell);

		if (entry->rtekind == RTE_RELATION && !at_is_permitted(plan, entry))
			return entry->relid;
	}
	if (row_refused && plan->resultRelations != NIL)
		return rt_fetch(linitial_int(plan->resultRelations), plan->rtable)->relid;
	return InvalidOid;
}

/* The relation of a command that names one, as far as it can be found without a lock. */
static Oid
refused_in_statement(Node *statement)
{
	const RangeVar *name = NULL;

	switch (nodeTag(statement))
	{
		case T_AlterTableStmt:
			name = castNode(AlterTableStmt, statement)->relation;
			break;
		case T_CopyStmt:
			name = castNode(CopyStmt, statement)->relation;
			break;
		case T_CreatePolicyStmt:
			name = castNode(CreatePolicyStmt, statement)->table;
			break;
		case T_AlterPolicyStmt:
			name = castNode(AlterPolicyStmt, statement)->table;
			break;
		case T_CreateTrigStmt:
			name = castNode(CreateTrigStmt, statement)->relation;
			break;
		case T_DropStmt:
			if (castNode(DropStmt, statement)->removeType == OBJECT_TABLE)
				name = makeRangeVarFromNameList(linitial(castNode(DropStmt, statement)->objects));
			break;
		case T_GrantStmt:
			if (castNode(GrantStmt, statement)->objtype == OBJECT_TABLE &&
				castNode(GrantStmt, statement)->targtype == ACL_TARGET_OBJECT)
				name = linitial_node(RangeVar, castNode(GrantStmt, statement)->objects);
			break;
		case T_IndexStmt:
			name = castNode(IndexStmt, statement)->relation;
			break;
		case T_LockStmt:
			name = linitial_node(RangeVar, castNode(LockStmt, statement)->relations);
			break;
		case T_RenameStmt:
			name = castNode(RenameStmt, statement)->relation;
			break;
		case T_RuleStmt:
			name = castNode(RuleStmt, statement)->relation;
			break;
		case T_TruncateStmt:
			name = linitial_node(RangeVar, castNode(TruncateStmt, statement)->relations);
			break;
		default:
			break;
	}
	return name != NULL ? find_relation(name) : InvalidOid;
}

/* Raises nothing: a schema may be just what the user has no right to. */
static Oid
find_relation(const RangeVar *name)
{
	if (name->schemaname == NULL)
		return RelnameGetRelid(name->relname);

	Oid schema = get_namespace_oid(name->schemaname, true);

	return OidIsValid(schema) ? get_relname_relid(name->relname, schema) : InvalidOid;
}
