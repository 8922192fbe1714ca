/*-------------------------------------------------------------------------
 * cold_move.c
 *		Moving the segments of an archived partition to a file.
 *
 * The file is written, read segment by segment and put on disk first, while
 * everybody reads on; then the rows of audit.segment are exchanged.
 *
 * Locks: ShareUpdateExclusiveLock on the foreign table and its store while the file is
 * written, which keeps others from changing them; then AccessExclusiveLock on both.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/tuplestore.h"

#include "base/columns.h"
#include "base/debug_point.h"
#include "base/errors.h"
#include "ledger/cold.h"
#include "ledger/cold_change.h"
#include "ledger/cold_file.h"
#include "ledger/cold_segment.h"
#include "ledger/patient_lock.h"

static int64 write_file(Relation cold, int32 store_id, Snapshot snapshot, char **file);
static void lead_to(Relation store, int32 store_id, Snapshot snapshot, const char *file);

int64
at_cold_move(Oid partition, char **file)
{
	Relation cold = table_open(partition, ShareUpdateExclusiveLock);
	int32 store_id = at_cold_store(partition);
	Relation store = at_cold_open_store(store_id, ShareUpdateExclusiveLock);
	Oid store_relid = RelationGetRelid(store);
	Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
	int64 bytes = write_file(cold, store_id, snapshot, file);

	if (bytes > 0)
	{
		at_debug_point("archive-file-written");
		at_lock_patiently(list_make2_oid(partition, store_relid));
		lead_to(store, store_id, snapshot, *file);
	}
	UnregisterSnapshot(snapshot);
	table_close(store, NoLock);
	table_close(cold, NoLock);
	if (bytes > 0)
		at_let_go_reindex(store_relid);
	at_debug_point("archive-file-named");
	return bytes;
}

/* All of them are read, and so checked, on the way; 0 if one of them is in a file already. */
static int64
write_file(Relation cold, int32 store_id, Snapshot snapshot, char **file)
{
	char *name = RelationGetRelationName(cold);
	char *start = psprintf("%s-%d", name, store_id);
	AtSegmentScan *scan = at_segment_scan_open(store_id, snapshot);
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "audit segment", ALLOCSET_DEFAULT_SIZES);
	const AtSegmentRow *row = at_segment_scan_next(scan);
	AtColdFile out;

	*file = NULL;
	if (row == NULL || row->file != NULL)
	{
		at_segment_scan_close(scan);
		return 0;
	}
	at_cold_file_begin(&out, start);
	for (; row != NULL; row = at_segment_scan_next(scan))
	{
		MemoryContext save = MemoryContextSwitchTo(context);
		AtText bytes = {NULL, 0};

		CHECK_FOR_INTERRUPTS();
		at_cold_rows_free(at_cold_rows_read(row, RelationGetDescr(cold), name));
		if (at_segment_bytes(row, &bytes) != NULL || bytes.len != row->stored_bytes)
			ereport(ERROR, (errcode(ERRCODE_AT_INTEGRITY),
							errmsg("segment %d of archived partition \"%s\" cannot be moved",
								   row->number, name),
							errdetail("It is not as long as audit.segment says."),
							errhint("SELECT * FROM audit.verify();")));
		at_cold_file_append(&out, bytes);
		MemoryContextSwitchTo(save);
		MemoryContextReset(context);
	}
	at_segment_scan_close(scan);
	MemoryContextDelete(context);
	*file = at_cold_file_end(&out, start);
	return out.len;
}

/* A row of audit.segment whose content is in a file now. */
static void
put_row(Relation store, TupleTableSlot *slot, const char *file, int64 offset, Tuplestorestate *rows)
{
	Datum values[Natts_segment];
	bool nulls[Natts_segment];

	memcpy(values, slot->tts_values, sizeof(values));
	memcpy(nulls, slot->tts_isnull, sizeof(nulls));
	values[Anum_segment_file_offset - 1] = Int64GetDatum(offset);
	values[Anum_segment_file - 1] = CStringGetTextDatum(file);
	nulls[Anum_segment_file_offset - 1] = false;
	nulls[Anum_segment_file - 1] = false;
	nulls[Anum_segment_content - 1] = true;
	tuplestore_putvalues(rows, RelationGetDescr(store), values, nulls);
}

/* In the order in which they were written. */
static void
lead_to(Relation store, int32 store_id, Snapshot snapshot, const char *file)
{
	Tuplestorestate *rows = tuplestore_begin_heap(false, false, maintenance_work_mem);
	AtSegmentScan *scan = at_segment_scan_open(store_id, snapshot);
	const AtSegmentRow *row;
	int64 offset = 0;

	while ((row = at_segment_scan_next(scan)) != NULL)
	{
		put_row(store, at_segment_scan_slot(scan), file, offset, rows);
		offset += row->stored_bytes;
	}
	at_segment_scan_close(scan);
	at_let_go_replace(store, rows);
	tuplestore_end(rows);
}
