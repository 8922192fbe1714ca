/*-------------------------------------------------------------------------
 * cold_segment_scan.c
 *		Rows of audit.segment of one store.
 *
 * Locks: AccessShareLock on the store and its index, until the end of the transaction. Who
 * drops a store drops the foreign table first, on which the caller holds a lock.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relscan.h"
#include "access/skey.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_am_d.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/columns.h"
#include "base/compat.h"
#include "base/errors.h"
#include "ledger/cold.h"
#include "ledger/cold_segment.h"
#include "ledger/datum.h"

struct AtSegmentScan
{
	Relation store;
	Relation index;
	IndexScanDesc by_last;
	TupleTableSlot *slot;
	MemoryContext context;     /* of the scan */
	MemoryContext row_context; /* of the row that was given out */
	AtSegmentRow row;
};

static Relation open_index(Relation store);

Relation
at_cold_open_store(int32 store, LOCKMODE mode)
{
	char *name = psprintf("segment_%d", store);
	Oid relid = get_relname_relid(name, at_audit_schema());
	Relation rel = OidIsValid(relid) ? try_table_open(relid, mode) : NULL;

	if (rel == NULL)
		ereport(ERROR, (errcode(ERRCODE_AT_INTEGRITY),
						errmsg("rows of an archived partition of the ledger are missing"),
						errdetail("There is no table %s.%s.", AT_SCHEMA, name),
						errhint("SELECT * FROM audit.verify();")));
	return rel;
}

AtSegmentScan *
at_segment_scan_open(int32 store, Snapshot snapshot)
{
	AtSegmentScan *scan = palloc0(sizeof(AtSegmentScan));

	scan->context = CurrentMemoryContext;
	scan->row_context =
		AllocSetContextCreate(CurrentMemoryContext, "audit segment row", ALLOCSET_DEFAULT_SIZES);
	scan->store = at_cold_open_store(store, AccessShareLock);
	scan->index = open_index(scan->store);
	scan->slot = table_slot_create(scan->store, NULL);
	scan->by_last = index_beginscan(scan->store, scan->index, snapshot, NULL, 1, 0);
	at_segment_scan_start(scan, PG_INT64_MIN);
	return scan;
}

/* The index on last_tx_id, then number. */
static Relation
open_index(Relation store)
{
	List *oids = RelationGetIndexList(store);
	ListCell *cell;

	foreach (cell, oids)
	{
		Relation index = index_open(lfirst_oid(cell), AccessShareLock);
		Form_pg_index form = index->rd_index;

		if (form->indisvalid && index->rd_rel->relam == BTREE_AM_OID && form->indnkeyatts == 2 &&
			form->indkey.values[0] == Anum_segment_last_tx_id &&
			form->indkey.values[1] == Anum_segment_number)
			return index;
		index_close(index, NoLock);
	}
	ereport(ERROR, (errcode(ERRCODE_AT_INTEGRITY),
					errmsg("ledger table \"%s\" lacks an index", RelationGetRelationName(store)),
					errdetail("There is none on last_tx_id and number."),
					errhint("SELECT * FROM audit.doctor();")));
}

void
at_segment_scan_start(AtSegmentScan *scan, int64 tx_id)
{
	MemoryContext save = MemoryContextSwitchTo(scan->context);
	ScanKeyData key;

	ScanKeyInit(&key, 1, BTGreaterEqualStrategyNumber, F_INT8GE, Int64GetDatum(tx_id));
	index_rescan(scan->by_last, &key, 1, NULL, 0);
	MemoryContextSwitchTo(save);
}

static AtSpan
bytes_of(TupleTableSlot *slot, AttrNumber column)
{
	bool isnull;
	Datum value = slot_getattr(slot, column, &isnull);

	return isnull ? (AtSpan){NULL, 0} : at_span_of_varlena(PG_DETOAST_DATUM_PACKED(value));
}

/* What was toasted, but for the content, is unpacked to the current context. */
static void
read_row(AtSegmentRow *row, TupleTableSlot *slot)
{
	slot_getallattrs(slot);
#define COLUMN(name)  slot->tts_values[Anum_segment_##name - 1]
#define IS_NULL(name) slot->tts_isnull[Anum_segment_##name - 1]
	*row = (AtSegmentRow){
		.number = DatumGetInt32(COLUMN(number)),
		.row_count = DatumGetInt32(COLUMN(row_count)),
		.first_tx_id = DatumGetInt64(COLUMN(first_tx_id)),
		.last_tx_id = DatumGetInt64(COLUMN(last_tx_id)),
		.first_tx_at = DatumGetTimestampTz(COLUMN(first_tx_at)),
		.last_tx_at = DatumGetTimestampTz(COLUMN(last_tx_at)),
		.first_target = DatumGetInt32(COLUMN(first_target)),
		.last_target = DatumGetInt32(COLUMN(last_target)),
		.stored_bytes = DatumGetInt32(COLUMN(stored_bytes)),
		.bloom = bytes_of(slot, Anum_segment_bloom),
		.checksum = bytes_of(slot, Anum_segment_checksum),
		.file_offset = IS_NULL(file_offset) ? 0 : DatumGetInt64(COLUMN(file_offset)),
		.file = IS_NULL(file) ? NULL : TextDatumGetCString(COLUMN(file)),
		.content = IS_NULL(content) ? (Datum) 0 : COLUMN(content),
	};
#undef IS_NULL
#undef COLUMN
}

static const AtSegmentRow *
fetch(AtSegmentScan *scan, ScanDirection direction)
{
	MemoryContext save = MemoryContextSwitchTo(scan->context);
	bool found;

	CHECK_FOR_INTERRUPTS();
	found = index_getnext_slot(scan->by_last, direction, scan->slot);
	MemoryContextReset(scan->row_context);
	MemoryContextSwitchTo(scan->row_context);
	if (found)
		read_row(&scan->row, scan->slot);
	MemoryContextSwitchTo(save);
	return found ? &scan->row : NULL;
}

const AtSegmentRow *
at_segment_scan_next(AtSegmentScan *scan)
{
	return fetch(scan, ForwardScanDirection);
}

const AtSegmentRow *
at_segment_scan_last(AtSegmentScan *scan)
{
	at_segment_scan_start(scan, PG_INT64_MIN);
	return fetch(scan, BackwardScanDirection);
}

TupleTableSlot *
at_segment_scan_slot(AtSegmentScan *scan)
{
	return scan->slot;
}

void
at_segment_scan_close(AtSegmentScan *scan)
{
	index_endscan(scan->by_last);
	ExecDropSingleTupleTableSlot(scan->slot);
	index_close(scan->index, NoLock);
	table_close(scan->store, NoLock);
	MemoryContextDelete(scan->row_context);
	pfree(scan);
}
