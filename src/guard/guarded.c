/*-------------------------------------------------------------------------
 * guarded.c
 *		What the guard protects.
 *
 * Objects are told by the schema that they are in, or by the relation that
 * they hang on; only what has neither is looked for among the members of the
 * extension. So whatever the extension gets in later versions is protected
 * too.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/catalog.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/pg_attrdef.h"
#include "catalog/pg_class.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_opclass.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_opfamily.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_statistic_ext.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/catalog.h"
#include "guard/catalogs.h"
#include "guard/guarded.h"
#include "ledger/hooks.h"

/* A catalog, and the column that says in which schema, or on which relation, an object is. */
typedef struct Place
{
	Oid catalog;
	Oid index; /* on the oid */
	AttrNumber oid;
	AttrNumber where;
	bool is_relation;
} Place;

static const Place places[] = {
	{RelationRelationId, ClassOidIndexId, Anum_pg_class_oid, Anum_pg_class_relnamespace, false},
	{ProcedureRelationId, ProcedureOidIndexId, Anum_pg_proc_oid, Anum_pg_proc_pronamespace, false},
	{TypeRelationId, TypeOidIndexId, Anum_pg_type_oid, Anum_pg_type_typnamespace, false},
	{OperatorRelationId, OperatorOidIndexId, Anum_pg_operator_oid, Anum_pg_operator_oprnamespace,
	 false},
	{CollationRelationId, CollationOidIndexId, Anum_pg_collation_oid,
	 Anum_pg_collation_collnamespace, false},
	{OperatorClassRelationId, OpclassOidIndexId, Anum_pg_opclass_oid, Anum_pg_opclass_opcnamespace,
	 false},
	{OperatorFamilyRelationId, OpfamilyOidIndexId, Anum_pg_opfamily_oid,
	 Anum_pg_opfamily_opfnamespace, false},
	{TriggerRelationId, TriggerOidIndexId, Anum_pg_trigger_oid, Anum_pg_trigger_tgrelid, true},
	{RewriteRelationId, RewriteOidIndexId, Anum_pg_rewrite_oid, Anum_pg_rewrite_ev_class, true},
	{PolicyRelationId, PolicyOidIndexId, Anum_pg_policy_oid, Anum_pg_policy_polrelid, true},
	{AttrDefaultRelationId, AttrDefaultOidIndexId, Anum_pg_attrdef_oid, Anum_pg_attrdef_adrelid,
	 true},
	{ConstraintRelationId, ConstraintOidIndexId, Anum_pg_constraint_oid,
	 Anum_pg_constraint_conrelid, true},
	{StatisticExtRelationId, StatisticExtOidIndexId, Anum_pg_statistic_ext_oid,
	 Anum_pg_statistic_ext_stxrelid, true},
};

static AtGuarded guarded_at(const Place *place, const ObjectAddress *object, bool is_new);
static bool is_of_system(const Place *place, Oid where);
static void look_at_trigger(Form_pg_trigger trigger, bool is_new, AtGuarded *guarded);
static bool is_member(const ObjectAddress *object);

AtGuarded
at_guarded(const ObjectAddress *object, bool is_new)
{
	AtGuarded guarded = {.as = AT_GUARDED_NOT};
	Oid schema = at_audit_schema();

	if (!OidIsValid(schema))
		return guarded;
	for (int i = 0; i < lengthof(places); i++)
		if (places[i].catalog == object->classId)
			return guarded_at(&places[i], object, is_new);

	if (object->classId == NamespaceRelationId ? object->objectId == schema : is_member(object))
		guarded.as = AT_GUARDED_PART;
	return guarded;
}

static AtGuarded
guarded_at(const Place *place, const ObjectAddress *object, bool is_new)
{
	AtGuarded guarded = {.as = AT_GUARDED_NOT};
	Relation catalog = table_open(place->catalog, AccessShareLock);
	ScanKeyData key;
	bool isnull;

	ScanKeyInit(&key, place->oid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(object->objectId));

	SysScanDesc scan =
		systable_beginscan(catalog, place->index, true, is_new ? SnapshotSelf : NULL, 1, &key);
	HeapTuple tuple = systable_getnext(scan);

	if (HeapTupleIsValid(tuple))
	{
		Oid where =
			DatumGetObjectId(heap_getattr(tuple, place->where, RelationGetDescr(catalog), &isnull));

		if (place->is_relation && OidIsValid(where) && at_guarded_relation(where))
			guarded = (AtGuarded){.as = AT_GUARDED_ADDITION, .relation = where};
		else if (is_of_system(place, where))
			guarded.as = AT_GUARDED_SYSTEM;
		else if (place->catalog == TriggerRelationId)
			look_at_trigger((Form_pg_trigger) GETSTRUCT(tuple), is_new, &guarded);
		else if (!place->is_relation && where == at_audit_schema())
			guarded.as = AT_GUARDED_PART;
		else if (place->catalog == RelationRelationId && IsToastNamespace(where) &&
				 at_guarded_relation(object->objectId))
			guarded.as = AT_GUARDED_PART;
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return guarded;
}

/*
 * Collations follow those of the operating system, by hand, and CLUSTER makes a type for the
 * copy of a catalog; nothing of ours rests on new ones.
 */
static bool
is_of_system(const Place *place, Oid where)
{
	if (place->catalog == CollationRelationId || place->catalog == TypeRelationId)
		return false;
	return place->is_relation ? at_in_pg_catalog(where) : where == PG_CATALOG_NAMESPACE;
}

/* That a partition gets copies of the triggers is right, and those are never replaced. */
static void
look_at_trigger(Form_pg_trigger trigger, bool is_new, AtGuarded *guarded)
{
	const char *name = NameStr(trigger->tgname);

	if (is_new && OidIsValid(trigger->tgparentid))
		return;
	if (at_trigger_needed_hook == NULL || !at_trigger_needed_hook(trigger->tgrelid, name))
		return;
	guarded->as = AT_GUARDED_TRIGGER;
	guarded->relation = trigger->tgrelid;
	guarded->trigger = pstrdup(name);
}

bool
at_guarded_relation(Oid relid)
{
	Oid schema = get_rel_namespace(relid);

	/* a TOAST table, or the index of one, is named after its table's oid */
	if (OidIsValid(schema) && IsToastNamespace(schema))
	{
		char *name = get_rel_name(relid);
		Oid owner;

		if (name == NULL || sscanf(name, "pg_toast_%u", &owner) != 1)
			return false;
		schema = get_rel_namespace(owner);
	}
	return OidIsValid(schema) && schema == at_audit_schema();
}

/* Is it the extension, or one of its members? */
static bool
is_member(const ObjectAddress *object)
{
	Oid extension = get_extension_oid(AT_EXTENSION, true);

	if (!OidIsValid(extension))
		return false;
	if (object->classId == ExtensionRelationId)
		return object->objectId == extension;
	return getExtensionOfObject(object->classId, object->objectId) == extension;
}
