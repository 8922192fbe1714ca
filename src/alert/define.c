/*-------------------------------------------------------------------------
 * define.c
 *		audit.alert_when() and audit.alert_drop(): changing the alert rules.
 *
 * The caller must own the table (or be a superuser or an admin) and have EXECUTE on the
 * function; what is then done is done as the owner of the extension.
 *
 * Locks: ShareUpdateExclusiveLock on the table until the end of the
 * transaction, so that its columns stay what was checked.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/partition.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "alert/rule.h"
#include "base/catalog.h"
#include "base/compat.h"
#include "base/config_row.h"
#include "base/errors.h"
#include "base/latest.h"
#include "base/names.h"
#include "ledger/owner.h"
#include "ledger/reader.h"

/* A notification has to hold these, with escapes. */
#define MAX_NAME_BYTES     200
#define MAX_SEVERITY_BYTES 60

/* A rule as it is stored. */
typedef struct Stored
{
	Oid target;
	List *columns; /* of C strings */
	char *severity;
	char *channel;
	bool enabled;
} Stored;

PG_FUNCTION_INFO_V1(at_alert_when);
PG_FUNCTION_INFO_V1(at_alert_drop);

static void check_label(const char *label, const char *what, int max_bytes);
static void check_owner(Oid relid);
static List *check_columns(Relation rel, ArrayType *columns);
static void check_audited(Relation rel, List *columns);
static bool read_stored(const char *name, Stored *stored);
static void write_rule(const char *name, Oid target, List *columns, const char *severity,
					   const char *channel);

Datum
at_alert_when(PG_FUNCTION_ARGS)
{
	char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char *severity = text_to_cstring(PG_GETARG_TEXT_PP(3));
	char *channel = text_to_cstring(PG_GETARG_TEXT_PP(4));
	AtOwnerState state;

	check_label(name, "name", MAX_NAME_BYTES);
	check_label(severity, "severity", MAX_SEVERITY_BYTES);
	check_label(channel, "channel", NAMEDATALEN - 1);
	check_owner(PG_GETARG_OID(1));

	Relation rel = table_open(PG_GETARG_OID(1), ShareUpdateExclusiveLock);
	List *columns = check_columns(rel, PG_GETARG_ARRAYTYPE_P(2));

	check_audited(rel, columns);
	at_owner_enter(&state);

	Stored former;
	bool exists = read_stored(name, &former);
	const char *done = exists ? "changed" : "created";

	if (exists && former.target != RelationGetRelid(rel))
		CacheInvalidateRelcacheByRelid(former.target);
	if (exists && former.enabled && former.target == RelationGetRelid(rel) &&
		strcmp(former.severity, severity) == 0 && strcmp(former.channel, channel) == 0 &&
		strcmp(at_name_json(former.columns), at_name_json(columns)) == 0)
		done = "exists already";
	else
		write_rule(name, RelationGetRelid(rel), columns, severity, channel);
	CacheInvalidateRelcache(rel);
	at_owner_leave(&state);
	table_close(rel, NoLock);

	PG_RETURN_TEXT_P(cstring_to_text(psprintf("alert rule \"%s\" %s: %s (%s) to channel %s", name,
											  done, at_qualified_name(PG_GETARG_OID(1)),
											  at_name_list(columns), channel)));
}

static void
write_rule(const char *name, Oid target, List *columns, const char *severity, const char *channel)
{
	AtConfigRow row;

	at_config_begin(&row, AT_RULE_TABLE);
	at_config_set_text(&row, Anum_rule_name, name);
	at_config_set(&row, Anum_rule_target, ObjectIdGetDatum(target));
	at_config_set(&row, Anum_rule_columns, at_name_array(columns));
	at_config_set_text(&row, Anum_rule_severity, severity);
	at_config_set_text(&row, Anum_rule_channel, channel);
	at_config_set(&row, Anum_rule_enabled, BoolGetDatum(true));
	at_config_set(&row, Anum_rule_changed_at,
				  TimestampTzGetDatum(GetCurrentTransactionStartTimestamp()));
	if (!at_config_update(&row))
		at_config_insert(&row);
	at_config_end(&row);
}

Datum
at_alert_drop(PG_FUNCTION_ARGS)
{
	char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	AtOwnerState state;
	Stored stored;
	bool exists = read_stored(name, &stored);

	if (exists)
	{
		bool has_table = get_rel_name(stored.target) != NULL;
		AtConfigRow row;

		/* the table may be gone; then only the extension's owner is left to do it */
		if (has_table && !object_ownercheck(RelationRelationId, stored.target, GetUserId()) &&
			!at_reader_is_admin(GetUserId()))
			aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, get_rel_name(stored.target));
		at_owner_enter(&state);
		at_config_begin(&row, AT_RULE_TABLE);
		at_config_set_text(&row, Anum_rule_name, name);
		exists = at_config_delete(&row);
		at_config_end(&row);
		if (has_table)
			CacheInvalidateRelcacheByRelid(stored.target);
		at_owner_leave(&state);
	}
	PG_RETURN_TEXT_P(cstring_to_text(
		psprintf("alert rule \"%s\" %s", name, exists ? "dropped" : "does not exist")));
}

static void
check_label(const char *label, const char *what, int max_bytes)
{
	if (label[0] == '\0')
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("%s of an alert rule must not be empty", what)));
	if (strlen(label) > max_bytes)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("%s of an alert rule is too long", what),
						errdetail("It has %zu bytes; at most %d are possible.", strlen(label),
								  max_bytes)));
}

static void
check_owner(Oid relid)
{
	char *name = get_rel_name(relid);

	if (name == NULL)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
						errmsg("relation with OID %u does not exist", relid)));
	if (!object_ownercheck(RelationRelationId, relid, GetUserId()) &&
		!at_reader_is_admin(GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(get_rel_relkind(relid)), name);
}

/* Names of columns that the table has, at least one. */
static List *
check_columns(Relation rel, ArrayType *columns)
{
	Datum *elements;
	bool *nulls;
	int count;
	List *names = NIL;

	deconstruct_array(columns, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		char *name = nulls[i] ? "NULL" : TextDatumGetCString(elements[i]);

		if (nulls[i] || at_stored_column(RelationGetRelid(rel), name) <= 0)
			ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
							errmsg("table \"%s\" has no stored column \"%s\"",
								   RelationGetRelationName(rel), name),
							errhint("See \\d %s, and write names as they are stored.",
									at_qualified_name(RelationGetRelid(rel)))));
		names = lappend(names, name);
	}
	if (names == NIL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("an alert rule must name at least one column"),
						errhint("SELECT audit.alert_when('name', 'table', '{column, ...}');")));
	return names;
}

pg_noreturn static void
not_audited(Relation rel)
{
	Oid table = RelationGetRelid(rel);

	if (rel->rd_rel->relispartition)
		table = llast_oid(get_partition_ancestors(table));
	ereport(ERROR,
			(errcode(ERRCODE_AT_BAD_TARGET),
			 errmsg("table \"%s\" is not audited", RelationGetRelationName(rel)),
			 table == RelationGetRelid(rel)
				 ? errdetail("Alerts are raised by recorded changes.")
				 : errdetail("It is a partition of \"%s\", which rules have to name.",
							 get_rel_name(table)),
			 errhint("SELECT audit.enable(%s);", quote_literal_cstr(at_qualified_name(table)))));
}

/* The names in a text[] of a row. */
static List *
names_in(const AtLatest *latest, HeapTuple tuple, AttrNumber column)
{
	List *names = NIL;
	Datum *elements;
	bool isnull;
	int count;

	deconstruct_array(DatumGetArrayTypeP(heap_getattr(tuple, column, latest->desc, &isnull)),
					  TEXTOID, -1, false, TYPALIGN_INT, &elements, NULL, &count);
	for (int i = 0; i < count; i++)
		names = lappend(names, TextDatumGetCString(elements[i]));
	return names;
}

/* Operations and ignored columns of the table's policy; false if it is not audited. */
static bool
read_policy(Oid relid, List **operations, List **ignored)
{
	Oid policy = at_audit_relid("policy");
	AtLatest latest;
	ScanKeyData key;
	HeapTuple tuple;
	bool enabled;
	bool isnull;

	ScanKeyInit(&key, get_attnum(policy, "target"), BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relid));
	at_latest_begin(&latest, policy, "policy_pkey", 1, &key);
	tuple = at_latest_next(&latest);
	enabled =
		HeapTupleIsValid(tuple) &&
		DatumGetBool(heap_getattr(tuple, get_attnum(policy, "enabled"), latest.desc, &isnull));
	if (enabled)
	{
		*operations = names_in(&latest, tuple, get_attnum(policy, "operations"));
		*ignored = names_in(&latest, tuple, get_attnum(policy, "ignored_columns"));
	}
	at_latest_end(&latest);
	return enabled;
}

/* The table's updates must be recorded, and changes of these columns must be events. */
static void
check_audited(Relation rel, List *columns)
{
	List *operations;
	List *ignored;
	ListCell *cell;

	if (!read_policy(RelationGetRelid(rel), &operations, &ignored))
		not_audited(rel);
	if (!at_names_contain(operations, "update"))
		ereport(ERROR,
				(errcode(ERRCODE_AT_BAD_TARGET),
				 errmsg("updates of table \"%s\" are not audited", RelationGetRelationName(rel)),
				 errdetail("Alerts are raised by recorded changes."),
				 errhint("Disable its audit, and enable it with the operation \"update\".")));
	foreach (cell, columns)
		if (at_names_contain(ignored, lfirst(cell)))
			ereport(ERROR, (errcode(ERRCODE_AT_BAD_TARGET),
							errmsg("column \"%s\" of table \"%s\" is ignored by its audit",
								   (char *) lfirst(cell), RelationGetRelationName(rel)),
							errdetail("A change of this column alone is no event."),
							errhint("Disable the audit, and enable it without ignoring it.")));
}

/* The stored rule of this name; false if there is none. */
static bool
read_stored(const char *name, Stored *stored)
{
	AtLatest latest;
	ScanKeyData key;
	HeapTuple tuple;
	bool isnull;

	ScanKeyInit(&key, Anum_rule_name, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(name));
	at_latest_begin(&latest, at_audit_relid(AT_RULE_TABLE), "alert_rule_pkey", 1, &key);
	tuple = at_latest_next(&latest);
	if (HeapTupleIsValid(tuple))
		*stored = (Stored){
			.target = DatumGetObjectId(heap_getattr(tuple, Anum_rule_target, latest.desc, &isnull)),
			.columns = names_in(&latest, tuple, Anum_rule_columns),
			.severity =
				TextDatumGetCString(heap_getattr(tuple, Anum_rule_severity, latest.desc, &isnull)),
			.channel =
				TextDatumGetCString(heap_getattr(tuple, Anum_rule_channel, latest.desc, &isnull)),
			.enabled = DatumGetBool(heap_getattr(tuple, Anum_rule_enabled, latest.desc, &isnull)),
		};
	at_latest_end(&latest);
	return HeapTupleIsValid(tuple);
}
