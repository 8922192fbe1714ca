/*-------------------------------------------------------------------------
 * automatic.c
 *		Tables that are audited as they come.
 *
 * Which tables a rule wants is said once, by the view audit.automatic_missing,
 * which audit.doctor() shows too. Here it is only found out cheaply whether it
 * needs to be asked. It is asked, and tables are enabled, as the ledger's
 * owner: who creates a table need not have any right on the audit trail.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/catalog.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/catalog.h"
#include "base/names.h"
#include "capture/automatic.h"
#include "capture/baseline.h"
#include "capture/stored.h"
#include "ledger/owner.h"

/* Column numbers of audit.automatic (sql/install/32_automatic.sql). */
#define Anum_automatic_schema  1
#define Anum_automatic_enabled 11

#define BATCH 1000

static bool may_be_new(Oid relid);
static bool has_rule(Oid schema);
static void enable_missing(List *relids, bool all);
static void enable(Oid relid);
static bool has_rows(Oid relid);
static void add_context(void *arg);

void
at_automatic_settle(List *touched, bool all)
{
	List *wanted = NIL;
	bool locked = all;
	ListCell *cell;

	if (all)
		LockRelationOid(at_audit_relid(AT_AUTOMATIC_TABLE), RowShareLock);
	foreach (cell, touched)
	{
		Oid relid = lfirst_oid(cell);

		if (all || !may_be_new(relid))
			continue;
		if (!locked)
			LockRelationOid(at_audit_relid(AT_AUTOMATIC_TABLE), RowShareLock);
		locked = true;
		if (has_rule(get_rel_namespace(relid)))
			wanted = lappend_oid(wanted, relid);
	}
	if (wanted != NIL || (all && has_rule(InvalidOid)))
		enable_missing(wanted, all);
}

/* Is it a table that nobody audits? */
static bool
may_be_new(Oid relid)
{
	char kind = get_rel_relkind(relid);
	Oid schema = get_rel_namespace(relid);
	AtStoredPolicy stored;

	return (kind == RELKIND_RELATION || kind == RELKIND_PARTITIONED_TABLE) &&
		   get_rel_persistence(relid) == RELPERSISTENCE_PERMANENT &&
		   !get_rel_relispartition(relid) && !IsCatalogNamespace(schema) &&
		   !IsToastNamespace(schema) && schema != at_audit_schema() &&
		   !at_stored_find(relid, &stored);
}

/* Is there a rule for the schema, or for any at all? */
static bool
has_rule(Oid schema)
{
	Relation rel = table_open(at_audit_relid(AT_AUTOMATIC_TABLE), AccessShareLock);
	Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, snapshot, 0, NULL);
	TupleDesc desc = RelationGetDescr(rel);
	bool found = false;
	HeapTuple tuple;
	bool isnull;

	while (!found && HeapTupleIsValid(tuple = systable_getnext(scan)))
		found = DatumGetBool(heap_getattr(tuple, Anum_automatic_enabled, desc, &isnull)) &&
				(!OidIsValid(schema) || DatumGetObjectId(heap_getattr(tuple, Anum_automatic_schema,
																	  desc, &isnull)) == schema);
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(rel, AccessShareLock);
	return found;
}

/* An array of oids. */
static Datum
oid_array(List *oids)
{
	Datum *elements = palloc(sizeof(Datum) * Max(list_length(oids), 1));
	ListCell *cell;

	foreach (cell, oids)
		elements[foreach_current_index(cell)] = ObjectIdGetDatum(lfirst_oid(cell));
	return PointerGetDatum(
		construct_array(elements, list_length(oids), OIDOID, sizeof(Oid), true, TYPALIGN_INT));
}

/* Run one of our queries under the newest snapshot. */
static void
execute(const char *query, int count, Oid *types, Datum *values, int expected)
{
	SPIPlanPtr plan = SPI_prepare(query, count, types);

	if (plan == NULL || SPI_execute_snapshot(plan, values, NULL, GetLatestSnapshot(),
											 InvalidSnapshot, false, true, 0) != expected)
		elog(ERROR, "unexpected result of: %s", query);
}

/* Those of the tables that rules want, or all that rules want. */
static void
enable_missing(List *relids, bool all)
{
	Oid types[] = {OIDARRAYOID, BOOLOID};
	Datum values[] = {oid_array(relids), BoolGetDatum(all)};
	AtOwnerState state;
	bool isnull;

	at_owner_enter(&state);
	SPI_connect();
	execute("SELECT m.target FROM audit.automatic_missing m "
			"WHERE ($2 OR m.target = ANY ($1)) AND NOT m.unlogged ORDER BY m.target::oid",
			lengthof(types), types, values, SPI_OK_SELECT);

	SPITupleTable *found = SPI_tuptable;

	for (uint64 i = 0; i < found->numvals; i++)
		enable(DatumGetObjectId(SPI_getbinval(found->vals[i], found->tupdesc, 1, &isnull)));
	SPI_finish();
	at_owner_leave(&state);
}

/* Asked again for each, since a table may be served by one that was enabled before it. */
static void
enable(Oid relid)
{
	Oid types[] = {REGCLASSOID};
	Datum values[] = {ObjectIdGetDatum(relid)};
	ErrorContextCallback context = {
		.callback = add_context, .arg = at_qualified_name(relid), .previous = error_context_stack};

	error_context_stack = &context;
	execute("SELECT audit.enable(m.target, context => m.context, operations => m.operations, "
			"ignore => m.ignored_columns, mask => m.masked_columns, hash => m.hashed_columns, "
			"truncate => m.truncate, query => m.query) "
			"FROM audit.automatic_missing m WHERE m.target = $1",
			lengthof(types), types, values, SPI_OK_SELECT);
	if (SPI_processed > 0 && has_rows(relid))
		(void) at_baseline_record(relid, BATCH);
	error_context_stack = context.previous;
}

static void
add_context(void *arg)
{
	errcontext("auditing table %s, as audit.automatic wants it", (char *) arg);
}

/* May there be rows in it, or below it? */
static bool
has_rows(Oid relid)
{
	bool found = false;
	ListCell *cell;

	foreach (cell, find_all_inheritors(relid, AccessShareLock, NULL))
	{
		Relation rel = table_open(lfirst_oid(cell), NoLock);

		if (rel->rd_rel->relkind == RELKIND_RELATION && RelationGetNumberOfBlocks(rel) > 0)
			found = true;
		table_close(rel, NoLock);
	}
	return found;
}

void
at_automatic_forget(Oid schema, const char *command)
{
	Oid types[] = {OIDOID, TEXTOID};
	Datum values[] = {ObjectIdGetDatum(schema),
					  CStringGetTextDatum(psprintf("dropped by %s", command))};
	AtOwnerState state;

	if (!has_rule(schema))
		return;
	at_owner_enter(&state);
	SPI_connect();
	execute("UPDATE audit.automatic SET enabled = false, reason = $2, "
			"changed_at = pg_catalog.now() WHERE schema = $1 AND enabled",
			lengthof(types), types, values, SPI_OK_UPDATE);
	SPI_finish();
	at_owner_leave(&state);
}
