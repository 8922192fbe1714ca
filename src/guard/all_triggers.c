/*-------------------------------------------------------------------------
 * all_triggers.c
 *		DISABLE TRIGGER ALL and its like leave the audit triggers out.
 *
 * A business that switches its own triggers off for a while, or restores a
 * dump with --disable-triggers, does not mean ours and need not know of them.
 * To enable ours again afterwards would be too late: event triggers fire at
 * the end of the command, before anybody else sees it.
 *
 * Locks: ShareRowExclusiveLock, as the statement takes it, when it is known
 * that the caller owns the table.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_trigger.h"
#include "commands/tablecmds.h"
#include "commands/trigger.h"
#include "nodes/parsenodes.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "guard/all_triggers.h"
#include "guard/guarded.h"

static bool is_about_all(AlterTableType subtype);
static bool is_table(const RangeVar *name);
static List *replace_commands(List *commands, Relation rel);
static List *name_others(AlterTableCmd *command, Relation rel);
static bool is_ours(const Trigger *trigger);

PlannedStmt *
at_all_triggers(PlannedStmt *pstmt)
{
	AlterTableStmt *statement = (AlterTableStmt *) pstmt->utilityStmt;
	bool about_all = false;
	ListCell *cell;

	foreach (cell, IsA(statement, AlterTableStmt) ? statement->cmds : NIL)
		about_all = about_all || is_about_all(lfirst_node(AlterTableCmd, cell)->subtype);
	if (!about_all || !is_table(statement->relation))
		return pstmt;

	Oid relid = RangeVarGetRelidExtended(statement->relation, ShareRowExclusiveLock, 0,
										 RangeVarCallbackOwnsTable, NULL);
	Relation rel = table_open(relid, NoLock);

	pstmt = copyObject(pstmt);
	statement = castNode(AlterTableStmt, pstmt->utilityStmt);
	statement->cmds = replace_commands(statement->cmds, rel);
	table_close(rel, NoLock);
	return pstmt;
}

static bool
is_about_all(AlterTableType subtype)
{
	return subtype == AT_EnableTrigAll || subtype == AT_DisableTrigAll ||
		   subtype == AT_EnableTrigUser || subtype == AT_DisableTrigUser;
}

/* Others cannot be audited. */
static bool
is_table(const RangeVar *name)
{
	Oid relid = RangeVarGetRelid(name, NoLock, true);
	char kind = OidIsValid(relid) ? get_rel_relkind(relid) : '\0';

	return kind == RELKIND_RELATION || kind == RELKIND_PARTITIONED_TABLE;
}

/* If none of the triggers is ours, the commands stay what they are. */
static List *
replace_commands(List *commands, Relation rel)
{
	TriggerDesc *triggers = rel->trigdesc;
	List *replaced = NIL;
	bool audited = false;
	ListCell *cell;

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
		audited = audited || is_ours(&triggers->triggers[i]);
	if (!audited)
		return commands;

	foreach (cell, commands)
	{
		AlterTableCmd *command = lfirst_node(AlterTableCmd, cell);

		if (is_about_all(command->subtype))
			replaced = list_concat(replaced, name_others(command, rel));
		else
			replaced = lappend(replaced, command);
	}
	return replaced;
}

/* The command, once for each trigger that it is about and that is not ours. */
static List *
name_others(AlterTableCmd *command, Relation rel)
{
	bool enable = command->subtype == AT_EnableTrigAll || command->subtype == AT_EnableTrigUser;
	bool all = command->subtype == AT_EnableTrigAll || command->subtype == AT_DisableTrigAll;
	List *named = NIL;

	for (int i = 0; i < rel->trigdesc->numtriggers; i++)
	{
		const Trigger *trigger = &rel->trigdesc->triggers[i];
		AlterTableCmd *one = copyObject(command);

		if (is_ours(trigger) || (trigger->tgisinternal && !all))
			continue;
		one->subtype = enable ? AT_EnableTrig : AT_DisableTrig;
		one->name = pstrdup(trigger->tgname);
		named = lappend(named, one);
	}
	return named;
}

static bool
is_ours(const Trigger *trigger)
{
	ObjectAddress object = {TriggerRelationId, trigger->tgoid, 0};

	return at_guarded(&object, false).as == AT_GUARDED_TRIGGER;
}
