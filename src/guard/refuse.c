/*-------------------------------------------------------------------------
 * refuse.c
 *		What the guard says.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_attrdef.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_statistic_ext.h"
#include "catalog/pg_trigger.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "base/catalog.h"
#include "base/errors.h"
#include "guard/refuse.h"

#define GUARD_DETAIL                                                                               \
	errdetail("The guard is on: what belongs to the audit trail is neither altered nor dropped, "  \
			  "by nobody.")
#define GUARD_HINT                                                                                 \
	errhint("Only audit_trail.guard = off in the server's configuration file lifts the guard; "    \
			"that is recorded.")

/* What objects are called that hang on a relation. */
static const struct
{
	Oid catalog;
	const char *name;
} additions[] = {
	{TriggerRelationId, "a trigger"},       {RewriteRelationId, "a rule"},
	{PolicyRelationId, "a policy"},         {AttrDefaultRelationId, "a default"},
	{ConstraintRelationId, "a constraint"}, {StatisticExtRelationId, "statistics"},
};

void
at_refuse(const char *verb, const ObjectAddress *object)
{
	char *name = getObjectDescription(object, true);

	ereport(ERROR, (errcode(ERRCODE_AT_GUARDED),
					errmsg("cannot %s %s: it is part of the audit trail", verb,
						   name != NULL ? name : "an object"),
					GUARD_DETAIL, GUARD_HINT));
}

void
at_refuse_name(const char *verb, const char *kind, const char *name)
{
	ereport(ERROR, (errcode(ERRCODE_AT_GUARDED),
					errmsg("cannot %s %s %s: it is part of the audit trail", verb, kind, name),
					GUARD_DETAIL, GUARD_HINT));
}

void
at_refuse_addition(const ObjectAddress *object, Oid relation)
{
	ObjectAddress target = {RelationRelationId, relation, 0};
	const char *what = "an object";

	for (int i = 0; i < lengthof(additions); i++)
		if (additions[i].catalog == object->classId)
			what = additions[i].name;
	ereport(ERROR, (errcode(ERRCODE_AT_GUARDED),
					errmsg("cannot add %s to %s: it is part of the audit trail", what,
						   getObjectDescription(&target, false)),
					GUARD_DETAIL, GUARD_HINT));
}

void
at_refuse_creation(const ObjectAddress *object)
{
	ereport(ERROR,
			(errcode(ERRCODE_AT_GUARDED),
			 errmsg("cannot create %s in schema \"%s\": it is part of the audit trail",
					object->classId == ProcedureRelationId ? "a function" : "an object", AT_SCHEMA),
			 errdetail("Objects of others have no place between those of the audit trail."),
			 errhint("Create it in another schema.")));
}

void
at_refuse_trigger(const char *verb, const AtGuarded *trigger)
{
	char *table = quote_qualified_identifier(
		get_namespace_name(get_rel_namespace(trigger->relation)), get_rel_name(trigger->relation));

	ereport(ERROR, (errcode(ERRCODE_AT_GUARDED),
					errmsg("cannot %s trigger \"%s\": table \"%s\" is audited", verb,
						   trigger->trigger, get_rel_name(trigger->relation)),
					errdetail("It records what happens to the rows of the table."),
					errhint("To end the audit, SELECT audit.disable(%s, 'why');",
							quote_literal_cstr(table))));
}

void
at_refuse_setting(const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_AT_GUARDED), errmsg("cannot set %s by ALTER SYSTEM", name),
			 errdetail("Who may change the guard is who can change the server's files."),
			 errhint("Edit the configuration file; that the guard was lifted is recorded.")));
}
