/*-------------------------------------------------------------------------
 * swap.c
 *		Putting foreign tables that read stores in the place of partitions.
 *
 * Locks: AccessExclusiveLock on the partitions, their parents and the default
 * partitions beside them, until the end of the transaction. Writers look at a parent
 * when they begin a new month, or when it has changed; then they would wait. So
 * all of the locks are had within 30 ms or given up, and tried again later, with
 * longer and longer pauses; and when they are had, all else is ready: what was
 * written is on disk, and the commit waits for no standby.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/multixact.h"
#include "access/table.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/indexing.h"
#include "catalog/pg_statistic.h"
#include "catalog/partition.h"
#include "commands/vacuum.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/catalog.h"
#include "base/columns.h"
#include "base/compat.h"
#include "base/debug_point.h"
#include "base/errors.h"
#include "ledger/cold.h"
#include "ledger/log_read.h"
#include "ledger/own_command.h"
#include "ledger/patient_lock.h"
#include "retention/swap.h"

static List *relations_to_lock(const AtSwap *swap);
static void check_not_written(const AtSwap *swap, const AtSwapPart *part);
static void replace(const AtSwap *swap, const AtSwapPart *part);
static List *take_statistics(Oid relid);
static void put_statistics(List *rows, Oid relid);

void
at_swap(AtSwap *swap)
{
	(void) set_config_option("synchronous_commit", "local", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_LOCAL, true, 0, false);
	XLogFlush(XactLastRecEnd); /* the insert position may be behind a page header that is not
								  written yet */
	at_lock_patiently(relations_to_lock(swap));
	at_debug_point("archive-locked");
	for (int i = 0; i < swap->nparts; i++)
		check_not_written(swap, &swap->part[i]);
	for (int i = 0; i < swap->nparts; i++)
	{
		replace(swap, &swap->part[i]);
		at_debug_point("archive-replaced");
	}
}

/* The partition's parent first, as whoever reads or writes does. */
static List *
relations_to_lock(const AtSwap *swap)
{
	List *oids = NIL;

	for (int i = 0; i < swap->nparts; i++)
	{
		Oid parent = get_partition_parent(swap->part[i].relid, false);
		Oid others = get_default_partition_oid(parent);

		oids = lappend_oid(oids, parent);
		if (OidIsValid(others))
			oids = lappend_oid(oids, others);
		oids = lappend_oid(oids, swap->part[i].relid);
	}
	return oids;
}

/* Is there one of these transactions that began in the month? */
static bool
has_row(AtScan *scan, const AtMonth *month, int64 low, int64 high)
{
	at_scan_start(scan, low, high);
	while (at_scan_next(scan))
	{
		bool isnull;
		TimestampTz tx_at =
			DatumGetTimestampTz(slot_getattr(scan->slot, Anum_transaction_tx_at, &isnull));

		if (tx_at >= month->from && tx_at < month->until)
			return true;
	}
	return false;
}

/*
 * All who wrote into the partition have ended: what they added would be of transactions that had
 * not. Their rows tell: no index leads to an event before it is sealed.
 */
static void
check_not_written(const AtSwap *swap, const AtSwapPart *part)
{
	Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
	AtScan *scan = at_scan_open_leaves(AT_SCAN_TRANSACTION_BY_TX_ID, snapshot, part->transactions);
	int64 base = at_tx_id_base(at_incarnation_here());
	bool written = has_row(scan, swap->month, base + swap->settled.xmax, PG_INT64_MAX);

	for (int i = 0; i < swap->settled.nrunning && !written; i++)
		written = has_row(scan, swap->month, base + swap->settled.running[i],
						  base + swap->settled.running[i]);
	at_scan_close(scan);
	UnregisterSnapshot(snapshot);
	if (written)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("partition \"%s\" was written while it was archived",
							   get_rel_name(part->relid)),
						errdetail("A transaction that began in that month has ended only now."),
						errhint("Try again.")));
}

static void
replace(const AtSwap *swap, const AtSwapPart *part)
{
	const AtMonth *month = swap->month;
	char *name = get_rel_name(part->relid);
	char *parent = get_rel_name(get_partition_parent(part->relid, false));
	Relation rel = table_open(part->relid, NoLock);
	char *owner = GetUserNameFromId(rel->rd_rel->relowner, false);
	List *statistics = take_statistics(part->relid);
	int next_year = month->year + month->month / 12;
	int next_month = month->month % 12 + 1;

	table_close(rel, NoLock);
	at_own_command(psprintf("DROP TABLE audit.%s", name));
	at_own_command(psprintf(
		"CREATE FOREIGN TABLE audit.%s PARTITION OF audit.%s FOR VALUES FROM "
		"('%04d-%02d-01 00:00:00+00') TO ('%04d-%02d-01 00:00:00+00') SERVER " AT_COLD_SERVER
		" OPTIONS (store '%d', segments '" INT64_FORMAT "')",
		name, parent, month->year, month->month, next_year, next_month, part->store_id,
		part->segments));
	at_own_command(psprintf("REVOKE ALL ON TABLE audit.%s FROM PUBLIC", name));
	at_own_command(
		psprintf("ALTER FOREIGN TABLE audit.%s OWNER TO %s", name, quote_identifier(owner)));
	CommandCounterIncrement();
	put_statistics(statistics, at_audit_relid(name));
	rel = table_open(at_audit_relid(name), NoLock);
	vac_update_relstats(rel, 1, part->rows, 0, 0, false, InvalidTransactionId, InvalidMultiXactId,
						NULL, NULL, false);
	table_close(rel, NoLock);
}

/* What ANALYZE knew of the partition stays true. */
static List *
take_statistics(Oid relid)
{
	Relation catalog = table_open(StatisticRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple tuple;
	List *rows = NIL;

	ScanKeyInit(&key, Anum_pg_statistic_starelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relid));
	scan = systable_beginscan(catalog, StatisticRelidAttnumInhIndexId, true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		rows = lappend(rows, heap_copytuple(tuple));
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return rows;
}

static void
put_statistics(List *rows, Oid relid)
{
	Relation catalog = table_open(StatisticRelationId, RowExclusiveLock);
	ListCell *cell;

	foreach (cell, rows)
	{
		HeapTuple tuple = lfirst(cell);

		((Form_pg_statistic) GETSTRUCT(tuple))->starelid = relid;
		CatalogTupleInsert(catalog, tuple);
	}
	table_close(catalog, RowExclusiveLock);
}
