/*-------------------------------------------------------------------------
 * cover.c
 *		The triggers of an audited table, on it and on all below it.
 *
 * PostgreSQL clones a partitioned table's row triggers to its partitions,
 * those for TRUNCATE not; and to children of a table that is not
 * partitioned it clones none. What it does not do is done here.
 *
 * Locks: ShareRowExclusiveLock on each relation, as CREATE TRIGGER takes it;
 * DROP TRIGGER takes AccessExclusiveLock.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/errors.h"
#include "base/names.h"
#include "capture/cover.h"
#include "capture/stored.h"
#include "capture/trigger.h"
#include "ledger/own_command.h"

static void cover_relation(Oid relid);
static void check_present(const AtTrigger *trigger, Oid relid);
static void create_trigger(const AtTrigger *trigger, Oid relid);

/* The relation and those below it that can have our triggers; a temporary child dies with its rows.
 */
static List *
relations_of(Oid relid)
{
	List *relations = NIL;
	ListCell *cell;

	foreach (cell, find_all_inheritors(relid, ShareRowExclusiveLock, NULL))
	{
		char kind = get_rel_relkind(lfirst_oid(cell));

		if ((kind == RELKIND_RELATION || kind == RELKIND_PARTITIONED_TABLE) &&
			get_rel_persistence(lfirst_oid(cell)) != RELPERSISTENCE_TEMP)
			relations = lappend_oid(relations, lfirst_oid(cell));
	}
	return relations;
}

void
at_cover(Oid relid)
{
	ListCell *cell;

	foreach (cell, relations_of(relid))
		cover_relation(lfirst_oid(cell));
}

bool
at_is_covered(Oid relid, List *operations)
{
	AtStoredPolicy stored;
	ListCell *cell;

	foreach (cell, relations_of(relid))
	{
		Oid below = lfirst_oid(cell);

		if (below != relid && at_stored_find(below, &stored) && stored.root != relid)
			continue;
		for (int i = 0; i < AT_TRIGGERS; i++)
			if (at_names_contain(operations, at_triggers[i].operation) &&
				!OidIsValid(get_trigger_oid(below, at_triggers[i].name, true)))
				return false;
	}
	return true;
}

bool
at_cover_needs(Oid relid, const char *trigger)
{
	AtStoredPolicy stored;

	for (int i = 0; i < AT_TRIGGERS; i++)
		if (strcmp(at_triggers[i].name, trigger) == 0)
			return at_stored_ready() && at_stored_find(relid, &stored) &&
				   at_names_contain(stored.operations, at_triggers[i].operation);
	return false;
}

static void
cover_relation(Oid relid)
{
	AtStoredPolicy stored;
	bool found = at_stored_find(relid, &stored);
	bool cloned = found && stored.root != relid && get_rel_relispartition(relid);

	for (int i = 0; i < AT_TRIGGERS; i++)
	{
		const AtTrigger *trigger = &at_triggers[i];
		bool there = OidIsValid(get_trigger_oid(relid, trigger->name, true));
		bool wanted = found && at_names_contain(stored.operations, trigger->operation);

		if (cloned && trigger->when != NULL)
			continue;
		if (wanted && there)
			check_present(trigger, relid);
		if (wanted && !there)
			create_trigger(trigger, relid);
		if (!wanted && there)
			at_own_command(
				psprintf("DROP TRIGGER \"%s\" ON %s", trigger->name, at_qualified_name(relid)));
	}
}

/*
 * The name is taken: by the trigger itself where it was before, else by
 * somebody who was here before us.
 */
static void
check_present(const AtTrigger *trigger, Oid relid)
{
	Relation rel = table_open(relid, NoLock);

	for (int i = 0; i < rel->trigdesc->numtriggers; i++)
	{
		const Trigger *present = &rel->trigdesc->triggers[i];

		if (strcmp(present->tgname, trigger->name) == 0 &&
			(present->tgenabled != TRIGGER_FIRES_ALWAYS || !at_trigger_is_ours(present, trigger)))
			ereport(
				ERROR,
				(errcode(ERRCODE_AT_BAD_TARGET),
				 errmsg("cannot audit \"%s\": it has a trigger \"%s\" already",
						RelationGetRelationName(rel), trigger->name),
				 errdetail("It is not the audit trigger of this name, or not enabled as that is."),
				 errhint("DROP TRIGGER \"%s\" ON %s;", trigger->name, at_qualified_name(relid))));
	}
	table_close(rel, NoLock);
}

/* Create one trigger and make it fire whatever session_replication_role says. */
static void
create_trigger(const AtTrigger *trigger, Oid relid)
{
	char *table = at_qualified_name(relid);
	char *when = "";

	if (trigger->when != NULL)
		when = psprintf("FOR EACH ROW WHEN (%s)", trigger->when);
	at_own_command(psprintf("CREATE TRIGGER \"%s\" %s %s ON %s %s EXECUTE FUNCTION audit.capture()",
							trigger->name, TRIGGER_FOR_BEFORE(trigger->type) ? "BEFORE" : "AFTER",
							trigger->operation, table, when));
	/* a table that is not partitioned would pass it on to children, which have none yet */
	at_own_command(psprintf("ALTER TABLE %s%s ENABLE ALWAYS TRIGGER \"%s\"",
							get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE ? "" : "ONLY ",
							table, trigger->name));
}
