/*-------------------------------------------------------------------------
 * deferred.c
 *		Index access method audit_deferred: a btree that the sealer fills.
 *
 * The routine is that of btree without what needs an order, or each row once.
 *
 * Invariant: a transaction that the last entry of the log has sealed, in a
 * snapshot taken now, has its entries; they were made before that entry was
 * committed. So a scan first asks how far the log has come, takes all that is
 * beyond, and then reads the btree: what is sealed meanwhile comes twice.
 *
 * Rows that are not written by the ledger (a dump being restored), and rows
 * that were written before an incarnation had begun here, get their entries
 * as in any index.
 *
 * Locks: a scan takes AccessShareLock on the log's tables.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/amapi.h"
#include "access/genam.h"
#include "access/htup_details.h"
#include "access/nbtree.h"
#include "access/relscan.h"
#include "access/table.h"
#include "catalog/pg_am.h"
#include "catalog/pg_inherits.h"
#include "fmgr.h"
#include "nodes/execnodes.h"
#include "nodes/tidbitmap.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/catalog.h"
#include "base/errors.h"
#include "ledger/deferred.h"
#include "ledger/index_plan.h"
#include "ledger/log_read.h"
#include "ledger/read.h"
#include "ledger/worm.h"

struct AtDeferred
{
	MemoryContext context;
	Oid relid; /* the table whose indexes are open; InvalidOid: none */
	Relation heap;
	int nindexes;
	AtIndexPlan plan[AT_MAX_INDEXES];
	Relation index[AT_MAX_INDEXES];
};

PG_FUNCTION_INFO_V1(at_deferred_handler);

static IndexBuildResult *build(Relation heap, Relation index, IndexInfo *info);
static bool validate(Oid opclass);
static int64 get_bitmap(IndexScanDesc scan, TIDBitmap *bitmap);
static int64 add_unsealed(IndexScanDesc scan, TIDBitmap *bitmap);
static void open_table(AtDeferred *deferred, Oid relid);
static void close_table(AtDeferred *deferred);

Datum
at_deferred_handler(PG_FUNCTION_ARGS)
{
	IndexAmRoutine *routine = GetIndexAmRoutine(F_BTHANDLER);

	routine->amcanorder = false;
	routine->amcanbackward = false;
	routine->amcanunique = false;
	routine->amclusterable = false;
	routine->amcanparallel = false;
	routine->amcaninclude = false;
	routine->ampredlocks = false;
	routine->amgettuple = NULL;
	routine->amcanreturn = NULL;
	routine->amproperty = NULL;
	routine->amadjustmembers = NULL;
	routine->amestimateparallelscan = NULL;
	routine->aminitparallelscan = NULL;
	routine->amparallelrescan = NULL;
	routine->ambuild = build;
	routine->amvalidate = validate;
	routine->amgetbitmap = get_bitmap;
	PG_RETURN_POINTER(routine);
}

bool
at_is_deferred(Relation index)
{
	return index->rd_indam != NULL && index->rd_indam->amgetbitmap == get_bitmap;
}

/* The sort behind a build works for btrees alone, and looks at the catalog's word for it. */
static IndexBuildResult *
build(Relation heap, Relation index, IndexInfo *info)
{
	Oid access_method = index->rd_rel->relam;
	IndexBuildResult *result = NULL;

	if (!at_is_worm(heap))
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("index \"%s\" cannot use the access method audit_deferred",
							   RelationGetRelationName(index)),
						errdetail("It serves the audit ledger, whose sealer fills it."),
						errhint("Use btree.")));
	PG_TRY();
	{
		index->rd_rel->relam = BTREE_AM_OID;
		result = btbuild(heap, index, info);
	}
	PG_FINALLY();
	{
		index->rd_rel->relam = access_method;
	}
	PG_END_TRY();
	return result;
}

/* The operator classes are ours; nobody else can use the access method. */
static bool
validate(Oid opclass)
{
	return true;
}

/* In this order: see the head of this file. */
static int64
get_bitmap(IndexScanDesc scan, TIDBitmap *bitmap)
{
	int64 count = add_unsealed(scan, bitmap);

	return count + btgetbitmap(scan, bitmap);
}

/* What the sealer has not come to, to be rechecked. */
static int64
add_unsealed(IndexScanDesc scan, TIDBitmap *bitmap)
{
	MemoryContext own =
		AllocSetContextCreate(CurrentMemoryContext, "audit unsealed", ALLOCSET_SMALL_SIZES);
	MemoryContext save = MemoryContextSwitchTo(own);
	Snapshot latest = RegisterSnapshot(GetLatestSnapshot());
	AtTransactionReader *reader;
	ItemPointerData tid;
	AtIncarnation last;
	AtWindow window;
	int64 count = 0;

	(void) at_incarnation_read_last(latest, &last);
	window = (AtWindow){
		.incarnation = last.incarnation,
		.system_identifier = last.system_identifier,
		.database_oid = last.database_oid,
		.from = at_log_window_end(latest, last.incarnation),
	};
	UnregisterSnapshot(latest);

	reader =
		at_transaction_reader_open_leaf(scan->indexRelation->rd_index->indrelid, scan->xs_snapshot);
	at_transaction_reader_start(reader, &window);
	while (at_transaction_reader_next_tid(reader, &tid))
	{
		tbm_add_tuples(bitmap, &tid, 1, true);
		count++;
	}
	at_transaction_reader_close(reader);
	MemoryContextSwitchTo(save);
	MemoryContextDelete(own);
	return count;
}

/*
 * The locks are taken now, before others of the table's and its indexes': REINDEX
 * takes them in this order too.
 */
AtDeferred *
at_deferred_open(void)
{
	AtDeferred *deferred = palloc0(sizeof(AtDeferred));

	(void) find_all_inheritors(at_ledger_relid(AT_LEDGER_TRANSACTION), RowExclusiveLock, NULL);
	deferred->context =
		AllocSetContextCreate(CurrentMemoryContext, "audit deferred indexes", ALLOCSET_SMALL_SIZES);
	return deferred;
}

void
at_deferred_add(AtDeferred *deferred, HeapTuple row, TupleDesc desc)
{
	Datum values[MaxTupleAttributeNumber];
	bool nulls[MaxTupleAttributeNumber];
	MemoryContext save;

	if (deferred->relid != row->t_tableOid)
		open_table(deferred, row->t_tableOid);
	if (deferred->nindexes == 0)
		return;

	save = MemoryContextSwitchTo(deferred->context);
	heap_deform_tuple(row, desc, values, nulls);
	for (int i = 0; i < deferred->nindexes; i++)
		at_index_plan_insert(&deferred->plan[i], deferred->index[i], deferred->heap, &row->t_self,
							 values, nulls);
	MemoryContextSwitchTo(save);
	MemoryContextReset(deferred->context);
}

static void
open_table(AtDeferred *deferred, Oid relid)
{
	close_table(deferred);
	deferred->heap = table_open(relid, NoLock);
	deferred->nindexes = at_index_plan_table(deferred->plan, deferred->heap, true);
	for (int i = 0; i < deferred->nindexes; i++)
		deferred->index[i] = index_open(deferred->plan[i].relid, RowExclusiveLock);
	deferred->relid = relid;
}

static void
close_table(AtDeferred *deferred)
{
	if (!OidIsValid(deferred->relid))
		return;
	for (int i = 0; i < deferred->nindexes; i++)
		index_close(deferred->index[i], NoLock);
	table_close(deferred->heap, NoLock);
	deferred->relid = InvalidOid;
}

void
at_deferred_close(AtDeferred *deferred)
{
	close_table(deferred);
	MemoryContextDelete(deferred->context);
	pfree(deferred);
}
