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
#include "base/compat.h"
#include "base/errors.h"
#include "guard/refuse.h"
#include "ledger/attempt.h"

#define GUARD_DETAIL                                                                               \
	"The guard is on: what belongs to the audit trail is neither altered nor dropped, by nobody."
#define GUARD_HINT                                                                                 \
	"Only audit_trail.guard = off in the server's configuration file lifts the guard; that is "    \
	"recorded."

#define SYSTEM_DETAIL "The guard is on: what the audit trail rests on is not changed, by nobody."

pg_noreturn static void refuse(const char *object, const char *message, const char *detail,
							   const char *hint);

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

/* The attempt is on record whatever becomes of the transaction. */
static void
refuse(const char *object, const char *message, const char *detail, const char *hint)
{
	at_attempt_tell(ERRCODE_AT_GUARDED, message, object);
	ereport(ERROR, (errcode(ERRCODE_AT_GUARDED), errmsg_internal("%s", message),
					errdetail_internal("%s", detail), errhint("%s", hint)));
}

/* What an object is called. */
static const char *
describe(const ObjectAddress *object)
{
	char *name = getObjectDescription(object, true);

	return name != NULL ? name : "an object";
}

void
at_refuse(const char *verb, const ObjectAddress *object)
{
	const char *name = describe(object);

	refuse(name, psprintf("cannot %s %s: it is part of the audit trail", verb, name), GUARD_DETAIL,
		   GUARD_HINT);
}

void
at_refuse_name(const char *verb, const char *kind, const char *name)
{
	refuse(psprintf("%s %s", kind, name),
		   psprintf("cannot %s %s %s: it is part of the audit trail", verb, kind, name),
		   GUARD_DETAIL, GUARD_HINT);
}

void
at_refuse_addition(const ObjectAddress *object, Oid relation)
{
	ObjectAddress target = {RelationRelationId, relation, 0};
	const char *name = describe(&target);
	const char *what = "an object";

	for (int i = 0; i < lengthof(additions); i++)
		if (additions[i].catalog == object->classId)
			what = additions[i].name;
	refuse(name, psprintf("cannot add %s to %s: it is part of the audit trail", what, name),
		   GUARD_DETAIL, GUARD_HINT);
}

void
at_refuse_creation(const ObjectAddress *object)
{
	refuse("schema " AT_SCHEMA,
		   psprintf("cannot create %s in schema \"%s\": it is part of the audit trail",
					object->classId == ProcedureRelationId ? "a function" : "an object", AT_SCHEMA),
		   "Objects of others have no place between those of the audit trail.",
		   "Create it in another schema.");
}

void
at_refuse_trigger(const char *verb, const AtGuarded *trigger)
{
	char *table = quote_qualified_identifier(
		get_namespace_name(get_rel_namespace(trigger->relation)), get_rel_name(trigger->relation));

	refuse(
		psprintf("trigger %s on table %s", quote_identifier(trigger->trigger), table),
		psprintf("cannot %s trigger \"%s\": table \"%s\" is audited", verb, trigger->trigger,
				 get_rel_name(trigger->relation)),
		"It records what happens to the rows of the table.",
		psprintf("To end the audit, SELECT audit.disable(%s, 'why');", quote_literal_cstr(table)));
}

void
at_refuse_drop(Oid relid)
{
	char *name = get_rel_name(relid);
	char *table = quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)), name);

	refuse(psprintf("table %s", table), psprintf("cannot drop table \"%s\": it is audited", name),
		   "Its audit is ended by who administers the audit trail, for a reason.",
		   psprintf("Before it, SELECT audit.disable(%s, 'why');", quote_literal_cstr(table)));
}

void
at_refuse_drop_below(Oid relid, Oid root)
{
	char *name = get_rel_name(relid);
	char *table = quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)), name);

	refuse(psprintf("table %s", table),
		   psprintf("cannot drop table \"%s\": its rows are audited as those of \"%s\"", name,
					get_rel_name(root)),
		   "They would be gone without an event each.",
		   psprintf("TRUNCATE it first, which tells of them; or detach it, SELECT "
					"audit.disable(%s, 'why'), and drop it then.",
					quote_literal_cstr(table)));
}

void
at_refuse_system(const char *verb, const ObjectAddress *object)
{
	const char *name = getObjectDescription(object, true);

	if (name == NULL) /* it is being made */
		refuse("schema pg_catalog", "cannot create an object in pg_catalog", SYSTEM_DETAIL,
			   GUARD_HINT);
	refuse(name, psprintf("cannot %s %s: it is in pg_catalog", verb, name), SYSTEM_DETAIL,
		   GUARD_HINT);
}

void
at_refuse_catalog(Oid relid)
{
	char *name = get_rel_name(relid);

	refuse(psprintf("table pg_catalog.%s", name),
		   psprintf("cannot change \"%s\" directly: it is a system catalog", name), SYSTEM_DETAIL,
		   GUARD_HINT);
}

void
at_refuse_cast(Oid source, Oid target)
{
	char *name = psprintf("cast from %s to %s", format_type_be(source), format_type_be(target));

	refuse(name, psprintf("cannot create %s: the audit trail is shown by way of it", name),
		   SYSTEM_DETAIL, GUARD_HINT);
}

void
at_refuse_setting(const char *name, const char *how)
{
	refuse(psprintf("setting %s", name), psprintf("cannot set %s by %s", name, how),
		   "Who may change it is who can change the server's files.",
		   "Edit the configuration file; that it was changed is recorded.");
}

void
at_refuse_preload(void)
{
	refuse("setting shared_preload_libraries",
		   "cannot take audit_trail out of shared_preload_libraries by ALTER SYSTEM",
		   "The server would start without what protects the audit trail.",
		   "Keep audit_trail in the list; or edit the configuration file, which is recorded.");
}
