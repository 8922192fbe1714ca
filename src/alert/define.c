/*-------------------------------------------------------------------------
 * define.c
 *		audit.alert_when() and audit.alert_drop(): changing the alert rules.
 *
 * The caller must own the table (or be a superuser) and have EXECUTE on the
 * function; what is then done is done as the owner of the extension.
 *
 * Locks: ShareUpdateExclusiveLock on the table until the end of the
 * transaction, so that its columns stay what was checked.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/partition.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/errors.h"
#include "base/names.h"
#include "ledger/owner.h"

/* A notification has to hold these, with escapes. */
#define MAX_NAME_BYTES     200
#define MAX_SEVERITY_BYTES 60

PG_FUNCTION_INFO_V1(at_alert_when);
PG_FUNCTION_INFO_V1(at_alert_drop);

static void check_label(const char *label, const char *what, int max_bytes);
static void check_owner(Oid relid);
static List *check_columns(Relation rel, ArrayType *columns);
static void check_audited(Relation rel, List *columns);
static Oid read_rule_target(const char *name);

/* State of a rule that is asked for, compared with what is stored. */
static const char write_rule[] =
	"WITH former AS (SELECT * FROM audit.alert_rule r WHERE r.name = $1), "
	"written AS (INSERT INTO audit.alert_rule AS r (name, target, columns, severity, channel, "
	"enabled, changed_at) VALUES ($1, $2, $3, $4, $5, true, pg_catalog.now()) "
	"ON CONFLICT (name) DO UPDATE SET target = excluded.target, columns = excluded.columns, "
	"severity = excluded.severity, channel = excluded.channel, enabled = true, "
	"changed_at = excluded.changed_at "
	"WHERE (r.target, r.columns, r.severity, r.channel, r.enabled) IS DISTINCT FROM "
	"(excluded.target, excluded.columns, excluded.severity, excluded.channel, true) "
	"RETURNING 1) "
	"SELECT CASE WHEN NOT EXISTS (SELECT FROM written) THEN 'exists already' "
	"WHEN EXISTS (SELECT FROM former) THEN 'changed' ELSE 'created' END";

Datum
at_alert_when(PG_FUNCTION_ARGS)
{
	char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char *severity = text_to_cstring(PG_GETARG_TEXT_PP(3));
	char *channel = text_to_cstring(PG_GETARG_TEXT_PP(4));
	Oid types[] = {TEXTOID, REGCLASSOID, TEXTARRAYOID, TEXTOID, TEXTOID};
	Datum values[] = {PG_GETARG_DATUM(0), PG_GETARG_DATUM(1), PG_GETARG_DATUM(2),
					  PG_GETARG_DATUM(3), PG_GETARG_DATUM(4)};
	AtOwnerState state;

	check_label(name, "name", MAX_NAME_BYTES);
	check_label(severity, "severity", MAX_SEVERITY_BYTES);
	check_label(channel, "channel", NAMEDATALEN - 1);
	check_owner(PG_GETARG_OID(1));

	Relation rel = table_open(PG_GETARG_OID(1), ShareUpdateExclusiveLock);
	List *columns = check_columns(rel, PG_GETARG_ARRAYTYPE_P(2));

	at_owner_enter(&state);
	SPI_connect();
	check_audited(rel, columns);

	Oid former = read_rule_target(name);

	if (OidIsValid(former) && former != RelationGetRelid(rel))
		CacheInvalidateRelcacheByRelid(former);
	if (SPI_execute_with_args(write_rule, lengthof(types), types, values, NULL, false, 0) !=
		SPI_OK_SELECT)
		elog(ERROR, "could not write audit.alert_rule");

	char *done = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	char *result =
		psprintf("alert rule \"%s\" %s: %s (%s) to channel %s", name, done,
				 at_qualified_name(RelationGetRelid(rel)), at_name_list(columns), channel);
	text *answer = cstring_to_text(result);

	CacheInvalidateRelcache(rel);
	answer = (text *) DatumGetPointer(SPI_datumTransfer(PointerGetDatum(answer), false, -1));
	SPI_finish();
	at_owner_leave(&state);
	table_close(rel, NoLock);
	PG_RETURN_TEXT_P(answer);
}

Datum
at_alert_drop(PG_FUNCTION_ARGS)
{
	char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Oid types[] = {TEXTOID};
	Datum values[] = {PG_GETARG_DATUM(0)};
	Oid caller = GetUserId();
	AtOwnerState state;

	at_owner_enter(&state);
	SPI_connect();

	Oid target = read_rule_target(name);

	if (OidIsValid(target))
	{
		/* the table may be gone; then only the extension's owner is left to do it */
		if (get_rel_name(target) != NULL && !pg_class_ownercheck(target, caller))
			aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, get_rel_name(target));
		if (SPI_execute_with_args("DELETE FROM audit.alert_rule WHERE name = $1", 1, types, values,
								  NULL, false, 0) != SPI_OK_DELETE)
			elog(ERROR, "could not delete from audit.alert_rule");
		if (get_rel_name(target) != NULL)
			CacheInvalidateRelcacheByRelid(target);
	}
	SPI_finish();
	at_owner_leave(&state);
	PG_RETURN_TEXT_P(cstring_to_text(
		psprintf("alert rule \"%s\" %s", name, OidIsValid(target) ? "dropped" : "does not exist")));
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
	if (!pg_class_ownercheck(relid, GetUserId()))
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

		if (nulls[i] || get_attnum(RelationGetRelid(rel), name) <= 0)
			ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
							errmsg("table \"%s\" has no column \"%s\"",
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

static bool
contains(Datum names, const char *name)
{
	Datum *elements;
	int count;

	deconstruct_array(DatumGetArrayTypeP(names), TEXTOID, -1, false, TYPALIGN_INT, &elements, NULL,
					  &count);
	for (int i = 0; i < count; i++)
		if (strcmp(TextDatumGetCString(elements[i]), name) == 0)
			return true;
	return false;
}

static pg_attribute_noreturn() void not_audited(Relation rel)
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

/* The table's updates must be recorded, and changes of these columns must be events. */
static void
check_audited(Relation rel, List *columns)
{
	Oid types[] = {REGCLASSOID};
	Datum values[] = {ObjectIdGetDatum(RelationGetRelid(rel))};
	ListCell *cell;
	bool isnull;

	if (SPI_execute_with_args("SELECT operations, ignored_columns FROM audit.policy "
							  "WHERE target = $1 AND enabled",
							  1, types, values, NULL, false, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read audit.policy");
	if (SPI_processed == 0)
		not_audited(rel);

	HeapTuple row = SPI_tuptable->vals[0];
	Datum operations = SPI_getbinval(row, SPI_tuptable->tupdesc, 1, &isnull);
	Datum ignored = SPI_getbinval(row, SPI_tuptable->tupdesc, 2, &isnull);

	if (!contains(operations, "update"))
		ereport(ERROR,
				(errcode(ERRCODE_AT_BAD_TARGET),
				 errmsg("updates of table \"%s\" are not audited", RelationGetRelationName(rel)),
				 errdetail("Alerts are raised by recorded changes."),
				 errhint("Disable its audit, and enable it with the operation \"update\".")));
	foreach (cell, columns)
		if (contains(ignored, lfirst(cell)))
			ereport(ERROR, (errcode(ERRCODE_AT_BAD_TARGET),
							errmsg("column \"%s\" of table \"%s\" is ignored by its audit",
								   (char *) lfirst(cell), RelationGetRelationName(rel)),
							errdetail("A change of this column alone is no event."),
							errhint("Disable the audit, and enable it without ignoring it.")));
}

/* The table of a stored rule; InvalidOid if there is no rule of this name. */
static Oid
read_rule_target(const char *name)
{
	Oid types[] = {TEXTOID};
	Datum values[] = {CStringGetTextDatum(name)};
	bool isnull;

	if (SPI_execute_with_args("SELECT target FROM audit.alert_rule WHERE name = $1", 1, types,
							  values, NULL, false, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read audit.alert_rule");
	if (SPI_processed == 0)
		return InvalidOid;
	return DatumGetObjectId(
		SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
}
