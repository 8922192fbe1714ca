/*-------------------------------------------------------------------------
 * archive_month.c
 *		Archiving a month: its partitions become segments.
 *
 * Rows are read in one snapshot, in which all that is in the partitions must be
 * sealed. So what is written later could only be of a transaction that was not
 * settled in it: whether there is any is asked of the index of transactions, once nobody can
 * write any more (swap.c), which takes no longer for a large partition.
 *
 * Invariant: the segments of a partition have each of its rows once. The rows
 * are read by an index, and counted without it.
 *
 * Locks: AccessShareLock on the partitions while they are read; one archive
 * at a time, by the lock for passes over audit.segment. Writers wait for nothing but the
 * swap.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_type_d.h"
#include "commands/sequence.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/clock.h"
#include "base/columns.h"
#include "base/debug_point.h"
#include "base/errors.h"
#include "ledger/cold.h"
#include "ledger/datum.h"
#include "ledger/own_command.h"
#include "ledger/owner.h"
#include "ledger/partition.h"
#include "ledger/scan.h"
#include "ledger/shield.h"
#include "ledger/unsealed.h"
#include "retention/archive_month.h"
#include "retention/keeper.h"
#include "retention/policy.h"
#include "retention/swap.h"

PG_FUNCTION_INFO_V1(at_archive_now);

static bool archive_step(TimestampTz deadline);

/* Classes of which some are to be archived, and what of them: policies of a class agree, or the
 * longest counts. */
static const char due_query[] =
	"SELECT p.class, $1 OPERATOR(pg_catalog.-) pg_catalog.max(p.hot) FROM (" AT_POLICIES
	") AS p WHERE p.class IS NOT NULL GROUP BY p.class "
	"HAVING pg_catalog.bool_and(p.hot IS NOT NULL) ORDER BY p.class";

static const AtKeeperStep step = {.name = "archive", .in_window = true, .run = archive_step};

static AtColdTotals build(Oid relid, AtScanBy by, int32 store_id, const AtUnsealed *unsealed,
						  Snapshot snapshot);
static int32 make_store(void);
static int64 size_of(const char *relation);

/* archive_now(older_than): what was archived, or a row of nulls */
Datum
at_archive_now(PG_FUNCTION_ARGS)
{
	Datum before = DirectFunctionCall2(timestamptz_mi_interval, TimestampTzGetDatum(at_clock_now()),
									   PG_GETARG_DATUM(0));
	TupleDesc desc;
	Datum values[7] = {0};
	bool nulls[7] = {true, true, true, true, true, true, true};
	AtArchived archived;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	if (DatumGetTimestampTz(before) > at_clock_now())
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("months that have not ended cannot be archived"),
						errdetail("older_than is negative.")));
	if (at_archive_month(0, DatumGetTimestampTz(before), &archived))
	{
		memset(nulls, 0, sizeof(nulls));
		values[0] = Int32GetDatum(archived.month.retention_class);
		values[1] = DateADTGetDatum(date2j(archived.month.year, archived.month.month, 1) -
									POSTGRES_EPOCH_JDATE);
		values[2] = Int64GetDatum(archived.events.rows);
		values[3] = Int64GetDatum(archived.transactions.rows);
		values[4] = Int64GetDatum(archived.events.segments + archived.transactions.segments);
		values[5] = Int64GetDatum(archived.hot_bytes);
		values[6] = Int64GetDatum(archived.cold_bytes);
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

void
at_archive_month_init(void)
{
	at_keeper_register(&step);
}

/* Archive a month of the first class whose policy wants that. */
static bool
archive_due(AtArchived *archived)
{
	AtOwnerState state;
	bool found = false;
	uint64 count;
	int16 *class;
	TimestampTz *before;

	at_owner_enter(&state);
	SPI_connect();
	if (SPI_execute_with_args(due_query, 1, (Oid[]){TIMESTAMPTZOID},
							  (Datum[]){TimestampTzGetDatum(at_clock_now())}, NULL, true,
							  0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the policies of retention");
	count = SPI_processed;
	class = SPI_palloc(sizeof(int16) * (count + 1));
	before = SPI_palloc(sizeof(TimestampTz) * (count + 1));
	for (uint64 i = 0; i < count; i++)
	{
		HeapTuple row = SPI_tuptable->vals[i];
		bool isnull;

		class[i] = DatumGetInt16(SPI_getbinval(row, SPI_tuptable->tupdesc, 1, &isnull));
		before[i] = DatumGetTimestampTz(SPI_getbinval(row, SPI_tuptable->tupdesc, 2, &isnull));
	}
	SPI_finish();
	at_owner_leave(&state);
	for (uint64 i = 0; i < count && !found; i++)
		found = at_archive_month(class[i], before[i], archived);
	return found;
}

/* A month a portion: it is not begun when the time is over. */
static bool
archive_step(TimestampTz deadline)
{
	AtArchived archived;
	bool found;

	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	found = archive_due(&archived);
	PopActiveSnapshot();
	if (found)
		at_keeper_did(archived.events.rows,
					  "%04d-%02d of class %d: " INT64_FORMAT " events in " INT64_FORMAT
					  " transactions, " INT64_FORMAT " bytes are " INT64_FORMAT " now",
					  archived.month.year, archived.month.month, archived.month.retention_class,
					  archived.events.rows, archived.transactions.rows, archived.hot_bytes,
					  archived.cold_bytes);
	CommitTransactionCommand();
	return found;
}

/* One of the two tables of a month. */
static void
build_store(AtSwap *swap, AtArchived *archived, AtColdTotals *totals, Oid relid, AtScanBy by,
			const AtUnsealed *unsealed, Snapshot snapshot)
{
	AtSwapPart *part = &swap->part[swap->nparts++];

	part->relid = relid;
	part->transactions =
		by == AT_SCAN_EVENT_BY_TX_ID ? at_partition_transactions_of(relid) : list_make1_oid(relid);
	part->store_id = make_store();
	at_debug_point("archive-store");
	*totals = build(relid, by, part->store_id, unsealed, snapshot);
	part->rows = totals->rows;
	part->segments = totals->segments;
	archived->hot_bytes += size_of(get_rel_name(relid));
	archived->cold_bytes += size_of(psprintf("segment_%d", part->store_id));
	at_debug_point("archive-built");
}

bool
at_archive_month(int16 retention_class, TimestampTz before, AtArchived *archived)
{
	AtOwnerState state;
	AtSwap swap = {0};
	AtUnsealed unsealed;
	Snapshot snapshot;
	bool found;

	*archived = (AtArchived){0};
	(void) at_ledger_relid(AT_LEDGER_SEGMENT);
	if (IsolationUsesXactSnapshot())
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("cannot archive in a transaction of this isolation level"),
						errhint("Use READ COMMITTED.")));
	at_ledger_lock_passes(AT_LEDGER_SEGMENT);
	at_owner_enter(&state);
	SPI_connect();
	found = at_month_find(retention_class, before, &archived->month);
	if (found)
	{
		snapshot = RegisterSnapshot(GetLatestSnapshot());
		PushActiveSnapshot(snapshot);
		unsealed = at_unsealed_read_in(snapshot);
		if (!at_settled_parse(at_span_of(at_settled_now()), &swap.settled))
			elog(ERROR, "unexpected snapshot");
		swap.month = &archived->month;
		at_debug_point("archive-begun");
		if (OidIsValid(archived->month.event))
			build_store(&swap, archived, &archived->events, archived->month.event,
						AT_SCAN_EVENT_BY_TX_ID, &unsealed, snapshot);
		if (OidIsValid(archived->month.transaction))
			build_store(&swap, archived, &archived->transactions, archived->month.transaction,
						AT_SCAN_TRANSACTION_BY_TX_ID, &unsealed, snapshot);
		PopActiveSnapshot();
		UnregisterSnapshot(snapshot);
		at_swap(&swap);
	}
	SPI_finish();
	at_owner_leave(&state);
	return found;
}

/* A new partition of audit.segment; its store_id. */
static int32
make_store(void)
{
	int32 store_id;
	char *name;

	do /* somebody may have set the sequence back */
	{
		store_id = DatumGetInt64(
			DirectFunctionCall1(nextval_oid, ObjectIdGetDatum(at_audit_relid("store_id_seq"))));
		name = psprintf("segment_%d", store_id);
	} while (OidIsValid(get_relname_relid(name, at_audit_schema())));
	at_own_command(psprintf(
		"CREATE TABLE audit.%s (LIKE audit.segment INCLUDING STORAGE) USING audit_worm", name));
	at_shield_partition(name, "segment");
	at_own_command(psprintf(
		"ALTER TABLE audit.segment ATTACH PARTITION audit.%s FOR VALUES IN (%d)", name, store_id));
	return store_id;
}

/* A partition of which all is to be sealed. */
typedef struct Sealed
{
	Relation rel;
	const AtUnsealed *unsealed;
} Sealed;

/* Of a row of either table. */
static void
check_sealed(TupleTableSlot *slot, void *arg)
{
	const Relation rel = ((Sealed *) arg)->rel;
	bool isnull;
	int64 tx_id = DatumGetInt64(slot_getattr(slot, Anum_event_tx_id, &isnull));

	if (at_unsealed_has(((Sealed *) arg)->unsealed, tx_id))
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("partition \"%s\" is not sealed", RelationGetRelationName(rel)),
						errdetail("Transaction " INT64_FORMAT " is not.", tx_id),
						errhint("SELECT audit.seal_now();")));
}

/* Of a row of audit.transaction: its events will not be where they were, and are sealed. */
static void
forget_places(TupleTableSlot *slot)
{
	slot_getallattrs(slot);
	slot->tts_isnull[Anum_transaction_event_places - 1] = true;
}

/* Copy the rows of a partition into a store. No index leads to what is not sealed. */
static AtColdTotals
build(Oid relid, AtScanBy by, int32 store_id, const AtUnsealed *unsealed, Snapshot snapshot)
{
	Relation rel = table_open(relid, AccessShareLock);
	Relation store = at_cold_open_store(store_id, RowExclusiveLock);
	AtColdBuild *made = at_cold_build_open(store, store_id, RelationGetDescr(rel),
										   RelationGetRelationName(rel), NULL);
	AtScan *scan = at_scan_open_leaf(by, snapshot, relid);
	AtColdTotals totals;
	Sealed sealed = {.rel = rel, .unsealed = unsealed};
	uint64 count = at_scan_heap_leaf(relid, snapshot, check_sealed, &sealed);

	at_scan_start(scan, PG_INT64_MIN, PG_INT64_MAX);
	while (at_scan_next(scan))
	{
		CHECK_FOR_INTERRUPTS();
		if (by == AT_SCAN_TRANSACTION_BY_TX_ID)
			forget_places(scan->slot);
		at_cold_build_add(made, scan->slot);
	}
	at_scan_close(scan);
	totals = at_cold_build_close(made);
	if (count != totals.rows)
		ereport(ERROR, (errcode(ERRCODE_AT_INTEGRITY),
						errmsg("partition \"%s\" cannot be archived", RelationGetRelationName(rel)),
						errdetail("It has " UINT64_FORMAT
								  " rows, and its index leads to " INT64_FORMAT ".",
								  count, totals.rows),
						errhint("SELECT * FROM audit.verify();")));
	table_close(store, NoLock);
	table_close(rel, NoLock);
	return totals;
}

/* Of a table in the schema audit, with indexes and what is stored out of line. */
static int64
size_of(const char *relation)
{
	return DatumGetInt64(
		DirectFunctionCall1(pg_total_relation_size, ObjectIdGetDatum(at_audit_relid(relation))));
}
