/*-------------------------------------------------------------------------
 * append.c
 *		The only writer of ledger rows.
 *
 * Two layers of memory make a row cheap. A plan, kept by the backend, knows
 * which leaf table a row goes to and what its indexes look like; relcache
 * invalidations flip it. The relations of a plan are opened once a
 * transaction, each at its first use, under the top resource owner, and closed at its end.
 *
 * Locks: RowExclusiveLock on the leaf table until the end of the transaction.
 * Indexes are opened without a lock of their own: whoever drops or rebuilds
 * one takes a lock on the table, or (concurrently) waits for its lockers.
 *
 * Entries in indexes of the access method audit_deferred are left to the sealer, except of
 * transactions with many rows.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/heaptoast.h"
#include "access/htup_details.h"
#include "access/xact.h"
#include "executor/tuptable.h"
#include "pgstat.h"
#include "storage/lmgr.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/columns.h"
#include "base/compat.h"
#include "base/errors.h"
#include "base/relation_change.h"
#include "ledger/append.h"
#include "ledger/index_plan.h"
#include "ledger/partition.h"

typedef struct LeafPlan
{
	/* kept by the backend */
	bool valid;
	int16 retention_class;
	AtPartition partition;
	int nindexes;
	AtIndexPlan index[AT_MAX_INDEXES];

	/* kept by the transaction; NULL when closed */
	Relation heap;
	Relation index_rel[AT_MAX_INDEXES];
	int level; /* deepest nesting level at which one was opened, as far as that stands */
} LeafPlan;

/*
 * Right after an error: heap and index_rel are cleared by the callback at the
 * end of the transaction, whose resource owner has closed the relations. The
 * end of a subtransaction closes what it opened: it may have made them too.
 */
static struct
{
	bool any_open;
	LeafPlan plan[AT_LEDGER_TABLES];
} append;

static void end_transaction(XactEvent event, void *arg);
static void end_subtransaction(SubXactEvent event, SubTransactionId id, SubTransactionId parent,
							   void *arg);
static void forget_relation(Datum arg, Oid relid);
static TupleTableSlot *hold_row(TupleDesc desc, const AtRow *row);
static void lock_leaf(Oid relid);
static void open_plan(LeafPlan *plan);
static Relation open_relation(LeafPlan *plan, Oid relid);
static void make_plan(LeafPlan *plan, AtLedgerTable table, int16 retention_class,
					  TimestampTz tx_at);
static void close_plan(LeafPlan *plan);

void
at_append_init(void)
{
	RegisterXactCallback(end_transaction, NULL);
	RegisterSubXactCallback(end_subtransaction, NULL);
	at_relation_change_register(forget_relation);
}

/* Does the plan serve this row? */
static inline bool
plan_fits(const LeafPlan *plan, int16 retention_class, TimestampTz tx_at)
{
	return plan->valid && plan->retention_class == retention_class &&
		   tx_at >= plan->partition.from && tx_at < plan->partition.until;
}

/* Insert a row's entry into one of the indexes, if it is to have one now. */
static inline void
insert_entry(LeafPlan *plan, int i, ItemPointer tid, Datum *values, bool *nulls)
{
	const AtIndexPlan *index = &plan->index[i];

	if (at_index_plan_defers(index, values, nulls) || !at_index_plan_wants(index, values, nulls))
		return;
	if (plan->index_rel[i] == NULL)
		plan->index_rel[i] = open_relation(plan, index->relid);
	at_index_plan_insert(index, plan->index_rel[i], plan->heap, tid, values, nulls);
}

/* The open plan for a row of a table. */
static LeafPlan *
get_plan(AtLedgerTable table, int16 retention_class, TimestampTz tx_at)
{
	LeafPlan *plan = &append.plan[table];

	if (plan->heap != NULL && plan_fits(plan, retention_class, tx_at))
		return plan;
	if (plan->heap != NULL)
		close_plan(plan);

	/* taking the lock may tell us that what we know is out of date */
	for (;;)
	{
		if (!plan_fits(plan, retention_class, tx_at))
			make_plan(plan, table, retention_class, tx_at);
		lock_leaf(plan->partition.relid);
		if (plan->valid)
			break;
	}
	open_plan(plan);
	return plan;
}

ItemPointerData
at_append(AtLedgerTable table, Datum *values, bool *nulls)
{
	int16 retention_class = 0;
	TimestampTz tx_at = 0;

	if (table == AT_LEDGER_EVENT)
	{
		retention_class = DatumGetInt16(values[Anum_event_retention_class - 1]);
		tx_at = DatumGetTimestampTz(values[Anum_event_tx_at - 1]);
	}
	else if (table == AT_LEDGER_TRANSACTION)
	{
		retention_class = DatumGetInt16(values[Anum_transaction_retention_class - 1]);
		tx_at = DatumGetTimestampTz(values[Anum_transaction_tx_at - 1]);
	}

	LeafPlan *plan = get_plan(table, retention_class, tx_at);
	HeapTuple tuple = heap_form_tuple(RelationGetDescr(plan->heap), values, nulls);

	/* what is stored out of line wants a snapshot, and at commit there is none */
	bool wants_snapshot = tuple->t_len > TOAST_TUPLE_THRESHOLD && !ActiveSnapshotSet();

	if (wants_snapshot)
		PushActiveSnapshot(GetTransactionSnapshot());
	heap_insert(plan->heap, tuple, GetCurrentCommandId(true), 0, NULL);
	if (wants_snapshot)
		PopActiveSnapshot();
	for (int i = 0; i < plan->nindexes; i++)
		insert_entry(plan, i, &tuple->t_self, values, nulls);

	ItemPointerData place = tuple->t_self;

	heap_freetuple(tuple);
	return place;
}

/*
 * A page takes many, one behind the other, and is pruned by who reads it: so it stays one page.
 * Index builds take a row that was updated for a change from outside: hence no index.
 */
void
at_append_over(AtLedgerTable table, ItemPointer place, Datum *values, bool *nulls)
{
	LeafPlan *plan;
	HeapTuple tuple;

	if (table != AT_LEDGER_ALERT_PASS)
		elog(ERROR, "rows of ledger table %d do not change", table);
	plan = get_plan(table, 0, 0);
	tuple = heap_form_tuple(RelationGetDescr(plan->heap), values, nulls);
	if (plan->nindexes > 0)
		elog(ERROR, "audit.alert_pass has an index");
	at_simple_heap_update(plan->heap, place, tuple);
	heap_freetuple(tuple);
}

void
at_append_rows(AtLedgerTable table, List *rows)
{
	int count = list_length(rows);
	LeafPlan *plan;
	TupleTableSlot **slots;

	if (count == 0)
		return;
	plan = get_plan(table, 0, 0);
	slots = palloc(sizeof(TupleTableSlot *) * count);
	for (int i = 0; i < count; i++)
		slots[i] = hold_row(RelationGetDescr(plan->heap), list_nth(rows, i));
	heap_multi_insert(plan->heap, slots, count, GetCurrentCommandId(true), 0, NULL);
	for (int i = 0; i < plan->nindexes; i++)
		for (int j = 0; j < count; j++)
			insert_entry(plan, i, &slots[j]->tts_tid, slots[j]->tts_values, slots[j]->tts_isnull);
	for (int i = 0; i < count; i++)
		ExecDropSingleTupleTableSlot(slots[i]);
	pfree(slots);
}

static TupleTableSlot *
hold_row(TupleDesc desc, const AtRow *row)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(desc, &TTSOpsVirtual);

	memcpy(slot->tts_values, row->values, sizeof(Datum) * desc->natts);
	memcpy(slot->tts_isnull, row->nulls, sizeof(bool) * desc->natts);
	return ExecStoreVirtualTuple(slot);
}

void
at_append_to(Relation heap, Datum *values, bool *nulls)
{
	HeapTuple tuple = heap_form_tuple(RelationGetDescr(heap), values, nulls);
	AtIndexPlan plan[AT_MAX_INDEXES];
	int nindexes = at_index_plan_table(plan, heap, AT_FILLED_BY_WRITER);

	heap_insert(heap, tuple, GetCurrentCommandId(true), 0, NULL);
	for (int i = 0; i < nindexes; i++)
	{
		Relation index = index_open(plan[i].relid, RowExclusiveLock);

		at_index_plan_insert(&plan[i], index, heap, &tuple->t_self, values, nulls);
		index_close(index, NoLock);
	}
	heap_freetuple(tuple);
}

/* Close what is open; after an abort the resource owner has done it. */
static void
end_transaction(XactEvent event, void *arg)
{
	bool close = event == XACT_EVENT_PRE_COMMIT || event == XACT_EVENT_PRE_PREPARE;

	if (!append.any_open || event == XACT_EVENT_PARALLEL_PRE_COMMIT)
		return;

	for (int i = 0; i < AT_LEDGER_TABLES; i++)
	{
		LeafPlan *plan = &append.plan[i];

		if (plan->heap != NULL && close)
			close_plan(plan);
		plan->heap = NULL;
	}
	append.any_open = false;
}

static void
end_subtransaction(SubXactEvent event, SubTransactionId id, SubTransactionId parent, void *arg)
{
	int level = GetCurrentTransactionNestLevel();

	if (!append.any_open || (event != SUBXACT_EVENT_ABORT_SUB && event != SUBXACT_EVENT_COMMIT_SUB))
		return;
	for (int i = 0; i < AT_LEDGER_TABLES; i++)
	{
		LeafPlan *plan = &append.plan[i];

		if (plan->heap == NULL || plan->level < level)
			continue;
		if (event == SUBXACT_EVENT_ABORT_SUB)
			close_plan(plan);
		else
			plan->level = level - 1;
	}
}

/* A change of any relation that a plan rests on makes it invalid. */
static void
forget_relation(Datum arg, Oid relid)
{
	for (int i = 0; i < AT_LEDGER_TABLES; i++)
	{
		LeafPlan *plan = &append.plan[i];

		if (!OidIsValid(relid) || relid == plan->partition.relid)
			plan->valid = false;
		for (int j = 0; j < plan->nindexes && plan->valid; j++)
			if (relid == plan->index[j].relid)
				plan->valid = false;
	}
}

/* Lock a leaf for the rest of the transaction, whatever becomes of a subtransaction. */
static void
lock_leaf(Oid relid)
{
	ResourceOwner save = CurrentResourceOwner;

	CurrentResourceOwner = TopTransactionResourceOwner;
	LockRelationOid(relid, RowExclusiveLock);
	CurrentResourceOwner = save;
}

/* Open the leaf for the rest of the transaction, and none of its indexes yet. */
static void
open_plan(LeafPlan *plan)
{
	plan->level = 0;
	memset(plan->index_rel, 0, sizeof(plan->index_rel));
	plan->heap = open_relation(plan, plan->partition.relid);
	pgstat_init_relation(plan->heap); /* what is inserted counts for autovacuum */
}

static Relation
open_relation(LeafPlan *plan, Oid relid)
{
	ResourceOwner save = CurrentResourceOwner;
	Relation relation;

	CurrentResourceOwner = TopTransactionResourceOwner;
	relation = RelationIdGetRelation(relid);
	CurrentResourceOwner = save;
	if (relation == NULL)
		elog(ERROR, "relation %u of the ledger vanished", relid);
	append.any_open = true;
	plan->level = Max(plan->level, GetCurrentTransactionNestLevel());
	return relation;
}

static void
close_plan(LeafPlan *plan)
{
	ResourceOwner save = CurrentResourceOwner;

	CurrentResourceOwner = TopTransactionResourceOwner;
	for (int i = 0; i < lengthof(plan->index_rel); i++)
	{
		if (plan->index_rel[i] != NULL)
			RelationClose(plan->index_rel[i]);
		plan->index_rel[i] = NULL;
	}
	RelationClose(plan->heap);
	plan->heap = NULL;
	CurrentResourceOwner = save;
}

/* Find the leaf and learn its indexes. */
static void
make_plan(LeafPlan *plan, AtLedgerTable table, int16 retention_class, TimestampTz tx_at)
{
	plan->valid = false;
	plan->nindexes = 0;
	plan->retention_class = retention_class;
	plan->partition = at_partition_find(table, retention_class, tx_at);
	lock_leaf(plan->partition.relid);

	Relation heap = RelationIdGetRelation(plan->partition.relid);

	if (heap == NULL)
		return; /* dropped meanwhile; the caller looks again */
	plan->valid = true;
	plan->nindexes = at_index_plan_table(plan->index, heap, AT_FILLED_BY_WRITER);
	RelationClose(heap);
}
