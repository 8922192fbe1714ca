/*-------------------------------------------------------------------------
 * place.c
 *		Where the first events of a transaction are stored.
 *
 * Partitions stay open for as long as their reader: few, as those who follow places ask for
 * transactions that are not sealed.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "nodes/pg_list.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/columns.h"
#include "ledger/partition.h"
#include "ledger/place.h"

/* A partition that was asked for, and the rows that it is for. */
typedef struct Leaf
{
	int16 retention_class;
	AtPartition partition;
	Relation heap; /* NULL: it has no rows of its own, or is gone */
	BlockNumber nblocks;
	TupleTableSlot *slot;
} Leaf;

struct AtPlaceReader
{
	Snapshot snapshot;
	bool filtered; /* see scan.c */
	MemoryContext context;
	Leaf *last;
	List *leaves; /* of Leaf */
};

static Leaf *get_leaf(AtPlaceReader *reader, int16 retention_class, TimestampTz tx_at);
static Leaf *open_leaf(AtPlaceReader *reader, int16 retention_class, TimestampTz tx_at);
static bool fetch(AtPlaceReader *reader, Leaf *leaf, ItemPointer tid);

AtPlace
at_place_of(int16 retention_class, const ItemPointerData *tid)
{
	return (AtPlace){.retention_class = retention_class,
					 .offset = ItemPointerGetOffsetNumber(tid),
					 .block = ItemPointerGetBlockNumber(tid)};
}

void
at_places_read(AtPlaces *places, AtSpan stored)
{
	bool whole = stored.len % sizeof(AtPlace) == 0 && stored.len <= sizeof(places->place);

	places->count = whole ? stored.len / sizeof(AtPlace) : 0;
	if (places->count > 0)
		memcpy(places->place, stored.data, stored.len);
}

AtPlaceReader *
at_place_reader_open(Snapshot snapshot)
{
	AtPlaceReader *reader = palloc0(sizeof(AtPlaceReader));

	reader->snapshot = snapshot;
	reader->filtered = IsolationIsSerializable();
	reader->context = CurrentMemoryContext;
	return reader;
}

Oid
at_place_partition(AtPlaceReader *reader, const AtPlace *place, TimestampTz tx_at)
{
	const Leaf *leaf = get_leaf(reader, place->retention_class, tx_at);

	return leaf->heap != NULL ? RelationGetRelid(leaf->heap) : InvalidOid;
}

TupleTableSlot *
at_place_fetch(AtPlaceReader *reader, const AtPlace *place, TimestampTz tx_at, int64 tx_id,
			   int32 ordinal)
{
	Leaf *leaf = get_leaf(reader, place->retention_class, tx_at);
	ItemPointerData tid;

	ItemPointerSet(&tid, place->block, place->offset);
	if (leaf->heap == NULL || !ItemPointerIsValid(&tid) || !fetch(reader, leaf, &tid))
		return NULL;
	slot_getallattrs(leaf->slot);
	return DatumGetInt64(leaf->slot->tts_values[Anum_event_tx_id - 1]) == tx_id &&
				   DatumGetInt32(leaf->slot->tts_values[Anum_event_ordinal - 1]) == ordinal
			   ? leaf->slot
			   : NULL;
}

static Leaf *
get_leaf(AtPlaceReader *reader, int16 retention_class, TimestampTz tx_at)
{
	ListCell *cell;

#define SERVES(leaf)                                                                               \
	((leaf)->retention_class == retention_class && tx_at >= (leaf)->partition.from &&              \
	 tx_at < (leaf)->partition.until)
	if (reader->last != NULL && SERVES(reader->last))
		return reader->last;
	foreach (cell, reader->leaves)
	{
		reader->last = lfirst(cell);
		if (SERVES(reader->last))
			return reader->last;
	}
#undef SERVES

	MemoryContext save = MemoryContextSwitchTo(reader->context);

	reader->last = open_leaf(reader, retention_class, tx_at);
	reader->leaves = lappend(reader->leaves, reader->last);
	MemoryContextSwitchTo(save);
	return reader->last;
}

static Leaf *
open_leaf(AtPlaceReader *reader, int16 retention_class, TimestampTz tx_at)
{
	Leaf *leaf = palloc0(sizeof(Leaf));

	leaf->retention_class = retention_class;
	if (!at_partition_lookup(AT_LEDGER_EVENT, retention_class, tx_at, &leaf->partition))
		return leaf;
	leaf->heap = try_table_open(leaf->partition.relid, AccessShareLock);
	if (leaf->heap != NULL)
		leaf->slot = table_slot_create(leaf->heap, NULL);
	return leaf;
}

/* What lies beyond the end of the table would be an error to the access method. */
static bool
fetch(AtPlaceReader *reader, Leaf *leaf, ItemPointer tid)
{
	if (ItemPointerGetBlockNumber(tid) >= leaf->nblocks)
		leaf->nblocks = RelationGetNumberOfBlocks(leaf->heap);
	return ItemPointerGetBlockNumber(tid) < leaf->nblocks &&
		   table_tuple_fetch_row_version(
			   leaf->heap, tid, reader->filtered ? SnapshotAny : reader->snapshot, leaf->slot) &&
		   (!reader->filtered ||
			table_tuple_satisfies_snapshot(leaf->heap, leaf->slot, reader->snapshot));
}

void
at_place_reader_close(AtPlaceReader *reader)
{
	ListCell *cell;

	foreach (cell, reader->leaves)
	{
		Leaf *leaf = lfirst(cell);

		if (leaf->heap != NULL)
		{
			ExecDropSingleTupleTableSlot(leaf->slot);
			table_close(leaf->heap, NoLock);
		}
	}
	list_free_deep(reader->leaves);
	pfree(reader);
}
