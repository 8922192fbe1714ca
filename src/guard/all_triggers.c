/*-------------------------------------------------------------------------
 * all_triggers.c
 *		DISABLE TRIGGER ALL and its like leave the audit triggers out.
 *
 * A business that switches its own triggers off for a while, or restores a
 * dump with --disable-triggers, does not mean ours and need not know of them.
 * To enable ours again afterwards would be too late: event triggers fire at
 * the end of the command, before anybody else sees it.
 *
 * Where no ledger has begun a dump may be being restored. What it restores is
 * no news, so there ours are disabled as well; but to enable all means to
 * enable ours as they have to be, always.
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

#include "base/catalog.h"
#include "guard/all_triggers.h"
#include "guard/guarded.h"

static bool is_about_all(AlterTableType subtype);
static bool is_table(const RangeVar *name);
static List *replace_commands(List *commands, Relation rel, bool restoring);
static List *name_triggers(AlterTableCmd *command, Relation rel, bool restoring);
static bool is_ours(const Trigger *trigger, bool restoring);

PlannedStmt *
at_all_triggers(PlannedStmt *pstmt, bool restoring)
{
	AlterTableStmt *statement = (AlterTableStmt *) pstmt->utilityStmt;
	bool about_all = false;
	ListCell *cell;

	foreach (cell, IsA(statement, AlterTableStmt) ? statement->cmds : NIL)
		about_all = about_all || is_about_all(lfirst_node(AlterTableCmd, cell)->subtype);
	if (!about_all || !is_table(statement->relation))
		return pstmt;

	Oid relid = RangeVarGetRelidExtended(statement->relation, ShareRowExclusiveLock, 0,
										 RangeVarCallbackOwnsRelation, NULL);
	Relation rel = table_open(relid, NoLock);

	pstmt = copyObject(pstmt);
	statement = castNode(AlterTableStmt, pstmt->utilityStmt);
	statement->cmds = replace_commands(statement->cmds, rel, restoring);
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
replace_commands(List *commands, Relation rel, bool restoring)
{
	TriggerDesc *triggers = rel->trigdesc;
	List *replaced = NIL;
	bool audited = false;
	ListCell *cell;

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
		audited = audited || is_ours(&triggers->triggers[i], restoring);
	if (!audited)
		return commands;

	foreach (cell, commands)
	{
		AlterTableCmd *command = lfirst_node(AlterTableCmd, cell);

		if (is_about_all(command->subtype))
			replaced = list_concat(replaced, name_triggers(command, rel, restoring));
		else
			replaced = lappend(replaced, command);
	}
	return replaced;
}

/* The command, once for each trigger that it is about and that is not left out. */
static List *
name_triggers(AlterTableCmd *command, Relation rel, bool restoring)
{
	bool enable = command->subtype == AT_EnableTrigAll || command->subtype == AT_EnableTrigUser;
	bool all = command->subtype == AT_EnableTrigAll || command->subtype == AT_DisableTrigAll;
	List *named = NIL;

	for (int i = 0; i < rel->trigdesc->numtriggers; i++)
	{
		const Trigger *trigger = &rel->trigdesc->triggers[i];
		bool ours = is_ours(trigger, restoring);
		AlterTableCmd *one = copyObject(command);

		if ((ours && !restoring) || (trigger->tgisinternal && !all))
			continue;
		one->subtype = enable ? AT_EnableTrig : AT_DisableTrig;
		if (ours && enable)
			one->subtype = AT_EnableAlwaysTrig;
		one->name = pstrdup(trigger->tgname);
		named = lappend(named, one);
	}
	return named;
}

/* While a dump is restored no policy may be there yet: then the function tells. */
static bool
is_ours(const Trigger *trigger, bool restoring)
{
	ObjectAddress object = {TriggerRelationId, trigger->tgoid, 0};

	if (restoring)
		return get_func_namespace(trigger->tgfoid) == at_audit_schema();
	return at_guarded(&object, false).as == AT_GUARDED_TRIGGER;
}
