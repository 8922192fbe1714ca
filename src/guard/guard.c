/*-------------------------------------------------------------------------
 * guard.c
 *		Hooks that refuse commands against the audit trail.
 *
 * What decides is the object-access hook: it sees each object that a
 * command touches, whatever the command is and however it came to it. The
 * utility hook knows whose command is running, refuses early the few that
 * the other does not see or would refuse by the name of a detail, and asks at
 * the end what became of audit triggers that were dropped: one that went with
 * its table, or was cloned for a partition that is none any more, is not missed.
 *
 * State: the innermost running command, a struct on the stack of the hook,
 * which also resets the pointer when the command fails.
 *
 * Caveat: a name may mean another object when the command runs than when it
 * was refused early, or not refused; then the object-access hook decides.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/parallel.h"
#include "access/table.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/objectaccess.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "nodes/parsenodes.h"
#include "nodes/value.h"
#include "parser/parse_type.h"
#include "rewrite/rewriteHandler.h"
#include "tcop/utility.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "base/catalog.h"
#include "base/lifted.h"
#include "guard/all_triggers.h"
#include "guard/audited.h"
#include "guard/catalogs.h"
#include "guard/grant.h"
#include "guard/guard.h"
#include "guard/guarded.h"
#include "guard/refuse.h"
#include "guard/settings.h"
#include "guard/whole_vacuum.h"
#include "ledger/hooks.h"
#include "ledger/own_command.h"

/* A running command; the list is in its memory context. */
typedef struct Command
{
	struct Command *outer;
	Node *statement;
	MemoryContext memory;
	bool passes;    /* what it does is not looked at */
	bool in_script; /* it stands in the script of an extension */
	List *dropped;  /* of AtGuarded: audit triggers */
} Command;

static struct
{
	Command *running; /* NULL: none */
	ProcessUtility_hook_type next_utility;
	object_access_hook_type next_access;
} guard;

static void guard_utility(PlannedStmt *pstmt, const char *query, bool read_only_tree,
						  ProcessUtilityContext context, ParamListInfo params,
						  QueryEnvironment *environment, DestReceiver *dest,
						  QueryCompletion *completion);
static bool is_watched(Node *statement);
static bool passes(Node *statement, const char *query, ProcessUtilityContext context);
static bool in_script(ProcessUtilityContext context);
static PlannedStmt *look_at(const Command *command, PlannedStmt *pstmt);
static void check_statement(Node *statement);
static void check_drop_statement(const DropStmt *drop);
static void check_catalog_trigger(const RangeVar *name);
static void check_cast(const CreateCastStmt *statement);
static void check_copy(const RangeVar *name);
static void check_lock(const LockStmt *statement);
static bool locks_guarded(Oid relid);
static bool locks_guarded_in(Node *node, void *context);
static void check_move(const AlterObjectSchemaStmt *statement);
static void check_member(AlterExtensionContentsStmt *statement);
static void check_depends(AlterObjectDependsStmt *statement);
static void check_dropped(Command *command);
static void access_object(ObjectAccessType access, Oid class_id, Oid object_id, int sub_id,
						  void *arg);
static void check_drop(const ObjectAddress *object, const ObjectAccessDrop *how);
static void check_alter(const ObjectAddress *object, const ObjectAccessPostAlter *how);
static void check_create(const ObjectAddress *object, const ObjectAccessPostCreate *how);
static void check_system(const char *verb, const ObjectAddress *object, bool is_internal);

void
at_guard_init(void)
{
	guard.next_utility = ProcessUtility_hook ? ProcessUtility_hook : standard_ProcessUtility;
	ProcessUtility_hook = guard_utility;
	guard.next_access = object_access_hook;
	object_access_hook = access_object;
}

bool
at_guard_is_on(void)
{
	return !at_guard_is_lifted() && !IsBinaryUpgrade && !IsParallelWorker() &&
		   IsTransactionState() && OidIsValid(at_audit_schema()) && at_incarnation_begun();
}

/* Is there what a dump restores, and no ledger has begun? */
static bool
is_restoring(void)
{
	return !IsBinaryUpgrade && !IsParallelWorker() && IsTransactionState() &&
		   OidIsValid(at_audit_schema()) && !at_incarnation_begun();
}

/* ---- commands ---- */

static void
guard_utility(PlannedStmt *pstmt, const char *query, bool read_only_tree,
			  ProcessUtilityContext context, ParamListInfo params, QueryEnvironment *environment,
			  DestReceiver *dest, QueryCompletion *completion)
{
	if (!is_watched(pstmt->utilityStmt))
	{
		guard.next_utility(pstmt, query, read_only_tree, context, params, environment, dest,
						   completion);
		return;
	}

	Command command = {
		.outer = guard.running,
		.statement = pstmt->utilityStmt,
		.memory = CurrentMemoryContext,
		.passes = passes(pstmt->utilityStmt, query, context),
		.in_script = in_script(context),
	};

	PG_TRY();
	{
		guard.running = &command;
		guard.next_utility(look_at(&command, pstmt), query, read_only_tree, context, params,
						   environment, dest, completion);
		if (command.dropped != NIL)
			check_dropped(&command);
	}
	PG_FINALLY();
	{
		guard.running = command.outer;
	}
	PG_END_TRY();
}

static bool
is_watched(Node *statement)
{
	if (IsA(statement, VariableSetStmt))
		return at_settings_concern((VariableSetStmt *) statement);
	if (IsA(statement, CopyStmt))
		return ((CopyStmt *) statement)->is_from;
	if (IsA(statement, LockStmt))
		return ((LockStmt *) statement)->mode >= ShareLock;
	return IsA(statement, VacuumStmt) || IsA(statement, ReindexStmt) ||
		   GetCommandLogLevel(statement) == LOGSTMT_DDL;
}

/* Is it an update of our extension, or a command of its script? */
static bool
is_ours(Node *statement)
{
	if (statement != NULL && IsA(statement, AlterExtensionStmt))
		return strcmp(castNode(AlterExtensionStmt, statement)->extname, AT_EXTENSION) == 0;
	if (statement != NULL && IsA(statement, CreateExtensionStmt))
		return strcmp(castNode(CreateExtensionStmt, statement)->extname, AT_EXTENSION) == 0;
	return false;
}

/*
 * What passes is told from what event triggers and functions do within it by
 * its place: only parts of a command, and commands of our script, inherit.
 */
static bool
passes(Node *statement, const char *query, ProcessUtilityContext context)
{
	const Command *outer = guard.running;

	if (context == PROCESS_UTILITY_SUBCOMMAND && outer != NULL)
		return outer->passes;
	if (IsA(statement, VacuumStmt) || IsA(statement, ReindexStmt) || is_ours(statement))
		return true;
	if (outer != NULL && creating_extension && is_ours(outer->statement))
		return CurrentExtensionObject == get_extension_oid(AT_EXTENSION, true);
	return at_own_command_begins(query);
}

static bool
runs_script(const Command *command)
{
	return command != NULL && creating_extension &&
		   (IsA(command->statement, CreateExtensionStmt) ||
			IsA(command->statement, AlterExtensionStmt));
}

/* Event triggers that it causes to run are inside of it, and so not of the script. */
static bool
in_script(ProcessUtilityContext context)
{
	const Command *outer = guard.running;

	return runs_script(outer) ||
		   (context == PROCESS_UTILITY_SUBCOMMAND && outer != NULL && outer->in_script);
}

/* Not while a command of the script runs: then an event trigger does it. */
bool
at_guard_in_script(void)
{
	return runs_script(guard.running);
}

/* REPLICA IDENTITY concerns those who replicate the table, not the table. */
static bool
is_harmless(const AlterTableStmt *statement)
{
	ListCell *cell;

	foreach (cell, statement->cmds)
		if (lfirst_node(AlterTableCmd, cell)->subtype != AT_ReplicaIdentity)
			return false;
	return true;
}

static void
check_relation(const char *verb, const RangeVar *name)
{
	Oid relid = name != NULL ? RangeVarGetRelid(name, NoLock, true) : InvalidOid;
	ObjectAddress object = {RelationRelationId, relid, 0};

	if (OidIsValid(relid) && at_guarded_relation(relid))
		at_refuse(verb, &object);
}

/* Refuse the command, or say what to run: it, or one in its place without what is ours. */
static PlannedStmt *
look_at(const Command *command, PlannedStmt *pstmt)
{
	if (!command->passes && at_guard_is_on())
	{
		check_statement(command->statement);
		pstmt = at_all_triggers(pstmt, false);
	}
	else if (!command->passes && is_restoring())
		pstmt = at_all_triggers(pstmt, true);
	return at_whole_vacuum(pstmt);
}

static void
check_statement(Node *statement)
{
	switch (nodeTag(statement))
	{
		case T_AlterTableStmt:
			if (!is_harmless((AlterTableStmt *) statement))
				check_relation("alter", ((AlterTableStmt *) statement)->relation);
			break;
		case T_ClusterStmt:
			check_relation("cluster", ((ClusterStmt *) statement)->relation);
			break;
		case T_CreateTrigStmt:
			check_catalog_trigger(((CreateTrigStmt *) statement)->relation);
			break;
		case T_IndexStmt:
			check_relation("index", ((IndexStmt *) statement)->relation);
			break;
		case T_DropStmt:
			check_drop_statement((DropStmt *) statement);
			break;
		case T_AlterExtensionContentsStmt:
			check_member((AlterExtensionContentsStmt *) statement);
			break;
		case T_AlterObjectSchemaStmt:
			check_move((AlterObjectSchemaStmt *) statement);
			break;
		case T_AlterObjectDependsStmt:
			check_depends((AlterObjectDependsStmt *) statement);
			break;
		case T_GrantStmt:
			at_grant_check((GrantStmt *) statement);
			break;
		case T_CreateCastStmt:
			check_cast((CreateCastStmt *) statement);
			break;
		case T_CopyStmt:
			check_copy(((CopyStmt *) statement)->relation);
			break;
		case T_LockStmt:
			check_lock((LockStmt *) statement);
			break;
		default:
			at_settings_check(statement);
			break;
	}
}

/*
 * What is recorded is json, bytea in part, and is shown as text: a function in the place of
 * PostgreSQL's own way from one of these to another type of its own would have its say in every
 * query of the trail.
 */
static void
check_cast(const CreateCastStmt *statement)
{
	Oid source = typenameTypeId(NULL, statement->sourcetype);
	Oid target = typenameTypeId(NULL, statement->targettype);

	if (statement->func != NULL && target < FirstUnpinnedObjectId &&
		(source == JSONOID || source == JSONBOID || source == BYTEAOID) &&
		!runs_script(guard.running->outer))
		at_refuse_cast(source, target);
}

static void
check_copy(const RangeVar *name)
{
	Oid relid = name != NULL ? RangeVarGetRelid(name, NoLock, true) : InvalidOid;

	if (OidIsValid(relid))
		at_catalogs_check_write(relid);
}

/*
 * Who may write all tables, and is no superuser, could make every audited write wait for as long as
 * they like.
 */
static void
check_lock(const LockStmt *statement)
{
	ListCell *cell;

	foreach (cell, statement->relations)
	{
		const RangeVar *name = lfirst_node(RangeVar, cell);
		ObjectAddress object = {RelationRelationId, RangeVarGetRelid(name, NoLock, true), 0};

		if (OidIsValid(object.objectId) && !superuser() && locks_guarded(object.objectId))
			at_refuse("lock", &object);
	}
}

/* LOCK of a view is one of all that it reads, itself under the names OLD and NEW left out. */
static bool
locks_guarded(Oid relid)
{
	bool found;
	Relation view;

	if (at_guarded_relation(relid))
		return true;
	if (get_rel_relkind(relid) != RELKIND_VIEW)
		return false;
	check_stack_depth();
	view = table_open(relid, AccessShareLock);
	found = locks_guarded_in((Node *) get_view_query(view), &relid);
	table_close(view, NoLock);
	return found;
}

static bool
locks_guarded_in(Node *node, void *context)
{
	ListCell *cell;

	if (node == NULL)
		return false;
	if (!IsA(node, Query))
		return expression_tree_walker(node, locks_guarded_in, context);
	foreach (cell, ((Query *) node)->rtable)
	{
		const RangeTblEntry *entry = lfirst_node(RangeTblEntry, cell);

		if (entry->rtekind == RTE_RELATION && entry->relid != *(Oid *) context &&
			locks_guarded(entry->relid))
			return true;
	}
	return query_tree_walker((Query *) node, locks_guarded_in, context, QTW_IGNORE_JOINALIASES);
}

/* PostgreSQL looks for the triggers of a catalog of triggers until its stack ends. */
static void
check_catalog_trigger(const RangeVar *name)
{
	ObjectAddress catalog = {RelationRelationId, RangeVarGetRelid(name, NoLock, true), 0};

	if (OidIsValid(catalog.objectId) && at_in_pg_catalog(catalog.objectId))
		at_refuse_system("add a trigger to", &catalog);
}

/* A table to be dropped: refused for itself, and not for what goes with it. */
static void
check_drop_table(const RangeVar *name)
{
	Oid relid = RangeVarGetRelid(name, NoLock, true);

	check_relation("drop", name);
	if (OidIsValid(relid) && at_audited_by_hook != NULL && at_audited_by_hook(relid) == relid)
		at_audited_check_drop(relid);
}

/* What the extension requires PostgreSQL refuses before the other hook could: then nobody would
 * know. */
static void
check_drop_member(ObjectType type, Node *name)
{
	Relation rel;
	ObjectAddress object = get_object_address(type, name, &rel, AccessShareLock, true);

	if (OidIsValid(object.objectId) && at_guarded(&object, false).as == AT_GUARDED_PART)
		at_refuse("drop", &object);
}

/* By the name of what was to be dropped, where the other hook has that of the first detail. */
static void
check_drop_statement(const DropStmt *drop)
{
	ListCell *cell;

	foreach (cell, drop->objects)
	{
		Node *name = lfirst(cell);

		switch (drop->removeType)
		{
			case OBJECT_SCHEMA:
				if (strcmp(strVal(name), AT_SCHEMA) == 0)
					at_refuse_name("drop", "schema", AT_SCHEMA);
				break;
			case OBJECT_FDW:
			case OBJECT_FOREIGN_SERVER:
				if (strcmp(strVal(name), "audit_cold") == 0)
					at_refuse_name("drop", "foreign-data wrapper", "audit_cold");
				break;
			case OBJECT_EXTENSION:
				if (strcmp(strVal(name), AT_EXTENSION) == 0)
					at_refuse_name("drop", "extension", AT_EXTENSION);
				break;
			case OBJECT_TABLE:
				check_drop_table(makeRangeVarFromNameList(castNode(List, name)));
				break;
			case OBJECT_ACCESS_METHOD:
			case OBJECT_DOMAIN:
			case OBJECT_FUNCTION:
			case OBJECT_PROCEDURE:
			case OBJECT_ROUTINE:
			case OBJECT_TYPE:
				check_drop_member(drop->removeType, name);
				break;
			case OBJECT_INDEX:
			case OBJECT_SEQUENCE:
			case OBJECT_VIEW:
				check_relation("drop", makeRangeVarFromNameList(castNode(List, name)));
				break;
			default:
				break;
		}
	}
}

/* PostgreSQL refuses it, but tells nobody. */
static void
check_move(const AlterObjectSchemaStmt *statement)
{
	if (statement->objectType == OBJECT_EXTENSION &&
		strcmp(strVal(statement->object), AT_EXTENSION) == 0)
		at_refuse_name("alter", "extension", AT_EXTENSION);
}

/* ALTER EXTENSION ... ADD or DROP: dumps leave members out, and they go with the extension. */
static void
check_member(AlterExtensionContentsStmt *statement)
{
	Relation rel;
	ObjectAddress object =
		get_object_address(statement->objtype, statement->object, &rel, AccessShareLock, false);

	if (at_guarded(&object, false).as == AT_GUARDED_PART)
		at_refuse("change the extension of", &object);
	if (rel != NULL)
		table_close(rel, NoLock);
}

/* ALTER ... DEPENDS ON EXTENSION: who drops that extension would drop the object. */
static void
check_depends(AlterObjectDependsStmt *statement)
{
	Relation rel;
	ObjectAddress object =
		get_object_address_rv(statement->objectType, statement->relation,
							  (List *) statement->object, &rel, AccessShareLock, false);

	check_alter(&object, NULL);
	if (rel != NULL)
		table_close(rel, NoLock);
}

/* The command has succeeded: do tables still need the triggers that it dropped? */
static void
check_dropped(Command *command)
{
	ListCell *cell;

	CommandCounterIncrement();
	foreach (cell, command->dropped)
	{
		const AtGuarded *dropped = lfirst(cell);

		if (get_rel_relkind(dropped->relation) != '\0' &&
			at_trigger_needed_hook(dropped->relation, dropped->trigger) &&
			!OidIsValid(get_trigger_oid(dropped->relation, dropped->trigger, true)))
			at_refuse_trigger("drop", dropped);
	}
}

/* ---- objects ---- */

static void
access_object(ObjectAccessType access, Oid class_id, Oid object_id, int sub_id, void *arg)
{
	ObjectAddress object = {class_id, object_id, sub_id};
	bool concerns = access == OAT_DROP || access == OAT_POST_ALTER || access == OAT_POST_CREATE ||
					access == OAT_TRUNCATE;

	if (guard.next_access)
		guard.next_access(access, class_id, object_id, sub_id, arg);
	if (!concerns || (guard.running != NULL && guard.running->passes) || !at_guard_is_on())
		return;

	if (access == OAT_TRUNCATE)
		at_catalogs_check_write(object_id);
	else if (access == OAT_DROP)
		check_drop(&object, arg);
	else if (access == OAT_POST_ALTER)
		check_alter(&object, arg);
	else
		check_create(&object, arg);
}

/* Of what PostgreSQL does by itself, as VACUUM FULL and CLUSTER of a catalog do, nothing is
 * refused. */
static void
check_system(const char *verb, const ObjectAddress *object, bool is_internal)
{
	if (!is_internal && !at_guard_in_script() &&
		(guard.running == NULL || !guard.running->in_script))
		at_refuse_system(verb, object);
}

static void
check_drop(const ObjectAddress *object, const ObjectAccessDrop *how)
{
	AtGuarded guarded = at_guarded(object, false);
	Command *command = guard.running;

	if (guarded.as == AT_GUARDED_NOT)
	{
		if (object->classId == RelationRelationId && object->objectSubId == 0)
			at_audited_check_drop(object->objectId);
		return;
	}
	if (guarded.as == AT_GUARDED_SYSTEM)
	{
		if (!OidIsValid(getExtensionOfObject(object->classId, object->objectId)))
			check_system("drop", object, (how->dropflags & PERFORM_DELETION_INTERNAL) != 0);
		return;
	}
	if (guarded.as != AT_GUARDED_TRIGGER)
		at_refuse("drop", object);
	if (command == NULL)
		at_refuse_trigger("drop", &guarded);

	MemoryContext save = MemoryContextSwitchTo(command->memory);
	AtGuarded *dropped = palloc(sizeof(AtGuarded));

	*dropped = guarded;
	dropped->trigger = pstrdup(guarded.trigger);
	command->dropped = lappend(command->dropped, dropped);
	MemoryContextSwitchTo(save);
}

/* The hook runs after the change and before it can be seen: the catalog still tells what was. */
static void
check_alter(const ObjectAddress *object, const ObjectAccessPostAlter *how)
{
	ObjectAddress subject = *object;

	if (object->classId == IndexRelationId)
	{
		if (how->is_internal)
			return;
		subject.classId = RelationRelationId;
	}
	if (object->classId == InheritsRelationId)
	{
		ObjectAddress parent = {RelationRelationId, how->auxiliary_id, 0};

		if (at_guarded_relation(parent.objectId))
			at_refuse("inherit from", &parent);
		subject.classId = RelationRelationId;
	}

	AtGuarded guarded = at_guarded(&subject, false);

	if (guarded.as == AT_GUARDED_TRIGGER)
		at_refuse_trigger("alter", &guarded);
	if (guarded.as == AT_GUARDED_SYSTEM)
		check_system("alter", &subject, how->is_internal);
	else if (guarded.as != AT_GUARDED_NOT)
		at_refuse("alter", &subject);

	AtGuardedAs becomes = at_guarded(&subject, true).as; /* if it was moved there */

	if (becomes == AT_GUARDED_PART)
		at_refuse_creation(&subject);
	if (becomes == AT_GUARDED_SYSTEM)
		check_system("alter", &subject, how->is_internal);
}

/* Is there already what is being created, as the catalog still tells? */
static bool
is_replaced(const ObjectAddress *object)
{
	return at_guarded(object, false).as != AT_GUARDED_NOT;
}

/* PostgreSQL tells of a replacement as of a creation. */
static void
check_create(const ObjectAddress *object, const ObjectAccessPostCreate *how)
{
	AtGuarded guarded = at_guarded(object, true);

	if (guarded.as == AT_GUARDED_SYSTEM)
	{
		check_system("create or replace", object, how != NULL && how->is_internal);
		return;
	}
	if (guarded.as == AT_GUARDED_NOT || (object->classId == TypeRelationId && !is_replaced(object)))
		return;
	if (guarded.as == AT_GUARDED_TRIGGER)
		at_refuse_trigger("create", &guarded);
	if (guarded.as == AT_GUARDED_ADDITION)
		at_refuse_addition(object, guarded.relation);
	if (is_replaced(object))
		at_refuse("replace", object);
	at_refuse_creation(object);
}
