/*-------------------------------------------------------------------------
 * grant.c
 *		GRANT and REVOKE on objects of the audit trail.
 *
 * PostgreSQL tells no hook of these changes, so the command is read as it
 * will be: names are looked up here, and once more when it runs.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
#include "catalog/pg_proc.h"
#include "nodes/value.h"
#include "parser/parse_func.h"

#include "base/catalog.h"
#include "guard/grant.h"
#include "guard/guarded.h"
#include "guard/refuse.h"

static bool concerns_everybody(const GrantStmt *statement);
static bool gives_more_than_select(const GrantStmt *statement);
static void check_object(const GrantStmt *statement, Node *name);
static void check_relation(const GrantStmt *statement, const RangeVar *name);
static bool is_ledger(Oid relid);

void
at_grant_check(const GrantStmt *statement)
{
	ListCell *cell;

	if (!concerns_everybody(statement) && !gives_more_than_select(statement))
		return;
	foreach (cell, statement->objects)
	{
		if (statement->targtype == ACL_TARGET_OBJECT)
			check_object(statement, lfirst(cell));
		else if (statement->targtype == ACL_TARGET_ALL_IN_SCHEMA &&
				 strcmp(strVal(lfirst(cell)), AT_SCHEMA) == 0 &&
				 (concerns_everybody(statement) || statement->objtype == OBJECT_TABLE))
			at_refuse_name("change privileges on all of", "schema", AT_SCHEMA);
	}
}

static bool
concerns_everybody(const GrantStmt *statement)
{
	ListCell *cell;

	foreach (cell, statement->grantees)
		if (lfirst_node(RoleSpec, cell)->roletype == ROLESPEC_PUBLIC)
			return true;
	return false;
}

/* ALL is an empty list. */
static bool
gives_more_than_select(const GrantStmt *statement)
{
	ListCell *cell;

	if (!statement->is_grant)
		return false;
	foreach (cell, statement->privileges)
	{
		const AccessPriv *privilege = lfirst_node(AccessPriv, cell);

		if (privilege->priv_name == NULL || strcmp(privilege->priv_name, "select") != 0)
			return true;
	}
	return statement->privileges == NIL;
}

static void
check_object(const GrantStmt *statement, Node *name)
{
	ObjectAddress object = {ProcedureRelationId, InvalidOid, 0};

	switch (statement->objtype)
	{
		case OBJECT_TABLE:
		case OBJECT_SEQUENCE:
			check_relation(statement, castNode(RangeVar, name));
			break;
		case OBJECT_FUNCTION:
		case OBJECT_PROCEDURE:
		case OBJECT_ROUTINE:
			object.objectId =
				LookupFuncWithArgs(statement->objtype, castNode(ObjectWithArgs, name), true);
			if (concerns_everybody(statement) && OidIsValid(object.objectId) &&
				at_guarded(&object, false).as == AT_GUARDED_PART)
				at_refuse("change privileges of PUBLIC on", &object);
			break;
		default:
			break;
	}
}

static void
check_relation(const GrantStmt *statement, const RangeVar *name)
{
	ObjectAddress object = {RelationRelationId, RangeVarGetRelid(name, NoLock, true), 0};

	if (!OidIsValid(object.objectId) || !at_guarded_relation(object.objectId))
		return;
	if (concerns_everybody(statement))
		at_refuse("change privileges of PUBLIC on", &object);
	if (gives_more_than_select(statement) && is_ledger(object.objectId))
		at_refuse("grant more than SELECT on", &object);
}

/* Does only the trail itself write it? */
static bool
is_ledger(Oid relid)
{
	Relation rel = try_table_open(relid, AccessShareLock);
	bool ledger = rel != NULL && at_is_ledger_relation(rel);

	if (rel != NULL)
		table_close(rel, AccessShareLock);
	return ledger;
}
