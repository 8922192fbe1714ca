/*-------------------------------------------------------------------------
 * privileges.c
 *		Commands about roles, privileges, policies, owners, settings and
 *		functions are events.
 *
 * What decides which code a session runs, set for a role or a database, is one
 * whatever audit_trail.record_privileges says, and an alarm: it is what ALTER
 * SYSTEM does to the whole server.
 *
 * What a command drops is known to the object-access hook, whatever command it
 * is; the rest is in the command itself, and is looked up when it has succeeded.
 *
 * State: the innermost running command, a struct on the stack of the hook,
 * which also resets the pointer when the command fails; and what is to be sent
 * when the transaction commits, in its memory, with the level of nesting
 * that it stands or falls with.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_authid.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "tcop/utility.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "base/catalog.h"
#include "base/guc.h"
#include "ledger/dispatch.h"
#include "ledger/hooks.h"
#include "ledger/kind.h"
#include "observe/command_facts.h"
#include "observe/privileges.h"

typedef struct Command
{
	struct Command *outer;
	PlannedStmt *pstmt;
	const char *text;
	MemoryContext memory;
	List *dropped; /* of AtFact */
} Command;

/* A record that is sent at commit. */
typedef struct Waiting
{
	StringInfoData record;
	int level;
} Waiting;

static struct
{
	Command *running;
	List *waiting; /* of Waiting, in TopTransactionContext */
	ProcessUtility_hook_type next_utility;
	object_access_hook_type next_access;
} privilege;

static void utility(PlannedStmt *pstmt, const char *text, bool read_only_tree,
					ProcessUtilityContext context, ParamListInfo params,
					QueryEnvironment *environment, DestReceiver *dest, QueryCompletion *completion);
static bool is_watched(Node *statement);
static bool decides_code(Node *statement);
static bool is_ours(Node *statement);
static void access_object(ObjectAccessType access, Oid class_id, Oid object_id, int sub_id,
						  void *arg);
static void tell_command(const Command *command, PlannedStmt *pstmt, const char *text);
static void tell_facts(List *facts, Node *statement);
static void send_at_commit(const AtDispatch *dispatch);
static void end_transaction(XactEvent event, void *arg);
static void end_subtransaction(SubXactEvent event, SubTransactionId id, SubTransactionId parent,
							   void *arg);

void
at_privileges_init(void)
{
	privilege.next_utility = ProcessUtility_hook ? ProcessUtility_hook : standard_ProcessUtility;
	ProcessUtility_hook = utility;
	privilege.next_access = object_access_hook;
	object_access_hook = access_object;
	RegisterXactCallback(end_transaction, NULL);
	RegisterSubXactCallback(end_subtransaction, NULL);
}

static void
utility(PlannedStmt *pstmt, const char *text, bool read_only_tree, ProcessUtilityContext context,
		ParamListInfo params, QueryEnvironment *environment, DestReceiver *dest,
		QueryCompletion *completion)
{
	if (!is_watched(pstmt->utilityStmt))
	{
		privilege.next_utility(pstmt, text, read_only_tree, context, params, environment, dest,
							   completion);
		return;
	}

	/* what runs may scribble on its tree, and free it */
	PlannedStmt *kept = read_only_tree ? pstmt : copyObject(pstmt);
	Command command = {
		.outer = privilege.running,
		.pstmt = kept,
		.text = text,
		.memory = CurrentMemoryContext,
	};

	PG_TRY();
	{
		privilege.running = &command;
		privilege.next_utility(pstmt, text, read_only_tree, context, params, environment, dest,
							   completion);
	}
	PG_FINALLY();
	{
		privilege.running = command.outer;
	}
	PG_END_TRY();

	if (IsTransactionState())
	{
		MemoryContext save = MemoryContextSwitchTo(command.memory);

		tell_command(&command, kept, text);
		MemoryContextSwitchTo(save);
	}
}

static bool
is_watched(Node *statement)
{
	return (at_guc_record_privileges || decides_code(statement)) &&
		   GetCommandLogLevel(statement) == LOGSTMT_DDL && !IsBinaryUpgrade &&
		   !IsParallelWorker() && IsTransactionState() && !is_ours(statement);
}

/* Does it set, for a role or a database, what is loaded or which triggers fire? */
static bool
decides_code(Node *statement)
{
	static const char *const names[] = {"allow_system_table_mods", "dynamic_library_path",
										"local_preload_libraries", "session_preload_libraries",
										"session_replication_role"};
	const VariableSetStmt *set = NULL;

	if (IsA(statement, AlterRoleSetStmt))
		set = castNode(AlterRoleSetStmt, statement)->setstmt;
	else if (IsA(statement, AlterDatabaseSetStmt))
		set = castNode(AlterDatabaseSetStmt, statement)->setstmt;
	if (set == NULL || set->name == NULL)
		return false;
	for (int i = 0; i < lengthof(names); i++)
		if (pg_strcasecmp(set->name, names[i]) == 0)
			return true;
	return false;
}

/* Our script, and what we do to the ledger as its owner, are no news; what we do to roles is. */
static bool
is_ours(Node *statement)
{
	if (creating_extension && CurrentExtensionObject == get_extension_oid(AT_EXTENSION, true))
		return true;
	if (!InSecurityRestrictedOperation() || GetUserId() != at_extension_owner())
		return false;
	return !IsA(statement, CreateRoleStmt) && !IsA(statement, GrantRoleStmt) &&
		   !IsA(statement, DropRoleStmt);
}

static void
access_object(ObjectAccessType access, Oid class_id, Oid object_id, int sub_id, void *arg)
{
	Command *command = privilege.running;

	if (privilege.next_access)
		privilege.next_access(access, class_id, object_id, sub_id, arg);
	if (access != OAT_DROP || command == NULL)
		return;

	ObjectAddress object = {class_id, object_id, sub_id};
	MemoryContext save = MemoryContextSwitchTo(command->memory);
	AtFact *fact = at_drop_fact(&object, command->pstmt, command->text);

	if (fact != NULL)
		command->dropped = lappend(command->dropped, fact);
	MemoryContextSwitchTo(save);
}

static void
tell_command(const Command *command, PlannedStmt *pstmt, const char *text)
{
	List *facts;

	CommandCounterIncrement();
	facts = list_concat(command->dropped, at_command_facts(pstmt, text));
	if (facts == NIL)
		return;
	PushActiveSnapshot(GetTransactionSnapshot());
	tell_facts(facts, pstmt->utilityStmt);
	PopActiveSnapshot();
}

/* Events here, if there is a ledger; else what is of the whole server is sent elsewhere. */
static void
tell_facts(List *facts, Node *statement)
{
	bool recorded = !RecoveryInProgress() && at_incarnation_begun();
	ListCell *cell;

	foreach (cell, facts)
	{
		const AtFact *fact = lfirst(cell);
		AtDispatch dispatch = {
			.op = 'P',
			.event_type = unconstify(char *, fact->event_type),
			.resource_type = unconstify(char *, fact->resource_type),
			.record_key = fact->key,
			.values = fact->values,
			.rows = -1,
		};

		if (IsA(statement, AlterSystemStmt))
			at_dispatch_send(&dispatch);
		else if (recorded)
		{
			(void) at_kind_append(fact->resource_type, 'P', fact->event_type, fact->key,
								  fact->values);
			if (decides_code(statement) && at_alarm_hook != NULL)
				at_alarm_hook("settings", "warning",
							  psprintf("%s was set for a role or a database", fact->key));
		}
		else if (fact->of_server)
			send_at_commit(&dispatch);
	}
}

static void
send_at_commit(const AtDispatch *dispatch)
{
	MemoryContext save = MemoryContextSwitchTo(TopTransactionContext);
	Waiting *waiting = palloc(sizeof(Waiting));
	AtOrigin origin;

	at_origin_now(&origin);
	at_dispatch_begin(&waiting->record, &origin, dispatch);
	waiting->level = GetCurrentTransactionNestLevel();
	privilege.waiting = lappend(privilege.waiting, waiting);
	MemoryContextSwitchTo(save);
}

/* A prepared transaction is told when it is prepared: another session commits it. */
static void
end_transaction(XactEvent event, void *arg)
{
	ListCell *cell;

	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_PREPARE)
		foreach (cell, privilege.waiting)
			at_dispatch_end(&((Waiting *) lfirst(cell))->record, -1);
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_PREPARE || event == XACT_EVENT_ABORT)
		privilege.waiting = NIL;
}

static void
end_subtransaction(SubXactEvent event, SubTransactionId id, SubTransactionId parent, void *arg)
{
	int level = GetCurrentTransactionNestLevel();
	ListCell *cell;

	if (event != SUBXACT_EVENT_ABORT_SUB && event != SUBXACT_EVENT_COMMIT_SUB)
		return;
	foreach (cell, privilege.waiting)
	{
		Waiting *waiting = lfirst(cell);

		if (waiting->level < level)
			continue;
		if (event == SUBXACT_EVENT_COMMIT_SUB)
			waiting->level--;
		else
			privilege.waiting = foreach_delete_current(privilege.waiting, cell);
	}
}
