/*-------------------------------------------------------------------------
 * family.c
 *		Tables that come under an audited table, or leave it.
 *
 * Locks: the command that changes the family holds those it needs on the
 * relation; triggers are created and dropped under its lock, so no change
 * of a row gets in between.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "base/names.h"
#include "capture/cover.h"
#include "capture/definition.h"
#include "capture/family.h"
#include "capture/version.h"
#include "ledger/owner.h"

static bool is_table(Oid relid);
static void come(Oid relid, const AtStoredPolicy *above, const char *command, bool is_new);
static void leave(Oid relid, const AtStoredPolicy *above, const char *command);
static void adopt(Oid relid, const AtStoredPolicy *above, const char *command);
static void retire(Oid relid, const AtStoredPolicy *above, const char *command);
static void cover_as_owner(Oid relid, const AtStoredPolicy *policy);
static List *readable_key(Relation rel, const AtRowOptions *row);
static List *columns_there(Oid relid, List *names);

AtFamilyNote *
at_family_note(Oid relid)
{
	AtFamilyNote *note = palloc0(sizeof(AtFamilyNote));

	note->relid = relid;
	note->found = at_stored_find(relid, &note->before);
	return note;
}

void
at_family_settle(const AtFamilyNote *note, const char *command, bool is_new)
{
	AtStoredPolicy after;
	bool was_below = note->found && note->before.root != note->relid;
	bool found;

	if (!OidIsValid(get_rel_namespace(note->relid)) ||
		get_rel_persistence(note->relid) == RELPERSISTENCE_TEMP)
		return;
	found = at_stored_find(note->relid, &after);

	bool is_below = found && after.root != note->relid;

	if (was_below && is_below && note->before.root == after.root)
		return;
	if (was_below)
		leave(note->relid, &note->before, command);
	if (is_below)
		come(note->relid, &after, command, is_new);
	else if (was_below && is_table(note->relid))
		adopt(note->relid, &note->before, command);
}

/* Can it have a policy? */
static bool
is_table(Oid relid)
{
	char kind = get_rel_relkind(relid);

	return kind == RELKIND_RELATION || kind == RELKIND_PARTITIONED_TABLE;
}

static void
come(Oid relid, const AtStoredPolicy *above, const char *command, bool is_new)
{
	ListCell *cell;

	foreach (cell, find_all_inheritors(relid, NoLock, NULL))
		at_version_check_logged(lfirst_oid(cell));
	if (!is_new)
		at_version_tell(above->target_id, "attached", NULL, NULL,
						at_version_extra(command, "relation", at_qualified_name(relid)));
	cover_as_owner(relid, NULL);
}

static void
leave(Oid relid, const AtStoredPolicy *above, const char *command)
{
	AtStoredPolicy newest;

	/* a version may have been appended since */
	if (at_stored_read(above->root, &newest))
		at_version_tell(newest.target_id, "detached", NULL, NULL,
						at_version_extra(command, "relation", at_qualified_name(relid)));
}

void
at_family_drop(Oid relid, const AtStoredPolicy *stored, const char *command)
{
	StringInfo extra = at_version_extra(command, "relation", at_qualified_name(relid));

	appendStringInfoString(extra, ",\"dropped\":true");
	at_version_tell(stored->target_id, "detached", NULL, NULL, extra);
}

/* Give a table that has left a policy of its own, like the one it was captured by. */
static void
adopt(Oid relid, const AtStoredPolicy *above, const char *command)
{
	AtStoredPolicy own = *above;
	Relation rel = RelationIdGetRelation(relid);

	own.root = relid;
	own.ignored = columns_there(relid, above->ignored);
	own.row.only = columns_there(relid, above->row.only);
	own.row.masked = columns_there(relid, above->row.masked);
	own.row.hashed = columns_there(relid, above->row.hashed);
	own.row.personal = columns_there(relid, above->row.personal);
	own.keys = above->key_given ? NIL : readable_key(rel, &own.row);
	RelationClose(rel);
	if (own.keys == NIL)
	{
		/* a child has no primary key, but was known by its parent's */
		own.keys = columns_there(relid, above->keys);
		own.key_given = own.keys != NIL;
	}

	at_version_begin(&own);
	at_version_tell(own.target_id, "left", NULL, NULL,
					at_version_extra(command, "from", at_qualified_name(above->root)));
	cover_as_owner(relid, &own);
}

/* The primary key, unless it would tell what is concealed. */
static List *
readable_key(Relation rel, const AtRowOptions *row)
{
	List *keys = at_primary_key(rel);
	ListCell *cell;

	foreach (cell, keys)
		if (at_row_conceals(rel, get_attnum(RelationGetRelid(rel), lfirst(cell)), row))
			return NIL;
	return keys;
}

/* The names of those columns that the table has. */
static List *
columns_there(Oid relid, List *names)
{
	List *there = NIL;
	ListCell *cell;

	foreach (cell, names)
		if (get_attnum(relid, lfirst(cell)) > 0)
			there = lappend(there, lfirst(cell));
	return there;
}

/* Write the policy if there is one, and see to the triggers. */
static void
cover_as_owner(Oid relid, const AtStoredPolicy *policy)
{
	AtOwnerState state;
	ListCell *cell;

	at_owner_enter(&state);
	SPI_connect();
	if (policy != NULL)
		at_stored_write(policy);
	at_cover(relid);
	SPI_finish();
	foreach (cell, find_all_inheritors(relid, NoLock, NULL))
		CacheInvalidateRelcacheByRelid(lfirst_oid(cell));
	at_owner_leave(&state);
}

void
at_family_prepare(const AlterTableStmt *statement, const char *command)
{
	AlterTableCmd *attach = NULL;
	AtStoredPolicy above;
	ListCell *cell;

	foreach (cell, statement->cmds)
		if (lfirst_node(AlterTableCmd, cell)->subtype == AT_AttachPartition)
			attach = lfirst(cell);
	if (attach == NULL)
		return;

	Oid parent = RangeVarGetRelid(statement->relation, NoLock, true);
	Oid part = RangeVarGetRelid(castNode(PartitionCmd, attach->def)->name, NoLock, true);

	/* what is wrong with the command it will say itself */
	if (!OidIsValid(parent) || !OidIsValid(part) || !is_table(part) ||
		!object_ownercheck(RelationRelationId, parent, GetUserId()) ||
		!object_ownercheck(RelationRelationId, part, GetUserId()) ||
		!at_stored_find(parent, &above))
		return;
	foreach (cell, find_all_inheritors(part, AccessExclusiveLock, NULL))
		retire(lfirst_oid(cell), &above, command);
}

/* End the audit of a table that is going under an audited one. */
static void
retire(Oid relid, const AtStoredPolicy *above, const char *command)
{
	AtStoredPolicy own;
	AtOwnerState state;
	char *name = at_qualified_name(above->root);

	if (!at_stored_read(relid, &own))
		return;
	at_version_tell(own.target_id, "joined", NULL, NULL, at_version_extra(command, "to", name));

	at_owner_enter(&state);
	SPI_connect();
	(void) at_stored_disable(relid, psprintf("attached to %s", name));
	CommandCounterIncrement();
	at_cover(relid);
	SPI_finish();
	CacheInvalidateRelcacheByRelid(relid);
	at_owner_leave(&state);
}
