/*-------------------------------------------------------------------------
 * catalog.c
 *		Where the extension and its ledger are in this database.
 *
 * Invariant: only positive answers are cached. A table that is not there
 * yet is looked for each time, since its creation invalidates nothing that
 * could be known beforehand.
 *
 * After an error the cache is as good as before: it holds facts of the
 * catalog, and every change of those sends an invalidation, an abort too.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xlog.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class_d.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_namespace.h"
#include "commands/defrem.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/uuid.h"

#include "base/catalog.h"
#include "base/clock.h"
#include "base/columns.h"
#include "base/compat.h"
#include "base/errors.h"
#include "base/latest.h"
#include "base/relation_change.h"

const char *const at_ledger_names[AT_LEDGER_TABLES] = {
	[AT_LEDGER_EVENT] = "event",
	[AT_LEDGER_TRANSACTION] = "transaction",
	[AT_LEDGER_SESSION] = "session",
	[AT_LEDGER_TARGET] = "target",
	[AT_LEDGER_INCARNATION] = "incarnation",
	[AT_LEDGER_LOG_ENTRY] = "log_entry",
	[AT_LEDGER_LEAF_TILE] = "leaf_tile",
	[AT_LEDGER_LOG_TILE] = "log_tile",
	[AT_LEDGER_CHECKPOINT] = "checkpoint",
	[AT_LEDGER_ANCHOR_RECEIPT] = "anchor_receipt",
	[AT_LEDGER_SEGMENT] = "segment",
	[AT_LEDGER_ALERT] = "alert",
	[AT_LEDGER_ALERT_ACTION] = "alert_action",
	[AT_LEDGER_ALERT_DELIVERY] = "alert_delivery",
	[AT_LEDGER_ALERT_PASS] = "alert_pass",
	[AT_LEDGER_ALERT_MATCH] = "alert_match",
	[AT_LEDGER_ALERT_JUDGEMENT] = "alert_judgement",
	[AT_LEDGER_KEEPER_RUN] = "keeper_run",
	[AT_LEDGER_DELETION] = "deletion",
};

static struct
{
	Oid relid[AT_LEDGER_TABLES]; /* InvalidOid: not known */
	Oid access_method;
	Oid schema;
	bool has_log_id;
	bool begun;        /* an incarnation of this server and database stands */
	bool for_test;     /* the first one says so; set with has_log_id */
	int32 incarnation; /* that one, or the next; set with has_log_id */
	uint8 log_id[AT_LOG_ID_LEN];
} cache;

static void forget_relation(Datum arg, Oid relid);
static void forget_all(Datum arg, int cacheid, uint32 hashvalue);
static void read_incarnations(void);

void
at_catalog_init(void)
{
	at_relation_change_register(forget_relation);
	CacheRegisterSyscacheCallback(NAMESPACEOID, forget_all, (Datum) 0);
	CacheRegisterSyscacheCallback(AMOID, forget_all, (Datum) 0);
}

static void
forget_relation(Datum arg, Oid relid)
{
	for (int i = 0; i < AT_LEDGER_TABLES; i++)
	{
		if (!OidIsValid(relid) || relid == cache.relid[i])
		{
			forget_all(arg, 0, 0);
			return;
		}
	}
}

static void
forget_all(Datum arg, int cacheid, uint32 hashvalue)
{
	memset(cache.relid, 0, sizeof(cache.relid));
	cache.access_method = InvalidOid;
	cache.schema = InvalidOid;
	cache.has_log_id = false; /* its bytes stay: somebody may be hashing them */
	cache.begun = false;
}

Oid
at_audit_schema(void)
{
	if (!OidIsValid(cache.schema))
		cache.schema = get_namespace_oid(AT_SCHEMA, true);
	return cache.schema;
}

/* Look a relation of the schema audit up; InvalidOid if it is not there. */
static Oid
lookup(const char *name)
{
	Oid schema = at_audit_schema();

	return OidIsValid(schema) ? get_relname_relid(name, schema) : InvalidOid;
}

pg_noreturn static void
no_ledger(const char *name)
{
	ereport(ERROR, (errcode(ERRCODE_AT_NO_LEDGER), errmsg("this database has no audit ledger"),
					errdetail("Relation \"%s.%s\" does not exist.", AT_SCHEMA, name),
					errhint("SELECT audit.init();")));
}

static Oid
ledger_relid_or_invalid(AtLedgerTable table)
{
	if (!OidIsValid(cache.relid[table]))
		cache.relid[table] = lookup(at_ledger_names[table]);
	return cache.relid[table];
}

bool
at_ledger_exists(void)
{
	/* the last one that is made, and the first and last ones that a restore brings */
	return OidIsValid(ledger_relid_or_invalid(AT_LEDGER_ALERT_PASS)) &&
		   OidIsValid(ledger_relid_or_invalid(AT_LEDGER_EVENT)) &&
		   OidIsValid(ledger_relid_or_invalid(AT_LEDGER_TRANSACTION));
}

Oid
at_ledger_relid(AtLedgerTable table)
{
	Oid relid = ledger_relid_or_invalid(table);

	if (!OidIsValid(relid))
		no_ledger(at_ledger_names[table]);
	return relid;
}

void
at_ledger_lock_passes(AtLedgerTable table)
{
	LockDatabaseObject(RelationRelationId, at_ledger_relid(table), 0, ExclusiveLock);
}

void
at_ledger_lock_to_write(const AtLedgerTable *tables, int count)
{
	for (int i = 0; i < count; i++)
	{
		Oid relid = at_ledger_relid(tables[i]);

		LockRelationOid(relid, RowExclusiveLock);
		list_free(find_all_inheritors(relid, RowExclusiveLock, NULL)); /* which does not lock it */
	}
}

Oid
at_audit_relid(const char *name)
{
	Oid relid = lookup(name);

	if (!OidIsValid(relid))
		no_ledger(name);
	return relid;
}

bool
at_is_ledger_relation(Relation rel)
{
	if (!OidIsValid(cache.access_method))
		cache.access_method = get_table_am_oid("audit_worm", true);
	if (OidIsValid(cache.access_method) && rel->rd_rel->relam == cache.access_method)
		return true;
	if (rel->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		return false;

	Oid root = rel->rd_rel->relispartition
				   ? llast_oid(get_partition_ancestors(RelationGetRelid(rel)))
				   : RelationGetRelid(rel);

	return root == ledger_relid_or_invalid(AT_LEDGER_EVENT) ||
		   root == ledger_relid_or_invalid(AT_LEDGER_TRANSACTION) ||
		   root == ledger_relid_or_invalid(AT_LEDGER_SEGMENT);
}

bool
at_lock_is_held(Oid relid, LOCKMODE first)
{
	LOCKTAG tag;

	SET_LOCKTAG_RELATION(tag, MyDatabaseId, relid);
	for (LOCKMODE mode = first; mode <= MaxLockMode; mode++)
		if (LockHeldByMe(&tag, mode, false))
			return true;
	return false;
}

/*
 * GetLatestSnapshot() is refused in parallel mode; the snapshot for a catalog
 * is not, and is a new one for any table that is none.
 */
Snapshot
at_snapshot_of_now(void)
{
	return RegisterSnapshot(GetCatalogSnapshot(at_ledger_relid(AT_LEDGER_INCARNATION)));
}

const uint8 *
at_log_id(void)
{
	if (!cache.has_log_id)
		read_incarnations();
	if (!cache.has_log_id)
		ereport(ERROR,
				(errcode(ERRCODE_AT_NO_LEDGER), errmsg("the audit ledger has no incarnation"),
				 errdetail("Table \"audit.incarnation\" is empty."),
				 errhint("Restore the ledger whole, or start anew in another database.")));
	return cache.log_id;
}

int32
at_incarnation_listed(void)
{
	(void) at_log_id();
	return cache.incarnation;
}

bool
at_ledger_is_for_test(void)
{
	if (!cache.has_log_id)
		read_incarnations();
	/* one that is being created has no row yet, and nothing of it is recorded */
	return !cache.has_log_id || cache.for_test;
}

bool
at_incarnation_begun(void)
{
	/* while a dump is being restored, some tables are there and others not yet */
	if (!cache.begun && OidIsValid(ledger_relid_or_invalid(AT_LEDGER_INCARNATION)))
		read_incarnations();
	return cache.begun;
}

/* Fill the cache from audit.incarnation, seen as of now. */
static void
read_incarnations(void)
{
	int32 last = 0;
	int32 ours = 0;
	AtLatest latest;
	HeapTuple tuple;

	at_latest_begin(&latest, at_ledger_relid(AT_LEDGER_INCARNATION), NULL, 0, NULL);
	while (HeapTupleIsValid(tuple = at_latest_next(&latest)))
	{
		Datum values[Natts_incarnation];
		bool nulls[Natts_incarnation];

		heap_deform_tuple(tuple, latest.desc, values, nulls);

		/* in a damaged row */
		if (nulls[Anum_incarnation_log_id - 1])
			continue;

		pg_uuid_t *log_id = DatumGetUUIDP(values[Anum_incarnation_log_id - 1]);

		int32 incarnation = DatumGetInt32(values[Anum_incarnation_incarnation - 1]);

		if (incarnation == 1)
			cache.for_test = strcmp(TextDatumGetCString(values[Anum_incarnation_reason - 1]),
									AT_LEDGER_FOR_TEST) == 0;
		memcpy(cache.log_id, log_id->data, AT_LOG_ID_LEN);
		cache.has_log_id = true;
		last = Max(last, incarnation);
		if ((uint64) DatumGetInt64(values[Anum_incarnation_system_identifier - 1]) ==
				GetSystemIdentifier() &&
			DatumGetObjectId(values[Anum_incarnation_database_oid - 1]) == MyDatabaseId)
			ours = Max(ours, incarnation);
	}
	at_latest_end(&latest);
	cache.begun = ours > 0;
	cache.incarnation = cache.begun ? ours : last + 1;
}

Oid
at_extension_owner(void)
{
	Relation rel = table_open(ExtensionRelationId, AccessShareLock);
	ScanKeyData key;
	Oid owner = InvalidOid;

	ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber, F_NAMEEQ,
				CStringGetDatum(AT_EXTENSION));

	SysScanDesc scan = systable_beginscan(rel, ExtensionNameIndexId, true, NULL, 1, &key);
	HeapTuple tuple = systable_getnext(scan);

	if (HeapTupleIsValid(tuple))
		owner = ((Form_pg_extension) GETSTRUCT(tuple))->extowner;
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return owner;
}
