/*-------------------------------------------------------------------------
 * evolve.c
 *		Keeps up with commands that change, move or drop audited tables, or
 *		bring tables that are audited as they come.
 *
 * While a command runs it is noted what it touches: relations by their
 * relcache invalidations, if this session has them locked (others' commands are
 * followed by their own sessions), renamed columns, changes of parents and drops by
 * the object-access hook. When it has succeeded, audited tables among them are
 * compared with what the ledger has of them, in the same transaction. A
 * schema or type that is renamed or moved invalidates no table, so then all
 * audited tables are compared.
 *
 * A session that has not loaded the library runs no hook. That is why the
 * library should be preloaded, and why capture compares too when it first
 * meets a table (policy.c).
 *
 * State: the innermost running command, a struct on the stack of the hook,
 * which also resets the pointer when the command fails.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/parallel.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/namespace.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_namespace.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "base/catalog.h"
#include "base/relation_change.h"
#include "capture/automatic.h"
#include "capture/evolve.h"
#include "capture/family.h"
#include "capture/retype.h"
#include "capture/version.h"
#include "ledger/owner.h"

/* A command that touches more relations has all audited tables compared. */
#define MAX_TOUCHED 64

/* A schema and the name that it had. */
typedef struct Renamed
{
	Oid schema;
	char *old_name;
} Renamed;

/* A running command and what it has touched; lists are in its memory context. */
typedef struct Command
{
	struct Command *outer;
	MemoryContext memory;
	AtSchemaChange change;

	bool all; /* compare all audited tables */
	int ntouched;
	Oid touched[MAX_TOUCHED];

	List *created; /* oids of relations */
	List *dropped; /* oids of tables that policies name */
	List *schemas; /* names of schemas that are dropped */
	List *renamed; /* of Renamed: schemas */
	List *notes;   /* of AtFamilyNote */

	AtRetype retype;

	uint64 files; /* of rewritten_table and all below it, before */
	List *added;  /* names of columns */
} Command;

static struct
{
	Command *running; /* NULL: none */
	bool settling;    /* commands are our own */
	ProcessUtility_hook_type next_utility;
	object_access_hook_type next_access;
} evolve;

static void evolve_utility(PlannedStmt *pstmt, const char *query, bool read_only_tree,
						   ProcessUtilityContext context, ParamListInfo params,
						   QueryEnvironment *environment, DestReceiver *dest,
						   QueryCompletion *completion);
static bool is_watched(const PlannedStmt *pstmt, ProcessUtilityContext context);
static void prepare(Command *command, Node *statement);
static void prepare_rewrite(Command *command, const AlterTableStmt *statement);
static uint64 files_of(Oid relid);
static void settle(Command *command);
static void settle_all(Command *command);
static void settle_renamed(const Renamed *renamed);
static void settle_rewrite(Command *command);
static void touch(Datum arg, Oid relid);
static void access_object(ObjectAccessType access, Oid class_id, Oid object_id, int sub_id,
						  void *arg);
static void note_alter(Oid class_id, Oid object_id, int sub_id);
static void note_drop(Oid relid);

void
at_evolve_init(void)
{
	evolve.next_utility = ProcessUtility_hook ? ProcessUtility_hook : standard_ProcessUtility;
	ProcessUtility_hook = evolve_utility;
	evolve.next_access = object_access_hook;
	object_access_hook = access_object;
	at_relation_change_register(touch);
}

static void
evolve_utility(PlannedStmt *pstmt, const char *query, bool read_only_tree,
			   ProcessUtilityContext context, ParamListInfo params, QueryEnvironment *environment,
			   DestReceiver *dest, QueryCompletion *completion)
{
	if (!is_watched(pstmt, context))
	{
		evolve.next_utility(pstmt, query, read_only_tree, context, params, environment, dest,
							completion);
		return;
	}

	Command command = {
		.outer = evolve.running,
		.memory = CurrentMemoryContext,
		.change.command = CreateCommandName(pstmt->utilityStmt),
	};

	PG_TRY();
	{
		prepare(&command, pstmt->utilityStmt);
		evolve.running = &command;
		evolve.next_utility(pstmt, query, read_only_tree, context, params, environment, dest,
							completion);
		CommandCounterIncrement(); /* its last invalidations arrive */
	}
	PG_FINALLY();
	{
		evolve.running = command.outer;
	}
	PG_END_TRY();

	MemoryContext save = MemoryContextSwitchTo(command.memory);

	settle(&command);
	MemoryContextSwitchTo(save);
}

/* Parts of a command come again inside of it; own commands and our scripts are no news. */
static bool
is_watched(const PlannedStmt *pstmt, ProcessUtilityContext context)
{
	if (evolve.settling || context == PROCESS_UTILITY_SUBCOMMAND || IsParallelWorker() ||
		IsBinaryUpgrade || !IsTransactionState() || RecoveryInProgress())
		return false;
	if (GetCommandLogLevel(pstmt->utilityStmt) != LOGSTMT_DDL)
		return false;
	return !creating_extension || CurrentExtensionObject != get_extension_oid(AT_EXTENSION, true);
}

/* What has to be known or done before the command. */
static void
prepare(Command *command, Node *statement)
{
	command->all = IsA(statement, RenameStmt) || IsA(statement, AlterObjectSchemaStmt);
	command->retype = at_retype_of(statement);
	if (!IsA(statement, AlterTableStmt) || !at_stored_ready())
		return;

	evolve.settling = true;
	PG_TRY();
	{
		at_family_prepare(castNode(AlterTableStmt, statement), command->change.command);
		prepare_rewrite(command, castNode(AlterTableStmt, statement));
	}
	PG_FINALLY();
	{
		evolve.settling = false;
	}
	PG_END_TRY();
}

/* Columns that the command may compute anew, or adds. */
static void
prepare_rewrite(Command *command, const AlterTableStmt *statement)
{
	ListCell *cell;

	foreach (cell, statement->cmds)
	{
		AlterTableCmd *part = lfirst_node(AlterTableCmd, cell);

		if (part->subtype == AT_AlterColumnType)
			command->change.rewritten = lappend(command->change.rewritten, pstrdup(part->name));
		if (part->subtype == AT_AddColumn)
			command->added =
				lappend(command->added, pstrdup(castNode(ColumnDef, part->def)->colname));
	}
	if (command->change.rewritten == NIL && command->added == NIL)
		return;

	Oid relid = RangeVarGetRelid(statement->relation, NoLock, true);

	command->change.rewritten_table = relid;
	command->files = OidIsValid(relid) ? files_of(relid) : 0;
}

/* Changes when a relation, or one below it, gets a new file. */
static uint64
files_of(Oid relid)
{
	uint64 sum = 0;
	ListCell *cell;

	foreach (cell, find_all_inheritors(relid, NoLock, NULL))
	{
		HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(lfirst_oid(cell)));

		if (!HeapTupleIsValid(tuple))
			continue;
		sum = sum * 31 + ((Form_pg_class) GETSTRUCT(tuple))->relfilenode;
		ReleaseSysCache(tuple);
	}
	return sum;
}

/* The command has succeeded: follow what it did. */
static void
settle(Command *command)
{
	if (!command->all && command->ntouched == 0 && command->notes == NIL &&
		command->dropped == NIL && command->schemas == NIL && command->renamed == NIL &&
		!OidIsValid(command->retype.type))
		return;
	if (!at_stored_ready())
		return;

	evolve.settling = true;
	PushActiveSnapshot(GetTransactionSnapshot());
	PG_TRY();
	{
		settle_rewrite(command);
		settle_all(command);
	}
	PG_FINALLY();
	{
		evolve.settling = false;
	}
	PG_END_TRY();
	PopActiveSnapshot();
}

static void
settle_all(Command *command)
{
	List *tables = NIL;
	ListCell *cell;

	foreach (cell, command->dropped)
	{
		AtOwnerState state;

		at_owner_enter(&state);
		(void) at_stored_disable(lfirst_oid(cell),
								 psprintf("dropped by %s", command->change.command));
		at_owner_leave(&state);
	}

	for (int i = 0; i < command->ntouched; i++)
	{
		at_version_check_logged(command->touched[i]);
		tables = lappend_oid(tables, command->touched[i]);
	}
	list_sort(tables, list_oid_cmp);
	foreach (cell, command->all ? at_stored_tables() : tables)
		at_version_follow(lfirst_oid(cell), &command->change);

	at_retype_tell(&command->retype, &command->change);

	foreach (cell, command->notes)
	{
		AtFamilyNote *note = lfirst(cell);

		at_family_settle(note, command->change.command,
						 list_member_oid(command->created, note->relid));
	}

	foreach (cell, command->schemas)
		at_automatic_forget(lfirst(cell), command->change.command);
	foreach (cell, command->renamed)
		settle_renamed(lfirst(cell));
	tables = list_concat(tables, command->created);
	list_sort(tables, list_oid_cmp);
	list_deduplicate_oid(tables);
	at_automatic_settle(tables, command->all);
}

/* Rules name schemas, since a dump, and pg_upgrade, know none of their oids. */
static void
settle_renamed(const Renamed *renamed)
{
	char *name = get_namespace_name(renamed->schema);

	if (name != NULL && strcmp(name, renamed->old_name) != 0)
		at_automatic_rename(renamed->old_name, name);
}

/* Which columns have other values in rows that were there already? */
static void
settle_rewrite(Command *command)
{
	Oid relid = command->change.rewritten_table;
	ListCell *cell;

	if (!OidIsValid(relid) || files_of(relid) == command->files)
		command->change.rewritten = NIL;
	foreach (cell, command->added)
	{
		HeapTuple tuple = SearchSysCacheAttName(relid, lfirst(cell));
		Form_pg_attribute attribute = tuple ? (Form_pg_attribute) GETSTRUCT(tuple) : NULL;

		if (attribute == NULL)
			continue;
		if (attribute->atthasdef || attribute->atthasmissing || attribute->attidentity)
			command->change.rewritten = lappend(command->change.rewritten, lfirst(cell));
		ReleaseSysCache(tuple);
	}
}

/*
 * A relation was changed, here or elsewhere; allocates nothing, since aborts come
 * here too. InvalidOid tells that messages of others were lost, never our own.
 */
static void
touch(Datum arg, Oid relid)
{
	Command *command = evolve.running;

	if (command == NULL || command->all || !OidIsValid(relid) ||
		!at_lock_is_held(relid, ShareUpdateExclusiveLock)) /* as changes of a definition take */
		return;
	for (int i = 0; i < command->ntouched; i++)
		if (command->touched[i] == relid)
			return;
	if (command->ntouched == MAX_TOUCHED)
		command->all = true;
	else
		command->touched[command->ntouched++] = relid;
}

static void
access_object(ObjectAccessType access, Oid class_id, Oid object_id, int sub_id, void *arg)
{
	if (evolve.running != NULL && !evolve.settling)
	{
		MemoryContext save = MemoryContextSwitchTo(evolve.running->memory);

		if (access == OAT_POST_CREATE && class_id == RelationRelationId && sub_id == 0)
			evolve.running->created = lappend_oid(evolve.running->created, object_id);
		if (access == OAT_POST_ALTER)
			note_alter(class_id, object_id, sub_id);
		if (access == OAT_DROP && class_id == RelationRelationId && sub_id == 0)
			note_drop(object_id);
		if (access == OAT_DROP && class_id == NamespaceRelationId)
			evolve.running->schemas =
				lappend(evolve.running->schemas, get_namespace_name(object_id));
		MemoryContextSwitchTo(save);
	}
	if (evolve.next_access)
		evolve.next_access(access, class_id, object_id, sub_id, arg);
}

static bool
is_table(Oid relid)
{
	char kind = get_rel_relkind(relid);

	return kind == RELKIND_RELATION || kind == RELKIND_PARTITIONED_TABLE;
}

/* The hook runs after the change and before it can be seen: the catalog still tells what was. */
static void
note_alter(Oid class_id, Oid object_id, int sub_id)
{
	Command *command = evolve.running;

	if (class_id == NamespaceRelationId)
	{
		Renamed *renamed = palloc(sizeof(Renamed));

		renamed->schema = object_id;
		renamed->old_name = get_namespace_name(object_id);
		command->renamed = lappend(command->renamed, renamed);
	}
	if (class_id == InheritsRelationId && at_stored_ready())
		command->notes = lappend(command->notes, at_family_note(object_id));
	if (class_id == RelationRelationId && sub_id > 0 && is_table(object_id))
	{
		AtRename *rename = palloc(sizeof(AtRename));

		rename->relid = object_id;
		rename->attnum = sub_id;
		rename->old_name = get_attname(object_id, sub_id, true);
		if (rename->old_name != NULL)
			command->change.renames = lappend(command->change.renames, rename);
	}
}

/* Before a relation is dropped: its audit ends with an event. */
static void
note_drop(Oid relid)
{
	Command *command = evolve.running;
	AtStoredPolicy stored;

	/* our own configuration goes with the ledger, in which nothing can be told any more */
	if (!is_table(relid) || get_rel_persistence(relid) == RELPERSISTENCE_TEMP ||
		get_rel_namespace(relid) == at_audit_schema() || !at_stored_ready() ||
		!at_stored_find(relid, &stored))
		return;

	PushActiveSnapshot(GetTransactionSnapshot());
	if (stored.root == relid)
	{
		at_version_tell(stored.target_id, "dropped", NULL, NULL,
						at_version_extra(command->change.command, NULL, NULL));
		command->dropped = lappend_oid(command->dropped, relid);
	}
	else
		at_family_drop(relid, &stored, command->change.command);
	PopActiveSnapshot();
}
