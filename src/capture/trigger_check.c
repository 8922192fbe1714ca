/*-------------------------------------------------------------------------
 * trigger_check.c
 *		Which triggers are ours, and which others an audited table may have.
 *
 * Looked at when the policy of a relation is made ready, that is after every
 * change of its triggers. Functions that triggers call may be replaced
 * without notice, so a rule must hold whatever they do.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/transam.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "nodes/nodeFuncs.h"
#include "nodes/primnodes.h"
#include "rewrite/prs2lock.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "base/catalog.h"
#include "base/errors.h"
#include "base/names.h"
#include "capture/trigger.h"

/* Does a condition call the function of one of ours, with its arguments and nothing else? */
static bool
is_our_condition(const char *tgqual, const AtTrigger *ours)
{
	FuncExpr *call = tgqual != NULL ? stringToNode(tgqual) : NULL;
	char *name = call != NULL && IsA(call, FuncExpr) ? get_func_name(call->funcid) : NULL;
	ListCell *cell;

	if (name == NULL || get_func_namespace(call->funcid) != at_audit_schema() ||
		strcmp(name, psprintf("capture_%s", ours->operation)) != 0)
		return false;

	/* the table and place of the old row, or of the new one if there is no old one */
	foreach (cell, call->args)
	{
		Var *var = lfirst(cell);
		int at = foreach_current_index(cell);
		int row =
			at == 2 || strcmp(ours->operation, "insert") == 0 ? PRS2_NEW_VARNO : PRS2_OLD_VARNO;

		if (!IsA(var, Var) || var->varno != row ||
			var->varattno != (at == 0 ? TableOidAttributeNumber : SelfItemPointerAttributeNumber))
			return false;
	}
	return true;
}

bool
at_trigger_is_ours(const Trigger *trigger, const AtTrigger *ours)
{
	char *function = get_func_name(trigger->tgfoid);

	return strcmp(trigger->tgname, ours->name) == 0 && trigger->tgtype == ours->type &&
		   trigger->tgnattr == 0 && function != NULL && strcmp(function, "capture") == 0 &&
		   get_func_namespace(trigger->tgfoid) == at_audit_schema() &&
		   (ours->when ? is_our_condition(trigger->tgqual, ours) : trigger->tgqual == NULL);
}

/* Has the expression the place of a row in it? */
static bool
has_place(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Var))
		return ((Var *) node)->varattno == SelfItemPointerAttributeNumber;
	return expression_tree_walker(node, has_place, context);
}

static bool
is_users_function(Oid function, void *context)
{
	return function >= FirstNormalObjectId;
}

/* Does the expression call a function that somebody wrote? */
static bool
calls_users(Node *node, void *context)
{
	if (node == NULL)
		return false;
	return check_functions_in_node(node, is_users_function, context) ||
		   expression_tree_walker(node, calls_users, context);
}

/*
 * Conditions are evaluated in the order of names: what a function changes in
 * one before ours would be told before the change that it was called for.
 */
static bool
comes_before(const Trigger *trigger)
{
	return TRIGGER_FOR_AFTER(trigger->tgtype) && TRIGGER_FOR_ROW(trigger->tgtype) &&
		   strcmp(trigger->tgname, at_triggers[0].name) < 0 && trigger->tgqual != NULL &&
		   calls_users(stringToNode(trigger->tgqual), NULL);
}

/* Which of ours the trigger is; AT_TRIGGERS if none. */
static int
find_ours(const Trigger *trigger)
{
	int i = 0;

	while (i < AT_TRIGGERS && !at_trigger_is_ours(trigger, &at_triggers[i]))
		i++;
	return i;
}

/* A trigger that is none of ours. */
static void
check_other(Relation rel, const Trigger *trigger)
{
	bool named_as_ours = false;

	for (int i = 0; i < AT_TRIGGERS; i++)
		named_as_ours = named_as_ours || strcmp(trigger->tgname, at_triggers[i].name) == 0;

	const char *table = at_qualified_name(RelationGetRelid(rel));

	if (named_as_ours)
		ereport(ERROR, (errcode(ERRCODE_AT_CAPTURE_FAILED),
						errmsg("trigger \"%s\" of audited table \"%s\" was replaced",
							   trigger->tgname, RelationGetRelationName(rel)),
						errdetail("It has the name of an audit trigger, but is none."),
						errhint("Call audit.disable() and audit.enable() again.")));
	if (trigger->tgqual != NULL && has_place(stringToNode(trigger->tgqual), NULL))
		ereport(ERROR,
				(errcode(ERRCODE_AT_CAPTURE_FAILED),
				 errmsg("trigger \"%s\" does not belong on audited table \"%s\"", trigger->tgname,
						RelationGetRelationName(rel)),
				 errdetail("Its condition uses ctid, so it could forge events."),
				 errhint("DROP TRIGGER %s ON %s;", quote_identifier(trigger->tgname), table)));
	if (comes_before(trigger))
		ereport(ERROR,
				(errcode(ERRCODE_AT_CAPTURE_FAILED),
				 errmsg("the condition of trigger \"%s\" comes before the audit triggers of \"%s\"",
						trigger->tgname, RelationGetRelationName(rel)),
				 errdetail("What its function changes would be recorded before its cause."),
				 errhint("ALTER TRIGGER %s ON %s RENAME TO ...;", quote_identifier(trigger->tgname),
						 table)));
}

void
at_trigger_check(Relation rel, int place[AT_ROW_TRIGGERS])
{
	for (int i = 0; i < AT_ROW_TRIGGERS; i++)
		place[i] = -1;
	for (int i = 0; rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
	{
		const Trigger *trigger = &rel->trigdesc->triggers[i];
		int ours = find_ours(trigger);

		if (ours < AT_ROW_TRIGGERS)
			place[ours] = i;
		else if (ours == AT_TRIGGERS)
			check_other(rel, trigger);
	}
}
