/*-------------------------------------------------------------------------
 * deferred_fill.c
 *		The sealer's part of deferred indexes: making the entries.
 *
 * Invariant: an index has each entry once. The sealer makes the entries of a
 * transaction in the pass that seals it; if that is not committed they are
 * there all the same, so the pass after one that failed, and the first one of a
 * process, look before they insert. An index that is built leaves out what is
 * not sealed, and is not filled meanwhile: the build holds a lock against the
 * sealer's, or waits for the sealer and looks.
 *
 * Entries are sorted before they are inserted, many rows at a time, index after index: so a
 * page is looked for and changed while it is at hand, instead of another one for each entry.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/nbtree.h"
#include "access/relscan.h"
#include "access/skey.h"
#include "access/table.h"
#include "access/xlog.h"
#include "catalog/pg_am.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/tuplesort.h"

#include "base/columns.h"
#include "base/pace.h"
#include "ledger/datum.h"
#include "ledger/deferred_fill.h"
#include "ledger/index_plan.h"
#include "ledger/place.h"
#include "ledger/scan.h"
#include "ledger/transaction.h"
#include "ledger/unsealed.h"

/* So many rows of a table are sorted at a time. */
#define SORT_ROWS 32768

/* A partition that is open. */
typedef struct Table
{
	Relation heap;
	int nindexes;
	AtIndexPlan plan[AT_MAX_INDEXES];
	Relation index[AT_MAX_INDEXES];
	Tuplesortstate *sort[AT_MAX_INDEXES]; /* the entries to make; NULL: none yet */
	int nrows;                            /* how many rows they are of */
} Table;

struct AtDeferredFill
{
	bool careful;
	MemoryContext context;
	MemoryContext entry_context;
	List *tables; /* of Table; few, as a pass is of transactions that end together */
};

struct AtDeferredBuilder
{
	MemoryContext context;
	AtIndexPlan plan;
	bool known;
	AtUnsealed unsealed;
	HTAB *ours; /* for events: Ours, of transactions that are not sealed; NULL: not read */
};

/* An unsealed transaction of ours, and where its first events are. */
typedef struct Ours
{
	int64 tx_id;
	AtPlaces places;
} Ours;

static void add_row(AtDeferredFill *fill, Oid relid, ItemPointer tid, Datum *values, bool *nulls);
static Table *get_table(AtDeferredFill *fill, Oid relid);
static Table *open_table(Oid relid);
static Tuplesortstate *begin_sort(Relation heap, Relation index);
static void insert_entries(AtDeferredFill *fill, Table *table);
static void close_table(Table *table);
static bool has_entry(Relation index, IndexTuple entry);
static AtDeferredBuilder *make_builder(Relation heap, Relation index);
static bool is_left_to_sealer(AtDeferredBuilder *builder, TupleTableSlot *slot);
static void collect_ours(AtDeferredBuilder *builder);
static void collect(TupleTableSlot *slot, void *arg);
static bool is_ours(TupleTableSlot *slot);
static bool leads_to(const Ours *ours, TupleTableSlot *slot);

AtDeferredFill *
at_deferred_fill_open(bool careful)
{
	AtDeferredFill *fill = palloc0(sizeof(AtDeferredFill));

	fill->careful = careful;
	fill->context = CurrentMemoryContext;
	fill->entry_context =
		AllocSetContextCreate(CurrentMemoryContext, "audit deferred entry", ALLOCSET_SMALL_SIZES);
	return fill;
}

void
at_deferred_fill_add_event(AtDeferredFill *fill, TupleTableSlot *slot)
{
	add_row(fill, slot->tts_tableOid, &slot->tts_tid, slot->tts_values, slot->tts_isnull);
}

void
at_deferred_fill_add_transaction(AtDeferredFill *fill, HeapTuple row, TupleDesc desc)
{
	Datum values[Natts_transaction];
	bool nulls[Natts_transaction];

	heap_deform_tuple(row, desc, values, nulls);
	add_row(fill, row->t_tableOid, &row->t_self, values, nulls);
}

static void
add_row(AtDeferredFill *fill, Oid relid, ItemPointer tid, Datum *values, bool *nulls)
{
	MemoryContext save = MemoryContextSwitchTo(fill->context);
	Table *table = get_table(fill, relid);

	for (int i = 0; i < table->nindexes; i++)
	{
		Datum key[INDEX_MAX_KEYS];
		bool key_null[INDEX_MAX_KEYS];

		if (!at_index_plan_defers(&table->plan[i], values, nulls) ||
			!at_index_plan_form(&table->plan[i], values, nulls, key, key_null))
			continue;
		if (table->sort[i] == NULL)
			table->sort[i] = begin_sort(table->heap, table->index[i]);
		tuplesort_putindextuplevalues(table->sort[i], table->index[i], tid, key, key_null);
	}
	if (++table->nrows == SORT_ROWS)
		insert_entries(fill, table);
	MemoryContextSwitchTo(save);
}

static Table *
get_table(AtDeferredFill *fill, Oid relid)
{
	ListCell *cell;

	foreach (cell, fill->tables)
	{
		Table *table = lfirst(cell);

		if (RelationGetRelid(table->heap) == relid)
			return table;
	}
	fill->tables = lappend(fill->tables, open_table(relid));
	return llast(fill->tables);
}

static Table *
open_table(Oid relid)
{
	Table *table = palloc0(sizeof(Table));

	table->heap = table_open(relid, NoLock);
	table->nindexes = at_index_plan_table(table->plan, table->heap, AT_FILLED_BY_SEALER);
	for (int i = 0; i < table->nindexes; i++)
		table->index[i] = index_open(table->plan[i].relid, RowExclusiveLock);
	return table;
}

/* A sort in the order of the index. It is for btrees, and goes by what the catalog says of it. */
static Tuplesortstate *
begin_sort(Relation heap, Relation index)
{
	Oid access_method = index->rd_rel->relam;
	Tuplesortstate *sort = NULL;

	PG_TRY();
	{
		index->rd_rel->relam = BTREE_AM_OID;
		sort = tuplesort_begin_index_btree(heap, index, false, false, maintenance_work_mem, NULL,
										   TUPLESORT_NONE);
	}
	PG_FINALLY();
	{
		index->rd_rel->relam = access_method;
	}
	PG_END_TRY();
	return sort;
}

static void
insert_entries(AtDeferredFill *fill, Table *table)
{
	MemoryContext save = MemoryContextSwitchTo(fill->entry_context);
	uint64 done = 0;

	for (int i = 0; i < table->nindexes; i++)
	{
		IndexTuple entry;

		if (table->sort[i] == NULL)
			continue;
		tuplesort_performsort(table->sort[i]);
		while ((entry = tuplesort_getindextuple(table->sort[i], true)) != NULL)
		{
			CHECK_FOR_INTERRUPTS();
			if (!fill->careful || !has_entry(table->index[i], entry))
				(void) _bt_doinsert(table->index[i], entry, UNIQUE_CHECK_NO, false, table->heap);
			MemoryContextReset(fill->entry_context);
			if (++done % AT_PACE_STEP == 0)
				at_pace_go_on();
		}
		tuplesort_end(table->sort[i]);
		table->sort[i] = NULL;
	}
	table->nrows = 0;
	MemoryContextSwitchTo(save);
}

static void
close_table(Table *table)
{
	for (int i = 0; i < table->nindexes; i++)
		index_close(table->index[i], NoLock);
	table_close(table->heap, NoLock);
	pfree(table);
}

void
at_deferred_fill_close(AtDeferredFill *fill)
{
	ListCell *cell;

	foreach (cell, fill->tables)
	{
		insert_entries(fill, lfirst(cell));
		close_table(lfirst(cell));
	}
	list_free(fill->tables);
	MemoryContextDelete(fill->entry_context);
	pfree(fill);
}

static bool
has_entry(Relation index, IndexTuple entry)
{
	Datum key[INDEX_MAX_KEYS];
	bool key_null[INDEX_MAX_KEYS];

	index_deform_tuple(entry, RelationGetDescr(index), key, key_null);
	return at_deferred_has(index, key, key_null, &entry->t_tid);
}

bool
at_deferred_build_takes(AtDeferredBuilder **builder, Relation heap, Relation index,
						TupleTableSlot *slot)
{
	if (*builder == NULL)
		*builder = make_builder(heap, index);
	slot_getallattrs(slot);
	return !(*builder)->known ||
		   !at_index_plan_defers(&(*builder)->plan, slot->tts_values, slot->tts_isnull) ||
		   !is_left_to_sealer(*builder, slot);
}

static AtDeferredBuilder *
make_builder(Relation heap, Relation index)
{
	AtDeferredBuilder *builder = palloc0(sizeof(AtDeferredBuilder));

	builder->context = CurrentMemoryContext;
	builder->known = at_unsealed_read_here(&builder->unsealed);
	at_index_plan(&builder->plan, heap, index);
	return builder;
}

static bool
is_left_to_sealer(AtDeferredBuilder *builder, TupleTableSlot *slot)
{
	bool is_event = builder->plan.ordinal != 0;
	int64 tx_id =
		DatumGetInt64(slot->tts_values[(is_event ? Anum_event_tx_id : Anum_transaction_tx_id) - 1]);

	if (!at_unsealed_has(&builder->unsealed, tx_id))
		return false;
	if (!is_event)
		return is_ours(slot);
	if (builder->ours == NULL)
		collect_ours(builder);
	return leads_to(hash_search(builder->ours, &tx_id, HASH_FIND, NULL), slot);
}

/* What no place leads to gets its entry now: the sealer finds it by that. */
static bool
leads_to(const Ours *ours, TupleTableSlot *slot)
{
	int32 ordinal = DatumGetInt32(slot->tts_values[Anum_event_ordinal - 1]);
	int16 class = DatumGetInt16(slot->tts_values[Anum_event_retention_class - 1]);
	AtPlace place = at_place_of(class, &slot->tts_tid);

	return ours != NULL && ordinal >= 1 && ordinal <= ours->places.count &&
		   memcmp(&ours->places.place[ordinal - 1], &place, sizeof(place)) == 0;
}

/*
 * An event does not tell where it was recorded, but its transaction does, which in a restore
 * may have no index yet. The row of our own comes with the commit.
 */
static void
collect_ours(AtDeferredBuilder *builder)
{
	HASHCTL control = {
		.keysize = sizeof(int64), .entrysize = sizeof(Ours), .hcxt = builder->context};
	Snapshot latest = at_snapshot_of_now();
	AtPlaces places;
	int64 own;
	TimestampTz tx_at;

	builder->ours = hash_create("audit unsealed transactions", 64, &control,
								HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	at_scan_heap(AT_LEDGER_TRANSACTION, latest, collect, builder);
	UnregisterSnapshot(latest);
	at_transaction_places(&places, &own, &tx_at);
	if (places.count > 0)
		((Ours *) hash_search(builder->ours, &own, HASH_ENTER, NULL))->places = places;
}

static void
collect(TupleTableSlot *slot, void *arg)
{
	AtDeferredBuilder *builder = arg;
	int64 tx_id;

	slot_getallattrs(slot);
	tx_id = DatumGetInt64(slot->tts_values[Anum_transaction_tx_id - 1]);
	if (at_unsealed_has(&builder->unsealed, tx_id) && is_ours(slot) &&
		!slot->tts_isnull[Anum_transaction_event_places - 1])
	{
		Ours *ours = hash_search(builder->ours, &tx_id, HASH_ENTER, NULL);

		at_places_read(&ours->places, at_span_of_varlena(PG_DETOAST_DATUM_PACKED(
										  slot->tts_values[Anum_transaction_event_places - 1])));
	}
}

/*
 * Was the row recorded in this server and database? Others come with a restore, and
 * their tx_id may be one that transactions of this database would have, if a copy
 * recorded them before it began its incarnation.
 */
static bool
is_ours(TupleTableSlot *slot)
{
	bool isnull;

	return (uint64) DatumGetInt64(slot_getattr(slot, Anum_transaction_system_identifier,
											   &isnull)) == GetSystemIdentifier() &&
		   DatumGetObjectId(slot_getattr(slot, Anum_transaction_database_oid, &isnull)) ==
			   MyDatabaseId;
}

/* What index_beginscan() would set besides. */
IndexScanDesc
at_deferred_begin_btree(Relation index, int nkeys)
{
	IndexScanDesc scan = btbeginscan(index, nkeys, 0);

	scan->parallel_scan = NULL;
	scan->xs_temp_snap = false;
	return scan;
}

void
at_deferred_end_btree(IndexScanDesc scan)
{
	btendscan(scan);
	IndexScanEnd(scan);
}

/*
 * By the btree underneath, which knows nothing of what is not sealed. It has entries
 * of one key in the order of their places, and who asks asks for late ones: a session
 * may have millions before. Several that were made one tuple (deduplication) come upwards, in a
 * scan backwards too; so the search ends with the tuple that begins before the place.
 */
bool
at_deferred_has(Relation index, const Datum *key, const bool *nulls, ItemPointer tid)
{
	int nkeys = IndexRelationGetNumberOfKeyAttributes(index);
	ScanKeyData keys[INDEX_MAX_KEYS];
	IndexScanDesc scan = at_deferred_begin_btree(index, nkeys);
	ItemPointerData last;
	bool passed = false; /* a place before that which is looked for */
	bool found = false;

	for (int i = 0; i < nkeys; i++)
	{
		Oid type = index->rd_opcintype[i];
		Oid equal = get_opcode(
			get_opfamily_member(index->rd_opfamily[i], type, type, BTEqualStrategyNumber));
		int flags = nulls[i] ? SK_ISNULL | SK_SEARCHNULL : 0;

		ScanKeyEntryInitialize(&keys[i], flags, i + 1,
							   nulls[i] ? InvalidStrategy : BTEqualStrategyNumber, InvalidOid,
							   index->rd_indcollation[i], nulls[i] ? InvalidOid : equal,
							   nulls[i] ? (Datum) 0 : key[i]);
	}
	scan->xs_snapshot = SnapshotAny;
	btrescan(scan, keys, nkeys, NULL, 0);
	while (!found && btgettuple(scan, BackwardScanDirection) &&
		   !(passed && ItemPointerCompare(&scan->xs_heaptid, &last) < 0))
	{
		last = scan->xs_heaptid;
		found = ItemPointerEquals(&last, tid);
		passed = passed || ItemPointerCompare(&last, tid) < 0;
	}
	at_deferred_end_btree(scan);
	return found;
}
